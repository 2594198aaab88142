// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef TEST_SCHEDULES_H
#define TEST_SCHEDULES_H

/*
 * Runs a few small threads over one piece of memory in every order that their accesses can take,
 * and checks promises after each step and at the end of each schedule. Sequentially consistent.
 *
 * A thread's function runs many times in one schedule, each time from its beginning. It may keep
 * locals, touch the memory through the schedules_ calls alone, and note in the memory what it has
 * found out.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SCHEDULES_THREADS 3
#define SCHEDULES_MEMORY 512u /* bytes at most */

struct schedules_program {
	void (*thread[SCHEDULES_THREADS])(void); /* NULL: none */
	void *memory;
	unsigned size;
	const unsigned *stamp; /* in the memory: what schedules_stamp() tells of an access */
	void (*check_step)(const void *before, unsigned thread);
	void (*check_end)(void);
};

struct schedules_result {
	unsigned long schedules;
	const char *violation; /* the promise that was broken first, or NULL */
	const char *trace;     /* the schedule that breaks it: a digit a step, the thread */
};

/* Explores from the memory as it is, and leaves it so; stops at the first broken promise. */
struct schedules_result schedules_explore(const struct schedules_program *program);

/* In a thread: one access to the memory, and one place where others can come between. */
uint64_t schedules_load(_Atomic uint64_t *p);
void schedules_store(_Atomic uint64_t *p, uint64_t value);
bool schedules_cas(_Atomic uint64_t *p, uint64_t *expected, uint64_t desired);

/* In a thread: what *stamp was just before its latest access. */
unsigned schedules_stamp(void);

/* In a thread or a check: a promise. */
void schedules_require(bool condition, const char *promise);

#endif

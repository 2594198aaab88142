// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Stateless exploration by replay: a thread is a function of the values that its accesses gave. One
 * step of it runs the function from its beginning, gives it the recorded values, lets it make one
 * access more, and leaves it at the next. So there are no stacks to switch, and going back is to
 * restore the memory. Depth first over who steps next visits every schedule once.
 */

#include "tests/unit/schedules.h"

#include <setjmp.h>
#include <string.h>

#define STEPS_MAX 40 /* of one thread; more means that it does not come to an end */

struct access {
	uint64_t value;
	bool swapped;
	unsigned stamp;
};

/* Where the schedule is: restored together with the memory. */
struct place {
	unsigned steps[SCHEDULES_THREADS];
	bool done[SCHEDULES_THREADS];
};

static const struct schedules_program *program;
static struct schedules_result result;
static char trace[SCHEDULES_THREADS * STEPS_MAX + 1];
static struct place place;
static struct access made[SCHEDULES_THREADS][STEPS_MAX];
static const struct access *latest;
static unsigned running, cursor;
static bool stepped;
static jmp_buf out_of_step;

void schedules_require(bool condition, const char *promise)
{
	if (!condition && !result.violation)
		result.violation = promise;
}

unsigned schedules_stamp(void)
{
	return latest->stamp;
}

/* The record of the thread's next access; *ret_fresh: it is to be made now. */
static struct access *next_access(bool *ret_fresh)
{
	struct access *a = &made[running][cursor];

	*ret_fresh = cursor == place.steps[running];
	if (*ret_fresh) {
		schedules_require(cursor < STEPS_MAX - 1, "every thread comes to an end");
		if (stepped || cursor == STEPS_MAX - 1)
			longjmp(out_of_step, 1);
		stepped = true;
		place.steps[running]++;
		a->stamp = *program->stamp;
	}
	cursor++;
	latest = a;
	return a;
}

uint64_t schedules_load(_Atomic uint64_t *p)
{
	bool fresh;
	struct access *a = next_access(&fresh);

	if (fresh)
		a->value = atomic_load_explicit(p, memory_order_relaxed);
	return a->value;
}

void schedules_store(_Atomic uint64_t *p, uint64_t value)
{
	bool fresh;

	(void)next_access(&fresh);
	if (fresh)
		atomic_store_explicit(p, value, memory_order_relaxed);
}

bool schedules_cas(_Atomic uint64_t *p, uint64_t *expected, uint64_t desired)
{
	bool fresh;
	struct access *a = next_access(&fresh);

	if (fresh) {
		a->value = atomic_load_explicit(p, memory_order_relaxed);
		a->swapped = a->value == *expected;
		if (a->swapped)
			atomic_store_explicit(p, desired, memory_order_relaxed);
	}
	*expected = a->value;
	return a->swapped;
}

static void step(unsigned thread)
{
	running = thread;
	cursor = 0;
	stepped = false;
	if (setjmp(out_of_step) == 0) {
		program->thread[thread]();
		place.done[thread] = true;
	}
}

static void end_schedule(unsigned depth)
{
	result.schedules++;
	program->check_end();
	if (result.violation)
		trace[depth] = '\0';
}

static void explore(unsigned depth)
{
	const struct place here = place;
	unsigned char before[SCHEDULES_MEMORY];
	bool any = false;

	memcpy(before, program->memory, program->size);
	for (unsigned thread = 0; thread < SCHEDULES_THREADS; thread++) {
		if (place.done[thread])
			continue;
		any = true;
		trace[depth] = (char)('0' + thread);
		trace[depth + 1] = '\0';
		step(thread);
		program->check_step(before, thread);
		if (!result.violation)
			explore(depth + 1);
		memcpy(program->memory, before, program->size);
		place = here;
		if (result.violation)
			return;
	}
	if (!any)
		end_schedule(depth);
}

struct schedules_result schedules_explore(const struct schedules_program *p)
{
	program = p;
	result = (struct schedules_result){.trace = trace};
	place = (struct place){0};
	for (unsigned thread = 0; thread < SCHEDULES_THREADS; thread++)
		place.done[thread] = !p->thread[thread];
	explore(0);
	return result;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WATCHDOG_H
#define VENCD_WATCHDOG_H

/*
 * When a call has taken too long: a pure state machine, one per attempt, fed once a tick with what
 * the supervisor saw. It reads no clock and no memory of its own.
 *
 * Time is what the supervisor saw pass while both it and the worker ran: a tick that came late
 * counts as one tick, and a tick in which the worker's loop did not answer counts as none (its
 * silence has a limit of its own, in the worker's record). Software is timed only while its process
 * burns no CPU without a break, up to a cap.
 */

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/slot.h"

struct watch {
	uint64_t seen;      /* the call word last seen */
	uint64_t waited_ns; /* counted against the budget, since `seen` was first seen */
	uint64_t busy_ns;   /* not counted, since the process burned CPU */
	uint64_t cpu_ns;    /* the process's CPU time at the last tick */
	bool suspected;     /* half of the budget of `seen` was over once */
};

struct watch_input {
	uint64_t word;
	uint64_t elapsed_ns; /* since the last tick, at most one tick's length */
	uint64_t cpu_ns;     /* the process's CPU time; only looked at when software */
	bool answered;       /* the worker's loop has answered since the last tick */
	bool software;
	uint32_t budget_ms; /* for this call: watchdog_budget_ms() */
	uint32_t cap_ms;    /* SoftwareCallCap */
};

enum watch_verdict {
	WATCH_UNTIMED, /* idle, or through */
	WATCH_TIMED,   /* in a call, within its budget: ask the worker's loop whether it runs */
	WATCH_SUSPECT, /* timed, and half of the budget is over: said once for each word */
	WATCH_EXPIRED, /* abandon exactly the call in watch->seen */
};

enum watch_verdict watchdog_tick(struct watch *watch, const struct watch_input *input);

/* The budget of the call in a word: the one table, scaled by pixels above 1920x1080. */
uint32_t watchdog_budget_ms(const struct config *config, uint64_t word, uint64_t pixels);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The watchdog's decision. See watchdog.h for what counts as time.
 *
 * A process counts as busy in a tick when it used at least a tenth of it: a healthy encoder waits
 * for nothing but its own threads, a wedged one sleeps. One busy tick starts the time anew, so that
 * an encoder which a loaded host lets run only now and then is slow, not wedged.
 */

#include "daemon/watchdog.h"

#include <stddef.h>

#define BUSY_SHARE 10
#define FULL_HD_PIXELS (1920u * 1080u)

static bool is_timed(uint64_t word)
{
	switch (slot_state(word)) {
	case SLOT_OWN:
	case SLOT_RUNNING:
		return true;
	case SLOT_IDLE_INPUT:
	case SLOT_IDLE_CREDIT:
	case SLOT_IDLE_RATE:
	case SLOT_ABANDONED:
	case SLOT_LATE:
	case SLOT_ENDED:
		return false;
	}
	return true; /* no state of ours: the worker scribbled; its time runs out */
}

/* Whether the n-th part of the budget is over, or of the cap. */
static bool is_over(const struct watch *watch, const struct watch_input *input, unsigned n)
{
	return n * watch->waited_ns > input->budget_ms * UINT64_C(1000000) ||
		n * (watch->waited_ns + watch->busy_ns) > input->cap_ms * UINT64_C(1000000);
}

enum watch_verdict watchdog_tick(struct watch *watch, const struct watch_input *input)
{
	uint64_t burned = input->cpu_ns - watch->cpu_ns;

	watch->cpu_ns = input->cpu_ns;
	if (input->word != watch->seen) {
		watch->seen = input->word;
		watch->waited_ns = watch->busy_ns = 0;
		watch->suspected = false;
		return is_timed(input->word) ? WATCH_TIMED : WATCH_UNTIMED;
	}
	if (!is_timed(input->word))
		return WATCH_UNTIMED;
	if (input->software && burned >= input->elapsed_ns / BUSY_SHARE) {
		watch->busy_ns += watch->waited_ns + input->elapsed_ns;
		watch->waited_ns = 0;
	} else if (input->answered) {
		watch->waited_ns += input->elapsed_ns;
	}
	if (is_over(watch, input, 1))
		return WATCH_EXPIRED;
	if (watch->suspected || !is_over(watch, input, 2))
		return WATCH_TIMED;
	watch->suspected = true;
	return WATCH_SUSPECT;
}

/* Where each call's budget stands in the configuration; OWN has its own, whatever the call. */
static const size_t call_budget[SLOT_CALL_MAX] = {
	[SLOT_CALL_NONE] = offsetof(struct config, own_budget_ms),
	[SLOT_CALL_START] = offsetof(struct config, start_budget_ms),
	[SLOT_CALL_PROBE] = offsetof(struct config, probe_budget_ms),
	[SLOT_CALL_OPEN] = offsetof(struct config, open_budget_ms),
	[SLOT_CALL_SEND] = offsetof(struct config, encode_budget_ms),
	[SLOT_CALL_RECEIVE] = offsetof(struct config, encode_budget_ms),
	[SLOT_CALL_FLUSH] = offsetof(struct config, flush_budget_ms),
	[SLOT_CALL_CLOSE] = offsetof(struct config, close_budget_ms),
	[SLOT_CALL_DEVICE] = offsetof(struct config, open_budget_ms),
	[SLOT_CALL_FRAMES] = offsetof(struct config, open_budget_ms),
	[SLOT_CALL_CODEC] = offsetof(struct config, open_budget_ms),
	[SLOT_CALL_SURFACE] = offsetof(struct config, encode_budget_ms),
	[SLOT_CALL_UPLOAD] = offsetof(struct config, encode_budget_ms),
	[SLOT_CALL_FREE_CODEC] = offsetof(struct config, close_budget_ms),
	[SLOT_CALL_FREE_FRAMES] = offsetof(struct config, close_budget_ms),
	[SLOT_CALL_FREE_DEVICE] = offsetof(struct config, close_budget_ms),
};

uint32_t watchdog_budget_ms(const struct config *config, uint64_t word, uint64_t pixels)
{
	enum slot_call call = slot_call(word);
	uint64_t ms;

	if (slot_state(word) != SLOT_RUNNING || (unsigned)call >= SLOT_CALL_MAX)
		call = SLOT_CALL_NONE;
	ms = *(const uint32_t *)((const char *)config + call_budget[call]);
	if (pixels > FULL_HD_PIXELS)
		ms = ms * pixels / FULL_HD_PIXELS;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

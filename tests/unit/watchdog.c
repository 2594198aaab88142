// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The watchdog with a clock of the test's own: what is timed, what is not, and when it is over. Ten
 * minutes of a paused client take no time here.
 */

#include "daemon/watchdog.h"

#include <stdio.h>
#include <stdlib.h>

#define TICK_NS UINT64_C(100000000)
#define BUDGET_MS 2000u
#define CAP_MS 600000u
#define TICKS_OF(ms) ((ms) / 100u)

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "watchdog: %s\n", what);
	exit(1);
}

static struct watch_input timed_input(void)
{
	return (struct watch_input){
		.word = slot_word(7, SLOT_CALL_SEND, SLOT_RUNNING),
		.elapsed_ns = TICK_NS,
		.answered = true,
		.budget_ms = BUDGET_MS,
		.cap_ms = CAP_MS,
	};
}

/* Ticks until it expires, at most max; each tick burns cpu_ns. */
static unsigned ticks_until_expired(
	struct watch *watch, struct watch_input input, uint64_t cpu_ns, unsigned max)
{
	for (unsigned n = 1; n <= max; n++) {
		input.cpu_ns += cpu_ns;
		if (watchdog_tick(watch, &input) == WATCH_EXPIRED)
			return n;
	}
	return 0;
}

static void test_budget(void)
{
	struct watch watch = {0};
	unsigned n = ticks_until_expired(&watch, timed_input(), 0, 1000);

	/* One tick to see the call, then the budget, then the tick that is over it. */
	check(n == TICKS_OF(BUDGET_MS) + 2, "a call expires right after its budget");
	check(watch.waited_ns > BUDGET_MS * UINT64_C(1000000), "what was waited is told");
}

static void test_each_call_is_timed_anew(void)
{
	struct watch watch = {0};
	struct watch_input input = timed_input();

	for (unsigned call = 0; call < 100; call++) {
		input.word = slot_word(call, SLOT_CALL_SEND, SLOT_RUNNING);
		check(ticks_until_expired(&watch, input, 0, TICKS_OF(BUDGET_MS)) == 0,
			"calls that return are never expired");
	}
}

/* At half of the time, once for each call, and for a busy one at half of the cap. */
static void test_suspicion(void)
{
	struct watch watch = {0};
	struct watch_input input = timed_input();
	unsigned at = 0, times = 0;

	for (unsigned n = 1; n <= TICKS_OF(BUDGET_MS) + 1; n++)
		if (watchdog_tick(&watch, &input) == WATCH_SUSPECT) {
			at = n;
			times++;
		}
	check(times == 1, "a call is suspect once");
	check(at == TICKS_OF(BUDGET_MS) / 2 + 2, "and right after half of its budget");
	input.word = slot_word(8, SLOT_CALL_SEND, SLOT_RUNNING);
	check(watchdog_tick(&watch, &input) == WATCH_TIMED, "the next call is not");
	for (at = 0; at < TICKS_OF(CAP_MS); at++) {
		input.software = true;
		input.cpu_ns += TICK_NS;
		if (watchdog_tick(&watch, &input) == WATCH_SUSPECT)
			break;
	}
	check(at == TICKS_OF(CAP_MS) / 2, "a busy call is suspect at half of the cap");
}

static void test_pauses_are_not_timed(void)
{
	static const enum slot_state idle[] = {
		SLOT_IDLE_INPUT, SLOT_IDLE_CREDIT, SLOT_ABANDONED, SLOT_LATE, SLOT_ENDED};

	for (unsigned i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		struct watch watch = {0};
		struct watch_input input = timed_input();

		input.word = slot_word(7, SLOT_CALL_NONE, idle[i]);
		check(ticks_until_expired(&watch, input, 0, TICKS_OF(10 * 60 * 1000)) == 0,
			"ten minutes of pause expire nothing");
		check(watchdog_tick(&watch, &input) == WATCH_UNTIMED, "a pause is untimed");
	}
}

static void test_stopped_worker(void)
{
	struct watch watch = {0};
	struct watch_input input = timed_input();

	input.answered = false;
	check(ticks_until_expired(&watch, input, 0, TICKS_OF(10 * 60 * 1000)) == 0,
		"ticks in which the worker did not run count for nothing");
	input.answered = true;
	check(ticks_until_expired(&watch, input, 0, 1000) == TICKS_OF(BUDGET_MS) + 1,
		"and the budget goes on when it runs again");
}

static void test_busy_software(void)
{
	struct watch watch = {0};
	struct watch_input input = timed_input();

	input.software = true;
	check(ticks_until_expired(&watch, input, TICK_NS / 5, TICKS_OF(CAP_MS) - 10) == 0,
		"software that burns CPU is slow, not wedged");
	check(ticks_until_expired(&watch, input, TICK_NS / 5, 20) > 0, "up to its cap");
	watch = (struct watch){0};
	check(ticks_until_expired(&watch, input, TICK_NS / 50, 1000) == TICKS_OF(BUDGET_MS) + 2,
		"software that sleeps is wedged");
}

static void test_starved_software(void)
{
	struct watch watch = {0};
	struct watch_input input = timed_input();

	input.software = true;
	for (unsigned n = 1; n < TICKS_OF(CAP_MS) - 10; n++) {
		input.cpu_ns += n % 10 == 0 ? TICK_NS : 0;
		check(watchdog_tick(&watch, &input) != WATCH_EXPIRED,
			"software that gets the CPU once a second is starved, not wedged");
	}
}

static void test_busy_hardware(void)
{
	struct watch watch = {0};

	check(ticks_until_expired(&watch, timed_input(), TICK_NS, 1000) == TICKS_OF(BUDGET_MS) + 2,
		"a driver that spins is wedged all the same");
}

static void test_unknown_state(void)
{
	struct watch watch = {0};
	struct watch_input input = timed_input();

	input.word = slot_word(7, SLOT_CALL_SEND, (enum slot_state)99);
	check(ticks_until_expired(&watch, input, 0, 1000) > 0, "a state of nobody's is timed");
}

static void test_budget_table(void)
{
	struct config config = {.own_budget_ms = 1,
		.start_budget_ms = 2,
		.probe_budget_ms = 3,
		.open_budget_ms = 4,
		.encode_budget_ms = 5,
		.flush_budget_ms = 6,
		.close_budget_ms = 7};
	static const struct {
		enum slot_call call;
		uint32_t ms;
	} expected[] = {{SLOT_CALL_START, 2}, {SLOT_CALL_PROBE, 3}, {SLOT_CALL_OPEN, 4},
		{SLOT_CALL_SEND, 5}, {SLOT_CALL_RECEIVE, 5}, {SLOT_CALL_FLUSH, 6},
		{SLOT_CALL_CLOSE, 7}};

	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint64_t word = slot_word(1, expected[i].call, SLOT_RUNNING);

		check(watchdog_budget_ms(&config, word, 1) == expected[i].ms, "a call's budget");
		check(watchdog_budget_ms(&config, word, 4 * 1920 * 1080) == 4 * expected[i].ms,
			"a budget is scaled by pixels");
		word = slot_word(1, expected[i].call, SLOT_OWN);
		check(watchdog_budget_ms(&config, word, 1) == 1, "our own code's budget");
	}
}

int main(void)
{
	test_budget();
	test_each_call_is_timed_anew();
	test_suspicion();
	test_pauses_are_not_timed();
	test_stopped_worker();
	test_busy_software();
	test_starved_software();
	test_busy_hardware();
	test_unknown_state();
	test_budget_table();
	return 0;
}

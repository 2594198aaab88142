// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Sleeping. The thread takes a view of everything that others move (the client's indices, the marks
 * of the library), acts on it, and sleeps only if that view still holds once it has said that it
 * sleeps: whatever moved in between is seen, whoever moved it.
 *
 * A hang-up of the client's socket means nothing here: the supervisor knows whether the client
 * lives.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "daemon/worker/run.h"

#define RATE_WAIT_MS 1000
#define CHECK_WAITS 20 /* of CHECK_WAIT_MS each: a second in all */
#define CHECK_WAIT_MS 50

uint64_t run_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t process_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static struct run_view take_view(struct run *run)
{
	const struct plane_submit *submit = run->map.submit;

	return (struct run_view){
		.head = atomic_load_explicit(&submit->head, memory_order_acquire),
		.finished = atomic_load_explicit(&submit->finished, memory_order_acquire),
		.consumed = output_consumed(&run->output),
		.done = atomic_load_explicit(&run->frames.done_count, memory_order_acquire),
	};
}

static bool same_view(const struct run_view *a, const struct run_view *b)
{
	return a->head == b->head && a->finished == b->finished && a->consumed == b->consumed &&
		a->done == b->done;
}

static bool is_told(const struct run *run)
{
	return atomic_load_explicit(&run->stop, memory_order_acquire) ||
		(run->check && check_found(run->check));
}

bool run_stopped(struct run *run)
{
	struct check_result result;

	if (!is_told(run))
		return false;
	if (atomic_load_explicit(&run->stop, memory_order_acquire)) {
		run_end(run, ATTEMPT_CANCELLED, ENCODER_OK, SLOT_CALL_NONE, run->input.next, NULL);
		return true;
	}
	check_look(run->check, &result);
	run_end(run, ATTEMPT_WRONG_OUTPUT, ENCODER_WRONG_OUTPUT, SLOT_CALL_RECEIVE, result.frame,
		result.text);
	return true;
}

void run_look(struct run *run)
{
	run->view = take_view(run);
}

int run_rate_wait_ms(struct run *run)
{
	uint64_t rate = atomic_load_explicit(&run->rate, memory_order_acquire);
	uint64_t now = run_now_ns(), ns;

	if (rate == 0)
		return 0;
	if (rate != run->pixels.rate)
		flow_bucket_set(&run->pixels, rate, (int64_t)rate, now);
	ns = flow_bucket_wait_ns(&run->pixels, now);
	return ns < RATE_WAIT_MS * UINT64_C(1000000) ? (int)((ns + 999999) / 1000000)
						     : RATE_WAIT_MS;
}

void run_rate_take(struct run *run)
{
	const struct plane_layout *layout = &run->start.layout;

	if (run->pixels.rate > 0)
		flow_bucket_take(
			&run->pixels, (uint64_t)layout->width * layout->height, run_now_ns());
}

static void poll_wakes(struct run *run, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = run->wake[0], .events = POLLIN},
		{.fd = run->client_gone ? -1 : run->map.submit_wake, .events = POLLIN},
	};

	if (poll(fds, 2, timeout_ms) <= 0)
		return;
	if (fds[0].revents)
		(void)plane_drain(run->wake[0]); /* ours: no end of it closes before us */
	if (fds[1].revents && !plane_drain(run->map.submit_wake))
		run->client_gone = true;
}

static void sleep_unless_moved(struct run *run, int timeout_ms)
{
	struct run_view now;

	plane_prepare_sleep(&run->asleep);
	plane_prepare_sleep(&run->map.ring->sleeping);
	now = take_view(run);
	if (same_view(&now, &run->view) && !is_told(run))
		poll_wakes(run, timeout_ms);
	plane_end_sleep(&run->map.ring->sleeping);
	plane_end_sleep(&run->asleep);
}

bool run_sleep(struct run *run, enum slot_state state, int timeout_ms)
{
	if (!slot_change(run->map.slot, SLOT_CALL_NONE, state))
		run_park();
	sleep_unless_moved(run, timeout_ms);
	if (!slot_change(run->map.slot, SLOT_CALL_NONE, SLOT_OWN))
		run_park();
	return !run_stopped(run);
}

/* The CPU that counts as the encoder's: where it has the process for itself. */
static uint64_t encoder_cpu_ns(const struct run *run)
{
	return run->limits->backend == VENCD_BACKEND_SOFTWARE ? process_cpu_ns() : 0;
}

bool run_stalled(struct run *run)
{
	if (!stall_look(&run->stall, run->frames.taken + run->frames.received, run_now_ns(),
		    encoder_cpu_ns(run)))
		return false;
	run_end(run, ATTEMPT_STALLED, ENCODER_LIBRARY, SLOT_CALL_RECEIVE,
		run->frames.first + run->frames.received,
		"the encoder holds frames, and neither takes one nor gives a packet");
	return true;
}

bool run_pause(struct run *run)
{
	struct pollfd fd = {.fd = run->wake[0], .events = POLLIN};

	if (poll(&fd, 1, 1) > 0)
		(void)plane_drain(run->wake[0]);
	return !run_stopped(run) && !run_stalled(run);
}

bool run_await_check(struct run *run)
{
	if (!run->check)
		return true;
	check_finish(run->check);
	/* Each wait is a step of our own code, and timed as such. */
	for (unsigned i = 0; i < CHECK_WAITS && !run_stopped(run); i++) {
		if (check_wait(run->check, CHECK_WAIT_MS))
			break;
		if (!slot_change(run->map.slot, SLOT_CALL_NONE, SLOT_OWN))
			run_park();
	}
	return !run_stopped(run);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The tick. While there is an attempt, every WatchdogTick the call words are read and given to
 * watchdog.c; a worker with a timed call is asked whether its loop runs, and a loop that is silent
 * for WorkerAnswer costs its process, unless the process is stopped or frozen. Without attempts the
 * tick is off and the daemon sleeps. At half of either time an inspector is sent (inspector.c).
 */

#include "daemon/log.h"
#include "daemon/supervisor.h"

#include <stdio.h>

#define PROGRESS_TICKS 5u                      /* progress to waiting clients every so many ticks */
#define FRONTS_TICK_US (1000 * UINT64_C(1000)) /* while only fronts are watched */

static void ask(struct worker *worker, uint64_t elapsed_ns)
{
	struct wire_plain ping = {.h = {WIRE_PING, sizeof(ping), 0}};

	if (!worker->ready || worker->answered == worker->asked) {
		ping.h.seq = ++worker->asked;
		if (!worker->ready)
			worker->asked = worker->answered;
		else
			child_send(worker->child, &ping, NULL, 0);
		return;
	}
	worker->silent_ns += elapsed_ns;
}

/* The loop of a worker calls no library: silence means that the process is of no use. */
static bool is_silent(struct worker *worker)
{
	uint64_t budget_ns = worker->supervisor->config.answer_budget_ms * UINT64_C(1000000);

	if (worker->silent_ns > budget_ns / 2)
		forensics_silent(worker);
	if (worker->silent_ns <= budget_ns)
		return false;
	worker->silent_ns = 0;
	return !child_is_stopped(worker->child);
}

/* Its session has ended before: there is nobody to tell but the log. */
static void abandon_alone(struct attempt *attempt)
{
	forensics_log_abandoned(attempt);
	attempt_abandoned(attempt);
}

static void abandon(struct attempt *attempt, const struct watch_input *input)
{
	char cause[256];

	if (!slot_abandon(attempt->slot, attempt->watch.seen))
		return; /* it came back in time */
	snprintf(cause, sizeof(cause), "%s did not return within its %u ms and was abandoned",
		slot_state(attempt->watch.seen) == SLOT_RUNNING
			? slot_call_name(slot_call(attempt->watch.seen))
			: "the worker's own code",
		input->budget_ms);
	log_warning("vencd-worker[%d]: %s", attempt->worker->child->pid, cause);
	if (attempt->session)
		session_end(attempt->session, ATTEMPT_ABANDONED, cause);
	else
		abandon_alone(attempt);
}

/* Returns whether the worker has something timed. */
static bool watch_attempt(struct attempt *attempt, uint64_t elapsed_ns)
{
	struct worker *worker = attempt->worker;
	struct supervisor *sv = worker->supervisor;
	uint64_t word = SLOT_LOAD(&attempt->slot->word);
	struct watch_input input = {.word = word,
		.elapsed_ns = elapsed_ns,
		.software = worker_is_software(worker),
		.answered = !worker->ready || worker->answered == worker->asked,
		.budget_ms = watchdog_budget_ms(&sv->config, word, attempt->pixels),
		.cap_ms = sv->config.software_cap_ms};

	if (attempt->state == ATTEMPT_LEAKED && slot_state(word) == SLOT_LATE)
		attempt_returned(attempt);
	if (attempt->state > ATTEMPT_CLOSING)
		return false;
	if (input.software && slot_state(word) != SLOT_IDLE_INPUT)
		input.cpu_ns = child_cpu_ns(worker->child);
	switch (watchdog_tick(&attempt->watch, &input)) {
	case WATCH_EXPIRED:
		abandon(attempt, &input);
		return true;
	case WATCH_SUSPECT:
		forensics_suspect(attempt);
		return true;
	case WATCH_TIMED:
		return true;
	case WATCH_UNTIMED:
		break;
	}
	return false;
}

static void worker_broken(struct worker *worker, const char *cause)
{
	struct attempt *attempt, *next;

	log_warning("vencd-worker[%d]: %s", worker->child->pid, cause);
	for (attempt = LIST_FIRST(&worker->attempts); attempt; attempt = next) {
		next = LIST_NEXT(attempt, entry);
		if (attempt->session)
			session_end(attempt->session, ATTEMPT_UNRESPONSIVE, cause);
	}
	child_kill(worker->child);
}

static bool keeps_pace(struct worker *worker)
{
	struct attempt *attempt;
	bool kept = true;

	LIST_FOREACH(attempt, &worker->attempts, entry)
	if (attempt->state == ATTEMPT_LIVE)
		kept &= attempt_keeps_pace(attempt);
	return kept;
}

static void watch_worker(struct worker *worker, uint64_t elapsed_ns)
{
	struct attempt *attempt, *next;
	bool timed = false;

	if (!keeps_pace(worker)) {
		quota_note_refused(&worker->supervisor->quota, worker->uid, QUOTA_PIXEL_RATE);
		worker_broken(worker,
			"the encoder's process took frames faster than PixelsPerUser lets it "
			"and was killed");
		return;
	}
	for (attempt = LIST_FIRST(&worker->attempts); attempt; attempt = next) {
		next = LIST_NEXT(attempt, entry);
		timed |= watch_attempt(attempt, elapsed_ns);
	}
	if (worker->child->state != CHILD_RUNNING)
		return;
	if (timed || worker->answered != worker->asked)
		ask(worker, elapsed_ns);
	if (is_silent(worker))
		worker_broken(worker, "the encoder's process did not answer and was killed");
}

static bool has_attempts(const struct supervisor *sv)
{
	const struct worker *worker;

	LIST_FOREACH(worker, &sv->workers, entry)
	if (!LIST_EMPTY(&worker->attempts))
		return true;
	return false;
}

static void tick_all(struct supervisor *sv, uint64_t elapsed_ns)
{
	struct worker *worker, *next_worker;
	struct front *front, *next_front;
	struct session *session;

	for (worker = LIST_FIRST(&sv->workers); worker; worker = next_worker) {
		next_worker = LIST_NEXT(worker, entry);
		watch_worker(worker, elapsed_ns);
	}
	for (front = LIST_FIRST(&sv->fronts); front; front = next_front) {
		next_front = LIST_NEXT(front, entry);
		front_tick(front, elapsed_ns);
	}
	stream_tick(sv);
	if (++sv->ticks % PROGRESS_TICKS == 0)
		LIST_FOREACH(session, &sv->sessions, entry)
	session_progress(session);
}

static uint64_t tick_wanted_us(const struct supervisor *sv)
{
	return has_attempts(sv) ? sv->config.tick_ms * UINT64_C(1000) : FRONTS_TICK_US;
}

static void arm(struct supervisor *sv)
{
	uint64_t us = tick_wanted_us(sv);

	sv->tick_ns = us * 1000;
	(void)sd_event_source_set_time_relative(sv->tick, us);
	(void)sd_event_source_set_enabled(sv->tick, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *sv = userdata;
	uint64_t now = supervisor_now_ns(), elapsed = now - sv->last_tick_ns;

	(void)source;
	(void)usec;
	sv->last_tick_ns = now;
	/* A tick that came late, because we were stopped or starved, counts as one. */
	tick_all(sv, elapsed < sv->tick_ns ? elapsed : sv->tick_ns);
	sv->tick_ns = 0;
	if (has_attempts(sv) || !LIST_EMPTY(&sv->fronts))
		arm(sv);
	return 0;
}

void watch_wake(struct supervisor *supervisor)
{
	/*
	 * A tick that is due soon enough stays: new sessions must not put off the old ones'
	 * deadlines, nor a client that connects again and again those of all fronts.
	 */
	if (supervisor->tick_ns && supervisor->tick_ns <= tick_wanted_us(supervisor) * 1000)
		return;
	supervisor->last_tick_ns = supervisor_now_ns();
	arm(supervisor);
}

int watch_start(struct supervisor *supervisor)
{
	int r = sd_event_add_time_relative(supervisor->event, &supervisor->tick, CLOCK_MONOTONIC, 0,
		1000, on_tick, supervisor);

	if (r < 0)
		return r;
	return sd_event_source_set_enabled(supervisor->tick, SD_EVENT_OFF);
}

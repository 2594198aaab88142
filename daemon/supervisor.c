// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The supervisor's beginning and end. The end has four steps, each with a bound: no new sessions,
 * running ones may finish (StopTimeout); all that still run are cut, and their clients may ask for
 * the reports (COLLECT_US); fronts write out what they have (FAREWELL_US). Tombstones are
 * never waited for.
 */

#include "daemon/supervisor.h"

#include <time.h>

#include <systemd/sd-daemon.h>

#include "daemon/listen.h"
#include "daemon/log.h"

#define COLLECT_US (2 * UINT64_C(1000000))  /* for clients to ask for their reports */
#define FAREWELL_US (1 * UINT64_C(1000000)) /* for fronts to write them out */

uint64_t supervisor_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t supervisor_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void kill_all(struct supervisor *sv)
{
	struct worker *worker;

	registry_stop(&sv->registry);
	stream_kill_all(sv);
	LIST_FOREACH(worker, &sv->workers, entry)
	child_kill(worker->child);
}

static int on_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *sv = userdata;

	(void)source;
	(void)usec;
	return sd_event_exit(sv->event, 0);
}

static void set_timer(struct supervisor *sv, uint64_t us, sd_event_time_handler_t handler)
{
	sv->stop_timer = sd_event_source_disable_unref(sv->stop_timer);
	if (sd_event_add_time_relative(
		    sv->event, &sv->stop_timer, CLOCK_MONOTONIC, us, 0, handler, sv) < 0)
		(void)sd_event_exit(sv->event, 1);
}

static void say_farewell(struct supervisor *sv)
{
	struct wire_plain message = {.h = {WIRE_EXIT, sizeof(message), 0}};
	struct front *front;

	sv->state = SUPERVISOR_FAREWELL;
	LIST_FOREACH(front, &sv->fronts, entry)
	child_send(front->child, &message, NULL, 0);
	set_timer(sv, FAREWELL_US, on_over);
	supervisor_check_done(sv);
}

static int on_uncollected(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *sv = userdata;

	(void)source;
	(void)usec;
	log_notice("%u reports were not asked for", sv->n_awaited);
	say_farewell(sv);
	return 0;
}

static void cut_all(struct supervisor *sv)
{
	struct session *session, *next;

	sv->state = SUPERVISOR_CUTTING;
	set_timer(sv, COLLECT_US, on_uncollected);
	for (session = LIST_FIRST(&sv->sessions); session; session = next) {
		next = LIST_NEXT(session, entry);
		session_end(session, ATTEMPT_CANCELLED, "the daemon was stopped");
	}
	kill_all(sv);
	supervisor_check_done(sv);
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *sv = userdata;

	(void)source;
	(void)usec;
	log_warning("StopTimeout is over with %u sessions open: they are cut", sv->n_sessions);
	cut_all(sv);
	return 0;
}

void supervisor_stop(struct supervisor *supervisor)
{
	if (supervisor->state > SUPERVISOR_STOPPING)
		return;
	if (supervisor->state == SUPERVISOR_STOPPING) {
		cut_all(supervisor);
		return;
	}
	log_info("stopping: %u open session%s", supervisor->n_sessions,
		supervisor->n_sessions == 1 ? "" : "s");
	(void)sd_notify(0, "STOPPING=1");
	supervisor->state = SUPERVISOR_STOPPING;
	listen_stop(supervisor);
	request_refuse_pending(supervisor);
	set_timer(supervisor, supervisor->config.stop_ms * UINT64_C(1000), on_stop_timeout);
	supervisor_check_done(supervisor);
}

/* Whether any child that can still die is alive. */
static bool children_left(const struct supervisor *sv)
{
	return sv->n_workers + sv->n_fronts + sv->n_streams + sv->registry.probes >
		sv->n_tombstones;
}

void supervisor_check_done(struct supervisor *supervisor)
{
	switch (supervisor->state) {
	case SUPERVISOR_SERVING:
		return;
	case SUPERVISOR_STOPPING:
		if (supervisor->n_sessions == 0 && supervisor->n_streams == 0)
			cut_all(supervisor);
		return;
	case SUPERVISOR_CUTTING:
		if (supervisor->n_sessions == 0 && supervisor->n_awaited == 0)
			say_farewell(supervisor);
		return;
	case SUPERVISOR_FAREWELL:
		if (!children_left(supervisor))
			(void)sd_event_exit(supervisor->event, 0);
		return;
	}
}

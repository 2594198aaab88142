// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Worker processes. A warm worker has loaded its libraries and belongs to nobody; its first attempt
 * binds it to one encoder and one client uid for good. A GPU's worker is never warm: what it may
 * open is decided when it starts, so it is started for its first attempt. Attempts of software and
 * of VA-API are alone in their worker; the others share one up to SessionsPerWorker, with one open
 * outstanding at a time, so that a wedged open holds nobody else up.
 *
 * A worker ends by SIGKILL alone: when its last attempt is gone, when it is tainted and drained, or
 * when its loop is silent. Nothing of it is freed here before the pidfd has told of its death,
 * since until then its threads may write to the slots.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/growth.h"
#include "daemon/leak.h"
#include "daemon/log.h"
#include "daemon/supervisor.h"

#define WARM_RETRY_US 5000000u
/* To load a worker's libraries is work: who opens and drops sessions gets no more of the host. */
#define STARTS_PER_USER 2u

bool worker_is_software(const struct worker *worker)
{
	return worker->encoder && worker->encoder->limits->backend == VENCD_BACKEND_SOFTWARE;
}

static struct wire_device *worker_row(struct worker *worker)
{
	return worker->encoder ? registry_row(&worker->supervisor->registry, worker->encoder)
			       : NULL;
}

/* An attempt may be waiting already; the first probe has shown what walls there are. */
static void worker_ready(struct worker *worker, const struct walls *walls)
{
	enum wall_kind kind = worker->encoder ? registry_worker_kind(worker->encoder) : WALL_WORKER;
	struct attempt *attempt;

	worker->ready = true;
	worker->walls = *walls;
	LIST_FOREACH(attempt, &worker->attempts, entry)
	attempt_note_walls(attempt);
	if (standing_note(worker->supervisor, kind, walls) < 0)
		child_kill(worker->child);
	worker_keep_warm(worker->supervisor);
	request_retry_pending(worker->supervisor);
}

static void worker_message(struct child *child, const union wire_message *message)
{
	struct worker *worker = child->owner;

	switch (message->h.type) {
	case WIRE_READY:
		worker_ready(worker, &message->ready.walls);
		break;
	case WIRE_PONG:
		worker->answered = message->h.seq;
		worker->silent_ns = 0;
		break;
	case WIRE_ATTEMPT_OPENED:
	case WIRE_ATTEMPT_FAILED:
	case WIRE_ATTEMPT_ENDED:
		attempt_message(worker, message);
		break;
	default:
		log_warning(
			"vencd-worker[%d] sent a message that is none of its: killed", child->pid);
		child_kill(child);
	}
}

static void worker_tombstone(struct child *child)
{
	struct worker *worker = child->owner;
	struct wire_device *row = worker_row(worker);

	worker->supervisor->n_tombstones++;
	if (row)
		row->tombstones++;
	registry_changed(&worker->supervisor->registry);
	forensics_tombstone(worker);
	supervisor_check_done(worker->supervisor);
}

/* How its attempts ended when the process died under them. */
static void end_attempts(struct worker *worker, enum attempt_end end, const siginfo_t *info)
{
	struct attempt *attempt, *next;
	char cause[128];

	if (end == ATTEMPT_CRASHED)
		snprintf(cause, sizeof(cause), "the encoder's process was killed by signal %d (%s)",
			info->si_status, strsignal(info->si_status));
	else
		snprintf(cause, sizeof(cause), "the encoder's process ended by itself, status %d",
			info->si_status);
	for (attempt = LIST_FIRST(&worker->attempts); attempt; attempt = next) {
		next = LIST_NEXT(attempt, entry);
		if (attempt->session) {
			struct attempt_report *report = &attempt->session->report.attempt[0];

			report += attempt->session->report.attempts - 1;
			report->signal = end == ATTEMPT_CRASHED ? (uint32_t)info->si_status : 0;
			report->exit_code = end == ATTEMPT_EXITED ? (uint32_t)info->si_status : 0;
			session_end(attempt->session, end, cause);
		}
	}
}

static void count_reclaimed(struct worker *worker)
{
	struct wire_device *row = worker_row(worker);
	struct attempt *attempt;

	if (row && worker->tainted)
		row->tainted--;
	LIST_FOREACH(attempt, &worker->attempts, entry)
	if (attempt->state == ATTEMPT_LEAKED || attempt->state == ATTEMPT_RETURNED) {
		row->reclaimed++;
		row->leaked_threads--;
		row->leaked_fds -= WIRE_START_FDS;
		row->leaked_bytes -= attempt->memory;
	}
}

/* Which attempt a process died of: one that was in a call, else any. */
static struct attempt *culprit(const struct worker *worker)
{
	struct attempt *attempt;

	LIST_FOREACH(attempt, &worker->attempts, entry)
	if (slot_state(SLOT_LOAD(&attempt->slot->word)) == SLOT_RUNNING)
		return attempt;
	return LIST_FIRST(&worker->attempts);
}

/* A crash is a death that nobody here asked for. */
static void note_crash(struct worker *worker, bool asked, const siginfo_t *info)
{
	struct wire_device *row = worker_row(worker);
	enum attempt_end end = info->si_code == CLD_EXITED ? ATTEMPT_EXITED : ATTEMPT_CRASHED;

	if (!asked && row && !LIST_EMPTY(&worker->attempts)) {
		row->crashed += end == ATTEMPT_CRASHED;
		verdict_accuse(culprit(worker), end);
	}
	end_attempts(worker, end, info);
}

static int on_warm_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *sv = userdata;

	(void)source;
	(void)usec;
	sv->warm_retry = sd_event_source_disable_unref(sv->warm_retry);
	worker_keep_warm(sv);
	return 0;
}

/* A worker that can not even start must not make a loop. */
static void put_off_warm(struct supervisor *sv)
{
	if (sv->warm_retry || sv->state != SUPERVISOR_SERVING)
		return;
	log_error("a warm worker could not be started: the next try is in %u s",
		WARM_RETRY_US / 1000000);
	(void)sd_event_add_time_relative(
		sv->event, &sv->warm_retry, CLOCK_MONOTONIC, WARM_RETRY_US, 0, on_warm_retry, sv);
}

static void worker_dead(struct child *child, const siginfo_t *info)
{
	struct worker *worker = child->owner;
	struct supervisor *sv = worker->supervisor;
	struct wire_device *row = worker_row(worker);

	if (!worker->ready && !(worker->encoder && worker->encoder->gpu) &&
		!child_was_killed(child))
		put_off_warm(sv);
	note_crash(worker, child_was_killed(child), info);
	count_reclaimed(worker);
	if (child_was_tombstone(child)) {
		sv->n_tombstones--;
		if (row)
			row->tombstones--;
	}
	inspector_forget(worker);
	while (!LIST_EMPTY(&worker->attempts))
		attempt_free(LIST_FIRST(&worker->attempts));
	registry_changed(&sv->registry);
	sd_event_source_disable_unref(worker->drain);
	if (worker->encoder)
		quota_give(&sv->quota, worker->uid, &quota_worker);
	LIST_REMOVE(worker, entry);
	sv->n_workers--;
	child_free(child);
	free(worker);
	worker_keep_warm(sv);
	request_retry_pending(sv);
	supervisor_check_done(sv);
}

static const struct child_ops worker_ops = {
	.program = "vencd-worker",
	.message = worker_message,
	.tombstone = worker_tombstone,
	.dead = worker_dead,
};

/* device: the node that it will hold; NULL: none. */
static int worker_spawn(struct supervisor *supervisor, const char *device, struct worker **ret,
	struct quota_refusal *refusal)
{
	const struct child_extra extra = {
		.environment = supervisor->config.driver_environment, .argument = device};
	struct worker *worker;
	int r = quota_check_whole(
		&supervisor->quota, QUOTA_ALL_WORKERS, supervisor->n_workers, refusal);

	if (r < 0)
		return r;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	worker->supervisor = supervisor;
	LIST_INIT(&worker->attempts);
	r = child_spawn(&worker->child, supervisor->event, &worker_ops, worker,
		supervisor->config.kill_grace_ms * UINT64_C(1000), &extra);
	if (r < 0) {
		free(worker);
		return r;
	}
	LIST_INSERT_HEAD(&supervisor->workers, worker, entry);
	supervisor->n_workers++;
	*ret = worker;
	return 0;
}

void worker_keep_warm(struct supervisor *supervisor)
{
	struct quota_refusal refusal;
	char why[STANDING_WHY_MAX];
	struct worker *worker;
	unsigned warm = 0;

	if (supervisor->state != SUPERVISOR_SERVING || supervisor->warm_retry ||
		standing_refuses(supervisor, WALL_WORKER, why) < 0)
		return;
	LIST_FOREACH(worker, &supervisor->workers, entry)
	warm += !worker->encoder && worker->child->state == CHILD_RUNNING;
	/* One at a time, each when the one before is ready. */
	if (warm < supervisor->config.warm_workers &&
		worker_spawn(supervisor, NULL, &worker, &refusal) < 0)
		put_off_warm(supervisor);
}

/* Attempts that keep the process alive; those of software do so only while their session runs. */
static unsigned busy_attempts(const struct worker *worker, unsigned *opening)
{
	struct attempt *attempt;
	unsigned n = 0;

	*opening = 0;
	LIST_FOREACH(attempt, &worker->attempts, entry)
	{
		n += attempt->state == ATTEMPT_LIVE ||
			(attempt->state == ATTEMPT_CLOSING && !worker_is_software(worker));
		*opening += attempt->state == ATTEMPT_LIVE && !attempt->opened;
	}
	return n;
}

/* One that is killed while it starts counts until it is dead. */
bool worker_may_start(const struct supervisor *supervisor, uint32_t uid)
{
	const struct worker *worker;
	unsigned n = 0;

	LIST_FOREACH(worker, &supervisor->workers, entry)
	n += worker->encoder && worker->uid == uid && !worker->ready &&
		worker->child->state != CHILD_TOMBSTONE;
	return n < STARTS_PER_USER;
}

static bool may_share(
	const struct worker *worker, const struct encoder_entry *encoder, uint32_t uid)
{
	const struct config *config = &worker->supervisor->config;
	unsigned opening, max = encoder->limits->sessions_per_worker;

	if (worker->encoder != encoder || worker->uid != uid || worker->tainted ||
		worker->child->state != CHILD_RUNNING)
		return false;
	if (max > config->sessions_per_worker)
		max = config->sessions_per_worker;
	return busy_attempts(worker, &opening) < max && opening == 0;
}

/* One that is worn gets no new session, and goes with its last (worker_attempt_gone()). */
static bool is_retired(struct worker *worker)
{
	if (worker->retired || !growth_is_over(worker))
		return worker->retired;
	worker->retired = true;
	worker_row(worker)->recycled++;
	registry_changed(&worker->supervisor->registry);
	log_info("vencd-worker[%d] has grown or was used enough: it gets no new session",
		worker->child->pid);
	return true;
}

static void bind(struct worker *worker, const struct encoder_entry *encoder, uint32_t uid)
{
	worker->encoder = encoder;
	worker->uid = uid;
	worker->sessions = 1;
	growth_begin(worker);
}

static bool is_warm(const struct worker *worker)
{
	return !worker->encoder && worker->child->state == CHILD_RUNNING;
}

/* For the CPU a warm and ready one, else any warm one, else a new one. */
static int find_unbound(struct supervisor *sv, const char *device, struct worker **ret,
	struct quota_refusal *refusal)
{
	struct worker *worker, *best = NULL;

	if (device)
		return worker_spawn(sv, device, ret, refusal);
	LIST_FOREACH(worker, &sv->workers, entry)
	if (is_warm(worker) && (!best || (worker->ready && !best->ready)))
		best = worker;
	if (!best)
		return worker_spawn(sv, NULL, ret, refusal);
	*ret = best;
	return 0;
}

static struct worker *find_shared(
	struct supervisor *sv, const struct encoder_entry *encoder, uint32_t uid)
{
	struct worker *worker;

	if (encoder->limits->sessions_per_worker <= 1)
		return NULL;
	LIST_FOREACH(worker, &sv->workers, entry)
	if (may_share(worker, encoder, uid) && !is_retired(worker))
		return worker;
	return NULL;
}

/* A worker is charged from when it is bound until it is dead, tombstones included. */
int worker_for(struct supervisor *supervisor, const struct encoder_entry *encoder, uint32_t uid,
	struct worker **ret, struct quota_refusal *refusal)
{
	struct worker *best;
	int r;

	*ret = find_shared(supervisor, encoder, uid);
	if (*ret) {
		(*ret)->sessions++;
		return 0;
	}
	r = quota_take(&supervisor->quota, uid, &quota_worker, refusal);
	if (r < 0)
		return r;
	r = find_unbound(supervisor, registry_node(encoder), &best, refusal);
	if (r < 0) {
		quota_give(&supervisor->quota, uid, &quota_worker);
		return r;
	}
	bind(best, encoder, uid);
	*ret = best;
	worker_keep_warm(supervisor);
	return 0;
}

static int on_drain(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct worker *worker = userdata;
	struct attempt *attempt, *next;

	(void)source;
	(void)usec;
	for (attempt = LIST_FIRST(&worker->attempts); attempt; attempt = next) {
		next = LIST_NEXT(attempt, entry);
		if (attempt->session)
			session_end(attempt->session, ATTEMPT_DRAINED,
				"its worker had to go, because another call there was abandoned");
	}
	child_kill(worker->child);
	return 0;
}

static void taint(struct worker *worker)
{
	struct wire_plain taint = {.h = {.type = WIRE_TAINT, .size = sizeof(taint)}};
	struct supervisor *sv = worker->supervisor;

	worker->tainted = true;
	worker_row(worker)->tainted++;
	child_send(worker->child, &taint, NULL, 0);
	if (sd_event_add_time_relative(sv->event, &worker->drain, CLOCK_MONOTONIC,
		    sv->config.drain_ms * UINT64_C(1000), 0, on_drain, worker) < 0)
		child_kill(worker->child);
}

/* Draining is a favour to the uid's other sessions, and not at the cost of other uids. */
static void drain_now(struct supervisor *sv, uint32_t uid)
{
	struct worker *worker;

	LIST_FOREACH(worker, &sv->workers, entry)
	if (worker->tainted && worker->uid == uid && worker->drain)
		(void)sd_event_source_set_time_relative(worker->drain, 0);
	log_warning("uid %u: its workers with abandoned calls hold too much to be drained", uid);
}

void worker_taint(struct worker *worker)
{
	if (!worker->tainted)
		taint(worker);
	if (leak_is_greedy(worker))
		drain_now(worker->supervisor, worker->uid);
}

/* A bound worker without attempts has no purpose: the kernel reclaims all that it held. */
void worker_attempt_gone(struct worker *worker)
{
	unsigned opening;

	if (worker->encoder && busy_attempts(worker, &opening) == 0)
		child_kill(worker->child);
}

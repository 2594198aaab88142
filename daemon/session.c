// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Sessions. A session is born with all its memory and its first attempt, and ends in exactly one
 * report, in session_end(): the attempt is cut, the cut goes to the control page, the accounts are
 * made, everybody who waits is answered, and the report goes to the archive.
 *
 * The submit ring is the client's to write: what it says about frames is copied once and never
 * believed beyond what the pool allows.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/session_memory.h"
#include "daemon/supervisor.h"

/* Frames beyond the encoder's own delay, so that the client can write while it works. */
#define SPARE_SLOTS 8u

static int on_lease(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session *session = userdata;

	(void)source;
	(void)fd;
	(void)events;
	session_cancel(session, VENCD_CANCEL_ASKED, "the client went away");
	return 0;
}

static void describe(struct session *session, const struct encoder_entry *encoder,
	const struct encoder_params *params, const struct attempt_report *why)
{
	struct session_report *report = &session->report;
	struct attempt_report *attempt = &report->attempt[0];

	report->version = REPORT_VERSION;
	report->outcome = VENCD_OUTCOME_INCOMPLETE;
	report->id = session->id;
	report->uid = session->uid;
	report->codec = params->request.codecs[0];
	report->created_us = supervisor_wall_us();
	report->on_failure = params->request.on_failure;
	report->params = params->request;
	report->attempts = 1;
	*attempt = *why;
	snprintf(attempt->encoder, sizeof(attempt->encoder), "%s", encoder->limits->name);
	snprintf(attempt->backend, sizeof(attempt->backend), "%s", encoder->row.backend);
	snprintf(attempt->device, sizeof(attempt->device), "%s", encoder->row.device);
	snprintf(attempt->version, sizeof(attempt->version), "%s", encoder->row.version);
	attempt->end = ATTEMPT_RUNNING;
	attempt->needs_frames = session->plan.needs_frames;
	attempt->reorder = session->plan.reorder;
}

/* Sends the answer that carries all fds. */
static void answer_opened(const struct session *session, struct front *front, uint64_t seq,
	const struct session_memory *memory)
{
	const struct attempt_report *attempt = &session->report.attempt[0];
	struct wire_opened opened = {.h = {WIRE_OPENED, sizeof(opened), seq},
		.id = session->id,
		.layout = session->layout,
		.codec = session->report.codec,
		.reorder = session->plan.reorder};
	int fds[WIRE_MAX_FDS];
	unsigned n = session_memory_client_fds(memory, session->layout.attempts, fds);

	memcpy(opened.token, session->token, sizeof(opened.token));
	snprintf(opened.encoder, sizeof(opened.encoder), "%s", attempt->encoder);
	snprintf(opened.backend, sizeof(opened.backend), "%s", attempt->backend);
	snprintf(opened.device, sizeof(opened.device), "%s", attempt->device);
	child_send(front->child, &opened, fds, n);
}

static int start_first(struct session *session, struct worker *worker,
	const struct encoder_params *params, struct session_memory *memory)
{
	struct wire_start start = {.params = *params,
		.plan = session->plan,
		.layout = session->layout,
		.on_failure = params->request.on_failure};
	int fds[WIRE_START_FDS], r;

	snprintf(start.encoder, sizeof(start.encoder), "%s", session->report.attempt[0].encoder);
	if (worker->encoder->gpu)
		snprintf(start.device, sizeof(start.device), "%s", worker->encoder->gpu->node);
	session_memory_worker_fds(memory, 0, fds);
	r = attempt_start(session, worker, &start, fds, memory->slot_map[0], memory->ring_map[0]);
	if (r < 0)
		return r;
	memory->slot_map[0] = NULL;
	memory->ring_map[0] = NULL;
	return 0;
}

/* What the supervisor keeps of the memory; the rest is the client's and the worker's. */
static int keep(struct session *session, struct session_memory *memory)
{
	session->control = memory->control_map;
	session->submit = memory->submit_map;
	memory->control_map = NULL;
	memory->submit_map = NULL;
	session->lease = session_memory_take_fd(&memory->lease[0]);
	session->packet_wake = session_memory_take_fd(&memory->attempt[0].packet_wake[1]);
	return sd_event_add_io(session->supervisor->event, &session->lease_source, session->lease,
		0, on_lease, session);
}

static void session_free(struct session *session)
{
	if (session->hold)
		quota_hold_give(session->hold, QUOTA_SESSIONS);
	quota_hold_unref(session->hold);
	sd_event_source_disable_unref(session->lease_source);
	if (session->control)
		munmap(session->control, PLANE_PAGE);
	if (session->submit)
		munmap(session->submit, plane_submit_size(&session->layout));
	if (session->lease >= 0)
		close(session->lease);
	if (session->packet_wake >= 0)
		close(session->packet_wake);
	free(session);
}

static int refuse_resources(struct front *front, uint64_t seq, const char *what, int r)
{
	front_refuse_limit(front, seq, &(struct quota_refusal){0}, what, r);
	return r;
}

/* Charges the session before anything of it is made. */
static int charge(struct session *session, struct front *front, uint64_t seq)
{
	struct supervisor *sv = session->supervisor;
	struct quota_charge cost;
	struct quota_refusal refusal;
	int r = quota_check_whole(&sv->quota, QUOTA_ALL_SESSIONS, sv->n_sessions, &refusal);

	session->memory = session_memory_size(&session->layout);
	cost = quota_session_charge(session->memory, session->layout.attempts);
	if (r == 0)
		r = quota_hold_create(&sv->quota, session->uid, &cost, &session->hold, &refusal);
	if (r < 0)
		front_refuse_limit(front, seq, &refusal, "memory", r);
	return r;
}

static int make_layout(struct session *session, const struct encoder_params *params)
{
	uint32_t slots = session->plan.needs_frames + SPARE_SLOTS;

	if (slots > PLANE_MAX_SLOTS)
		return -E2BIG;
	return plane_layout_init(&session->layout, params->request.width, params->request.height,
		params->request.format, slots, 1);
}

/* Memory, worker, attempt and answer of a session that is within its limits. */
static int session_begin(struct session *session, struct front *front, const struct wire_open *open,
	const struct encoder_entry *encoder, const struct encoder_params *params)
{
	struct supervisor *sv = front->supervisor;
	struct session_memory memory;
	struct quota_refusal refusal = {0};
	struct worker *worker = NULL;
	int r = session_memory_create(&memory, &session->layout);

	if (r < 0)
		return refuse_resources(front, open->h.seq, "memory for the session", r);
	r = worker_for(sv, encoder, front->uid, &worker, &refusal);
	if (r < 0) {
		session_memory_close(&memory, session->layout.attempts);
		front_refuse_limit(front, open->h.seq, &refusal, "a process for the encoder", r);
		return r;
	}
	r = start_first(session, worker, params, &memory);
	if (r < 0) {
		worker_attempt_gone(worker); /* it may have been bound for this one */
	} else {
		answer_opened(session, front, open->h.seq, &memory);
		r = keep(session, &memory);
	}
	session_memory_close(&memory, session->layout.attempts);
	return r < 0 ? refuse_resources(front, open->h.seq, "the session", r) : 0;
}

/* What comes before anything is made. */
static int prepare(struct session *session, struct front *front, const struct wire_open *open,
	const struct encoder_params *params)
{
	int r = make_layout(session, params);

	if (r < 0)
		return refuse_resources(front, open->h.seq, "frames for the encoder's delay", r);
	r = charge(session, front, open->h.seq);
	if (r < 0)
		return r;
	if (getrandom(session->token, sizeof(session->token), 0) != sizeof(session->token))
		return refuse_resources(front, open->h.seq, "random bytes", -EIO);
	return 0;
}

int session_open(struct front *front, const struct wire_open *open,
	const struct encoder_entry *encoder, const struct encoder_params *params,
	const struct attempt_report *why)
{
	struct supervisor *sv = front->supervisor;
	struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return refuse_resources(front, open->h.seq, "memory", -ENOMEM);
	*session = (struct session){.supervisor = sv,
		.uid = front->uid,
		.lease = -1,
		.packet_wake = -1,
		.id = ++sv->next_number,
		.created_ns = supervisor_now_ns()};
	LIST_INIT(&session->waiters);
	encoder_plan(encoder->limits, params, &session->plan);
	describe(session, encoder, params, why);
	r = prepare(session, front, open, params);
	if (r == 0)
		r = session_begin(session, front, open, encoder, params);
	if (r < 0) {
		if (session->attempt)
			attempt_part(session->attempt, ATTEMPT_CANCELLED);
		session_free(session);
		return r;
	}
	LIST_INSERT_HEAD(&sv->sessions, session, entry);
	sv->n_sessions++;
	attempt_share_pixels(sv, session->uid);
	log_info("session %lu: uid %u, %s %ux%u on %s", (unsigned long)session->id, session->uid,
		vencd_codec_name(session->report.codec), session->layout.width,
		session->layout.height, session->report.attempt[0].encoder);
	return 0;
}

struct session *session_find(struct supervisor *supervisor, uint64_t id)
{
	struct session *session;

	LIST_FOREACH(session, &supervisor->sessions, entry)
	if (session->id == id)
		return session;
	return NULL;
}

static uint64_t frames_submitted(const struct session *session, uint64_t encoded)
{
	uint64_t head = atomic_load_explicit(&session->submit->head, memory_order_acquire);
	uint64_t taken = encoded;

	if (session->attempt)
		taken = atomic_load_explicit(&session->attempt->ring->taken, memory_order_acquire);
	return report_submitted(head, taken, encoded, session->layout.slots);
}

static void sum_attempts(struct session_report *report)
{
	for (uint32_t i = 0; i < report->attempts; i++) {
		report->frames_encoded += report->attempt[i].frames;
		report->packets += report->attempt[i].packets;
		report->bytes += report->attempt[i].bytes;
		report->discarded_packets += report->attempt[i].discarded_packets;
		report->digest = report->attempt[i].digest;
	}
}

static void settle_accounts(struct session *session)
{
	struct session_report *report = &session->report;
	uint64_t finished = atomic_load_explicit(&session->submit->finished, memory_order_acquire);
	uint64_t missing;
	struct session_tally tally = {
		.attempts = report->attempts, .all_clean = 1, .cancel_cause = report->cancel_cause};

	sum_attempts(report);
	report->frames_submitted = frames_submitted(session, report->frames_encoded);
	missing = report->frames_submitted - report->frames_encoded;
	if (report->cancel_cause)
		report->frames_cancelled = missing;
	else
		report->frames_lost = missing;
	for (uint32_t i = 0; i < report->attempts; i++)
		tally.all_clean &= report->attempt[i].end == ATTEMPT_FINISHED &&
			report->attempt[i].suspect_frames == 0;
	tally.submitted = report->frames_submitted;
	tally.encoded = report->frames_encoded;
	tally.finished = finished == 1 + report->frames_submitted;
	report->outcome = report_outcome(&tally);
	report->ended_us = supervisor_wall_us();
}

static void waiter_free(struct waiter *waiter)
{
	quota_give(&waiter->front->supervisor->quota, waiter->front->uid, &quota_request);
	LIST_REMOVE(waiter, entry);
	free(waiter);
}

static void answer_waiters(struct session *session)
{
	struct wire_report message = {
		.h = {WIRE_REPORT, sizeof(message), 0}, .report = session->report};
	struct waiter *waiter;

	if (!LIST_EMPTY(&session->waiters))
		archive_collected(session->supervisor, session->id);
	while (!LIST_EMPTY(&session->waiters)) {
		waiter = LIST_FIRST(&session->waiters);
		message.h.seq = waiter->seq;
		child_send(waiter->front->child, &message, NULL, 0);
		waiter_free(waiter);
	}
}

static void log_end(const struct session *session)
{
	const struct session_report *r = &session->report;

	log_message(r->outcome == VENCD_OUTCOME_COMPLETE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		"session %lu: %s, %lu of %lu frames%s%s", (unsigned long)session->id,
		vencd_outcome_name(r->outcome), (unsigned long)r->frames_encoded,
		(unsigned long)r->frames_submitted, r->cause[0] ? ": " : "", r->cause);
}

void session_end(struct session *session, enum attempt_end end, const char *cause)
{
	struct supervisor *sv = session->supervisor;
	struct attempt *attempt = session->attempt;
	unsigned n = session->report.attempts - 1;
	uint64_t cut = attempt_cut(attempt, end);

	if (cause[0])
		snprintf(session->report.cause, sizeof(session->report.cause), "%s", cause);
	settle_accounts(session);
	atomic_store(&session->control->cut[n], cut);
	atomic_store(&session->control->state, PLANE_SESSION_ENDED);
	archive_add(session);
	plane_wake(session->packet_wake);
	answer_waiters(session);
	log_end(session);
	LIST_REMOVE(session, entry);
	sv->n_sessions--;
	attempt_part(attempt, end);
	attempt_share_pixels(sv, session->uid);
	session_free(session);
	supervisor_check_done(sv);
}

/*
 * Frames that came before an input broke are good ones: that cause is noted, and the session goes
 * on until they are encoded. The first cause stays.
 */
void session_cancel(struct session *session, uint32_t cause, const char *text)
{
	static const char *const whys[] = {
		[VENCD_CANCEL_ASKED] = "by the client",
		[VENCD_CANCEL_INPUT_FAILED] = "the input failed",
		[VENCD_CANCEL_OUTPUT_FAILED] = "the output failed",
	};
	char why[256];

	if (session->report.cancel_cause == 0)
		session->report.cancel_cause = cause;
	snprintf(why, sizeof(why), "cancelled: %s%s%.200s", whys[cause], text[0] ? ": " : "", text);
	if (cause == VENCD_CANCEL_INPUT_FAILED)
		snprintf(session->report.cause, sizeof(session->report.cause), "%s", why);
	else
		session_end(session, ATTEMPT_CANCELLED, why);
}

void session_progress(struct session *session)
{
	struct wire_session message = {.h = {WIRE_SESSION, sizeof(message), 0}};
	struct waiter *waiter;

	if (LIST_EMPTY(&session->waiters))
		return;
	request_fill_session(session, &message);
	LIST_FOREACH(waiter, &session->waiters, entry)
	{
		message.h.seq = waiter->seq;
		if (waiter->progress)
			child_send_if_idle(waiter->front->child, &message);
	}
}

void session_drop_waiters(struct supervisor *supervisor, const struct front *front, uint64_t seq)
{
	struct session *session;
	struct waiter *waiter, *next;

	LIST_FOREACH(session, &supervisor->sessions, entry)
	for (waiter = LIST_FIRST(&session->waiters); waiter; waiter = next) {
		next = LIST_NEXT(waiter, entry);
		if (waiter->front == front && (seq == 0 || waiter->seq == seq)) {
			waiter_free(waiter);
		}
	}
}

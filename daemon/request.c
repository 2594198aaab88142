// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What fronts ask for. A front has checked JSON; this checks the struct again, since a front may
 * have been taken over by its client. A request for an encoder whose probe still runs waits for it,
 * and one whose user's workers still start waits for those: at most ProbeWait.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "daemon/log.h"
#include "daemon/placement.h"
#include "daemon/supervisor.h"

#define DEFAULT_THREADS_MAX 64u

static void refuse(struct front *front, uint64_t seq, enum wire_error error, const char *reason,
	const char *advice)
{
	struct vencd_refusal why = {0};

	snprintf(why.reason, sizeof(why.reason), "%s", reason);
	snprintf(why.advice, sizeof(why.advice), "%s", advice);
	front_refuse(front, seq, error, &why);
}

static uint32_t threads_for(const struct supervisor *sv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (sv->config.encoder_threads)
		return sv->config.encoder_threads;
	if (cores < 1)
		cores = 1;
	return cores < (long)DEFAULT_THREADS_MAX ? (uint32_t)cores : DEFAULT_THREADS_MAX;
}

static bool refuse_starts(struct front *front, uint64_t seq)
{
	refuse(front, seq, WIRE_ERROR_RESOURCES,
		"the workers of your other sessions have not started yet",
		"open fewer sessions at once, or try again later");
	return true;
}

/* Returns false when the request has to wait, for a probe or for workers that start. */
static bool try_open(struct front *front, const struct wire_open *open, bool waited)
{
	struct supervisor *sv = front->supervisor;
	struct placement_ask ask = {.request = &open->params,
		.uid = front->uid,
		.threads = threads_for(sv),
		.waited = waited,
		.now_ns = supervisor_now_ns(),
		.wall_us = supervisor_wall_us()};
	struct placement placement;

	switch (placement_choose(&sv->registry, &ask, &placement)) {
	case PLACEMENT_WAIT:
		return false;
	case PLACEMENT_REFUSED:
		front_refuse(front, open->h.seq, placement.error, &placement.refusal);
		return true;
	case PLACEMENT_FOUND:
		if (!worker_may_start(sv, front->uid))
			return waited && refuse_starts(front, open->h.seq);
		(void)session_open(
			front, open, placement.encoder, &placement.params, &placement.why);
		return true;
	}
	return true;
}

/* Memory for a request that has to wait, once that was charged; else it is refused. */
static void *request_charge(struct front *front, uint64_t seq, size_t size)
{
	struct quota *quota = &front->supervisor->quota;
	struct quota_refusal refusal;
	void *request = NULL;
	int r = quota_take(quota, front->uid, &quota_request, &refusal);

	if (r == 0) {
		request = calloc(1, size);
		if (request)
			return request;
		quota_give(quota, front->uid, &quota_request);
		r = -ENOMEM;
	}
	front_refuse_limit(front, seq, &refusal, "memory for the request", r);
	return NULL;
}

static void pending_free(struct supervisor *sv, struct pending_open *pending)
{
	TAILQ_REMOVE(&sv->pending, pending, entry);
	sd_event_source_disable_unref(pending->patience);
	quota_give(&sv->quota, pending->front->uid, &quota_request);
	free(pending);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pending_open *pending = userdata;

	(void)source;
	(void)usec;
	(void)try_open(pending->front, &pending->open, true); /* finds one, or refuses */
	pending_free(pending->front->supervisor, pending);
	return 0;
}

static void enqueue(struct front *front, const struct wire_open *open)
{
	struct supervisor *sv = front->supervisor;
	struct pending_open *pending = request_charge(front, open->h.seq, sizeof(*pending));

	if (!pending)
		return;
	pending->front = front;
	pending->open = *open;
	TAILQ_INSERT_TAIL(&sv->pending, pending, entry);
	if (sd_event_add_time_relative(sv->event, &pending->patience, CLOCK_MONOTONIC,
		    sv->config.probe_wait_ms * UINT64_C(1000), 0, on_patience, pending) >= 0)
		return;
	refuse(front, open->h.seq, WIRE_ERROR_RESOURCES, "no timer for the request",
		"close sessions, or try again later");
	pending_free(sv, pending);
}

static void refuse_stopping(struct front *front, uint64_t seq)
{
	refuse(front, seq, WIRE_ERROR_STOPPING, "the daemon is stopping",
		"try again when it has been started again");
}

void request_refuse_pending(struct supervisor *supervisor)
{
	struct pending_open *pending;

	while ((pending = TAILQ_FIRST(&supervisor->pending))) {
		refuse_stopping(pending->front, pending->open.h.seq);
		pending_free(supervisor, pending);
	}
}

void request_retry_pending(struct supervisor *supervisor)
{
	struct pending_open *pending, *next;

	for (pending = TAILQ_FIRST(&supervisor->pending); pending; pending = next) {
		next = TAILQ_NEXT(pending, entry);
		if (try_open(pending->front, &pending->open, false))
			pending_free(supervisor, pending);
	}
}

void request_drop_pending(struct supervisor *supervisor, const struct front *front)
{
	struct pending_open *pending, *next;

	for (pending = TAILQ_FIRST(&supervisor->pending); pending; pending = next) {
		next = TAILQ_NEXT(pending, entry);
		if (!front || pending->front == front)
			pending_free(supervisor, pending);
	}
}

static void on_open(struct front *front, const struct wire_open *open)
{
	char why[STANDING_WHY_MAX];

	if (front->supervisor->state != SUPERVISOR_SERVING) {
		refuse_stopping(front, open->h.seq);
		return;
	}
	if (standing_refuses(front->supervisor, WALL_FRONT, why) < 0) {
		refuse(front, open->h.seq, WIRE_ERROR_RESOURCES, why, STANDING_ADVICE);
		return;
	}
	if (!try_open(front, open, false))
		enqueue(front, open);
}

static const uint8_t no_token[16];

/* The session must be that uid's, and the token its own. */
static struct session *session_of(struct front *front, const struct wire_request *request)
{
	struct session *session = session_find(front->supervisor, request->id);

	if (!session || session->uid != front->uid ||
		memcmp(session->token, request->token, sizeof(session->token)) != 0)
		return NULL;
	return session;
}

/* A report of one's own uid may be read by its number alone. */
static const struct archived *archived_of(struct front *front, const struct wire_request *request)
{
	const struct archived *a = archive_find(front->supervisor, request->id);

	if (!a || a->report.uid != front->uid ||
		(memcmp(request->token, no_token, sizeof(no_token)) != 0 &&
			memcmp(a->token, request->token, sizeof(a->token)) != 0))
		return NULL;
	return a;
}

static void refuse_no_session(struct front *front, const struct wire_request *request)
{
	struct vencd_refusal why = {0};

	snprintf(why.parameter, sizeof(why.parameter), "id");
	snprintf(why.value, sizeof(why.value), "%lu", (unsigned long)request->id);
	snprintf(why.reason, sizeof(why.reason), "no session or kept report of yours has this id");
	snprintf(why.advice, sizeof(why.advice),
		"check id and token; only the last reports (ReportsKept) are kept");
	front_refuse(front, request->h.seq, WIRE_ERROR_NO_SESSION, &why);
}

static void send_report(struct front *front, uint64_t seq, const struct archived *archived)
{
	struct wire_report message = {
		.h = {WIRE_REPORT, sizeof(message), seq}, .report = archived->report};

	child_send(front->child, &message, NULL, 0);
	archive_collected(front->supervisor, archived->report.id);
}

static void on_wait(struct front *front, const struct wire_request *request)
{
	struct session *session = session_of(front, request);
	const struct archived *archived = archived_of(front, request);
	struct waiter *waiter;

	if (archived) {
		send_report(front, request->h.seq, archived);
		return;
	}
	if (!session) {
		refuse_no_session(front, request);
		return;
	}
	waiter = request_charge(front, request->h.seq, sizeof(*waiter));
	if (!waiter)
		return;
	*waiter = (struct waiter){
		.front = front, .seq = request->h.seq, .progress = request->more != 0};
	LIST_INSERT_HEAD(&session->waiters, waiter, entry);
}

static void on_cancel(struct front *front, const struct wire_request *request)
{
	struct wire_plain done = {.h = {WIRE_DONE, sizeof(done), request->h.seq}};
	struct session *session = session_of(front, request);
	uint32_t cause = request->cause;

	if (!session && !archived_of(front, request)) {
		refuse_no_session(front, request);
		return;
	}
	if (cause < VENCD_CANCEL_ASKED || cause > VENCD_CANCEL_OUTPUT_FAILED)
		cause = VENCD_CANCEL_ASKED;
	/* A session that has ended already keeps the outcome it has. */
	if (session)
		session_cancel(session, cause, request->text);
	child_send(front->child, &done, NULL, 0);
}

static void on_get_report(struct front *front, const struct wire_request *request)
{
	const struct archived *archived = archived_of(front, request);
	const struct session *session = session_find(front->supervisor, request->id);

	if (archived)
		send_report(front, request->h.seq, archived);
	else if (session && session->uid == front->uid)
		refuse(front, request->h.seq, WIRE_ERROR_NOT_ENDED, "the session has not ended",
			"use Wait, which answers when it has");
	else
		refuse_no_session(front, request);
}

static uint64_t call_ms(const struct attempt *attempt)
{
	uint64_t since = atomic_load_explicit(&attempt->slot->since_ns, memory_order_relaxed);
	uint64_t now = supervisor_now_ns();

	return now > since && since ? (now - since) / 1000000 : 0;
}

void request_fill_session(const struct session *session, struct wire_session *ret)
{
	const struct session_report *report = &session->report;
	const struct attempt_report *attempt = &report->attempt[report->attempts - 1];
	const struct plane_attempt *ring = session->attempt->ring;
	uint64_t published = atomic_load_explicit(
		&((struct plane_attempt *)ring)->published, memory_order_acquire);
	uint64_t word = SLOT_LOAD(&session->attempt->slot->word);
	struct plane_entry last = {0};

	if (published)
		last = plane_log((struct plane_attempt *)ring)[(published - 1) % PLANE_LOG_ENTRIES];
	ret->id = session->id;
	ret->uid = session->uid;
	ret->outcome = report->outcome;
	ret->codec = report->codec;
	ret->width = session->layout.width;
	ret->height = session->layout.height;
	ret->attempt = report->attempts - 1;
	memcpy(ret->encoder, attempt->encoder, sizeof(ret->encoder));
	memcpy(ret->device, attempt->device, sizeof(ret->device));
	memcpy(ret->label, report->params.label, sizeof(ret->label));
	ret->frames_submitted = atomic_load_explicit(&session->submit->head, memory_order_relaxed);
	ret->frames_encoded = last.total_frames;
	ret->bytes = last.total_bytes;
	ret->created_us = report->created_us;
	ret->call = slot_call(word);
	ret->call_state = slot_state(word);
	ret->call_ms = (uint32_t)call_ms(session->attempt);
}

/* A uid sees what is its own; root and the daemon's own user see all. */
static bool sees_all(const struct front *front)
{
	return front->uid == 0 || front->uid == geteuid();
}

static void on_list(struct front *front, const struct wire_header *h)
{
	struct wire_session row = {.h = {WIRE_SESSION, sizeof(row), h->seq}};
	struct wire_plain done = {.h = {WIRE_DONE, sizeof(done), h->seq}};
	struct session *session;

	LIST_FOREACH(session, &front->supervisor->sessions, entry)
	if (sees_all(front) || session->uid == front->uid) {
		request_fill_session(session, &row);
		child_send(front->child, &row, NULL, 0);
	}
	child_send(front->child, &done, NULL, 0);
}

static void send_quota_row(
	struct front *front, uint64_t seq, uint32_t uid, bool whole, const struct quota_row *row)
{
	struct wire_quota message = {.h = {WIRE_QUOTA, sizeof(message), seq},
		.uid = uid,
		.whole = whole,
		.used = row->used,
		.limit = row->limit,
		.refused = row->refused};

	snprintf(message.kind, sizeof(message.kind), "%s", row->kind);
	snprintf(message.setting, sizeof(message.setting), "%s", row->setting);
	snprintf(message.unit, sizeof(message.unit), "%s", row->unit);
	child_send(front->child, &message, NULL, 0);
}

static void send_whole_quotas(struct front *front, uint64_t seq)
{
	struct supervisor *sv = front->supervisor;
	const uint64_t used[QUOTA_WHOLE_MAX] = {
		[QUOTA_ALL_SESSIONS] = sv->n_sessions,
		[QUOTA_ALL_FRONTS] = sv->n_fronts,
		[QUOTA_ALL_WORKERS] = sv->n_workers,
		[QUOTA_ALL_ADAPTERS] = sv->n_streams,
	};
	struct quota_row row;

	for (unsigned i = 0; i < QUOTA_WHOLE_MAX; i++) {
		quota_whole_row(&sv->quota, i, used[i], &row);
		send_quota_row(front, seq, 0, true, &row);
	}
}

static void send_account(struct front *front, uint64_t seq, struct quota_account *account)
{
	struct supervisor *sv = front->supervisor;
	uint64_t strikes = blame_strikes(&sv->registry.blame, account->uid, supervisor_now_ns());
	struct quota_row row;

	for (unsigned kind = 0; kind < QUOTA_KIND_MAX; kind++) {
		quota_account_row(&sv->quota, account, kind, strikes, &row);
		send_quota_row(front, seq, account->uid, false, &row);
	}
}

static void on_list_quota(struct front *front, const struct wire_header *h)
{
	struct wire_plain done = {.h = {WIRE_DONE, sizeof(done), h->seq}};
	struct quota_account *account;

	LIST_FOREACH(account, &front->supervisor->quota.accounts, entry)
	if (sees_all(front) || account->uid == front->uid)
		send_account(front, h->seq, account);
	if (sees_all(front))
		send_whole_quotas(front, h->seq);
	child_send(front->child, &done, NULL, 0);
}

static void refuse_no_device(struct front *front, const struct wire_renew *renew)
{
	struct vencd_refusal why = {0};

	snprintf(why.parameter, sizeof(why.parameter), renew->device[0] ? "device" : "encoder");
	snprintf(why.value, sizeof(why.value), "%.62s",
		renew->device[0] ? renew->device : renew->encoder);
	snprintf(why.reason, sizeof(why.reason), "no encoder is listed with this device and name");
	snprintf(why.advice, sizeof(why.advice), "see ListDevices");
	front_refuse(front, renew->h.seq, WIRE_ERROR_INVALID, &why);
}

/* Probes put work on devices and can take encoders away: they are the operator's. */
static void on_renew(struct front *front, const struct wire_renew *renew)
{
	struct wire_plain done = {.h = {WIRE_DONE, sizeof(done), renew->h.seq}};
	struct registry *registry = &front->supervisor->registry;
	unsigned found = 0;

	if (!sees_all(front)) {
		refuse(front, renew->h.seq, WIRE_ERROR_NOT_ALLOWED,
			"probes are for root and the daemon's own user",
			"ask the operator, or wait until the daemon probes by itself");
		return;
	}
	for (unsigned i = 0; i < registry->entries; i++) {
		struct encoder_entry *entry = &registry->entry[i];

		if ((renew->device[0] && strcmp(renew->device, entry->row.device) != 0) ||
			(renew->encoder[0] && strcmp(renew->encoder, entry->row.encoder) != 0))
			continue;
		found++;
		verdict_renew(entry);
	}
	if (!found) {
		refuse_no_device(front, renew);
		return;
	}
	/* Who asks for the devices next finds them at their probes. */
	front_push_devices(front);
	child_send(front->child, &done, NULL, 0);
}

void request_handle(struct front *front, const union wire_message *message)
{
	switch (message->h.type) {
	case WIRE_OPEN:
		on_open(front, &message->open);
		return;
	case WIRE_WAIT:
		on_wait(front, &message->request);
		return;
	case WIRE_WAIT_END:
		if (message->h.seq) {
			session_drop_waiters(front->supervisor, front, message->h.seq);
			stream_forsake(front->supervisor, front, message->h.seq);
		}
		return;
	case WIRE_CANCEL:
		on_cancel(front, &message->request);
		return;
	case WIRE_LIST:
		on_list(front, &message->h);
		return;
	case WIRE_LIST_QUOTA:
		on_list_quota(front, &message->h);
		return;
	case WIRE_GET_WALLS:
		standing_tell(front, message->h.seq);
		return;
	case WIRE_GET_REPORT:
		on_get_report(front, &message->request);
		return;
	case WIRE_RENEW:
		on_renew(front, &message->renew);
		return;
	case WIRE_ENCODE_END:
		stream_end(front, message->h.seq);
		return;
	case WIRE_ENCODE:
		stream_start(front, &message->stream);
		return;
	default:
		log_warning("the front of uid %u sent a message that is none of its: killed",
			front->uid);
		child_kill(front->child);
	}
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Attempts. An attempt ends once, by attempt_end(): the commit word is closed, and what the log
 * says below that cut goes into the session's report. The slot stays mapped and on its worker's
 * list until the worker's process is dead, so that a late return can be seen.
 *
 * The ring is the worker's to write: every number read from it is copied once and bounded by what
 * the client submitted.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/log.h"
#include "daemon/placement.h"
#include "daemon/supervisor.h"

static struct attempt_report *attempt_report(struct attempt *attempt)
{
	struct session_report *report = &attempt->session->report;

	return &report->attempt[report->attempts - 1];
}

/* What each session of the uid may encode, with `more` about to come; 0: as much as it can. */
static uint64_t pixel_share(const struct supervisor *sv, uint32_t uid, unsigned more)
{
	uint64_t limit = quota_limit(&sv->quota, QUOTA_PIXEL_RATE);
	const struct session *session;
	unsigned n = more;

	LIST_FOREACH(session, &sv->sessions, entry)
	n += session->uid == uid;
	if (limit == 0 || n == 0)
		return 0;
	return limit / n ? limit / n : 1;
}

/* A user that owes must not be rid of it by opening a session. */
static uint64_t pixel_debt(struct supervisor *sv, uint32_t uid, uint64_t share)
{
	int64_t left = quota_left(&sv->quota, uid, QUOTA_PIXEL_RATE);
	uint64_t limit = quota_limit(&sv->quota, QUOTA_PIXEL_RATE);

	/* It is worked off at its share of the rate. */
	return left < 0 ? (uint64_t)((unsigned __int128)-left * share / limit) : 0;
}

void attempt_share_pixels(struct supervisor *supervisor, uint32_t uid)
{
	uint64_t now = supervisor_now_ns(), share = pixel_share(supervisor, uid, 0);
	uint64_t settled = now + supervisor->config.answer_budget_ms * UINT64_C(1000000);
	struct wire_rate message = {.h = {WIRE_RATE, sizeof(message), 0}, .pixel_rate = share};
	struct session *session;

	if (share == 0)
		return;
	LIST_FOREACH(session, &supervisor->sessions, entry)
	if (session->uid == uid && session->attempt) {
		message.h.seq = session->attempt->number;
		child_send(session->attempt->worker->child, &message, NULL, 0);
		pace_change(&session->attempt->pace, share, now, settled);
	}
}

/* What the worker has taken, as far as it says or has delivered; the ring is its to write. */
static uint64_t frames_taken(const struct attempt *attempt)
{
	uint64_t taken = atomic_load_explicit(&attempt->ring->taken, memory_order_acquire);
	uint64_t cut = commit_index(SLOT_LOAD(&attempt->slot->commit));
	struct plane_entry last = {0};

	if (cut > 0)
		memcpy(&last, &plane_log(attempt->ring)[(cut - 1) % PLANE_LOG_ENTRIES],
			sizeof(last));
	return taken > last.total_frames ? taken : last.total_frames;
}

bool attempt_keeps_pace(struct attempt *attempt)
{
	struct quota *quota = &attempt->worker->supervisor->quota;
	uint64_t frames, max = UINT64_MAX / 4 / attempt->pixels;
	bool kept;

	frames = pace_look(&attempt->pace, frames_taken(attempt), supervisor_now_ns(), &kept);
	if (frames > max)
		frames = max;
	quota_use(quota, attempt->worker->uid, QUOTA_PIXEL_RATE, frames * attempt->pixels);
	return kept;
}

void attempt_note_walls(struct attempt *attempt)
{
	if (attempt->session)
		attempt_report(attempt)->walls = attempt->worker->walls.standing;
}

/*
 * What a session asks of its encoder, in pixels a second; where nobody said how many frames a
 * second, 25. One fills its encoder at the most: the rate is no more than its client's word.
 */
static uint64_t load_of(
	const struct encoder_entry *entry, uint64_t pixels, struct vencd_rational rate)
{
	unsigned __int128 load = (unsigned __int128)pixels * 25;

	if (rate.num > 0 && rate.den > 0)
		load = (unsigned __int128)pixels * (uint32_t)rate.num / (uint32_t)rate.den;
	return (uint64_t)(load < placement_rate(entry) ? load : placement_rate(entry));
}

static struct encoder_entry *entry_of(const struct worker *worker)
{
	struct registry *registry = &worker->supervisor->registry;

	return &registry->entry[worker->encoder - registry->entry];
}

int attempt_start(struct session *session, struct worker *worker, const struct wire_start *start,
	const int *fds, struct call_slot *slot, struct plane_attempt *ring)
{
	struct wire_start message = *start;
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	struct wire_device *row = registry_row(&worker->supervisor->registry, worker->encoder);

	if (!attempt)
		return -ENOMEM;
	attempt->number = ++worker->supervisor->next_number;
	attempt->state = ATTEMPT_LIVE;
	attempt->worker = worker;
	attempt->session = session;
	attempt->hold = quota_hold_ref(session->hold);
	attempt->slot = slot;
	attempt->ring = ring;
	attempt->pixels = (uint64_t)session->layout.width * session->layout.height;
	attempt->memory = session->memory;
	attempt->load = load_of(
		entry_of(worker), attempt->pixels, start->params.request.frame_rate);
	attempt->shape = blame_shape_of(&start->params);
	attempt->watch.cpu_ns = child_cpu_ns(worker->child);
	message.pixel_rate = pixel_share(worker->supervisor, session->uid, 1);
	message.pixel_debt = pixel_debt(worker->supervisor, session->uid, message.pixel_rate);
	pace_init(&attempt->pace, message.pixel_rate, attempt->pixels, supervisor_now_ns());
	session->attempt = attempt;
	attempt_report(attempt)->pid = (uint32_t)worker->child->pid;
	attempt_note_walls(attempt);
	LIST_INSERT_HEAD(&worker->attempts, attempt, entry);
	row->sessions++;
	entry_of(worker)->pixels_used += attempt->load;
	registry_changed(&worker->supervisor->registry);
	message.h = (struct wire_header){WIRE_START, sizeof(message), attempt->number};
	child_send(worker->child, &message, fds, WIRE_START_FDS);
	watch_wake(worker->supervisor);
	return 0;
}

/* The totals below the cut. The entry is the worker's: copied once. */
static void take_totals(struct attempt *attempt, uint64_t cut, struct attempt_report *report)
{
	struct plane_entry entry = {0};

	if (cut == 0)
		return;
	memcpy(&entry, &plane_log(attempt->ring)[(cut - 1) % PLANE_LOG_ENTRIES], sizeof(entry));
	report->frames = entry.total_frames;
	report->packets = entry.total_packets;
	report->bytes = entry.total_bytes;
	report->digest = entry.total_digest;
}

/* What the worker said of its output, within what it has delivered. */
static void bound_check(struct attempt_report *report)
{
	uint64_t end = report->first_frame + report->frames;

	if (report->frames_checked > report->frames)
		report->frames_checked = report->frames;
	if (report->suspect_first < report->first_frame || report->suspect_first >= end)
		report->suspect_frames = 0;
	else if (report->suspect_frames > end - report->suspect_first)
		report->suspect_frames = end - report->suspect_first;
}

/* What stays lost until the kernel has it back: an estimate of the attempt's own share. */
static void note_leak(const struct attempt *attempt, struct attempt_report *report)
{
	report->leaked_threads = 1;
	report->leaked_fds = WIRE_START_FDS;
	report->leaked_bytes = attempt->session->memory;
}

/* How long the call had run when its process died, as the worker noted its begin: bounded. */
static uint64_t call_age_ns(const struct attempt *attempt)
{
	uint64_t since = atomic_load_explicit(&attempt->slot->since_ns, memory_order_relaxed);
	uint64_t now = supervisor_now_ns(), created = attempt->session->created_ns;

	return now - (since < created ? created : since < now ? since : now);
}

/* The process ended under the call: the word is read for the last time. */
static void note_last_word(struct attempt *attempt)
{
	attempt->watch.seen = SLOT_LOAD(&attempt->slot->word);
	attempt->watch.waited_ns = call_age_ns(attempt);
	attempt->watch.busy_ns = 0;
}

static void note_call(struct attempt *attempt, struct attempt_report *report)
{
	uint64_t word = attempt->watch.seen;

	report->call = slot_call(word);
	report->call_frame = atomic_load_explicit(&attempt->slot->frame, memory_order_relaxed);
	report->waited_ms = (uint32_t)((attempt->watch.waited_ns + attempt->watch.busy_ns) /
		1000000);
	report->budget_ms = watchdog_budget_ms(
		&attempt->worker->supervisor->config, word, attempt->pixels);
}

static void note_bad_end(
	struct attempt *attempt, enum attempt_end end, struct attempt_report *report)
{
	switch (end) {
	case ATTEMPT_ABANDONED:
		note_leak(attempt, report);
		note_call(attempt, report);
		break;
	case ATTEMPT_CRASHED:
	case ATTEMPT_EXITED:
	case ATTEMPT_UNRESPONSIVE:
		note_last_word(attempt);
		note_call(attempt, report);
		break;
	case ATTEMPT_RUNNING:
	case ATTEMPT_FINISHED:
	case ATTEMPT_ERROR:
	case ATTEMPT_WRONG_OUTPUT:
	case ATTEMPT_STALLED:
	case ATTEMPT_CANCELLED:
	case ATTEMPT_DRAINED:
	case ATTEMPT_END_MAX:
		break;
	}
}

static void note_first_packet(const struct attempt *attempt)
{
	uint64_t first = atomic_load_explicit(&attempt->slot->first_ns, memory_order_relaxed);
	struct session *session = attempt->session;

	if (first > session->created_ns && session->report.first_packet_us == 0)
		session->report.first_packet_us = (first - session->created_ns) / 1000;
}

uint64_t attempt_cut(struct attempt *attempt, enum attempt_end end)
{
	struct attempt_report *report = attempt_report(attempt);
	uint64_t cut = commit_close(attempt->slot), received;

	take_totals(attempt, cut, report);
	bound_check(report);
	received = atomic_load_explicit(&attempt->slot->packets, memory_order_relaxed);
	report->discarded_packets = received > report->packets ? received - report->packets : 0;
	note_first_packet(attempt);
	report->end = end;
	note_bad_end(attempt, end, report);
	forensics_note(attempt, report);
	return cut;
}

void attempt_part(struct attempt *attempt, enum attempt_end end)
{
	struct wire_plain stop = {.h = {WIRE_STOP, sizeof(stop), attempt->number}};
	struct worker *worker = attempt->worker;

	(void)attempt_keeps_pace(attempt); /* what is new since the last tick: it is over anyway */
	registry_row(&worker->supervisor->registry, worker->encoder)->sessions--;
	entry_of(worker)->pixels_used -= attempt->load;
	registry_changed(&worker->supervisor->registry);
	attempt->session->attempt = NULL;
	attempt->session = NULL;
	attempt->state = ATTEMPT_CLOSING;
	if (end == ATTEMPT_ABANDONED)
		attempt_abandoned(attempt);
	else if (end == ATTEMPT_CANCELLED)
		child_send(worker->child, &stop, NULL, 0);
	else if (end != ATTEMPT_ERROR) /* of which on_ended() knows more */
		verdict_accuse(attempt, end);
	worker_attempt_gone(worker);
}

void attempt_abandoned(struct attempt *attempt)
{
	struct worker *worker = attempt->worker;
	struct wire_device *row = registry_row(&worker->supervisor->registry, worker->encoder);

	attempt->state = ATTEMPT_LEAKED;
	row->abandoned++;
	row->leaked_threads++;
	row->leaked_fds += WIRE_START_FDS;
	row->leaked_bytes += attempt->memory;
	registry_changed(&worker->supervisor->registry);
	worker_taint(worker);
	verdict_accuse(attempt, ATTEMPT_ABANDONED);
}

void attempt_returned(struct attempt *attempt)
{
	struct worker *worker = attempt->worker;

	attempt->state = ATTEMPT_RETURNED;
	registry_row(&worker->supervisor->registry, worker->encoder)->late++;
	registry_changed(&worker->supervisor->registry);
	log_notice("vencd-worker[%d]: an abandoned call (%s) came back and was parked",
		worker->child->pid, slot_call_name(slot_call(attempt->watch.seen)));
}

void attempt_free(struct attempt *attempt)
{
	LIST_REMOVE(attempt, entry);
	munmap(attempt->slot, PLANE_PAGE);
	munmap(attempt->ring, plane_data_offset());
	quota_hold_unref(attempt->hold);
	free(attempt);
}

static struct attempt *attempt_find(struct worker *worker, uint64_t number)
{
	struct attempt *attempt;

	LIST_FOREACH(attempt, &worker->attempts, entry)
	if (attempt->number == number)
		return attempt;
	return NULL;
}

static void on_opened(struct attempt *attempt, const struct wire_attempt_opened *opened)
{
	struct attempt_report *report = attempt_report(attempt);

	attempt->opened = true;
	report->speed_used = (uint32_t)opened->info.speed_used;
	report->needs_frames = opened->info.needs_frames;
	report->reorder = opened->info.reorder;
	snprintf(report->version, sizeof(report->version), "%s", opened->info.version);
}

static bool worker_may_say(uint32_t end)
{
	return end == ATTEMPT_FINISHED || end == ATTEMPT_ERROR || end == ATTEMPT_WRONG_OUTPUT ||
		end == ATTEMPT_STALLED || end == ATTEMPT_CANCELLED;
}

/*
 * Which errors are looked into. A GPU has claimed what it was asked for, so one of its library's
 * own is a claim that it did not keep; software's is an answer, and so is "no memory" or "busy".
 */
static bool speaks_of_device(const struct attempt *attempt, enum encoder_status status)
{
	return encoder_status_class(status) == ENCODER_CLASS_QUARANTINE ||
		(status == ENCODER_LIBRARY && entry_of(attempt->worker)->gpu);
}

static void on_ended(struct attempt *attempt, const struct wire_attempt_ended *ended)
{
	struct attempt_report *report = attempt_report(attempt);
	char cause[256] = "";
	const char *call = ended->call < SLOT_CALL_MAX ? slot_call_name(ended->call) : NULL;

	if (!worker_may_say(ended->end) || ended->status >= ENCODER_STATUS_MAX) {
		child_kill(attempt->worker->child);
		return;
	}
	snprintf(report->text, sizeof(report->text), "%s", ended->text);
	report->checking = ended->checking != 0;
	report->frames_checked = ended->frames_checked;
	report->suspect_first = ended->suspect_first;
	report->suspect_frames = ended->suspect_frames;
	if (ended->end != ATTEMPT_FINISHED) {
		report->call = ended->call;
		report->call_frame = ended->frame;
		snprintf(cause, sizeof(cause), "%s in %s at frame %lu%s%.150s",
			encoder_status_name(ended->status), call ? call : "?",
			(unsigned long)ended->frame, ended->text[0] ? ": " : "", ended->text);
	}
	if (speaks_of_device(attempt, ended->status))
		verdict_accuse(attempt, ended->end);
	session_end(attempt->session, ended->end, cause);
}

void attempt_message(struct worker *worker, const union wire_message *message)
{
	struct attempt *attempt = attempt_find(worker, message->h.seq);

	if (!attempt || attempt->state > ATTEMPT_CLOSING)
		return;
	if (message->h.type == WIRE_ATTEMPT_OPENED) {
		if (attempt->state == ATTEMPT_LIVE)
			on_opened(attempt, &message->attempt_opened);
		return;
	}
	if (attempt->state == ATTEMPT_LIVE)
		on_ended(attempt, &message->attempt_ended);
	/* Still live: what it said was none of its to say, and its death will end the session. */
	if (message->h.type == WIRE_ATTEMPT_FAILED || attempt->state == ATTEMPT_LIVE)
		return;
	if (worker->tainted)
		attempt->state = ATTEMPT_KEPT;
	else
		attempt_free(attempt);
	worker_attempt_gone(worker);
}

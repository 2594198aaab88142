// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Reading the commit logs of a session's attempts, one after the other, each up to its cut. The
 * process that writes them is not trusted: an entry is copied once, the copy is checked against
 * what this side knows by itself, and only the copy is used. Whatever does not fit ends the session
 * (session_break()); nothing is repaired or skipped.
 *
 * The supervisor's control page is trusted. While an attempt runs, its ring's own `published` says
 * how far it may be read; once the page has its cut, the cut does, even where the worker died
 * between committing and publishing. A cut below what was read means that the worker published what
 * it had not committed.
 */

#include <errno.h>
#include <string.h>

#include "client/libvencd/session.h"

bool session_ended(const struct vencd_session *session)
{
	return atomic_load_explicit(&session->control->state, memory_order_acquire) ==
		PLANE_SESSION_ENDED;
}

static uint64_t consumed(const struct vencd_session *session)
{
	return atomic_load_explicit(
		&session->submit->consumed[session->reading], memory_order_relaxed);
}

/* How far the current attempt may be read, and whether it has been cut. */
static int look_at_limit(struct vencd_session *session, bool *ret_cut)
{
	struct attempt_reader *a = &session->attempts[session->reading];
	uint64_t limit = PLANE_LOAD(&session->control->cut[session->reading]);

	*ret_cut = limit != PLANE_NO_CUT;
	if (!*ret_cut)
		limit = PLANE_LOAD(&a->ring->published);
	if (limit < a->limit)
		return session_break(session, "its log became shorter");
	if (limit - consumed(session) > PLANE_LOG_ENTRIES)
		return session_break(session, "its log is longer than its ring");
	a->limit = limit;
	return 0;
}

static const char *check_packet(const struct vencd_session *session, const struct plane_entry *e,
	const struct sent_frame *f)
{
	const struct attempt_reader *a = &session->attempts[session->reading];

	if (e->frame >= session->head || session->head - e->frame > SESSION_HISTORY)
		return "a packet for a frame that was not submitted";
	if (f->packets)
		return "two packets for one frame";
	if (e->pts != f->pts)
		return "a packet with another time than its frame";
	if (e->dts > e->pts || (session->packets > 0 && e->dts <= session->last_dts))
		return "packets out of decoding order";
	if (e->size == 0 || e->offset > session->layout.data_size ||
		e->size > session->layout.data_size - e->offset)
		return "a packet outside of its ring";
	if ((e->flags & ~VENCD_PACKET_KEYFRAME) != 0)
		return "a packet with unknown flags";
	if (a->packets == 0 && !(e->flags & VENCD_PACKET_KEYFRAME))
		return "a first packet that is no keyframe";
	return NULL;
}

static int take_packet(struct vencd_session *session, const struct plane_entry *e)
{
	struct sent_frame *frame = &session->history[e->frame % SESSION_HISTORY];
	const char *wrong = check_packet(session, e, frame);

	if (wrong)
		return session_break(session, wrong);
	frame->packets = 1;
	session->packet = *e;
	session->packet_state = PACKET_READY;
	session->packets++;
	session->last_dts = e->dts;
	return 1;
}

static int take_release(struct vencd_session *session, const struct plane_entry *e)
{
	const struct pool_slot *slot;

	if (e->slot >= session->layout.slots)
		return session_break(session, "a release of a slot that does not exist");
	slot = &session->slots[e->slot];
	if (slot->use != SLOT_SUBMITTED || slot->frame != e->frame)
		return session_break(session, "a release of a frame that it does not have");
	frames_release(session, e->slot);
	return 0;
}

/* Reads one entry: 1 for a packet, 0 for another. */
static int take_entry(struct vencd_session *session)
{
	struct attempt_reader *a = &session->attempts[session->reading];
	struct plane_entry entry;

	PLANE_COPY(&entry, &plane_log(a->ring)[a->next % PLANE_LOG_ENTRIES]);
	/* The copy is checked, not the shared memory: nothing may be loaded twice. */
	atomic_signal_fence(memory_order_seq_cst);
	if (a->ended)
		return session_break(session, "more after its end");
	a->next++;
	switch (entry.type) {
	case PLANE_ENTRY_PACKET:
		return take_packet(session, &entry);
	case PLANE_ENTRY_RELEASE:
		return take_release(session, &entry);
	case PLANE_ENTRY_END:
		a->ended = 1;
		return 0;
	}
	return session_break(session, "a log entry of an unknown type");
}

void log_consume(struct vencd_session *session)
{
	uint64_t done = session->attempts[session->reading].next;

	if (session->packet_state != PACKET_NONE)
		done--; /* the packet that was read last is still needed */
	if (done == consumed(session))
		return;
	atomic_store_explicit(
		&session->submit->consumed[session->reading], done, memory_order_release);
	session_wake(session);
}

/* At the cut of an attempt: 1 when the next one is to be read, else why there is nothing. */
static int next_attempt(struct vencd_session *session)
{
	/* In this order: the current attempt does not change any more once the state is ENDED. */
	bool ended = session_ended(session);
	uint32_t current = atomic_load_explicit(&session->control->attempt, memory_order_acquire);

	if (current > session->reading && session->reading + 1 < session->layout.attempts) {
		session->reading++;
		frames_release_delivered(session);
		return 1;
	}
	return ended ? -ENODATA : 0;
}

/* Nothing more to read for now: what to say. 1: look again. */
static int at_limit(struct vencd_session *session, bool cut)
{
	int r = cut ? next_attempt(session) : 0;

	return r == 0 && session->phase == SESSION_LOST ? -ECONNRESET : r;
}

int log_advance(struct vencd_session *session)
{
	int r;

	if (session->phase == SESSION_BROKEN)
		return -EPROTO;
	if (session->packet_state != PACKET_NONE)
		return 1;
	do {
		const struct attempt_reader *a = &session->attempts[session->reading];
		bool cut;

		r = look_at_limit(session, &cut);
		while (r == 0 && a->next < a->limit)
			r = take_entry(session);
		if (r < 0)
			return r;
		log_consume(session);
		if (r == 1)
			return 1;
		r = at_limit(session, cut);
	} while (r == 1);
	return r;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The client's side of the frame pool and the submit ring. A slot is free, acquired or submitted,
 * and only its state here says which: the encoder's process can ask for a slot's release, but not
 * for that of one it was not given. The ring's entries are written before its head, and never read
 * back: what is needed later (the pts of each frame) is kept privately.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/libvencd/session.h"

int frames_init(struct vencd_session *session)
{
	uint32_t n = session->layout.slots;

	session->slots = calloc(n, sizeof(*session->slots));
	session->free_slots = calloc(n, sizeof(*session->free_slots));
	session->history = calloc(SESSION_HISTORY, sizeof(*session->history));
	if (!session->slots || !session->free_slots || !session->history)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		session->slots[i].use = SLOT_FREE;
		session->free_slots[n - 1 - i] = i;
	}
	session->n_free = n;
	return 0;
}

void frames_release(struct vencd_session *session, uint32_t slot)
{
	session->slots[slot].use = SLOT_FREE;
	session->free_slots[session->n_free++] = slot;
}

/*
 * Between two attempts: the ended one will not release what it still had. A frame whose packet was
 * delivered is done with; the others are replayed by the next attempt.
 */
void frames_release_delivered(struct vencd_session *session)
{
	for (uint32_t i = 0; i < session->layout.slots; i++) {
		const struct pool_slot *slot = &session->slots[i];

		if (slot->use == SLOT_SUBMITTED &&
			session->history[slot->frame % SESSION_HISTORY].packets)
			frames_release(session, i);
	}
}

static bool accepts_frames(const struct vencd_session *session)
{
	return session->phase == SESSION_OPEN && !session_ended(session);
}

static void describe(const struct vencd_session *session, uint32_t slot, struct vencd_frame *ret)
{
	const struct plane_layout *l = &session->layout;

	*ret = (struct vencd_frame){.slot = slot, .planes = l->planes};
	for (uint32_t i = 0; i < l->planes; i++) {
		ret->data[i] = session->pool + slot * l->slot_size + l->offset[i];
		ret->stride[i] = l->stride[i];
		ret->rows[i] = l->rows[i];
		ret->row_bytes[i] = l->row_bytes[i];
	}
}

/*
 * A slot's memory does not exist before it is touched, a page at a time, and a fault costs more
 * than the page. All of a frame will be written, so all of it is made at once. Slots are taken for
 * the first time in their order. A kernel that cannot do it leaves the pages to be made one by one.
 */
static void make_present(struct vencd_session *session, uint32_t slot)
{
	uint64_t size = session->layout.slot_size;

	if (slot < session->n_present)
		return;
	session->n_present = slot + 1;
	(void)madvise(session->pool + slot * size, size, MADV_POPULATE_WRITE);
}

int vencd_frame_acquire(struct vencd_session *session, struct vencd_frame *ret)
{
	uint32_t slot;

	session_end_sleep(session);
	if (session->n_free == 0)
		log_advance(session); /* what it says is vencd_packet_receive()'s to tell */
	if (!accepts_frames(session))
		return -EPIPE;
	session->starved = session->n_free == 0;
	if (session->starved)
		return -EAGAIN;
	slot = session->free_slots[--session->n_free];
	session->slots[slot].use = SLOT_ACQUIRED;
	make_present(session, slot);
	describe(session, slot, ret);
	return 0;
}

static bool acquired(const struct vencd_session *session, uint32_t slot)
{
	return slot < session->layout.slots && session->slots[slot].use == SLOT_ACQUIRED;
}

void vencd_frame_discard(struct vencd_session *session, uint32_t slot)
{
	if (acquired(session, slot))
		frames_release(session, slot);
}

static void publish(struct vencd_session *session, uint32_t slot, int64_t pts, uint32_t flags)
{
	uint64_t index = session->head++;
	struct plane_frame *entry = &plane_frames(
		session->submit)[index % session->layout.submit_entries];

	session->slots[slot] = (struct pool_slot){.use = SLOT_SUBMITTED, .frame = index};
	session->history[index % SESSION_HISTORY] = (struct sent_frame){.pts = pts};
	session->last_pts = pts;
	*entry = (struct plane_frame){.slot = slot, .flags = flags, .pts = pts};
	atomic_store_explicit(&session->submit->head, session->head, memory_order_release);
	session_wake(session);
}

int vencd_frame_submit(struct vencd_session *session, uint32_t slot, int64_t pts, uint32_t flags)
{
	if (!accepts_frames(session))
		return -EPIPE;
	if (!acquired(session, slot) || (flags & ~VENCD_FRAME_KEYFRAME) != 0)
		return -EINVAL;
	if (session->head > 0 && pts <= session->last_pts)
		return -EINVAL;
	publish(session, slot, pts, flags);
	return 0;
}

int vencd_session_finish(struct vencd_session *session)
{
	if (session->phase != SESSION_OPEN)
		return 0;
	session->phase = SESSION_FINISHED;
	session->starved = 0; /* slots that come back now are of no use */
	atomic_store_explicit(&session->submit->finished, session->head + 1, memory_order_release);
	session_wake(session);
	return 0;
}

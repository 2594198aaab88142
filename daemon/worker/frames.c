// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Frames in flight. Records live in a table by index, so that the oldest are overwritten without
 * being freed; pts increase with the index, so that a packet finds its frame by bisection.
 *
 * A mark of frames_done() names the frame and not just the entry: one that comes twice, or long
 * after, hits nothing.
 */

#include "daemon/worker/frames.h"

#include <errno.h>

static struct frame_record *record_of(struct frames *f, uint64_t index)
{
	return &f->record[index % FRAMES_TABLE];
}

static uint64_t slot_bit(uint32_t slot)
{
	return UINT64_C(1) << (slot % 64);
}

void frames_init(struct frames *f, uint64_t first)
{
	f->first = f->taken = f->oldest = f->release_from = first;
}

int frames_take(struct frames *f, uint32_t slot, int64_t pts)
{
	uint64_t *held = &f->held[slot / 64];

	if (*held & slot_bit(slot))
		return -EBUSY;
	if (f->taken - f->oldest >= FRAMES_IN_FLIGHT)
		return -ENOBUFS;
	*held |= slot_bit(slot);
	*record_of(f, f->taken) = (struct frame_record){.pts = pts, .slot = slot};
	f->taken++;
	return 0;
}

void frames_done(struct frames *f, uint64_t index)
{
	atomic_store_explicit(&f->done[index % FRAMES_TABLE], index + 1, memory_order_release);
	atomic_fetch_add_explicit(&f->done_count, 1, memory_order_release);
}

static void advance(struct frames *f)
{
	while (f->oldest < f->taken &&
		record_of(f, f->oldest)->past == (FRAME_RECEIVED | FRAME_RELEASED))
		f->oldest++;
}

/* The first frame in flight whose pts is not below. */
static uint64_t bisect(struct frames *f, int64_t pts)
{
	uint64_t low = f->oldest, high = f->taken;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (record_of(f, middle)->pts < pts)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int frames_receive(struct frames *f, int64_t pts, uint64_t *ret_index)
{
	uint64_t index = bisect(f, pts);
	struct frame_record *r = record_of(f, index);

	if (index == f->taken || r->pts != pts)
		return -ENOENT;
	if (r->past & FRAME_RECEIVED)
		return -EEXIST;
	r->past |= FRAME_RECEIVED;
	f->received++;
	advance(f);
	*ret_index = index;
	return 0;
}

static bool is_done(struct frames *f, uint64_t index)
{
	return atomic_load_explicit(&f->done[index % FRAMES_TABLE], memory_order_acquire) ==
		index + 1;
}

static void release(struct frames *f, uint64_t index)
{
	struct frame_record *r = record_of(f, index);

	r->past |= FRAME_RELEASED;
	f->held[r->slot / 64] &= ~slot_bit(r->slot);
	f->released++;
	while (f->release_from < f->taken && record_of(f, f->release_from)->past & FRAME_RELEASED)
		f->release_from++;
	advance(f);
}

bool frames_release(struct frames *f, uint64_t below, uint64_t *ret_index, uint32_t *ret_slot)
{
	uint64_t end = below < f->taken ? below : f->taken;

	for (uint64_t i = f->release_from; i < end; i++) {
		if (record_of(f, i)->past & FRAME_RELEASED || !is_done(f, i))
			continue;
		*ret_index = i;
		*ret_slot = record_of(f, i)->slot;
		release(f, i);
		return true;
	}
	return false;
}

int64_t frames_pts(const struct frames *f, uint64_t index)
{
	return f->record[index % FRAMES_TABLE].pts;
}

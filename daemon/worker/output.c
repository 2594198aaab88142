// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The attempt ring. Positions in the data area are monotonic like all indices, so that full and
 * empty cannot be mistaken; a packet that does not fit before the end of the area starts at its
 * beginning. What the client has consumed is told by log entries alone: where each one's data ends
 * is kept privately, since the ring is the client's to read and not ours.
 *
 * A release may be committed while packets are withheld; therefore withheld packets have no entry
 * in the log yet, and two running totals are kept.
 *
 * Nothing here waits: the caller does, on output_room().
 */

#include "daemon/worker/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int output_init(struct output *o, uint32_t max_withheld)
{
	o->received.digest = o->logged.digest = PLANE_FNV_OFFSET;
	o->withheld = calloc(max_withheld, sizeof(*o->withheld));
	o->max_withheld = max_withheld;
	return o->withheld ? 0 : -ENOMEM;
}

void output_clear(struct output *o)
{
	free(o->withheld);
	o->withheld = NULL;
}

uint64_t output_consumed(const struct output *o)
{
	return atomic_load_explicit(&o->submit->consumed[o->attempt], memory_order_acquire);
}

/* Where the data that the client still reads begins. */
static uint64_t tail(const struct output *o)
{
	return o->consumed ? o->end[(o->consumed - 1) % PLANE_LOG_ENTRIES] : 0;
}

static uint64_t position_for(const struct output *o, uint64_t bytes)
{
	if (o->head % o->data_size + bytes > o->data_size)
		return plane_round_up(o->head, o->data_size);
	return o->head;
}

enum output_room output_room(struct output *o, uint32_t entries, uint64_t bytes)
{
	uint64_t consumed = output_consumed(o);

	if (consumed < o->consumed || consumed > o->committed)
		return OUTPUT_BROKEN;
	o->consumed = consumed;
	if (o->written - consumed + entries > PLANE_LOG_ENTRIES)
		return OUTPUT_FULL;
	if (position_for(o, bytes) + bytes - tail(o) <= o->data_size)
		return OUTPUT_ROOM;
	return consumed == o->written ? OUTPUT_NEVER : OUTPUT_FULL;
}

void output_packet(struct output *o, const struct output_packet *p)
{
	uint64_t position = position_for(o, p->size), offset = position % o->data_size;
	struct output_withheld *w = &o->withheld[o->n_withheld++];

	memcpy(plane_data(o->ring) + offset, p->data, p->size);
	o->head = position + p->size;
	o->received.frames++;
	o->received.packets++;
	o->received.bytes += p->size;
	o->received.digest = plane_digest(o->received.digest, p->data, p->size);
	w->end = o->head;
	w->entry = (struct plane_entry){
		.type = PLANE_ENTRY_PACKET,
		.flags = p->flags,
		.size = (uint32_t)p->size,
		.offset = offset,
		.pts = p->pts,
		.dts = p->dts,
		.frame = p->frame,
		.total_frames = o->received.frames,
		.total_packets = o->received.packets,
		.total_bytes = o->received.bytes,
		.total_digest = o->received.digest,
	};
}

static void write_entry(struct output *o, const struct plane_entry *entry, uint64_t end)
{
	plane_log(o->ring)[o->written % PLANE_LOG_ENTRIES] = *entry;
	o->end[o->written % PLANE_LOG_ENTRIES] = end;
	o->written++;
}

void output_close_group(struct output *o)
{
	for (uint32_t i = 0; i < o->n_withheld; i++)
		write_entry(o, &o->withheld[i].entry, o->withheld[i].end);
	o->n_withheld = 0;
	o->logged = o->received;
}

/* An entry without data: it carries the totals of the log before it. */
static void write_plain(struct output *o, struct plane_entry entry)
{
	uint64_t end = o->written ? o->end[(o->written - 1) % PLANE_LOG_ENTRIES] : 0;

	entry.total_frames = o->logged.frames;
	entry.total_packets = o->logged.packets;
	entry.total_bytes = o->logged.bytes;
	entry.total_digest = o->logged.digest;
	write_entry(o, &entry, end);
}

void output_release(struct output *o, uint64_t frame, uint32_t slot)
{
	write_plain(
		o, (struct plane_entry){.type = PLANE_ENTRY_RELEASE, .frame = frame, .slot = slot});
}

void output_end(struct output *o)
{
	write_plain(o, (struct plane_entry){.type = PLANE_ENTRY_END});
}

static void note_first(struct output *o)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	atomic_store_explicit(&o->slot->first_ns,
		(uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec, memory_order_relaxed);
}

bool output_commit(struct output *o)
{
	if (o->committed == o->written)
		return true;
	if (!commit_advance(o->slot, o->written))
		return false;
	if (o->committed_packets == 0 && o->logged.packets > 0)
		note_first(o);
	o->committed = o->written;
	o->committed_packets = o->logged.packets;
	atomic_store_explicit(&o->ring->published, o->committed, memory_order_release);
	if (plane_must_wake(&o->submit->sleeping))
		plane_wake(o->packet_wake);
	return true;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_OUTPUT_H
#define VENCD_WORKER_OUTPUT_H

/*
 * Writing one attempt's ring. Packets are copied into its data area as they come and withheld in
 * private memory until their group is closed; then their log entries are written. Nothing counts
 * before output_commit().
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/plane/plane.h"
#include "daemon/slot.h"

struct output_totals {
	uint64_t frames, packets, bytes, digest;
};

struct output_withheld {
	struct plane_entry entry;
	uint64_t end; /* data position after it */
};

struct output {
	struct plane_attempt *ring;
	struct plane_submit *submit; /* read-only: consumed, sleeping */
	struct call_slot *slot;
	int packet_wake;
	uint32_t attempt; /* index within the session */
	uint64_t data_size;

	uint64_t written;   /* log entries */
	uint64_t committed; /* of those */
	uint64_t consumed;  /* of those, by the client: last good value */
	uint64_t head;      /* data position, monotonic; offset is position % data_size */
	uint64_t end[PLANE_LOG_ENTRIES]; /* data position after the packets up to that entry */

	struct output_totals received; /* of all packets, withheld ones too */
	struct output_totals logged;   /* of those in the log */
	uint64_t committed_packets;    /* of those that count */
	struct output_withheld *withheld;
	uint32_t n_withheld, max_withheld;
};

/* What a packet is in the log. */
struct output_packet {
	const uint8_t *data;
	uint64_t size;
	int64_t pts, dts;
	uint32_t flags;
	uint64_t frame;
};

/*
 * ring, submit, slot, packet_wake, attempt and data_size have been set and the rest is zero. At
 * most max_withheld packets are withheld at once. -ENOMEM.
 */
int output_init(struct output *output, uint32_t max_withheld);
void output_clear(struct output *output);

enum output_room {
	OUTPUT_ROOM,
	OUTPUT_FULL,   /* wait for the client to consume */
	OUTPUT_NEVER,  /* the withheld packets alone leave no room */
	OUTPUT_BROKEN, /* the client's consumption index is impossible */
};

/* Whether so many log entries and a packet of so many bytes (0: none) fit now. */
enum output_room output_room(struct output *output, uint32_t entries, uint64_t bytes);

/* Withholds a packet; there is room for it. */
void output_packet(struct output *output, const struct output_packet *packet);

/* Writes the entries of all withheld packets; there is room for them. */
void output_close_group(struct output *output);

/* Write one entry each; there is room for it. */
void output_release(struct output *output, uint64_t frame, uint32_t slot);
void output_end(struct output *output);

/* Makes all that was written count and wakes the client. False: the attempt was cut. */
bool output_commit(struct output *output);

/* The client's consumption index as it stands, unchecked: to see whether it moves. */
uint64_t output_consumed(const struct output *output);

#endif

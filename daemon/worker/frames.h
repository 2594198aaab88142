// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_FRAMES_H
#define VENCD_WORKER_FRAMES_H

/*
 * The frames of one attempt that are in flight: taken from the client, and not yet both received as
 * a packet and released. Frames are numbered as in the session.
 *
 * Everything belongs to the run thread, except frames_done(), which any thread may call.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/plane/plane.h"

#define FRAMES_TABLE 2048u                               /* records kept, a power of two */
#define FRAMES_IN_FLIGHT (FRAMES_TABLE - FRAMES_REORDER) /* so many at most */
#define FRAMES_REORDER PLANE_MAX_SLOTS                   /* records kept behind them, for dts */

#define FRAME_RECEIVED 1u /* its packet came */
#define FRAME_RELEASED 2u /* its slot is the client's again */

struct frame_record {
	int64_t pts;
	uint32_t slot;
	uint32_t past; /* FRAME_* */
};

struct frames {
	uint64_t first;    /* of the attempt */
	uint64_t taken;    /* index of the next one */
	uint64_t oldest;   /* all before it are received and released */
	uint64_t received; /* how many */
	uint64_t released;
	uint64_t release_from; /* all before it are released */
	_Atomic uint64_t done_count;
	_Atomic uint64_t done[FRAMES_TABLE]; /* 1 + index of a frame that the encoder let go of */
	struct frame_record record[FRAMES_TABLE];
	uint64_t held[PLANE_MAX_SLOTS / 64]; /* slots that are not the client's */
};

void frames_init(struct frames *frames, uint64_t first);

/*
 * A frame was taken; its index is frames->taken before the call. -EBUSY when its slot is in use
 * already, -ENOBUFS when more frames are in flight than any encoder may hold.
 */
int frames_take(struct frames *frames, uint32_t slot, int64_t pts);

/* The encoder does not read a frame any more. Any thread; only marks it. */
void frames_done(struct frames *frames, uint64_t index);

/* A packet came. -ENOENT for a pts that no frame in flight has, -EEXIST where one came before. */
int frames_receive(struct frames *frames, int64_t pts, uint64_t *ret_index);

/*
 * The next slot to give back: the encoder has let go of it, and its index is below `below`. The
 * frame is released by this. Returns false when there is none.
 */
bool frames_release(struct frames *frames, uint64_t below, uint64_t *ret_index, uint32_t *ret_slot);

/* The pts of a frame that was taken, at most FRAMES_REORDER before the oldest in flight. */
int64_t frames_pts(const struct frames *frames, uint64_t index);

#endif

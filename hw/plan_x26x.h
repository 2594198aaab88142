// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLAN_X26X_H
#define VENCD_PLAN_X26X_H

/*
 * How x264 and x265 are set up for a narrowed request: everything that decides their delay, which
 * they would otherwise choose from the number of cores and the preset. Pure. encoder_plan()
 * promises from this and fallback/software.c sets exactly this.
 */

#include <stdbool.h>

#include "hw/encoder.h"

struct x26x_plan {
	const char *preset;
	int speed_used;          /* the lowest speed that has this preset */
	bool live;               /* tune zerolatency */
	unsigned b_frames;       /* in a row, at most */
	unsigned lookahead;      /* frames */
	unsigned sync_lookahead; /* frames, x264 only */
	unsigned frame_threads;  /* frames in work at the same time */
	unsigned threads;        /* threads in all: slices (x264, live), the pool (x265) */
	unsigned ctu;            /* coding tree units of this size, x265 only; 0: the preset's */
	bool no_cutree;          /* x265 only */
	unsigned delay;          /* frames that the library keeps while it waits for one more */
};

void x264_plan(const struct encoder_params *params, struct x26x_plan *ret);
void x265_plan(const struct encoder_params *params, struct x26x_plan *ret);

/* needs_frames, reorder, group, speed_used: what both have in common. */
void x26x_plan_info(const struct x26x_plan *plan, struct encoder_info *ret);

#endif

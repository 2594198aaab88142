// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLAN_VAAPI_H
#define VENCD_PLAN_VAAPI_H

/*
 * How libavcodec's VA-API encoders are set up for a narrowed request: what decides their delay and
 * what a driver is asked for. Pure. encoder_plan() promises from this and hw/vaapi.c sets exactly
 * this.
 */

#include <stdbool.h>

#include "hw/encoder.h"

#define VAAPI_LEVELS 7

struct vaapi_plan {
	unsigned b_frames;    /* in a row */
	unsigned async_depth; /* pictures that the device works on at the same time */
	int level;            /* of quality, 1 (best) to VAAPI_LEVELS (fastest) */
	int speed_used;       /* the lowest speed of this level */
	int quantiser;        /* in the codec's own units; 0: none, the rate is controlled */
	unsigned delay;       /* frames that are kept while one more is waited for */
	unsigned withheld;    /* packets that are out before those of all earlier frames */
	unsigned reorder;
};

void vaapi_plan(const struct encoder_params *params, struct vaapi_plan *ret);

/* needs_frames, reorder, group, speed_used. */
void vaapi_plan_info(const struct vaapi_plan *plan, struct encoder_info *ret);

/* A level of ours on a driver's scale of 1 (best) to `levels`. */
int vaapi_driver_level(int level, uint32_t levels);

/*
 * A target and a maximum become a maximum and a percentage of it, and whole per cents only. The
 * highest maximum, at most the one given, of which the target is one.
 */
int64_t vaapi_max_rate(uint64_t bitrate, uint64_t max_bitrate);

#endif

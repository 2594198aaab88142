// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PACE_H
#define VENCD_PACE_H

/*
 * How fast an attempt takes frames. The worker keeps to its share of PixelsPerUser by itself,
 * between two frames; here, outside of it, is looked whether it does. Pure; times are
 * CLOCK_MONOTONIC, ns.
 */

#include <stdbool.h>
#include <stdint.h>

#include "daemon/flow.h"

struct pace {
	struct flow_bucket bucket;
	uint64_t pixels;    /* of a frame */
	uint64_t frames;    /* taken, when it was last looked */
	uint64_t next_rate; /* holds from settled_ns on; 0: none */
	uint64_t settled_ns;
};

/* rate in pixels a second; 0: no limit. */
void pace_init(struct pace *pace, uint64_t rate, uint64_t pixels, uint64_t now_ns);

/* The worker was told a new rate. A lower one is asked of it from settled_ns on. */
void pace_change(struct pace *pace, uint64_t rate, uint64_t now_ns, uint64_t settled_ns);

/*
 * frames: taken so far, as the worker says; less than before counts as none. Returns how many there
 * are since the last look, and in *ret_kept whether it has kept to its rate.
 */
uint64_t pace_look(struct pace *pace, uint64_t frames, uint64_t now_ns, bool *ret_kept);

#endif

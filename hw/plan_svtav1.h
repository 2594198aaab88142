// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLAN_SVTAV1_H
#define VENCD_PLAN_SVTAV1_H

/*
 * How SVT-AV1 is set up for a narrowed request: everything that decides its delay, which it would
 * otherwise choose itself and differently from version to version. Pure. encoder_plan() promises
 * from this and fallback/svtav1.c sets exactly this.
 */

#include <stdbool.h>

#include "hw/encoder.h"

struct svtav1_plan {
	bool low_delay;  /* prediction from earlier frames only: a packet for each frame at once */
	int preset;      /* what the library makes of the speed asked for */
	unsigned levels; /* of the hierarchy; a mini-GOP has 2^levels frames */
	unsigned lookahead; /* in frames, as the library counts it; 0: it has none */
	unsigned frames;    /* held before a packet comes, at most */
};

void svtav1_plan(const struct encoder_params *params, struct svtav1_plan *ret);

#endif

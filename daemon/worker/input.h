// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_INPUT_H
#define VENCD_WORKER_INPUT_H

/* The worker's side of the submit ring, which the client writes and nobody trusts. */

#include <stdint.h>

#include "client/plane/plane.h"

/* Room for sums of pts and a few durations on either side. */
#define INPUT_PTS_MAX (INT64_MAX / 4)

enum input_state {
	INPUT_EMPTY,    /* no frame yet */
	INPUT_FRAME,    /* *ret is the next frame, checked */
	INPUT_FINISHED, /* there is none, and none follows */
	INPUT_BROKEN,   /* *why says what the client did */
};

struct input {
	struct plane_submit *submit; /* read-only */
	uint32_t slots, entries;
	uint64_t first;   /* index of the attempt's first frame */
	uint64_t next;    /* and of its next one */
	int64_t last_pts; /* of the frame before, if there is one */
	const char *why;
};

void input_init(struct input *input, struct plane_submit *submit, const struct plane_layout *layout,
	uint64_t first);

/* Takes the next frame, if there is one. */
enum input_state input_take(struct input *input, struct plane_frame *ret);

#endif

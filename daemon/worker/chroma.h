// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_CHROMA_H
#define VENCD_WORKER_CHROMA_H

/*
 * From a client's format to the encoder's, where they differ in how chroma is laid out: planar to
 * semi-planar or back, of the same depth. A converted frame lives in private memory of its slot's
 * number, for as long as the slot is in use.
 */

#include <stdint.h>

#include "client/plane/plane.h"
#include "hw/catalogue.h"

struct chroma {
	struct plane_layout from, to;
	uint8_t *memory; /* NULL: no pass, the frame is read where it is */
};

/* The format that the encoder gets for a client's; 0 when it takes none of that kind. */
uint32_t chroma_target(const struct encoder_limits *limits, uint32_t format);

/* format is chroma_target()'s. -ENOMEM. */
int chroma_init(struct chroma *chroma, const struct plane_layout *from, uint32_t format);
void chroma_clear(struct chroma *chroma);

/* Fills the planes and the format of a frame that stands in a slot of the pool. */
void chroma_frame(
	const struct chroma *chroma, const uint8_t *pool, uint32_t slot, struct encoder_frame *ret);

#endif

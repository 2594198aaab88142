// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_PLANES_H
#define VENCD_EMULATED_PLANES_H

/* Chroma in two planes, for encoders that take no other: x265, SVT-AV1, libvpx. */

#include <stdbool.h>

#include "tests/emulated/va/driver.h"

struct planes {
	const uint8_t *data[3];
	uint32_t pitch[3]; /* bytes */
	uint8_t *own;      /* what data does not borrow from the surface */
	size_t own_size;
};

/*
 * A surface from its upper left corner on, in three planes of that size, valid as long as both are.
 * Samples of 10 bits come out as they stand in the surface, in the upper bits, or else as numbers.
 */
enum planes_depth {
	PLANES_AS_STORED,
	PLANES_AS_NUMBERS,
};

bool planes_split(struct planes *planes, const struct surface *surface, uint32_t width,
	uint32_t height, enum planes_depth depth);
void planes_clear(struct planes *planes);

#endif

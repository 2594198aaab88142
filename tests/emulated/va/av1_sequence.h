// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_AV1_SEQUENCE_H
#define VENCD_EMULATED_AV1_SEQUENCE_H

#include <stdint.h>

#include "tests/emulated/va/bits.h"

enum {
	OBU_SEQUENCE = 1,
	OBU_TEMPORAL_DELIMITER = 2,
	OBU_TILE_GROUP = 4,
	OBU_METADATA = 5,
};

struct obu {
	unsigned type;
	const uint8_t *data; /* its header and all */
	size_t size;
	size_t payload; /* where that begins */
};

/* The next unit from *at on; false at the end, and where it has no size of its own. */
bool obu_next(const uint8_t *data, size_t size, size_t *at, struct obu *ret);

/* What a program says of colour in its sequence header. */
struct av1_colour {
	unsigned primaries, transfer, matrix; /* 2: unspecified */
	unsigned full_range, chroma_position;
};

bool av1_colour_read(const struct obu *sequence, struct av1_colour *ret);

#endif

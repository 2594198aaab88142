// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TEMPORAL_UNIT_H
#define VENCD_TEMPORAL_UNIT_H

/* AV1 packets that are temporal units, whatever a driver makes of delimiters. */

#include <stddef.h>
#include <stdint.h>

/* Memory that grows once and belongs to one instance of an encoder. */
struct temporal_unit {
	uint8_t *data;
	size_t room;
};

/*
 * Makes a packet begin with its one temporal delimiter: *data and *size are as they were, or a copy
 * in the unit's memory, valid until the next call. What is no row of OBUs is left as it is.
 * -ENOMEM, or 0.
 */
int temporal_unit_make(struct temporal_unit *unit, const uint8_t **data, size_t *size);

void temporal_unit_clear(struct temporal_unit *unit);

#endif

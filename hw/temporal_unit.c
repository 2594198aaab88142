// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Temporal delimiters of AV1 (section 5.6). libavcodec writes none and leaves it to the driver,
 * which may write none, or several. Only headers and sizes of OBUs are read.
 */

#include "hw/temporal_unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OBU_TEMPORAL_DELIMITER 2u
#define LEB128_MAX 8

static const uint8_t delimiter[] = {OBU_TEMPORAL_DELIMITER << 3 | 2, 0};

/* Bytes of the OBU at data, 0 where it is none. One without a size is the last. */
static size_t obu_bytes(const uint8_t *data, size_t size)
{
	size_t at = 1 + (data[0] >> 2 & 1);
	uint64_t payload = 0;

	if (data[0] & 0x80)
		return 0;
	if (!(data[0] & 2))
		return size;
	for (unsigned i = 0; i < LEB128_MAX && at < size; i++) {
		payload |= (uint64_t)(data[at] & 0x7f) << (7 * i);
		if (data[at++] & 0x80)
			continue;
		return payload <= size - at ? at + (size_t)payload : 0;
	}
	return 0;
}

static bool is_delimiter(const uint8_t *obu)
{
	return (obu[0] >> 3 & 0xf) == OBU_TEMPORAL_DELIMITER;
}

/* How many delimiters there are; -1 where the OBUs do not add up. */
static int count_delimiters(const uint8_t *data, size_t size)
{
	int n = 0;

	for (size_t at = 0; at < size;) {
		size_t bytes = obu_bytes(data + at, size - at);

		if (!bytes)
			return -1;
		n += is_delimiter(data + at);
		at += bytes;
	}
	return n;
}

static int reserve(struct temporal_unit *unit, size_t size)
{
	uint8_t *data;

	if (unit->room >= size)
		return 0;
	data = realloc(unit->data, size);
	if (!data)
		return -ENOMEM;
	unit->data = data;
	unit->room = size;
	return 0;
}

int temporal_unit_make(struct temporal_unit *unit, const uint8_t **data, size_t *size)
{
	int delimiters = count_delimiters(*data, *size);
	size_t used = sizeof(delimiter);

	if (delimiters < 0 || !*size || (delimiters == 1 && is_delimiter(*data)))
		return 0;
	if (reserve(unit, sizeof(delimiter) + *size) < 0)
		return -ENOMEM;
	memcpy(unit->data, delimiter, sizeof(delimiter));
	for (size_t at = 0; at < *size;) {
		const uint8_t *obu = *data + at;
		size_t bytes = obu_bytes(obu, *size - at);

		at += bytes;
		if (is_delimiter(obu))
			continue;
		memcpy(unit->data + used, obu, bytes);
		used += bytes;
	}
	*data = unit->data;
	*size = used;
	return 0;
}

void temporal_unit_clear(struct temporal_unit *unit)
{
	free(unit->data);
	*unit = (struct temporal_unit){0};
}

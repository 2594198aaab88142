// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Ranges of what describes the signal. A code point that the standard reserves is refused, since a
 * player may do anything with it; one that is merely odd beside the others is not ours to judge.
 */

#include <stdbool.h>
#include <stddef.h>

#include "hw/narrow_signal.h"

/* ITU-T H.273 (07/2021), tables 2 to 4: the values that are not reserved, as bits. */
#define RANGE(first, last) ((UINT32_MAX >> (31 - (last))) & (UINT32_MAX << (first)))
#define NOT_GIVEN 1u
#define PRIMARIES (NOT_GIVEN | RANGE(1, 2) | RANGE(4, 12) | RANGE(22, 22))
#define TRANSFERS (NOT_GIVEN | RANGE(1, 2) | RANGE(4, 18))
#define MATRICES (NOT_GIVEN | RANGE(1, 2) | RANGE(4, 14)) /* 0, identity, is for 4:4:4 */

#define CHROMA_LOCATIONS RANGE(0, 3)
#define RANGES RANGE(0, 1)

#define COORDINATE_MAX 50000u    /* 1.0 */
#define LUMINANCE_MAX 100000000u /* 10 000 cd/m2, the top of PQ */

static bool is_among(uint8_t value, uint32_t bits)
{
	return value < 32 && bits & 1u << value;
}

const char *colour_fault(const struct vencd_colour *c, const char **parameter)
{
	const struct {
		const char *parameter;
		uint8_t value;
		uint32_t values;
	} fields[] = {
		{"colour.primaries", c->primaries, PRIMARIES},
		{"colour.transfer", c->transfer, TRANSFERS},
		{"colour.matrix", c->matrix, MATRICES},
		{"colour.fullRange", c->full_range, RANGES},
		{"colour.chromaLocation", c->chroma_location, CHROMA_LOCATIONS},
	};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*parameter = fields[i].parameter;
		if (!is_among(fields[i].value, fields[i].values))
			return "reserved or unknown code point";
	}
	return NULL;
}

static const char *mastering_fault(const struct vencd_hdr *h, const char **parameter)
{
	*parameter = "hdr.maxLuminance";
	if (!h->max_luminance)
		return "not given, but other fields of the mastering display are";
	if (h->max_luminance > LUMINANCE_MAX)
		return "above 10000 cd/m2";
	*parameter = "hdr.minLuminance";
	if (h->min_luminance >= h->max_luminance)
		return "not below the maximum";
	*parameter = "hdr.displayPrimaries";
	for (unsigned i = 0; i < 3; i++)
		if (h->display_primaries[i][0] > COORDINATE_MAX ||
			h->display_primaries[i][1] > COORDINATE_MAX)
			return "a coordinate above 1.0";
	*parameter = "hdr.whitePoint";
	if (h->white_point[0] > COORDINATE_MAX || h->white_point[1] > COORDINATE_MAX)
		return "a coordinate above 1.0";
	return NULL;
}

static bool has_mastering(const struct vencd_hdr *h)
{
	uint32_t any = h->max_luminance | h->min_luminance | h->white_point[0] | h->white_point[1];

	for (unsigned i = 0; i < 3; i++)
		any |= (uint32_t)h->display_primaries[i][0] | h->display_primaries[i][1];
	return any != 0;
}

const char *hdr_fault(const struct vencd_hdr *h, const char **parameter)
{
	if (has_mastering(h)) {
		const char *fault = mastering_fault(h, parameter);

		if (fault)
			return fault;
	}
	*parameter = "hdr.maxAverageLight";
	if (h->max_average_light > h->max_content_light)
		return "above the maximum content light level";
	return NULL;
}

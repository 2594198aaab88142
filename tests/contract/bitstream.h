// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_BITSTREAM_H
#define VENCD_TESTS_BITSTREAM_H

/* Just enough of each codec's syntax to see what one packet holds, without a decoder. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bitstream {
	unsigned shown;  /* frames that it shows */
	bool keyframe;   /* AV1: a shown key frame; others: an IDR picture */
	bool headers;    /* all parameter sets stand before the first picture */
	bool wellformed; /* sizes add up; AV1: begins with its one temporal delimiter */
};

/* codec: enum vencd_codec; 0: a packet of the null encoder. */
void bitstream_parse(uint32_t codec, const uint8_t *data, size_t size, struct bitstream *ret);

#endif

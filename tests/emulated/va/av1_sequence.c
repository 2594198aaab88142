// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Open bitstream units of AV1 (5.3), and of a sequence header (5.5) as much as leads to its colour
 * description: the sequence header in the stream is SVT-AV1's, but what the program says of colour
 * is to stand in it.
 */

#include "tests/emulated/va/av1_sequence.h"

bool obu_next(const uint8_t *data, size_t size, size_t *at, struct obu *ret)
{
	size_t start = *at, i = start, length = 0;
	unsigned shift = 0;

	if (i >= size || !(data[i] & 2))
		return false;
	i += data[i] & 4 ? 2 : 1;
	do {
		if (i >= size || shift > 28)
			return false;
		length |= (size_t)(data[i] & 127) << shift;
		shift += 7;
	} while (data[i++] & 128);
	if (length > size - i)
		return false;
	*ret = (struct obu){
		.type = data[start] >> 3 & 15, .data = data + start, .payload = i - start};
	ret->size = ret->payload + length;
	*at = start + ret->size;
	return true;
}

/* Operating points, as programs write them: neither timing nor decoder model. */
static bool skip_points(struct bit_reader *r)
{
	unsigned delay, n;

	if (bits_get(r, 1))
		return false;
	delay = bits_get(r, 1);
	n = bits_get(r, 5) + 1;
	while (n--) {
		bits_get(r, 12);
		if (bits_get(r, 5) > 7)
			bits_get(r, 1);
		if (delay && bits_get(r, 1))
			bits_get(r, 4);
	}
	return !r->overrun;
}

static void skip_size(struct bit_reader *r)
{
	unsigned width = bits_get(r, 4) + 1, height = bits_get(r, 4) + 1;

	bits_get(r, width);
	bits_get(r, height);
	if (bits_get(r, 1))
		bits_get(r, 7);
}

static void skip_tools(struct bit_reader *r)
{
	unsigned order_hint, screen;

	bits_get(r, 7);
	order_hint = bits_get(r, 1);
	if (order_hint)
		bits_get(r, 2);
	screen = bits_get(r, 1) || bits_get(r, 1);
	if (screen && !bits_get(r, 1))
		bits_get(r, 1);
	if (order_hint)
		bits_get(r, 3);
	bits_get(r, 3);
}

bool av1_colour_read(const struct obu *sequence, struct av1_colour *ret)
{
	struct bit_reader r = {.data = sequence->data + sequence->payload,
		.size = sequence->size - sequence->payload};

	*ret = (struct av1_colour){2, 2, 2, 0, 0};
	if (bits_get(&r, 3) || bits_get(&r, 2)) /* not the main profile, or a still picture */
		return false;
	if (!skip_points(&r))
		return false;
	skip_size(&r);
	skip_tools(&r);
	bits_get(&r, 2); /* depth, monochrome */
	if (bits_get(&r, 1)) {
		ret->primaries = bits_get(&r, 8);
		ret->transfer = bits_get(&r, 8);
		ret->matrix = bits_get(&r, 8);
	}
	ret->full_range = bits_get(&r, 1);
	ret->chroma_position = bits_get(&r, 2);
	return !r.overrun;
}

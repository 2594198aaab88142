// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * NV12 and P010 into three planes. Luma is borrowed where it can stay as it is.
 */

#include "tests/emulated/va/planes.h"

#include <stdlib.h>

#define P010_SHIFT 6

static bool reserve(struct planes *planes, size_t size)
{
	uint8_t *own;

	if (planes->own_size >= size)
		return true;
	own = realloc(planes->own, size);
	if (!own)
		return false;
	planes->own = own;
	planes->own_size = size;
	return true;
}

static void split_8(uint8_t *u, uint8_t *v, const uint8_t *from, uint32_t width)
{
	for (uint32_t x = 0; x < width; x++) {
		u[x] = from[2 * x];
		v[x] = from[2 * x + 1];
	}
}

static void split_16(uint16_t *u, uint16_t *v, const uint16_t *from, uint32_t width, unsigned shift)
{
	for (uint32_t x = 0; x < width; x++) {
		u[x] = from[2 * x] >> shift;
		v[x] = from[2 * x + 1] >> shift;
	}
}

static void shift_16(uint16_t *to, const uint16_t *from, uint32_t width, unsigned shift)
{
	for (uint32_t x = 0; x < width; x++)
		to[x] = from[x] >> shift;
}

static void split_chroma(struct planes *p, uint8_t *u, uint8_t *v, const struct surface *s,
	uint32_t width, uint32_t height, unsigned shift)
{
	for (uint32_t y = 0; y < height; y++) {
		const uint8_t *from = s->data + s->chroma_offset + (size_t)y * s->pitch;
		size_t at = (size_t)y * p->pitch[1];

		if (s->fourcc == VA_FOURCC_P010)
			split_16((uint16_t *)(void *)(u + at), (uint16_t *)(void *)(v + at),
				(const uint16_t *)(const void *)from, width, shift);
		else
			split_8(u + at, v + at, from, width);
	}
}

static void copy_luma(struct planes *p, uint8_t *to, const struct surface *s, uint32_t width,
	uint32_t height, unsigned shift)
{
	for (uint32_t y = 0; y < height; y++)
		shift_16((uint16_t *)(void *)(to + (size_t)y * p->pitch[0]),
			(const uint16_t *)(const void *)(s->data + (size_t)y * s->pitch), width,
			shift);
}

bool planes_split(struct planes *planes, const struct surface *surface, uint32_t width,
	uint32_t height, enum planes_depth depth)
{
	uint32_t bytes = surface->fourcc == VA_FOURCC_P010 ? 2 : 1;
	uint32_t chroma_width = (width + 1) / 2, chroma_height = (height + 1) / 2;
	size_t chroma = (size_t)chroma_width * bytes * chroma_height;
	size_t luma = (size_t)surface->pitch * height;
	unsigned shift = depth == PLANES_AS_NUMBERS && bytes == 2 ? P010_SHIFT : 0;
	uint8_t *u, *v;

	if (!reserve(planes, 2 * chroma + (shift ? luma : 0)))
		return false;
	u = planes->own + (shift ? luma : 0);
	v = u + chroma;
	planes->pitch[0] = surface->pitch;
	planes->pitch[1] = planes->pitch[2] = chroma_width * bytes;
	planes->data[0] = shift ? planes->own : surface->data;
	planes->data[1] = u;
	planes->data[2] = v;
	if (shift)
		copy_luma(planes, planes->own, surface, width, height, shift);
	split_chroma(planes, u, v, surface, chroma_width, chroma_height, shift);
	return true;
}

void planes_clear(struct planes *planes)
{
	free(planes->own);
	*planes = (struct planes){0};
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * NV12 and P010 into three planes. Where a surface has fewer samples than the coded picture its
 * last column and row go on to the picture's edges: programs make surfaces of the visible size.
 * Luma is borrowed where it can stay as it is.
 */

#include "tests/emulated/va/planes.h"

#include <stdlib.h>

#define P010_SHIFT 6

/* One plane of samples on its way: `step` samples apart in the surface, side by side after that. */
struct way {
	const uint8_t *from;
	uint32_t from_pitch, from_width, from_height, step;
	uint8_t *to;
	uint32_t to_pitch, width, height;
	unsigned shift;
};

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

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void line_8(const struct way *w, uint8_t *to, const uint8_t *from)
{
	uint32_t there = least(w->width, w->from_width);

	for (uint32_t x = 0; x < there; x++)
		to[x] = from[x * w->step];
	for (uint32_t x = there; x < w->width; x++)
		to[x] = to[there - 1];
}

static void line_16(const struct way *w, uint16_t *to, const uint16_t *from)
{
	uint32_t there = least(w->width, w->from_width);

	for (uint32_t x = 0; x < there; x++)
		to[x] = from[x * w->step] >> w->shift;
	for (uint32_t x = there; x < w->width; x++)
		to[x] = to[there - 1];
}

static void go(const struct way *w, uint32_t fourcc)
{
	for (uint32_t y = 0; y < w->height; y++) {
		const void *from = w->from + (size_t)least(y, w->from_height - 1) * w->from_pitch;
		void *to = w->to + (size_t)y * w->to_pitch;

		if (fourcc == VA_FOURCC_P010)
			line_16(w, to, from);
		else
			line_8(w, to, from);
	}
}

static void split_luma(
	struct planes *p, const struct surface *s, uint32_t width, uint32_t height, unsigned shift)
{
	const struct way way = {s->data, s->pitch, s->width, s->height, 1, p->own, p->pitch[0],
		width, height, shift};

	go(&way, s->fourcc);
	p->data[0] = p->own;
}

static void split_chroma(struct planes *p, uint8_t *to, unsigned component, const struct surface *s,
	uint32_t width, uint32_t height, unsigned shift)
{
	uint32_t bytes = s->fourcc == VA_FOURCC_P010 ? 2 : 1;
	const struct way way = {s->data + s->chroma_offset + (size_t)component * bytes, s->pitch,
		(s->width + 1) / 2, (s->height + 1) / 2, 2, to, p->pitch[1], (width + 1) / 2,
		(height + 1) / 2, shift};

	go(&way, s->fourcc);
	p->data[1 + component] = to;
}

bool planes_split(struct planes *planes, const struct surface *surface, uint32_t width,
	uint32_t height, enum planes_depth depth)
{
	uint32_t bytes = surface->fourcc == VA_FOURCC_P010 ? 2 : 1;
	unsigned shift = depth == PLANES_AS_NUMBERS && bytes == 2 ? P010_SHIFT : 0;
	bool borrows = !shift && width <= surface->width && height <= surface->height;
	size_t luma = (size_t)width * bytes * height;
	size_t chroma = (size_t)((width + 1) / 2) * bytes * ((height + 1) / 2);

	if (!reserve(planes, luma + 2 * chroma))
		return false;
	planes->pitch[0] = borrows ? surface->pitch : width * bytes;
	planes->pitch[1] = planes->pitch[2] = (width + 1) / 2 * bytes;
	if (borrows)
		planes->data[0] = surface->data;
	else
		split_luma(planes, surface, width, height, shift);
	split_chroma(planes, planes->own + luma, 0, surface, width, height, shift);
	split_chroma(planes, planes->own + luma + chroma, 1, surface, width, height, shift);
	return true;
}

void planes_clear(struct planes *planes)
{
	free(planes->own);
	*planes = (struct planes){0};
}

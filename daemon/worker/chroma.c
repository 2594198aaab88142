// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The chroma pass. With 8 bits luma is the same in both layouts and is not touched. With 10 bits
 * every sample moves, since planar formats have them in the low bits and semi-planar ones in the
 * high bits. Loops are plain, so that the compiler makes vectors of them.
 *
 * No scaling, no change of depth, no dithering.
 */

#include "daemon/worker/chroma.h"

#include <errno.h>
#include <sys/mman.h>

#define SHIFT_10_BIT 6 /* of 16 */

static const uint32_t counterparts[] = {
	[VENCD_FORMAT_I420] = VENCD_FORMAT_NV12,
	[VENCD_FORMAT_NV12] = VENCD_FORMAT_I420,
	[VENCD_FORMAT_I010] = VENCD_FORMAT_P010,
	[VENCD_FORMAT_P010] = VENCD_FORMAT_I010,
};

uint32_t chroma_target(const struct encoder_limits *limits, uint32_t format)
{
	if (format >= sizeof(counterparts) / sizeof(counterparts[0]) || format == 0)
		return 0;
	if (limits->reach.formats & 1u << format)
		return format;
	return limits->reach.formats & 1u << counterparts[format] ? counterparts[format] : 0;
}

int chroma_init(struct chroma *c, const struct plane_layout *from, uint32_t format)
{
	void *memory;
	int r;

	*c = (struct chroma){.from = *from, .to = *from};
	if (format == from->format)
		return 0;
	r = plane_layout_init(
		&c->to, from->width, from->height, format, from->slots, from->attempts);
	if (r < 0)
		return r;
	memory = mmap(NULL, plane_pool_size(&c->to), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	(void)madvise(memory, plane_pool_size(&c->to), MADV_DONTDUMP);
	c->memory = memory;
	return 0;
}

void chroma_clear(struct chroma *c)
{
	if (c->memory)
		munmap(c->memory, plane_pool_size(&c->to));
	c->memory = NULL;
}

struct planes {
	const uint8_t *from[3];
	uint8_t *to[3];
};

static void interleave_8(uint8_t *to, const uint8_t *u, const uint8_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		to[2 * i] = u[i];
		to[2 * i + 1] = v[i];
	}
}

static void separate_8(uint8_t *u, uint8_t *v, const uint8_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		u[i] = from[2 * i];
		v[i] = from[2 * i + 1];
	}
}

static void interleave_16(uint16_t *to, const uint16_t *u, const uint16_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		to[2 * i] = (uint16_t)(u[i] << SHIFT_10_BIT);
		to[2 * i + 1] = (uint16_t)(v[i] << SHIFT_10_BIT);
	}
}

static void separate_16(uint16_t *u, uint16_t *v, const uint16_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		u[i] = from[2 * i] >> SHIFT_10_BIT;
		v[i] = from[2 * i + 1] >> SHIFT_10_BIT;
	}
}

static void raise_16(uint16_t *to, const uint16_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = (uint16_t)(from[i] << SHIFT_10_BIT);
}

static void lower_16(uint16_t *to, const uint16_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = from[i] >> SHIFT_10_BIT;
}

static uint8_t *to_row(const struct chroma *c, const struct planes *p, int plane, uint32_t row)
{
	return p->to[plane] + (uint64_t)row * c->to.stride[plane];
}

static const uint8_t *from_row(
	const struct chroma *c, const struct planes *p, int plane, uint32_t row)
{
	return p->from[plane] + (uint64_t)row * c->from.stride[plane];
}

static void luma_pass(const struct chroma *c, const struct planes *p)
{
	for (uint32_t row = 0; row < c->from.rows[0]; row++) {
		uint16_t *to = (uint16_t *)to_row(c, p, 0, row);
		const uint16_t *from = (const uint16_t *)from_row(c, p, 0, row);

		if (c->to.format == VENCD_FORMAT_P010)
			raise_16(to, from, c->from.width);
		else
			lower_16(to, from, c->from.width);
	}
}

static void chroma_row(const struct chroma *c, const struct planes *p, uint32_t row)
{
	uint32_t n = (c->from.width + 1) / 2;
	uint8_t *to = to_row(c, p, 1, row);
	const uint8_t *from = from_row(c, p, 1, row);

	switch (c->to.format) {
	case VENCD_FORMAT_NV12:
		interleave_8(to, from, from_row(c, p, 2, row), n);
		return;
	case VENCD_FORMAT_I420:
		separate_8(to, to_row(c, p, 2, row), from, n);
		return;
	case VENCD_FORMAT_P010:
		interleave_16((uint16_t *)to, (const uint16_t *)from,
			(const uint16_t *)from_row(c, p, 2, row), n);
		return;
	case VENCD_FORMAT_I010:
		separate_16((uint16_t *)to, (uint16_t *)to_row(c, p, 2, row),
			(const uint16_t *)from, n);
		return;
	}
}

static bool moves_luma(const struct chroma *c)
{
	return c->to.format == VENCD_FORMAT_I010 || c->to.format == VENCD_FORMAT_P010;
}

void chroma_frame(
	const struct chroma *c, const uint8_t *pool, uint32_t slot, struct encoder_frame *ret)
{
	struct planes p = {0};

	for (uint32_t i = 0; i < c->from.planes; i++)
		p.from[i] = pool + slot * c->from.slot_size + c->from.offset[i];
	for (uint32_t i = 0; i < c->to.planes && c->memory; i++)
		p.to[i] = c->memory + slot * c->to.slot_size + c->to.offset[i];
	if (c->memory && moves_luma(c))
		luma_pass(c, &p);
	for (uint32_t row = 0; row < c->from.rows[1] && c->memory; row++)
		chroma_row(c, &p, row);
	ret->format = c->to.format;
	for (uint32_t i = 0; i < c->to.planes; i++) {
		ret->data[i] = c->memory ? p.to[i] : p.from[i];
		ret->stride[i] = c->to.stride[i];
	}
	if (c->memory && !moves_luma(c)) {
		ret->data[0] = p.from[0];
		ret->stride[0] = c->from.stride[0];
	}
}

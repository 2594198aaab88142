// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Each of the three components is the sum of a function of the column and one of the row, with
 * waves and with steps, and all of it moves by a whole number of samples a frame: an encoder that
 * works has an easy time with it, and one that predicts from the wrong picture, swaps the chroma
 * planes or leaves a part out gives something else. Luma moves by so much that neighbouring frames
 * are about 18 dB apart.
 *
 * A row is drawn from a table, so that the largest pictures cost no more than a copy.
 */

#include "daemon/worker/proof_picture.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/vencd.h"

#define PERIOD 128u /* of a table; a power of two */
#define CHUNK PERIOD

struct component {
	uint8_t columns[2 * PERIOD]; /* twice the same: a chunk begins anywhere in the first */
	uint8_t rows[PERIOD];
	uint32_t dx, dy; /* samples that it moves a frame */
};

/* Up and down between 0 and height, once in 2 * half samples. */
static uint32_t wave(uint32_t i, uint32_t half, uint32_t height)
{
	uint32_t at = i % (2 * half);

	return (at < half ? at : 2 * half - at) * height / half;
}

/* A number of 0 to 15 for each eight samples, in no order. */
static uint32_t step(uint32_t i, uint32_t seed)
{
	return ((i / 8 % (PERIOD / 8) + seed) * 2654435761u >> 21) & 15;
}

static void make_component(struct component *c, unsigned component)
{
	for (uint32_t i = 0; i < 2 * PERIOD; i++) {
		static const uint32_t half[] = {16, 8, 32}, height[] = {90, 50, 30};

		c->columns[i] = (uint8_t)(wave(i, half[component], height[component]) +
			(component ? 60 : 16) + (component ? 0 : step(i, 3)));
	}
	for (uint32_t i = 0; i < PERIOD; i++) {
		static const uint32_t half[] = {64, 32, 8}, height[] = {90, 30, 50};

		c->rows[i] = (uint8_t)(wave(i, half[component], height[component]) +
			(component ? 20 : step(i, 11)));
	}
	c->dx = component ? 3 : 6;
	c->dy = component ? 2 : 4;
}

/* Draws one row of 8-bit samples. */
static void draw_row(const struct component *c, uint8_t *to, uint32_t width, uint32_t y, uint32_t n)
{
	const uint8_t *columns = c->columns + n * c->dx % PERIOD;
	uint8_t row = c->rows[(y + n * c->dy) % PERIOD];

	for (uint32_t x = 0; x < width; x += CHUNK) {
		uint32_t count = width - x < CHUNK ? width - x : CHUNK;

		for (uint32_t i = 0; i < count; i++)
			to[x + i] = (uint8_t)(columns[i] + row);
	}
}

/* 10 bits of 8: the two below are a pattern of their own. */
static uint16_t deepen(uint8_t sample, uint32_t x)
{
	return (uint16_t)(sample << 2 | (x & 3));
}

/* Where the samples of a component stand in a row of its plane. */
struct placement_in_row {
	uint32_t first, step, shift;
	bool deep;
};

static void put_row(uint8_t *to, const uint8_t *row, uint32_t n, struct placement_in_row p)
{
	if (!p.deep) {
		for (uint32_t x = 0; x < n; x++)
			to[p.first + x * p.step] = row[x];
		return;
	}
	for (uint32_t x = 0; x < n; x++)
		((uint16_t *)to)[p.first + x * p.step] = (uint16_t)(deepen(row[x], x) << p.shift);
}

void proof_picture_draw(const struct plane_layout *l, uint8_t *slot, uint32_t frame)
{
	bool deep = l->format == VENCD_FORMAT_I010 || l->format == VENCD_FORMAT_P010;
	bool pairs = l->planes == 2;

	for (unsigned i = 0; i < 3; i++) {
		uint32_t plane = pairs && i == 2 ? 1 : i;
		uint32_t width = i ? (l->width + 1) / 2 : l->width;
		struct placement_in_row p = {
			.first = pairs && i == 2,
			.step = pairs && i ? 2 : 1,
			.shift = l->format == VENCD_FORMAT_P010 ? 6 : 0,
			.deep = deep,
		};
		uint8_t row[VENCD_SIZE_MAX];
		struct component c;

		make_component(&c, i);
		for (uint32_t y = 0; y < l->rows[plane]; y++) {
			draw_row(&c, row, width, y, frame);
			put_row(slot + l->offset[plane] + (uint64_t)y * l->stride[plane], row,
				width, p);
		}
	}
}

/* --- comparing --- */

static uint64_t row_error(const uint8_t *a, const uint8_t *drawn, uint32_t n, bool deep)
{
	uint64_t sum = 0;

	for (uint32_t x = 0; x < n; x++) {
		int d = deep ? ((const uint16_t *)a)[x] - deepen(drawn[x], x) : a[x] - drawn[x];

		sum += (uint64_t)((int64_t)d * d);
	}
	return sum;
}

static uint32_t psnr_of(uint64_t error, uint64_t samples, double peak)
{
	double decibels;

	if (error == 0)
		return PROOF_PSNR_EQUAL;
	decibels = 10 * log10(peak * peak * (double)samples / (double)error);
	return decibels < 0 ? 0 : (uint32_t)(decibels * 100);
}

static uint32_t plane_psnr(const struct proof_planes *p, unsigned i, uint32_t frame)
{
	uint32_t width = i ? (p->width + 1) / 2 : p->width;
	uint32_t height = i ? (p->height + 1) / 2 : p->height;
	uint8_t row[VENCD_SIZE_MAX];
	struct component c;
	uint64_t error = 0;

	make_component(&c, i);
	for (uint32_t y = 0; y < height; y++) {
		draw_row(&c, row, width, y, frame);
		error += row_error(
			p->data[i] + (ptrdiff_t)y * p->stride[i], row, width, p->deep != 0);
	}
	return psnr_of(error, (uint64_t)width * height, p->deep ? 1023 : 255);
}

uint32_t proof_picture_psnr(const struct proof_planes *planes, uint32_t frame)
{
	uint32_t worst = PROOF_PSNR_EQUAL;

	for (unsigned i = 0; i < 3; i++) {
		uint32_t psnr = plane_psnr(planes, i, frame);

		worst = psnr < worst ? psnr : worst;
	}
	return worst;
}

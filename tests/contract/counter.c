// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The frame counter. Bits stand row by row in a grid of 5 by 4 blocks. A block is read as the mean
 * of its middle quarter, far from what a deblocking filter or an edge can do.
 */

#include "tests/contract/counter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "client/vencd.h"

#define COLUMNS 5u
#define ROWS 4u
#define VALUE_BITS 16u

#define BLACK 48
#define WHITE 208
#define MIDDLE 128
#define TEXTURE 16u
#define CHROMA_U 90
#define CHROMA_V 166
#define CHROMA_TOLERANCE 16

static bool is_deep(const struct counter_picture *p)
{
	return p->format == VENCD_FORMAT_I010 || p->format == VENCD_FORMAT_P010;
}

static bool is_planar(const struct counter_picture *p)
{
	return p->format == VENCD_FORMAT_I420 || p->format == VENCD_FORMAT_I010;
}

/* Samples are given and taken on the 8-bit scale. */
static void put(const struct counter_picture *p, unsigned plane, uint32_t x, uint32_t y, int value)
{
	uint8_t *row = p->data[plane] + (size_t)y * p->stride[plane];
	unsigned shift = p->format == VENCD_FORMAT_P010 ? 8 : 2;

	if (is_deep(p))
		((uint16_t *)(void *)row)[x] = (uint16_t)(value << shift);
	else
		row[x] = (uint8_t)value;
}

static int get(const struct counter_picture *p, unsigned plane, uint32_t x, uint32_t y)
{
	const uint8_t *row = p->data[plane] + (size_t)y * p->stride[plane];
	unsigned shift = p->format == VENCD_FORMAT_P010 ? 8 : 2;

	return is_deep(p) ? ((const uint16_t *)(const void *)row)[x] >> shift : row[x];
}

static uint32_t with_checksum(uint32_t value)
{
	uint32_t sum = value ^ value >> 4 ^ value >> 8 ^ value >> 12 ^ 5;

	return value | (sum & 15) << VALUE_BITS;
}

static void draw_luma(const struct counter_picture *p, uint32_t value)
{
	uint32_t bits = with_checksum(value);

	for (uint32_t y = 0; y < p->height; y++) {
		uint32_t row = y * ROWS / p->height;

		for (uint32_t x = 0; x < p->width; x++) {
			uint32_t bit = row * COLUMNS + x * COLUMNS / p->width;
			int texture = (int)((x + 3 * y + 2 * value) % TEXTURE) - (int)TEXTURE / 2;

			put(p, 0, x, y, (bits >> bit & 1 ? WHITE : BLACK) + texture);
		}
	}
}

static void draw_chroma(const struct counter_picture *p)
{
	for (uint32_t y = 0; y < (p->height + 1) / 2; y++)
		for (uint32_t x = 0; x < (p->width + 1) / 2; x++) {
			put(p, 1, is_planar(p) ? x : 2 * x, y, CHROMA_U);
			put(p, is_planar(p) ? 2 : 1, is_planar(p) ? x : 2 * x + 1, y, CHROMA_V);
		}
}

void counter_draw(const struct counter_picture *p, uint32_t value)
{
	draw_luma(p, value % COUNTER_VALUES);
	draw_chroma(p);
}

void counter_add_noise(const struct counter_picture *p, uint32_t seed, unsigned amplitude)
{
	uint32_t state = seed * 2654435761u + 1;

	for (uint32_t y = 0; y < p->height; y++)
		for (uint32_t x = 0; x < p->width; x++) {
			state = state * 1664525u + 1013904223u;
			put(p, 0, x, y,
				get(p, 0, x, y) + (int)(state >> 16) % (2 * (int)amplitude + 1) -
					(int)amplitude);
		}
}

static int mean(const struct counter_picture *p, unsigned plane, const uint32_t from[2],
	const uint32_t to[2])
{
	uint64_t sum = 0, n = 0;

	for (uint32_t y = from[1]; y < to[1]; y++)
		for (uint32_t x = from[0]; x < to[0]; x++, n++)
			sum += (uint64_t)get(p, plane, x, y);
	return n ? (int)(sum / n) : -1;
}

static bool read_bit(const struct counter_picture *p, uint32_t column, uint32_t row)
{
	uint32_t left = (column * p->width + COLUMNS - 1) / COLUMNS;
	uint32_t right = ((column + 1) * p->width + COLUMNS - 1) / COLUMNS;
	uint32_t top = (row * p->height + ROWS - 1) / ROWS;
	uint32_t bottom = ((row + 1) * p->height + ROWS - 1) / ROWS;
	uint32_t w = (right - left) / 4, h = (bottom - top) / 4;

	return mean(p, 0, (uint32_t[]){left + w, top + h}, (uint32_t[]){right - w, bottom - h}) >=
		MIDDLE;
}

static bool chroma_fits(const struct counter_picture *p)
{
	const uint32_t from[2] = {0}, to[2] = {(p->width + 1) / 2, (p->height + 1) / 2};

	return abs(mean(p, 1, from, to) - CHROMA_U) <= CHROMA_TOLERANCE &&
		abs(mean(p, 2, from, to) - CHROMA_V) <= CHROMA_TOLERANCE;
}

int counter_read(const struct counter_picture *p)
{
	uint32_t bits = 0, value;

	for (uint32_t row = 0; row < ROWS; row++)
		for (uint32_t column = 0; column < COLUMNS; column++)
			bits |= (uint32_t)read_bit(p, column, row) << (row * COLUMNS + column);
	value = bits & (COUNTER_VALUES - 1);
	if (bits != with_checksum(value))
		return -EBADMSG;
	return chroma_fits(p) ? (int)value : -ERANGE;
}

double counter_difference(const struct counter_picture *a, const struct counter_picture *b)
{
	double sum = 0;

	for (uint32_t y = 0; y < a->height; y++)
		for (uint32_t x = 0; x < a->width; x++) {
			int d = get(a, 0, x, y) - get(b, 0, x, y);

			sum += d * d;
		}
	return sum / ((double)a->width * a->height);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Means, since they are what a codec gives up last: a starved encode of noise or of fast motion
 * loses every detail, and keeps the brightness of its surroundings. Two things are not alike:
 *
 * - what is far brighter or darker than its source, over the whole picture
 * - what has nothing of the source's light and shade, where the source has some
 *
 * The second finds the flat grey that is near to anything on average. The bars are far from what
 * honest encoders do at their worst (tests/unit/signature.c), and so a wrong picture that is near
 * to its source in both ways passes.
 *
 * A third thing is only wrong beside the picture before: one that is next to perfect, and then one
 * that is hardly alike any more. Noise for a picture's data does that, where a codec takes any bits
 * for data, as AV1 does.
 *
 * An encoder that has no bits left leaves out what has changed, and then its picture is the one
 * before, or something between that and the source, block by block. That is called stale: how long
 * it may go on is the caller's to say.
 *
 * Whole rows are summed, eight bytes at a time, since they are read from memory anyway soon after,
 * and so many samples that noise in the source means nothing.
 */

#include "daemon/worker/signature.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define BLOCK_MIN 16u      /* a block is no smaller, unless the picture is */
#define SAMPLES_WANTED 512 /* of a block */
#define ROWS_MIN 4u
#define UNITS 64.0 /* of a mean, in a step */

#define ERROR_MAX 32.0      /* steps of 8 bits, root of the mean square: 18 dB */
#define STRUCTURE_MIN 24.0  /* steps, standard deviation of the source's means */
#define CORRELATION_MIN 0.2 /* 1: the same light and shade; 0: nothing in common */
#define FALL_FROM_DB 40.0
#define FALL_TO_DB 24.0

/* --- taking one --- */

static uint64_t sum_8(const uint8_t *at, uint32_t n)
{
	const uint64_t low = UINT64_C(0x00ff00ff00ff00ff);
	uint64_t sum = 0, lanes = 0, word;
	uint32_t i = 0;

	while (i + 8 <= n) {
		uint32_t end = i + 8 * 64 < n ? i + 8 * 64 : n; /* no lane of 16 bits overflows */

		for (lanes = 0; i + 8 <= end; i += 8) {
			memcpy(&word, at + i, sizeof(word));
			lanes += (word & low) + (word >> 8 & low);
		}
		sum += (lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) +
			(lanes >> 48);
	}
	for (; i < n; i++)
		sum += at[i];
	return sum;
}

static uint64_t sum_16(const uint8_t *at, uint32_t n)
{
	const uint64_t low = UINT64_C(0x0000ffff0000ffff);
	uint64_t lanes = 0, word; /* a row is too short for a lane of 32 bits to overflow */
	uint32_t i = 0;
	uint16_t sample;

	for (; i + 4 <= n; i += 4) {
		memcpy(&word, at + 2 * (size_t)i, sizeof(word));
		lanes += (word & low) + (word >> 16 & low);
	}
	lanes = (lanes & UINT32_MAX) + (lanes >> 32);
	for (; i < n; i++) {
		memcpy(&sample, at + 2 * (size_t)i, sizeof(sample));
		lanes += sample;
	}
	return lanes;
}

/* A part of a row, summed in units of 1/256 of a step. */
static uint64_t sum_of(const struct signature_plane *p, uint32_t x, uint32_t y, uint32_t n)
{
	const uint8_t *row = p->data + (int64_t)y * p->stride;

	switch (p->depth) {
	case SIGNATURE_8:
		return sum_8(row + x, n) * 256;
	case SIGNATURE_10_LOW:
		return sum_16(row + 2 * (size_t)x, n) * 64;
	case SIGNATURE_10_HIGH:
		break;
	}
	return sum_16(row + 2 * (size_t)x, n);
}

static uint16_t mean_of(
	const struct signature_plane *p, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	uint32_t wanted = SAMPLES_WANTED / width > ROWS_MIN ? SAMPLES_WANTED / width : ROWS_MIN;
	uint32_t rows = wanted < height ? wanted : height;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < rows; i++)
		sum += sum_of(p, x, y + (uint32_t)((uint64_t)i * height / rows), width);
	return (uint16_t)(sum / 4 / ((uint64_t)rows * width));
}

static uint32_t blocks(uint32_t samples, uint32_t max)
{
	uint32_t n = samples / BLOCK_MIN;

	return n < 1 ? 1 : n < max ? n : max;
}

void signature_take(struct signature *ret, const struct signature_plane *p)
{
	ret->columns = blocks(p->width, SIGNATURE_COLUMNS);
	ret->rows = blocks(p->height, SIGNATURE_ROWS);
	for (uint32_t j = 0; j < ret->rows; j++) {
		uint32_t top = p->height * j / ret->rows;
		uint32_t bottom = p->height * (j + 1) / ret->rows;

		for (uint32_t i = 0; i < ret->columns; i++) {
			uint32_t left = p->width * i / ret->columns;
			uint32_t right = p->width * (i + 1) / ret->columns;

			ret->mean[j * ret->columns + i] = mean_of(
				p, left, top, right - left, bottom - top);
		}
	}
}

/* --- comparing --- */

static uint32_t count(const struct signature *s)
{
	return s->columns * s->rows;
}

void signature_range_begin(struct signature_range *ret, const struct signature *s)
{
	ret->low = *s;
	ret->high = *s;
}

void signature_range_widen(struct signature_range *r, const struct signature *s)
{
	for (uint32_t i = 0; i < count(s); i++) {
		if (s->mean[i] < r->low.mean[i])
			r->low.mean[i] = s->mean[i];
		if (s->mean[i] > r->high.mean[i])
			r->high.mean[i] = s->mean[i];
	}
}

/* Mean square of how far the picture's means are from what is between the two others'. */
static double error_beyond(
	const struct signature *low, const struct signature *high, const struct signature *picture)
{
	double sum = 0;

	for (uint32_t i = 0; i < count(picture); i++) {
		double own = picture->mean[i], far = 0;

		if (own < low->mean[i])
			far = (low->mean[i] - own) / UNITS;
		if (own > high->mean[i])
			far = (own - high->mean[i]) / UNITS;
		sum += far * far;
	}
	return sum / count(picture);
}

struct moments {
	double of_a, of_b; /* variances */
	double common;     /* covariance */
};

static struct moments moments_of(const struct signature *a, const struct signature *b)
{
	double n = count(a), sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;

	for (uint32_t i = 0; i < count(a); i++) {
		double x = a->mean[i] / UNITS, y = b->mean[i] / UNITS;

		sum_a += x;
		sum_b += y;
		aa += x * x;
		bb += y * y;
		ab += x * y;
	}
	return (struct moments){
		.of_a = aa / n - sum_a / n * (sum_a / n),
		.of_b = bb / n - sum_b / n * (sum_b / n),
		.common = ab / n - sum_a / n * (sum_b / n),
	};
}

/* Whether the picture has something of a's light and shade, where a has any. */
static bool has_structure_of(const struct signature *a, const struct signature *picture)
{
	struct moments m = moments_of(a, picture);

	if (m.of_a < STRUCTURE_MIN * STRUCTURE_MIN)
		return true;
	return m.of_b > 0.01 && m.common >= CORRELATION_MIN * sqrt(m.of_a * m.of_b);
}

static double decibels(double error)
{
	return error > 0.001 ? 10 * log10(255.0 * 255.0 / error) : 99;
}

enum signature_likeness signature_compare(
	const struct signature_wanted *w, const struct signature *picture, double *ret_db)
{
	double error = error_beyond(&w->source, &w->source, picture);
	double beyond = error_beyond(&w->near.low, &w->near.high, picture);

	*ret_db = decibels(beyond);
	if (beyond > ERROR_MAX * ERROR_MAX || (w->before_db > FALL_FROM_DB && *ret_db < FALL_TO_DB))
		return SIGNATURE_UNLIKE;
	if (has_structure_of(&w->source, picture))
		return error <= ERROR_MAX * ERROR_MAX ? SIGNATURE_ALIKE : SIGNATURE_STALE;
	/* Whatever it shows instead, it is next to what it may have been predicted from. */
	return w->before_db > 0 && *ret_db > FALL_TO_DB ? SIGNATURE_STALE : SIGNATURE_UNLIKE;
}

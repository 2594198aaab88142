// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_SIGNATURE_H
#define VENCD_WORKER_SIGNATURE_H

/*
 * What a picture looks like from very far: the mean brightness of up to 16x9 blocks of it, of some
 * of their rows. Pure.
 *
 * It is there to tell a picture from none of the kind, at hardly any cost; not to measure quality.
 */

#include <stdint.h>

#define SIGNATURE_COLUMNS 16u
#define SIGNATURE_ROWS 9u

struct signature {
	uint32_t columns, rows;
	uint16_t mean[SIGNATURE_COLUMNS * SIGNATURE_ROWS]; /* in 1/64 of a step of 8 bits */
};

/* How luma samples stand in memory. */
enum signature_depth {
	SIGNATURE_8,
	SIGNATURE_10_LOW,  /* in the low bits of 16 */
	SIGNATURE_10_HIGH, /* in the high ones */
};

struct signature_plane {
	const uint8_t *data;
	int64_t stride; /* bytes */
	uint32_t width, height;
	enum signature_depth depth;
};

void signature_take(struct signature *ret, const struct signature_plane *luma);

/* What is between several signatures of one size, block by block. */
struct signature_range {
	struct signature low, high;
};

void signature_range_begin(struct signature_range *ret, const struct signature *signature);
void signature_range_widen(struct signature_range *range, const struct signature *signature);

/* What a decoded picture may show. */
struct signature_wanted {
	struct signature source;
	/*
	 * Of what it may be predicted from: the source, sources of frames behind it where it may be
	 * a B picture, and the pictures shown before it unless it is a keyframe.
	 */
	struct signature_range near;
	double before_db; /* what was said of the picture shown before it; 0: it is a keyframe */
};

enum signature_likeness {
	SIGNATURE_UNLIKE,
	SIGNATURE_STALE, /* it shows, at least in part, what it was predicted from */
	SIGNATURE_ALIKE,
};

/*
 * Whether a decoded picture may be what is wanted, however badly it was coded. *ret_db is how near
 * it is to that range, as a PSNR of the means in dB.
 */
enum signature_likeness signature_compare(
	const struct signature_wanted *wanted, const struct signature *picture, double *ret_db);

#endif

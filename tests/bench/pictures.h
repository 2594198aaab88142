// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_BENCH_PICTURES_H
#define VENCD_BENCH_PICTURES_H

/* What the bench's programs draw: pictures that were made before the clock starts. */

#include <stddef.h>
#include <stdint.h>

#include "client/vencd.h"

struct pictures {
	uint32_t width, height;
	uint32_t planes; /* 2 or 3 */
	uint32_t row_bytes[3], rows[3];
	size_t size;          /* bytes of a picture, its planes without gaps */
	size_t step;          /* from one picture to the next */
	uint64_t n;           /* pictures; drawn in turn */
	const uint8_t *first; /* never freed: the process ends with them */
};

/* A few drawn pictures, I420 or NV12, or those of a y4m file, I420. Negative errno. */
int pictures_draw(
	struct pictures *ret, enum vencd_pixel_format format, uint32_t width, uint32_t height);
int pictures_map(struct pictures *ret, const char *y4m);

/* Copies picture number % n, every byte of it, to planes with these strides. */
void pictures_copy(const struct pictures *pictures, uint64_t number, uint8_t *const data[3],
	const uint32_t stride[3]);

#endif

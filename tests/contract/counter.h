// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_COUNTER_H
#define VENCD_TESTS_COUNTER_H

/*
 * A frame counter drawn into the picture: 16 bits and a checksum as a grid of black and white
 * blocks that fills it, over a moving texture. It survives every quantiser, is read back from the
 * decoded picture, and shows what a count of frames does not: a wrong, repeated, lost or displaced
 * picture. The chroma planes have a colour of their own each, so that swapped ones are noticed.
 */

#include <stdint.h>

#define COUNTER_VALUES 65536u
#define COUNTER_MIN 16u /* columns and rows that it takes to be legible */

struct counter_picture {
	uint8_t *data[3];
	uint32_t stride[3]; /* bytes */
	uint32_t width, height;
	uint32_t format; /* enum vencd_pixel_format */
};

/* Draws value % COUNTER_VALUES into the whole picture. */
void counter_draw(const struct counter_picture *picture, uint32_t value);

/*
 * Adds noise of -amplitude to amplitude (8-bit scale, at most 32) to the luma; seed decides which.
 */
void counter_add_noise(const struct counter_picture *picture, uint32_t seed, unsigned amplitude);

/*
 * Reads the counter of a planar picture (I420, I010). Returns it, -EBADMSG where the blocks are no
 * counter, -ERANGE where the chroma planes are not those that were drawn.
 */
int counter_read(const struct counter_picture *picture);

/*
 * The mean squared error between the luma of two planar pictures of one size and format, 8-bit
 * scale.
 */
double counter_difference(const struct counter_picture *a, const struct counter_picture *b);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PROOF_PICTURE_H
#define VENCD_WORKER_PROOF_PICTURE_H

/*
 * The picture that a probe draws, and how far another one is from it. Pure.
 *
 * Every frame is another one: any two of a case differ by far more than a codec's losses, so that a
 * stream whose frames come in a wrong order, twice or not at all does not pass.
 */

#include "client/plane/plane.h"

/* Draws frame n of a case into a slot of its pool. */
void proof_picture_draw(const struct plane_layout *layout, uint8_t *slot, uint32_t frame);

/* A planar picture, 8 bits a sample, or more in 16 bits, little endian. */
struct proof_planes {
	const uint8_t *data[3];
	int stride[3];
	uint32_t width, height;
	uint32_t deep; /* 1: 10 bits */
};

/* PSNR against frame n, of the worst of the three planes, in 0.01 dB; equal ones have 99.99 dB. */
uint32_t proof_picture_psnr(const struct proof_planes *planes, uint32_t frame);

#define PROOF_PSNR_EQUAL 9999u

#endif

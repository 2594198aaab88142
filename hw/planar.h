// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLANAR_H
#define VENCD_PLANAR_H

/*
 * Semi-planar frames for libraries that take planar ones only: NV12 to I420, P010 to I010. For NV12
 * the luma stays where it is; what has to be rewritten goes to a buffer that grows once and belongs
 * to one instance of an encoder.
 */

#include "hw/encoder.h"

struct planar_buffer {
	uint8_t *data;
	size_t size;
};

/*
 * Fills *ret with a planar view of frame: frame itself if it is planar already. The view is valid
 * until the next call with the same buffer, and as long as the frame is. -ENOMEM, or -EINVAL for a
 * format that is none.
 */
int planar_convert(struct planar_buffer *buffer, const struct encoder_frame *frame, uint32_t width,
	uint32_t height, struct encoder_frame *ret);

void planar_buffer_clear(struct planar_buffer *buffer);

#endif

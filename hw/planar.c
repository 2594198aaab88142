// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Semi-planar to planar, one pass. Samples of P010 stand in the high ten bits and move to the low
 * ones, luma too. Plain loops: compilers vectorise them, and the encoders that need them cost a
 * hundred times as much.
 */

#include <errno.h>
#include <stdlib.h>

#include "hw/planar.h"

#define ALIGNMENT 64u

static uint32_t aligned(uint32_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int reserve(struct planar_buffer *buffer, size_t size)
{
	if (buffer->size >= size)
		return 0;
	planar_buffer_clear(buffer);
	buffer->data = aligned_alloc(ALIGNMENT, size);
	if (!buffer->data)
		return -ENOMEM;
	buffer->size = size;
	return 0;
}

static void split8(
	const uint8_t *restrict from, uint8_t *restrict u, uint8_t *restrict v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		u[i] = from[2 * i];
		v[i] = from[2 * i + 1];
	}
}

static void split10(
	const uint16_t *restrict from, uint16_t *restrict u, uint16_t *restrict v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		u[i] = from[2 * i] >> 6;
		v[i] = from[2 * i + 1] >> 6;
	}
}

static void shift10(const uint16_t *restrict from, uint16_t *restrict to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = from[i] >> 6;
}

static int convert_nv12(struct planar_buffer *buffer, const struct encoder_frame *frame,
	uint32_t width, uint32_t height, struct encoder_frame *ret)
{
	uint32_t columns = (width + 1) / 2, rows = (height + 1) / 2, stride = aligned(columns);
	uint8_t *u, *v;
	int r = reserve(buffer, (size_t)stride * rows * 2);

	if (r < 0)
		return r;
	u = buffer->data;
	v = u + (size_t)stride * rows;
	for (uint32_t y = 0; y < rows; y++)
		split8(frame->data[1] + (size_t)y * frame->stride[1], u + (size_t)y * stride,
			v + (size_t)y * stride, columns);
	ret->format = VENCD_FORMAT_I420;
	ret->data[1] = u;
	ret->data[2] = v;
	ret->stride[1] = ret->stride[2] = stride;
	return 0;
}

/* Rows of 16-bit samples are aligned: strides are even and planes begin on even addresses. */
static const uint16_t *row10(const struct encoder_frame *frame, unsigned plane, uint32_t y)
{
	return (const uint16_t *)(const void *)(frame->data[plane] +
		(size_t)y * frame->stride[plane]);
}

static int convert_p010(struct planar_buffer *buffer, const struct encoder_frame *frame,
	uint32_t width, uint32_t height, struct encoder_frame *ret)
{
	uint32_t columns = (width + 1) / 2, rows = (height + 1) / 2;
	uint32_t luma = aligned(width * 2) / 2, chroma = aligned(columns * 2) / 2; /* samples */
	uint16_t *y_plane, *u, *v;
	int r = reserve(buffer, ((size_t)luma * height + (size_t)chroma * rows * 2) * 2);

	if (r < 0)
		return r;
	y_plane = (uint16_t *)(void *)buffer->data;
	u = y_plane + (size_t)luma * height;
	v = u + (size_t)chroma * rows;
	for (uint32_t y = 0; y < height; y++)
		shift10(row10(frame, 0, y), y_plane + (size_t)y * luma, width);
	for (uint32_t y = 0; y < rows; y++)
		split10(row10(frame, 1, y), u + (size_t)y * chroma, v + (size_t)y * chroma,
			columns);
	ret->format = VENCD_FORMAT_I010;
	ret->data[0] = (const uint8_t *)y_plane;
	ret->data[1] = (const uint8_t *)u;
	ret->data[2] = (const uint8_t *)v;
	ret->stride[0] = luma * 2;
	ret->stride[1] = ret->stride[2] = chroma * 2;
	return 0;
}

int planar_convert(struct planar_buffer *buffer, const struct encoder_frame *frame, uint32_t width,
	uint32_t height, struct encoder_frame *ret)
{
	*ret = *frame;
	switch ((enum vencd_pixel_format)frame->format) {
	case VENCD_FORMAT_I420:
	case VENCD_FORMAT_I010:
		return 0;
	case VENCD_FORMAT_NV12:
		return convert_nv12(buffer, frame, width, height, ret);
	case VENCD_FORMAT_P010:
		return convert_p010(buffer, frame, width, height, ret);
	}
	return -EINVAL;
}

void planar_buffer_clear(struct planar_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct planar_buffer){0};
}

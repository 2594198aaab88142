// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Images: how a program reaches the pixels of a surface. A derived one is the surface's own memory;
 * one that was created is memory of its own, copied to and fro.
 */

#include <stdlib.h>

#include "tests/emulated/va/driver.h"

static const VAImageFormat formats[] = {
	{.fourcc = VA_FOURCC_NV12, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 12},
	{.fourcc = VA_FOURCC_P010, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 24},
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

static VAStatus query_formats(VADriverContextP va, VAImageFormat *list, int *n)
{
	VAStatus status = driver_enter(driver_of(va), CALL_QueryImageFormats);

	if (status)
		return status;
	for (*n = 0; *n < (int)N_FORMATS; (*n)++)
		list[*n] = formats[*n];
	return VA_STATUS_SUCCESS;
}

static const VAImageFormat *format_of(uint32_t fourcc)
{
	for (size_t i = 0; i < N_FORMATS; i++)
		if (formats[i].fourcc == fourcc)
			return &formats[i];
	return NULL;
}

static void describe(const struct surface *s, VAImage *ret)
{
	*ret = (VAImage){
		.format = *format_of(s->fourcc),
		.width = (uint16_t)s->width,
		.height = (uint16_t)s->height,
		.data_size = s->size,
		.num_planes = 2,
		.pitches = {s->pitch, s->pitch},
		.offsets = {0, s->chroma_offset},
	};
}

/* An image around a surface, whose memory its buffer owns or borrows. */
static VAStatus add_image(
	struct driver *driver, const struct surface *surface, int owns, VAImage *ret)
{
	struct image *image = calloc(1, sizeof(*image));
	struct buffer *buffer;

	if (!image)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	image->whole = *surface;
	describe(surface, &image->image);
	image->image.buf = buffer_around(driver, VAImageBufferType, surface->data, surface->size);
	image->image.image_id = image->image.buf == VA_INVALID_ID
		? VA_INVALID_ID
		: object_add(driver, OBJECT_IMAGE, image);
	if (image->image.image_id == VA_INVALID_ID) {
		buffer = object_take(driver, OBJECT_BUFFER, image->image.buf);
		free(buffer);
		free(image);
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	}
	buffer = object_find(driver, OBJECT_BUFFER, image->image.buf);
	buffer->memory = owns ? BUFFER_OWNS : BUFFER_BORROWS;
	*ret = image->image;
	return VA_STATUS_SUCCESS;
}

static VAStatus derive_image(VADriverContextP va, VASurfaceID id, VAImage *ret)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_DeriveImage);
	const struct surface *surface = object_find(driver, OBJECT_SURFACE, id);

	if (status)
		return status;
	return surface ? add_image(driver, surface, 0, ret) : VA_STATUS_ERROR_INVALID_SURFACE;
}

static VAStatus create_image(
	VADriverContextP va, VAImageFormat *format, int width, int height, VAImage *ret)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_CreateImage);
	struct surface surface;

	if (status)
		return status;
	if (!format_of(format->fourcc) || width <= 0 || height <= 0)
		return VA_STATUS_ERROR_INVALID_IMAGE_FORMAT;
	status = surface_make(&surface, format->fourcc, (uint32_t)width, (uint32_t)height);
	if (status)
		return status;
	status = add_image(driver, &surface, 1, ret);
	if (status)
		free(surface.data);
	return status;
}

static VAStatus destroy_image(VADriverContextP va, VAImageID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_DestroyImage);
	struct image *image;
	struct buffer *buffer;

	if (status)
		return status;
	image = object_take(driver, OBJECT_IMAGE, id);
	if (!image)
		return VA_STATUS_ERROR_INVALID_IMAGE;
	buffer = object_take(driver, OBJECT_BUFFER, image->image.buf);
	if (buffer)
		buffer_free(buffer);
	free(image);
	return VA_STATUS_SUCCESS;
}

static VAStatus get_image(VADriverContextP va, VASurfaceID surface_id, int x, int y, unsigned width,
	unsigned height, VAImageID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_GetImage);
	const struct surface *surface = object_find(driver, OBJECT_SURFACE, surface_id);
	struct image *image = object_find(driver, OBJECT_IMAGE, id);

	if (status)
		return status;
	if (!surface || !image || surface->fourcc != image->whole.fourcc || x < 0 || y < 0)
		return surface && image ? VA_STATUS_ERROR_INVALID_PARAMETER
					: VA_STATUS_ERROR_INVALID_SURFACE;
	surface_copy(&image->whole, 0, 0, surface, (uint32_t)x, (uint32_t)y, width, height);
	return VA_STATUS_SUCCESS;
}

static VAStatus put_image(VADriverContextP va, VASurfaceID surface_id, VAImageID id, int from_x,
	int from_y, unsigned width, unsigned height, int to_x, int to_y, unsigned to_width,
	unsigned to_height)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_PutImage);
	struct surface *surface = object_find(driver, OBJECT_SURFACE, surface_id);
	const struct image *image = object_find(driver, OBJECT_IMAGE, id);

	if (status)
		return status;
	if (!surface || !image)
		return surface ? VA_STATUS_ERROR_INVALID_IMAGE : VA_STATUS_ERROR_INVALID_SURFACE;
	if (surface->fourcc != image->whole.fourcc || width != to_width || height != to_height ||
		from_x < 0 || from_y < 0 || to_x < 0 ||
		to_y < 0) /* it neither scales nor converts */
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	surface_copy(surface, (uint32_t)to_x, (uint32_t)to_y, &image->whole, (uint32_t)from_x,
		(uint32_t)from_y, width, height);
	return VA_STATUS_SUCCESS;
}

void image_entries(struct VADriverVTable *table)
{
	table->vaQueryImageFormats = query_formats;
	table->vaCreateImage = create_image;
	table->vaDeriveImage = derive_image;
	table->vaDestroyImage = destroy_image;
	table->vaGetImage = get_image;
	table->vaPutImage = put_image;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Surfaces: pictures in the "device's" memory, which is the process's own. NV12 and P010, with a
 * pitch of whole 64 bytes as devices have it, so that a program which takes the width for the pitch
 * is found out.
 *
 * Work on a surface is done when EndPicture returns: to wait for it is to enter, and no more.
 */

#include <stdlib.h>
#include <string.h>
#include <va/va_drmcommon.h>

#include "tests/emulated/va/driver.h"

#define PITCH_ALIGNMENT 64u

static uint32_t bytes_of(uint32_t fourcc)
{
	return fourcc == VA_FOURCC_P010 ? 2 : 1;
}

/* Both planes of a black picture, as bytes: 16 and 128 in 8 bits, and P010 has them on top. */
static void blacken(struct surface *s)
{
	uint32_t bytes = bytes_of(s->fourcc);

	for (uint32_t i = bytes - 1; i < s->size; i += bytes)
		s->data[i] = i < s->chroma_offset ? 16 : 128;
}

VAStatus surface_make(struct surface *ret, uint32_t fourcc, uint32_t width, uint32_t height)
{
	uint32_t even = (height + 1) & ~1u, line = ((width + 1) & ~1u) * bytes_of(fourcc);

	*ret = (struct surface){.fourcc = fourcc, .width = width, .height = height};
	ret->pitch = (line + PITCH_ALIGNMENT - 1) & ~(PITCH_ALIGNMENT - 1);
	ret->chroma_offset = ret->pitch * even;
	ret->size = ret->chroma_offset + ret->pitch * (even / 2);
	ret->data = calloc(1, ret->size);
	if (!ret->data)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	blacken(ret);
	return VA_STATUS_SUCCESS;
}

void surface_free(struct surface *surface)
{
	free(surface->data);
	free(surface);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What does not fit on either side is left out. */
void surface_copy(struct surface *to, uint32_t to_x, uint32_t to_y, const struct surface *from,
	uint32_t from_x, uint32_t from_y, uint32_t width, uint32_t height)
{
	uint32_t bytes = bytes_of(to->fourcc);

	if (to_x >= to->width || to_y >= to->height || from_x >= from->width ||
		from_y >= from->height)
		return;
	width = least(width, least(to->width - to_x, from->width - from_x));
	height = least(height, least(to->height - to_y, from->height - from_y));
	for (uint32_t y = 0; y < height; y++)
		memcpy(to->data + (size_t)(to_y + y) * to->pitch + to_x * bytes,
			from->data + (size_t)(from_y + y) * from->pitch + from_x * bytes,
			(size_t)width * bytes);
	for (uint32_t y = 0; y < (height + 1) / 2; y++)
		memcpy(to->data + to->chroma_offset + (size_t)(to_y / 2 + y) * to->pitch +
				(to_x & ~1u) * bytes,
			from->data + from->chroma_offset + (size_t)(from_y / 2 + y) * from->pitch +
				(from_x & ~1u) * bytes,
			(size_t)((width + 1) & ~1u) * bytes);
}

static VAStatus destroy_surfaces(VADriverContextP va, VASurfaceID *list, int n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_DestroySurfaces);

	if (status)
		return status;
	for (int i = 0; i < n; i++) {
		struct surface *surface = object_take(driver, OBJECT_SURFACE, list[i]);

		if (!surface)
			return VA_STATUS_ERROR_INVALID_SURFACE;
		surface_free(surface);
	}
	return VA_STATUS_SUCCESS;
}

static VAStatus add_surface(
	struct driver *driver, uint32_t fourcc, uint32_t width, uint32_t height, VASurfaceID *ret)
{
	struct surface *surface = malloc(sizeof(*surface));
	VAStatus status = surface ? surface_make(surface, fourcc, width, height)
				  : VA_STATUS_ERROR_ALLOCATION_FAILED;

	*ret = status ? VA_INVALID_ID : object_add(driver, OBJECT_SURFACE, surface);
	if (*ret != VA_INVALID_ID)
		return VA_STATUS_SUCCESS;
	if (!status)
		free(surface->data);
	free(surface);
	return VA_STATUS_ERROR_ALLOCATION_FAILED;
}

static VAStatus add_surfaces(struct driver *driver, uint32_t fourcc, uint32_t width,
	uint32_t height, VASurfaceID *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		VAStatus status = add_surface(driver, fourcc, width, height, &list[i]);

		if (!status)
			continue;
		while (i--)
			surface_free(object_take(driver, OBJECT_SURFACE, list[i]));
		return status;
	}
	return VA_STATUS_SUCCESS;
}

static uint32_t fourcc_of_format(uint32_t format)
{
	return format == VA_RT_FORMAT_YUV420       ? VA_FOURCC_NV12
		: format == VA_RT_FORMAT_YUV420_10 ? VA_FOURCC_P010
						   : 0;
}

/* Memory of others (dma-bufs) is not taken. */
static VAStatus read_attributes(const VASurfaceAttrib *list, uint32_t n, uint32_t *fourcc)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!(list[i].flags & VA_SURFACE_ATTRIB_SETTABLE))
			continue;
		if (list[i].type == VASurfaceAttribPixelFormat)
			*fourcc = (uint32_t)list[i].value.value.i;
		if (list[i].type == VASurfaceAttribMemoryType &&
			list[i].value.value.i != VA_SURFACE_ATTRIB_MEM_TYPE_VA)
			return VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE;
	}
	return VA_STATUS_SUCCESS;
}

static VAStatus create_surfaces2(VADriverContextP va, unsigned format, unsigned width,
	unsigned height, VASurfaceID *list, unsigned n, VASurfaceAttrib *attributes,
	unsigned n_attributes)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_CreateSurfaces);
	uint32_t fourcc = fourcc_of_format(format);

	if (status)
		return status;
	if (!fourcc)
		return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
	status = read_attributes(attributes, n_attributes, &fourcc);
	if (status)
		return status;
	if (fourcc != VA_FOURCC_NV12 && fourcc != VA_FOURCC_P010)
		return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
	if (!width || !height || width > 16384 || height > 16384)
		return VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
	return add_surfaces(driver, fourcc, width, height, list, n);
}

static VAStatus create_surfaces(
	VADriverContextP va, int width, int height, int format, int n, VASurfaceID *list)
{
	return create_surfaces2(va, (unsigned)format, (unsigned)width, (unsigned)height, list,
		(unsigned)n, NULL, 0);
}

static VASurfaceAttrib integer(VASurfaceAttribType type, uint32_t flags, uint32_t value)
{
	return (VASurfaceAttrib){.type = type,
		.flags = flags,
		.value = {.type = VAGenericValueTypeInteger, .value.i = (int)value}};
}

/* The smallest picture that the encoder behind the device takes, with the blocks that it has. */
static uint32_t least_side(const struct ability *ability)
{
	return ability->codec == CODEC_H264 ? 16 : 64;
}

static VAStatus query_attributes(
	VADriverContextP va, VAConfigID id, VASurfaceAttrib *list, unsigned *n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_QuerySurfaceAttributes);
	const struct config *config = object_find(driver, OBJECT_CONFIG, id);
	VASurfaceAttrib all[6];
	const uint32_t get = VA_SURFACE_ATTRIB_GETTABLE, set = VA_SURFACE_ATTRIB_SETTABLE;
	unsigned found = 0;

	if (status)
		return status;
	if (!config)
		return VA_STATUS_ERROR_INVALID_CONFIG;
	if (config->rt_format & VA_RT_FORMAT_YUV420)
		all[found++] = integer(VASurfaceAttribPixelFormat, get | set, VA_FOURCC_NV12);
	if (config->rt_format & VA_RT_FORMAT_YUV420_10)
		all[found++] = integer(VASurfaceAttribPixelFormat, get | set, VA_FOURCC_P010);
	all[found++] = integer(VASurfaceAttribMinWidth, get, least_side(config->ability));
	all[found++] = integer(VASurfaceAttribMinHeight, get, least_side(config->ability));
	all[found++] = integer(VASurfaceAttribMaxWidth, get, config->ability->max_width);
	all[found++] = integer(VASurfaceAttribMaxHeight, get, config->ability->max_height);
	if (list && *n < found) {
		*n = found;
		return VA_STATUS_ERROR_MAX_NUM_EXCEEDED;
	}
	if (list)
		memcpy(list, all, found * sizeof(all[0]));
	*n = found;
	return VA_STATUS_SUCCESS;
}

static VAStatus sync_surface(VADriverContextP va, VASurfaceID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_SyncSurface);

	if (status)
		return status;
	return object_find(driver, OBJECT_SURFACE, id) ? VA_STATUS_SUCCESS
						       : VA_STATUS_ERROR_INVALID_SURFACE;
}

static VAStatus sync_surface2(VADriverContextP va, VASurfaceID id, uint64_t timeout_ns)
{
	(void)timeout_ns;
	return sync_surface(va, id);
}

static VAStatus query_status(VADriverContextP va, VASurfaceID id, VASurfaceStatus *ret)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_QuerySurfaceStatus);

	if (status)
		return status;
	*ret = VASurfaceReady;
	return object_find(driver, OBJECT_SURFACE, id) ? VA_STATUS_SUCCESS
						       : VA_STATUS_ERROR_INVALID_SURFACE;
}

static VAStatus query_error(VADriverContextP va, VASurfaceID id, VAStatus error, void **info)
{
	VAStatus status = driver_enter(driver_of(va), CALL_QuerySurfaceError);

	(void)id;
	(void)error;
	*info = NULL;
	return status ? status : VA_STATUS_ERROR_UNIMPLEMENTED;
}

void surface_entries(struct VADriverVTable *table)
{
	table->vaCreateSurfaces = create_surfaces;
	table->vaCreateSurfaces2 = create_surfaces2;
	table->vaDestroySurfaces = destroy_surfaces;
	table->vaQuerySurfaceAttributes = query_attributes;
	table->vaSyncSurface = sync_surface;
	table->vaSyncSurface2 = sync_surface2;
	table->vaQuerySurfaceStatus = query_status;
	table->vaQuerySurfaceError = query_error;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Buffers: parameters on their way to the driver, and coded pictures on their way back. Mapping a
 * coded buffer gives the one segment that EndPicture filled.
 */

#include <stdlib.h>
#include <string.h>

#include "tests/emulated/va/driver.h"

#define BUFFER_MAX (256u << 20)

void buffer_free(struct buffer *buffer)
{
	if (buffer->memory == BUFFER_OWNS)
		free(buffer->data);
	free(buffer);
}

VABufferID buffer_around(struct driver *driver, VABufferType type, uint8_t *data, uint32_t size)
{
	struct buffer *buffer = malloc(sizeof(*buffer));
	VABufferID id;

	if (!buffer)
		return VA_INVALID_ID;
	*buffer = (struct buffer){.type = type,
		.size = size,
		.n_elements = 1,
		.data = data,
		.memory = BUFFER_BORROWS};
	id = object_add(driver, OBJECT_BUFFER, buffer);
	if (id == VA_INVALID_ID)
		free(buffer);
	return id;
}

static VAStatus buffer_make(
	VABufferType type, uint32_t size, uint32_t n, const void *data, struct buffer **ret)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));
	size_t bytes = (size_t)size * n;

	if (!buffer)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	*buffer = (struct buffer){.type = type, .size = size, .n_elements = n};
	buffer->data = malloc(bytes);
	if (!buffer->data) {
		free(buffer);
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	}
	if (data)
		memcpy(buffer->data, data, bytes);
	*ret = buffer;
	return VA_STATUS_SUCCESS;
}

static VAStatus create_buffer(VADriverContextP va, VAContextID context, VABufferType type,
	unsigned size, unsigned n, void *data, VABufferID *ret)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_CreateBuffer);
	struct buffer *buffer = NULL;

	if (status)
		return status;
	if (!object_find(driver, OBJECT_CONTEXT, context))
		return VA_STATUS_ERROR_INVALID_CONTEXT;
	if (!size || !n || (uint64_t)size * n > BUFFER_MAX)
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	status = buffer_make(type, size, n, data, &buffer);
	if (status)
		return status;
	*ret = object_add(driver, OBJECT_BUFFER, buffer);
	if (*ret != VA_INVALID_ID)
		return VA_STATUS_SUCCESS;
	buffer_free(buffer);
	return VA_STATUS_ERROR_ALLOCATION_FAILED;
}

static VAStatus set_elements(VADriverContextP va, VABufferID id, unsigned n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_BufferSetNumElements);
	struct buffer *buffer = object_find(driver, OBJECT_BUFFER, id);

	if (status)
		return status;
	if (!buffer)
		return VA_STATUS_ERROR_INVALID_BUFFER;
	if (!n || n > buffer->n_elements)
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	buffer->n_elements = n;
	return VA_STATUS_SUCCESS;
}

static VAStatus buffer_info(
	VADriverContextP va, VABufferID id, VABufferType *type, unsigned *size, unsigned *n)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_BufferInfo);
	const struct buffer *buffer = object_find(driver, OBJECT_BUFFER, id);

	if (status)
		return status;
	if (!buffer)
		return VA_STATUS_ERROR_INVALID_BUFFER;
	*type = buffer->type;
	*size = buffer->size;
	*n = buffer->n_elements;
	return VA_STATUS_SUCCESS;
}

static VAStatus map_buffer(VADriverContextP va, VABufferID id, void **ret)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_MapBuffer);
	struct buffer *buffer = object_find(driver, OBJECT_BUFFER, id);

	if (status)
		return status;
	if (!buffer)
		return VA_STATUS_ERROR_INVALID_BUFFER;
	*ret = buffer->type == VAEncCodedBufferType ? (void *)&buffer->segment : buffer->data;
	return VA_STATUS_SUCCESS;
}

static VAStatus map_buffer2(VADriverContextP va, VABufferID id, void **ret, uint32_t flags)
{
	(void)flags;
	return map_buffer(va, id, ret);
}

static VAStatus unmap_buffer(VADriverContextP va, VABufferID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_UnmapBuffer);

	if (status)
		return status;
	return object_find(driver, OBJECT_BUFFER, id) ? VA_STATUS_SUCCESS
						      : VA_STATUS_ERROR_INVALID_BUFFER;
}

static VAStatus destroy_buffer(VADriverContextP va, VABufferID id)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_DestroyBuffer);
	struct buffer *buffer;

	if (status)
		return status;
	buffer = object_take(driver, OBJECT_BUFFER, id);
	if (!buffer)
		return VA_STATUS_ERROR_INVALID_BUFFER;
	buffer_free(buffer);
	return VA_STATUS_SUCCESS;
}

/* What FFmpeg asks for an id that is none, to learn whether there is such a function at all. */
static VAStatus sync_buffer(VADriverContextP va, VABufferID id, uint64_t timeout_ns)
{
	struct driver *driver = driver_of(va);
	VAStatus status = driver_enter(driver, CALL_SyncBuffer);

	(void)timeout_ns;
	if (status)
		return status;
	return object_find(driver, OBJECT_BUFFER, id) ? VA_STATUS_SUCCESS
						      : VA_STATUS_ERROR_INVALID_BUFFER;
}

void buffer_entries(struct VADriverVTable *table)
{
	table->vaCreateBuffer = create_buffer;
	table->vaBufferSetNumElements = set_elements;
	table->vaBufferInfo = buffer_info;
	table->vaMapBuffer = map_buffer;
	table->vaMapBuffer2 = map_buffer2;
	table->vaUnmapBuffer = unmap_buffer;
	table->vaDestroyBuffer = destroy_buffer;
	table->vaSyncBuffer = sync_buffer;
}

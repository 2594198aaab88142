// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_DRIVER_H
#define VENCD_EMULATED_DRIVER_H

/* What the files of the emulated VA driver share: one display, and the objects that live on it. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <va/va.h>
#include <va/va_backend.h>

#include "tests/emulated/va/fault.h"
#include "tests/emulated/va/model.h"

enum object_kind {
	OBJECT_FREE,
	OBJECT_CONFIG,
	OBJECT_CONTEXT,
	OBJECT_SURFACE,
	OBJECT_BUFFER,
	OBJECT_IMAGE,
};

struct object {
	enum object_kind kind;
	void *data;
};

/* One display: one open of a render node. */
struct driver {
	struct device device; /* which model on which faults */
	struct fault_counts counts;
	char vendor[64];
	pthread_mutex_t lock; /* of the table alone; what a pointer leads to is its user's */
	struct object *objects;
	uint32_t n_objects;
};

struct config {
	VAProfile profile;
	const struct ability *ability;
	uint32_t rt_format, rate_control, packed_headers;
};

/* Two planes, luma and interleaved chroma, in one piece of memory. */
struct surface {
	uint32_t fourcc; /* NV12 or P010 */
	uint32_t width, height, pitch, chroma_offset, size;
	uint8_t *data;
};

struct buffer {
	VABufferType type;
	uint32_t size, n_elements; /* bytes of one element */
	uint8_t *data;
	enum {
		BUFFER_OWNS,
		BUFFER_BORROWS
	} memory;
	VACodedBufferSegment segment; /* of a coded buffer: what mapping it gives */
};

struct image {
	VAImage image;
	struct surface whole; /* as a surface, for copies; data is the buffer's */
};

static inline struct driver *driver_of(VADriverContextP va)
{
	return va->pDriverData;
}

/* Hands the object an id, or VA_INVALID_ID where there is no memory. */
VAGenericID object_add(struct driver *driver, enum object_kind kind, void *data);
/* NULL where the id is none of that kind. */
void *object_find(struct driver *driver, enum object_kind kind, VAGenericID id);
/* The same, and the id is one no more. */
void *object_take(struct driver *driver, enum object_kind kind, VAGenericID id);
/* Frees all that is left. */
void objects_clear(struct driver *driver);
void object_free(enum object_kind kind, void *data);

/* The entry points, by the file that has them. */
void config_entries(struct VADriverVTable *table);
void surface_entries(struct VADriverVTable *table);
void image_entries(struct VADriverVTable *table);
void buffer_entries(struct VADriverVTable *table);
void picture_entries(struct VADriverVTable *table);

void surface_free(struct surface *surface);
void buffer_free(struct buffer *buffer);

/* Memory for a surface of that size; its planes are black. */
VAStatus surface_make(struct surface *ret, uint32_t fourcc, uint32_t width, uint32_t height);
void surface_copy(struct surface *to, uint32_t to_x, uint32_t to_y, const struct surface *from,
	uint32_t from_x, uint32_t from_y, uint32_t width, uint32_t height);

/* A buffer of the driver's own making, around memory that stays the caller's. */
VABufferID buffer_around(struct driver *driver, VABufferType type, uint8_t *data, uint32_t size);

/*
 * Begins an entry point: sees that the thread may be in a driver at all, and plays the fault that
 * the script has for this call. What is not VA_STATUS_SUCCESS is to be returned at once.
 */
VAStatus driver_enter(struct driver *driver, enum call call);

#endif

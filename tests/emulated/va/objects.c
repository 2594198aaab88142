// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The objects of a display by their ids. An id is the place in the table with the kind in its upper
 * byte, so that one of another kind is found out; a place that was freed is used again.
 *
 * The lock is held for a look into the table and never across anything that could block: a call
 * that hangs in this driver stops no other call of the same display.
 */

#include <stdlib.h>

#include "tests/emulated/va/driver.h"
#include "tests/emulated/va/picture.h"

#define KIND_SHIFT 24
#define PLACE_MASK ((1u << KIND_SHIFT) - 1)
#define GROWTH 64u

static VAGenericID place_free(struct driver *driver)
{
	struct object *larger;
	uint32_t n = driver->n_objects;

	for (uint32_t i = 0; i < n; i++)
		if (driver->objects[i].kind == OBJECT_FREE)
			return i;
	larger = realloc(driver->objects, (n + GROWTH) * sizeof(*larger));
	if (!larger)
		return VA_INVALID_ID;
	for (uint32_t i = n; i < n + GROWTH; i++)
		larger[i] = (struct object){.kind = OBJECT_FREE};
	driver->objects = larger;
	driver->n_objects = n + GROWTH;
	return n;
}

VAGenericID object_add(struct driver *driver, enum object_kind kind, void *data)
{
	VAGenericID place;

	pthread_mutex_lock(&driver->lock);
	place = place_free(driver);
	if (place != VA_INVALID_ID)
		driver->objects[place] = (struct object){kind, data};
	pthread_mutex_unlock(&driver->lock);
	return place == VA_INVALID_ID ? VA_INVALID_ID : place | (uint32_t)kind << KIND_SHIFT;
}

static struct object *look(struct driver *driver, enum object_kind kind, VAGenericID id)
{
	uint32_t place = id & PLACE_MASK;

	if (id >> KIND_SHIFT != (uint32_t)kind || place >= driver->n_objects)
		return NULL;
	return driver->objects[place].kind == kind ? &driver->objects[place] : NULL;
}

void *object_find(struct driver *driver, enum object_kind kind, VAGenericID id)
{
	struct object *object;
	void *data;

	pthread_mutex_lock(&driver->lock);
	object = look(driver, kind, id);
	data = object ? object->data : NULL;
	pthread_mutex_unlock(&driver->lock);
	return data;
}

void *object_take(struct driver *driver, enum object_kind kind, VAGenericID id)
{
	struct object *object;
	void *data;

	pthread_mutex_lock(&driver->lock);
	object = look(driver, kind, id);
	data = object ? object->data : NULL;
	if (object)
		*object = (struct object){.kind = OBJECT_FREE};
	pthread_mutex_unlock(&driver->lock);
	return data;
}

void object_free(enum object_kind kind, void *data)
{
	switch (kind) {
	case OBJECT_FREE:
		break;
	case OBJECT_CONFIG:
	case OBJECT_IMAGE: /* its buffer is an object of its own */
		free(data);
		break;
	case OBJECT_CONTEXT:
		context_free(data);
		break;
	case OBJECT_SURFACE:
		surface_free(data);
		break;
	case OBJECT_BUFFER:
		buffer_free(data);
		break;
	}
}

void objects_clear(struct driver *driver)
{
	for (uint32_t i = 0; i < driver->n_objects; i++)
		object_free(driver->objects[i].kind, driver->objects[i].data);
	free(driver->objects);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SCRIBBLE_H
#define VENCD_SCRIBBLE_H

/*
 * The other side of shared memory, which writes while it is read: included before the code under
 * test, it puts scribble() before every load and after every copy. scribble() is told what is being
 * looked at; a target may check that nothing is looked at twice.
 */

#include <stdatomic.h>
#include <stddef.h>

void scribble(const volatile void *at, size_t size);

#define PLANE_LOAD(p) (scribble((p), sizeof(*(p))), atomic_load_explicit((p), memory_order_acquire))
#define PLANE_READ(object) \
	(scribble(&(object), sizeof(object)), *(const volatile __typeof__(object) *)&(object))
#define PLANE_COPY(to, from) \
	(memcpy((to), (from), sizeof(*(to))), scribble((from), sizeof(*(from))))

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WALL_PARTS_H
#define VENCD_WALL_PARTS_H

/* The parts of wall.c. */

#include "daemon/walls.h"

/* Kinds as bits of a table's row. */
#define FOR_FRONT (1u << WALL_FRONT)
#define FOR_WORKER (1u << WALL_WORKER)
#define FOR_DEVICE (1u << WALL_DEVICE_WORKER)
#define FOR_WORKERS (FOR_WORKER | FOR_DEVICE)
#define FOR_STREAM (1u << WALL_STREAM)
#define FOR_INSPECT (1u << WALL_INSPECT)
#define FOR_ALL (FOR_FRONT | FOR_WORKERS | FOR_STREAM | FOR_INSPECT)

/*
 * Puts this thread into a Landlock domain; device is the node that a device worker holds. Returns
 * the ABI in use, -EOPNOTSUPP where the kernel has none, or another negative errno.
 */
int wall_landlock(enum wall_kind kind, const char *device);

/* Filters system calls of all threads. Returns 0, or as above. */
int wall_seccomp(enum wall_kind kind);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_MAP_H
#define VENCD_WORKER_MAP_H

/* The memory and sockets of one attempt, as WIRE_START brings them. */

#include <stdint.h>

#include "client/plane/plane.h"
#include "daemon/slot.h"
#include "daemon/wire.h"

struct session_map {
	const uint8_t *pool;
	struct plane_submit *submit; /* read-only */
	struct plane_attempt *ring;
	struct call_slot *slot;
	uint64_t pool_size, submit_size, ring_size;
	int submit_wake; /* the client wakes us */
	int packet_wake; /* we wake the client */
};

/*
 * Checks and maps what the fds of WIRE_START are. Takes the fds in any case. On failure *ret_why
 * says which one was wrong. The layout has been checked.
 */
int session_map_open(struct session_map *ret, const struct plane_layout *layout,
	const int fds[WIRE_START_FDS], const char **ret_why);

/* Everything but the slot, then the slot. */
void session_map_close(struct session_map *map);
void session_map_close_slot(struct session_map *map);

#endif

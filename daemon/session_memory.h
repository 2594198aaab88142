// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SESSION_MEMORY_H
#define VENCD_SESSION_MEMORY_H

/*
 * All memory and sockets of a session in the making: created in one go, handed to client and
 * worker, and closed again but for what the supervisor keeps.
 */

#include "client/plane/plane.h"
#include "daemon/slot.h"
#include "daemon/wire.h"

struct session_memory {
	int pool, pool_ro, submit, submit_ro, control, control_ro;
	int lease[2]; /* [0]: ours, and deaf; [1]: the client's */
	struct {
		int ring, ring_ro, slot;
		int submit_wake[2]; /* the client writes, the worker reads */
		int packet_wake[2]; /* the worker writes, the client reads */
	} attempt[PLANE_MAX_ATTEMPTS];
	struct plane_control *control_map;
	struct plane_submit *submit_map; /* read-only */
	uint64_t submit_size;
	struct call_slot *slot_map[PLANE_MAX_ATTEMPTS];
	struct plane_attempt *ring_map[PLANE_MAX_ATTEMPTS]; /* header and log only */
};

/* Bytes that session_memory_create() will pin, the full size of each map. */
uint64_t session_memory_size(const struct plane_layout *layout);

/* Creates everything, initialised. On failure nothing is left. */
int session_memory_create(struct session_memory *ret, const struct plane_layout *layout);

/* The fds of WIRE_OPENED, in its order. Returns how many. */
unsigned session_memory_client_fds(
	const struct session_memory *memory, unsigned attempts, int fds[WIRE_MAX_FDS]);

/* The fds of WIRE_START for attempt n, in its order. */
void session_memory_worker_fds(
	const struct session_memory *memory, unsigned n, int fds[WIRE_START_FDS]);

/* Takes an fd or a map out, so that it outlives session_memory_close(). */
int session_memory_take_fd(int *fd);

/* Closes and unmaps whatever was not taken. */
void session_memory_close(struct session_memory *memory, unsigned attempts);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WALLS_H
#define VENCD_WALLS_H

/*
 * The walls around a child process, by name, as the setting RequireWalls, the log, reports and
 * GetWalls have them. A child builds its own (daemon/wall/wall.h) and tells which stand.
 */

#include <stddef.h>
#include <stdint.h>

enum wall {
	WALL_NO_NEW_PRIVS = 1, /* what it executed would gain nothing */
	WALL_NO_CAPABILITIES,  /* of root's special rights it has none, or the few that it needs */
	WALL_NOT_DUMPABLE,     /* others of its user cannot open its memory */
	WALL_NO_CORE,          /* it leaves no core file */
	WALL_LIMITS,           /* resource limits; the kernel kills it before others when short */
	WALL_LANDLOCK,         /* files, TCP ports, signals and ptrace: only what its kind needs */
	WALL_SECCOMP,          /* system calls: only those that its kind needs */
	WALL_MAX,
};

#define WALL_BIT(wall) (UINT32_C(1) << (wall))

enum wall_kind {
	WALL_FRONT = 1,
	WALL_WORKER,
	WALL_DEVICE_WORKER, /* a worker that holds a GPU */
	WALL_STREAM,
	WALL_INSPECT,
	WALL_KIND_MAX,
};

/* What a child has said of itself. */
struct walls {
	uint32_t standing;     /* bits, WALL_BIT() */
	uint32_t landlock_abi; /* 0: none */
};

#define WALLS_TEXT_MAX 160

/* "landlock"; NULL for what is no wall. */
const char *wall_name(uint32_t wall);

/* "vencd-worker", as its program, or "device-worker"; NULL for what is none. */
const char *wall_kind_name(uint32_t kind);

/* The walls that a kind is built with, as bits. */
uint32_t walls_of_kind(uint32_t kind);

/* Names, separated by one space, as bits; what is no name is passed over. */
uint32_t walls_parse(const char *names);

/* Bits as names, separated by one space. Returns text. */
const char *walls_print(uint32_t walls, char text[static WALLS_TEXT_MAX]);

#endif

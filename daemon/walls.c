// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Names of walls and of the children behind them.
 *
 * vencd-inspect is there to look at other processes of the daemon, which a Landlock domain forbids:
 * it is built without one.
 */

#include "daemon/walls.h"

#include <stdio.h>
#include <string.h>

#define ALL_WALLS (WALL_BIT(WALL_MAX) - WALL_BIT(WALL_NO_NEW_PRIVS))

static const char *const wall_names[WALL_MAX] = {
	[WALL_NO_NEW_PRIVS] = "no_new_privs",
	[WALL_NO_CAPABILITIES] = "no_capabilities",
	[WALL_NOT_DUMPABLE] = "not_dumpable",
	[WALL_NO_CORE] = "no_core",
	[WALL_LIMITS] = "limits",
	[WALL_LANDLOCK] = "landlock",
	[WALL_SECCOMP] = "seccomp",
};

static const struct {
	const char *name;
	uint32_t walls;
} kinds[WALL_KIND_MAX] = {
	[WALL_FRONT] = {"vencd-front", ALL_WALLS},
	[WALL_WORKER] = {"vencd-worker", ALL_WALLS},
	[WALL_DEVICE_WORKER] = {"device-worker", ALL_WALLS},
	[WALL_STREAM] = {"vencd-stream", ALL_WALLS},
	[WALL_INSPECT] = {"vencd-inspect", ALL_WALLS & ~WALL_BIT(WALL_LANDLOCK)},
};

const char *wall_name(uint32_t wall)
{
	return wall < WALL_MAX ? wall_names[wall] : NULL;
}

const char *wall_kind_name(uint32_t kind)
{
	return kind < WALL_KIND_MAX ? kinds[kind].name : NULL;
}

uint32_t walls_of_kind(uint32_t kind)
{
	return kind < WALL_KIND_MAX ? kinds[kind].walls : 0;
}

uint32_t walls_parse(const char *names)
{
	uint32_t walls = 0;

	while (*names) {
		size_t n = strcspn(names, " ");

		for (uint32_t wall = 1; wall < WALL_MAX; wall++)
			if (strlen(wall_names[wall]) == n && !strncmp(wall_names[wall], names, n))
				walls |= WALL_BIT(wall);
		names += n;
		names += strspn(names, " ");
	}
	return walls;
}

const char *walls_print(uint32_t walls, char text[static WALLS_TEXT_MAX])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t wall = 1; wall < WALL_MAX; wall++)
		if (walls & WALL_BIT(wall))
			used += (size_t)snprintf(text + used, WALLS_TEXT_MAX - used, "%s%s",
				used ? " " : "", wall_names[wall]);
	return text;
}

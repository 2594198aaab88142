// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Which walls stand around the children, by kind, as the last of each has said. What a kernel lacks
 * is logged once. What RequireWalls has and a child lacks makes it unusable: a worker gets no
 * attempt and no probe, an adapter no order, and a front refuses every session by name, since
 * somebody must say why.
 *
 * A child is believed here: at that moment nobody has spoken to it yet but us.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

static uint32_t lacking(const struct walls *walls, enum wall_kind kind)
{
	return walls_of_kind(kind) & ~walls->standing;
}

static void log_lacking(const struct supervisor *sv, enum wall_kind kind, uint32_t missing)
{
	char text[WALLS_TEXT_MAX];

	if (missing == 0)
		return;
	log_warning("%s stands without: %s; this kernel has no such wall%s", wall_kind_name(kind),
		walls_print(missing, text),
		missing & sv->required_walls ? ", which RequireWalls demands" : "");
}

int standing_refuses(
	const struct supervisor *supervisor, enum wall_kind kind, char why[static STANDING_WHY_MAX])
{
	const struct standing *standing = &supervisor->standing[kind];
	uint32_t missing = standing->seen ? lacking(&standing->walls, kind) : 0;
	char text[WALLS_TEXT_MAX];

	missing &= supervisor->required_walls;
	if (missing == 0)
		return 0;
	snprintf(why, STANDING_WHY_MAX,
		"RequireWalls demands that %s stands behind: %s; this kernel has no such wall",
		wall_kind_name(kind), walls_print(missing, text));
	return -EPERM;
}

int standing_note(struct supervisor *supervisor, enum wall_kind kind, const struct walls *walls)
{
	struct standing *standing = &supervisor->standing[kind];
	char why[STANDING_WHY_MAX];

	if (!standing->seen || standing->walls.standing != walls->standing)
		log_lacking(supervisor, kind, lacking(walls, kind));
	*standing = (struct standing){.seen = true, .walls = *walls};
	return standing_refuses(supervisor, kind, why);
}

/* What only the daemon knows of what hardware encoding needs, for doctor. */
static void fill_host(const struct supervisor *sv, struct wire_walls *m)
{
	const struct config *config = &sv->config;
	struct rlimit limit;

	m->hardware = config->hardware;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		m->descriptors = limit.rlim_cur;
	config_driver_variable(
		config, "LIBVA_DRIVERS_PATH=", m->drivers_path, sizeof(m->drivers_path));
	config_driver_variable(
		config, "LIBVA_DRIVER_NAME=", m->driver_name, sizeof(m->driver_name));
}

void standing_tell(struct front *front, uint64_t seq)
{
	const struct supervisor *sv = front->supervisor;
	struct wire_walls m = {.h = {WIRE_WALLS, sizeof(m), seq}};

	m.required = sv->required_walls;
	m.uid = geteuid();
	fill_host(sv, &m);
	for (uint32_t kind = 1; kind < WALL_KIND_MAX; kind++)
		if (sv->standing[kind].seen) {
			m.seen |= UINT32_C(1) << kind;
			m.kinds[kind] = sv->standing[kind].walls;
		}
	child_send(front->child, &m, NULL, 0);
}

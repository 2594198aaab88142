// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-front: talks to the clients of one uid. It is started by the supervisor with one fd, and
 * gets everything else over that one. What a client sends is parsed here and nowhere else; a
 * hostile client costs its own uid this process, which the supervisor watches, kills and replaces.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/front.h"
#include "daemon/wall/wall.h"

static int front_init(struct front *front)
{
	int r = sd_event_new(&front->event);

	front->state = FRONT_SERVING;
	front->next_seq = 1;
	front->kept = -1;
	LIST_INIT(&front->clients);
	LIST_INIT(&front->encodes);
	if (r >= 0)
		r = uplink_init(front);
	if (r >= 0)
		r = devices_init(front);
	if (r >= 0)
		r = client_server_init(front);
	return r;
}

static void front_clear(struct front *front)
{
	client_close_all(front);
	sd_varlink_server_unref(front->server);
	devices_clear(front);
	uplink_clear(front);
	sd_event_unref(front->event);
}

int main(void)
{
	struct front front = {0};
	struct wire_ready ready = {.h = {.type = WIRE_READY}};
	int r = wall_enter(WALL_FRONT, NULL, WIRE_FD, &ready.walls);

	signal(SIGPIPE, SIG_IGN);
	if (r >= 0 && fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC) < 0)
		r = -errno;
	if (r >= 0)
		r = front_init(&front);
	if (r < 0) {
		fprintf(stderr, "vencd-front: cannot start: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	uplink_tell(&front, &ready);
	/* sd_event_exit() would write to clients until they have read everything. */
	while (r >= 0 && front.state == FRONT_SERVING)
		r = sd_event_run(front.event, UINT64_MAX);
	if (r < 0)
		fprintf(stderr, "vencd-front: the event loop: %s\n", strerror(-r));
	front_clear(&front);
	return r >= 0 && front.state == FRONT_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
}

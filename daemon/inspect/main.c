// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-inspect: looks at one thread of one process for the supervisor, says what it saw, and ends.
 * Files of /proc/PID can block for as long as that process is in a bad way, which is when they are
 * wanted; so a process reads them that may be killed for it, and never the supervisor. It gets one
 * order and no other, takes no arguments, and gains no privilege.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/inspect/look.h"
#include "daemon/wall/wall.h"
#include "daemon/wire.h"

static bool is_wire(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static int confine(void)
{
	struct wire_ready ready = {.h = {.type = WIRE_READY}};
	int r = wall_enter(WALL_INSPECT, NULL, WIRE_FD, &ready.walls);

	if (r >= 0 && fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC) < 0)
		r = -errno;
	return r < 0 ? r : wire_send(WIRE_FD, &ready, NULL, 0);
}

/* The order is there already, or is about to be; a supervisor that is gone hangs up. */
static bool take_order(union wire_message *ret)
{
	struct pollfd p = {.fd = WIRE_FD, .events = POLLIN};

	return poll(&p, 1, -1) == 1 && wire_receive(WIRE_FD, ret, NULL, NULL) == 1 &&
		ret->h.type == WIRE_INSPECT;
}

int main(void)
{
	static union wire_message order;
	struct wire_inspected answer = {.h = {.type = WIRE_INSPECTED}};
	int r;

	if (!is_wire(WIRE_FD)) {
		fprintf(stderr, "vencd-inspect is started by vencd, not by hand\n");
		return 2;
	}
	r = confine();
	if (r < 0) {
		fprintf(stderr, "vencd-inspect: cannot build its walls: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	if (!take_order(&order))
		return EXIT_FAILURE;
	answer.h.seq = order.h.seq;
	look_at((pid_t)order.inspect.pid, (pid_t)order.inspect.tid, &answer.view);
	return wire_send(WIRE_FD, &answer, NULL, 0) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

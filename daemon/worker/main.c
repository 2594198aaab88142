// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-worker: the process that holds encoder libraries and their drivers. It is started by the
 * supervisor with one fd and nothing else, and prints nothing. With an argument it is the worker of
 * a device, whose render node that is; it holds this one and no other.
 *
 * Its libraries are loaded, and have done what they do once a process, before it goes behind its
 * walls; nothing of a client has reached it by then, and it has opened no device. All that comes
 * over the wire is read, and every encoder opened, behind them. A device's own library is loaded
 * there as well, since it may hang or crash where it is.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/wall/wall.h"
#include "daemon/wire.h"
#include "daemon/worker/loop.h"
#include "hw/encoder.h"

static bool is_wire(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static int confine(const char *device, struct walls *ret)
{
	enum wall_kind kind = device ? WALL_DEVICE_WORKER : WALL_WORKER;
	int r = wall_begin(kind);

	if (r < 0)
		return r;
	if (!device)
		encoders_warm();
	return wall_enter(kind, device, WIRE_FD, ret);
}

int main(int argc, char **argv)
{
	struct walls walls;
	int r;

	if (!is_wire(WIRE_FD)) {
		fprintf(stderr, "vencd-worker is started by vencd, not by hand\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	r = confine(argc > 1 ? argv[1] : NULL, &walls);
	if (r < 0) {
		fprintf(stderr, "vencd-worker: cannot build its walls: %s\n", strerror(-r));
		_exit(EXIT_FAILURE);
	}
	if (fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC) < 0)
		_exit(EXIT_FAILURE);
	worker_loop(WIRE_FD, &walls);
	_exit(EXIT_FAILURE);
}

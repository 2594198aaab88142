// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-inspect: looks at one thread of one process for the supervisor, says what it saw, and ends.
 * Files of /proc/PID can block for as long as that process is in a bad way, which is when they are
 * wanted; so a process reads them that may be killed for it, and never the supervisor. It gets one
 * order and no other, takes no arguments, and gains no privilege.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/inspect/look.h"
#include "daemon/wire.h"

static bool is_wire(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static int confine(void)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -1;
	return fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC);
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

	if (!is_wire(WIRE_FD)) {
		fprintf(stderr, "vencd-inspect is started by vencd, not by hand\n");
		return 2;
	}
	if (confine() < 0) {
		perror("vencd-inspect: cannot confine itself");
		return EXIT_FAILURE;
	}
	if (!take_order(&order))
		return EXIT_FAILURE;
	answer.h.seq = order.h.seq;
	look_at((pid_t)order.inspect.pid, (pid_t)order.inspect.tid, &answer.view);
	return wire_send(WIRE_FD, &answer, NULL, 0) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

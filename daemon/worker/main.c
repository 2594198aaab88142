// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-worker: the process that holds encoder libraries and their drivers. It is started by the
 * supervisor with one fd and nothing else, takes no arguments, reads no file of its own and prints
 * nothing. It can gain no privilege, dies with the supervisor, and leaves no core file and no way
 * for a process of the same user into its memory.
 */

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/wire.h"
#include "daemon/worker/loop.h"

static bool is_wire(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* Whether the supervisor died before this process could ask to die with it. */
static bool is_orphan(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

/*
 * SVT-AV1 makes its threads real-time ones where it may, which is as root: they would go before the
 * supervisor and everything else on the machine.
 */
static int give_up_priority(void)
{
	const struct rlimit none = {0, 0};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (setrlimit(RLIMIT_RTPRIO, &none) < 0 || syscall(SYS_capget, &header, sets) < 0)
		return -1;
	sets[CAP_TO_INDEX(CAP_SYS_NICE)].effective &= ~CAP_TO_MASK(CAP_SYS_NICE);
	sets[CAP_TO_INDEX(CAP_SYS_NICE)].permitted &= ~CAP_TO_MASK(CAP_SYS_NICE);
	sets[CAP_TO_INDEX(CAP_SYS_NICE)].inheritable &= ~CAP_TO_MASK(CAP_SYS_NICE);
	return (int)syscall(SYS_capset, &header, sets);
}

static int confine(void)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -1;
	if (give_up_priority() < 0)
		return -1;
	return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

int main(void)
{
	if (!is_wire(WIRE_FD)) {
		fprintf(stderr, "vencd-worker is started by vencd, not by hand\n");
		return 2;
	}
	if (confine() < 0) {
		perror("vencd-worker: cannot confine itself");
		_exit(EXIT_FAILURE);
	}
	if (fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC) < 0 || is_orphan(WIRE_FD))
		_exit(EXIT_FAILURE);
	worker_loop(WIRE_FD);
	_exit(EXIT_FAILURE);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The walls of a child process. Fronts parse what strangers send, adapters what strangers made,
 * workers run vendors' code: each is taken to be in a stranger's hands from its first message on,
 * and what it could do then is decided here, once, by tables.
 *
 * All of it happens at start-up, before the first message is read. A worker has its libraries
 * loaded by then and what they do once a process done (encoder_warm()), so that it needs no file
 * but a few that tell of processors and memory; it belongs to no client yet and has opened no
 * device. A worker of a device is another kind: a vendor's library is loaded behind its walls,
 * since loading it is what may hang, so they let it read and map code, and open its one node.
 *
 * Children run as the user of the supervisor and beside children of other clients. Limits keep one
 * from using up the host. Its memory cannot be opened by the others, nor does it reach a core file.
 * Landlock denies it what it can reach by name, seccomp what it could ask of the kernel at all;
 * either is enough for most of what a child must not do, so that a kernel without one of them is
 * still one with a wall. Which stand is told to the supervisor, and what to do about it is decided
 * there (RequireWalls).
 *
 * What no wall here stops: using up the processor time of the host, except that adapters give way
 * to the others, and talking in another way to those with whom it shares memory.
 */

#include "daemon/wall/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sanitizer.h"
#include "daemon/wall/parts.h"

#define GIB ((rlim_t)1 << 30)
#define DAY ((rlim_t)24 * 3600)
#define FOR_SANITIZED (1u << WALL_KIND_MAX) /* such a build can live with it */

/*
 * The descriptors of a front are bounded by the connections of its user; its limit also counts the
 * descriptors that no client of any front has read yet, and must not be what stops it.
 */
static const struct limit {
	unsigned kinds;
	int resource;
	rlim_t limit;
} limits[] = {
	{FOR_ALL | FOR_SANITIZED, RLIMIT_RTPRIO, 0},
	{FOR_ALL | FOR_SANITIZED, RLIMIT_NICE, 0},
	{FOR_ALL | FOR_SANITIZED, RLIMIT_MSGQUEUE, 0},
	{FOR_FRONT | FOR_STREAM | FOR_INSPECT | FOR_SANITIZED, RLIMIT_MEMLOCK, 0},

	/* It makes no process and no thread; 1 is itself. */
	{FOR_FRONT | FOR_INSPECT, RLIMIT_NPROC, 1},
	{FOR_FRONT, RLIMIT_AS, 16 * GIB},

	/* An 8192x8192 session with a long lookahead, four times over. */
	{FOR_WORKERS, RLIMIT_AS, 256 * GIB},
	{FOR_WORKERS | FOR_SANITIZED, RLIMIT_NOFILE, 4096},
	{FOR_WORKERS | FOR_SANITIZED, RLIMIT_FSIZE, 16 << 20}, /* a library's log, in memory */

	/* The largest pool (8192x8192 in 10 bits) and a decoder; a day of 16 processors. */
	{FOR_STREAM, RLIMIT_AS, 48 * GIB},
	{FOR_STREAM | FOR_SANITIZED, RLIMIT_CPU, 16 * DAY},
	{FOR_STREAM | FOR_SANITIZED, RLIMIT_NOFILE, 256},

	{FOR_INSPECT, RLIMIT_AS, 1 * GIB},
	{FOR_INSPECT | FOR_SANITIZED, RLIMIT_CPU, 60},
	{FOR_INSPECT | FOR_SANITIZED, RLIMIT_NOFILE, 64},
	{FOR_INSPECT | FOR_SANITIZED, RLIMIT_FSIZE, 0},
};

/* Short of memory, the kernel takes what costs the fewest clients first. */
static const int oom_score[WALL_KIND_MAX] = {
	[WALL_FRONT] = 500,
	[WALL_WORKER] = 700,
	[WALL_DEVICE_WORKER] = 700,
	[WALL_STREAM] = 900,
	[WALL_INSPECT] = 1000,
};

/*
 * An adapter decodes in as many threads as it likes, for one client; what a worker does is waited
 * for by a clock, and what the supervisor does by everybody. The others work little: a lower
 * priority would only have them starve, and be killed for it, where a host is full.
 */
static const int niceness[WALL_KIND_MAX] = {[WALL_STREAM] = 10};

/* What reading another process's kernel stack and wait channel takes. */
#define INSPECT_CAPABILITIES (CAP_TO_MASK(CAP_SYS_PTRACE) | CAP_TO_MASK(CAP_SYS_ADMIN))

static int lower_limit(int resource, rlim_t to)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max > to)
		limit.rlim_max = to;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

/* It can only be raised, so a child cannot undo it. */
static int raise_oom_score(enum wall_kind kind)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), r = 0;
	char text[16] = "";

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		r = -errno;
	if (r == 0 && atoi(text) < oom_score[kind]) {
		int n = snprintf(text, sizeof(text), "%d", oom_score[kind]);

		if (pwrite(fd, text, (size_t)n, 0) < 0)
			r = -errno;
	}
	close(fd);
	return r;
}

/*
 * Where the kernel groups processes by session (sched_autogroup), a child has a group of its own,
 * and only the group's niceness counts. Kernels without have no such file, and one who is not root
 * may be told to come back later: the process's own is what must stand.
 */
static void lower_group_priority(int by)
{
	int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)dprintf(fd, "%d", by);
	close(fd);
}

static int lower_priority(enum wall_kind kind)
{
	int now;

	if (niceness[kind] == 0) /* the supervisor's, whatever it is */
		return 0;
	errno = 0;
	now = getpriority(PRIO_PROCESS, 0);
	if (now == -1 && errno)
		return -errno;
	if (now >= niceness[kind])
		return 0;
	lower_group_priority(niceness[kind]);
	return setpriority(PRIO_PROCESS, 0, niceness[kind]) < 0 ? -errno : 0;
}

static int set_limits(enum wall_kind kind)
{
	int r;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		if (!(limits[i].kinds & 1u << kind) ||
			(HAS_SANITIZER && !(limits[i].kinds & FOR_SANITIZED)))
			continue;
		r = lower_limit(limits[i].resource, limits[i].limit);
		if (r < 0)
			return r;
	}
	/* A write beyond a limit fails then, and ends nobody. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return -errno;
	r = lower_priority(kind);
	return r < 0 ? r : raise_oom_score(kind);
}

/*
 * One thing that is thereby no longer possible: SVT-AV1 makes its threads real-time ones where it
 * may, which is as root, and they would go before the supervisor and all else on the host. It
 * begins with the thread that warms it.
 */
static int drop_capabilities(enum wall_kind kind)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	uint32_t kept = kind == WALL_INSPECT ? INSPECT_CAPABILITIES : 0;

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].effective &= i == 0 ? kept : 0;
		sets[i].permitted &= i == 0 ? kept : 0;
		sets[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

/* Whether the supervisor died before this process could ask to die with it. */
static int die_with_supervisor(int wire)
{
	struct pollfd p = {.fd = wire};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL) ? -EPIPE : 0;
}

static int no_new_privs(enum wall_kind kind)
{
	(void)kind;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* LeakSanitizer looks at the process from a second one, which must be possible then. */
static int not_dumpable(enum wall_kind kind)
{
	(void)kind;
	return prctl(PR_SET_DUMPABLE, HAS_SANITIZER, 0, 0, 0) < 0 ? -errno : 0;
}

static int no_core(enum wall_kind kind)
{
	(void)kind;
	return lower_limit(RLIMIT_CORE, 0);
}

/*
 * In this order: what needs /proc or a system call comes before the wall that takes it away. What
 * may be lacking returns a positive number where it stands.
 */
static const struct {
	enum wall wall;
	int (*build)(enum wall_kind kind); /* NULL: build_landlock() */
} builders[] = {
	{WALL_NO_NEW_PRIVS, no_new_privs},
	{WALL_LIMITS, set_limits},
	{WALL_NO_CAPABILITIES, drop_capabilities},
	{WALL_NO_CORE, no_core},
	{WALL_NOT_DUMPABLE, not_dumpable},
	{WALL_LANDLOCK, NULL},
	{WALL_SECCOMP, wall_seccomp},
};

int wall_begin(enum wall_kind kind)
{
	int r = no_new_privs(kind);

	r = r < 0 ? r : set_limits(kind);
	return r < 0 ? r : drop_capabilities(kind);
}

/* The only wall that has a door of its own for a device. */
static int build_landlock(enum wall_kind kind, const char *device, struct walls *ret)
{
	int abi = wall_landlock(kind, device);

	if (abi > 0)
		ret->landlock_abi = (uint32_t)abi;
	return abi;
}

int wall_enter(enum wall_kind kind, const char *device, int wire, struct walls *ret)
{
	int r = die_with_supervisor(wire);

	*ret = (struct walls){0};
	for (size_t i = 0; r == 0 && i < sizeof(builders) / sizeof(*builders); i++) {
		int built;

		if (!(walls_of_kind(kind) & WALL_BIT(builders[i].wall)))
			continue;
		built = builders[i].build ? builders[i].build(kind)
					  : build_landlock(kind, device, ret);
		if (built >= 0)
			ret->standing |= WALL_BIT(builders[i].wall);
		else if (built != -EOPNOTSUPP)
			r = built;
	}
	return r;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The Landlock domain: nothing of the file system but what a kind's rows name, no TCP port, no
 * signal to a process outside of it, no abstract socket, and (which Landlock always denies) no
 * ptrace and no opening of the memory of a process outside.
 *
 * Files that are open already, and those that come over the wire, are not touched by it. Neither
 * are memfds and pipes, whose file systems have no name in the tree: that one received for reading
 * is not opened again for writing through /proc/self/fd is seccomp's to see to.
 *
 * A kernel that knows less is used as far as it goes; the ABI is reported.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sanitizer.h"
#include "daemon/wall/parts.h"

/* Of later headers, where those at hand are older. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define FS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define NET_TCP 3ULL   /* bind and connect */
#define SCOPE_ALL 3ULL /* abstract sockets and signals */
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* The kernel takes a shorter struct of an older program, and a longer one if the rest is zero. */
struct ruleset {
	uint64_t fs, net, scoped;
};

/* What each ABI can handle; later ones handle at least that of the last. */
static const struct ruleset by_abi[] = {
	[1] = {FS_ABI_1, 0, 0},
	[2] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER, 0, 0},
	[3] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE, 0, 0},
	[4] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE, NET_TCP, 0},
	[5] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE |
			LANDLOCK_ACCESS_FS_IOCTL_DEV,
		NET_TCP, 0},
	[6] = {FS_ABI_1 | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE |
			LANDLOCK_ACCESS_FS_IOCTL_DEV,
		NET_TCP, SCOPE_ALL},
};

#define ABI_MAX (sizeof(by_abi) / sizeof(*by_abi) - 1)

/*
 * What x264, x265 and SVT-AV1 look at when they are opened, and the C library's allocator when it
 * shrinks an arena: processors, their nodes, the memory policy. Found with strace; nothing else is
 * opened, and no library is loaded, after the warm-up. A front opens nothing at all.
 */
static const struct path {
	unsigned kinds;
	const char *path;
	uint64_t access;
} paths[] = {
	{FOR_WORKER, "/proc/cpuinfo", LANDLOCK_ACCESS_FS_READ_FILE},
	{FOR_WORKER | FOR_STREAM, "/proc/sys/vm/overcommit_memory", LANDLOCK_ACCESS_FS_READ_FILE},
	{FOR_WORKER, "/sys/devices/system/cpu", READ},
	{FOR_WORKER, "/sys/devices/system/node", READ},
	{FOR_STREAM, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE}, /* a muxer's identifiers */
#if HAS_SANITIZER
	{FOR_ALL, "/", READ | LANDLOCK_ACCESS_FS_EXECUTE}, /* for its reports, and to say where */
#endif
};

/* A host may lack one of these: what is not there is not needed there. */
static int allow(int ruleset, const struct path *row)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = row->access};
	int r = 0;

	rule.parent_fd = open(row->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		r = -errno;
	close(rule.parent_fd);
	return r;
}

static int build(int ruleset, enum wall_kind kind)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int r = paths[i].kinds & 1u << kind ? allow(ruleset, &paths[i]) : 0;

		if (r < 0)
			return r;
	}
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

int wall_landlock(enum wall_kind kind)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const struct ruleset *handled;
	int ruleset, r;

	if (abi < 1) /* not built in, or switched off at boot */
		return abi < 0 && errno != ENOSYS && errno != EOPNOTSUPP ? -errno : -EOPNOTSUPP;
	handled = &by_abi[abi < (long)ABI_MAX ? (size_t)abi : ABI_MAX];
	ruleset = (int)syscall(SYS_landlock_create_ruleset, handled, sizeof(*handled), 0);
	if (ruleset < 0)
		return -errno;
	r = build(ruleset, kind);
	close(ruleset);
	return r < 0 ? r : (int)abi;
}

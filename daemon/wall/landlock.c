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
#include <limits.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#define READ_FILE LANDLOCK_ACCESS_FS_READ_FILE
#define NODE (READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/*
 * What x264, x265 and SVT-AV1 look at when they are opened, and the C library's allocator when it
 * shrinks an arena: processors, their nodes, the memory policy. Found with strace; nothing else is
 * opened, and no library is loaded, after the warm-up. A front opens nothing at all.
 *
 * A worker of a device loads the vendor's libraries and their data behind the wall, and libdrm and
 * Mesa look for the device in sysfs, of which the rest (kernel, modules, firmware) is not theirs.
 * Code and data of the system are no secret; of /etc there is what the loader, libva and Mesa read.
 * Where a driver lies elsewhere, the operator says so in DriverEnvironment (library_paths), and may
 * look there, too.
 */
static const struct path {
	unsigned kinds;
	const char *path;
	uint64_t access;
} paths[] = {
	{FOR_WORKERS, "/proc/cpuinfo", READ_FILE},
	{FOR_WORKERS | FOR_STREAM, "/proc/sys/vm/overcommit_memory", READ_FILE},
	{FOR_WORKER, "/sys/devices/system/cpu", READ},
	{FOR_WORKER, "/sys/devices/system/node", READ},
	{FOR_STREAM, "/dev/urandom", READ_FILE}, /* a muxer's identifiers */

	{FOR_DEVICE, "/proc/self", READ},         /* its own program and threads */
	{FOR_DEVICE, "/proc/meminfo", READ_FILE}, /* how much to take for itself */
	{FOR_DEVICE, "/sys/dev/char", READ},      /* what its device is: ways to it, */
	{FOR_DEVICE, "/sys/class/drm", READ},     /* such as this, */
	{FOR_DEVICE, "/sys/bus/pci", READ},       /* and this, */
	{FOR_DEVICE, "/sys/devices", READ},       /* and where they lead */
	{FOR_DEVICE, "/dev/dri", LANDLOCK_ACCESS_FS_READ_DIR},
	{FOR_DEVICE, "/usr", READ}, /* libraries and their data, here and where they once lay */
	{FOR_DEVICE, "/lib", READ}, {FOR_DEVICE, "/lib64", READ},
	{FOR_DEVICE, "/etc/ld.so.cache", READ_FILE}, /* where libraries are */
	{FOR_DEVICE, "/etc/libva.conf", READ_FILE}, {FOR_DEVICE, "/etc/drirc", READ_FILE},
#if HAS_SANITIZER
	{FOR_ALL, "/", READ | LANDLOCK_ACCESS_FS_EXECUTE}, /* for its reports, and to say where */
#endif
};

/* Lists of directories, in which a vendor's libraries may lie. */
static const char *const library_paths[] = {"LIBVA_DRIVERS_PATH", "LD_LIBRARY_PATH"};

/*
 * A host may lack one of these: what is not there is not needed there. What of the access this
 * kernel's Landlock does not handle, it does not hold back either.
 */
static int allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	int r = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		r = -errno;
	close(rule.parent_fd);
	return r;
}

static int allow_libraries(int ruleset, const char *list)
{
	char path[PATH_MAX];
	int r = 0;

	while (r == 0 && list && *list) {
		size_t n = strcspn(list, ":");

		snprintf(path, sizeof(path), "%.*s/.", (int)n, list); /* a directory, or ENOTDIR */
		if (n > 0)
			r = allow(ruleset, path, READ);
		list += n + (list[n] == ':');
	}
	return r;
}

static int allow_device(int ruleset, const char *device, uint64_t handled)
{
	int r = allow(ruleset, device, NODE & handled);

	for (size_t i = 0; r == 0 && i < sizeof(library_paths) / sizeof(*library_paths); i++)
		r = allow_libraries(ruleset, getenv(library_paths[i]));
	return r;
}

static int build(int ruleset, enum wall_kind kind, const char *device, uint64_t handled)
{
	int r = device ? allow_device(ruleset, device, handled) : 0;

	for (size_t i = 0; r == 0 && i < sizeof(paths) / sizeof(*paths); i++)
		if (paths[i].kinds & 1u << kind)
			r = allow(ruleset, paths[i].path, paths[i].access);
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	return r;
}

int wall_landlock(enum wall_kind kind, const char *device)
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
	r = build(ruleset, kind, device, handled->fs);
	close(ruleset);
	return r < 0 ? r : (int)abi;
}

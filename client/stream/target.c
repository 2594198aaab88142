// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * A file that is either whole or not there under its name.
 *
 * The output is written to NAME.partial in the same folder. Only a whole one is synchronised and
 * renamed onto NAME, so that neither a crash nor a full disk nor a bad input replaces a good
 * file, and a script that looks for NAME never finds half of it. A lock keeps two encodes from
 * writing one partial file. What is no regular file (a FIFO, /dev/null) is written in place.
 */

#include "client/stream/target.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".partial"

static int open_direct(struct target *target, const char *path)
{
	target->kind = TARGET_DIRECT;
	target->fd = open(path, O_WRONLY | O_CLOEXEC);
	return target->fd < 0 ? -errno : 0;
}

static int open_stdout(struct target *target)
{
	target->kind = TARGET_DIRECT;
	target->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return target->fd < 0 ? -errno : 0;
}

static bool is_input(const struct stat *st, int input_fd)
{
	struct stat input;

	return S_ISREG(st->st_mode) && fstat(input_fd, &input) == 0 && st->st_dev == input.st_dev &&
		st->st_ino == input.st_ino;
}

/* Locked and known to be nobody else's before a byte of it is thrown away. */
static int empty_partial(const struct target *target, int input_fd)
{
	struct stat own;

	if (flock(target->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(target->fd, &own) < 0)
		return -errno;
	if (!S_ISREG(own.st_mode))
		return -EINVAL;
	if (is_input(&own, input_fd))
		return -EEXIST;
	return ftruncate(target->fd, 0) < 0 ? -errno : 0;
}

/* The name itself, or what it links to: a rename would replace the link. */
static char *resolve(const char *path)
{
	char *resolved = realpath(path, NULL);

	return resolved ? resolved : strdup(path);
}

static int open_partial(struct target *target, const char *path, int input_fd)
{
	target->kind = TARGET_RENAMED;
	target->path = resolve(path);
	if (!target->path || asprintf(&target->partial, "%s" SUFFIX, target->path) < 0)
		return -ENOMEM;
	target->fd = open(
		target->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
	return target->fd < 0 ? -errno : empty_partial(target, input_fd);
}

int target_open(struct target *ret, const char *path, int input_fd)
{
	struct stat st;
	int r;

	*ret = (struct target){.fd = -1};
	if (strcmp(path, "-") == 0)
		r = open_stdout(ret);
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = -EISDIR;
	else if (stat(path, &st) == 0 && is_input(&st, input_fd))
		r = -ELOOP;
	else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		r = open_direct(ret, path);
	else
		r = open_partial(ret, path, input_fd);
	if (r < 0)
		target_clear(ret);
	return r;
}

/* Best effort: the name is right now, only not yet on the disk. */
static void sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

int target_commit(struct target *target)
{
	if (target->kind == TARGET_DIRECT)
		return 0;
	if (fsync(target->fd) < 0 || rename(target->partial, target->path) < 0)
		return -errno;
	sync_folder(target->path);
	return 0;
}

int target_leave(struct target *target)
{
	struct stat st;

	if (target->kind == TARGET_DIRECT || fstat(target->fd, &st) < 0 || st.st_size > 0)
		return 1;
	unlink(target->partial);
	return 0;
}

void target_clear(struct target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	free(target->path);
	free(target->partial);
	*target = (struct target){.fd = -1};
}

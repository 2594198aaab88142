// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Reads and writes that can be given up.
 *
 * The descriptor belongs to somebody else and may be shared with other processes, so O_NONBLOCK
 * is never set on it: the open file would change for them too. Instead every read or write of
 * something that can keep us waiting is preceded by a poll() that also watches stop_fd, and is
 * then small enough not to wait: a pipe that polls writable takes PIPE_BUF bytes at once, and a
 * socket is written with MSG_DONTWAIT. Once stopped nothing is read, and written only what is
 * taken at once. Regular files are not polled (they always poll ready); one on a dead network
 * mount waits where nobody can call it back, which is the caller's to bound.
 */

#include "client/stream/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)

int descriptor_init(
	struct descriptor *ret, int fd, int stop_fd, descriptor_stop stop, void *userdata)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	*ret = (struct descriptor){.fd = fd,
		.kind = DESCRIPTOR_SEQUENCE,
		.stop_fd = stop_fd,
		.stop = stop,
		.userdata = userdata};
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		ret->kind = DESCRIPTOR_FILE;
	else if (S_ISSOCK(st.st_mode))
		ret->kind = DESCRIPTOR_SOCKET;
	else if (S_ISFIFO(st.st_mode))
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* fewer, longer reads; may be refused */
	ret->seekable = ret->kind == DESCRIPTOR_FILE && lseek(fd, 0, SEEK_CUR) >= 0;
	return 0;
}

static bool is_stopped(const struct descriptor *descriptor)
{
	return descriptor->stop && descriptor->stop(descriptor->userdata);
}

/* Waits for events on the descriptor, or until told to stop. */
static int wait_for(const struct descriptor *descriptor, short events)
{
	struct pollfd fds[2] = {
		{.fd = descriptor->fd, .events = events},
		{.fd = descriptor->stop_fd, .events = POLLIN},
	};

	if (descriptor->kind == DESCRIPTOR_FILE)
		return 0;
	for (;;) {
		bool stopped = is_stopped(descriptor);

		fds[0].revents = fds[1].revents = 0;
		if (poll(fds, 2, stopped ? 0 : -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return 0;
		if (stopped)
			return -ECANCELED;
	}
}

ssize_t descriptor_readv(const struct descriptor *descriptor, const struct iovec *iov, int n)
{
	for (;;) {
		int r = is_stopped(descriptor) ? -ECANCELED : wait_for(descriptor, POLLIN);
		ssize_t got;

		if (r < 0)
			return r;
		got = readv(descriptor->fd, iov, n);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

ssize_t descriptor_read(const struct descriptor *descriptor, void *data, size_t size)
{
	return descriptor_readv(descriptor, &(struct iovec){data, size}, 1);
}

static ssize_t write_ready(const struct descriptor *descriptor, const void *data, size_t size)
{
	switch (descriptor->kind) {
	case DESCRIPTOR_SOCKET:
		return send(descriptor->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	case DESCRIPTOR_SEQUENCE:
		return write(descriptor->fd, data, size < PIPE_BUF ? size : PIPE_BUF);
	case DESCRIPTOR_FILE:
		return write(descriptor->fd, data, size);
	}
	errno = EINVAL;
	return -1;
}

ssize_t descriptor_write(const struct descriptor *descriptor, const void *data, size_t size)
{
	for (;;) {
		int r = wait_for(descriptor, POLLOUT);
		ssize_t put;

		if (r < 0)
			return r;
		put = write_ready(descriptor, data, size);
		if (put >= 0)
			return put;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_DESCRIPTOR_H
#define VENCD_STREAM_DESCRIPTOR_H

/*
 * Reads and writes on a descriptor that somebody else made, which can be given up in the middle.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

enum descriptor_kind {
	DESCRIPTOR_FILE = 1, /* a regular file or block device: never polled */
	DESCRIPTOR_SEQUENCE, /* a pipe, terminal or other device */
	DESCRIPTOR_SOCKET,
};

/* Asked before a read or write waits and each time stop_fd is readable. True: give up. */
typedef bool (*descriptor_stop)(void *userdata);

struct descriptor {
	int fd;
	enum descriptor_kind kind;
	bool seekable;
	int stop_fd;          /* polled beside fd; -1: none */
	descriptor_stop stop; /* NULL: never */
	void *userdata;
};

/* Finds out what fd is. It stays the caller's. */
int descriptor_init(
	struct descriptor *ret, int fd, int stop_fd, descriptor_stop stop, void *userdata);

/* Like read(2) and readv(2), but return -ECANCELED once told to stop. */
ssize_t descriptor_read(const struct descriptor *descriptor, void *data, size_t size);
ssize_t descriptor_readv(const struct descriptor *descriptor, const struct iovec *iov, int n);

/* Like write(2), but may write less, and returns -ECANCELED where it would wait once stopped. */
ssize_t descriptor_write(const struct descriptor *descriptor, const void *data, size_t size);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Writing the output, so that a full disk still leaves a file that can be read.
 *
 * A container is readable only with its trailer (MP4's index stands there), and the trailer
 * needs room just when there is none. So on a regular file the blocks for the trailer are
 * allocated ahead of the data (fallocate beyond the end of the file, in steps). When that fails
 * for want of room the error is kept, though the write itself still fits: the pump sees it, ends
 * the encode, and the trailer goes into what was set aside. Where a filesystem cannot allocate,
 * or the output is a pipe, there is no such room, and the first failing write is the end of the
 * file.
 *
 * After a write that failed nothing is written at all any more, not even at the file's start: a
 * muxer that mends its head without having written its tail makes a worse file of it.
 */

#include "client/stream/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define STEP_BYTES ((int64_t)4 << 20)

void sink_init(struct sink *ret, const struct descriptor *descriptor)
{
	*ret = (struct sink){.fd = *descriptor};
	ret->can_allocate = descriptor->kind == DESCRIPTOR_FILE && descriptor->seekable;
}

void sink_set_room(struct sink *sink, uint64_t bytes)
{
	sink->room = bytes;
}

static void fail(struct sink *sink, int error)
{
	if (!sink->error)
		sink->error = error;
}

static bool allocate(struct sink *sink, int64_t until)
{
	if (fallocate(sink->fd.fd, FALLOC_FL_KEEP_SIZE, sink->allocated, until - sink->allocated) <
		0)
		return false;
	sink->allocated = until;
	return true;
}

static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* Makes sure that size bytes at the end and the trailer behind them have a place. */
static void keep_room(struct sink *sink, size_t size)
{
	int64_t need = sink->position + (int64_t)size + (int64_t)sink->room;

	if (!sink->can_allocate || need <= sink->allocated)
		return;
	if (allocate(sink, need + STEP_BYTES) || allocate(sink, need))
		return;
	if (is_full(errno))
		fail(sink, -errno);
	else
		sink->can_allocate = false;
}

static int write_all(struct sink *sink, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t put = descriptor_write(&sink->fd, data, size);

		if (put <= 0) {
			sink->broken = true;
			fail(sink, put < 0 ? (int)put : -EIO);
			return sink->error;
		}
		data += put;
		size -= (size_t)put;
		sink->position += put;
		if (sink->position > sink->end)
			sink->end = sink->position;
	}
	return 0;
}

/* After an error only what was set aside is written to. */
static bool has_place(const struct sink *sink, size_t size)
{
	int64_t until = sink->position + (int64_t)size;

	return !sink->error || until <= sink->allocated;
}

int sink_write(struct sink *sink, const void *data, size_t size)
{
	if (!sink->error)
		keep_room(sink, size);
	if (sink->broken || !has_place(sink, size))
		return sink->error;
	return write_all(sink, data, size);
}

int64_t sink_seek(struct sink *sink, int64_t offset, int whence)
{
	off_t at;

	if (whence == SEEK_END)
		offset += sink->end;
	else if (whence == SEEK_CUR)
		offset += sink->position;
	at = lseek(sink->fd.fd, offset, SEEK_SET);
	if (at < 0)
		return -errno;
	sink->position = at;
	return at;
}

void sink_use_room(struct sink *sink)
{
	sink->room = 0;
}

bool sink_is_broken(const struct sink *sink)
{
	return sink->broken;
}

int sink_finish(struct sink *sink)
{
	if (sink->allocated > sink->end && ftruncate(sink->fd.fd, sink->end) < 0)
		fail(sink, -errno);
	return sink->error;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * libavformat reads through here alone: from a descriptor that we were given, never from a name
 * that a file tells it. A playlist or a reference inside a hostile file opens nothing in the stream
 * adapter, and local files only in the tool.
 */

#include "client/stream/media_io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (128 << 10)

static int read_packet(void *opaque, uint8_t *data, int size)
{
	struct media_reader *reader = opaque;
	ssize_t got;

	if (reader->barren >= BARREN_BYTES_MAX)
		return AVERROR(EFBIG);
	got = descriptor_read(reader->input, data, (size_t)size);
	if (got > 0)
		reader->barren += (uint64_t)got;
	if (got == -ECANCELED)
		return AVERROR_EXIT;
	return got == 0 ? AVERROR_EOF : (int)got;
}

static int64_t seek(void *opaque, int64_t offset, int whence)
{
	const struct descriptor *input = ((struct media_reader *)opaque)->input;
	struct stat st;
	off_t at;

	if (whence & AVSEEK_SIZE)
		return fstat(input->fd, &st) < 0 ? AVERROR(errno) : st.st_size;
	at = lseek(input->fd, offset, whence & ~AVSEEK_FORCE);
	return at < 0 ? AVERROR(errno) : at;
}

AVIOContext *media_io_new(struct media_reader *reader)
{
	unsigned char *buffer = av_malloc(BUFFER_BYTES);
	AVIOContext *io = NULL;

	if (buffer)
		io = avio_alloc_context(buffer, BUFFER_BYTES, 0, reader, read_packet, NULL,
			reader->input->seekable ? seek : NULL);
	if (!io)
		av_free(buffer);
	return io;
}

void media_io_free(AVIOContext **io)
{
	if (!*io)
		return;
	av_freep(&(*io)->buffer);
	avio_context_free(io);
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
	AVDictionary **options)
{
	(void)format, (void)io, (void)url, (void)flags, (void)options;
	return AVERROR(EACCES);
}

void media_io_fence(AVFormatContext *format, bool nested)
{
	if (nested) {
		format->protocol_whitelist = av_strdup("file");
		return;
	}
	format->protocol_whitelist = av_strdup("");
	format->io_open = refuse_open;
}

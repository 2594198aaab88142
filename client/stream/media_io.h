// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_MEDIA_IO_H
#define VENCD_STREAM_MEDIA_IO_H

#include <libavformat/avformat.h>

#include "client/stream/descriptor.h"

/* Bytes read in a row of which no packet came; then reading ends. */
#define BARREN_BYTES_MAX (256u << 20)

struct media_reader {
	const struct descriptor *input;
	uint64_t barren; /* bytes since the last packet; whoever takes packets sets it to 0 */
};

/* libavformat's reads from a descriptor; the reader must outlive it. NULL without memory. */
AVIOContext *media_io_new(struct media_reader *reader);
void media_io_free(AVIOContext **io);

/*
 * Fences what a demuxer may open by itself (playlists, references): local files where `nested`,
 * nothing at all otherwise.
 */
void media_io_fence(AVFormatContext *format, bool nested);

#endif

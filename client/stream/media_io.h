// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_MEDIA_IO_H
#define VENCD_STREAM_MEDIA_IO_H

#include <libavformat/avformat.h>

#include "client/stream/descriptor.h"

/* libavformat's reads from a descriptor; input must outlive it. NULL without memory. */
AVIOContext *media_io_new(struct descriptor *input);
void media_io_free(AVIOContext **io);

/*
 * Fences what a demuxer may open by itself (playlists, references): local files where `nested`,
 * nothing at all otherwise.
 */
void media_io_fence(AVFormatContext *format, bool nested);

#endif

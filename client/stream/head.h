// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_HEAD_H
#define VENCD_STREAM_HEAD_H

#include <libavformat/avformat.h>

#include "client/stream/output.h"

/* Bytes that Matroska collects before it writes them. */
#define HEAD_CLUSTER_BYTES (512 << 10)

/*
 * Adds the video stream and the tracks to a muxer and writes the container's head. `first` is the
 * session's first packet, whose parameter sets the container may need. Negative AVERROR.
 */
int head_write(AVFormatContext *muxer, const struct output_setup *setup, const AVPacket *first);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_MEDIA_LIMITS_H
#define VENCD_STREAM_MEDIA_LIMITS_H

/* What one input may cost, and how that is said when it would cost more. */

#include <stdbool.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "client/stream/media_io.h"

/* Packets in a row of which no picture comes: of the video, and of all streams. */
#define PICTURELESS_VIDEO_MAX 10000u
#define PICTURELESS_MAX 1000000u

/* Before the input is opened. */
void media_limits_demuxer(AVFormatContext *format);

/* avformat_find_stream_info(), whose own decoders know the limit on pictures, too. */
int media_limits_find_info(AVFormatContext *format);

/* Before the decoder is opened, with its parameters set. */
void media_limits_decoder(AVCodecContext *decoder);

/*
 * After an error of a decoder: whether there is no memory left for a picture, which many decoders
 * call damage.
 */
bool media_limits_starved(const AVCodecContext *decoder);

/* Why it cannot be read, in SOURCE_TEXT_MAX bytes: the limit that was met, else what r says. */
void media_limits_explain(const struct media_reader *reader, int r, char *text);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_MEDIA_INFO_H
#define VENCD_STREAM_MEDIA_INFO_H

#include <libavformat/avformat.h>
#include <libavutil/frame.h>

#include "client/stream/source.h"

/* What is known of a demuxed input and its first picture, for the session and the container. */

/* Size, rates, colour and HDR; format and range are picture_writer_new()'s. */
void media_info_video(struct vencd_params *params, AVFormatContext *format, AVStream *stream,
	const AVFrame *first);

/* The names of all, and the tracks that are copied. Negative AVERROR. */
int media_info_tracks(struct source_info *info, const AVFormatContext *format,
	const AVStream *video, const struct container *container);

/* The chapters, moved back by start_us. Negative AVERROR. */
int media_info_chapters(struct source_info *info, const AVFormatContext *format, int64_t start_us);

/* What only the container can keep of the pictures: rotation; and HDR10. Negative AVERROR. */
int media_info_side_data(struct source_info *info, const AVStream *stream, const AVFrame *first);

#endif

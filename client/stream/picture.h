// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_PICTURE_H
#define VENCD_STREAM_PICTURE_H

#include <libavutil/frame.h>

#include "client/stream/source.h"

/* Puts decoded pictures into frames of the pool, converting where it must. */
struct picture_writer;

/*
 * Chooses the session's format for pictures like `first`, and completes params->colour where the
 * conversion decides it. Says on stderr when pictures will be converted.
 */
int picture_writer_new(
	struct picture_writer **ret, const AVFrame *first, struct vencd_params *params);
void picture_writer_free(struct picture_writer *writer);

/* `picture` has the size of the first one; its pixel format may have changed. Negative AVERROR. */
int picture_write(
	struct picture_writer *writer, const AVFrame *picture, struct source_frame *frame);

#endif

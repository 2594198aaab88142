// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_DECODER_H
#define VENCD_WORKER_DECODER_H

/*
 * libavcodec's software decoder of a codec, with one thread and without mercy: what it would have
 * to repair is a failure. For what encoders gave, which may be anything.
 *
 * Functions return 0 or an AVERROR. Nothing here bounds its time.
 */

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

struct decoder {
	AVCodecContext *context;
	AVFrame *frame; /* empty between calls */
};

/* AVERROR_DECODER_NOT_FOUND where libavcodec has none for this enum vencd_codec. */
int decoder_open(struct decoder *ret, uint32_t codec);
void decoder_close(struct decoder *decoder); /* also after a failed open */

/*
 * Gives a packet, or NULL for the end, and calls take() for each picture that comes. Where take()
 * returns anything but 0, so does this, at once.
 */
int decoder_give(struct decoder *decoder, const AVPacket *packet,
	int (*take)(void *userdata, const AVFrame *picture), void *userdata);

/* After the end: from here on with a keyframe. */
void decoder_restart(struct decoder *decoder);

/*
 * What is wrong with a picture by itself, or NULL: it was damaged, or has another format. deep: 10
 * bits and not 8.
 */
const char *decoder_fault(const AVFrame *picture, bool deep);

#endif

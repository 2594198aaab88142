// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_BITSTREAM_H
#define VENCD_WORKER_BITSTREAM_H

/*
 * What a packet is, by its own headers and not by the encoder's word. Reads as much as that takes,
 * and decodes nothing.
 */

#include <stdint.h>

enum bitstream_kind {
	BITSTREAM_BROKEN,   /* no picture, or a keyframe without parameter sets before it */
	BITSTREAM_INTER,    /* needs frames before it */
	BITSTREAM_KEYFRAME, /* decodes by itself: IDR or other IRAP, AV1 key frame */
};

/* codec is an enum vencd_codec; the format is that of struct vencd_packet. */
enum bitstream_kind bitstream_inspect(uint32_t codec, const uint8_t *data, uint64_t size);

#endif

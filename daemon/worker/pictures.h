// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PICTURES_H
#define VENCD_WORKER_PICTURES_H

/*
 * The pictures of a hardware encoder's packets: decoded in order, each compared with what is known
 * of its source. One thread uses this; the two counts may be read by others.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/worker/decoder.h"
#include "daemon/worker/signature.h"
#include "hw/encoder.h"

#define PICTURES_HELD 32u /* that the decoder may owe; no codec needs more */

/* The picture that a packet is to show. */
struct picture {
	uint64_t frame;
	struct signature_wanted wanted;
	bool keyframe;
};

struct pictures {
	uint32_t width, height;
	bool deep;                    /* 10 bits and not 8 */
	_Atomic uint64_t good;        /* pictures that were found good */
	_Atomic uint64_t good_end;    /* one more than the last of them; 0: none */
	uint64_t given;               /* packets */
	uint64_t wrong_frame;         /* once something is wrong: where, */
	char wrong[ENCODER_TEXT_MAX]; /* and what */
	struct decoder decoder;
	struct picture held[PICTURES_HELD]; /* given to the decoder, and not yet shown */
	unsigned n_held;
	struct signature previous, older; /* the last pictures shown */
	double previous_db;
	uint32_t n_stale; /* the last so many pictures were that */
};

/* Of a zeroed *ret. -ENOENT where there is no decoder for that enum vencd_codec; -errno. */
int pictures_open(struct pictures *ret, uint32_t codec, uint32_t width, uint32_t height, bool deep);
void pictures_close(struct pictures *pictures); /* also after a failed open */

/*
 * Gives a packet, whose pts is the number of its frame. False here and below: something is wrong,
 * and there is no going on.
 */
bool pictures_give(struct pictures *pictures, const AVPacket *packet, const struct picture *shown);

/* There are no more packets: each of them has shown its picture by then. */
bool pictures_drain(struct pictures *pictures);

/* Packets are missing before the next one, which is a keyframe. */
bool pictures_restart(struct pictures *pictures);

#endif

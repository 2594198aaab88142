// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_POOL_H
#define VENCD_TESTS_POOL_H

/*
 * The frame pool of a run, and who has each slot. Frames are drawn in the format of the request; as
 * in a worker, an encoder that takes another one gets them through the chroma pass.
 */

#include <stdatomic.h>

#include "daemon/worker/chroma.h"
#include "hw/encoder.h"
#include "tests/contract/counter.h"

struct pool {
	struct plane_layout layout;
	struct chroma chroma;
	uint8_t *memory; /* slots, and behind them a page that may not be touched */
	size_t size;
	uint64_t *frame;        /* by slot: 1 + the frame in it, 0: free */
	_Atomic unsigned *done; /* by frame: how often done() was called */
	unsigned frames;
	unsigned live; /* slots that are not free */
};

/* `taken`: the format that the encoder gets. */
void pool_init(struct pool *pool, const struct vencd_params *params, uint32_t taken, unsigned slots,
	unsigned frames);

/* A free slot as a picture to draw into, or -1. */
int pool_take(struct pool *pool, uint64_t frame, struct counter_picture *ret);

/* The slot is the encoder's: it can only be read from here on. */
void pool_seal(struct pool *pool, int slot, struct encoder_frame *ret);

/* Frees the slots of frames below `committed` that the encoder has let go of. */
void pool_release(struct pool *pool, uint64_t committed);

/* encoder_host.done; userdata is the pool. */
void pool_done(void *userdata, uint64_t index);

void pool_clear(struct pool *pool);

#endif

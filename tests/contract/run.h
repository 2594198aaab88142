// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_RUN_H
#define VENCD_TESTS_RUN_H

/*
 * One encode, fed as a worker feeds it: from a pool of exactly needs_frames slots, laid out as the
 * daemon lays them out and read-only while they are the encoder's. A slot is free again when its
 * frame's packet and those of all earlier frames are out and done() was called. What the contract
 * says of every stream is checked on the way; a run that returns has kept it.
 */

#include <stdbool.h>

#include "hw/catalogue.h"

#define RUN_MAX_FORCED 8u

struct run_packet {
	uint8_t *data;
	size_t size;
	int64_t pts;
	uint32_t flags;
	uint64_t frame;
};

struct run {
	/* What to do. */
	const struct encoder_ops *ops;
	const struct encoder_limits *limits;
	struct vencd_params request;
	uint32_t threads;
	unsigned frames;
	unsigned first_value;            /* of the counter */
	unsigned noise;                  /* amplitude added to the luma */
	unsigned forced[RUN_MAX_FORCED]; /* frames to be keyframes; 0 ends */
	int64_t (*pts)(unsigned frame);  /* NULL: 2, 4, 6... */

	/* What came out. */
	struct encoder_params params;
	struct encoder_info info;
	struct run_packet *packets; /* in decode order */
	unsigned n_packets;
	size_t bytes;
	char text[ENCODER_TEXT_MAX];
};

/*
 * The node of the device that every run is on; "": the CPU. Its streams are bare if they need not
 * say anything of the signal. Before the first run.
 */
void run_use_device(const char *node, bool bare);
const char *run_device(void);
bool run_is_bare(void);

/*
 * What a device has, where it has less than is usual: at least that picture, a format of that depth
 * or else any.
 */
void run_set_size(struct run *run, uint32_t width, uint32_t height);
bool run_has_size(const struct encoder_limits *limits, uint32_t width, uint32_t height);
uint32_t run_format(const struct encoder_limits *limits, uint32_t wanted);

/* A small picture, frames, two threads, and the defaults of everything else. */
void run_init(struct run *run, const struct encoder_limits *limits);

/* Narrows, plans, opens, feeds, flushes, drains, closes. */
void run_encode(struct run *run);

/*
 * A request that must be good: run->params is filled, with the format that the encoder gets. A
 * hardware encoder is fed as a worker does, through the chroma pass; a software encoder makes that
 * pass itself, where a worker has not.
 */
void run_narrow(struct run *run);

/* The pts of a frame. */
int64_t run_pts(const struct run *run, unsigned frame);

void run_clear(struct run *run);

#endif

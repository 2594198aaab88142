// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_OUTPUT_H
#define VENCD_STREAM_OUTPUT_H

/*
 * The output: packets of the session and of copied tracks into a container. One thread. Everything
 * here may wait while the descriptor does not take bytes.
 */

#include "client/stream/container.h"
#include "client/stream/descriptor.h"
#include "client/stream/source.h"

struct output_setup {
	struct descriptor fd;
	const struct container *container;
	enum vencd_codec codec;
	enum vencd_latency latency;
	const struct source_info *info; /* must outlive the output */
};

struct output;

/* Nothing is written before the first packet of the session. */
int output_new(struct output **ret, const struct output_setup *setup);
void output_free(struct output *output);

/*
 * Negative errno where it could not be stored; output_error() then says why, and nothing more
 * should be written. `duration` is in ticks, 0: unknown.
 */
int output_video(struct output *output, const struct vencd_packet *packet, int64_t duration);

/* packet->stream_index is a track's, its times are in the track's time base. */
int output_track(struct output *output, AVPacket *packet);

/* Whether output_track() may be called: the container's head is written. */
bool output_started(const struct output *output);

/*
 * Ends the file, as well as it can after an error. Returns 0 when everything that was given is
 * stored and the container is whole.
 */
int output_finish(struct output *output);

const char *output_error(const struct output *output);
uint64_t output_bytes(const struct output *output);
uint64_t output_frames(const struct output *output);

#endif

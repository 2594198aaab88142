// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_SOURCE_H
#define VENCD_STREAM_SOURCE_H

/*
 * Where frames come from: a table of functions per kind of input (y4m.c, media.c). All of it runs
 * in the input thread (input.c) and may block in reads; nothing here knows the daemon.
 */

#include <stdbool.h>
#include <stdint.h>
#include <libavcodec/codec_par.h>
#include <libavutil/dict.h>

#include "client/stream/container.h"
#include "client/stream/descriptor.h"
#include "client/stream/track_queue.h"

#define SOURCE_TEXT_MAX 256

/* A stream of the input that is copied into the output. */
struct track {
	int source_index; /* in the input */
	AVCodecParameters *parameters;
	AVRational time_base;
	AVDictionary *metadata;
	int disposition;
};

#define SOURCE_TRACKS_MAX 32

struct chapter {
	int64_t id, start, end; /* ticks of time_base */
	AVRational time_base;
	AVDictionary *metadata;
};

#define SOURCE_CHAPTERS_MAX 1000

/*
 * What an input is, known once its first frame is. `params` has size, format, time base, rates and
 * colour filled in, and nothing else.
 */
struct source_info {
	struct vencd_params params;
	double duration_s;           /* 0: unknown */
	bool endless;                /* not a file: it ends when somebody ends it */
	AVPacketSideData *side_data; /* of the video stream, for the container */
	int n_side_data;
	AVDictionary *metadata; /* of the whole */
	AVDictionary *video_metadata;
	int video_disposition;
	struct track tracks[SOURCE_TRACKS_MAX];
	uint32_t n_tracks;
	struct chapter *chapters;
	uint32_t n_chapters;
};

void source_info_clear(struct source_info *info);

/* Where to put a frame, and its times in ticks of params.time_base. */
struct source_frame {
	uint8_t *data[3];
	uint32_t stride[3], rows[3], row_bytes[3];
	int64_t pts;
	int64_t duration; /* 0: unknown */
};

struct source_setup {
	struct descriptor input;
	const char *name; /* of the input, for messages and to guess its format by; may be "-" */
	const struct container *container; /* decides which tracks are copied */
	struct track_queue *queue;         /* where their packets go; not the source's */
	bool nested;                       /* a playlist may open further local files */
};

enum source_result {
	SOURCE_FRAME = 1,
	SOURCE_END = 0, /* negative: an error, the source's text says what */
};

struct source;

struct source_ops {
	/*
	 * Reads until the first frame is known, and fills info. On failure *ret is not set and
	 * text, of SOURCE_TEXT_MAX bytes, says why.
	 */
	int (*open)(struct source **ret, const struct source_setup *setup, struct source_info *info,
		char *text);
	/*
	 * Writes the next frame into frame's planes: SOURCE_FRAME, SOURCE_END or an error with
	 * text. An input that was damaged on the way gives what it has, and an error in place of
	 * SOURCE_END.
	 */
	int (*fill)(struct source *source, struct source_frame *frame, char *text);
	void (*close)(struct source *source);
};

extern const struct source_ops y4m_source;
extern const struct source_ops media_source;

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_CHECK_H
#define VENCD_WORKER_CHECK_H

/*
 * A hardware encoder's output is looked at while it works: a thread beside the run decodes the
 * first frames of the attempt and then what it has time for, and compares each picture with what is
 * known of its source.
 *
 * The run thread calls everything here, and waits for nothing but in check_wait(). Where a decoder
 * hangs, the thread and its memory stay until the process ends.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hw/encoder.h"

struct check;

struct check_about {
	uint64_t number; /* of the attempt, for the thread's name */
	uint32_t codec;  /* enum vencd_codec */
	uint32_t width, height;
	uint32_t format; /* enum vencd_pixel_format of the frames */
	bool b_frames;   /* frames may be predicted from those behind them */
	int wake;        /* a byte is written there when something was found; is duplicated */
};

/* -ENOENT where there is no decoder for the codec; -errno. */
int check_start(struct check **ret, const struct check_about *about);

/* A frame that is about to be sent. Reads some of its luma now, and nothing later. */
void check_frame(struct check *check, const struct encoder_frame *frame);

/* The packet that shows a frame. It is copied, or it and those up to a keyframe are left out. */
void check_packet(struct check *check, const struct encoder_packet *packet, uint64_t frame);

/* There are no more packets: what is queued is decoded at once. */
void check_finish(struct check *check);
/* Waits for that; false: not within ms. */
bool check_wait(struct check *check, int ms);

/* Whether something is wrong. */
bool check_found(struct check *check);

struct check_result {
	uint64_t checked;  /* pictures that were found good */
	uint64_t good_end; /* one more than the last of them; 0: none */
	/* Where something is wrong: */
	uint64_t frame;
	char text[ENCODER_TEXT_MAX];
};

void check_look(struct check *check, struct check_result *ret);

/* The thread is told to end and not waited for. NULL is allowed. */
void check_free(struct check *check);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_INPUT_H
#define VENCD_STREAM_INPUT_H

/*
 * The input thread: fills slots of the pool that the pump hands it. All functions here are called
 * by the pump's thread, and none of them waits except input_stop().
 */

#include "client/stream/source.h"

enum input_format {
	INPUT_FORMAT_ANY = 1, /* whatever libavformat finds; y4m in a file is found out first */
	INPUT_FORMAT_Y4M,
};

struct input_setup {
	int fd;           /* stays the caller's, and open until input_stop() returned 0 */
	const char *name; /* for messages and for guessing the format */
	enum input_format format;
	const struct container *container;
	bool nested; /* playlists may open local files */
};

enum input_event_type {
	INPUT_NOTHING = 1,
	INPUT_READY,  /* input_info() may be read; slots are wanted */
	INPUT_FRAME,  /* a slot was filled */
	INPUT_END,    /* there are no more */
	INPUT_FAILED, /* the input broke; `error` and `text` say how; there are no more */
};

struct input_event {
	enum input_event_type type;
	uint32_t slot;
	int64_t pts, duration; /* ticks; duration 0: unknown */
	int error;
	char text[SOURCE_TEXT_MAX];
};

/* Slots that the thread can hold. */
#define INPUT_SLOTS 3

struct input;

/* wake_fd is an eventfd of the caller's, written at every event. */
int input_start(struct input **ret, const struct input_setup *setup, int wake_fd);

/* The next event; each one is returned once, and nothing follows END and FAILED. */
void input_next(struct input *input, struct input_event *ret);
const struct source_info *input_info(const struct input *input);
struct track_queue *input_tracks(const struct input *input);

/* Hands an acquired slot over, at most INPUT_SLOTS at a time. */
void input_give(struct input *input, const struct vencd_frame *frame);

/* Tells the thread to end, without waiting for it. Events that follow are those already there. */
void input_halt(struct input *input);

/*
 * Ends the thread and frees the input. Waits up to INPUT_STOP_MS; -ETIMEDOUT when the thread is
 * stuck in a read that cannot be called back: it and the input are then leaked on purpose, and the
 * frames that it was given must not be unmapped.
 */
#define INPUT_STOP_MS 2000
int input_stop(struct input *input);

#endif

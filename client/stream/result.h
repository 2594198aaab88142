// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_RESULT_H
#define VENCD_STREAM_RESULT_H

#include <stdbool.h>
#include <systemd/sd-json.h>

#include "client/vencd.h"

/* What went wrong on this side of the session; the first thing that did. */
enum delivery_error {
	DELIVERY_OK,
	DELIVERY_INPUT_FAILED,  /* unreadable, damaged, cut, not to be encoded */
	DELIVERY_OUTPUT_FAILED, /* not everything could be stored */
	DELIVERY_REFUSED,       /* the daemon opened no session; see vencd_last_refusal() */
	DELIVERY_DAEMON_LOST,   /* it went away, or its report does not match what came */
	DELIVERY_STOPPED,       /* somebody asked to stop before the input's end */
	DELIVERY_INTERNAL,      /* no memory, no descriptors */
};

#define DELIVERY_TEXT_MAX 320

/* What became of the output. */
struct delivery {
	enum vencd_outcome outcome;
	enum delivery_error error;
	char text[DELIVERY_TEXT_MAX]; /* one sentence; "" when OK */
	int code;                     /* negative errno behind the error */
	uint64_t bytes, frames;       /* stored */
};

struct stream_result {
	enum vencd_outcome outcome; /* the worse of the session's and the delivery's */
	struct vencd_report report; /* json is NULL where there is none */
	struct delivery delivery;
	bool opened; /* a session was */
	bool stuck;  /* a thread was left behind: end with _exit() */
};

/* Keeps the first error: what follows from it says less. Text is printf's. */
void delivery_fail(struct delivery *delivery, enum delivery_error error, int code,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether the output holds every frame and can be given its name. */
bool stream_result_whole(const struct stream_result *result);

/*
 * Settles both outcomes from what happened; the only place that does. `whole` says that every frame
 * of the input was stored and the container ended.
 */
void stream_result_settle(struct stream_result *result, bool whole);

/* {"outcome", "report", "delivery"}, as Encode replies; no report where there is none. */
int stream_result_json(const struct stream_result *result, sd_json_variant **ret);
void stream_result_clear(struct stream_result *result);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_PUMP_H
#define VENCD_STREAM_PUMP_H

/*
 * One encode from a descriptor to a descriptor, as an ordinary client of libvencd.
 */

#include "client/stream/container.h"
#include "client/stream/input.h"
#include "client/stream/progress.h"
#include "client/stream/result.h"

/* What somebody wants of a running encode; only ever goes up. */
enum stream_stop {
	STREAM_GO,
	STREAM_STOP_INPUT, /* read no further, encode and store what was read */
	STREAM_STOP_NOW,   /* cancel */
};

struct stream_order {
	int input_fd, output_fd; /* the caller's */
	const char *input_name;
	enum input_format input_format;
	bool nested; /* a playlist may open local files */
	const struct container *container;
	struct vencd_params
		params; /* what is wanted; size, format, rates and colour are the input's */
	int stop_fd;    /* polled; when readable, stop() is asked */
	enum stream_stop (*stop)(void *userdata);
	void (*progress)(void *userdata, const struct stream_progress *progress); /* often */
	void *userdata;
};

/*
 * Runs it to its end, whatever that is: *ret is always filled and settled. The caller must not
 * close the connection or the descriptors when ret->stuck.
 */
void stream_run(struct vencd *daemon, const struct stream_order *order, struct stream_result *ret);

#endif

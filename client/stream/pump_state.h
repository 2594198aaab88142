// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_PUMP_STATE_H
#define VENCD_STREAM_PUMP_STATE_H

/*
 * What the pump's parts share: pump.c has the loop and its start and end, feed.c what goes into the
 * session, drain.c what comes out.
 */

#include <time.h>

#include "client/stream/output.h"
#include "client/stream/pump.h"

#define PUMP_DURATIONS 1024 /* frames on their way whose duration is remembered */

enum feed {
	FEED_OPEN,
	FEED_WHOLE, /* all that the input has was submitted */
	FEED_CUT,   /* nothing more is submitted, though there may be more */
};

struct pump {
	struct vencd *daemon;
	const struct stream_order *order;
	struct stream_result *result;
	struct input *input;
	struct output *output;
	struct vencd_session *session;
	struct vencd_params params; /* of the session */
	int wake_fd;
	enum stream_stop stop, stop_handled;
	enum feed feed;
	unsigned lent; /* slots that the input thread has */
	uint64_t submitted, received;
	int64_t last_pts, first_pts, stored_pts, stored_dts;
	struct {
		uint64_t frame;
		int64_t ticks;
	} durations[PUMP_DURATIONS];
	struct timespec started, cancelled;
};

/* Also asked by waits elsewhere (a full pipe), which give up when it is true. */
bool pump_stop_now(void *pump);

/* Does what somebody wants since it was last called. */
void pump_handle_stop(struct pump *pump);

/* No frame is submitted any more, and the session is finished. Only the first call counts. */
void pump_end_feed(struct pump *pump, enum feed how);

/* Ends the session without its finish: what was not encoded yet is given up. */
void pump_cancel(struct pump *pump, enum vencd_cancel_cause cause, const char *text);

/* The input ended badly. */
void pump_input_failed(struct pump *pump, const struct input_event *event);

/* Lend slots to the input, take what it has done. True when something was done. */
bool pump_lend(struct pump *pump);
bool pump_take_event(struct pump *pump);

/* Takes some packets. 1 when there were, 0 when not, -ENODATA at the end of all. */
int pump_take_packets(struct pump *pump);

/* Writes copied packets up to this time, as far as there are any. */
void pump_write_tracks(struct pump *pump, int64_t until);

/* Lets a demuxer go on that stands still for a full queue; see pump.c. */
bool pump_relieve_tracks(struct pump *pump);

bool pump_output_works(const struct pump *pump);

#endif

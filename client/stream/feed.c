// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What goes into the session: slots lent to the input thread, frames that come back, and the
 * ends of that, good, bad and asked for.
 */

#include "client/stream/pump_state.h"

#include <errno.h>
#include <string.h>

/* --- stopping --- */

bool pump_stop_now(void *userdata)
{
	struct pump *pump = userdata;
	enum stream_stop asked;

	if (pump->stop == STREAM_STOP_NOW)
		return true;
	asked = pump->order->stop(pump->order->userdata);
	if (asked > pump->stop)
		pump->stop = asked;
	return pump->stop == STREAM_STOP_NOW;
}

void pump_end_feed(struct pump *pump, enum feed how)
{
	if (pump->feed != FEED_OPEN)
		return;
	pump->feed = how;
	if (how == FEED_CUT)
		input_halt(pump->input);
	if (pump->session)
		vencd_session_finish(pump->session);
}

void pump_cancel(struct pump *pump, enum vencd_cancel_cause cause, const char *text)
{
	pump->feed = FEED_CUT;
	input_halt(pump->input);
	clock_gettime(CLOCK_MONOTONIC, &pump->cancelled);
	if (pump->session)
		vencd_session_cancel(pump->session, cause, text);
}

/* What has no end of its own is whole when it is stopped. */
static void stop_input(struct pump *pump)
{
	if (pump->submitted && input_info(pump->input)->endless) {
		input_halt(pump->input);
		pump_end_feed(pump, FEED_WHOLE);
		return;
	}
	delivery_fail(&pump->result->delivery, DELIVERY_STOPPED, -ECANCELED,
		"stopped on request after %llu frames", (unsigned long long)pump->submitted);
	pump_end_feed(pump, FEED_CUT);
}

static void stop_all(struct pump *pump)
{
	delivery_fail(&pump->result->delivery, DELIVERY_STOPPED, -ECANCELED,
		"cancelled on request after %llu frames", (unsigned long long)pump->submitted);
	pump_cancel(pump, VENCD_CANCEL_ASKED, "stopped on request");
}

void pump_handle_stop(struct pump *pump)
{
	if (pump->stop == pump->stop_handled)
		return;
	pump->stop_handled = pump->stop;
	if (pump->stop == STREAM_STOP_NOW)
		stop_all(pump);
	else if (pump->feed == FEED_OPEN)
		stop_input(pump);
}

/* --- frames --- */

/* A container with a coarse tick cannot tell frames apart that are closer than it. */
static bool in_one_tick(const struct pump *pump, int64_t pts)
{
	AVRational tick = pump->order->container->tick;
	AVRational base = {pump->params.time_base.num, pump->params.time_base.den};

	return tick.num && pump->submitted &&
		av_rescale_q(pts, base, tick) == av_rescale_q(pump->last_pts, base, tick);
}

static void refuse_tick(struct pump *pump, const struct input_event *event)
{
	const struct container *container = pump->order->container;

	delivery_fail(&pump->result->delivery, DELIVERY_OUTPUT_FAILED, -ERANGE,
		"frames %llu and %llu are less than a tick (1/%d s) of %s apart: use mp4",
		(unsigned long long)pump->submitted - 1, (unsigned long long)pump->submitted,
		container->tick.den, container->name);
	vencd_frame_discard(pump->session, event->slot);
	pump_end_feed(pump, FEED_CUT);
}

static void submit(struct pump *pump, const struct input_event *event)
{
	uint64_t frame = pump->submitted;

	if (pump->feed != FEED_OPEN) {
		vencd_frame_discard(pump->session, event->slot);
		return;
	}
	if (in_one_tick(pump, event->pts)) {
		refuse_tick(pump, event);
		return;
	}
	if (vencd_frame_submit(pump->session, event->slot, event->pts, 0) < 0) {
		/* The session has ended; its report says why. */
		pump_end_feed(pump, FEED_CUT);
		return;
	}
	if (!frame)
		pump->first_pts = event->pts;
	pump->last_pts = event->pts;
	pump->durations[frame % PUMP_DURATIONS].frame = frame;
	pump->durations[frame % PUMP_DURATIONS].ticks = event->duration;
	pump->submitted++;
}

/* The session still encodes what it has; told before it is finished, it never ends as complete. */
static void tell_input_failed(struct pump *pump, const char *text)
{
	if (pump->feed == FEED_OPEN && pump->session)
		(void)vencd_session_cancel(pump->session, VENCD_CANCEL_INPUT_FAILED, text);
	pump_end_feed(pump, FEED_CUT);
}

void pump_input_failed(struct pump *pump, const struct input_event *event)
{
	if (pump->feed == FEED_OPEN)
		delivery_fail(&pump->result->delivery, DELIVERY_INPUT_FAILED, event->error,
			"%s: %s", pump->order->input_name, event->text);
	tell_input_failed(pump, event->text);
}

bool pump_take_event(struct pump *pump)
{
	struct input_event event;

	input_next(pump->input, &event);
	switch (event.type) {
	case INPUT_NOTHING:
	case INPUT_READY:
		return false;
	case INPUT_FRAME:
		pump->lent--;
		submit(pump, &event);
		return true;
	case INPUT_END:
		pump_end_feed(pump, FEED_WHOLE);
		return true;
	case INPUT_FAILED:
		pump_input_failed(pump, &event);
		return true;
	}
	return false;
}

bool pump_lend(struct pump *pump)
{
	struct vencd_frame frame;
	int r;

	if (pump->feed != FEED_OPEN || pump->lent == INPUT_SLOTS)
		return false;
	r = vencd_frame_acquire(pump->session, &frame);
	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		pump_end_feed(pump, FEED_CUT);
		return false;
	}
	input_give(pump->input, &frame);
	pump->lent++;
	return true;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The pump between input, session and output.
 *
 * One loop, which waits only in poll(): it lends free slots of the pool to the input thread,
 * submits those that come back filled, takes packets and stores them. Nothing is queued without
 * a bound: slots are the pool's, packets stay in the session's ring until they are stored (an
 * output that takes no bytes stops the loop here, and so the encoder, and so the input), and
 * copied tracks wait in a queue bounded by bytes.
 *
 * Order in the output: a packet of a copied track is written before the first video packet that
 * is decoded after it, so it waits for the encoder. Video never waits for tracks. When the
 * tracks' queue is full the demuxer stands still; then the encoder may be starving for the
 * frames behind, so as soon as no frame is left to submit, the oldest track packets are written
 * ahead of their video. Nothing is dropped and nothing can wait for itself. Only before the
 * container's head is written, which needs the first video packet, is there nowhere to write
 * them: such an input is refused.
 *
 * Ends. The input's end, also a bad one, finishes the session: what was read is encoded and
 * stored, and the delivery says what was wrong with the input. A broken output cancels the
 * session. The loop ends when the session has no more packets; an encoder that hangs is the
 * daemon's to end.
 */

#include "client/stream/pump.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/stream/pump_state.h"

#define REPORT_MS 10000
#define PROGRESS_MS 250
#define CANCEL_S 10.0 /* after which a cancelled session is given up */

static double since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* --- the loop --- */

static void show_progress(const struct pump *pump)
{
	double tick = (double)pump->params.time_base.num / pump->params.time_base.den;
	struct stream_progress progress = {
		.frames_read = pump->submitted,
		.frames_written = output_frames(pump->output),
		.bytes = output_bytes(pump->output),
		.elapsed_s = since(&pump->started),
		.total_s = input_info(pump->input)->duration_s,
	};

	if (pump->received)
		progress.media_s = (double)(pump->stored_pts - pump->first_pts) * tick;
	pump->order->progress(pump->order->userdata, &progress);
}

/* Without a session's descriptor (-1) it is passed over. */
static void look_around(struct pump *pump, int session_fd, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = pump->wake_fd, .events = POLLIN},
		{.fd = session_fd, .events = POLLIN},
		{.fd = pump->stop == STREAM_STOP_NOW ? -1 : pump->order->stop_fd, .events = POLLIN},
	};
	eventfd_t count;

	/* Errors show in the calls that follow; EINTR is a reason to look around. */
	(void)poll(fds, sizeof(fds) / sizeof(*fds), timeout_ms);
	if (fds[0].revents)
		(void)eventfd_read(pump->wake_fd, &count);
	if (fds[2].revents)
		pump_stop_now(pump);
	pump_handle_stop(pump);
}

/* Everything that can be done now. 1 when something was, 0 when not, -ENODATA at the end. */
static int move(struct pump *pump)
{
	int moved = 0, r;

	while (pump_lend(pump))
		moved = 1;
	while (pump_take_event(pump))
		moved = 1;
	r = pump_take_packets(pump);
	if (r < 0)
		return r;
	return moved || r || pump_relieve_tracks(pump);
}

static bool waited_too_long(const struct pump *pump)
{
	return pump->cancelled.tv_sec && since(&pump->cancelled) > CANCEL_S;
}

static void run_session(struct pump *pump)
{
	int r;

	while ((r = move(pump)) >= 0) {
		show_progress(pump);
		if (waited_too_long(pump))
			r = -ETIMEDOUT;
		if (r < 0)
			break;
		if (r > 0 || vencd_session_arm(pump->session))
			look_around(pump, -1, 0);
		else
			look_around(pump, vencd_session_fd(pump->session), PROGRESS_MS);
	}
	if (r != -ENODATA)
		delivery_fail(&pump->result->delivery, DELIVERY_DAEMON_LOST, r,
			"the session broke: %s", strerror(-r));
}

/* --- before and after --- */

/* Waits until the input is known. False: there is none, and the delivery says why. */
static bool await_input(struct pump *pump)
{
	struct input_event event;

	for (;;) {
		input_next(pump->input, &event);
		if (event.type == INPUT_READY)
			return true;
		if (event.type == INPUT_FAILED || event.type == INPUT_END) {
			pump_input_failed(pump, &event);
			return false;
		}
		if (track_queue_blocked(input_tracks(pump->input))) {
			event.error = -E2BIG;
			snprintf(event.text, sizeof(event.text),
				"%zu MiB of other tracks come before the first picture",
				TRACK_QUEUE_BYTES >> 20);
			pump_input_failed(pump, &event);
			return false;
		}
		look_around(pump, -1, PROGRESS_MS);
		if (pump->stop != STREAM_GO)
			return false;
	}
}

/* What was asked for and what the input is. */
static void merge_params(struct pump *pump)
{
	const struct vencd_params *is = &input_info(pump->input)->params;
	struct vencd_params *params = &pump->params;

	*params = pump->order->params;
	params->width = is->width;
	params->height = is->height;
	params->format = is->format;
	params->time_base = is->time_base;
	params->frame_rate = is->frame_rate;
	params->sample_aspect = is->sample_aspect;
	params->colour = is->colour;
	params->hdr = is->hdr;
}

static int open_output(struct pump *pump)
{
	struct vencd_session_info info;
	struct output_setup setup = {
		.container = pump->order->container,
		.latency = pump->params.latency,
		.info = input_info(pump->input),
	};
	int r = descriptor_init(
		&setup.fd, pump->order->output_fd, pump->order->stop_fd, pump_stop_now, pump);

	vencd_session_get_info(pump->session, &info);
	setup.codec = info.codec;
	return r < 0 ? r : output_new(&pump->output, &setup);
}

static bool open_session(struct pump *pump)
{
	struct delivery *delivery = &pump->result->delivery;
	int r;

	merge_params(pump);
	r = vencd_session_open(pump->daemon, &pump->params, &pump->session);
	if (r < 0) {
		const struct vencd_refusal *refusal = vencd_last_refusal(pump->daemon);

		delivery_fail(delivery, r == -EREMOTEIO ? DELIVERY_REFUSED : DELIVERY_DAEMON_LOST,
			r, "no session was opened: %s",
			r == -EREMOTEIO ? refusal->reason : strerror(-r));
		return false;
	}
	pump->result->opened = true;
	r = open_output(pump);
	if (r < 0)
		delivery_fail(delivery, DELIVERY_INTERNAL, r, "the output cannot be set up: %s",
			strerror(-r));
	return r >= 0;
}

/* Tracks beyond the last picture belong to a whole output only. */
static bool end_output(struct pump *pump)
{
	bool all = pump->result->delivery.error == DELIVERY_OK && pump->feed == FEED_WHOLE &&
		pump->received == pump->submitted;
	int r;

	if (pump_output_works(pump))
		pump_write_tracks(pump, all ? INT64_MAX : pump->stored_dts);
	r = output_finish(pump->output);
	if (r < 0)
		delivery_fail(&pump->result->delivery, DELIVERY_OUTPUT_FAILED, r, "%s",
			output_error(pump->output));
	pump->result->delivery.bytes = output_bytes(pump->output);
	pump->result->delivery.frames = output_frames(pump->output);
	return all && r >= 0 && pump->received > 0;
}

static void fetch_report(struct pump *pump)
{
	int r = vencd_session_report(pump->session, REPORT_MS, &pump->result->report);

	if (r < 0)
		delivery_fail(&pump->result->delivery, DELIVERY_DAEMON_LOST, r, "%s",
			r == -EBADMSG ? "the report does not match the packets that came"
				      : "no report came from the daemon");
}

/* A thread that is stuck may still write into the pool, so the session stays mapped for it. */
static void close_all(struct pump *pump)
{
	if (input_stop(pump->input) < 0) {
		pump->result->stuck = true;
		return;
	}
	vencd_session_close(pump->session);
	close(pump->wake_fd);
}

static bool run(struct pump *pump)
{
	bool whole = false;

	if (!await_input(pump))
		return false;
	if (open_session(pump)) {
		clock_gettime(CLOCK_MONOTONIC, &pump->started);
		run_session(pump);
		whole = end_output(pump);
	}
	if (pump->session)
		fetch_report(pump);
	return whole;
}

void stream_run(struct vencd *daemon, const struct stream_order *order, struct stream_result *ret)
{
	struct pump pump = {.daemon = daemon, .order = order, .result = ret};
	const struct input_setup setup = {
		.fd = order->input_fd,
		.name = order->input_name,
		.format = order->input_format,
		.container = order->container,
		.nested = order->nested,
	};
	bool whole = false;
	int r;

	*ret = (struct stream_result){.outcome = VENCD_OUTCOME_INCOMPLETE};
	pump.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pump.wake_fd < 0 ? -errno : input_start(&pump.input, &setup, pump.wake_fd);
	if (r < 0) {
		delivery_fail(&ret->delivery, DELIVERY_INPUT_FAILED, r, "%s: %s", order->input_name,
			strerror(-r));
	} else {
		whole = run(&pump);
		close_all(&pump);
	}
	output_free(pump.output);
	stream_result_settle(ret, whole && ret->delivery.error == DELIVERY_OK);
}

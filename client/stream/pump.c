// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The pump between input, session and output.
 *
 * One loop, which waits only in poll(): it lends free slots of the pool to the input thread, submits
 * those that come back filled, takes packets and stores them. Nothing is queued without a bound:
 * slots are the pool's, packets stay in the session's ring until they are stored (an output that
 * takes no bytes stops the loop here, and so the encoder, and so the input), and copied tracks wait
 * in a queue bounded by bytes.
 *
 * Order in the output: a packet of a copied track is written before the first video packet that is
 * decoded after it, so it waits for the encoder. Video never waits for tracks. When the tracks'
 * queue is full the demuxer stands still; then the encoder may be starving for the frames behind, so
 * as soon as no frame is left to submit, the oldest track packets are written ahead of their video.
 * Nothing is dropped and nothing can wait for itself. Only before the container's head is written,
 * which needs the first video packet, is there nowhere to write them: such an input is refused.
 *
 * Ends. The input's end, also a bad one, finishes the session: what was read is encoded and stored,
 * and the delivery says what was wrong with the input. A broken output cancels the session. The loop
 * ends when the session has no more packets; an encoder that hangs is the daemon's to end.
 */

#include "client/stream/pump.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "client/stream/console.h"
#include "client/stream/output.h"

#define REPORT_MS 10000
#define PROGRESS_MS 250
#define CANCEL_S 10.0 /* after which a cancelled session is given up */
#define PACKETS_AT_ONCE 32
#define DURATIONS 1024 /* frames on their way whose duration is remembered */

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
	} durations[DURATIONS];
	struct timespec started, cancelled;
};

static double since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* --- stopping --- */

/* Also asked by waits elsewhere (a full pipe), which give up at STREAM_STOP_NOW. */
static bool stop_now(void *userdata)
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

static void end_feed(struct pump *pump, enum feed how)
{
	if (pump->feed != FEED_OPEN)
		return;
	pump->feed = how;
	if (how == FEED_CUT)
		input_halt(pump->input);
	if (pump->session)
		vencd_session_finish(pump->session);
}

/* Ends the session without its finish: what was not encoded yet is given up. */
static void cancel(struct pump *pump, enum vencd_cancel_cause cause, const char *text)
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
		end_feed(pump, FEED_WHOLE);
		return;
	}
	delivery_fail(&pump->result->delivery, DELIVERY_STOPPED, -ECANCELED,
		"stopped on request after %llu frames", (unsigned long long)pump->submitted);
	end_feed(pump, FEED_CUT);
}

static void stop_all(struct pump *pump)
{
	delivery_fail(&pump->result->delivery, DELIVERY_STOPPED, -ECANCELED,
		"cancelled on request after %llu frames", (unsigned long long)pump->submitted);
	cancel(pump, VENCD_CANCEL_ASKED, "stopped on request");
}

static void handle_stop(struct pump *pump)
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
	end_feed(pump, FEED_CUT);
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
		end_feed(pump, FEED_CUT);
		return;
	}
	if (!frame)
		pump->first_pts = event->pts;
	pump->last_pts = event->pts;
	pump->durations[frame % DURATIONS].frame = frame;
	pump->durations[frame % DURATIONS].ticks = event->duration;
	pump->submitted++;
}

static void input_failed(struct pump *pump, const struct input_event *event)
{
	if (pump->feed == FEED_OPEN)
		delivery_fail(&pump->result->delivery, DELIVERY_INPUT_FAILED, event->error,
			"%s: %s", pump->order->input_name, event->text);
	end_feed(pump, FEED_CUT);
}

static bool take_event(struct pump *pump)
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
		end_feed(pump, FEED_WHOLE);
		return true;
	case INPUT_FAILED:
		input_failed(pump, &event);
		return true;
	}
	return false;
}

static bool lend_slot(struct pump *pump)
{
	struct vencd_frame frame;
	int r;

	if (pump->feed != FEED_OPEN || pump->lent == INPUT_SLOTS)
		return false;
	r = vencd_frame_acquire(pump->session, &frame);
	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		end_feed(pump, FEED_CUT);
		return false;
	}
	input_give(pump->input, &frame);
	pump->lent++;
	return true;
}

/* --- packets --- */

static void output_failed(struct pump *pump, int error)
{
	if (pump->stop == STREAM_STOP_NOW)
		return; /* it was given up, and did not fail */
	delivery_fail(&pump->result->delivery, DELIVERY_OUTPUT_FAILED, error, "%s",
		output_error(pump->output));
	cancel(pump, VENCD_CANCEL_OUTPUT_FAILED, output_error(pump->output));
}

static bool output_works(const struct pump *pump)
{
	return pump->result->delivery.error != DELIVERY_OUTPUT_FAILED ||
		!*output_error(pump->output);
}

static void write_track(struct pump *pump)
{
	AVPacket packet = {0};
	int r;

	track_queue_take(input_tracks(pump->input), &packet);
	r = output_works(pump) ? output_track(pump->output, &packet) : 0;
	av_packet_unref(&packet);
	if (r < 0)
		output_failed(pump, r);
}

/* Whether a track's packet is to stand before a video packet of this time. */
static bool is_due(const struct pump *pump, const AVPacket *packet, int64_t until)
{
	AVRational base = {pump->params.time_base.num, pump->params.time_base.den};
	const struct track *track = &input_info(pump->input)->tracks[packet->stream_index];
	int64_t time = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;

	return time == AV_NOPTS_VALUE || av_compare_ts(time, track->time_base, until, base) <= 0;
}

static void write_tracks_until(struct pump *pump, int64_t until)
{
	const AVPacket *packet;

	while (output_started(pump->output) &&
		(packet = track_queue_peek(input_tracks(pump->input))) &&
		is_due(pump, packet, until))
		write_track(pump);
}

static int64_t duration_of(const struct pump *pump, uint64_t frame)
{
	const struct vencd_rational *rate = &pump->params.frame_rate;
	const struct vencd_rational *base = &pump->params.time_base;
	int64_t nominal = 0;

	if (rate->num > 0)
		nominal = av_rescale_q(
			1, (AVRational){rate->den, rate->num}, (AVRational){base->num, base->den});
	if (pump->durations[frame % DURATIONS].frame != frame)
		return nominal;
	return pump->durations[frame % DURATIONS].ticks > 0
		? pump->durations[frame % DURATIONS].ticks
		: nominal;
}

static void store(struct pump *pump, const struct vencd_packet *packet)
{
	int r;

	pump->received++;
	if (!output_works(pump))
		return;
	write_tracks_until(pump, packet->dts);
	r = output_video(pump->output, packet, duration_of(pump, packet->frame));
	if (r < 0) {
		output_failed(pump, r);
		return;
	}
	pump->stored_dts = packet->dts;
	if (pump->received == 1 || packet->pts > pump->stored_pts)
		pump->stored_pts = packet->pts;
}

/* Takes some packets. 1 when there were, 0 when not, -ENODATA at the end of all. */
static int take_packets(struct pump *pump)
{
	for (int n = 0; n < PACKETS_AT_ONCE; n++) {
		struct vencd_packet packet;
		int r = vencd_packet_receive(pump->session, &packet);

		if (r == -EAGAIN)
			return n > 0;
		if (r < 0)
			return r;
		store(pump, &packet);
		vencd_packet_release(pump->session);
	}
	return 1;
}

/* See the rule at the top. */
static bool relieve_tracks(struct pump *pump)
{
	const struct source_info *info = input_info(pump->input);

	if (pump->feed != FEED_OPEN || !pump->lent ||
		!track_queue_blocked(input_tracks(pump->input)))
		return false;
	if (!output_started(pump->output)) {
		delivery_fail(&pump->result->delivery, DELIVERY_INPUT_FAILED, -E2BIG,
			"%s: %zu MiB of its %u other tracks come before the first encoded picture",
			pump->order->input_name, TRACK_QUEUE_BYTES >> 20, info->n_tracks);
		end_feed(pump, FEED_CUT);
		return true;
	}
	write_track(pump);
	return true;
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
		stop_now(pump);
	handle_stop(pump);
}

/* Everything that can be done now. 1 when something was, 0 when not, -ENODATA at the end. */
static int move(struct pump *pump)
{
	int moved = 0, r;

	while (lend_slot(pump))
		moved = 1;
	while (take_event(pump))
		moved = 1;
	r = take_packets(pump);
	if (r < 0)
		return r;
	return moved || r || relieve_tracks(pump);
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
			input_failed(pump, &event);
			return false;
		}
		if (track_queue_blocked(input_tracks(pump->input))) {
			event.error = -E2BIG;
			snprintf(event.text, sizeof(event.text),
				"%zu MiB of other tracks come before the first picture",
				TRACK_QUEUE_BYTES >> 20);
			input_failed(pump, &event);
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
		&setup.fd, pump->order->output_fd, pump->order->stop_fd, stop_now, pump);

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

	if (output_works(pump))
		write_tracks_until(pump, all ? INT64_MAX : pump->stored_dts);
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

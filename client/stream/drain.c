// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What comes out of the session, and the copied tracks, into the output, in the order that pump.c
 * lays down.
 */

#include "client/stream/pump_state.h"

#include <errno.h>

#define PACKETS_AT_ONCE 32

static void output_failed(struct pump *pump, int error)
{
	if (pump->stop == STREAM_STOP_NOW)
		return; /* it was given up, and did not fail */
	delivery_fail(&pump->result->delivery, DELIVERY_OUTPUT_FAILED, error, "%s",
		output_error(pump->output));
	pump_cancel(pump, VENCD_CANCEL_OUTPUT_FAILED, output_error(pump->output));
}

bool pump_output_works(const struct pump *pump)
{
	return pump->result->delivery.error != DELIVERY_OUTPUT_FAILED ||
		!*output_error(pump->output);
}

static void write_track(struct pump *pump)
{
	AVPacket packet = {0};
	int r;

	track_queue_take(input_tracks(pump->input), &packet);
	r = pump_output_works(pump) ? output_track(pump->output, &packet) : 0;
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

void pump_write_tracks(struct pump *pump, int64_t until)
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
	if (pump->durations[frame % PUMP_DURATIONS].frame != frame)
		return nominal;
	return pump->durations[frame % PUMP_DURATIONS].ticks > 0
		? pump->durations[frame % PUMP_DURATIONS].ticks
		: nominal;
}

static void store(struct pump *pump, const struct vencd_packet *packet)
{
	int r;

	pump->received++;
	if (!pump_output_works(pump))
		return;
	pump_write_tracks(pump, packet->dts);
	r = output_video(pump->output, packet, duration_of(pump, packet->frame));
	if (r < 0) {
		output_failed(pump, r);
		return;
	}
	pump->stored_dts = packet->dts;
	if (pump->received == 1 || packet->pts > pump->stored_pts)
		pump->stored_pts = packet->pts;
}

int pump_take_packets(struct pump *pump)
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
bool pump_relieve_tracks(struct pump *pump)
{
	const struct source_info *info = input_info(pump->input);

	if (pump->feed != FEED_OPEN || !pump->lent ||
		!track_queue_blocked(input_tracks(pump->input)))
		return false;
	if (!output_started(pump->output)) {
		delivery_fail(&pump->result->delivery, DELIVERY_INPUT_FAILED, -E2BIG,
			"%s: %zu MiB of its %u other tracks come before the first encoded picture",
			pump->order->input_name, TRACK_QUEUE_BYTES >> 20, info->n_tracks);
		pump_end_feed(pump, FEED_CUT);
		return true;
	}
	write_track(pump);
	return true;
}

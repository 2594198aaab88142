// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Packets into a container.
 *
 * The head is written when the first packet of the session is there, since it holds that packet's
 * parameter sets. A packet is copied once out of the shared memory and never looked at there again:
 * its writer is another process, and parsers do not expect their input to change. Packets go to the
 * muxer in the order they come; who comes first is the pump's decision, so libavformat's own
 * interleaving with its unbounded wait is not used.
 *
 * Timestamps are rounded to the container's tick by the muxer's time base and by nothing else. A
 * copied track whose own timestamps do not increase is mended by a tick and named, as no container
 * takes them.
 */

#include "client/stream/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libavformat/avformat.h>

#include "client/stream/console.h"
#include "client/stream/head.h"
#include "client/stream/sink.h"

#define BUFFER_BYTES (64 << 10)
#define FLUSH_FRAMES 64 /* after so many, all that is buffered is written */
#define ERROR_BYTES 200

enum output_state {
	OUTPUT_EMPTY,
	OUTPUT_STARTED, /* the head is written */
	OUTPUT_BROKEN,  /* an error; text says which */
	OUTPUT_DONE,
};

struct output {
	struct output_setup setup;
	enum output_state state;
	struct sink sink;
	AVFormatContext *muxer;
	AVPacket *packet;
	int64_t last_dts[SOURCE_TRACKS_MAX]; /* of each track, in the muxer's ticks */
	int64_t last_end[SOURCE_TRACKS_MAX]; /* where its next packet would start */
	uint64_t packets, frames;
	uint64_t safe_frames; /* known to have left all buffers */
	size_t largest;       /* packet */
	char error[ERROR_BYTES];
};

static int write_bytes(void *opaque, const uint8_t *data, int size)
{
	int r = sink_write(opaque, data, (size_t)size);

	return r < 0 ? r : size;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
	struct sink *sink = opaque;

	if (whence & AVSEEK_SIZE)
		return sink->end;
	return sink_seek(sink, offset, whence & ~AVSEEK_FORCE);
}

/* The first error stays. A full disk can be known only to the sink. */
static int failed(struct output *output, const char *what, int r)
{
	output->state = OUTPUT_BROKEN;
	if (output->sink.error)
		r = output->sink.error;
	if (!*output->error && output->sink.error)
		snprintf(output->error, sizeof(output->error), "cannot write: %s", strerror(-r));
	else if (!*output->error)
		snprintf(output->error, sizeof(output->error), "%s: %s", what, av_err2str(r));
	return r > -4096 ? r : -EINVAL;
}

static int make_muxer(struct output *output)
{
	unsigned char *buffer;
	int r = avformat_alloc_output_context2(
		&output->muxer, NULL, output->setup.container->muxer, NULL);

	if (r < 0)
		return r;
	buffer = av_malloc(BUFFER_BYTES);
	if (!buffer)
		return AVERROR(ENOMEM);
	output->muxer->pb = avio_alloc_context(buffer, BUFFER_BYTES, 1, &output->sink, NULL,
		write_bytes, output->setup.fd.seekable ? seek_bytes : NULL);
	if (!output->muxer->pb) {
		av_free(buffer);
		return AVERROR(ENOMEM);
	}
	output->muxer->flags |= AVFMT_FLAG_CUSTOM_IO;
	return 0;
}

int output_new(struct output **ret, const struct output_setup *setup)
{
	struct output *output = calloc(1, sizeof(*output));
	int r = 0;

	if (!output)
		return -ENOMEM;
	output->setup = *setup;
	for (size_t i = 0; i < SOURCE_TRACKS_MAX; i++)
		output->last_dts[i] = AV_NOPTS_VALUE;
	sink_init(&output->sink, &setup->fd);
	sink_set_room(&output->sink, setup->container->trailer_bytes);
	output->packet = av_packet_alloc();
	if (!output->packet)
		r = AVERROR(ENOMEM);
	else if (setup->container->muxer)
		r = make_muxer(output);
	if (r < 0)
		output_free(output);
	else
		*ret = output;
	return r < -4095 ? -EINVAL : r;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	if (output->muxer && output->muxer->pb) {
		av_freep(&output->muxer->pb->buffer);
		avio_context_free(&output->muxer->pb);
	}
	avformat_free_context(output->muxer);
	av_packet_free(&output->packet);
	free(output);
}

static int start(struct output *output)
{
	int r;

	if (output->state == OUTPUT_STARTED)
		return 0;
	r = output->muxer ? head_write(output->muxer, &output->setup, output->packet) : 0;
	if (r == AVERROR_INVALIDDATA && !output->sink.error)
		return failed(output, "the first packet holds no parameter sets", r);
	if (r < 0)
		return failed(output, "the head of the file cannot be written", r);
	output->state = OUTPUT_STARTED;
	return 0;
}

/* What ending the file would take now. */
static void keep_room(struct output *output, size_t size)
{
	const struct container *container = output->setup.container;

	if (size > output->largest)
		output->largest = size;
	output->packets++;
	sink_set_room(&output->sink,
		container->trailer_bytes + 2 * output->largest +
			container->trailer_packet * output->packets);
}

static int write_packet(struct output *output)
{
	int r;

	keep_room(output, (size_t)output->packet->size);
	if (output->muxer)
		r = av_write_frame(output->muxer, output->packet);
	else
		r = sink_write(&output->sink, output->packet->data, (size_t)output->packet->size);
	return r < 0 ? failed(output, "a packet cannot be stored", r) : 0;
}

/* The last packets were stored, but the room for the trailer has become short. */
static int check_room(struct output *output)
{
	return output->sink.error ? failed(output, "", 0) : 0;
}

static int copy_video(struct output *output, const struct vencd_packet *packet, int64_t duration)
{
	AVPacket *copy = output->packet;

	if (packet->size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
		return AVERROR(EFBIG);
	if (av_new_packet(copy, (int)packet->size) < 0)
		return AVERROR(ENOMEM);
	memcpy(copy->data, packet->data, packet->size);
	copy->stream_index = 0;
	copy->pts = packet->pts;
	copy->dts = packet->dts;
	copy->duration = duration;
	if (packet->flags & VENCD_PACKET_KEYFRAME)
		copy->flags |= AV_PKT_FLAG_KEY;
	return 0;
}

/*
 * Now and then nothing is left in a buffer, so that a write that fails costs a known number of
 * frames; for pipes and live packets that is always.
 */
static int flush(struct output *output)
{
	bool live = !output->setup.fd.seekable || output->setup.latency == VENCD_LATENCY_LIVE;
	int r = 0;

	if (!output->muxer || (!live && output->frames % FLUSH_FRAMES))
		return 0;
	if (output->frames % FLUSH_FRAMES == 0)
		r = av_write_frame(output->muxer, NULL);
	avio_flush(output->muxer->pb);
	if (r < 0 || output->sink.error)
		return failed(output, "a packet cannot be stored", r);
	if (output->frames % FLUSH_FRAMES == 0)
		output->safe_frames = output->frames;
	return 0;
}

int output_video(struct output *output, const struct vencd_packet *packet, int64_t duration)
{
	const struct vencd_rational *base = &output->setup.info->params.time_base;
	int r;

	if (output->state == OUTPUT_BROKEN)
		return -EIO;
	r = copy_video(output, packet, duration);
	if (r < 0)
		return failed(output, "a packet cannot be stored", r);
	r = start(output);
	if (r == 0) {
		if (output->muxer)
			av_packet_rescale_ts(output->packet, (AVRational){base->num, base->den},
				output->muxer->streams[0]->time_base);
		r = write_packet(output);
	}
	av_packet_unref(output->packet);
	if (r < 0)
		return r;
	output->frames++;
	r = check_room(output);
	return r < 0 ? r : flush(output);
}

/* Completes and orders the times of a copied packet. */
static void mend_times(struct output *output, AVPacket *packet, size_t track)
{
	int64_t *last = &output->last_dts[track];

	if (packet->dts == AV_NOPTS_VALUE)
		packet->dts = packet->pts;
	if (packet->dts == AV_NOPTS_VALUE)
		packet->dts = output->last_end[track];
	if (*last != AV_NOPTS_VALUE && packet->dts <= *last) {
		console_say_once(
			"the timestamps of copied track %zu do not increase everywhere: mended",
			track + 1);
		packet->dts = *last + 1;
	}
	if (packet->pts == AV_NOPTS_VALUE || packet->pts < packet->dts)
		packet->pts = packet->dts;
	*last = packet->dts;
	output->last_end[track] = packet->pts + packet->duration;
}

int output_track(struct output *output, AVPacket *packet)
{
	size_t track = (size_t)packet->stream_index;
	int r;

	if (output->state != OUTPUT_STARTED)
		return -EIO;
	av_packet_rescale_ts(packet, output->setup.info->tracks[track].time_base,
		output->muxer->streams[track + 1]->time_base);
	mend_times(output, packet, track);
	packet->stream_index = (int)track + 1;
	packet->pos = -1;
	av_packet_move_ref(output->packet, packet);
	r = write_packet(output);
	av_packet_unref(output->packet);
	return r < 0 ? r : check_room(output);
}

bool output_started(const struct output *output)
{
	return output->state == OUTPUT_STARTED;
}

static int write_trailer(struct output *output)
{
	int r = av_write_trailer(output->muxer);

	avio_flush(output->muxer->pb);
	return r < 0 ? r : output->muxer->pb->error;
}

int output_finish(struct output *output)
{
	bool started = output->state == OUTPUT_STARTED || (output->frames && output->muxer);
	int r = 0;

	sink_use_room(&output->sink);
	if (started && output->muxer)
		r = write_trailer(output);
	/* Without its trailer, or in the middle of a packet: what is in buffers is lost. */
	if (sink_is_broken(&output->sink) || (r < 0 && started))
		output->frames = output->safe_frames;
	if (sink_finish(&output->sink) < 0 || r < 0)
		return failed(output, "the end of the file cannot be written", r);
	if (output->state == OUTPUT_BROKEN)
		return -EIO;
	output->state = OUTPUT_DONE;
	return 0;
}

const char *output_error(const struct output *output)
{
	return output->error;
}

uint64_t output_bytes(const struct output *output)
{
	return (uint64_t)output->sink.end;
}

uint64_t output_frames(const struct output *output)
{
	return output->frames;
}

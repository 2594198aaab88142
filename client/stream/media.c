// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Any file that libavformat opens: demux, decode, hand on frames and the packets of copied tracks.
 *
 * Damage is carried, not hidden. What can be decoded is encoded, and what libav* reports on the
 * way (a corrupt packet, an error of the decoder, an end before the length that the file
 * promises) makes the end of the input an error, with the first damage as its text. A file that
 * was cut cleanly between two frames and promises no length cannot be told from a short one.
 * Packets before the first keyframe are left out and named, and no damage: recordings start in the
 * middle of a group.
 *
 * Timestamps are the file's own, in its stream's time base, moved so that the file starts at 0 as
 * ffmpeg does it, if it started later. A frame without one gets the nominal distance. A frame that
 * is not after its predecessor is moved one tick of the container behind it, and named; one that
 * goes back by more than BACKWARDS_MAX_S ends the input, since all frames up to there would be
 * squeezed.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/intreadwrite.h>

#include "client/stream/console.h"
#include "client/stream/media_info.h"
#include "client/stream/media_io.h"
#include "client/stream/media_limits.h"
#include "client/stream/picture.h"
#include "client/stream/source.h"

#define BACKWARDS_MAX_S 0.5
#define SHORT_S 1.0     /* an input shorter than promised by more than this, */
#define SHORT_PART 0.01 /* and by more than this part, was cut */
#define ERRORS_IN_A_ROW_MAX 1000
#define SKIPPED_MAX 300 /* packets without a keyframe, after which it is tried without */

enum decoding {
	DECODING_NOT_YET, /* no keyframe came */
	DECODING,
};

struct source {
	struct descriptor input;
	struct media_reader reader;
	AVIOContext *io;
	AVFormatContext *format;
	AVStream *video;
	AVCodecContext *decoder;
	AVPacket *packet;
	AVFrame *picture;
	struct picture_writer *writer;
	struct track_queue *queue;
	int track_of[SOURCE_TRACKS_MAX]; /* stream index by track */
	uint32_t n_tracks;
	bool picture_ready; /* the first one, which open decoded */
	int width, height;  /* of the first one */
	uint64_t frames;    /* handed on */
	enum decoding decoding;
	uint64_t skipped;        /* packets before the first keyframe */
	uint64_t earlier_errors; /* logged by decoders before this one */
	uint64_t errors;         /* of the decoder in a row */
	uint32_t pictureless;    /* packets since the last picture */
	uint32_t pictureless_video;
	int64_t start_us; /* what all times are moved back by */
	int64_t end_us;   /* of the last packet */
	int64_t last_pts;
	int64_t nominal; /* duration, ticks; at least 1 */
	int64_t step;    /* smallest distance the container tells apart, ticks */
	char damage[SOURCE_TEXT_MAX];
};

static int translate(int r)
{
	switch (r) {
	case AVERROR_EXIT:
		return -ECANCELED;
	case AVERROR_INVALIDDATA:
	case AVERROR_PATCHWELCOME:
		return -EBADMSG;
	case AVERROR_DECODER_NOT_FOUND:
	case AVERROR_DEMUXER_NOT_FOUND:
	case AVERROR_STREAM_NOT_FOUND:
	case AVERROR_PROTOCOL_NOT_FOUND:
		return -EOPNOTSUPP;
	default:
		return r < 0 && r > -4096 ? r : -EIO;
	}
}

static void damaged(struct source *source, const char *what, int r)
{
	if (*source->damage)
		return;
	snprintf(source->damage, sizeof(source->damage),
		"the input is damaged near frame %llu: %s%s%s", (unsigned long long)source->frames,
		what, r ? ": " : "", r ? av_err2str(r) : "");
}

/* Damage is carried; without memory nothing goes on. */
static int decoder_failed(struct source *source, int r)
{
	if (r == AVERROR(ENOMEM) || media_limits_starved(source->decoder))
		return AVERROR(ENOMEM);
	damaged(source, "the decoder says", r);
	return 0;
}

/* --- packets --- */

static int track_of(const struct source *source, int stream_index)
{
	for (uint32_t i = 0; i < source->n_tracks; i++) {
		if (source->track_of[i] == stream_index)
			return (int)i;
	}
	return -1;
}

static void note_end(struct source *source, const AVStream *stream)
{
	int64_t end = source->packet->pts;

	if (end == AV_NOPTS_VALUE)
		return;
	end = av_rescale_q(end + source->packet->duration, stream->time_base, AV_TIME_BASE_Q);
	source->end_us = FFMAX(source->end_us, end);
}

static int64_t moved(const struct source *source, int64_t time, AVRational time_base)
{
	if (time == AV_NOPTS_VALUE)
		return time;
	return time - av_rescale_q(source->start_us, AV_TIME_BASE_Q, time_base);
}

static int pass_track(struct source *source, int track, const AVStream *stream)
{
	AVPacket *packet = source->packet;

	packet->pts = moved(source, packet->pts, stream->time_base);
	packet->dts = moved(source, packet->dts, stream->time_base);
	packet->stream_index = track;
	return track_queue_put(source->queue, packet);
}

/* Recordings start in the middle of a group, whose rest no decoder can use. */
static bool is_before_keyframe(struct source *source)
{
	char text[SOURCE_TEXT_MAX];

	if (source->decoding == DECODING)
		return false;
	if (!(source->packet->flags & AV_PKT_FLAG_KEY) && source->skipped < SKIPPED_MAX) {
		source->skipped++;
		return true;
	}
	source->decoding = DECODING;
	source->earlier_errors = console_decoder_errors(text, sizeof(text));
	return false;
}

static int decode_packet(struct source *source)
{
	int r;

	if (is_before_keyframe(source))
		return 0;
	r = avcodec_send_packet(source->decoder, source->packet);
	return r < 0 && r != AVERROR_EOF ? decoder_failed(source, r) : 0;
}

static int pass_packet(struct source *source)
{
	const AVStream *stream = source->format->streams[source->packet->stream_index];
	int track = track_of(source, source->packet->stream_index);

	note_end(source, stream);
	if (stream != source->video && track < 0)
		return 0;
	if (source->packet->flags & AV_PKT_FLAG_CORRUPT)
		damaged(source, "a packet is incomplete", 0);
	return stream == source->video ? decode_packet(source) : pass_track(source, track, stream);
}

/* Whether much less came than the file's header says it holds. */
static void check_length(struct source *source)
{
	const AVFormatContext *format = source->format;
	double promised, came;

	if (format->duration == AV_NOPTS_VALUE || !source->input.seekable ||
		format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE)
		return;
	promised = (double)format->duration / AV_TIME_BASE;
	came = (double)(source->end_us -
		       (format->start_time != AV_NOPTS_VALUE ? format->start_time : 0)) /
		AV_TIME_BASE;
	if (promised - came < SHORT_S || promised - came < promised * SHORT_PART || *source->damage)
		return;
	snprintf(source->damage, sizeof(source->damage),
		"the input ends after %.1f s, and says that it is %.1f s long", came, promised);
}

static int end_of_packets(struct source *source, int r)
{
	if (source->io->error == AVERROR_EXIT)
		return AVERROR_EXIT;
	if (r != AVERROR_EOF)
		damaged(source, "reading stopped", r);
	else if (source->io->error < 0 && source->io->error != AVERROR_EOF)
		damaged(source, "reading stopped", source->io->error);
	else
		check_length(source);
	r = avcodec_send_packet(source->decoder, NULL);
	return r == AVERROR_EOF ? 0 : r;
}

/* An input that goes on and on, and of which no picture comes, has failed. */
static int count_packet(struct source *source)
{
	source->reader.barren = 0;
	source->pictureless++;
	if (source->format->streams[source->packet->stream_index] == source->video)
		source->pictureless_video++;
	if (source->pictureless <= PICTURELESS_MAX &&
		source->pictureless_video <= PICTURELESS_VIDEO_MAX)
		return 0;
	snprintf(source->damage, sizeof(source->damage),
		"the input has %u packets in a row, %u of them of its video, and no picture",
		source->pictureless, source->pictureless_video);
	return AVERROR_INVALIDDATA;
}

static int read_packet(struct source *source)
{
	int r = av_read_frame(source->format, source->packet);

	if (r == AVERROR_EXIT || r == AVERROR(EAGAIN))
		return r == AVERROR_EXIT ? r : 0;
	if (r < 0)
		return end_of_packets(source, r);
	r = count_packet(source);
	if (r >= 0)
		r = pass_packet(source);
	av_packet_unref(source->packet);
	return r;
}

/* --- pictures --- */

/* What the container says is to be cut away; what the bitstream says libavcodec has cut. */
static int crop(const struct source *source, AVFrame *picture)
{
	const AVPacketSideData *cropping = av_packet_side_data_get(
		source->video->codecpar->coded_side_data,
		source->video->codecpar->nb_coded_side_data, AV_PKT_DATA_FRAME_CROPPING);

	if (!cropping || cropping->size < 4 * sizeof(uint32_t))
		return 0;
	picture->crop_top += AV_RL32(cropping->data);
	picture->crop_bottom += AV_RL32(cropping->data + 4);
	picture->crop_left += AV_RL32(cropping->data + 8);
	picture->crop_right += AV_RL32(cropping->data + 12);
	return av_frame_apply_cropping(picture, AV_FRAME_CROP_UNALIGNED);
}

static int took_picture(struct source *source)
{
	AVFrame *picture = source->picture;

	source->errors = 0;
	source->pictureless = source->pictureless_video = 0;
	if (picture->decode_error_flags || picture->flags & AV_FRAME_FLAG_CORRUPT)
		damaged(source, "a picture was decoded with errors", 0);
	if (picture->flags & AV_FRAME_FLAG_INTERLACED)
		console_say_once(
			"the input is interlaced: its frames are encoded as progressive ones");
	return crop(source, picture);
}

/* 1 with a picture, 0 at the end, negative AVERROR. */
static int next_picture(struct source *source)
{
	for (;;) {
		int r = avcodec_receive_frame(source->decoder, source->picture);

		if (r == 0) {
			r = took_picture(source);
			return r < 0 ? r : 1;
		}
		if (r == AVERROR_EOF)
			return 0;
		if (r != AVERROR(EAGAIN)) {
			r = decoder_failed(source, r);
			if (r < 0 || ++source->errors > ERRORS_IN_A_ROW_MAX)
				return r < 0 ? r : AVERROR_INVALIDDATA;
			continue;
		}
		r = read_packet(source);
		if (r < 0)
			return r;
	}
}

/* --- times --- */

static void set_times(
	struct source *source, const struct vencd_params *params, const struct container *container)
{
	AVRational base = source->video->time_base;
	AVRational rate = {params->frame_rate.num, params->frame_rate.den};

	source->nominal = rate.num ? av_rescale_q(1, av_inv_q(rate), base) : 0;
	if (source->nominal < 1)
		source->nominal = 1;
	source->step = 1;
	if (container->tick.num)
		source->step = av_rescale_q_rnd(1, container->tick, base, AV_ROUND_UP);
}

/* The pts of the picture, greater than the last one. */
static int choose_pts(struct source *source, int64_t *ret, char *text)
{
	AVRational base = source->video->time_base;
	int64_t pts = source->picture->pts;

	if (pts == AV_NOPTS_VALUE)
		pts = source->picture->best_effort_timestamp;
	pts = moved(source, pts, base);
	if (pts == AV_NOPTS_VALUE)
		pts = source->frames ? source->last_pts + source->nominal : 0;
	if (source->frames && pts <= source->last_pts) {
		double back = (double)(source->last_pts - pts) * av_q2d(base);

		if (back > BACKWARDS_MAX_S) {
			snprintf(text, SOURCE_TEXT_MAX,
				"timestamps go back by %.3f s at frame %llu", back,
				(unsigned long long)source->frames);
			return -EBADMSG;
		}
		console_say_once(
			"frame %llu has no later timestamp than the one before it: it is moved "
			"by %.3f s; more of these are not named",
			(unsigned long long)source->frames,
			back + (double)source->step * av_q2d(base));
		pts = source->last_pts + source->step;
	}
	*ret = source->last_pts = pts;
	return 0;
}

/* --- the source --- */

static void media_close(struct source *source)
{
	if (!source)
		return;
	picture_writer_free(source->writer);
	av_frame_free(&source->picture);
	av_packet_free(&source->packet);
	avcodec_free_context(&source->decoder);
	avformat_close_input(&source->format);
	media_io_free(&source->io);
	free(source);
}

static int interrupted(void *userdata)
{
	const struct source *source = userdata;

	return source->input.stop(source->input.userdata);
}

static int open_demuxer(struct source *source, const struct source_setup *setup)
{
	int r;

	source->input = setup->input;
	source->queue = setup->queue;
	source->last_pts = AV_NOPTS_VALUE;
	source->reader.input = &source->input;
	source->io = media_io_new(&source->reader);
	source->format = avformat_alloc_context();
	if (!source->io || !source->format)
		return AVERROR(ENOMEM);
	source->format->pb = source->io;
	source->format->interrupt_callback = (AVIOInterruptCB){interrupted, source};
	source->format->error_recognition = AV_EF_CRCCHECK;
	media_io_fence(source->format, setup->nested);
	media_limits_demuxer(source->format);
	r = avformat_open_input(&source->format, setup->name, NULL, NULL);
	if (r >= 0)
		r = media_limits_find_info(source->format);
	if (r >= 0 && source->format->start_time != AV_NOPTS_VALUE &&
		source->format->start_time > 0)
		source->start_us = source->format->start_time;
	return r;
}

static int open_decoder(struct source *source)
{
	const AVCodec *codec;
	int r = av_find_best_stream(source->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);

	if (r < 0)
		return r;
	source->video = source->format->streams[r];
	source->decoder = avcodec_alloc_context3(codec);
	source->packet = av_packet_alloc();
	source->picture = av_frame_alloc();
	if (!source->decoder || !source->packet || !source->picture)
		return AVERROR(ENOMEM);
	r = avcodec_parameters_to_context(source->decoder, source->video->codecpar);
	if (r < 0)
		return r;
	source->decoder->pkt_timebase = source->video->time_base;
	source->decoder->err_recognition = AV_EF_CRCCHECK;
	media_limits_decoder(source->decoder);
	return avcodec_open2(source->decoder, codec, NULL);
}

static void list_tracks(struct source *source, const struct source_info *info)
{
	source->n_tracks = info->n_tracks;
	for (uint32_t i = 0; i < info->n_tracks; i++)
		source->track_of[i] = info->tracks[i].source_index;
}

static int decode_first(struct source *source, char *text)
{
	int r = next_picture(source);

	if (r == 0) {
		snprintf(text, SOURCE_TEXT_MAX, "no picture could be decoded%s%.200s",
			*source->damage ? ": " : "", source->damage);
		return AVERROR_INVALIDDATA;
	}
	if (r < 0)
		return r;
	if (source->skipped)
		console_say("%llu packets before the first keyframe are left out",
			(unsigned long long)source->skipped);
	source->picture_ready = true;
	source->width = source->picture->width;
	source->height = source->picture->height;
	if (source->width > (int)VENCD_SIZE_MAX || source->height > (int)VENCD_SIZE_MAX) {
		snprintf(text, SOURCE_TEXT_MAX, "pictures are %dx%d: at most %ux%u can be encoded",
			source->width, source->height, VENCD_SIZE_MAX, VENCD_SIZE_MAX);
		return AVERROR(EINVAL);
	}
	return 0;
}

static int describe(
	struct source *source, const struct source_setup *setup, struct source_info *info)
{
	const AVFormatContext *format = source->format;

	media_info_video(&info->params, source->format, source->video, source->picture);
	info->endless = source->input.kind != DESCRIPTOR_FILE;
	if (format->duration != AV_NOPTS_VALUE)
		info->duration_s = (double)format->duration / AV_TIME_BASE;
	set_times(source, &info->params, setup->container);
	return picture_writer_new(&source->writer, source->picture, &info->params);
}

/* What was damaged first is what led to it, unless it was for want of something. */
static void explain(const struct source *source, int r, char *text)
{
	if (r == AVERROR_INVALIDDATA && *source->damage)
		snprintf(text, SOURCE_TEXT_MAX, "%s", source->damage);
	else
		media_limits_explain(&source->reader, r, text);
}

static int open_all(struct source *source, const struct source_setup *setup,
	struct source_info *info, char *text)
{
	int r = open_demuxer(source, setup);

	if (r >= 0)
		r = open_decoder(source);
	if (r == AVERROR_STREAM_NOT_FOUND)
		snprintf(text, SOURCE_TEXT_MAX, "there is no video in it");
	/* Tracks first: their packets are read on the way to the first picture. */
	if (r >= 0)
		r = media_info_tracks(info, source->format, source->video, setup->container);
	if (r < 0)
		return r;
	list_tracks(source, info);
	r = media_info_chapters(info, source->format, source->start_us);
	if (r >= 0)
		r = decode_first(source, text);
	if (r >= 0)
		r = describe(source, setup, info);
	return r < 0 ? r : media_info_side_data(info, source->video, source->picture);
}

static int media_open(
	struct source **ret, const struct source_setup *setup, struct source_info *info, char *text)
{
	struct source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	*text = '\0';
	r = open_all(source, setup, info, text);
	if (r < 0) {
		if (!*text)
			explain(source, r, text);
		media_close(source);
		return translate(r);
	}
	*ret = source;
	return 0;
}

/* What a decoder with threads logged, and did not tell. */
static void check_log(struct source *source)
{
	char text[SOURCE_TEXT_MAX / 2];
	uint64_t errors = console_decoder_errors(text, sizeof(text)) - source->earlier_errors;

	if (errors && !*source->damage)
		snprintf(source->damage, sizeof(source->damage),
			"the input is damaged: its decoder logged %llu errors, at last \"%s\"",
			(unsigned long long)errors, text);
}

/* The input is at its end; say whether it was a good one. */
static int end(struct source *source, char *text)
{
	check_log(source);
	if (!*source->damage)
		return SOURCE_END;
	snprintf(text, SOURCE_TEXT_MAX, "%s", source->damage);
	return -EBADMSG;
}

static int check_size(const struct source *source, char *text)
{
	const AVFrame *picture = source->picture;

	if (picture->width == source->width && picture->height == source->height)
		return 0;
	snprintf(text, SOURCE_TEXT_MAX,
		"the picture changes its size from %dx%d to %dx%d at frame %llu", source->width,
		source->height, picture->width, picture->height,
		(unsigned long long)source->frames);
	return -EBADMSG;
}

static int media_fill(struct source *source, struct source_frame *frame, char *text)
{
	int r = source->picture_ready ? 1 : next_picture(source);

	source->picture_ready = false;
	if (r == 0)
		return end(source, text);
	if (r > 0)
		r = check_size(source, text);
	else
		explain(source, r, text);
	if (r == 0)
		r = choose_pts(source, &frame->pts, text);
	if (r < 0)
		return translate(r);
	r = picture_write(source->writer, source->picture, frame);
	if (r < 0) {
		snprintf(text, SOURCE_TEXT_MAX, "a picture cannot be converted: %s", av_err2str(r));
		return translate(r);
	}
	frame->duration = source->picture->duration;
	av_frame_unref(source->picture);
	source->frames++;
	return SOURCE_FRAME;
}

const struct source_ops media_source = {
	.open = media_open, .fill = media_fill, .close = media_close};

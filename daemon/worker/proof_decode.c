// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Decoding by libavcodec, with one thread and without mercy: what a decoder would have to repair is
 * a failure. Each picture must have the visible size and the depth that were asked for, the pts of
 * its place, and look like the frame that was drawn for it. What stood in the stream may be
 * anything, which the process's walls are for; its time is the supervisor's to bound.
 *
 * The decoders open no file and make no thread.
 */

#include "daemon/worker/proof_decode.h"

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/worker/proof_picture.h"

/*
 * In 0.01 dB. The probe's rates and qualities give 35 dB and more, the neighbouring frame 20 at
 * most.
 */
#define PSNR_MIN 2700u

struct decoding {
	const struct proof_case *asked;
	struct proof_evidence *evidence;
	char *text;
	AVCodecContext *context;
	AVPacket *packet;
	AVFrame *frame;
	uint32_t pictures;
};

#define WRONG(d, ...) proof_fail((d)->text, ENCODER_WRONG_OUTPUT, __VA_ARGS__)

static const AVCodec *find_decoder(uint32_t codec)
{
	static const char *const names[][2] = {
		[VENCD_CODEC_AV1] = {"libdav1d", "libaom-av1"},
		[VENCD_CODEC_HEVC] = {"hevc", "hevc"},
		[VENCD_CODEC_H264] = {"h264", "h264"},
		[VENCD_CODEC_VP9] = {"vp9", "libvpx-vp9"},
	};
	const AVCodec *found = avcodec_find_decoder_by_name(names[codec][0]);

	return found ? found : avcodec_find_decoder_by_name(names[codec][1]);
}

static enum encoder_status start(struct decoding *d, uint32_t codec)
{
	const AVCodec *decoder = find_decoder(codec);
	int e;

	if (!decoder)
		return proof_fail(d->text, ENCODER_LIBRARY,
			"libavcodec has no software decoder to check it with");
	d->context = avcodec_alloc_context3(decoder);
	d->packet = av_packet_alloc();
	d->frame = av_frame_alloc();
	if (!d->context || !d->packet || !d->frame)
		return proof_fail(d->text, ENCODER_NO_MEMORY, "no memory for a decoder");
	d->context->thread_count = 1;
	d->context->pkt_timebase = (AVRational){1, 25};
	d->context->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM;
	e = avcodec_open2(d->context, decoder, NULL);
	if (e < 0)
		return proof_fail(
			d->text, ENCODER_LIBRARY, "its decoder does not open: %s", av_err2str(e));
	return ENCODER_OK;
}

/* --- a picture --- */

static bool is_deep(const struct proof_case *c)
{
	return c->format == VENCD_FORMAT_I010 || c->format == VENCD_FORMAT_P010;
}

static enum encoder_status check_form(struct decoding *d)
{
	const struct proof_case *c = d->asked;
	const AVFrame *f = d->frame;
	bool right = is_deep(c)
		? f->format == AV_PIX_FMT_YUV420P10LE
		: f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVJ420P;

	if (d->pictures >= c->frames)
		return WRONG(d, "decodes to more pictures than frames");
	if ((uint32_t)f->width != c->width || (uint32_t)f->height != c->height)
		return WRONG(d, "decodes to pictures of %dx%d", f->width, f->height);
	if (!right)
		return WRONG(d, "decodes to another pixel format");
	if (f->flags & AV_FRAME_FLAG_CORRUPT)
		return WRONG(d, "decodes to a damaged picture %u", d->pictures);
	if (f->pts != d->pictures)
		return WRONG(
			d, "decodes to pts %lld as picture %u", (long long)f->pts, d->pictures);
	return ENCODER_OK;
}

/* Which frame it shows, if any of the case's. */
static enum encoder_status misplaced(
	struct decoding *d, const struct proof_planes *planes, uint32_t psnr)
{
	for (uint32_t i = 0; i < d->asked->frames; i++)
		if (proof_picture_psnr(planes, i) >= PSNR_MIN)
			return WRONG(d, "picture %u shows frame %u", d->pictures, i);
	return WRONG(d, "picture %u is not what was drawn: %u.%02u dB", d->pictures, psnr / 100,
		psnr % 100);
}

static enum encoder_status compare(struct decoding *d)
{
	struct proof_planes planes = {
		.width = (uint32_t)d->frame->width,
		.height = (uint32_t)d->frame->height,
		.deep = is_deep(d->asked),
	};
	enum encoder_status status = check_form(d);
	uint32_t psnr;

	if (status != ENCODER_OK)
		return status;
	for (unsigned i = 0; i < 3; i++) {
		planes.data[i] = d->frame->data[i];
		planes.stride[i] = d->frame->linesize[i];
	}
	psnr = proof_picture_psnr(&planes, d->pictures);
	if (psnr < PSNR_MIN)
		status = misplaced(d, &planes, psnr);
	if (d->pictures == 0 || psnr < d->evidence->psnr)
		d->evidence->psnr = psnr;
	d->pictures++;
	return status;
}

/* --- the stream --- */

static enum encoder_status take_pictures(struct decoding *d)
{
	int e;

	while ((e = avcodec_receive_frame(d->context, d->frame)) == 0) {
		enum encoder_status status = compare(d);

		av_frame_unref(d->frame);
		if (status != ENCODER_OK)
			return status;
	}
	if (e == AVERROR(EAGAIN) || e == AVERROR_EOF)
		return ENCODER_OK;
	return WRONG(d, "does not decode after %u pictures: %s", d->pictures, av_err2str(e));
}

/* NULL: the end. */
static enum encoder_status give(struct decoding *d, const AVPacket *packet)
{
	int e = avcodec_send_packet(d->context, packet);

	while (e == AVERROR(EAGAIN)) {
		uint32_t before = d->pictures;
		enum encoder_status status = take_pictures(d);

		if (status != ENCODER_OK)
			return status;
		if (d->pictures == before)
			break; /* it would not move */
		e = avcodec_send_packet(d->context, packet);
	}
	if (e < 0)
		return WRONG(
			d, "does not decode after %u pictures: %s", d->pictures, av_err2str(e));
	return take_pictures(d);
}

static enum encoder_status give_packet(
	struct decoding *d, const struct proof_stream *stream, const struct proof_packet *p)
{
	enum encoder_status status;

	if (av_new_packet(d->packet, (int)p->size) < 0)
		return proof_fail(d->text, ENCODER_NO_MEMORY, "no memory for a decoder");
	memcpy(d->packet->data, stream->data + p->offset, p->size);
	d->packet->pts = p->pts;
	status = give(d, d->packet);
	av_packet_unref(d->packet);
	return status;
}

static enum encoder_status decode_all(struct decoding *d, const struct proof_stream *stream)
{
	enum encoder_status status = start(d, stream->codec);

	for (unsigned i = 0; i < stream->n && status == ENCODER_OK; i++)
		status = give_packet(d, stream, &stream->packet[i]);
	if (status == ENCODER_OK)
		status = give(d, NULL);
	if (status == ENCODER_OK && d->pictures != d->asked->frames)
		status = WRONG(d, "decodes to %u pictures of %u", d->pictures, d->asked->frames);
	return status;
}

enum encoder_status proof_decode(const struct proof_stream *stream, const struct proof_case *asked,
	struct proof_evidence *evidence, char *text)
{
	struct decoding d = {.asked = asked, .evidence = evidence, .text = text};
	enum encoder_status status;

	if (!stream->codec)
		return ENCODER_OK; /* the null encoder's packets are of no codec */
	status = decode_all(&d, stream);
	av_frame_free(&d.frame);
	av_packet_free(&d.packet);
	avcodec_free_context(&d.context);
	return status;
}

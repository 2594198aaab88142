// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Decoding what a case gave. Each picture must have the visible size and the depth that were asked
 * for, the pts of its place, and look like the frame that was drawn for it. What stood in the
 * stream may be anything, which the process's walls are for; its time is the supervisor's to bound.
 */

#include "daemon/worker/proof_decode.h"

#include <string.h>

#include "daemon/worker/decoder.h"
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
	struct decoder decoder;
	AVPacket *packet;
	uint32_t pictures;
};

#define WRONG(d, ...) proof_fail((d)->text, ENCODER_WRONG_OUTPUT, __VA_ARGS__)

static enum encoder_status start(struct decoding *d, uint32_t codec)
{
	int e = decoder_open(&d->decoder, codec);

	d->packet = av_packet_alloc();
	if (e == AVERROR_DECODER_NOT_FOUND)
		return proof_fail(d->text, ENCODER_LIBRARY,
			"libavcodec has no software decoder to check it with");
	if (e == AVERROR(ENOMEM) || !d->packet)
		return proof_fail(d->text, ENCODER_NO_MEMORY, "no memory for a decoder");
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

static enum encoder_status check_form(struct decoding *d, const AVFrame *f)
{
	const struct proof_case *c = d->asked;
	const char *fault = decoder_fault(f, is_deep(c));

	if (d->pictures >= c->frames)
		return WRONG(d, "decodes to more pictures than frames");
	if ((uint32_t)f->width != c->width || (uint32_t)f->height != c->height)
		return WRONG(d, "decodes to pictures of %dx%d", f->width, f->height);
	if (fault)
		return WRONG(d, "decodes to %s as picture %u", fault, d->pictures);
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

/* Of each picture as it comes; an enum encoder_status. */
static int compare(void *userdata, const AVFrame *frame)
{
	struct decoding *d = userdata;
	struct proof_planes planes = {
		.width = (uint32_t)frame->width,
		.height = (uint32_t)frame->height,
		.deep = is_deep(d->asked),
	};
	enum encoder_status status = check_form(d, frame);
	uint32_t psnr;

	if (status != ENCODER_OK)
		return (int)status;
	for (unsigned i = 0; i < 3; i++) {
		planes.data[i] = frame->data[i];
		planes.stride[i] = frame->linesize[i];
	}
	psnr = proof_picture_psnr(&planes, d->pictures);
	if (psnr < PSNR_MIN)
		status = misplaced(d, &planes, psnr);
	if (d->pictures == 0 || psnr < d->evidence->psnr)
		d->evidence->psnr = psnr;
	d->pictures++;
	return (int)status;
}

/* --- the stream --- */

/* NULL: the end. */
static enum encoder_status give(struct decoding *d, const AVPacket *packet)
{
	int r = decoder_give(&d->decoder, packet, compare, d);

	if (r < 0)
		return WRONG(
			d, "does not decode after %u pictures: %s", d->pictures, av_err2str(r));
	return (enum encoder_status)r;
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
	av_packet_free(&d.packet);
	decoder_close(&d.decoder);
	return status;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Decoding what an encoder gave. The decoders open no file, make no thread and see no device, and
 * libavcodec holds no lock around their opening.
 */

#include "daemon/worker/decoder.h"

#include "client/vencd.h"

static const AVCodec *find(uint32_t codec)
{
	static const char *const names[][2] = {
		[VENCD_CODEC_AV1] = {"libdav1d", "libaom-av1"},
		[VENCD_CODEC_HEVC] = {"hevc", "hevc"},
		[VENCD_CODEC_H264] = {"h264", "h264"},
		[VENCD_CODEC_VP9] = {"vp9", "libvpx-vp9"},
	};
	const AVCodec *found;

	if (codec >= sizeof(names) / sizeof(names[0]) || !names[codec][0])
		return NULL;
	found = avcodec_find_decoder_by_name(names[codec][0]);
	return found ? found : avcodec_find_decoder_by_name(names[codec][1]);
}

int decoder_open(struct decoder *ret, uint32_t codec)
{
	const AVCodec *decoder = find(codec);

	*ret = (struct decoder){0};
	if (!decoder)
		return AVERROR_DECODER_NOT_FOUND;
	ret->context = avcodec_alloc_context3(decoder);
	ret->frame = av_frame_alloc();
	if (!ret->context || !ret->frame)
		return AVERROR(ENOMEM);
	ret->context->thread_count = 1;
	ret->context->pkt_timebase = (AVRational){1, 25};
	ret->context->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM;
	return avcodec_open2(ret->context, decoder, NULL);
}

void decoder_close(struct decoder *d)
{
	av_frame_free(&d->frame);
	avcodec_free_context(&d->context);
}

/* *n counts what came. */
static int take_all(struct decoder *d, int (*take)(void *userdata, const AVFrame *picture),
	void *userdata, unsigned *n)
{
	int e;

	while ((e = avcodec_receive_frame(d->context, d->frame)) == 0) {
		int r = take(userdata, d->frame);

		av_frame_unref(d->frame);
		++*n;
		if (r)
			return r;
	}
	return e == AVERROR(EAGAIN) || e == AVERROR_EOF ? 0 : e;
}

int decoder_give(struct decoder *d, const AVPacket *packet,
	int (*take)(void *userdata, const AVFrame *picture), void *userdata)
{
	int e = avcodec_send_packet(d->context, packet);
	unsigned n = 0;

	while (e == AVERROR(EAGAIN)) {
		unsigned before = n;
		int r = take_all(d, take, userdata, &n);

		if (r)
			return r;
		if (n == before)
			break; /* it would not move */
		e = avcodec_send_packet(d->context, packet);
	}
	return e < 0 ? e : take_all(d, take, userdata, &n);
}

void decoder_restart(struct decoder *d)
{
	avcodec_flush_buffers(d->context);
}

const char *decoder_fault(const AVFrame *f, bool deep)
{
	bool right = deep ? f->format == AV_PIX_FMT_YUV420P10LE
			  : f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVJ420P;

	if (!right)
		return "another pixel format";
	if (f->flags & AV_FRAME_FLAG_CORRUPT || f->decode_error_flags)
		return "a damaged picture";
	return NULL;
}

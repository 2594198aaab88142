// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * H.264 and HEVC by x264 and x265, through the installed libavcodec.
 *
 * Everything that decides the delay is set from the plan (hw/plan_x26x.c), never left to the
 * library, so that what was promised before the encoder was opened holds on any number of cores.
 * Parameter sets are repeated at every keyframe, GOPs are closed, forced keyframes are IDR
 * pictures.
 *
 * Constant quality 0 is the finest quantiser of the ordinary profiles. It is not x264's lossless
 * mode, which is another profile (High 4:4:4 Predictive) that few decoders have.
 *
 * Rate limits are VBV limits without filler: a picture that needs less than the constant rate gets
 * less. x265 writes its log to stderr, so it is silenced; x264's goes the way of libavcodec's.
 */

#include <stdio.h>
#include <stdlib.h>

#include "hw/lavc.h"
#include "hw/plan_x26x.h"

#define MIN_BITRATE 1000u /* both libraries count in kbit/s */

struct encoder {
	struct lavc lavc;
};

struct software {
	const char *codec, *library;
	bool semi_planar; /* takes NV12 as it is */
	void (*plan)(const struct encoder_params *params, struct x26x_plan *ret);
	int (*set_options)(AVDictionary **options, const struct x26x_plan *plan);
};

static int set_x264_options(AVDictionary **options, const struct x26x_plan *plan)
{
	char text[64];
	int e;

	e = av_dict_set_int(options, "rc-lookahead", plan->lookahead, 0);
	if (e < 0)
		return e;
	snprintf(text, sizeof(text), "sync-lookahead=%u:repeat-headers=1:annexb=1",
		plan->sync_lookahead);
	return av_dict_set(options, "x264-params", text, 0);
}

static int set_x265_options(AVDictionary **options, const struct x26x_plan *plan)
{
	char text[160], ctu[16] = "";

	if (plan->ctu)
		snprintf(ctu, sizeof(ctu), ":ctu=%u", plan->ctu);
	snprintf(text, sizeof(text),
		"log-level=none:pools=%u:frame-threads=%u:rc-lookahead=%u:open-gop=0:"
		"repeat-headers=1:annexb=1%s%s",
		plan->threads, plan->frame_threads, plan->lookahead, ctu,
		plan->no_cutree ? ":cutree=0" : "");
	return av_dict_set(options, "x265-params", text, 0);
}

static const struct software x264 = {
	.codec = "libx264",
	.library = "libx264.so",
	.semi_planar = true,
	.plan = x264_plan,
	.set_options = set_x264_options,
};

static const struct software x265 = {
	.codec = "libx265",
	.library = "libx265.so",
	.plan = x265_plan,
	.set_options = set_x265_options,
};

static uint32_t native_format(const struct software *s, uint32_t format)
{
	if (format == VENCD_FORMAT_NV12 && !s->semi_planar)
		return VENCD_FORMAT_I420;
	return format == VENCD_FORMAT_P010 ? VENCD_FORMAT_I010 : format;
}

/*
 * x264 takes a constant quality below 1 at 8 bit for its lossless mode. The finest quantiser
 * without it is 0 everywhere, which a maximum of 0 says.
 */
static int set_quality(
	AVCodecContext *c, const struct software *s, int quality, AVDictionary **options)
{
	if (s == &x264 && quality == 0 && c->pix_fmt != AV_PIX_FMT_YUV420P10LE) {
		quality = 1;
		c->qmin = c->qmax = 0;
	}
	return av_dict_set_int(options, "crf", quality, 0);
}

static int set_rate(AVCodecContext *c, const struct software *s, const struct vencd_params *p,
	AVDictionary **options)
{
	if (p->rate_control == VENCD_RATE_QUALITY)
		return set_quality(c, s, p->quality, options);
	if (p->bitrate < MIN_BITRATE)
		return AVERROR(EINVAL);
	c->bit_rate = (int64_t)p->bitrate;
	if (p->rate_control == VENCD_RATE_CAPPED_VBR)
		lavc_limit_rate(c, p->max_bitrate, p->latency);
	if (p->rate_control == VENCD_RATE_CBR)
		lavc_limit_rate(c, p->bitrate, p->latency);
	return 0;
}

static void set_threads(AVCodecContext *c, const struct software *s, const struct x26x_plan *plan)
{
	c->max_b_frames = (int)plan->b_frames;
	c->thread_type = plan->live ? FF_THREAD_SLICE : FF_THREAD_FRAME;
	c->thread_count = (int)(s == &x264 ? plan->threads : plan->frame_threads);
}

static int set_options(AVCodecContext *c, const struct software *s, const struct x26x_plan *plan,
	const struct vencd_params *p, AVDictionary **options)
{
	int e = av_dict_set(options, "preset", plan->preset, 0);

	if (e >= 0 && plan->live)
		e = av_dict_set(options, "tune", "zerolatency", 0);
	if (e >= 0)
		e = av_dict_set(options, "forced-idr", "1", 0);
	if (e >= 0)
		e = s->set_options(options, plan);
	return e < 0 ? e : set_rate(c, s, p, options);
}

static enum encoder_status configure(struct lavc *l, const struct software *s,
	const struct encoder_params *params, const struct x26x_plan *plan)
{
	AVDictionary *options = NULL;
	int e;

	set_threads(l->context, s, plan);
	e = set_options(l->context, s, plan, &params->request, &options);
	if (e >= 0)
		return lavc_open(l, &options);
	av_dict_free(&options);
	return lavc_failed(&l->host, "settings", e);
}

static enum encoder_status software_open(const struct software *s, struct encoder **ret,
	const struct encoder_params *params, const struct encoder_host *host,
	struct encoder_info *info)
{
	struct encoder *e = calloc(1, sizeof(*e));
	struct x26x_plan plan;
	enum encoder_status status;

	if (!e)
		return ENCODER_NO_MEMORY;
	s->plan(params, &plan);
	status = lavc_init(
		&e->lavc, s->codec, params, native_format(s, params->request.format), host);
	if (!status)
		status = configure(&e->lavc, s, params, &plan);
	if (!status)
		status = lavc_probe(s->codec, s->library, host, info);
	if (status) {
		lavc_finish(&e->lavc);
		free(e);
		return status;
	}
	x26x_plan_info(&plan, info);
	*ret = e;
	return ENCODER_OK;
}

static enum encoder_status software_send(struct encoder *e, const struct encoder_frame *frame)
{
	return lavc_send(&e->lavc, frame);
}

static enum encoder_status software_receive(struct encoder *e, struct encoder_packet *ret)
{
	return lavc_receive(&e->lavc, ret);
}

static enum encoder_status software_flush(struct encoder *e)
{
	return lavc_flush(&e->lavc);
}

static void software_close(struct encoder *e)
{
	lavc_finish(&e->lavc);
	free(e);
}

static enum encoder_status x264_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	(void)reach;
	return lavc_probe(x264.codec, x264.library, host, info);
}

static enum encoder_status x265_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	(void)reach;
	return lavc_probe(x265.codec, x265.library, host, info);
}

static enum encoder_status x264_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	return software_open(&x264, ret, params, host, info);
}

static enum encoder_status x265_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	return software_open(&x265, ret, params, host, info);
}

const struct encoder_ops encoder_libx264 = {
	.name = "libx264",
	.probe = x264_probe,
	.open = x264_open,
	.send = software_send,
	.receive = software_receive,
	.flush = software_flush,
	.close = software_close,
};

const struct encoder_ops encoder_libx265 = {
	.name = "libx265",
	.probe = x265_probe,
	.open = x265_open,
	.send = software_send,
	.receive = software_receive,
	.flush = software_flush,
	.close = software_close,
};

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * H.264, HEVC, AV1 and VP9 on a GPU through VA-API, by the installed libavcodec.
 *
 * Every frame is copied to a surface of the device by the send that takes it, so a frame is let go
 * of inside its send. A frame that libavcodec refuses has been copied for nothing and stays the
 * caller's: it comes only to a caller that takes no packets in between.
 *
 * What the driver claims decides nothing here: the request was narrowed to it and to what it has
 * proved, before this encoder was chosen. The one question that is asked again is which levels of
 * quality there are.
 *
 * Order at the end: codec, surfaces, device, display, node. Each holds what is before it, and is
 * the last to do so when its turn comes, so that what a driver does stands behind its own step.
 *
 * Deliberately not here: dma-bufs, which are not copied; waiting with a bound, which is the
 * watchdog's; constant quality by ICQ, whose scale is a driver's own.
 */

#include <libavutil/hwcontext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/lavc.h"
#include "hw/plan_vaapi.h"
#include "hw/temporal_unit.h"
#include "hw/va_reach.h"
#include "hw/va_status.h"

struct encoder {
	struct lavc lavc;
	struct va_device device;
	AVBufferRef *frames; /* the pool of surfaces */
	AVFrame *surface;    /* empty between calls */
	uint32_t codec;
	struct temporal_unit unit; /* AV1 */
};

struct vaapi {
	const char *name; /* libavcodec's, and ours */
	uint32_t codec;
};

static const struct vaapi h264 = {"h264_vaapi", VENCD_CODEC_H264};
static const struct vaapi hevc = {"hevc_vaapi", VENCD_CODEC_HEVC};
static const struct vaapi av1 = {"av1_vaapi", VENCD_CODEC_AV1};
static const struct vaapi vp9 = {"vp9_vaapi", VENCD_CODEC_VP9};

/*
 * What libavcodec returned, as the driver meant it. A request that was narrowed is not at fault
 * where a driver refuses it.
 */
static enum encoder_status meaning(const struct encoder *e, enum encoder_status status)
{
	VAStatus va;

	if (encoder_status_class(status) == ENCODER_CLASS_NONE)
		return status;
	va = va_status_in(e->lavc.host.text);
	if (va != VA_STATUS_SUCCESS)
		return va_status(va);
	return status == ENCODER_INVALID ? ENCODER_LIBRARY : status;
}

/* --- probe --- */

static enum encoder_status query_reach(
	const struct va_device *d, uint32_t codec, struct encoder_reach *reach)
{
	struct va_claim claims[VA_DEPTHS];
	const struct va_claim *claimed[VA_DEPTHS] = {0};

	for (unsigned depth = 0; depth < VA_DEPTHS; depth++) {
		enum encoder_status status = va_query(
			d, codec, (enum va_depth)depth, &claims[depth]);

		if (status && status != ENCODER_ABSENT)
			return status;
		claimed[depth] = status ? NULL : &claims[depth];
	}
	if (va_narrow(reach, claimed)) {
		d->host.text[0] = '\0'; /* one depth that is absent is no failure */
		return ENCODER_OK;
	}
	if (claimed[VA_DEPTH_8] || claimed[VA_DEPTH_10])
		snprintf(d->host.text, ENCODER_TEXT_MAX,
			"%s claims %s, but nothing that can be used", va_device_vendor(d),
			vencd_codec_name((enum vencd_codec)codec));
	return ENCODER_ABSENT;
}

static void write_version(const struct va_device *d, struct encoder_info *info)
{
	unsigned v = avcodec_version();

	snprintf(info->version, sizeof(info->version), "libavcodec %u.%u.%u, %s",
		AV_VERSION_MAJOR(v), AV_VERSION_MINOR(v), AV_VERSION_MICRO(v), va_device_vendor(d));
}

static enum encoder_status probe(const struct vaapi *v, const struct encoder_host *host,
	struct encoder_info *info, struct encoder_reach *reach)
{
	struct va_device device;
	enum encoder_status status = lavc_probe(v->name, "libva.so", host, info);

	if (status)
		return status;
	status = va_device_open(&device, host);
	if (!status) {
		write_version(&device, info);
		status = query_reach(&device, v->codec, reach);
	}
	va_device_close(&device);
	return status;
}

/* --- open --- */

static bool is_deep(uint32_t format)
{
	return format == VENCD_FORMAT_P010 || format == VENCD_FORMAT_I010;
}

static enum encoder_status make_frames(struct encoder *e)
{
	AVCodecContext *c = e->lavc.context;
	AVHWFramesContext *frames;
	int r;

	e->surface = av_frame_alloc();
	e->frames = av_hwframe_ctx_alloc(e->device.context);
	if (!e->surface || !e->frames)
		return lavc_failed(&e->lavc.host, "av_hwframe_ctx_alloc", AVERROR(ENOMEM));
	frames = (AVHWFramesContext *)(void *)e->frames->data;
	frames->format = AV_PIX_FMT_VAAPI;
	frames->sw_format = c->pix_fmt;
	frames->width = c->width;
	frames->height = c->height;
	lavc_step(&e->lavc.host, ENCODER_STEP_FRAMES);
	r = av_hwframe_ctx_init(e->frames);
	if (r < 0)
		return lavc_failed(&e->lavc.host, "av_hwframe_ctx_init", r);
	c->sw_pix_fmt = c->pix_fmt;
	c->pix_fmt = AV_PIX_FMT_VAAPI;
	c->hw_frames_ctx = av_buffer_ref(e->frames);
	return c->hw_frames_ctx ? ENCODER_OK
				: lavc_failed(&e->lavc.host, "av_buffer_ref", AVERROR(ENOMEM));
}

#define LEVELS_MAX 256u /* no driver has as many: it is something else */

/* Drivers whose level is no scale from good to fast. Mesa's is a row of flags. */
static bool has_levels(const struct va_device *d, const struct va_claim *claim)
{
	if (claim->qualities == VA_ATTRIB_NOT_SUPPORTED || claim->qualities < 2 ||
		claim->qualities > LEVELS_MAX)
		return false;
	return !strstr(va_device_vendor(d), "Mesa Gallium");
}

static enum encoder_status set_level(
	struct encoder *e, const struct vaapi_plan *plan, uint32_t format)
{
	struct va_claim claim;
	enum encoder_status status = va_query(
		&e->device, e->codec, is_deep(format) ? VA_DEPTH_10 : VA_DEPTH_8, &claim);

	if (!status && has_levels(&e->device, &claim))
		e->lavc.context->compression_level = vaapi_driver_level(
			plan->level, claim.qualities);
	return status;
}

static const char *set_rate(
	AVCodecContext *c, const struct vencd_params *p, const struct vaapi_plan *plan)
{
	if (p->rate_control == VENCD_RATE_QUALITY) {
		c->global_quality = plan->quantiser;
		return "CQP";
	}
	c->bit_rate = (int64_t)p->bitrate;
	if (p->rate_control == VENCD_RATE_CAPPED_VBR)
		lavc_limit_rate(
			c, (uint64_t)vaapi_max_rate(p->bitrate, p->max_bitrate), p->latency);
	if (p->rate_control == VENCD_RATE_CBR)
		lavc_limit_rate(c, p->bitrate, p->latency);
	return p->rate_control == VENCD_RATE_CBR ? "CBR" : "VBR";
}

static enum encoder_status open_codec(
	struct encoder *e, const struct vencd_params *p, const struct vaapi_plan *plan)
{
	AVCodecContext *c = e->lavc.context;
	AVDictionary *options = NULL;
	int r = av_dict_set(&options, "rc_mode", set_rate(c, p, plan), 0);

	c->max_b_frames = (int)plan->b_frames;
	if (r >= 0)
		r = av_dict_set_int(&options, "async_depth", plan->async_depth, 0);
	if (r >= 0)
		r = av_dict_set_int(&options, "b_depth", 1, 0);
	if (r >= 0)
		return lavc_open(&e->lavc, &options);
	av_dict_free(&options);
	return lavc_failed(&e->lavc.host, "settings", r);
}

static enum encoder_status open_all(
	struct encoder *e, const struct vaapi *v, const struct encoder_params *params)
{
	const struct vencd_params *p = &params->request;
	const struct encoder_host *host = &e->lavc.host;
	struct vaapi_plan plan;
	enum encoder_status status = va_device_open(&e->device, host);

	vaapi_plan(params, &plan);
	e->codec = v->codec;
	if (!status)
		status = set_level(e, &plan, p->format);
	if (!status)
		status = va_device_wrap(&e->device);
	if (!status)
		status = make_frames(e);
	return status ? status : open_codec(e, p, &plan);
}

static void vaapi_close(struct encoder *e)
{
	lavc_finish(&e->lavc);
	lavc_step(&e->device.host, ENCODER_STEP_FREE_FRAMES);
	av_frame_free(&e->surface);
	lavc_step(&e->device.host, ENCODER_STEP_FREE_FRAMES);
	av_buffer_unref(&e->frames);
	va_device_close(&e->device);
	temporal_unit_clear(&e->unit);
	free(e);
}

static enum encoder_status open_encoder(const struct vaapi *v, struct encoder **ret,
	const struct encoder_params *params, const struct encoder_host *host,
	struct encoder_info *info)
{
	struct encoder *e = calloc(1, sizeof(*e));
	struct vaapi_plan plan;
	enum encoder_status status;

	if (!e)
		return ENCODER_NO_MEMORY;
	e->device.fd = -1;
	status = lavc_init(&e->lavc, v->name, params, params->request.format, host);
	if (!status)
		status = meaning(e, open_all(e, v, params));
	if (status) {
		vaapi_close(e);
		return status;
	}
	vaapi_plan(params, &plan);
	vaapi_plan_info(&plan, info);
	write_version(&e->device, info);
	*ret = e;
	return ENCODER_OK;
}

/* --- frames and packets --- */

/* Copies the wrapped frame to a surface, with all that is said of it. */
static enum encoder_status upload(struct encoder *e)
{
	const struct encoder_host *host = &e->lavc.host;
	int r;

	lavc_step(host, ENCODER_STEP_SURFACE);
	r = av_hwframe_get_buffer(e->frames, e->surface, 0);
	if (r < 0)
		return lavc_failed(host, "av_hwframe_get_buffer", r);
	lavc_step(host, ENCODER_STEP_UPLOAD);
	r = av_hwframe_transfer_data(e->surface, e->lavc.frame, 0);
	if (r < 0)
		return lavc_failed(host, "av_hwframe_transfer_data", r);
	r = av_frame_copy_props(e->surface, e->lavc.frame);
	return r < 0 ? lavc_failed(host, "av_frame_copy_props", r) : ENCODER_OK;
}

static enum encoder_status vaapi_send(struct encoder *e, const struct encoder_frame *frame)
{
	struct lavc_hold *hold;
	enum encoder_status status = lavc_wrap(&e->lavc, frame, e->lavc.frame, &hold);

	if (status)
		return status;
	status = upload(e);
	if (!status)
		status = lavc_give(&e->lavc, e->surface, hold);
	lavc_unwrap(&e->lavc);
	lavc_step(&e->lavc.host, ENCODER_STEP_SURFACE);
	av_frame_unref(e->surface);
	return meaning(e, status);
}

static enum encoder_status vaapi_receive(struct encoder *e, struct encoder_packet *ret)
{
	enum encoder_status status = meaning(e, lavc_receive(&e->lavc, ret));

	if (status || e->codec != VENCD_CODEC_AV1)
		return status;
	if (temporal_unit_make(&e->unit, &ret->data, &ret->size) < 0)
		return lavc_failed(&e->lavc.host, "a temporal unit", AVERROR(ENOMEM));
	return ENCODER_OK;
}

static enum encoder_status vaapi_flush(struct encoder *e)
{
	return meaning(e, lavc_flush(&e->lavc));
}

/* --- one table each --- */

static enum encoder_status h264_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	return probe(&h264, host, info, reach);
}

static enum encoder_status hevc_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	return probe(&hevc, host, info, reach);
}

static enum encoder_status av1_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	return probe(&av1, host, info, reach);
}

static enum encoder_status vp9_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	return probe(&vp9, host, info, reach);
}

static enum encoder_status h264_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	return open_encoder(&h264, ret, params, host, info);
}

static enum encoder_status hevc_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	return open_encoder(&hevc, ret, params, host, info);
}

static enum encoder_status av1_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	return open_encoder(&av1, ret, params, host, info);
}

static enum encoder_status vp9_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	return open_encoder(&vp9, ret, params, host, info);
}

const struct encoder_ops encoder_h264_vaapi = {
	.name = "h264_vaapi",
	.probe = h264_probe,
	.open = h264_open,
	.send = vaapi_send,
	.receive = vaapi_receive,
	.flush = vaapi_flush,
	.close = vaapi_close,
};

const struct encoder_ops encoder_hevc_vaapi = {
	.name = "hevc_vaapi",
	.probe = hevc_probe,
	.open = hevc_open,
	.send = vaapi_send,
	.receive = vaapi_receive,
	.flush = vaapi_flush,
	.close = vaapi_close,
};

const struct encoder_ops encoder_av1_vaapi = {
	.name = "av1_vaapi",
	.probe = av1_probe,
	.open = av1_open,
	.send = vaapi_send,
	.receive = vaapi_receive,
	.flush = vaapi_flush,
	.close = vaapi_close,
};

const struct encoder_ops encoder_vp9_vaapi = {
	.name = "vp9_vaapi",
	.probe = vp9_probe,
	.open = vp9_open,
	.send = vaapi_send,
	.receive = vaapi_receive,
	.flush = vaapi_flush,
	.close = vaapi_close,
};

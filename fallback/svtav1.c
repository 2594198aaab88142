// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * AV1 by SVT-AV1's own API. Through libavcodec the library is asked for packets only when it is
 * given a frame, which deadlocks a bounded pool, and neither CBR nor quality 0 works.
 *
 * - The library copies a picture inside send, so a frame is done with as soon as send returns.
 * - With prediction from both sides (latency file), receive does not block before flush, and
 *   packets appear by themselves. Without (live, or no B frames), get_packet always blocks, so
 *   receive asks for a packet exactly when a frame is inside: it comes without a further frame.
 * - Packets come in order of presentation, a temporal unit each; frames that are not shown travel
 *   with the next one that is.
 * - Frames are numbered for the library, which sorts by the difference of two pts as an int (2.3)
 *   and shows a frame too early where that overflows. Their own pts wait here.
 * - One instance per process: the library frees a global when a handle goes.
 *
 * It does not choose anything the plan has chosen (hw/plan_svtav1.h), and does not mend a stream: a
 * keyframe without a sequence header is wrong output.
 */

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <EbSvtAv1Enc.h>

#include "fallback/svtav1_log.h"
#include "hw/plan_svtav1.h"
#include "hw/planar.h"

#if SVT_AV1_CHECK_VERSION(4, 0, 0)
#define PRED_LOW_DELAY LOW_DELAY
#define PRED_RANDOM_ACCESS RANDOM_ACCESS
#else
#define PRED_LOW_DELAY SVT_AV1_PRED_LOW_DELAY_B
#define PRED_RANDOM_ACCESS SVT_AV1_PRED_RANDOM_ACCESS
#endif

#define GOP_ENDLESS (1u << 30)
#define IN_FLIGHT 2048u /* frames whose packets have not been taken, at most */

enum stream_state {
	STREAM_OPEN,
	STREAM_DRAINING, /* flushed: packets until the library says that it was the last */
	STREAM_ENDED,
};

struct encoder {
	EbComponentType *handle;
	struct encoder_host host;
	enum stream_state state;
	bool low_delay;
	bool all_key;     /* a GOP of one: the library would make intra-only frames of it */
	bool initialised; /* svt_av1_enc_init() was called */
	uint32_t width, height, sample_bytes;
	uint64_t sent, received;
	int64_t pts[IN_FLIGHT];     /* by number of the frame */
	EbBufferHeaderType *packet; /* handed out by receive */
	struct planar_buffer planar;
};

static const struct {
	EbErrorType error;
	enum encoder_status status;
} errors[] = {
	{EB_ErrorNone, ENCODER_OK},
	{EB_ErrorInsufficientResources, ENCODER_NO_MEMORY},
	{EB_ErrorBadParameter, ENCODER_INVALID},
};

static enum encoder_status failed(
	const struct encoder_host *host, EbErrorType error, const char *call)
{
	enum encoder_status status = ENCODER_LIBRARY;
	char line[ENCODER_TEXT_MAX / 2];

	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].error == error)
			status = errors[i].status;
	svtav1_log_last(line, sizeof(line));
	snprintf(host->text, ENCODER_TEXT_MAX, "%s: error 0x%x%s%s", call, (unsigned)error,
		line[0] ? ": " : "", line);
	return status;
}

/* --- the library itself --- */

static enum encoder_status check_version(const struct encoder_host *host, struct encoder_info *info)
{
	const char *version = svt_av1_get_version(); /* "v2.3.0" or "v2.3.0-rc1-5-g..." */
	int major;

	snprintf(info->version, sizeof(info->version), "SVT-AV1 %s", version + (version[0] == 'v'));
	if (sscanf(version, "v%d", &major) == 1 && major != SVT_AV1_VERSION_MAJOR) {
		snprintf(host->text, ENCODER_TEXT_MAX, "%s is installed, built for version %d",
			info->version, SVT_AV1_VERSION_MAJOR);
		return ENCODER_ABSENT;
	}
	return ENCODER_OK;
}

/* --- configuration --- */

/* Mastering display: 0.16, 24.8 and 18.14 fixed point, big endian (AV1 6.7.4). */
static struct EbSvtAv1ChromaPoints chroma_point(const uint16_t xy[2])
{
	uint32_t x = ((uint32_t)xy[0] * 65536 + 25000) / 50000;
	uint32_t y = ((uint32_t)xy[1] * 65536 + 25000) / 50000;

	return (struct EbSvtAv1ChromaPoints){
		.x = htobe16(x > UINT16_MAX ? UINT16_MAX : (uint16_t)x),
		.y = htobe16(y > UINT16_MAX ? UINT16_MAX : (uint16_t)y),
	};
}

static uint32_t luminance(uint32_t value, unsigned bits)
{
	return htobe32((uint32_t)((((uint64_t)value << bits) + 5000) / 10000));
}

static void set_hdr(EbSvtAv1EncConfiguration *config, const struct vencd_hdr *hdr)
{
	config->content_light_level.max_cll = htobe16(hdr->max_content_light);
	config->content_light_level.max_fall = htobe16(hdr->max_average_light);
	if (!hdr->max_luminance)
		return;
	config->mastering_display = (struct EbSvtAv1MasteringDisplayInfo){
		.r = chroma_point(hdr->display_primaries[0]),
		.g = chroma_point(hdr->display_primaries[1]),
		.b = chroma_point(hdr->display_primaries[2]),
		.white_point = chroma_point(hdr->white_point),
		.max_luma = luminance(hdr->max_luminance, 8),
		.min_luma = luminance(hdr->min_luminance, 14),
	};
}

/* AV1 has no word for a centred chroma sample: it stays unknown in the stream. */
static void set_colour(EbSvtAv1EncConfiguration *config, const struct vencd_colour *colour)
{
	static const EbChromaSamplePosition locations[] = {
		[0] = EB_CSP_UNKNOWN,
		[1] = EB_CSP_VERTICAL,
		[2] = EB_CSP_UNKNOWN,
		[3] = EB_CSP_COLOCATED,
	};

	if (colour->primaries)
		config->color_primaries = colour->primaries;
	if (colour->transfer)
		config->transfer_characteristics = colour->transfer;
	if (colour->matrix)
		config->matrix_coefficients = colour->matrix;
	config->color_range = colour->full_range ? EB_CR_FULL_RANGE : EB_CR_STUDIO_RANGE;
	config->chroma_sample_position = locations[colour->chroma_location];
}

/* What the plan fixes, so that the delay does not depend on the host. */
static void set_structure(EbSvtAv1EncConfiguration *config, const struct svtav1_plan *plan)
{
	config->enc_mode = (int8_t)plan->preset;
	config->pred_structure = plan->low_delay ? PRED_LOW_DELAY : PRED_RANDOM_ACCESS;
	config->hierarchical_levels = plan->levels;
	if (!plan->low_delay)
		config->look_ahead_distance = plan->lookahead;
}

static void set_rate_control(EbSvtAv1EncConfiguration *config, const struct vencd_params *request)
{
	switch ((enum vencd_rate_control)request->rate_control) {
	case VENCD_RATE_QUALITY:
	case VENCD_RATE_CAPPED_VBR: /* not in the catalogue */
		config->rate_control_mode = SVT_AV1_RC_MODE_CQP_OR_CRF;
		config->qp = (uint32_t)request->quality;
		return;
	case VENCD_RATE_VBR:
		config->rate_control_mode = SVT_AV1_RC_MODE_VBR;
		break;
	case VENCD_RATE_CBR:
		config->rate_control_mode = SVT_AV1_RC_MODE_CBR;
		break;
	}
	config->target_bit_rate = (uint32_t)request->bitrate;
}

/* The library's level of parallelism for a number of threads, by its own steps. */
static uint32_t parallelism(uint32_t threads)
{
	static const uint32_t steps[] = {1, 2, 5, 11, 23};
	uint32_t level = 1;

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		level += threads > steps[i];
	return level;
}

static void set_threads(EbSvtAv1EncConfiguration *config, uint32_t threads)
{
#if SVT_AV1_CHECK_VERSION(3, 0, 0)
	config->level_of_parallelism = parallelism(threads);
#else
	config->logical_processors = parallelism(threads);
#endif
}

/* The library takes 1 to 240 frames a second, for its rate control alone. */
static void set_frame_rate(EbSvtAv1EncConfiguration *config, struct vencd_rational rate)
{
	uint64_t milli = (uint64_t)rate.num * 1000 / (uint64_t)rate.den;

	config->frame_rate_denominator = 1000;
	config->frame_rate_numerator = milli < 1000 ? 1000
		: milli > 240000                    ? 240000
						    : (uint32_t)milli;
}

static void configure(EbSvtAv1EncConfiguration *config, const struct encoder_params *params,
	const struct svtav1_plan *plan)
{
	const struct vencd_params *request = &params->request;
	bool deep = request->format == VENCD_FORMAT_I010 || request->format == VENCD_FORMAT_P010;

	config->source_width = request->width;
	config->source_height = request->height;
	config->encoder_bit_depth = deep ? 10 : 8;
	config->intra_period_length = (int32_t)(request->gop > 1 ? request->gop - 1 : GOP_ENDLESS);
	config->intra_refresh_type = SVT_AV1_KF_REFRESH; /* closed GOPs */
	set_structure(config, plan);
	set_rate_control(config, request);
	set_frame_rate(config, request->frame_rate);
	set_colour(config, &request->colour);
	set_hdr(config, &request->hdr);
	set_threads(config, params->threads);
}

/* --- opening and closing --- */

static EbErrorType make_handle(EbComponentType **ret, EbSvtAv1EncConfiguration *config)
{
#if SVT_AV1_CHECK_VERSION(3, 0, 0)
	return svt_av1_enc_init_handle(ret, config);
#else
	return svt_av1_enc_init_handle(ret, NULL, config);
#endif
}

/* The library opens its log with its first handle, and keeps it. */
static void svtav1_warm(void)
{
	EbSvtAv1EncConfiguration config = {0};
	struct encoder_info info;
	char text[ENCODER_TEXT_MAX];
	const struct encoder_host host = {.text = text};
	EbComponentType *handle;

	if (check_version(&host, &info) != ENCODER_OK)
		return;
	svtav1_log_capture();
	if (make_handle(&handle, &config) == EB_ErrorNone)
		svt_av1_enc_deinit_handle(handle);
}

static void svtav1_close(struct encoder *e)
{
	if (e->packet)
		svt_av1_enc_release_out_buffer(&e->packet);
	if (e->handle) {
		if (e->initialised)
			svt_av1_enc_deinit(e->handle);
		svt_av1_enc_deinit_handle(e->handle);
	}
	planar_buffer_clear(&e->planar);
	free(e);
}

static enum encoder_status start(
	struct encoder *e, const struct encoder_params *params, const struct svtav1_plan *plan)
{
	EbSvtAv1EncConfiguration config = {0};
	EbErrorType error = make_handle(&e->handle, &config);

	if (error != EB_ErrorNone) {
		e->handle = NULL;
		return failed(&e->host, error, "svt_av1_enc_init_handle");
	}
	configure(&config, params, plan);
	error = svt_av1_enc_set_parameter(e->handle, &config);
	if (error != EB_ErrorNone)
		return failed(&e->host, error, "svt_av1_enc_set_parameter");
	e->initialised = true;
	error = svt_av1_enc_init(e->handle);
	return error == EB_ErrorNone ? ENCODER_OK : failed(&e->host, error, "svt_av1_enc_init");
}

static enum encoder_status svtav1_open(struct encoder **ret, const struct encoder_params *params,
	const struct encoder_host *host, struct encoder_info *info)
{
	const struct vencd_params *request = &params->request;
	bool deep = request->format == VENCD_FORMAT_I010 || request->format == VENCD_FORMAT_P010;
	struct svtav1_plan plan;
	struct encoder *e;
	enum encoder_status status = check_version(host, info);

	if (status != ENCODER_OK)
		return status;
	e = calloc(1, sizeof(*e));
	if (!e)
		return ENCODER_NO_MEMORY;
	svtav1_log_capture();
	svtav1_plan(params, &plan);
	e->host = *host;
	e->low_delay = plan.low_delay;
	e->all_key = request->gop == 1;
	e->width = request->width;
	e->height = request->height;
	e->sample_bytes = deep ? 2 : 1;
	status = start(e, params, &plan);
	if (status != ENCODER_OK) {
		svtav1_close(e);
		return status;
	}
	info->needs_frames = plan.frames;
	info->reorder = 0;
	info->group = 1;
	info->speed_used = plan.preset;
	info->async = !plan.low_delay;
	*ret = e;
	return ENCODER_OK;
}

/* --- frames in --- */

static void describe(const struct encoder *e, const struct encoder_frame *planar, bool keyframe,
	EbSvtIOFormat *ret, EbBufferHeaderType *ret_header)
{
	*ret = (EbSvtIOFormat){
		.luma = (uint8_t *)planar->data[0],
		.cb = (uint8_t *)planar->data[1],
		.cr = (uint8_t *)planar->data[2],
		.y_stride = planar->stride[0] / e->sample_bytes,
		.cb_stride = planar->stride[1] / e->sample_bytes,
		.cr_stride = planar->stride[2] / e->sample_bytes,
	};
	*ret_header = (EbBufferHeaderType){
		.size = sizeof(*ret_header),
		.p_buffer = (uint8_t *)ret,
		.n_filled_len = e->width * e->height * 3 / 2 * e->sample_bytes,
		.pts = (int64_t)e->sent,
		.pic_type = keyframe ? EB_AV1_KEY_PICTURE : EB_AV1_INVALID_PICTURE,
	};
}

static enum encoder_status svtav1_send(struct encoder *e, const struct encoder_frame *frame)
{
	bool keyframe = e->all_key || frame->flags & VENCD_FRAME_KEYFRAME;
	struct encoder_frame planar;
	EbSvtIOFormat picture;
	EbBufferHeaderType header;
	EbErrorType error;

	if (e->sent - e->received >= IN_FLIGHT)
		return ENCODER_AGAIN;
	if (planar_convert(&e->planar, frame, e->width, e->height, &planar) < 0)
		return ENCODER_NO_MEMORY;
	describe(e, &planar, keyframe, &picture, &header);
	error = svt_av1_enc_send_picture(e->handle, &header);
	e->host.done(e->host.userdata, frame->index);
	if (error != EB_ErrorNone)
		return failed(&e->host, error, "svt_av1_enc_send_picture");
	e->pts[e->sent++ % IN_FLIGHT] = frame->pts;
	return ENCODER_OK;
}

static enum encoder_status svtav1_flush(struct encoder *e)
{
	EbBufferHeaderType end = {.size = sizeof(end),
		.flags = EB_BUFFERFLAG_EOS,
		.pic_type = EB_AV1_INVALID_PICTURE};
	EbErrorType error = svt_av1_enc_send_picture(e->handle, &end);

	e->state = STREAM_DRAINING;
	return error == EB_ErrorNone ? ENCODER_OK
				     : failed(&e->host, error, "svt_av1_enc_send_picture");
}

/* --- packets out --- */

#define OBU_SEQUENCE_HEADER 1u
#define OBU_TEMPORAL_DELIMITER 2u

/* The sequence header stands right behind the delimiter, which has no payload. */
static const char *fault_of(const struct encoder *e, const EbBufferHeaderType *p, bool keyframe)
{
	const uint8_t *data = p->p_buffer;

	if (p->n_filled_len < 3 || data[0] >> 3 != OBU_TEMPORAL_DELIMITER || data[1] != 0)
		return "it does not begin with a temporal delimiter";
	if (keyframe && data[2] >> 3 != OBU_SEQUENCE_HEADER)
		return "a keyframe without a sequence header";
	if (p->pts < 0 || (uint64_t)p->pts >= e->sent || e->sent - (uint64_t)p->pts > IN_FLIGHT)
		return "it shows a frame that is not there";
	return NULL;
}

static enum encoder_status take(struct encoder *e, struct encoder_packet *ret)
{
	const EbBufferHeaderType *p = e->packet;
	bool keyframe = p->pic_type == EB_AV1_KEY_PICTURE;
	const char *fault = fault_of(e, p, keyframe);

	if (fault) {
		snprintf(e->host.text, ENCODER_TEXT_MAX, "temporal unit %llu of %u bytes: %s",
			(unsigned long long)e->received, p->n_filled_len, fault);
		return ENCODER_WRONG_OUTPUT;
	}
	e->received++;
	*ret = (struct encoder_packet){
		.data = p->p_buffer,
		.size = p->n_filled_len,
		.pts = e->pts[(uint64_t)p->pts % IN_FLIGHT],
		.flags = keyframe ? VENCD_PACKET_KEYFRAME : 0,
	};
	return ENCODER_OK;
}

static enum encoder_status svtav1_receive(struct encoder *e, struct encoder_packet *ret)
{
	EbErrorType error;

	if (e->packet)
		svt_av1_enc_release_out_buffer(&e->packet);
	e->packet = NULL;
	if (e->state == STREAM_ENDED)
		return ENCODER_END;
	if (e->state == STREAM_OPEN && e->low_delay && e->received == e->sent)
		return ENCODER_AGAIN;
	error = svt_av1_enc_get_packet(e->handle, &e->packet, e->state == STREAM_DRAINING);
	if (error == EB_NoErrorEmptyQueue)
		return e->state == STREAM_DRAINING ? ENCODER_END : ENCODER_AGAIN;
	if (error != EB_ErrorNone)
		return failed(&e->host, error, "svt_av1_enc_get_packet");
	if (e->packet->flags & EB_BUFFERFLAG_EOS)
		e->state = STREAM_ENDED;
	return e->packet->n_filled_len ? take(e, ret) : ENCODER_END;
}

static enum encoder_status svtav1_probe(
	const struct encoder_host *host, struct encoder_info *info, struct encoder_reach *reach)
{
	(void)reach;
	return check_version(host, info);
}

const struct encoder_ops encoder_svtav1 = {
	.name = "svtav1",
	.warm = svtav1_warm,
	.probe = svtav1_probe,
	.open = svtav1_open,
	.send = svtav1_send,
	.receive = svtav1_receive,
	.flush = svtav1_flush,
	.close = svtav1_close,
};

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * HEVC by x265, in the manner of h264.c: pictures in the order in which the program codes them, I
 * and P alone, one slice each at once, and with packed headers each slice header written anew for
 * the program's parameter sets. x265 is set up with the block sizes and tools that the program's
 * sequence and picture parameters name; config.c claims those that it has.
 *
 * What x265 predicts from a picture's distance in time would be wrong once the order of display is
 * another: temporal motion vector prediction is off, and the one reference leaves nothing to scale.
 *
 * The picture is coded whole, up to the edges of its coding units: the window is the program's.
 */

#include <stdint.h>
#include <stdlib.h>
#include <x265.h>

#include "tests/emulated/va/hevc_slice.h"
#include "tests/emulated/va/picture.h"
#include "tests/emulated/va/planes.h"

struct hevc {
	const x265_api *api;
	x265_param *param;
	x265_encoder *x265;
	x265_picture *in;
	struct hevc_format own, program; /* parameter sets: x265's, and those in the stream */
	struct planes planes;
	int32_t poc;   /* of the last picture */
	int32_t coded; /* pictures since the last IDR, for a device that reorders wrongly */
};

/* x265 has tables that its first encoder fills. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static VABufferID coded_buffer(const struct context *c)
{
	return c->picture.hevc.coded_buf;
}

static enum picture_type type_of(const struct context *c)
{
	static const enum picture_type types[3] = {PICTURE_B, PICTURE_P, PICTURE_I};

	if (c->picture.hevc.pic_fields.bits.idr_pic_flag)
		return PICTURE_IDR;
	return types[c->slice.hevc.slice_type % 3];
}

static void set_rates(x265_param *p, const struct context *c)
{
	const struct rates *rates = &c->rates;

	p->fpsNum = rates->fps_num;
	p->fpsDenom = rates->fps_den;
	if (rates->mode & (VA_RC_CBR | VA_RC_VBR) && rates->target) {
		p->rc.rateControlMode = X265_RC_ABR;
		p->rc.bitrate = (int)(rates->target / 1000 ? rates->target / 1000 : 1);
		p->rc.vbvMaxBitrate = (int)(rates->peak / 1000 ? rates->peak / 1000 : 1);
		p->rc.vbvBufferSize = (int)(rates->buffer ? rates->buffer / 1000
							  : rates->peak / 1000) +
			1;
	} else if (rates->mode & VA_RC_ICQ) {
		p->rc.rateControlMode = X265_RC_CRF;
		p->rc.rfConstant = rates->quality;
	} else {
		p->rc.rateControlMode = X265_RC_CQP;
		p->rc.qp = c->picture.hevc.pic_init_qp;
	}
}

static void set_blocks(x265_param *p, const struct context *c)
{
	const VAEncSequenceParameterBufferHEVC *s = &c->sequence.hevc;
	unsigned smallest = 3u + s->log2_min_luma_coding_block_size_minus3;
	unsigned largest = smallest + s->log2_diff_max_min_luma_coding_block_size;
	unsigned transform = 2u + s->log2_min_transform_block_size_minus2 +
		s->log2_diff_max_min_transform_block_size;

	p->minCUSize = 1u << smallest;
	p->maxCUSize = 1u << largest;
	p->maxTUSize = 1u << transform;
	p->tuQTMaxInterDepth = 1u + s->max_transform_hierarchy_depth_inter;
	p->tuQTMaxIntraDepth = 1u + s->max_transform_hierarchy_depth_intra;
	p->rc.qgSize = 1u << (largest - c->picture.hevc.diff_cu_qp_delta_depth);
}

/* As the parameter sets have them; what they cannot say is off. */
static void set_tools(x265_param *p, const struct context *c)
{
	const VAEncSequenceParameterBufferHEVC *s = &c->sequence.hevc;
	const VAEncPictureParameterBufferHEVC *picture = &c->picture.hevc;
	bool qp_delta = picture->pic_fields.bits.cu_qp_delta_enabled_flag;

	p->bEnableAMP = p->bEnableRectInter = (int)s->seq_fields.bits.amp_enabled_flag;
	p->bEnableStrongIntraSmoothing =
		(int)s->seq_fields.bits.strong_intra_smoothing_enabled_flag;
	p->bEnableSAO = 0;
	p->bEnableTemporalMvp = 0;
	p->bEnableSignHiding = (int)picture->pic_fields.bits.sign_data_hiding_enabled_flag;
	p->bEnableTransformSkip = (int)picture->pic_fields.bits.transform_skip_enabled_flag;
	p->bEnableConstrainedIntra = (int)picture->pic_fields.bits.constrained_intra_pred_flag;
	p->bEnableWeightedPred = 0;
	p->rc.aqMode = qp_delta ? X265_AQ_VARIANCE : X265_AQ_NONE;
	p->rc.aqStrength = qp_delta ? 0.5 : 0;
	p->rc.cuTree = 0;
	p->maxNumReferences = 1;
	p->bframes = 0;
	p->keyframeMax = -1;
	p->scenecutThreshold = 0;
	p->bOpenGOP = 0;
}

/* One thread, one slice, one picture at a time. */
static int set_up(const struct context *c, const x265_api *api, x265_param *p)
{
	if (api->param_default_preset(p, "superfast", "zerolatency") < 0 ||
		api->param_parse(p, "pools", "none"))
		return -1;
	p->logLevel = X265_LOG_NONE;
	p->frameNumThreads = 1;
	p->bEnableWavefront = 0;
	p->internalCsp = X265_CSP_I420;
	p->sourceWidth = c->sequence.hevc.pic_width_in_luma_samples;
	p->sourceHeight = c->sequence.hevc.pic_height_in_luma_samples;
	p->bRepeatHeaders = !has_packed_headers(c);
	p->bAnnexB = 1;
	p->bEmitInfoSEI = 0;
	set_blocks(p, c);
	set_tools(p, c);
	set_rates(p, c);
	return 0;
}

static void hevc_close(void *encoder)
{
	struct hevc *h = encoder;

	pthread_mutex_lock(&opening);
	if (h->x265)
		h->api->encoder_close(h->x265);
	pthread_mutex_unlock(&opening);
	if (h->in)
		h->api->picture_free(h->in);
	if (h->param)
		h->api->param_free(h->param);
	planes_clear(&h->planes);
	free(h);
}

static bool read_own_format(struct hevc *h)
{
	x265_nal *nals;
	uint32_t n;
	int size = h->api->encoder_headers(h->x265, &nals, &n);

	return size > 0 && hevc_format_read(nals[0].payload, (size_t)size, &h->own);
}

static bool make(const struct context *c, struct hevc *h)
{
	h->api = x265_api_get(c->sequence.hevc.seq_fields.bits.bit_depth_luma_minus8 + 8);
	h->param = h->api ? h->api->param_alloc() : NULL;
	h->in = h->param ? h->api->picture_alloc() : NULL;
	if (!h->in || set_up(c, h->api, h->param) < 0)
		return false;
	pthread_mutex_lock(&opening);
	h->x265 = h->api->encoder_open(h->param);
	pthread_mutex_unlock(&opening);
	if (!h->x265)
		return false;
	h->api->picture_init(h->param, h->in);
	return read_own_format(h);
}

static VAStatus hevc_open(struct context *c)
{
	const VAEncSequenceParameterBufferHEVC *s = &c->sequence.hevc;
	struct hevc *h;

	if (!s->pic_width_in_luma_samples || s->pic_width_in_luma_samples > c->width ||
		!s->pic_height_in_luma_samples || s->pic_height_in_luma_samples > c->height)
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	h = calloc(1, sizeof(*h));
	if (!h)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	if (!make(c, h)) {
		hevc_close(h);
		return VA_STATUS_ERROR_UNKNOWN;
	}
	c->encoder = h;
	return VA_STATUS_SUCCESS;
}

/* What the program's own parameter sets say; they come with each IDR picture. */
static bool read_program_format(const struct context *c, struct hevc *h, enum picture_type type)
{
	return type != PICTURE_IDR ||
		hevc_format_read(c->headers.data, c->headers.size, &h->program);
}

/* What the program wants said of the picture. */
static void place(
	struct context *c, struct hevc *h, enum picture_type type, struct hevc_slice *slice)
{
	int32_t order = c->picture.hevc.decoded_curr_pic.pic_order_cnt;

	if (type == PICTURE_IDR)
		h->coded = 0;
	if (c->driver->device.model->lie == LIE_REORDER)
		order = h->coded;
	h->coded++;
	slice->nal_type = type == PICTURE_IDR ? HEVC_IDR_W_RADL : HEVC_TRAIL_R;
	slice->poc = (uint32_t)order & ((1u << h->program.poc_bits) - 1);
	slice->reference = h->poc - order;
	h->poc = order;
}

static VAStatus append_rewritten(struct context *c, const struct nal *nal, enum picture_type type)
{
	struct hevc *h = c->encoder;
	struct bytes from = {0}, to = {0};
	struct bit_writer w = {.to = &to};
	struct hevc_slice slice;
	struct bit_reader r;
	bool ok;

	nal_unescape(nal, &from);
	r = (struct bit_reader){.data = from.data, .size = from.size};
	ok = hevc_slice_read(&r, &h->own, &slice) &&
		hevc_is_idr(slice.nal_type) == (type == PICTURE_IDR);
	if (ok) {
		place(c, h, type, &slice);
		hevc_slice_write(&w, &h->program, &slice);
		bits_copy(&w, &r);
		nal_append(&c->bytes, &to);
	}
	bytes_clear(&from);
	bytes_clear(&to);
	return ok ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ENCODING_ERROR;
}

static VAStatus append_picture(
	struct context *c, const x265_nal *nals, uint32_t n, enum picture_type type)
{
	struct nal nal;
	size_t at = 0;

	if (has_packed_headers(c) && !read_program_format(c, c->encoder, type))
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	if (has_packed_headers(c))
		bytes_append(&c->bytes, c->headers.data, c->headers.size);
	for (uint32_t i = 0; i < n; i++) {
		if (!has_packed_headers(c))
			bytes_append(&c->bytes, nals[i].payload, nals[i].sizeBytes);
		else if (nals[i].type < 32 &&
			nal_next(nals[i].payload, nals[i].sizeBytes, &at, &nal))
			return append_rewritten(c, &nal, type);
	}
	return has_packed_headers(c) ? VA_STATUS_ERROR_ENCODING_ERROR : VA_STATUS_SUCCESS;
}

static bool fill_picture(
	struct context *c, struct hevc *h, const struct surface *s, enum picture_type type)
{
	static const int types[] = {
		[PICTURE_IDR] = X265_TYPE_IDR,
		[PICTURE_I] = X265_TYPE_I,
		[PICTURE_P] = X265_TYPE_P,
		[PICTURE_B] = X265_TYPE_P,
	};

	if (!planes_split(&h->planes, s, c->sequence.hevc.pic_width_in_luma_samples,
		    c->sequence.hevc.pic_height_in_luma_samples, PLANES_AS_STORED))
		return false;
	for (unsigned i = 0; i < 3; i++) {
		h->in->planes[i] = (void *)(uintptr_t)h->planes.data[i];
		h->in->stride[i] = (int)h->planes.pitch[i];
	}
	h->in->bitDepth = s->fourcc == VA_FOURCC_P010 ? 16 : 8;
	h->in->colorSpace = X265_CSP_I420;
	h->in->sliceType = types[type];
	h->in->pts = (int64_t)c->n_pictures;
	h->in->forceqp = 0;
	if (c->rates.mode & VA_RC_CQP)
		h->in->forceqp = c->picture.hevc.pic_init_qp + c->slice.hevc.slice_qp_delta + 1;
	return true;
}

static VAStatus hevc_encode(struct context *c, const struct surface *source, enum picture_type type)
{
	VAStatus status = c->encoder ? VA_STATUS_SUCCESS : hevc_open(c);
	struct hevc *h = c->encoder;
	x265_nal *nals;
	uint32_t n = 0;

	if (status)
		return status;
	if (!fill_picture(c, h, source, type))
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	if (h->api->encoder_encode(h->x265, &nals, &n, h->in, NULL) != 1 || !n)
		return VA_STATUS_ERROR_ENCODING_ERROR;
	return append_picture(c, nals, n, type);
}

static void hevc_pretend(struct context *c, enum picture_type type)
{
	const struct hevc_format format = {
		.poc_bits = 12, .init_qp = c->picture.hevc.pic_init_qp, .across_slices = true};
	int32_t order = c->picture.hevc.decoded_curr_pic.pic_order_cnt;
	struct hevc_slice slice = {
		.nal_type = type == PICTURE_IDR ? HEVC_IDR_W_RADL : HEVC_TRAIL_R,
		.intra = type == PICTURE_IDR || type == PICTURE_I,
		.poc = (uint32_t)order & ((1u << format.poc_bits) - 1),
		.reference = type == PICTURE_B ? 1 : -1,
		.qp = format.init_qp,
	};
	struct bytes payload = {0};
	struct bit_writer w = {.to = &payload};

	bytes_append(&c->bytes, c->headers.data, c->headers.size);
	hevc_slice_write(&w, &format, &slice);
	for (unsigned i = 0; i < 32; i++)
		bytes_append_byte(&payload, 0xa5);
	nal_append(&c->bytes, &payload);
	bytes_clear(&payload);
}

const struct codec codec_hevc = {
	.sequence_size = sizeof(VAEncSequenceParameterBufferHEVC),
	.picture_size = sizeof(VAEncPictureParameterBufferHEVC),
	.slice_size = sizeof(VAEncSliceParameterBufferHEVC),
	.coded_buffer = coded_buffer,
	.type = type_of,
	.encode = hevc_encode,
	.pretend = hevc_pretend,
	.close = hevc_close,
};

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * H.264 by x264, which is given the pictures in the order in which the program codes them and gives
 * one slice for each at once. It knows I and P alone: a picture that is to be B is coded as P, from
 * the picture coded before it, and takes its place in the order of display by its picture order
 * count. So reordering is what the program asked for; prediction from two sides is not done.
 *
 * With packed headers the parameter sets in the stream are the program's, and each slice header is
 * written anew for them (h264_slice.c). x264 is set up so that its slices need no other tool than
 * those sets name. Without packed headers the stream is x264's as it comes.
 */

#include <stdint.h>
#include <stdlib.h>
#include <x264.h>

#include "tests/emulated/va/h264_slice.h"
#include "tests/emulated/va/picture.h"

struct h264 {
	x264_t *x264;
	struct h264_format own; /* x264's parameter sets */
	uint32_t frame_num;     /* pictures since the last IDR */
	uint32_t idr_pic_id;
	uint32_t coded;     /* the same, for a device that reorders wrongly */
	struct bytes first; /* the first picture, of a device that shows it for ever */
};

static VABufferID coded_buffer(const struct context *c)
{
	return c->picture.h264.coded_buf;
}

static enum picture_type type_of(const struct context *c)
{
	static const enum picture_type types[5] = {
		PICTURE_P, PICTURE_B, PICTURE_I, PICTURE_P, PICTURE_I};

	if (c->picture.h264.pic_fields.bits.idr_pic_flag)
		return PICTURE_IDR;
	return types[c->slice.h264.slice_type % 5];
}

static void set_rates(x264_param_t *p, const struct context *c)
{
	const struct rates *rates = &c->rates;

	p->i_fps_num = rates->fps_num;
	p->i_fps_den = rates->fps_den;
	p->b_vfr_input = 0;
	if (rates->mode & (VA_RC_CBR | VA_RC_VBR) && rates->target) {
		p->rc.i_rc_method = X264_RC_ABR;
		p->rc.i_bitrate = (int)(rates->target / 1000 ? rates->target / 1000 : 1);
		p->rc.i_vbv_max_bitrate = (int)(rates->peak / 1000 ? rates->peak / 1000 : 1);
		p->rc.i_vbv_buffer_size = (int)(rates->buffer ? rates->buffer / 1000
							      : rates->peak / 1000) +
			1;
	} else if (rates->mode & VA_RC_ICQ) {
		p->rc.i_rc_method = X264_RC_CRF;
		p->rc.f_rf_constant = (float)rates->quality;
	} else {
		p->rc.i_rc_method = X264_RC_CQP;
		p->rc.i_qp_constant = c->picture.h264.pic_init_qp;
	}
}

/* No tool that needs a word in the parameter sets which a program does not write. */
static void set_tools(x264_param_t *p, const struct context *c)
{
	const VAEncPictureParameterBufferH264 *picture = &c->picture.h264;

	p->b_cabac = picture->pic_fields.bits.entropy_coding_mode_flag &&
		c->driver->device.model->lie != LIE_STILL;
	p->analyse.b_transform_8x8 = (int)picture->pic_fields.bits.transform_8x8_mode_flag;
	p->analyse.i_weighted_pred = X264_WEIGHTP_NONE;
	p->analyse.b_psy = 0; /* it shifts the chroma quantiser */
	p->analyse.i_chroma_qp_offset = 0;
	p->i_frame_reference = 1;
	p->i_bframe = 0;
	p->i_keyint_max = X264_KEYINT_MAX_INFINITE;
	p->i_scenecut_threshold = 0;
}

static void visible_size(const struct context *c, int *width, int *height)
{
	const VAEncSequenceParameterBufferH264 *s = &c->sequence.h264;

	*width = s->picture_width_in_mbs * 16;
	*height = s->picture_height_in_mbs * 16;
	if (!s->frame_cropping_flag)
		return;
	*width -= 2 * (int)(s->frame_crop_left_offset + s->frame_crop_right_offset);
	*height -= 2 * (int)(s->frame_crop_top_offset + s->frame_crop_bottom_offset);
}

static VAStatus set_up(const struct context *c, x264_param_t *p)
{
	if (x264_param_default_preset(p, "veryfast", "zerolatency") < 0)
		return VA_STATUS_ERROR_UNKNOWN;
	visible_size(c, &p->i_width, &p->i_height);
	if (p->i_width <= 0 || p->i_height <= 0 || p->i_width > (int)c->width ||
		p->i_height > (int)c->height)
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	p->i_csp = X264_CSP_NV12;
	p->i_threads = 1; /* more would give more slices */
	p->b_sliced_threads = 0;
	p->i_log_level = X264_LOG_NONE;
	p->b_annexb = 1;
	p->b_repeat_headers = !has_packed_headers(c);
	if (c->sequence.h264.vui_fields.bits.aspect_ratio_info_present_flag &&
		c->sequence.h264.aspect_ratio_idc == 255) {
		p->vui.i_sar_width = (int)c->sequence.h264.sar_width;
		p->vui.i_sar_height = (int)c->sequence.h264.sar_height;
	}
	set_tools(p, c);
	set_rates(p, c);
	return VA_STATUS_SUCCESS;
}

static bool read_own_format(struct h264 *h)
{
	x264_nal_t *nals;
	int n, size = x264_encoder_headers(h->x264, &nals, &n);

	return size > 0 && h264_format_read(nals[0].p_payload, (size_t)size, &h->own);
}

static void h264_close(void *encoder)
{
	struct h264 *h = encoder;

	if (h->x264)
		x264_encoder_close(h->x264);
	bytes_clear(&h->first);
	free(h);
}

static VAStatus h264_open(struct context *c)
{
	struct h264 *h = calloc(1, sizeof(*h));
	x264_param_t p;
	VAStatus status = h ? set_up(c, &p) : VA_STATUS_ERROR_ALLOCATION_FAILED;

	if (status) {
		free(h);
		return status;
	}
	h->x264 = x264_encoder_open(&p);
	if (!h->x264 || !read_own_format(h)) {
		h264_close(h);
		return VA_STATUS_ERROR_UNKNOWN;
	}
	c->encoder = h;
	return VA_STATUS_SUCCESS;
}

static struct h264_format program_format(const struct context *c)
{
	const VAEncSequenceParameterBufferH264 *s = &c->sequence.h264;
	const VAEncPictureParameterBufferH264 *p = &c->picture.h264;

	return (struct h264_format){
		.frame_num_bits = s->seq_fields.bits.log2_max_frame_num_minus4 + 4,
		.poc_type = s->seq_fields.bits.pic_order_cnt_type,
		.poc_bits = s->seq_fields.bits.log2_max_pic_order_cnt_lsb_minus4 + 4,
		.init_qp = p->pic_init_qp,
		.cabac = p->pic_fields.bits.entropy_coding_mode_flag,
		.deblocking_control = p->pic_fields.bits.deblocking_filter_control_present_flag,
		.max_references = s->max_num_ref_frames,
	};
}

/* What the program wants said of the picture. */
static void place(struct context *c, struct h264 *h, const struct h264_format *format,
	enum picture_type type, struct h264_slice *slice)
{
	uint32_t order = (uint32_t)c->picture.h264.CurrPic.TopFieldOrderCnt;

	if (type == PICTURE_IDR) {
		h->frame_num = 0;
		h->coded = 0;
		h->idr_pic_id = (h->idr_pic_id + 1) & 0xffff;
	}
	if (c->driver->device.model->lie == LIE_REORDER)
		order = h->coded;
	h->coded++;
	slice->frame_num = h->frame_num++ & ((1u << format->frame_num_bits) - 1);
	slice->idr_pic_id = h->idr_pic_id;
	slice->poc = order & ((1u << format->poc_bits) - 1);
}

static VAStatus append_rewritten(struct context *c, const struct nal *nal, enum picture_type type)
{
	struct h264 *h = c->encoder;
	struct h264_format format = program_format(c);
	struct bytes from = {0}, to = {0};
	struct bit_writer w = {.to = &to};
	struct h264_slice slice;
	struct bit_reader r;
	bool ok;

	nal_unescape(nal, &from);
	r = (struct bit_reader){.data = from.data, .size = from.size};
	ok = h264_slice_read(&r, &h->own, &slice) && slice.idr == (type == PICTURE_IDR);
	if (ok) {
		place(c, h, &format, type, &slice);
		h264_slice_write(&w, &format, &slice);
		bits_copy(&w, &r);
		bits_align(&w, 0);
		while (to.size &&
			!to.data[to.size - 1]) /* the last 1 ends a unit, zeros do not count */
			to.size--;
		nal_append(&c->bytes, &to);
	}
	bytes_clear(&from);
	bytes_clear(&to);
	return ok ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ENCODING_ERROR;
}

/* The program's headers and the slice; whatever else x264 has to say is left out. */
static VAStatus append_picture(
	struct context *c, const uint8_t *data, size_t size, enum picture_type type)
{
	struct nal nal;
	size_t at = 0;

	if (!has_packed_headers(c)) {
		bytes_append(&c->bytes, data, size);
		return VA_STATUS_SUCCESS;
	}
	bytes_append(&c->bytes, c->headers.data, c->headers.size);
	while (nal_next(data, size, &at, &nal))
		if ((nal.data[0] & 31) == 1 || (nal.data[0] & 31) == 5)
			return append_rewritten(c, &nal, type);
	return VA_STATUS_ERROR_ENCODING_ERROR;
}

static void fill_picture(const struct context *c, const struct surface *s, enum picture_type type,
	x264_picture_t *ret)
{
	static const int types[] = {
		[PICTURE_IDR] = X264_TYPE_IDR,
		[PICTURE_I] = X264_TYPE_I,
		[PICTURE_P] = X264_TYPE_P,
		[PICTURE_B] = X264_TYPE_P,
	};

	x264_picture_init(ret);
	ret->i_type = types[type];
	ret->i_pts = (int64_t)c->n_pictures;
	if (c->rates.mode & VA_RC_CQP)
		ret->i_qpplus1 = c->picture.h264.pic_init_qp + c->slice.h264.slice_qp_delta + 1;
	ret->img = (x264_image_t){
		.i_csp = X264_CSP_NV12,
		.i_plane = 2,
		.i_stride = {(int)s->pitch, (int)s->pitch},
		.plane = {s->data, s->data + s->chroma_offset},
	};
}

static VAStatus h264_encode(struct context *c, const struct surface *source, enum picture_type type)
{
	VAStatus status = c->encoder ? VA_STATUS_SUCCESS : h264_open(c);
	x264_picture_t picture, coded;
	x264_nal_t *nals;
	int n, size, width, height;

	if (status)
		return status;
	visible_size(c, &width, &height);
	if (width > (int)source->width || height > (int)source->height)
		return VA_STATUS_ERROR_INVALID_SURFACE;
	fill_picture(c, source, type, &picture);
	size = x264_encoder_encode(((struct h264 *)c->encoder)->x264, &nals, &n, &picture, &coded);
	if (size <= 0)
		return VA_STATUS_ERROR_ENCODING_ERROR;
	return append_picture(c, nals[0].p_payload, (size_t)size, type);
}

/* All macroblocks skipped, in the words of x264's own parameter sets, which are without CABAC. */
static void append_still(struct context *c, struct h264 *h)
{
	const VAEncSequenceParameterBufferH264 *s = &c->sequence.h264;
	struct h264_slice slice = {
		.qp = h->own.init_qp,
		.deblocking_idc = 1,
		.frame_num = h->frame_num & ((1u << h->own.frame_num_bits) - 1),
	};
	struct bytes payload = {0};
	struct bit_writer w = {.to = &payload};

	h264_slice_write(&w, &h->own, &slice);
	bits_put_ue(&w, (uint32_t)s->picture_width_in_mbs * s->picture_height_in_mbs);
	bits_put(&w, 1, 1);
	bits_align(&w, 0);
	nal_append(&c->bytes, &payload);
	bytes_clear(&payload);
}

static VAStatus h264_repeat(struct context *c, const struct surface *source, enum picture_type type)
{
	struct h264 *h = c->encoder;
	VAStatus status;

	if (h && type == PICTURE_IDR)
		bytes_append(&c->bytes, h->first.data, h->first.size);
	if (h) {
		h->frame_num = type == PICTURE_IDR ? 0 : h->frame_num + 1;
		if (type != PICTURE_IDR)
			append_still(c, h);
		return VA_STATUS_SUCCESS;
	}
	status = h264_encode(c, source, type);
	if (!status)
		bytes_append(&((struct h264 *)c->encoder)->first, c->bytes.data, c->bytes.size);
	return status;
}

static void h264_pretend(struct context *c, enum picture_type type)
{
	struct h264_format format = program_format(c);
	struct h264_slice slice = {
		.idr = type == PICTURE_IDR,
		.intra = type == PICTURE_IDR || type == PICTURE_I,
		.qp = format.init_qp,
		.poc = (uint32_t)c->picture.h264.CurrPic.TopFieldOrderCnt &
			((1u << format.poc_bits) - 1),
		.frame_num = c->picture.h264.frame_num & ((1u << format.frame_num_bits) - 1),
	};
	struct bytes payload = {0};
	struct bit_writer w = {.to = &payload};

	bytes_append(&c->bytes, c->headers.data, c->headers.size);
	h264_slice_write(&w, &format, &slice);
	for (unsigned i = 0; i < 32; i++)
		bits_put(&w, 8, 0xa5);
	bits_align(&w, 1);
	nal_append(&c->bytes, &payload);
	bytes_clear(&payload);
}

const struct codec codec_h264 = {
	.sequence_size = sizeof(VAEncSequenceParameterBufferH264),
	.picture_size = sizeof(VAEncPictureParameterBufferH264),
	.slice_size = sizeof(VAEncSliceParameterBufferH264),
	.coded_buffer = coded_buffer,
	.type = type_of,
	.encode = h264_encode,
	.pretend = h264_pretend,
	.repeat = h264_repeat,
	.close = h264_close,
};

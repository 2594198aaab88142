// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * VP9 by libvpx without look-ahead, which gives one shown frame for each picture. The whole stream
 * is libvpx's: programs send no packed headers, and tell the driver nothing of colour, so that its
 * header says of none. Which of the earlier pictures it predicts from is libvpx's choice as well;
 * a picture that is not to be shown is refused, and there are no B pictures.
 */

#include <stdint.h>
#include <stdlib.h>

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include "tests/emulated/va/picture.h"
#include "tests/emulated/va/planes.h"

#define SPEED 6
#define QINDEX_PER_QUANTIZER 4u
#define QUANTIZER_MAX 63u
#define KBIT 1000u

struct vp9 {
	vpx_codec_ctx_t codec;
	struct planes planes;
	int64_t sent;
	uint32_t width, height;
};

static VABufferID coded_buffer(const struct context *c)
{
	return c->picture.vp9.coded_buf;
}

static enum picture_type type_of(const struct context *c)
{
	return c->picture.vp9.pic_flags.bits.frame_type == 0 ? PICTURE_IDR : PICTURE_P;
}

static void vp9_close(void *encoder)
{
	struct vp9 *v = encoder;

	vpx_codec_destroy(&v->codec);
	planes_clear(&v->planes);
	free(v);
}

static void set_rates(vpx_codec_enc_cfg_t *config, const struct context *c)
{
	const struct rates *rates = &c->rates;
	unsigned quantizer = c->picture.vp9.luma_ac_qindex / QINDEX_PER_QUANTIZER;

	config->g_timebase = (struct vpx_rational){(int)rates->fps_den, (int)rates->fps_num};
	if (rates->mode & (VA_RC_CBR | VA_RC_VBR) && rates->target) {
		config->rc_end_usage = rates->mode & VA_RC_CBR ? VPX_CBR : VPX_VBR;
		config->rc_target_bitrate = (rates->target + KBIT - 1) / KBIT;
		return;
	}
	config->rc_end_usage = VPX_Q;
	config->rc_min_quantizer = quantizer > QUANTIZER_MAX ? QUANTIZER_MAX : quantizer;
	config->rc_max_quantizer = config->rc_min_quantizer;
}

static void set_up(vpx_codec_enc_cfg_t *config, const struct context *c, bool deep)
{
	config->g_w = c->picture.vp9.frame_width_src;
	config->g_h = c->picture.vp9.frame_height_src;
	config->g_profile = deep ? 2 : 0;
	config->g_bit_depth = deep ? VPX_BITS_10 : VPX_BITS_8;
	config->g_input_bit_depth = deep ? 10 : 8;
	config->g_threads = 1;
	config->g_lag_in_frames = 0;
	config->kf_mode = VPX_KF_DISABLED;
	set_rates(config, c);
}

static VAStatus vp9_open(struct context *c, bool deep)
{
	vpx_codec_enc_cfg_t config;
	struct vp9 *v = calloc(1, sizeof(*v));

	if (!v)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	if (vpx_codec_enc_config_default(vpx_codec_vp9_cx(), &config, 0) == VPX_CODEC_OK)
		set_up(&config, c, deep);
	if (vpx_codec_enc_init(&v->codec, vpx_codec_vp9_cx(), &config,
		    deep ? VPX_CODEC_USE_HIGHBITDEPTH : 0) != VPX_CODEC_OK) {
		free(v);
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	}
	v->width = config.g_w;
	v->height = config.g_h;
	c->encoder = v;
	return vpx_codec_control(&v->codec, VP8E_SET_CPUUSED, SPEED) == VPX_CODEC_OK
		? VA_STATUS_SUCCESS
		: VA_STATUS_ERROR_UNKNOWN;
}

static VAStatus send(struct vp9 *v, const struct surface *s, enum picture_type type)
{
	bool deep = s->fourcc == VA_FOURCC_P010;
	vpx_image_t image;

	if (!planes_split(&v->planes, s, v->width, v->height, PLANES_AS_NUMBERS))
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	if (!vpx_img_wrap(&image, deep ? VPX_IMG_FMT_I42016 : VPX_IMG_FMT_I420, v->width, v->height,
		    1, v->planes.own))
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	image.bit_depth = deep ? 10 : 8;
	for (int i = 0; i < 3; i++) {
		image.planes[i] = (uint8_t *)(uintptr_t)v->planes.data[i];
		image.stride[i] = (int)v->planes.pitch[i];
	}
	return vpx_codec_encode(&v->codec, &image, v->sent++, 1,
		       type == PICTURE_IDR ? VPX_EFLAG_FORCE_KF : 0,
		       VPX_DL_REALTIME) == VPX_CODEC_OK
		? VA_STATUS_SUCCESS
		: VA_STATUS_ERROR_ENCODING_ERROR;
}

static VAStatus receive(struct context *c, struct vp9 *v)
{
	vpx_codec_iter_t at = NULL;
	const vpx_codec_cx_pkt_t *packet;
	size_t before = c->bytes.size;

	while ((packet = vpx_codec_get_cx_data(&v->codec, &at)))
		if (packet->kind == VPX_CODEC_CX_FRAME_PKT)
			bytes_append(&c->bytes, packet->data.frame.buf, packet->data.frame.sz);
	return c->bytes.size > before ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ENCODING_ERROR;
}

static VAStatus vp9_encode(struct context *c, const struct surface *source, enum picture_type type)
{
	bool deep = source->fourcc == VA_FOURCC_P010;
	VAStatus status;

	if (!c->picture.vp9.pic_flags.bits.show_frame)
		return VA_STATUS_ERROR_UNIMPLEMENTED;
	status = c->encoder ? VA_STATUS_SUCCESS : vp9_open(c, deep);
	status = status ? status : send(c->encoder, source, type);
	return status ? status : receive(c, c->encoder);
}

/* The first bytes of a shown frame, and what nobody can decode. */
static void vp9_pretend(struct context *c, enum picture_type type)
{
	static const uint8_t key[] = {0x82, 0x49, 0x83, 0x42}, inter[] = {0x86};

	if (type == PICTURE_IDR)
		bytes_append(&c->bytes, key, sizeof(key));
	else
		bytes_append(&c->bytes, inter, sizeof(inter));
	for (unsigned i = 0; i < 32; i++)
		bytes_append_byte(&c->bytes, 0xa5);
}

const struct codec codec_vp9 = {
	.sequence_size = sizeof(VAEncSequenceParameterBufferVP9),
	.picture_size = sizeof(VAEncPictureParameterBufferVP9),
	.slice_size = 0,
	.coded_buffer = coded_buffer,
	.type = type_of,
	.encode = vp9_encode,
	.pretend = vp9_pretend,
	.close = vp9_close,
};

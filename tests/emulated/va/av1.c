// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * AV1 by SVT-AV1 in low delay, which gives one shown frame for each picture. The stream's headers
 * are SVT-AV1's: of the program's, which come as packed headers, the colour description goes into
 * its sequence header and metadata units stand behind that. There are no B pictures.
 *
 * SVT-AV1 2.3 frees a global when an encoder goes, whoever else is still at work: so encoders that
 * are done with wait for the last one (`dead`). All of a process have the same preset, because it
 * crashes where they have not.
 */

#include <stdint.h>
#include <stdlib.h>

#include <EbSvtAv1Enc.h>

#include "tests/emulated/va/av1_sequence.h"
#include "tests/emulated/va/picture.h"
#include "tests/emulated/va/planes.h"

#define PRESET 8 /* above it, blocks of drawn pictures stay as they were now and then */
#define GOP_ENDLESS (1 << 30)
#define QINDEX_PER_QP 4u
#define QP_MAX 63u

#if SVT_AV1_CHECK_VERSION(4, 0, 0)
#define PRED_LOW_DELAY LOW_DELAY
#else
#define PRED_LOW_DELAY SVT_AV1_PRED_LOW_DELAY_B
#endif

struct av1 {
	EbComponentType *handle;
	struct planes planes;
	int64_t sent;
	uint32_t width, height;
	struct av1 *next; /* of `dead` */
};

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static unsigned living;
static struct av1 *dead;

static VABufferID coded_buffer(const struct context *c)
{
	return c->picture.av1.coded_buf;
}

static enum picture_type type_of(const struct context *c)
{
	return c->picture.av1.picture_flags.bits.frame_type == 0 ? PICTURE_IDR : PICTURE_P;
}

static void bury(struct av1 *a)
{
	svt_av1_enc_deinit(a->handle);
	svt_av1_enc_deinit_handle(a->handle);
	planes_clear(&a->planes);
	free(a);
}

static void av1_close(void *encoder)
{
	struct av1 *a = encoder;

	pthread_mutex_lock(&opening);
	a->next = dead;
	dead = a;
	if (--living == 0) {
		while (dead) {
			a = dead;
			dead = a->next;
			bury(a);
		}
	}
	pthread_mutex_unlock(&opening);
}

/* In low delay SVT-AV1 has one mode with a bitrate, CBR. */
static void set_rates(EbSvtAv1EncConfiguration *config, const struct context *c)
{
	const struct rates *rates = &c->rates;
	uint32_t qp = c->picture.av1.base_qindex / QINDEX_PER_QP;

	uint64_t milli = (uint64_t)rates->fps_num * 1000 / rates->fps_den;

	/* It takes 1 to 240 frames a second. */
	config->frame_rate_denominator = 1000;
	config->frame_rate_numerator = milli < 1000 ? 1000
		: milli > 240000                    ? 240000
						    : (uint32_t)milli;
	if (rates->mode & (VA_RC_CBR | VA_RC_VBR) && rates->target) {
		config->rate_control_mode = SVT_AV1_RC_MODE_CBR;
		config->target_bit_rate = rates->target;
	} else {
		config->rate_control_mode = SVT_AV1_RC_MODE_CQP_OR_CRF;
		config->qp = qp > QP_MAX ? QP_MAX : qp;
	}
}

static void set_colour(EbSvtAv1EncConfiguration *config, const struct context *c)
{
	struct av1_colour colour;
	struct obu obu;
	size_t at = 0;

	while (obu_next(c->headers.data, c->headers.size, &at, &obu)) {
		if (obu.type != OBU_SEQUENCE || !av1_colour_read(&obu, &colour))
			continue;
		config->color_primaries = (EbColorPrimaries)colour.primaries;
		config->transfer_characteristics = (EbTransferCharacteristics)colour.transfer;
		config->matrix_coefficients = (EbMatrixCoefficients)colour.matrix;
		config->color_range = (EbColorRange)colour.full_range;
		config->chroma_sample_position = (EbChromaSamplePosition)colour.chroma_position;
	}
}

static void set_up(EbSvtAv1EncConfiguration *config, const struct context *c, bool deep)
{
	config->enc_mode = PRESET;
	config->pred_structure = PRED_LOW_DELAY;
	config->hierarchical_levels = 2;
	config->source_width = c->picture.av1.frame_width_minus_1 + 1u;
	config->source_height = c->picture.av1.frame_height_minus_1 + 1u;
	config->encoder_bit_depth = deep ? 10 : 8;
	config->intra_period_length = GOP_ENDLESS;
	config->intra_refresh_type = SVT_AV1_KF_REFRESH;
#if SVT_AV1_CHECK_VERSION(3, 0, 0)
	config->level_of_parallelism = 1;
#else
	config->logical_processors = 1;
#endif
	set_rates(config, c);
	set_colour(config, c);
}

static EbErrorType make_handle(EbComponentType **ret, EbSvtAv1EncConfiguration *config)
{
#if SVT_AV1_CHECK_VERSION(3, 0, 0)
	return svt_av1_enc_init_handle(ret, config);
#else
	return svt_av1_enc_init_handle(ret, NULL, config);
#endif
}

/* With `opening` held. */
static VAStatus start(const struct context *c, struct av1 *a, bool deep)
{
	EbSvtAv1EncConfiguration config = {0};

	if (make_handle(&a->handle, &config) != EB_ErrorNone)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	set_up(&config, c, deep);
	if (svt_av1_enc_set_parameter(a->handle, &config) != EB_ErrorNone) {
		svt_av1_enc_deinit_handle(a->handle);
		return VA_STATUS_ERROR_INVALID_PARAMETER;
	}
	if (svt_av1_enc_init(a->handle) != EB_ErrorNone) {
		svt_av1_enc_deinit(a->handle);
		svt_av1_enc_deinit_handle(a->handle);
		return VA_STATUS_ERROR_UNKNOWN;
	}
	living++;
	return VA_STATUS_SUCCESS;
}

static VAStatus av1_open(struct context *c, bool deep)
{
	struct av1 *a = calloc(1, sizeof(*a));
	VAStatus status;

	if (!a)
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	a->width = c->picture.av1.frame_width_minus_1 + 1u;
	a->height = c->picture.av1.frame_height_minus_1 + 1u;
	pthread_mutex_lock(&opening);
	status = start(c, a, deep);
	pthread_mutex_unlock(&opening);
	if (status)
		free(a);
	else
		c->encoder = a;
	return status;
}

static VAStatus send(struct av1 *a, const struct surface *s, enum picture_type type)
{
	uint32_t bytes = s->fourcc == VA_FOURCC_P010 ? 2 : 1;
	EbSvtIOFormat picture;
	EbBufferHeaderType header = {
		.size = sizeof(header),
		.p_buffer = (uint8_t *)&picture,
		.n_filled_len = a->width * a->height * 3 / 2 * bytes,
		.pts = a->sent++,
		.pic_type = type == PICTURE_IDR ? EB_AV1_KEY_PICTURE : EB_AV1_INVALID_PICTURE,
	};

	if (a->width > s->width || a->height > s->height)
		return VA_STATUS_ERROR_INVALID_SURFACE;
	if (!planes_split(&a->planes, s, a->width, a->height, PLANES_AS_NUMBERS))
		return VA_STATUS_ERROR_ALLOCATION_FAILED;
	picture = (EbSvtIOFormat){
		.luma = (uint8_t *)(uintptr_t)a->planes.data[0],
		.cb = (uint8_t *)(uintptr_t)a->planes.data[1],
		.cr = (uint8_t *)(uintptr_t)a->planes.data[2],
		.y_stride = a->planes.pitch[0] / bytes,
		.cb_stride = a->planes.pitch[1] / bytes,
		.cr_stride = a->planes.pitch[2] / bytes,
	};
	return svt_av1_enc_send_picture(a->handle, &header) == EB_ErrorNone
		? VA_STATUS_SUCCESS
		: VA_STATUS_ERROR_ENCODING_ERROR;
}

static void append_metadata(struct context *c)
{
	struct obu obu;
	size_t at = 0;

	while (obu_next(c->headers.data, c->headers.size, &at, &obu))
		if (obu.type == OBU_METADATA)
			bytes_append(&c->bytes, obu.data, obu.size);
}

/* The temporal unit, with the program's metadata behind the sequence header. */
static void append_unit(struct context *c, const uint8_t *data, size_t size)
{
	struct obu obu;
	size_t at = 0;

	while (obu_next(data, size, &at, &obu)) {
		bytes_append(&c->bytes, obu.data, obu.size);
		if (obu.type == OBU_SEQUENCE)
			append_metadata(c);
	}
}

/* It comes without a further picture, so this waits no longer than the encoding takes. */
static VAStatus receive(struct context *c, struct av1 *a)
{
	EbBufferHeaderType *packet = NULL;

	if (svt_av1_enc_get_packet(a->handle, &packet, 0) != EB_ErrorNone || !packet)
		return VA_STATUS_ERROR_ENCODING_ERROR;
	append_unit(c, packet->p_buffer, packet->n_filled_len);
	svt_av1_enc_release_out_buffer(&packet);
	return VA_STATUS_SUCCESS;
}

static VAStatus av1_encode(struct context *c, const struct surface *source, enum picture_type type)
{
	bool deep = source->fourcc == VA_FOURCC_P010;
	VAStatus status = c->encoder ? VA_STATUS_SUCCESS : av1_open(c, deep);

	status = status ? status : send(c->encoder, source, type);
	return status ? status : receive(c, c->encoder);
}

/* The program's own headers, and a tile group that nobody can decode. */
static void av1_pretend(struct context *c, enum picture_type type)
{
	static const uint8_t delimiter[] = {OBU_TEMPORAL_DELIMITER << 3 | 2, 0};
	static const uint8_t tiles[] = {OBU_TILE_GROUP << 3 | 2, 32};

	(void)type;
	bytes_append(&c->bytes, delimiter, sizeof(delimiter));
	bytes_append(&c->bytes, c->headers.data, c->headers.size);
	bytes_append(&c->bytes, tiles, sizeof(tiles));
	for (unsigned i = 0; i < 32; i++)
		bytes_append_byte(&c->bytes, 0xa5);
}

const struct codec codec_av1 = {
	.sequence_size = sizeof(VAEncSequenceParameterBufferAV1),
	.picture_size = sizeof(VAEncPictureParameterBufferAV1),
	.slice_size = 0,
	.coded_buffer = coded_buffer,
	.type = type_of,
	.encode = av1_encode,
	.pretend = av1_pretend,
	.close = av1_close,
};

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_EMULATED_PICTURE_H
#define VENCD_EMULATED_PICTURE_H

/* A context, what it has been told of the picture at hand, and how a codec makes bytes of it. */

#include <va/va.h>
#include <va/va_enc_av1.h>
#include <va/va_enc_h264.h>
#include <va/va_enc_hevc.h>
#include <va/va_enc_vp9.h>

#include "tests/emulated/va/bits.h"
#include "tests/emulated/va/driver.h"

enum picture_type {
	PICTURE_IDR,
	PICTURE_I,
	PICTURE_P,
	PICTURE_B,
};

/* Rate control as the misc parameters have it. */
struct rates {
	uint32_t mode;   /* VA_RC_* */
	uint32_t target; /* bits a second; 0: none was given */
	uint32_t peak;
	uint32_t buffer;  /* bits; 0: none was given */
	uint32_t quality; /* of ICQ */
	uint32_t fps_num, fps_den;
};

struct context {
	struct driver *driver;
	struct config config;
	uint32_t width, height; /* of the surfaces */
	struct rates rates;
	union {
		VAEncSequenceParameterBufferH264 h264;
		VAEncSequenceParameterBufferHEVC hevc;
		VAEncSequenceParameterBufferAV1 av1;
		VAEncSequenceParameterBufferVP9 vp9;
	} sequence;
	union {
		VAEncPictureParameterBufferH264 h264;
		VAEncPictureParameterBufferHEVC hevc;
		VAEncPictureParameterBufferAV1 av1;
		VAEncPictureParameterBufferVP9 vp9;
	} picture;
	union {
		VAEncSliceParameterBufferH264 h264;
		VAEncSliceParameterBufferHEVC hevc;
	} slice;
	uint32_t header_type; /* of the packed header whose data comes next */
	struct bytes headers; /* packed headers of this picture, but for slice headers */
	struct bytes bytes;   /* the coded picture */
	VASurfaceID source;
	uint64_t n_pictures; /* coded so far */
	const struct codec *codec;
	void *encoder; /* the codec's own; NULL before the first picture */
};

struct codec {
	size_t sequence_size, picture_size, slice_size; /* of VA's parameter buffers */
	VABufferID (*coded_buffer)(const struct context *context);
	enum picture_type (*type)(const struct context *context);
	/* Appends exactly one coded picture to context->bytes, opening the encoder if need be. */
	VAStatus (*encode)(
		struct context *context, const struct surface *source, enum picture_type type);
	/* Appends what a look at the headers takes for one. */
	void (*pretend)(struct context *context, enum picture_type type);
	/* The first picture coded, and all others as if nothing had moved. H.264 alone. */
	VAStatus (*repeat)(
		struct context *context, const struct surface *source, enum picture_type type);
	void (*close)(void *encoder);
};

extern const struct codec codec_h264, codec_hevc, codec_av1, codec_vp9;

void context_free(struct context *context);

/* Whether the program writes the parameter sets itself. */
static inline bool has_packed_headers(const struct context *context)
{
	return context->config.packed_headers & VA_ENC_PACKED_HEADER_SEQUENCE;
}

#endif

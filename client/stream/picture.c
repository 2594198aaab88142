// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Decoded pictures into the pool's formats.
 *
 * The four formats of the pool are copied as they are, plane by plane. Anything else goes through
 * libswscale first, into a picture of our own (libswscale may write beyond a row's end, where the
 * next slot would be), and stderr says so once. The bit depth is kept: more than 8 bits become 10.
 * Colours are kept as they are, matrix and range; only pictures without a matrix of their own (RGB)
 * become limited-range BT.709, or BT.601 below 720 rows, as players assume.
 */

#include "client/stream/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "client/stream/console.h"

#define BT601_BELOW_ROWS 720

struct picture_writer {
	enum AVPixelFormat format; /* what the pool takes */
	enum AVColorSpace matrix;
	int full_range;
	enum AVPixelFormat from; /* what the scaler was made for */
	struct SwsContext *scaler;
	AVFrame *converted;
};

static const struct {
	enum AVPixelFormat libav;
	enum vencd_pixel_format ours;
} formats[] = {
	{AV_PIX_FMT_YUV420P, VENCD_FORMAT_I420},
	{AV_PIX_FMT_YUVJ420P, VENCD_FORMAT_I420},
	{AV_PIX_FMT_NV12, VENCD_FORMAT_NV12},
	{AV_PIX_FMT_YUV420P10LE, VENCD_FORMAT_I010},
	{AV_PIX_FMT_P010LE, VENCD_FORMAT_P010},
};

/* The old names of full-range formats are the same bytes. */
static enum AVPixelFormat plain(enum AVPixelFormat format)
{
	return format == AV_PIX_FMT_YUVJ420P ? AV_PIX_FMT_YUV420P : format;
}

static enum vencd_pixel_format format_without_conversion(enum AVPixelFormat format)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (formats[i].libav == format)
			return formats[i].ours;
	}
	return 0;
}

static bool has_matrix(enum AVPixelFormat format)
{
	const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(format);

	return !(descriptor->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

static bool is_full_range(const AVFrame *picture)
{
	switch (picture->format) {
	case AV_PIX_FMT_YUVJ411P:
	case AV_PIX_FMT_YUVJ420P:
	case AV_PIX_FMT_YUVJ422P:
	case AV_PIX_FMT_YUVJ440P:
	case AV_PIX_FMT_YUVJ444P:
		return true;
	default:
		return picture->color_range == AVCOL_RANGE_JPEG;
	}
}

static int choose_conversion(
	struct picture_writer *writer, const AVFrame *first, struct vencd_params *params)
{
	const AVPixFmtDescriptor *from = av_pix_fmt_desc_get(first->format);
	int depth;

	if (!from)
		return AVERROR(EINVAL);
	depth = from->comp[0].depth;
	writer->format = depth > 8 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
	params->format = depth > 8 ? VENCD_FORMAT_I010 : VENCD_FORMAT_I420;
	if (!has_matrix(first->format)) {
		writer->full_range = 0;
		writer->matrix = first->height < BT601_BELOW_ROWS ? AVCOL_SPC_SMPTE170M
								  : AVCOL_SPC_BT709;
		params->colour.matrix = (uint8_t)writer->matrix;
		params->colour.full_range = 0;
	}
	console_say("pictures are converted from %s to %s%s", from->name,
		av_get_pix_fmt_name(writer->format),
		from->flags & AV_PIX_FMT_FLAG_ALPHA ? "; transparency is lost" : "");
	return 0;
}

int picture_writer_new(
	struct picture_writer **ret, const AVFrame *first, struct vencd_params *params)
{
	struct picture_writer *writer = calloc(1, sizeof(*writer));
	int r = 0;

	if (!writer)
		return AVERROR(ENOMEM);
	writer->from = AV_PIX_FMT_NONE;
	writer->matrix = first->colorspace;
	writer->full_range = is_full_range(first);
	params->colour.full_range = (uint8_t)writer->full_range;
	params->format = format_without_conversion(first->format);
	if (params->format)
		writer->format = plain(first->format);
	else
		r = choose_conversion(writer, first, params);
	if (r < 0)
		picture_writer_free(writer);
	else
		*ret = writer;
	return r;
}

void picture_writer_free(struct picture_writer *writer)
{
	if (!writer)
		return;
	sws_freeContext(writer->scaler);
	av_frame_free(&writer->converted);
	free(writer);
}

static const int *coefficients(enum AVColorSpace matrix)
{
	return sws_getCoefficients(matrix == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : (int)matrix);
}

static int set_colours(struct picture_writer *writer, const AVFrame *picture)
{
	const int *to = coefficients(writer->matrix);
	const int *from = has_matrix(picture->format) ? to : coefficients(SWS_CS_DEFAULT);
	int full = has_matrix(picture->format) ? is_full_range(picture) : 1;
	int r = sws_setColorspaceDetails(
		writer->scaler, from, full, to, writer->full_range, 0, 1 << 16, 1 << 16);

	return r < 0 ? AVERROR(EINVAL) : 0;
}

static int make_scaler(struct picture_writer *writer, const AVFrame *picture)
{
	int r;

	sws_freeContext(writer->scaler);
	writer->scaler = sws_alloc_context();
	if (!writer->scaler)
		return AVERROR(ENOMEM);
	av_opt_set_int(writer->scaler, "srcw", picture->width, 0);
	av_opt_set_int(writer->scaler, "srch", picture->height, 0);
	av_opt_set_int(writer->scaler, "src_format", picture->format, 0);
	av_opt_set_int(writer->scaler, "dstw", picture->width, 0);
	av_opt_set_int(writer->scaler, "dsth", picture->height, 0);
	av_opt_set_int(writer->scaler, "dst_format", writer->format, 0);
	av_opt_set_int(writer->scaler, "threads", 0, 0);
	av_opt_set_int(writer->scaler, "sws_flags", SWS_BICUBIC | SWS_ACCURATE_RND, 0);
	writer->from = picture->format;
	r = sws_init_context(writer->scaler, NULL, NULL);
	return r < 0 ? r : set_colours(writer, picture);
}

static int make_converted(struct picture_writer *writer, const AVFrame *picture)
{
	if (writer->converted)
		return 0;
	writer->converted = av_frame_alloc();
	if (!writer->converted)
		return AVERROR(ENOMEM);
	writer->converted->format = writer->format;
	writer->converted->width = picture->width;
	writer->converted->height = picture->height;
	return av_frame_get_buffer(writer->converted, 0);
}

static int convert(struct picture_writer *writer, const AVFrame *picture)
{
	int r = make_converted(writer, picture);

	if (r >= 0 && writer->from != picture->format)
		r = make_scaler(writer, picture);
	if (r >= 0)
		r = sws_scale_frame(writer->scaler, writer->converted, picture);
	return r;
}

int picture_write(struct picture_writer *writer, const AVFrame *picture, struct source_frame *frame)
{
	if (plain(picture->format) != writer->format) {
		int r = convert(writer, picture);

		if (r < 0)
			return r;
		picture = writer->converted;
	}
	for (int plane = 0; plane < 3 && frame->rows[plane]; plane++)
		av_image_copy_plane(frame->data[plane], (int)frame->stride[plane],
			picture->data[plane], picture->linesize[plane],
			(int)frame->row_bytes[plane], (int)frame->rows[plane]);
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What a demuxed input says about itself, translated into a request and into what a container
 * keeps: colour, HDR10, aspect, rotation, names, and the tracks that are copied. What the first
 * picture says wins over the file's header, as decoders are shown the bitstream. Nothing is left
 * out silently: a stream that is not copied is named.
 */

#include "client/stream/media_info.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mastering_display_metadata.h>

#include "client/stream/console.h"

#define CHROMATICITY_UNITS 50000
#define LUMINANCE_UNITS 10000

static uint8_t code_point(int first, int header, int unspecified)
{
	int value = first != unspecified ? first : header;

	return value == unspecified ? 0 : (uint8_t)value;
}

static void set_colour(
	struct vencd_colour *colour, const AVCodecParameters *header, const AVFrame *first)
{
	int location = code_point(
		first->chroma_location, header->chroma_location, AVCHROMA_LOC_UNSPECIFIED);

	colour->primaries = code_point(
		first->color_primaries, header->color_primaries, AVCOL_PRI_UNSPECIFIED);
	colour->transfer = code_point(first->color_trc, header->color_trc, AVCOL_TRC_UNSPECIFIED);
	colour->matrix = code_point(first->colorspace, header->color_space, AVCOL_SPC_UNSPECIFIED);
	colour->chroma_location = location <= 3 ? (uint8_t)location : 0;
}

/* What is shorter than it should be is none. */
static const void *header_side_data(
	const AVStream *stream, enum AVPacketSideDataType type, size_t size)
{
	const AVPacketSideData *found = av_packet_side_data_get(
		stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, type);

	return found && found->size >= size ? found->data : NULL;
}

static const void *side_data(const AVStream *stream, enum AVPacketSideDataType in_header,
	const AVFrame *first, enum AVFrameSideDataType in_frame, size_t size)
{
	const AVFrameSideData *found = av_frame_get_side_data(first, in_frame);

	return found && found->size >= size ? found->data
					    : header_side_data(stream, in_header, size);
}

static uint32_t units(AVRational value, int64_t per_one, uint32_t max)
{
	int64_t n = value.den > 0 && value.num > 0 ? av_rescale(value.num, per_one, value.den) : 0;

	return n > max ? max : (uint32_t)n;
}

static void set_mastering(struct vencd_hdr *hdr, const AVMasteringDisplayMetadata *mastering)
{
	if (mastering->has_primaries) {
		for (int i = 0; i < 6; i++)
			hdr->display_primaries[i / 2][i % 2] = (uint16_t)units(
				mastering->display_primaries[i / 2][i % 2], CHROMATICITY_UNITS,
				UINT16_MAX);
		for (int i = 0; i < 2; i++)
			hdr->white_point[i] = (uint16_t)units(
				mastering->white_point[i], CHROMATICITY_UNITS, UINT16_MAX);
	}
	if (mastering->has_luminance) {
		hdr->max_luminance = units(mastering->max_luminance, LUMINANCE_UNITS, UINT32_MAX);
		hdr->min_luminance = units(mastering->min_luminance, LUMINANCE_UNITS, UINT32_MAX);
	}
}

static void set_hdr(struct vencd_hdr *hdr, const AVStream *stream, const AVFrame *first)
{
	const AVMasteringDisplayMetadata *mastering = side_data(stream,
		AV_PKT_DATA_MASTERING_DISPLAY_METADATA, first,
		AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, sizeof(*mastering));
	const AVContentLightMetadata *light = side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL,
		first, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, sizeof(*light));

	if (mastering)
		set_mastering(hdr, mastering);
	if (light) {
		hdr->max_content_light = (uint16_t)FFMIN(light->MaxCLL, UINT16_MAX);
		hdr->max_average_light = (uint16_t)FFMIN(light->MaxFALL, UINT16_MAX);
	}
}

static struct vencd_rational rational(AVRational value)
{
	return value.num > 0 && value.den > 0 ? (struct vencd_rational){value.num, value.den}
					      : (struct vencd_rational){0, 0};
}

void media_info_video(struct vencd_params *params, AVFormatContext *format, AVStream *stream,
	const AVFrame *first)
{
	params->width = (uint32_t)first->width;
	params->height = (uint32_t)first->height;
	params->time_base = rational(stream->time_base);
	params->frame_rate = rational(av_guess_frame_rate(format, stream, NULL));
	params->sample_aspect = rational(
		av_guess_sample_aspect_ratio(format, stream, (AVFrame *)first));
	set_colour(&params->colour, stream->codecpar, first);
	set_hdr(&params->hdr, stream, first);
}

/* Rotation is nothing an encoder could know, so it goes to the container; so does HDR10. */
int media_info_side_data(struct source_info *info, const AVStream *stream, const AVFrame *first)
{
	static const struct {
		enum AVPacketSideDataType in_header;
		enum AVFrameSideDataType in_frame;
		size_t size;
	} kept[] = {
		{AV_PKT_DATA_DISPLAYMATRIX, AV_FRAME_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t)},
		{AV_PKT_DATA_MASTERING_DISPLAY_METADATA, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA,
			sizeof(AVMasteringDisplayMetadata)},
		{AV_PKT_DATA_CONTENT_LIGHT_LEVEL, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL,
			sizeof(AVContentLightMetadata)},
	};

	for (size_t i = 0; i < FF_ARRAY_ELEMS(kept); i++) {
		const void *data = side_data(
			stream, kept[i].in_header, first, kept[i].in_frame, kept[i].size);
		void *copy = data ? av_memdup(data, kept[i].size) : NULL;

		if (data &&
			(!copy ||
				!av_packet_side_data_add(&info->side_data, &info->n_side_data,
					kept[i].in_header, copy, kept[i].size, 0))) {
			av_free(copy);
			return AVERROR(ENOMEM);
		}
	}
	return 0;
}

static int add_track(struct source_info *info, const AVStream *stream)
{
	struct track *track = &info->tracks[info->n_tracks];

	track->parameters = avcodec_parameters_alloc();
	if (!track->parameters)
		return AVERROR(ENOMEM);
	info->n_tracks++;
	track->source_index = stream->index;
	track->time_base = stream->time_base;
	track->disposition = stream->disposition;
	if (avcodec_parameters_copy(track->parameters, stream->codecpar) < 0)
		return AVERROR(ENOMEM);
	track->parameters->codec_tag = 0; /* another container has another one */
	return av_dict_copy(&track->metadata, stream->metadata, 0);
}

static void say_left_out(const AVStream *stream, const struct container *container)
{
	const char *type = av_get_media_type_string(stream->codecpar->codec_type);

	console_say("stream %d (%s, %s) is not copied: %s does not take it", stream->index,
		type ? type : "unknown", avcodec_get_name(stream->codecpar->codec_id),
		container->name);
}

int media_info_tracks(struct source_info *info, const AVFormatContext *format,
	const AVStream *video, const struct container *container)
{
	int r = av_dict_copy(&info->video_metadata, video->metadata, 0);

	info->video_disposition = video->disposition;
	if (r >= 0)
		r = av_dict_copy(&info->metadata, format->metadata, 0);
	for (unsigned i = 0; r >= 0 && i < format->nb_streams; i++) {
		const AVStream *stream = format->streams[i];

		if (stream == video)
			continue;
		if (info->n_tracks < SOURCE_TRACKS_MAX &&
			container_copies(container, stream->codecpar->codec_type,
				stream->codecpar->codec_id)) {
			r = add_track(info, stream);
		} else {
			say_left_out(stream, container);
		}
	}
	return r;
}

int media_info_chapters(struct source_info *info, const AVFormatContext *format, int64_t start_us)
{
	unsigned n = FFMIN(format->nb_chapters, SOURCE_CHAPTERS_MAX);

	info->chapters = av_calloc(n ? n : 1, sizeof(*info->chapters));
	if (!info->chapters)
		return AVERROR(ENOMEM);
	for (; info->n_chapters < n; info->n_chapters++) {
		const AVChapter *from = format->chapters[info->n_chapters];
		struct chapter *to = &info->chapters[info->n_chapters];
		int64_t shift = av_rescale_q(start_us, AV_TIME_BASE_Q, from->time_base);

		*to = (struct chapter){.id = from->id,
			.start = from->start - shift,
			.end = from->end - shift,
			.time_base = from->time_base};
		if (av_dict_copy(&to->metadata, from->metadata, 0) < 0)
			return AVERROR(ENOMEM);
	}
	return 0;
}

void source_info_clear(struct source_info *info)
{
	for (uint32_t i = 0; i < info->n_chapters; i++)
		av_dict_free(&info->chapters[i].metadata);
	av_free(info->chapters);
	for (uint32_t i = 0; i < info->n_tracks; i++) {
		avcodec_parameters_free(&info->tracks[i].parameters);
		av_dict_free(&info->tracks[i].metadata);
	}
	av_packet_side_data_free(&info->side_data, &info->n_side_data);
	av_dict_free(&info->metadata);
	av_dict_free(&info->video_metadata);
	*info = (struct source_info){0};
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The head of a container: streams, parameter sets, names, options of the muxer.
 *
 * Encoders write parameter sets in band and give no extradata, and stay so for failover's sake.
 * What Matroska and MP4 want in their head is taken from the first packet with libavcodec's
 * extract_extradata; the packet itself goes to the muxer unchanged and without that side data,
 * which a muxer would take for a change in mid-stream. VP9 has no parameter sets: what a head wants
 * of it, libavformat makes of size and format.
 */

#include "client/stream/head.h"

#include <errno.h>
#include <string.h>
#include <libavcodec/bsf.h>
#include <libavutil/mem.h>

static const enum AVPixelFormat pixel_formats[] = {
	[VENCD_FORMAT_I420] = AV_PIX_FMT_YUV420P,
	[VENCD_FORMAT_NV12] = AV_PIX_FMT_YUV420P,
	[VENCD_FORMAT_I010] = AV_PIX_FMT_YUV420P10LE,
	[VENCD_FORMAT_P010] = AV_PIX_FMT_YUV420P10LE,
};

static AVRational rational(struct vencd_rational value)
{
	return (AVRational){value.num, value.den ? value.den : 1};
}

static void set_colour(AVCodecParameters *parameters, const struct vencd_colour *colour)
{
	parameters->color_range = colour->full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
	parameters->color_primaries = colour->primaries ? colour->primaries : AVCOL_PRI_UNSPECIFIED;
	parameters->color_trc = colour->transfer ? colour->transfer : AVCOL_TRC_UNSPECIFIED;
	parameters->color_space = colour->matrix ? colour->matrix : AVCOL_SPC_UNSPECIFIED;
	parameters->chroma_location = colour->chroma_location;
}

static int filter_first(
	struct AVBSFContext *filter, AVPacket *packet, AVCodecParameters *parameters)
{
	size_t size;
	uint8_t *found;
	int r = av_bsf_send_packet(filter, packet);

	if (r >= 0)
		r = av_bsf_receive_packet(filter, packet);
	if (r < 0)
		return r;
	found = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
	if (!found)
		return AVERROR_INVALIDDATA;
	parameters->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
	if (!parameters->extradata)
		return AVERROR(ENOMEM);
	memcpy(parameters->extradata, found, size);
	parameters->extradata_size = (int)size;
	return 0;
}

static int extract(AVCodecParameters *parameters, const AVPacket *first)
{
	struct AVBSFContext *filter = NULL;
	AVPacket *packet = av_packet_clone(first);
	int r = av_bsf_alloc(av_bsf_get_by_name("extract_extradata"), &filter);

	if (r >= 0 && !packet)
		r = AVERROR(ENOMEM);
	if (r >= 0)
		r = avcodec_parameters_copy(filter->par_in, parameters);
	if (r >= 0)
		r = av_bsf_init(filter);
	if (r >= 0)
		r = filter_first(filter, packet, parameters);
	av_bsf_free(&filter);
	av_packet_free(&packet);
	return r;
}

static int copy_side_data(AVCodecParameters *parameters, const struct source_info *info)
{
	for (int i = 0; i < info->n_side_data; i++) {
		const AVPacketSideData *data = &info->side_data[i];
		AVPacketSideData *copy = av_packet_side_data_new(&parameters->coded_side_data,
			&parameters->nb_coded_side_data, data->type, data->size, 0);

		if (!copy)
			return AVERROR(ENOMEM);
		memcpy(copy->data, data->data, data->size);
	}
	return 0;
}

static void set_video(AVCodecParameters *parameters, const struct output_setup *setup)
{
	const struct vencd_params *params = &setup->info->params;

	parameters->codec_type = AVMEDIA_TYPE_VIDEO;
	parameters->codec_id = container_codec_id(setup->codec);
	parameters->width = (int)params->width;
	parameters->height = (int)params->height;
	parameters->format = pixel_formats[params->format];
	parameters->field_order = AV_FIELD_PROGRESSIVE;
	parameters->sample_aspect_ratio = rational(params->sample_aspect);
	set_colour(parameters, &params->colour);
}

/* What a stream is called; other tags describe the encode that it was. */
static void copy_names(AVStream *stream, const AVDictionary *metadata)
{
	static const char *const kept[] = {"language", "title"};

	for (size_t i = 0; i < FF_ARRAY_ELEMS(kept); i++) {
		const AVDictionaryEntry *entry = av_dict_get(metadata, kept[i], NULL, 0);

		if (entry)
			av_dict_set(&stream->metadata, kept[i], entry->value, 0);
	}
}

static int add_video(
	AVFormatContext *muxer, const struct output_setup *setup, const AVPacket *first)
{
	const struct vencd_params *params = &setup->info->params;
	AVStream *stream = avformat_new_stream(muxer, NULL);
	int r = 0;

	if (!stream)
		return AVERROR(ENOMEM);
	set_video(stream->codecpar, setup);
	stream->sample_aspect_ratio = stream->codecpar->sample_aspect_ratio;
	stream->time_base = rational(params->time_base);
	stream->avg_frame_rate = stream->r_frame_rate = rational(params->frame_rate);
	stream->disposition = setup->info->video_disposition;
	copy_names(stream, setup->info->video_metadata);
	if (setup->container->header == CONTAINER_HEADER_EXTRADATA &&
		setup->codec != VENCD_CODEC_VP9)
		r = extract(stream->codecpar, first);
	return r < 0 ? r : copy_side_data(stream->codecpar, setup->info);
}

static int add_track(AVFormatContext *muxer, const struct track *track)
{
	AVStream *stream = avformat_new_stream(muxer, NULL);

	if (!stream)
		return AVERROR(ENOMEM);
	stream->time_base = track->time_base;
	stream->disposition = track->disposition;
	copy_names(stream, track->metadata);
	return avcodec_parameters_copy(stream->codecpar, track->parameters);
}

/* The input's names for the whole, without what its own container wrote. */
static int copy_metadata(AVFormatContext *muxer, const struct source_info *info)
{
	static const char *const dropped[] = {
		"encoder", "major_brand", "minor_version", "compatible_brands", "duration"};
	int r = av_dict_copy(&muxer->metadata, info->metadata, 0);

	for (size_t i = 0; i < FF_ARRAY_ELEMS(dropped); i++)
		av_dict_set(&muxer->metadata, dropped[i], NULL, 0);
	return r;
}

static int add_chapter(AVFormatContext *muxer, const struct chapter *from)
{
	AVChapter *to = av_mallocz(sizeof(*to));

	if (!to)
		return AVERROR(ENOMEM);
	to->id = from->id;
	to->start = from->start;
	to->end = from->end;
	to->time_base = from->time_base;
	muxer->chapters[muxer->nb_chapters++] = to;
	return av_dict_copy(&to->metadata, from->metadata, 0);
}

/* Freed with the muxer. */
static int copy_chapters(AVFormatContext *muxer, const struct source_info *info)
{
	int r = 0;

	if (!info->n_chapters)
		return 0;
	muxer->chapters = av_calloc(info->n_chapters, sizeof(*muxer->chapters));
	if (!muxer->chapters)
		return AVERROR(ENOMEM);
	for (uint32_t i = 0; r >= 0 && i < info->n_chapters; i++)
		r = add_chapter(muxer, &info->chapters[i]);
	return r;
}

/*
 * MP4 that cannot be mended afterwards is written in fragments. Live packets should not wait for a
 * cluster to fill.
 */
static void set_options(AVDictionary **options, const struct output_setup *setup)
{
	if (strcmp(setup->container->muxer, "mp4") == 0 && !setup->fd.seekable) {
		av_dict_set(options, "movflags", "frag_keyframe+delay_moov+default_base_moof", 0);
		av_dict_set_int(options, "frag_duration", AV_TIME_BASE, 0);
	}
	if (setup->container->tick.den == 1000) {
		av_dict_set_int(options, "cluster_size_limit", HEAD_CLUSTER_BYTES, 0);
		if (setup->latency == VENCD_LATENCY_LIVE)
			av_dict_set_int(options, "cluster_time_limit", 100, 0);
	}
}

int head_write(AVFormatContext *muxer, const struct output_setup *setup, const AVPacket *first)
{
	AVDictionary *options = NULL;
	int r = add_video(muxer, setup, first);

	for (uint32_t i = 0; r >= 0 && i < setup->info->n_tracks; i++)
		r = add_track(muxer, &setup->info->tracks[i]);
	if (r >= 0)
		r = copy_metadata(muxer, setup->info);
	if (r >= 0)
		r = copy_chapters(muxer, setup->info);
	if (r < 0)
		return r;
	set_options(&options, setup);
	r = avformat_write_header(muxer, &options);
	av_dict_free(&options);
	return r < 0 ? r : 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Which containers there are and what each of them takes, as one table.
 *
 * A container narrows the codecs of a request before it is made, so that no session is opened
 * whose packets could not be stored. AV1 and VP9 in MPEG-TS have no finished standard and are left
 * out. The
 * container "null" takes every codec and stores the packets as they are: the null encoder's packets
 * are no bitstream, and no muxer would have them.
 *
 * `tick` is given where the muxer fixes it; MP4 and IVF take the session's own, and raw streams
 * carry no timestamps.
 */

#include "client/stream/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <libavformat/avformat.h>

#define AV1 (1u << VENCD_CODEC_AV1)
#define HEVC (1u << VENCD_CODEC_HEVC)
#define H264 (1u << VENCD_CODEC_H264)
#define VP9 (1u << VENCD_CODEC_VP9)

static const struct container containers[] = {
	{"mkv", "matroska", AV1 | HEVC | H264 | VP9, CONTAINER_HEADER_EXTRADATA,
		CONTAINER_TRACKS_ASK, .tick = {1, 1000}, .trailer_bytes = 768 << 10,
		.trailer_packet = 40},
	{"mp4", "mp4", AV1 | HEVC | H264 | VP9, CONTAINER_HEADER_EXTRADATA, CONTAINER_TRACKS_ASK,
		.trailer_bytes = 128 << 10, .trailer_packet = 48},
	{"webm", "webm", AV1 | VP9, CONTAINER_HEADER_EXTRADATA, CONTAINER_TRACKS_LISTED,
		.copied = {AV_CODEC_ID_OPUS, AV_CODEC_ID_VORBIS, AV_CODEC_ID_WEBVTT},
		.tick = {1, 1000}, .trailer_bytes = 768 << 10, .trailer_packet = 40},
	{"ts", "mpegts", HEVC | H264, CONTAINER_HEADER_NONE, CONTAINER_TRACKS_LISTED,
		.copied = {AV_CODEC_ID_AAC, AV_CODEC_ID_MP2, AV_CODEC_ID_MP3, AV_CODEC_ID_AC3,
			AV_CODEC_ID_EAC3, AV_CODEC_ID_DTS, AV_CODEC_ID_TRUEHD, AV_CODEC_ID_OPUS,
			AV_CODEC_ID_DVB_SUBTITLE, AV_CODEC_ID_DVB_TELETEXT},
		.tick = {1, 90000}, .trailer_bytes = 64 << 10},
	{"ivf", "ivf", AV1 | VP9, CONTAINER_HEADER_NONE, .trailer_bytes = 4096},
	{"obu", "obu", AV1, CONTAINER_HEADER_NONE, .trailer_bytes = 4096},
	{"h264", "h264", H264, CONTAINER_HEADER_NONE, .trailer_bytes = 4096},
	{"hevc", "hevc", HEVC, CONTAINER_HEADER_NONE, .trailer_bytes = 4096},
	{"null", NULL, AV1 | HEVC | H264 | VP9, CONTAINER_HEADER_NONE},
};

#define CONTAINERS (sizeof(containers) / sizeof(*containers))

const struct container *container_find(const char *name)
{
	for (size_t i = 0; name && i < CONTAINERS; i++) {
		const char *muxer = containers[i].muxer;

		if (strcmp(containers[i].name, name) == 0 || (muxer && strcmp(muxer, name) == 0))
			return &containers[i];
	}
	return NULL;
}

const struct container *container_of_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash : path, '.');

	return dot ? container_find(dot + 1) : NULL;
}

static bool is_copied(enum AVMediaType type)
{
	return type == AVMEDIA_TYPE_AUDIO || type == AVMEDIA_TYPE_SUBTITLE;
}

bool container_copies(const struct container *container, enum AVMediaType type, enum AVCodecID id)
{
	if (!is_copied(type) || container->tracks == CONTAINER_TRACKS_NONE)
		return false;
	if (container->tracks == CONTAINER_TRACKS_ASK) {
		const AVOutputFormat *format = av_guess_format(container->muxer, NULL, NULL);

		return format && avformat_query_codec(format, id, FF_COMPLIANCE_NORMAL) == 1;
	}
	for (size_t i = 0; i < CONTAINER_COPIED_MAX && container->copied[i]; i++) {
		if (container->copied[i] == id)
			return true;
	}
	return false;
}

int container_narrow(const struct container *container, struct vencd_params *params)
{
	static const uint32_t preferred[VENCD_MAX_CODECS] = {
		VENCD_CODEC_AV1, VENCD_CODEC_HEVC, VENCD_CODEC_H264, VENCD_CODEC_VP9};
	const uint32_t *asked = params->codecs[0] ? params->codecs : preferred;
	uint32_t kept[VENCD_MAX_CODECS] = {0};
	size_t n = 0;

	for (size_t i = 0; i < VENCD_MAX_CODECS && asked[i]; i++) {
		if (container->codecs & 1u << asked[i])
			kept[n++] = asked[i];
	}
	if (n == 0)
		return -EINVAL;
	memcpy(params->codecs, kept, sizeof(kept));
	return 0;
}

void container_list(char *text, size_t size)
{
	FILE *file = fmemopen(text, size, "w");

	text[0] = '\0';
	if (!file)
		return;
	for (size_t i = 0; i < CONTAINERS; i++) {
		const char *between = " (";

		fprintf(file, "%s%s", i ? ", " : "", containers[i].name);
		for (uint32_t codec = VENCD_CODEC_AV1; codec <= VENCD_CODEC_VP9; codec++) {
			if (containers[i].codecs & 1u << codec) {
				fprintf(file, "%s%s", between, vencd_codec_name(codec));
				between = ", ";
			}
		}
		fputc(')', file);
	}
	fclose(file);
	text[size - 1] = '\0';
}

enum AVCodecID container_codec_id(enum vencd_codec codec)
{
	switch (codec) {
	case VENCD_CODEC_AV1:
		return AV_CODEC_ID_AV1;
	case VENCD_CODEC_HEVC:
		return AV_CODEC_ID_HEVC;
	case VENCD_CODEC_H264:
		return AV_CODEC_ID_H264;
	case VENCD_CODEC_VP9:
		return AV_CODEC_ID_VP9;
	}
	return AV_CODEC_ID_NONE;
}

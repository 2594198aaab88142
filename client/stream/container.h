// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_CONTAINER_H
#define VENCD_STREAM_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <libavcodec/codec_id.h>
#include <libavutil/avutil.h>
#include <libavutil/rational.h>

#include "client/vencd.h"

/* What a container holds beside the video. */
enum container_tracks {
	CONTAINER_TRACKS_NONE,   /* one video stream and nothing else */
	CONTAINER_TRACKS_LISTED, /* the codecs of copied[] */
	CONTAINER_TRACKS_ASK,    /* what libavformat's muxer says it can store */
};

/* Which parameter sets the header of the file holds. */
enum container_header {
	CONTAINER_HEADER_NONE,      /* all of it is in band */
	CONTAINER_HEADER_EXTRADATA, /* must be known before the first byte is written */
};

#define CONTAINER_COPIED_MAX 12

struct container {
	const char *name;  /* as in --container and as the file's extension */
	const char *muxer; /* libavformat's; NULL: packets are written one after the other */
	uint32_t codecs;   /* bits, 1u << enum vencd_codec */
	enum container_header header;
	enum container_tracks tracks;
	enum AVCodecID copied[CONTAINER_COPIED_MAX]; /* AV_CODEC_ID_NONE ends */
	AVRational tick;       /* 0/0: as fine as the session's, or no timestamps at all */
	size_t trailer_bytes;  /* room that ending the file takes at most, */
	size_t trailer_packet; /* and this much more for each packet in it */
};

/* By its name or that of its muxer; NULL where there is no such container. */
const struct container *container_find(const char *name);

/* By the extension of a path; NULL for none or an unknown one. */
const struct container *container_of_path(const char *path);

/* Whether a track of this kind can be copied into it. */
bool container_copies(const struct container *container, enum AVMediaType type, enum AVCodecID id);

/*
 * Keeps of params->codecs, in order, what the container takes; all it takes, AV1 first, where none
 * was named. Returns -EINVAL and leaves params alone where nothing is left.
 */
int container_narrow(const struct container *container, struct vencd_params *params);

/* "mkv (av1, hevc, h264, vp9), ...": every container with its codecs. */
void container_list(char *text, size_t size);

enum AVCodecID container_codec_id(enum vencd_codec codec);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Limits of one input. A few bytes can ask for gigabytes (a picture of 30000x30000 zeros), for
 * hours (a million packets that are none), or never come to anything (an endless stream of
 * stuffing).
 *
 * Memory is limited by the kernel, where whoever started us said so (RLIMIT_DATA; of an adapter the
 * setting AdapterMemory): the session's pool is shared memory and no part of it. A decoder's
 * threads each hold pictures, so large pictures get fewer of them.
 */

#include "client/stream/media_limits.h"

#include <stdio.h>
#include <sys/resource.h>
#include <libavutil/mem.h>

#include "client/stream/source.h"

/* libavformat's own defaults of today, but for the streams. */
#define PROBE_BYTES 5000000
#define PROBE_PACKETS_MAX 2500
#define STREAMS_MAX 256

#define PIXELS_MAX ((int64_t)VENCD_SIZE_MAX * VENCD_SIZE_MAX)
#define THREADS_MAX 16     /* what libavcodec takes at most when it is let choose */
#define BYTES_PER_PIXEL 3u /* 4:2:0 in 10 bits */
#define THREADS_SHARE 4u   /* a thread's picture may use up this part of the memory, all together */

static uint64_t memory_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	return limit.rlim_cur;
}

void media_limits_demuxer(AVFormatContext *format)
{
	format->probesize = PROBE_BYTES;
	format->max_probe_packets = PROBE_PACKETS_MAX;
	format->max_streams = STREAMS_MAX;
}

/* One set of options a stream, as avformat_find_stream_info() wants them. */
int media_limits_find_info(AVFormatContext *format)
{
	unsigned n = format->nb_streams;
	AVDictionary **options = av_calloc(n ? n : 1, sizeof(*options));
	int r = options ? 0 : AVERROR(ENOMEM);

	for (unsigned i = 0; i < n && r >= 0; i++)
		r = av_dict_set_int(&options[i], "max_pixels", PIXELS_MAX, 0);
	if (r >= 0)
		r = avformat_find_stream_info(format, options);
	for (unsigned i = 0; i < n && options; i++)
		av_dict_free(&options[i]);
	av_free(options);
	return r;
}

static uint64_t picture_bytes(const AVCodecContext *decoder)
{
	return (uint64_t)FFMAX(decoder->width, 1) * (uint64_t)FFMAX(decoder->height, 1) *
		BYTES_PER_PIXEL;
}

static int threads_for(const AVCodecContext *decoder)
{
	uint64_t memory = memory_limit();
	uint64_t threads = memory / THREADS_SHARE / picture_bytes(decoder);

	if (memory == 0 || threads >= THREADS_MAX)
		return 0; /* as many as there are processors */
	return FFMAX((int)threads, 1);
}

void media_limits_decoder(AVCodecContext *decoder)
{
	decoder->thread_count = threads_for(decoder);
	decoder->max_pixels = PIXELS_MAX;
}

bool media_limits_starved(const AVCodecContext *decoder)
{
	void *room = memory_limit() ? av_malloc(picture_bytes(decoder)) : NULL;

	av_free(room);
	return memory_limit() && !room;
}

void media_limits_explain(const struct media_reader *reader, int r, char *text)
{
	uint64_t memory = memory_limit();

	if (reader->barren >= BARREN_BYTES_MAX)
		snprintf(text, SOURCE_TEXT_MAX,
			"it cannot be read: %u MiB in a row of it hold nothing that could be used",
			BARREN_BYTES_MAX >> 20);
	else if (r == AVERROR(ENOMEM) && memory)
		snprintf(text, SOURCE_TEXT_MAX,
			"it cannot be read: it needs more than the %llu MiB of memory that the "
			"setting AdapterMemory allows, or has more than %u streams",
			(unsigned long long)memory >> 20, STREAMS_MAX);
	else if (r == AVERROR(ENOMEM))
		snprintf(text, SOURCE_TEXT_MAX,
			"it cannot be read: there is no memory for it, or it has more than %u "
			"streams",
			STREAMS_MAX);
	else
		snprintf(text, SOURCE_TEXT_MAX, "it cannot be read: %s", av_err2str(r));
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* What goes in and comes out: formats, sizes, timestamps, keyframes, delay, splices. */

#include <stdlib.h>

#include "tests/contract/cases.h"
#include "tests/contract/check.h"
#include "tests/contract/decode.h"

static void encode_and_decode(struct run *run)
{
	run_encode(run);
	decode_run(run, NULL);
	run_clear(run);
}

static void formats(const struct encoder_limits *limits)
{
	uint32_t known = limits->reach.formats | limits->reach.formats_converted;

	for (uint32_t format = VENCD_FORMAT_I420; format <= VENCD_FORMAT_P010; format++)
		for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE;
			latency++) {
			struct run run;

			if (!(known & 1u << format))
				continue;
			run_init(&run, limits);
			run.request.format = format;
			run.request.latency = latency;
			encode_and_decode(&run);
		}
}

struct size {
	uint32_t width, height;
	unsigned frames;
};

static void check_size(
	const struct encoder_limits *limits, const struct size *size, uint32_t format)
{
	struct run run;

	if (!run_has_size(limits, size->width, size->height) ||
		run_format(limits, format) != format)
		return;
	run_init(&run, limits);
	run.request.width = size->width;
	run.request.height = size->height;
	run.request.format = format;
	run.frames = size->frames;
	encode_and_decode(&run);
}

/* Not multiples of a block, of a superblock, of 16; and odd ones where they exist. */
static void sizes(const struct encoder_limits *limits)
{
	const struct size list[] = {
		{limits->reach.min_width, limits->reach.min_height, 12},
		{limits->reach.min_width, limits->reach.min_height + 2, 6},
		{limits->reach.min_width + 2, limits->reach.min_height, 6},
		{66, 98, 12},
		{130, 70, 12},
		{854, 480, 8},
		{1920, 1080, 4},
	};
	const struct size odd[] = {
		{limits->reach.min_width + 1, limits->reach.min_height + 1, 6}, {101, 67, 6}};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		check_size(limits, &list[i], VENCD_FORMAT_I420);
		check_size(limits, &list[i], VENCD_FORMAT_NV12);
	}
	check_size(limits, &list[3], VENCD_FORMAT_I010);
	check_size(limits, &list[3], VENCD_FORMAT_P010);
	for (unsigned i = 0; i < 2 && limits->reach.size_multiple == 1; i++)
		check_size(limits, &odd[i], VENCD_FORMAT_I420);
}

/* The widest and the highest. HEVC's thinnest are not its longest. */
static void largest(const struct encoder_limits *limits)
{
	uint32_t thin = limits->reach.min_width < 34 ? 34 : limits->reach.min_width;

	check_size(limits, &(struct size){limits->reach.max_width, thin, 2}, VENCD_FORMAT_I420);
	check_size(limits, &(struct size){thin, limits->reach.max_height, 2}, VENCD_FORMAT_I420);
	check_size(limits, &(struct size){3840, 2160, 2}, VENCD_FORMAT_I420);
}

/*
 * Both sides at once, in live latency: what an encoder holds in file latency would be gigabytes.
 */
static void largest_picture(const struct encoder_limits *limits)
{
	struct run run;

	run_init(&run, limits);
	run.request.width = run.request.height = VENCD_SIZE_MAX;
	run.request.latency = VENCD_LATENCY_LIVE;
	run.request.speed = 13;
	run.frames = 2;
	encode_and_decode(&run);
}

/* Uneven steps, from below zero to beyond 32 bits. */
static int64_t uneven(unsigned frame)
{
	static const int64_t steps[] = {0, 1, 2, 1000, 1001, 1003, 90000};

	return -5000 + (int64_t)(frame / 7) * 0x40000000 + steps[frame % 7];
}

static void timestamps(const struct encoder_limits *limits)
{
	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++) {
		struct run run;

		run_init(&run, limits);
		run.pts = uneven;
		run.frames = 60;
		run.request.time_base = (struct vencd_rational){1, 90000};
		run.request.latency = latency;
		encode_and_decode(&run);
	}
}

/* --- keyframes --- */

static bool is_keyframe(const struct run *run, unsigned frame)
{
	for (unsigned i = 0; i < run->n_packets; i++)
		if (run->packets[i].frame == frame)
			return run->packets[i].flags & VENCD_PACKET_KEYFRAME;
	return false;
}

static void check_keyframes(const struct run *run)
{
	unsigned since = 0;

	for (unsigned frame = 0; frame < run->frames; frame++) {
		since = is_keyframe(run, frame) ? 1 : since + 1;
		REQUIRE(since <= run->params.request.gop,
			"frame %u: %u frames since a keyframe, gop %u", frame, since,
			run->params.request.gop);
	}
	for (unsigned i = 0; i < RUN_MAX_FORCED && run->forced[i]; i++)
		REQUIRE(is_keyframe(run, run->forced[i]), "frame %u was asked to be a keyframe",
			run->forced[i]);
}

static void check_gop(
	const struct encoder_limits *limits, uint32_t latency, uint32_t rate, uint32_t gop)
{
	struct run run;

	run_init(&run, limits);
	run.frames = 64;
	run.request.latency = latency;
	run.request.rate_control = rate;
	run.request.bitrate = rate == VENCD_RATE_QUALITY ? 0 : 400000;
	run.request.gop = gop;
	run.forced[0] = 3;
	run.forced[1] = 4;
	run.forced[2] = 21;
	run.forced[3] = 63;
	run_encode(&run);
	check_keyframes(&run);
	decode_run(&run, NULL);
	run_clear(&run);
}

static void keyframes(const struct encoder_limits *limits)
{
	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++) {
		bool vbr = limits->reach.rate_controls[latency] & 1u << VENCD_RATE_VBR;

		check_gop(limits, latency, VENCD_RATE_QUALITY, 250);
		check_gop(limits, latency, VENCD_RATE_QUALITY, 10);
		check_gop(limits, latency, VENCD_RATE_QUALITY, 1);
		check_gop(limits, latency, vbr ? VENCD_RATE_VBR : VENCD_RATE_CBR, 17);
	}
}

/* --- delay --- */

/* AV1 has them hidden in one packet with the next shown; the null encoder has what it is told. */
static bool codec_has_b_frames(const struct encoder_limits *limits)
{
	return limits->codec == VENCD_CODEC_H264 || limits->codec == VENCD_CODEC_HEVC;
}

/* With B frames pictures come out of order, and without them none does. */
static void check_b_frames(const struct run *run, int32_t b_frames)
{
	unsigned early = 0;

	for (unsigned i = 1; i < run->n_packets; i++)
		early += run->packets[i].frame < run->packets[i - 1].frame;
	if (b_frames)
		REQUIRE(early > 0, "no B frame in %u packets", run->n_packets);
	else
		REQUIRE(early == 0 && run->info.reorder == 0, "reorders by %u, %u times",
			run->info.reorder, early);
}

/* Every run has a pool of needs_frames; here in all the ways that it depends on. */
static void pools(const struct encoder_limits *limits)
{
	static const int speeds[] = {4, 8, 10};
	static const uint32_t threads[] = {1, 5, 24};

	for (unsigned i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
		for (unsigned j = 0; j < sizeof(threads) / sizeof(threads[0]); j++)
			for (int32_t b_frames = 0; b_frames <= 1; b_frames++) {
				struct run run;

				if (b_frames &&
					!(limits->reach.b_frames & 1u << VENCD_LATENCY_FILE))
					continue;
				run_init(&run, limits);
				run_set_size(&run, 64, 64);
				run.request.speed = speeds[i];
				run.request.b_frames = b_frames;
				run.threads = threads[j];
				run.frames = 160;
				run.forced[0] = 77;
				run_encode(&run);
				if (codec_has_b_frames(limits))
					check_b_frames(&run, b_frames);
				decode_run(&run, NULL);
				run_clear(&run);
			}
}

/* A pool of one: each packet comes before the next frame is sent. */
static void live(const struct encoder_limits *limits)
{
	static const uint32_t threads[] = {1, 2, 16};

	for (unsigned i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		struct run run;

		run_init(&run, limits);
		run.request.latency = VENCD_LATENCY_LIVE;
		run.request.width = 1280; /* large enough for every thread to get work */
		run.request.height = 720;
		run.threads = threads[i];
		run.frames = 20;
		run_encode(&run);
		REQUIRE(run.info.needs_frames == 1, "needs %u frames", run.info.needs_frames);
		REQUIRE(run.info.reorder == 0, "reorders by %u", run.info.reorder);
		decode_run(&run, NULL);
		run_clear(&run);
	}
}

/* What one instance made, and what the next one makes from there on, is one stream. */
static void splice(const struct encoder_limits *limits)
{
	struct run first, second;
	const struct run *const both[] = {&first, &second};

	run_init(&first, limits);
	run_init(&second, limits);
	first.frames = 23;
	second.frames = 19;
	second.first_value = 23;
	run_encode(&first);
	run_encode(&second);
	decode_runs(both, 2, NULL);
	run_clear(&first);
	run_clear(&second);
}

const struct contract_case stream_cases[] = {
	{"formats", formats},
	{"sizes", sizes},
	{"largest", largest},
	{"largest-picture", largest_picture, .alone = true},
	{"timestamps", timestamps},
	{"keyframes", keyframes},
	{"pools", pools},
	{"live", live},
	{"splice", splice},
	{0},
};

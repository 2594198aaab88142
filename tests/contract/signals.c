// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* What the stream says of the signal: colour, HDR, sample aspect ratio. */

#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"
#include "tests/contract/check.h"
#include "tests/contract/decode.h"

#define UNSPECIFIED 2 /* of H.273 */

static const struct vencd_colour colours[] = {
	{.primaries = 1, .transfer = 1, .matrix = 1, .chroma_location = 1},
	{.primaries = 9, .transfer = 16, .matrix = 9, .chroma_location = 3},
	{.primaries = 6, .transfer = 6, .matrix = 6, .full_range = 1, .chroma_location = 1},
	{.primaries = 5, .transfer = 13, .matrix = 5, .full_range = 0, .chroma_location = 1},
};

static const struct vencd_hdr hdr10 = {
	.display_primaries = {{34000, 16000}, {13250, 34500}, {7500, 3000}}, /* P3 */
	.white_point = {15635, 16450},
	.max_luminance = 10000000,
	.min_luminance = 50,
	.max_content_light = 1000,
	.max_average_light = 400,
};

static void encode_signal(
	const struct encoder_limits *limits, const struct vencd_params *with, struct decoded *ret)
{
	struct run run;

	run_init(&run, limits);
	run.request.colour = with->colour;
	run.request.hdr = with->hdr;
	run.request.sample_aspect = with->sample_aspect;
	run.request.latency = with->latency;
	run.request.format = run_format(limits, with->format);
	run.frames = 5;
	run_encode(&run);
	decode_run(&run, ret);
	run_clear(&run);
}

static void check_colour(const struct vencd_colour *want, const struct vencd_colour *got)
{
	REQUIRE(want->primaries == got->primaries && want->transfer == got->transfer &&
			want->matrix == got->matrix && want->full_range == got->full_range &&
			want->chroma_location == got->chroma_location,
		"colour %d/%d/%d range %d location %d became %d/%d/%d %d %d", want->primaries,
		want->transfer, want->matrix, want->full_range, want->chroma_location,
		got->primaries, got->transfer, got->matrix, got->full_range, got->chroma_location);
}

/* A bare stream may leave it to the container; it may not say something else. */
static bool says_nothing(const struct decoded *got)
{
	const struct vencd_colour *c = &got->colour;

	return run_is_bare() && c->primaries == UNSPECIFIED && c->transfer == UNSPECIFIED &&
		c->matrix == UNSPECIFIED;
}

static void colour(const struct encoder_limits *limits)
{
	for (unsigned i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
		struct vencd_params with = {
			.colour = colours[i],
			.latency = i % 2 ? VENCD_LATENCY_LIVE : VENCD_LATENCY_FILE,
			.format = i % 2 ? VENCD_FORMAT_I010 : VENCD_FORMAT_I420,
		};
		struct decoded got;

		encode_signal(limits, &with, &got);
		if (limits->codec && !says_nothing(&got))
			check_colour(&with.colour, &got.colour);
	}
}

static bool is_near(uint32_t a, uint32_t b, uint32_t tolerance)
{
	return a > b ? a - b <= tolerance : b - a <= tolerance;
}

/* AV1 counts in other units: to within one of them. */
static void check_hdr(const struct vencd_hdr *want, const struct vencd_hdr *got)
{
	for (unsigned i = 0; i < 3; i++)
		for (unsigned j = 0; j < 2; j++)
			REQUIRE(is_near(want->display_primaries[i][j], got->display_primaries[i][j],
					1),
				"primary %u: %u became %u", i, want->display_primaries[i][j],
				got->display_primaries[i][j]);
	for (unsigned j = 0; j < 2; j++)
		REQUIRE(is_near(want->white_point[j], got->white_point[j], 1),
			"white point: %u became %u", want->white_point[j], got->white_point[j]);
	REQUIRE(is_near(want->max_luminance, got->max_luminance, 40) &&
			is_near(want->min_luminance, got->min_luminance, 1),
		"luminance %u, %u became %u, %u", want->max_luminance, want->min_luminance,
		got->max_luminance, got->min_luminance);
	REQUIRE(want->max_content_light == got->max_content_light &&
			want->max_average_light == got->max_average_light,
		"light level %u, %u became %u, %u", want->max_content_light,
		want->max_average_light, got->max_content_light, got->max_average_light);
}

/* By VA-API it is in HEVC; what libavcodec 7.1 leaves out elsewhere is the container's. */
static bool writes_hdr(const struct encoder_limits *limits)
{
	if (limits->backend == VENCD_BACKEND_HARDWARE)
		return limits->codec == VENCD_CODEC_HEVC;
	return limits->codec != 0;
}

static void hdr(const struct encoder_limits *limits)
{
	struct vencd_params with = {
		.colour = colours[1], .hdr = hdr10, .format = VENCD_FORMAT_P010};
	struct decoded got;

	encode_signal(limits, &with, &got);
	if (writes_hdr(limits) || got.hdr.max_luminance || got.hdr.max_content_light)
		check_hdr(&hdr10, &got.hdr);
	memset(&with.hdr, 0, sizeof(with.hdr));
	encode_signal(limits, &with, &got);
	REQUIRE(!got.hdr.max_luminance && !got.hdr.max_content_light,
		"HDR metadata out of nowhere");
}

/* AV1 has no such field: there the container alone carries it. */
static void sample_aspect(const struct encoder_limits *limits)
{
	struct vencd_params with = {.sample_aspect = {16, 11}, .format = VENCD_FORMAT_I420};
	struct decoded got;

	encode_signal(limits, &with, &got);
	if (run_is_bare() && !got.sample_aspect.num)
		return;
	if (limits->codec == VENCD_CODEC_H264 || limits->codec == VENCD_CODEC_HEVC)
		REQUIRE(got.sample_aspect.num == 16 && got.sample_aspect.den == 11,
			"16:11 became %d:%d", got.sample_aspect.num, got.sample_aspect.den);
}

const struct contract_case signal_cases[] = {
	{"colour", colour},
	{"hdr", hdr},
	{"sample-aspect", sample_aspect},
	{0},
};

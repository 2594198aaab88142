// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Requests that must be refused, each by the right name, and what is filled in where nothing was
 * said.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"
#include "tests/contract/check.h"
#include "tests/contract/run.h"

struct refused {
	const char *parameter; /* of the refusal */
	int error;
	void (*spoil)(struct vencd_params *p, const struct encoder_limits *limits);
};

#define SPOIL(name, statement)                                                        \
	static void name(struct vencd_params *p, const struct encoder_limits *limits) \
	{                                                                             \
		(void)limits;                                                         \
		statement;                                                            \
	}

SPOIL(no_codec, p->codecs[0] = 0)
SPOIL(unknown_codec, p->codecs[0] = 9)
SPOIL(no_width, p->width = 0)
SPOIL(huge, p->height = VENCD_SIZE_MAX + 2)
SPOIL(too_narrow, p->width = limits->reach.min_width - 1)
SPOIL(no_format, p->format = 0)
SPOIL(unknown_format, p->format = 5)
SPOIL(no_time_base, p->time_base.num = 0)
SPOIL(backward_time, p->time_base.den = -1)
SPOIL(half_frame_rate, p->frame_rate.den = 0)
SPOIL(negative_aspect, p->sample_aspect = ((struct vencd_rational){-1, 1}))
SPOIL(unknown_rate_control, p->rate_control = 5)
SPOIL(vbr_without_bitrate, p->rate_control = VENCD_RATE_VBR)
SPOIL(quality_with_bitrate, (p->rate_control = VENCD_RATE_QUALITY, p->bitrate = 1000000))
SPOIL(vbr_with_quality, (p->rate_control = VENCD_RATE_VBR, p->bitrate = 1000000, p->quality = 20))
SPOIL(vbr_with_maximum,
	(p->rate_control = VENCD_RATE_VBR, p->bitrate = 1000000, p->max_bitrate = 2000000))
SPOIL(tiny_bitrate, p->bitrate = 10)
SPOIL(unknown_latency, p->latency = 3)
SPOIL(unknown_backend, p->backend = 7)
SPOIL(unknown_on_failure, p->on_failure = 3)
SPOIL(quality_below, p->quality = -2)
SPOIL(quality_above_all, p->quality = 64)
SPOIL(speed_above, p->speed = 14)
SPOIL(speed_below, p->speed = -2)
SPOIL(endless_gop, p->gop = UINT32_MAX)
SPOIL(odd_b_frames, p->b_frames = 2)
SPOIL(live_b_frames, (p->latency = VENCD_LATENCY_LIVE, p->b_frames = 1))
SPOIL(reserved_primaries, p->colour.primaries = 3)
SPOIL(unknown_matrix, p->colour.matrix = 200)
SPOIL(unknown_range, p->colour.full_range = 2)
SPOIL(unknown_location, p->colour.chroma_location = 4)
SPOIL(bright, p->hdr.max_luminance = 100000001)
SPOIL(dark, (p->hdr.max_luminance = 100, p->hdr.min_luminance = 100))
SPOIL(colourful, (p->hdr.max_luminance = 100, p->hdr.white_point[0] = 50001))
SPOIL(average_above, p->hdr.max_average_light = 5)
SPOIL(partial_mastering, p->hdr.white_point[0] = 5)

static const struct refused nonsense[] = {
	{"codecs", -EINVAL, no_codec},
	{"codecs", -EINVAL, unknown_codec},
	{"width, height", -EINVAL, no_width},
	{"width, height", -EINVAL, huge},
	{"width, height", -EOPNOTSUPP, too_narrow},
	{"format", -EINVAL, no_format},
	{"format", -EINVAL, unknown_format},
	{"timeBase", -EINVAL, no_time_base},
	{"timeBase", -EINVAL, backward_time},
	{"frameRate", -EINVAL, half_frame_rate},
	{"sampleAspect", -EINVAL, negative_aspect},
	{"rateControl", -EINVAL, unknown_rate_control},
	{"bitrate", -EINVAL, vbr_without_bitrate},
	{"bitrate", -EINVAL, quality_with_bitrate},
	{"quality", -EINVAL, vbr_with_quality},
	{"maxBitrate", -EINVAL, vbr_with_maximum},
	{"bitrate", -EINVAL, tiny_bitrate},
	{"latency", -EINVAL, unknown_latency},
	{"backend", -EINVAL, unknown_backend},
	{"onFailure", -EINVAL, unknown_on_failure},
	{"quality", -EINVAL, quality_below},
	{"quality", -EINVAL, quality_above_all},
	{"speed", -EINVAL, speed_above},
	{"speed", -EINVAL, speed_below},
	{"gop", -EINVAL, endless_gop},
	{"bFrames", -EINVAL, odd_b_frames},
	{"bFrames", -EINVAL, live_b_frames},
	{"colour.primaries", -EINVAL, reserved_primaries},
	{"colour.matrix", -EINVAL, unknown_matrix},
	{"colour.fullRange", -EINVAL, unknown_range},
	{"colour.chromaLocation", -EINVAL, unknown_location},
	{"hdr.maxLuminance", -EINVAL, bright},
	{"hdr.minLuminance", -EINVAL, dark},
	{"hdr.whitePoint", -EINVAL, colourful},
	{"hdr.maxAverageLight", -EINVAL, average_above},
	{"hdr.maxLuminance", -EINVAL, partial_mastering},
};

static void expect_refusal(const struct encoder_limits *limits, const struct vencd_params *request,
	const char *parameter, int error)
{
	struct vencd_refusal refusal;
	struct encoder_params params;
	int r = encoder_narrow(limits, request, &params, &refusal);

	REQUIRE(r == error, "%s: %d instead of %d (%s)", parameter, r, error, refusal.reason);
	REQUIRE(!strcmp(refusal.parameter, parameter), "%s was refused where %s was wrong",
		refusal.parameter, parameter);
	REQUIRE(refusal.reason[0] && refusal.advice[0], "%s: refused without a reason or advice",
		parameter);
	REQUIRE(error == -EINVAL || refusal.alternatives[0], "%s: refused without alternatives",
		parameter);
}

static void refuses(const struct encoder_limits *limits)
{
	for (unsigned i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct run run;

		run_init(&run, limits);
		nonsense[i].spoil(&run.request, limits);
		expect_refusal(limits, &run.request, nonsense[i].parameter, nonsense[i].error);
	}
}

/* What this encoder has not: named with what it has instead. */
static void refuses_its_own(const struct encoder_limits *limits)
{
	struct run run;

	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++)
		for (uint32_t rate = VENCD_RATE_QUALITY; rate <= VENCD_RATE_CBR; rate++) {
			if (limits->reach.rate_controls[latency] & 1u << rate)
				continue;
			run_init(&run, limits);
			run.request.latency = latency;
			run.request.rate_control = rate;
			expect_refusal(limits, &run.request, "rateControl", -EOPNOTSUPP);
		}
	run_init(&run, limits);
	run.request.width++;
	if (limits->reach.size_multiple > 1)
		expect_refusal(limits, &run.request, "width, height", -EOPNOTSUPP);
	run_init(&run, limits);
	run.request.width = VENCD_SIZE_MAX;
	run.request.height = limits->reach.min_height;
	if (limits->codec == VENCD_CODEC_HEVC)
		expect_refusal(limits, &run.request, "width, height", -EOPNOTSUPP);
	run_init(&run, limits);
	run.request.quality = limits->quality_max + 1;
	if (limits->quality_max < 63)
		expect_refusal(limits, &run.request, "quality", -EOPNOTSUPP);
	run_init(&run, limits);
	run.request.codecs[0] = limits->codec == VENCD_CODEC_AV1 ? VENCD_CODEC_H264
								 : VENCD_CODEC_AV1;
	if (limits->codec)
		expect_refusal(limits, &run.request, "codecs", -EOPNOTSUPP);
}

/* What nothing was said of has a value after narrowing, and what was said is kept. */
static void defaults(const struct encoder_limits *limits)
{
	struct run run;
	struct vencd_params *p = &run.params.request;

	run_init(&run, limits);
	run.request.speed = -1;
	run.request.frame_rate = (struct vencd_rational){0};
	run_narrow(&run);
	REQUIRE(p->rate_control == VENCD_RATE_QUALITY && p->quality == limits->quality_default,
		"rate control %u, quality %d", p->rate_control, p->quality);
	REQUIRE(p->speed == 8 && p->gop == 125 && p->latency == VENCD_LATENCY_FILE,
		"speed %d, gop %u", p->speed, p->gop);
	REQUIRE(p->b_frames == !!(limits->reach.b_frames & 1u << VENCD_LATENCY_FILE) &&
			p->on_failure == VENCD_ON_FAILURE_FAILOVER,
		"b_frames %d", p->b_frames);
	run_init(&run, limits);
	run.request.latency = VENCD_LATENCY_LIVE;
	run.request.bitrate = 500000;
	run.request.codecs[1] = run.request.codecs[0];
	run_narrow(&run);
	REQUIRE(p->rate_control == VENCD_RATE_CBR && p->b_frames == 0 && p->bitrate == 500000,
		"rate control %u, b_frames %d", p->rate_control, p->b_frames);
	REQUIRE(p->codecs[0] && !p->codecs[1], "more than one codec is left");
}

const struct contract_case refusal_cases[] = {
	{"refuses", refuses},
	{"refuses-its-own", refuses_its_own},
	{"defaults", defaults},
	{0},
};

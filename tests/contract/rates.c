// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Rate controls and speeds: each that the catalogue lists works, and what is asked for has an
 * effect.
 */

#include <stdlib.h>
#include <string.h>

#include "tests/contract/cases.h"
#include "tests/contract/check.h"
#include "tests/contract/decode.h"

#define SECONDS_OF_FRAMES 4u
#define FRAME_RATE 25u

static void request_rate(struct run *run, uint32_t latency, uint32_t rate, uint64_t bitrate)
{
	run->request.latency = latency;
	run->request.rate_control = rate;
	if (rate != VENCD_RATE_QUALITY)
		run->request.bitrate = bitrate;
	if (rate == VENCD_RATE_CAPPED_VBR)
		run->request.max_bitrate = bitrate * 3 / 2;
	run->noise = 12;
	run->frames = SECONDS_OF_FRAMES * FRAME_RATE;
}

static size_t bytes_at(
	const struct encoder_limits *limits, uint32_t latency, uint32_t rate, uint64_t bitrate)
{
	struct run run;
	size_t bytes;

	run_init(&run, limits);
	request_rate(&run, latency, rate, bitrate);
	run_encode(&run);
	decode_run(&run, NULL);
	bytes = run.bytes;
	run_clear(&run);
	return bytes;
}

/*
 * A controller has a few seconds here, and a picture that is hard: half to twice the rate is what
 * can be asked of it. The null encoder's packets have the size that its script says.
 */
static void check_bitrate(const struct encoder_limits *limits, uint32_t latency, uint32_t rate)
{
	static const uint64_t bitrates[] = {300000, 1200000};

	for (unsigned i = 0; i < 2; i++) {
		uint64_t wanted = bitrates[i] * SECONDS_OF_FRAMES / 8;
		size_t bytes = bytes_at(limits, latency, rate, bitrates[i]);

		if (!limits->codec)
			continue;
		REQUIRE(bytes > wanted / 2 && bytes < wanted * 2,
			"%s %s: %zu bytes where %llu were asked for",
			vencd_latency_name((enum vencd_latency)latency),
			vencd_rate_control_name((enum vencd_rate_control)rate), bytes,
			(unsigned long long)wanted);
	}
}

static void bitrates(const struct encoder_limits *limits)
{
	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++)
		for (uint32_t rate = VENCD_RATE_VBR; rate <= VENCD_RATE_CBR; rate++)
			if (limits->reach.rate_controls[latency] & 1u << rate)
				check_bitrate(limits, latency, rate);
}

static double error_at(const struct encoder_limits *limits, uint32_t latency, int quality)
{
	struct decoded decoded;
	struct run run;

	run_init(&run, limits);
	run.request.latency = latency;
	run.request.quality = quality;
	run.noise = 4;
	run_encode(&run);
	REQUIRE(run.params.request.quality == quality, "quality became %d",
		run.params.request.quality);
	decode_run(&run, &decoded);
	run_clear(&run);
	return decoded.error;
}

/* The whole scale is in use: 0 is its best end, and not a word for the default. */
static void qualities(const struct encoder_limits *limits)
{
	int best = limits->quality_min, worst = limits->quality_max;

	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++) {
		double finest = error_at(limits, latency, best);
		double fine = error_at(limits, latency, best + (worst - best) / 5);
		double coarsest = error_at(limits, latency, worst);

		if (!limits->codec)
			continue;
		REQUIRE(finest < fine && fine < coarsest, "%s: errors %.2f, %.2f, %.2f",
			vencd_latency_name((enum vencd_latency)latency), finest, fine, coarsest);
		REQUIRE(finest < 2, "%s: error %.2f at quality %d",
			vencd_latency_name((enum vencd_latency)latency), finest, best);
	}
}

static void speeds(const struct encoder_limits *limits)
{
	int before = -1;

	for (int speed = 0; speed <= (int)VENCD_SPEED_MAX; speed++) {
		struct run run;

		run_init(&run, limits);
		run.request.speed = speed;
		run.request.width = limits->reach.min_width;
		run.request.height = limits->reach.min_height;
		run.frames = 6;
		run_encode(&run);
		decode_run(&run, NULL);
		REQUIRE(run.info.speed_used >= before && run.info.speed_used <= 13,
			"speed %d became %d, after %d", speed, run.info.speed_used, before);
		before = run.info.speed_used;
		run_clear(&run);
	}
}

/* Above it, with B frames, SVT-AV1 now and then writes pictures that do not decode. */
#define SVTAV1_SOUND_SPEED 10

static void sound_speeds(const struct encoder_limits *limits)
{
	struct run run;

	if (strcmp(limits->name, "svtav1") != 0)
		return;
	run_init(&run, limits);
	run.request.speed = (int)VENCD_SPEED_MAX;
	run.frames = 6;
	run_encode(&run);
	REQUIRE(run.info.speed_used == SVTAV1_SOUND_SPEED, "speed %d", run.info.speed_used);
	run_clear(&run);
}

const struct contract_case rate_cases[] = {
	{"bitrates", bitrates},
	{"qualities", qualities},
	{"speeds", speeds},
	{"sound-speeds", sound_speeds},
	{0},
};

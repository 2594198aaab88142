// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Prints what the catalogue and the plans say as one JSON object, for documents.py to hold
 * docs/encoders.md against it: a member for each encoder, and what a few requests are planned as.
 */

#include <stdio.h>
#include <stdlib.h>

#include "hw/catalogue.h"
#include "hw/catalogue_row.h"
#include "hw/plan_svtav1.h"
#include "hw/plan_vaapi.h"
#include "hw/plan_x26x.h"

#define SPEEDS 14

static const char *format(unsigned value)
{
	return vencd_pixel_format_name((enum vencd_pixel_format)value);
}

static const char *rate(unsigned value)
{
	return vencd_rate_control_name((enum vencd_rate_control)value);
}

static void print_set(const char *key, uint32_t set, const char *(*name)(unsigned value))
{
	const char *comma = "";

	printf("\"%s\": [", key);
	for (unsigned i = 1; i < 32; i++)
		if (set & 1u << i) {
			printf("%s\"%s\"", comma, name(i));
			comma = ", ";
		}
	printf("], ");
}

static void print_limits(const struct encoder_limits *limits)
{
	const struct catalogue_row *row = catalogue_row_of(limits);
	const struct encoder_reach *reach = &limits->reach;

	printf("%s\"%s\": {", limits == encoder_catalogue ? "" : ",\n", limits->name);
	print_set("formats", reach->formats, format);
	print_set("converted", reach->formats_converted, format);
	print_set("file", reach->rate_controls[VENCD_LATENCY_FILE], rate);
	print_set("live", reach->rate_controls[VENCD_LATENCY_LIVE], rate);
	print_set("reordering", row->reordering, rate);
	print_set("low_delay", row->low_delay, rate);
	printf("\"sizes\": \"%ux%u to %ux%u\", \"multiple\": %u, \"long_side\": %u, "
	       "\"long_side_min\": %u, \"codec\": \"%s\", \"quality\": [%d, %d, %d]}",
		reach->min_width, reach->min_height, reach->max_width, reach->max_height,
		reach->size_multiple, row->long_side, row->long_side_min,
		limits->codec ? vencd_codec_name(limits->codec) : "any", limits->quality_min,
		limits->quality_max, limits->quality_default);
}

static struct encoder_params narrowed(const char *name, int speed, int b_frames, uint32_t latency)
{
	const struct encoder_limits *limits = encoder_limits_find(name);
	struct vencd_params request = VENCD_PARAMS_INIT;
	struct vencd_refusal refusal = {0};
	struct encoder_params ret = {.threads = 1};

	request.codecs[0] = limits->codec;
	request.width = 640;
	request.height = 360;
	request.format = VENCD_FORMAT_I420;
	request.time_base = (struct vencd_rational){1, 30};
	request.frame_rate = (struct vencd_rational){30, 1};
	request.speed = speed;
	request.b_frames = b_frames;
	request.latency = latency;
	if (encoder_narrow(limits, &request, &ret, &refusal) < 0) {
		fprintf(stderr, "%s: %s\n", name, refusal.reason);
		exit(EXIT_FAILURE);
	}
	ret.threads = 1;
	return ret;
}

static int svtav1(int speed, int b_frames)
{
	struct encoder_params params = narrowed("svtav1", speed, b_frames, VENCD_LATENCY_FILE);
	struct svtav1_plan plan;

	svtav1_plan(&params, &plan);
	return plan.preset;
}

static void print_speed(int speed)
{
	struct encoder_params x264 = narrowed("libx264", speed, 1, VENCD_LATENCY_FILE);
	struct encoder_params x265 = narrowed("libx265", speed, 1, VENCD_LATENCY_FILE);
	struct encoder_params vaapi = narrowed("h264_vaapi", speed, 0, VENCD_LATENCY_FILE);
	struct x26x_plan plan264, plan265;
	struct vaapi_plan level;

	x264_plan(&x264, &plan264);
	x265_plan(&x265, &plan265);
	vaapi_plan(&vaapi, &level);
	printf("{\"svtav1\": %d, \"svtav1_b\": %d, \"libx264\": \"%s\", \"libx265\": \"%s\", "
	       "\"vaapi\": %d}%s",
		svtav1(speed, 0), svtav1(speed, 1), plan264.preset, plan265.preset, level.level,
		speed + 1 < SPEEDS ? ",\n" : "],\n");
}

static void print_delay(const char *title, int b_frames, uint32_t latency, const char *end)
{
	struct encoder_params params = narrowed("h264_vaapi", 8, b_frames, latency);
	struct encoder_info info;

	encoder_plan(encoder_limits_find("h264_vaapi"), &params, &info);
	printf("\"%s\": [%u, %u, %u]%s", title, info.needs_frames, info.reorder, info.group, end);
}

int main(void)
{
	printf("{\"limits\": {\n");
	for (const struct encoder_limits *l = encoder_catalogue; l->name; l++)
		print_limits(l);
	printf("}, \"speeds\": [\n");
	for (int speed = 0; speed < SPEEDS; speed++)
		print_speed(speed);
	printf("\"vaapi_delay\": {");
	print_delay("live", 0, VENCD_LATENCY_LIVE, ", ");
	print_delay("file, no B frames", 0, VENCD_LATENCY_FILE, ", ");
	print_delay("file, H.264 and HEVC with B frames", 1, VENCD_LATENCY_FILE, "}}\n");
	return EXIT_SUCCESS;
}

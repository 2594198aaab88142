// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What each encoder can express, one row each, and what it will hold. hw/narrow.c checks requests
 * against these rows; docs/encoders.md has the same as text, with where the numbers come from.
 */

#include <string.h>

#include "hw/catalogue.h"
#include "hw/catalogue_row.h"
#include "hw/plan_svtav1.h"
#include "hw/plan_vaapi.h"
#include "hw/plan_x26x.h"
#include "fallback/script.h"

#define FORMAT(name) (1u << VENCD_FORMAT_##name)
#define RATE(name) (1u << VENCD_RATE_##name)
#define LATENCY(name) (1u << VENCD_LATENCY_##name)

#define PLANAR (FORMAT(I420) | FORMAT(I010))
#define SEMI_PLANAR (FORMAT(NV12) | FORMAT(P010))
#define X26X_MAX_BITRATE 2000000000u /* its VBV counts bits in an int */
#define ALL_RATES (RATE(QUALITY) | RATE(VBR) | RATE(CAPPED_VBR) | RATE(CBR))

#define ALL_HEADERS ((1u << ENCODER_HEADER_MAX) - (1u << ENCODER_HEADER_SEQUENCE))

#define VAAPI_MAX_BITRATE 2000000000u /* libavcodec doubles it where there is no maximum: 32 bits */

/* What libavcodec can ask a driver for at all; each device has less. */
#define VAAPI_REACH(b_frame_latencies)                          \
	{                                                       \
		.min_width = 16,                                \
		.min_height = 16,                               \
		.max_width = VENCD_SIZE_MAX,                    \
		.max_height = VENCD_SIZE_MAX,                   \
		.size_multiple = 2,                             \
		.formats = SEMI_PLANAR,                         \
		.formats_converted = PLANAR,                    \
		.rate_controls[VENCD_LATENCY_FILE] = ALL_RATES, \
		.rate_controls[VENCD_LATENCY_LIVE] = ALL_RATES, \
		.b_frames = (b_frame_latencies),                \
		.packed_headers = ALL_HEADERS,                  \
	}

/* Those of a GPU from the codec that drivers have had longest to the newest: so they are probed. */
const struct encoder_limits encoder_catalogue[] = {
	{
		.name = "h264_vaapi",
		.title = "H.264 by VA-API",
		.codec = VENCD_CODEC_H264,
		.backend = VENCD_BACKEND_HARDWARE,
		.api = "vaapi",
		.reach = VAAPI_REACH(LATENCY(FILE)),
		.quality_max = 51,
		.quality_default = 23,
		.sessions_per_worker = 1,
	},
	{
		.name = "hevc_vaapi",
		.title = "HEVC by VA-API",
		.codec = VENCD_CODEC_HEVC,
		.backend = VENCD_BACKEND_HARDWARE,
		.api = "vaapi",
		.reach = VAAPI_REACH(LATENCY(FILE)),
		.quality_max = 51,
		.quality_default = 28,
		.sessions_per_worker = 1,
	},
	{
		.name = "vp9_vaapi",
		.title = "VP9 by VA-API",
		.codec = VENCD_CODEC_VP9,
		.backend = VENCD_BACKEND_HARDWARE,
		.api = "vaapi",
		.reach = VAAPI_REACH(0),
		.quality_max = 63,
		.quality_default = 31,
		.sessions_per_worker = 1,
	},
	{
		.name = "av1_vaapi",
		.title = "AV1 by VA-API",
		.codec = VENCD_CODEC_AV1,
		.backend = VENCD_BACKEND_HARDWARE,
		.api = "vaapi",
		.reach = VAAPI_REACH(0),
		.quality_max = 63,
		.quality_default = 35,
		.sessions_per_worker = 1,
	},
	{
		.name = "svtav1",
		.title = "SVT-AV1",
		.codec = VENCD_CODEC_AV1,
		.backend = VENCD_BACKEND_SOFTWARE,
		.api = "software",
		.reach.min_width = 64,
		.reach.min_height = 64,
		.reach.max_width = VENCD_SIZE_MAX,
		.reach.max_height = VENCD_SIZE_MAX,
		.reach.size_multiple = 2,
		.reach.formats = PLANAR,
		.reach.formats_converted = SEMI_PLANAR,
		.reach.rate_controls[VENCD_LATENCY_FILE] = RATE(QUALITY) | RATE(VBR) | RATE(CBR),
		.reach.rate_controls[VENCD_LATENCY_LIVE] = RATE(QUALITY) | RATE(CBR),
		.reach.b_frames = LATENCY(FILE),
		.quality_max = 63,
		.quality_default = 35,
		.sessions_per_worker = 1,
	},
	{
		.name = "libx264",
		.title = "x264",
		.codec = VENCD_CODEC_H264,
		.backend = VENCD_BACKEND_SOFTWARE,
		.api = "software",
		.reach.min_width = 2,
		.reach.min_height = 2,
		.reach.max_width = VENCD_SIZE_MAX,
		.reach.max_height = VENCD_SIZE_MAX,
		.reach.size_multiple = 2,
		.reach.formats = PLANAR | FORMAT(NV12),
		.reach.formats_converted = FORMAT(P010),
		.reach.rate_controls[VENCD_LATENCY_FILE] = ALL_RATES,
		.reach.rate_controls[VENCD_LATENCY_LIVE] = ALL_RATES,
		.reach.b_frames = LATENCY(FILE),
		.quality_max = 51,
		.quality_default = 23,
		.sessions_per_worker = 1,
	},
	{
		.name = "libx265",
		.title = "x265",
		.codec = VENCD_CODEC_HEVC,
		.backend = VENCD_BACKEND_SOFTWARE,
		.api = "software",
		.reach.min_width = 18, /* see hw/plan_x26x.c: there is no unit smaller than 16 */
		.reach.min_height = 16,
		.reach.max_width = VENCD_SIZE_MAX,
		.reach.max_height = VENCD_SIZE_MAX,
		.reach.size_multiple = 2,
		.reach.formats = PLANAR,
		.reach.formats_converted = SEMI_PLANAR,
		.reach.rate_controls[VENCD_LATENCY_FILE] = ALL_RATES,
		.reach.rate_controls[VENCD_LATENCY_LIVE] = ALL_RATES,
		.reach.b_frames = LATENCY(FILE),
		.quality_max = 51,
		.quality_default = 28,
		.sessions_per_worker = 1,
	},
	{
		.name = "null",
		.title = "null encoder",
		.codec = 0,
		.backend = VENCD_BACKEND_NULL,
		.api = "null",
		.reach.min_width = 16,
		.reach.min_height = 16,
		.reach.max_width = VENCD_SIZE_MAX,
		.reach.max_height = VENCD_SIZE_MAX,
		.reach.size_multiple = 1,
		.reach.formats = PLANAR | SEMI_PLANAR,
		.reach.rate_controls[VENCD_LATENCY_FILE] = ALL_RATES,
		.reach.rate_controls[VENCD_LATENCY_LIVE] = ALL_RATES,
		.reach.b_frames = LATENCY(FILE),
		.quality_max = 63,
		.quality_default = 30,
		.sessions_per_worker = 64,
	},
	{0},
};

static void plan_vaapi(const struct encoder_params *params, struct encoder_info *ret)
{
	struct vaapi_plan plan;

	vaapi_plan(params, &plan);
	vaapi_plan_info(&plan, ret);
}

static void plan_svtav1(const struct encoder_params *params, struct encoder_info *ret)
{
	struct svtav1_plan plan;

	svtav1_plan(params, &plan);
	ret->needs_frames = plan.frames;
	ret->group = 1;
	ret->speed_used = plan.preset;
	ret->async = !plan.low_delay;
}

static void plan_x264(const struct encoder_params *params, struct encoder_info *ret)
{
	struct x26x_plan plan;

	x264_plan(params, &plan);
	x26x_plan_info(&plan, ret);
}

static void plan_x265(const struct encoder_params *params, struct encoder_info *ret)
{
	struct x26x_plan plan;

	x265_plan(params, &plan);
	x26x_plan_info(&plan, ret);
}

/* A script that cannot be read was refused by encoder_narrow(). */
static void plan_null(const struct encoder_params *params, struct encoder_info *ret)
{
	struct script script;

	script_parse(&script, params->request.null_script, NULL, 0);
	script_plan(&script, ret);
	ret->speed_used = params->request.speed;
}

/* In the order of the catalogue. */
static const struct catalogue_row rows[] = {
	{
		.reordering = ALL_RATES,
		.low_delay = ALL_RATES,
		.max_bitrate = VAAPI_MAX_BITRATE,
		.plan = plan_vaapi,
	},
	{
		.reordering = ALL_RATES,
		.low_delay = ALL_RATES,
		.max_bitrate = VAAPI_MAX_BITRATE,
		.plan = plan_vaapi,
	},
	{
		.reordering = ALL_RATES,
		.low_delay = ALL_RATES,
		.max_bitrate = VAAPI_MAX_BITRATE,
		.plan = plan_vaapi,
	},
	{
		.reordering = ALL_RATES,
		.low_delay = ALL_RATES,
		.max_bitrate = VAAPI_MAX_BITRATE,
		.plan = plan_vaapi,
	},
	{
		.reordering = RATE(QUALITY) | RATE(VBR),
		.low_delay = RATE(QUALITY) | RATE(CBR),
		.max_bitrate = 100000000,
		.max_frame_rate = 240,
		.plan = plan_svtav1,
	},
	{
		.reordering = ALL_RATES,
		.low_delay = ALL_RATES,
		.max_bitrate = X26X_MAX_BITRATE,
		.plan = plan_x264,
	},
	{
		.reordering = ALL_RATES,
		.low_delay = ALL_RATES,
		.max_bitrate = X26X_MAX_BITRATE,
		.long_side = 4208, /* padded, beyond it: level 5, which has no CTUs below 32 */
		.long_side_min = 34,
		.plan = plan_x265,
	},
	{.reordering = ALL_RATES, .low_delay = ALL_RATES, .plan = plan_null},
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) + 1 ==
		sizeof(encoder_catalogue) / sizeof(encoder_catalogue[0]),
	"each encoder has both its rows");

const struct encoder_limits *encoder_limits_find(const char *name)
{
	for (const struct encoder_limits *l = encoder_catalogue; l->name; l++)
		if (!strcmp(l->name, name))
			return l;
	return NULL;
}

const char *encoder_api_name(const struct encoder_limits *limits)
{
	return limits->api ? limits->api : vencd_backend_name(limits->backend);
}

const struct catalogue_row *catalogue_row_of(const struct encoder_limits *limits)
{
	size_t i = 0;

	/* A device's own limits are a copy of the catalogue's, with a narrower reach. */
	while (encoder_catalogue[i].name && encoder_catalogue[i].name != limits->name)
		i++;
	return &rows[i];
}

void encoder_plan(const struct encoder_limits *limits, const struct encoder_params *params,
	struct encoder_info *ret)
{
	*ret = (struct encoder_info){0};
	catalogue_row_of(limits)->plan(params, ret);
}

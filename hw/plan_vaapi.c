// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The plans of h264_vaapi, hevc_vaapi, av1_vaapi and vp9_vaapi. Each frame that goes in makes at
 * most one packet come out (hw_base_encode.c of FFmpeg 7.1), so what was once held back stays held
 * back:
 *
 * - with B frames in a row, all of them wait for the frame behind them
 * - pictures in work: one less than async_depth, since the last one is waited for
 *
 * B frames refer to no other B frame (b_depth 1): one place is as far as a picture is coded early.
 * AV1 and VP9 have none here (the catalogue's reach): their frame that is coded early would go out
 * hidden.
 */

#include "hw/plan_vaapi.h"

#define B_FRAMES 2u /* libavcodec's own default */
#define ASYNC_DEPTH 2u
#define SPEEDS_PER_LEVEL 2
#define PERCENT 100u

/*
 * A scale of 0 to 63 as quantiser indices of AV1 and VP9: quantizer_to_qindex of SVT-AV1 2.3 and of
 * libvpx 1.15 (vp9_quantize.c), which are the same.
 */
#define INDEX_STEP 4
static const int last_indices[] = {249, 255}; /* 62 and 63 */
#define LAST_FROM 62

static bool has_indices(uint32_t codec)
{
	return codec == VENCD_CODEC_AV1 || codec == VENCD_CODEC_VP9;
}

/* 0 is lossless in AV1 and VP9, and below libavcodec's range elsewhere. */
static int quantiser_of(const struct vencd_params *p)
{
	int quality = p->quality;

	if (p->rate_control != VENCD_RATE_QUALITY)
		return 0;
	if (quality < 1)
		return 1;
	if (!has_indices(p->codecs[0]))
		return quality;
	if (quality >= LAST_FROM)
		return last_indices[quality > LAST_FROM];
	return quality * INDEX_STEP;
}

void vaapi_plan(const struct encoder_params *params, struct vaapi_plan *ret)
{
	const struct vencd_params *p = &params->request;
	bool live = p->latency == VENCD_LATENCY_LIVE;
	int speed = p->speed<0 ? 0 : p->speed>(int) VENCD_SPEED_MAX ? (int)VENCD_SPEED_MAX
								    : p->speed;

	*ret = (struct vaapi_plan){
		.b_frames = p->b_frames && p->gop != 1 && !live ? B_FRAMES : 0,
		.async_depth = live ? 1 : ASYNC_DEPTH,
		.level = speed / SPEEDS_PER_LEVEL + 1,
		.speed_used = speed / SPEEDS_PER_LEVEL * SPEEDS_PER_LEVEL,
		.quantiser = quantiser_of(p),
	};
	ret->delay = ret->b_frames + ret->async_depth - 1;
	ret->withheld = ret->b_frames;
	ret->reorder = ret->b_frames > 0;
}

void vaapi_plan_info(const struct vaapi_plan *plan, struct encoder_info *ret)
{
	ret->needs_frames = plan->delay + plan->withheld + 1;
	ret->reorder = plan->reorder;
	ret->group = plan->withheld + 1;
	ret->speed_used = plan->speed_used;
	ret->async = 0;
}

int vaapi_driver_level(int level, uint32_t levels)
{
	int steps = VAAPI_LEVELS - 1;

	return 1 + ((level - 1) * ((int)levels - 1) + steps / 2) / steps;
}

int64_t vaapi_max_rate(uint64_t bitrate, uint64_t max_bitrate)
{
	uint64_t percent = (bitrate * PERCENT + max_bitrate - 1) / max_bitrate;

	return (int64_t)(bitrate * PERCENT / percent);
}

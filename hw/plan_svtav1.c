// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The plan of SVT-AV1. The numbers are those of version 2.3; docs/encoders.md says where they stand
 * in its source and what was measured.
 */

#include "hw/plan_svtav1.h"

/* Areas in pixels at which SVT-AV1 begins to count a picture as 1080p and 8K. */
#define AREA_1080P 0x16da00u
#define AREA_8K 0x140a000u

#define SVTAV1_PRESET_MAX 11 /* 12 and 13 are mapped to it */
/* With B frames, 11 now and then writes pictures that do not decode (docs/encoders.md). */
#define SVTAV1_PRESET_MAX_B 10

/* Frames that the temporal filter looks ahead, at most, and one to learn of the stream's end. */
#define SVTAV1_FILTER_DELAY 7u
#define SVTAV1_END_DELAY 1u

static int svtav1_preset(int preset, bool low_delay, uint32_t area)
{
	if (preset > SVTAV1_PRESET_MAX)
		preset = SVTAV1_PRESET_MAX;
	if (!low_delay && preset > SVTAV1_PRESET_MAX_B)
		preset = SVTAV1_PRESET_MAX_B;
	if (area > AREA_8K && preset < 5)
		preset = 5;
	if (low_delay && preset < 7)
		preset = 7;
	return preset;
}

/* The library's own default, set by name so that it holds for every version. */
static unsigned svtav1_levels(int preset, bool vbr, uint32_t area)
{
	if (vbr || preset >= 10 || area >= AREA_8K || (preset == 9 && area >= AREA_1080P))
		return 4;
	return 5;
}

void svtav1_plan(const struct encoder_params *params, struct svtav1_plan *ret)
{
	const struct vencd_params *request = &params->request;
	uint32_t area = request->width * request->height;
	bool vbr = request->rate_control == VENCD_RATE_VBR;
	unsigned group, ahead;

	*ret = (struct svtav1_plan){.low_delay = request->b_frames == 0};
	ret->preset = svtav1_preset(request->speed, ret->low_delay, area);
	if (ret->low_delay) {
		ret->levels = 2;
		ret->frames = 1;
		return;
	}
	ret->levels = svtav1_levels(ret->preset, vbr, area);
	group = (1u << ret->levels) + 1; /* a mini-GOP, and a keyframe that waits before it */
	ahead = vbr ? 2 : area >= AREA_8K ? 0 : 1;
	ret->lookahead = group * (ahead + 1) + SVTAV1_FILTER_DELAY + SVTAV1_END_DELAY;
	ret->frames = ret->lookahead;
}

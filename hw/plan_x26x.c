// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The plans of x264 and x265. Look-ahead and B frames are those of the presets (x264 164, x265
 * 4.1), written down here so that another version's presets cannot change the delay.
 *
 * The delays are read from the libraries' sources and are upper bounds: x264 keeps the frames of
 * its slice-type window, of the look-ahead thread and of all frame threads but one; x265 keeps a
 * filled look-ahead, a mini-GOP, and its frame threads.
 */

#include "hw/plan_x26x.h"

#define SPEEDS (VENCD_SPEED_MAX + 1)
#define X264_MAX_FRAME_THREADS 16u /* more cost quality and pool, and no picture needs them */
#define X264_MAX_SLICES 16u
#define X265_MAX_POOL 64u

struct preset {
	const char *name;
	unsigned b_frames, lookahead;
};

enum {
	VERYSLOW,
	SLOWER,
	SLOW,
	MEDIUM,
	FAST,
	FASTER,
	VERYFAST,
	SUPERFAST,
	ULTRAFAST,
	PRESETS
};

static const struct preset x264_presets[PRESETS] = {
	[VERYSLOW] = {"veryslow", 8, 60},
	[SLOWER] = {"slower", 3, 60},
	[SLOW] = {"slow", 3, 50},
	[MEDIUM] = {"medium", 3, 40},
	[FAST] = {"fast", 3, 30},
	[FASTER] = {"faster", 3, 20},
	[VERYFAST] = {"veryfast", 3, 10},
	[SUPERFAST] = {"superfast", 3, 0},
	[ULTRAFAST] = {"ultrafast", 0, 0},
};

static const struct preset x265_presets[PRESETS] = {
	[VERYSLOW] = {"veryslow", 8, 40},
	[SLOWER] = {"slower", 8, 40},
	[SLOW] = {"slow", 4, 25},
	[MEDIUM] = {"medium", 4, 20},
	[FAST] = {"fast", 4, 15},
	[FASTER] = {"faster", 4, 15},
	[VERYFAST] = {"veryfast", 4, 15},
	[SUPERFAST] = {"superfast", 3, 10},
	[ULTRAFAST] = {"ultrafast", 3, 5},
};

/* Placebo is left out: many times the time of veryslow for nothing that is seen. */
static const unsigned char speed_presets[SPEEDS] = {VERYSLOW, VERYSLOW, SLOWER, SLOWER, SLOW, SLOW,
	MEDIUM, MEDIUM, FAST, FASTER, VERYFAST, VERYFAST, SUPERFAST, ULTRAFAST};

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned most(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void choose_preset(
	const struct preset *presets, const struct encoder_params *params, struct x26x_plan *ret)
{
	unsigned speed = least((unsigned)params->request.speed, VENCD_SPEED_MAX);
	unsigned index = speed_presets[speed];

	while (speed && speed_presets[speed - 1] == index)
		speed--;
	*ret = (struct x26x_plan){
		.preset = presets[index].name,
		.speed_used = (int)speed,
		.live = params->request.latency == VENCD_LATENCY_LIVE,
		.threads = most(params->threads, 1),
		.frame_threads = 1,
	};
	if (!ret->live) {
		bool b_frames = params->request.b_frames && params->request.gop != 1;

		ret->lookahead = presets[index].lookahead;
		ret->b_frames = b_frames ? presets[index].b_frames : 0;
	}
}

/*
 * The trellis of the two slowest presets looks 4 mini-GOPs ahead, which their look-ahead covers.
 * VFR needs the next frame's pts.
 */
static unsigned x264_delay(const struct x26x_plan *p)
{
	return most(p->lookahead, p->b_frames) + p->frame_threads - 1 + p->sync_lookahead + 1;
}

void x264_plan(const struct encoder_params *params, struct x26x_plan *ret)
{
	choose_preset(x264_presets, params, ret);
	if (ret->live) {
		ret->threads = least(ret->threads, X264_MAX_SLICES);
		return;
	}
	ret->threads = least(ret->threads, X264_MAX_FRAME_THREADS);
	ret->frame_threads = ret->threads;
	if (ret->frame_threads > 1)
		ret->sync_lookahead = ret->b_frames + 1;
	ret->delay = x264_delay(ret);
}

static unsigned x265_frame_threads(unsigned threads)
{
	return threads >= 16 ? 4 : threads >= 8 ? 3 : threads >= 4 ? 2 : 1;
}

/*
 * x265 4.1 now and then encodes garbage, which no decoder notices, where one coding tree unit is
 * exactly as wide as the picture and the process has encoded before. Smaller units help; there are
 * none below 16, so the catalogue has no picture of that width.
 */
static unsigned x265_ctu(uint32_t width, uint32_t height)
{
	if (width == 64 && height >= 32)
		return 32;
	return width == 32 ? 16 : 0;
}

/*
 * Its cutree writes four values at a time into a row of the look-ahead, also where there are three.
 */
#define X265_CUTREE_MIN_WIDTH 49u

void x265_plan(const struct encoder_params *params, struct x26x_plan *ret)
{
	choose_preset(x265_presets, params, ret);
	ret->no_cutree = params->request.width < X265_CUTREE_MIN_WIDTH;
	ret->ctu = x265_ctu(params->request.width, params->request.height);
	ret->threads = least(ret->threads, X265_MAX_POOL);
	if (ret->live)
		return;
	ret->frame_threads = x265_frame_threads(ret->threads);
	/* The last one: whether a decision is there in time is up to the scheduler. */
	ret->delay = ret->lookahead + ret->b_frames + 2 + ret->frame_threads + 1;
}

/*
 * Beside what the library keeps, the packets of an unfinished mini-GOP (all but the last) are out
 * but not committed; one frame more is what makes it move. A B frame that others refer to is
 * decoded two places before it is shown.
 */
void x26x_plan_info(const struct x26x_plan *plan, struct encoder_info *ret)
{
	ret->needs_frames = plan->delay + plan->b_frames + 1;
	ret->reorder = plan->b_frames ? 2 : 0;
	ret->group = plan->b_frames + 1;
	ret->speed_used = plan->speed_used;
	ret->async = 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The cases of a probe. The first one, the base, is what every encoder must do: a real size, 8
 * bits, intra and predicted frames, a keyframe where one is asked for. The others try one claim
 * each, in the order in which drivers are known to get into trouble: rate controls, a common large
 * size, small sizes, B frames, 10 bits, and at last the largest size. A claim whose case fails is
 * taken out of the reach, and cases that need it are not tried any more.
 *
 * Each rate control is tried at both sizes, in both latencies, but not in all combinations. A size
 * that fails has a smaller step below it; so has the smallest one, the other way round.
 */

#include "daemon/worker/proof_cases.h"

#include <stdio.h>
#include <string.h>

#define BASE_WIDTH 640u
#define BASE_HEIGHT 368u
#define FRAMES 30u
#define FRAMES_LARGE 3u
#define FORCED 17u
#define SPEED 10

#define BIT(value) (1u << (value))
#define DEEP_FORMATS (BIT(VENCD_FORMAT_I010) | BIT(VENCD_FORMAT_P010))

struct size {
	uint32_t width, height;
};

static const struct size base = {BASE_WIDTH, BASE_HEIGHT}, hd = {1920, 1080}, uhd = {3840, 2160};

/* Where the smallest size that is claimed fails. Known drivers begin at 128, or 145x49. */
static const struct size small_steps[] = {{160, 64}, {256, 144}};

/* The format that the encoder takes as it is. */
static uint32_t pick_format(uint32_t formats, uint32_t planar, uint32_t semi_planar)
{
	return formats & BIT(planar) ? planar : formats & BIT(semi_planar) ? semi_planar : 0;
}

bool proof_case_params(const struct encoder_limits *limits, const struct proof_case *asked,
	struct encoder_params *ret)
{
	struct vencd_params request = VENCD_PARAMS_INIT;
	struct vencd_refusal refusal;
	bool by_bits = asked->rate_control != VENCD_RATE_QUALITY;
	uint64_t pixels = (uint64_t)asked->width * asked->height;

	request.codecs[0] = limits->codec ? limits->codec : VENCD_CODEC_AV1;
	request.width = asked->width;
	request.height = asked->height;
	request.format = asked->format;
	request.time_base = (struct vencd_rational){1, 25};
	request.frame_rate = (struct vencd_rational){25, 1};
	request.speed = SPEED;
	request.backend = limits->backend;
	request.latency = asked->latency;
	request.rate_control = asked->rate_control;
	request.b_frames = (int32_t)asked->b_frames;
	if (by_bits)
		request.bitrate = 200000 + pixels * 6;
	if (asked->rate_control == VENCD_RATE_CAPPED_VBR)
		request.max_bitrate = request.bitrate + request.bitrate / 2;
	return encoder_narrow(limits, &request, ret, &refusal) == 0;
}

/* --- the list --- */

struct builder {
	const struct encoder_limits *limits;
	struct proof_list *list;
	uint32_t format, deep_format;
};

/* Adds what the encoder can express. Some have a rate control with B frames only. */
static bool add(struct builder *b, const struct proof_case *asked)
{
	struct proof_case *to = &b->list->cases[b->list->n];
	struct encoder_params params;

	if (b->list->n == PROOF_CASES_MAX || asked->format == 0)
		return false;
	*to = *asked;
	if (!proof_case_params(b->limits, to, &params)) {
		to->b_frames = 1;
		if (asked->subject == PROOF_B_FRAMES || !proof_case_params(b->limits, to, &params))
			return false;
	}
	b->list->n++;
	return true;
}

static struct proof_case at_size(
	const struct builder *b, enum proof_subject subject, struct size size, uint32_t frames)
{
	struct proof_case c = {
		.subject = subject,
		.width = size.width,
		.height = size.height,
		.format = b->format,
		.rate_control = VENCD_RATE_QUALITY,
		.latency = VENCD_LATENCY_FILE,
		.frames = frames,
		.forced = frames > FORCED ? FORCED : frames - 1,
	};
	uint32_t rates = b->limits->reach.rate_controls[VENCD_LATENCY_FILE];

	/* What most requests have, or else what there is. */
	for (uint32_t rate = VENCD_RATE_QUALITY; rate <= VENCD_RATE_CBR; rate++)
		if (!(rates & BIT(c.rate_control)))
			c.rate_control = rate;
	snprintf(c.name, sizeof(c.name), "%ux%u", size.width, size.height);
	return c;
}

static void add_rates(struct builder *b, uint32_t latency, struct size size)
{
	struct proof_case c = at_size(b, PROOF_RATE, size, FRAMES);
	uint32_t usual = c.rate_control;

	c.latency = latency;
	for (uint32_t rate = VENCD_RATE_QUALITY; rate <= VENCD_RATE_CBR; rate++) {
		if (latency == VENCD_LATENCY_FILE && rate == usual)
			continue;
		c.rate_control = rate;
		snprintf(c.name, sizeof(c.name), "%s%s%s",
			vencd_rate_control_name((enum vencd_rate_control)rate),
			latency == VENCD_LATENCY_LIVE ? " live" : "",
			size.width == base.width ? "" : " 1920x1080");
		add(b, &c);
	}
}

static uint32_t larger_of(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t round_up(uint32_t value, uint32_t multiple)
{
	return multiple > 1 ? (value + multiple - 1) / multiple * multiple : value;
}

static void add_small(struct builder *b)
{
	const struct encoder_reach *reach = &b->limits->reach;
	struct size last = {round_up(reach->min_width, reach->size_multiple),
		round_up(reach->min_height, reach->size_multiple)};
	struct proof_case c = at_size(b, PROOF_SMALLER, last, FRAMES);

	add(b, &c);
	for (unsigned i = 0; i < sizeof(small_steps) / sizeof(small_steps[0]); i++) {
		struct size step = {larger_of(small_steps[i].width, last.width),
			larger_of(small_steps[i].height, last.height)};

		if (step.width == last.width && step.height == last.height)
			continue;
		c = at_size(b, PROOF_SMALLER, step, FRAMES);
		add(b, &c);
		last = step;
	}
}

static void add_features(struct builder *b)
{
	struct proof_case c = at_size(b, PROOF_B_FRAMES, base, FRAMES);

	c.b_frames = 1;
	snprintf(c.name, sizeof(c.name), "b-frames");
	if (b->limits->reach.b_frames & BIT(VENCD_LATENCY_FILE))
		add(b, &c);
	c = at_size(b, PROOF_DEEP, base, FRAMES);
	c.format = b->deep_format;
	snprintf(c.name, sizeof(c.name), "10 bit");
	add(b, &c);
}

static void add_largest(struct builder *b)
{
	const struct encoder_reach *reach = &b->limits->reach;
	struct size largest = {reach->max_width, reach->max_height};
	struct proof_case c = at_size(b, PROOF_LARGER, uhd, FRAMES_LARGE);

	if (largest.width > VENCD_SIZE_MAX)
		largest.width = VENCD_SIZE_MAX;
	if (largest.height > VENCD_SIZE_MAX)
		largest.height = VENCD_SIZE_MAX;
	if (reach->size_multiple > 1) {
		largest.width -= largest.width % reach->size_multiple;
		largest.height -= largest.height % reach->size_multiple;
	}
	if (largest.width != uhd.width || largest.height != uhd.height)
		add(b, &c);
	c = at_size(b, PROOF_LARGER, largest, FRAMES_LARGE);
	if (largest.width != hd.width || largest.height != hd.height)
		add(b, &c);
}

void proof_list_cases(
	const struct encoder_limits *limits, enum proof_depth depth, struct proof_list *ret)
{
	struct builder b = {.limits = limits, .list = ret};
	struct proof_case c;

	ret->n = 0;
	b.format = pick_format(limits->reach.formats, VENCD_FORMAT_I420, VENCD_FORMAT_NV12);
	b.deep_format = pick_format(limits->reach.formats, VENCD_FORMAT_I010, VENCD_FORMAT_P010);
	c = at_size(&b, PROOF_BASE, base, FRAMES);
	snprintf(c.name, sizeof(c.name), "base");
	if (!add(&b, &c) || depth == PROOF_DEPTH_BASE)
		return;
	add_rates(&b, VENCD_LATENCY_FILE, base);
	add_rates(&b, VENCD_LATENCY_LIVE, base);
	c = at_size(&b, PROOF_LARGER, hd, FRAMES);
	if (add(&b, &c))
		add_rates(&b, VENCD_LATENCY_FILE, hd);
	add_small(&b);
	add_features(&b);
	add_largest(&b);
}

/* --- what follows --- */

static bool fits_within(const struct proof_case *c, const struct encoder_reach *reach)
{
	return c->width <= reach->max_width && c->height <= reach->max_height;
}

bool proof_is_wanted(const struct proof_list *list, unsigned i, const struct encoder_reach *reach)
{
	const struct proof_case *c = &list->cases[i];

	if (c->subject == PROOF_SMALLER)
		return c->width <= reach->min_width && c->height <= reach->min_height;
	return fits_within(c, reach) && reach->rate_controls[c->latency] & BIT(c->rate_control);
}

/* The largest size before case i: all of those have passed, or it would not be wanted. */
static void fall_back(const struct proof_list *list, unsigned i, struct encoder_reach *reach)
{
	const struct proof_case *best = &list->cases[0];

	for (unsigned j = 1; j < i; j++) {
		const struct proof_case *c = &list->cases[j];

		if (c->subject == PROOF_LARGER && fits_within(c, reach) && c->width > best->width)
			best = c;
	}
	reach->max_width = best->width;
	reach->max_height = best->height;
}

void proof_settle(
	const struct proof_list *list, unsigned i, bool passed, struct encoder_reach *reach)
{
	const struct proof_case *c = &list->cases[i];

	switch ((enum proof_subject)c->subject) {
	case PROOF_SMALLER:
		reach->min_width = passed ? c->width : list->cases[0].width;
		reach->min_height = passed ? c->height : list->cases[0].height;
		break;
	case PROOF_RATE:
		if (!passed)
			reach->rate_controls[c->latency] &= ~BIT(c->rate_control);
		break;
	case PROOF_LARGER:
		if (!passed)
			fall_back(list, i, reach);
		break;
	case PROOF_B_FRAMES:
		if (!passed)
			reach->b_frames = 0;
		break;
	case PROOF_DEEP:
		if (!passed) {
			reach->formats &= ~DEEP_FORMATS;
			reach->formats_converted &= ~DEEP_FORMATS;
		}
		break;
	case PROOF_BASE: /* where it fails, there is no reach to speak of */
	case PROOF_SUBJECT_MAX:
		break;
	}
}

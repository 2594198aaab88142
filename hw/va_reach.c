// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What a device claims, as an encoder's reach: no more than it says, and no more than libavcodec
 * would use of it, whose rules (vaapi_encode.c of FFmpeg 7.1) are repeated here where they decide
 * whether an encoder opens, or has B frames. Pure; whether a claim is true is for the probe.
 *
 * An encoder has one reach for both depths: what differs between them is what both have.
 */

#include "hw/va_reach.h"

#include <assert.h>

#define FORMAT(name) (1u << VENCD_FORMAT_##name)
#define RATE(name) (1u << VENCD_RATE_##name)

static const struct {
	uint32_t rt_format, formats;
} depths[VA_DEPTHS] = {
	[VA_DEPTH_8] = {VA_RT_FORMAT_YUV420, FORMAT(NV12) | FORMAT(I420)},
	[VA_DEPTH_10] = {VA_RT_FORMAT_YUV420_10, FORMAT(P010) | FORMAT(I010)},
};

static uint32_t forward_references(const struct va_claim *c)
{
	return c->references == VA_ATTRIB_NOT_SUPPORTED ? 0 : c->references & 0xffff;
}

static uint32_t backward_references(const struct va_claim *c)
{
	return c->references == VA_ATTRIB_NOT_SUPPORTED ? 0 : c->references >> 16;
}

/* Directions that contradict the references make libavcodec refuse. */
static bool is_consistent(const struct va_claim *c)
{
	uint32_t backward = VA_PREDICTION_DIRECTION_FUTURE | VA_PREDICTION_DIRECTION_BI_NOT_EMPTY;

	if (c->directions == VA_ATTRIB_NOT_SUPPORTED)
		return true;
	if (!(c->directions & VA_PREDICTION_DIRECTION_PREVIOUS))
		return false;
	return backward_references(c) || !(c->directions & backward);
}

/* Without a reference there are keyframes only, which no request is served with. */
static bool is_usable(const struct va_claim *c, enum va_depth depth)
{
	if (c->rt_formats != VA_ATTRIB_NOT_SUPPORTED && !(c->rt_formats & depths[depth].rt_format))
		return false;
	return forward_references(c) > 0 && is_consistent(c);
}

static bool has_b_frames(const struct va_claim *c)
{
	bool ahead = c->directions == VA_ATTRIB_NOT_SUPPORTED ||
		c->directions & VA_PREDICTION_DIRECTION_FUTURE;

	return backward_references(c) > 0 && ahead;
}

/* A driver that says nothing of rate controls has constant quantisers. */
static uint32_t rate_controls_of(const struct va_claim *c)
{
	uint32_t ret = 0;

	if (c->rate_controls == VA_ATTRIB_NOT_SUPPORTED)
		return RATE(QUALITY);
	if (c->rate_controls & VA_RC_CQP)
		ret |= RATE(QUALITY);
	if (c->rate_controls & VA_RC_VBR)
		ret |= RATE(VBR) | RATE(CAPPED_VBR);
	if (c->rate_controls & VA_RC_CBR)
		ret |= RATE(CBR);
	return ret;
}

/*
 * VA-API's bits, in the same order. Where the driver takes none, libavcodec goes on without, and
 * the driver writes them: whether parameter sets are before each keyframe then, each case of a
 * probe shows, and each packet of a session.
 */
static uint32_t packed_headers_of(const struct va_claim *c)
{
	static_assert(VA_ENC_PACKED_HEADER_SEQUENCE << 1 == 1 << ENCODER_HEADER_SEQUENCE &&
			VA_ENC_PACKED_HEADER_RAW_DATA << 1 == 1 << ENCODER_HEADER_RAW,
		"another order");

	return c->packed_headers == VA_ATTRIB_NOT_SUPPORTED ? 0 : c->packed_headers << 1;
}

static void raise_to(uint32_t *minimum, uint32_t value, uint32_t multiple)
{
	uint32_t rounded = (value + multiple - 1) / multiple * multiple;

	if (value != VA_ATTRIB_NOT_SUPPORTED && rounded > *minimum)
		*minimum = rounded;
}

static void lower_to(uint32_t *maximum, uint32_t value, uint32_t multiple)
{
	uint32_t rounded = value / multiple * multiple;

	if (value != VA_ATTRIB_NOT_SUPPORTED && rounded && rounded < *maximum)
		*maximum = rounded;
}

static void narrow_sizes(struct encoder_reach *r, const struct va_claim *c)
{
	raise_to(&r->min_width, c->surface_min_width, r->size_multiple);
	raise_to(&r->min_height, c->surface_min_height, r->size_multiple);
	lower_to(&r->max_width, c->surface_max_width, r->size_multiple);
	lower_to(&r->max_height, c->surface_max_height, r->size_multiple);
	lower_to(&r->max_width, c->max_width, r->size_multiple);
	lower_to(&r->max_height, c->max_height, r->size_multiple);
}

static void narrow_to(struct encoder_reach *r, const struct va_claim *c)
{
	for (uint32_t latency = VENCD_LATENCY_FILE; latency <= VENCD_LATENCY_LIVE; latency++)
		r->rate_controls[latency] &= rate_controls_of(c);
	if (!has_b_frames(c))
		r->b_frames = 0;
	r->packed_headers &= packed_headers_of(c);
	narrow_sizes(r, c);
}

bool va_narrow(struct encoder_reach *reach, const struct va_claim *const claims[VA_DEPTHS])
{
	uint32_t formats = 0;

	for (unsigned depth = 0; depth < VA_DEPTHS; depth++) {
		if (!claims[depth] || !is_usable(claims[depth], (enum va_depth)depth))
			continue;
		formats |= depths[depth].formats;
		narrow_to(reach, claims[depth]);
	}
	reach->formats &= formats;
	reach->formats_converted &= formats;
	return reach->formats && reach->rate_controls[VENCD_LATENCY_FILE] &&
		reach->min_width <= reach->max_width && reach->min_height <= reach->max_height;
}

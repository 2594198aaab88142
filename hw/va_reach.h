// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_VA_REACH_H
#define VENCD_VA_REACH_H

/* What a device claims through VA-API, and what libavcodec can make of it. */

#include "hw/catalogue.h"
#include "hw/va_device.h"

/* For one profile. Attributes are as VA-API has them, VA_ATTRIB_NOT_SUPPORTED included. */
struct va_claim {
	uint32_t rt_formats;
	uint32_t rate_controls;
	uint32_t references; /* L0, L1 << 16 */
	uint32_t directions;
	uint32_t qualities;
	uint32_t packed_headers;
	uint32_t max_width, max_height;                 /* of a picture */
	uint32_t surface_min_width, surface_min_height; /* 0: says nothing */
	uint32_t surface_max_width, surface_max_height;
};

enum va_depth {
	VA_DEPTH_8,
	VA_DEPTH_10,
	VA_DEPTHS,
};

/*
 * Asks the driver about one codec and depth, as libavcodec chooses profile and entrypoint. ABSENT
 * where the driver does not encode it.
 */
enum encoder_status va_query(
	const struct va_device *device, uint32_t codec, enum va_depth depth, struct va_claim *ret);

/*
 * Pure: narrows a catalogue's reach to the claims, NULL where there is none for that depth. False
 * where nothing is left.
 */
bool va_narrow(struct encoder_reach *reach, const struct va_claim *const claims[VA_DEPTHS]);

#endif

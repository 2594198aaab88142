// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_PARAMETERS_H
#define VENCD_FRONT_PARAMETERS_H

/*
 * What a session is to encode: from a dispatched request, with every number and word checked, and
 * back to JSON.
 */

#include <stdint.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "client/vencd.h"

#define ABSENT INT64_MIN

struct raw_point {
	int64_t x, y;
};

/* A request as it stands in JSON. Strings and variants belong to the parameters. */
struct raw {
	sd_json_variant *codecs;
	int64_t width, height, quality, bitrate, max_bitrate, speed, gop;
	const char *format, *rate_control, *latency, *backend, *on_failure, *label, *null_script;
	int b_frames, full_range;                              /* -1: absent */
	struct raw_point time_base, frame_rate, sample_aspect; /* num, den */
	int64_t primaries, transfer, matrix, chroma_location;
	struct raw_point primary[3], white_point;
	int64_t max_luminance, min_luminance, max_content_light, max_average_light;
	/* Encode only */
	const char *container, *input_format;
	int64_t input, output;
};

extern const struct raw raw_absent;

/* Like the functions of request.h: anything but 0 says that the call was answered. */
int parameters_take(sd_varlink *link, const struct raw *raw, struct vencd_params *ret);
int parameters_take_cause(sd_varlink *link, const char *name, uint32_t *ret);
int parameters_take_text(
	sd_varlink *link, const char *parameter, const char *from, char *to, size_t size);

/* As an object; what is not given is left out. */
int parameters_to_json(const struct vencd_params *params, sd_json_variant **ret);

#endif

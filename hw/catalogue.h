// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_CATALOGUE_H
#define VENCD_CATALOGUE_H

/*
 * What each encoder can express, as data: sizes, formats, rate controls, quality scale, speeds,
 * delay. Pure: no library is called, so the supervisor links it and refuses or narrows a request
 * before any worker sees it. What an installed library really has is found by probing.
 */

#include "hw/encoder.h"

struct encoder_limits {
	const char *name;  /* "svtav1" */
	const char *title; /* "SVT-AV1" */
	uint32_t codec;    /* enum vencd_codec; 0: any (null) */
	uint32_t backend;  /* enum vencd_backend, never ANY */
	const char *api;   /* how it is reached, as rows and reports say it: "software", "vaapi" */
	struct encoder_reach reach;
	int32_t quality_min, quality_max, quality_default;
	uint32_t sessions_per_worker; /* attempts in one process at most; software: 1 */
};

/*
 * NULL-terminated by name. The order is that of preference within a codec, and that in which the
 * encoders of one GPU are probed: riskiest last.
 */
extern const struct encoder_limits encoder_catalogue[];
const struct encoder_limits *encoder_limits_find(const char *name);

/* What rows and reports call its backend: its API, or "software", "null". */
const char *encoder_api_name(const struct encoder_limits *limits);

/*
 * Narrows a request to one encoder: fills defaults (rate control, quality, speed, gop, b_frames,
 * latency), checks every field against limits->reach, which may be a device's own (in a copy of the
 * catalogue's limits). Returns 0 with *ret filled, -EOPNOTSUPP with *refusal filled when
 * this encoder cannot do it (another may), -EINVAL with *refusal filled when nobody can (0x0,
 * rate control without a bitrate, an unknown enum).
 */
int encoder_narrow(const struct encoder_limits *limits, const struct vencd_params *request,
	struct encoder_params *ret, struct vencd_refusal *refusal);

/* What the encoder will hold and reorder with these parameters; needs_frames is an upper bound. */
void encoder_plan(const struct encoder_limits *limits, const struct encoder_params *params,
	struct encoder_info *ret);

#endif

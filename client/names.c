// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Names of the public enums, as they stand in requests, replies and reports. One table an enum,
 * indexed by its value, is read in both directions, so that the two cannot disagree. Values from
 * another process may be passed as they are: one that is none has no name, and a name that is none
 * is 0. Names are compared exactly; there are no aliases.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/vencd.h"

static const char *const codec_names[] = {
	[VENCD_CODEC_AV1] = "av1",
	[VENCD_CODEC_HEVC] = "hevc",
	[VENCD_CODEC_H264] = "h264",
	[VENCD_CODEC_VP9] = "vp9",
};

static const char *const pixel_format_names[] = {
	[VENCD_FORMAT_I420] = "i420",
	[VENCD_FORMAT_NV12] = "nv12",
	[VENCD_FORMAT_I010] = "i010",
	[VENCD_FORMAT_P010] = "p010",
};

static const char *const latency_names[] = {
	[VENCD_LATENCY_FILE] = "file",
	[VENCD_LATENCY_LIVE] = "live",
};

static const char *const rate_control_names[] = {
	[VENCD_RATE_QUALITY] = "quality",
	[VENCD_RATE_VBR] = "vbr",
	[VENCD_RATE_CAPPED_VBR] = "capped_vbr",
	[VENCD_RATE_CBR] = "cbr",
};

static const char *const backend_names[] = {
	[VENCD_BACKEND_ANY] = "any",
	[VENCD_BACKEND_HARDWARE] = "hardware",
	[VENCD_BACKEND_SOFTWARE] = "software",
	[VENCD_BACKEND_NULL] = "null",
};

static const char *const on_failure_names[] = {
	[VENCD_ON_FAILURE_FAILOVER] = "failover",
	[VENCD_ON_FAILURE_FAIL] = "fail",
};

static const char *const outcome_names[] = {
	[VENCD_OUTCOME_INCOMPLETE] = "incomplete",
	[VENCD_OUTCOME_COMPLETE] = "complete",
	[VENCD_OUTCOME_DEGRADED] = "degraded",
	[VENCD_OUTCOME_TRUNCATED] = "truncated",
	[VENCD_OUTCOME_FAILED] = "failed",
	[VENCD_OUTCOME_CANCELLED] = "cancelled",
};

static const char *const cancel_cause_names[] = {
	[VENCD_CANCEL_ASKED] = "asked",
	[VENCD_CANCEL_INPUT_FAILED] = "input_failed",
	[VENCD_CANCEL_OUTPUT_FAILED] = "output_failed",
};

static const char *name_of(const char *const *names, size_t n, unsigned value)
{
	return value < n ? names[value] : NULL;
}

static unsigned value_of(const char *const *names, size_t n, const char *name)
{
	for (unsigned value = 1; name && value < n; value++)
		if (strcmp(names[value], name) == 0)
			return value;
	return 0;
}

/* Both functions of one enum. */
#define DEFINE_NAMES(what)                                                                   \
	const char *vencd_##what##_name(enum vencd_##what value)                             \
	{                                                                                    \
		return name_of(what##_names, sizeof(what##_names) / sizeof(what##_names[0]), \
			(unsigned)value);                                                    \
	}                                                                                    \
	enum vencd_##what vencd_##what##_from_name(const char *name)                         \
	{                                                                                    \
		return (enum vencd_##what)value_of(                                          \
			what##_names, sizeof(what##_names) / sizeof(what##_names[0]), name); \
	}

DEFINE_NAMES(codec)
DEFINE_NAMES(pixel_format)
DEFINE_NAMES(latency)
DEFINE_NAMES(rate_control)
DEFINE_NAMES(backend)
DEFINE_NAMES(on_failure)
DEFINE_NAMES(outcome)
DEFINE_NAMES(cancel_cause)

int vencd_outcome_exit_code(enum vencd_outcome outcome)
{
	switch (outcome) {
	case VENCD_OUTCOME_COMPLETE:
		return 0;
	case VENCD_OUTCOME_DEGRADED:
		return 10;
	case VENCD_OUTCOME_TRUNCATED:
		return 11;
	case VENCD_OUTCOME_CANCELLED:
		return 13;
	case VENCD_OUTCOME_INCOMPLETE:
	case VENCD_OUTCOME_FAILED:
		break;
	}
	return 12; /* also what is no outcome: never reported better than it was */
}

/* How a unit is shown: divided by `first`, then by `step` as long as there is a longer name. */
static const struct quantity {
	const char *unit;
	double first, step;
	const char *names[5];
} quantities[] = {
	{"bytes", 1, 1024, {"B", "KiB", "MiB", "GiB", "TiB"}},
	{"pixels/s", 1, 1000, {"pixels/s", "kpixels/s", "Mpixels/s", "Gpixels/s"}},
	{"ms/min", 1000, 1, {"s/min"}},
};

static const struct quantity *find_quantity(const char *unit)
{
	for (size_t i = 0; i < sizeof(quantities) / sizeof(quantities[0]); i++)
		if (unit && strcmp(quantities[i].unit, unit) == 0)
			return &quantities[i];
	return NULL;
}

char *vencd_quantity_text(char *ret, size_t size, const char *unit, uint64_t n)
{
	const struct quantity *q = find_quantity(unit);
	double value = (double)n;
	char number[32];
	unsigned i = 0;

	if (!q) {
		snprintf(ret, size, "%" PRIu64, n);
		return ret;
	}
	value /= q->first;
	/* 1023.96 would be printed as 1024.0. */
	for (; q->step > 1 && i + 1 < 5 && q->names[i + 1] && value >= q->step - 0.05; i++)
		value /= q->step;
	snprintf(number, sizeof(number), "%.1f", value);
	if (strcmp(number + strlen(number) - 2, ".0") == 0)
		number[strlen(number) - 2] = '\0';
	snprintf(ret, size, "%s %s", number, q->names[i]);
	return ret;
}

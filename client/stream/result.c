// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The result of an encode: the daemon's report about the session, and ours about what was stored.
 *
 * The two can differ. A session may be complete while the disk was full, or while the input was
 * damaged and could be read only in part; so the outcome of the whole is the worse of the two, and
 * never better than the session's. Both start as incomplete and are settled in one place.
 */

#include "client/stream/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const error_names[] = {
	[DELIVERY_OK] = "none",
	[DELIVERY_INPUT_FAILED] = "input_failed",
	[DELIVERY_OUTPUT_FAILED] = "output_failed",
	[DELIVERY_REFUSED] = "refused",
	[DELIVERY_DAEMON_LOST] = "daemon_lost",
	[DELIVERY_STOPPED] = "stopped",
	[DELIVERY_INTERNAL] = "internal",
};

void delivery_fail(
	struct delivery *delivery, enum delivery_error error, int code, const char *format, ...)
{
	va_list arguments;

	if (delivery->error != DELIVERY_OK)
		return;
	delivery->error = error;
	delivery->code = code;
	va_start(arguments, format);
	vsnprintf(delivery->text, sizeof(delivery->text), format, arguments);
	va_end(arguments);
}

static enum vencd_outcome outcome_of(const struct delivery *delivery, bool whole)
{
	if (delivery->error == DELIVERY_STOPPED)
		return VENCD_OUTCOME_CANCELLED;
	if (delivery->error == DELIVERY_OK && whole)
		return VENCD_OUTCOME_COMPLETE;
	return delivery->frames ? VENCD_OUTCOME_TRUNCATED : VENCD_OUTCOME_FAILED;
}

/* Best first. Failed is worse than cancelled: nobody asked for it. */
static const enum vencd_outcome ranking[] = {
	VENCD_OUTCOME_COMPLETE,
	VENCD_OUTCOME_DEGRADED,
	VENCD_OUTCOME_TRUNCATED,
	VENCD_OUTCOME_CANCELLED,
	VENCD_OUTCOME_FAILED,
};

#define RANKS (sizeof(ranking) / sizeof(*ranking))

/* What is no end at all ranks last. */
static size_t rank(enum vencd_outcome outcome)
{
	size_t n = 0;

	while (n < RANKS - 1 && ranking[n] != outcome)
		n++;
	return n;
}

static enum vencd_outcome worse(enum vencd_outcome a, enum vencd_outcome b)
{
	return ranking[rank(a) > rank(b) ? rank(a) : rank(b)];
}

/*
 * Without a report nobody knows that the session ended well, so it counts as ended in the middle.
 * Where it was never opened, only the delivery can say what happened.
 */
static enum vencd_outcome session_outcome(const struct stream_result *result)
{
	if (result->report.json)
		return result->report.outcome;
	if (!result->opened)
		return result->delivery.outcome;
	return result->delivery.frames ? VENCD_OUTCOME_TRUNCATED : VENCD_OUTCOME_FAILED;
}

void stream_result_settle(struct stream_result *result, bool whole)
{
	result->delivery.outcome = outcome_of(&result->delivery, whole);
	result->outcome = worse(result->delivery.outcome, session_outcome(result));
}

bool stream_result_whole(const struct stream_result *result)
{
	return result->outcome == VENCD_OUTCOME_COMPLETE ||
		result->outcome == VENCD_OUTCOME_DEGRADED;
}

static int delivery_json(const struct delivery *delivery, sd_json_variant **ret)
{
	bool ok = delivery->error == DELIVERY_OK;

	return sd_json_buildo(ret,
		SD_JSON_BUILD_PAIR_STRING("outcome", vencd_outcome_name(delivery->outcome)),
		SD_JSON_BUILD_PAIR_CONDITION(
			!ok, "error", SD_JSON_BUILD_STRING(error_names[delivery->error])),
		SD_JSON_BUILD_PAIR_CONDITION(!ok, "text", SD_JSON_BUILD_STRING(delivery->text)),
		SD_JSON_BUILD_PAIR_UNSIGNED("frames", delivery->frames),
		SD_JSON_BUILD_PAIR_UNSIGNED("bytes", delivery->bytes));
}

int stream_result_json(const struct stream_result *result, sd_json_variant **ret)
{
	sd_json_variant *report = NULL, *delivery = NULL;
	int r = delivery_json(&result->delivery, &delivery);

	if (r >= 0 && result->report.json)
		r = sd_json_parse(result->report.json, 0, &report, NULL, NULL);
	if (r >= 0)
		r = sd_json_buildo(ret,
			SD_JSON_BUILD_PAIR_STRING("outcome", vencd_outcome_name(result->outcome)),
			SD_JSON_BUILD_PAIR_CONDITION(
				report != NULL, "report", SD_JSON_BUILD_VARIANT(report)),
			SD_JSON_BUILD_PAIR_VARIANT("delivery", delivery));
	sd_json_variant_unref(report);
	sd_json_variant_unref(delivery);
	return r;
}

void stream_result_clear(struct stream_result *result)
{
	vencd_report_clear(&result->report);
	*result = (struct stream_result){0};
}

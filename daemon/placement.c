// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Placement. Every candidate that was passed over leaves its reason, for the report or for the
 * refusal. The null encoder is a candidate only where the request names its backend.
 */

#include "daemon/placement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct search {
	struct placement *placement;
	unsigned rejected;
	bool unsupported; /* placement->refusal holds a candidate's own refusal */
};

static bool backend_matches(const struct encoder_limits *limits, uint32_t backend)
{
	switch ((enum vencd_backend)backend) {
	case VENCD_BACKEND_HARDWARE:
	case VENCD_BACKEND_SOFTWARE:
	case VENCD_BACKEND_NULL:
		return limits->backend == backend;
	case VENCD_BACKEND_ANY:
		break;
	}
	return limits->backend != VENCD_BACKEND_NULL;
}

static void reject(struct search *search, const struct encoder_entry *entry, const char *why)
{
	if (search->rejected < REPORT_REJECTED_MAX)
		snprintf(search->placement->why.rejected[search->rejected++],
			sizeof(search->placement->why.rejected[0]), "%s: %.90s",
			entry->limits->name, why);
}

static const char *state_reason(const struct encoder_entry *entry)
{
	return entry->row.detail[0] ? entry->row.detail : "not usable";
}

/* A device that holds too much that cannot be got back takes no more work until it has it back. */
static bool is_exhausted(
	const struct registry *registry, const struct encoder_entry *entry, char why[128])
{
	uint32_t tombstones = 0, threads = 0;

	for (unsigned i = 0; i < registry->entries; i++)
		if (strcmp(registry->entry[i].row.device, entry->row.device) == 0) {
			tombstones += registry->entry[i].row.tombstones;
			threads += registry->entry[i].row.leaked_threads;
		}
	snprintf(why, 128, "%s has %u processes that do not die and %u leaked threads",
		entry->row.device, tombstones, threads);
	return tombstones >= registry->tombstones_max || threads >= registry->leaked_threads_max;
}

/* Returns 0 for the one, -EAGAIN to wait for it, -ENOENT to go on, -EINVAL to stop. */
static int try_entry(struct search *search, const struct encoder_entry *entry,
	const struct vencd_params *request, struct encoder_params *params)
{
	struct vencd_refusal refusal = {0};
	char why[128];
	int r = encoder_narrow(entry->limits, request, params, &refusal);

	if (r < 0) {
		reject(search, entry, refusal.reason);
		if (!search->unsupported || r == -EINVAL)
			search->placement->refusal = refusal;
		search->unsupported = true;
		return r == -EINVAL ? r : -ENOENT;
	}
	if (is_exhausted(entry->registry, entry, why)) {
		reject(search, entry, why);
		return -ENOENT;
	}
	if (entry->row.state == DEVICE_PROVEN)
		return 0;
	if (entry->row.state == DEVICE_PROBING)
		return -EAGAIN;
	reject(search, entry, state_reason(entry));
	return -ENOENT;
}

static int try_codec(struct search *search, const struct registry *registry,
	const struct vencd_params *request, uint32_t codec)
{
	struct vencd_params one = *request;

	memset(one.codecs, 0, sizeof(one.codecs));
	one.codecs[0] = codec;
	for (unsigned i = 0; i < registry->entries; i++) {
		const struct encoder_entry *entry = &registry->entry[i];
		int r;

		if (!backend_matches(entry->limits, request->backend) ||
			(entry->limits->codec != 0 && entry->limits->codec != codec))
			continue;
		r = try_entry(search, entry, &one, &search->placement->params);
		if (r == 0)
			search->placement->encoder = entry;
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static enum placement_result refuse(const struct search *search, const struct vencd_params *request)
{
	struct placement *p = search->placement;
	size_t n = 0;

	if (search->unsupported)
		return PLACEMENT_REFUSED;
	p->error = WIRE_ERROR_NO_ENCODER;
	snprintf(p->refusal.parameter, sizeof(p->refusal.parameter), "codecs");
	for (unsigned i = 0; i < search->rejected && n < sizeof(p->refusal.reason); i++)
		n += (size_t)snprintf(p->refusal.reason + n, sizeof(p->refusal.reason) - n, "%s%s",
			i ? "; " : "", p->why.rejected[i]);
	if (!search->rejected)
		snprintf(p->refusal.reason, sizeof(p->refusal.reason),
			"this host has no %s encoder for the codecs asked for",
			request->backend == VENCD_BACKEND_HARDWARE       ? "hardware"
				: request->backend == VENCD_BACKEND_NULL ? "null (NullEncoder=no)"
									 : "usable");
	snprintf(p->refusal.advice, sizeof(p->refusal.advice),
		"see `vencctl devices` for what there is; allow more codecs or another backend");
	return PLACEMENT_REFUSED;
}

enum placement_result placement_choose(const struct registry *registry,
	const struct vencd_params *request, uint32_t threads, struct placement *ret)
{
	struct search search = {.placement = ret};

	memset(ret, 0, sizeof(*ret));
	ret->error = WIRE_ERROR_UNSUPPORTED;
	for (unsigned i = 0; i < VENCD_MAX_CODECS && request->codecs[i]; i++) {
		int r = try_codec(&search, registry, request, request->codecs[i]);

		if (r == -EAGAIN)
			return PLACEMENT_WAIT;
		if (r == -EINVAL) {
			ret->error = WIRE_ERROR_INVALID;
			return PLACEMENT_REFUSED;
		}
		if (r < 0)
			continue;
		ret->params.threads = threads;
		snprintf(ret->why.picked, sizeof(ret->why.picked), "%s %s encoder for %s",
			i ? "first usable" : "preferred",
			vencd_backend_name(ret->encoder->limits->backend),
			vencd_codec_name(request->codecs[i]));
		return PLACEMENT_FOUND;
	}
	return refuse(&search, request);
}

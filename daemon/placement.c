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
#include <time.h>

#include "daemon/leak.h"

struct search {
	struct placement *placement;
	unsigned rejected;
	bool unsupported; /* placement->refusal holds a candidate's own refusal */
	bool closed;      /* a candidate could do it, but takes no work, or none of this uid's */
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
			sizeof(search->placement->why.rejected[0]), "%.26s: %.99s",
			entry->limits->name, why);
}

/* A time to come, as people in different places read it alike. */
static void print_time(char text[32], const struct placement_ask *ask, uint64_t until_us)
{
	time_t seconds = (time_t)((until_us > ask->wall_us ? until_us : ask->wall_us) / 1000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void state_reason(
	const struct encoder_entry *entry, const struct placement_ask *ask, char why[128])
{
	char until[32];

	print_time(until, ask, entry->row.parole_us);
	if (entry->row.state == DEVICE_QUARANTINED)
		snprintf(why, 128, "until %s at least %.80s", until, entry->row.detail);
	else
		snprintf(why, 128, "%.127s",
			entry->row.detail[0] ? entry->row.detail : "not usable");
}

/* Whether the uid has lost the encoder. */
static bool is_lost(const struct encoder_entry *entry, const struct placement_ask *ask,
	const struct encoder_params *params, char why[128])
{
	const struct blame *blame = &entry->registry->blame;
	const struct blame_accused who = {ask->uid, blame_shape_of(params)};
	struct blame_denial denial;
	char until[32];

	if (blame_allows(blame, registry_index(entry), who, ask->now_ns, &denial))
		return false;
	print_time(until, ask, ask->wall_us + (denial.until_ns - ask->now_ns) / 1000);
	if (denial.loss == BLAME_LOSS_ENCODER)
		snprintf(why, 128, "lost to uid %u until %s: %u strikes, StrikesPerEncoder=%u",
			ask->uid, until, denial.strikes, blame->policy.strikes_per_encoder);
	else
		snprintf(why, 128,
			"lost to uid %u until %s: %u strikes for this shape, StrikesMax=%u",
			ask->uid, until, denial.strikes, blame->policy.strikes_max);
	return true;
}

/* Whether an encoder that can express the request does not take it. */
static bool is_closed(const struct encoder_entry *entry, const struct placement_ask *ask,
	const struct encoder_params *params, char why[128])
{
	if (leak_is_exhausted(entry, why) || is_lost(entry, ask, params, why))
		return true;
	if (device_state_is_usable(entry->row.state) || device_state_is_open(entry->row.state))
		return false;
	state_reason(entry, ask, why);
	return true;
}

/* A first probe is waited for by all, a verdict by those whom it is about. */
static bool must_wait(const struct encoder_entry *entry, const struct placement_ask *ask)
{
	return device_state_is_open(entry->row.state) ||
		blame_is_accused(&entry->registry->blame, registry_index(entry), ask->uid);
}

/* Returns 0 for the one, -EAGAIN to wait for it, -ENOENT to go on, -EINVAL to stop. */
static int try_entry(struct search *search, const struct encoder_entry *entry,
	const struct placement_ask *ask, struct encoder_params *params)
{
	struct vencd_refusal refusal = {0};
	char why[128];
	int r = encoder_narrow(entry->limits, ask->request, params, &refusal);

	if (r < 0) {
		reject(search, entry, refusal.reason);
		if (!search->unsupported || r == -EINVAL)
			search->placement->refusal = refusal;
		search->unsupported = true;
		return r == -EINVAL ? r : -ENOENT;
	}
	if (is_closed(entry, ask, params, why)) {
		reject(search, entry, why);
		search->closed = true;
		return -ENOENT;
	}
	return must_wait(entry, ask) ? -EAGAIN : 0;
}

static int try_codec(struct search *search, const struct registry *registry,
	const struct placement_ask *ask, uint32_t codec)
{
	struct vencd_params one = *ask->request;
	struct placement_ask narrowed = *ask;

	memset(one.codecs, 0, sizeof(one.codecs));
	one.codecs[0] = codec;
	narrowed.request = &one;
	for (unsigned i = 0; i < registry->entries; i++) {
		const struct encoder_entry *entry = &registry->entry[i];
		int r;

		if (!backend_matches(entry->limits, one.backend) ||
			(entry->limits->codec != 0 && entry->limits->codec != codec))
			continue;
		r = try_entry(search, entry, &narrowed, &search->placement->params);
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

	if (search->unsupported && !search->closed)
		return PLACEMENT_REFUSED;
	memset(&p->refusal, 0, sizeof(p->refusal));
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

enum placement_result placement_choose(
	const struct registry *registry, const struct placement_ask *ask, struct placement *ret)
{
	const struct vencd_params *request = ask->request;
	struct search search = {.placement = ret};

	memset(ret, 0, sizeof(*ret));
	ret->error = WIRE_ERROR_UNSUPPORTED;
	for (unsigned i = 0; i < VENCD_MAX_CODECS && request->codecs[i]; i++) {
		int r = try_codec(&search, registry, ask, request->codecs[i]);

		if (r == -EAGAIN)
			return PLACEMENT_WAIT;
		if (r == -EINVAL) {
			ret->error = WIRE_ERROR_INVALID;
			return PLACEMENT_REFUSED;
		}
		if (r < 0)
			continue;
		ret->params.threads = ask->threads;
		snprintf(ret->why.picked, sizeof(ret->why.picked), "%s %s encoder for %s",
			i ? "first usable" : "preferred",
			vencd_backend_name(ret->encoder->limits->backend),
			vencd_codec_name(request->codecs[i]));
		return PLACEMENT_FOUND;
	}
	return refuse(&search, request);
}

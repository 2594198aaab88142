// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Placement. Every candidate that was passed over leaves its reason, for the report or for the
 * refusal. The null encoder is a candidate only where the request names its backend.
 *
 * Of the GPUs that can do it, the one with the least load is taken: what its attempts ask for, in
 * pixels a second, against what it did in its probe. All encoders of a GPU count, since they share
 * its engine. One that has failed at work comes after all that have not. One that is not known yet
 * is waited for only where no other GPU can do it.
 */

#include "daemon/placement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/leak.h"
#include "daemon/supervisor.h"

/* Where a probe has measured nothing: 1920x1080 at 60 frames a second, which any of them does. */
#define PIXEL_RATE_ASSUMED (UINT64_C(1920) * 1080 * 60)

struct search {
	struct placement *placement;
	unsigned rejected, devices; /* devices that could do it */
	bool unsupported;           /* placement->refusal holds a candidate's own refusal */
	bool demoted;               /* a candidate may have less to do, but has failed at work */
	bool closed; /* a candidate could do it, but takes no work, or none of this uid's */
};

static bool backend_matches(enum vencd_backend backend, uint32_t asked)
{
	if (asked == 0 || asked == VENCD_BACKEND_ANY) /* 0: the default */
		return backend != VENCD_BACKEND_NULL;
	return backend == asked;
}

static void reject(struct search *search, const struct encoder_entry *entry, const char *why)
{
	if (search->rejected < REPORT_REJECTED_MAX)
		snprintf(search->placement->why.rejected[search->rejected],
			sizeof(search->placement->why.rejected[0]), "%.46s: %.111s", entry->name,
			why);
	search->rejected++;
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

/* Returns 0 if it can, -EAGAIN to wait for it, -ENOENT to go on, -EINVAL to stop. */
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
	if (!must_wait(entry, ask))
		return 0;
	if (!ask->waited)
		return -EAGAIN;
	reject(search, entry, "its probe has not ended within ProbeWait");
	search->closed = true;
	return -ENOENT;
}

uint64_t placement_rate(const struct encoder_entry *entry)
{
	return entry->pixel_rate ? entry->pixel_rate : PIXEL_RATE_ASSUMED;
}

/* In thousandths of what the device can do. */
static uint64_t load_of(const struct encoder_entry *entry)
{
	const struct registry *registry = entry->registry;
	uint64_t load = 0;

	for (unsigned i = 0; i < registry->entries; i++) {
		const struct encoder_entry *e = &registry->entry[i];

		if (e->gpu == entry->gpu && e->limits->backend == entry->limits->backend)
			load += (uint64_t)((unsigned __int128)e->pixels_used * 1000 /
				placement_rate(e));
	}
	return load;
}

/* One class of encoders for one codec: what was found there so far. */
struct choice {
	const struct encoder_entry *best;
	struct encoder_params params;
	uint64_t usable, open; /* bits of entries that could do it, and that nobody knows of yet */
	unsigned devices;
};

_Static_assert(REGISTRY_MAX <= 64, "an entry is a bit");

/* Whether it comes after the other, which was found first. */
static bool comes_after(const struct encoder_entry *entry, const struct encoder_entry *other)
{
	if (!entry->gpu || entry->demoted != other->demoted)
		return !entry->gpu || entry->demoted;
	return load_of(entry) >= load_of(other);
}

static void take(struct choice *choice, const struct encoder_entry *entry,
	const struct encoder_params *params)
{
	choice->usable |= UINT64_C(1) << registry_index(entry);
	choice->devices++;
	if (choice->best && comes_after(entry, choice->best))
		return;
	choice->best = entry;
	choice->params = *params;
}

/* Why not the others. */
static void reject_others(struct search *search, const struct choice *choice)
{
	const struct registry *registry = choice->best->registry;

	for (unsigned i = 0; i < registry->entries; i++) {
		const struct encoder_entry *entry = &registry->entry[i];
		char why[128];

		if (entry == choice->best)
			continue;
		if (choice->open >> i & 1)
			reject(search, entry, "its probe has not ended");
		if (!(choice->usable >> i & 1))
			continue;
		snprintf(why, sizeof(why), "load %llu.%llu %%%s",
			(unsigned long long)load_of(entry) / 10,
			(unsigned long long)load_of(entry) % 10,
			entry->demoted ? ", and it has failed at work (demoted)" : "");
		search->demoted = search->demoted || entry->demoted;
		reject(search, entry, entry->gpu ? why : "comes after it");
	}
}

/* Returns as try_entry() does. */
static int try_class(struct search *search, const struct registry *registry,
	const struct placement_ask *ask, uint32_t backend)
{
	struct choice choice = {0};
	struct encoder_params params;

	for (unsigned i = 0; i < registry->entries; i++) {
		const struct encoder_entry *entry = &registry->entry[i];
		const struct encoder_limits *limits = entry->limits;
		int r;

		if (limits->backend != backend ||
			(limits->codec != 0 && limits->codec != ask->request->codecs[0]))
			continue;
		r = try_entry(search, entry, ask, &params);
		if (r == -EINVAL)
			return r;
		if (r == -EAGAIN)
			choice.open |= UINT64_C(1) << i;
		if (r == 0)
			take(&choice, entry, &params);
	}
	if (!choice.best)
		return choice.open ? -EAGAIN : -ENOENT;
	reject_others(search, &choice);
	search->placement->encoder = choice.best;
	search->placement->params = choice.params;
	search->devices = choice.devices;
	return 0;
}

static int try_codec(struct search *search, const struct registry *registry,
	const struct placement_ask *ask, uint32_t codec)
{
	static const enum vencd_backend classes[] = {
		VENCD_BACKEND_HARDWARE, VENCD_BACKEND_SOFTWARE, VENCD_BACKEND_NULL};
	struct vencd_params one = *ask->request;
	struct placement_ask narrowed = *ask;
	int r = -ENOENT;

	memset(one.codecs, 0, sizeof(one.codecs));
	one.codecs[0] = codec;
	narrowed.request = &one;
	for (size_t i = 0; r == -ENOENT && i < sizeof(classes) / sizeof(classes[0]); i++)
		if (backend_matches(classes[i], one.backend))
			r = try_class(search, registry, &narrowed, classes[i]);
	return r;
}

/* Why there is no row at all. */
static const char *say_none(const struct registry *registry, uint32_t backend)
{
	if (backend == VENCD_BACKEND_NULL)
		return "null (NullEncoder=no)";
	if (backend != VENCD_BACKEND_HARDWARE)
		return "usable";
	if (!registry->supervisor->config.hardware)
		return "hardware (Hardware=no)";
	return registry->gpus ? "hardware" : "hardware (the daemon sees no GPU)";
}

#define MORE_MAX 16u /* "; and 48 more" */

/* As many reasons as there is room for, the first one in any case, and how many more there are. */
static void list_rejected(const struct search *search, char *ret, size_t size)
{
	const struct placement *p = search->placement;
	size_t n = 0;
	unsigned i;

	for (i = 0; i < search->rejected && i < REPORT_REJECTED_MAX; i++) {
		if (i > 0 && n + strlen("; ") + strlen(p->why.rejected[i]) + MORE_MAX >= size)
			break;
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? "; " : "", p->why.rejected[i]);
	}
	if (i < search->rejected && n < size)
		snprintf(ret + n, size - n, "; and %u more", search->rejected - i);
}

static bool is_asked(const struct vencd_params *request, uint32_t codec)
{
	for (unsigned i = 0; i < VENCD_MAX_CODECS; i++)
		if (request->codecs[i] == codec)
			return true;
	return false;
}

/* Other codecs for which an encoder takes work, of the backends that were asked for. */
static void list_codecs(
	const struct registry *registry, const struct vencd_params *request, char *ret, size_t size)
{
	uint32_t listed = 0;
	size_t n = 0;

	for (unsigned i = 0; i < registry->entries && n < size; i++) {
		const struct encoder_entry *entry = &registry->entry[i];
		uint32_t codec = entry->limits->codec;

		if (!codec || listed & 1u << codec || is_asked(request, codec) ||
			!backend_matches(entry->limits->backend, request->backend) ||
			!device_state_is_usable(entry->row.state))
			continue;
		n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? ", " : "",
			vencd_codec_name((enum vencd_codec)codec));
		listed |= 1u << codec;
	}
}

static enum placement_result refuse(const struct search *search, const struct registry *registry,
	const struct vencd_params *request)
{
	struct placement *p = search->placement;
	char codecs[64] = "";

	if (search->unsupported && !search->closed)
		return PLACEMENT_REFUSED;
	memset(&p->refusal, 0, sizeof(p->refusal));
	p->error = WIRE_ERROR_NO_ENCODER;
	snprintf(p->refusal.parameter, sizeof(p->refusal.parameter), "codecs");
	list_rejected(search, p->refusal.reason, sizeof(p->refusal.reason));
	if (!search->rejected)
		snprintf(p->refusal.reason, sizeof(p->refusal.reason),
			"this host has no %s encoder for the codecs asked for",
			say_none(registry, request->backend));
	list_codecs(registry, request, codecs, sizeof(codecs));
	snprintf(p->refusal.advice, sizeof(p->refusal.advice),
		"see `vencctl devices` for what there is; allow more codecs%s%s%s or another "
		"backend",
		*codecs ? " (" : "", codecs, *codecs ? ")" : "");
	return PLACEMENT_REFUSED;
}

static void say_picked(const struct search *search, uint32_t codec, bool later)
{
	struct placement *p = search->placement;
	char load[64] = "";

	if (p->encoder->gpu)
		snprintf(load, sizeof(load), ", %sload %llu.%llu %%",
			search->devices > 1 && !search->demoted ? "least busy GPU, " : "",
			(unsigned long long)load_of(p->encoder) / 10,
			(unsigned long long)load_of(p->encoder) % 10);
	snprintf(p->why.picked, sizeof(p->why.picked), "%s %s encoder for %s%s",
		later ? "first usable" : "preferred",
		vencd_backend_name(p->encoder->limits->backend), vencd_codec_name(codec), load);
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
		say_picked(&search, request->codecs[i], i > 0);
		return PLACEMENT_FOUND;
	}
	return refuse(&search, registry, request);
}

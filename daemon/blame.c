// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Blame: see blame.h for the policy. Invariants:
 *
 * - no strike and no quarantine without a probe that began after the accusation: what comes while a
 *   probe runs waits for the next one, so there is one probe at a time and encoder
 * - what a uid does costs another uid nothing, unless the probe fails or strikes of enough uids
 *   come together; a pair of hostile uids is enough for that, by the design: what two that have
 *   nothing in common wedge is taken for a device that is wedged
 * - a quarantine forgives no strike, else a second uid could give the first its access back; but
 *   strikes from before it are not counted for the next one
 * - the table is bounded: of a uid that has BLAME_STRIKES_KEPT_USER its oldest goes, and of a full
 *   table the oldest of the uid that has most, so that nobody is forgotten because of another.
 *   Losses are kept in the newest of a uid's strikes, which go last
 *
 * It does not know what a probe is, and says nothing about work that runs already: that goes on.
 */

#include "daemon/blame.h"

#include <stdio.h>
#include <string.h>

/* Shapes: fields of a word. */

enum field {
	FIELD_CODEC,
	FIELD_FORMAT,
	FIELD_SIZE,
	FIELD_LATENCY,
	FIELD_RATE,
	FIELD_B_FRAMES,
};

#define FIELD_BITS 4u
#define FIELD_MASK 15u

static const struct {
	uint64_t pixels;
	const char *text;
} sizes[] = {
	{640 * 480, "to 640x480"},
	{1280 * 720, "to 1280x720"},
	{1920 * 1088, "to 1920x1088"},
	{4096 * 2304, "to 4096x2304"},
	{UINT64_MAX, "above 4096x2304"},
};

static uint32_t size_class(uint64_t pixels)
{
	uint32_t i = 0;

	while (pixels > sizes[i].pixels)
		i++;
	return i;
}

static uint32_t put(enum field field, uint32_t value)
{
	return (value & FIELD_MASK) << (field * FIELD_BITS);
}

static uint32_t get(blame_shape shape, enum field field)
{
	return shape >> (field * FIELD_BITS) & FIELD_MASK;
}

blame_shape blame_shape_of(const struct encoder_params *params)
{
	const struct vencd_params *p = &params->request;

	return put(FIELD_CODEC, p->codecs[0]) | put(FIELD_FORMAT, p->format) |
		put(FIELD_SIZE, size_class((uint64_t)p->width * p->height)) |
		put(FIELD_LATENCY, p->latency) | put(FIELD_RATE, p->rate_control) |
		put(FIELD_B_FRAMES, p->b_frames > 0);
}

static const char *word(const char *name)
{
	return name ? name : "?";
}

const char *blame_shape_text(blame_shape shape, char text[static BLAME_SHAPE_TEXT])
{
	uint32_t size = get(shape, FIELD_SIZE);

	snprintf(text, BLAME_SHAPE_TEXT, "%s %s %s, %s, %s%s",
		word(vencd_codec_name(get(shape, FIELD_CODEC))),
		word(vencd_pixel_format_name(get(shape, FIELD_FORMAT))),
		size < sizeof(sizes) / sizeof(sizes[0]) ? sizes[size].text : "?",
		word(vencd_latency_name(get(shape, FIELD_LATENCY))),
		word(vencd_rate_control_name(get(shape, FIELD_RATE))),
		get(shape, FIELD_B_FRAMES) ? ", B frames" : "");
	return text;
}

/* The table of strikes. */

static bool counts(const struct blame *blame, const struct blame_strike *s, uint64_t now)
{
	return now - s->at_ns < blame->policy.window_ns;
}

static bool is_lost(const struct blame_strike *s, uint64_t now)
{
	return s->loss != BLAME_LOSS_NONE && now < s->until_ns;
}

static void drop_strike(struct blame *blame, unsigned i)
{
	memmove(&blame->strike[i], &blame->strike[i + 1],
		(--blame->strikes - i) * sizeof(blame->strike[0]));
}

static void forget_old(struct blame *blame, uint64_t now)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < blame->strikes; i++) {
		const struct blame_strike *s = &blame->strike[i];

		if (counts(blame, s, now) || is_lost(s, now))
			blame->strike[kept++] = *s;
	}
	blame->strikes = kept;
}

static unsigned kept_of(const struct blame *blame, uint32_t uid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < blame->strikes; i++)
		n += blame->strike[i].uid == uid;
	return n;
}

static void drop_oldest_of(struct blame *blame, uint32_t uid)
{
	for (unsigned i = 0; i < blame->strikes; i++)
		if (blame->strike[i].uid == uid) {
			drop_strike(blame, i);
			return;
		}
}

/* Of several with as many strikes, the one whose strike is the oldest of all. */
static uint32_t user_with_most(const struct blame *blame)
{
	uint32_t uid = blame->strike[0].uid;
	unsigned most = 0;

	for (unsigned i = 0; i < blame->strikes; i++) {
		unsigned n = kept_of(blame, blame->strike[i].uid);

		if (n > most) {
			most = n;
			uid = blame->strike[i].uid;
		}
	}
	return uid;
}

static void make_room(struct blame *blame, uint32_t uid, uint64_t now)
{
	forget_old(blame, now);
	if (kept_of(blame, uid) >= BLAME_STRIKES_KEPT_USER)
		drop_oldest_of(blame, uid);
	if (blame->strikes == BLAME_STRIKES_KEPT)
		drop_oldest_of(blame, user_with_most(blame));
}

/* Strikes of one uid on one encoder that count now; any_shape: of whatever shape. */
static uint32_t count(const struct blame *blame, unsigned encoder, struct blame_accused who,
	bool any_shape, uint64_t now)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < blame->strikes; i++) {
		const struct blame_strike *s = &blame->strike[i];

		n += s->uid == who.uid && s->encoder == encoder && counts(blame, s, now) &&
			(any_shape || s->shape == who.shape);
	}
	return n;
}

static enum blame_loss loss_with(
	const struct blame *blame, unsigned encoder, struct blame_accused who, uint64_t now)
{
	const struct blame_policy *p = &blame->policy;

	if (p->strikes_per_encoder &&
		count(blame, encoder, who, true, now) >= p->strikes_per_encoder)
		return BLAME_LOSS_ENCODER;
	if (p->strikes_max && count(blame, encoder, who, false, now) >= p->strikes_max)
		return BLAME_LOSS_SHAPE;
	return BLAME_LOSS_NONE;
}

static void strike(struct blame *blame, unsigned encoder, struct blame_accused who, uint64_t now)
{
	struct blame_strike *s;

	make_room(blame, who.uid, now);
	s = &blame->strike[blame->strikes++];
	*s = (struct blame_strike){
		.at_ns = now, .uid = who.uid, .encoder = encoder, .shape = who.shape};
	s->loss = loss_with(blame, encoder, who, now);
	if (s->loss != BLAME_LOSS_NONE)
		s->until_ns = now + blame->policy.time_ns;
}

uint32_t blame_strikes(const struct blame *blame, uint32_t uid, uint64_t now_ns)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < blame->strikes; i++)
		n += blame->strike[i].uid == uid && counts(blame, &blame->strike[i], now_ns);
	return n;
}

/* Whether a strike counts for a quarantine of its encoder. */
static bool speaks_against(
	const struct blame *blame, unsigned encoder, const struct blame_strike *s, uint64_t now)
{
	const struct blame_device *d = &blame->device[encoder];

	return s->encoder == encoder && counts(blame, s, now) &&
		(d->backoff_ns == 0 || s->at_ns > d->since_ns);
}

uint32_t blame_users(const struct blame *blame, unsigned encoder, uint64_t now_ns)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < blame->strikes; i++) {
		bool seen = !speaks_against(blame, encoder, &blame->strike[i], now_ns);

		for (unsigned j = 0; j < i && !seen; j++)
			seen = blame->strike[j].uid == blame->strike[i].uid &&
				speaks_against(blame, encoder, &blame->strike[j], now_ns);
		n += !seen;
	}
	return n;
}

bool blame_allows(const struct blame *blame, unsigned encoder, struct blame_accused who,
	uint64_t now_ns, struct blame_denial *ret)
{
	*ret = (struct blame_denial){.loss = BLAME_LOSS_NONE};
	for (unsigned i = 0; i < blame->strikes; i++) {
		const struct blame_strike *s = &blame->strike[i];

		if (s->uid != who.uid || s->encoder != encoder || !is_lost(s, now_ns) ||
			(s->loss == BLAME_LOSS_SHAPE && s->shape != who.shape))
			continue;
		if (s->loss > ret->loss)
			ret->loss = s->loss;
		if (s->until_ns > ret->until_ns)
			ret->until_ns = s->until_ns;
	}
	ret->strikes = count(blame, encoder, who, ret->loss == BLAME_LOSS_ENCODER, now_ns);
	return ret->loss == BLAME_LOSS_NONE;
}

/* Accusation and verdict. */

bool blame_accuse(struct blame *blame, unsigned encoder, uint32_t uid, blame_shape shape)
{
	struct blame_device *d = &blame->device[encoder];

	if (d->state == BLAME_QUARANTINED || d->n_waiting == BLAME_ACCUSED_MAX)
		return false;
	d->waiting[d->n_waiting++] = (struct blame_accused){uid, shape};
	return true;
}

static bool is_among(const struct blame_accused *list, unsigned n, uint32_t uid)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].uid == uid)
			return true;
	return false;
}

bool blame_is_accused(const struct blame *blame, unsigned encoder, uint32_t uid)
{
	const struct blame_device *d = &blame->device[encoder];

	return is_among(d->waiting, d->n_waiting, uid) || is_among(d->tried, d->n_tried, uid);
}

unsigned blame_try(struct blame *blame, unsigned encoder)
{
	struct blame_device *d = &blame->device[encoder];

	if (d->state != BLAME_FREE || d->n_waiting == 0)
		return 0;
	memcpy(d->tried, d->waiting, d->n_waiting * sizeof(d->tried[0]));
	d->n_tried = d->n_waiting;
	d->n_waiting = 0;
	d->state = BLAME_TRYING;
	return d->n_tried;
}

/* Twice the last one, unless the encoder was fine for the longest back-off in between. */
static uint64_t next_backoff(const struct blame *blame, const struct blame_device *d, uint64_t now)
{
	const struct blame_policy *p = &blame->policy;
	bool again = d->state == BLAME_QUARANTINED ||
		(d->backoff_ns && now - d->freed_ns < p->quarantine_max_ns);

	if (!again)
		return p->quarantine_min_ns;
	return d->backoff_ns < p->quarantine_max_ns / 2 ? d->backoff_ns * 2 : p->quarantine_max_ns;
}

void blame_quarantine(struct blame *blame, unsigned encoder, uint64_t now_ns)
{
	struct blame_device *d = &blame->device[encoder];

	d->backoff_ns = next_backoff(blame, d, now_ns);
	if (d->state != BLAME_QUARANTINED)
		d->since_ns = now_ns;
	d->state = BLAME_QUARANTINED;
	d->parole_ns = now_ns + d->backoff_ns;
	d->n_waiting = d->n_tried = 0;
}

enum blame_verdict blame_judge(
	struct blame *blame, unsigned encoder, enum blame_proof proof, uint64_t now_ns)
{
	struct blame_device *d = &blame->device[encoder];
	uint32_t enough = blame->policy.quarantine_users;
	unsigned tried = d->n_tried;

	d->state = BLAME_FREE;
	d->n_tried = 0;
	if (proof == BLAME_FAILED) {
		blame_quarantine(blame, encoder, now_ns);
		return BLAME_QUARANTINE_PROBE;
	}
	if (proof == BLAME_UNSETTLED || tried == 0)
		return BLAME_ACQUITTED;
	for (unsigned i = 0; i < tried; i++)
		strike(blame, encoder, d->tried[i], now_ns);
	if (!enough || blame_users(blame, encoder, now_ns) < enough)
		return BLAME_STRUCK;
	blame_quarantine(blame, encoder, now_ns);
	return BLAME_QUARANTINE_USERS;
}

void blame_parole(struct blame *blame, unsigned encoder, enum blame_proof proof, uint64_t now_ns)
{
	struct blame_device *d = &blame->device[encoder];

	if (proof != BLAME_PASSED) {
		blame_quarantine(blame, encoder, now_ns);
		return;
	}
	d->state = BLAME_FREE;
	d->freed_ns = now_ns;
	/* What came before the end of the quarantine is settled by it. */
	d->since_ns = now_ns;
}

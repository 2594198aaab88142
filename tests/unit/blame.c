// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The policy of blame with a clock of the test's own: what costs a strike, what strikes cost, what
 * a quarantine is, what is forgotten, and what holds after any sequence of events.
 */

#include "daemon/blame.h"

#include <string.h>

#include "tests/unit/check.h"

#define SECOND UINT64_C(1000000000)
#define WINDOW (600 * SECOND)
#define TIME (300 * SECOND)
#define BACK_MIN (30 * SECOND)
#define BACK_MAX (200 * SECOND)

enum {
	ALICE = 1000,
	BOB,
	CAROL,
	GPU = 3, /* encoders */
	OTHER = 5,
};

static struct blame b;
static uint64_t now;

static void begin(void)
{
	memset(&b, 0, sizeof(b));
	b.policy = (struct blame_policy){.strikes_max = 3,
		.strikes_per_encoder = 5,
		.quarantine_users = 2,
		.window_ns = WINDOW,
		.time_ns = TIME,
		.quarantine_min_ns = BACK_MIN,
		.quarantine_max_ns = BACK_MAX};
	now = 1000 * SECOND;
}

/* A failure, and a probe that ends like that, a second later. */
static enum blame_verdict fail(
	unsigned encoder, uint32_t uid, blame_shape shape, enum blame_proof proof)
{
	CHECK(blame_accuse(&b, encoder, uid, shape));
	CHECK(blame_is_accused(&b, encoder, uid));
	CHECK_EQUAL(blame_try(&b, encoder), 1);
	now += SECOND;
	return blame_judge(&b, encoder, proof, now);
}

static bool allowed(unsigned encoder, uint32_t uid, blame_shape shape)
{
	struct blame_denial denial;

	return blame_allows(&b, encoder, (struct blame_accused){uid, shape}, now, &denial);
}

static struct blame_denial denial_of(unsigned encoder, uint32_t uid, blame_shape shape)
{
	struct blame_denial denial;

	CHECK(!blame_allows(&b, encoder, (struct blame_accused){uid, shape}, now, &denial));
	return denial;
}

static void test_shape_is_lost_first(void)
{
	struct blame_denial denial;

	begin();
	for (unsigned i = 0; i < 3; i++) {
		CHECK(allowed(GPU, ALICE, 7));
		CHECK_EQUAL(fail(GPU, ALICE, 7, BLAME_PASSED), BLAME_STRUCK);
		CHECK_EQUAL(blame_strikes(&b, ALICE, now), i + 1);
	}
	denial = denial_of(GPU, ALICE, 7);
	CHECK_EQUAL(denial.loss, BLAME_LOSS_SHAPE);
	CHECK_EQUAL(denial.strikes, 3);
	CHECK_EQUAL(denial.until_ns, now + TIME);
	/* And nothing else is: another shape, another encoder, another uid. */
	CHECK(allowed(GPU, ALICE, 8));
	CHECK(allowed(OTHER, ALICE, 7));
	CHECK(allowed(GPU, BOB, 7));
	CHECK_EQUAL(b.device[GPU].state, BLAME_FREE);
}

static void test_then_the_encoder(void)
{
	begin();
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQUAL(fail(GPU, ALICE, i, BLAME_PASSED), BLAME_STRUCK);
		CHECK(allowed(GPU, ALICE, 9) && allowed(GPU, ALICE, i));
	}
	CHECK_EQUAL(fail(GPU, ALICE, 4, BLAME_PASSED), BLAME_STRUCK);
	CHECK_EQUAL(denial_of(GPU, ALICE, 9).loss, BLAME_LOSS_ENCODER);
	CHECK_EQUAL(denial_of(GPU, ALICE, 9).strikes, 5);
	CHECK(allowed(OTHER, ALICE, 9));
	CHECK(allowed(GPU, BOB, 9));
}

/* Strikes on one encoder do not count on another. */
static void test_encoders_are_apart(void)
{
	begin();
	for (unsigned i = 0; i < 2; i++) {
		fail(GPU, ALICE, 7, BLAME_PASSED);
		fail(OTHER, ALICE, 7, BLAME_PASSED);
		fail(OTHER, ALICE, 8, BLAME_PASSED);
	}
	CHECK(allowed(GPU, ALICE, 7) && allowed(OTHER, ALICE, 7) && allowed(OTHER, ALICE, 8));
	CHECK_EQUAL(blame_strikes(&b, ALICE, now), 6);
	fail(GPU, ALICE, 7, BLAME_PASSED);
	CHECK_EQUAL(denial_of(GPU, ALICE, 7).strikes, 3);
	CHECK(allowed(OTHER, ALICE, 7));
}

static void test_time(void)
{
	begin();
	for (unsigned i = 0; i < 3; i++)
		fail(GPU, ALICE, 7, BLAME_PASSED);
	now += TIME - 1;
	CHECK(!allowed(GPU, ALICE, 7));
	now += 1;
	CHECK(allowed(GPU, ALICE, 7));
	/* Its strikes still count: one more costs the shape again. */
	fail(GPU, ALICE, 7, BLAME_PASSED);
	CHECK_EQUAL(denial_of(GPU, ALICE, 7).strikes, 4);
	now += WINDOW;
	CHECK(allowed(GPU, ALICE, 7));
	CHECK_EQUAL(blame_strikes(&b, ALICE, now), 0);
	fail(GPU, ALICE, 7, BLAME_PASSED);
	CHECK(allowed(GPU, ALICE, 7));
}

/* Strikes that are further apart than the window never come together. */
static void test_window(void)
{
	begin();
	for (unsigned i = 0; i < 20; i++) {
		CHECK_EQUAL(fail(GPU, ALICE, 7, BLAME_PASSED), BLAME_STRUCK);
		now += WINDOW / 2;
		CHECK(allowed(GPU, ALICE, 7));
	}
	CHECK(b.strikes <= 3);
}

static void test_no_strike_without_a_probe(void)
{
	begin();
	CHECK_EQUAL(blame_try(&b, GPU), 0);
	CHECK_EQUAL(fail(GPU, ALICE, 7, BLAME_UNSETTLED), BLAME_ACQUITTED);
	CHECK_EQUAL(b.strikes, 0);
	CHECK(!blame_is_accused(&b, GPU, ALICE));
	/* What comes while a probe runs is for the next one. */
	CHECK(blame_accuse(&b, GPU, ALICE, 7));
	CHECK_EQUAL(blame_try(&b, GPU), 1);
	CHECK(blame_accuse(&b, GPU, ALICE, 7));
	CHECK(blame_accuse(&b, GPU, ALICE, 8));
	CHECK_EQUAL(blame_try(&b, GPU), 0);
	CHECK_EQUAL(blame_judge(&b, GPU, BLAME_PASSED, now), BLAME_STRUCK);
	CHECK_EQUAL(b.strikes, 1);
	CHECK(blame_is_accused(&b, GPU, ALICE));
	CHECK(!blame_is_accused(&b, GPU, BOB));
	CHECK(!blame_is_accused(&b, OTHER, ALICE));
	CHECK_EQUAL(blame_try(&b, GPU), 2);
	CHECK_EQUAL(blame_judge(&b, GPU, BLAME_PASSED, now), BLAME_STRUCK);
	CHECK_EQUAL(b.strikes, 3);
	CHECK(!blame_is_accused(&b, GPU, ALICE));
}

static void test_failed_probe(void)
{
	begin();
	CHECK_EQUAL(fail(GPU, ALICE, 7, BLAME_FAILED), BLAME_QUARANTINE_PROBE);
	CHECK_EQUAL(b.strikes, 0);
	CHECK_EQUAL(b.device[GPU].state, BLAME_QUARANTINED);
	CHECK_EQUAL(b.device[GPU].parole_ns, now + BACK_MIN);
	CHECK_EQUAL(b.device[OTHER].state, BLAME_FREE);
	/* It is judged: nobody is accused of what it does now. */
	CHECK(!blame_accuse(&b, GPU, BOB, 7));
	CHECK_EQUAL(blame_try(&b, GPU), 0);
}

static void test_two_users(void)
{
	begin();
	CHECK_EQUAL(fail(GPU, ALICE, 7, BLAME_PASSED), BLAME_STRUCK);
	CHECK_EQUAL(fail(OTHER, BOB, 7, BLAME_PASSED), BLAME_STRUCK);
	CHECK_EQUAL(blame_users(&b, GPU, now), 1);
	CHECK_EQUAL(fail(GPU, BOB, 9, BLAME_PASSED), BLAME_QUARANTINE_USERS);
	CHECK_EQUAL(b.device[GPU].state, BLAME_QUARANTINED);
	CHECK_EQUAL(b.device[OTHER].state, BLAME_FREE);
	/* Settled by the parole: the next one begins to count anew. */
	now += BACK_MIN;
	blame_parole(&b, GPU, BLAME_PASSED, now);
	CHECK_EQUAL(b.device[GPU].state, BLAME_FREE);
	CHECK_EQUAL(fail(GPU, BOB, 9, BLAME_PASSED), BLAME_STRUCK);
	CHECK_EQUAL(fail(GPU, CAROL, 9, BLAME_PASSED), BLAME_QUARANTINE_USERS);
}

/* In one batch, of one probe, they are two as well. */
static void test_two_users_at_once(void)
{
	begin();
	CHECK(blame_accuse(&b, GPU, ALICE, 7) && blame_accuse(&b, GPU, BOB, 7));
	CHECK_EQUAL(blame_try(&b, GPU), 2);
	CHECK_EQUAL(blame_judge(&b, GPU, BLAME_PASSED, now), BLAME_QUARANTINE_USERS);
	begin();
	fail(GPU, ALICE, 7, BLAME_PASSED);
	now += WINDOW;
	CHECK_EQUAL(fail(GPU, BOB, 7, BLAME_PASSED), BLAME_STRUCK);
}

/* A second uid's strike does not give the first its access back. */
static void test_quarantine_forgives_nothing(void)
{
	begin();
	for (unsigned i = 0; i < 3; i++)
		fail(GPU, ALICE, 7, BLAME_PASSED);
	CHECK_EQUAL(fail(GPU, BOB, 7, BLAME_PASSED), BLAME_QUARANTINE_USERS);
	now += BACK_MIN;
	blame_parole(&b, GPU, BLAME_PASSED, now);
	CHECK(!allowed(GPU, ALICE, 7));
	CHECK(allowed(GPU, BOB, 7));
}

static void test_backoff(void)
{
	static const uint64_t expected[] = {
		BACK_MIN, 2 * BACK_MIN, 4 * BACK_MIN, BACK_MAX, BACK_MAX};

	begin();
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		if (i == 0)
			fail(GPU, ALICE, 7, BLAME_FAILED);
		else
			blame_parole(&b, GPU, i % 2 ? BLAME_FAILED : BLAME_UNSETTLED, now);
		CHECK_EQUAL(b.device[GPU].backoff_ns, expected[i]);
		CHECK_EQUAL(b.device[GPU].parole_ns, now + expected[i]);
		now = b.device[GPU].parole_ns;
	}
	blame_parole(&b, GPU, BLAME_PASSED, now);
	/* Soon after, it goes on where it was; after a good time at the beginning. */
	now += BACK_MAX - 2 * SECOND;
	fail(GPU, ALICE, 7, BLAME_FAILED);
	CHECK_EQUAL(b.device[GPU].backoff_ns, BACK_MAX);
	blame_parole(&b, GPU, BLAME_PASSED, now);
	now += BACK_MAX;
	fail(GPU, ALICE, 7, BLAME_FAILED);
	CHECK_EQUAL(b.device[GPU].backoff_ns, BACK_MIN);
}

static void test_never(void)
{
	begin();
	b.policy.strikes_max = b.policy.strikes_per_encoder = b.policy.quarantine_users = 0;
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQUAL(fail(GPU, ALICE + i % 7, 7, BLAME_PASSED), BLAME_STRUCK);
	CHECK(allowed(GPU, ALICE, 7));
	CHECK_EQUAL(fail(GPU, ALICE, 7, BLAME_FAILED), BLAME_QUARANTINE_PROBE);
}

static void test_accused_are_bounded(void)
{
	begin();
	for (unsigned i = 0; i < BLAME_ACCUSED_MAX; i++)
		CHECK(blame_accuse(&b, GPU, ALICE, i % 16));
	CHECK(!blame_accuse(&b, GPU, BOB, 1));
	CHECK(blame_accuse(&b, OTHER, BOB, 1));
	CHECK_EQUAL(blame_try(&b, GPU), BLAME_ACCUSED_MAX);
	CHECK(blame_accuse(&b, GPU, BOB, 1));
}

/* Who has most pays for a full table: a single strike of another uid is kept. */
static void test_strikes_are_bounded(void)
{
	begin();
	b.policy.quarantine_users = 0;
	fail(GPU, BOB, 7, BLAME_PASSED);
	for (unsigned uid = 0; uid < 40; uid++)
		for (unsigned i = 0; i < BLAME_STRIKES_KEPT_USER + 5; i++) {
			CHECK(blame_accuse(&b, GPU, 5000 + uid, i % 16));
			blame_try(&b, GPU);
			blame_judge(&b, GPU, BLAME_PASSED, now);
			CHECK(blame_strikes(&b, 5000 + uid, now) <= BLAME_STRIKES_KEPT_USER);
			CHECK(b.strikes <= BLAME_STRIKES_KEPT);
		}
	CHECK_EQUAL(b.strikes, BLAME_STRIKES_KEPT);
	CHECK_EQUAL(blame_strikes(&b, BOB, now), 1);
	/* Forgetting the oldest does not give the encoder back. */
	for (unsigned uid = 0; uid < 40; uid++)
		CHECK(!allowed(GPU, 5000 + uid, 3));
}

static void test_shapes(void)
{
	struct encoder_params p = {.request = VENCD_PARAMS_INIT};
	char text[BLAME_SHAPE_TEXT];
	blame_shape shape;

	p.request.codecs[0] = VENCD_CODEC_HEVC;
	p.request.format = VENCD_FORMAT_NV12;
	p.request.width = 1280;
	p.request.height = 720;
	p.request.latency = VENCD_LATENCY_LIVE;
	p.request.rate_control = VENCD_RATE_CBR;
	p.request.b_frames = 0;
	shape = blame_shape_of(&p);
	CHECK(!strcmp(blame_shape_text(shape, text), "hevc nv12 to 1280x720, live, cbr"));
	p.request.width = 640;
	CHECK_EQUAL(blame_shape_of(&p), shape);
	p.request.bitrate = 1;
	p.request.speed = 3;
	CHECK_EQUAL(blame_shape_of(&p), shape);
	p.request.b_frames = 1;
	CHECK(blame_shape_of(&p) != shape);
	p.request.b_frames = 0;
	p.request.width = 1281;
	CHECK(!strcmp(
		blame_shape_text(blame_shape_of(&p), text), "hevc nv12 to 1920x1088, live, cbr"));
	p.request.width = p.request.height = 8192;
	CHECK(strstr(blame_shape_text(blame_shape_of(&p), text), "above 4096x2304"));
	blame_shape_text(UINT32_MAX, text);
}

/* Whatever happens, in whatever order. */

static uint32_t seed = 1;

static uint32_t next(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void check_invariants(void)
{
	CHECK(b.strikes <= BLAME_STRIKES_KEPT);
	for (unsigned i = 0; i < b.strikes; i++) {
		CHECK(i == 0 || b.strike[i].at_ns >= b.strike[i - 1].at_ns);
		CHECK(b.strike[i].at_ns <= now);
	}
	for (unsigned e = 0; e < BLAME_ENCODERS_MAX; e++) {
		const struct blame_device *d = &b.device[e];

		CHECK(d->n_waiting <= BLAME_ACCUSED_MAX && d->n_tried <= BLAME_ACCUSED_MAX);
		CHECK(d->state == BLAME_TRYING || d->n_tried == 0);
		if (d->state == BLAME_QUARANTINED) {
			CHECK(d->n_waiting == 0);
			CHECK(d->backoff_ns >= BACK_MIN && d->backoff_ns <= BACK_MAX);
		} else {
			/* Two uids would have put it there. */
			CHECK(blame_users(&b, e, now) < 2);
		}
	}
}

static void step(unsigned encoder)
{
	struct blame_device *d = &b.device[encoder];
	enum blame_proof proof = next(10) == 0 ? BLAME_FAILED
		: next(10) == 0                ? BLAME_UNSETTLED
					       : BLAME_PASSED;

	switch (d->state) {
	case BLAME_FREE:
		if (next(3) && !blame_accuse(&b, encoder, ALICE + next(3), next(4)))
			CHECK_EQUAL(d->n_waiting, BLAME_ACCUSED_MAX);
		if (next(4) == 0)
			blame_try(&b, encoder);
		break;
	case BLAME_TRYING:
		if (next(2))
			blame_accuse(&b, encoder, ALICE + next(3), next(4));
		else
			blame_judge(&b, encoder, proof, now);
		break;
	case BLAME_QUARANTINED:
		CHECK(!blame_accuse(&b, encoder, BOB, 1));
		if (now >= d->parole_ns)
			blame_parole(&b, encoder, proof, now);
		break;
	}
}

/* One uid alone, however it goes on, costs nobody else anything while probes pass. */
static void test_one_hostile_user(void)
{
	begin();
	for (unsigned i = 0; i < 20000; i++) {
		if (allowed(GPU, ALICE, next(16)))
			blame_accuse(&b, GPU, ALICE, next(16));
		if (blame_try(&b, GPU))
			CHECK_EQUAL(blame_judge(&b, GPU, BLAME_PASSED, now), BLAME_STRUCK);
		CHECK_EQUAL(b.device[GPU].state, BLAME_FREE);
		CHECK(allowed(GPU, BOB, next(16)));
		CHECK(blame_strikes(&b, ALICE, now) <= 2 * 5);
		now += SECOND * next(60);
	}
}

static void test_random(void)
{
	begin();
	for (unsigned i = 0; i < 50000; i++) {
		step(next(BLAME_ENCODERS_MAX));
		check_invariants();
		now += SECOND * next(5);
	}
}

int main(void)
{
	test_shape_is_lost_first();
	test_then_the_encoder();
	test_encoders_are_apart();
	test_time();
	test_window();
	test_no_strike_without_a_probe();
	test_failed_probe();
	test_two_users();
	test_two_users_at_once();
	test_quarantine_forgives_nothing();
	test_backoff();
	test_never();
	test_accused_are_bounded();
	test_strikes_are_bounded();
	test_shapes();
	test_one_hostile_user();
	test_random();
	return 0;
}

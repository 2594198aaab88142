// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Buckets give exactly their rate, meters show it, and the supervisor's pace finds nobody at fault
 * who keeps to a bucket of the same rate, and everybody soon who does not.
 */

#include <stdlib.h>

#include "daemon/pace.h"
#include "tests/unit/check.h"

#define SECOND UINT64_C(1000000000)

/* A taker that waits as it is told takes, over any long time, what the rate gives, and no more. */
static void check_rate(uint64_t rate, uint64_t frame)
{
	struct flow_bucket bucket;
	uint64_t now = 77, taken = 0, end;

	flow_bucket_init(&bucket, rate, SECOND, 0, (int64_t)rate, now);
	end = now + 1000 * SECOND;
	while (now < end) {
		uint64_t wait = flow_bucket_wait_ns(&bucket, now);

		now += wait;
		CHECK(flow_bucket_look(&bucket, now) > 0);
		CHECK(wait == 0 || bucket.tokens == 1 || rate > SECOND / 2);
		flow_bucket_take(&bucket, frame, now);
		taken += frame;
	}
	CHECK(taken >= rate * 1000 - rate && taken <= rate * 1000 + 2 * frame + rate);
}

static void check_bucket(void)
{
	struct flow_bucket bucket;

	flow_bucket_init(&bucket, 10, SECOND, 10, 10, 0);
	CHECK_EQUAL(flow_bucket_look(&bucket, 0), 10);
	CHECK_EQUAL(flow_bucket_look(&bucket, 1000 * SECOND), 10); /* kept up to its cap */
	flow_bucket_take(&bucket, 25, 1000 * SECOND);
	CHECK_EQUAL(flow_bucket_look(&bucket, 1000 * SECOND), -15);
	CHECK_EQUAL(flow_bucket_wait_ns(&bucket, 1000 * SECOND), 16 * SECOND / 10);
	CHECK_EQUAL(flow_bucket_look(&bucket, 1001 * SECOND), -5);
	/* Used while nobody looked: set against what came meanwhile. */
	flow_bucket_take(&bucket, 30, 1004 * SECOND);
	CHECK_EQUAL(flow_bucket_look(&bucket, 1004 * SECOND), -5);
	flow_bucket_set(&bucket, 1, 1, 1004 * SECOND);
	CHECK_EQUAL(flow_bucket_look(&bucket, 1005 * SECOND), -4);
	flow_bucket_take(&bucket, UINT64_MAX, 1005 * SECOND);
	flow_bucket_take(&bucket, UINT64_MAX, 1005 * SECOND);
	CHECK(flow_bucket_look(&bucket, 1005 * SECOND) < 0);
	flow_bucket_init(&bucket, 0, SECOND, 0, 0, 0);
	CHECK(flow_bucket_look(&bucket, 0) == INT64_MAX && flow_bucket_wait_ns(&bucket, 0) == 0);
}

static void check_meter(void)
{
	struct flow_meter meter = {.window_ns = 10 * SECOND};
	uint64_t now;

	for (now = 0; now < 50 * SECOND; now += SECOND / 10)
		flow_meter_add(&meter, 3, now);
	CHECK(flow_meter_read(&meter, now) >= 297 && flow_meter_read(&meter, now) <= 303);
	CHECK(flow_meter_read(&meter, now + 5 * SECOND) <= 153);
	CHECK_EQUAL(flow_meter_read(&meter, now + 30 * SECOND), 0);
}

static uint64_t up_to(uint64_t n)
{
	return (uint64_t)rand() % n;
}

/* A worker of random habits that keeps to its rate, through changes of it, is never at fault. */
static void check_honest(unsigned seed)
{
	struct flow_bucket worker;
	struct pace pace;
	uint64_t now = SECOND, frames = 0, pixels, rate, told = 0, told_ns = 0, next_look = 0;
	bool kept;

	srand(seed);
	pixels = 1 + up_to(1000000);
	rate = 1 + up_to(10000000);
	pace_init(&pace, rate, pixels, now);
	flow_bucket_init(&worker, rate, SECOND, 0, (int64_t)rate, now);
	for (unsigned i = 0; i < 5000; i++) {
		now += up_to(4) ? up_to(SECOND / 50) : up_to(3 * SECOND);
		if (told && now >= told_ns) { /* it hears of a new rate late */
			flow_bucket_set(&worker, told, (int64_t)told, now);
			told = 0;
		}
		for (; flow_bucket_wait_ns(&worker, now) == 0 && up_to(50); frames++)
			flow_bucket_take(&worker, pixels, now);
		if (now >= next_look) {
			next_look = now + up_to(2 * SECOND);
			(void)pace_look(&pace, frames, now, &kept);
			CHECK(kept);
		}
		if (!told && !pace.next_rate && up_to(100) == 0) {
			told = 1 + up_to(10000000);
			told_ns = now + up_to(2 * SECOND);
			pace_change(&pace, told, now, now + 2 * SECOND);
		}
	}
}

/* One that takes half as much again is found out in some seconds, and one that runs in one. */
static void check_dishonest(uint64_t percent, uint64_t within_ns)
{
	struct pace pace;
	uint64_t now = SECOND, frames = 0;
	bool kept = true;

	pace_init(&pace, 1000000, 1000, now);
	for (; kept && now < 100 * SECOND; now += SECOND / 10) {
		frames += percent;
		CHECK_EQUAL(pace_look(&pace, frames, now, &kept), percent);
	}
	CHECK(!kept && now <= SECOND + within_ns);
}

static void check_lies(void)
{
	struct pace pace;
	bool kept;

	pace_init(&pace, 1000000, 1000, 0);
	CHECK(pace_look(&pace, 10, 1, &kept) == 10 && kept);
	CHECK(pace_look(&pace, 3, 2, &kept) == 0 && kept);
	CHECK(pace_look(&pace, UINT64_MAX, 3, &kept) > 0 && !kept);
	pace_init(&pace, 0, 1000, 0); /* no limit */
	CHECK(pace_look(&pace, UINT64_MAX, 3, &kept) == UINT64_MAX && kept);
}

int main(void)
{
	check_bucket();
	check_rate(124416000, 1920 * 1080);
	check_rate(7, 3);
	check_rate(1, 4096);
	check_rate(1000000007, 999999937);
	check_meter();
	for (unsigned seed = 1; seed <= 200; seed++)
		check_honest(seed);
	check_dishonest(150, 6 * SECOND);
	check_dishonest(10000, SECOND);
	check_lies();
	return 0;
}

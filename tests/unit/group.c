// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What decides on packets before they count: closing of groups, frames in flight, the progress
 * rule. Decode orders are drawn at random as well, and compared with the plain definition of a
 * group.
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "daemon/worker/frames.h"
#include "daemon/worker/group.h"
#include "daemon/worker/stall.h"
#include "tests/unit/check.h"

/* --- groups --- */

static void check_order(uint32_t limit, const char *frames, const char *expected)
{
	struct group g = {.limit = limit};

	for (unsigned i = 0; frames[i]; i++) {
		static const char letters[] = {
			[GROUP_OPEN] = '.', [GROUP_CLOSED] = 'C', [GROUP_TOO_LONG] = '!'};

		CHECK_EQUAL(letters[group_add(&g, (uint64_t)(frames[i] - '0'))], expected[i]);
	}
}

static void check_groups(void)
{
	check_order(1, "0123", "CCCC");
	check_order(4, "0312465", "C..CC.C");
	check_order(3, "04213", "C...!"); /* four withheld when it would close */
	check_order(4, "04213", "C...C");
	check_order(2, "123", "..!"); /* the first frame does not come */
	check_order(9, "210", "..C");
}

/* A permutation whose displacement is bounded, as encoders make them. */
static void shuffle(unsigned *order, unsigned n, unsigned *seed)
{
	for (unsigned i = 0; i < n; i++)
		order[i] = i;
	for (unsigned i = 0; i + 1 < n; i++) {
		unsigned span = n - i < 4 ? n - i : 4, j = i + (unsigned)rand_r(seed) % span;
		unsigned swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

static void check_against_definition(unsigned seed)
{
	struct group g = {.limit = 64};
	unsigned order[64];
	uint64_t seen = 0;

	shuffle(order, 64, &seed);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t first = i == 63 ? UINT64_MAX : (UINT64_C(1) << (i + 1)) - 1;

		seen |= UINT64_C(1) << order[i];
		CHECK_EQUAL(group_add(&g, order[i]), seen == first ? GROUP_CLOSED : GROUP_OPEN);
	}
}

/* --- frames --- */

static struct frames frames;

static void begin(uint64_t first)
{
	memset(&frames, 0, sizeof(frames));
	frames_init(&frames, first);
}

static void expect_release(uint64_t below, uint64_t index, uint32_t slot)
{
	uint64_t got;
	uint32_t got_slot;

	CHECK(frames_release(&frames, below, &got, &got_slot));
	CHECK_EQUAL(got, index);
	CHECK_EQUAL(got_slot, slot);
}

static void expect_no_release(uint64_t below)
{
	uint64_t index;
	uint32_t slot;

	CHECK(!frames_release(&frames, below, &index, &slot));
}

static void check_frames(void)
{
	uint64_t index;

	begin(100);
	CHECK_EQUAL(frames_take(&frames, 3, -50), 0);
	CHECK_EQUAL(frames_take(&frames, 3, -40), -EBUSY);
	CHECK_EQUAL(frames_take(&frames, 1, -40), 0);
	CHECK_EQUAL(frames_take(&frames, 64, 7), 0);
	CHECK_EQUAL(frames_receive(&frames, 7, &index), 0);
	CHECK_EQUAL(index, 102);
	CHECK_EQUAL(frames_receive(&frames, 7, &index), -EEXIST);
	CHECK_EQUAL(frames_receive(&frames, 8, &index), -ENOENT);
	CHECK_EQUAL(frames_receive(&frames, -51, &index), -ENOENT);
	CHECK_EQUAL(frames_receive(&frames, -50, &index), 0);
	CHECK_EQUAL(index, 100);
	CHECK_EQUAL(frames_pts(&frames, 101), -40);
}

static void check_releases(void)
{
	uint64_t index;

	begin(0);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQUAL(frames_take(&frames, i, i), 0);
	expect_no_release(UINT64_MAX);
	frames_done(&frames, 1);
	expect_no_release(1);
	expect_release(2, 1, 1);
	expect_no_release(UINT64_MAX);
	CHECK_EQUAL(frames_take(&frames, 1, 3), 0); /* its slot may come again */
	CHECK_EQUAL(frames_take(&frames, 0, 4), -EBUSY);
	frames_done(&frames, 1); /* a second mark hits nothing */
	expect_no_release(UINT64_MAX);
	frames_done(&frames, 0);
	frames_done(&frames, 3);
	expect_release(UINT64_MAX, 0, 0);
	expect_release(UINT64_MAX, 3, 1);
	expect_no_release(UINT64_MAX);
	CHECK_EQUAL(frames_receive(&frames, 0, &index), 0);
	CHECK_EQUAL(frames.oldest, 1);
	CHECK_EQUAL(frames.released, 3);
}

/* Far more frames than the table has records, with a mark that is late by a whole table. */
static void check_many(void)
{
	uint64_t index;

	begin(5);
	for (uint64_t i = 5; i < 5 + 3 * FRAMES_TABLE; i++) {
		CHECK_EQUAL(frames_take(&frames, (uint32_t)(i % 2), (int64_t)i * 3), 0);
		CHECK_EQUAL(frames_receive(&frames, (int64_t)i * 3, &index), 0);
		CHECK_EQUAL(index, i);
		if (i >= 5 + FRAMES_TABLE)
			frames_done(&frames, i - FRAMES_TABLE);
		expect_no_release(UINT64_MAX);
		frames_done(&frames, i);
		expect_release(i + 1, i, (uint32_t)(i % 2));
		CHECK_EQUAL(frames_pts(&frames, i), (int64_t)i * 3);
	}
}

/* An encoder that copies frames and gives nothing holds more than any may. */
static void check_too_many(void)
{
	uint64_t i;

	begin(0);
	for (i = 0; i < FRAMES_IN_FLIGHT; i++) {
		CHECK_EQUAL(frames_take(&frames, (uint32_t)(i % PLANE_MAX_SLOTS), (int64_t)i), 0);
		frames_done(&frames, i);
		expect_release(UINT64_MAX, i, (uint32_t)(i % PLANE_MAX_SLOTS));
	}
	CHECK_EQUAL(frames_take(&frames, 0, (int64_t)i), -ENOBUFS);
}

static void *mark_all(void *userdata)
{
	uint64_t n = *(uint64_t *)userdata;

	for (uint64_t i = 0; i < n; i++)
		frames_done(&frames, n - 1 - i);
	return NULL;
}

/* Marks come from another thread, in an order of its own; each frame is released once. */
static void check_other_thread(void)
{
	uint64_t n = PLANE_MAX_SLOTS, index, released = 0;
	pthread_t thread;
	uint32_t slot;

	begin(0);
	for (uint32_t i = 0; i < n; i++)
		CHECK_EQUAL(frames_take(&frames, i, i), 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, mark_all, &n), 0);
	while (released < n)
		while (frames_release(&frames, UINT64_MAX, &index, &slot))
			released++;
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(released, n);
	expect_no_release(UINT64_MAX);
}

/* --- the progress rule --- */

#define MS UINT64_C(1000000)

/* Looks every 100 ms, with the CPU used in each such time; returns after how many it stalls. */
static unsigned looks_until_stall(uint64_t begin_ns, uint64_t cpu_step)
{
	struct stall s = {0};
	uint64_t now = begin_ns, cpu = cpu_step ? 1 : 0;

	for (unsigned i = 0; i < 1000; i++) {
		if (stall_look(&s, 7, now, cpu))
			return i;
		now += 100 * MS;
		cpu += cpu_step;
	}
	return 0;
}

static void check_stall(void)
{
	unsigned whole = (unsigned)(STALL_NS / (100 * MS));

	CHECK_EQUAL(looks_until_stall(50 * MS, 0), whole);
	CHECK_EQUAL(looks_until_stall(50 * MS, 1 * MS), whole);
	CHECK_EQUAL(looks_until_stall(50 * MS, 20 * MS), 0); /* it burns CPU: at work */
}

static void check_stall_progress(void)
{
	struct stall s = {0};
	uint64_t now = 1;

	for (uint64_t i = 0; i < 1000; i++, now += 150 * MS)
		CHECK(!stall_look(&s, i / 50, now, 0)); /* something moves every 7.5 s */
}

/* Stopped for an hour between two looks: that was not the encoder's time. */
static void check_stall_frozen(void)
{
	struct stall s = {0};
	uint64_t now = 1;

	CHECK(!stall_look(&s, 0, now, 0));
	for (int i = 0; i < 40; i++) {
		now += 3600 * 1000 * MS;
		CHECK(!stall_look(&s, 0, now, 0));
	}
}

int main(void)
{
	check_groups();
	for (unsigned seed = 1; seed <= 200; seed++)
		check_against_definition(seed);
	check_frames();
	check_releases();
	check_many();
	check_too_many();
	check_other_thread();
	check_stall();
	check_stall_progress();
	check_stall_frozen();
	return 0;
}

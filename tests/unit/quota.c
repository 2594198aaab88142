// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Quotas: every kind refuses exactly at its limit and says so by name, what was taken and given is
 * nothing again, one uid's use is not another's, and a refused charge leaves no trace. What flows
 * comes back by the clock, which is the test's own.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/quota.h"
#include "tests/unit/check.h"

static const struct config config = {
	.sessions_max = 9,
	.sessions_per_user = 3,
	.memory_per_user = UINT64_C(16) << 30,
	.connections_per_user = 5,
	.fds_per_user = 100,
	.requests_per_user = 4,
	.children_per_user = 7,
	.fronts_max = 6,
	.workers_max = 8,
	.strikes_max = 3,
	.pixels_per_user = 1000,
	.adapter_cpu_per_user_ms = 6000,
};

static uint64_t clock_ns = UINT64_C(1000000000000);

static uint64_t now_ns(void)
{
	return clock_ns;
}

static struct quota quota;
static struct quota_refusal refusal;

static struct quota_charge one(enum quota_kind kind, uint64_t n)
{
	struct quota_charge charge = {0};

	charge.of[kind] = n;
	return charge;
}

static int take(uint32_t uid, enum quota_kind kind, uint64_t n)
{
	struct quota_charge charge = one(kind, n);

	return quota_take(&quota, uid, &charge, &refusal);
}

static void give(uint32_t uid, enum quota_kind kind, uint64_t n)
{
	struct quota_charge charge = one(kind, n);

	quota_give(&quota, uid, &charge);
}

static struct quota_account *account(uint32_t uid)
{
	struct quota_account *a;

	LIST_FOREACH(a, &quota.accounts, entry)
	if (a->uid == uid)
		return a;
	return NULL;
}

/* Up to the limit, not one more, and again once one was given back. */
static void check_limit(enum quota_kind kind, uint64_t max, const char *setting)
{
	uint64_t step = max / 3 ? max / 3 : 1, used = 0;

	for (; used + step <= max; used += step)
		CHECK(take(7, kind, step) == 0);
	if (used < max)
		CHECK(take(7, kind, max - used) == 0);
	CHECK(take(7, kind, 1) == -EDQUOT);
	CHECK(!strcmp(refusal.setting, setting));
	CHECK(refusal.limit == max && refusal.used == max && refusal.asked == 1);
	CHECK(refusal.advice[0] && refusal.count == 1);
	CHECK(take(7, kind, UINT64_MAX) == -EDQUOT && refusal.count == 2);
	CHECK(account(7)->refused[kind] == 2 && account(7)->used.of[kind] == max);
	CHECK(take(8, kind, max) == 0); /* another uid has its own */
	give(8, kind, max);
	give(7, kind, 1);
	CHECK(take(7, kind, 1) == 0);
	give(7, kind, max);
	CHECK(!account(7) && quota.n_accounts == 0);
}

static void check_limits(void)
{
	check_limit(QUOTA_CONNECTIONS, 5, "ConnectionsPerUser");
	check_limit(QUOTA_SESSIONS, 3, "SessionsPerUser");
	check_limit(QUOTA_MEMORY, UINT64_C(16) << 30, "MemoryPerUser");
	check_limit(QUOTA_FDS, 100, "FdsPerUser");
	check_limit(QUOTA_REQUESTS, 4, "RequestsPerUser");
	check_limit(QUOTA_CHILDREN, 7, "ChildrenPerUser");
}

static void check_whole(enum quota_whole whole, uint64_t max, const char *setting)
{
	CHECK(quota_check_whole(&quota, whole, max - 1, &refusal) == 0 && !refusal.setting);
	CHECK(quota_check_whole(&quota, whole, max, &refusal) == -EDQUOT);
	CHECK(!strcmp(refusal.setting, setting) && refusal.limit == max && refusal.used == max);
}

static void check_wholes(void)
{
	check_whole(QUOTA_ALL_SESSIONS, 9, "SessionsMax");
	check_whole(QUOTA_ALL_FRONTS, 6, "FrontsMax");
	check_whole(QUOTA_ALL_WORKERS, 8, "WorkersMax");
	check_whole(QUOTA_ALL_ADAPTERS, 9, "SessionsMax");
}

/* A charge with one part too many takes none of its parts. */
static void check_all_or_nothing(void)
{
	struct quota_charge charge = quota_session_charge(4096, 1);

	CHECK(charge.of[QUOTA_SESSIONS] == 1 && charge.of[QUOTA_MEMORY] == 4096);
	CHECK(charge.of[QUOTA_FDS] > 10);
	CHECK(quota_take(&quota, 1, &charge, &refusal) == 0);
	charge.of[QUOTA_MEMORY] = UINT64_C(16) << 30;
	CHECK(quota_take(&quota, 1, &charge, &refusal) == -EDQUOT);
	CHECK(!strcmp(refusal.setting, "MemoryPerUser") && refusal.used == 4096);
	CHECK(account(1)->used.of[QUOTA_SESSIONS] == 1);
	CHECK(quota_take(&quota, 2, &charge, &refusal) == 0);
	quota_give(&quota, 2, &charge);
	charge.of[QUOTA_MEMORY] = 4096;
	quota_give(&quota, 1, &charge);
	CHECK(quota.n_accounts == 0);
	/* A uid that gets nothing leaves no account. */
	CHECK(take(3, QUOTA_SESSIONS, 4) == -EDQUOT && quota.n_accounts == 0);
}

/* A session ends, its memory stays with its attempts. */
static void check_hold(void)
{
	struct quota_charge charge = quota_session_charge(1000, 1);
	struct quota_hold *hold;

	CHECK(quota_hold_create(&quota, 5, &charge, &hold, &refusal) == 0);
	CHECK(quota_hold_ref(hold) == hold);
	quota_hold_give(hold, QUOTA_SESSIONS);
	CHECK(account(5)->used.of[QUOTA_SESSIONS] == 0);
	CHECK(!quota_hold_unref(hold));
	CHECK(account(5)->used.of[QUOTA_MEMORY] == 1000);
	CHECK(!quota_hold_unref(hold) && quota.n_accounts == 0);
	CHECK(!quota_hold_unref(NULL));
	charge = one(QUOTA_SESSIONS, 1);
	CHECK(quota_hold_create(&quota, 5, &charge, &hold, &refusal) == 0);
	quota_hold_give(hold, QUOTA_SESSIONS);
	quota_hold_unref(hold);
	charge = one(QUOTA_MEMORY, UINT64_MAX);
	CHECK(quota_hold_create(&quota, 5, &charge, &hold, &refusal) == -EDQUOT);
	CHECK(quota.n_accounts == 0);
}

static void check_words(void)
{
	struct vencd_refusal why;
	struct quota_row row;

	CHECK(take(6, QUOTA_MEMORY, UINT64_C(4509715660)) == 0);
	CHECK(take(6, QUOTA_MEMORY, UINT64_C(12) << 30) == -EDQUOT);
	quota_describe(&refusal, &why);
	CHECK(!strcmp(why.parameter, "MemoryPerUser"));
	CHECK(!strcmp(why.reason, "MemoryPerUser: 12 GiB asked for, 4.2 GiB of 16 GiB in use"));
	CHECK(why.advice[0]);
	quota_account_row(&quota, account(6), QUOTA_MEMORY, 0, &row);
	CHECK(!strcmp(row.kind, "memory") && !strcmp(row.unit, "bytes"));
	CHECK(row.used == UINT64_C(4509715660) && row.limit == UINT64_C(16) << 30);
	CHECK(row.refused == 1);
	quota_account_row(&quota, account(6), QUOTA_STRIKES, 2, &row);
	CHECK(!strcmp(row.setting, "StrikesMax") && row.used == 2 && row.limit == 3);
	give(6, QUOTA_MEMORY, UINT64_C(4509715660));
}

/* What flows is refused from when it is used up until it has come back. */
static void check_flow(enum quota_kind kind, uint64_t full, uint64_t limit, uint64_t period_ns)
{
	struct quota_row row;

	CHECK(quota_check_flow(&quota, 4, kind, &refusal) == 0); /* of no account: nothing used */
	CHECK(take(4, QUOTA_CHILDREN, 1) == 0);
	CHECK_EQUAL(quota_limit(&quota, kind), limit);
	quota_use(&quota, 4, kind, full - 1);
	CHECK(quota_check_flow(&quota, 4, kind, &refusal) == 0);
	quota_use(&quota, 4, kind, 1);
	CHECK(quota_check_flow(&quota, 4, kind, &refusal) == -EDQUOT);
	CHECK(refusal.limit == limit && refusal.used == limit && refusal.count == 1);
	CHECK(quota_check_flow(&quota, 5, kind, &refusal) == 0);
	quota_account_row(&quota, account(4), kind, 0, &row);
	CHECK(row.used == limit && row.limit == limit && row.refused == 1);
	quota_use(&quota, 4, kind, full);
	CHECK_EQUAL(quota_left(&quota, 4, kind), -(int64_t)full);
	/* Going away for a moment is no way out of a debt. */
	give(4, QUOTA_CHILDREN, 1);
	CHECK(take(5, QUOTA_CHILDREN, 1) == 0 && take(4, QUOTA_CHILDREN, 1) == 0);
	CHECK_EQUAL(quota_left(&quota, 4, kind), -(int64_t)full);
	clock_ns += period_ns;
	CHECK_EQUAL(quota_left(&quota, 4, kind), 0);
	CHECK(quota_check_flow(&quota, 4, kind, &refusal) == -EDQUOT);
	clock_ns += period_ns / full + 1;
	CHECK(quota_check_flow(&quota, 4, kind, &refusal) == 0);
	clock_ns += 2 * period_ns;
	quota_account_row(&quota, account(4), kind, 0, &row);
	CHECK(row.used == 0 && quota_left(&quota, 4, kind) == (int64_t)full);
	quota_note_refused(&quota, 4, kind);
	CHECK(account(4)->refused[kind] == 3);
	give(4, QUOTA_CHILDREN, 1);
	give(5, QUOTA_CHILDREN, 1);
	CHECK(quota.n_accounts == 0);
}

/* The account of one who owed and went goes when the next one comes. */
static void check_debts_end(void)
{
	CHECK(take(4, QUOTA_CHILDREN, 1) == 0);
	quota_use(&quota, 4, QUOTA_PIXEL_RATE, 5000);
	give(4, QUOTA_CHILDREN, 1);
	CHECK(quota.n_accounts == 1);
	clock_ns += UINT64_C(5000000000);
	CHECK(take(5, QUOTA_CHILDREN, 1) == 0 && quota.n_accounts == 1);
	give(5, QUOTA_CHILDREN, 1);
}

struct taken {
	uint32_t uid;
	struct quota_charge charge;
};

static struct quota_charge random_charge(void)
{
	static const struct quota_charge *const things[] = {
		&quota_connection, &quota_request, &quota_front, &quota_worker, &quota_adapter};
	int r = rand() % 6;

	return r < 5 ? *things[r] : quota_session_charge((uint64_t)rand() << 3, 1);
}

static void check_sum(const struct taken *taken, unsigned n, uint32_t uid)
{
	struct quota_charge sum = {0};

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; taken[i].uid == uid && k < QUOTA_HELD_MAX; k++)
			sum.of[k] += taken[i].charge.of[k];
	if (account(uid))
		CHECK(!memcmp(&sum, &account(uid)->used, sizeof(sum)));
	CHECK(sum.of[QUOTA_SESSIONS] <= 3 && sum.of[QUOTA_CONNECTIONS] <= 5);
	CHECK(sum.of[QUOTA_CHILDREN] <= 7 && sum.of[QUOTA_FDS] <= 100);
}

/* Anything in any order: use is always what is out, within the limits, and nothing at the end. */
static void check_random(unsigned seed)
{
	static struct taken taken[1000];
	unsigned n = 0;

	srand(seed);
	for (unsigned step = 0; step < 1000; step++) {
		if (rand() % 3) {
			struct taken t = {(uint32_t)rand() % 4, random_charge()};

			if (quota_take(&quota, t.uid, &t.charge, &refusal) == 0)
				taken[n++] = t;
		} else if (n) {
			unsigned i = (unsigned)rand() % n;

			quota_give(&quota, taken[i].uid, &taken[i].charge);
			taken[i] = taken[--n];
		}
		check_sum(taken, n, (uint32_t)rand() % 4);
	}
	while (n-- > 0)
		quota_give(&quota, taken[n].uid, &taken[n].charge);
	CHECK(quota.n_accounts == 0);
}

int main(void)
{
	quota_init(&quota, &config, now_ns);
	check_limits();
	check_wholes();
	check_all_or_nothing();
	check_hold();
	check_words();
	check_flow(QUOTA_PIXEL_RATE, 1000, 1000, UINT64_C(1000000000));
	check_flow(QUOTA_ADAPTER_CPU, UINT64_C(6000000000), 6000, UINT64_C(60000000000));
	check_debts_end();
	for (unsigned seed = 1; seed <= 50; seed++)
		check_random(seed);
	return 0;
}

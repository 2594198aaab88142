// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Quotas. One table says for each kind what it is called, which setting limits it, in what unit it
 * is counted, and what to do at the limit; another says the same of the daemon's own limits. A
 * charge is taken whole or not at all, so nobody has to undo half of one.
 *
 * There is an account for each uid that is charged with anything, and for no other: a front or
 * something that outlives it, so there are never more than FrontsMax and what sessions, workers and
 * adapters there are, and those that owe. An account forgets its refusals when it goes.
 *
 * What a client itself keeps mapped after its session has ended is its own memory, which it could
 * have made without us; it is not charged here.
 */

#include "daemon/quota.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/wire.h"

struct limit {
	const char *kind, *setting, *unit, *advice;
	size_t offset; /* of the limit in struct config */
	enum {
		LIMIT_COUNT = 1, /* uint32_t */
		LIMIT_BYTES,     /* uint64_t */
	} type;
};

static const struct limit limits[QUOTA_KIND_MAX] = {
	[QUOTA_CONNECTIONS] = {"connections", "ConnectionsPerUser", "count",
		"close connections of yours, or let the operator raise it",
		offsetof(struct config, connections_per_user), LIMIT_COUNT},
	[QUOTA_SESSIONS] = {"sessions", "SessionsPerUser", "count",
		"close sessions of yours, or let the operator raise it",
		offsetof(struct config, sessions_per_user), LIMIT_COUNT},
	[QUOTA_MEMORY] = {"memory", "MemoryPerUser", "bytes",
		"use smaller frames, a faster speed or live latency (less delay)",
		offsetof(struct config, memory_per_user), LIMIT_BYTES},
	[QUOTA_FDS] = {"fds", "FdsPerUser", "count",
		"close sessions or connections of yours, or let the operator raise it",
		offsetof(struct config, fds_per_user), LIMIT_COUNT},
	[QUOTA_REQUESTS] = {"requests", "RequestsPerUser", "count",
		"wait for answers before asking for more; one Wait a session is enough",
		offsetof(struct config, requests_per_user), LIMIT_COUNT},
	[QUOTA_CHILDREN] = {"children", "ChildrenPerUser", "count",
		"close sessions of yours, or let the operator raise it",
		offsetof(struct config, children_per_user), LIMIT_COUNT},
	[QUOTA_PIXEL_RATE] = {"pixel-rate", "PixelsPerUser", "pixels/s",
		"encode fewer or smaller frames at once, or let the operator raise it",
		offsetof(struct config, pixels_per_user), LIMIT_COUNT},
	[QUOTA_ADAPTER_CPU] = {"adapter-cpu", "AdapterCpuPerUser", "ms/min",
		"wait until one-shot requests of yours have ended, or use sessions of your own",
		offsetof(struct config, adapter_cpu_per_user_ms), LIMIT_COUNT},
	[QUOTA_STRIKES] = {"strikes", "StrikesMax", "count",
		"wait until StrikeTime is over, or ask for something else",
		offsetof(struct config, strikes_max), LIMIT_COUNT},
};

static const struct limit whole_limits[QUOTA_WHOLE_MAX] = {
	[QUOTA_ALL_SESSIONS] = {"sessions", "SessionsMax", "count",
		"close sessions, or let the operator raise it in vencd.conf",
		offsetof(struct config, sessions_max), LIMIT_COUNT},
	[QUOTA_ALL_FRONTS] = {"fronts", "FrontsMax", "count",
		"try again when other users have gone, or let the operator raise it",
		offsetof(struct config, fronts_max), LIMIT_COUNT},
	[QUOTA_ALL_WORKERS] = {"workers", "WorkersMax", "count",
		"try again when other sessions have ended, or let the operator raise it",
		offsetof(struct config, workers_max), LIMIT_COUNT},
	[QUOTA_ALL_ADAPTERS] = {"adapters", "SessionsMax", "count",
		"try again when other one-shot requests have ended, or let the operator raise it",
		offsetof(struct config, sessions_max), LIMIT_COUNT},
};

/* A connection: the front's end, and ours until the front has taken it. */
const struct quota_charge quota_connection = {{[QUOTA_CONNECTIONS] = 1, [QUOTA_FDS] = 2}};
const struct quota_charge quota_request = {{[QUOTA_REQUESTS] = 1}};
/* A child: its pidfd, both ends of its wire and of its stderr; a worker has a pipe of its own. */
const struct quota_charge quota_front = {{[QUOTA_CHILDREN] = 1, [QUOTA_FDS] = 5}};
const struct quota_charge quota_worker = {{[QUOTA_CHILDREN] = 1, [QUOTA_FDS] = 7}};
/* A child's, its ends of two sockets, the front's of the order, input and output in both. */
const struct quota_charge quota_adapter = {
	{[QUOTA_CHILDREN] = 1, [QUOTA_REQUESTS] = 1, [QUOTA_FDS] = 12}};

/* We have lease and packet pipe, the worker an attempt's and its own, the front the reply's. */
struct quota_charge quota_session_charge(uint64_t memory, unsigned attempts)
{
	return (struct quota_charge){{[QUOTA_SESSIONS] = 1,
		[QUOTA_MEMORY] = memory,
		[QUOTA_FDS] = 2 + (WIRE_START_FDS + 2) * attempts + WIRE_OPENED_FDS(attempts)}};
}

/* What flows: how many units of use are one of its limit, and over what time. */
static const struct {
	uint64_t scale, period_ns;
} flows[QUOTA_FLOWS] = {
	[QUOTA_PIXEL_RATE - QUOTA_HELD_MAX] = {1, UINT64_C(1000000000)},
	[QUOTA_ADAPTER_CPU - QUOTA_HELD_MAX] = {1000000, UINT64_C(60000000000)},
};

static uint64_t limit_value(const struct quota *quota, const struct limit *limit)
{
	const char *field = (const char *)quota->config + limit->offset;

	return limit->type == LIMIT_BYTES ? *(const uint64_t *)field : *(const uint32_t *)field;
}

uint64_t quota_limit(const struct quota *quota, enum quota_kind kind)
{
	return limit_value(quota, &limits[kind]);
}

void quota_init(struct quota *quota, const struct config *config, uint64_t (*now_ns)(void))
{
	*quota = (struct quota){.config = config, .now_ns = now_ns};
	LIST_INIT(&quota->accounts);
}

static struct quota_account *account_find(const struct quota *quota, uint32_t uid)
{
	struct quota_account *account;

	LIST_FOREACH(account, &quota->accounts, entry)
	if (account->uid == uid)
		return account;
	return NULL;
}

static bool is_nothing(const struct quota_charge *charge)
{
	for (unsigned i = 0; i < QUOTA_HELD_MAX; i++)
		if (charge->of[i] > 0)
			return false;
	return true;
}

/* An account that owes is kept, so that nobody gets rid of a debt by going away for a moment. */
static void account_drop_if_empty(struct quota *quota, struct quota_account *account)
{
	uint64_t now = quota->now_ns();

	if (!is_nothing(&account->used))
		return;
	for (unsigned i = 0; i < QUOTA_FLOWS; i++)
		if (flow_bucket_look(&account->flow[i].bucket, now) < 0)
			return;
	LIST_REMOVE(account, entry);
	quota->n_accounts--;
	free(account);
}

static void drop_all_empty(struct quota *quota)
{
	struct quota_account *account, *next;

	for (account = LIST_FIRST(&quota->accounts); account; account = next) {
		next = LIST_NEXT(account, entry);
		account_drop_if_empty(quota, account);
	}
}

static struct quota_account *account_new(struct quota *quota, uint32_t uid)
{
	struct quota_account *account = calloc(1, sizeof(*account));
	uint64_t now = quota->now_ns();

	if (!account)
		return NULL;
	account->uid = uid;
	for (unsigned i = 0; i < QUOTA_FLOWS; i++) {
		uint64_t rate = quota_limit(quota, QUOTA_HELD_MAX + i) * flows[i].scale;

		flow_bucket_init(&account->flow[i].bucket, rate, flows[i].period_ns, (int64_t)rate,
			(int64_t)rate, now);
		account->flow[i].meter = (struct flow_meter){
			.window_ns = flows[i].period_ns, .begun_ns = now};
	}
	LIST_INSERT_HEAD(&quota->accounts, account, entry);
	quota->n_accounts++;
	return account;
}

static struct quota_account *account_get(struct quota *quota, uint32_t uid)
{
	struct quota_account *account = account_find(quota, uid);

	if (account)
		return account;
	drop_all_empty(quota);
	return account_new(quota, uid);
}

static int refuse(const struct quota *quota, const struct limit *limit, uint64_t used,
	uint64_t asked, uint64_t *count, struct quota_refusal *ret)
{
	*ret = (struct quota_refusal){.setting = limit->setting,
		.unit = limit->unit,
		.advice = limit->advice,
		.limit = limit_value(quota, limit),
		.used = used,
		.asked = asked,
		.count = ++*count};
	return -EDQUOT;
}

/* Whether asked fits on top of used; the sum cannot overflow. */
static bool fits(
	const struct quota *quota, const struct limit *limit, uint64_t used, uint64_t asked)
{
	uint64_t max = limit_value(quota, limit);

	return asked == 0 || (used <= max && asked <= max - used);
}

static int account_check(const struct quota *quota, struct quota_account *account,
	const struct quota_charge *charge, struct quota_refusal *ret)
{
	for (unsigned i = 0; i < QUOTA_HELD_MAX; i++)
		if (!fits(quota, &limits[i], account->used.of[i], charge->of[i]))
			return refuse(quota, &limits[i], account->used.of[i], charge->of[i],
				&account->refused[i], ret);
	return 0;
}

int quota_take(struct quota *quota, uint32_t uid, const struct quota_charge *charge,
	struct quota_refusal *ret)
{
	struct quota_account *account = account_get(quota, uid);
	int r;

	*ret = (struct quota_refusal){0};
	if (!account)
		return -ENOMEM;
	r = account_check(quota, account, charge, ret);
	for (unsigned i = 0; i < QUOTA_HELD_MAX && r == 0; i++)
		account->used.of[i] += charge->of[i];
	account_drop_if_empty(quota, account);
	return r;
}

void quota_give(struct quota *quota, uint32_t uid, const struct quota_charge *charge)
{
	struct quota_account *account = account_find(quota, uid);

	if (!account && is_nothing(charge))
		return;
	assert(account);
	for (unsigned i = 0; i < QUOTA_HELD_MAX; i++) {
		assert(account->used.of[i] >= charge->of[i]);
		account->used.of[i] -= charge->of[i];
	}
	account_drop_if_empty(quota, account);
}

static uint64_t use_of(
	const struct quota *quota, struct quota_account *account, enum quota_kind kind)
{
	unsigned flow = (unsigned)kind - QUOTA_HELD_MAX;

	if (kind < QUOTA_HELD_MAX)
		return account->used.of[kind];
	return flow_meter_read(&account->flow[flow].meter, quota->now_ns()) / flows[flow].scale;
}

void quota_use(struct quota *quota, uint32_t uid, enum quota_kind kind, uint64_t n)
{
	struct quota_account *account = account_find(quota, uid);
	unsigned flow = (unsigned)kind - QUOTA_HELD_MAX;
	uint64_t now = quota->now_ns();

	if (!account || n == 0)
		return;
	flow_meter_add(&account->flow[flow].meter, n, now);
	if (account->flow[flow].bucket.rate > 0)
		flow_bucket_take(&account->flow[flow].bucket, n, now);
}

int64_t quota_left(struct quota *quota, uint32_t uid, enum quota_kind kind)
{
	struct quota_account *account = account_find(quota, uid);

	if (!account)
		return INT64_MAX;
	return flow_bucket_look(
		&account->flow[(unsigned)kind - QUOTA_HELD_MAX].bucket, quota->now_ns());
}

int quota_check_flow(
	struct quota *quota, uint32_t uid, enum quota_kind kind, struct quota_refusal *ret)
{
	struct quota_account *account = account_find(quota, uid);

	*ret = (struct quota_refusal){0};
	if (quota_left(quota, uid, kind) > 0)
		return 0;
	return refuse(quota, &limits[kind], use_of(quota, account, kind), 1,
		&account->refused[kind], ret);
}

void quota_note_refused(struct quota *quota, uint32_t uid, enum quota_kind kind)
{
	struct quota_account *account = account_find(quota, uid);

	if (account)
		account->refused[kind]++;
}

int quota_check_whole(
	struct quota *quota, enum quota_whole whole, uint64_t used, struct quota_refusal *ret)
{
	const struct limit *limit = &whole_limits[whole];

	*ret = (struct quota_refusal){0};
	if (fits(quota, limit, used, 1))
		return 0;
	return refuse(quota, limit, used, 1, &quota->refused[whole], ret);
}

struct quota_hold {
	struct quota *quota;
	uint32_t uid;
	unsigned references;
	struct quota_charge charge;
};

int quota_hold_create(struct quota *quota, uint32_t uid, const struct quota_charge *charge,
	struct quota_hold **ret, struct quota_refusal *refusal)
{
	struct quota_hold *hold = calloc(1, sizeof(*hold));
	int r = -ENOMEM;

	*refusal = (struct quota_refusal){0};
	if (hold)
		r = quota_take(quota, uid, charge, refusal);
	if (r < 0) {
		free(hold);
		return r;
	}
	*hold = (struct quota_hold){quota, uid, 1, *charge};
	*ret = hold;
	return 0;
}

struct quota_hold *quota_hold_ref(struct quota_hold *hold)
{
	hold->references++;
	return hold;
}

struct quota_hold *quota_hold_unref(struct quota_hold *hold)
{
	if (!hold || --hold->references > 0)
		return NULL;
	quota_give(hold->quota, hold->uid, &hold->charge);
	free(hold);
	return NULL;
}

void quota_hold_give(struct quota_hold *hold, enum quota_kind kind)
{
	struct quota_charge part = {0};

	part.of[kind] = hold->charge.of[kind];
	hold->charge.of[kind] = 0;
	quota_give(hold->quota, hold->uid, &part);
}

void quota_describe(const struct quota_refusal *refusal, struct vencd_refusal *ret)
{
	char used[32], limit[32], asked[32];

	vencd_quantity_text(used, sizeof(used), refusal->unit, refusal->used);
	vencd_quantity_text(limit, sizeof(limit), refusal->unit, refusal->limit);
	vencd_quantity_text(asked, sizeof(asked), refusal->unit, refusal->asked);
	*ret = (struct vencd_refusal){0};
	snprintf(ret->parameter, sizeof(ret->parameter), "%s", refusal->setting);
	snprintf(ret->value, sizeof(ret->value), "%lu", (unsigned long)refusal->asked);
	snprintf(ret->reason, sizeof(ret->reason), "%s: %s asked for, %s of %s in use",
		refusal->setting, asked, used, limit);
	snprintf(ret->advice, sizeof(ret->advice), "%s", refusal->advice);
}

static void fill_row(const struct quota *quota, const struct limit *limit, uint64_t used,
	uint64_t refused, struct quota_row *ret)
{
	*ret = (struct quota_row){.kind = limit->kind,
		.setting = limit->setting,
		.unit = limit->unit,
		.used = used,
		.limit = limit_value(quota, limit),
		.refused = refused};
}

void quota_account_row(const struct quota *quota, struct quota_account *account,
	enum quota_kind kind, uint64_t strikes, struct quota_row *ret)
{
	uint64_t used = kind == QUOTA_STRIKES ? strikes : use_of(quota, account, kind);

	fill_row(quota, &limits[kind], used, account->refused[kind], ret);
}

void quota_whole_row(
	const struct quota *quota, enum quota_whole whole, uint64_t used, struct quota_row *ret)
{
	fill_row(quota, &whole_limits[whole], used, quota->refused[whole], ret);
}

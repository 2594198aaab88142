// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Quotas. One table says for each kind what it is called, which setting limits it, in what unit it
 * is counted, and what to do at the limit; another says the same of the daemon's own limits. A
 * charge is taken whole or not at all, so nobody has to undo half of one.
 *
 * There is an account for each uid that is charged with anything, and for no other: a front or
 * something that outlives it, so there are never more than FrontsMax and what sessions, workers and
 * adapters there are. An account forgets its refusals when it goes.
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
/* pidfd, stderr, its ends of two sockets, the front's of the order, input and output in both. */
const struct quota_charge quota_adapter = {
	{[QUOTA_CHILDREN] = 1, [QUOTA_REQUESTS] = 1, [QUOTA_FDS] = 10}};

/* We have lease and packet pipe, the worker an attempt's and its own, the front the reply's. */
struct quota_charge quota_session_charge(uint64_t memory, unsigned attempts)
{
	return (struct quota_charge){{[QUOTA_SESSIONS] = 1,
		[QUOTA_MEMORY] = memory,
		[QUOTA_FDS] = 2 + (WIRE_START_FDS + 2) * attempts + WIRE_OPENED_FDS(attempts)}};
}

static uint64_t limit_value(const struct quota *quota, const struct limit *limit)
{
	const char *field = (const char *)quota->config + limit->offset;

	return limit->type == LIMIT_BYTES ? *(const uint64_t *)field : *(const uint32_t *)field;
}

void quota_init(struct quota *quota, const struct config *config)
{
	*quota = (struct quota){.config = config};
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

static struct quota_account *account_get(struct quota *quota, uint32_t uid)
{
	struct quota_account *account = account_find(quota, uid);

	if (account)
		return account;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	account->uid = uid;
	LIST_INSERT_HEAD(&quota->accounts, account, entry);
	quota->n_accounts++;
	return account;
}

static bool is_nothing(const struct quota_charge *charge)
{
	for (unsigned i = 0; i < QUOTA_KIND_MAX; i++)
		if (charge->of[i] > 0)
			return false;
	return true;
}

static void account_drop_if_empty(struct quota *quota, struct quota_account *account)
{
	if (!is_nothing(&account->used))
		return;
	LIST_REMOVE(account, entry);
	quota->n_accounts--;
	free(account);
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
	for (unsigned i = 0; i < QUOTA_KIND_MAX; i++)
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
	for (unsigned i = 0; i < QUOTA_KIND_MAX && r == 0; i++)
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
	for (unsigned i = 0; i < QUOTA_KIND_MAX; i++) {
		assert(account->used.of[i] >= charge->of[i]);
		account->used.of[i] -= charge->of[i];
	}
	account_drop_if_empty(quota, account);
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

void quota_account_row(const struct quota *quota, const struct quota_account *account,
	enum quota_kind kind, struct quota_row *ret)
{
	fill_row(quota, &limits[kind], account->used.of[kind], account->refused[kind], ret);
}

void quota_whole_row(
	const struct quota *quota, enum quota_whole whole, uint64_t used, struct quota_row *ret)
{
	fill_row(quota, &whole_limits[whole], used, quota->refused[whole], ret);
}

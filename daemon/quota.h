// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_QUOTA_H
#define VENCD_QUOTA_H

/*
 * What each client uid is charged for, at the moment it is pinned, and how much of it one uid may
 * have. What is held is taken before the thing is made and given back when it is really gone; what
 * flows is noted when it was used.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/vencd.h"
#include "daemon/config.h"
#include "daemon/flow.h"

enum quota_kind {
	QUOTA_CONNECTIONS, /* accepted and not gone */
	QUOTA_SESSIONS,    /* not ended */
	QUOTA_MEMORY,   /* bytes, the full size of what is shared, until nobody of ours maps it */
	QUOTA_FDS,      /* that supervisor, front, workers and adapters hold for it */
	QUOTA_REQUESTS, /* in flight: waiting for a probe or an end, or one-shot */
	QUOTA_CHILDREN, /* its front, workers bound to it, adapters; tombstones too */
	QUOTA_HELD_MAX,
	/* These flow; a limit of 0 is none. */
	QUOTA_PIXEL_RATE = QUOTA_HELD_MAX, /* pixels that its encoders take, a second */
	QUOTA_ADAPTER_CPU,                 /* ms of CPU that its adapters use, a minute */
	QUOTA_FLOW_MAX,
	QUOTA_STRIKES = QUOTA_FLOW_MAX, /* counted, and refused, by blame.c */
	QUOTA_KIND_MAX,
};
#define QUOTA_FLOWS (QUOTA_FLOW_MAX - QUOTA_HELD_MAX)

/* Limits of the whole daemon, beside those of each uid. Their use is counted by the supervisor. */
enum quota_whole {
	QUOTA_ALL_SESSIONS,
	QUOTA_ALL_FRONTS,
	QUOTA_ALL_WORKERS,
	QUOTA_ALL_ADAPTERS,
	QUOTA_WHOLE_MAX,
};

struct quota_charge {
	uint64_t of[QUOTA_HELD_MAX];
};

/* What a thing costs. A session's own cost is quota_session_charge(). */
extern const struct quota_charge quota_connection, quota_request, quota_front, quota_worker,
	quota_adapter;
struct quota_charge quota_session_charge(uint64_t memory, unsigned attempts);

struct quota_account {
	LIST_ENTRY(quota_account) entry;
	uint32_t uid;
	struct quota_charge used;
	uint64_t refused[QUOTA_KIND_MAX]; /* since the account was made */
	struct {
		struct flow_bucket bucket; /* in units of use */
		struct flow_meter meter;
	} flow[QUOTA_FLOWS];
};

struct quota {
	const struct config *config;
	uint64_t (*now_ns)(void);
	LIST_HEAD(, quota_account) accounts;
	unsigned n_accounts;
	uint64_t refused[QUOTA_WHOLE_MAX]; /* since the daemon started */
};

/* A limit that a request ran into. setting is NULL where it was not a limit. */
struct quota_refusal {
	const char *setting, *unit, *advice;
	uint64_t limit, used, asked;
	uint64_t count; /* refusals like this one, this one included */
};

void quota_init(struct quota *quota, const struct config *config, uint64_t (*now_ns)(void));

/*
 * Charges all of it to the uid, or nothing. Returns 0, -EDQUOT with *ret filled for the first limit
 * in the way, -ENOMEM.
 */
int quota_take(struct quota *quota, uint32_t uid, const struct quota_charge *charge,
	struct quota_refusal *ret);

/*
 * Gives back what was taken. The uid's account goes when nothing is charged to it and it owes
 * nothing of what flows.
 */
void quota_give(struct quota *quota, uint32_t uid, const struct quota_charge *charge);

/* What a uid has used of something that flows: pixels, or ns of CPU. It may come to owe. */
void quota_use(struct quota *quota, uint32_t uid, enum quota_kind kind, uint64_t n);
/* Whether it may use more: 0, or -EDQUOT with *ret filled. */
int quota_check_flow(
	struct quota *quota, uint32_t uid, enum quota_kind kind, struct quota_refusal *ret);
/* What it owes (less than 0), or has before it owes; INT64_MAX without a limit. */
int64_t quota_left(struct quota *quota, uint32_t uid, enum quota_kind kind);
/* Counts as refused what could not be refused beforehand. */
void quota_note_refused(struct quota *quota, uint32_t uid, enum quota_kind kind);
uint64_t quota_limit(const struct quota *quota, enum quota_kind kind);

/* Whether one more fits where `used` there are: 0, or -EDQUOT with *ret filled. */
int quota_check_whole(
	struct quota *quota, enum quota_whole whole, uint64_t used, struct quota_refusal *ret);

/*
 * A charge that several hold, such as a session and its attempts: given back with the last of them.
 * Created with one reference.
 */
struct quota_hold;
int quota_hold_create(struct quota *quota, uint32_t uid, const struct quota_charge *charge,
	struct quota_hold **ret, struct quota_refusal *refusal);
struct quota_hold *quota_hold_ref(struct quota_hold *hold);
struct quota_hold *quota_hold_unref(struct quota_hold *hold); /* NULL is allowed; returns NULL */
/* Gives its charge of one kind back at once. */
void quota_hold_give(struct quota_hold *hold, enum quota_kind kind);

/* The refusal in words, for people and programs. */
void quota_describe(const struct quota_refusal *refusal, struct vencd_refusal *ret);

/* A line of the list: strings are constants. strikes: those of the uid, for QUOTA_STRIKES. */
struct quota_row {
	const char *kind, *setting, *unit;
	uint64_t used, limit, refused;
};
void quota_account_row(const struct quota *quota, struct quota_account *account,
	enum quota_kind kind, uint64_t strikes, struct quota_row *ret);
void quota_whole_row(
	const struct quota *quota, enum quota_whole whole, uint64_t used, struct quota_row *ret);

#endif

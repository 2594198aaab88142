// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FLOW_H
#define VENCD_FLOW_H

/*
 * What flows, such as pixels a second: a token bucket that limits it, and a meter that shows it.
 * Neither reads a clock; times are CLOCK_MONOTONIC, ns, and never go back.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Tokens come at a rate and are kept up to cap. Who finds more than none may take any number, and
 * what is taken beyond what was there is owed. A rate of 0 is no limit.
 */
struct flow_bucket {
	uint64_t rate; /* tokens in period_ns */
	uint64_t period_ns;
	int64_t tokens, cap;
	uint64_t filled_ns;
	uint64_t rest; /* of the division, in tokens * period_ns */
};

void flow_bucket_init(struct flow_bucket *bucket, uint64_t rate, uint64_t period_ns, int64_t tokens,
	int64_t cap, uint64_t now_ns);
/* From now on; what is owed stays owed. */
void flow_bucket_set(struct flow_bucket *bucket, uint64_t rate, int64_t cap, uint64_t now_ns);
void flow_bucket_take(struct flow_bucket *bucket, uint64_t n, uint64_t now_ns);
/* Tokens that are there, less than 0: owed. INT64_MAX without a limit. */
int64_t flow_bucket_look(struct flow_bucket *bucket, uint64_t now_ns);
/* How long until there is more than none; 0: now. */
uint64_t flow_bucket_wait_ns(struct flow_bucket *bucket, uint64_t now_ns);

/* The sum over about the last window. */
struct flow_meter {
	uint64_t window_ns;
	uint64_t begun_ns, current, before;
};

void flow_meter_add(struct flow_meter *meter, uint64_t n, uint64_t now_ns);
uint64_t flow_meter_read(struct flow_meter *meter, uint64_t now_ns);

#endif

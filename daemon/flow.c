// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Buckets and meters. A bucket is filled when it is looked at, by the time since it was last; what
 * the division leaves is kept, so that over any time it gives exactly its rate. It is cut to its
 * cap only when something is taken or looked at, after the taking: what was used while nobody
 * looked is set against what came meanwhile.
 */

#include "daemon/flow.h"

static void fill(struct flow_bucket *b, uint64_t now_ns)
{
	unsigned __int128 n = (unsigned __int128)b->rate * (now_ns - b->filled_ns) + b->rest;
	unsigned __int128 come = n / b->period_ns;

	b->rest = (uint64_t)(n % b->period_ns);
	b->filled_ns = now_ns;
	/* More than this fills any bucket and pays for anything. */
	if (come > INT64_MAX / 4)
		come = INT64_MAX / 4;
	b->tokens += (int64_t)come;
}

static void cut(struct flow_bucket *b)
{
	if (b->tokens > b->cap)
		b->tokens = b->cap;
}

void flow_bucket_init(struct flow_bucket *bucket, uint64_t rate, uint64_t period_ns, int64_t tokens,
	int64_t cap, uint64_t now_ns)
{
	*bucket = (struct flow_bucket){.rate = rate,
		.period_ns = period_ns,
		.tokens = tokens,
		.cap = cap,
		.filled_ns = now_ns};
}

void flow_bucket_set(struct flow_bucket *bucket, uint64_t rate, int64_t cap, uint64_t now_ns)
{
	fill(bucket, now_ns);
	bucket->rate = rate;
	bucket->cap = cap;
	cut(bucket);
}

void flow_bucket_take(struct flow_bucket *bucket, uint64_t n, uint64_t now_ns)
{
	fill(bucket, now_ns);
	if (n > INT64_MAX / 4)
		n = INT64_MAX / 4;
	if (bucket->tokens > -(INT64_MAX / 4))
		bucket->tokens -= (int64_t)n;
	cut(bucket);
}

int64_t flow_bucket_look(struct flow_bucket *bucket, uint64_t now_ns)
{
	if (bucket->rate == 0)
		return INT64_MAX;
	fill(bucket, now_ns);
	cut(bucket);
	return bucket->tokens;
}

uint64_t flow_bucket_wait_ns(struct flow_bucket *bucket, uint64_t now_ns)
{
	int64_t tokens = flow_bucket_look(bucket, now_ns);
	unsigned __int128 ns;

	if (tokens > 0)
		return 0;
	ns = (unsigned __int128)(1 - tokens) * bucket->period_ns - bucket->rest;
	ns = (ns + bucket->rate - 1) / bucket->rate;
	return ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX;
}

static void turn(struct flow_meter *m, uint64_t now_ns)
{
	uint64_t past = now_ns - m->begun_ns;

	if (past < m->window_ns)
		return;
	m->before = past < 2 * m->window_ns ? m->current : 0;
	m->current = 0;
	m->begun_ns = now_ns - past % m->window_ns;
}

void flow_meter_add(struct flow_meter *meter, uint64_t n, uint64_t now_ns)
{
	turn(meter, now_ns);
	meter->current += n;
}

/* The window before counts by the part of it that the last window_ns still cover. */
uint64_t flow_meter_read(struct flow_meter *meter, uint64_t now_ns)
{
	uint64_t left;

	turn(meter, now_ns);
	left = meter->window_ns - (now_ns - meter->begun_ns);
	return meter->current +
		(uint64_t)((unsigned __int128)meter->before * left / meter->window_ns);
}

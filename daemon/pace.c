// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Pace. A worker that keeps to its rate takes at most a second's worth at once and one frame beyond
 * it, over any time. Twice that is allowed here, so that none that keeps to it is ever found at
 * fault, whatever was scheduled when; one that does not is soon.
 */

#include "daemon/pace.h"

#define SECOND_NS UINT64_C(1000000000)

static int64_t slack(const struct pace *pace, uint64_t rate)
{
	return (int64_t)(2 * (rate + pace->pixels));
}

void pace_init(struct pace *pace, uint64_t rate, uint64_t pixels, uint64_t now_ns)
{
	*pace = (struct pace){.pixels = pixels};
	flow_bucket_init(
		&pace->bucket, rate, SECOND_NS, slack(pace, rate), slack(pace, rate), now_ns);
}

void pace_change(struct pace *pace, uint64_t rate, uint64_t now_ns, uint64_t settled_ns)
{
	if (rate >= pace->bucket.rate) {
		flow_bucket_set(&pace->bucket, rate, slack(pace, rate), now_ns);
		pace->next_rate = 0;
		return;
	}
	pace->next_rate = rate;
	pace->settled_ns = settled_ns;
}

uint64_t pace_look(struct pace *pace, uint64_t frames, uint64_t now_ns, bool *ret_kept)
{
	uint64_t more = frames > pace->frames ? frames - pace->frames : 0, pixels;

	*ret_kept = true;
	pace->frames += more;
	if (pace->bucket.rate == 0)
		return more;
	if (__builtin_mul_overflow(more, pace->pixels, &pixels))
		pixels = UINT64_MAX;
	flow_bucket_take(&pace->bucket, pixels, now_ns);
	*ret_kept = flow_bucket_look(&pace->bucket, now_ns) >= 0;
	if (pace->next_rate && now_ns >= pace->settled_ns) {
		flow_bucket_set(
			&pace->bucket, pace->next_rate, slack(pace, pace->next_rate), now_ns);
		pace->next_rate = 0;
	}
	return more;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Closing of groups. No frame comes twice, so N packets whose highest frame is the N-th are the
 * first N: two counters say it, and no set is kept.
 */

#include "daemon/worker/group.h"

enum group_state group_add(struct group *g, uint64_t frame)
{
	g->received++;
	g->withheld++;
	if (frame + 1 > g->end)
		g->end = frame + 1;
	if (g->withheld > g->limit)
		return GROUP_TOO_LONG;
	if (g->received != g->end)
		return GROUP_OPEN;
	g->withheld = 0;
	return GROUP_CLOSED;
}

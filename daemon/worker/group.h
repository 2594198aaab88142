// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_GROUP_H
#define VENCD_WORKER_GROUP_H

/*
 * When packets may be committed: a group is closed when everything received so far is exactly the
 * first N frames of the attempt, in any decode order. What was committed then decodes by itself,
 * and the next attempt can go on with the frame after it.
 */

#include <stdint.h>

struct group {
	uint32_t limit;    /* packets withheld at most, the closing one included */
	uint32_t withheld; /* packets of the open group */
	uint64_t received; /* packets in all */
	uint64_t end;      /* 1 + the highest frame among them, counted from the attempt's first */
};

enum group_state {
	GROUP_OPEN,     /* go on withholding */
	GROUP_CLOSED,   /* commit all that was withheld; withheld is 0 again */
	GROUP_TOO_LONG, /* more than the encoder said */
};

/* The next packet, in decode order; each frame at most once (the caller sees to it). */
enum group_state group_add(struct group *group, uint64_t frame);

#endif

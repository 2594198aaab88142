// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_NULL_H
#define VENCD_NULL_H

/* What a packet of the null encoder begins with; the rest of it is NULL_FILL bytes. */

#include <stdint.h>

#define NULL_MAGIC "VENCNULL"
#define NULL_FILL 0xa5
#define NULL_PACKET_KEYFRAME 1u

struct null_packet {
	char magic[8];    /* NULL_MAGIC, no NUL */
	uint32_t version; /* 1 */
	uint32_t flags;   /* NULL_PACKET_* */
	uint64_t frame;   /* encoder_frame.index */
	int64_t pts;
	uint64_t sequence; /* packets before this one, in decode order */
	uint64_t size;     /* of the packet, this header included */
	uint32_t width, height;
	uint64_t digest; /* plane_digest() of the bytes above */
};
_Static_assert(sizeof(struct null_packet) == 64, "the header has no padding");

#endif

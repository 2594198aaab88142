// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_STALL_H
#define VENCD_WORKER_STALL_H

/*
 * The progress rule: every call returns in time, and still nothing moves. It applies while frames
 * are held and nobody but the encoder can change that: it refuses frames, or has all of the
 * client's slots, or was flushed. Then, after STALL_NS without a frame taken or a packet received,
 * the attempt has stalled.
 *
 * Reads no clock. Time in which this process did not run does not count, and neither does time in
 * which it burned CPU, where that is the encoder's own (software).
 */

#include <stdbool.h>
#include <stdint.h>

#define STALL_NS UINT64_C(10000000000)
#define STALL_STEP_NS UINT64_C(200000000) /* a longer time between two looks counts as this */

struct stall {
	uint64_t progress; /* at the last look */
	uint64_t seen_ns;  /* of the last look; 0: none */
	uint64_t cpu_ns;
	uint64_t waited_ns; /* counted so far */
};

/* While blocked, at least every STALL_STEP_NS. Returns true once the attempt has stalled. */
bool stall_look(struct stall *stall, uint64_t progress, uint64_t now_ns, uint64_t cpu_ns);

#endif

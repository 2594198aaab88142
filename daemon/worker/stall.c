// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The progress rule, see stall.h. A process that uses a tenth of a CPU is at work: a wedged encoder
 * sleeps. cpu_ns stays 0 where the CPU says nothing about the encoder (hardware).
 */

#include "daemon/worker/stall.h"

#define BUSY_SHARE 10

bool stall_look(struct stall *s, uint64_t progress, uint64_t now_ns, uint64_t cpu_ns)
{
	uint64_t elapsed = s->seen_ns ? now_ns - s->seen_ns : 0;
	uint64_t burned = cpu_ns - s->cpu_ns;

	if (elapsed > STALL_STEP_NS)
		elapsed = STALL_STEP_NS;
	if (s->progress != progress)
		s->waited_ns = 0;
	else if (burned < elapsed / BUSY_SHARE || cpu_ns == 0)
		s->waited_ns += elapsed;
	s->progress = progress;
	s->seen_ns = now_ns;
	s->cpu_ns = cpu_ns;
	return s->waited_ns >= STALL_NS;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_BENCH_DELIVERY_H
#define VENCD_BENCH_DELIVERY_H

/* Where the producer's frames go, and what it saw of it. */

#include <stdint.h>
#include <stdio.h>

#include "client/vencd.h"
#include "tests/bench/pictures.h"

enum touch {
	TOUCH_ALL = 1, /* every byte of every frame is written */
	TOUCH_NONE,    /* frames are submitted as they lie there */
};

struct delivery {
	/* what to do */
	struct pictures pictures;
	struct vencd_params params;
	uint64_t frames;
	uint32_t pace; /* frames a second; 0: as fast as they are taken */
	enum touch touch;
	const char *socket; /* of the daemon, or NULL */
	char **program;     /* NULL: stdout */
	FILE *out;          /* of packets, or NULL */

	/* what happened */
	uint64_t packets, bytes, slots;
	uint64_t begun_ns, first_ns, ended_ns; /* CLOCK_MONOTONIC; first: the first packet */
	uint64_t *latency_ns;                  /* of each frame, where packets are seen */
};

uint64_t now_ns(void);

_Noreturn void die(const char *what, int r);

/* Through libvencd: begun_ns is before the connection is made. */
void deliver_to_daemon(struct delivery *d);

/* Raw video into a pipe: to the program, begun_ns is before it is started; or to stdout. */
void deliver_to_pipe(struct delivery *d);

#endif

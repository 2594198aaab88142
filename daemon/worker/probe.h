// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PROBE_H
#define VENCD_WORKER_PROBE_H

/*
 * A probe: what an encoder is here, shown by encoding. One thread, which may never return. What it
 * has to say is one thing at a time, and it goes on when that was told: if a case never ends, the
 * supervisor knows which one.
 */

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include "daemon/wire.h"

enum probe_news {
	PROBE_NO_NEWS,
	PROBE_NEWS_CASE, /* evidence is valid */
	PROBE_NEWS_DONE, /* result is valid, and the thread touches nothing any more */
};

struct probe {
	struct wire_probe request;
	struct wire_probe_case evidence;
	struct wire_probed result;
	_Atomic uint32_t news; /* enum probe_news */
	sem_t told;            /* the thread waits for it after a case's news */
	int wake;              /* write end of the loop's pipe */
};

/* Starts a thread. -errno when there is none to be had. */
int probe_start(struct probe **ret, const struct wire_probe *request, int wake);

/* The loop has told the news: takes it back, and lets the thread go on. */
void probe_told(struct probe *probe);

/* Only after PROBE_NEWS_DONE was told. */
void probe_free(struct probe *probe);

#endif

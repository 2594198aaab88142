// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PROBE_H
#define VENCD_WORKER_PROBE_H

/* A probe: what an encoder is here, shown by a short encode. One thread, which may never return. */

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/wire.h"

struct probe {
	struct wire_probe request;
	struct wire_probed result;
	_Atomic uint32_t done; /* 1: result is valid, and the thread touches nothing any more */
	int wake;              /* write end of the loop's pipe */
};

/* Starts a thread. -errno when there is none to be had. */
int probe_start(struct probe **ret, const struct wire_probe *request, int wake);

#endif

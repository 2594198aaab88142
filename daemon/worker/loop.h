// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_LOOP_H
#define VENCD_WORKER_LOOP_H

/* The worker's loop: talks with the supervisor over fd, and never calls an encoder library. */

#include "daemon/walls.h"

/* Returns only when it cannot begin: -errno. Everything else ends the process. */
int worker_loop(int fd, const struct walls *walls);

#endif

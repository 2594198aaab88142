// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_GPU_ROW_H
#define VENCD_GPU_ROW_H

/* What can be said of an encoder on a GPU before anything there was tried. Pure. */

#include <stdbool.h>

#include "daemon/wire.h"
#include "hw/deny.h"
#include "udev/enumerate.h"

/* Names the GPU in the row. */
void gpu_row_fill(struct wire_device *row, const struct gpu *gpu);

/*
 * Whether the GPU's node can be opened by this process; else the row's state, detail and advice say
 * why not and what to do, as uid's.
 */
bool gpu_row_admit(struct wire_device *row, const struct gpu *gpu, uint32_t uid);

/* The encoder is on the deny-list. */
void gpu_row_deny(struct wire_device *row, const struct deny_row *deny);

#endif

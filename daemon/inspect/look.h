// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_INSPECT_LOOK_H
#define VENCD_INSPECT_LOOK_H

#include <sys/types.h>

#include "daemon/report.h"

/*
 * Looks at a thread through /proc. What cannot be read is said in its place: "not permitted", or
 * the error's text. May block where the kernel does.
 */
void look_at(pid_t pid, pid_t tid, struct thread_view *ret);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WALL_H
#define VENCD_WALL_H

/*
 * The walls that a child of the supervisor builds around itself. Linked by every child program, and
 * never by the supervisor.
 */

#include "daemon/walls.h"

/*
 * Gives up what no library needs: privileges, capabilities, resources. For a kind that lets
 * libraries do something before wall_enter(), which it does not replace. Returns 0 or -errno.
 */
int wall_begin(enum wall_kind kind);

/*
 * Builds all walls of the kind, and says which stand. device is the node of a device worker, which
 * it may open from then on as often as it likes; NULL for other kinds. To be called once, while the
 * process has one thread and before it has read anything from wire or client: only threads made
 * later are behind the walls. wire is a socket to the supervisor, to learn whether it is gone
 * already.
 *
 * Returns 0, also where the kernel has no Landlock or no seccomp: ret then lacks their bits, which
 * the supervisor must be told. A negative errno means that a wall which every kernel has does not
 * stand; the process must end.
 */
int wall_enter(enum wall_kind kind, const char *device, int wire, struct walls *ret);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_LEAK_H
#define VENCD_LEAK_H

/*
 * The leak budgets: what cannot be freed until the kernel has taken a process, by device and for
 * the daemon, and the settings that bound it.
 */

#include "daemon/registry.h"

/* Fills the row's budgets: those of its device and those of the daemon. */
void leak_fill(const struct encoder_entry *entry, struct wire_device *row);

/*
 * Whether the encoder's device takes no more work because a budget is used up; why names it. The
 * daemon's budgets hold for devices that could leak: software is killed at once.
 */
bool leak_is_exhausted(const struct encoder_entry *entry, char why[static 128]);

struct worker;

/*
 * Whether the tainted workers of this one's uid hold more than half of a budget: so many of them
 * are not left time to drain, since what they hold others might need. One always is.
 */
bool leak_is_greedy(const struct worker *worker);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_GROWTH_H
#define VENCD_GROWTH_H

/*
 * How long a worker that several sessions share is of use: drivers leak, so one that has grown too
 * much or has had many sessions is given no more, and ends with its last.
 */

#include <stdbool.h>

struct worker;

/* The worker was given to a uid: from here on it is measured. */
void growth_begin(struct worker *worker);

/* Whether it is to get no new session. */
bool growth_is_over(const struct worker *worker);

#endif

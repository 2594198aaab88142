// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WORKER_PROOF_CASES_H
#define VENCD_WORKER_PROOF_CASES_H

/* The list of cases that proves what an encoder claims, and what follows from their ends. Pure. */

#include <stdbool.h>

#include "daemon/proof.h"
#include "hw/catalogue.h"

struct proof_list {
	unsigned n;
	struct proof_case cases[PROOF_CASES_MAX];
};

/*
 * Lists what proves limits->reach, riskiest last; the first one is the base. None where the reach
 * has not even that.
 */
void proof_list_cases(
	const struct encoder_limits *limits, enum proof_depth depth, struct proof_list *ret);

/* The case as a request narrowed to the encoder: false where it cannot express it. */
bool proof_case_params(const struct encoder_limits *limits, const struct proof_case *asked,
	struct encoder_params *ret);

/* Whether case i still has something to show, after what those before it have left of the reach. */
bool proof_is_wanted(const struct proof_list *list, unsigned i, const struct encoder_reach *reach);

/* What case i leaves of the reach. */
void proof_settle(
	const struct proof_list *list, unsigned i, bool passed, struct encoder_reach *reach);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TESTS_CASES_H
#define VENCD_TESTS_CASES_H

#include <stdbool.h>

#include "hw/catalogue.h"

struct contract_case {
	const char *name;
	void (*check)(const struct encoder_limits *limits); /* returns if the contract is kept */
	bool alone; /* takes so long that it runs where it is named, and nowhere else */
};

/* Each ends with a row without a name. */
extern const struct contract_case lifecycle_cases[], stream_cases[], rate_cases[], signal_cases[],
	refusal_cases[];

#endif

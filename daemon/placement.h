// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLACEMENT_H
#define VENCD_PLACEMENT_H

/*
 * Which encoder a request gets: the client's codecs in their order, within a codec the catalogue's
 * order, the first one that can express the request and has proved itself. Pure.
 */

#include "daemon/registry.h"
#include "daemon/report.h"

enum placement_result {
	PLACEMENT_FOUND = 1,
	PLACEMENT_WAIT, /* a better candidate than any proven one is still being probed */
	PLACEMENT_REFUSED,
};

struct placement {
	const struct encoder_entry *encoder; /* FOUND */
	struct encoder_params params;        /* FOUND: the request, narrowed to it */
	struct attempt_report why;           /* FOUND: .picked and .rejected */
	uint32_t error;                      /* REFUSED: enum wire_error */
	struct vencd_refusal refusal;        /* REFUSED */
};

enum placement_result placement_choose(const struct registry *registry,
	const struct vencd_params *request, uint32_t threads, struct placement *ret);

#endif

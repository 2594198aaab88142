// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PLACEMENT_H
#define VENCD_PLACEMENT_H

/*
 * Which encoder a request gets: the client's codecs in their order; within a codec hardware before
 * software, of hardware the device with the least load, and of software the catalogue's order; only
 * what can express the request, has proved itself and is not lost to the uid. Pure.
 */

#include <stdbool.h>

#include "daemon/registry.h"
#include "daemon/report.h"

enum placement_result {
	PLACEMENT_FOUND = 1,
	PLACEMENT_WAIT, /* a better candidate than any usable one is being probed for this uid */
	PLACEMENT_REFUSED,
};

/* Who asks, when, and for what. */
struct placement_ask {
	const struct vencd_params *request;
	uint32_t uid;
	uint32_t threads; /* for a software encoder */
	bool waited;      /* long enough: encoders that are being probed are passed over */
	uint64_t now_ns;  /* the clock of blame.c */
	uint64_t wall_us; /* CLOCK_REALTIME, for what people read */
};

struct placement {
	const struct encoder_entry *encoder; /* FOUND */
	struct encoder_params params;        /* FOUND: the request, narrowed to it */
	struct attempt_report why;           /* FOUND: .picked and .rejected */
	uint32_t error;                      /* REFUSED: enum wire_error */
	struct vencd_refusal refusal;        /* REFUSED */
};

/* Pixels a second that the encoder does: measured in its probe, or else assumed. */
uint64_t placement_rate(const struct encoder_entry *entry);

enum placement_result placement_choose(
	const struct registry *registry, const struct placement_ask *ask, struct placement *ret);

#endif

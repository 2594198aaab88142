// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_DELIVERY_H
#define VENCD_FRONT_DELIVERY_H

/*
 * What became of the output of a one-shot request, as its adapter says. The adapter's words are
 * copied, checked and bounded before they go to the client.
 */

#include <stdint.h>
#include <systemd/sd-json.h>

#include "client/vencd.h"
#include "daemon/front/refusal.h"

struct delivery {
	enum vencd_outcome outcome; /* 0: no result came */
	char error[64], text[512];
	uint64_t bytes, frames;
};

/* An outcome that is none counts as failed; no object at all leaves *ret without a result. */
void delivery_from_json(sd_json_variant *v, struct delivery *ret);
/* The adapter ended without a result. */
void delivery_failed(struct delivery *ret, const struct adapter_end *end);
int delivery_to_json(const struct delivery *delivery, sd_json_variant **ret);

/* The numbers that progress may have. */
int progress_to_json(sd_json_variant *from, sd_json_variant **ret);

/* Of a report and a delivery. Failed is worse than cancelled: nobody asked for it. */
enum vencd_outcome outcome_worse(enum vencd_outcome a, enum vencd_outcome b);

#endif

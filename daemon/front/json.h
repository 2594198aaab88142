// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_JSON_H
#define VENCD_FRONT_JSON_H

/*
 * The supervisor's structs as JSON objects of the interface. Names are by value, and one that is
 * none is "unknown"; only what means something is there. All return a negative errno on failure.
 */

#include <systemd/sd-json.h>

#include "daemon/wire.h"

/* docs/report.schema.json */
int report_to_json(const struct session_report *report, sd_json_variant **ret);

int session_to_json(const struct wire_session *session, sd_json_variant **ret);
int budgets_to_json(const struct wire_budget budgets[WIRE_BUDGETS], sd_json_variant **ret);
int quota_to_json(const struct wire_quota *quota, sd_json_variant **ret);
int device_to_json(const struct wire_device *device, sd_json_variant **ret);
/* Adds the evidence as `proof`, where there is any. */
int proof_add(sd_json_variant **v, const struct proof *proof);
int walls_to_json(const struct wire_walls *walls, sd_json_variant **ret);
int opened_to_json(const struct wire_opened *opened, sd_json_variant **ret);

/* A name, or "unknown" where there is none. */
const char *name_or_unknown(const char *name);

/* Adds a list of names of walls. */
int wall_names_add(sd_json_variant **v, const char *field, uint32_t walls);

/*
 * Adds a text that may come from a driver, and may be anything: what is no UTF-8 becomes '?'. An
 * empty one is left out.
 */
int text_add(sd_json_variant **v, const char *field, const char *text);
int text_new(const char *text, sd_json_variant **ret);

/* The same as a field of sd_json_buildo(): there when it is empty, too, and null for NULL. */
int text_build(sd_json_variant **ret, const char *name, void *userdata);
#define TEXT_PAIR(name, text) SD_JSON_BUILD_PAIR_CALLBACK(name, text_build, (void *)(text))

#endif

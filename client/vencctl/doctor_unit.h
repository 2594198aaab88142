// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_DOCTOR_UNIT_H
#define VENCD_DOCTOR_UNIT_H

/* What systemd says of the daemon's unit, as far as doctor has something to say about it. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define UNIT_NAME "vencd.service"

enum unit_property {
	UNIT_LOAD_STATE,
	UNIT_ACTIVE_STATE,
	UNIT_USER,
	UNIT_GROUP,
	UNIT_SUPPLEMENTARY_GROUPS,
	UNIT_PRIVATE_DEVICES,
	UNIT_DEVICE_POLICY,
	UNIT_DEVICE_ALLOW,
	UNIT_MEMORY_DENY_WRITE_EXECUTE,
	UNIT_RESTRICT_ADDRESS_FAMILIES,
	UNIT_SYSTEM_CALL_FILTER,
	UNIT_PROC_SUBSET,
	UNIT_PROTECT_PROC,
	UNIT_LIMIT_NOFILE,
	UNIT_TASKS_MAX,
	UNIT_MEMORY_MAX,
	UNIT_PROPERTIES,
};

/* Of a kind that the property's signature says; one that systemd did not tell is not known. */
struct unit_value {
	bool known;
	bool truth; /* b; of (bas): whether the list says what is allowed, not what is denied */
	uint64_t number; /* t */
	char *text;      /* s */
	char **list;     /* as, (bas); of a(ss) both strings in one. NULL ends it */
};

struct unit {
	struct unit_value value[UNIT_PROPERTIES];
};

/* The name as a unit file has it: "PrivateDevices". */
const char *unit_property_name(enum unit_property property);

/*
 * Asks the system's bus, for UNIT_ASK_MS at most; what has no answer by then is a failure. Returns
 * 0 or -errno, with the bus's own words in text. Clear it in either case.
 */
int unit_ask(struct unit *ret, char *text, size_t size);
void unit_clear(struct unit *unit);

#endif

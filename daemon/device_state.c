// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The states of an encoder on its device: one table with each one's word, what to do about it, and
 * what it means for a request. Pure; the supervisor and the fronts link it.
 */

#include "daemon/device_state.h"

enum use {
	USE_NONE, /* takes no work */
	USE_OPEN, /* it is not known yet */
	USE_FULL, /* takes work */
};

static const struct {
	const char *name;
	enum use use;
	const char *advice;
} states[DEVICE_STATE_MAX] = {
	[DEVICE_PROBING] = {"probing", USE_OPEN, "requests that need it wait for its probe"},
	[DEVICE_PROVEN] = {"proven", USE_FULL, ""},
	[DEVICE_ABSENT] = {"absent", USE_NONE,
		"nothing, or install what is missing and start vencd again"},
	[DEVICE_BROKEN] = {"broken", USE_NONE, "see the daemon's log; it is probed again"},
	[DEVICE_DISABLED] = {"disabled", USE_NONE, "see DenyOverride in vencd.conf(5)"},
	[DEVICE_QUARANTINED] = {"quarantined", USE_NONE,
		"see the daemon's log; it is probed again"},
	[DEVICE_NOT_PERMITTED] = {"not-permitted", USE_NONE,
		"let the daemon's user open the render node; see `vencctl doctor`"},
	[DEVICE_NO_LIBRARY] = {"library-missing", USE_NONE,
		"install the VA-API driver of this GPU; see `vencctl doctor`"},
	[DEVICE_UNSUPPORTED] = {"unsupported", USE_NONE,
		"nothing: this GPU, or its driver, does not encode it"},
	[DEVICE_UNTESTED] = {"untested", USE_OPEN, "requests that need it wait for its probe"},
	[DEVICE_DEGRADED] = {"degraded", USE_FULL,
		"what it lacks is not used; another version of its driver may have it"},
};

const char *device_state_name(uint32_t state)
{
	return state < DEVICE_STATE_MAX && states[state].name ? states[state].name : "unknown";
}

const char *device_state_advice(uint32_t state)
{
	return state < DEVICE_STATE_MAX && states[state].advice ? states[state].advice : "";
}

bool device_state_is_usable(uint32_t state)
{
	return state < DEVICE_STATE_MAX && states[state].use == USE_FULL;
}

bool device_state_is_open(uint32_t state)
{
	return state < DEVICE_STATE_MAX && states[state].use == USE_OPEN;
}

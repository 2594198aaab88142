// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_DEVICE_STATE_H
#define VENCD_DEVICE_STATE_H

/* What is known of an encoder on its device: a row of ListDevices is in one of these states. */

#include <stdbool.h>
#include <stdint.h>

enum device_state {
	DEVICE_PROBING = 1,   /* its first probe runs */
	DEVICE_PROVEN,        /* has shown in a probe all that it claims */
	DEVICE_ABSENT,        /* library, engine or node is not there: not an error */
	DEVICE_BROKEN,        /* its probe failed, crashed or was abandoned */
	DEVICE_DISABLED,      /* by the deny-list */
	DEVICE_QUARANTINED,   /* has failed since: takes no work until a probe has passed */
	DEVICE_NOT_PERMITTED, /* the daemon may not open its node */
	DEVICE_NO_LIBRARY,    /* no driver library for it in user space */
	DEVICE_UNSUPPORTED,   /* device or driver does not have this codec */
	DEVICE_UNTESTED,      /* its first probe has not begun */
	DEVICE_DEGRADED,      /* works, but for less than it claims */
	DEVICE_STATE_MAX,
};

/* "not-permitted"; "unknown" for what is no state. */
const char *device_state_name(uint32_t state);

/* What a person can do about it, where the row has nothing better to say; "" for nothing. */
const char *device_state_advice(uint32_t state);

/* Whether it takes work. */
bool device_state_is_usable(uint32_t state);

/* Whether its first probe is still to come or to end. */
bool device_state_is_open(uint32_t state);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What an encoder's status is called and what it means for the attempt and its session: one table.
 * Pure; the supervisor links it.
 */

#include "hw/encoder.h"

static const struct {
	const char *name;
	enum encoder_class class;
} statuses[ENCODER_STATUS_MAX] = {
	[ENCODER_OK] = {"ok", ENCODER_CLASS_NONE},
	[ENCODER_AGAIN] = {"again", ENCODER_CLASS_NONE},
	[ENCODER_END] = {"end", ENCODER_CLASS_NONE},
	[ENCODER_INVALID] = {"invalid", ENCODER_CLASS_SESSION},
	[ENCODER_NO_MEMORY] = {"no-memory", ENCODER_CLASS_RETRY},
	[ENCODER_BUSY] = {"busy", ENCODER_CLASS_RETRY},
	[ENCODER_ABSENT] = {"absent", ENCODER_CLASS_FAILOVER},
	[ENCODER_DEVICE_LOST] = {"device-lost", ENCODER_CLASS_QUARANTINE},
	[ENCODER_LIBRARY] = {"library", ENCODER_CLASS_FAILOVER},
	[ENCODER_WRONG_OUTPUT] = {"wrong-output", ENCODER_CLASS_FAILOVER},
	[ENCODER_NO_LIBRARY] = {"no-library", ENCODER_CLASS_FAILOVER},
	[ENCODER_NOT_PERMITTED] = {"not-permitted", ENCODER_CLASS_FAILOVER},
};

/* A status that is none comes from a worker that cannot be believed: the next encoder's turn. */
enum encoder_class encoder_status_class(enum encoder_status status)
{
	return (unsigned)status < ENCODER_STATUS_MAX ? statuses[status].class
						     : ENCODER_CLASS_FAILOVER;
}

const char *encoder_status_name(enum encoder_status status)
{
	return (unsigned)status < ENCODER_STATUS_MAX ? statuses[status].name : "unknown";
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Names of calls and states, as they stand in reports and lists. Values may come from a word that
 * another process wrote: one that is none is "unknown".
 */

#include "daemon/slot.h"

#include <stddef.h>

static const char *const call_names[SLOT_CALL_MAX] = {
	[SLOT_CALL_NONE] = "none",
	[SLOT_CALL_START] = "start",
	[SLOT_CALL_PROBE] = "probe",
	[SLOT_CALL_OPEN] = "open",
	[SLOT_CALL_SEND] = "send",
	[SLOT_CALL_RECEIVE] = "receive",
	[SLOT_CALL_FLUSH] = "flush",
	[SLOT_CALL_CLOSE] = "close",
	[SLOT_CALL_DEVICE] = "device",
	[SLOT_CALL_FRAMES] = "frames",
	[SLOT_CALL_CODEC] = "codec",
	[SLOT_CALL_SURFACE] = "surface",
	[SLOT_CALL_UPLOAD] = "upload",
	[SLOT_CALL_FREE_CODEC] = "free-codec",
	[SLOT_CALL_FREE_FRAMES] = "free-frames",
	[SLOT_CALL_FREE_DEVICE] = "free-device",
};

static const char *const state_names[] = {
	[SLOT_OWN] = "own",
	[SLOT_IDLE_INPUT] = "idle-input",
	[SLOT_IDLE_CREDIT] = "idle-credit",
	[SLOT_IDLE_RATE] = "idle-rate",
	[SLOT_RUNNING] = "running",
	[SLOT_ABANDONED] = "abandoned",
	[SLOT_LATE] = "late",
	[SLOT_ENDED] = "ended",
};

static const char *name_of(const char *const *names, size_t n, unsigned value)
{
	return value < n && names[value] ? names[value] : "unknown";
}

const char *slot_call_name(enum slot_call call)
{
	return name_of(call_names, SLOT_CALL_MAX, call);
}

const char *slot_state_name(enum slot_state state)
{
	return name_of(state_names, sizeof(state_names) / sizeof(state_names[0]), state);
}

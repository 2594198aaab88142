// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The outcome of a session, decided here and nowhere else, from counts and states only. A report is
 * never better than the run: each rule below can only be left for a worse one.
 */

#include "daemon/report.h"

#include <stddef.h>

enum vencd_outcome report_outcome(const struct session_tally *tally)
{
	bool whole = tally->finished && tally->encoded == tally->submitted;

	if (tally->cancel_cause == VENCD_CANCEL_ASKED)
		return VENCD_OUTCOME_CANCELLED;
	if (whole && tally->all_clean && tally->attempts == 1 && tally->cancel_cause == 0)
		return VENCD_OUTCOME_COMPLETE;
	if (tally->encoded == 0)
		return VENCD_OUTCOME_FAILED;
	if (whole && tally->cancel_cause == 0)
		return VENCD_OUTCOME_DEGRADED;
	return VENCD_OUTCOME_TRUNCATED;
}

uint64_t report_submitted(uint64_t head, uint64_t taken, uint64_t encoded, uint32_t slots)
{
	if (taken < encoded)
		taken = encoded;
	if (head > taken && head - taken > slots)
		head = taken + slots;
	return head > encoded ? head : encoded;
}

static const char *const end_names[ATTEMPT_END_MAX] = {
	[ATTEMPT_RUNNING] = "running",
	[ATTEMPT_FINISHED] = "finished",
	[ATTEMPT_ABANDONED] = "abandoned",
	[ATTEMPT_CRASHED] = "crashed",
	[ATTEMPT_EXITED] = "exited",
	[ATTEMPT_ERROR] = "error",
	[ATTEMPT_WRONG_OUTPUT] = "wrong_output",
	[ATTEMPT_STALLED] = "stalled",
	[ATTEMPT_UNRESPONSIVE] = "unresponsive",
	[ATTEMPT_CANCELLED] = "cancelled",
	[ATTEMPT_DRAINED] = "drained",
};

const char *attempt_end_name(enum attempt_end end)
{
	return (unsigned)end < ATTEMPT_END_MAX ? end_names[end] : NULL;
}

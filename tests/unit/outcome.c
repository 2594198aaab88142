// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The outcome of a session, over every combination of what it is decided from: the rules are stated
 * here once more, as what must never be said.
 */

#include "daemon/report.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned long checked;

static void refuse(const struct session_tally *t, enum vencd_outcome outcome, const char *rule)
{
	fprintf(stderr,
		"outcome: %s, but got %s for submitted %lu encoded %lu attempts %u finished %u "
		"clean %u cause %u\n",
		rule, vencd_outcome_name(outcome), (unsigned long)t->submitted,
		(unsigned long)t->encoded, t->attempts, t->finished, t->all_clean, t->cancel_cause);
	exit(1);
}

static void check(const struct session_tally *t)
{
	enum vencd_outcome o = report_outcome(t);
	int whole = t->finished && t->encoded == t->submitted;

	checked++;
	if (o == VENCD_OUTCOME_INCOMPLETE)
		refuse(t, o, "an ended session has an outcome");
	if (o == VENCD_OUTCOME_COMPLETE &&
		(!whole || !t->all_clean || t->attempts != 1 || t->cancel_cause))
		refuse(t, o, "complete is one clean attempt with every frame");
	if (o == VENCD_OUTCOME_DEGRADED && (!whole || t->encoded == 0 || t->cancel_cause))
		refuse(t, o, "degraded has every frame");
	if (o == VENCD_OUTCOME_TRUNCATED && t->encoded == 0)
		refuse(t, o, "truncated has something");
	if (t->cancel_cause == VENCD_CANCEL_ASKED && o != VENCD_OUTCOME_CANCELLED)
		refuse(t, o, "who asks for it gets cancelled");
	if (t->cancel_cause > VENCD_CANCEL_ASKED && o != VENCD_OUTCOME_TRUNCATED &&
		o != VENCD_OUTCOME_FAILED)
		refuse(t, o, "a broken input or output is never whole");
	if (whole && t->all_clean && t->attempts == 1 && !t->cancel_cause &&
		o != VENCD_OUTCOME_COMPLETE)
		refuse(t, o, "what is complete is called so");
}

int main(void)
{
	struct session_tally t;

	for (t.submitted = 0; t.submitted < 3; t.submitted++)
		for (t.encoded = 0; t.encoded <= t.submitted; t.encoded++)
			for (t.attempts = 1; t.attempts < 4; t.attempts++)
				for (unsigned bits = 0; bits < 4; bits++)
					for (t.cancel_cause = 0; t.cancel_cause < 4;
						t.cancel_cause++) {
						t.finished = bits & 1;
						t.all_clean = bits >> 1;
						check(&t);
					}
	printf("%lu tallies\n", checked);
	return checked == 288 ? 0 : 1;
}

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

/* A worker that lies about what it took cannot make lost frames disappear. */
static void check_submitted(void)
{
	static const struct {
		uint64_t head, taken, encoded, submitted;
	} cases[] = {
		{9, 7, 5, 9},
		{9, 0, 0, 4},
		{UINT64_MAX, 7, 5, 11},
		{9, UINT64_MAX - 1, 5, 9},
		{0, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t n = report_submitted(cases[i].head, cases[i].taken, cases[i].encoded, 4);

		if (n != cases[i].submitted) {
			fprintf(stderr, "case %u: %lu frames submitted\n", i, (unsigned long)n);
			exit(1);
		}
	}
}

int main(void)
{
	struct session_tally t;

	check_submitted();

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

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Evidence as the supervisor keeps it. It comes from a worker, which may be in a driver's hands: it
 * is bounded and in order, but it may be invented. What it says of the reach can only narrow what
 * the catalogue has. Pure.
 */

#include "daemon/proof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[PROOF_STATE_MAX] = {
	[PROOF_RUNNING] = "running",
	[PROOF_PASSED] = "passed",
	[PROOF_FAILED] = "failed",
	[PROOF_HUNG] = "hung",
	[PROOF_CRASHED] = "crashed",
};

const char *proof_state_name(uint32_t state)
{
	return state < PROOF_STATE_MAX ? state_names[state] : NULL;
}

static struct proof_evidence *running(struct proof *proof)
{
	struct proof_evidence *last = proof->n ? &proof->cases[proof->n - 1] : NULL;

	return last && last->state == PROOF_RUNNING ? last : NULL;
}

int proof_note(struct proof *proof, const struct proof_evidence *evidence)
{
	struct proof_evidence *begun = running(proof);

	if (evidence->status >= ENCODER_STATUS_MAX)
		return -EPROTO;
	if (evidence->state == PROOF_RUNNING) {
		if (begun || proof->n == PROOF_CASES_MAX)
			return -EPROTO;
		proof->cases[proof->n++] = *evidence;
		return 0;
	}
	if (!begun || (evidence->state != PROOF_PASSED && evidence->state != PROOF_FAILED) ||
		strcmp(begun->asked.name, evidence->asked.name) != 0)
		return -EPROTO;
	*begun = *evidence;
	return 0;
}

const struct proof_evidence *proof_end(struct proof *proof, enum proof_state state)
{
	struct proof_evidence *begun = running(proof);

	if (begun)
		begun->state = state;
	return begun;
}

bool proof_has_base(const struct proof *proof)
{
	return proof->n > 0 && proof->cases[0].state == PROOF_PASSED &&
		proof->cases[proof->n - 1].state != PROOF_RUNNING;
}

const struct proof_evidence *proof_refused(const struct proof *proof)
{
	for (unsigned i = 0; i < proof->n; i++) {
		const struct proof_evidence *e = &proof->cases[i];

		if (e->state == PROOF_FAILED &&
			encoder_status_class(e->status) == ENCODER_CLASS_RETRY)
			return e;
	}
	return NULL;
}

void proof_merge(struct proof *proof, const struct proof *base)
{
	for (unsigned i = 0; i < base->n; i++) {
		unsigned j = 0;

		while (j < proof->n &&
			strcmp(proof->cases[j].asked.name, base->cases[i].asked.name) != 0)
			j++;
		if (j == PROOF_CASES_MAX)
			continue;
		proof->cases[j] = base->cases[i];
		if (j == proof->n)
			proof->n++;
	}
}

bool proof_lacks(const struct proof *proof, char *text, size_t size)
{
	size_t used = 0;
	bool lacks = false;

	text[0] = '\0';
	for (unsigned i = 0; i < proof->n; i++) {
		const struct proof_evidence *e = &proof->cases[i];

		if (e->state == PROOF_PASSED)
			continue;
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s (%s)",
				lacks ? ", " : "", e->asked.name,
				e->state == PROOF_FAILED ? encoder_status_name(e->status)
							 : proof_state_name(e->state));
		lacks = true;
	}
	return lacks;
}

static uint32_t larger_of(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t smaller_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void proof_narrow(struct encoder_reach *reach, const struct encoder_reach *shown)
{
	reach->min_width = larger_of(reach->min_width, shown->min_width);
	reach->min_height = larger_of(reach->min_height, shown->min_height);
	reach->max_width = smaller_of(reach->max_width, shown->max_width);
	reach->max_height = smaller_of(reach->max_height, shown->max_height);
	if (shown->size_multiple && shown->size_multiple % reach->size_multiple == 0)
		reach->size_multiple = shown->size_multiple;
	reach->formats &= shown->formats;
	reach->formats_converted &= shown->formats_converted;
	for (unsigned i = 0; i < 3; i++)
		reach->rate_controls[i] &= shown->rate_controls[i];
	reach->b_frames &= shown->b_frames;
	reach->packed_headers &= shown->packed_headers;
}

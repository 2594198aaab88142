// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Inspectors: short-lived processes that look at one thread of a worker for us (vencd-inspect). One
 * is sent out when a call or a loop becomes suspect, so that what it saw is there when the time is
 * over; nothing waits for it. Its answer belongs to exactly the call word, or the ping, that was
 * suspect: if that has moved on, or the worker is gone, it is dropped. Of a tombstone it goes into
 * the log.
 *
 * An inspector that has not answered by InspectBudget is killed. One that does not die goes on
 * counting against InspectorsMax, so that a host whose /proc hangs makes no pile of them; and one
 * user's workers get half of them at most.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

struct inspector {
	LIST_ENTRY(inspector) entry;
	struct supervisor *supervisor;
	struct child *child;
	sd_event_source *deadline;
	struct worker *worker; /* NULL: it is dead */
	uint32_t uid;          /* of its worker's clients; charged until it is dead */
	enum inspection what;
	uint64_t attempt; /* INSPECT_CALL: its number */
	uint64_t word;
};

/* Where the answer is waited for; NULL when nobody wants it any more. */
static struct evidence *evidence_of(const struct inspector *inspector)
{
	struct evidence *evidence = NULL;
	struct attempt *attempt;

	if (!inspector->worker)
		return NULL;
	if (inspector->what == INSPECT_LOOP)
		evidence = &inspector->worker->evidence;
	if (inspector->what == INSPECT_CALL)
		LIST_FOREACH(attempt, &inspector->worker->attempts, entry)
	if (attempt->number == inspector->attempt)
		evidence = &attempt->evidence;
	if (!evidence || evidence->state != EVIDENCE_ASKED || evidence->word != inspector->word)
		return NULL;
	return evidence;
}

static void miss(struct evidence *evidence, const char *why)
{
	evidence->state = EVIDENCE_MISSED;
	snprintf(evidence->why, sizeof(evidence->why), "%s", why);
}

static void inspector_message(struct child *child, const union wire_message *message)
{
	struct inspector *inspector = child->owner;
	struct evidence *evidence = evidence_of(inspector);

	if (message->h.type == WIRE_READY &&
		standing_note(inspector->supervisor, WALL_INSPECT, &message->ready.walls) == 0)
		return;
	if (message->h.type != WIRE_INSPECTED) {
		child_kill(child);
		return;
	}
	if (evidence) {
		evidence->state = EVIDENCE_SEEN;
		evidence->view = message->inspected.view;
	} else if (inspector->worker && inspector->what == INSPECT_TOMBSTONE) {
		forensics_log_tombstone(inspector->worker, &message->inspected.view);
	}
	inspector->worker = NULL;
}

static void inspector_dead(struct child *child, const siginfo_t *info)
{
	struct inspector *inspector = child->owner;
	struct evidence *evidence = evidence_of(inspector);

	(void)info;
	if (evidence)
		miss(evidence, "the inspector died");
	sd_event_source_disable_unref(inspector->deadline);
	LIST_REMOVE(inspector, entry);
	free(inspector);
	child_free(child);
}

static const struct child_ops inspector_ops = {
	.program = "vencd-inspect",
	.message = inspector_message,
	.dead = inspector_dead,
};

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct inspector *inspector = userdata;
	struct evidence *evidence = evidence_of(inspector);
	char why[48];

	(void)source;
	(void)usec;
	snprintf(why, sizeof(why), "no answer within %u ms",
		inspector->supervisor->config.inspect_budget_ms);
	if (evidence)
		miss(evidence, why);
	if (inspector->worker && inspector->what == INSPECT_TOMBSTONE)
		log_warning(
			"vencd-worker[%d]: not inspected: %s", inspector->worker->child->pid, why);
	child_kill(inspector->child);
	return 0;
}

/* Whether one more may be sent out for a worker of this user. */
static bool may_send(const struct worker *worker, const char **ret_why)
{
	const struct supervisor *sv = worker->supervisor;
	unsigned max = sv->config.inspectors_max, all = 0, own = 0;
	const struct inspector *inspector;

	LIST_FOREACH(inspector, &sv->inspectors, entry)
	{
		all++;
		own += inspector->uid == worker->uid;
	}
	*ret_why = max == 0 ? "InspectorsMax is 0" : "as many inspectors as may are at work";
	return all < max && own < (max + 1) / 2;
}

static int spawn(struct inspector *inspector)
{
	struct supervisor *sv = inspector->supervisor;
	int r = sd_event_add_time_relative(sv->event, &inspector->deadline, CLOCK_MONOTONIC,
		sv->config.inspect_budget_ms * UINT64_C(1000), 0, on_deadline, inspector);

	if (r >= 0)
		r = child_spawn(&inspector->child, sv->event, &inspector_ops, inspector,
			sv->config.kill_grace_ms * UINT64_C(1000), NULL);
	if (r < 0)
		sd_event_source_disable_unref(inspector->deadline);
	return r;
}

const char *inspector_send(
	struct worker *worker, enum inspection what, uint64_t attempt, uint64_t word, uint32_t tid)
{
	struct wire_inspect order = {.h = {WIRE_INSPECT, sizeof(order), 0},
		.pid = (uint32_t)worker->child->pid,
		.tid = tid};
	struct inspector *inspector;
	const char *why;

	if (!may_send(worker, &why))
		return why;
	inspector = calloc(1, sizeof(*inspector));
	if (!inspector)
		return "no memory for an inspector";
	*inspector = (struct inspector){.supervisor = worker->supervisor,
		.worker = worker,
		.uid = worker->uid,
		.what = what,
		.attempt = attempt,
		.word = word};
	if (spawn(inspector) < 0) {
		free(inspector);
		return "no inspector could be started";
	}
	LIST_INSERT_HEAD(&worker->supervisor->inspectors, inspector, entry);
	child_send(inspector->child, &order, NULL, 0);
	return NULL;
}

void inspector_forget(const struct worker *worker)
{
	struct inspector *inspector;

	LIST_FOREACH(inspector, &worker->supervisor->inspectors, entry)
	if (inspector->worker == worker)
		inspector->worker = NULL;
}

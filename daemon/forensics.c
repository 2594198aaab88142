// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What is told about a bad end. When half of a call's budget is over, an inspector is sent to look
 * at its thread; when the attempt ends, what it saw, what the call was given, and what the process
 * said last go into the report and into the log, as one entry with fields of its own. The report
 * never waits for any of it: what is not there yet is said to be missing.
 *
 * All of it is information. The arguments are what the worker wrote into its slot, and nothing is
 * decided by them.
 */

#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

#define ID_ABANDONED "494d8b7af6a744e98c9c7ef662f66964"
#define ID_CRASHED "de7151fae5984a17aadd428309d19c85"
#define ID_KILLED "67f27d92999f4d27aeb955e56b19c748"
#define ID_TOMBSTONE "7a7ee0aa3ecc419499920b35046d8a5a"

/* Ends that are logged as entries of their own. */
static const char *const message_ids[ATTEMPT_END_MAX] = {
	[ATTEMPT_ABANDONED] = ID_ABANDONED,
	[ATTEMPT_CRASHED] = ID_CRASHED,
	[ATTEMPT_EXITED] = ID_CRASHED,
	[ATTEMPT_UNRESPONSIVE] = ID_KILLED,
	[ATTEMPT_DRAINED] = ID_KILLED,
};

#define TEXT(to, ...) snprintf((to), sizeof(to), __VA_ARGS__)

static uint64_t relaxed(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* The worker's word; before it has one, its main thread's. */
static uint32_t run_tid(const struct attempt *attempt)
{
	uint64_t tid = relaxed(&attempt->slot->tid);

	return tid > 0 && tid <= INT32_MAX ? (uint32_t)tid : (uint32_t)attempt->worker->child->pid;
}

static void ask(struct evidence *evidence, uint64_t word, const char *why_not)
{
	evidence->state = why_not ? EVIDENCE_MISSED : EVIDENCE_ASKED;
	evidence->word = word;
	TEXT(evidence->why, "%s", why_not ? why_not : "");
}

void forensics_suspect(struct attempt *attempt)
{
	uint64_t word = attempt->watch.seen;

	ask(&attempt->evidence, word,
		inspector_send(
			attempt->worker, INSPECT_CALL, attempt->number, word, run_tid(attempt)));
}

void forensics_silent(struct worker *worker)
{
	if (worker->evidence.state != EVIDENCE_NONE && worker->evidence.word == worker->asked)
		return;
	ask(&worker->evidence, worker->asked,
		inspector_send(
			worker, INSPECT_LOOP, 0, worker->asked, (uint32_t)worker->child->pid));
}

void forensics_tombstone(struct worker *worker)
{
	const char *why = inspector_send(
		worker, INSPECT_TOMBSTONE, 0, 0, (uint32_t)worker->child->pid);
	struct attempt *attempt;

	LIST_FOREACH(attempt, &worker->attempts, entry)
	if (!why)
		why = inspector_send(worker, INSPECT_TOMBSTONE, 0, 0, run_tid(attempt));
	if (why)
		log_warning("vencd-worker[%d]: not inspected: %s", worker->child->pid, why);
}

/* --- into the report --- */

static void take_view(
	const struct evidence *evidence, uint64_t word, const char *none, struct forensics *ret)
{
	const char *why = none;

	if (evidence->word != word || evidence->state == EVIDENCE_NONE) {
		TEXT(ret->inspected, "not inspected: %s", why);
		return;
	}
	if (evidence->state == EVIDENCE_SEEN) {
		ret->thread = evidence->view;
		TEXT(ret->inspected, "%s",
			evidence->view.permitted ? "in call" : THREAD_NOT_PERMITTED);
		return;
	}
	why = evidence->state == EVIDENCE_MISSED ? evidence->why : "no answer yet";
	TEXT(ret->inspected, "not inspected: %s", why);
}

static void take_arguments(const struct call_slot *slot, struct forensics *ret)
{
	ret->pts = (int64_t)relaxed(&slot->pts);
	ret->bytes = relaxed(&slot->bytes);
	ret->flags = (uint32_t)relaxed(&slot->flags);
}

static void take_thread(
	const struct attempt *attempt, const struct attempt_report *report, struct forensics *ret)
{
	const struct worker *worker = attempt->worker;

	ret->tid = run_tid(attempt);
	if (report->call == SLOT_CALL_SEND)
		take_arguments(attempt->slot, ret);
	if (report->end == ATTEMPT_UNRESPONSIVE)
		take_view(&worker->evidence, worker->asked, "it was not suspect", ret);
	else if (report->end == ATTEMPT_ABANDONED)
		take_view(&attempt->evidence, attempt->watch.seen, "it was not suspect", ret);
	else
		take_view(&attempt->evidence, attempt->watch.seen, "the process had died", ret);
}

/* --- into the log --- */

static void thread_text(const struct thread_view *view, char *ret, size_t size)
{
	snprintf(ret, size, "thread %u (%s) in state %s, system call %s, waiting in %s", view->tid,
		view->comm, view->state, view->syscall, view->wchan);
}

static void stack_text(const struct thread_view *view, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < REPORT_STACK_MAX && view->stack[i][0] && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? " < " : "", view->stack[i]);
}

/* A line for each part, all with the same fields: none of them is cut. */
static void log_view(
	enum log_level level, const char *fields, int pid, const struct thread_view *view)
{
	char text[LOG_LINE_MAX];

	thread_text(view, text, sizeof(text));
	log_message_about(level, fields, "vencd-worker[%d]: %s", pid, text);
	stack_text(view, text, sizeof(text));
	log_message_about(
		level, fields, "vencd-worker[%d]: kernel stack: %s", pid, text[0] ? text : "none");
}

static void log_messages(enum log_level level, const char *fields, int pid, const char *messages)
{
	char text[LOG_LINE_MAX - 64];
	size_t n = strlen(messages), from = n >= sizeof(text) ? n - sizeof(text) + 1 : 0;

	TEXT(text, "%s", messages + from);
	for (char *end; (end = strchr(text, '\n'));)
		*end = end[1] ? '|' : '\0';
	log_message_about(level, fields, "vencd-worker[%d]: last messages: %s", pid, text);
}

static void log_bad_end(const struct attempt *attempt, const struct attempt_report *report)
{
	const struct session *session = attempt->session;
	const struct forensics *f = &report->forensics;
	char fields[LOG_FIELDS_MAX], end[32] = "";
	int pid = attempt->worker->child->pid;

	TEXT(fields,
		"MESSAGE_ID=%s\nVENCD_SESSION=%lu\nVENCD_UID=%u\nVENCD_ENCODER=%s\nVENCD_PID=%d\n"
		"VENCD_TID=%u\nVENCD_CALL=%s\nVENCD_WAITED_MS=%u\nVENCD_SIGNAL=%u\n"
		"VENCD_SYSCALL=%s\nVENCD_WCHAN=%s",
		message_ids[report->end], (unsigned long)session->id, session->uid, report->encoder,
		pid, f->tid, slot_call_name(report->call), report->waited_ms, report->signal,
		f->thread.syscall, f->thread.wchan);
	if (report->signal)
		TEXT(end, " by signal %u", report->signal);
	log_message_about(LOG_LEVEL_WARNING, fields,
		"session %lu of uid %u: vencd-worker[%d] %s%s in %s of frame %lu after %u ms; %s",
		(unsigned long)session->id, session->uid, pid, attempt_end_name(report->end), end,
		slot_call_name(report->call), (unsigned long)report->call_frame, report->waited_ms,
		f->inspected[0] ? f->inspected : "not inspected");
	if (f->thread.tid)
		log_view(LOG_LEVEL_WARNING, fields, pid, &f->thread);
	if (f->messages[0])
		log_messages(LOG_LEVEL_WARNING, fields, pid, f->messages);
}

void forensics_note(struct attempt *attempt, struct attempt_report *report)
{
	struct forensics *f = &report->forensics;
	struct child_stderr *err = &attempt->worker->child->err;

	if (report->end == ATTEMPT_FINISHED || report->end == ATTEMPT_CANCELLED)
		return;
	child_stderr_drain(err);
	child_stderr_last(err, f->messages, sizeof(f->messages));
	if (!message_ids[report->end])
		return;
	if (report->end != ATTEMPT_DRAINED)
		take_thread(attempt, report, f);
	log_bad_end(attempt, report);
}

static void log_thread(const struct worker *worker, const char *id, const struct thread_view *view)
{
	char fields[LOG_FIELDS_MAX];
	int pid = worker->child->pid;

	TEXT(fields,
		"MESSAGE_ID=%s\nVENCD_UID=%u\nVENCD_PID=%d\nVENCD_TID=%u\nVENCD_SYSCALL=%s\n"
		"VENCD_WCHAN=%s",
		id, worker->uid, pid, view->tid, view->syscall, view->wchan);
	log_view(LOG_LEVEL_WARNING, fields, pid, view);
}

void forensics_log_abandoned(const struct attempt *attempt)
{
	const struct evidence *evidence = &attempt->evidence;

	if (evidence->state == EVIDENCE_SEEN && evidence->word == attempt->watch.seen)
		log_thread(attempt->worker, ID_ABANDONED, &evidence->view);
}

void forensics_log_tombstone(const struct worker *worker, const struct thread_view *view)
{
	log_thread(worker, ID_TOMBSTONE, view);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* The null encoder's script: what is read, what is refused and in which words, and the plan. */

#include <string.h>

#include "fallback/script.h"
#include "tests/unit/check.h"

static struct script parsed(const char *text)
{
	struct script s;

	CHECK(script_parse(&s, text, NULL, 0) == 0);
	return s;
}

static void check_settings(void)
{
	struct script s = parsed("");

	CHECK_EQUAL(s.hold, 0);
	CHECK_EQUAL(s.size, 64);
	CHECK_EQUAL(s.keep, 1);
	CHECK_EQUAL(s.n_faults, 0);
	s = parsed(" hold=12 ; reorder = 3;size=1000;async=1;keep=0;memory=4096;;");
	CHECK_EQUAL(s.hold, 12);
	CHECK_EQUAL(s.reorder, 3);
	CHECK_EQUAL(s.size, 1000);
	CHECK_EQUAL(s.async, 1);
	CHECK_EQUAL(s.keep, 0);
	CHECK_EQUAL(s.memory, 4096);
}

static void check_fault(
	const char *text, enum script_call call, uint64_t n, enum script_mode mode, uint64_t arg)
{
	struct script s = parsed(text);

	CHECK_EQUAL(s.n_faults, 1);
	CHECK_EQUAL(s.faults[0].call, call);
	CHECK_EQUAL(s.faults[0].n, n);
	CHECK_EQUAL(s.faults[0].mode, mode);
	CHECK_EQUAL(s.faults[0].arg, arg);
}

static void check_faults(void)
{
	check_fault("probe:1:hang", SCRIPT_CALL_PROBE, 1, SCRIPT_MODE_HANG, 0);
	check_fault("open:1:late:2500", SCRIPT_CALL_OPEN, 1, SCRIPT_MODE_LATE, 2500);
	check_fault("send:40:crash", SCRIPT_CALL_SEND, 40, SCRIPT_MODE_CRASH, 0);
	check_fault(
		"send:*:error", SCRIPT_CALL_SEND, SCRIPT_EVERY, SCRIPT_MODE_ERROR, ENCODER_LIBRARY);
	check_fault("receive:7:error:wrong-output", SCRIPT_CALL_RECEIVE, 7, SCRIPT_MODE_ERROR,
		ENCODER_WRONG_OUTPUT);
	check_fault("flush:1:lost", SCRIPT_CALL_FLUSH, 1, SCRIPT_MODE_LOST, 0);
	check_fault("receive:2:garbage:twice", SCRIPT_CALL_RECEIVE, 2, SCRIPT_MODE_GARBAGE,
		SCRIPT_GARBAGE_TWICE);
	check_fault("send:*:slow:20", SCRIPT_CALL_SEND, SCRIPT_EVERY, SCRIPT_MODE_SLOW, 20);
	check_fault("close:1:spin:300", SCRIPT_CALL_CLOSE, 1, SCRIPT_MODE_SPIN, 300);
	check_fault("send:*:print", SCRIPT_CALL_SEND, SCRIPT_EVERY, SCRIPT_MODE_PRINT, 0);
	check_fault(" close : 1 : exit : 255 ", SCRIPT_CALL_CLOSE, 1, SCRIPT_MODE_EXIT, 255);
}

static void check_refused(const char *text, const char *entry)
{
	struct script s;
	char error[ENCODER_TEXT_MAX] = "", quoted[64];

	CHECK(script_parse(&s, text, error, sizeof(error)) < 0);
	CHECK_EQUAL(s.n_faults, 0);
	CHECK_EQUAL(s.hold, 0);
	snprintf(quoted, sizeof(quoted), "\"%s\"", entry);
	if (!strstr(error, quoted)) {
		fprintf(stderr, "%s: the entry %s is not in: %s\n", text, quoted, error);
		exit(1);
	}
}

static void check_refusals(void)
{
	static const char *const bad[] = {"hang", "send", "send:1",
		"send:1:", "send:1:hang:", "send:1:hang:3", "sned:1:hang", "send:0:hang",
		"send:-1:hang", "send:x:hang", "send:*:hang", "send:*:crash", "send:1:explode",
		"send:1:late", "send:1:late:", "send:1:late:x", "send:1:late:86400001",
		"send:1:error:ok", "send:1:error:", "send:1:exit", "send:1:exit:256",
		"send:1:garbage:pts", "receive:1:garbage", "receive:1:garbage:odd", "close:1:error",
		"close:1:lost", "open:2:hang", "flush:2:error", "send:1:slow:5:5", "hold=513",
		"hold=", "hold=-1", "reorder=17", "size=63", "size=16777217", "async=2", "keep=yes",
		"memory=1073741825", "speed=1", "=1", "send:99999999999999999999:hang"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(bad[i], bad[i]);
	check_refused("hold=3; send:2:error ;reorder=x;close:1:hang", "reorder=x");
}

static void check_too_many(void)
{
	char text[SCRIPT_MAX_FAULTS * 16 + 32] = "";

	for (unsigned i = 0; i < SCRIPT_MAX_FAULTS; i++)
		strcat(text, "send:1:lost;");
	CHECK_EQUAL(parsed(text).n_faults, SCRIPT_MAX_FAULTS);
	strcat(text, "send:9:lost");
	check_refused(text, "send:9:lost");
}

static void check_find(void)
{
	struct script s = parsed("send:3:slow:7;send:*:spin:1;receive:3:garbage:empty;"
				 "receive:*:slow:2");

	CHECK_EQUAL(script_find(&s, SCRIPT_CALL_SEND, 3)->arg, 7);
	CHECK_EQUAL(script_find(&s, SCRIPT_CALL_SEND, 4)->mode, SCRIPT_MODE_SPIN);
	CHECK(script_find(&s, SCRIPT_CALL_FLUSH, 1) == NULL);
	CHECK_EQUAL(script_find(&s, SCRIPT_CALL_RECEIVE, 3)->mode, SCRIPT_MODE_SLOW);
	CHECK_EQUAL(script_garbage(&s, 3), SCRIPT_GARBAGE_EMPTY);
	CHECK_EQUAL(script_garbage(&s, 2), 0);
}

static void check_plan(void)
{
	struct script s = parsed("hold=10;reorder=3;async=1");
	struct encoder_info info = {0};

	script_plan(&s, &info);
	CHECK_EQUAL(info.needs_frames, 17);
	CHECK_EQUAL(info.reorder, 1);
	CHECK_EQUAL(info.group, 4);
	CHECK_EQUAL(info.async, 1);
	s = parsed("");
	script_plan(&s, &info);
	CHECK_EQUAL(info.needs_frames, 1);
	CHECK_EQUAL(info.reorder, 0);
	CHECK_EQUAL(info.group, 1);
	CHECK_EQUAL(info.async, 0);
}

int main(void)
{
	check_settings();
	check_faults();
	check_refusals();
	check_too_many();
	check_find();
	check_plan();
	return 0;
}

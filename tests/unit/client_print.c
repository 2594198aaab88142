// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What people read: a whole report as it is printed, one of a later version with half of the fields
 * missing, and text that wants to be more than text.
 */

#include <stdlib.h>
#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"
#include "tests/unit/client_fake.h"

static const char wedged[] =
	"{\"version\":1,\"id\":7,\"outcome\":\"truncated\",\"codec\":\"h264\","
	"\"framesSubmitted\":120,\"framesEncoded\":80,\"framesLost\":40,\"framesCancelled\":0,"
	"\"packets\":80,\"bytes\":1250000,\"createdUs\":1000000,\"endedUs\":4200000,"
	"\"firstPacketUs\":34000,\"cause\":\"a call was given up\\u001b[2J\",\"attempts\":[{"
	"\"device\":\"cpu\",\"backend\":\"null\",\"encoder\":\"null\",\"version\":\"1.0\","
	"\"picked\":\"asked for\",\"rejected\":[\"svtav1: not asked for\"],\"firstFrame\":0,"
	"\"frames\":80,\"packets\":80,\"bytes\":1250000,\"discardedPackets\":2,"
	"\"framesChecked\":70,\"suspect\":{\"first\":75,\"last\":79},"
	"\"end\":\"abandoned\",\"call\":\"send\",\"callFrame\":80,\"waitedMs\":2010,"
	"\"budgetMs\":2000,\"leaked\":{\"threads\":1,\"fds\":3,\"bytes\":18000000},"
	"\"text\":\"no words\",\"forensics\":{\"inspected\":\"in call\",\"tid\":12,"
	"\"thread\":\"run-7\",\"state\":\"S (sleeping)\",\"syscall\":\"ppoll\","
	"\"wchan\":\"do_sys\\u001b[poll\",\"arguments\":{\"frame\":80,\"pts\":-3,"
	"\"bytes\":2000,\"keyframe\":true},"
	"\"messages\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}}]}";

static const char wedged_text[] =
	"session 7: truncated: a call was given up [2J\n"
	"  frames     120 submitted, 80 encoded, 40 lost\n"
	"  output     h264, 80 packets, 1.2 MB, the first after 34 ms, all within 3.2 s\n"
	"  attempt 1  null on cpu (null), 1.0\n"
	"             picked: asked for\n"
	"             not: svtav1: not asked for\n"
	"             frames 0 to 79, 1.2 MB, 2 packets discarded\n"
	"             70 of its frames were decoded and found good\n"
	"             frames 75 to 79 are suspect: they may be wrong\n"
	"             abandoned in send of frame 80 after 2.0 s (budget 2.0 s)\n"
	"             it said: no words\n"
	"             leaked 1 thread, 3 fds, about 18.0 MB\n"
	"             given frame 80, pts -3, 2.0 kB, keyframe\n"
	"             thread 12 (run-7), S (sleeping): system call ppoll, waiting in do_sys [poll\n"
	"             stderr: 2\n"
	"             stderr: 3\n"
	"             stderr: 4\n"
	"             stderr: 5\n";

static void expect_report(const char *json, const char *expected)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK(out);
	print_report(out, json);
	CHECK(fclose(out) == 0);
	if (strcmp(text, expected) != 0)
		fprintf(stderr, "printed:\n%sexpected:\n%s", text, expected);
	CHECK(strcmp(text, expected) == 0);
	free(text);
}

static void test_text(void)
{
	char plain[8];

	CHECK(strcmp(plain_text(plain, sizeof(plain), "a\033b\nc\177"), "a b c ") == 0);
	/* A C1 control is no text; umlauts are, and are not cut into halves. */
	CHECK(strcmp(plain_text(plain, sizeof(plain), "\302\233x"), " x") == 0);
	CHECK(strcmp(plain_text(plain, sizeof(plain), "\303\244\303\244\303\244\303\244"),
		      "\303\244\303\244\303\244") == 0);
}

static void test_units(void)
{
	char text[32];

	CHECK(strcmp(bytes_text(text, sizeof(text), 999), "999 B") == 0);
	CHECK(strcmp(bytes_text(text, sizeof(text), 999999), "1.0 MB") == 0);
	CHECK(strcmp(bytes_text(text, sizeof(text), UINT64_MAX), "18446744.1 TB") == 0);
	CHECK(strcmp(ms_text(text, sizeof(text), 999), "999 ms") == 0);
	CHECK(strcmp(ms_text(text, sizeof(text), 1000), "1.0 s") == 0);
}

static void test_table(void)
{
	static const char *const heads[] = {"A", "LONG", NULL};
	char *first[] = {"wide\t", "x"}, *second[] = {"\303\244", "y"};
	struct table table = {.heads = heads};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_EQUAL(table_add(&table, first), 0);
	CHECK_EQUAL(table_note(&table, "a note"), 0);
	CHECK_EQUAL(table_add(&table, second), 0);
	table_print(&table, out);
	CHECK(fclose(out) == 0);
	CHECK(strcmp(text, "A      LONG\nwide   x\n    a note\n\303\244      y\n") == 0);
	table_clear(&table);
	free(text);
}

int main(void)
{
	expect_report(wedged, wedged_text);
	expect_report("{\"outcome\":\"new\",\"attempts\":[{}]}",
		"session 0: new\n  frames     0 submitted, 0 encoded\n"
		"  output     , 0 packets, 0 B\n  attempt 1   on  ()\n"
		"             no frame\n             \n");
	expect_report("no JSON", "no JSON\n");
	test_text();
	test_units();
	test_table();
	return 0;
}

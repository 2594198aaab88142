// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl sessions: the sessions that have not ended, and the call that each one's encoder is in.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

static void call_text(char *ret, size_t size, sd_json_variant *session)
{
	char time[32];

	snprintf(ret, size, "%s %s %s", field_text(session, "call"),
		field_text(session, "callState"),
		ms_text(time, sizeof(time), field_number(session, "callMs")));
}

static int add_session(struct table *table, sd_json_variant *session)
{
	char id[24], uid[24], size[48], frames[48], bytes[32], call[128];
	char *cells[] = {id, uid, (char *)field_text(session, "codec"), size,
		(char *)field_text(session, "encoder"), (char *)field_text(session, "device"),
		frames, bytes, call, (char *)field_text(session, "label")};

	snprintf(id, sizeof(id), "%llu", (unsigned long long)field_number(session, "id"));
	snprintf(uid, sizeof(uid), "%llu", (unsigned long long)field_number(session, "uid"));
	snprintf(size, sizeof(size), "%llux%llu",
		(unsigned long long)field_number(session, "width"),
		(unsigned long long)field_number(session, "height"));
	snprintf(frames, sizeof(frames), "%llu of %llu",
		(unsigned long long)field_number(session, "framesEncoded"),
		(unsigned long long)field_number(session, "framesSubmitted"));
	bytes_text(bytes, sizeof(bytes), field_number(session, "bytes"));
	call_text(call, sizeof(call), session);
	return table_add(table, cells);
}

static int print_sessions(sd_json_variant *reply)
{
	static const char *const heads[] = {"ID", "UID", "CODEC", "SIZE", "ENCODER", "DEVICE",
		"FRAMES", "BYTES", "CALL", "LABEL", NULL};
	struct table table = {.heads = heads};
	int r = 0;

	for (size_t i = 0; r == 0 && i < field_count(reply, "sessions"); i++)
		r = add_session(&table, field_element(reply, "sessions", i));
	if (r == 0 && table.n_rows > 0)
		table_print(&table, stdout);
	else if (r == 0)
		puts("no sessions");
	table_clear(&table);
	return r;
}

int command_sessions(struct tool *tool, int argc, char **argv)
{
	sd_json_variant *reply = NULL;
	int r;

	if (argc > 1)
		return tool_usage("sessions", "sessions takes no arguments: %s", argv[1]);
	r = tool_call(tool, "ListSessions", NULL, &reply);
	if (r || !reply)
		return r;
	r = print_sessions(reply);
	sd_json_variant_unref(reply);
	return r ? tool_failed(tool, "cannot list the sessions", r) : TOOL_OK;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl report ID: the report of a session that has ended. The exit code is the outcome's, so
 * that a script can ask how a session ended without reading a word.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

static int parse_id(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || end == text || *end || *text == '-' || *text == '+' ? -EINVAL : 0;
}

static int show(const struct tool *tool, sd_json_variant *report)
{
	char *json = NULL;
	int r = sd_json_variant_format(report, 0, &json);

	if (r < 0)
		return tool_failed(tool, "cannot print the report", r);
	if (tool->json)
		puts(json);
	else
		print_report(stdout, json);
	free(json);
	return vencd_outcome_exit_code(vencd_outcome_from_name(field_text(report, "outcome")));
}

int command_report(struct tool *tool, int argc, char **argv)
{
	sd_json_variant *reply = NULL;
	char parameters[64];
	uint64_t id;
	int r;

	if (argc != 2)
		return tool_usage("report", "report takes the ID of a session");
	if (parse_id(argv[1], &id) < 0)
		return tool_usage("report", "%s is not the ID of a session", argv[1]);
	snprintf(parameters, sizeof(parameters), "{\"id\":%llu}", (unsigned long long)id);
	r = tool_ask(tool, "GetReport", parameters, &reply);
	if (r)
		return r;
	r = show(tool, sd_json_variant_by_key(reply, "report"));
	sd_json_variant_unref(reply);
	return r;
}

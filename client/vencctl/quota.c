// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl quota: what is charged to each user, how much of it there may be, and how often that was
 * refused.
 */

#include <errno.h>
#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

static int add_quota(struct table *table, sd_json_variant *quota)
{
	const char *unit = field_text(quota, "unit");
	char uid[24] = "all", used[32], limit[32] = "none", refused[24];
	char *cells[] = {uid, (char *)field_text(quota, "kind"), used, limit, refused,
		(char *)field_text(quota, "setting")};

	if (sd_json_variant_by_key(quota, "uid"))
		vencd_quantity_text(uid, sizeof(uid), NULL, field_number(quota, "uid"));
	vencd_quantity_text(used, sizeof(used), unit, field_number(quota, "used"));
	if (field_number(quota, "limit"))
		vencd_quantity_text(limit, sizeof(limit), unit, field_number(quota, "limit"));
	vencd_quantity_text(refused, sizeof(refused), NULL, field_number(quota, "refused"));
	return table_add(table, cells);
}

static int print_quotas(sd_json_variant *reply)
{
	static const char *const heads[] = {
		"UID", "KIND", "USED", "LIMIT", "REFUSED", "SETTING", NULL};
	struct table table = {.heads = heads};
	int r = 0;

	for (size_t i = 0; r == 0 && i < field_count(reply, "quotas"); i++)
		r = add_quota(&table, field_element(reply, "quotas", i));
	if (r == 0)
		table_print(&table, stdout);
	table_clear(&table);
	return r;
}

int command_quota(struct tool *tool, int argc, char **argv)
{
	sd_json_variant *reply = NULL;
	int r;

	if (argc > 1)
		return tool_usage("quota", "quota takes no arguments: %s", argv[1]);
	r = tool_call(tool, "ListQuotas", NULL, &reply);
	if (r || !reply)
		return r;
	r = print_quotas(reply);
	sd_json_variant_unref(reply);
	return r ? tool_failed(tool, "cannot list the quotas", r) : TOOL_OK;
}

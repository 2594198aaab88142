// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl probe: has the daemon prove its encoders again, waits until that is done, and shows what
 * they have proved. The daemon bounds each case of a probe; the wait here ends with the last one.
 */

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencctl/fields.h"
#include "client/vencctl/tool.h"

#define RENEW_STEP_MS 200

static bool is_over(sd_json_variant *reply, const char *device)
{
	for (size_t i = 0; i < field_count(reply, "devices"); i++) {
		sd_json_variant *row = field_element(reply, "devices", i);

		if ((!device || strcmp(field_text(row, "device"), device) == 0) &&
			field_true(row, "probing"))
			return false;
	}
	return true;
}

static int await_end(struct tool *tool, const char *device, sd_json_variant **ret)
{
	for (;;) {
		int r = tool_ask(tool, "ListDevices", NULL, ret);

		if (r || is_over(*ret, device))
			return r;
		*ret = sd_json_variant_unref(*ret);
		poll(NULL, 0, RENEW_STEP_MS);
	}
}

/* Without a device, all of them. */
static int ask(struct tool *tool, const char *device)
{
	sd_json_variant *parameters = NULL, *reply = NULL;
	char *text = NULL;
	int r = device ? sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("device", device))
		       : 0;

	if (r >= 0 && parameters)
		r = sd_json_variant_format(parameters, 0, &text);
	if (r < 0)
		r = tool_failed(tool, "cannot ask for a probe", r);
	else
		r = tool_ask(tool, "Probe", text, &reply);
	free(text);
	sd_json_variant_unref(parameters);
	sd_json_variant_unref(reply);
	return r;
}

int command_probe(struct tool *tool, int argc, char **argv)
{
	const char *device = argc > 1 ? argv[1] : NULL;
	sd_json_variant *reply = NULL;
	int r;

	if (argc > 2 || (device && device[0] == '-'))
		return tool_usage("probe", "probe takes one device at most: %s", argv[argc - 1]);
	r = ask(tool, device);
	r = r ? r : await_end(tool, device, &reply);
	if (r == 0)
		r = tool->json ? tool_print(tool, reply)
			       : devices_print_proofs(tool, reply, device);
	sd_json_variant_unref(reply);
	return r;
}

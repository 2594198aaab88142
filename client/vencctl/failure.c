// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Connecting, and how errors are said: what was tried, why it failed, and what to do. Nothing here
 * decides an outcome.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/stream/redact.h"
#include "client/vencctl/tool.h"

int tool_usage(const char *command, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text)
		redact(text);
	fprintf(stderr, "vencctl: %s", text ? text : "wrong usage");
	free(text);
	fprintf(stderr, "\nTry: vencctl %s%s--help\n", command ? command : "", command ? " " : "");
	return TOOL_USAGE;
}

static int no_daemon(const struct tool *tool, int error)
{
	const char *set = getenv("VENCD_SOCKET");
	const char *path = tool->socket ? tool->socket
		: set && *set           ? set
					: "/run/vencd/io.vencd.Encoder";

	fprintf(stderr, "vencctl: no daemon to talk to: %s: %s\n", path, strerror(-error));
	if (error == -EACCES || error == -EPERM)
		fputs("  this user may not open that socket\n", stderr);
	fputs("  is vencd running?        vencd(8) says how to start it\n"
	      "  without a service:       vencctl --private COMMAND\n"
	      "  at another place:        vencctl --socket PATH COMMAND\n",
		stderr);
	return TOOL_NO_DAEMON;
}

static int connect_private(struct tool *tool)
{
	int fd;
	int r = private_start(tool, &fd);

	if (r < 0) {
		fprintf(stderr, "vencctl: cannot start a private vencd: %s\n", strerror(-r));
		fputs("  vencd must lie beside vencctl or in a folder of $PATH\n", stderr);
		return TOOL_NO_DAEMON;
	}
	r = vencd_connect_fd(&tool->daemon, fd);
	if (r < 0) {
		close(fd);
		return tool_failed(tool, "cannot talk to the private vencd", r);
	}
	return 0;
}

int tool_connect(struct tool *tool)
{
	int r;

	if (tool->private)
		return connect_private(tool);
	r = vencd_connect(&tool->daemon, tool->socket);
	return r < 0 ? no_daemon(tool, r) : 0;
}

static void print_line(const char *head, const char *text)
{
	if (*text)
		fprintf(stderr, "  %-9s %s\n", head, text);
}

static void print_refusal(const char *what, const struct vencd_refusal *refusal)
{
	fprintf(stderr, "vencctl: %s: refused", what);
	if (*refusal->parameter)
		fprintf(stderr, ": %s%s%s", refusal->parameter, *refusal->value ? " " : "",
			refusal->value);
	fputc('\n', stderr);
	print_line("why:", *refusal->reason ? refusal->reason : refusal->error);
	print_line("accepted:", refusal->alternatives);
	print_line("to do:", refusal->advice);
}

int tool_failed(const struct tool *tool, const char *what, int error)
{
	switch (error) {
	case -EREMOTEIO:
		print_refusal(what, vencd_last_refusal(tool->daemon));
		return TOOL_ERROR;
	case -ECONNRESET:
		fprintf(stderr, "vencctl: %s: the daemon closed the connection\n", what);
		fputs(tool->private ? "  the private vencd ended; its messages are above\n"
				    : "  its log says why:  journalctl -u vencd\n",
			stderr);
		return TOOL_NO_DAEMON;
	case -ETIMEDOUT:
		fprintf(stderr, "vencctl: %s: the daemon did not answer in time\n", what);
		return TOOL_ERROR;
	case -EBADMSG:
		fprintf(stderr, "vencctl: %s: the report does not match what was received\n", what);
		return TOOL_ERROR;
	}
	fprintf(stderr, "vencctl: %s: %s\n", what, strerror(-error));
	return TOOL_ERROR;
}

int tool_ask(struct tool *tool, const char *method, const char *parameters, sd_json_variant **ret)
{
	char what[64], *json = NULL;
	int r = tool->daemon ? 0 : tool_connect(tool);

	if (r)
		return r;
	snprintf(what, sizeof(what), "cannot call %s", method);
	r = vencd_call(tool->daemon, method, parameters, &json);
	if (r >= 0)
		r = sd_json_parse(json, 0, ret, NULL, NULL);
	free(json);
	return r < 0 ? tool_failed(tool, what, r) : 0;
}

int tool_call(struct tool *tool, const char *method, const char *parameters, sd_json_variant **ret)
{
	sd_json_variant *reply = NULL;
	int r = tool_ask(tool, method, parameters, &reply);

	*ret = NULL;
	if (r)
		return r;
	if (!tool->json) {
		*ret = reply;
		return 0;
	}
	r = tool_print(tool, reply);
	sd_json_variant_unref(reply);
	return r;
}

int tool_print(const struct tool *tool, sd_json_variant *reply)
{
	int r = sd_json_variant_dump(reply, SD_JSON_FORMAT_NEWLINE, stdout, NULL);

	return r < 0 ? tool_failed(tool, "cannot print the reply", r) : 0;
}

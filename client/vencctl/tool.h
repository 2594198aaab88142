// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_TOOL_H
#define VENCD_TOOL_H

/*
 * What vencctl's commands share: the global options, the connection, and how errors are said.
 *
 * A command gets its own words only: argv[0] is its name, and the global options have been taken
 * out wherever they stood. It returns the exit code.
 */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include <systemd/sd-json.h>

#include "client/vencd.h"

/* Exit codes; a session's outcome has those of vencd_outcome_exit_code(). */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_ERROR = 1,
	TOOL_USAGE = 2,
	TOOL_NO_DAEMON = 3,
};

struct tool {
	const char *socket;   /* --socket PATH; NULL: the default */
	bool json;            /* --json */
	bool private;         /* --private: a vencd for this one command */
	struct vencd *daemon; /* after tool_connect() */
	pid_t child;          /* the private vencd; 0: none */
	int child_fd;         /* its pidfd */
};

/*
 * Connects to the daemon, or starts a private one. Returns 0, else an exit code after it has said
 * what is wrong and what to do. main() disconnects.
 */
int tool_connect(struct tool *tool);

/*
 * Says why a call to the library failed (error: its negative errno); `what` is what was tried, such
 * as "cannot open a session". A refusal is told in full. Returns the exit code.
 */
int tool_failed(const struct tool *tool, const char *what, int error);

/* Says what is wrong with the command line and where help is. Returns TOOL_USAGE. */
int tool_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Prints a report (JSON, as vencd_session_report() and GetReport give it) for people: outcome
 * first, then frames, then each attempt.
 */
void print_report(FILE *out, const char *json);

/* Commands: the words after the global options; see main.c's table. */
int command_devices(struct tool *tool, int argc, char **argv);
int command_sessions(struct tool *tool, int argc, char **argv);
int command_probe(struct tool *tool, int argc, char **argv);
int command_quota(struct tool *tool, int argc, char **argv);
int command_doctor(struct tool *tool, int argc, char **argv);
int command_report(struct tool *tool, int argc, char **argv);
int command_encode(struct tool *tool, int argc, char **argv);

/* ListDevices, once no probe runs any more, or after 15 s. Returns as tool_ask() does. */
int devices_ask(struct tool *tool, sd_json_variant **ret);

/* What the encoders of a device (NULL: of all) have proved. Returns an exit code. */
int devices_print_proofs(struct tool *tool, sd_json_variant *reply, const char *device);

/* What card a row of ListDevices is of, in one line. */
void devices_describe_card(char *ret, size_t size, sd_json_variant *device);

/* Options of encode for `vencctl encode --help`; lines that end in a newline. */
extern const char command_encode_help[];

/*
 * Connects if need be, calls a method, and gives the reply, to be freed by the caller. Returns 0,
 * else an exit code after it has said what is wrong. tool_call() prints the reply instead if --json
 * was given; *ret is then NULL.
 */
int tool_ask(struct tool *tool, const char *method, const char *parameters, sd_json_variant **ret);
int tool_call(struct tool *tool, const char *method, const char *parameters, sd_json_variant **ret);

/* Prints a reply as one line of JSON. Returns 0 or an exit code. */
int tool_print(const struct tool *tool, sd_json_variant *reply);

/* The private vencd (private.c): starts it with one end of a socket pair, *ret_fd is the other. */
int private_start(struct tool *tool, int *ret_fd);
/* Waits until it is gone, 15 s at most, then kills it. The connection must have been closed. */
void private_stop(struct tool *tool);

/* Colours, where out is a terminal and NO_COLOR is not set; else "". */
enum colour {
	COLOUR_NONE,
	COLOUR_BOLD,
	COLOUR_GOOD,
	COLOUR_WARNING,
	COLOUR_BAD,
};
const char *colour_of(FILE *out, enum colour colour);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl: the command line of vencd. One table names the commands; global options may stand before
 * or after the command and are taken out of its words. What commands print goes to stdout, what
 * goes wrong to stderr, and the exit code says it to scripts (docs: vencctl(1)).
 */

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "client/vencctl/tool.h"
#include "vencd-config.h"

static const struct command {
	const char *name, *arguments, *help;
	const char *details; /* of its options; lines that end in a newline */
	int (*run)(struct tool *tool, int argc, char **argv);
} commands[] = {
	{"encode", "IN -o OUT [OPTION...]", "encode a file", command_encode_help, command_encode},
	{"devices", "[--verbose]", "list what can encode here, and what it has proved", NULL,
		command_devices},
	{"probe", "[DEVICE]", "have encoders prove again what they claim", NULL, command_probe},
	{"sessions", "", "list the sessions that are open now", NULL, command_sessions},
	{"quota", "", "show what each user is charged with, and may be", NULL, command_quota},
	{"doctor", "", "say whether all is well here, and what to do where not", NULL,
		command_doctor},
	{"report", "ID", "print the report of a session that has ended", NULL, command_report},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char global_help[] =
	"Options of every command:\n"
	"  --socket PATH  the daemon's socket ($VENCD_SOCKET, else /run/vencd/io.vencd.Encoder)\n"
	"  --private      start a vencd of its own for this one command; needs no service\n"
	"  --json         print JSON\n"
	"  --help         print help, here or of a command\n"
	"  --version      print the version\n";

static const char exit_help[] =
	"Exit codes: 0 complete, 10 degraded, 11 truncated, 12 failed, 13 cancelled,\n"
	"            1 another error, 2 wrong usage, 3 no daemon\n";

static void print_help(void)
{
	printf("usage: vencctl [OPTION...] COMMAND\n\nEncode video through the vencd daemon.\n\n"
	       "Commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-8s %-22s %s\n", commands[i].name, commands[i].arguments,
			commands[i].help);
	printf("\n%s\n%s", global_help, exit_help);
}

static void print_command_help(const struct command *command)
{
	printf("usage: vencctl %s%s%s\n\n%c%s.\n\n", command->name, *command->arguments ? " " : "",
		command->arguments, toupper(command->help[0]), command->help + 1);
	if (command->details)
		printf("%s\n", command->details);
	printf("%s\n%s", global_help, exit_help);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

enum wish {
	WISH_RUN = 1,
	WISH_HELP,
	WISH_VERSION,
	WISH_WRONG
};

/* One word that may be a global option. Returns how many words it took, 0 if it is none. */
static int take_global(struct tool *tool, enum wish *wish, char **words)
{
	static const char socket_option[] = "--socket";
	size_t n = strlen(socket_option);

	if (strcmp(words[0], "--json") == 0)
		tool->json = true;
	else if (strcmp(words[0], "--private") == 0)
		tool->private = true;
	else if (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)
		*wish = WISH_HELP;
	else if (strcmp(words[0], "--version") == 0)
		*wish = WISH_VERSION;
	else if (strncmp(words[0], "--socket=", n + 1) == 0)
		tool->socket = words[0] + n + 1;
	else if (strcmp(words[0], socket_option) == 0) {
		if (!words[1])
			*wish = WISH_WRONG;
		tool->socket = words[1];
		return words[1] ? 2 : 1;
	} else
		return 0;
	return 1;
}

/* Takes the global options out of argv, up to "--". */
static enum wish take_globals(struct tool *tool, int *argc, char **argv)
{
	enum wish wish = WISH_RUN;
	int kept = 1, i = 1;

	while (i < *argc && strcmp(argv[i], "--") != 0) {
		int taken = take_global(tool, &wish, &argv[i]);

		if (taken == 0)
			argv[kept++] = argv[i++];
		i += taken;
	}
	while (i < *argc)
		argv[kept++] = argv[i++];
	argv[kept] = NULL;
	*argc = kept;
	return wish;
}

static int check_globals(const struct tool *tool, enum wish wish)
{
	if (wish == WISH_WRONG)
		return tool_usage(NULL, "--socket needs a path");
	if (tool->socket && tool->private)
		return tool_usage(NULL, "--socket and --private exclude each other");
	return 0;
}

static int run(struct tool *tool, const struct command *command, int argc, char **argv)
{
	int r = command->run(tool, argc, argv);

	vencd_disconnect(tool->daemon);
	private_stop(tool);
	/* Output that was not written is no success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "vencctl: cannot write the output: %s\n", strerror(errno));
		return r ? r : TOOL_ERROR;
	}
	return r;
}

int main(int argc, char **argv)
{
	struct tool tool = {.child_fd = -1};
	enum wish wish = take_globals(&tool, &argc, argv);
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;
	int r = check_globals(&tool, wish);

	if (r)
		return r;
	if (wish == WISH_VERSION) {
		printf("vencctl %s\n", VENCD_VERSION);
		return 0;
	}
	if (argc > 1 && !command)
		return tool_usage(NULL, "there is no command %s", argv[1]);
	if (wish == WISH_HELP) {
		command ? print_command_help(command) : print_help();
		return 0;
	}
	if (!command)
		return tool_usage(NULL, "a command is missing");
	return run(&tool, command, argc - 1, argv + 1);
}

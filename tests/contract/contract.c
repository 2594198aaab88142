// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The contract of hw/encoder.h, held against one encoder of the registry.
 *
 * usage: contract ENCODER[@NODE] [--bare] [CASE...]
 *
 * Without a name all cases are run but those marked as alone. Where none has the name, that fails.
 *
 * Each case runs in a child of its own, as every software attempt does in the daemon: a crash or a
 * hang fails that case alone. Its stdout and stderr are a file that must stay empty, since an
 * encoder writes nothing there. Exit code 77, skipped, where the library is not installed.
 *
 * An encoder on a device is asked for what that device claims: a child of its own asks it first.
 * With --bare its driver writes headers of its own, which need not say anything of the signal.
 */

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/cases.h"
#include "tests/contract/check.h"
#include "tests/contract/run.h"

#define CASE_SECONDS 300
#define SKIPPED 77

static int report_fd = STDERR_FILENO; /* where a case may speak */

void broken(const char *file, int line, const char *format, ...)
{
	va_list list;

	dprintf(report_fd, "  %s:%d: ", file, line);
	va_start(list, format);
	vdprintf(report_fd, format, list);
	va_end(list);
	dprintf(report_fd, "\n");
	_exit(1);
}

_Noreturn static void run_case(
	const struct contract_case *c, const struct encoder_limits *limits, int output)
{
	report_fd = dup(STDERR_FILENO);
	if (report_fd < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(1);
	alarm(CASE_SECONDS);
	c->check(limits);
	fflush(NULL);
	REQUIRE(lseek(output, 0, SEEK_END) == 0, "something was written to stdout or stderr");
	exit(0); /* and not _exit: the leak check runs at exit */
}

static void show_output(int output)
{
	char buffer[8192];
	ssize_t n = pread(output, buffer, sizeof(buffer), 0);

	if (n > 0)
		fwrite(buffer, 1, (size_t)n, stderr);
}

static bool wait_case(pid_t child, int output)
{
	int status = 0;

	if (waitpid(child, &status, 0) != child)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFSIGNALED(status))
		fprintf(stderr, "  ended by signal %d%s\n", WTERMSIG(status),
			WTERMSIG(status) == SIGALRM ? ": it took too long" : "");
	show_output(output);
	return false;
}

static bool passes(const struct contract_case *c, const struct encoder_limits *limits)
{
	int output = memfd_create("output", MFD_CLOEXEC);
	pid_t child;
	bool passed;

	fflush(NULL);
	child = output < 0 ? -1 : fork();
	if (child == 0)
		run_case(c, limits, output);
	passed = child > 0 && wait_case(child, output);
	printf("%s %s %s\n", passed ? "ok    " : "NOT OK", limits->name, c->name);
	close(output);
	return passed;
}

static bool is_wanted(const struct contract_case *c, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], c->name))
			return true;
	return argc == 2 && !c->alone;
}

static unsigned count_failures(const struct encoder_limits *limits, int argc, char **argv)
{
	static const struct contract_case *const all[] = {
		lifecycle_cases, stream_cases, rate_cases, signal_cases, refusal_cases};
	unsigned failures = 0, runs = 0;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct contract_case *c = all[i]; c->name; c++)
			if (is_wanted(c, argc, argv)) {
				runs++;
				failures += !passes(c, limits);
			}
	return runs ? failures : 1;
}

static int probe(const struct encoder_limits *limits, struct encoder_reach *reach)
{
	char text[ENCODER_TEXT_MAX] = "";
	const struct encoder_host host = {.device = run_device(), .script = "", .text = text};
	const struct encoder_ops *ops = encoder_find(limits->name);
	struct encoder_info info = {0};
	enum encoder_status status = ops ? ops->probe(&host, &info, reach) : ENCODER_ABSENT;

	printf("%s: %s %s\n", limits->name, info.version, text);
	printf("%ux%u to %ux%u, formats %#x and %#x, rate controls %#x and %#x, B frames %#x\n",
		reach->min_width, reach->min_height, reach->max_width, reach->max_height,
		reach->formats, reach->formats_converted, reach->rate_controls[VENCD_LATENCY_FILE],
		reach->rate_controls[VENCD_LATENCY_LIVE], reach->b_frames);
	if (status == ENCODER_ABSENT)
		return SKIPPED;
	return status == ENCODER_OK && info.version[0] ? 0 : 1;
}

/* In a child, so that the driver of a device is loaded in none of the cases but by them. */
static int probe_apart(const struct encoder_limits *limits, struct encoder_reach *reach)
{
	int memory = memfd_create("reach", MFD_CLOEXEC), status = 0;
	pid_t child;

	fflush(NULL);
	child = memory < 0 ? -1 : fork();
	if (child == 0) {
		int r = probe(limits, reach);

		if (pwrite(memory, reach, sizeof(*reach), 0) != (ssize_t)sizeof(*reach))
			r = 1;
		exit(r);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 1;
	if (pread(memory, reach, sizeof(*reach), 0) != (ssize_t)sizeof(*reach))
		return 1;
	close(memory);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char *node = argc > 1 ? strchr(argv[1], '@') : NULL;
	const struct encoder_limits *found;
	struct encoder_limits limits;
	bool bare = argc > 2 && !strcmp(argv[2], "--bare");
	int r;

	if (node)
		*node++ = '\0';
	found = argc > 1 ? encoder_limits_find(argv[1]) : NULL;
	if (!found) {
		fprintf(stderr, "usage: contract ENCODER[@NODE] [--bare] [CASE...]\n");
		return 2;
	}
	limits = *found;
	run_use_device(node ? node : "", bare);
	r = probe_apart(&limits, &limits.reach);
	if (r)
		return r;
	return count_failures(&limits, argc - bare, argv + bare) ? 1 : 0;
}

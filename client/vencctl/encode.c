// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencctl encode: a file through the daemon into a file.
 *
 * The work is client/stream's; this is its command line, its signals and its last word. ^C once
 * ends the input and finishes the file with what was read; twice cancels. The exit code is that
 * of the worse of the session's outcome and the delivery's, and only an output that holds every
 * frame gets its name.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/stream/console.h"
#include "client/stream/pump.h"
#include "client/stream/redact.h"
#include "client/stream/target.h"
#include "client/vencctl/encode_options.h"
#include "client/vencctl/tool.h"

struct encode {
	struct tool *tool;
	struct encode_options options;
	char *input_path, *output_path;
	const char *input, *output; /* as they may be shown: no password of a URL */
	int input_fd;
	struct target target;
	int signal_fd;
	enum stream_stop stop;
};

static enum stream_stop take_signal(void *userdata)
{
	struct encode *encode = userdata;
	struct signalfd_siginfo info;

	while (read(encode->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (encode->stop == STREAM_GO) {
			encode->stop = STREAM_STOP_INPUT;
			console_say("stopping: what was read is encoded; once more to cancel");
		} else {
			encode->stop = STREAM_STOP_NOW;
		}
	}
	return encode->stop;
}

static void show_progress(void *userdata, const struct stream_progress *progress)
{
	(void)userdata;
	console_progress(progress);
}

/* Before any thread is made, so that all of them leave the signals to signal_fd. */
static int take_signals(struct encode *encode)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* write() says EFBIG instead */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	encode->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return encode->signal_fd < 0 ? -errno : 0;
}

static int open_input(struct encode *encode)
{
	const char *name = encode->input_path;

	if (strcmp(name, "-") == 0) {
		encode->input_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		if (encode->input_fd >= 0 && lseek(encode->input_fd, 0, SEEK_CUR) < 0)
			encode->options.input_format = INPUT_FORMAT_Y4M;
	} else {
		encode->input_fd = open(name, O_RDONLY | O_CLOEXEC);
	}
	if (encode->input_fd >= 0)
		return 0;
	fprintf(stderr, "vencctl: cannot open %s: %s\n", encode->input, strerror(errno));
	return vencd_outcome_exit_code(VENCD_OUTCOME_FAILED);
}

static int say_same_file(const char *name)
{
	fprintf(stderr, "vencctl: %s is the input: give the output another name\n", name);
	return TOOL_USAGE;
}

static int open_output(struct encode *encode)
{
	const char *name = encode->output;
	int r = target_open(&encode->target, encode->output_path, encode->input_fd);

	if (r == 0)
		return 0;
	if (r == -EBUSY)
		fprintf(stderr, "vencctl: %s.partial is being written by somebody else\n", name);
	else if (r == -ELOOP)
		return say_same_file(name);
	else if (r == -EEXIST)
		fprintf(stderr, "vencctl: %s.partial is the input: rename it\n", name);
	else
		fprintf(stderr, "vencctl: cannot write %s: %s\n", name, strerror(-r));
	return vencd_outcome_exit_code(VENCD_OUTCOME_FAILED);
}

/* --- the result --- */

static char *result_text(const struct stream_result *result)
{
	sd_json_variant *json = NULL;
	char *text = NULL;

	if (stream_result_json(result, &json) >= 0)
		(void)sd_json_variant_format(
			json, SD_JSON_FORMAT_PRETTY | SD_JSON_FORMAT_NEWLINE, &text);
	sd_json_variant_unref(json);
	return text;
}

static int write_text(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/* A reader of the file never finds half a report. */
static int write_report(const char *path, const char *text)
{
	struct target target;
	int r = target_open(&target, path, -1);

	if (r < 0)
		return r;
	r = write_text(target.fd, text);
	if (r == 0)
		r = target_commit(&target);
	target_clear(&target);
	return r;
}

/* Returns 0, or an exit code where the result could not be told as asked. */
static int tell_result(const struct encode *encode, const struct stream_result *result)
{
	char *text = result_text(result);
	int r = text ? 0 : -ENOMEM;

	if (text && encode->options.report)
		r = write_report(encode->options.report, text);
	if (text && encode->tool->json)
		fputs(text, stdout);
	free(text);
	if (r == 0)
		return 0;
	fprintf(stderr, "vencctl: cannot write the report%s%s: %s\n",
		encode->options.report ? " " : "",
		encode->options.report ? encode->options.report : "", strerror(-r));
	return TOOL_ERROR;
}

/* A whole output gets its name; a failure to do that makes it a truncated one. */
static void place_output(struct encode *encode, struct stream_result *result)
{
	int r;

	if (!stream_result_whole(result))
		return;
	r = target_commit(&encode->target);
	if (r == 0)
		return;
	delivery_fail(&result->delivery, DELIVERY_OUTPUT_FAILED, r, "it cannot be renamed: %s",
		strerror(-r));
	stream_result_settle(result, false);
}

static void say_what_is_left(struct encode *encode)
{
	if (encode->target.kind != TARGET_RENAMED || !target_leave(&encode->target))
		return;
	redact(encode->target.partial);
	fprintf(stderr, "vencctl: what was encoded is in %s\n", encode->target.partial);
}

/* For people, on stderr: stdout may be the output. */
static void say_result(struct encode *encode, const struct stream_result *result)
{
	if (result->delivery.error != DELIVERY_OK && result->delivery.error != DELIVERY_REFUSED)
		fprintf(stderr, "vencctl: %s\n", result->delivery.text);
	if (!stream_result_whole(result))
		say_what_is_left(encode);
	if (!encode->tool->json && result->report.json)
		print_report(stderr, result->report.json);
}

/* A request that no encoder can do is a wrong one; a daemon that is full or stopping is not. */
static int refused(const struct encode *encode, int error)
{
	const char *name = vencd_last_refusal(encode->tool->daemon)->error;
	const char *dot = strrchr(name, '.');

	tool_failed(encode->tool, "cannot open a session", error);
	if (dot && (strcmp(dot, ".Unsupported") == 0 || strcmp(dot, ".Invalid") == 0))
		return TOOL_USAGE;
	return vencd_outcome_exit_code(VENCD_OUTCOME_FAILED);
}

static int exit_code(const struct encode *encode, const struct stream_result *result)
{
	const struct delivery *delivery = &result->delivery;
	int told = tell_result(encode, result);

	if (delivery->error == DELIVERY_REFUSED)
		return refused(encode, delivery->code);
	if (delivery->error == DELIVERY_DAEMON_LOST && !result->report.json && !delivery->frames)
		return tool_failed(encode->tool, "cannot open a session", delivery->code);
	if (result->outcome == VENCD_OUTCOME_COMPLETE && told)
		return told;
	return vencd_outcome_exit_code(result->outcome);
}

static int run(struct encode *encode)
{
	struct stream_order order = {
		.input_fd = encode->input_fd,
		.output_fd = encode->target.fd,
		.input_name = encode->input,
		.input_format = encode->options.input_format,
		.nested = true,
		.container = encode->options.container,
		.params = encode->options.params,
		.stop_fd = encode->signal_fd,
		.stop = take_signal,
		.progress = show_progress,
		.userdata = encode,
	};
	struct stream_result result;
	int r;

	stream_run(encode->tool->daemon, &order, &result);
	console_progress_end();
	place_output(encode, &result);
	say_result(encode, &result);
	r = exit_code(encode, &result);
	if (result.stuck) {
		/* A thread sits in a read for good; nothing may be freed under it. */
		fflush(NULL);
		_exit(r);
	}
	stream_result_clear(&result);
	return r;
}

/*
 * A copy of a word of the command line, which every user of the host can read for as long as this
 * process lives: what stays there is what may be shown.
 */
static char *take_word(char *word)
{
	char *copy = strdup(word);
	size_t size = strlen(word), shown;

	if (!copy)
		return NULL;
	redact(word);
	shown = strlen(word);
	memset(word + shown, 0, size - shown);
	return copy;
}

static int name_files(struct encode *encode)
{
	encode->input_path = take_word((char *)encode->options.input); /* main()'s argv */
	;
	encode->output_path = take_word((char *)encode->options.output);
	if (!encode->input_path || !encode->output_path)
		return tool_failed(encode->tool, "cannot start", -ENOMEM);
	encode->input = encode->options.input;
	if (strcmp(encode->input, "-") == 0)
		encode->input = "stdin";
	encode->output = encode->options.output;
	return 0;
}

static int open_all(struct encode *encode)
{
	int r = name_files(encode);

	if (r == 0)
		r = open_input(encode);
	if (r == 0)
		r = open_output(encode);
	if (r)
		return r;
	r = take_signals(encode);
	if (r < 0) {
		fprintf(stderr, "vencctl: cannot take signals: %s\n", strerror(-r));
		return TOOL_ERROR;
	}
	r = tool_connect(encode->tool);
	if (r)
		target_leave(&encode->target);
	return r;
}

int command_encode(struct tool *tool, int argc, char **argv)
{
	struct encode encode = {
		.tool = tool, .input_fd = -1, .signal_fd = -1, .target = {.fd = -1}};
	int r = encode_options_parse(&encode.options, argc, argv);

	if (r)
		return r;
	if (tool->json && strcmp(encode.options.output, "-") == 0)
		return tool_usage("encode", "--json and -o - both want stdout");
	console_start("vencctl");
	r = open_all(&encode);
	if (r == 0)
		r = run(&encode);
	target_clear(&encode.target);
	if (encode.signal_fd >= 0)
		close(encode.signal_fd);
	if (encode.input_fd >= 0)
		close(encode.input_fd);
	free(encode.input_path);
	free(encode.output_path);
	return r;
}

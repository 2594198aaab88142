// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd: the supervisor's command line and start-up. It is ready as soon as it listens; probes go
 * on while the first clients connect.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/listen.h"
#include "daemon/log.h"
#include "daemon/proof_file.h"
#include "daemon/supervisor.h"
#include "vencd-config.h"

#define LOG_CLOSE_MS 1000
#define PROOF_STOP_MS 1000
#define NO_CONNECTION (-1)

struct options {
	const char *config, *socket;
	int connection; /* fd, or NO_CONNECTION */
	bool check;
};

static void usage(FILE *to)
{
	fputs("vencd encodes video on this host for programs that ask over a Unix socket.\n\n"
	      "usage: vencd [--config FILE] [--socket PATH] [--check-config]\n\n"
	      "  --config FILE    settings (default: " VENCD_SYSCONF_DIR "/vencd.conf)\n"
	      "  --socket PATH    listen here instead of at the setting Socket\n"
	      "  --check-config   check the settings, print them all, and exit\n"
	      "  --connection FD  serve this one connected socket and exit with it\n"
	      "  --version, --help\n\n"
	      "See vencd(8), vencd.conf(5) and vencctl(1).\n",
		to);
}

static int parse_connection(const char *text, int *ret)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (*end || end == text || fd < 3 || fd > 1 << 20) {
		fprintf(stderr, "vencd: --connection %s: not a file descriptor from 3 up\n", text);
		return -EINVAL;
	}
	*ret = (int)fd;
	return 0;
}

enum option_key {
	KEY_CONFIG = 256,
	KEY_SOCKET,
	KEY_CHECK,
	KEY_CONNECTION,
	KEY_VERSION,
	KEY_HELP
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, KEY_CONFIG},
	{"socket", required_argument, NULL, KEY_SOCKET},
	{"check-config", no_argument, NULL, KEY_CHECK},
	{"connection", required_argument, NULL, KEY_CONNECTION},
	{"version", no_argument, NULL, KEY_VERSION},
	{"help", no_argument, NULL, KEY_HELP},
	{NULL, 0, NULL, 0},
};

/* Returns 1 to go on, 0 to exit well, -EINVAL for wrong usage. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	int key;

	*ret = (struct options){.connection = NO_CONNECTION};
	while ((key = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		switch (key) {
		case KEY_CONFIG:
			ret->config = optarg;
			break;
		case KEY_SOCKET:
			ret->socket = optarg;
			break;
		case KEY_CHECK:
			ret->check = true;
			break;
		case KEY_CONNECTION:
			if (parse_connection(optarg, &ret->connection) < 0)
				return -EINVAL;
			break;
		case KEY_VERSION:
			puts("vencd " VENCD_VERSION);
			return 0;
		case KEY_HELP:
		case 'h':
			usage(stdout);
			return 0;
		default:
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 1;
	fprintf(stderr, "vencd: unexpected argument '%s'\n", argv[optind]);
	return -EINVAL;
}

static int load_config(const struct options *options, struct config *ret)
{
	const char *path = options->config ? options->config : VENCD_SYSCONF_DIR "/vencd.conf";
	struct config_error error;
	int r = config_load(ret, path, options->config != NULL, &error);

	if (r < 0) {
		fprintf(stderr, "vencd: %s\n", error.text);
		return r;
	}
	/* A private daemon speaks on its user's terminal: only of what is wrong. */
	if (options->connection != NO_CONNECTION && !options->config)
		ret->log_level = LOG_LEVEL_WARNING;
	if (options->socket) {
		if (strlen(options->socket) >= sizeof(ret->socket)) {
			fprintf(stderr, "vencd: --socket: path too long\n");
			return -ENAMETOOLONG;
		}
		strcpy(ret->socket, options->socket);
	}
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	(void)source;
	(void)si;
	supervisor_stop(userdata);
	return 0;
}

static int setup_signals(struct supervisor *sv)
{
	int r = sd_event_add_signal(
		sv->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, on_signal, sv);

	if (r >= 0)
		r = sd_event_add_signal(
			sv->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, on_signal, sv);
	return r < 0 ? r : 0;
}

/* Many sessions need many descriptors: the host's hard limit is the operator's word. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int serve(struct supervisor *sv, const struct options *options)
{
	int r;

	if (options->connection == NO_CONNECTION)
		return listen_start(sv);
	sv->exit_with_connection = true;
	r = front_accept(sv, options->connection, &sv->private_connection);
	return r < 0 ? r : 0;
}

static int supervisor_start(struct supervisor *sv, const struct options *options)
{
	int r = sd_event_new(&sv->event);

	r = r < 0 ? r : setup_signals(sv);
	r = r < 0 ? r : watch_start(sv);
	r = r < 0 ? r : serve(sv, options);
	r = r < 0 ? r : registry_start(&sv->registry, sv);
	if (r < 0)
		return r;
	worker_keep_warm(sv);
	stream_try(sv);
	(void)sd_event_set_watchdog(sv->event, true);
	(void)sd_notify(0, "READY=1");
	return 0;
}

/* Nothing is waited for: the kernel takes what is left. */
static int supervisor_run(struct supervisor *sv, const struct options *options)
{
	int r = supervisor_start(sv, options);

	if (r < 0) {
		log_error("cannot start: %s%s%s", strerror(-r),
			r == -EADDRINUSE ? ": another vencd listens on " : "",
			r == -EADDRINUSE ? sv->config.socket : "");
	} else {
		log_info("vencd " VENCD_VERSION " listens on %s",
			sv->exit_with_connection ? "one private connection" : sv->config.socket);
		r = sd_event_loop(sv->event);
	}
	listen_stop(sv);
	archive_clear(sv);
	keeper_stop(sv);
	proof_file_stop(PROOF_STOP_MS);
	log_close(LOG_CLOSE_MS);
	return r;
}

int main(int argc, char **argv)
{
	static struct supervisor supervisor;
	struct options options;
	int r = parse_options(argc, argv, &options);

	if (r <= 0)
		return r < 0 ? 2 : 0;
	if (load_config(&options, &supervisor.config) < 0)
		return 2;
	if (options.check) {
		config_print(stdout, &supervisor.config);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_DUMPABLE, 0);
	raise_fd_limit();
	supervisor.state = SUPERVISOR_SERVING;
	supervisor.required_walls = walls_parse(supervisor.config.require_walls);
	quota_init(&supervisor.quota, &supervisor.config, supervisor_now_ns);
	TAILQ_INIT(&supervisor.pending);
	TAILQ_INIT(&supervisor.archive);
	r = log_open(supervisor.config.log_level);
	if (r < 0) {
		fprintf(stderr, "vencd: cannot start the log: %s\n", strerror(-r));
		return 1;
	}
	return supervisor_run(&supervisor, &options) < 0 ? 1 : 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_CONFIG_H
#define VENCD_CONFIG_H

/*
 * The supervisor's settings. One table in config.c has their keys, ranges, defaults and meaning;
 * docs/vencd.conf.5 and daemon/vencd.conf are checked against it by a test.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct config {
	char socket[108]; /* absolute; fits in sun_path */
	uint32_t socket_mode;
	uint32_t log_level; /* enum log_level */

	uint32_t sessions_max;
	uint32_t sessions_per_user;
	uint64_t memory_per_user; /* bytes */
	uint32_t connections_per_user;
	uint32_t fds_per_user;
	uint32_t requests_per_user;
	uint32_t children_per_user;
	uint32_t pixels_per_user;         /* a second; 0: no limit */
	uint32_t adapter_cpu_per_user_ms; /* a minute; 0: no limit */
	uint32_t fronts_max;
	uint32_t workers_max;
	uint32_t warm_workers;
	uint32_t sessions_per_worker;
	uint32_t worker_sessions;
	uint64_t worker_growth; /* bytes */
	uint32_t reports_kept;
	uint64_t adapter_memory; /* bytes */

	uint32_t encoder_threads; /* 0: all cores */
	bool hardware;
	char deny_override[256]; /* words */
	char software[64];       /* names separated by one space */
	bool null_encoder;
	char null_probe_script[256];
	uint32_t probes_at_once;
	char full_proof[32];       /* names separated by one space */
	char state_directory[256]; /* absolute; "": none */
	uint32_t proof_age_ms;
	char driver_environment[256]; /* words of NAME=VALUE */
	char require_walls[96];       /* names separated by one space */

	/* Milliseconds, all of them. */
	uint32_t start_budget_ms;
	uint32_t own_budget_ms;
	uint32_t probe_budget_ms;
	uint32_t probe_wait_ms;
	uint32_t open_budget_ms;
	uint32_t encode_budget_ms;
	uint32_t flush_budget_ms;
	uint32_t close_budget_ms;
	uint32_t software_cap_ms;
	uint32_t answer_budget_ms;
	uint32_t drain_ms;
	uint32_t stop_ms;
	uint32_t kill_grace_ms;
	uint32_t inspect_budget_ms;
	uint32_t tick_ms;

	uint32_t inspectors_max;

	/* Of one device, then of the daemon. */
	uint32_t tainted_max, tombstones_max, leaked_threads_max, leaked_fds_max;
	uint64_t leaked_bytes_max;
	uint32_t daemon_tainted_max, daemon_tombstones_max, daemon_leaked_threads_max;
	uint32_t daemon_leaked_fds_max;
	uint64_t daemon_leaked_bytes_max;

	uint32_t strikes_max, strikes_per_encoder, quarantine_users; /* 0: never */
	uint32_t strike_window_ms, strike_ms;
	uint32_t quarantine_min_ms, quarantine_max_ms;
};

#define CONFIG_STATE_DIRECTORY "/var/lib/vencd" /* the default */

struct config_error {
	unsigned line;  /* 0: none in particular */
	char text[512]; /* the whole message, with the file and the line */
};

/*
 * Reads the settings. A file that is missing means the defaults, unless it must exist. Returns
 * 0, or -EINVAL with *error filled for whatever is wrong; *ret is then not to be used.
 */
int config_load(struct config *ret, const char *path, bool must_exist, struct config_error *error);

/* The value of NAME= in DriverEnvironment; "" where it has none. */
void config_driver_variable(const struct config *config, const char *name, char *ret, size_t size);

/* All settings as a file that config_load() takes, with meaning, range and default as comments. */
void config_print(FILE *file, const struct config *config);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The leak budgets. One table has each kind, its setting for a device and for the daemon, and
 * where it is counted; sums are made when asked for, from the rows, so that they cannot drift.
 *
 * Bytes and descriptors are the report's rule: the memory of an abandoned attempt's session and the
 * descriptors of the attempt. What a driver holds besides is not known.
 */

#include "daemon/leak.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor.h"

enum leak_kind {
	LEAK_TAINTED,
	LEAK_TOMBSTONES,
	LEAK_THREADS,
	LEAK_FDS,
	LEAK_BYTES,
	LEAK_KIND_MAX,
};

_Static_assert(LEAK_KIND_MAX == WIRE_BUDGETS, "a row has room for all budgets");

struct bound {
	const char *setting;
	size_t offset; /* in struct config */
};

#define BOUND(setting, field) {setting, offsetof(struct config, field)}

static const struct {
	const char *what;
	struct bound device, daemon;
} kinds[LEAK_KIND_MAX] = {
	[LEAK_TAINTED] = {"tainted processes", BOUND("TaintedMax", tainted_max),
		BOUND("DaemonTaintedMax", daemon_tainted_max)},
	[LEAK_TOMBSTONES] = {"processes that do not die", BOUND("TombstonesMax", tombstones_max),
		BOUND("DaemonTombstonesMax", daemon_tombstones_max)},
	[LEAK_THREADS] = {"leaked threads", BOUND("LeakedThreadsMax", leaked_threads_max),
		BOUND("DaemonLeakedThreadsMax", daemon_leaked_threads_max)},
	[LEAK_FDS] = {"leaked descriptors", BOUND("LeakedFdsMax", leaked_fds_max),
		BOUND("DaemonLeakedFdsMax", daemon_leaked_fds_max)},
	[LEAK_BYTES] = {"leaked bytes", BOUND("LeakedBytesMax", leaked_bytes_max),
		BOUND("DaemonLeakedBytesMax", daemon_leaked_bytes_max)},
};

static uint64_t limit_of(const struct config *config, enum leak_kind kind, const struct bound *b)
{
	const char *field = (const char *)config + b->offset;

	return kind == LEAK_BYTES ? *(const uint64_t *)field : *(const uint32_t *)field;
}

static uint64_t held(const struct wire_device *row, enum leak_kind kind)
{
	switch (kind) {
	case LEAK_TAINTED:
		return row->tainted;
	case LEAK_TOMBSTONES:
		return row->tombstones;
	case LEAK_THREADS:
		return row->leaked_threads;
	case LEAK_FDS:
		return row->leaked_fds;
	case LEAK_BYTES:
		return row->leaked_bytes;
	case LEAK_KIND_MAX:
		break;
	}
	return 0;
}

/* Of one device, or (NULL) of all. */
static uint64_t sum(const struct registry *registry, const char *device, enum leak_kind kind)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < registry->entries; i++) {
		const struct wire_device *row = &registry->entry[i].row;

		if (!device || strcmp(row->device, device) == 0)
			n += held(row, kind);
	}
	return n;
}

static void fill(struct wire_budget *budget, const char *setting, uint64_t used, uint64_t limit)
{
	snprintf(budget->setting, sizeof(budget->setting), "%s", setting);
	budget->used = used;
	budget->limit = limit;
}

void leak_fill(const struct encoder_entry *entry, struct wire_device *row)
{
	const struct registry *registry = entry->registry;
	const struct supervisor *sv = registry->supervisor;

	for (enum leak_kind kind = 0; kind < LEAK_KIND_MAX; kind++) {
		/* Fronts and adapters can be tombstones as well, and are of no device. */
		uint64_t all = kind == LEAK_TOMBSTONES ? sv->n_tombstones
						       : sum(registry, NULL, kind);

		fill(&row->budget[kind], kinds[kind].device.setting,
			sum(registry, entry->row.device, kind),
			limit_of(&sv->config, kind, &kinds[kind].device));
		fill(&row->daemon_budget[kind], kinds[kind].daemon.setting, all,
			limit_of(&sv->config, kind, &kinds[kind].daemon));
	}
}

static bool is_used_up(
	const struct wire_budget *budget, const char *who, const char *what, char why[static 128])
{
	if (budget->used < budget->limit)
		return false;
	snprintf(why, 128, "%.16s holds %llu %s, %s=%llu", who, (unsigned long long)budget->used,
		what, budget->setting, (unsigned long long)budget->limit);
	return true;
}

bool leak_is_exhausted(const struct encoder_entry *entry, char why[static 128])
{
	struct wire_device row = {0};
	bool can_leak = entry->limits->backend != VENCD_BACKEND_SOFTWARE;

	leak_fill(entry, &row);
	for (enum leak_kind kind = 0; kind < LEAK_KIND_MAX; kind++)
		if (is_used_up(&row.budget[kind], entry->row.device, kinds[kind].what, why) ||
			(can_leak &&
				is_used_up(
					&row.daemon_budget[kind], "vencd", kinds[kind].what, why)))
			return true;
	return false;
}

/* What a worker has lost; only a tainted one has. */
static uint64_t lost_in(const struct worker *worker, enum leak_kind kind)
{
	const struct attempt *attempt;
	uint64_t threads = 0, bytes = 0;

	LIST_FOREACH(attempt, &worker->attempts, entry)
	if (attempt->state == ATTEMPT_LEAKED || attempt->state == ATTEMPT_RETURNED) {
		threads++;
		bytes += attempt->memory;
	}
	switch (kind) {
	case LEAK_TAINTED:
		return 1;
	case LEAK_THREADS:
		return threads;
	case LEAK_FDS:
		return threads * WIRE_START_FDS;
	case LEAK_BYTES:
		return bytes;
	case LEAK_TOMBSTONES: /* are past all draining */
	case LEAK_KIND_MAX:
		break;
	}
	return 0;
}

/* The tainted workers of a uid, on one device or (NULL) on all. */
static uint64_t lost_by(
	const struct supervisor *sv, uint32_t uid, const char *device, enum leak_kind kind)
{
	const struct worker *worker;
	uint64_t n = 0;

	LIST_FOREACH(worker, &sv->workers, entry)
	if (worker->tainted && worker->uid == uid &&
		(!device || strcmp(worker->encoder->row.device, device) == 0))
		n += lost_in(worker, kind);
	return n;
}

bool leak_is_greedy(const struct worker *worker)
{
	const struct supervisor *sv = worker->supervisor;
	const char *device = worker->encoder->row.device;

	if (lost_by(sv, worker->uid, NULL, LEAK_TAINTED) < 2)
		return false;
	for (enum leak_kind kind = 0; kind < LEAK_KIND_MAX; kind++)
		if (lost_by(sv, worker->uid, device, kind) >
				limit_of(&sv->config, kind, &kinds[kind].device) / 2 ||
			lost_by(sv, worker->uid, NULL, kind) >
				limit_of(&sv->config, kind, &kinds[kind].daemon) / 2)
			return true;
	return false;
}

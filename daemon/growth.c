// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The memory of a worker is what /proc/PID/statm calls resident less what it shares: the frames of
 * its sessions are charged to their uid and go with them. The kernel answers that file from its own
 * counters; no driver is asked, as it would be for smaps or fdinfo. What cannot be read has not
 * grown: WorkerSessions holds all the same.
 */

#include "daemon/growth.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/supervisor.h"

static uint64_t private_bytes(const struct child *child)
{
	unsigned long long resident, shared;
	char path[64], text[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", child->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || resident < shared)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void growth_begin(struct worker *worker)
{
	worker->bytes_at_first = private_bytes(worker->child);
}

bool growth_is_over(const struct worker *worker)
{
	const struct config *config = &worker->supervisor->config;

	return worker->sessions >= config->worker_sessions ||
		private_bytes(worker->child) > worker->bytes_at_first + config->worker_growth;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* Reports of ended sessions: the last ReportsKept of them, oldest dropped first. */

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

static void drop_oldest(struct supervisor *supervisor)
{
	struct archived *oldest = TAILQ_FIRST(&supervisor->archive);

	TAILQ_REMOVE(&supervisor->archive, oldest, entry);
	supervisor->n_archived--;
	supervisor->n_awaited -= oldest->awaited;
	free(oldest);
}

void archive_add(struct session *session)
{
	struct supervisor *sv = session->supervisor;
	struct archived *archived = calloc(1, sizeof(*archived));

	if (!archived) {
		log_error(
			"no memory to keep the report of session %lu", (unsigned long)session->id);
		return;
	}
	memcpy(archived->token, session->token, sizeof(archived->token));
	archived->report = session->report;
	archived->awaited = sv->state != SUPERVISOR_SERVING;
	sv->n_awaited += archived->awaited;
	TAILQ_INSERT_TAIL(&sv->archive, archived, entry);
	sv->n_archived++;
	while (sv->n_archived > sv->config.reports_kept)
		drop_oldest(sv);
}

static struct archived *find(const struct supervisor *supervisor, uint64_t id)
{
	struct archived *archived;

	TAILQ_FOREACH(archived, &supervisor->archive, entry)
	if (archived->report.id == id)
		return archived;
	return NULL;
}

const struct archived *archive_find(const struct supervisor *supervisor, uint64_t id)
{
	return find(supervisor, id);
}

void archive_collected(struct supervisor *supervisor, uint64_t id)
{
	struct archived *archived = find(supervisor, id);

	if (!archived || !archived->awaited)
		return;
	archived->awaited = false;
	supervisor->n_awaited--;
	supervisor_check_done(supervisor);
}

void archive_clear(struct supervisor *supervisor)
{
	while (!TAILQ_EMPTY(&supervisor->archive))
		drop_oldest(supervisor);
}

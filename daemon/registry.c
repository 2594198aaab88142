// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The registry. Each encoder is probed in a process of its own, which is killed when it has
 * answered or its deadline has passed; nothing in the supervisor waits for it. A crash or a hang
 * marks that encoder and nothing else.
 */

#include "daemon/registry.h"

#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/supervisor.h"

#define PUSH_DELAY_US 50000

static int on_push(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct registry *registry = userdata;
	struct front *front;

	(void)source;
	(void)usec;
	LIST_FOREACH(front, &registry->supervisor->fronts, entry)
	if (front->ready)
		front_push_devices(front);
	return 0;
}

void registry_changed(struct registry *registry)
{
	int enabled = SD_EVENT_OFF;

	if (!registry->push || sd_event_source_get_enabled(registry->push, &enabled) < 0 || enabled)
		return;
	(void)sd_event_source_set_time_relative(registry->push, PUSH_DELAY_US);
	(void)sd_event_source_set_enabled(registry->push, SD_EVENT_ONESHOT);
}

struct wire_device *registry_row(struct registry *registry, const struct encoder_entry *entry)
{
	return &registry->entry[entry - registry->entry].row;
}

/* The probe is over, well or not: its process is of no more use. */
static void probe_over(struct encoder_entry *entry, enum device_state state, const char *detail)
{
	struct supervisor *supervisor = entry->registry->supervisor;

	if (entry->row.state != DEVICE_PROBING)
		return;
	entry->row.state = state;
	snprintf(entry->row.detail, sizeof(entry->row.detail), "%s", detail);
	entry->deadline = sd_event_source_disable_unref(entry->deadline);
	if (state == DEVICE_PROVEN)
		log_info("%s: proven by a probe of %u frames in %u ms (%s)", entry->limits->name,
			entry->row.probe_frames, entry->row.probe_ms, entry->row.version);
	else if (supervisor->state == SUPERVISOR_SERVING)
		log_warning("%s: not usable: %s", entry->limits->name, detail);
	if (entry->probe)
		child_kill(entry->probe);
	registry_changed(entry->registry);
	request_retry_pending(supervisor);
}

static void on_probed(struct encoder_entry *entry, const struct wire_probed *probed)
{
	char detail[256];

	snprintf(entry->row.version, sizeof(entry->row.version), "%s", probed->info.version);
	entry->row.probe_ms = probed->ms;
	entry->row.probe_frames = probed->frames;
	entry->row.probe_needs_frames = probed->info.needs_frames;
	if (probed->status == ENCODER_OK) {
		entry->row.probed_us = supervisor_wall_us();
		probe_over(entry, DEVICE_PROVEN, "");
		return;
	}
	snprintf(detail, sizeof(detail), "probe: %s%s%.180s",
		probed->status < ENCODER_STATUS_MAX ? encoder_status_name(probed->status) : "?",
		probed->text[0] ? ": " : "", probed->text);
	probe_over(entry, probed->status == ENCODER_ABSENT ? DEVICE_ABSENT : DEVICE_BROKEN, detail);
}

static void send_probe(struct encoder_entry *entry)
{
	struct wire_probe probe = {.h = {.type = WIRE_PROBE, .size = sizeof(probe)}};

	snprintf(probe.encoder, sizeof(probe.encoder), "%s", entry->limits->name);
	if (entry->limits->backend == VENCD_BACKEND_NULL)
		snprintf(probe.script, sizeof(probe.script), "%s",
			entry->registry->supervisor->config.null_probe_script);
	child_send(entry->probe, &probe, NULL, 0);
}

static void probe_message(struct child *child, const union wire_message *message)
{
	struct encoder_entry *entry = child->owner;

	if (message->h.type == WIRE_READY)
		send_probe(entry);
	else if (message->h.type == WIRE_PROBED)
		on_probed(entry, &message->probed);
	else
		child_kill(child);
}

static void probe_dead(struct child *child, const siginfo_t *info)
{
	struct encoder_entry *entry = child->owner;
	char detail[128];

	if (info->si_code == CLD_EXITED)
		snprintf(detail, sizeof(detail), "its probe ended by itself with status %d",
			info->si_status);
	else
		snprintf(detail, sizeof(detail), "its probe was killed by signal %d (%s)",
			info->si_status, strsignal(info->si_status));
	entry->probe = NULL;
	if (child_was_tombstone(child)) {
		entry->row.tombstones--;
		entry->registry->supervisor->n_tombstones--;
	}
	if (entry->row.state == DEVICE_PROBING && info->si_code != CLD_EXITED)
		entry->row.crashed++;
	probe_over(entry, DEVICE_BROKEN, detail);
	child_free(child);
	supervisor_check_done(entry->registry->supervisor);
}

static void probe_tombstone(struct child *child)
{
	struct encoder_entry *entry = child->owner;

	entry->row.tombstones++;
	entry->registry->supervisor->n_tombstones++;
	registry_changed(entry->registry);
}

static const struct child_ops probe_ops = {
	.program = "vencd-worker",
	.message = probe_message,
	.tombstone = probe_tombstone,
	.dead = probe_dead,
};

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct encoder_entry *entry = userdata;
	char detail[128];

	(void)source;
	(void)usec;
	entry->row.abandoned++;
	snprintf(detail, sizeof(detail), "its probe did not return within %u ms and was abandoned",
		entry->registry->supervisor->config.probe_budget_ms);
	probe_over(entry, DEVICE_BROKEN, detail);
	return 0;
}

static void start_probe(struct encoder_entry *entry)
{
	struct supervisor *sv = entry->registry->supervisor;
	int r = child_spawn(&entry->probe, sv->event, &probe_ops, entry,
		sv->config.kill_grace_ms * UINT64_C(1000), -1, -1);

	if (r >= 0)
		r = sd_event_add_time_relative(sv->event, &entry->deadline, CLOCK_MONOTONIC,
			sv->config.probe_budget_ms * UINT64_C(1000), 0, on_deadline, entry);
	if (r < 0)
		probe_over(entry, DEVICE_BROKEN, "its probe could not be started");
}

static void fill_row(struct encoder_entry *entry, const struct encoder_limits *limits)
{
	struct wire_device *row = &entry->row;

	row->h = (struct wire_header){.type = WIRE_DEVICE, .size = sizeof(*row)};
	row->state = DEVICE_PROBING;
	snprintf(row->device, sizeof(row->device), "%s",
		limits->backend == VENCD_BACKEND_NULL ? "null" : "cpu");
	snprintf(row->backend, sizeof(row->backend), "%s", vencd_backend_name(limits->backend));
	snprintf(row->encoder, sizeof(row->encoder), "%s", limits->name);
	row->codec = limits->codec;
	row->min_width = limits->min_width;
	row->min_height = limits->min_height;
	row->max_width = limits->max_width;
	row->max_height = limits->max_height;
	row->size_multiple = limits->size_multiple;
	row->formats = limits->formats | limits->formats_converted;
	memcpy(row->rate_controls, limits->rate_controls, sizeof(row->rate_controls));
	row->quality_min = limits->quality_min;
	row->quality_max = limits->quality_max;
}

static bool is_word_of(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == '\0' || p[n] == ' '))
			return true;
	return false;
}

static bool is_enabled(const struct config *config, const struct encoder_limits *limits)
{
	return limits->backend == VENCD_BACKEND_NULL ? config->null_encoder
						     : is_word_of(config->software, limits->name);
}

int registry_start(struct registry *registry, struct supervisor *supervisor)
{
	int r;

	registry->supervisor = supervisor;
	registry->tombstones_max = supervisor->config.tombstones_max;
	registry->leaked_threads_max = supervisor->config.leaked_threads_max;
	r = sd_event_add_time_relative(
		supervisor->event, &registry->push, CLOCK_MONOTONIC, 0, 0, on_push, registry);
	if (r < 0)
		return r;
	for (const struct encoder_limits *l = encoder_catalogue; l->name; l++) {
		struct encoder_entry *entry = &registry->entry[registry->entries];

		if (!is_enabled(&supervisor->config, l) || registry->entries == REGISTRY_MAX)
			continue;
		*entry = (struct encoder_entry){.registry = registry, .limits = l};
		fill_row(entry, l);
		registry->entries++;
		start_probe(entry);
	}
	return 0;
}

void registry_stop(struct registry *registry)
{
	registry->push = sd_event_source_disable_unref(registry->push);
	for (unsigned i = 0; i < registry->entries; i++) {
		struct encoder_entry *entry = &registry->entry[i];

		entry->deadline = sd_event_source_disable_unref(entry->deadline);
		if (entry->probe)
			child_kill(entry->probe);
	}
}

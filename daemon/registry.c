// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The registry: the rows, and that fronts hear of their changes. Which rows there are is the
 * catalogue's, the settings' and the host's word: a row of a GPU that may not be opened is there
 * and says so (gpu_row.c). What a row says of its encoder comes from probes (probing.c) and what
 * follows from them (verdict.c).
 */

#include "daemon/registry.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/gpu_row.h"
#include "daemon/log.h"
#include "daemon/proof_store.h"
#include "daemon/supervisor.h"
#include "hw/deny.h"
#include "hw/words.h"

#define PUSH_DELAY_US 50000

static int on_push(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct registry *registry = userdata;
	struct front *front;

	(void)source;
	(void)usec;
	registry->pushed_us = supervisor_now_ns() / 1000;
	LIST_FOREACH(front, &registry->supervisor->fronts, entry)
	if (front->ready)
		front_push_devices(front);
	return 0;
}

void registry_changed(struct registry *registry)
{
	int enabled = SD_EVENT_OFF;
	uint64_t since_us;

	if (!registry->push || sd_event_source_get_enabled(registry->push, &enabled) < 0 || enabled)
		return;
	/* At once, but for those that follow: who looks after a report sees what it cost. */
	since_us = supervisor_now_ns() / 1000 - registry->pushed_us;
	(void)sd_event_source_set_time_relative(
		registry->push, since_us < PUSH_DELAY_US ? PUSH_DELAY_US - since_us : 0);
	(void)sd_event_source_set_enabled(registry->push, SD_EVENT_ONESHOT);
}

struct wire_device *registry_row(struct registry *registry, const struct encoder_entry *entry)
{
	return &registry->entry[entry - registry->entry].row;
}

void registry_show_reach(struct encoder_entry *entry)
{
	const struct encoder_reach *reach = &entry->limits->reach;
	struct wire_device *row = &entry->row;

	row->min_width = reach->min_width;
	row->min_height = reach->min_height;
	row->max_width = reach->max_width;
	row->max_height = reach->max_height;
	row->size_multiple = reach->size_multiple;
	row->formats = reach->formats | reach->formats_converted;
	memcpy(row->rate_controls, reach->rate_controls, sizeof(row->rate_controls));
	row->packed_headers = reach->packed_headers;
}

static void fill_row(struct encoder_entry *entry)
{
	const struct encoder_limits *limits = entry->limits;
	struct wire_device *row = &entry->row;

	row->h = (struct wire_header){.type = WIRE_DEVICE, .size = sizeof(*row)};
	row->state = DEVICE_PROBING;
	snprintf(row->device, sizeof(row->device), "%s",
		limits->backend == VENCD_BACKEND_NULL ? "null" : "cpu");
	snprintf(row->backend, sizeof(row->backend), "%s", encoder_api_name(limits));
	snprintf(row->encoder, sizeof(row->encoder), "%s", limits->name);
	row->codec = limits->codec;
	row->quality_min = limits->quality_min;
	row->quality_max = limits->quality_max;
	registry_show_reach(entry);
	if (entry->gpu)
		gpu_row_fill(row, entry->gpu);
}

static bool is_enabled(const struct config *config, const struct encoder_limits *limits)
{
	return limits->backend == VENCD_BACKEND_NULL ? config->null_encoder
						     : words_have(config->software, limits->name);
}

/* What is known to be bad is not tried, unless the operator says so. */
static bool is_denied(struct encoder_entry *entry)
{
	const struct config *config = &entry->registry->supervisor->config;
	const struct gpu *gpu = entry->gpu;
	const struct deny_row *row;
	struct utsname host = {0};
	struct deny_subject subject = {.vendor = gpu->vendor,
		.device = gpu->device,
		.driver = gpu->driver,
		.driver_version = gpu->driver_version,
		.kernel = host.release,
		.codec = entry->limits->codec,
		.api = entry->limits->api};

	(void)uname(&host);
	row = deny_find(deny_rows, &subject, config->deny_override);
	if (row)
		gpu_row_deny(&entry->row, row);
	return row != NULL;
}

bool registry_admit(struct encoder_entry *entry)
{
	return !entry->gpu ||
		(gpu_row_admit(&entry->row, entry->gpu, geteuid()) && !is_denied(entry));
}

static void add_entry(
	struct registry *registry, const struct encoder_limits *limits, struct gpu *gpu)
{
	struct encoder_entry *entry = &registry->entry[registry->entries];

	if (registry->entries == REGISTRY_MAX) {
		log_error("%s%s%s is left out: there are %u encoders already", limits->name,
			gpu ? " on " : "", gpu ? gpu->id : "", REGISTRY_MAX);
		return;
	}
	registry->entries++;
	*entry = (struct encoder_entry){.registry = registry, .own = *limits, .gpu = gpu};
	entry->limits = &entry->own;
	fill_row(entry);
	snprintf(entry->name, sizeof(entry->name), "%s%s%s", limits->name, gpu ? " on " : "",
		gpu ? gpu->id : "");
	proof_store_find(entry);
	if (registry_admit(entry))
		probing_start(entry);
}

/* Each hardware encoder on each GPU. */
static void add_hardware(struct registry *registry, const struct encoder_limits *limits)
{
	for (size_t i = 0; i < registry->gpus; i++)
		add_entry(registry, limits, &registry->gpu[i]);
}

static void find_gpus(struct registry *registry)
{
	size_t left_out;
	int r = gpus_enumerate(registry->gpu, GPUS_MAX, &registry->gpus, &left_out);

	if (r < 0)
		log_error("cannot look for GPUs: %s", strerror(-r));
	if (left_out > 0)
		log_warning("%zu of %zu GPUs are left out: no more than %u are used", left_out,
			registry->gpus + left_out, GPUS_MAX);
	for (size_t i = 0; i < registry->gpus; i++)
		log_info("%s: %04x:%04x with %s %s at %s", registry->gpu[i].id,
			registry->gpu[i].vendor, registry->gpu[i].device, registry->gpu[i].driver,
			registry->gpu[i].driver_version, registry->gpu[i].node);
}

int registry_start(struct registry *registry, struct supervisor *supervisor)
{
	int r;

	registry->supervisor = supervisor;
	verdict_init(registry);
	r = sd_event_add_time_relative(
		supervisor->event, &registry->push, CLOCK_MONOTONIC, 0, 1000, on_push, registry);
	if (r < 0)
		return r;
	if (supervisor->config.hardware)
		find_gpus(registry);
	proof_store_open(registry);
	for (const struct encoder_limits *l = encoder_catalogue; l->name; l++) {
		if (l->backend == VENCD_BACKEND_HARDWARE)
			add_hardware(registry, l);
		else if (is_enabled(&supervisor->config, l))
			add_entry(registry, l, NULL);
	}
	proof_store_found();
	return 0;
}

void registry_stop(struct registry *registry)
{
	registry->push = sd_event_source_disable_unref(registry->push);
	for (unsigned i = 0; i < registry->entries; i++) {
		struct encoder_entry *entry = &registry->entry[i];

		entry->parole = sd_event_source_disable_unref(entry->parole);
		probing_stop(entry);
	}
}

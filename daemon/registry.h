// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_REGISTRY_H
#define VENCD_REGISTRY_H

/*
 * The encoders of this host, what their probes showed, and their counters. A row is listed with
 * what it has proved; until its probe has ended it is "probing".
 */

#include <systemd/sd-event.h>

#include "daemon/wire.h"
#include "hw/catalogue.h"

#define REGISTRY_MAX 16u

struct supervisor;
struct registry;
struct child;

struct encoder_entry {
	struct registry *registry;
	const struct encoder_limits *limits;
	struct wire_device row; /* what ListDevices shows */
	struct child *probe;    /* the probing process, while there is one */
	sd_event_source *deadline;
	uint64_t probe_began_us;
};

struct registry {
	struct supervisor *supervisor;
	struct encoder_entry entry[REGISTRY_MAX];
	unsigned entries;
	uint32_t tombstones_max, leaked_threads_max; /* per device; at these it takes no work */
	sd_event_source *push;                       /* changes are told to fronts in one go */
};

/* Fills the registry from the catalogue and the configuration and starts all probes. */
int registry_start(struct registry *registry, struct supervisor *supervisor);
void registry_stop(struct registry *registry);

/* A row's counters changed. */
void registry_changed(struct registry *registry);

/* The counters' owner: entries handed out elsewhere are const. */
struct wire_device *registry_row(struct registry *registry, const struct encoder_entry *entry);

#endif

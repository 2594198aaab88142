// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_REGISTRY_H
#define VENCD_REGISTRY_H

/*
 * The encoders of this host, what their probes showed, and their counters. An entry is one encoder
 * on one device: each hardware encoder of the catalogue on each GPU, and each software encoder. It
 * is listed with what it has proved; until its probe has ended it is "probing".
 */

#include <systemd/sd-event.h>

#include "daemon/blame.h"
#include "daemon/wire.h"
#include "hw/catalogue.h"
#include "udev/enumerate.h"

#define REGISTRY_MAX 64u

_Static_assert(REGISTRY_MAX <= BLAME_ENCODERS_MAX, "each encoder can be blamed");

struct supervisor;
struct registry;
struct probing;

struct encoder_entry {
	struct registry *registry;
	const struct encoder_limits *limits; /* what it takes: own */
	struct encoder_limits own;           /* the catalogue's, no further than was proved here */
	struct gpu *gpu;                     /* NULL: the CPU */
	char name[112];                      /* "svtav1", "h264_vaapi on pci-0000:03:00.0" */
	struct wire_device row;              /* what ListDevices shows */
	uint64_t pixel_rate;                 /* pixels a second in its probe; 0: not measured */
	uint64_t pixels_used;                /* those that its attempts ask for now */
	struct probing *probing;             /* the probe under way */
	enum proof_depth wanted;             /* waits for its turn to be probed; 0: does not */
	enum proof_depth proved;             /* the deepest probe that passed; 0: none has */
	struct proof proof;                  /* what probes showed */
	uint64_t proof_stamp;                /* of registry->proofs, when that changed */
	struct proof_record
		*kept;           /* on disk; while nothing is `proved`, it waits to be confirmed */
	unsigned probed;         /* probes so far: which script the null encoder's next one has */
	sd_event_source *parole; /* when it is probed again */
	char failure[64];        /* what it was accused of last: "abandoned in send" */
	unsigned refused;        /* probes in a row of which a case was, and is tried again */
	enum proof_depth tried;  /* by the probe that has ended last */
	bool demoted;            /* failed at work since all that it claims was proved */
};

struct registry {
	struct supervisor *supervisor;
	struct encoder_entry entry[REGISTRY_MAX];
	unsigned entries;
	struct gpu gpu[GPUS_MAX];
	size_t gpus;
	unsigned probes; /* processes of probes that are not dead, tombstones included */
	uint64_t proofs; /* counts changes of any proof */
	struct blame blame;
	sd_event_source *push; /* changes are told to fronts in one go */
	uint64_t pushed_us;    /* when they were last */
};

/* Fills the registry from the catalogue and the configuration and starts all probes. */
int registry_start(struct registry *registry, struct supervisor *supervisor);
void registry_stop(struct registry *registry);

/* Whether the encoder may be probed; else its row says why not. */
bool registry_admit(struct encoder_entry *entry);

/* Puts what the encoder takes into its row. */
void registry_show_reach(struct encoder_entry *entry);

/* A row's counters changed. */
void registry_changed(struct registry *registry);

/* What a process that holds the encoder is. */
static inline enum wall_kind registry_worker_kind(const struct encoder_entry *entry)
{
	return entry->gpu ? WALL_DEVICE_WORKER : WALL_WORKER;
}

/* Its argument: the node of its device; NULL for the CPU. */
static inline const char *registry_node(const struct encoder_entry *entry)
{
	return entry->gpu ? entry->gpu->node : NULL;
}

/* The encoder's number, for blame.h. */
static inline unsigned registry_index(const struct encoder_entry *entry)
{
	return (unsigned)(entry - entry->registry->entry);
}

/* The counters' owner: entries handed out elsewhere are const. */
struct wire_device *registry_row(struct registry *registry, const struct encoder_entry *entry);

#endif

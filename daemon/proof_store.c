// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Proofs from start to start. A proof of all that an encoder claims takes a device seconds to
 * minutes, and is as true after a restart as before, for as long as device, drivers, libraries and
 * vencd itself are the same. What the supervisor can see of these is the proof's key. The versions
 * of libraries and of the driver in user space are known to a worker alone; so the base case is run
 * at each start, which shows that the device works as well, and confirms the proof where it tells
 * the same versions.
 *
 * Kept is what was proved, or narrowed: a failure that ended a probe, and what was for want of
 * memory or sessions, are never written. A proof is dropped as soon as there is doubt, before the
 * probe that looks into it: a device that takes the host down has none at the next start.
 *
 * The disk is proof_file.c's. What stands there of encoders that this start does not have, or not
 * as they were, goes with the next that is written.
 */

#include "daemon/proof_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "daemon/log.h"
#include "daemon/proof_file.h"
#include "daemon/supervisor.h"
#include "vencd-config.h"

#define READ_MS 500u

_Static_assert(PROOF_FILE_RECORDS >= REGISTRY_MAX, "each encoder's proof can be kept");

static struct {
	bool open;
	char directory[256];
	char libraries[512];      /* directories */
	struct proof_found found; /* its records until all have looked */
} store;

/* --- the beginning --- */

/* Where systemd says that there is a directory for us, that one is the default. */
static const char *directory_of(const struct config *config)
{
	const char *given = getenv("STATE_DIRECTORY");
	bool usual = strcmp(config->state_directory, CONFIG_STATE_DIRECTORY) == 0;

	return usual && given && *given == '/' ? given : config->state_directory;
}

void proof_store_open(struct registry *registry)
{
	const struct supervisor *sv = registry->supervisor;
	const struct config *config = &sv->config;
	const char *directory = directory_of(config);
	char drivers[256];
	struct proof_place place = {.directory = store.directory,
		.libraries = store.libraries,
		.missing = strcmp(directory, CONFIG_STATE_DIRECTORY) == 0 ? LOG_LEVEL_DEBUG
									  : LOG_LEVEL_WARNING};
	int r;

	if (!*directory || sv->exit_with_connection)
		return;
	snprintf(store.directory, sizeof(store.directory), "%.*s", (int)strcspn(directory, ":"),
		directory);
	config_driver_variable(config, "LIBVA_DRIVERS_PATH=", drivers, sizeof(drivers));
	snprintf(store.libraries, sizeof(store.libraries), "%s:%s",
		*drivers ? drivers : VENCD_VA_DRIVERS_DIR, VENCD_VA_LIBRARY_DIR);
	r = proof_file_start(&place, READ_MS, &store.found);
	if (r == -ETIMEDOUT)
		log_warning("%s does not answer: proofs of earlier starts are not used",
			store.directory);
	else if (r < 0 && r != -ENODATA)
		log_warning("proofs are not kept: %s", strerror(-r));
	store.open = r == 0 || r == -ETIMEDOUT;
}

static void fill_key(const struct encoder_entry *entry, struct proof_key *key)
{
	const struct wire_device *row = &entry->row;
	struct utsname host = {0};

	(void)uname(&host);
	*key = (struct proof_key){.vendor = row->gpu.vendor,
		.product = row->gpu.device,
		.subvendor = row->gpu.subvendor,
		.subproduct = row->gpu.subdevice,
		.vencd = VENCD_VERSION,
		.cases = PROOF_CASES_VERSION};
	snprintf(key->encoder, sizeof(key->encoder), "%s", row->encoder);
	snprintf(key->device, sizeof(key->device), "%s", row->device);
	snprintf(key->driver, sizeof(key->driver), "%s", row->gpu.driver);
	snprintf(key->driver_version, sizeof(key->driver_version), "%s", row->gpu.driver_version);
	snprintf(key->kernel, sizeof(key->kernel), "%s", host.release);
	snprintf(key->environment, sizeof(key->environment), "%s",
		entry->registry->supervisor->config.driver_environment);
	if (entry->gpu)
		snprintf(key->libraries, sizeof(key->libraries), "%s", store.found.libraries);
}

/* --- looking --- */

/* A clock that went back makes a proof of the future: how old it is, nobody knows. */
static const char *age_forbids(const struct encoder_entry *entry, const struct proof_record *record)
{
	uint64_t now = supervisor_wall_us();
	uint64_t most = entry->registry->supervisor->config.proof_age_ms * UINT64_C(1000);

	if (record->proved_us > now)
		return "it is of the future";
	return now - record->proved_us > most ? "it is older than ProofAge" : NULL;
}

static void keep(struct encoder_entry *entry, const struct proof_record *record)
{
	if (!entry->kept)
		entry->kept = malloc(sizeof(*entry->kept));
	if (entry->kept)
		*entry->kept = *record;
}

static void look_at(struct encoder_entry *entry, const struct proof_record *record)
{
	const char *why = age_forbids(entry, record), *other;
	struct proof_key key;

	fill_key(entry, &key);
	other = proof_key_difference(&record->key, &key);
	if (other)
		log_info(
			"%s: an earlier proof is not used: %s is not the same", entry->name, other);
	else if (why)
		log_info("%s: an earlier proof is not used: %s", entry->name, why);
	else
		keep(entry, record);
}

void proof_store_find(struct encoder_entry *entry)
{
	for (unsigned i = 0; i < store.found.n; i++) {
		const struct proof_record *record = &store.found.records[i];

		if (strcmp(record->key.encoder, entry->row.encoder) == 0 &&
			strcmp(record->key.device, entry->row.device) == 0)
			look_at(entry, record);
	}
}

void proof_store_found(void)
{
	free(store.found.records);
	store.found.records = NULL;
	store.found.n = 0;
}

/* --- taking and giving --- */

bool proof_store_confirm(struct encoder_entry *entry)
{
	const struct proof_record *record = entry->kept;
	struct wire_device *row = &entry->row;

	if (strcmp(record->version, row->version) != 0) {
		log_info("%s: an earlier proof is not used: it is of %s", entry->name,
			record->version);
		proof_store_drop(entry);
		return false;
	}
	entry->proof = record->proof;
	entry->proved = PROOF_DEPTH_ALL;
	entry->own.reach = encoder_limits_find(entry->own.name)->reach;
	proof_narrow(&entry->own.reach, &record->reach);
	registry_show_reach(entry);
	row->pixel_rate = entry->pixel_rate = record->pixel_rate;
	row->probe_ms = record->ms;
	row->probe_frames = record->frames;
	row->probe_needs_frames = record->needs_frames;
	row->probed_us = record->proved_us;
	row->cached = 1;
	return true;
}

static void write_all(const struct registry *registry)
{
	const struct proof_record *records[REGISTRY_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < registry->entries; i++)
		if (registry->entry[i].kept)
			records[n++] = registry->entry[i].kept;
	if (proof_file_write(records, n) < 0)
		log_warning("proofs are not written: %s", strerror(ENOMEM));
}

void proof_store_keep(struct encoder_entry *entry)
{
	const struct wire_device *row = &entry->row;
	struct proof_record record = {.proved_us = row->probed_us,
		.ms = row->probe_ms,
		.frames = row->probe_frames,
		.needs_frames = row->probe_needs_frames,
		.pixel_rate = entry->pixel_rate,
		.reach = entry->own.reach,
		.proof = entry->proof};

	if (!store.open)
		return;
	fill_key(entry, &record.key);
	snprintf(record.version, sizeof(record.version), "%s", row->version);
	keep(entry, &record);
	write_all(entry->registry);
}

void proof_store_drop(struct encoder_entry *entry)
{
	if (!entry->kept)
		return;
	free(entry->kept);
	entry->kept = NULL;
	write_all(entry->registry);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Probing. A probe is a process, which is killed when it has answered or its deadline has passed;
 * nothing in the supervisor waits for it, and a crash or a hang there marks that encoder and
 * nothing else. An encoder has one probe under way at a time (entry->probing); a process that does
 * not die stays behind as a tombstone, and the next probe is another process.
 *
 * A probe has cases (docs/architecture.md), and tells of each when it begins and when it has ended:
 * the deadline is that of one case, and what is kept is which one did not end. All cases are tried
 * once; a probe that only asks whether the encoder still works has the first one alone. So has the
 * first one of an encoder whose proof was kept from an earlier start (proof_store.c), which it
 * confirms.
 *
 * At most ProbesAtOnce of those that try everything run at once, one on a GPU, in the registry's
 * order; one that is asked whether it still works is asked at once.
 *
 * A case that is refused for want of memory or of a free session says nothing of the encoder: what
 * was shown before stays, or else what the other cases showed is taken for now, and all is tried
 * again later. A driver may give such words to what it cannot do at all, so that this has an end.
 *
 * A software encoder on a loaded host is slow, not wedged: as long as its probe burns CPU, the
 * deadline is put off, up to SoftwareCallCap.
 */

#include "daemon/probing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/proof_store.h"
#include "daemon/supervisor.h"
#include "hw/words.h"

#define BUDGET_PIXELS (UINT64_C(1920) * 1080)
#define BUSY_PART 100u /* a probe that used this part of its time as CPU time is at work */

#define REFUSED_MAX 3u /* probes in a row, before a case that is refused counts as failed */

enum finding {
	FINDING_WHOLE,
	FINDING_REFUTED, /* it works, but is not what a kept proof is of */
	FINDING_PARTIAL, /* a case was refused, and is tried again */
};

struct probing {
	struct encoder_entry *entry;
	struct child *child;
	sd_event_source *deadline;
	enum proof_depth depth;
	uint64_t cpu_ns;    /* when the deadline was set */
	uint64_t budget_ms; /* of this case */
	uint64_t waited_ms; /* in this case, before that */
	struct proof proof; /* so far */
	enum finding finding;
};

static void start_waiting(struct registry *registry);
static enum proof_depth depth_of(const struct encoder_entry *entry);

/* What it has shown stands in the place of what was known; a look at the base adds to it. */
static void keep_proof(struct probing *probing, enum probing_result result)
{
	struct encoder_entry *entry = probing->entry;

	if (probing->proof.n == 0 || (result == PROBING_UNSETTLED && entry->proved))
		return;
	if (probing->depth == PROOF_DEPTH_ALL || !entry->proved)
		entry->proof = probing->proof;
	else
		proof_merge(&entry->proof, &probing->proof);
	if (result == PROBING_PASSED && probing->finding == FINDING_WHOLE) {
		if (entry->proved < probing->depth)
			entry->proved = probing->depth;
		if (probing->depth == PROOF_DEPTH_ALL)
			proof_store_keep(entry);
	}
	entry->proof_stamp = ++entry->registry->proofs;
}

/*
 * The probe is over, well or not: its process is of no more use. One that did not survive trying
 * everything has to, before anything but its first case is believed again.
 */
static void over(struct probing *probing, enum probing_result result, const char *detail)
{
	struct encoder_entry *entry = probing->entry;

	if (entry->probing != probing)
		return;
	entry->probing = NULL;
	probing->deadline = sd_event_source_disable_unref(probing->deadline);
	child_kill(probing->child);
	keep_proof(probing, result);
	entry->tried = probing->depth;
	if (probing->depth == PROOF_DEPTH_ALL && result == PROBING_FAILED) {
		entry->proved = 0;
		proof_store_drop(entry);
	}
	if (probing->finding == FINDING_REFUTED)
		probing_renew(entry);
	else
		verdict_probed(entry, result, detail);
	if (probing->finding == FINDING_PARTIAL)
		verdict_try_again(entry, entry->refused);
	start_waiting(entry->registry);
}

/* The same, for one that did not answer: names the case that it was in. */
static void lost(struct probing *probing, enum proof_state state, const char *why)
{
	const struct proof_evidence *in = proof_end(&probing->proof, state);
	char detail[256];

	snprintf(detail, sizeof(detail), "its probe %.160s%s%s%s", why,
		in ? ", in its case \"" : "", in ? in->asked.name : "", in ? "\"" : "");
	over(probing, PROBING_FAILED, detail);
}

static enum probing_result result_of(const struct encoder_entry *entry, uint32_t status)
{
	switch (status) {
	case ENCODER_OK:
		return PROBING_PASSED;
	case ENCODER_ABSENT:
		return entry->gpu ? PROBING_UNSUPPORTED : PROBING_ABSENT;
	case ENCODER_NO_LIBRARY:
		return PROBING_NO_LIBRARY;
	case ENCODER_NOT_PERMITTED:
		return PROBING_NOT_PERMITTED;
	}
	return encoder_status_class(status) == ENCODER_CLASS_RETRY ? PROBING_UNSETTLED
								   : PROBING_FAILED;
}

/* A look at the base alone says nothing new of one that has been proved. */
static void note_passed(struct probing *probing, const struct wire_probed *probed)
{
	struct encoder_entry *entry = probing->entry;
	struct wire_device *row = &entry->row;

	snprintf(row->version, sizeof(row->version), "%s", probed->info.version);
	if (entry->kept && !entry->proved && !proof_store_confirm(entry) &&
		probing->depth < depth_of(entry))
		probing->finding = FINDING_REFUTED;
	if (probing->depth < entry->proved)
		return;
	row->cached = 0;
	row->probe_ms = probed->ms;
	row->probe_frames = probed->frames;
	row->probe_needs_frames = probed->info.needs_frames;
	row->probed_us = supervisor_wall_us();
	row->pixel_rate = entry->pixel_rate = probed->pixel_rate;
	entry->own.reach = encoder_limits_find(entry->own.name)->reach;
	proof_narrow(&entry->own.reach, &probed->reach);
	registry_show_reach(entry);
}

/* It passed, all in all. */
static void settle(struct probing *probing, const struct wire_probed *probed)
{
	struct encoder_entry *entry = probing->entry;
	const struct proof_evidence *refused = proof_refused(&probing->proof);
	char detail[256] = "";

	if (probing->depth == PROOF_DEPTH_ALL)
		entry->refused = refused && entry->refused < REFUSED_MAX ? entry->refused + 1 : 0;
	if (refused && entry->refused > 0) {
		probing->finding = FINDING_PARTIAL;
		snprintf(detail, sizeof(detail), "its case \"%s\" was refused: %s",
			refused->asked.name, encoder_status_name(refused->status));
	}
	if (probing->finding == FINDING_PARTIAL && entry->proved) {
		over(probing, PROBING_UNSETTLED, detail);
		return;
	}
	note_passed(probing, probed);
	over(probing, PROBING_PASSED, detail);
}

static void on_probed(struct probing *probing, const struct wire_probed *probed)
{
	char detail[256] = "";

	if (probing->entry->probing != probing)
		return;
	if (probed->status != ENCODER_OK) {
		snprintf(detail, sizeof(detail), "probe: %s%s%.180s",
			probed->status < ENCODER_STATUS_MAX ? encoder_status_name(probed->status)
							    : "?",
			probed->text[0] ? ": " : "", probed->text);
	} else if (!proof_has_base(&probing->proof)) {
		lost(probing, PROOF_CRASHED, "passed without a case that did");
		return;
	} else {
		settle(probing, probed);
		return;
	}
	over(probing, result_of(probing->entry, probed->status), detail);
}

/* More pixels than a minute of the base takes longer: as with calls, by what is above 1080p. */
static uint64_t budget_ms(const struct probing *probing, const struct proof_case *c)
{
	uint64_t ms = probing->entry->registry->supervisor->config.probe_budget_ms;
	uint64_t pixels = (uint64_t)c->width * c->height;

	if (pixels > VENCD_SIZE_MAX * VENCD_SIZE_MAX)
		pixels = VENCD_SIZE_MAX * VENCD_SIZE_MAX;
	return pixels > BUDGET_PIXELS ? ms * pixels / BUDGET_PIXELS : ms;
}

/* A case begins, or has ended: there is a deadline for the next one. */
static void on_case(struct probing *probing, const struct proof_evidence *told)
{
	struct proof_evidence evidence = *told;

	if (probing->entry->probing != probing)
		return;
	evidence.at_us = supervisor_wall_us();
	if (proof_note(&probing->proof, &evidence) < 0) {
		lost(probing, PROOF_CRASHED, "told of cases in a way that is none");
		return;
	}
	probing->cpu_ns = child_cpu_ns(probing->child);
	probing->waited_ms = 0;
	probing->budget_ms = budget_ms(probing, &evidence.asked);
	(void)sd_event_source_set_time_relative(probing->deadline, probing->budget_ms * 1000);
}

/* The n-th (from 0) of the scripts between bars; the last one for all that follow. */
static void copy_script(char *to, size_t size, const char *scripts, unsigned n)
{
	const char *bar;

	for (; n > 0 && (bar = strchr(scripts, '|')); n--)
		scripts = bar + 1;
	snprintf(to, size, "%.*s", (int)strcspn(scripts, "|"), scripts);
}

static void send_probe(struct probing *probing)
{
	struct encoder_entry *entry = probing->entry;
	struct wire_probe probe = {
		.h = {.type = WIRE_PROBE, .size = sizeof(probe)}, .depth = probing->depth};

	snprintf(probe.encoder, sizeof(probe.encoder), "%s", entry->limits->name);
	if (entry->gpu)
		snprintf(probe.device, sizeof(probe.device), "%s", entry->gpu->node);
	if (entry->limits->backend == VENCD_BACKEND_NULL)
		copy_script(probe.script, sizeof(probe.script),
			entry->registry->supervisor->config.null_probe_script, entry->probed++);
	child_send(probing->child, &probe, NULL, 0);
}

/* What it cannot be behind on this host, it cannot be used without. */
static void on_ready(struct probing *probing, const struct walls *walls)
{
	struct supervisor *sv = probing->entry->registry->supervisor;
	enum wall_kind kind = registry_worker_kind(probing->entry);
	char why[STANDING_WHY_MAX];

	if (probing->entry->probing != probing)
		return;
	if (standing_note(sv, kind, walls) < 0) {
		(void)standing_refuses(sv, kind, why);
		over(probing, PROBING_ABSENT, why);
		return;
	}
	send_probe(probing);
}

static void probing_message(struct child *child, const union wire_message *message)
{
	struct probing *probing = child->owner;

	if (message->h.type == WIRE_READY)
		on_ready(probing, &message->ready.walls);
	else if (message->h.type == WIRE_PROBE_CASE)
		on_case(probing, &message->probe_case.evidence);
	else if (message->h.type == WIRE_PROBED)
		on_probed(probing, &message->probed);
	else
		child_kill(child);
}

static void probing_dead(struct child *child, const siginfo_t *info)
{
	struct probing *probing = child->owner;
	struct encoder_entry *entry = probing->entry;
	struct supervisor *sv = entry->registry->supervisor;
	char why[128];

	if (info->si_code == CLD_EXITED)
		snprintf(why, sizeof(why), "ended by itself with status %d", info->si_status);
	else
		snprintf(why, sizeof(why), "was killed by signal %d (%s)", info->si_status,
			strsignal(info->si_status));
	if (child_was_tombstone(child)) {
		entry->row.tombstones--;
		sv->n_tombstones--;
		registry_changed(entry->registry);
	}
	if (entry->probing == probing && info->si_code != CLD_EXITED && !child_was_killed(child))
		entry->row.crashed++;
	lost(probing, PROOF_CRASHED, why);
	sd_event_source_disable_unref(probing->deadline);
	entry->registry->probes--;
	child_free(child);
	free(probing);
	supervisor_check_done(sv);
}

static void probing_tombstone(struct child *child)
{
	struct probing *probing = child->owner;
	struct encoder_entry *entry = probing->entry;

	entry->row.tombstones++;
	entry->registry->supervisor->n_tombstones++;
	registry_changed(entry->registry);
}

static const struct child_ops probing_ops = {
	.program = "vencd-worker",
	.message = probing_message,
	.tombstone = probing_tombstone,
	.dead = probing_dead,
};

/* Whether it is worth waiting for once more. */
static bool is_at_work(struct probing *probing)
{
	const struct config *config = &probing->entry->registry->supervisor->config;
	uint64_t cpu_ns = child_cpu_ns(probing->child), burned = cpu_ns - probing->cpu_ns;

	probing->cpu_ns = cpu_ns;
	probing->waited_ms += probing->budget_ms;
	return probing->entry->limits->backend == VENCD_BACKEND_SOFTWARE &&
		probing->waited_ms < config->software_cap_ms &&
		burned >= probing->budget_ms * UINT64_C(1000000) / BUSY_PART;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct probing *probing = userdata;
	char why[128];

	(void)usec;
	if (is_at_work(probing) &&
		sd_event_source_set_time_relative(source, probing->budget_ms * 1000) >= 0)
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	probing->entry->row.abandoned++;
	snprintf(why, sizeof(why), "did not return within %llu ms and was abandoned",
		(unsigned long long)probing->waited_ms);
	lost(probing, PROOF_HUNG, why);
	return 0;
}

/*
 * One that has shown all that it can, now or before, is only asked whether it still works. One that
 * did not survive being asked for everything is asked again, at whoever's wish that was.
 */
static enum proof_depth depth_of(const struct encoder_entry *entry)
{
	const struct config *config = &entry->registry->supervisor->config;
	const char *backend = vencd_backend_name(entry->limits->backend);

	if (entry->proved || entry->kept)
		return PROOF_DEPTH_BASE;
	return entry->proof.n > 1 || words_have(config->full_proof, backend) ? PROOF_DEPTH_ALL
									     : PROOF_DEPTH_BASE;
}

static int start(struct encoder_entry *entry, enum proof_depth depth)
{
	struct supervisor *sv = entry->registry->supervisor;
	const struct child_extra extra = {
		.environment = sv->config.driver_environment, .argument = registry_node(entry)};
	struct probing *probing;
	int r;

	if (entry->probing)
		return 0;
	verdict_end_parole(entry);
	probing = calloc(1, sizeof(*probing));
	if (!probing)
		return -ENOMEM;
	probing->entry = entry;
	probing->depth = depth;
	probing->budget_ms = sv->config.probe_budget_ms;
	r = child_spawn(&probing->child, sv->event, &probing_ops, probing,
		sv->config.kill_grace_ms * UINT64_C(1000), &extra);
	if (r < 0) {
		free(probing);
		return r;
	}
	entry->registry->probes++;
	r = sd_event_add_time_relative(sv->event, &probing->deadline, CLOCK_MONOTONIC,
		probing->budget_ms * 1000, 0, on_deadline, probing);
	if (r < 0) {
		child_kill(probing->child);
		return r;
	}
	/* Where both are due, as after a suspension, what it has said comes first. */
	(void)sd_event_source_set_priority(probing->deadline, SD_EVENT_PRIORITY_IDLE);
	entry->probing = probing;
	if (device_state_is_usable(entry->row.state))
		entry->row.parole_us = 0; /* this is it */
	if (entry->row.state == DEVICE_UNTESTED)
		entry->row.state = DEVICE_PROBING;
	registry_changed(entry->registry);
	return 0;
}

static void start_or_say(struct encoder_entry *entry, enum proof_depth depth)
{
	if (start(entry, depth) < 0)
		verdict_probed(entry, PROBING_UNSETTLED, "its probe could not be started");
}

static bool tries_all(const struct encoder_entry *entry)
{
	return entry->probing && entry->probing->depth == PROOF_DEPTH_ALL;
}

/*
 * Whether there are as many as there may be, or another one is on the same GPU: they would measure
 * each other, and find each other's limits.
 */
static bool must_wait(const struct encoder_entry *entry)
{
	const struct registry *registry = entry->registry;
	unsigned n = 0;

	for (unsigned i = 0; i < registry->entries; i++) {
		const struct encoder_entry *other = &registry->entry[i];

		if (tries_all(other) && entry->gpu && other->gpu == entry->gpu)
			return true;
		n += tries_all(other);
	}
	return n >= registry->supervisor->config.probes_at_once;
}

/* Those that try everything take their turns: they load the devices, and the host. */
static void start_waiting(struct registry *registry)
{
	const struct supervisor *sv = registry->supervisor;

	for (unsigned i = 0; i < registry->entries && sv->state == SUPERVISOR_SERVING; i++) {
		struct encoder_entry *entry = &registry->entry[i];

		if (entry->wanted != PROOF_DEPTH_ALL || entry->probing || must_wait(entry))
			continue;
		entry->wanted = 0;
		start_or_say(entry, PROOF_DEPTH_ALL);
	}
}

void probing_renew(struct encoder_entry *entry)
{
	entry->wanted = PROOF_DEPTH_ALL;
	if (entry->row.state == DEVICE_PROBING && !entry->probing)
		entry->row.state = DEVICE_UNTESTED;
	start_waiting(entry->registry);
}

void probing_start(struct encoder_entry *entry)
{
	if (depth_of(entry) == PROOF_DEPTH_ALL)
		probing_renew(entry);
	else
		start_or_say(entry, PROOF_DEPTH_BASE);
}

void probing_stop(struct encoder_entry *entry)
{
	if (!entry->probing)
		return;
	entry->probing->deadline = sd_event_source_disable_unref(entry->probing->deadline);
	child_kill(entry->probing->child);
}

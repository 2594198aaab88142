// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Verdicts. An attempt that wedged, crashed, stalled or gave wrong output accuses its encoder; a
 * probe follows, and blame.c decides. While a verdict is open new requests of others go on to the
 * encoder, and those of the accused uid wait for it, like those that wait for a first probe.
 *
 * What ends a process accuses once a process, whatever number of its attempts it took along. A
 * quarantine stops no attempt that runs.
 */

#include "daemon/verdict.h"

#include <stdio.h>
#include <string.h>

#include "daemon/leak.h"
#include "daemon/log.h"
#include "daemon/proof_store.h"
#include "daemon/supervisor.h"

void verdict_init(struct registry *registry)
{
	const struct config *c = &registry->supervisor->config;

	registry->blame.policy = (struct blame_policy){
		.strikes_max = c->strikes_max,
		.strikes_per_encoder = c->strikes_per_encoder,
		.quarantine_users = c->quarantine_users,
		.window_ns = c->strike_window_ms * UINT64_C(1000000),
		.time_ns = c->strike_ms * UINT64_C(1000000),
		.quarantine_min_ns = c->quarantine_min_ms * UINT64_C(1000000),
		.quarantine_max_ns = c->quarantine_max_ms * UINT64_C(1000000),
	};
}

static struct blame *blame_of(struct encoder_entry *entry)
{
	return &entry->registry->blame;
}

static void set_detail(struct encoder_entry *entry, const char *before, const char *text)
{
	snprintf(entry->row.detail, sizeof(entry->row.detail), "%s%.200s", before, text);
}

void verdict_end_parole(struct encoder_entry *entry)
{
	entry->parole = sd_event_source_disable_unref(entry->parole);
}

/*
 * The parole: the probe at the end of a quarantine, unless the device cannot even bear that; or
 * another one of an encoder that works, of which a case was refused.
 */
static int on_parole(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct encoder_entry *entry = userdata;
	char why[128];

	(void)source;
	(void)usec;
	verdict_end_parole(entry);
	if (leak_is_exhausted(entry, why))
		verdict_probed(entry, PROBING_UNSETTLED, why);
	else if (device_state_is_usable(entry->row.state))
		probing_renew(entry);
	else
		probing_start(entry);
	return 0;
}

static void await_probe(struct encoder_entry *entry, uint64_t us)
{
	struct supervisor *sv = entry->registry->supervisor;

	verdict_end_parole(entry);
	entry->row.parole_us = supervisor_wall_us() + us;
	if (sv->state == SUPERVISOR_SERVING &&
		sd_event_add_time_relative(
			sv->event, &entry->parole, CLOCK_MONOTONIC, us, 0, on_parole, entry) < 0)
		log_error("%s: cannot be probed again: no timer", entry->name);
}

static void await_parole(struct encoder_entry *entry)
{
	await_probe(entry, blame_of(entry)->device[registry_index(entry)].backoff_ns / 1000);
}

void verdict_try_again(struct encoder_entry *entry, unsigned refused)
{
	uint64_t us = entry->registry->supervisor->config.quarantine_min_ms * UINT64_C(1000);

	if (!device_state_is_usable(entry->row.state) || entry->probing)
		return;
	await_probe(entry, us << (refused - 1));
	registry_changed(entry->registry);
}

static void quarantine(struct encoder_entry *entry, const char *detail)
{
	entry->row.state = DEVICE_QUARANTINED;
	entry->row.quarantines++;
	proof_store_drop(entry);
	set_detail(entry, "quarantined: ", detail);
	await_parole(entry);
	log_error("%s: %s; it is probed again in %llu s", entry->name, entry->row.detail,
		(unsigned long long)(blame_of(entry)->device[registry_index(entry)].backoff_ns /
			1000000000));
}

static void log_strikes(const struct encoder_entry *entry, unsigned n)
{
	const struct blame *blame = &entry->registry->blame;
	char text[BLAME_SHAPE_TEXT];

	for (unsigned i = blame->strikes > n ? blame->strikes - n : 0; i < blame->strikes; i++) {
		const struct blame_strike *s = &blame->strike[i];

		log_warning("%s: a strike for uid %u with %s%s", entry->name, s->uid,
			blame_shape_text(s->shape, text),
			s->loss == BLAME_LOSS_NONE            ? ""
				: s->loss == BLAME_LOSS_SHAPE ? ", who loses it for such requests"
							      : ", who loses it");
	}
}

/*
 * A GPU that fails at work and passes its probe may have got a bad request, or lie in a way that no
 * probe is long enough for. Nothing tells these apart, so it goes on, behind those that have not
 * failed, until all that it claims is proved once more.
 */
static void demote(struct encoder_entry *entry)
{
	if (!entry->gpu)
		return;
	entry->demoted = true;
	entry->row.state = DEVICE_DEGRADED;
	snprintf(entry->row.detail, sizeof(entry->row.detail),
		"demoted: a session's attempt ended as %s, though its probe passes; it is taken "
		"after others until all that it claims is proved anew",
		entry->failure);
	snprintf(entry->row.advice, sizeof(entry->row.advice),
		"see the reports of its sessions; `vencctl probe` proves it anew");
	log_warning("%s: %s", entry->name, entry->row.detail);
}

static void try_next(struct encoder_entry *entry)
{
	if (entry->probing || blame_try(blame_of(entry), registry_index(entry)) == 0)
		return;
	proof_store_drop(entry); /* should it take the host along, all is asked anew */
	probing_start(entry);
}

static enum blame_proof proof_of(enum probing_result result)
{
	switch (result) {
	case PROBING_PASSED:
		return BLAME_PASSED;
	case PROBING_FAILED:
	case PROBING_ABSENT:
	case PROBING_UNSUPPORTED:
	case PROBING_NO_LIBRARY:
	case PROBING_NOT_PERMITTED:
		return BLAME_FAILED;
	case PROBING_UNSETTLED:
		break;
	}
	return BLAME_UNSETTLED;
}

/* The probe was for accusations. */
static void judge(struct encoder_entry *entry, enum probing_result result, const char *detail)
{
	struct blame *blame = blame_of(entry);
	unsigned tried = blame->device[registry_index(entry)].n_tried;
	uint64_t now = supervisor_now_ns();
	char text[64];

	switch (blame_judge(blame, registry_index(entry), proof_of(result), now)) {
	case BLAME_ACQUITTED:
		log_warning("%s: no verdict about a failure: %s", entry->name, detail);
		break;
	case BLAME_STRUCK:
		entry->row.strikes += tried;
		log_strikes(entry, tried);
		demote(entry);
		break;
	case BLAME_QUARANTINE_PROBE:
		quarantine(entry, detail);
		break;
	case BLAME_QUARANTINE_USERS:
		entry->row.strikes += tried;
		log_strikes(entry, tried);
		snprintf(text, sizeof(text), "strikes of %u users or more (QuarantineUsers)",
			blame->policy.quarantine_users);
		quarantine(entry, text);
		break;
	}
	try_next(entry);
}

static void log_proven(const struct encoder_entry *entry)
{
	if (entry->row.cached)
		log_info("%s: works; what it proved %llu s ago is still true of it (%s)",
			entry->name,
			(unsigned long long)((supervisor_wall_us() - entry->row.probed_us) /
				1000000),
			entry->row.version);
	else
		log_info("%s: proven by a probe of %u frames in %u ms (%s)", entry->name,
			entry->row.probe_frames, entry->row.probe_ms, entry->row.version);
}

/* What a short probe shows does not undo a demotion: one like it passed before that, too. */
static void prove(struct encoder_entry *entry)
{
	char lacking[200];

	verdict_end_parole(entry);
	entry->row.state = DEVICE_PROVEN;
	entry->row.detail[0] = entry->row.advice[0] = '\0';
	entry->row.parole_us = 0;
	if (entry->demoted && entry->tried != PROOF_DEPTH_ALL) {
		demote(entry);
		return;
	}
	entry->demoted = false;
	if (proof_lacks(&entry->proof, lacking, sizeof(lacking))) {
		entry->row.state = DEVICE_DEGRADED;
		set_detail(entry, "it claims what it failed at: ", lacking);
		log_warning("%s: %s", entry->name, entry->row.detail);
	}
	log_proven(entry);
}

/* The first probe did not pass. It is probed again like one in quarantine. */
static void mark_broken(struct encoder_entry *entry, const char *detail)
{
	entry->row.state = DEVICE_BROKEN;
	set_detail(entry, "", detail);
	if (entry->registry->supervisor->state == SUPERVISOR_SERVING)
		log_warning("%s: not usable: %s", entry->name, detail);
	blame_quarantine(blame_of(entry), registry_index(entry), supervisor_now_ns());
	await_parole(entry);
}

/* What is lacking is no failure, and not tried again before the next start. */
static void mark_lacking(struct encoder_entry *entry, enum device_state state, const char *detail)
{
	entry->row.state = state;
	set_detail(entry, "", detail);
	log_warning("%s: not usable: %s", entry->name, detail);
}

static void first_probed(
	struct encoder_entry *entry, enum probing_result result, const char *detail)
{
	switch (result) {
	case PROBING_PASSED:
		prove(entry);
		break;
	case PROBING_ABSENT:
		mark_lacking(entry, DEVICE_ABSENT, detail);
		break;
	case PROBING_UNSUPPORTED:
		mark_lacking(entry, DEVICE_UNSUPPORTED, detail);
		break;
	case PROBING_NO_LIBRARY:
		mark_lacking(entry, DEVICE_NO_LIBRARY, detail);
		break;
	case PROBING_NOT_PERMITTED:
		mark_lacking(entry, DEVICE_NOT_PERMITTED, detail);
		break;
	case PROBING_FAILED:
		proof_store_drop(entry);
		mark_broken(entry, detail);
		break;
	case PROBING_UNSETTLED:
		mark_broken(entry, detail);
		break;
	}
}

static void parole_probed(
	struct encoder_entry *entry, enum probing_result result, const char *detail)
{
	blame_parole(blame_of(entry), registry_index(entry), proof_of(result), supervisor_now_ns());
	if (result == PROBING_PASSED) {
		prove(entry);
		return;
	}
	set_detail(entry, entry->row.state == DEVICE_QUARANTINED ? "quarantined: " : "", detail);
	await_parole(entry);
	log_warning("%s: still not usable: %s", entry->name, detail);
}

/* Nobody was accused: it was probed anew because somebody wanted to know. */
static void renewed(struct encoder_entry *entry, enum probing_result result, const char *detail)
{
	if (result == PROBING_PASSED)
		prove(entry);
	else if (proof_of(result) == BLAME_UNSETTLED)
		log_warning("%s: not probed again: %s", entry->name, detail);
	else
		judge(entry, result, detail);
	try_next(entry);
}

/* What was lacking may be there now. */
static void look_again(struct encoder_entry *entry)
{
	if (entry->gpu)
		gpu_look(entry->gpu);
	if (!registry_admit(entry))
		return;
	entry->row.detail[0] = entry->row.advice[0] = '\0';
	entry->row.state = DEVICE_PROBING;
	probing_renew(entry);
}

void verdict_renew(struct encoder_entry *entry)
{
	switch ((enum device_state)entry->row.state) {
	case DEVICE_PROBING: /* it is about to be known, unless it is the base that is tried */
	case DEVICE_UNTESTED:
		if (entry->kept)
			probing_renew(entry);
		break;
	case DEVICE_DISABLED: /* the operator's settings come before the operator's question */
	case DEVICE_STATE_MAX:
		break;
	case DEVICE_BROKEN:
	case DEVICE_QUARANTINED:
		verdict_end_parole(entry);
		probing_renew(entry);
		break;
	case DEVICE_PROVEN:
	case DEVICE_DEGRADED:
		probing_renew(entry);
		break;
	case DEVICE_ABSENT:
	case DEVICE_NOT_PERMITTED:
	case DEVICE_NO_LIBRARY:
	case DEVICE_UNSUPPORTED:
		look_again(entry);
		break;
	}
	registry_changed(entry->registry);
}

void verdict_probed(struct encoder_entry *entry, enum probing_result result, const char *detail)
{
	struct supervisor *sv = entry->registry->supervisor;

	switch ((enum device_state)entry->row.state) {
	case DEVICE_PROBING:
	case DEVICE_UNTESTED:
		first_probed(entry, result, detail);
		break;
	case DEVICE_PROVEN:
	case DEVICE_DEGRADED:
		if (blame_of(entry)->device[registry_index(entry)].n_tried == 0)
			renewed(entry, result, detail);
		else
			judge(entry, result, detail);
		break;
	case DEVICE_BROKEN:
	case DEVICE_QUARANTINED:
		parole_probed(entry, result, detail);
		break;
	case DEVICE_ABSENT: /* are never probed again */
	case DEVICE_DISABLED:
	case DEVICE_NOT_PERMITTED:
	case DEVICE_NO_LIBRARY:
	case DEVICE_UNSUPPORTED:
	case DEVICE_STATE_MAX:
		break;
	}
	registry_changed(entry->registry);
	request_retry_pending(sv);
}

/*
 * A loop calls no library: where it is silent, a driver may hold the whole process, or the host is
 * so loaded that our own code did not run, of which software makes enough.
 */
static bool is_held_by_driver(const struct attempt *attempt)
{
	return !worker_is_software(attempt->worker) &&
		slot_state(SLOT_LOAD(&attempt->slot->word)) == SLOT_RUNNING;
}

/* What ends like this is somebody's fault; the others are the client's, ours, or an answer. */
static bool is_accused_of(const struct attempt *attempt, enum attempt_end end)
{
	switch (end) {
	case ATTEMPT_ABANDONED:
	case ATTEMPT_CRASHED:
	case ATTEMPT_EXITED:
	case ATTEMPT_STALLED:
	case ATTEMPT_WRONG_OUTPUT:
	case ATTEMPT_ERROR: /* one that speaks of the device: see on_ended() */
		return true;
	case ATTEMPT_UNRESPONSIVE:
		return is_held_by_driver(attempt);
	case ATTEMPT_RUNNING:
	case ATTEMPT_FINISHED:
	case ATTEMPT_CANCELLED:
	case ATTEMPT_DRAINED:
	case ATTEMPT_END_MAX:
		break;
	}
	return false;
}

static bool ends_process(enum attempt_end end)
{
	return end == ATTEMPT_ABANDONED || end == ATTEMPT_CRASHED || end == ATTEMPT_EXITED ||
		end == ATTEMPT_UNRESPONSIVE;
}

static void note_failure(
	struct encoder_entry *entry, const struct attempt *attempt, enum attempt_end end)
{
	const char *call = slot_call_name(slot_call(attempt->watch.seen));

	snprintf(entry->failure, sizeof(entry->failure), "%s%s%s", attempt_end_name(end),
		ends_process(end) && call ? " in " : "", ends_process(end) && call ? call : "");
}

void verdict_accuse(struct attempt *attempt, enum attempt_end end)
{
	struct worker *worker = attempt->worker;
	struct supervisor *sv = worker->supervisor;
	struct encoder_entry *entry = &sv->registry.entry[worker->encoder - sv->registry.entry];

	if (sv->state != SUPERVISOR_SERVING || !device_state_is_usable(entry->row.state) ||
		!is_accused_of(attempt, end) || attempt->accused ||
		(ends_process(end) && worker->accused))
		return;
	attempt->accused = true;
	note_failure(entry, attempt, end);
	worker->accused |= ends_process(end);
	if (!blame_accuse(&sv->registry.blame, registry_index(entry), worker->uid, attempt->shape))
		log_warning("%s: a failure of uid %u's is not looked into: too many are",
			entry->name, worker->uid);
	try_next(entry);
}

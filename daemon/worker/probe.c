// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Probing. What an encoder claims is not believed: it is asked what it can do, and then made to do
 * it, case by case (proof_cases.c): encoded (proof_encode.c), decoded and compared
 * (proof_decode.c). The reach that is told in the end is what has been seen.
 *
 * The base case must pass, and the device must not be lost in another one; any other failure costs
 * what its case was about. The supervisor has the deadline, for each case anew.
 */

#include "daemon/worker/probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/worker/proof_cases.h"
#include "daemon/worker/proof_decode.h"
#include "daemon/worker/proof_encode.h"
#include "daemon/worker/thread.h"

#define PROBE_STACK (4u << 20)

struct proving {
	struct probe *probe;
	struct encoder_limits
		limits;             /* as the catalogue has them, with the reach that is claimed */
	struct encoder_reach reach; /* what is left of it */
	struct proof_list list;
	struct proof_encoder encoder;
	char text[ENCODER_TEXT_MAX];
	char script[VENCD_SCRIPT_MAX]; /* of the case */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The n-th (from 0) of the scripts between slashes; the last one for all that follow. */
static void pick_script(char *to, size_t size, const char *scripts, unsigned n)
{
	const char *slash;

	for (; n > 0 && (slash = strchr(scripts, '/')); n--)
		scripts = slash + 1;
	snprintf(to, size, "%.*s", (int)strcspn(scripts, "/"), scripts);
}

/* --- one case --- */

/* Does not return before the loop has told it. */
static void tell(struct probe *probe, enum probe_news news)
{
	int wake = probe->wake;

	atomic_store_explicit(&probe->news, news, memory_order_release);
	plane_wake(wake);
	while (news == PROBE_NEWS_CASE && sem_wait(&probe->told) < 0)
		;
}

/* Only a device or a library that is not there any more says anything of other cases. */
static bool ends_probe(unsigned i, enum encoder_status status)
{
	return status != ENCODER_OK &&
		(i == 0 || encoder_status_class(status) == ENCODER_CLASS_QUARANTINE);
}

/* What the first case shows of all, and the first large one of its speed. */
static void note_case(struct wire_probed *result, const struct proof_case *c,
	const struct proof_stream *stream, const struct proof_evidence *evidence)
{
	uint64_t pixels = (uint64_t)c->width * c->height * evidence->packets;

	if (c->subject == PROOF_BASE) {
		char version[sizeof(result->info.version)];

		memcpy(version, result->info.version, sizeof(version));
		result->info = stream->info;
		memcpy(result->info.version, version, sizeof(version));
		result->info.needs_frames = evidence->needs_frames; /* measured, not claimed */
	}
	if (c->subject == PROOF_BASE || (c->subject == PROOF_LARGER && c->width == 1920))
		result->pixel_rate = stream->encode_ns
			? (uint64_t)((double)pixels * 1e9 / (double)stream->encode_ns)
			: 0;
}

static enum encoder_status run_case(struct proving *p, unsigned i)
{
	const struct proof_case *c = &p->list.cases[i];
	struct proof_evidence *evidence = &p->probe->evidence.evidence;
	struct proof_stream stream;
	enum encoder_status status;
	uint64_t begin = now_ms();

	*evidence = (struct proof_evidence){.asked = *c, .state = PROOF_RUNNING};
	tell(p->probe, PROBE_NEWS_CASE);
	p->text[0] = '\0';
	pick_script(p->script, sizeof(p->script), p->probe->request.script, i);
	status = proof_encode(&p->encoder, c, &stream, evidence);
	if (status == ENCODER_OK)
		status = proof_decode(&stream, c, evidence, p->text);
	if (status == ENCODER_OK)
		note_case(&p->probe->result, c, &stream, evidence);
	proof_stream_clear(&stream);
	p->text[sizeof(p->text) - 1] = '\0';
	evidence->state = status == ENCODER_OK ? PROOF_PASSED : PROOF_FAILED;
	evidence->status = status;
	evidence->ms = (uint32_t)(now_ms() - begin);
	snprintf(evidence->text, sizeof(evidence->text), "%s", p->text);
	p->probe->result.frames += evidence->packets;
	return status;
}

/* --- all of them --- */

static enum encoder_status run_cases(struct proving *p)
{
	p->reach = p->limits.reach;
	proof_list_cases(&p->limits, p->probe->request.depth, &p->list);
	if (p->list.n == 0)
		return proof_fail(
			p->text, ENCODER_INVALID, "it cannot encode the smallest case of a probe");
	for (unsigned i = 0; i < p->list.n; i++) {
		enum encoder_status status;

		if (!proof_is_wanted(&p->list, i, &p->reach))
			continue;
		status = run_case(p, i);
		tell(p->probe, PROBE_NEWS_CASE);
		if (ends_probe(i, status))
			return status;
		p->text[0] = '\0';
		proof_settle(&p->list, i, status == ENCODER_OK, &p->reach);
	}
	return ENCODER_OK;
}

static enum encoder_status prove(struct proving *p)
{
	struct probe *probe = p->probe;
	const struct encoder_limits *limits = encoder_limits_find(probe->request.encoder);
	const struct encoder_host host = {
		.device = probe->request.device,
		.script = p->script,
		.text = p->text,
	};
	enum encoder_status status;

	p->encoder = (struct proof_encoder){
		.ops = encoder_find(probe->request.encoder),
		.limits = &p->limits,
		.device = probe->request.device,
		.script = p->script,
		.text = p->text,
	};
	if (!p->encoder.ops || !limits)
		return proof_fail(p->text, ENCODER_ABSENT, "this worker was built without it");
	p->limits = *limits;
	pick_script(p->script, sizeof(p->script), probe->request.script, 0);
	status = p->encoder.ops->probe(&host, &probe->result.info, &p->limits.reach);
	if (status == ENCODER_OK) {
		status = run_cases(p);
		/* It was there when it was asked: what it does not do now, it fails at. */
		status = status == ENCODER_ABSENT ? ENCODER_LIBRARY : status;
	}
	probe->result.reach = p->reach;
	return status;
}

static void *probe_thread(void *userdata)
{
	struct probe *probe = userdata;
	struct proving proving = {.probe = probe};
	uint64_t begin = now_ms();

	pthread_setname_np(pthread_self(), "probe");
	probe->result.status = prove(&proving);
	probe->result.ms = (uint32_t)(now_ms() - begin);
	proving.text[sizeof(proving.text) - 1] = '\0';
	memcpy(probe->result.text, proving.text, sizeof(probe->result.text));
	tell(probe, PROBE_NEWS_DONE);
	return NULL;
}

void probe_told(struct probe *probe)
{
	atomic_store_explicit(&probe->news, PROBE_NO_NEWS, memory_order_relaxed);
	sem_post(&probe->told);
}

void probe_free(struct probe *probe)
{
	sem_destroy(&probe->told);
	free(probe);
}

int probe_start(struct probe **ret, const struct wire_probe *request, int wake)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int r;

	if (!probe)
		return -ENOMEM;
	probe->request = *request;
	probe->wake = wake;
	probe->evidence.h = (struct wire_header){.type = WIRE_PROBE_CASE, .seq = request->h.seq};
	probe->result.h = (struct wire_header){.type = WIRE_PROBED, .seq = request->h.seq};
	memcpy(probe->result.encoder, request->encoder, sizeof(probe->result.encoder));
	sem_init(&probe->told, 0, 0);
	r = thread_start(PROBE_STACK, probe_thread, probe);
	if (r < 0) {
		probe_free(probe);
		return r;
	}
	*ret = probe;
	return 0;
}

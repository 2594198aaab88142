// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-worker's probes, and what takes real encoders or real time: x264, x265 and SVT-AV1 through
 * the whole worker, and the progress rule.
 */

#include <stdlib.h>
#include <string.h>

#include "hw/catalogue.h"
#include "tests/unit/worker_rig.h"

static struct rig rig;
static struct session a, b;

static const struct session_options *with(const char *script)
{
	static struct session_options options;

	options = (struct session_options){.script = script};
	return &options;
}

static void expect_text(const struct wire_attempt_ended *e, const char *part)
{
	if (!strstr(e->text, part))
		fprintf(stderr, "it said: %s\n", e->text);
	CHECK(strstr(e->text, part));
}

/* --- probes --- */

static void send_probe(const char *encoder, const char *script, enum proof_depth depth)
{
	struct wire_probe m = {.h = {.type = WIRE_PROBE, .seq = ++rig.next_number}, .depth = depth};

	snprintf(m.encoder, sizeof(m.encoder), "%s", encoder);
	snprintf(m.script, sizeof(m.script), "%s", script);
	CHECK_EQUAL(wire_send(rig.fd, &m, NULL, 0), 0);
}

/* The evidence of the last probe. */
static struct proof_evidence proof[PROOF_CASES_MAX];
static unsigned proofs;

/* Each case is told when it begins, and again when it has ended. */
static void note_case(const struct wire_probe_case *m)
{
	const struct proof_evidence *e = &m->evidence;

	CHECK_EQUAL(m->h.seq, rig.next_number);
	if (e->state == PROOF_RUNNING) {
		CHECK(proofs < PROOF_CASES_MAX);
		CHECK(proofs == 0 || proof[proofs - 1].state != PROOF_RUNNING);
		proof[proofs++] = *e;
		return;
	}
	CHECK(proofs > 0 && proof[proofs - 1].state == PROOF_RUNNING);
	CHECK(strcmp(proof[proofs - 1].asked.name, e->asked.name) == 0);
	CHECK_EQUAL(e->status == ENCODER_OK, e->state == PROOF_PASSED);
	fprintf(stderr, "%s: %u ms, %u.%02u dB, %u bytes, held %u %s\n", e->asked.name, e->ms,
		e->psnr / 100, e->psnr % 100, e->bytes, e->needs_frames, e->text);
	proof[proofs - 1] = *e;
}

static const struct wire_probed *probe_all(
	const char *encoder, const char *script, enum proof_depth depth)
{
	const union wire_message *m;

	proofs = 0;
	send_probe(encoder, script, depth);
	while ((m = rig_next(&rig))->h.type == WIRE_PROBE_CASE)
		note_case(&m->probe_case);
	CHECK_EQUAL(m->h.type, WIRE_PROBED);
	CHECK_EQUAL(m->h.seq, rig.next_number);
	CHECK(strcmp(m->probed.encoder, encoder) == 0);
	return &m->probed;
}

static const struct wire_probed *probe(const char *encoder, const char *script)
{
	return probe_all(encoder, script, PROOF_DEPTH_BASE);
}

static const struct proof_evidence *proof_of(const char *name)
{
	for (unsigned i = 0; i < proofs; i++)
		if (strcmp(proof[i].asked.name, name) == 0)
			return &proof[i];
	fprintf(stderr, "no case %s\n", name);
	exit(1);
}

static void test_probe(void)
{
	const struct wire_probed *p = probe("null", "");

	CHECK_EQUAL(p->status, ENCODER_OK);
	CHECK_EQUAL(p->frames, 30);
	CHECK_EQUAL(p->info.needs_frames, 1);
	CHECK_EQUAL(proofs, 1);
	CHECK_EQUAL(proof[0].keyframes, 2);
	CHECK(p->info.version[0]);
	CHECK_EQUAL(probe("null", "hold=4;reorder=2;async=1")->status, ENCODER_OK);
	p = probe("null", "hold=4");
	CHECK_EQUAL(p->info.needs_frames, 5);
	CHECK_EQUAL(probe("nosuch", "")->status, ENCODER_ABSENT);
	CHECK_EQUAL(probe("null", "probe:1:error:absent")->status, ENCODER_ABSENT);
	CHECK_EQUAL(probe("null", "open:1:error:busy")->status, ENCODER_BUSY);
	CHECK_EQUAL(probe("null", "send:4:error:device-lost")->status, ENCODER_DEVICE_LOST);
	CHECK_EQUAL(probe("null", "hold=3;flush:1:error")->status, ENCODER_LIBRARY);
	CHECK_EQUAL(probe("null", "receive:1:garbage:nokey")->status, ENCODER_WRONG_OUTPUT);
	CHECK_EQUAL(probe("null", "receive:4:garbage:pts")->status, ENCODER_WRONG_OUTPUT);
	CHECK_EQUAL(probe("null", "receive:18:garbage:nokey")->status, ENCODER_WRONG_OUTPUT);
	p = probe("null", "receive:4:garbage:empty");
	CHECK_EQUAL(p->status, ENCODER_WRONG_OUTPUT);
	CHECK(strstr(p->text, "empty"));
}

static void test_probe_hang(void)
{
	send_probe("null", "probe:1:hang", PROOF_DEPTH_BASE);
	rig_ping(&rig);
	CHECK_EQUAL(probe("null", "")->status, ENCODER_BUSY);
	session_open(&a, &rig, with(""));
	session_run(&a, 10);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

static void test_probe_software(void)
{
	static const char *const encoders[] = {"libx264", "libx265", "svtav1"};

	for (unsigned i = 0; i < 3; i++) {
		const struct wire_probed *p = probe(encoders[i], "");

		if (p->status != ENCODER_OK)
			fprintf(stderr, "%s: %s\n", encoders[i], p->text);
		CHECK_EQUAL(p->status, ENCODER_OK);
		CHECK_EQUAL(p->frames, 30);
		CHECK_EQUAL(proofs, 1);
		CHECK(proof[0].psnr > 3200);
		CHECK_EQUAL(proof[0].packets, 30);
		CHECK(p->pixel_rate > 0);
	}
}

/* --- all that is claimed --- */

/* A fault in each place, one after the other: what it costs, and that the rest is still shown. */
static void test_cases(void)
{
	const struct encoder_reach *claimed = &encoder_limits_find("null")->reach;
	const struct wire_probed *p = probe_all("null", "", PROOF_DEPTH_ALL);
	unsigned n = proofs;

	CHECK_EQUAL(p->status, ENCODER_OK);
	CHECK(memcmp(&p->reach, claimed, sizeof(*claimed)) == 0);
	CHECK(n > 12);
	for (unsigned i = 0; i < n; i++)
		CHECK_EQUAL(proof[i].state, PROOF_PASSED);
	CHECK_EQUAL(proof_of("8192x8192")->asked.width, 8192);

	p = probe_all("null", "/send:3:error/receive:1:garbage:pts/", PROOF_DEPTH_ALL);
	CHECK_EQUAL(p->status, ENCODER_OK);
	CHECK_EQUAL(proof[1].state, PROOF_FAILED);
	CHECK_EQUAL(proof[1].status, ENCODER_LIBRARY);
	CHECK_EQUAL(proof[2].status, ENCODER_WRONG_OUTPUT);
	CHECK(strstr(proof[2].text, "no frame"));
	CHECK_EQUAL(proof_of("vbr")->state, PROOF_FAILED);
	CHECK(!(p->reach.rate_controls[VENCD_LATENCY_FILE] & 1u << VENCD_RATE_VBR));
	CHECK(p->reach.rate_controls[VENCD_LATENCY_FILE] & 1u << VENCD_RATE_CBR);
	CHECK_EQUAL(p->reach.max_width, claimed->max_width);
	CHECK(proofs < n); /* the rate control is not tried at another size */
}

/* A size that is too small for it has a larger one after it. */
static void test_small(void)
{
	const struct wire_probed *p;
	char script[VENCD_SCRIPT_MAX] = "";
	unsigned at = 0;

	probe_all("null", "", PROOF_DEPTH_ALL);
	while (strcmp(proof[at].asked.name, "16x16") != 0)
		at++;
	memset(script, '/', at);
	strcpy(script + at, "open:1:error:invalid/");
	p = probe_all("null", script, PROOF_DEPTH_ALL);
	CHECK_EQUAL(p->status, ENCODER_OK);
	CHECK_EQUAL(proof_of("16x16")->state, PROOF_FAILED);
	CHECK_EQUAL(proof_of("160x64")->state, PROOF_PASSED);
	CHECK_EQUAL(p->reach.min_width, 160);
	CHECK_EQUAL(p->reach.min_height, 64);
}

/* The device is gone: nothing of the rest can be known. */
static void test_lost(void)
{
	const struct wire_probed *p = probe_all("null", "//send:3:lost/", PROOF_DEPTH_ALL);

	CHECK_EQUAL(p->status, ENCODER_DEVICE_LOST);
	CHECK_EQUAL(proofs, 3);
	CHECK_EQUAL(proof[2].status, ENCODER_DEVICE_LOST);
}

/* The supervisor has heard of the case that never ends. */
static void test_case_hang(void)
{
	const union wire_message *m;

	proofs = 0;
	send_probe("null", "/open:1:hang/", PROOF_DEPTH_ALL);
	do {
		m = rig_expect(&rig, WIRE_PROBE_CASE);
		note_case(&m->probe_case);
	} while (proofs < 2);
	CHECK_EQUAL(proof[0].state, PROOF_PASSED);
	CHECK_EQUAL(proof[1].state, PROOF_RUNNING);
	CHECK(proof[1].asked.name[0]);
	rig_ping(&rig);
}

static void check_software_cases(const char *encoder)
{
	const struct wire_probed *p = probe_all(encoder, "", PROOF_DEPTH_ALL);

	CHECK_EQUAL(p->status, ENCODER_OK);
	for (unsigned i = 0; i < proofs; i++)
		CHECK_EQUAL(proof[i].state, PROOF_PASSED);
	CHECK(memcmp(&p->reach, &encoder_limits_find(encoder)->reach, sizeof(p->reach)) == 0);
	CHECK_EQUAL(proof_of("1920x1080")->packets, 30);
	CHECK_EQUAL(proof_of("10 bit")->packets, 30);
}

/*
 * An encoder that is known to do all that the catalogue says of it. The others are tried at all
 * that they can by the contract tests; here they would take minutes more.
 */
static void test_software_cases(void)
{
	check_software_cases("libx264");
}

/* Software is alone in its process. */
static void test_one_at_a_time(void)
{
	session_open(&a, &rig, &(struct session_options){.encoder = "libx264"});
	session_make(&b, &rig, &(struct session_options){.encoder = "libx264"});
	session_send_start(&b);
	CHECK_EQUAL(session_expect_end(&b, ATTEMPT_ERROR)->status, ENCODER_BUSY);
	session_close(&b);
	session_run(&a, 30);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

static void run_software(const char *encoder, uint32_t format)
{
	session_open(&a, &rig, &(struct session_options){.encoder = encoder, .format = format});
	session_run(&a, 100);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

static void test_software(void)
{
	static const char *const encoders[] = {"libx264", "libx265", "svtav1"};

	for (unsigned i = 0; i < 3; i++)
		for (uint32_t f = VENCD_FORMAT_I420; f <= VENCD_FORMAT_P010; f++)
			run_software(encoders[i], f);
}

/* --- the progress rule, ten seconds each: at the same time --- */

static void test_stall(void)
{
	session_open(&a, &rig, with("send:*:error:again"));
	session_submit(&a, 0);
	session_open(&b, &rig, with("receive:*:error:again"));
	while (b.n_free > 0)
		session_submit(&b, 0);
	expect_text(session_expect_end(&a, ATTEMPT_STALLED), "holds frames");
	expect_text(session_expect_end(&b, ATTEMPT_STALLED), "holds frames");
	session_close(&a);
	session_close(&b);
}

/* The last ones are not for sanitizer builds: libraries built without, and ten seconds. */
static const struct rig_case cases[] = {
	{"probe", test_probe},
	{"probe-hang", test_probe_hang},
	{"cases", test_cases},
	{"small", test_small},
	{"lost", test_lost},
	{"case-hang", test_case_hang},
	{"probe-software", test_probe_software},
	{"software-cases", test_software_cases},
	{"one-at-a-time", test_one_at_a_time},
	{"software", test_software},
	{"stall", test_stall},
	{0},
};

int main(int argc, char **argv)
{
	return rig_main(&rig, cases, argc, argv);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-worker's probes, and what takes real encoders or real time: x264, x265 and SVT-AV1 through
 * the whole worker, and the progress rule.
 */

#include <string.h>

#include "hw/encoder.h"
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

static void send_probe(const char *encoder, const char *script)
{
	struct wire_probe m = {.h = {.type = WIRE_PROBE, .seq = ++rig.next_number}};

	snprintf(m.encoder, sizeof(m.encoder), "%s", encoder);
	snprintf(m.script, sizeof(m.script), "%s", script);
	CHECK_EQUAL(wire_send(rig.fd, &m, NULL, 0), 0);
}

static const struct wire_probed *probe(const char *encoder, const char *script)
{
	const struct wire_probed *p;

	send_probe(encoder, script);
	p = &rig_expect(&rig, WIRE_PROBED)->probed;
	CHECK_EQUAL(p->h.seq, rig.next_number);
	CHECK(strcmp(p->encoder, encoder) == 0);
	return p;
}

static void test_probe(void)
{
	const struct wire_probed *p = probe("null", "");

	CHECK_EQUAL(p->status, ENCODER_OK);
	CHECK_EQUAL(p->frames, 10);
	CHECK_EQUAL(p->info.needs_frames, 1);
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
	CHECK_EQUAL(probe("null", "receive:6:garbage:nokey")->status, ENCODER_WRONG_OUTPUT);
	p = probe("null", "receive:4:garbage:empty");
	CHECK_EQUAL(p->status, ENCODER_WRONG_OUTPUT);
	CHECK(strstr(p->text, "empty"));
}

static void test_probe_hang(void)
{
	send_probe("null", "probe:1:hang");
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
		CHECK_EQUAL(p->frames, 10);
	}
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
	{"probe-software", test_probe_software},
	{"one-at-a-time", test_one_at_a_time},
	{"software", test_software},
	{"stall", test_stall},
	{0},
};

int main(int argc, char **argv)
{
	return rig_main(&rig, cases, argc, argv);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Reports as vencd-front writes them, one a line on stdout, for front_schema.py to look at: a full
 * one, the least one, and one for each way that an attempt can end.
 */

#include <string.h>

#include "daemon/slot.h"
#include "tests/unit/front_fake.h"

static void fill_params(struct vencd_params *p)
{
	*p = (struct vencd_params)VENCD_PARAMS_INIT;
	p->codecs[0] = VENCD_CODEC_AV1;
	p->width = 640;
	p->height = 360;
	p->format = VENCD_FORMAT_I420;
	p->time_base = (struct vencd_rational){1, 25};
}

static void fill_all_params(struct vencd_params *p)
{
	fill_params(p);
	p->frame_rate = (struct vencd_rational){25, 1};
	p->sample_aspect = (struct vencd_rational){1, 1};
	p->rate_control = VENCD_RATE_CAPPED_VBR;
	p->quality = 0;
	p->bitrate = UINT64_C(5000000000);
	p->max_bitrate = UINT64_C(6000000000);
	p->speed = 0;
	p->gop = 250;
	p->b_frames = 0;
	p->latency = VENCD_LATENCY_FILE;
	p->backend = VENCD_BACKEND_NULL;
	p->on_failure = VENCD_ON_FAILURE_FAIL;
	p->colour = (struct vencd_colour){.primaries = 9, .transfer = 16, .matrix = 9};
	p->hdr.max_luminance = UINT32_MAX;
	strcpy(p->label, "a label");
	strcpy(p->null_script, "send 3 hang");
}

static void fill_attempt(struct attempt_report *a, enum attempt_end end)
{
	*a = (struct attempt_report){
		.encoder = "svtav1", .backend = "software", .device = "cpu", .end = end};
}

static void fill_forensics(struct forensics *f)
{
	f->tid = 4713;
	strcpy(f->inspected, "in call");
	f->thread = (struct thread_view){.pid = 4711, .tid = 4713, .permitted = 1, .cpu_ms = 12};
	strcpy(f->thread.comm, "run-7");
	strcpy(f->thread.state, "D (disk sleep)");
	strcpy(f->thread.wchan, "dma_fence_wait");
	strcpy(f->thread.syscall, "ioctl (request 0xc0406448)");
	for (unsigned i = 0; i < REPORT_STACK_MAX; i++)
		snprintf(f->thread.stack[i], sizeof(f->thread.stack[i]), "function_%u+0x1/0x2", i);
	f->pts = -5;
	f->bytes = UINT64_MAX;
	f->flags = VENCD_FRAME_KEYFRAME;
	strcpy(f->messages, "first \xc3\x28\n\nlast");
}

static void fill_whole_attempt(struct attempt_report *a, enum attempt_end end)
{
	fill_attempt(a, end);
	strcpy(a->version, "SVT-AV1 2.3.0");
	strcpy(a->picked, "preferred software encoder for av1");
	for (unsigned i = 0; i < REPORT_REJECTED_MAX; i++)
		snprintf(a->rejected[i], sizeof(a->rejected[i]), "encoder%u: absent", i);
	a->first_frame = 10;
	a->frames = 100;
	a->packets = 100;
	a->bytes = UINT64_MAX;
	a->digest = UINT64_C(0x00ab00ff12345678);
	a->discarded_packets = 3;
	a->call = SLOT_CALL_FLUSH;
	a->call_frame = 110;
	a->waited_ms = 5100;
	a->budget_ms = 5000;
	a->signal = 11;
	a->exit_code = 3;
	a->leaked_threads = 1;
	a->leaked_fds = 12;
	a->leaked_bytes = UINT64_C(1) << 33;
	a->checking = 1;
	a->frames_checked = 90;
	a->suspect_first = 104;
	a->suspect_frames = 6;
	a->speed_used = 11;
	a->needs_frames = 43;
	a->reorder = 0;
	a->pid = 4711;
	fill_forensics(&a->forensics);
	strcpy(a->text, "line one\nline two \xc3\x28 \xed\xa0\x80 \x01 end");
}

static void fill_report(struct session_report *r, enum vencd_outcome outcome)
{
	*r = (struct session_report){.version = REPORT_VERSION,
		.outcome = outcome,
		.id = 7,
		.uid = 1000,
		.codec = VENCD_CODEC_AV1,
		.created_us = UINT64_C(1770000000000000),
		.ended_us = UINT64_C(1770000001000000),
		.on_failure = VENCD_ON_FAILURE_FAIL};
	fill_params(&r->params);
}

static void fill_whole_report(struct session_report *r)
{
	fill_report(r, VENCD_OUTCOME_TRUNCATED);
	fill_all_params(&r->params);
	r->frames_submitted = 120;
	r->frames_encoded = 110;
	r->frames_lost = 10;
	r->packets = 110;
	r->bytes = UINT64_MAX;
	r->digest = UINT64_MAX;
	r->discarded_packets = 3;
	r->first_packet_us = 1500;
	r->cancel_cause = VENCD_CANCEL_OUTPUT_FAILED;
	strcpy(r->cause, "flush was given up after 5.1 s");
	r->attempts = PLANE_MAX_ATTEMPTS;
	for (unsigned i = 0; i < r->attempts; i++)
		fill_whole_attempt(&r->attempt[i], ATTEMPT_ABANDONED);
}

/* Sends a report through the front and prints what a client gets of it. */
static void print(struct fake *fake, struct client *c, const struct session_report *report)
{
	struct wire_report answer = {.h.type = WIRE_REPORT, .report = *report};
	union wire_message m;
	struct reply r;

	client_call(c, "GetReport", "{\"id\":7}");
	fake_expect(fake, WIRE_GET_REPORT, &m);
	answer.h.seq = m.h.seq;
	fake_send(fake, &answer, NULL, 0);
	client_receive(c, &r);
	CHECK(!r.error);
	sd_json_variant_dump(member(r.parameters, "report"), SD_JSON_FORMAT_NEWLINE, stdout, NULL);
	reply_clear(&r);
}

int main(int argc, char **argv)
{
	struct session_report report;
	struct fake fake;
	struct client c;

	CHECK(argc == 2);
	fake_start(&fake, argv[1]);
	client_connect(&fake, &c);
	fill_whole_report(&report);
	print(&fake, &c, &report);
	fill_report(&report, VENCD_OUTCOME_FAILED);
	print(&fake, &c, &report);
	for (enum attempt_end end = ATTEMPT_FINISHED; end < ATTEMPT_END_MAX; end++) {
		fill_report(&report, VENCD_OUTCOME_DEGRADED);
		report.attempts = 1;
		fill_whole_attempt(&report.attempt[0], end);
		print(&fake, &c, &report);
		if (end == ATTEMPT_ABANDONED || end == ATTEMPT_CRASHED)
			continue;
		fill_attempt(&report.attempt[0], end);
		print(&fake, &c, &report);
	}
	client_leave(&fake, &c);
	fake_stop(&fake);
	return 0;
}

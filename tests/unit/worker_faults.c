// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-worker against what others do wrong: encoders that fail or break their contract, clients
 * that write nonsense, starts that cannot be. The worker stays, and says whose fault it was.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/encoder.h"
#include "tests/unit/worker_rig.h"

static struct rig rig;
static struct session a;

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

/* --- errors --- */

static void test_errors(void)
{
	static const struct {
		const char *script;
		enum encoder_status status;
		enum slot_call call;
		uint64_t frame;
	} errors[] = {
		{"open:1:error:busy", ENCODER_BUSY, SLOT_CALL_OPEN, 0},
		{"send:2:error:device-lost", ENCODER_DEVICE_LOST, SLOT_CALL_SEND, 1},
		{"send:*:error", ENCODER_LIBRARY, SLOT_CALL_SEND, 0},
		{"receive:1:error:no-memory", ENCODER_NO_MEMORY, SLOT_CALL_RECEIVE, 0},
		{"hold=5;flush:1:error", ENCODER_LIBRARY, SLOT_CALL_FLUSH, 0},
	};

	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const struct wire_attempt_ended *e;

		session_make(&a, &rig, with(errors[i].script));
		session_send_start(&a);
		if (errors[i].call != SLOT_CALL_OPEN)
			rig_expect(&rig, WIRE_ATTEMPT_OPENED);
		session_submit(&a, 0);
		session_submit(&a, 0);
		session_finish(&a);
		e = session_expect_end(&a, ATTEMPT_ERROR);
		CHECK_EQUAL(e->status, errors[i].status);
		CHECK_EQUAL(e->call, errors[i].call);
		CHECK_EQUAL(e->frame, errors[i].frame);
		CHECK(e->text[0]);
		session_close(&a);
	}
}

/* What breaks the contract never reaches the client; what came before it does. */
static void test_wrong_output(void)
{
	static const struct {
		const char *script, *text;
		uint64_t before; /* packets */
	} wrongs[] = {
		{"receive:1:garbage:nokey", "keyframe", 0},
		{"receive:2:garbage:pts", "no frame in flight", 1},
		{"receive:3:garbage:empty", "empty", 2},
		{"receive:2:garbage:twice", "in flight", 2},
		{"hold=3;receive:2:error:end", "end before the flush", 0},
		{"hold=10;receive:10:error:end", "fewer packets", 1},
		{"size=3000000", "larger", 0},
	};

	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		session_make(&a, &rig,
			&(struct session_options){.script = wrongs[i].script, .slots = 16});
		for (int n = 0; n < 8; n++)
			session_submit(&a, 0);
		session_finish(&a);
		session_send_start(&a); /* all is there: the calls come in one order */
		rig_expect(&rig, WIRE_ATTEMPT_OPENED);
		expect_text(session_expect_end(&a, ATTEMPT_WRONG_OUTPUT), wrongs[i].text);
		while (session_read(&a, true))
			;
		CHECK_EQUAL(a.packets, wrongs[i].before);
		session_close(&a);
	}
}

/* More withheld than planned, or deeper reordering: the plan is what the client was promised. */
static void test_beyond_plan(void)
{
	session_make(&a, &rig, with("reorder=4"));
	a.start.plan.group = 3;
	session_send_start(&a);
	rig_expect(&rig, WIRE_ATTEMPT_OPENED);
	for (int i = 0; i < 10; i++)
		session_submit(&a, 0);
	session_finish(&a);
	expect_text(session_expect_end(&a, ATTEMPT_WRONG_OUTPUT), "withheld");
	while (session_read(&a, true))
		;
	CHECK_EQUAL(a.packets, 1);
	session_close(&a);

	session_make(&a, &rig, with("reorder=4"));
	a.start.plan.reorder = 0;
	session_send_start(&a);
	CHECK_EQUAL(session_expect_end(&a, ATTEMPT_ERROR)->call, SLOT_CALL_OPEN);
	session_close(&a);

	session_make(&a, &rig, &(struct session_options){.script = "hold=9", .slots = 9});
	session_send_start(&a);
	expect_text(session_expect_end(&a, ATTEMPT_ERROR), "holds 10 frames");
	session_close(&a);
}

/* --- a hostile client --- */

/* It still works. */
static void run_whole(uint64_t frames)
{
	session_open(&a, &rig, with(""));
	session_run(&a, frames);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

static void hostile_slot(void)
{
	session_submit_raw(&a, a.start.layout.slots, 0, 5000);
}

static void hostile_slot_twice(void)
{
	session_submit_raw(&a, 0, 0, 5000);
	session_submit_raw(&a, 0, 0, 5001);
}

static void hostile_pts(void)
{
	session_submit_raw(&a, 0, 0, 5000);
	session_submit_raw(&a, 1, 0, 5000);
}

static void hostile_pts_range(void)
{
	session_submit_raw(&a, 0, 0, INT64_MIN);
}

static void hostile_flags(void)
{
	session_submit_raw(&a, 0, 0x80000000u, 5000);
}

static void hostile_head_back(void)
{
	session_submit_raw(&a, 0, 0, 5000);
	while (atomic_load(&a.ring->taken) == 0)
		usleep(1000);
	atomic_store(&a.submit->head, 0);
	plane_wake(a.submit_wake);
}

static void hostile_head_far(void)
{
	atomic_store(&a.submit->head, UINT64_MAX / 2);
	plane_wake(a.submit_wake);
}

static void hostile_finish(void)
{
	session_submit_raw(&a, 0, 0, 5000);
	while (atomic_load(&a.ring->taken) == 0)
		usleep(1000);
	atomic_store(&a.submit->finished, 1);
	plane_wake(a.submit_wake);
}

static void hostile_consumed(void)
{
	atomic_store(&a.submit->consumed[0], 1000);
	session_submit_raw(&a, 0, 0, 5000);
	session_submit_raw(&a, 1, 0, 5001);
	session_submit_raw(&a, 2, 0, 5002);
	session_submit_raw(&a, 3, 0, 5003);
}

static void test_hostile(void)
{
	static void (*const acts[])(void) = {hostile_slot, hostile_slot_twice, hostile_pts,
		hostile_pts_range, hostile_flags, hostile_head_back, hostile_head_far,
		hostile_finish, hostile_consumed};

	for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		const struct wire_attempt_ended *e;

		session_open(&a, &rig, with("hold=2"));
		acts[i]();
		e = session_expect_end(&a, ATTEMPT_ERROR);
		CHECK_EQUAL(e->status, ENCODER_INVALID);
		expect_text(e, "the client's");
		session_close(&a);
	}
	run_whole(20);
}

/* --- a start that cannot be --- */

static void refused(void (*spoil)(void), const char *text)
{
	session_make(&a, &rig, with(""));
	spoil();
	session_send_start(&a);
	expect_text(session_expect_end(&a, ATTEMPT_ERROR), text);
	session_close(&a);
}

static void spoil_encoder(void)
{
	strcpy(a.start.encoder, "nosuch");
}

static void spoil_layout(void)
{
	a.start.layout.slot_size += PLANE_PAGE;
}

static void spoil_size(void)
{
	a.start.params.request.width = 130;
}

static void spoil_attempt(void)
{
	a.start.attempt = 1;
}

static void spoil_time_base(void)
{
	a.start.params.request.time_base.den = 0;
}

static void spoil_pool(void)
{
	dup2(a.fds[2], a.fds[0]);
}

static void spoil_seal(void)
{
	int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK_EQUAL(ftruncate(fd, PLANE_PAGE), 0);
	dup2(fd, a.fds[4]);
	close(fd);
}

static void spoil_socket(void)
{
	int flags = fcntl(a.fds[6], F_GETFL);

	CHECK_EQUAL(fcntl(a.fds[6], F_SETFL, flags & ~O_NONBLOCK), 0);
}

static unsigned count_worker_fds(void)
{
	char path[64];
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)rig.pid, fd);
		n += lstat(path, &st) == 0;
	}
	return n;
}

static void test_refusals(void)
{
	unsigned before;

	rig_ping(&rig);
	before = count_worker_fds();
	CHECK(before > 3);
	refused(spoil_encoder, "no such encoder");
	refused(spoil_layout, "layout");
	refused(spoil_size, "layout");
	refused(spoil_attempt, "layout");
	refused(spoil_time_base, "time base");
	refused(spoil_pool, "pool");
	refused(spoil_seal, "slot");
	refused(spoil_socket, "sockets");
	run_whole(10);
	rig_ping(&rig);
	CHECK_EQUAL(count_worker_fds(), before);
}

static const struct rig_case cases[] = {
	{"errors", test_errors},
	{"wrong-output", test_wrong_output},
	{"beyond-plan", test_beyond_plan},
	{"hostile", test_hostile},
	{"refusals", test_refusals},
	{0},
};

int main(int argc, char **argv)
{
	return rig_main(&rig, cases, argc, argv);
}

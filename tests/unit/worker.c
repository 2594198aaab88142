// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-worker, the real program, with the test as its supervisor and as its clients: sessions that
 * end well, waiting, stopping, and calls that do not come back.
 */

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* --- sessions that go well --- */

static void run_whole(const char *script, uint32_t on_failure, uint64_t frames)
{
	session_open(
		&a, &rig, &(struct session_options){.script = script, .on_failure = on_failure});
	session_run(&a, frames);
	session_expect_end(&a, ATTEMPT_FINISHED);
	CHECK_EQUAL(slot_state(SLOT_LOAD(&a.slot->word)), SLOT_ENDED);
	CHECK_EQUAL(atomic_load(&a.ring->taken), frames);
	CHECK_EQUAL(atomic_load(&a.slot->packets), frames);
	session_close(&a);
}

static void test_whole(void)
{
	static const char *const scripts[] = {
		"",
		"hold=5",
		"hold=20;reorder=3",
		"reorder=1;keep=0",
		"async=1;hold=3;reorder=2",
		"size=300000;hold=7;reorder=4",
	};

	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		run_whole(scripts[i], VENCD_ON_FAILURE_FAILOVER, 200);
		run_whole(scripts[i], VENCD_ON_FAILURE_FAIL, 200);
	}
	run_whole("", VENCD_ON_FAILURE_FAILOVER, 3000); /* the log wraps */
}

/* The pool holds exactly what the encoder needs, to commit the first frame. */
static void test_smallest_pool(void)
{
	static const char *const scripts[] = {"hold=9", "hold=4;reorder=5", "reorder=7;async=1"};

	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		session_make(&a, &rig, with(scripts[i]));
		session_open(&b, &rig,
			&(struct session_options){
				.script = scripts[i], .slots = a.start.plan.needs_frames});
		session_run(&b, 60);
		session_expect_end(&b, ATTEMPT_FINISHED);
		session_close(&a);
		session_close(&b);
	}
}

static void test_no_frames(void)
{
	/* Its flush would crash: it must not be made. */
	session_open(&a, &rig, with("flush:1:crash"));
	session_run(&a, 0);
	session_expect_end(&a, ATTEMPT_FINISHED);
	CHECK_EQUAL(a.read, 1);
	session_close(&a);
}

/* An attempt that goes on where another was cut. */
static void test_later_attempt(void)
{
	session_open(&a, &rig,
		&(struct session_options){.script = "hold=3;reorder=2", .first_frame = 12345});
	CHECK_EQUAL(atomic_load(&a.ring->first_frame), 12345);
	CHECK_EQUAL(atomic_load(&a.ring->taken), 12345);
	session_run(&a, 50);
	CHECK_EQUAL(atomic_load(&a.ring->taken), 12395);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

/* dts: the pts of the frame R before, and before that R nominal durations back. */
static void test_dts(void)
{
	session_open(&a, &rig, with("reorder=2"));
	CHECK_EQUAL(a.start.plan.reorder, 1);
	for (int i = 0; i < 4; i++)
		session_submit(&a, 0);
	session_finish(&a);
	session_expect_end(&a, ATTEMPT_FINISHED);
	for (uint64_t i = 0; i < 4;) {
		CHECK(session_read(&a, true));
		if (a.entry.type != PLANE_ENTRY_PACKET)
			continue;
		CHECK_EQUAL(a.entry.dts, i == 0 ? session_pts(0) - 40 : session_pts(i - 1));
		i++;
	}
	session_close(&a);
}

static void test_keyframes(void)
{
	unsigned keyframes = 0;

	session_open(&a, &rig, with("hold=1"));
	session_submit(&a, 0);
	session_submit(&a, 0);
	session_submit(&a, VENCD_FRAME_KEYFRAME);
	session_finish(&a);
	session_expect_end(&a, ATTEMPT_FINISHED);
	while (session_read(&a, true))
		if (a.entry.type == PLANE_ENTRY_PACKET && a.entry.flags == VENCD_PACKET_KEYFRAME)
			CHECK_EQUAL(a.entry.frame, 2 * keyframes++);
	CHECK_EQUAL(keyframes, 2);
	session_close(&a);
}

/* Slots of frames that are not committed: kept for replay, or given back at once. */
static void test_releases(void)
{
	session_open(&a, &rig,
		&(struct session_options){.script = "hold=5;keep=0",
			.slots = 8,
			.on_failure = VENCD_ON_FAILURE_FAIL});
	for (int i = 0; i < 4; i++)
		session_submit(&a, 0);
	session_await_published(&a, 4);
	while (session_read(&a, true))
		CHECK_EQUAL(a.entry.type, PLANE_ENTRY_RELEASE);
	CHECK_EQUAL(a.releases, 4);
	session_run(&a, 40);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);

	session_open(&a, &rig, &(struct session_options){.script = "hold=5;keep=0", .slots = 8});
	for (int i = 0; i < 4; i++)
		session_submit(&a, 0);
	while (atomic_load(&a.ring->taken) < 4)
		usleep(1000);
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_INPUT);
	CHECK_EQUAL(atomic_load(&a.ring->published), 0);
	session_run(&a, 40);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

/* --- waiting --- */

/* CPU time of the worker, in clock ticks. */
static unsigned long cpu_ticks(void)
{
	unsigned long user, system;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)rig.pid);
	f = fopen(path, "re");
	CHECK(f);
	CHECK_EQUAL(fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &system),
		2);
	fclose(f);
	return user + system;
}

static void test_idle(void)
{
	unsigned long before;

	session_open(&a, &rig, with("hold=2"));
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_INPUT);
	session_submit(&a, 0);
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_INPUT);
	/* The client is gone: that is for the supervisor to say. */
	close(a.submit_wake);
	a.submit_wake = -1;
	rig_ping(&rig);
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_INPUT);
	before = cpu_ticks();
	usleep(500000);
	CHECK(cpu_ticks() - before < (unsigned long)sysconf(_SC_CLK_TCK) / 5); /* it sleeps */
	rig_send(&rig, WIRE_STOP, a.start.h.seq);
	session_expect_end(&a, ATTEMPT_CANCELLED);
	session_close(&a);
}

/* A ring without room: first of bytes, then of entries. Nothing is overwritten, nothing lost. */
static void test_credit(void)
{
	session_open(&a, &rig, &(struct session_options){.script = "size=1500000", .slots = 8});
	for (int i = 0; i < 8; i++)
		session_submit(&a, 0);
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_CREDIT);
	CHECK(atomic_load(&a.ring->published) <= 4);
	session_run(&a, 30);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);

	session_open(&a, &rig, &(struct session_options){.slots = 8});
	while (slot_state(SLOT_LOAD(&a.slot->word)) != SLOT_IDLE_CREDIT) {
		while (session_read(&a, false))
			;
		while (a.n_free > 0)
			session_submit(&a, 0);
	}
	while (session_read(&a, false))
		;
	CHECK(PLANE_LOG_ENTRIES - a.read <= 1);
	session_consume(&a);
	session_run(&a, 1500);
	session_expect_end(&a, ATTEMPT_FINISHED);
	session_close(&a);
}

static void test_stop(void)
{
	session_open(&a, &rig, with("hold=4"));
	session_submit(&a, 0);
	rig_send(&rig, WIRE_STOP, a.start.h.seq + 100); /* nobody's */
	rig_send(&rig, WIRE_STOP, a.start.h.seq);
	session_expect_end(&a, ATTEMPT_CANCELLED);
	session_close(&a);

	/* Waiting for the client, it stops as well. */
	session_open(&a, &rig, &(struct session_options){.script = "size=2000000", .slots = 8});
	for (int i = 0; i < 8; i++)
		session_submit(&a, 0);
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_CREDIT);
	rig_send(&rig, WIRE_STOP, a.start.h.seq);
	session_expect_end(&a, ATTEMPT_CANCELLED);
	session_close(&a);

	/* And an encoder that refuses everything. The encoder is closed: that ends the process. */
	session_open(&a, &rig, with("send:*:error:again;close:1:exit:7"));
	session_submit(&a, 0);
	rig_send(&rig, WIRE_STOP, a.start.h.seq);
	CHECK_EQUAL(WEXITSTATUS(rig_wait(&rig)), 7);
	session_close(&a);
}

/* A slow encoder with much to do stops after the call that it is in. */
static void test_stop_busy(void)
{
	static const char *const scripts[] = {
		"send:*:slow:50", "hold=15;flush:1:slow:50;receive:*:slow:50"};

	for (unsigned i = 0; i < 2; i++) {
		session_make(
			&a, &rig, &(struct session_options){.script = scripts[i], .slots = 16});
		for (int n = 0; n < 16; n++)
			session_submit(&a, 0);
		session_finish(&a);
		session_send_start(&a);
		rig_expect(&rig, WIRE_ATTEMPT_OPENED);
		session_await(&a, i ? SLOT_CALL_FLUSH : SLOT_CALL_SEND, SLOT_RUNNING);
		rig_send(&rig, WIRE_STOP, a.start.h.seq);
		session_expect_end(&a, ATTEMPT_CANCELLED);
		CHECK(atomic_load(&a.slot->packets) < 16);
		session_close(&a);
	}
}

/* The supervisor cuts the attempt: nothing counts after, and it ends by itself. */
static void test_cut(void)
{
	uint64_t cut;

	session_open(&a, &rig, with(""));
	session_submit(&a, 0);
	session_await_published(&a, 2);
	session_await(&a, SLOT_CALL_NONE, SLOT_IDLE_INPUT);
	cut = commit_close(a.slot);
	CHECK_EQUAL(cut, 2);
	session_submit(&a, 0);
	CHECK_EQUAL(session_expect_end(&a, ATTEMPT_CANCELLED)->discarded_packets, 1);
	CHECK_EQUAL(atomic_load(&a.ring->published), cut);
	session_close(&a);
}

/* --- calls that do not come back --- */

static void test_hang(void)
{
	static const struct {
		const char *script;
		enum slot_call call;
		uint64_t frame;
	} hangs[] = {
		{"open:1:hang", SLOT_CALL_OPEN, 0},
		{"send:3:hang", SLOT_CALL_SEND, 2},
		{"receive:1:hang", SLOT_CALL_RECEIVE, 0},
		{"hold=9;flush:1:hang", SLOT_CALL_FLUSH, 0},
		{"close:1:hang", SLOT_CALL_CLOSE, 4},
	};

	for (unsigned i = 0; i < sizeof(hangs) / sizeof(hangs[0]); i++) {
		session_make(&a, &rig,
			&(struct session_options){.script = hangs[i].script, .slots = 16});
		session_send_start(&a);
		if (hangs[i].call != SLOT_CALL_OPEN)
			rig_expect(&rig, WIRE_ATTEMPT_OPENED);
		for (int n = 0; n < 4; n++)
			session_submit(&a, 0);
		session_finish(&a);
		session_await(&a, hangs[i].call, SLOT_RUNNING);
		CHECK_EQUAL(atomic_load(&a.slot->frame), hangs[i].frame);
		CHECK(atomic_load(&a.slot->since_ns) > 0);
		rig_ping(&rig); /* the loop does not notice */
		session_close(&a);
	}
}

/* Everything was committed before close was called. */
static void test_hang_at_close(void)
{
	session_open(&a, &rig, with("hold=2;close:1:hang"));
	session_run(&a, 10);
	CHECK(a.ended);
	session_await(&a, SLOT_CALL_CLOSE, SLOT_RUNNING);
	CHECK_EQUAL(commit_close(a.slot), a.read);
	session_close(&a);
}

/* An abandoned call that comes back parks: nothing of the session is touched any more. */
static void test_late(const char *script, enum slot_call call)
{
	uint64_t word, taken, published;

	session_make(&a, &rig, with(script));
	session_send_start(&a);
	if (call != SLOT_CALL_OPEN)
		rig_expect(&rig, WIRE_ATTEMPT_OPENED);
	session_submit(&a, 0);
	session_submit(&a, 0);
	session_finish(&a);
	word = session_await(&a, call, SLOT_RUNNING);
	commit_close(a.slot);
	CHECK(slot_abandon(a.slot, word));
	rig_send(&rig, WIRE_TAINT, 0);
	taken = atomic_load(&a.ring->taken);
	published = atomic_load(&a.ring->published);
	session_await(&a, call, SLOT_LATE);
	rig_ping(&rig);
	CHECK_EQUAL(atomic_load(&a.ring->taken), taken);
	CHECK_EQUAL(atomic_load(&a.ring->published), published);
	session_close(&a);
}

static void test_late_open(void)
{
	test_late("open:1:late:300", SLOT_CALL_OPEN);
}

static void test_late_send(void)
{
	test_late("send:2:late:300", SLOT_CALL_SEND);
}

static void test_late_receive(void)
{
	test_late("receive:1:late:300", SLOT_CALL_RECEIVE);
}

static void test_late_flush(void)
{
	test_late("hold=3;flush:1:late:300", SLOT_CALL_FLUSH);
}

static void test_late_close(void)
{
	test_late("close:1:late:300", SLOT_CALL_CLOSE);
}

/* Others of a tainted worker run to their end, without a close; new ones are refused. */
static void test_tainted(void)
{
	uint64_t word;

	session_open(&b, &rig, with("hold=3;close:1:crash"));
	session_open(&a, &rig, with("send:2:hang"));
	session_submit(&a, 0);
	session_submit(&a, 0);
	word = session_await(&a, SLOT_CALL_SEND, SLOT_RUNNING);
	CHECK(slot_abandon(a.slot, word));
	rig_send(&rig, WIRE_TAINT, 0);
	rig_ping(&rig);
	session_run(&b, 30);
	session_expect_end(&b, ATTEMPT_FINISHED);
	session_close(&b);
	session_make(&b, &rig, with("open:1:crash"));
	session_send_start(&b);
	CHECK_EQUAL(session_expect_end(&b, ATTEMPT_ERROR)->status, ENCODER_BUSY);
	session_close(&b);
	session_close(&a);
}

static void test_crash(void)
{
	int status;

	session_open(&a, &rig, with("send:2:crash"));
	session_submit(&a, 0);
	session_submit(&a, 0);
	status = rig_wait(&rig);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
	CHECK_EQUAL(slot_call(SLOT_LOAD(&a.slot->word)), SLOT_CALL_SEND);
	CHECK_EQUAL(atomic_load(&a.slot->frame), 1);
	session_close(&a);
}

/* The supervisor is gone: so is the worker, whatever its calls do. */
static void test_orphan(void)
{
	int status;

	session_open(&a, &rig, with("send:1:hang"));
	session_submit(&a, 0);
	session_await(&a, SLOT_CALL_SEND, SLOT_RUNNING);
	shutdown(rig.fd, SHUT_RDWR);
	status = rig_wait(&rig);
	CHECK(WIFEXITED(status));
	session_close(&a);
}

static void test_many(void)
{
	static struct session sessions[8];

	for (unsigned i = 0; i < 8; i++)
		session_open(&sessions[i], &rig, with(i % 2 ? "hold=3;reorder=2" : "async=1"));
	for (unsigned i = 0; i < 8; i++) {
		session_run(&sessions[i], 50 + i);
		session_expect_end(&sessions[i], ATTEMPT_FINISHED);
	}
	for (unsigned i = 0; i < 8; i++)
		session_close(&sessions[i]);
}

/* A message that is none ends the process. */
static void test_nonsense(void)
{
	rig_send(&rig, WIRE_LIST, 1);
	CHECK_EQUAL(WEXITSTATUS(rig_wait(&rig)), 1);
}

/* --- what the process is --- */

static bool file_has(const char *name, const char *line)
{
	char path[64], text[8192];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)rig.pid, name);
	f = fopen(path, "re");
	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return strstr(text, line) != NULL;
}

static void test_confined(void)
{
	struct stat st;
	char path[64];

	CHECK(file_has("status", "NoNewPrivs:\t1"));
	CHECK(file_has("limits", "Max core file size        0                    0  "));
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)rig.pid);
	CHECK_EQUAL(stat(path, &st), 0);
	CHECK_EQUAL(st.st_uid, 0); /* not dumpable: root's, whoever runs it */
}

static const struct rig_case cases[] = {
	{"whole", test_whole},
	{"smallest-pool", test_smallest_pool},
	{"no-frames", test_no_frames},
	{"later-attempt", test_later_attempt},
	{"dts", test_dts},
	{"keyframes", test_keyframes},
	{"releases", test_releases},
	{"idle", test_idle},
	{"credit", test_credit},
	{"stop", test_stop},
	{"stop-busy", test_stop_busy},
	{"cut", test_cut},
	{"hang", test_hang},
	{"hang-at-close", test_hang_at_close},
	{"late-open", test_late_open},
	{"late-send", test_late_send},
	{"late-receive", test_late_receive},
	{"late-flush", test_late_flush},
	{"late-close", test_late_close},
	{"tainted", test_tainted},
	{"crash", test_crash},
	{"orphan", test_orphan},
	{"many", test_many},
	{"nonsense", test_nonsense},
	{"confined", test_confined},
	{0},
};

int main(int argc, char **argv)
{
	return rig_main(&rig, cases, argc, argv);
}

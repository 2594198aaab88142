// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-front when things do not go in order: clients that die, do not read, or send without end;
 * a supervisor that answers late, in another order, not at all, or stops.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/front_fake.h"

#define OPEN                                                                      \
	"{\"codecs\":[\"av1\"],\"width\":640,\"height\":360,\"format\":\"i420\"," \
	"\"timeBase\":{\"num\":1,\"den\":25}}"
#define TOKEN "000102030405060708090a0b0c0d0e0f"
#define ID_TOKEN "{\"id\":7,\"token\":\"" TOKEN "\"}"

static void send_report(struct fake *fake, uint64_t seq, enum vencd_outcome outcome)
{
	struct wire_report m = {.h = {.type = WIRE_REPORT, .seq = seq},
		.report = {.version = REPORT_VERSION,
			.outcome = outcome,
			.id = 7,
			.codec = VENCD_CODEC_AV1,
			.on_failure = VENCD_ON_FAILURE_FAIL,
			.attempts = 1,
			.params = VENCD_PARAMS_INIT}};

	fake_send(fake, &m, NULL, 0);
}

static void send_progress(struct fake *fake, uint64_t seq, uint64_t frames)
{
	struct wire_session m = {.h = {.type = WIRE_SESSION, .seq = seq},
		.id = 7,
		.outcome = VENCD_OUTCOME_INCOMPLETE,
		.codec = VENCD_CODEC_AV1,
		.frames_encoded = frames};

	fake_send(fake, &m, NULL, 0);
}

static void expect_report(struct client *c, const char *outcome)
{
	struct reply r;

	client_receive(c, &r);
	CHECK(!r.error && !r.continues);
	CHECK(strcmp(text_of(r.parameters, "report.outcome"), outcome) == 0);
	reply_clear(&r);
}

static void test_wait(struct fake *fake)
{
	union wire_message m;
	struct client c;
	struct reply r;

	client_connect(fake, &c);
	client_call_more(&c, "Wait", ID_TOKEN);
	fake_expect(fake, WIRE_WAIT, &m);
	CHECK_EQUAL(m.request.more, 1);
	for (uint64_t frames = 1; frames < 4; frames++) {
		send_progress(fake, m.h.seq, frames);
		client_receive(&c, &r);
		CHECK(r.continues);
		CHECK_EQUAL(number_of(r.parameters, "progress.framesEncoded"), frames);
		reply_clear(&r);
	}
	send_report(fake, m.h.seq, VENCD_OUTCOME_DEGRADED);
	expect_report(&c, "degraded");

	/* Without "more" there is no progress, whoever sends it. */
	client_call(&c, "Wait", ID_TOKEN);
	fake_expect(fake, WIRE_WAIT, &m);
	CHECK_EQUAL(m.request.more, 0);
	send_progress(fake, m.h.seq, 1);
	send_report(fake, m.h.seq, VENCD_OUTCOME_COMPLETE);
	expect_report(&c, "complete");
	client_leave(fake, &c);
}

/* A client that does not read gets one piece of progress, and later the report. */
static void test_slow_reader(struct fake *fake)
{
	union wire_message m;
	struct client c;
	struct reply r;

	client_connect(fake, &c);
	client_call_more(&c, "Wait", ID_TOKEN);
	fake_expect(fake, WIRE_WAIT, &m);
	for (uint64_t i = 1; i <= 5000; i++) {
		send_progress(fake, m.h.seq, i);
		if (i % 100 == 0)
			fake_settle(fake);
	}
	send_report(fake, m.h.seq, VENCD_OUTCOME_TRUNCATED);
	fake_settle(fake);
	client_receive(&c, &r);
	CHECK_EQUAL(number_of(r.parameters, "progress.framesEncoded"), 1);
	reply_clear(&r);
	expect_report(&c, "truncated");
	client_leave(fake, &c);
}

/* An answer that carries a session to somebody who has gone: its lease must be closed. */
static void test_client_dies_opening(struct fake *fake)
{
	struct wire_opened opened = {.h.type = WIRE_OPENED, .id = 7, .codec = VENCD_CODEC_AV1};
	union wire_message m;
	struct client c;
	struct pollfd lease;
	int fds[WIRE_MAX_FDS], lease_pipe[2];

	client_connect(fake, &c);
	client_call(&c, "OpenSession", OPEN);
	fake_expect(fake, WIRE_OPEN, &m);
	opened.h.seq = m.h.seq;
	client_leave(fake, &c);
	CHECK_EQUAL(plane_layout_init(&opened.layout, 640, 360, VENCD_FORMAT_I420, 16, 1), 0);
	CHECK(pipe2(lease_pipe, O_CLOEXEC) == 0);
	for (unsigned i = 0; i < WIRE_OPENED_FDS(1); i++)
		fds[i] = lease_pipe[1];
	fake_send(fake, &opened, fds, WIRE_OPENED_FDS(1));
	close(lease_pipe[1]);
	lease = (struct pollfd){.fd = lease_pipe[0]};
	CHECK_EQUAL(poll(&lease, 1, DEADLINE_MS), 1);
	CHECK(lease.revents & POLLHUP);
	close(lease_pipe[0]);
	fake_settle(fake);
}

static void test_client_dies_waiting(struct fake *fake)
{
	union wire_message m;
	struct client c;
	uint64_t seq;

	client_connect(fake, &c);
	client_call_more(&c, "Wait", ID_TOKEN);
	fake_expect(fake, WIRE_WAIT, &m);
	seq = m.h.seq;
	client_close(&c);
	fake_expect(fake, WIRE_WAIT_END, &m);
	CHECK_EQUAL(m.h.seq, seq);
	fake_expect(fake, WIRE_CONNECTION_GONE, &m);
	CHECK_EQUAL(m.h.seq, c.connection);
	send_progress(fake, seq, 1);
	send_report(fake, seq, VENCD_OUTCOME_COMPLETE);
	fake_settle(fake);
}

/* Answers in another order than the requests, late, for nobody, and of the wrong kind. */
static void test_late_answers(struct fake *fake)
{
	struct wire_plain done = {.h.type = WIRE_DONE};
	union wire_message m;
	struct client c[3];
	uint64_t seq[3];

	for (int i = 0; i < 3; i++) {
		client_connect(fake, &c[i]);
		client_call(&c[i], "GetReport", ID_TOKEN);
		fake_expect(fake, WIRE_GET_REPORT, &m);
		seq[i] = m.h.seq;
	}
	for (uint64_t wrong = 0; wrong < 1000; wrong += 99)
		send_report(fake, seq[2] + 1 + wrong, VENCD_OUTCOME_FAILED);
	send_report(fake, 0, VENCD_OUTCOME_FAILED);
	done.h.seq = seq[0];
	fake_send(fake, &done, NULL, 0);
	send_progress(fake, seq[1], 1);
	send_report(fake, seq[2], VENCD_OUTCOME_COMPLETE);
	expect_report(&c[2], "complete");
	fake_settle(fake);
	CHECK(!client_has_reply(&c[0]) && !client_has_reply(&c[1]));
	send_report(fake, seq[0], VENCD_OUTCOME_DEGRADED);
	send_report(fake, seq[1], VENCD_OUTCOME_CANCELLED);
	expect_report(&c[0], "degraded");
	expect_report(&c[1], "cancelled");
	send_report(fake, seq[0], VENCD_OUTCOME_FAILED); /* twice */
	fake_settle(fake);
	CHECK(!client_has_reply(&c[0]));
	for (int i = 0; i < 3; i++)
		client_leave(fake, &c[i]);
}

#define PIPELINED 500

/* Requests without waiting for answers reach the supervisor one by one. */
static void test_pipelined(struct fake *fake)
{
	static const char request[] =
		"{\"method\":\"io.vencd.Encoder.GetReport\",\"parameters\":{\"id\":7}}";
	static char all[PIPELINED][sizeof(request)];
	union wire_message m;
	struct client c;

	client_connect(fake, &c);
	for (int i = 0; i < PIPELINED; i++)
		memcpy(all[i], request, sizeof(request));
	client_send_text(&c, all[0], sizeof(all));
	for (int i = 0; i < PIPELINED; i++) {
		fake_expect(fake, WIRE_GET_REPORT, &m);
		fake_settle(fake); /* no second one before the answer */
		send_report(fake, m.h.seq, VENCD_OUTCOME_COMPLETE);
		expect_report(&c, "complete");
	}
	client_leave(fake, &c);
}

#define CROWD 700

/* Awaits a reply for one of them. */
static void await_any(const struct client c[CROWD])
{
	static struct pollfd p[CROWD];

	for (unsigned i = 0; i < CROWD; i++)
		p[i] = (struct pollfd){.fd = c[i].fd, .events = POLLIN};
	CHECK(poll(p, CROWD, DEADLINE_MS) > 0);
}

/* A supervisor that does not read: requests queue up to a bound and are refused beyond it. */
static void test_deaf_supervisor(struct fake *fake)
{
	static struct client c[CROWD];
	unsigned refused = 0, asked = 0;
	union wire_message m;
	struct reply r;

	for (unsigned i = 0; i < CROWD; i++)
		client_connect(fake, &c[i]);
	for (unsigned i = 0; i < CROWD; i++)
		client_call(&c[i], "OpenSession", OPEN);
	await_any(c);
	for (unsigned i = 0; i < CROWD; i++) {
		while (!client_has_reply(&c[i])) {
			struct pollfd p[] = {{.fd = fake->wire, .events = POLLIN},
				{.fd = c[i].fd, .events = POLLIN}};

			CHECK(poll(p, 2, DEADLINE_MS) > 0);
			if (!(p[0].revents & POLLIN))
				continue;
			fake_expect(fake, WIRE_OPEN, &m);
			fake_refuse(fake, m.h.seq, WIRE_ERROR_STOPPING, "", "");
			asked++;
		}
		client_receive(&c[i], &r);
		CHECK(r.error);
		refused += strcmp(r.error, "io.vencd.Encoder.OutOfResources") == 0;
		reply_clear(&r);
	}
	CHECK(refused > 0);
	CHECK(asked > 256);
	CHECK_EQUAL(asked + refused, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		client_leave(fake, &c[i]);
}

/* What is no varlink costs its own connection. */
static void test_garbage(struct fake *fake)
{
	static const char *const garbage[] = {"GET / HTTP/1.0", "{}", "[1,2]", "{\"method\":7}",
		"{\"method\":\"io.vencd.Encoder.Wait\",\"parameters\":[]}", "{\"method\":"};
	union wire_message m;
	struct client c, good;
	struct reply r;

	client_connect(fake, &good);
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		client_connect(fake, &c);
		client_send_text(&c, garbage[i], strlen(garbage[i]) + 1);
		CHECK(client_is_closed(&c));
		fake_expect(fake, WIRE_CONNECTION_GONE, &m);
		CHECK_EQUAL(m.h.seq, c.connection);
		client_close(&c);
	}
	client_call(&good, "org.varlink.service.GetInfo", "{}");
	client_receive(&good, &r);
	CHECK(!r.error);
	reply_clear(&r);
	client_leave(fake, &good);
}

/* A call that wants no answer is not carried out, and the connection is good for the next. */
static void test_oneway(struct fake *fake)
{
	union wire_message m;
	struct client c;

	client_connect(fake, &c);
	client_call_fds(&c, "OpenSession", OPEN, ",\"oneway\":true", (int[]){1}, 1);
	client_call(&c, "GetReport", ID_TOKEN);
	fake_expect(fake, WIRE_GET_REPORT, &m);
	send_report(fake, m.h.seq, VENCD_OUTCOME_COMPLETE);
	expect_report(&c, "complete");
	client_leave(fake, &c);
}

#define UNREAD 40

/* Its answers do not fit into its socket. */
static void stop_reading(struct fake *fake, struct client *c)
{
	static const char request[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				      "\"parameters\":{\"interface\":\"io.vencd.Encoder\"}}";

	client_connect(fake, c);
	for (int i = 0; i < UNREAD; i++)
		client_send_text(c, request, sizeof(request));
	while (!client_has_reply(c))
		fake_settle(fake);
}

/*
 * Told to exit, the front delivers the answers that it has, and does not wait for a client that
 * does not read. It is stopped meanwhile, so that it finds the answer and the end together.
 */
static void test_exit(struct fake *fake)
{
	struct wire_plain end = {.h.type = WIRE_EXIT};
	struct client c, deaf;
	union wire_message m;

	stop_reading(fake, &deaf);
	client_connect(fake, &c);
	client_call(&c, "Wait", ID_TOKEN);
	fake_expect(fake, WIRE_WAIT, &m);
	kill(fake->front, SIGSTOP);
	send_report(fake, m.h.seq, VENCD_OUTCOME_CANCELLED);
	fake_send(fake, &end, NULL, 0);
	kill(fake->front, SIGCONT);
	expect_report(&c, "cancelled");
	CHECK(client_is_closed(&c));
	client_close(&c);
	fake_stop(fake);
	client_close(&deaf);
}

int main(int argc, char **argv)
{
	const struct rlimit fds = {4096, 4096};
	struct fake fake;

	CHECK(argc == 2);
	CHECK(setrlimit(RLIMIT_NOFILE, &fds) == 0);
	fake_start(&fake, argv[1]);
	test_wait(&fake);
	test_slow_reader(&fake);
	test_client_dies_opening(&fake);
	test_client_dies_waiting(&fake);
	test_late_answers(&fake);
	test_pipelined(&fake);
	test_deaf_supervisor(&fake);
	test_garbage(&fake);
	test_oneway(&fake);
	test_exit(&fake);
	return 0;
}

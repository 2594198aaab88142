// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * One-shot requests: the test plays the client, the supervisor and the adapter. However the adapter
 * ends, the client gets one answer, and never a better one than the supervisor's report.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/front_fake.h"

#define OPEN                                                                      \
	"{\"codecs\":[\"av1\"],\"width\":640,\"height\":360,\"format\":\"i420\"," \
	"\"timeBase\":{\"num\":1,\"den\":25}}"
#define ORDER "{\"input\":1,\"output\":0,\"container\":\"mkv\"}"
#define SESSION 4242

/* A one-shot request under way, with its adapter. */
struct scene {
	struct client client, adapter;
	uint64_t seq;
	int order;       /* the adapter's end of the order socket */
	int input[2];    /* pipe; the client sent [0] and keeps [1] */
	int output[2];   /* pipe; the client sent [1] and keeps [0] */
	int received[2]; /* what the adapter was given: input, output */
	char text[4096]; /* the order */
};

static void ask(struct fake *fake, struct scene *s, const char *parameters, const char *flags)
{
	union wire_message m;

	client_connect(fake, &s->client);
	CHECK(pipe2(s->input, O_CLOEXEC) == 0 && pipe2(s->output, O_CLOEXEC) == 0);
	client_call_fds(
		&s->client, "Encode", parameters, flags, (int[]){s->output[1], s->input[0]}, 2);
	fake_expect(fake, WIRE_ENCODE, &m);
	CHECK_EQUAL(m.stream.connection, s->client.connection);
	s->seq = m.h.seq;
}

static void start_adapter(struct fake *fake, struct scene *s)
{
	struct wire_stream m = {
		.h = {.type = WIRE_STREAM, .seq = s->seq}, .connection = ++fake->connections};
	int link[2], order[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, link) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, order) == 0);
	fake_send(fake, &m, (int[]){link[0], order[0]}, 2);
	close(link[0]);
	close(order[0]);
	s->adapter = (struct client){.fd = link[1], .connection = m.connection};
	s->order = order[1];
}

static void receive_order(struct scene *s)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = s->text, .iov_len = sizeof(s->text) - 1};
	struct msghdr h = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct pollfd p = {.fd = s->order, .events = POLLIN};
	struct cmsghdr *c;
	ssize_t n;

	CHECK_EQUAL(poll(&p, 1, DEADLINE_MS), 1);
	n = recvmsg(s->order, &h, MSG_CMSG_CLOEXEC);
	CHECK(n > 0);
	s->text[n] = '\0';
	c = CMSG_FIRSTHDR(&h);
	CHECK(c && c->cmsg_len == CMSG_LEN(2 * sizeof(int)));
	memcpy(s->received, CMSG_DATA(c), 2 * sizeof(int));
}

static void begin(struct fake *fake, struct scene *s, const char *flags)
{
	ask(fake, s, ORDER, flags);
	start_adapter(fake, s);
	receive_order(s);
}

/* The adapter opens a session, as an ordinary client would. */
static void open_session(struct fake *fake, struct scene *s)
{
	struct wire_opened opened = {
		.h.type = WIRE_OPENED, .id = SESSION, .codec = VENCD_CODEC_AV1, .token = {9}};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[WIRE_MAX_FDS];
	union wire_message m;
	struct reply r;

	client_call(&s->adapter, "OpenSession", OPEN);
	fake_expect(fake, WIRE_OPEN, &m);
	CHECK_EQUAL(m.open.connection, s->adapter.connection);
	opened.h.seq = m.h.seq;
	CHECK_EQUAL(plane_layout_init(&opened.layout, 640, 360, VENCD_FORMAT_I420, 8, 1), 0);
	for (unsigned i = 0; i < WIRE_OPENED_FDS(1); i++)
		fds[i] = null;
	fake_send(fake, &opened, fds, WIRE_OPENED_FDS(1));
	client_receive(&s->adapter, &r);
	CHECK_EQUAL(number_of(r.parameters, "id"), SESSION);
	reply_clear(&r);
	close(null);
}

static void say(struct scene *s, const char *text)
{
	CHECK_EQUAL(send(s->order, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The front asks for the report of the adapter's session, and gets it. */
static void give_report(struct fake *fake, enum vencd_outcome outcome)
{
	struct wire_report report = {.h.type = WIRE_REPORT,
		.report = {.version = REPORT_VERSION,
			.outcome = outcome,
			.id = SESSION,
			.codec = VENCD_CODEC_AV1,
			.on_failure = VENCD_ON_FAILURE_FAIL,
			.params = VENCD_PARAMS_INIT}};
	union wire_message m;

	fake_expect(fake, WIRE_WAIT, &m);
	CHECK_EQUAL(m.request.id, SESSION);
	CHECK_EQUAL(m.request.token[0], 9);
	report.h.seq = m.h.seq;
	fake_send(fake, &report, NULL, 0);
}

/* The adapter's process ends. The order in which its end is noticed is not fixed. */
static void end_adapter(struct fake *fake, struct scene *s, uint32_t signal, uint32_t code)
{
	struct wire_stream m = {.h = {.type = WIRE_STREAM_ENDED, .seq = s->seq},
		.ended_signal = signal,
		.ended_code = code};

	close(s->order);
	s->order = -1;
	fake_send(fake, &m, NULL, 0);
}

static void clean_up(struct fake *fake, struct scene *s)
{
	client_leave(fake, &s->adapter);
	client_leave(fake, &s->client);
	if (s->order >= 0)
		close(s->order);
	for (int i = 0; i < 2; i++) {
		close(s->received[i]);
		close(s->input[i]);
		close(s->output[i]);
	}
}

static void expect_outcome(struct scene *s, const char *outcome, struct reply *r)
{
	client_receive(&s->client, r);
	CHECK(!r->error && !r->continues);
	if (strcmp(text_of(r->parameters, "outcome"), outcome) != 0) {
		fprintf(stderr, "not %s: ", outcome);
		sd_json_variant_dump(r->whole, SD_JSON_FORMAT_NEWLINE, stderr, NULL);
		exit(1);
	}
}

static bool same_file(int a, int b)
{
	struct stat one, other;

	CHECK(fstat(a, &one) == 0 && fstat(b, &other) == 0);
	return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static void test_order(struct fake *fake)
{
	struct scene s = {0};
	sd_json_variant *v;

	ask(fake, &s,
		"{\"input\":1,\"output\":0,\"container\":\"matroska\",\"inputFormat\":\"y4m\","
		"\"codecs\":[\"av1\",\"hevc\"],\"backend\":\"software\",\"onFailure\":\"fail\","
		"\"quality\":30,\"speed\":10,\"gop\":null,\"latency\":\"file\"}",
		"");
	start_adapter(fake, &s);
	receive_order(&s);
	CHECK(sd_json_parse(s.text, 0, &v, NULL, NULL) >= 0);
	CHECK(strcmp(text_of(v, "container"), "mkv") == 0);
	CHECK(strcmp(text_of(v, "inputFormat"), "y4m") == 0);
	CHECK(strcmp(text_of(v, "codecs.1"), "hevc") == 0);
	CHECK(strcmp(text_of(v, "backend"), "software") == 0);
	CHECK_EQUAL(number_of(v, "quality"), 30);
	CHECK_EQUAL(number_of(v, "speed"), 10);
	CHECK(!has_member(v, "input") && !has_member(v, "output") && !has_member(v, "gop"));
	sd_json_variant_unref(v);
	CHECK(same_file(s.received[0], s.input[0]));
	CHECK(same_file(s.received[1], s.output[1]));
	say(&s,
		"{\"delivery\":{\"outcome\":\"failed\",\"error\":\"input\","
		"\"text\":\"no video\"}}");
	struct reply r;
	expect_outcome(&s, "failed", &r);
	CHECK(strcmp(text_of(r.parameters, "delivery.text"), "no video") == 0);
	CHECK(!has_member(r.parameters, "report"));
	reply_clear(&r);
	clean_up(fake, &s);
}

/* The worse of report and delivery, each way; the adapter's own idea of the report is not asked. */
static void test_outcomes(struct fake *fake)
{
	static const struct {
		enum vencd_outcome report;
		const char *delivery, *expected;
	} cases[] = {
		{VENCD_OUTCOME_COMPLETE, "complete", "complete"},
		{VENCD_OUTCOME_DEGRADED, "complete", "degraded"},
		{VENCD_OUTCOME_COMPLETE, "truncated", "truncated"},
		{VENCD_OUTCOME_TRUNCATED, "complete", "truncated"},
		{VENCD_OUTCOME_CANCELLED, "failed", "failed"},
		{VENCD_OUTCOME_COMPLETE, "incomplete", "failed"},
		{VENCD_OUTCOME_COMPLETE, "splendid", "failed"},
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s = {0};
		struct reply r;

		begin(fake, &s, "");
		open_session(fake, &s);
		snprintf(text, sizeof(text),
			"{\"report\":{\"outcome\":\"complete\"},\"delivery\":{\"outcome\":\"%s\","
			"\"bytes\":1000,\"frames\":25}}",
			cases[i].delivery);
		say(&s, text);
		give_report(fake, cases[i].report);
		expect_outcome(&s, cases[i].expected, &r);
		CHECK_EQUAL(number_of(r.parameters, "report.id"), SESSION);
		CHECK_EQUAL(number_of(r.parameters, "delivery.frames"), 25);
		reply_clear(&r);
		clean_up(fake, &s);
	}
}

static void test_progress(struct fake *fake)
{
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, ",\"more\":true");
	open_session(fake, &s);
	say(&s, "{\"progress\":{\"framesSubmitted\":10,\"framesEncoded\":5,\"secret\":\"x\"}}");
	client_receive(&s.client, &r);
	CHECK(r.continues);
	CHECK_EQUAL(number_of(r.parameters, "progress.framesSubmitted"), 10);
	CHECK(!has_member(r.parameters, "progress.secret"));
	reply_clear(&r);
	/* The client stops reading; it is told once more and then no more. */
	for (int i = 0; i < 2000; i++) {
		say(&s, "{\"progress\":{\"framesSubmitted\":11}}");
		if (i % 50 == 0)
			fake_settle(fake);
	}
	say(&s, "{\"delivery\":{\"outcome\":\"complete\"}}");
	give_report(fake, VENCD_OUTCOME_COMPLETE);
	client_receive(&s.client, &r);
	CHECK(r.continues);
	reply_clear(&r);
	expect_outcome(&s, "complete", &r);
	reply_clear(&r);
	clean_up(fake, &s);
}

/* It dies in the middle: there is a report, and it is told how. */
static void test_adapter_dies(struct fake *fake)
{
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, "");
	open_session(fake, &s);
	end_adapter(fake, &s, SIGKILL, 0);
	give_report(fake, VENCD_OUTCOME_CANCELLED);
	expect_outcome(&s, "failed", &r);
	CHECK(strcmp(text_of(r.parameters, "report.outcome"), "cancelled") == 0);
	CHECK(strstr(text_of(r.parameters, "delivery.text"), "signal 9"));
	reply_clear(&r);
	clean_up(fake, &s);
}

/* It dies before it has opened a session: no report, an error by name. */
static void test_adapter_dies_early(struct fake *fake)
{
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, "");
	end_adapter(fake, &s, 0, 7);
	client_expect_error(&s.client, "AdapterFailed", &r);
	CHECK_EQUAL(number_of(r.parameters, "exitCode"), 7);
	CHECK(!has_member(r.parameters, "signal"));
	CHECK(text_of(r.parameters, "advice")[0]);
	reply_clear(&r);
	clean_up(fake, &s);
}

/* A result and then the end, both there before the front looks: the result counts. */
static void test_result_then_end(struct fake *fake)
{
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, "");
	open_session(fake, &s);
	kill(fake->front, SIGSTOP);
	say(&s, "{\"progress\":{}}");
	say(&s, "{\"delivery\":{\"outcome\":\"complete\"}}");
	end_adapter(fake, &s, 0, 0);
	kill(fake->front, SIGCONT);
	give_report(fake, VENCD_OUTCOME_COMPLETE);
	expect_outcome(&s, "complete", &r);
	reply_clear(&r);
	clean_up(fake, &s);
}

/* What is no message ends it, within a bound even if the adapter lives on and no report comes. */
static void test_adapter_talks_nonsense(struct fake *fake)
{
	union wire_message m;
	struct scene s = {0};
	struct reply r;
	uint64_t seq;

	begin(fake, &s, "");
	open_session(fake, &s);
	say(&s, "\xff{nonsense");
	fake_expect(fake, WIRE_WAIT, &m);
	seq = m.h.seq;
	client_expect_error(&s.client, "AdapterFailed", &r);
	reply_clear(&r);
	fake_expect(fake, WIRE_WAIT_END, &m);
	CHECK_EQUAL(m.h.seq, seq);
	clean_up(fake, &s);
}

/* The supervisor refuses the adapter's session: the client learns it as its own refusal. */
static void test_session_refused(struct fake *fake)
{
	union wire_message m;
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, "");
	client_call(&s.adapter, "OpenSession", OPEN);
	fake_expect(fake, WIRE_OPEN, &m);
	fake_refuse(fake, m.h.seq, WIRE_ERROR_UNSUPPORTED, "width", "too odd");
	client_expect_error(&s.adapter, "Unsupported", &r);
	reply_clear(&r);
	say(&s, "{\"delivery\":{\"outcome\":\"failed\",\"error\":\"refused\"}}");
	client_expect_error(&s.client, "Unsupported", &r);
	CHECK(strcmp(text_of(r.parameters, "parameter"), "width") == 0);
	reply_clear(&r);
	clean_up(fake, &s);
}

static void test_refused(struct fake *fake)
{
	struct scene s = {.order = -1, .received = {-1, -1}};
	struct reply r;

	ask(fake, &s, ORDER, "");
	fake_refuse(fake, s.seq, WIRE_ERROR_STOPPING, "", "");
	client_expect_error(&s.client, "Stopping", &r);
	reply_clear(&r);
	client_leave(fake, &s.client);
	/* The front has closed the client's fds: the pipe has no other reader. */
	close(s.input[0]);
	CHECK(write(s.input[1], "x", 1) < 0);
	close(s.input[1]);
	close(s.output[0]);
	close(s.output[1]);
}

static bool order_is_closed(const struct scene *s)
{
	struct pollfd p = {.fd = s->order, .events = POLLIN};
	char c;

	CHECK_EQUAL(poll(&p, 1, DEADLINE_MS), 1);
	return recv(s->order, &c, 1, 0) == 0;
}

/* The supervisor is told as well: it may have paused the adapter, which then sees nothing. */
static void leave_unanswered(struct fake *fake, struct scene *s)
{
	union wire_message m;

	client_close(&s->client);
	fake_expect(fake, WIRE_WAIT_END, &m);
	CHECK_EQUAL(m.h.seq, s->seq);
	fake_expect(fake, WIRE_CONNECTION_GONE, &m);
	CHECK_EQUAL(m.h.seq, s->client.connection);
}

/* The client goes away: the adapter sees its order socket closed, and its connection lives. */
static void test_client_dies(struct fake *fake)
{
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, "");
	open_session(fake, &s);
	leave_unanswered(fake, &s);
	CHECK(order_is_closed(&s));
	client_call(&s.adapter, "org.varlink.service.GetInfo", "{}");
	client_receive(&s.adapter, &r);
	CHECK(!r.error);
	reply_clear(&r);
	end_adapter(fake, &s, 0, 0);
	client_leave(fake, &s.adapter);
	fake_settle(fake);
}

/* And before there is an adapter: what comes for it is given back. */
static void test_client_dies_early(struct fake *fake)
{
	struct scene s = {0};
	union wire_message m;

	ask(fake, &s, ORDER, "");
	leave_unanswered(fake, &s);
	start_adapter(fake, &s);
	fake_expect(fake, WIRE_CONNECTION_GONE, &m);
	CHECK_EQUAL(m.h.seq, s.adapter.connection);
	CHECK(order_is_closed(&s));
	CHECK(client_is_closed(&s.adapter));
	end_adapter(fake, &s, 0, 0);
	client_close(&s.adapter);
	fake_settle(fake);
}

static void test_bad_orders(struct fake *fake)
{
	static const struct {
		const char *parameters;
		unsigned fds;
		const char *error, *parameter;
	} bad[] = {
		{ORDER, 1, "Invalid", "input"},
		{ORDER, 3, "Invalid", "input"},
		{"{\"input\":2,\"output\":0,\"container\":\"mkv\"}", 2, "Invalid", "input"},
		{"{\"input\":1,\"output\":1,\"container\":\"mkv\"}", 2, "Invalid", "output"},
		{"{\"input\":0,\"output\":1,\"container\":\"avi\"}", 2, "Invalid", "container"},
		{"{\"input\":0,\"output\":1,\"container\":\"mkv\",\"inputFormat\":\"rgb\"}", 2,
			"Invalid", "inputFormat"},
		{"{\"input\":0,\"output\":1,\"container\":\"mkv\",\"speed\":99}", 2, "Invalid",
			"speed"},
		{"{\"input\":0,\"output\":1}", 2, "org.varlink.service.InvalidParameter",
			"container"},
		{"{\"input\":0,\"output\":1,\"container\":\"mkv\",\"width\":64}", 2,
			"org.varlink.service.InvalidParameter", "width"},
	};
	struct client c;
	struct reply r;
	int pipes[2];

	client_connect(fake, &c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(pipe2(pipes, O_CLOEXEC) == 0);
		client_call_fds(&c, "Encode", bad[i].parameters, "",
			(int[]){pipes[0], pipes[0], pipes[0]}, bad[i].fds);
		close(pipes[0]);
		client_expect_error(&c, bad[i].error, &r);
		CHECK(strcmp(text_of(r.parameters, "parameter"), bad[i].parameter) == 0);
		reply_clear(&r);
		CHECK(write(pipes[1], "x", 1) < 0); /* what was sent has been closed */
		close(pipes[1]);
	}
	fake_settle(fake);
	client_leave(fake, &c);
}

/* An adapter may not ask for another one. */
static void test_adapter_encodes(struct fake *fake)
{
	struct scene s = {0};
	struct reply r;

	begin(fake, &s, "");
	client_call_fds(&s.adapter, "Encode", ORDER, "", s.received, 2);
	client_expect_error(&s.adapter, "org.varlink.service.PermissionDenied", &r);
	reply_clear(&r);
	end_adapter(fake, &s, SIGSEGV, 0);
	client_expect_error(&s.client, "AdapterFailed", &r);
	CHECK_EQUAL(number_of(r.parameters, "signal"), SIGSEGV);
	reply_clear(&r);
	clean_up(fake, &s);
}

int main(int argc, char **argv)
{
	struct fake fake;

	CHECK(argc == 2);
	fake_start(&fake, argv[1]);
	test_order(&fake);
	test_outcomes(&fake);
	test_progress(&fake);
	test_adapter_dies(&fake);
	test_adapter_dies_early(&fake);
	test_result_then_end(&fake);
	test_adapter_talks_nonsense(&fake);
	test_session_refused(&fake);
	test_refused(&fake);
	test_client_dies(&fake);
	test_client_dies_early(&fake);
	test_bad_orders(&fake);
	test_adapter_encodes(&fake);
	fake_stop(&fake);
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Messages over a real socket pair: every type arrives as it was sent, with its fds; anything whose
 * size, type or fds are not exactly right is refused, and none of its fds stays open.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/slot.h"
#include "daemon/wire.h"
#include "tests/unit/check.h"

static int a, b; /* the two ends */

static void open_pair(void)
{
	int fds[2];

	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	a = fds[0];
	b = fds[1];
}

static void close_pair(void)
{
	close(a);
	close(b);
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static unsigned fds_of(uint32_t type, const union wire_message *m)
{
	switch (type) {
	case WIRE_CONNECTION:
	case WIRE_KEEP:
		return 1;
	case WIRE_STREAM:
		return 2;
	case WIRE_START:
		return WIRE_START_FDS;
	case WIRE_OPENED:
		return WIRE_OPENED_FDS(m->opened.layout.attempts);
	}
	return 0;
}

static const int *some_fds(void)
{
	static int fds[WIRE_MAX_FDS];

	for (unsigned i = 0; i < WIRE_MAX_FDS && fds[0] == 0; i++)
		CHECK((fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) > 0);
	return fds;
}

static void fill(union wire_message *m, uint32_t type)
{
	memset(m, 'x', sizeof(*m));
	m->h = (struct wire_header){.type = type, .seq = type * 7};
	if (type == WIRE_OPENED)
		m->opened.layout.attempts = PLANE_MAX_ATTEMPTS;
}

static void check_type(uint32_t type)
{
	static union wire_message sent, got;
	int fds[WIRE_MAX_FDS];
	unsigned n = 0, before, expected;

	fill(&sent, type);
	expected = fds_of(type, &sent);
	before = count_fds();
	CHECK_EQUAL(wire_send(a, &sent, some_fds(), expected), 0);
	CHECK(sent.h.size >= sizeof(struct wire_header));
	CHECK_EQUAL(wire_receive(b, &got, fds, &n), 1);
	CHECK_EQUAL(n, expected);
	CHECK_EQUAL(got.h.type, type);
	CHECK_EQUAL(got.h.seq, type * 7);
	CHECK_EQUAL(got.h.size, sent.h.size);
	CHECK_EQUAL(count_fds(), before + n);
	for (unsigned i = 0; i < n; i++) {
		CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		close(fds[i]);
	}
	/* One fd more or less is refused by the sender already. */
	CHECK_EQUAL(wire_send(a, &sent, some_fds(), expected + 1), -EINVAL);
	CHECK_EQUAL(wire_receive(b, &got, fds, &n), -EAGAIN);
}

static void check_types(void)
{
	union wire_message m;

	some_fds();
	open_pair();
	for (uint32_t type = 1; type < WIRE_TYPE_MAX; type++)
		check_type(type);
	fill(&m, 0);
	CHECK_EQUAL(wire_send(a, &m, NULL, 0), -EINVAL);
	fill(&m, WIRE_TYPE_MAX);
	CHECK_EQUAL(wire_send(a, &m, NULL, 0), -EINVAL);
	fill(&m, WIRE_OPENED);
	m.opened.layout.attempts = PLANE_MAX_ATTEMPTS + 1;
	CHECK_EQUAL(wire_send(a, &m, some_fds(), WIRE_OPENED_FDS(PLANE_MAX_ATTEMPTS)), -EINVAL);
	close_pair();
}

/* Sends bytes and fds as they are. */
static void send_raw(const void *data, size_t size, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
	} control = {0};
	struct iovec iov = {(void *)data, size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		h.msg_control = control.bytes;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		*CMSG_FIRSTHDR(&h) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * n_fds),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), some_fds(), sizeof(int) * n_fds);
	}
	CHECK_EQUAL(sendmsg(a, &h, 0), size);
}

static void expect_refused(const union wire_message *m, size_t size, unsigned n_fds)
{
	static union wire_message got;
	int fds[WIRE_MAX_FDS];
	unsigned n = 77, before = count_fds();

	send_raw(m, size, n_fds);
	CHECK_EQUAL(wire_receive(b, &got, fds, &n), -EPROTO);
	CHECK_EQUAL(count_fds(), before);
}

static void check_malformed(void)
{
	static struct {
		union wire_message m;
		char more[64];
	} large;
	union wire_message *m = &large.m;
	size_t size = sizeof(struct wire_start);

	open_pair();
	fill(m, WIRE_START);
	m->h.size = (uint32_t)size;
	expect_refused(m, size, 0);
	expect_refused(m, size, WIRE_START_FDS - 1);
	expect_refused(m, size, WIRE_START_FDS + 1);
	expect_refused(m, size - 1, WIRE_START_FDS);
	expect_refused(m, size + 1, WIRE_START_FDS);
	expect_refused(m, sizeof(struct wire_header) - 1, WIRE_START_FDS);
	m->h.size--;
	expect_refused(m, size, WIRE_START_FDS);
	m->h = (struct wire_header){.type = 0, .size = sizeof(struct wire_plain)};
	expect_refused(m, sizeof(struct wire_plain), 0);
	m->h = (struct wire_header){.type = UINT32_MAX, .size = sizeof(struct wire_plain)};
	expect_refused(m, sizeof(struct wire_plain), 0);
	m->h = (struct wire_header){.type = WIRE_PING, .size = sizeof(large)};
	expect_refused(m, sizeof(large), 0);
	fill(m, WIRE_OPENED);
	m->h.size = sizeof(struct wire_opened);
	expect_refused(m, sizeof(struct wire_header), 4);
	expect_refused(m, sizeof(struct wire_opened), WIRE_OPENED_FDS(PLANE_MAX_ATTEMPTS) - 1);
	close_pair();
}

/* Who has no room for fds gets none, and no message either. */
static void check_no_fds_wanted(void)
{
	static union wire_message m;
	unsigned before;

	open_pair();
	before = count_fds();
	fill(&m, WIRE_PING);
	m.h.size = sizeof(struct wire_plain);
	send_raw(&m, sizeof(struct wire_plain), 1);
	CHECK_EQUAL(wire_receive(b, &m, NULL, NULL), -EPROTO);
	CHECK_EQUAL(count_fds(), before);
	fill(&m, WIRE_PING);
	CHECK_EQUAL(wire_send(a, &m, NULL, 0), 0);
	CHECK_EQUAL(wire_receive(b, &m, NULL, NULL), 1);
	close_pair();
}

#define ENDS(string) ((string)[sizeof(string) - 1] == '\0')

static union wire_message *relay(uint32_t type)
{
	static union wire_message sent, got;
	int fds[WIRE_MAX_FDS];
	unsigned n;

	fill(&sent, type);
	CHECK_EQUAL(wire_send(a, &sent, some_fds(), fds_of(type, &sent)), 0);
	CHECK_EQUAL(wire_receive(b, &got, fds, &n), 1);
	while (n > 0)
		close(fds[--n]);
	return &got;
}

static void check_attempt_strings(const struct attempt_report *r)
{
	CHECK(ENDS(r->encoder) && ENDS(r->backend) && ENDS(r->device) && ENDS(r->version));
	CHECK(ENDS(r->picked) && ENDS(r->text));
	for (unsigned i = 0; i < REPORT_REJECTED_MAX; i++)
		CHECK(ENDS(r->rejected[i]));
}

/* Every message is full of 'x': each string must end nevertheless. */
static void check_strings(void)
{
	const union wire_message *m;

	open_pair();
	m = relay(WIRE_DEVICE);
	CHECK(ENDS(m->device.device) && ENDS(m->device.backend) && ENDS(m->device.encoder));
	CHECK(ENDS(m->device.version) && ENDS(m->device.detail) && ENDS(m->device.advice));
	CHECK(ENDS(m->device.gpu.node) && ENDS(m->device.gpu.driver));
	CHECK(ENDS(m->device.gpu.driver_version));
	m = relay(WIRE_OPEN);
	CHECK(ENDS(m->open.params.label) && ENDS(m->open.params.null_script));
	m = relay(WIRE_OPENED);
	CHECK(ENDS(m->opened.encoder) && ENDS(m->opened.backend) && ENDS(m->opened.device));
	m = relay(WIRE_REFUSED);
	CHECK(ENDS(m->refused.refusal.error) && ENDS(m->refused.refusal.parameter));
	CHECK(ENDS(m->refused.refusal.value) && ENDS(m->refused.refusal.reason));
	CHECK(ENDS(m->refused.refusal.alternatives) && ENDS(m->refused.refusal.advice));
	CHECK(ENDS(relay(WIRE_CANCEL)->request.text));
	m = relay(WIRE_SESSION);
	CHECK(ENDS(m->session.encoder) && ENDS(m->session.device) && ENDS(m->session.label));
	m = relay(WIRE_REPORT);
	CHECK(ENDS(m->report.report.cause) && ENDS(m->report.report.params.label));
	for (unsigned i = 0; i < PLANE_MAX_ATTEMPTS; i++)
		check_attempt_strings(&m->report.report.attempt[i]);
	m = relay(WIRE_PROBE);
	CHECK(ENDS(m->probe.encoder) && ENDS(m->probe.script) && ENDS(m->probe.device));
	m = relay(WIRE_PROBED);
	CHECK(ENDS(m->probed.encoder) && ENDS(m->probed.info.version) && ENDS(m->probed.text));
	m = relay(WIRE_RENEW);
	CHECK(ENDS(m->renew.device) && ENDS(m->renew.encoder));
	m = relay(WIRE_PROBE_CASE);
	CHECK(ENDS(m->probe_case.evidence.asked.name) && ENDS(m->probe_case.evidence.text));
	m = relay(WIRE_PROOF);
	for (unsigned i = 0; i < PROOF_CASES_MAX; i++)
		CHECK(ENDS(m->proof.proof.cases[i].asked.name) &&
			ENDS(m->proof.proof.cases[i].text));
	m = relay(WIRE_START);
	CHECK(ENDS(m->start.encoder) && ENDS(m->start.plan.version) && ENDS(m->start.device));
	CHECK(ENDS(m->start.params.request.label) && ENDS(m->start.params.request.null_script));
	CHECK(ENDS(relay(WIRE_ATTEMPT_OPENED)->attempt_opened.info.version));
	CHECK(ENDS(relay(WIRE_ATTEMPT_ENDED)->attempt_ended.text));
	close_pair();
}

/* A peer that is gone: what it said before is heard, unread messages to it notwithstanding. */
static void check_end(void)
{
	static union wire_message m;

	open_pair();
	fill(&m, WIRE_PING);
	CHECK_EQUAL(wire_send(a, &m, NULL, 0), 0); /* b will not read it */
	fill(&m, WIRE_PONG);
	CHECK_EQUAL(wire_send(b, &m, NULL, 0), 0);
	close(b);
	CHECK_EQUAL(wire_receive(a, &m, NULL, NULL), 1);
	CHECK_EQUAL(m.h.type, WIRE_PONG);
	CHECK_EQUAL(wire_receive(a, &m, NULL, NULL), 0);
	fill(&m, WIRE_PING);
	CHECK_EQUAL(wire_send(a, &m, NULL, 0), -EPIPE);
	close(a);
}

static void check_full(void)
{
	static union wire_message m;
	int r = 0;

	open_pair();
	for (int i = 0; i < 100000 && r == 0; i++) {
		fill(&m, WIRE_REPORT);
		r = wire_send(a, &m, NULL, 0);
	}
	CHECK_EQUAL(r, -EAGAIN);
	CHECK_EQUAL(wire_receive(b, &m, NULL, NULL), 1);
	close_pair();
}

static void check_slot_names(void)
{
	CHECK(strcmp(slot_call_name(SLOT_CALL_SEND), "send") == 0);
	CHECK(strcmp(slot_call_name(SLOT_CALL_CLOSE), "close") == 0);
	CHECK(strcmp(slot_call_name((enum slot_call)200), "unknown") == 0);
	CHECK(strcmp(slot_state_name(SLOT_IDLE_CREDIT), "idle-credit") == 0);
	CHECK(strcmp(slot_state_name((enum slot_state)0), "unknown") == 0);
	for (unsigned i = 0; i < SLOT_CALL_MAX; i++)
		CHECK(strcmp(slot_call_name((enum slot_call)i), "unknown") != 0);
	for (unsigned i = SLOT_OWN; i <= SLOT_ENDED; i++)
		CHECK(strcmp(slot_state_name((enum slot_state)i), "unknown") != 0);
}

int main(void)
{
	check_types();
	check_malformed();
	check_no_fds_wanted();
	check_strings();
	check_end();
	check_full();
	check_slot_names();
	return 0;
}

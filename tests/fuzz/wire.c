// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Messages between processes, as wire_receive() takes them. The input says what is sent: a type,
 * how much its size is wrong, how many descriptors come along, whether the receiver takes any, and
 * the bytes. What is received has the form of its type and goes out again as it came; what is not
 * leaves no descriptor behind.
 */

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/wire.h"
#include "tests/fuzz/fuzz.h"

static int pair[2];

/* The largest message and some bytes more. */
union sent {
	union wire_message message;
	uint8_t bytes[sizeof(union wire_message) + INT8_MAX];
};

struct plan {
	uint32_t type;
	uint8_t mode, n_fds;
	int8_t longer;
};

#define MODE_NO_ROOM 1u   /* the receiver has no room for descriptors */
#define MODE_RAW 2u       /* the header is the input's, too */
#define MODE_WRONG_FDS 4u /* as many as the input says */

static uint32_t sizes[WIRE_TYPE_MAX], numbers[WIRE_TYPE_MAX]; /* of bytes and descriptors */

/* What each type is, from what may be sent: one number of descriptors alone. */
static void learn(uint32_t type)
{
	union wire_message m = {.h.type = type};
	int fds[WIRE_MAX_FDS];

	for (unsigned i = 0; i < WIRE_MAX_FDS; i++)
		fds[i] = STDERR_FILENO;
	for (uint32_t n = 0; n <= WIRE_MAX_FDS && !sizes[type]; n++) {
		unsigned got = 0;
		int taken[WIRE_MAX_FDS];

		if (wire_send(pair[0], &m, fds, n) < 0)
			continue;
		sizes[type] = m.h.size;
		numbers[type] = n;
		FUZZ_CHECK(wire_receive(pair[1], &m, taken, &got) == 1 && got == n);
		for (unsigned i = 0; i < got; i++)
			close(taken[i]);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int size = 1 << 20;

	(void)argc, (void)argv;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (uint32_t type = 0; type < WIRE_TYPE_MAX; type++)
		learn(type);
	return 0;
}

static uint32_t size_of(uint32_t type)
{
	return type < WIRE_TYPE_MAX && sizes[type] ? sizes[type] : sizeof(struct wire_header);
}

static uint32_t fds_of(const union wire_message *m)
{
	if (m->h.type == WIRE_OPENED)
		return m->opened.layout.attempts <= PLANE_MAX_ATTEMPTS
			? WIRE_OPENED_FDS(m->opened.layout.attempts)
			: 0;
	return m->h.type < WIRE_TYPE_MAX ? numbers[m->h.type] : 0;
}

/* The input's bytes over and over, so that a small one can reach the last string of a message. */
static void fill(union sent *sent, struct fuzz_input in)
{
	for (size_t i = 0; i < sizeof(sent->bytes); i++)
		sent->bytes[i] = in.size ? in.data[i % in.size] : 0;
}

static size_t compose(union sent *sent, struct plan *plan, struct fuzz_input in)
{
	uint32_t size = size_of(plan->type);

	fill(sent, in);
	if (plan->mode & MODE_RAW) {
		plan->n_fds %= WIRE_MAX_FDS + 1;
		return in.size < sizeof(sent->bytes) ? in.size : sizeof(sent->bytes);
	}
	sent->message.h.type = plan->type;
	sent->message.h.size = size;
	if (plan->type == WIRE_OPENED)
		sent->message.opened.layout.attempts %= PLANE_MAX_ATTEMPTS + 2;
	if (plan->mode & MODE_WRONG_FDS)
		plan->n_fds %= WIRE_MAX_FDS + 1;
	else
		plan->n_fds = (uint8_t)fds_of(&sent->message);
	if (plan->longer < 0 && (uint32_t)-plan->longer > size)
		return 0;
	return size + (size_t)(ptrdiff_t)plan->longer;
}

static void send_message(const union sent *sent, size_t size, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
	} control = {0};
	struct iovec iov = {(void *)sent->bytes, size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[WIRE_MAX_FDS];

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = STDERR_FILENO;
	if (n_fds > 0) {
		struct cmsghdr *c = &control.align;

		h.msg_control = control.bytes;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	FUZZ_CHECK(sendmsg(pair[0], &h, 0) == (ssize_t)size);
}

/* Every string of a message that a person may be shown. */
static void check_strings(const union wire_message *m)
{
	switch (m->h.type) {
	case WIRE_DEVICE:
		FUZZ_CHECK(FUZZ_TERMINATED(m->device.device) &&
			FUZZ_TERMINATED(m->device.backend) && FUZZ_TERMINATED(m->device.encoder) &&
			FUZZ_TERMINATED(m->device.version) && FUZZ_TERMINATED(m->device.detail) &&
			FUZZ_TERMINATED(m->device.advice) && FUZZ_TERMINATED(m->device.gpu.node) &&
			FUZZ_TERMINATED(m->device.gpu.driver) &&
			FUZZ_TERMINATED(m->device.gpu.driver_version));
		break;
	case WIRE_OPEN:
		FUZZ_CHECK(FUZZ_TERMINATED(m->open.params.label) &&
			FUZZ_TERMINATED(m->open.params.null_script));
		break;
	case WIRE_OPENED:
		FUZZ_CHECK(FUZZ_TERMINATED(m->opened.encoder) &&
			FUZZ_TERMINATED(m->opened.backend) && FUZZ_TERMINATED(m->opened.device));
		break;
	case WIRE_REFUSED:
		FUZZ_CHECK(FUZZ_TERMINATED(m->refused.refusal.error) &&
			FUZZ_TERMINATED(m->refused.refusal.parameter) &&
			FUZZ_TERMINATED(m->refused.refusal.value) &&
			FUZZ_TERMINATED(m->refused.refusal.reason) &&
			FUZZ_TERMINATED(m->refused.refusal.alternatives) &&
			FUZZ_TERMINATED(m->refused.refusal.advice));
		break;
	case WIRE_WAIT:
	case WIRE_CANCEL:
	case WIRE_GET_REPORT:
		FUZZ_CHECK(FUZZ_TERMINATED(m->request.text));
		break;
	case WIRE_SESSION:
		FUZZ_CHECK(FUZZ_TERMINATED(m->session.encoder) &&
			FUZZ_TERMINATED(m->session.device) && FUZZ_TERMINATED(m->session.label));
		break;
	case WIRE_PROBE:
		FUZZ_CHECK(FUZZ_TERMINATED(m->probe.encoder) && FUZZ_TERMINATED(m->probe.script) &&
			FUZZ_TERMINATED(m->probe.device));
		break;
	case WIRE_PROBED:
		FUZZ_CHECK(FUZZ_TERMINATED(m->probed.encoder) && FUZZ_TERMINATED(m->probed.text) &&
			FUZZ_TERMINATED(m->probed.info.version));
		break;
	case WIRE_START:
		FUZZ_CHECK(FUZZ_TERMINATED(m->start.encoder) && FUZZ_TERMINATED(m->start.device) &&
			FUZZ_TERMINATED(m->start.plan.version) &&
			FUZZ_TERMINATED(m->start.params.request.label) &&
			FUZZ_TERMINATED(m->start.params.request.null_script));
		break;
	case WIRE_ATTEMPT_OPENED:
		FUZZ_CHECK(FUZZ_TERMINATED(m->attempt_opened.info.version));
		break;
	case WIRE_ATTEMPT_FAILED:
	case WIRE_ATTEMPT_ENDED:
		FUZZ_CHECK(FUZZ_TERMINATED(m->attempt_ended.text));
		break;
	default:
		break;
	}
}

static void check_evidence(const struct proof_evidence *e)
{
	FUZZ_CHECK(FUZZ_TERMINATED(e->asked.name) && FUZZ_TERMINATED(e->text));
}

static void check_report(const struct session_report *r)
{
	FUZZ_CHECK(FUZZ_TERMINATED(r->cause) && FUZZ_TERMINATED(r->params.label) &&
		FUZZ_TERMINATED(r->params.null_script));
	for (unsigned i = 0; i < PLANE_MAX_ATTEMPTS; i++) {
		const struct attempt_report *a = &r->attempt[i];

		FUZZ_CHECK(FUZZ_TERMINATED(a->encoder) && FUZZ_TERMINATED(a->backend) &&
			FUZZ_TERMINATED(a->device) && FUZZ_TERMINATED(a->version) &&
			FUZZ_TERMINATED(a->picked) && FUZZ_TERMINATED(a->text));
		for (unsigned j = 0; j < REPORT_REJECTED_MAX; j++)
			FUZZ_CHECK(FUZZ_TERMINATED(a->rejected[j]));
	}
}

static int receive(union wire_message *m, bool room, int *fds, unsigned *n)
{
	return room ? wire_receive(pair[1], m, fds, n) : wire_receive(pair[1], m, NULL, NULL);
}

static void check_received(union wire_message *m, int *fds, unsigned n)
{
	union wire_message again;
	int more[WIRE_MAX_FDS];
	unsigned n_more = 0;
	struct stat st;

	FUZZ_CHECK(m->h.type > 0 && m->h.type < WIRE_TYPE_MAX);
	FUZZ_CHECK(m->h.size == size_of(m->h.type) && n == fds_of(m));
	for (unsigned i = 0; i < n; i++)
		FUZZ_CHECK(fstat(fds[i], &st) == 0);
	check_strings(m);
	if (m->h.type == WIRE_REPORT)
		check_report(&m->report.report);
	if (m->h.type == WIRE_PROBE_CASE)
		check_evidence(&m->probe_case.evidence);
	for (unsigned i = 0; m->h.type == WIRE_PROOF && i < PROOF_CASES_MAX; i++)
		check_evidence(&m->proof.proof.cases[i]);
	FUZZ_CHECK(wire_send(pair[0], m, fds, n) == 0);
	FUZZ_CHECK(wire_receive(pair[1], &again, more, &n_more) == 1);
	FUZZ_CHECK(n_more == n && memcmp(&again, m, m->h.size) == 0);
	for (unsigned i = 0; i < n; i++) {
		close(fds[i]);
		close(more[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct plan plan = {.type = fuzz_byte(&in) % (WIRE_TYPE_MAX + 1)};
	union wire_message received;
	static union sent sent;
	int fds[WIRE_MAX_FDS], free_fd = fuzz_free_fd(), r;
	unsigned n = 0;
	size_t bytes;

	plan.mode = fuzz_byte(&in);
	plan.n_fds = fuzz_byte(&in);
	plan.longer = (int8_t)fuzz_byte(&in);
	bytes = compose(&sent, &plan, in);
	if (bytes == 0)
		return 0; /* an empty message says the same as a closed socket */
	send_message(&sent, bytes, plan.n_fds);
	r = receive(&received, !(plan.mode & MODE_NO_ROOM), fds, &n);
	FUZZ_CHECK(r == 1 || r == -EPROTO);
	if (r == 1)
		check_received(&received, fds, n);
	FUZZ_CHECK(wire_receive(pair[1], &received, fds, &n) == -EAGAIN);
	FUZZ_CHECK(fuzz_free_fd() == free_fd);
	return 0;
}

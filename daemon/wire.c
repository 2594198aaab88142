// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Messages between the supervisor and its children. One table says what every type is: its size,
 * its fds, and where its strings stand. A message that does not match it is none, whoever sent it.
 *
 * What is checked here is the form alone; numbers and enums are checked by who uses them. Nothing
 * here waits, and no fd survives an error.
 */

#include "daemon/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void (*terminate_fn)(union wire_message *m);

struct format {
	uint32_t size;
	uint32_t fds; /* OPENED has more: an attempt's, for each */
	terminate_fn terminate;
};

#define TERMINATE(string) ((string)[sizeof(string) - 1] = '\0')

static void terminate_params(struct vencd_params *p)
{
	TERMINATE(p->label);
	TERMINATE(p->null_script);
}

static void terminate_refusal(struct vencd_refusal *r)
{
	TERMINATE(r->error);
	TERMINATE(r->parameter);
	TERMINATE(r->value);
	TERMINATE(r->reason);
	TERMINATE(r->alternatives);
	TERMINATE(r->advice);
}

static void terminate_view(struct thread_view *v)
{
	TERMINATE(v->comm);
	TERMINATE(v->state);
	TERMINATE(v->wchan);
	TERMINATE(v->syscall);
	for (unsigned i = 0; i < REPORT_STACK_MAX; i++)
		TERMINATE(v->stack[i]);
}

static void terminate_attempt(struct attempt_report *a)
{
	TERMINATE(a->encoder);
	TERMINATE(a->backend);
	TERMINATE(a->device);
	TERMINATE(a->version);
	TERMINATE(a->picked);
	TERMINATE(a->text);
	TERMINATE(a->forensics.inspected);
	TERMINATE(a->forensics.messages);
	terminate_view(&a->forensics.thread);
	for (unsigned i = 0; i < REPORT_REJECTED_MAX; i++)
		TERMINATE(a->rejected[i]);
}

static void terminate_device(union wire_message *m)
{
	TERMINATE(m->device.device);
	TERMINATE(m->device.backend);
	TERMINATE(m->device.encoder);
	TERMINATE(m->device.version);
	TERMINATE(m->device.detail);
	TERMINATE(m->device.advice);
	TERMINATE(m->device.gpu.node);
	TERMINATE(m->device.gpu.driver);
	TERMINATE(m->device.gpu.driver_version);
}

static void terminate_evidence(struct proof_evidence *e)
{
	TERMINATE(e->asked.name);
	TERMINATE(e->text);
}

static void terminate_proof(union wire_message *m)
{
	for (unsigned i = 0; i < PROOF_CASES_MAX; i++)
		terminate_evidence(&m->proof.proof.cases[i]);
}

static void terminate_open(union wire_message *m)
{
	terminate_params(&m->open.params);
}

static void terminate_opened(union wire_message *m)
{
	TERMINATE(m->opened.encoder);
	TERMINATE(m->opened.backend);
	TERMINATE(m->opened.device);
}

static void terminate_refused(union wire_message *m)
{
	TERMINATE(m->refused.unit);
	terminate_refusal(&m->refused.refusal);
}

static void terminate_request(union wire_message *m)
{
	TERMINATE(m->request.text);
}

static void terminate_session(union wire_message *m)
{
	TERMINATE(m->session.encoder);
	TERMINATE(m->session.device);
	TERMINATE(m->session.label);
}

static void terminate_quota(union wire_message *m)
{
	TERMINATE(m->quota.kind);
	TERMINATE(m->quota.setting);
	TERMINATE(m->quota.unit);
}

static void terminate_report(union wire_message *m)
{
	struct session_report *r = &m->report.report;

	terminate_params(&r->params);
	TERMINATE(r->cause);
	for (unsigned i = 0; i < PLANE_MAX_ATTEMPTS; i++)
		terminate_attempt(&r->attempt[i]);
}

static void terminate_renew(union wire_message *m)
{
	TERMINATE(m->renew.device);
	TERMINATE(m->renew.encoder);
}

static void terminate_probe(union wire_message *m)
{
	TERMINATE(m->probe.encoder);
	TERMINATE(m->probe.device);
	TERMINATE(m->probe.script);
}

static void terminate_probe_case(union wire_message *m)
{
	terminate_evidence(&m->probe_case.evidence);
}

static void terminate_probed(union wire_message *m)
{
	TERMINATE(m->probed.encoder);
	TERMINATE(m->probed.info.version);
	TERMINATE(m->probed.text);
}

static void terminate_start(union wire_message *m)
{
	TERMINATE(m->start.encoder);
	TERMINATE(m->start.device);
	TERMINATE(m->start.plan.version);
	terminate_params(&m->start.params.request);
}

static void terminate_attempt_opened(union wire_message *m)
{
	TERMINATE(m->attempt_opened.info.version);
}

static void terminate_attempt_ended(union wire_message *m)
{
	TERMINATE(m->attempt_ended.text);
}

static void terminate_inspected(union wire_message *m)
{
	terminate_view(&m->inspected.view);
}

static void terminate_walls(union wire_message *m)
{
	TERMINATE(m->walls.drivers_path);
	TERMINATE(m->walls.driver_name);
}

#define PLAIN {sizeof(struct wire_plain), 0, NULL}
#define CONNECTION(fds) {sizeof(struct wire_connection), (fds), NULL}
#define REQUEST {sizeof(struct wire_request), 0, terminate_request}
#define STREAM(fds) {sizeof(struct wire_stream), (fds), NULL}

static const struct format formats[WIRE_TYPE_MAX] = {
	[WIRE_PING] = PLAIN,
	[WIRE_EXIT] = PLAIN,
	[WIRE_PONG] = PLAIN,
	[WIRE_READY] = {sizeof(struct wire_ready), 0, NULL},

	[WIRE_CONNECTION] = CONNECTION(1),
	[WIRE_DEVICE] = {sizeof(struct wire_device), 0, terminate_device},
	[WIRE_PROOF] = {sizeof(struct wire_proof), 0, terminate_proof},
	[WIRE_OPENED] = {sizeof(struct wire_opened), WIRE_OPENED_FDS(0), terminate_opened},
	[WIRE_REFUSED] = {sizeof(struct wire_refused), 0, terminate_refused},
	[WIRE_DONE] = PLAIN,
	[WIRE_SESSION] = {sizeof(struct wire_session), 0, terminate_session},
	[WIRE_QUOTA] = {sizeof(struct wire_quota), 0, terminate_quota},
	[WIRE_REPORT] = {sizeof(struct wire_report), 0, terminate_report},
	[WIRE_WALLS] = {sizeof(struct wire_walls), 0, terminate_walls},
	[WIRE_STREAM] = STREAM(2),
	[WIRE_STREAM_ENDED] = STREAM(0),
	[WIRE_KEEP] = {sizeof(struct wire_plain), 1, NULL},
	[WIRE_LET_GO] = PLAIN,

	[WIRE_CONNECTION_GONE] = CONNECTION(0),
	[WIRE_OPEN] = {sizeof(struct wire_open), 0, terminate_open},
	[WIRE_WAIT] = REQUEST,
	[WIRE_WAIT_END] = PLAIN,
	[WIRE_CANCEL] = REQUEST,
	[WIRE_LIST] = PLAIN,
	[WIRE_LIST_QUOTA] = PLAIN,
	[WIRE_GET_REPORT] = REQUEST,
	[WIRE_GET_WALLS] = PLAIN,
	[WIRE_RENEW] = {sizeof(struct wire_renew), 0, terminate_renew},
	[WIRE_ENCODE] = STREAM(0),
	[WIRE_ENCODE_END] = PLAIN,

	[WIRE_PROBE] = {sizeof(struct wire_probe), 0, terminate_probe},
	[WIRE_START] = {sizeof(struct wire_start), WIRE_START_FDS, terminate_start},
	[WIRE_STOP] = PLAIN,
	[WIRE_RATE] = {sizeof(struct wire_rate), 0, NULL},
	[WIRE_TAINT] = PLAIN,

	[WIRE_PROBE_CASE] = {sizeof(struct wire_probe_case), 0, terminate_probe_case},
	[WIRE_PROBED] = {sizeof(struct wire_probed), 0, terminate_probed},
	[WIRE_ATTEMPT_OPENED] = {sizeof(struct wire_attempt_opened), 0, terminate_attempt_opened},
	[WIRE_ATTEMPT_FAILED] = {sizeof(struct wire_attempt_ended), 0, terminate_attempt_ended},
	[WIRE_ATTEMPT_ENDED] = {sizeof(struct wire_attempt_ended), 0, terminate_attempt_ended},

	[WIRE_INSPECT] = {sizeof(struct wire_inspect), 0, NULL},
	[WIRE_INSPECTED] = {sizeof(struct wire_inspected), 0, terminate_inspected},
};

/* What a message must be, by its type; NULL for a type or a number of attempts that is none. */
static const struct format *find_format(const union wire_message *m, struct format *copy)
{
	if (m->h.type >= WIRE_TYPE_MAX || formats[m->h.type].size == 0)
		return NULL;
	*copy = formats[m->h.type];
	if (m->h.type == WIRE_OPENED) {
		if (m->opened.layout.attempts > PLANE_MAX_ATTEMPTS)
			return NULL;
		copy->fds = WIRE_OPENED_FDS(m->opened.layout.attempts);
	}
	return copy;
}

static void close_fds(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
};

static void put_fds(struct msghdr *h, union control *control, const int *fds, unsigned n)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	h->msg_control = control->bytes;
	h->msg_controllen = CMSG_SPACE(sizeof(int) * n);
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
}

int wire_send(int fd, void *message, const int *fds, unsigned n)
{
	struct wire_header *header = message;
	struct format format;
	union control control;
	struct iovec iov = {.iov_base = message};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (!find_format(message, &format) || n != format.fds)
		return -EINVAL;
	header->size = format.size;
	iov.iov_len = format.size;
	if (n > 0)
		put_fds(&h, &control, fds, n);
	while (sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		return errno == ECONNRESET ? -EPIPE : -errno;
	}
	return 0;
}

/* Collects the fds of a message. The kernel makes no more of them than the buffer has room for. */
static unsigned take_fds(struct msghdr *h, int *fds)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		unsigned more;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		more = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds + n, CMSG_DATA(c), sizeof(int) * more);
		n += more;
	}
	return n;
}

static bool check(union wire_message *m, size_t size, const struct msghdr *h, unsigned n_fds)
{
	struct format format;

	if (h->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || size < sizeof(m->h))
		return false;
	if (size < offsetof(struct wire_opened, codec) && m->h.type == WIRE_OPENED)
		return false; /* its number of attempts is read to find the format */
	if (!find_format(m, &format))
		return false;
	if (size != format.size || m->h.size != format.size || n_fds != format.fds)
		return false;
	if (format.terminate)
		format.terminate(m);
	return true;
}

/* A peer that closed with messages unread is reported once, before what it had sent itself. */
static ssize_t receive_past_reset(int fd, struct msghdr *h)
{
	const struct msghdr before = *h;

	for (int resets = 0;;) {
		ssize_t size = recvmsg(fd, h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (size >= 0)
			return size;
		if (errno == ECONNRESET && resets++ > 0)
			return 0;
		if (errno != EINTR && errno != ECONNRESET)
			return -errno;
		*h = before;
	}
}

int wire_receive(int fd, union wire_message *ret, int *fds, unsigned *n_fds)
{
	union control control;
	int taken[WIRE_MAX_FDS];
	struct iovec iov = {.iov_base = ret, .iov_len = sizeof(*ret)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t size;
	unsigned n;

	if (fds) {
		h.msg_control = control.bytes;
		h.msg_controllen = sizeof(control.bytes);
	}
	size = receive_past_reset(fd, &h);
	if (size <= 0)
		return (int)size;
	n = take_fds(&h, taken);
	if (!check(ret, (size_t)size, &h, n)) {
		close_fds(taken, n);
		return -EPROTO;
	}
	if (fds) {
		memcpy(fds, taken, sizeof(int) * n);
		*n_fds = n;
	}
	return 1;
}

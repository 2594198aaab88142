// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* A supervisor and clients for tests of vencd-front. */

#include "tests/unit/front_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "io.vencd.Encoder."

static void await(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r = poll(&p, 1, DEADLINE_MS);

	CHECK_EQUAL(r, 1);
}

/* The front, by its own process, with nothing but fd 3. */
static pid_t start(const char *program, int fd)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid != 0)
		return pid;
	if (fd != WIRE_FD && dup2(fd, WIRE_FD) < 0)
		_exit(126);
	if (fd == WIRE_FD && fcntl(fd, F_SETFD, 0) < 0)
		_exit(126);
	execl(program, "vencd-front", (char *)NULL);
	_exit(127);
}

void fake_start(struct fake *fake, const char *program)
{
	union wire_message m;
	int pair[2], small = 64 << 10;

	signal(SIGPIPE, SIG_IGN);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	/* Full soon, on every host. */
	CHECK(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	*fake = (struct fake){.wire = pair[0], .front = start(program, pair[1])};
	close(pair[1]);
	fake_expect(fake, WIRE_READY, &m);
}

static int await_exit(pid_t pid)
{
	int status;

	for (int i = 0; i < DEADLINE_MS / 10; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		poll(NULL, 0, 10);
	}
	kill(pid, SIGKILL);
	CHECK(!"the front ended in time");
	return -1;
}

void fake_stop(struct fake *fake)
{
	int status;

	close(fake->wire);
	status = await_exit(fake->front);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 0);
}

void fake_expect(struct fake *fake, enum wire_type type, union wire_message *ret)
{
	/* That an adapter is not waited for is said where a test does not look. */
	do {
		await(fake->wire, POLLIN);
		CHECK_EQUAL(wire_receive(fake->wire, ret, NULL, NULL), 1);
	} while (ret->h.type == WIRE_ENCODE_END && type != WIRE_ENCODE_END);
	CHECK_EQUAL(ret->h.type, type);
}

void fake_send(struct fake *fake, void *message, const int *fds, unsigned n)
{
	await(fake->wire, POLLOUT);
	CHECK_EQUAL(wire_send(fake->wire, message, fds, n), 0);
}

void fake_settle(struct fake *fake)
{
	static uint64_t seq = 1000000;
	struct wire_plain ping = {.h = {.type = WIRE_PING, .seq = ++seq}};
	union wire_message m;

	fake_send(fake, &ping, NULL, 0);
	fake_expect(fake, WIRE_PONG, &m);
	CHECK_EQUAL(m.h.seq, seq);
}

void fake_refuse(struct fake *fake, uint64_t seq, enum wire_error error, const char *parameter,
	const char *reason)
{
	struct wire_refused m = {.h = {.type = WIRE_REFUSED, .seq = seq}, .error = error};

	snprintf(m.refusal.parameter, sizeof(m.refusal.parameter), "%s", parameter);
	snprintf(m.refusal.reason, sizeof(m.refusal.reason), "%s", reason);
	fake_send(fake, &m, NULL, 0);
}

/* Clients */

void client_connect(struct fake *fake, struct client *ret)
{
	struct wire_connection m = {
		.h = {.type = WIRE_CONNECTION, .seq = ++fake->connections}, .uid = getuid()};
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	fake_send(fake, &m, &pair[1], 1);
	close(pair[1]);
	*ret = (struct client){.fd = pair[0], .connection = m.h.seq};
	fake_settle(fake);
}

void client_close(struct client *client)
{
	close(client->fd);
	free(client->data);
	for (unsigned i = 0; i < client->n_fds; i++)
		close(client->fds[i]);
}

void client_leave(struct fake *fake, struct client *client)
{
	union wire_message m;

	client_close(client);
	fake_expect(fake, WIRE_CONNECTION_GONE, &m);
	CHECK_EQUAL(m.h.seq, client->connection);
}

static void send_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

		if (n < 0) {
			CHECK(errno == EAGAIN);
			await(fd, POLLOUT);
			continue;
		}
		text += n;
		size -= (size_t)n;
	}
}

void client_send_text(struct client *client, const char *text, size_t size)
{
	send_all(client->fd, text, size);
}

void client_call_fds(struct client *client, const char *method, const char *parameters,
	const char *flags, const int *fds, unsigned n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CLIENT_FDS * sizeof(int))];
	} control = {0};
	char *text;
	int size = asprintf(&text, "{\"method\":\"%s%s\",\"parameters\":%s%s}",
		strchr(method, '.') ? "" : PREFIX, method, parameters, flags);
	struct iovec iov = {.iov_base = text, .iov_len = (size_t)size + 1};
	struct msghdr h = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	CHECK_EQUAL(sendmsg(client->fd, &h, MSG_NOSIGNAL), size + 1);
	free(text);
}

static void call(
	struct client *client, const char *method, const char *parameters, const char *flags)
{
	char *text;
	int size = asprintf(&text, "{\"method\":\"%s%s\",\"parameters\":%s%s}",
		strchr(method, '.') ? "" : PREFIX, method, parameters, flags);

	CHECK(size > 0);
	send_all(client->fd, text, (size_t)size + 1);
	free(text);
}

void client_call(struct client *client, const char *method, const char *parameters)
{
	call(client, method, parameters, "");
}

void client_call_more(struct client *client, const char *method, const char *parameters)
{
	call(client, method, parameters, ",\"more\":true");
}

static void keep_fds(struct client *client, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		CHECK(client->n_fds + n <= CLIENT_FDS);
		memcpy(client->fds + client->n_fds, CMSG_DATA(c), n * sizeof(int));
		client->n_fds += n;
	}
	CHECK(!(h->msg_flags & MSG_CTRUNC));
}

/* Reads once; false at end of file. */
static bool read_more(struct client *client)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CLIENT_FDS * sizeof(int))];
	} control;
	char buffer[65536];
	struct iovec iov = {.iov_base = buffer, .iov_len = sizeof(buffer)};
	struct msghdr h = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(client->fd, &h, MSG_CMSG_CLOEXEC);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return false;
	CHECK(n > 0);
	keep_fds(client, &h);
	client->data = realloc(client->data, client->size + (size_t)n);
	CHECK(client->data);
	memcpy(client->data + client->size, buffer, (size_t)n);
	client->size += (size_t)n;
	return true;
}

static size_t whole_message(const struct client *client)
{
	const char *end = client->size ? memchr(client->data, 0, client->size) : NULL;

	return end ? (size_t)(end - client->data) + 1 : 0;
}

void client_receive(struct client *client, struct reply *ret)
{
	sd_json_variant *v;
	size_t n;

	while ((n = whole_message(client)) == 0) {
		await(client->fd, POLLIN);
		CHECK(read_more(client));
	}
	*ret = (struct reply){0};
	CHECK(sd_json_parse(client->data, 0, &ret->whole, NULL, NULL) >= 0);
	client->size -= n;
	memmove(client->data, client->data + n, client->size);
	ret->parameters = sd_json_variant_by_key(ret->whole, "parameters");
	v = sd_json_variant_by_key(ret->whole, "error");
	ret->error = v ? sd_json_variant_string(v) : NULL;
	v = sd_json_variant_by_key(ret->whole, "continues");
	ret->continues = v && sd_json_variant_boolean(v);
}

void reply_clear(struct reply *reply)
{
	sd_json_variant_unref(reply->whole);
}

void client_expect_error(struct client *client, const char *name, struct reply *ret)
{
	char whole[128];

	snprintf(whole, sizeof(whole), "%s%s", strchr(name, '.') ? "" : PREFIX, name);
	client_receive(client, ret);
	if (!ret->error || strcmp(ret->error, whole) != 0) {
		fprintf(stderr, "expected %s, got ", whole);
		sd_json_variant_dump(ret->whole, SD_JSON_FORMAT_NEWLINE, stderr, NULL);
		exit(1);
	}
}

bool client_has_reply(const struct client *client)
{
	struct pollfd p = {.fd = client->fd, .events = POLLIN};

	return whole_message(client) > 0 || poll(&p, 1, 0) > 0;
}

bool client_is_closed(struct client *client)
{
	await(client->fd, POLLIN);
	return !read_more(client);
}

/* JSON */

static sd_json_variant *find(sd_json_variant *v, const char *path)
{
	char copy[128], *rest = copy, *part;

	snprintf(copy, sizeof(copy), "%s", path);
	while (v && (part = strsep(&rest, ".")))
		v = sd_json_variant_is_array(v)
			? sd_json_variant_by_index(v, strtoul(part, NULL, 10))
			: sd_json_variant_by_key(v, part);
	return v;
}

sd_json_variant *member(sd_json_variant *v, const char *path)
{
	sd_json_variant *found = find(v, path);

	if (!found) {
		fprintf(stderr, "there is no %s in ", path);
		sd_json_variant_dump(v, SD_JSON_FORMAT_NEWLINE, stderr, NULL);
		exit(1);
	}
	return found;
}

bool has_member(sd_json_variant *v, const char *path)
{
	return find(v, path) != NULL;
}

const char *text_of(sd_json_variant *v, const char *path)
{
	sd_json_variant *found = member(v, path);

	CHECK(sd_json_variant_is_string(found));
	return sd_json_variant_string(found);
}

uint64_t number_of(sd_json_variant *v, const char *path)
{
	sd_json_variant *found = member(v, path);

	CHECK(sd_json_variant_is_unsigned(found));
	return sd_json_variant_unsigned(found);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The control plane's client side, over sd-varlink without an event loop. The socket is our own, so
 * that "nobody listens" comes back as the errno of connect(). Calls are sent with a reply callback
 * and waited for with a deadline of ours: sd-varlink's own time-out would close the connection, and
 * a session's report could then not be asked for.
 *
 * One call is in progress at a time. Answers come in order, so a call that was given up leaves one
 * answer to be skipped. fds are taken from a reply inside the callback, which is the only place
 * where they surely belong to it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/libvencd/connection.h"

#define CONNECT_S 5
#define DEFAULT_SOCKET "/run/vencd/io.vencd.Encoder"

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void reply_clear(struct reply *reply)
{
	sd_json_variant_unref(reply->parameters);
	for (unsigned i = 0; i < reply->n_fds; i++)
		if (reply->fds[i] >= 0)
			close(reply->fds[i]);
	*reply = (struct reply){0};
}

static void take_fds(sd_varlink *link, struct reply *reply)
{
	while (reply->n_fds < CONNECTION_MAX_FDS) {
		int fd = sd_varlink_take_fd(link, reply->n_fds);

		if (fd < 0)
			break;
		reply->fds[reply->n_fds++] = fd;
	}
}

static int local_error(const char *error)
{
	if (strcmp(error, SD_VARLINK_ERROR_PROTOCOL) == 0)
		return -EPROTO;
	return -ECONNRESET;
}

static int on_reply(sd_varlink *link, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *userdata)
{
	struct vencd *daemon = userdata;
	struct reply *reply = daemon->waiting;

	if (!(flags & SD_VARLINK_REPLY_LOCAL) && daemon->given_up > 0) {
		daemon->given_up--;
		return 0;
	}
	if (!reply)
		return 0;
	reply->parameters = sd_json_variant_ref(parameters);
	if (!error) {
		take_fds(link, reply);
		reply->state = REPLY_OK;
	} else if (flags & SD_VARLINK_REPLY_LOCAL) {
		reply->state = REPLY_LOST;
		reply->error = local_error(error);
	} else {
		refusal_read(&daemon->refusal, error, parameters);
		reply->state = REPLY_REFUSED;
	}
	return 0;
}

/* Over a path that does not fit into a socket address, by way of a descriptor of it. */
static int connect_path(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r, place = -1;

	if (strlen(path) < sizeof(address.sun_path)) {
		strcpy(address.sun_path, path);
	} else {
		place = open(path, O_PATH | O_CLOEXEC);
		if (place < 0)
			return -errno;
		snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
	}
	r = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	if (place >= 0)
		close(place);
	return r;
}

/*
 * Where many connect at once, the daemon's queue is full for a moment: the kernel waits for room.
 */
static int connect_in_time(int fd, const char *path)
{
	const struct timeval limit = {.tv_sec = CONNECT_S}, none = {0};
	int r;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	r = connect_path(fd, path);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) < 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int open_socket(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = connect_in_time(fd, path);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int configure_link(struct vencd *daemon, sd_varlink *link)
{
	int r = sd_varlink_set_allow_fd_passing_input(link, 1);

	if (r < 0)
		return r;
	sd_varlink_set_userdata(link, daemon);
	return sd_varlink_bind_reply(link, on_reply);
}

/* Makes the varlink connection over a duplicate, so that fd stays the caller's if it fails. */
static int link_fd(struct vencd *daemon, int fd)
{
	sd_varlink *link = NULL;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int r;

	if (own < 0)
		return -errno;
	r = sd_varlink_connect_fd(&link, own);
	if (r < 0) {
		close(own);
		return r;
	}
	/* Deadlines are await_reply()'s. */
	r = sd_varlink_set_relative_timeout(link, UINT64_MAX);
	if (r >= 0)
		r = configure_link(daemon, link);
	if (r < 0) {
		sd_varlink_close_unref(link);
		return r;
	}
	daemon->link = link;
	daemon->given_up = 0;
	close(fd);
	return 0;
}

int vencd_connect_fd(struct vencd **ret, int fd)
{
	struct vencd *daemon = calloc(1, sizeof(*daemon));
	int r;

	if (!daemon)
		return -ENOMEM;
	r = link_fd(daemon, fd);
	if (r < 0) {
		free(daemon);
		return r;
	}
	*ret = daemon;
	return 0;
}

static const char *socket_path(const char *path)
{
	const char *set = secure_getenv("VENCD_SOCKET");

	if (path)
		return path;
	return set && *set ? set : DEFAULT_SOCKET;
}

int vencd_connect(struct vencd **ret, const char *path)
{
	char *copy = strdup(socket_path(path));
	int fd, r;

	if (!copy)
		return -ENOMEM;
	fd = open_socket(copy);
	r = fd < 0 ? fd : vencd_connect_fd(ret, fd);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		free(copy);
		return r;
	}
	(*ret)->path = copy;
	return 0;
}

int connection_renew(struct vencd *daemon)
{
	sd_varlink *old = daemon->link;
	int fd, r;

	if (!daemon->path)
		return -ENOTCONN;
	fd = open_socket(daemon->path);
	if (fd < 0)
		return fd;
	r = link_fd(daemon, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	sd_varlink_close_unref(old);
	return 0;
}

void vencd_disconnect(struct vencd *daemon)
{
	if (!daemon)
		return;
	sd_varlink_close_unref(daemon->link);
	free(daemon->path);
	free(daemon);
}

const struct vencd_refusal *vencd_last_refusal(const struct vencd *daemon)
{
	return &daemon->refusal;
}

/* Moves messages until the answer is there or the time is over. */
static int await_reply(struct vencd *daemon, struct reply *reply, unsigned timeout_ms)
{
	uint64_t deadline = now_us() + (uint64_t)timeout_ms * 1000;

	while (reply->state == REPLY_PENDING) {
		int r = sd_varlink_process(daemon->link);
		uint64_t now = now_us();

		if (r < 0)
			return r == -ENOTCONN ? -ECONNRESET : r;
		if (reply->state != REPLY_PENDING)
			break;
		if (now >= deadline) {
			daemon->given_up++;
			return -ETIMEDOUT;
		}
		if (r > 0)
			continue;
		r = sd_varlink_wait(daemon->link, deadline - now);
		if (r < 0 && r != -EINTR)
			return r == -ENOTCONN ? -ECONNRESET : r;
	}
	return 0;
}

static int qualified_name(char *ret, size_t size, const char *method)
{
	int n = snprintf(ret, size, "%s.%s", CONNECTION_INTERFACE, method);

	return n > 0 && (size_t)n < size ? 0 : -EINVAL;
}

int connection_call(struct vencd *daemon, const char *method, sd_json_variant *parameters,
	unsigned timeout_ms, struct reply *ret)
{
	char name[128];
	int r;

	*ret = (struct reply){.state = REPLY_PENDING};
	daemon->refusal = (struct vencd_refusal){0};
	r = qualified_name(name, sizeof(name), method);
	if (r < 0)
		return r;
	r = sd_varlink_invoke(daemon->link, name, parameters);
	if (r < 0)
		return r == -ENOTCONN ? -ECONNRESET : r;
	daemon->waiting = ret;
	r = await_reply(daemon, ret, timeout_ms);
	daemon->waiting = NULL;
	if (r >= 0 && ret->state != REPLY_OK)
		r = ret->state == REPLY_REFUSED ? -EREMOTEIO : ret->error;
	if (r < 0)
		reply_clear(ret);
	return r;
}

int connection_send(struct vencd *daemon, const char *method, sd_json_variant *parameters)
{
	char name[128];
	int r = qualified_name(name, sizeof(name), method);

	if (r < 0)
		return r;
	r = sd_varlink_invoke(daemon->link, name, parameters);
	if (r < 0)
		return r;
	daemon->given_up++;
	r = sd_varlink_process(daemon->link); /* writes what the socket takes at once */
	return r < 0 ? r : 0;
}

int vencd_call(struct vencd *daemon, const char *method, const char *parameters, char **ret_json)
{
	sd_json_variant *v = NULL;
	struct reply reply = {0};
	int r = 0;

	if (parameters)
		r = sd_json_parse(parameters, 0, &v, NULL, NULL);
	if (r >= 0)
		r = connection_call(daemon, method, v, CONNECTION_CALL_MS, &reply);
	if (r >= 0)
		r = sd_json_variant_format(reply.parameters, 0, ret_json);
	reply_clear(&reply);
	sd_json_variant_unref(v);
	return r < 0 ? r : 0;
}

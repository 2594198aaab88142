// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The listening socket. Accepting reads nothing from a client; when fds or memory run out it pauses
 * for a moment instead of spinning on a readable socket.
 */

#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/log.h"

#define BACKLOG 512
#define ACCEPTS_PER_TURN 32
#define PAUSE_US 100000

static int on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *sv = userdata;

	(void)usec;
	if (sv->listen)
		(void)sd_event_source_set_enabled(sv->listen, SD_EVENT_ON);
	sd_event_source_unref(source);
	return 0;
}

static void pause_accepting(struct supervisor *sv, int error)
{
	sd_event_source *timer = NULL;

	log_warning("cannot accept connections for a moment: %s", strerror(error));
	if (sd_event_add_time_relative(
		    sv->event, &timer, CLOCK_MONOTONIC, PAUSE_US, 0, on_resume, sv) >= 0)
		(void)sd_event_source_set_enabled(sv->listen, SD_EVENT_OFF);
}

static int on_listen(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct supervisor *sv = userdata;
	uint64_t number;

	(void)source;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

		if (client < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS)
				pause_accepting(sv, errno);
			return 0;
		}
		r = front_accept(sv, client, &number);
		if (r < 0 && r != -EDQUOT && r != -EUSERS)
			log_warning("a connection was refused: %s", strerror(-r));
	}
	return 0;
}

static int address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret->sun_path, path);
	return 0;
}

/* Removes a socket file that nobody listens on any more. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, r;

	if (lstat(address->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (r != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int bind_socket(const struct config *config)
{
	struct sockaddr_un address;
	int fd, r = address_of(config->socket, &address);

	r = r ? r : remove_stale(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(address.sun_path, config->socket_mode) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int listen_start(struct supervisor *supervisor)
{
	int n = sd_listen_fds(1), fd = SD_LISTEN_FDS_START, r;

	if (n < 0)
		return n;
	if (n > 1 || (n == 1 && sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0))
		return -EINVAL;
	/* A listening socket that blocks would stop us in accept4(). */
	if (n == 1 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	if (n == 0) {
		fd = bind_socket(&supervisor->config);
		if (fd < 0)
			return fd;
	}
	supervisor->socket_is_ours = n == 0;
	r = sd_event_add_io(
		supervisor->event, &supervisor->listen, fd, EPOLLIN, on_listen, supervisor);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(supervisor->listen, 1);
	return r < 0 ? r : 0;
}

void listen_stop(struct supervisor *supervisor)
{
	int fd;

	if (!supervisor->listen)
		return;
	/* Connections that were not accepted yet are closed with it. */
	fd = sd_event_source_get_io_fd(supervisor->listen);
	(void)sd_event_source_set_io_fd_own(supervisor->listen, 0);
	supervisor->listen = sd_event_source_disable_unref(supervisor->listen);
	if (fd >= 0)
		keeper_close(supervisor, fd);
	if (supervisor->socket_is_ours)
		(void)unlink(supervisor->config.socket);
}

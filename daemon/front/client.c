// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Connections of clients. They come from the supervisor, which has looked at the peer's uid; this
 * process serves one uid only and asks for nothing more. When a connection goes, what it waited for
 * is called off; an answer that is already under way finds nobody, and its fds are closed. A client
 * holds a reference to its link for as long as it lives.
 */

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/front/front.h"
#include "daemon/front/idl.h"
#include "vencd-config.h"

#define WRITES_AT_END 64

static void drop_rows(struct client *client)
{
	for (size_t i = 0; i < client->n_rows; i++)
		sd_json_variant_unref(client->rows[i]);
	free(client->rows);
	client->rows = NULL;
	client->n_rows = 0;
}

void client_done(struct client *client)
{
	drop_rows(client);
	client->request = REQUEST_NONE;
	client->seq = 0;
	client->encode = NULL;
}

static void call_off(struct client *client)
{
	if (client->request == REQUEST_WAIT)
		uplink_tell_plain(client->front, WIRE_WAIT_END, client->seq);
	if (client->encode)
		encode_drop(client->encode);
	client_done(client);
}

static void client_remove(struct client *client)
{
	call_off(client);
	if (client->adapter_of)
		encode_adapter_gone(client->adapter_of);
	uplink_tell_connection(client->front, WIRE_CONNECTION_GONE, client->connection);
	LIST_REMOVE(client, entry);
	sd_varlink_unref(client->link);
	free(client);
}

static void on_disconnect(sd_varlink_server *server, sd_varlink *link, void *userdata)
{
	struct client *client = sd_varlink_get_userdata(link);

	(void)server, (void)userdata;
	/* NULL: it was closed before client_add() was through with it. */
	if (!client)
		return;
	sd_varlink_set_userdata(link, NULL);
	client_remove(client);
}

int client_server_init(struct front *front)
{
	int r = sd_varlink_server_new(&front->server, 0);

	if (r < 0)
		return r;
	r = sd_varlink_server_set_info(
		front->server, "The vencd authors", "vencd", VENCD_VERSION, NULL);
	if (r >= 0)
		r = sd_varlink_server_add_interface(front->server, &vl_interface_io_vencd_Encoder);
	if (r >= 0)
		r = methods_bind(front->server);
	if (r >= 0)
		r = sd_varlink_server_bind_disconnect(front->server, on_disconnect);
	if (r >= 0)
		r = sd_varlink_server_attach_event(
			front->server, front->event, SD_EVENT_PRIORITY_NORMAL);
	return r;
}

static int allow_fds(sd_varlink *link)
{
	int r = sd_varlink_set_allow_fd_passing_input(link, 1);

	return r < 0 ? r : sd_varlink_set_allow_fd_passing_output(link, 1);
}

struct client *client_add(struct front *front, uint64_t connection, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	sd_varlink *link;

	if (!client || sd_varlink_server_add_connection(front->server, fd, &link) < 0) {
		close(fd);
		free(client);
		uplink_tell_connection(front, WIRE_CONNECTION_GONE, connection);
		return NULL;
	}
	/* Later versions of sd-varlink take a call that its method leaves unanswered for forgotten,
	 * and close the connection, unless somebody beside the server holds a reference. */
	*client = (struct client){.front = front,
		.connection = connection,
		.link = sd_varlink_ref(link),
		.request = REQUEST_NONE};
	sd_varlink_set_userdata(link, client);
	LIST_INSERT_HEAD(&front->clients, client, entry);
	if (allow_fds(link) < 0) {
		sd_varlink_close(link);
		return NULL;
	}
	return client;
}

struct client *client_find(struct front *front, uint64_t seq)
{
	struct client *client;

	LIST_FOREACH(client, &front->clients, entry)
	if (client->seq == seq && seq != 0)
		return client;
	return NULL;
}

bool client_keeps_up(const struct client *client)
{
	int fd = sd_varlink_get_fd(client->link);
	int unread = 0;

	if (sd_varlink_get_events(client->link) & EPOLLOUT)
		return false;
	return fd >= 0 && ioctl(fd, SIOCOUTQ, &unread) == 0 && unread == 0;
}

void client_replied(struct client *client, int r)
{
	/* sd_varlink_error() returns its error as an errno; ours have none of their own: EBADR. */
	if (r >= 0 || r == -EBADR)
		return;
	sd_varlink_close(client->link);
}

void client_close_all(struct front *front)
{
	while (!LIST_EMPTY(&front->clients)) {
		sd_varlink *link = sd_varlink_ref(LIST_FIRST(&front->clients)->link);

		for (int i = 0; i < WRITES_AT_END; i++)
			if (!(sd_varlink_get_events(link) & EPOLLOUT) ||
				sd_varlink_process(link) <= 0)
				break;
		sd_varlink_close_unref(link);
	}
}

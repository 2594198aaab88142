// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-stream: the adapter of one-shot requests.
 *
 * It is an ordinary client of the daemon, and the only process of it that parses media. It is
 * started for one order by the supervisor, with a connection to the front and the order socket
 * behind its wire, over which it says one thing: which walls it is behind. It believes nothing of
 * its input, and opens no file by name (media_io.c). When the order socket closes, nobody wants the
 * output any more.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/stream/console.h"
#include "client/stream/order.h"
#include "daemon/wall/wall.h"
#include "daemon/wire.h"

#define CONNECTION_FD (WIRE_FD + 1)
#define ORDER_FD (WIRE_FD + 2)
#define ORDER_MS 30000
#define RESULT_MS 5000
#define PROGRESS_MS 250

struct adapter {
	struct order order;
	int64_t told_ms; /* when progress was last sent */
};

/* Anything on the order socket after the order is its end. */
static enum stream_stop order_ended(void *userdata)
{
	char byte;
	ssize_t n = recv(ORDER_FD, &byte, sizeof(byte), MSG_DONTWAIT | MSG_PEEK);

	(void)userdata;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? STREAM_GO : STREAM_STOP_NOW;
}

static void tell_progress(void *userdata, const struct stream_progress *progress)
{
	struct adapter *adapter = userdata;
	struct timespec now;
	int64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (now_ms - adapter->told_ms < PROGRESS_MS)
		return;
	adapter->told_ms = now_ms;
	order_send_progress(ORDER_FD, progress);
}

static void run(struct adapter *adapter, struct vencd *daemon, struct stream_result *result)
{
	const struct order *order = &adapter->order;
	const struct stream_order stream = {
		.input_fd = order->input_fd,
		.output_fd = order->output_fd,
		.input_name = "input",
		.input_format = order->input_format,
		.nested = false,
		.container = order->container,
		.params = order->params,
		.stop_fd = ORDER_FD,
		.stop = order_ended,
		.progress = tell_progress,
		.userdata = adapter,
	};

	stream_run(daemon, &stream, result);
}

/* An order that cannot be done has a result as well. */
static void refuse(struct stream_result *result, int error, const char *text)
{
	delivery_fail(
		&result->delivery, DELIVERY_REFUSED, error, "%s", *text ? text : strerror(-error));
	stream_result_settle(result, false);
}

static int confine(void)
{
	struct wire_ready ready = {.h = {.type = WIRE_READY}};
	int r = wall_enter(WALL_STREAM, NULL, WIRE_FD, &ready.walls);

	signal(SIGPIPE, SIG_IGN);
	return r < 0 ? r : wire_send(WIRE_FD, &ready, NULL, 0);
}

int main(void)
{
	struct adapter adapter = {0};
	struct stream_result result = {0};
	struct vencd *daemon = NULL;
	char text[ORDER_TEXT_MAX];
	int r = confine();

	console_start("vencd-stream");
	if (r >= 0)
		r = vencd_connect_fd(&daemon, CONNECTION_FD);
	if (r >= 0)
		r = order_receive(ORDER_FD, ORDER_MS, &adapter.order, text);
	if (r == -EINVAL) {
		refuse(&result, r, text);
	} else if (r < 0) {
		console_say("no order: %s", strerror(-r));
		vencd_disconnect(daemon);
		return EXIT_FAILURE;
	} else {
		run(&adapter, daemon, &result);
	}
	r = order_send_result(ORDER_FD, RESULT_MS, &result);
	/* Threads may be stuck in reads, and nothing here needs an orderly end. */
	_exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Holds sessions open, for the bench to look at the daemon's processes meanwhile. Each has had one
 * frame encoded, so its encoder is open. Says "ready" on stdout, and ends at the end of stdin.
 *
 *	holder SOCKET SESSIONS BACKEND CODEC WIDTH HEIGHT
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/vencd.h"

#define PACKET_MS 60000

static _Noreturn void die(const char *what, int r)
{
	fprintf(stderr, "holder: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

static void encode_one(struct vencd_session *session)
{
	struct vencd_frame frame;
	struct vencd_packet packet;
	int r = vencd_frame_acquire(session, &frame);

	if (r < 0)
		die("acquire", r);
	for (uint32_t i = 0; i < frame.planes; i++)
		memset(frame.data[i], 0x80, (size_t)frame.stride[i] * frame.rows[i]);
	r = vencd_frame_submit(session, frame.slot, 0, 0);
	if (r < 0)
		die("submit", r);
	while ((r = vencd_packet_receive(session, &packet)) == -EAGAIN)
		if (vencd_session_wait(session, PACKET_MS) <= 0)
			die("no packet", ETIMEDOUT);
	if (r < 0)
		die("receive", r);
	vencd_packet_release(session);
}

static struct vencd_session *open_one(struct vencd *daemon, const struct vencd_params *params)
{
	struct vencd_session *session;
	int r = vencd_session_open(daemon, params, &session);

	if (r == -EREMOTEIO)
		die(vencd_last_refusal(daemon)->reason, r);
	if (r < 0)
		die("open", r);
	encode_one(session);
	return session;
}

static void end_one(struct vencd_session *session)
{
	struct vencd_packet packet;
	int r;

	vencd_session_finish(session);
	while ((r = vencd_packet_receive(session, &packet)) == -EAGAIN)
		if (vencd_session_wait(session, PACKET_MS) <= 0)
			die("no end", ETIMEDOUT);
	if (r != -ENODATA)
		die("more than one packet, or none", r);
	vencd_session_close(session);
}

static void await_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct vencd_params params = VENCD_PARAMS_INIT;
	struct vencd_session **sessions;
	struct vencd *daemon;
	unsigned n;
	int r;

	if (argc != 7)
		die("usage: holder SOCKET SESSIONS BACKEND CODEC WIDTH HEIGHT", EINVAL);
	n = (unsigned)atoi(argv[2]);
	params.backend = vencd_backend_from_name(argv[3]);
	params.codecs[0] = vencd_codec_from_name(argv[4]);
	params.width = (uint32_t)atoi(argv[5]);
	params.height = (uint32_t)atoi(argv[6]);
	params.format = VENCD_FORMAT_I420;
	params.latency = VENCD_LATENCY_LIVE;
	params.time_base = (struct vencd_rational){1, 30};
	sessions = calloc(n, sizeof(*sessions));
	r = sessions ? vencd_connect(&daemon, argv[1]) : -ENOMEM;
	if (r < 0)
		die("connect", r);
	for (unsigned i = 0; i < n; i++)
		sessions[i] = open_one(daemon, &params);
	puts("ready");
	fflush(stdout);
	await_end_of_input();
	for (unsigned i = 0; i < n; i++)
		end_one(sessions[i]);
	vencd_disconnect(daemon);
	free(sessions);
	return 0;
}

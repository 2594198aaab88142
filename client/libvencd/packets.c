// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Packets, as the program gets them: data stays where the encoder's process wrote it until it is
 * released, and is counted into the digest that the report is compared with.
 */

#include <errno.h>

#include "client/libvencd/session.h"

static void count(struct attempt_reader *a, const struct vencd_packet *packet)
{
	if (a->packets == 0)
		a->digest = PLANE_FNV_OFFSET;
	a->packets++;
	a->bytes += packet->size;
	a->digest = plane_digest(a->digest, packet->data, packet->size);
}

int vencd_packet_receive(struct vencd_session *session, struct vencd_packet *ret)
{
	struct attempt_reader *a;
	const struct plane_entry *e = &session->packet;
	int r;

	session_end_sleep(session);
	if (session->packet_state == PACKET_HELD)
		return -EBUSY;
	r = log_advance(session);
	if (r <= 0)
		return r == 0 ? -EAGAIN : r;
	a = &session->attempts[session->reading];
	*ret = (struct vencd_packet){
		.data = plane_data(a->ring) + e->offset,
		.size = e->size,
		.pts = e->pts,
		.dts = e->dts,
		.flags = e->flags,
		.frame = e->frame,
	};
	count(a, ret);
	session->packet_state = PACKET_HELD;
	return 1;
}

void vencd_packet_release(struct vencd_session *session)
{
	if (session->packet_state != PACKET_HELD)
		return;
	session->packet_state = PACKET_NONE;
	log_consume(session);
}

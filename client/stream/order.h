// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_ORDER_H
#define VENCD_STREAM_ORDER_H

/*
 * The stream adapter's side of the order socket (SOCK_SEQPACKET, see docs/protocol.md): one order
 * comes with two descriptors, progress goes out now and then, one result ends it.
 */

#include "client/stream/pump.h"

#define ORDER_TEXT_MAX 256

struct order {
	int input_fd, output_fd; /* owned; -1: none */
	enum input_format input_format;
	const struct container *container;
	struct vencd_params params; /* codecs already narrowed by the container */
};

/*
 * Waits up to timeout_ms for the order. -ECONNRESET: nobody wants it any more. -EINVAL: it
 * cannot be done, and text, of ORDER_TEXT_MAX bytes, says why.
 */
int order_receive(int socket, int timeout_ms, struct order *ret, char *text);
void order_clear(struct order *order);

/* Sends without waiting; what does not fit is not missed. */
void order_send_progress(int socket, const struct stream_progress *progress);

/* Waits up to timeout_ms. */
int order_send_result(int socket, int timeout_ms, const struct stream_result *result);

#endif

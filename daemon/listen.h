// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_LISTEN_H
#define VENCD_LISTEN_H

#include "daemon/supervisor.h"

/*
 * Takes the socket that systemd passed, else binds config.socket, and accepts from it. A socket
 * file that nobody listens on is replaced; one that somebody does gives -EADDRINUSE.
 */
int listen_start(struct supervisor *supervisor);

/* Stops accepting, and removes the socket file if it is ours. */
void listen_stop(struct supervisor *supervisor);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_REFUSAL_H
#define VENCD_FRONT_REFUSAL_H

#include "daemon/front/front.h"

/*
 * Answers a client with the named error of a refusal; which fields it has depends on the error, and
 * client->asked_* fill some. Returns what sd_varlink_error() does.
 */
int refusal_reply(const struct client *client, const struct wire_refused *refused);

/* OutOfResources, by this process itself. */
int refusal_resources(const struct client *client, const char *reason, const char *advice);

/* The adapter ended without a result. ended is 0 where it is not known how. */
struct adapter_end {
	bool known;
	uint32_t signal, code;
};
int refusal_adapter(const struct client *client, struct adapter_end end, const char *reason);

#endif

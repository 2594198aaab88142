// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FRONT_REQUEST_H
#define VENCD_FRONT_REQUEST_H

/*
 * Parameters of methods, strictly. Each function returns 0 with everything checked and filled in;
 * anything else says that the call was answered with an error already, and is to be returned by the
 * method as it is.
 */

#include <stdint.h>
#include <systemd/sd-varlink.h>

#include "client/vencd.h"

int request_open(sd_varlink *link, sd_json_variant *parameters, struct vencd_params *ret);

enum token_need {
	TOKEN_NEEDED = 1,
	TOKEN_OPTIONAL, /* left out: all zero */
};

struct session_request {
	uint64_t id;
	uint8_t token[16];
	uint32_t cause; /* enum vencd_cancel_cause */
	char text[256];
};

int request_session(sd_varlink *link, sd_json_variant *parameters, enum token_need need,
	struct session_request *ret);
int request_cancel(sd_varlink *link, sd_json_variant *parameters, struct session_request *ret);

/* Of Probe: empty names where none was given. */
int request_probe(sd_varlink *link, sd_json_variant *parameters, char device[64], char encoder[32]);

/* A one-shot request. */
struct order {
	const char *container;    /* as the adapter calls it */
	const char *input_format; /* NULL: the adapter finds out */
	int fds[2];               /* input, output */
	struct vencd_params params;
};

/* On success the two fds are the caller's. */
int request_encode(sd_varlink *link, sd_json_variant *parameters, struct order *ret);

/* Answers io.vencd.Encoder.Invalid. value and alternatives may be NULL. */
int request_invalid(sd_varlink *link, const char *parameter, const char *value, const char *reason,
	const char *alternatives);

#endif

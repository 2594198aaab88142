// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Results of adapters.
 */

#include "daemon/front/delivery.h"

#include <stdio.h>
#include <string.h>

#include "daemon/front/json.h"

static void copy_string(sd_json_variant *v, const char *field, char *to, size_t size)
{
	sd_json_variant *s = sd_json_variant_by_key(v, field);

	snprintf(to, size, "%s", sd_json_variant_is_string(s) ? sd_json_variant_string(s) : "");
}

static uint64_t number(sd_json_variant *v, const char *field)
{
	sd_json_variant *n = sd_json_variant_by_key(v, field);

	return sd_json_variant_is_unsigned(n) ? sd_json_variant_unsigned(n) : 0;
}

void delivery_from_json(sd_json_variant *v, struct delivery *ret)
{
	sd_json_variant *outcome = sd_json_variant_by_key(v, "outcome");

	if (!sd_json_variant_is_object(v))
		return;
	ret->outcome = vencd_outcome_from_name(
		sd_json_variant_is_string(outcome) ? sd_json_variant_string(outcome) : NULL);
	if (ret->outcome == 0 || ret->outcome == VENCD_OUTCOME_INCOMPLETE)
		ret->outcome = VENCD_OUTCOME_FAILED;
	copy_string(v, "error", ret->error, sizeof(ret->error));
	copy_string(v, "text", ret->text, sizeof(ret->text));
	ret->bytes = number(v, "bytes");
	ret->frames = number(v, "frames");
}

void delivery_failed(struct delivery *ret, const struct adapter_end *end)
{
	*ret = (struct delivery){.outcome = VENCD_OUTCOME_FAILED, .error = "adapter_failed"};
	if (!end->known)
		snprintf(ret->text, sizeof(ret->text),
			"the process that wrote the output said nothing of what became of it");
	else if (end->signal)
		snprintf(ret->text, sizeof(ret->text),
			"the process that wrote the output was killed by signal %u (%s)",
			end->signal, strsignal((int)end->signal));
	else
		snprintf(ret->text, sizeof(ret->text),
			"the process that wrote the output ended with exit code %u", end->code);
}

int delivery_to_json(const struct delivery *d, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = sd_json_buildo(&v,
		SD_JSON_BUILD_PAIR_STRING(
			"outcome", name_or_unknown(vencd_outcome_name(d->outcome))),
		SD_JSON_BUILD_PAIR_UNSIGNED("bytes", d->bytes),
		SD_JSON_BUILD_PAIR_UNSIGNED("frames", d->frames));

	r = r < 0 ? r : text_add(&v, "error", d->error);
	r = r < 0 ? r : text_add(&v, "text", d->text);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

int progress_to_json(sd_json_variant *from, sd_json_variant **ret)
{
	static const char *const fields[] = {"framesSubmitted", "framesEncoded", "bytes"};
	int r = sd_json_build(ret, SD_JSON_BUILD_EMPTY_OBJECT);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && r >= 0; i++)
		r = sd_json_variant_set_field_unsigned(ret, fields[i], number(from, fields[i]));
	return r;
}

/* Best first. */
static const enum vencd_outcome order[] = {
	VENCD_OUTCOME_COMPLETE,
	VENCD_OUTCOME_DEGRADED,
	VENCD_OUTCOME_TRUNCATED,
	VENCD_OUTCOME_CANCELLED,
	VENCD_OUTCOME_FAILED,
};

static size_t rank(enum vencd_outcome outcome)
{
	size_t n = 0;

	while (n < sizeof(order) / sizeof(order[0]) - 1 && order[n] != outcome)
		n++;
	return n;
}

enum vencd_outcome outcome_worse(enum vencd_outcome a, enum vencd_outcome b)
{
	return order[rank(a) > rank(b) ? rank(a) : rank(b)];
}

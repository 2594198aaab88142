// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* The evidence of an encoder as JSON: an object for each case, in the order of the probe. */

#include "daemon/front/json.h"

#define UNSIGNED(name, value) SD_JSON_BUILD_PAIR_UNSIGNED(name, value)

static int asked_to_json(const struct proof_case *c, sd_json_variant **ret)
{
	return sd_json_buildo(ret, TEXT_PAIR("case", c->name), UNSIGNED("width", c->width),
		UNSIGNED("height", c->height),
		TEXT_PAIR("format",
			name_or_unknown(
				vencd_pixel_format_name((enum vencd_pixel_format)c->format))),
		TEXT_PAIR("rateControl",
			name_or_unknown(
				vencd_rate_control_name((enum vencd_rate_control)c->rate_control))),
		TEXT_PAIR("latency",
			name_or_unknown(vencd_latency_name((enum vencd_latency)c->latency))),
		SD_JSON_BUILD_PAIR_BOOLEAN("bFrames", c->b_frames != 0),
		UNSIGNED("frames", c->frames));
}

static int evidence_to_json(const struct proof_evidence *e, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = asked_to_json(&e->asked, &v);

	r = r < 0 ? r
		  : sd_json_variant_merge_objectbo(&v,
			    TEXT_PAIR("state", name_or_unknown(proof_state_name(e->state))),
			    SD_JSON_BUILD_PAIR_CONDITION(e->state == PROOF_FAILED, "status",
				    SD_JSON_BUILD_STRING(encoder_status_name(e->status))),
			    UNSIGNED("atUs", e->at_us), UNSIGNED("ms", e->ms),
			    UNSIGNED("packets", e->packets), UNSIGNED("keyframes", e->keyframes),
			    UNSIGNED("bytes", e->bytes), UNSIGNED("needsFrames", e->needs_frames),
			    SD_JSON_BUILD_PAIR_CONDITION(
				    e->psnr != 0, "psnr", SD_JSON_BUILD_REAL(e->psnr / 100.0)));
	r = r < 0 ? r : text_add(&v, "text", e->text);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

int proof_add(sd_json_variant **v, const struct proof *proof)
{
	sd_json_variant *rows[PROOF_CASES_MAX];
	unsigned n = 0;
	int r = 0;

	for (; n < proof->n && r >= 0; n += r >= 0)
		r = evidence_to_json(&proof->cases[n], &rows[n]);
	if (r >= 0 && n > 0)
		r = sd_json_variant_merge_objectbo(
			v, SD_JSON_BUILD_PAIR_VARIANT_ARRAY("proof", rows, n));
	for (unsigned i = 0; i < n; i++)
		sd_json_variant_unref(rows[i]);
	return r;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The deny-list. A row stands here where trying is what does the harm (a reset of the GPU ends the
 * desktop of whoever sits before it, and no process of ours can be killed in time), or where it is
 * known to be of no use. What merely fails is found by its probe, and needs no row. Each row says
 * where it was reported.
 */

#include "hw/deny.h"

#include <stdlib.h>
#include <string.h>

#include "client/vencd.h"
#include "hw/words.h"

#define POLARIS(min, max)                                                                        \
	{.name = "amd-polaris-vce",                                                              \
		.vendor = 0x1002,                                                                \
		.device_min = (min),                                                             \
		.device_max = (max),                                                             \
		.driver = "amdgpu",                                                              \
		.kernel_min = "6.6",                                                             \
		.codec = VENCD_CODEC_H264,                                                       \
		.api = "vaapi",                                                                  \
		.reason = "its encode engine (VCE) hangs, and the reset loses all that the GPU " \
			  "holds",                                                               \
		.link = "https://github.com/lgse/strata/issues/127"}

const struct deny_row deny_rows[] = {
	/*
	 * The driver decodes, by NVDEC: there is no entrypoint to encode with. What encodes on
	 * these GPUs is NVENC. Two pull requests, 427 and 438, would add encoding; a driver that
	 * has one of them makes this row a matter of its version.
	 */
	{
		.name = "nvidia-vaapi-decodes-only",
		.vendor = 0x10de,
		.driver = "nvidia",
		.api = "vaapi",
		.reason = "NVIDIA's VA-API driver only decodes",
		.link = "https://github.com/elFarto/nvidia-vaapi-driver/issues/116",
	},
	/*
	 * Polaris 10, 11 and 12, and the one of them that has an id of its own. H.264 is what VCE
	 * encodes there. Reported by four projects in August and September 2026 (also rustdesk
	 * 16324, flathub com.dec05eba.gpu_screen_recorder 382 and, with Linux 7.1.9, omarchy 9555);
	 * seen to work with 6.5.2 (rustdesk 5662). Which kernel or Mesa in between began it, nobody
	 * has said.
	 */
	POLARIS(0x67c0, 0x67df),
	POLARIS(0x67e0, 0x67ff),
	POLARIS(0x6980, 0x699f),
	POLARIS(0x6fdf, 0x6fdf),
	{0},
};

int deny_compare(const char *a, const char *b)
{
	for (;;) {
		char *rest_a, *rest_b;
		unsigned long x = strtoul(a, &rest_a, 10), y = strtoul(b, &rest_b, 10);

		if (rest_a == a || rest_b == b)
			return 0;
		if (x != y)
			return x < y ? -1 : 1;
		if (*rest_a != '.' || *rest_b != '.')
			return 0;
		a = rest_a + 1;
		b = rest_b + 1;
	}
}

static bool is_between(const char *version, const char *min, const char *max)
{
	if (!min && !max)
		return true;
	return version && *version && (!min || deny_compare(version, min) >= 0) &&
		(!max || deny_compare(version, max) <= 0);
}

static bool is_same(const char *wanted, const char *found)
{
	return !wanted || (found && strcmp(wanted, found) == 0);
}

static bool matches(const struct deny_row *row, const struct deny_subject *s)
{
	return (!row->vendor || row->vendor == s->vendor) && s->device >= row->device_min &&
		(!row->device_max || s->device <= row->device_max) &&
		(!row->codec || row->codec == s->codec) && is_same(row->driver, s->driver) &&
		is_same(row->api, s->api) &&
		is_between(s->driver_version, row->version_min, row->version_max) &&
		is_between(s->kernel, row->kernel_min, row->kernel_max);
}

const struct deny_row *deny_find(
	const struct deny_row *rows, const struct deny_subject *subject, const char *but)
{
	for (; rows->name; rows++)
		if (matches(rows, subject) && !words_have(but, rows->name))
			return rows;
	return NULL;
}

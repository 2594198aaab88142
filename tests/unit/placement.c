// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Placement among GPUs: by codec first, then by load, then software; who was passed over and why
 * stands in the result, and a request for hardware alone is refused with all of it.
 */

#include <string.h>

#include "daemon/placement.h"
#include "daemon/supervisor.h"
#include "tests/unit/check.h"

#define HD_60 (UINT64_C(1920) * 1080 * 60)

static struct supervisor sv;
static struct registry *registry = &sv.registry;

static struct encoder_entry *add(const char *encoder, struct gpu *gpu, enum device_state state)
{
	struct encoder_entry *e = &registry->entry[registry->entries++];

	*e = (struct encoder_entry){.registry = registry, .gpu = gpu};
	e->own = *encoder_limits_find(encoder);
	e->limits = &e->own;
	e->row.state = state;
	snprintf(e->row.device, sizeof(e->row.device), "%s", gpu ? gpu->id : "cpu");
	snprintf(
		e->name, sizeof(e->name), "%s%s%s", encoder, gpu ? " on " : "", gpu ? gpu->id : "");
	return e;
}

/* Two GPUs and the CPU. */
static void new_host(void)
{
	memset(&sv, 0, sizeof(sv));
	registry->supervisor = &sv;
	sv.config = (struct config){.hardware = true,
		.tainted_max = 9,
		.tombstones_max = 9,
		.leaked_threads_max = 9,
		.leaked_fds_max = 9,
		.leaked_bytes_max = 9,
		.daemon_tainted_max = 9,
		.daemon_tombstones_max = 9,
		.daemon_leaked_threads_max = 9,
		.daemon_leaked_fds_max = 9,
		.daemon_leaked_bytes_max = 9};
	registry->gpus = 2;
	strcpy(registry->gpu[0].id, "pci-0000:03:00.0");
	strcpy(registry->gpu[1].id, "pci-0000:04:00.0");
}

static struct placement choose(
	enum vencd_backend backend, enum placement_result expected, enum vencd_codec second)
{
	struct vencd_params request = VENCD_PARAMS_INIT;
	const struct placement_ask ask = {.request = &request, .threads = 1};
	struct placement p;

	request.codecs[0] = VENCD_CODEC_H264;
	request.codecs[1] = second;
	request.width = 1280;
	request.height = 720;
	request.format = VENCD_FORMAT_NV12;
	request.time_base = (struct vencd_rational){1, 30};
	request.frame_rate = (struct vencd_rational){30, 1};
	request.backend = backend;
	CHECK_EQUAL(placement_choose(registry, &ask, &p), expected);
	return p;
}

static bool is_rejected(const struct placement *p, const char *encoder, const char *why)
{
	for (unsigned i = 0; i < REPORT_REJECTED_MAX; i++)
		if (strstr(p->why.rejected[i], encoder) && strstr(p->why.rejected[i], why))
			return true;
	return false;
}

/* Load is what is asked for against what the device did, over all its encoders. */
static void test_load(void)
{
	struct encoder_entry *a, *b, *hevc;
	struct placement p;

	new_host();
	a = add("h264_vaapi", &registry->gpu[0], DEVICE_PROVEN);
	b = add("h264_vaapi", &registry->gpu[1], DEVICE_PROVEN);
	hevc = add("hevc_vaapi", &registry->gpu[0], DEVICE_PROVEN);
	add("libx264", NULL, DEVICE_PROVEN);

	p = choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0);
	CHECK(p.encoder == a); /* both idle: the order of their addresses */
	CHECK(strcmp(p.why.picked,
		      "preferred hardware encoder for h264, least busy GPU, load 0.0 %") == 0);
	CHECK(is_rejected(&p, "h264_vaapi on pci-0000:04:00.0", "load 0.0 %"));

	a->pixels_used = HD_60 / 2;
	p = choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0);
	CHECK(p.encoder == b);
	CHECK(is_rejected(&p, "h264_vaapi on pci-0000:03:00.0", "load 50.0 %"));

	/* The one that is ten times as fast is less busy with twice the work. */
	a->pixel_rate = 10 * HD_60;
	a->pixels_used = 2 * HD_60;
	b->pixels_used = HD_60;
	CHECK(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder == a);

	/* What its other encoders do is done by the same engine. */
	hevc->pixels_used = HD_60;
	CHECK(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder == b);

	/* Full devices still come before software. */
	b->pixels_used = 5 * HD_60;
	a->pixels_used = 90 * HD_60;
	CHECK(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder == b);
	p = choose(VENCD_BACKEND_SOFTWARE, PLACEMENT_FOUND, 0);
	CHECK(!p.encoder->gpu);
	CHECK(strcmp(p.why.picked, "preferred software encoder for h264") == 0);
	CHECK(choose(0, PLACEMENT_FOUND, 0).encoder == b); /* the default is any */
}

/* What has failed at work comes after what has not, whatever the load, and before software. */
static void test_demoted(void)
{
	struct encoder_entry *a, *b;
	struct placement p;

	new_host();
	a = add("h264_vaapi", &registry->gpu[0], DEVICE_DEGRADED);
	b = add("h264_vaapi", &registry->gpu[1], DEVICE_PROVEN);
	add("libx264", NULL, DEVICE_PROVEN);
	a->demoted = true;
	b->pixels_used = 5 * HD_60;
	p = choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0);
	CHECK(p.encoder == b);
	CHECK(is_rejected(&p, "h264_vaapi on pci-0000:03:00.0", "demoted"));

	b->demoted = true;
	CHECK(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder == a);
	a->demoted = false;
	a->pixels_used = 50 * HD_60;
	CHECK(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder == a);

	b->row.state = DEVICE_BROKEN;
	a->demoted = true;
	CHECK(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder == a);
}

/* Where none has the codec, the refusal names those that some encoder has. */
static void test_alternatives(void)
{
	struct placement p;

	new_host();
	add("vp9_vaapi", &registry->gpu[0], DEVICE_PROVEN);
	add("vp9_vaapi", &registry->gpu[1], DEVICE_PROVEN);
	add("av1_vaapi", &registry->gpu[0], DEVICE_UNSUPPORTED);
	add("libx265", NULL, DEVICE_PROVEN);
	add("null", NULL, DEVICE_PROVEN);
	p = choose(VENCD_BACKEND_ANY, PLACEMENT_REFUSED, 0);
	CHECK(strstr(p.refusal.advice, "codecs (vp9, hevc) or"));
	p = choose(VENCD_BACKEND_HARDWARE, PLACEMENT_REFUSED, 0);
	CHECK(strstr(p.refusal.advice, "codecs (vp9) or"));
	p = choose(VENCD_BACKEND_SOFTWARE, PLACEMENT_REFUSED, VENCD_CODEC_VP9);
	CHECK(strstr(p.refusal.advice, "codecs (hevc) or"));
}

/* The codec that the client prefers, be it in software, before another one in hardware. */
static void test_codec_first(void)
{
	struct placement p;

	new_host();
	add("hevc_vaapi", &registry->gpu[0], DEVICE_PROVEN);
	add("libx264", NULL, DEVICE_PROVEN);
	p = choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, VENCD_CODEC_HEVC);
	CHECK(strcmp(p.encoder->name, "libx264") == 0);
	p = choose(VENCD_BACKEND_HARDWARE, PLACEMENT_FOUND, VENCD_CODEC_HEVC);
	CHECK(strcmp(p.encoder->name, "hevc_vaapi on pci-0000:03:00.0") == 0);
	CHECK(strstr(p.why.picked, "first usable hardware encoder for hevc"));
}

/* A GPU that is not known yet is waited for where no other can do it, be there software. */
static void test_waiting(void)
{
	struct encoder_entry *a, *b;
	struct placement p;

	new_host();
	a = add("h264_vaapi", &registry->gpu[0], DEVICE_UNTESTED);
	b = add("h264_vaapi", &registry->gpu[1], DEVICE_BROKEN);
	add("libx264", NULL, DEVICE_PROVEN);
	choose(VENCD_BACKEND_ANY, PLACEMENT_WAIT, 0);
	b->row.state = DEVICE_DEGRADED;
	p = choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0);
	CHECK(p.encoder == b);
	CHECK(is_rejected(&p, "h264_vaapi on pci-0000:03:00.0", "its probe has not ended"));
	a->row.state = DEVICE_BROKEN;
	b->row.state = DEVICE_QUARANTINED;
	CHECK(strcmp(choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0).encoder->name, "libx264") == 0);
}

/* What the device itself does not take is no reason to try it. */
static void test_own_reach(void)
{
	struct encoder_entry *a;
	struct placement p;

	new_host();
	a = add("h264_vaapi", &registry->gpu[0], DEVICE_DEGRADED);
	a->own.reach.max_width = 640;
	add("libx264", NULL, DEVICE_PROVEN);
	p = choose(VENCD_BACKEND_ANY, PLACEMENT_FOUND, 0);
	CHECK(!p.encoder->gpu);
	CHECK(is_rejected(&p, "h264_vaapi on pci-0000:03:00.0", ""));
}

static void test_refusal(void)
{
	struct encoder_entry *a, *b;
	struct placement p;

	new_host();
	a = add("h264_vaapi", &registry->gpu[0], DEVICE_NOT_PERMITTED);
	b = add("h264_vaapi", &registry->gpu[1], DEVICE_DISABLED);
	add("libx264", NULL, DEVICE_PROVEN);
	strcpy(a->row.detail, "uid 998 may not open /dev/dri/renderD128");
	strcpy(b->row.detail, "on the deny-list");
	p = choose(VENCD_BACKEND_HARDWARE, PLACEMENT_REFUSED, 0);
	CHECK_EQUAL(p.error, WIRE_ERROR_NO_ENCODER);
	CHECK(strcmp(p.refusal.reason,
		      "h264_vaapi on pci-0000:03:00.0: uid 998 may not open "
		      "/dev/dri/renderD128; h264_vaapi on pci-0000:04:00.0: on the deny-list") ==
		0);

	new_host();
	registry->gpus = 0;
	add("libx264", NULL, DEVICE_PROVEN);
	p = choose(VENCD_BACKEND_HARDWARE, PLACEMENT_REFUSED, 0);
	CHECK(strstr(p.refusal.reason, "the daemon sees no GPU"));
	sv.config.hardware = false;
	p = choose(VENCD_BACKEND_HARDWARE, PLACEMENT_REFUSED, 0);
	CHECK(strstr(p.refusal.reason, "Hardware=no"));
}

/* Of a host full of GPUs, whole reasons as far as they go, and how many more there are. */
static void test_many(void)
{
	struct placement p;

	new_host();
	for (size_t i = 0; i < GPUS_MAX; i++) {
		struct encoder_entry *e = add("h264_vaapi", &registry->gpu[i], DEVICE_BROKEN);

		memset(e->name, 'n', sizeof(e->name) - 1);
		memset(e->row.detail, 'd', sizeof(e->row.detail) - 1);
	}
	p = choose(VENCD_BACKEND_HARDWARE, PLACEMENT_REFUSED, 0);
	for (unsigned i = 0; i < REPORT_REJECTED_MAX; i++)
		CHECK_EQUAL(strlen(p.why.rejected[i]), 46 + 2 + 111);
	CHECK_EQUAL(strlen(p.refusal.reason), 46 + 2 + 111 + strlen("; and 15 more"));
	CHECK(strstr(p.refusal.reason, "; and 15 more"));
}

int main(void)
{
	test_load();
	test_demoted();
	test_codec_first();
	test_alternatives();
	test_waiting();
	test_own_reach();
	test_refusal();
	test_many();
	return 0;
}

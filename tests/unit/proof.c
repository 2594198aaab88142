// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Proof, as far as it is pure: which cases prove a claim and what their failures cost, and that the
 * picture shows every mistake that a probe must see.
 */

#include <stdlib.h>
#include <string.h>

#include "daemon/proof.h"
#include "daemon/worker/proof_cases.h"
#include "daemon/worker/proof_picture.h"
#include "tests/unit/check.h"

static struct proof_list list;
static struct encoder_limits limits;

static void list_of(const char *encoder, enum proof_depth depth)
{
	limits = *encoder_limits_find(encoder);
	proof_list_cases(&limits, depth, &list);
}

static int find(const char *name)
{
	for (unsigned i = 0; i < list.n; i++)
		if (strcmp(list.cases[i].name, name) == 0)
			return (int)i;
	return -1;
}

static unsigned at(const char *name)
{
	if (find(name) < 0)
		fprintf(stderr, "no case %s\n", name);
	CHECK(find(name) >= 0);
	return (unsigned)find(name);
}

/* --- the list --- */

static void check_base(void)
{
	list_of("libx264", PROOF_DEPTH_BASE);
	CHECK_EQUAL(list.n, 1);
	CHECK(strcmp(list.cases[0].name, "base") == 0);
	CHECK_EQUAL(list.cases[0].width, 640);
	CHECK_EQUAL(list.cases[0].frames, 30);
	CHECK_EQUAL(list.cases[0].b_frames, 0);
	CHECK(list.cases[0].forced > 0);
	limits.reach.max_width = 320;
	proof_list_cases(&limits, PROOF_DEPTH_ALL, &list);
	CHECK_EQUAL(list.n, 0);
}

static void check_all(void)
{
	static const char *const order[] = {"base", "vbr", "cbr", "quality live", "cbr live",
		"1920x1080", "cbr 1920x1080", "2x2", "160x64", "b-frames", "10 bit", "3840x2160",
		"8192x8192"};

	list_of("libx264", PROOF_DEPTH_ALL);
	for (unsigned i = 1; i < sizeof(order) / sizeof(order[0]); i++)
		CHECK(at(order[i - 1]) < at(order[i]));
	CHECK(list.n <= PROOF_CASES_MAX);
	for (unsigned i = 0; i < list.n; i++) {
		struct encoder_params params;

		CHECK(list.cases[i].frames <= PROOF_FRAMES_MAX);
		CHECK(list.cases[i].forced < list.cases[i].frames);
		CHECK(proof_case_params(&limits, &list.cases[i], &params));
		CHECK(proof_is_wanted(&list, i, &limits.reach) ||
			list.cases[i].subject == PROOF_SMALLER);
	}
	CHECK(proof_is_wanted(&list, at("2x2"), &limits.reach));
	CHECK(!proof_is_wanted(&list, at("160x64"), &limits.reach));
}

/* What is not claimed is not tried; what there is only with B frames is tried with them. */
static void check_claims(void)
{
	list_of("svtav1", PROOF_DEPTH_ALL);
	CHECK(find("capped_vbr") < 0 && find("vbr live") < 0);
	CHECK_EQUAL(list.cases[at("vbr")].b_frames, 1);
	CHECK_EQUAL(list.cases[at("cbr")].b_frames, 0);
	limits.reach.b_frames = 0;
	limits.reach.formats = 1u << VENCD_FORMAT_NV12;
	limits.reach.max_width = 1920;
	limits.reach.max_height = 1080;
	proof_list_cases(&limits, PROOF_DEPTH_ALL, &list);
	CHECK(find("b-frames") < 0 && find("10 bit") < 0 && find("3840x2160") < 0);
	CHECK(find("vbr") < 0);
	CHECK_EQUAL(list.cases[at("1920x1080")].format, VENCD_FORMAT_NV12);
	limits.reach.min_width = 145;
	limits.reach.min_height = 49;
	limits.reach.size_multiple = 16;
	proof_list_cases(&limits, PROOF_DEPTH_ALL, &list);
	CHECK(at("160x64") < at("256x144"));
	CHECK(find("1920x1080") < 0);
	CHECK_EQUAL(list.cases[at("1920x1072")].subject, PROOF_LARGER);
}

/* Whatever a driver claims, the list is within its bounds. */
static void check_odd_claims(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		limits = encoder_catalogue[rand() % 4];
		limits.reach.max_width = (uint32_t)rand() % 10000;
		limits.reach.max_height = i % 9 ? (uint32_t)rand() % 10000 : UINT32_MAX;
		limits.reach.min_width = (uint32_t)rand() % 700;
		limits.reach.min_height = (uint32_t)rand() % 400;
		limits.reach.size_multiple = 1 + (uint32_t)rand() % 64;
		limits.reach.formats = (uint32_t)rand() % 64;
		limits.reach.rate_controls[1] = (uint32_t)rand() % 64;
		limits.reach.rate_controls[2] = (uint32_t)rand() % 64;
		limits.reach.b_frames = (uint32_t)rand() % 8;
		proof_list_cases(&limits, PROOF_DEPTH_ALL, &list);
		CHECK(list.n <= PROOF_CASES_MAX);
		for (unsigned j = 0; j < list.n; j++)
			CHECK(list.cases[j].width && list.cases[j].height &&
				list.cases[j].frames <= PROOF_FRAMES_MAX);
	}
}

/* --- what failures cost --- */

static void settle(const char *name, bool passed)
{
	proof_settle(&list, at(name), passed, &limits.reach);
}

static bool wanted(const char *name)
{
	return proof_is_wanted(&list, at(name), &limits.reach);
}

static void check_costs(void)
{
	const struct encoder_reach *reach = &limits.reach;

	list_of("libx264", PROOF_DEPTH_ALL);
	settle("cbr", true);
	settle("vbr live", false);
	CHECK(!(reach->rate_controls[VENCD_LATENCY_LIVE] & 1u << VENCD_RATE_VBR));
	CHECK(reach->rate_controls[VENCD_LATENCY_FILE] & 1u << VENCD_RATE_VBR);
	settle("cbr", false);
	CHECK(!(reach->rate_controls[VENCD_LATENCY_FILE] & 1u << VENCD_RATE_CBR));
	CHECK(!wanted("cbr 1920x1080") && wanted("vbr 1920x1080"));
	settle("b-frames", false);
	CHECK_EQUAL(reach->b_frames, 0);
	settle("10 bit", false);
	CHECK_EQUAL(reach->formats, 1u << VENCD_FORMAT_I420 | 1u << VENCD_FORMAT_NV12);
	CHECK_EQUAL(reach->formats_converted, 0);
}

static void check_sizes(void)
{
	const struct encoder_reach *reach = &limits.reach;

	list_of("libx264", PROOF_DEPTH_ALL);
	settle("2x2", false);
	CHECK_EQUAL(reach->min_width, 640);
	CHECK(wanted("160x64"));
	settle("160x64", true);
	CHECK_EQUAL(reach->min_width, 160);
	CHECK_EQUAL(reach->min_height, 64);
	CHECK(!wanted("256x144"));
	settle("1920x1080", true);
	settle("3840x2160", true);
	settle("8192x8192", false);
	CHECK_EQUAL(reach->max_width, 3840);
	CHECK_EQUAL(reach->max_height, 2160);

	list_of("libx264", PROOF_DEPTH_ALL);
	settle("3840x2160", false);
	CHECK_EQUAL(reach->max_width, 1920);
	CHECK(!wanted("8192x8192"));

	list_of("libx264", PROOF_DEPTH_ALL);
	settle("1920x1080", false);
	CHECK_EQUAL(reach->max_width, 640);
	CHECK_EQUAL(reach->max_height, 368);
	CHECK(!wanted("3840x2160") && !wanted("vbr 1920x1080") && wanted("10 bit"));
}

/* --- what the supervisor makes of it --- */

/* Tells of a case that begins and ends so. */
static void tell(struct proof *proof, const char *name, enum encoder_status status)
{
	struct proof_evidence e = {.state = PROOF_RUNNING};

	snprintf(e.asked.name, sizeof(e.asked.name), "%s", name);
	CHECK_EQUAL(proof_note(proof, &e), 0);
	e.state = status == ENCODER_OK ? PROOF_PASSED : PROOF_FAILED;
	e.status = status;
	CHECK_EQUAL(proof_note(proof, &e), 0);
}

/* Want of something is told from what cannot be done. */
static void check_refused(void)
{
	static struct proof proof;
	char lacks[64];

	tell(&proof, "base", ENCODER_OK);
	CHECK(!proof_refused(&proof));
	tell(&proof, "vbr", ENCODER_LIBRARY);
	tell(&proof, "cbr", ENCODER_WRONG_OUTPUT);
	CHECK(!proof_refused(&proof));
	tell(&proof, "10 bit", ENCODER_BUSY);
	tell(&proof, "3840x2160", ENCODER_NO_MEMORY);
	CHECK(proof_refused(&proof) == &proof.cases[3]);
	CHECK(proof_lacks(&proof, lacks, sizeof(lacks)));
	CHECK(strstr(lacks, "10 bit (busy)"));
	proof.cases[3].state = PROOF_PASSED;
	CHECK(proof_refused(&proof) == &proof.cases[4]);
}

/* --- the picture --- */

#define FRAMES PROOF_FRAMES_MAX

static struct plane_layout layout;
static uint8_t *pool;

static void draw(uint32_t width, uint32_t height, uint32_t format)
{
	CHECK_EQUAL(plane_layout_init(&layout, width, height, format, FRAMES, 1), 0);
	pool = realloc(pool, plane_pool_size(&layout));
	CHECK(pool);
	for (uint32_t i = 0; i < FRAMES; i++)
		proof_picture_draw(&layout, pool + i * layout.slot_size, i);
}

static struct proof_planes planes_of(uint32_t frame)
{
	struct proof_planes p = {.width = layout.width,
		.height = layout.height,
		.deep = layout.format == VENCD_FORMAT_I010};

	for (unsigned i = 0; i < 3; i++) {
		p.data[i] = pool + frame * layout.slot_size + layout.offset[i];
		p.stride[i] = (int)layout.stride[i];
	}
	return p;
}

/* A frame is like itself and like no other; a probe asks for 27 dB. */
static void check_distances(uint32_t width, uint32_t height, uint32_t format, uint32_t most)
{
	uint32_t nearest = 0;

	draw(width, height, format);
	for (uint32_t i = 0; i < FRAMES; i++)
		for (uint32_t j = 0; j < FRAMES; j++) {
			struct proof_planes p = planes_of(i);
			uint32_t psnr = proof_picture_psnr(&p, j);

			if (i == j)
				CHECK_EQUAL(psnr, PROOF_PSNR_EQUAL);
			else if (psnr > nearest)
				nearest = psnr;
		}
	if (nearest >= most)
		fprintf(stderr, "%ux%u: %u\n", width, height, nearest);
	CHECK(nearest < most);
}

/* What drivers do to pictures. */
static void check_mistakes(void)
{
	struct proof_planes p;
	uint8_t *row;

	draw(640, 368, VENCD_FORMAT_I420);
	p = planes_of(3);
	p.data[1] = planes_of(3).data[2];
	p.data[2] = planes_of(3).data[1];
	CHECK(proof_picture_psnr(&p, 3) < 2300); /* chroma swapped */
	p = planes_of(3);
	p.data[1] = planes_of(2).data[1];
	CHECK(proof_picture_psnr(&p, 3) < 2700); /* chroma of the frame before */
	row = pool + 3 * layout.slot_size + layout.offset[0] + 100 * layout.stride[0];
	memset(row, 128, 64 * layout.stride[0]);
	p = planes_of(3);
	CHECK(proof_picture_psnr(&p, 3) < 2700); /* a part that was never encoded */
}

/* The same samples, whatever the layout. */
static void check_layouts(void)
{
	static uint8_t semi[1 << 20];
	struct plane_layout l;

	for (unsigned deep = 0; deep < 2; deep++) {
		uint32_t n = 0;

		draw(66, 34, deep ? VENCD_FORMAT_I010 : VENCD_FORMAT_I420);
		CHECK_EQUAL(plane_layout_init(
				    &l, 66, 34, deep ? VENCD_FORMAT_P010 : VENCD_FORMAT_NV12, 1, 1),
			0);
		proof_picture_draw(&l, semi, 5);
		for (uint32_t y = 0; y < 17; y++)
			for (uint32_t x = 0; x < 66; x++, n++) {
				const uint8_t *planar = planes_of(5).data[1 + x % 2] +
					y * layout.stride[1] + (x / 2 << deep);
				const uint8_t *both = semi + l.offset[1] + y * l.stride[1] +
					(x << deep);

				CHECK_EQUAL(deep ? *(const uint16_t *)both : *both,
					deep ? *(const uint16_t *)planar << 6 : *planar);
			}
		CHECK_EQUAL(n, 66 * 17);
	}
}

int main(void)
{
	check_base();
	check_all();
	check_claims();
	check_odd_claims();
	check_costs();
	check_sizes();
	check_refused();
	check_distances(640, 368, VENCD_FORMAT_I420, 2000);
	check_distances(640, 368, VENCD_FORMAT_I010, 2000);
	check_distances(64, 64, VENCD_FORMAT_I420, 2000);
	check_distances(160, 64, VENCD_FORMAT_I420, 2000);
	check_distances(16, 16, VENCD_FORMAT_I420, 2600);
	check_distances(256, 144, VENCD_FORMAT_I420, 2000);
	check_mistakes();
	check_layouts();
	free(pool);
	return 0;
}

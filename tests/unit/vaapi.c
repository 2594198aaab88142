// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What of VA-API needs no driver: what its statuses mean, what a device's claims make of the reach,
 * the plan, and temporal units. The contract suite encodes, on emulated devices.
 */

#include <errno.h>
#include <string.h>

#include "hw/plan_vaapi.h"
#include "hw/temporal_unit.h"
#include "hw/va_reach.h"
#include "hw/va_status.h"
#include "tests/unit/check.h"

/* --- statuses --- */

static const struct {
	const char *name;
	VAStatus va;
} known[] = {
#define VA_STATUS(name) {#name, (VAStatus)(name)},
#include "va_statuses.inc"
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static unsigned rows_of(VAStatus va)
{
	unsigned n = 0;

	for (size_t i = 0; i < va_status_count; i++)
		n += va_status_rows[i].va == va;
	return n;
}

/*
 * Each that libva defines has its row, and a class that fits: none but success is no error, and a
 * driver's refusal neither ends the session nor condemns the device.
 */
static void check_every_status(void)
{
	CHECK_EQUAL(va_status_count, KNOWN);
	for (size_t i = 0; i < KNOWN; i++) {
		enum encoder_class class = encoder_status_class(va_status(known[i].va));

		if (rows_of(known[i].va) != 1)
			fprintf(stderr, "%s has not exactly one row\n", known[i].name);
		CHECK_EQUAL(rows_of(known[i].va), 1);
		if (known[i].va == VA_STATUS_SUCCESS)
			CHECK_EQUAL(class, ENCODER_CLASS_NONE);
		else
			CHECK(class == ENCODER_CLASS_RETRY || class == ENCODER_CLASS_FAILOVER);
	}
	CHECK_EQUAL(va_status(0x7777), ENCODER_LIBRARY);
}

static void check_statuses_by_name(void)
{
	CHECK_EQUAL(va_status(VA_STATUS_ERROR_ALLOCATION_FAILED), ENCODER_NO_MEMORY);
	CHECK_EQUAL(va_status(VA_STATUS_ERROR_HW_BUSY), ENCODER_BUSY);
	CHECK_EQUAL(va_status(VA_STATUS_ERROR_MAX_NUM_EXCEEDED), ENCODER_BUSY);
	CHECK_EQUAL(va_status(VA_STATUS_ERROR_UNSUPPORTED_PROFILE), ENCODER_ABSENT);
	CHECK_EQUAL(va_status(VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED), ENCODER_ABSENT);
	CHECK_EQUAL(va_status(VA_STATUS_ERROR_ENCODING_ERROR), ENCODER_LIBRARY);
}

/* Every status is found in a line as libavcodec writes it; the last one where there are two. */
static void check_statuses_in_text(void)
{
	char text[256];

	for (size_t i = 0; i < KNOWN; i++) {
		snprintf(text, sizeof(text), "h264_vaapi: Failed to end picture: %d (%s).",
			known[i].va, vaErrorStr(known[i].va));
		CHECK_EQUAL(va_status_in(text), known[i].va);
	}
	CHECK_EQUAL(va_status_in(""), VA_STATUS_SUCCESS);
	CHECK_EQUAL(va_status_in("Failed: 2 (operation failed)"), VA_STATUS_SUCCESS);
	CHECK_EQUAL(va_status_in("12 (operation failed)"), VA_STATUS_SUCCESS);
	snprintf(text, sizeof(text), "one: 2 (%s); other: 1 (%s)",
		vaErrorStr(VA_STATUS_ERROR_ALLOCATION_FAILED),
		vaErrorStr(VA_STATUS_ERROR_OPERATION_FAILED));
	CHECK_EQUAL(va_status_in(text), VA_STATUS_ERROR_OPERATION_FAILED);
	snprintf(text, sizeof(text), "one: 1 (%s); other: 2 (%s)",
		vaErrorStr(VA_STATUS_ERROR_OPERATION_FAILED),
		vaErrorStr(VA_STATUS_ERROR_ALLOCATION_FAILED));
	CHECK_EQUAL(va_status_in(text), VA_STATUS_ERROR_ALLOCATION_FAILED);
}

/* --- reach --- */

#define FORMAT(name) (1u << VENCD_FORMAT_##name)
#define RATE(name) (1u << VENCD_RATE_##name)
#define FORMATS_8 (FORMAT(NV12) | FORMAT(I420))
#define FORMATS_10 (FORMAT(P010) | FORMAT(I010))

static struct va_claim a_claim(uint32_t rt_formats)
{
	return (struct va_claim){
		.rt_formats = rt_formats,
		.rate_controls = VA_RC_CQP | VA_RC_CBR | VA_RC_VBR,
		.references = 1 | 1 << 16,
		.directions = VA_ATTRIB_NOT_SUPPORTED,
		.qualities = 7,
		.max_width = 4096,
		.max_height = 2304,
		.packed_headers = VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_SLICE,
	};
}

/* A device with these claims, either NULL; false where nothing is left of the encoder. */
static bool narrow(
	const struct va_claim *deep_8, const struct va_claim *deep_10, struct encoder_limits *ret)
{
	const struct va_claim *const claims[VA_DEPTHS] = {deep_8, deep_10};

	*ret = *encoder_limits_find("hevc_vaapi");
	return va_narrow(&ret->reach, claims);
}

#define HEADER(name) (1u << ENCODER_HEADER_##name)

static void check_headers(void)
{
	struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420), c10 = a_claim(VA_RT_FORMAT_YUV420_10);
	struct encoder_limits l;

	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(l.reach.packed_headers, HEADER(SEQUENCE) | HEADER(SLICE));
	c10.packed_headers = VA_ENC_PACKED_HEADER_SLICE | VA_ENC_PACKED_HEADER_RAW_DATA;
	CHECK(narrow(&c8, &c10, &l));
	CHECK_EQUAL(l.reach.packed_headers, HEADER(SLICE));
	c8.packed_headers = VA_ATTRIB_NOT_SUPPORTED; /* it writes them itself */
	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(l.reach.packed_headers, 0);
	c8.packed_headers = 0x7fffffff; /* of which there are some that nobody knows */
	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(
		l.reach.packed_headers, encoder_limits_find("hevc_vaapi")->reach.packed_headers);
}

static void check_formats(void)
{
	struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420), c10 = a_claim(VA_RT_FORMAT_YUV420_10);
	struct encoder_limits l;

	CHECK(narrow(&c8, &c10, &l));
	CHECK_EQUAL(l.reach.formats | l.reach.formats_converted, FORMATS_8 | FORMATS_10);
	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(l.reach.formats | l.reach.formats_converted, FORMATS_8);
	CHECK_EQUAL(l.reach.formats, FORMAT(NV12));
	CHECK(narrow(NULL, &c10, &l));
	CHECK_EQUAL(l.reach.formats | l.reach.formats_converted, FORMATS_10);
	CHECK(narrow(&c8, &c8, &l)); /* a profile for 10 bit whose surfaces have 8 */
	CHECK_EQUAL(l.reach.formats, FORMAT(NV12));
	CHECK(!narrow(NULL, NULL, &l));
	c8.rt_formats = VA_ATTRIB_NOT_SUPPORTED;
	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(l.reach.formats, FORMAT(NV12));
}

static void check_rate_controls(void)
{
	const struct {
		uint32_t claimed, rates;
	} cases[] = {
		{VA_RC_CQP, RATE(QUALITY)},
		{VA_ATTRIB_NOT_SUPPORTED, RATE(QUALITY)},
		{VA_RC_CBR, RATE(CBR)},
		{VA_RC_VBR, RATE(VBR) | RATE(CAPPED_VBR)},
		{VA_RC_CQP | VA_RC_CBR | VA_RC_ICQ, RATE(QUALITY) | RATE(CBR)},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420);
		struct encoder_limits l;

		c8.rate_controls = cases[i].claimed;
		CHECK(narrow(&c8, NULL, &l));
		CHECK_EQUAL(l.reach.rate_controls[VENCD_LATENCY_FILE], cases[i].rates);
		CHECK_EQUAL(l.reach.rate_controls[VENCD_LATENCY_LIVE], cases[i].rates);
	}
}

/* What one depth has and the other has not, the encoder has not. */
static void check_both_depths(void)
{
	struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420), c10 = a_claim(VA_RT_FORMAT_YUV420_10);
	struct encoder_limits l;

	c8.rate_controls = VA_RC_CQP | VA_RC_CBR;
	c10.rate_controls = VA_RC_CQP | VA_RC_VBR;
	c10.references = 1;
	c10.max_width = 2048;
	CHECK(narrow(&c8, &c10, &l));
	CHECK_EQUAL(l.reach.rate_controls[VENCD_LATENCY_FILE], RATE(QUALITY));
	CHECK_EQUAL(l.reach.b_frames, 0);
	CHECK_EQUAL(l.reach.max_width, 2048);
	CHECK_EQUAL(l.reach.max_height, 2304);
	c8.rate_controls = VA_RC_CBR;
	c10.rate_controls = VA_RC_VBR;
	CHECK(!narrow(&c8, &c10, &l));
}

static void check_b_frames(void)
{
	const uint32_t previous = VA_PREDICTION_DIRECTION_PREVIOUS,
		       future = VA_PREDICTION_DIRECTION_FUTURE,
		       both = VA_PREDICTION_DIRECTION_BI_NOT_EMPTY;
	const struct {
		uint32_t references, directions;
		bool usable, b_frames;
	} cases[] = {
		{1 | 1 << 16, VA_ATTRIB_NOT_SUPPORTED, true, true},
		{1, VA_ATTRIB_NOT_SUPPORTED, true, false},
		{0, VA_ATTRIB_NOT_SUPPORTED, false, false},
		{VA_ATTRIB_NOT_SUPPORTED, VA_ATTRIB_NOT_SUPPORTED, false, false},
		{1 | 1 << 16, previous | future, true, true},
		{1 | 1 << 16, previous, true, false},        /* both lists are the same */
		{1 | 1 << 16, previous | both, true, false}, /* Intel's low-power encoders */
		{1, previous | future, false, false},        /* contradicts itself */
		{1 | 1 << 16, future, false, false},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420);
		struct encoder_limits l;

		c8.references = cases[i].references;
		c8.directions = cases[i].directions;
		CHECK_EQUAL(narrow(&c8, NULL, &l), cases[i].usable);
		if (cases[i].usable)
			CHECK_EQUAL(l.reach.b_frames != 0, cases[i].b_frames);
	}
}

static void check_sizes(void)
{
	struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420);
	struct encoder_limits l;

	c8.surface_min_width = 145;
	c8.surface_min_height = 8;
	c8.surface_max_width = 2049;
	c8.surface_max_height = 16384;
	c8.max_height = VA_ATTRIB_NOT_SUPPORTED;
	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(l.reach.min_width, 146); /* even, and no less */
	CHECK_EQUAL(l.reach.min_height, 16);
	CHECK_EQUAL(l.reach.max_width, 2048);
	CHECK_EQUAL(l.reach.max_height, VENCD_SIZE_MAX);
	c8.surface_min_width = 4096;
	CHECK(!narrow(&c8, NULL, &l));
}

static struct vencd_params a_picture(uint32_t codec)
{
	struct vencd_params request = VENCD_PARAMS_INIT;

	request.codecs[0] = codec;
	request.width = 1920;
	request.height = 1080;
	request.format = VENCD_FORMAT_I420;
	request.time_base = (struct vencd_rational){1, 25};
	return request;
}

/* A request is refused by what the device has not, though the catalogue has it. */
static void check_request(void)
{
	struct vencd_params request = a_picture(VENCD_CODEC_HEVC);
	struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420);
	struct encoder_limits l;
	struct vencd_refusal refusal;
	struct encoder_params params;

	c8.references = 1;
	c8.rate_controls = VA_RC_CQP;
	CHECK(narrow(&c8, NULL, &l));
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), 0);
	CHECK_EQUAL(params.request.b_frames, 0);
	request.b_frames = 1;
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), -EOPNOTSUPP);
	CHECK(!strcmp(refusal.parameter, "bFrames"));
	request.b_frames = -1;
	request.format = VENCD_FORMAT_P010;
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), -EOPNOTSUPP);
	CHECK(!strcmp(refusal.parameter, "format"));
	request.format = VENCD_FORMAT_NV12;
	request.bitrate = 1000000;
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), -EOPNOTSUPP);
	CHECK(!strcmp(refusal.parameter, "rateControl"));
	CHECK(!strcmp(refusal.alternatives, "quality"));
	request.bitrate = 0;
	request.width = 4098;
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), -EOPNOTSUPP);
	CHECK(!strcmp(refusal.parameter, "width, height"));
}

/* AV1 and VP9 have no B frames, whatever their driver claims. */
static void check_no_b_frames(const char *name)
{
	const struct va_claim c8 = a_claim(VA_RT_FORMAT_YUV420);
	const struct va_claim *const claims[VA_DEPTHS] = {&c8, NULL};
	struct encoder_limits l = *encoder_limits_find(name);
	struct vencd_params request = a_picture(l.codec);
	struct vencd_refusal refusal;
	struct encoder_params params;

	CHECK(va_narrow(&l.reach, claims));
	CHECK_EQUAL(l.reach.b_frames, 0);
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), 0);
	CHECK_EQUAL(params.request.b_frames, 0);
	request.b_frames = 1;
	CHECK_EQUAL(encoder_narrow(&l, &request, &params, &refusal), -EOPNOTSUPP);
	CHECK(!strcmp(refusal.parameter, "bFrames"));
	CHECK(!strcmp(refusal.alternatives, "0"));
}

/* --- plan --- */

static struct encoder_params a_request(uint32_t codec, uint32_t latency, int b_frames)
{
	struct encoder_params p = {.request = VENCD_PARAMS_INIT};

	p.request.codecs[0] = codec;
	p.request.latency = latency;
	p.request.b_frames = b_frames;
	p.request.gop = 125;
	p.request.speed = 8;
	p.request.rate_control = VENCD_RATE_QUALITY;
	p.request.quality = 30;
	return p;
}

static void check_delays(void)
{
	const struct {
		uint32_t codec, latency;
		int b_frames;
		uint32_t needs, reorder, group;
	} cases[] = {
		{VENCD_CODEC_H264, VENCD_LATENCY_LIVE, 0, 1, 0, 1},
		{VENCD_CODEC_AV1, VENCD_LATENCY_LIVE, 0, 1, 0, 1},
		{VENCD_CODEC_H264, VENCD_LATENCY_FILE, 0, 2, 0, 1},
		{VENCD_CODEC_H264, VENCD_LATENCY_FILE, 1, 6, 1, 3},
		{VENCD_CODEC_HEVC, VENCD_LATENCY_FILE, 1, 6, 1, 3},
		{VENCD_CODEC_AV1, VENCD_LATENCY_FILE, 0, 2, 0, 1},
		{VENCD_CODEC_VP9, VENCD_LATENCY_FILE, 0, 2, 0, 1},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct encoder_params p = a_request(
			cases[i].codec, cases[i].latency, cases[i].b_frames);
		struct encoder_info info = {0};
		struct vaapi_plan plan;

		vaapi_plan(&p, &plan);
		vaapi_plan_info(&plan, &info);
		CHECK_EQUAL(info.needs_frames, cases[i].needs);
		CHECK_EQUAL(info.reorder, cases[i].reorder);
		CHECK_EQUAL(info.group, cases[i].group);
		CHECK_EQUAL(info.async, 0);
	}
}

static int quantiser(uint32_t codec, int quality)
{
	struct encoder_params p = a_request(codec, VENCD_LATENCY_FILE, 0);
	struct vaapi_plan plan;

	p.request.quality = quality;
	vaapi_plan(&p, &plan);
	return plan.quantiser;
}

static void check_quantisers(void)
{
	CHECK_EQUAL(quantiser(VENCD_CODEC_H264, 0), 1);
	CHECK_EQUAL(quantiser(VENCD_CODEC_H264, 1), 1);
	CHECK_EQUAL(quantiser(VENCD_CODEC_HEVC, 51), 51);
	CHECK_EQUAL(quantiser(VENCD_CODEC_AV1, 0), 1); /* 0 is lossless */
	CHECK_EQUAL(quantiser(VENCD_CODEC_AV1, 35), 140);
	for (int quality = 1; quality <= 63; quality++)
		CHECK(quantiser(VENCD_CODEC_AV1, quality) >
			quantiser(VENCD_CODEC_AV1, quality - 1));
	CHECK_EQUAL(quantiser(VENCD_CODEC_AV1, 63), 255);
	for (int quality = 0; quality <= 63; quality++)
		CHECK_EQUAL(
			quantiser(VENCD_CODEC_VP9, quality), quantiser(VENCD_CODEC_AV1, quality));
}

static void check_speeds(void)
{
	int before = 0;

	for (int speed = 0; speed <= (int)VENCD_SPEED_MAX; speed++) {
		struct encoder_params p = a_request(VENCD_CODEC_H264, VENCD_LATENCY_FILE, 0);
		struct vaapi_plan plan, again;

		p.request.speed = speed;
		vaapi_plan(&p, &plan);
		CHECK(plan.level >= 1 && plan.level <= VAAPI_LEVELS && plan.level >= before);
		p.request.speed = plan.speed_used;
		vaapi_plan(&p, &again);
		CHECK_EQUAL(again.level, plan.level);
		CHECK_EQUAL(again.speed_used, plan.speed_used);
		before = plan.level;
	}
	for (uint32_t levels = 1; levels <= 100; levels++) {
		CHECK_EQUAL(vaapi_driver_level(1, levels), 1);
		CHECK_EQUAL(vaapi_driver_level(VAAPI_LEVELS, levels), levels);
	}
	CHECK_EQUAL(vaapi_driver_level(4, VAAPI_LEVELS), 4);
}

/* libavcodec makes whole per cents of it, downwards: the target must come out of that. */
static void check_max_rates(void)
{
	const struct {
		uint64_t bitrate, max_bitrate;
	} cases[] = {{300000, 450000}, {1000, 1000}, {1000000, 1999999}, {1000, 2000000000},
		{7777777, 7777778}, {2000000000, 2000000000}, {12345, 999999}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t target = cases[i].bitrate;
		uint64_t max = (uint64_t)vaapi_max_rate(target, cases[i].max_bitrate);
		uint64_t percent = target * 100 / max;

		CHECK(max <= cases[i].max_bitrate && max >= target);
		CHECK(max * percent / 100 <= target + 1);
		CHECK(max * percent / 100 + target / 50 + 1 >= target);
	}
}

/* --- temporal units --- */

/* A delimiter, a padding OBU of one byte, and a tile list without a size, which is the last. */
#define DELIMITER 0x12, 0x00
#define PADDING 0x7a, 0x01, 0x80
#define SIZELESS 0x40, 0xaa, 0xbb

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void expect_unit(const uint8_t *in, size_t in_size, const uint8_t *out, size_t out_size)
{
	struct temporal_unit unit = {0};
	const uint8_t *data = in;
	size_t size = in_size;

	CHECK_EQUAL(temporal_unit_make(&unit, &data, &size), 0);
	CHECK_EQUAL(size, out_size);
	CHECK(size == out_size && !memcmp(data, out, size));
	if (in_size == out_size && !memcmp(in, out, in_size))
		CHECK(data == in); /* not copied */
	temporal_unit_clear(&unit);
}

static void check_units(void)
{
	expect_unit(BYTES(DELIMITER, PADDING), BYTES(DELIMITER, PADDING));
	expect_unit(BYTES(PADDING, PADDING), BYTES(DELIMITER, PADDING, PADDING));
	expect_unit(
		BYTES(DELIMITER, PADDING, DELIMITER, PADDING), BYTES(DELIMITER, PADDING, PADDING));
	expect_unit(BYTES(PADDING, DELIMITER, SIZELESS), BYTES(DELIMITER, PADDING, SIZELESS));
	/* What is no row of OBUs is for whoever checks the packet. */
	expect_unit(BYTES(PADDING, 0x80, 0x00), BYTES(PADDING, 0x80, 0x00));
	expect_unit(BYTES(PADDING, 0x7a, 0x05, 0x00), BYTES(PADDING, 0x7a, 0x05, 0x00));
	expect_unit(BYTES(0x7a, 0x80), BYTES(0x7a, 0x80));
	expect_unit(BYTES(0x7e), BYTES(0x7e));
	expect_unit((const uint8_t *)"", 0, (const uint8_t *)"", 0);
}

int main(void)
{
	check_every_status();
	check_statuses_by_name();
	check_statuses_in_text();
	check_headers();
	check_formats();
	check_rate_controls();
	check_both_depths();
	check_b_frames();
	check_no_b_frames("av1_vaapi");
	check_no_b_frames("vp9_vaapi");
	check_sizes();
	check_request();
	check_delays();
	check_quantisers();
	check_speeds();
	check_max_rates();
	check_units();
	return 0;
}

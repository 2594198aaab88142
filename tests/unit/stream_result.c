// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* The outcome of an encode is never better than either of its halves; containers, their codecs. */

#include "client/stream/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/stream/container.h"
#include "tests/unit/check.h"

static struct stream_result settled(
	enum vencd_outcome session, enum delivery_error error, uint64_t frames, bool whole)
{
	struct stream_result result = {.opened = true};

	if (session) {
		result.report.outcome = session;
		result.report.json = "{}";
	}
	if (error)
		delivery_fail(&result.delivery, error, -EIO, "first");
	if (error)
		delivery_fail(&result.delivery, DELIVERY_INTERNAL, -EIO, "second");
	result.delivery.frames = frames;
	stream_result_settle(&result, whole);
	return result;
}

static void test_outcomes(void)
{
	static const struct {
		enum vencd_outcome session;
		enum delivery_error error;
		uint64_t frames;
		bool whole;
		enum vencd_outcome outcome;
	} rows[] = {
		{VENCD_OUTCOME_COMPLETE, DELIVERY_OK, 9, true, VENCD_OUTCOME_COMPLETE},
		{VENCD_OUTCOME_DEGRADED, DELIVERY_OK, 9, true, VENCD_OUTCOME_DEGRADED},
		{VENCD_OUTCOME_COMPLETE, DELIVERY_OK, 9, false, VENCD_OUTCOME_TRUNCATED},
		{VENCD_OUTCOME_COMPLETE, DELIVERY_OK, 0, false, VENCD_OUTCOME_FAILED},
		{VENCD_OUTCOME_COMPLETE, DELIVERY_INPUT_FAILED, 9, false, VENCD_OUTCOME_TRUNCATED},
		{VENCD_OUTCOME_COMPLETE, DELIVERY_INPUT_FAILED, 9, true, VENCD_OUTCOME_TRUNCATED},
		{VENCD_OUTCOME_COMPLETE, DELIVERY_STOPPED, 9, false, VENCD_OUTCOME_CANCELLED},
		{VENCD_OUTCOME_FAILED, DELIVERY_STOPPED, 0, false, VENCD_OUTCOME_FAILED},
		{VENCD_OUTCOME_TRUNCATED, DELIVERY_OK, 9, true, VENCD_OUTCOME_TRUNCATED},
		{VENCD_OUTCOME_CANCELLED, DELIVERY_OK, 9, true, VENCD_OUTCOME_CANCELLED},
		{VENCD_OUTCOME_INCOMPLETE, DELIVERY_OK, 9, true, VENCD_OUTCOME_FAILED},
		{0, DELIVERY_DAEMON_LOST, 9, true, VENCD_OUTCOME_TRUNCATED},
		{0, DELIVERY_DAEMON_LOST, 0, false, VENCD_OUTCOME_FAILED},
		{0, DELIVERY_OK, 9, true, VENCD_OUTCOME_TRUNCATED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stream_result result = settled(
			rows[i].session, rows[i].error, rows[i].frames, rows[i].whole);

		CHECK_EQUAL(result.outcome, rows[i].outcome);
		CHECK(stream_result_whole(&result) == (result.outcome <= VENCD_OUTCOME_DEGRADED));
		CHECK(!rows[i].error || strcmp(result.delivery.text, "first") == 0);
	}
}

static void test_json(void)
{
	struct stream_result result = settled(0, DELIVERY_OUTPUT_FAILED, 3, false);
	sd_json_variant *json = NULL, *delivery;

	CHECK(stream_result_json(&result, &json) >= 0);
	delivery = sd_json_variant_by_key(json, "delivery");
	CHECK(!sd_json_variant_by_key(json, "report"));
	CHECK(strcmp(sd_json_variant_string(sd_json_variant_by_key(delivery, "error")),
		      "output_failed") == 0);
	CHECK_EQUAL(sd_json_variant_unsigned(sd_json_variant_by_key(delivery, "frames")), 3);
	sd_json_variant_unref(json);
}

static void check_narrowed(
	const char *name, uint32_t a, uint32_t b, uint32_t first, uint32_t second)
{
	struct vencd_params params = {.codecs = {a, b}};

	CHECK_EQUAL(container_narrow(container_find(name), &params), 0);
	CHECK_EQUAL(params.codecs[0], first);
	CHECK_EQUAL(params.codecs[1], second);
}

static void test_containers(void)
{
	struct vencd_params params = {.codecs = {VENCD_CODEC_H264}};
	char list[400];

	CHECK(container_of_path("a/b.mkv") == container_find("mkv"));
	CHECK(container_of_path("a.mkv/b") == NULL);
	CHECK(container_of_path("mkv") == NULL);
	CHECK(container_of_path("a.avi") == NULL);
	CHECK(container_find("matroska") == container_find("mkv"));
	check_narrowed("ts", VENCD_CODEC_AV1, VENCD_CODEC_H264, VENCD_CODEC_H264, 0);
	check_narrowed("mkv", VENCD_CODEC_H264, VENCD_CODEC_AV1, VENCD_CODEC_H264, VENCD_CODEC_AV1);
	check_narrowed("mkv", 0, 0, VENCD_CODEC_AV1, VENCD_CODEC_HEVC);
	check_narrowed("webm", 0, 0, VENCD_CODEC_AV1, VENCD_CODEC_VP9);
	check_narrowed("ts", VENCD_CODEC_VP9, VENCD_CODEC_HEVC, VENCD_CODEC_HEVC, 0);
	check_narrowed("hevc", 0, 0, VENCD_CODEC_HEVC, 0);
	CHECK_EQUAL(container_narrow(container_find("webm"), &params), -EINVAL);
	CHECK_EQUAL(params.codecs[0], VENCD_CODEC_H264);
	CHECK(container_copies(container_find("mp4"), AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC));
	CHECK(!container_copies(container_find("mp4"), AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_SUBRIP));
	CHECK(!container_copies(container_find("mkv"), AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264));
	CHECK(!container_copies(container_find("ivf"), AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC));
	container_list(list, sizeof(list));
	CHECK(strstr(list, "ts (hevc, h264)"));
}

int main(void)
{
	test_outcomes();
	test_json();
	test_containers();
	return 0;
}

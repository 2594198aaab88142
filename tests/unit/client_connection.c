// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The library's control plane against a daemon that behaves, more or less: connecting, calls and
 * refusals, what is asked for, cancelling, answers that come late or not at all.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/client_fake.h"

static struct vencd *daemon_;
static struct vencd_session *session;

static void close_all(struct fake *fake)
{
	vencd_session_close(session);
	vencd_disconnect(daemon_);
	fake_stop(fake);
	session = NULL;
	daemon_ = NULL;
}

static void test_connect(void)
{
	struct vencd *d = NULL;
	char path[300];

	CHECK_EQUAL(vencd_connect(&d, "/tmp/vencd-there-is-none"), -ENOENT);
	snprintf(path, sizeof(path), "/tmp/%0250d", 1);
	CHECK_EQUAL(vencd_connect(&d, path), -ENOENT);
	CHECK_EQUAL(vencd_connect_fd(&d, -1), -EBADF);
	CHECK(d == NULL);
	vencd_disconnect(NULL);
}

static void test_call(void)
{
	struct fake fake = {0};
	char *json = NULL;

	fake_start(&fake);
	CHECK_EQUAL(setenv("VENCD_SOCKET", fake.path, 1), 0);
	CHECK_EQUAL(vencd_connect(&daemon_, NULL), 0);
	unsetenv("VENCD_SOCKET");
	CHECK_EQUAL(vencd_call(daemon_, "ListDevices", "{\"a\":1}", &json), 0);
	CHECK(strcmp(json, "{\"echo\":{\"a\":1}}") == 0);
	free(json);
	CHECK_EQUAL(vencd_call(daemon_, "NoSuch", NULL, &json), -EREMOTEIO);
	CHECK(strcmp(vencd_last_refusal(daemon_)->error, "org.varlink.service.MethodNotFound") ==
		0);
	CHECK(vencd_last_refusal(daemon_)->reason[0]);
	CHECK(vencd_call(daemon_, "ListDevices", "{", &json) < 0);
	close_all(&fake);
}

static void test_refusal(void)
{
	struct fake fake = {.fault = FAULT_REFUSE};
	struct vencd_params params = fake_params();
	const struct vencd_refusal *refusal;

	fake_start(&fake);
	CHECK_EQUAL(vencd_connect(&daemon_, fake.path), 0);
	CHECK(vencd_last_refusal(daemon_)->error[0] == '\0');
	CHECK_EQUAL(vencd_session_open(daemon_, &params, &session), -EREMOTEIO);
	refusal = vencd_last_refusal(daemon_);
	CHECK(strcmp(refusal->error, "io.vencd.Encoder.Unsupported") == 0);
	CHECK(strcmp(refusal->parameter, "width") == 0);
	CHECK(strcmp(refusal->value, "64") == 0);
	CHECK(strcmp(refusal->reason, "too narrow") == 0); /* no control characters */
	CHECK(strcmp(refusal->alternatives, "128 to 8192") == 0);
	CHECK(strcmp(refusal->advice, "scale it") == 0);
	close_all(&fake);
}

static bool has(const char *json, const char *text)
{
	if (!strstr(json, text))
		fprintf(stderr, "%s is not in %s\n", text, json);
	return strstr(json, text);
}

static struct vencd_params full_params(void)
{
	struct vencd_params params = fake_params();

	params.codecs[1] = VENCD_CODEC_H264;
	params.frame_rate = (struct vencd_rational){30000, 1001};
	params.rate_control = VENCD_RATE_CAPPED_VBR;
	params.quality = 0;
	params.bitrate = 5000000000;
	params.max_bitrate = 6000000000;
	params.speed = 0;
	params.gop = 60;
	params.b_frames = 0;
	params.latency = VENCD_LATENCY_LIVE;
	params.backend = VENCD_BACKEND_NULL;
	params.on_failure = VENCD_ON_FAILURE_FAIL;
	params.colour = (struct vencd_colour){9, 16, 9, 1, 1, {0}};
	params.hdr.max_content_light = 1000;
	params.hdr.display_primaries[1][0] = 13250;
	strcpy(params.label, "a \"label\"");
	strcpy(params.null_script, "hang send 3");
	return params;
}

static void test_request(void)
{
	static const char *const expected[] = {"\"codecs\":[\"av1\",\"h264\"]", "\"width\":64",
		"\"format\":\"i420\"", "\"timeBase\":{\"num\":1,\"den\":25}",
		"\"frameRate\":{\"num\":30000,\"den\":1001}", "\"rateControl\":\"capped_vbr\"",
		"\"quality\":0", "\"bitrate\":5000000000", "\"maxBitrate\":6000000000",
		"\"speed\":0", "\"gop\":60", "\"bFrames\":false", "\"latency\":\"live\"",
		"\"backend\":\"null\"", "\"onFailure\":\"fail\"", "\"primaries\":9",
		"\"fullRange\":true", "\"maxContentLight\":1000", "{\"x\":13250,\"y\":0}",
		"\"label\":\"a \\\"label\\\"\"", "\"nullScript\":\"hang send 3\""};
	struct fake fake = {0};
	struct vencd_params params = full_params();
	struct vencd_session_info info;
	char *json = NULL;

	fake_start(&fake);
	CHECK_EQUAL(vencd_connect(&daemon_, fake.path), 0);
	CHECK_EQUAL(vencd_session_open(daemon_, &params, &session), 0);
	pthread_mutex_lock(&fake.lock);
	CHECK(sd_json_variant_format(fake.request, 0, &json) >= 0);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		CHECK(has(json, expected[i]));
	CHECK(!strstr(json, "sampleAspect")); /* what was not given is not sent */
	pthread_mutex_unlock(&fake.lock);
	free(json);
	vencd_session_get_info(session, &info);
	CHECK_EQUAL(info.id, 7);
	CHECK_EQUAL(info.codec, VENCD_CODEC_AV1);
	CHECK_EQUAL(info.slots, 4);
	CHECK(strcmp(info.encoder, "fake") == 0);
	close_all(&fake);
}

static void test_cancel(void)
{
	struct fake fake = {0};
	char text[402];

	fake_open(&fake, &daemon_, &session);
	CHECK_EQUAL(vencd_session_cancel(session, (enum vencd_cancel_cause)9, NULL), -EINVAL);
	CHECK_EQUAL(vencd_session_cancel(session, VENCD_CANCEL_OUTPUT_FAILED, "disk full"), 0);
	pthread_mutex_lock(&fake.lock);
	CHECK_EQUAL(fake.cancels, 1);
	CHECK(strcmp(fake.cancel_cause, "output_failed") == 0);
	CHECK(strcmp(fake.cancel_text, "disk full") == 0);
	pthread_mutex_unlock(&fake.lock);
	/* The daemon takes 255 bytes, and JSON whole characters; one is two bytes here. */
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\303\244", 2);
	text[0] = 'x';
	text[sizeof(text) - 1] = '\0';
	CHECK_EQUAL(vencd_session_cancel(session, VENCD_CANCEL_ASKED, text), 0);
	pthread_mutex_lock(&fake.lock);
	CHECK_EQUAL(strlen(fake.cancel_text), 255);
	pthread_mutex_unlock(&fake.lock);
	CHECK_EQUAL(vencd_session_cancel(session, VENCD_CANCEL_ASKED, text + 1), 0);
	pthread_mutex_lock(&fake.lock);
	CHECK_EQUAL(strlen(fake.cancel_text), 254);
	pthread_mutex_unlock(&fake.lock);
	close_all(&fake);
}

/* An answer that comes too late is not taken for that of the next call. */
static void test_late_answer(void)
{
	struct fake fake = {.fault = FAULT_SLOW};
	char *json = NULL;

	fake_open(&fake, &daemon_, &session);
	CHECK_EQUAL(vencd_session_cancel(session, VENCD_CANCEL_ASKED, NULL), -ETIMEDOUT);
	CHECK(write(fake.slow_pipe[1], "", 1) == 1);
	CHECK_EQUAL(vencd_call(daemon_, "ListDevices", "{\"a\":2}", &json), 0);
	CHECK(strcmp(json, "{\"echo\":{\"a\":2}}") == 0);
	free(json);
	close_all(&fake);
}

/* The process that talked to us is replaced between two calls. */
static void test_reconnect(void)
{
	struct fake fake = {.fault = FAULT_DROP};
	struct vencd_report report;

	fake_open(&fake, &daemon_, &session);
	fake_cut(&fake, 0, 0);
	fake_end_session(&fake);
	CHECK_EQUAL(vencd_session_report(session, 5000, &report), 0);
	vencd_report_clear(&report);
	close_all(&fake);
}

int main(void)
{
	test_connect();
	test_call();
	test_refusal();
	test_request();
	test_cancel();
	test_late_answer();
	test_reconnect();
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd-front with ordinary requests: what a client sends reaches the supervisor as a struct, the
 * supervisor's answers reach the client as JSON and fds, and what makes no sense reaches nobody.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/slot.h"
#include "tests/unit/front_fake.h"

#define OPEN_MIN                                                                  \
	"{\"codecs\":[\"av1\"],\"width\":640,\"height\":360,\"format\":\"i420\"," \
	"\"timeBase\":{\"num\":1,\"den\":25}"
#define TOKEN "000102030405060708090a0b0c0d0e0f"
#define ID_TOKEN "{\"id\":7,\"token\":\"" TOKEN "\"}"

static void check_is(const char *a, const char *b)
{
	if (strcmp(a, b) != 0) {
		fprintf(stderr, "\"%s\" is not \"%s\"\n", a, b);
		exit(1);
	}
}

static void test_introspection(struct fake *fake)
{
	struct client c;
	struct reply r;
	const char *text;

	client_connect(fake, &c);
	client_call(&c, "org.varlink.service.GetInterfaceDescription",
		"{\"interface\":\"io.vencd.Encoder\"}");
	client_receive(&c, &r);
	text = text_of(r.parameters, "description");
	CHECK(strstr(text, "method OpenSession("));
	CHECK(strstr(text, "error NoEncoder"));
	CHECK(strstr(text, "# Visible size in pixels, 1 to 8192, kept exactly"));
	reply_clear(&r);
	client_leave(fake, &c);
}

/* Memory and pipes as a supervisor would make them; what they hold does not matter here. */
static unsigned make_fds(int fds[WIRE_MAX_FDS], unsigned attempts)
{
	unsigned n = WIRE_OPENED_FDS(attempts);

	for (unsigned i = 0; i < n; i++) {
		fds[i] = memfd_create("test", MFD_CLOEXEC);
		CHECK(fds[i] >= 0 && ftruncate(fds[i], 4096 + i) == 0);
	}
	return n;
}

static void fill_opened(struct wire_opened *m, uint64_t seq, uint64_t id)
{
	*m = (struct wire_opened){.h = {.type = WIRE_OPENED, .seq = seq},
		.id = id,
		.codec = VENCD_CODEC_AV1,
		.reorder = 3,
		.encoder = "svtav1",
		.backend = "software",
		.device = "cpu"};
	for (unsigned i = 0; i < 16; i++)
		m->token[i] = (uint8_t)i;
	CHECK_EQUAL(plane_layout_init(&m->layout, 640, 360, VENCD_FORMAT_NV12, 16, 2), 0);
}

static void check_opened(const struct client *c, sd_json_variant *v, unsigned n)
{
	CHECK_EQUAL(number_of(v, "id"), 7);
	check_is(text_of(v, "token"), TOKEN);
	check_is(text_of(v, "codec"), "av1");
	check_is(text_of(v, "backend"), "software");
	CHECK_EQUAL(number_of(v, "reorder"), 3);
	CHECK_EQUAL(sd_json_variant_elements(member(v, "layout.stride")), 2);
	CHECK_EQUAL(number_of(v, "layout.stride.1"), 640);
	CHECK_EQUAL(number_of(v, "layout.rows.1"), 180);
	CHECK_EQUAL(number_of(v, "layout.slots"), 16);
	CHECK_EQUAL(number_of(v, "layout.attempts"), 2);
	CHECK_EQUAL(c->n_fds, n);
	for (unsigned i = 0; i < n; i++) {
		struct stat st;

		CHECK(fstat(c->fds[i], &st) == 0);
		CHECK_EQUAL(st.st_size, 4096 + i);
	}
}

static void test_open(struct fake *fake)
{
	struct wire_opened opened;
	union wire_message m;
	struct client c;
	struct reply r;
	int fds[WIRE_MAX_FDS];
	unsigned n = make_fds(fds, 2);

	client_connect(fake, &c);
	client_call(&c, "OpenSession",
		OPEN_MIN ",\"codecs\":null"
			 "}");
	client_expect_error(&c, "org.varlink.service.InvalidParameter", &r);
	reply_clear(&r);
	client_call(&c, "OpenSession", OPEN_MIN "}");
	fake_expect(fake, WIRE_OPEN, &m);
	CHECK_EQUAL(m.open.connection, c.connection);
	CHECK_EQUAL(m.open.params.codecs[0], VENCD_CODEC_AV1);
	CHECK_EQUAL(m.open.params.codecs[1], 0);
	CHECK_EQUAL(m.open.params.time_base.den, 25);
	CHECK_EQUAL(m.open.params.quality, -1);
	CHECK_EQUAL(m.open.params.b_frames, -1);
	fill_opened(&opened, m.h.seq, 7);
	fake_send(fake, &opened, fds, n);
	client_receive(&c, &r);
	CHECK(!r.error);
	check_opened(&c, r.parameters, n);
	reply_clear(&r);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	client_leave(fake, &c);
}

static void check_every_parameter(const struct vencd_params *p)
{
	CHECK_EQUAL(p->codecs[0], VENCD_CODEC_HEVC);
	CHECK_EQUAL(p->codecs[2], VENCD_CODEC_AV1);
	CHECK_EQUAL(p->width, 8192);
	CHECK_EQUAL(p->height, 1);
	CHECK_EQUAL(p->format, VENCD_FORMAT_P010);
	CHECK_EQUAL(p->frame_rate.num, 24000);
	CHECK_EQUAL(p->sample_aspect.den, 11);
	CHECK_EQUAL(p->rate_control, VENCD_RATE_CAPPED_VBR);
	CHECK_EQUAL(p->quality, 0);
	CHECK_EQUAL(p->bitrate, 5000000000);
	CHECK_EQUAL(p->max_bitrate, 6000000000);
	CHECK_EQUAL(p->speed, 0);
	CHECK_EQUAL(p->gop, 250);
	CHECK_EQUAL(p->b_frames, 0);
	CHECK_EQUAL(p->latency, VENCD_LATENCY_LIVE);
	CHECK_EQUAL(p->backend, VENCD_BACKEND_NULL);
	CHECK_EQUAL(p->on_failure, VENCD_ON_FAILURE_FAIL);
	CHECK_EQUAL(p->colour.primaries, 9);
	CHECK_EQUAL(p->colour.full_range, 1);
	CHECK_EQUAL(p->colour.chroma_location, 3);
	CHECK_EQUAL(p->hdr.display_primaries[2][1], 2);
	CHECK_EQUAL(p->hdr.white_point[0], 15635);
	CHECK_EQUAL(p->hdr.max_luminance, 10000000);
	CHECK_EQUAL(p->hdr.max_average_light, 400);
	check_is(p->label,
		"Gr\xc3\xbc\xc3\x9f"
		"e");
	check_is(p->null_script, "send 3 hang");
}

static void test_every_parameter(struct fake *fake)
{
	union wire_message m;
	struct client c;
	struct reply r;

	client_connect(fake, &c);
	client_call(&c, "OpenSession",
		"{\"codecs\":[\"hevc\",\"h264\",\"av1\"],\"width\":8192,\"height\":1,"
		"\"format\":\"p010\",\"timeBase\":{\"num\":1,\"den\":90000},"
		"\"frameRate\":{\"num\":24000,\"den\":1001},"
		"\"sampleAspect\":{\"num\":12,\"den\":11},\"rateControl\":\"capped_vbr\","
		"\"quality\":0,\"bitrate\":5000000000,\"maxBitrate\":6000000000,\"speed\":0,"
		"\"gop\":250,\"bFrames\":false,\"latency\":\"live\",\"backend\":\"null\","
		"\"onFailure\":\"fail\",\"colour\":{\"primaries\":9,\"transfer\":16,"
		"\"matrix\":9,\"fullRange\":true,\"chromaLocation\":3},"
		"\"hdr\":{\"displayPrimaries\":[{\"x\":1,\"y\":2},{\"x\":1,\"y\":2},"
		"{\"x\":1,\"y\":2}],\"whitePoint\":{\"x\":15635,\"y\":16450},"
		"\"maxLuminance\":10000000,\"minLuminance\":1,\"maxContentLight\":1000,"
		"\"maxAverageLight\":400},\"label\":\"Gr\\u00fc\\u00dfe\","
		"\"nullScript\":\"send 3 hang\"}");
	fake_expect(fake, WIRE_OPEN, &m);
	check_every_parameter(&m.open.params);
	fake_refuse(fake, m.h.seq, WIRE_ERROR_NO_ENCODER, "codecs", "x265: broken");
	client_expect_error(&c, "NoEncoder", &r);
	check_is(text_of(r.parameters, "codecs.2"), "av1");
	check_is(text_of(r.parameters, "reason"), "x265: broken");
	CHECK(text_of(r.parameters, "advice")[0]);
	reply_clear(&r);
	client_leave(fake, &c);
}

/* Requests that are refused before the supervisor hears of them. */
static const struct {
	const char *method, *parameters, *error, *parameter, *alternatives;
} bad[] = {
	{"OpenSession", OPEN_MIN ",\"colour\":{\"primaries\":1}}",
		"org.varlink.service.InvalidParameter", NULL, NULL},
	{"OpenSession", OPEN_MIN ",\"nonsense\":1}", "org.varlink.service.InvalidParameter",
		"nonsense", NULL},
	{"OpenSession", OPEN_MIN ",\"speed\":\"fast\"}", "org.varlink.service.InvalidParameter",
		"speed", NULL},
	{"OpenSession", OPEN_MIN ",\"speed\":1e30}", "org.varlink.service.InvalidParameter",
		"speed", NULL},
	{"OpenSession", OPEN_MIN ",\"frameRate\":{\"num\":25}}",
		"org.varlink.service.InvalidParameter", NULL, NULL},
	{"OpenSession", "{\"codecs\":[\"av1\"],\"width\":640,\"height\":360,\"format\":\"i420\"}",
		"org.varlink.service.InvalidParameter", "timeBase", NULL},
	{"OpenSession", OPEN_MIN ",\"speed\":14}", "Invalid", "speed", "0 to 13"},
	{"OpenSession", OPEN_MIN ",\"speed\":-1}", "Invalid", "speed", "0 to 13"},
	{"OpenSession", OPEN_MIN ",\"bitrate\":0}", "Invalid", "bitrate", "1 to 1000000000000"},
	{"OpenSession", OPEN_MIN ",\"frameRate\":{\"num\":25,\"den\":0}}", "Invalid",
		"frameRate.den", "1 to 2147483647"},
	{"OpenSession", OPEN_MIN ",\"latency\":\"slow\"}", "Invalid", "latency", "file, live"},
	{"OpenSession", OPEN_MIN ",\"rateControl\":\"?\"}", "Invalid", "rateControl",
		"quality, vbr, capped_vbr, cbr"},
	{"OpenSession",
		"{\"codecs\":[],\"width\":640,\"height\":360,\"format\":\"i420\","
		"\"timeBase\":{\"num\":1,\"den\":25}}",
		"Invalid", "codecs", "av1, hevc, h264, vp9"},
	{"OpenSession",
		"{\"codecs\":[\"av1\",\"av1\"],\"width\":640,\"height\":360,\"format\":\"i420\","
		"\"timeBase\":{\"num\":1,\"den\":25}}",
		"Invalid", "codecs", NULL},
	{"OpenSession",
		"{\"codecs\":[\"vp8\"],\"width\":640,\"height\":360,\"format\":\"i420\","
		"\"timeBase\":{\"num\":1,\"den\":25}}",
		"Invalid", "codecs", "av1, hevc, h264, vp9"},
	{"OpenSession",
		"{\"codecs\":[\"av1\"],\"width\":8193,\"height\":360,\"format\":\"i420\","
		"\"timeBase\":{\"num\":1,\"den\":25}}",
		"Invalid", "width", "1 to 8192"},
	{"OpenSession",
		OPEN_MIN ",\"label\":\"0123456789012345678901234567890123456789012345678901234567"
			 "890123\"}",
		"Invalid", "label", NULL},
	{"Wait", "{\"id\":7}", "org.varlink.service.InvalidParameter", "token", NULL},
	{"Wait", "{\"id\":7,\"token\":\"00\"}", "Invalid", "token", NULL},
	{"Wait", "{\"id\":7,\"token\":\"000102030405060708090a0b0c0d0e0G\"}", "Invalid", "token",
		NULL},
	{"Wait", "{\"id\":-7,\"token\":\"" TOKEN "\"}", "org.varlink.service.InvalidParameter",
		"id", NULL},
	{"Cancel", "{\"id\":7,\"token\":\"" TOKEN "\",\"cause\":\"bored\"}", "Invalid", "cause",
		"asked, input_failed, output_failed"},
	{"ListDevices", "{\"all\":true}", "org.varlink.service.InvalidParameter", "all", NULL},
	{"Nonsense", "{}", "org.varlink.service.MethodNotFound", NULL, NULL},
};

static void test_bad_requests(struct fake *fake)
{
	struct client c;
	struct reply r;

	client_connect(fake, &c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		client_call(&c, bad[i].method, bad[i].parameters);
		client_expect_error(&c, bad[i].error, &r);
		if (bad[i].parameter)
			check_is(text_of(r.parameters, "parameter"), bad[i].parameter);
		if (bad[i].alternatives)
			check_is(text_of(r.parameters, "alternatives"), bad[i].alternatives);
		if (strcmp(bad[i].error, "Invalid") == 0)
			CHECK(text_of(r.parameters, "reason")[0] &&
				text_of(r.parameters, "advice")[0]);
		reply_clear(&r);
	}
	fake_settle(fake); /* none of them reached the supervisor */
	client_leave(fake, &c);
}

/* Each refusal of the supervisor, by name and with its fields. */
static void test_refusals(struct fake *fake)
{
	static const struct {
		enum wire_error error;
		const char *name, *field, *value;
	} cases[] = {
		{WIRE_ERROR_UNSUPPORTED, "Unsupported", "parameter", "what"},
		{WIRE_ERROR_INVALID, "Invalid", "parameter", "what"},
		{WIRE_ERROR_NO_ENCODER, "NoEncoder", "reason", "why"},
		{WIRE_ERROR_LIMIT, "LimitReached", "name", "what"},
		{WIRE_ERROR_NO_SESSION, "NoSuchSession", "reason", "why"},
		{WIRE_ERROR_NOT_ENDED, "NotEnded", "reason", "why"},
		{WIRE_ERROR_STOPPING, "Stopping", "reason", "why"},
		{WIRE_ERROR_RESOURCES, "OutOfResources", "reason", "why"},
		{WIRE_ERROR_NOT_ALLOWED, "NotAllowed", "reason", "why"},
	};
	union wire_message m;
	struct client c;
	struct reply r;

	CHECK_EQUAL(sizeof(cases) / sizeof(cases[0]), WIRE_ERROR_MAX - 1); /* all there are */
	client_connect(fake, &c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		client_call(&c, "OpenSession", OPEN_MIN "}");
		fake_expect(fake, WIRE_OPEN, &m);
		fake_refuse(fake, m.h.seq, cases[i].error, "what", "why");
		client_expect_error(&c, cases[i].name, &r);
		check_is(text_of(r.parameters, cases[i].field), cases[i].value);
		CHECK(text_of(r.parameters, "advice")[0]);
		reply_clear(&r);
	}
	client_call(&c, "GetReport", "{\"id\":18446744073709551615}");
	fake_expect(fake, WIRE_GET_REPORT, &m);
	CHECK(m.request.id == UINT64_MAX);
	fake_refuse(fake, m.h.seq, WIRE_ERROR_NOT_ENDED, "", "");
	client_expect_error(&c, "NotEnded", &r);
	CHECK(number_of(r.parameters, "id") == UINT64_MAX);
	CHECK(text_of(r.parameters, "reason")[0]);
	reply_clear(&r);
	client_leave(fake, &c);
}

static void test_cancel_and_list(struct fake *fake)
{
	struct wire_plain done = {.h.type = WIRE_DONE};
	struct wire_session row = {.h.type = WIRE_SESSION,
		.outcome = VENCD_OUTCOME_INCOMPLETE,
		.codec = VENCD_CODEC_H264,
		.encoder = "x264",
		.label = "bad \xff text",
		.call = SLOT_CALL_RECEIVE,
		.call_state = SLOT_RUNNING};
	union wire_message m;
	struct client c;
	struct reply r;

	client_connect(fake, &c);
	client_call(&c, "Cancel",
		"{\"id\":7,\"token\":\"" TOKEN "\",\"cause\":\"output_failed\","
		"\"text\":\"disk full\"}");
	fake_expect(fake, WIRE_CANCEL, &m);
	CHECK_EQUAL(m.request.id, 7);
	CHECK_EQUAL(m.request.token[15], 15);
	CHECK_EQUAL(m.request.cause, VENCD_CANCEL_OUTPUT_FAILED);
	check_is(m.request.text, "disk full");
	done.h.seq = m.h.seq;
	fake_send(fake, &done, NULL, 0);
	client_receive(&c, &r);
	CHECK(!r.error);
	reply_clear(&r);

	client_call(&c, "ListSessions", "{}");
	fake_expect(fake, WIRE_LIST, &m);
	done.h.seq = row.h.seq = m.h.seq;
	for (row.id = 0; row.id < 300; row.id++)
		fake_send(fake, &row, NULL, 0);
	fake_send(fake, &done, NULL, 0);
	client_receive(&c, &r);
	CHECK_EQUAL(sd_json_variant_elements(member(r.parameters, "sessions")), 300);
	CHECK_EQUAL(number_of(r.parameters, "sessions.299.id"), 299);
	check_is(text_of(r.parameters, "sessions.0.label"), "bad ? text");
	check_is(text_of(r.parameters, "sessions.0.call"), "receive");
	reply_clear(&r);
	client_leave(fake, &c);
}

static void push_devices(struct fake *fake, unsigned n, uint32_t state)
{
	struct wire_device row = {.h.type = WIRE_DEVICE,
		.state = state,
		.device = "cpu",
		.backend = "software",
		.encoder = "svtav1",
		.codec = VENCD_CODEC_AV1,
		.detail = "ask \xfe somebody",
		.formats = 1u << VENCD_FORMAT_I420 | 1u << VENCD_FORMAT_P010,
		.rate_controls = {0, 1u << VENCD_RATE_QUALITY | 1u << VENCD_RATE_CBR, 0},
		.quality_max = 63,
		.abandoned = UINT64_MAX};

	for (unsigned i = 0; i < n; i++) {
		row.last = i + 1 == n;
		row.sessions = i;
		fake_send(fake, &row, NULL, 0);
	}
}

static void check_device(sd_json_variant *v, const char *state)
{
	CHECK_EQUAL(sd_json_variant_elements(member(v, "devices")), 3);
	v = member(v, "devices.2");
	check_is(text_of(v, "state"), state);
	check_is(text_of(v, "codec"), "av1");
	check_is(text_of(v, "detail"), "ask ? somebody");
	CHECK(has_member(v, "advice") == (strcmp(state, "proven") != 0));
	CHECK(!has_member(v, "gpu"));
	check_is(text_of(v, "formats.1"), "p010");
	CHECK_EQUAL(sd_json_variant_elements(member(v, "formats")), 2);
	check_is(text_of(v, "rateControls.file.1"), "cbr");
	CHECK_EQUAL(sd_json_variant_elements(member(v, "rateControls.live")), 0);
	CHECK_EQUAL(number_of(v, "sessions"), 2);
	CHECK(number_of(v, "abandoned") == UINT64_MAX);
	CHECK(!has_member(v, "probedUs") && !has_member(v, "version"));
}

static void expect_devices(struct client *c, const char *state, bool continues)
{
	struct reply r;

	client_receive(c, &r);
	CHECK(!r.error);
	CHECK_EQUAL(r.continues, continues);
	check_device(r.parameters, state);
	reply_clear(&r);
}

/* A GPU that may not be opened: what is lacking, and what to do, stand in the row. */
static void test_gpu(struct fake *fake)
{
	struct wire_device row = {.h.type = WIRE_DEVICE,
		.last = 1,
		.state = DEVICE_NOT_PERMITTED,
		.device = "pci-0000:03:00.0",
		.backend = "vaapi",
		.encoder = "h264_vaapi",
		.codec = VENCD_CODEC_H264,
		.detail = "group render",
		.advice = "SupplementaryGroups=render",
		.gpu = {.node = "/dev/dri/renderD128",
			.driver = "amdgpu",
			.driver_version = "6.12",
			.vendor = 0x1002,
			.device = 0x67df}};
	struct client c;
	struct reply r;
	sd_json_variant *v;

	client_connect(fake, &c);
	fake_send(fake, &row, NULL, 0);
	fake_settle(fake);
	client_call(&c, "ListDevices", "{}");
	client_receive(&c, &r);
	CHECK(!r.error);
	v = member(r.parameters, "devices.0");
	check_is(text_of(v, "device"), "pci-0000:03:00.0");
	check_is(text_of(v, "state"), "not-permitted");
	check_is(text_of(v, "advice"), "SupplementaryGroups=render");
	check_is(text_of(v, "gpu.node"), "/dev/dri/renderD128");
	check_is(text_of(v, "gpu.driverVersion"), "6.12");
	CHECK_EQUAL(number_of(v, "gpu.vendorId"), 0x1002);
	CHECK_EQUAL(number_of(v, "gpu.deviceId"), 0x67df);
	CHECK_EQUAL(number_of(v, "gpu.subsystemVendorId"), 0);
	reply_clear(&r);
	client_leave(fake, &c);
}

/* Asked before the first table is there; followed; and followed without reading. */
static void test_devices(struct fake *fake)
{
	struct client once, follower, lazy;

	client_connect(fake, &once);
	client_connect(fake, &follower);
	client_connect(fake, &lazy);
	client_call(&once, "ListDevices", "{}");
	client_call_more(&follower, "ListDevices", "{}");
	client_call_more(&lazy, "ListDevices", "{}");
	fake_settle(fake);
	CHECK(!client_has_reply(&once) && !client_has_reply(&follower));
	push_devices(fake, 3, DEVICE_PROBING);
	expect_devices(&once, "probing", false);
	expect_devices(&follower, "probing", true);
	client_call(&once, "ListDevices", "{}");
	expect_devices(&once, "probing", false);
	for (int i = 0; i < 300; i++) {
		push_devices(fake, 3, DEVICE_ABSENT);
		expect_devices(&follower, "absent", true);
	}
	push_devices(fake, 3, DEVICE_PROVEN);
	expect_devices(&follower, "proven", true);
	/* What it was sent first, and then the newest: nothing in between. */
	expect_devices(&lazy, "probing", true);
	expect_devices(&lazy, "proven", true);
	fake_settle(fake);
	CHECK(!client_has_reply(&lazy) && !client_has_reply(&once));
	client_leave(fake, &once);
	client_leave(fake, &follower);
	client_leave(fake, &lazy);
}

int main(int argc, char **argv)
{
	struct fake fake;

	CHECK(argc == 2);
	fake_start(&fake, argv[1]);
	test_introspection(&fake);
	test_devices(&fake);
	test_gpu(&fake);
	test_open(&fake);
	test_every_parameter(&fake);
	test_bad_requests(&fake);
	test_refusals(&fake);
	test_cancel_and_list(&fake);
	fake_stop(&fake);
	return 0;
}

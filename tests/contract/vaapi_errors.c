// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What becomes of a driver's errors: each status of the contract and its words, from real libva and
 * libavcodec over emulated devices that fail as meson.build says, and over nodes that are none.
 * Frames that were not accepted are not handed back, nothing crashes, and the encoder closes.
 */

#include <string.h>

#include "hw/catalogue.h"
#include "tests/unit/check.h"

enum {
	WIDTH = 128,
	HEIGHT = 64,
	FRAMES = 4
};

static const struct {
	const char *node;
	const char *driver; /* LIBVA_DRIVER_NAME, where it is another one */
	const char *where;
	enum encoder_status status;
	const char *words;
} cases[] = {
	{"/dev/dri/renderD3", NULL, "open", ENCODER_NO_MEMORY, "resource allocation failed"},
	{"/dev/dri/renderD5", NULL, "send", ENCODER_BUSY, "HW busy now"},
	{"/dev/dri/renderD7", NULL, "probe", ENCODER_LIBRARY, "init failed"},
	{"/dev/dri/renderD8", NULL, "probe", ENCODER_ABSENT, "vaQueryConfigProfiles"},
	{"/dev/dri/renderD9", NULL, "send", ENCODER_LIBRARY, "internal encoding error"},
	{"/dev/dri/renderD9", "nobody", "probe", ENCODER_NO_LIBRARY, "nobody_drv_video.so"},
	{"/dev/dri/renderD1", NULL, "probe", ENCODER_DEVICE_LOST, "renderD1: No such file"},
	{"/dev/ptmx", NULL, "probe", ENCODER_ABSENT, "no render node"},
	{"", NULL, "probe", ENCODER_ABSENT, "none was named"},
};

struct attempt {
	const char *where; /* the function that failed, or "close" */
	enum encoder_status status;
	char text[ENCODER_TEXT_MAX];
	unsigned accepted, done;
};

static void on_done(void *userdata, uint64_t index)
{
	struct attempt *a = userdata;

	CHECK_EQUAL(index, a->done);
	a->done++;
}

static bool passes(struct attempt *a, const char *where, enum encoder_status status)
{
	a->where = where;
	a->status = status;
	return encoder_status_class(status) == ENCODER_CLASS_NONE;
}

static void narrow(struct encoder_params *ret)
{
	struct vencd_params request = VENCD_PARAMS_INIT;
	struct vencd_refusal refusal;

	request.codecs[0] = VENCD_CODEC_H264;
	request.width = WIDTH;
	request.height = HEIGHT;
	request.format = VENCD_FORMAT_NV12;
	request.time_base = (struct vencd_rational){1, 25};
	request.latency = VENCD_LATENCY_LIVE;
	CHECK_EQUAL(encoder_narrow(encoder_limits_find("h264_vaapi"), &request, ret, &refusal), 0);
}

static void encode(struct attempt *a, const struct encoder_ops *ops, struct encoder *e)
{
	static const uint8_t picture[WIDTH * HEIGHT * 3 / 2];
	struct encoder_packet packet;

	for (unsigned i = 0; i < FRAMES; i++) {
		struct encoder_frame frame = {
			.data = {picture, picture + WIDTH * HEIGHT},
			.stride = {WIDTH, WIDTH},
			.format = VENCD_FORMAT_NV12,
			.pts = i,
			.index = i,
		};

		if (!passes(a, "send", ops->send(e, &frame)))
			return;
		a->accepted++;
		if (!passes(a, "receive", ops->receive(e, &packet)))
			return;
	}
	passes(a, "flush", ops->flush(e));
}

static void attempt(struct attempt *a, const char *node)
{
	const struct encoder_ops *ops = encoder_find("h264_vaapi");
	struct encoder_reach reach = encoder_limits_find("h264_vaapi")->reach;
	const struct encoder_host host = {
		.done = on_done, .userdata = a, .device = node, .script = "", .text = a->text};
	struct encoder_info info = {0};
	struct encoder_params params;
	struct encoder *e;

	narrow(&params);
	if (!passes(a, "probe", ops->probe(&host, &info, &reach)))
		return;
	if (!passes(a, "open", ops->open(&e, &params, &host, &info)))
		return;
	encode(a, ops, e);
	ops->close(e);
	CHECK_EQUAL(a->done, a->accepted);
}

static void check_case(unsigned i)
{
	struct attempt a = {0};
	char usual[64];

	snprintf(usual, sizeof(usual), "%s", getenv("LIBVA_DRIVER_NAME"));
	if (cases[i].driver)
		setenv("LIBVA_DRIVER_NAME", cases[i].driver, 1);
	attempt(&a, cases[i].node);
	setenv("LIBVA_DRIVER_NAME", usual, 1);
	fprintf(stderr, "%s: %s: %s: %s\n", cases[i].node, a.where, encoder_status_name(a.status),
		a.text);
	CHECK(!strcmp(a.where, cases[i].where));
	CHECK_EQUAL(a.status, cases[i].status);
	CHECK(strstr(a.text, cases[i].words) != NULL);
}

int main(void)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What stands between libavcodec and the encoder contract: frames that are not copied and are
 * handed back once, a refused frame that stays the caller's, a flush that has to wait, errors in
 * words. The contract suite looks at the streams.
 */

#include <string.h>

#include "hw/catalogue.h"
#include "hw/lavc.h"
#include "tests/unit/check.h"

extern const struct encoder_ops encoder_libx264;

enum {
	SKIPPED = 77,
	WIDTH = 64,
	HEIGHT = 32,
	FRAMES = 64
};

struct run {
	struct encoder_params params;
	struct encoder_host host;
	char text[ENCODER_TEXT_MAX];
	unsigned done[FRAMES];
	uint8_t picture[WIDTH * HEIGHT * 3 / 2];
};

static void on_done(void *userdata, uint64_t index)
{
	struct run *r = userdata;

	CHECK(index < FRAMES);
	r->done[index]++;
}

static void init(struct run *r, uint32_t latency)
{
	struct vencd_params request = VENCD_PARAMS_INIT;
	struct vencd_refusal refusal = {0};

	*r = (struct run){0};
	r->host = (struct encoder_host){
		.done = on_done, .userdata = r, .script = "", .text = r->text};
	request.codecs[0] = VENCD_CODEC_H264;
	request.width = WIDTH;
	request.height = HEIGHT;
	request.format = VENCD_FORMAT_I420;
	request.time_base = (struct vencd_rational){1, 25};
	request.latency = latency;
	CHECK(encoder_narrow(encoder_limits_find("libx264"), &request, &r->params, &refusal) == 0);
	r->params.threads = 1;
}

static struct encoder_frame frame_of(const struct run *r, unsigned index)
{
	return (struct encoder_frame){
		.data = {r->picture, r->picture + WIDTH * HEIGHT,
			r->picture + WIDTH * HEIGHT * 5 / 4},
		.stride = {WIDTH, WIDTH / 2, WIDTH / 2},
		.format = VENCD_FORMAT_I420,
		.pts = index,
		.index = index,
	};
}

static void check_statuses(void)
{
	CHECK_EQUAL(lavc_status(0), ENCODER_OK);
	CHECK_EQUAL(lavc_status(AVERROR(EAGAIN)), ENCODER_AGAIN);
	CHECK_EQUAL(lavc_status(AVERROR_EOF), ENCODER_END);
	CHECK_EQUAL(lavc_status(AVERROR(ENOMEM)), ENCODER_NO_MEMORY);
	CHECK_EQUAL(lavc_status(AVERROR(ENODEV)), ENCODER_DEVICE_LOST);
	CHECK_EQUAL(lavc_status(AVERROR_ENCODER_NOT_FOUND), ENCODER_ABSENT);
	CHECK_EQUAL(lavc_status(AVERROR_EXTERNAL), ENCODER_LIBRARY);
	CHECK_EQUAL(lavc_status(-123456), ENCODER_LIBRARY);
}

/*
 * Lines of one level follow each other, none twice; where there is no more room, the oldest go. The
 * worst level is the only one.
 */
static void check_several_lines(struct run *r)
{
	av_log(NULL, AV_LOG_WARNING, "a warning\n");
	av_log(NULL, AV_LOG_ERROR, "first\n");
	av_log(NULL, AV_LOG_ERROR, "second\n");
	av_log(NULL, AV_LOG_ERROR, "first\n");
	CHECK_EQUAL(lavc_failed(&r->host, "open", AVERROR(EIO)), ENCODER_LIBRARY);
	CHECK(!strcmp(r->text, "first; second"));
	for (unsigned i = 100; i < 200; i++)
		av_log(NULL, AV_LOG_ERROR, "line %u\n", i);
	lavc_say(&r->host, "open", "nothing");
	CHECK(strlen(r->text) > ENCODER_TEXT_MAX * 3 / 4);
	CHECK(!strncmp(r->text, "line 1", 6) && strstr(r->text, "; line 199"));
	CHECK(!strstr(r->text, "line 100"));
	av_log(NULL, AV_LOG_ERROR, "%0500d\n", 1);
	lavc_say(&r->host, "open", "nothing");
	CHECK(strlen(r->text) > ENCODER_TEXT_MAX / 2 && r->text[0] == '0');
	lavc_say(&r->host, "open", "nothing");
	CHECK(!strcmp(r->text, "open: nothing"));
}

/* What was said in an earlier call, which went well, is not why a later one fails. */
static void check_older_words(void)
{
	struct run r;
	struct lavc lavc;
	AVDictionary *options = NULL;

	init(&r, VENCD_LATENCY_FILE);
	CHECK_EQUAL(lavc_init(&lavc, "libx264", &r.params, VENCD_FORMAT_I420, &r.host), ENCODER_OK);
	av_log(NULL, AV_LOG_ERROR, "an older call's words\n");
	lavc.context->width = 0;
	CHECK(lavc_open(&lavc, &options) != ENCODER_OK);
	CHECK(r.text[0] && !strstr(r.text, "older"));
	lavc_step(&r.host, ENCODER_STEP_CODEC);
	CHECK_EQUAL(lavc_failed(&r.host, "open", AVERROR(EIO)), ENCODER_LIBRARY);
	CHECK(!strcmp(r.text, "open: Input/output error"));
	lavc_finish(&lavc);
}

/* The library's own words come first, once; without any, the error's name. */
static void check_words(void)
{
	struct run r;

	init(&r, VENCD_LATENCY_FILE);
	CHECK_EQUAL(lavc_probe("no_such_codec", "libx264.so", &r.host, NULL), ENCODER_ABSENT);
	CHECK(strstr(r.text, "no_such_codec") != NULL);
	av_log(NULL, AV_LOG_ERROR, "out of %s\n", "patience");
	av_log(NULL, AV_LOG_WARNING, "a warning after it\n");
	av_log(NULL, AV_LOG_INFO, "chatter\n");
	CHECK_EQUAL(lavc_failed(&r.host, "open", AVERROR(ENOMEM)), ENCODER_NO_MEMORY);
	CHECK(!strcmp(r.text, "out of patience"));
	check_several_lines(&r);
	CHECK_EQUAL(lavc_failed(&r.host, "open", AVERROR(ENOMEM)), ENCODER_NO_MEMORY);
	CHECK(!strcmp(r.text, "open: Cannot allocate memory"));
}

/* An AVFrame is the pool's memory, read-only; it is handed back with its last reference. */
static void check_wrap(void)
{
	struct run r;
	struct lavc lavc;
	struct lavc_hold *hold;
	struct encoder_frame frame;
	AVFrame *wrapped = av_frame_alloc(), *second = av_frame_alloc();

	init(&r, VENCD_LATENCY_FILE);
	r.params.request.hdr = (struct vencd_hdr){
		.max_luminance = 10000000, .max_content_light = 9};
	CHECK_EQUAL(lavc_init(&lavc, "libx264", &r.params, VENCD_FORMAT_I420, &r.host), ENCODER_OK);
	frame = frame_of(&r, 5);
	frame.flags = VENCD_FRAME_KEYFRAME;
	CHECK_EQUAL(lavc_wrap(&lavc, &frame, wrapped, &hold), ENCODER_OK);
	CHECK(wrapped->data[2] == r.picture + WIDTH * HEIGHT * 5 / 4);
	CHECK(!av_frame_is_writable(wrapped));
	CHECK(wrapped->pict_type == AV_PICTURE_TYPE_I && wrapped->pts == 5);
	CHECK(av_frame_get_side_data(wrapped, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA) != NULL);
	CHECK(av_frame_get_side_data(wrapped, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL) != NULL);
	CHECK(av_frame_ref(second, wrapped) == 0 && second->data[0] == r.picture);
	lavc_taken(hold);
	av_frame_unref(wrapped);
	CHECK_EQUAL(r.done[5], 0);
	av_frame_unref(second);
	CHECK_EQUAL(r.done[5], 1);
	CHECK_EQUAL(lavc_wrap(&lavc, &frame, wrapped, &hold), ENCODER_OK);
	av_frame_unref(wrapped);
	CHECK_EQUAL(r.done[5], 1);
	av_frame_free(&wrapped);
	av_frame_free(&second);
	lavc_finish(&lavc);
}

/*
 * Frames sent without a packet taken: in live latency one packet and one frame wait, and the third
 * frame is refused and not handed back. A flush then waits for its turn, and nothing is lost.
 */
static void check_backlog(void)
{
	struct run r;
	struct encoder *e;
	struct encoder_info info = {0};
	struct encoder_packet packet;
	struct encoder_frame frame;

	init(&r, VENCD_LATENCY_LIVE);
	CHECK_EQUAL(encoder_libx264.open(&e, &r.params, &r.host, &info), ENCODER_OK);
	for (unsigned i = 0; i < 3; i++) {
		frame = frame_of(&r, i);
		CHECK_EQUAL(encoder_libx264.send(e, &frame), i < 2 ? ENCODER_OK : ENCODER_AGAIN);
	}
	CHECK_EQUAL(r.done[0], 1);
	CHECK_EQUAL(r.done[1], 0);
	CHECK_EQUAL(r.done[2], 0);
	CHECK_EQUAL(encoder_libx264.flush(e), ENCODER_OK);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQUAL(encoder_libx264.receive(e, &packet), ENCODER_OK);
		CHECK_EQUAL(packet.pts, i);
	}
	CHECK_EQUAL(encoder_libx264.receive(e, &packet), ENCODER_END);
	encoder_libx264.close(e);
	CHECK_EQUAL(r.done[1], 1);
	CHECK_EQUAL(r.done[2], 0);
}

/* Frames that the encoder still has are handed back by close. */
static void check_close(void)
{
	struct run r;
	struct encoder *e;
	struct encoder_info info = {0};
	struct encoder_frame frame;

	init(&r, VENCD_LATENCY_LIVE);
	CHECK_EQUAL(encoder_libx264.open(&e, &r.params, &r.host, &info), ENCODER_OK);
	for (unsigned i = 0; i < 2; i++) {
		frame = frame_of(&r, i);
		CHECK_EQUAL(encoder_libx264.send(e, &frame), ENCODER_OK);
	}
	encoder_libx264.close(e);
	CHECK_EQUAL(r.done[0], 1);
	CHECK_EQUAL(r.done[1], 1);
}

static struct encoder_frame p010_of(const struct run *r, unsigned index)
{
	struct encoder_frame frame = frame_of(r, index);

	frame.format = VENCD_FORMAT_P010;
	frame.data[2] = NULL;
	frame.stride[1] = WIDTH;
	return frame;
}

/*
 * One converted frame at a time: the next must not overwrite the chroma of one that still waits. It
 * is not even looked at, so it can do without planes.
 */
static void check_converted(void)
{
	struct run r;
	struct encoder *e;
	struct encoder_info info = {0};
	struct encoder_packet packet;
	struct encoder_frame frame;

	init(&r, VENCD_LATENCY_LIVE);
	r.params.request.format = VENCD_FORMAT_P010;
	r.params.request.width = WIDTH / 2;
	CHECK_EQUAL(encoder_libx264.open(&e, &r.params, &r.host, &info), ENCODER_OK);
	for (unsigned i = 0; i < 2; i++) {
		frame = p010_of(&r, i);
		CHECK_EQUAL(encoder_libx264.send(e, &frame), ENCODER_OK);
	}
	frame = p010_of(&r, 2);
	frame.data[0] = frame.data[1] = NULL;
	CHECK_EQUAL(encoder_libx264.send(e, &frame), ENCODER_AGAIN);
	CHECK_EQUAL(encoder_libx264.receive(e, &packet), ENCODER_OK);
	CHECK_EQUAL(encoder_libx264.receive(e, &packet), ENCODER_OK);
	frame = p010_of(&r, 2);
	CHECK_EQUAL(encoder_libx264.send(e, &frame), ENCODER_OK);
	encoder_libx264.close(e);
	CHECK(r.done[0] == 1 && r.done[1] == 1 && r.done[2] == 1);
}

int main(void)
{
	if (!avcodec_find_encoder_by_name("libx264"))
		return SKIPPED;
	check_statuses();
	check_words();
	check_older_words();
	check_wrap();
	check_backlog();
	check_close();
	check_converted();
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What a picture looks like from far: the same in all formats, nothing like grey, black, noise or
 * another scene; and like its source in everything that real encoders make at their worst, of
 * content that is as hard on them as it can be: noise, scenes that change, and light that does.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencd.h"
#include "daemon/worker/decoder.h"
#include "daemon/worker/signature.h"
#include "tests/unit/check.h"

#define WIDTH 320
#define HEIGHT 180
#define FRAMES 40

static uint32_t random_of(uint32_t a, uint32_t b)
{
	uint32_t x = a * 2654435761u ^ (b + 77) * 2246822519u;

	x ^= x >> 15;
	x *= 2654435761u;
	return x ^ x >> 13;
}

enum content {
	NOISE,  /* every sample of every frame for itself */
	SCENES, /* blocks of light and shade, others every third frame */
	FAINT,  /* the same, with hardly a contrast */
	STROBE, /* black and white by turns */
	RUSH,   /* a pattern that moves by 40 samples a frame */
	GRAIN,  /* a still scene below noise */
	BURST,  /* a still scene, and at once a rush */
	FLASH,  /* a still scene, at times in another light */
	CONTENTS,
};

static uint8_t sample(enum content content, uint32_t frame, uint32_t x, uint32_t y)
{
	uint32_t block = y / 40 * 8 + x / 40;

	switch (content) {
	case NOISE:
		return (uint8_t)random_of(frame * WIDTH * HEIGHT + y * WIDTH + x, 1);
	case SCENES:
		return (uint8_t)(16 + random_of(block, frame / 3) % 220);
	case FAINT:
		return (uint8_t)(90 + random_of(block, frame / 3) % 60);
	case STROBE:
		return frame % 2 ? 235 : 16;
	case RUSH:
		return (uint8_t)(16 + random_of((x + frame * 40) / 24, y / 24) % 220);
	case GRAIN:
		return (uint8_t)(40 + random_of(block, 5) % 110 +
			random_of(frame * WIDTH * HEIGHT + y * WIDTH + x, 3) % 90);
	case BURST:
		return sample(RUSH, frame < 15 ? 0 : frame, x, y);
	case FLASH:
		return (uint8_t)(random_of(block, 5) % 110 + (frame % 8 == 7 ? 140 : 20));
	case CONTENTS:
		break;
	}
	abort();
}

static void draw(AVFrame *f, enum content content, uint32_t frame)
{
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			f->data[0][y * (uint32_t)f->linesize[0] + x] = sample(content, frame, x, y);
	for (int i = 1; i < 3; i++)
		for (int y = 0; y < HEIGHT / 2; y++)
			memset(f->data[i] + (ptrdiff_t)y * f->linesize[i], 128, WIDTH / 2);
}

static struct signature signature_of(const AVFrame *f)
{
	struct signature s;

	signature_take(&s,
		&(struct signature_plane){f->data[0], f->linesize[0], WIDTH, HEIGHT, SIGNATURE_8});
	return s;
}

static AVFrame *new_picture(void)
{
	AVFrame *f = av_frame_alloc();

	CHECK(f);
	f->format = AV_PIX_FMT_YUV420P;
	f->width = WIDTH;
	f->height = HEIGHT;
	CHECK(av_frame_get_buffer(f, 0) == 0);
	return f;
}

/* --- honest encoders --- */

static struct signature sources[FRAMES];
static struct signature shown, older;
static double shown_db;
static unsigned n_shown, n_stale;
static double worst_db;

static int compare(void *userdata, const AVFrame *f)
{
	const char *what = userdata;
	struct signature s = signature_of(f);
	double db;

	CHECK(f->pts >= 0 && f->pts < FRAMES);
	CHECK(!decoder_fault(f, false));
	struct signature_wanted wanted = {0};
	enum signature_likeness likeness;

	wanted.source = sources[f->pts];
	signature_range_begin(&wanted.near, &sources[f->pts]);
	for (int64_t i = f->pts + 1; i <= f->pts + 3 && i < FRAMES; i++)
		signature_range_widen(&wanted.near, &sources[i]);
	if (!(f->flags & AV_FRAME_FLAG_KEY)) {
		signature_range_widen(&wanted.near, &shown);
		signature_range_widen(&wanted.near, &older);
		wanted.before_db = shown_db;
	}
	likeness = signature_compare(&wanted, &s, &db);
	older = f->flags & AV_FRAME_FLAG_KEY ? s : shown;
	shown = s;
	shown_db = db;
	n_stale += likeness == SIGNATURE_STALE;
	if (likeness == SIGNATURE_UNLIKE) {
		fprintf(stderr, "%s: picture %d at %.1f dB\n", what, (int)f->pts, db);
		CHECK(!"alike");
	}
	worst_db = db < worst_db ? db : worst_db;
	n_shown++;
	return 0;
}

static void pass_on(AVCodecContext *encoder, struct decoder *decoder, const AVFrame *f, char *what)
{
	AVPacket *packet = av_packet_alloc();

	CHECK(packet && avcodec_send_frame(encoder, f) == 0);
	while (avcodec_receive_packet(encoder, packet) == 0) {
		CHECK_EQUAL(decoder_give(decoder, packet, compare, what), 0);
		av_packet_unref(packet);
	}
	av_packet_free(&packet);
}

static AVCodecContext *open_encoder(const char *name, const char *option, const char *value)
{
	const AVCodec *codec = avcodec_find_encoder_by_name(name);
	AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
	AVDictionary *options = NULL;

	CHECK(c);
	c->width = WIDTH;
	c->height = HEIGHT;
	c->pix_fmt = AV_PIX_FMT_YUV420P;
	c->time_base = (AVRational){1, 25};
	c->framerate = (AVRational){25, 1};
	c->gop_size = 250;
	c->max_b_frames = 2;
	if (!strcmp(option, "b"))
		c->rc_max_rate = c->rc_buffer_size = 2 * atoi(value);
	CHECK(av_dict_set(&options, option, value, 0) == 0);
	CHECK(av_dict_set(&options, "preset", strcmp(name, "libsvtav1") ? "veryfast" : "12", 0) ==
		0);
	if (!strcmp(name, "libx265"))
		CHECK(av_dict_set(&options, "x265-params", "log-level=none", 0) == 0);
	CHECK(avcodec_open2(c, codec, &options) == 0);
	av_dict_free(&options);
	return c;
}

static const char *const content_names[CONTENTS] = {
	"noise", "scenes", "faint", "strobe", "rush", "grain", "burst", "flash"};

static void try_encoder(const char *name, uint32_t codec, const char *option, const char *value,
	enum content content)
{
	AVCodecContext *encoder = open_encoder(name, option, value);
	struct decoder decoder;
	char what[64];

	snprintf(what, sizeof(what), "%s, %s %s, %s", name, option, value, content_names[content]);
	CHECK_EQUAL(decoder_open(&decoder, codec), 0);
	n_shown = n_stale = 0;
	worst_db = 99;
	for (uint32_t i = 0; i < FRAMES; i++) {
		AVFrame *f = new_picture();

		draw(f, content, i);
		f->pts = i;
		for (uint32_t j = i; j < FRAMES; j++) /* those that come are not known yet */
			sources[j] = signature_of(f);
		pass_on(encoder, &decoder, f, what);
		av_frame_free(&f);
	}
	pass_on(encoder, &decoder, NULL, what);
	CHECK_EQUAL(decoder_give(&decoder, NULL, compare, what), 0);
	CHECK_EQUAL(n_shown, FRAMES);
	printf("%s: %.1f dB at worst, %u stale\n", what, worst_db, n_stale);
	decoder_close(&decoder);
	avcodec_free_context(&encoder);
}

static void test_honest(void)
{
	static const struct {
		const char *name;
		uint32_t codec;
		const char *option, *value;
	} encoders[] = {
		{"libx264", VENCD_CODEC_H264, "qp", "51"},
		{"libx264", VENCD_CODEC_H264, "b", "20000"},
		{"libx264", VENCD_CODEC_H264, "b", "100000"},
		{"libx264", VENCD_CODEC_H264, "qp", "40"},
		{"libx265", VENCD_CODEC_HEVC, "qp", "51"},
		{"libx265", VENCD_CODEC_HEVC, "b", "20000"},
		{"libx265", VENCD_CODEC_HEVC, "b", "100000"},
		{"libsvtav1", VENCD_CODEC_AV1, "crf", "63"},
	};

	for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++)
		for (enum content content = NOISE; content < CONTENTS; content++)
			try_encoder(encoders[i].name, encoders[i].codec, encoders[i].option,
				encoders[i].value, content);
}

/* --- what is wrong --- */

static void expect(const AVFrame *source, const AVFrame *previous, const AVFrame *picture,
	enum signature_likeness wanted, const char *what)
{
	struct signature_wanted w = {.source = signature_of(source)};
	struct signature before, own = signature_of(picture);
	double db;

	signature_range_begin(&w.near, &w.source);
	if (previous) {
		before = signature_of(previous);
		signature_range_widen(&w.near, &before);
		w.before_db = 30;
	}
	if (signature_compare(&w, &own, &db) != wanted) {
		fprintf(stderr, "%s: %.1f dB\n", what, db);
		CHECK(!"as expected");
	}
}

static void fill(AVFrame *f, int value)
{
	memset(f->data[0], value, (size_t)f->linesize[0] * HEIGHT);
}

static void test_wrong(void)
{
	AVFrame *source = new_picture(), *picture = new_picture(), *before = new_picture();

	draw(source, SCENES, 0);
	draw(before, SCENES, 3);
	expect(source, NULL, source, SIGNATURE_ALIKE, "itself");
	expect(source, NULL, before, SIGNATURE_UNLIKE, "another scene");
	expect(source, before, before, SIGNATURE_STALE, "the scene before");
	for (int row = 0; row < HEIGHT / 2; row++)
		memcpy(before->data[0] + (ptrdiff_t)row * before->linesize[0],
			source->data[0] + (ptrdiff_t)row * source->linesize[0], WIDTH);
	draw(picture, SCENES, 3);
	expect(source, picture, before, SIGNATURE_STALE, "half of the scene before");
	draw(picture, SCENES, 6);
	expect(source, before, picture, SIGNATURE_UNLIKE, "a third scene");
	draw(before, SCENES, 1);
	draw(picture, NOISE, 0);
	expect(source, before, picture, SIGNATURE_UNLIKE, "noise");
	fill(picture, 128);
	expect(source, before, picture, SIGNATURE_UNLIKE, "grey");
	fill(picture, 16);
	expect(source, before, picture, SIGNATURE_UNLIKE, "black");
	draw(source, STROBE, 1);
	expect(source, source, picture, SIGNATURE_UNLIKE, "black and not white");
	av_frame_free(&source);
	av_frame_free(&picture);
	av_frame_free(&before);
}

/* --- formats and sizes --- */

static void test_formats(void)
{
	static uint16_t low[64 * 64], high[64 * 64];
	static uint8_t flat[64 * 64];
	struct signature a, b, c;
	struct signature_plane p = {flat, 64, 64, 64, SIGNATURE_8};

	for (uint32_t i = 0; i < 64 * 64; i++) {
		flat[i] = (uint8_t)random_of(i / 1024, 9);
		low[i] = (uint16_t)(flat[i] << 2);
		high[i] = (uint16_t)(flat[i] << 8);
	}
	signature_take(&a, &p);
	p = (struct signature_plane){(const uint8_t *)low, 128, 64, 64, SIGNATURE_10_LOW};
	signature_take(&b, &p);
	p = (struct signature_plane){(const uint8_t *)high, 128, 64, 64, SIGNATURE_10_HIGH};
	signature_take(&c, &p);
	CHECK_EQUAL(a.columns, 4);
	CHECK_EQUAL(a.rows, 4);
	CHECK(memcmp(a.mean, b.mean, 16 * sizeof(a.mean[0])) == 0);
	CHECK(memcmp(a.mean, c.mean, 16 * sizeof(a.mean[0])) == 0);
	CHECK_EQUAL(a.mean[0], flat[0] * 64u);
}

/* Every sample in memory that ends there; sanitizers see what is read beyond. */
static void test_sizes(void)
{
	static const uint32_t sizes[][2] = {
		{1, 1}, {2, 2}, {15, 17}, {16, 16}, {33, 7}, {257, 145}, {1918, 1078}, {8192, 8}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int bytes = 1; bytes <= 2; bytes++) {
			size_t n = (size_t)sizes[i][0] * sizes[i][1];
			uint8_t *memory = malloc(n * (size_t)bytes);
			struct signature s;

			CHECK(memory);
			memset(memory, 255, n * (size_t)bytes);
			signature_take(&s,
				&(struct signature_plane){memory, (int64_t)sizes[i][0] * bytes,
					sizes[i][0], sizes[i][1],
					bytes == 1 ? SIGNATURE_8 : SIGNATURE_10_HIGH});
			CHECK_EQUAL(s.mean[0], bytes == 1 ? 255 * 64 : 65535 / 4);
			CHECK_EQUAL(s.mean[s.columns * s.rows - 1], s.mean[0]);
			free(memory);
		}
}

int main(void)
{
	av_log_set_level(AV_LOG_QUIET);
	test_formats();
	test_sizes();
	test_wrong();
	test_honest();
	return 0;
}

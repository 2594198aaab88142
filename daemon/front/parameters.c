// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The numbers and words of a request, checked by two tables, and refused with what would be
 * accepted. What only makes sense for some encoders is left to the supervisor.
 *
 * Numbers are dispatched as int64_t whatever they end up in, so that each is compared with its
 * range before it is cut to its size. A field that is absent or null keeps the parameter's
 * default.
 */

#include "daemon/front/parameters.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "daemon/front/json.h"
#include "daemon/front/request.h"

const struct raw raw_absent = {
	.width = ABSENT,
	.height = ABSENT,
	.quality = ABSENT,
	.bitrate = ABSENT,
	.max_bitrate = ABSENT,
	.speed = ABSENT,
	.gop = ABSENT,
	.b_frames = -1,
	.full_range = -1,
	.time_base = {ABSENT, ABSENT},
	.frame_rate = {ABSENT, ABSENT},
	.sample_aspect = {ABSENT, ABSENT},
	.primaries = ABSENT,
	.transfer = ABSENT,
	.matrix = ABSENT,
	.chroma_location = ABSENT,
	.primary = {{ABSENT, ABSENT}, {ABSENT, ABSENT}, {ABSENT, ABSENT}},
	.white_point = {ABSENT, ABSENT},
	.max_luminance = ABSENT,
	.min_luminance = ABSENT,
	.max_content_light = ABSENT,
	.max_average_light = ABSENT,
};

/* Numbers */

struct number {
	const char *name;
	size_t from; /* in struct raw */
	int64_t min, max;
	size_t to, size; /* in struct vencd_params */
};

#define NUMBER(name, from, min, max, to)                                                \
	{name, offsetof(struct raw, from), min, max, offsetof(struct vencd_params, to), \
		sizeof(((struct vencd_params *)0)->to)}
#define BITRATE_MAX INT64_C(1000000000000)

static const struct number numbers[] = {
	NUMBER("width", width, 1, VENCD_SIZE_MAX, width),
	NUMBER("height", height, 1, VENCD_SIZE_MAX, height),
	NUMBER("timeBase.num", time_base.x, 1, INT32_MAX, time_base.num),
	NUMBER("timeBase.den", time_base.y, 1, INT32_MAX, time_base.den),
	NUMBER("frameRate.num", frame_rate.x, 1, INT32_MAX, frame_rate.num),
	NUMBER("frameRate.den", frame_rate.y, 1, INT32_MAX, frame_rate.den),
	NUMBER("sampleAspect.num", sample_aspect.x, 1, INT32_MAX, sample_aspect.num),
	NUMBER("sampleAspect.den", sample_aspect.y, 1, INT32_MAX, sample_aspect.den),
	NUMBER("quality", quality, 0, 63, quality),
	NUMBER("bitrate", bitrate, 1, BITRATE_MAX, bitrate),
	NUMBER("maxBitrate", max_bitrate, 1, BITRATE_MAX, max_bitrate),
	NUMBER("speed", speed, 0, VENCD_SPEED_MAX, speed),
	NUMBER("gop", gop, 0, INT32_MAX, gop),
	NUMBER("colour.primaries", primaries, 0, UINT8_MAX, colour.primaries),
	NUMBER("colour.transfer", transfer, 0, UINT8_MAX, colour.transfer),
	NUMBER("colour.matrix", matrix, 0, UINT8_MAX, colour.matrix),
	NUMBER("colour.chromaLocation", chroma_location, 0, 3, colour.chroma_location),
	NUMBER("hdr.displayPrimaries[0].x", primary[0].x, 0, 50000, hdr.display_primaries[0][0]),
	NUMBER("hdr.displayPrimaries[0].y", primary[0].y, 0, 50000, hdr.display_primaries[0][1]),
	NUMBER("hdr.displayPrimaries[1].x", primary[1].x, 0, 50000, hdr.display_primaries[1][0]),
	NUMBER("hdr.displayPrimaries[1].y", primary[1].y, 0, 50000, hdr.display_primaries[1][1]),
	NUMBER("hdr.displayPrimaries[2].x", primary[2].x, 0, 50000, hdr.display_primaries[2][0]),
	NUMBER("hdr.displayPrimaries[2].y", primary[2].y, 0, 50000, hdr.display_primaries[2][1]),
	NUMBER("hdr.whitePoint.x", white_point.x, 0, 50000, hdr.white_point[0]),
	NUMBER("hdr.whitePoint.y", white_point.y, 0, 50000, hdr.white_point[1]),
	NUMBER("hdr.maxLuminance", max_luminance, 0, UINT32_MAX, hdr.max_luminance),
	NUMBER("hdr.minLuminance", min_luminance, 0, UINT32_MAX, hdr.min_luminance),
	NUMBER("hdr.maxContentLight", max_content_light, 0, UINT16_MAX, hdr.max_content_light),
	NUMBER("hdr.maxAverageLight", max_average_light, 0, UINT16_MAX, hdr.max_average_light),
};

/* All numbers are little endian and not negative: their first bytes are the smaller type. */
static void store(struct vencd_params *p, const struct number *n, int64_t value)
{
	memcpy((uint8_t *)p + n->to, &value, n->size);
}

static int take_numbers(sd_varlink *link, const struct raw *raw, struct vencd_params *ret)
{
	char value[32], range[64];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct number *n = &numbers[i];
		int64_t v;

		memcpy(&v, (const uint8_t *)raw + n->from, sizeof(v));
		if (v == ABSENT)
			continue;
		if (v < n->min || v > n->max) {
			snprintf(value, sizeof(value), "%lld", (long long)v);
			snprintf(range, sizeof(range), "%lld to %lld", (long long)n->min,
				(long long)n->max);
			return request_invalid(
				link, n->name, value, "the number is out of its range", range);
		}
		store(ret, n, v);
	}
	return 0;
}

/* Words */

#define WORD(what)                                                    \
	static uint32_t what##_value(const char *name)                \
	{                                                             \
		return (uint32_t)vencd_##what##_from_name(name);      \
	}                                                             \
	static const char *what##_word(uint32_t value)                \
	{                                                             \
		return vencd_##what##_name((enum vencd_##what)value); \
	}

WORD(codec)
WORD(pixel_format)
WORD(latency)
WORD(rate_control)
WORD(backend)
WORD(on_failure)
WORD(cancel_cause)

typedef uint32_t (*value_fn)(const char *name);
typedef const char *(*word_fn)(uint32_t value);

struct word {
	const char *name;
	size_t from; /* in struct raw */
	value_fn value;
	word_fn word;
	size_t to; /* in struct vencd_params, a uint32_t */
};

#define WORD_FIELD(name, from, what, to)                              \
	{name, offsetof(struct raw, from), what##_value, what##_word, \
		offsetof(struct vencd_params, to)}

static const struct word words[] = {
	WORD_FIELD("format", format, pixel_format, format),
	WORD_FIELD("rateControl", rate_control, rate_control, rate_control),
	WORD_FIELD("latency", latency, latency, latency),
	WORD_FIELD("backend", backend, backend, backend),
	WORD_FIELD("onFailure", on_failure, on_failure, on_failure),
};

static int refuse_word(sd_varlink *link, const char *parameter, const char *value, word_fn word)
{
	char alternatives[128] = "";
	size_t n = 0;

	for (uint32_t v = 1; word(v) && n < sizeof(alternatives); v++)
		n += (size_t)snprintf(alternatives + n, sizeof(alternatives) - n, "%s%s",
			v > 1 ? ", " : "", word(v));
	return request_invalid(link, parameter, value, "there is no such word", alternatives);
}

static int take_words(sd_varlink *link, const struct raw *raw, struct vencd_params *ret)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct word *w = &words[i];
		const char *text;
		uint32_t value;

		memcpy(&text, (const uint8_t *)raw + w->from, sizeof(text));
		if (!text)
			continue;
		value = w->value(text);
		if (!value)
			return refuse_word(link, w->name, text, w->word);
		memcpy((uint8_t *)ret + w->to, &value, sizeof(value));
	}
	return 0;
}

static int take_codecs(sd_varlink *link, sd_json_variant *list, struct vencd_params *ret)
{
	size_t n = sd_json_variant_elements(list);

	if (n < 1 || n > VENCD_MAX_CODECS)
		return request_invalid(link, "codecs", NULL, "one to four codecs are needed",
			"av1, hevc, h264, vp9");
	for (size_t i = 0; i < n; i++) {
		const char *name = sd_json_variant_string(sd_json_variant_by_index(list, i));

		ret->codecs[i] = codec_value(name);
		if (!ret->codecs[i])
			return refuse_word(link, "codecs", name, codec_word);
		for (size_t j = 0; j < i; j++)
			if (ret->codecs[j] == ret->codecs[i])
				return request_invalid(
					link, "codecs", name, "a codec stands there twice", NULL);
	}
	return 0;
}

int parameters_take_text(
	sd_varlink *link, const char *parameter, const char *from, char *to, size_t size)
{
	char reason[64];

	if (!from)
		return 0;
	if (strlen(from) >= size) {
		snprintf(reason, sizeof(reason), "the text is longer than %zu bytes", size - 1);
		return request_invalid(link, parameter, NULL, reason, NULL);
	}
	strcpy(to, from);
	return 0;
}

int parameters_take(sd_varlink *link, const struct raw *raw, struct vencd_params *ret)
{
	int r = 0;

	*ret = (struct vencd_params)VENCD_PARAMS_INIT;
	if (raw->codecs)
		r = take_codecs(link, raw->codecs, ret);
	r = r ? r : take_words(link, raw, ret);
	r = r ? r : take_numbers(link, raw, ret);
	r = r ? r : parameters_take_text(link, "label", raw->label, ret->label, sizeof(ret->label));
	r = r ? r
	      : parameters_take_text(link, "nullScript", raw->null_script, ret->null_script,
			sizeof(ret->null_script));
	ret->b_frames = raw->b_frames;
	ret->colour.full_range = raw->full_range > 0;
	return r;
}

int parameters_take_cause(sd_varlink *link, const char *name, uint32_t *ret)
{
	*ret = name ? cancel_cause_value(name) : VENCD_CANCEL_ASKED;
	return *ret ? 0 : refuse_word(link, "cause", name, cancel_cause_word);
}

/* Back to JSON */

static int add_codecs(sd_json_variant **v, const struct vencd_params *p)
{
	char *names[VENCD_MAX_CODECS + 1] = {0};
	sd_json_variant *list = NULL;
	int r;

	for (size_t i = 0; i < VENCD_MAX_CODECS && codec_word(p->codecs[i]); i++)
		names[i] = (char *)codec_word(p->codecs[i]);
	if (!names[0])
		return 0;
	r = sd_json_variant_new_array_strv(&list, names);
	if (r >= 0)
		r = sd_json_variant_set_field(v, "codecs", list);
	sd_json_variant_unref(list);
	return r;
}

static int add_words(sd_json_variant **v, const struct vencd_params *p)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && r >= 0; i++) {
		uint32_t value;

		memcpy(&value, (const uint8_t *)p + words[i].to, sizeof(value));
		if (words[i].word(value))
			r = sd_json_variant_set_field_string(
				v, words[i].name, words[i].word(value));
	}
	return r;
}

#define PAIR(given, name, value) \
	SD_JSON_BUILD_PAIR_CONDITION(given, name, SD_JSON_BUILD_INTEGER((int64_t)(value)))

static int add_numbers(sd_json_variant **v, const struct vencd_params *p)
{
	return sd_json_variant_merge_objectbo(v, PAIR(p->width != 0, "width", p->width),
		PAIR(p->height != 0, "height", p->height),
		PAIR(p->quality >= 0, "quality", p->quality),
		PAIR(p->bitrate != 0, "bitrate", p->bitrate),
		PAIR(p->max_bitrate != 0, "maxBitrate", p->max_bitrate),
		PAIR(p->speed >= 0, "speed", p->speed), PAIR(p->gop != 0, "gop", p->gop),
		SD_JSON_BUILD_PAIR_CONDITION(
			p->b_frames >= 0, "bFrames", SD_JSON_BUILD_BOOLEAN(p->b_frames > 0)));
}

static int add_rational(sd_json_variant **v, const char *name, struct vencd_rational value)
{
	if (value.den == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, name, SD_JSON_BUILD_PAIR_INTEGER("num", value.num),
		SD_JSON_BUILD_PAIR_INTEGER("den", value.den));
}

static int add_colour(sd_json_variant **v, const struct vencd_colour *c)
{
	static const struct vencd_colour none;

	if (memcmp(c, &none, sizeof(none)) == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, "colour", PAIR(1, "primaries", c->primaries),
		PAIR(1, "transfer", c->transfer), PAIR(1, "matrix", c->matrix),
		SD_JSON_BUILD_PAIR_BOOLEAN("fullRange", c->full_range != 0),
		PAIR(1, "chromaLocation", c->chroma_location));
}

#define CHROMATICITY(xy) SD_JSON_BUILD_OBJECT(PAIR(1, "x", (xy)[0]), PAIR(1, "y", (xy)[1]))

static int add_hdr(sd_json_variant **v, const struct vencd_hdr *h)
{
	static const struct vencd_hdr none;

	if (memcmp(h, &none, sizeof(none)) == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, "hdr",
		SD_JSON_BUILD_PAIR_ARRAY("displayPrimaries", CHROMATICITY(h->display_primaries[0]),
			CHROMATICITY(h->display_primaries[1]),
			CHROMATICITY(h->display_primaries[2])),
		SD_JSON_BUILD_PAIR("whitePoint", CHROMATICITY(h->white_point)),
		PAIR(1, "maxLuminance", h->max_luminance),
		PAIR(1, "minLuminance", h->min_luminance),
		PAIR(1, "maxContentLight", h->max_content_light),
		PAIR(1, "maxAverageLight", h->max_average_light));
}

int parameters_to_json(const struct vencd_params *params, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r = add_numbers(&v, params);

	r = r < 0 ? r : add_codecs(&v, params);
	r = r < 0 ? r : add_words(&v, params);
	r = r < 0 ? r : add_rational(&v, "timeBase", params->time_base);
	r = r < 0 ? r : add_rational(&v, "frameRate", params->frame_rate);
	r = r < 0 ? r : add_rational(&v, "sampleAspect", params->sample_aspect);
	r = r < 0 ? r : add_colour(&v, &params->colour);
	r = r < 0 ? r : add_hdr(&v, &params->hdr);
	r = r < 0 ? r : text_add(&v, "label", params->label);
	r = r < 0 ? r : text_add(&v, "nullScript", params->null_script);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

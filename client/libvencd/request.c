// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * OpenSession as JSON. A field that was not given is left out, so that the daemon's default holds
 * whatever its version; a value that is no value goes as "?" and is refused there, with the
 * alternatives, rather than here without. Replies are dispatched strictly: every field that is
 * needed must be there and be of its type; unknown ones are a later version's.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "client/libvencd/session.h"

static const char *name_or_wrong(const char *name)
{
	return name ? name : "?";
}

static int add_codecs(sd_json_variant **v, const struct vencd_params *p)
{
	char *names[VENCD_MAX_CODECS + 1] = {0};
	sd_json_variant *list = NULL;
	int r;

	for (unsigned i = 0; i < VENCD_MAX_CODECS && p->codecs[i]; i++)
		names[i] = (char *)name_or_wrong(vencd_codec_name(p->codecs[i]));
	r = sd_json_variant_new_array_strv(&list, names);
	if (r >= 0)
		r = sd_json_variant_set_field(v, "codecs", list);
	sd_json_variant_unref(list);
	return r;
}

static int add_picture(sd_json_variant **v, const struct vencd_params *p)
{
	return sd_json_variant_merge_objectbo(v, SD_JSON_BUILD_PAIR_UNSIGNED("width", p->width),
		SD_JSON_BUILD_PAIR_UNSIGNED("height", p->height),
		SD_JSON_BUILD_PAIR_STRING(
			"format", name_or_wrong(vencd_pixel_format_name(p->format))));
}

static int add_rational(sd_json_variant **v, const char *field, struct vencd_rational value)
{
	if (value.num == 0 && value.den == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, field, SD_JSON_BUILD_PAIR_INTEGER("num", value.num),
		SD_JSON_BUILD_PAIR_INTEGER("den", value.den));
}

static int add_times(sd_json_variant **v, const struct vencd_params *p)
{
	int r = sd_json_variant_set_fieldbo(v, "timeBase",
		SD_JSON_BUILD_PAIR_INTEGER("num", p->time_base.num),
		SD_JSON_BUILD_PAIR_INTEGER("den", p->time_base.den));

	if (r >= 0)
		r = add_rational(v, "frameRate", p->frame_rate);
	if (r >= 0)
		r = add_rational(v, "sampleAspect", p->sample_aspect);
	return r;
}

#define NAMED(given, field, name) \
	SD_JSON_BUILD_PAIR_CONDITION((given) != 0, field, SD_JSON_BUILD_STRING(name_or_wrong(name)))
#define NUMBER(given, field, value) \
	SD_JSON_BUILD_PAIR_CONDITION(given, field, SD_JSON_BUILD_INTEGER((int64_t)(value)))

static int add_rates(sd_json_variant **v, const struct vencd_params *p)
{
	return sd_json_variant_merge_objectbo(v,
		NAMED(p->rate_control, "rateControl", vencd_rate_control_name(p->rate_control)),
		NUMBER(p->quality != -1, "quality", p->quality),
		NUMBER(p->bitrate != 0, "bitrate", p->bitrate),
		NUMBER(p->max_bitrate != 0, "maxBitrate", p->max_bitrate),
		NUMBER(p->speed != -1, "speed", p->speed), NUMBER(p->gop != 0, "gop", p->gop),
		SD_JSON_BUILD_PAIR_CONDITION(
			p->b_frames != -1, "bFrames", SD_JSON_BUILD_BOOLEAN(p->b_frames != 0)));
}

static int add_choices(sd_json_variant **v, const struct vencd_params *p)
{
	return sd_json_variant_merge_objectbo(v,
		NAMED(p->latency, "latency", vencd_latency_name(p->latency)),
		NAMED(p->backend, "backend", vencd_backend_name(p->backend)),
		NAMED(p->on_failure, "onFailure", vencd_on_failure_name(p->on_failure)),
		NAMED(p->label[0], "label", p->label),
		NAMED(p->null_script[0], "nullScript", p->null_script));
}

static int add_colour(sd_json_variant **v, const struct vencd_colour *c)
{
	static const struct vencd_colour none;

	if (memcmp(c, &none, sizeof(none)) == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, "colour", NUMBER(1, "primaries", c->primaries),
		NUMBER(1, "transfer", c->transfer), NUMBER(1, "matrix", c->matrix),
		SD_JSON_BUILD_PAIR_BOOLEAN("fullRange", c->full_range != 0),
		NUMBER(1, "chromaLocation", c->chroma_location));
}

#define POINT(xy)                                                       \
	SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_UNSIGNED("x", (xy)[0]), \
		SD_JSON_BUILD_PAIR_UNSIGNED("y", (xy)[1]))

static int add_hdr(sd_json_variant **v, const struct vencd_hdr *h)
{
	static const struct vencd_hdr none;

	if (memcmp(h, &none, sizeof(none)) == 0)
		return 0;
	return sd_json_variant_set_fieldbo(v, "hdr",
		SD_JSON_BUILD_PAIR_ARRAY("displayPrimaries", POINT(h->display_primaries[0]),
			POINT(h->display_primaries[1]), POINT(h->display_primaries[2])),
		SD_JSON_BUILD_PAIR("whitePoint", POINT(h->white_point)),
		NUMBER(1, "maxLuminance", h->max_luminance),
		NUMBER(1, "minLuminance", h->min_luminance),
		NUMBER(1, "maxContentLight", h->max_content_light),
		NUMBER(1, "maxAverageLight", h->max_average_light));
}

int request_build(const struct vencd_params *params, sd_json_variant **ret)
{
	sd_json_variant *v = NULL;
	int r;

	if (!memchr(params->label, 0, sizeof(params->label)) ||
		!memchr(params->null_script, 0, sizeof(params->null_script)))
		return -EINVAL;
	r = add_codecs(&v, params);
	if (r >= 0)
		r = add_picture(&v, params);
	if (r >= 0)
		r = add_times(&v, params);
	if (r >= 0)
		r = add_rates(&v, params);
	if (r >= 0)
		r = add_choices(&v, params);
	if (r >= 0)
		r = add_colour(&v, &params->colour);
	if (r >= 0)
		r = add_hdr(&v, &params->hdr);
	if (r < 0) {
		sd_json_variant_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

/* An array of as many numbers as the frame has planes, at most 3. */
static int read_numbers(sd_json_variant *v, uint64_t ret[3])
{
	size_t n = sd_json_variant_elements(v);

	if (!sd_json_variant_is_array(v) || n > 3)
		return -EPROTO;
	for (size_t i = 0; i < n; i++) {
		sd_json_variant *e = sd_json_variant_by_index(v, i);

		if (!sd_json_variant_is_unsigned(e))
			return -EPROTO;
		ret[i] = sd_json_variant_unsigned(e);
	}
	return 0;
}

static int dispatch_u64s(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	(void)name, (void)flags;
	return read_numbers(v, userdata);
}

static int dispatch_u32s(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	uint64_t numbers[3] = {0};
	uint32_t *ret = userdata;
	int r = read_numbers(v, numbers);

	(void)name, (void)flags;
	for (size_t i = 0; r >= 0 && i < 3; i++) {
		if (numbers[i] > UINT32_MAX)
			return -EPROTO;
		ret[i] = (uint32_t)numbers[i];
	}
	return r;
}

static int dispatch_format(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	uint32_t *ret = userdata;

	(void)name, (void)flags;
	if (!sd_json_variant_is_string(v))
		return -EPROTO;
	*ret = vencd_pixel_format_from_name(sd_json_variant_string(v));
	return 0;
}

#define LAYOUT(field, type, member)                                                         \
	{field, _SD_JSON_VARIANT_TYPE_INVALID, type, offsetof(struct plane_layout, member), \
		SD_JSON_MANDATORY}

static const sd_json_dispatch_field layout_fields[] = {
	LAYOUT("width", sd_json_dispatch_uint32, width),
	LAYOUT("height", sd_json_dispatch_uint32, height),
	LAYOUT("format", dispatch_format, format),
	LAYOUT("planes", sd_json_dispatch_uint32, planes),
	LAYOUT("stride", dispatch_u32s, stride),
	LAYOUT("rows", dispatch_u32s, rows),
	LAYOUT("rowBytes", dispatch_u32s, row_bytes),
	LAYOUT("slots", sd_json_dispatch_uint32, slots),
	LAYOUT("offset", dispatch_u64s, offset),
	LAYOUT("slotSize", sd_json_dispatch_uint64, slot_size),
	LAYOUT("submitEntries", sd_json_dispatch_uint32, submit_entries),
	LAYOUT("attempts", sd_json_dispatch_uint32, attempts),
	LAYOUT("dataSize", sd_json_dispatch_uint64, data_size),
	{0},
};

static int dispatch_layout(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	(void)name, (void)flags;
	return sd_json_dispatch(v, layout_fields, SD_JSON_ALLOW_EXTENSIONS, userdata);
}

#define OPENED(field, type, member)                                                   \
	{field, _SD_JSON_VARIANT_TYPE_INVALID, type, offsetof(struct opened, member), \
		SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL}

static const sd_json_dispatch_field opened_fields[] = {
	OPENED("id", sd_json_dispatch_uint64, id),
	OPENED("token", sd_json_dispatch_const_string, token),
	OPENED("codec", sd_json_dispatch_const_string, codec),
	OPENED("encoder", sd_json_dispatch_const_string, encoder),
	OPENED("backend", sd_json_dispatch_const_string, backend),
	OPENED("device", sd_json_dispatch_const_string, device),
	OPENED("reorder", sd_json_dispatch_uint32, reorder),
	OPENED("layout", dispatch_layout, layout),
	{0},
};

int request_read_reply(sd_json_variant *reply, struct opened *ret)
{
	int r = sd_json_dispatch(reply, opened_fields, SD_JSON_ALLOW_EXTENSIONS, ret);

	/* Whatever is wrong with it is the other side's doing. */
	return r < 0 ? -EPROTO : 0;
}

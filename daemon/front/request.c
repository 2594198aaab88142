// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Parameters of methods. Names and types are refused by sd-varlink, from the interface's definition
 * and once more here by dispatching; ranges and words are refused in parameters.c.
 */

#include "daemon/front/request.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "daemon/front/idl.h"
#include "daemon/front/parameters.h"

int request_invalid(sd_varlink *link, const char *parameter, const char *value, const char *reason,
	const char *alternatives)
{
	return sd_varlink_errorbo(link, INTERFACE ".Invalid",
		SD_JSON_BUILD_PAIR_STRING("parameter", parameter),
		SD_JSON_BUILD_PAIR_CONDITION(value != NULL, "value", SD_JSON_BUILD_STRING(value)),
		SD_JSON_BUILD_PAIR_STRING("reason", reason),
		SD_JSON_BUILD_PAIR_CONDITION(
			alternatives != NULL, "alternatives", SD_JSON_BUILD_STRING(alternatives)),
		SD_JSON_BUILD_PAIR_STRING("advice", "correct the request"));
}

/* Objects within the request. */

#define POINT_FIELD(name, member)                                     \
	{name, _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_int64, \
		offsetof(struct raw_point, member), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL}

static const sd_json_dispatch_field rational_fields[] = {
	POINT_FIELD("num", x), POINT_FIELD("den", y), {0}};
static const sd_json_dispatch_field chromaticity_fields[] = {
	POINT_FIELD("x", x), POINT_FIELD("y", y), {0}};

static int dispatch_rational(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	(void)name, (void)flags;
	return sd_json_variant_is_null(v) ? 0 : sd_json_dispatch(v, rational_fields, 0, userdata);
}

static int dispatch_chromaticity(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	(void)name, (void)flags;
	return sd_json_variant_is_null(v) ? 0
					  : sd_json_dispatch(v, chromaticity_fields, 0, userdata);
}

static int dispatch_primaries(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	struct raw_point *points = userdata;
	int r = 0;

	if (sd_json_variant_is_null(v))
		return 0;
	if (!sd_json_variant_is_array(v) || sd_json_variant_elements(v) != 3)
		return -EINVAL;
	for (size_t i = 0; i < 3 && r >= 0; i++)
		r = dispatch_chromaticity(name, sd_json_variant_by_index(v, i), flags, &points[i]);
	return r;
}

/* The dispatchers of numbers and booleans take null for 0 and false; here it is "not given". */
static int dispatch_number(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	return sd_json_variant_is_null(v) ? 0 : sd_json_dispatch_int64(name, v, flags, userdata);
}

#define RAW(name, type, member, flags) \
	{name, _SD_JSON_VARIANT_TYPE_INVALID, type, offsetof(struct raw, member), flags}
#define NEEDED (SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL)
#define RAW_NUMBER(name, member, flags) RAW(name, dispatch_number, member, flags)
#define RAW_STRING(name, member, flags) RAW(name, sd_json_dispatch_const_string, member, flags)
#define RAW_BOOL(name, member) RAW(name, sd_json_dispatch_tristate, member, 0)

static const sd_json_dispatch_field colour_fields[] = {
	RAW_NUMBER("primaries", primaries, NEEDED),
	RAW_NUMBER("transfer", transfer, NEEDED),
	RAW_NUMBER("matrix", matrix, NEEDED),
	RAW_BOOL("fullRange", full_range),
	RAW_NUMBER("chromaLocation", chroma_location, 0),
	{0},
};

static const sd_json_dispatch_field hdr_fields[] = {
	RAW("displayPrimaries", dispatch_primaries, primary, 0),
	RAW("whitePoint", dispatch_chromaticity, white_point, 0),
	RAW_NUMBER("maxLuminance", max_luminance, 0),
	RAW_NUMBER("minLuminance", min_luminance, 0),
	RAW_NUMBER("maxContentLight", max_content_light, 0),
	RAW_NUMBER("maxAverageLight", max_average_light, 0),
	{0},
};

static int dispatch_colour(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	(void)name, (void)flags;
	return sd_json_variant_is_null(v) ? 0 : sd_json_dispatch(v, colour_fields, 0, userdata);
}

static int dispatch_hdr(
	const char *name, sd_json_variant *v, sd_json_dispatch_flags_t flags, void *userdata)
{
	(void)name, (void)flags;
	return sd_json_variant_is_null(v) ? 0 : sd_json_dispatch(v, hdr_fields, 0, userdata);
}

#define RAW_VARIANT(name, member, flags) RAW(name, sd_json_dispatch_variant_noref, member, flags)

/* What OpenSession and Encode share. */
#define RATES_AND_CHOICES                                                                    \
	RAW_STRING("rateControl", rate_control, 0), RAW_NUMBER("quality", quality, 0),       \
		RAW_NUMBER("bitrate", bitrate, 0), RAW_NUMBER("maxBitrate", max_bitrate, 0), \
		RAW_NUMBER("speed", speed, 0), RAW_NUMBER("gop", gop, 0),                    \
		RAW_BOOL("bFrames", b_frames), RAW_STRING("latency", latency, 0),            \
		RAW_STRING("backend", backend, 0), RAW_STRING("onFailure", on_failure, 0),   \
		RAW_STRING("label", label, 0), RAW_STRING("nullScript", null_script, 0)

static const sd_json_dispatch_field open_fields[] = {
	RAW_VARIANT("codecs", codecs, NEEDED),
	RAW_NUMBER("width", width, NEEDED),
	RAW_NUMBER("height", height, NEEDED),
	RAW_STRING("format", format, NEEDED),
	RAW("timeBase", dispatch_rational, time_base, NEEDED),
	RAW("frameRate", dispatch_rational, frame_rate, 0),
	RAW("sampleAspect", dispatch_rational, sample_aspect, 0),
	/* These are objects of their own whose fields stand in the same struct. */
	{"colour", _SD_JSON_VARIANT_TYPE_INVALID, dispatch_colour, 0, 0},
	{"hdr", _SD_JSON_VARIANT_TYPE_INVALID, dispatch_hdr, 0, 0},
	RATES_AND_CHOICES,
	{0},
};

static const sd_json_dispatch_field encode_fields[] = {
	RAW_NUMBER("input", input, NEEDED),
	RAW_NUMBER("output", output, NEEDED),
	RAW_STRING("container", container, NEEDED),
	RAW_STRING("inputFormat", input_format, 0),
	RAW_VARIANT("codecs", codecs, 0),
	RATES_AND_CHOICES,
	{0},
};

int request_open(sd_varlink *link, sd_json_variant *parameters, struct vencd_params *ret)
{
	struct raw raw = raw_absent;
	int r = sd_varlink_dispatch(link, parameters, open_fields, &raw);

	return r ? r : parameters_take(link, &raw, ret);
}

/* One-shot requests */

static const struct {
	const char *name, *adapter_name;
} containers[] = {
	{"mkv", "mkv"},
	{"matroska", "mkv"},
	{"mp4", "mp4"},
	{"webm", "webm"},
	{"ts", "ts"},
	{"mpegts", "ts"},
	{"ivf", "ivf"},
	{"obu", "obu"},
	{"h264", "h264"},
	{"hevc", "hevc"},
	{"null", "null"},
};

static int take_container(sd_varlink *link, const char *name, const char **ret)
{
	char list[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
		if (strcmp(containers[i].name, name) == 0) {
			*ret = containers[i].adapter_name;
			return 0;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
			containers[i].name);
	}
	return request_invalid(link, "container", name, "there is no such container", list);
}

static int take_fds(sd_varlink *link, const struct raw *raw, int ret[2])
{
	const char *reason = NULL, *parameter = "input";

	if (sd_varlink_peek_fd(link, 0) < 0 || sd_varlink_peek_fd(link, 1) < 0 ||
		sd_varlink_peek_fd(link, 2) >= 0)
		reason = "exactly two fds must be sent with the call";
	else if (raw->input < 0 || raw->input > 1)
		reason = "it is the index of a sent fd, 0 or 1";
	else if (raw->output != 1 - raw->input) {
		parameter = "output";
		reason = "it is the index of the other sent fd";
	}
	if (reason)
		return request_invalid(link, parameter, NULL, reason, NULL);
	ret[0] = sd_varlink_take_fd(link, (size_t)raw->input);
	ret[1] = sd_varlink_take_fd(link, (size_t)raw->output);
	return 0;
}

int request_encode(sd_varlink *link, sd_json_variant *parameters, struct order *ret)
{
	struct raw raw = raw_absent;
	int r = sd_varlink_dispatch(link, parameters, encode_fields, &raw);

	if (r)
		return r;
	if (raw.codecs && sd_json_variant_is_null(raw.codecs))
		raw.codecs = NULL;
	r = parameters_take(link, &raw, &ret->params);
	r = r ? r : take_container(link, raw.container, &ret->container);
	if (r)
		return r;
	if (raw.input_format && strcmp(raw.input_format, "y4m") != 0)
		return request_invalid(
			link, "inputFormat", raw.input_format, "there is no such format", "y4m");
	ret->input_format = raw.input_format ? "y4m" : NULL;
	return take_fds(link, &raw, ret->fds);
}

/* Requests about a session */

struct raw_session {
	uint64_t id;
	const char *token, *cause, *text;
};

#define SESSION_FIELD(name, type, member, flags) \
	{name, _SD_JSON_VARIANT_TYPE_INVALID, type, offsetof(struct raw_session, member), flags}

static const sd_json_dispatch_field session_fields[] = {
	SESSION_FIELD("id", sd_json_dispatch_uint64, id, NEEDED),
	SESSION_FIELD("token", sd_json_dispatch_const_string, token, 0),
	{0},
};

static const sd_json_dispatch_field cancel_fields[] = {
	SESSION_FIELD("id", sd_json_dispatch_uint64, id, NEEDED),
	SESSION_FIELD("token", sd_json_dispatch_const_string, token, NEEDED),
	SESSION_FIELD("cause", sd_json_dispatch_const_string, cause, 0),
	SESSION_FIELD("text", sd_json_dispatch_const_string, text, 0),
	{0},
};

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

static int take_token(sd_varlink *link, const char *text, uint8_t ret[16])
{
	bool good = strlen(text) == 32;

	for (size_t i = 0; good && i < 16; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		good = high >= 0 && low >= 0;
		ret[i] = (uint8_t)(high * 16 + low);
	}
	return good ? 0
		    : request_invalid(link, "token", NULL,
			      "it is not the 32 hexadecimal digits that OpenSession gave", NULL);
}

int request_session(sd_varlink *link, sd_json_variant *parameters, enum token_need need,
	struct session_request *ret)
{
	struct raw_session raw = {0};
	int r = sd_varlink_dispatch(link, parameters, session_fields, &raw);

	if (r)
		return r;
	ret->id = raw.id;
	if (!raw.token)
		return need == TOKEN_NEEDED ? sd_varlink_error_invalid_parameter_name(link, "token")
					    : 0;
	return take_token(link, raw.token, ret->token);
}

int request_cancel(sd_varlink *link, sd_json_variant *parameters, struct session_request *ret)
{
	struct raw_session raw = {0};
	int r = sd_varlink_dispatch(link, parameters, cancel_fields, &raw);

	if (r)
		return r;
	ret->id = raw.id;
	r = parameters_take_cause(link, raw.cause, &ret->cause);
	r = r ? r : parameters_take_text(link, "text", raw.text, ret->text, sizeof(ret->text));
	return r ? r : take_token(link, raw.token, ret->token);
}

struct raw_probe {
	const char *device, *encoder;
};

static const sd_json_dispatch_field probe_fields[] = {
	{"device", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_const_string,
		offsetof(struct raw_probe, device), 0},
	{"encoder", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_const_string,
		offsetof(struct raw_probe, encoder), 0},
	{0},
};

int request_probe(sd_varlink *link, sd_json_variant *parameters, char device[64], char encoder[32])
{
	struct raw_probe raw = {0};
	int r = sd_varlink_dispatch(link, parameters, probe_fields, &raw);

	r = r ? r : parameters_take_text(link, "device", raw.device, device, 64);
	return r ? r : parameters_take_text(link, "encoder", raw.encoder, encoder, 32);
}

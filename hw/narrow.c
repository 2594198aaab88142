// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * A request narrowed to one encoder: a list of checks in a fixed order, each of which fills its
 * field's default or refuses. What makes no sense for any encoder is -EINVAL; what this one cannot
 * do is -EOPNOTSUPP, and the refusal then says what it can. Nothing is changed silently, but
 * speeds, which every encoder maps to its own (speed_used).
 */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "hw/catalogue_row.h"
#include "hw/narrow_signal.h"
#include "fallback/script.h"

#define DEFAULT_SPEED 8
#define DEFAULT_FRAME_RATE 25
#define DEFAULT_GOP_SECONDS 5u
#define GOP_MAX (1u << 30)
#define BITRATE_MIN 1000u /* rate control everywhere counts in kbit/s */

struct narrowing {
	const struct encoder_limits *limits;
	const struct catalogue_row *row;
	struct vencd_params *p; /* the request, being completed */
	struct vencd_refusal *refusal;
};

/* --- saying no --- */

static const char *const no_alternatives = "";

__attribute__((format(printf, 5, 6))) static int refuse(const struct narrowing *n, int error,
	const char *parameter, const char *alternatives, const char *format, ...)
{
	va_list list;

	snprintf(n->refusal->parameter, sizeof(n->refusal->parameter), "%s", parameter);
	snprintf(n->refusal->alternatives, sizeof(n->refusal->alternatives), "%s", alternatives);
	va_start(list, format);
	vsnprintf(n->refusal->reason, sizeof(n->refusal->reason), format, list);
	va_end(list);
	snprintf(n->refusal->advice, sizeof(n->refusal->advice), "%s",
		error == -EINVAL ? "correct the request"
				 : "choose one of the alternatives, or allow another codec");
	return error;
}

__attribute__((format(printf, 2, 3))) static void set_value(
	const struct narrowing *n, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(n->refusal->value, sizeof(n->refusal->value), format, list);
	va_end(list);
}

/* An enumeration's values as they may stand in a request: those whose bit is set. */
static void list_names(char *ret, size_t size, uint32_t bits, const char *(*name)(uint32_t value))
{
	size_t used = 0;

	ret[0] = '\0';
	for (uint32_t value = 1; value < 32 && used < size; value++)
		if (bits & 1u << value)
			used += (size_t)snprintf(
				ret + used, size - used, "%s%s", used ? ", " : "", name(value));
}

static const char *rate_name(uint32_t value)
{
	return vencd_rate_control_name((enum vencd_rate_control)value);
}

static const char *format_name(uint32_t value)
{
	return vencd_pixel_format_name((enum vencd_pixel_format)value);
}

/* A value of 1 to last, or 0 where the default stands for it. */
static int check_enum(
	const struct narrowing *n, const char *parameter, uint32_t value, uint32_t last)
{
	if (value <= last)
		return 0;
	set_value(n, "%u", value);
	return refuse(n, -EINVAL, parameter, no_alternatives, "no such %s", parameter);
}

/* --- what the picture is --- */

static int narrow_codec(const struct narrowing *n)
{
	uint32_t found = 0;

	if (!n->p->codecs[0])
		return refuse(
			n, -EINVAL, "codecs", "av1, hevc, h264, vp9", "no codec was asked for");
	for (unsigned i = 0; i < VENCD_MAX_CODECS && n->p->codecs[i]; i++) {
		uint32_t codec = n->p->codecs[i];
		int r = check_enum(n, "codecs", codec, VENCD_CODEC_VP9);

		if (r < 0)
			return r;
		if (!found && (!n->limits->codec || n->limits->codec == codec))
			found = codec;
	}
	if (!found) {
		set_value(n, "%s", vencd_codec_name((enum vencd_codec)n->p->codecs[0]));
		return refuse(n, -EOPNOTSUPP, "codecs",
			vencd_codec_name((enum vencd_codec)n->limits->codec),
			"%s encodes another codec", n->limits->title);
	}
	memset(n->p->codecs, 0, sizeof(n->p->codecs));
	n->p->codecs[0] = found;
	return 0;
}

static bool size_fits(const struct narrowing *n)
{
	const struct encoder_reach *l = &n->limits->reach;
	uint32_t width = n->p->width, height = n->p->height;
	uint32_t longer = width > height ? width : height;

	if (n->row->long_side && longer > n->row->long_side &&
		(width < n->row->long_side_min || height < n->row->long_side_min))
		return false;
	return width >= l->min_width && height >= l->min_height && width <= l->max_width &&
		height <= l->max_height && width % l->size_multiple == 0 &&
		height % l->size_multiple == 0;
}

static void describe_sizes(const struct narrowing *n, char *ret, size_t size)
{
	const struct encoder_reach *l = &n->limits->reach;
	int used = snprintf(ret, size, "%ux%u to %ux%u%s", l->min_width, l->min_height,
		l->max_width, l->max_height,
		l->size_multiple == 2 ? ", even width and height" : "");

	if (n->row->long_side && used > 0 && (size_t)used < size)
		snprintf(ret + used, size - (size_t)used,
			", at least %u where the other is above %u", n->row->long_side_min,
			n->row->long_side);
}

static int narrow_size(const struct narrowing *n)
{
	uint32_t width = n->p->width, height = n->p->height;
	char limits[128];

	set_value(n, "%ux%u", width, height);
	if (!width || !height || width > VENCD_SIZE_MAX || height > VENCD_SIZE_MAX)
		return refuse(n, -EINVAL, "width, height", "1x1 to 8192x8192",
			"a picture has 1 to %u columns and rows", VENCD_SIZE_MAX);
	if (size_fits(n))
		return 0;
	describe_sizes(n, limits, sizeof(limits));
	return refuse(n, -EOPNOTSUPP, "width, height", limits, "%s cannot encode this size exactly",
		n->limits->title);
}

static int narrow_format(const struct narrowing *n)
{
	uint32_t known = n->limits->reach.formats | n->limits->reach.formats_converted;
	char names[64];

	set_value(n, "%u", n->p->format);
	list_names(names, sizeof(names), known, format_name);
	if (!n->p->format || n->p->format > VENCD_FORMAT_P010)
		return refuse(n, -EINVAL, "format", names, "no such pixel format");
	set_value(n, "%s", format_name(n->p->format));
	if (!(known & 1u << n->p->format))
		return refuse(n, -EOPNOTSUPP, "format", names, "%s does not take this pixel format",
			n->limits->title);
	return 0;
}

/* Both terms positive, or both 0 where that means "not given". */
static bool ratio_valid(struct vencd_rational r, bool optional)
{
	return (r.num > 0 && r.den > 0) || (optional && r.num == 0 && r.den == 0);
}

static int narrow_times(const struct narrowing *n)
{
	const struct {
		const char *parameter;
		struct vencd_rational *ratio;
		bool optional;
	} ratios[] = {
		{"timeBase", &n->p->time_base, false},
		{"frameRate", &n->p->frame_rate, true},
		{"sampleAspect", &n->p->sample_aspect, true},
	};

	for (unsigned i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
		set_value(n, "%d/%d", ratios[i].ratio->num, ratios[i].ratio->den);
		if (!ratio_valid(*ratios[i].ratio, ratios[i].optional))
			return refuse(n, -EINVAL, ratios[i].parameter, no_alternatives,
				"both terms must be above 0");
	}
	if (!n->p->frame_rate.num)
		n->p->frame_rate = (struct vencd_rational){DEFAULT_FRAME_RATE, 1};
	return 0;
}

static int narrow_signal(const struct narrowing *n)
{
	const char *parameter, *reason = colour_fault(&n->p->colour, &parameter);

	n->refusal->value[0] = '\0';
	if (!reason)
		reason = hdr_fault(&n->p->hdr, &parameter);
	return reason ? refuse(n, -EINVAL, parameter, no_alternatives, "%s", reason) : 0;
}

/* --- how it is to be encoded --- */

static int narrow_enums(const struct narrowing *n)
{
	const struct {
		const char *parameter;
		uint32_t *value;
		uint32_t last, fallback;
	} enums[] = {
		{"latency", &n->p->latency, VENCD_LATENCY_LIVE, VENCD_LATENCY_FILE},
		{"backend", &n->p->backend, VENCD_BACKEND_NULL, VENCD_BACKEND_ANY},
		{"onFailure", &n->p->on_failure, VENCD_ON_FAILURE_FAIL, VENCD_ON_FAILURE_FAILOVER},
		{"rateControl", &n->p->rate_control, VENCD_RATE_CBR, 0},
	};

	for (unsigned i = 0; i < sizeof(enums) / sizeof(enums[0]); i++) {
		int r = check_enum(n, enums[i].parameter, *enums[i].value, enums[i].last);

		if (r < 0)
			return r;
		if (!*enums[i].value)
			*enums[i].value = enums[i].fallback;
	}
	return 0;
}

/* A bitrate without a rate control: constant where every moment counts, else an average. */
static uint32_t default_rate_control(const struct vencd_params *p)
{
	if (p->max_bitrate)
		return VENCD_RATE_CAPPED_VBR;
	if (!p->bitrate)
		return VENCD_RATE_QUALITY;
	return p->latency == VENCD_LATENCY_LIVE ? VENCD_RATE_CBR : VENCD_RATE_VBR;
}

static int narrow_rate_control(const struct narrowing *n)
{
	uint32_t exist = n->limits->reach.rate_controls[n->p->latency];
	char names[64];

	if (!n->p->rate_control)
		n->p->rate_control = default_rate_control(n->p);
	if (exist & 1u << n->p->rate_control)
		return 0;
	list_names(names, sizeof(names), exist, rate_name);
	set_value(n, "%s", rate_name(n->p->rate_control));
	return refuse(n, -EOPNOTSUPP, "rateControl", names,
		"%s has no such rate control in %s latency", n->limits->title,
		vencd_latency_name((enum vencd_latency)n->p->latency));
}

/* A field of the rate control: it must be there when it counts, and not when it does not. */
static int check_given(const struct narrowing *n, const char *parameter, bool given, bool wanted)
{
	if (given == wanted)
		return 0;
	set_value(n, "%s", given ? "given" : "not given");
	return refuse(n, -EINVAL, parameter, no_alternatives, "rate control %s %s %s",
		rate_name(n->p->rate_control), wanted ? "needs" : "has no", parameter);
}

static int narrow_bitrate(const struct narrowing *n)
{
	uint64_t bitrate = n->p->bitrate, most = n->p->max_bitrate, limit = n->row->max_bitrate;
	char below[64];
	int r = check_given(n, "bitrate", bitrate != 0, n->p->rate_control != VENCD_RATE_QUALITY);

	if (r < 0)
		return r;
	r = check_given(n, "maxBitrate", most != 0, n->p->rate_control == VENCD_RATE_CAPPED_VBR);
	if (r < 0)
		return r;
	set_value(n, "%llu", (unsigned long long)(most ? most : bitrate));
	if (bitrate && bitrate < BITRATE_MIN)
		return refuse(n, -EINVAL, "bitrate", no_alternatives,
			"below %u bits a second; is it in kbit/s?", BITRATE_MIN);
	if (most && most < bitrate)
		return refuse(n, -EINVAL, "maxBitrate", no_alternatives,
			"the maximum is below the average of %llu", (unsigned long long)bitrate);
	snprintf(below, sizeof(below), "up to %llu", (unsigned long long)limit);
	if (limit && (bitrate > limit || most > limit))
		return refuse(n, -EOPNOTSUPP, most > limit ? "maxBitrate" : "bitrate", below,
			"%s takes no more than %llu bits a second", n->limits->title,
			(unsigned long long)limit);
	return 0;
}

/* Only rate control by bits has to know how long a frame lasts. */
static int narrow_frame_rate(const struct narrowing *n)
{
	struct vencd_rational rate = n->p->frame_rate;
	int64_t most = n->row->max_frame_rate;
	char range[64];

	if (!most || n->p->rate_control == VENCD_RATE_QUALITY ||
		(rate.num >= rate.den && rate.num <= most * rate.den))
		return 0;
	set_value(n, "%d/%d", rate.num, rate.den);
	snprintf(range, sizeof(range), "1 to %d, or rate control quality", (int)most);
	return refuse(n, -EOPNOTSUPP, "frameRate", range, "%s cannot count bits at this frame rate",
		n->limits->title);
}

static int narrow_quality(const struct narrowing *n)
{
	const struct encoder_limits *l = n->limits;
	int32_t quality = n->p->quality;
	char range[32];
	int r;

	if (n->p->rate_control != VENCD_RATE_QUALITY) {
		r = check_given(n, "quality", quality != -1, false);
		return r;
	}
	set_value(n, "%d", quality);
	snprintf(range, sizeof(range), "%d to %d", l->quality_min, l->quality_max);
	if (quality == -1)
		n->p->quality = l->quality_default;
	else if (quality < 0 || quality > 63)
		return refuse(n, -EINVAL, "quality", range, "no codec's scale reaches there");
	else if (quality < l->quality_min || quality > l->quality_max)
		return refuse(
			n, -EOPNOTSUPP, "quality", range, "outside the scale of %s", l->title);
	return 0;
}

static int narrow_speed(const struct narrowing *n)
{
	set_value(n, "%d", n->p->speed);
	if (n->p->speed < -1 || n->p->speed > (int32_t)VENCD_SPEED_MAX)
		return refuse(n, -EINVAL, "speed", "0 (slowest) to 13", "there is no such speed");
	if (n->p->speed == -1)
		n->p->speed = DEFAULT_SPEED;
	return 0;
}

static int narrow_gop(const struct narrowing *n)
{
	const struct vencd_rational rate = n->p->frame_rate;
	uint64_t frames = ((uint64_t)rate.num * DEFAULT_GOP_SECONDS + (uint32_t)rate.den - 1) /
		(uint32_t)rate.den;

	set_value(n, "%u", n->p->gop);
	if (n->p->gop > GOP_MAX)
		return refuse(n, -EINVAL, "gop", "1 to 1073741824", "too many frames");
	if (!n->p->gop)
		n->p->gop = frames > GOP_MAX ? GOP_MAX : (uint32_t)frames;
	return 0;
}

/* The default is 1 where the encoder has them for this latency and rate control. */
static int narrow_b_frames(const struct narrowing *n)
{
	uint32_t rate = 1u << n->p->rate_control;
	bool with = (n->limits->reach.b_frames & 1u << n->p->latency) &&
		(n->row->reordering & rate);
	bool without = n->row->low_delay & rate;

	set_value(n, "%d", n->p->b_frames);
	if (n->p->b_frames < -1 || n->p->b_frames > 1)
		return refuse(n, -EINVAL, "bFrames", "0, 1", "it is 1, 0, or -1 for the default");
	if (n->p->b_frames == 1 && n->p->latency == VENCD_LATENCY_LIVE)
		return refuse(n, -EINVAL, "bFrames", "0",
			"latency live means that no frame waits for another");
	if (n->p->b_frames == -1)
		n->p->b_frames = with;
	if (n->p->b_frames ? with : without)
		return 0;
	return refuse(n, -EOPNOTSUPP, "bFrames", n->p->b_frames ? "0" : "1",
		"%s has rate control %s only %s B frames", n->limits->title,
		rate_name(n->p->rate_control), n->p->b_frames ? "without" : "with");
}

static int narrow_script(const struct narrowing *n)
{
	struct script script;
	char why[128];

	if (n->limits->backend != VENCD_BACKEND_NULL)
		return 0;
	n->p->null_script[VENCD_SCRIPT_MAX - 1] = '\0';
	if (script_parse(&script, n->p->null_script, why, sizeof(why)) == 0)
		return 0;
	set_value(n, "%s", n->p->null_script);
	return refuse(n, -EINVAL, "null_script", no_alternatives, "%s", why);
}

/* In an order in which each may rely on those before it. */
static int (*const checks[])(const struct narrowing *n) = {
	narrow_codec,
	narrow_size,
	narrow_format,
	narrow_times,
	narrow_signal,
	narrow_enums,
	narrow_rate_control,
	narrow_bitrate,
	narrow_frame_rate,
	narrow_quality,
	narrow_speed,
	narrow_gop,
	narrow_b_frames,
	narrow_script,
};

int encoder_narrow(const struct encoder_limits *limits, const struct vencd_params *request,
	struct encoder_params *ret, struct vencd_refusal *refusal)
{
	struct vencd_params params = *request;
	const struct narrowing n = {limits, catalogue_row_of(limits), &params, refusal};

	memset(refusal, 0, sizeof(*refusal));
	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int r = checks[i](&n);

		if (r < 0)
			return r;
	}
	memset(refusal, 0, sizeof(*refusal));
	*ret = (struct encoder_params){.request = params, .threads = 1};
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The options of `vencctl encode`, as one table.
 *
 * A bad value names the option, the value and what is accepted. What can be known to be wrong
 * without the daemon is refused here; what an encoder can do is the daemon's to say. Rate control
 * follows from what was given: a quality, a bitrate, a bitrate with a maximum, or --cbr.
 */

#include "client/vencctl/encode_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/vencctl/tool.h"

#define BITRATE_MIN 1000u
#define BITRATE_MAX 4000000000u

const char command_encode_help[] =
	"IN is any file that FFmpeg opens, or - for y4m on stdin. OUT's extension says the\n"
	"container (mkv, mp4, webm, ts, ivf, obu, h264, hevc); it is written as OUT.partial and\n"
	"renamed when whole. Audio and subtitles are copied where the container takes them.\n\n"
	"  -o OUT               the output; - for stdout, which needs --container\n"
	"  --codec LIST         av1, hevc, h264, vp9 in order of preference (what OUT holds)\n"
	"  --backend NAME       any, hardware, software, null (any)\n"
	"  --on-failure WHAT    failover, fail (failover); so far either way a failure ends it\n"
	"  --quality N          constant quality: 0-63 for AV1 and VP9, 0-51 for HEVC and H.264\n"
	"  --bitrate N          bits a second on average; k, M and G may follow\n"
	"  --max-bitrate N      bits a second at most, with --bitrate\n"
	"  --cbr                keep --bitrate at every moment\n"
	"  --speed N            0 (slowest, best) to 13 (8)\n"
	"  --gop N              frames from keyframe to keyframe at most\n"
	"  --b-frames on|off    allow B frames (where codec, latency and rate control have them)\n"
	"  --latency WHAT       file, live (file)\n"
	"  --container NAME     instead of OUT's extension; null: packets without a container\n"
	"  --input-format y4m   IN is y4m, whatever its name is\n"
	"  --report FILE        write the result there as JSON\n"
	"  --null-script TEXT   what the null encoder is to do, with --backend null\n";

/* Reads one value into options. False: it is not accepted. */
typedef bool (*read_value)(struct encode_options *options, const char *value);

static bool read_number(const char *value, long min, long max, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(value, &end, 10);
	return *value && !*end && !errno && *value != ' ' && *ret >= min && *ret <= max;
}

static bool read_bitrate(const char *value, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		double factor;
	} units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
	char *end;
	double n = strtod(value, &end);

	if (end == value || strspn(value, "0123456789.") != (size_t)(end - value))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		double bits = n * units[i].factor;

		if (strcmp(units[i].suffix, end) == 0 && bits >= BITRATE_MIN &&
			bits <= BITRATE_MAX) {
			*ret = (uint64_t)(bits + 0.5);
			return true;
		}
	}
	return false;
}

static bool has_codec(const struct vencd_params *params, uint32_t codec)
{
	for (size_t i = 0; i < VENCD_MAX_CODECS; i++) {
		if (params->codecs[i] == codec)
			return true;
	}
	return false;
}

static bool read_codecs(struct encode_options *options, const char *value)
{
	char *list = strdup(value), *save = NULL;
	size_t n = 0;
	bool good = list != NULL;

	memset(options->params.codecs, 0, sizeof(options->params.codecs));
	for (char *name = list ? strtok_r(list, ",", &save) : NULL; good && name;
		name = strtok_r(NULL, ",", &save)) {
		uint32_t codec = vencd_codec_from_name(name);

		good = codec && n < VENCD_MAX_CODECS && !has_codec(&options->params, codec);
		if (good)
			options->params.codecs[n++] = codec;
	}
	free(list);
	return good && n > 0;
}

static bool read_backend(struct encode_options *options, const char *value)
{
	return (options->params.backend = vencd_backend_from_name(value)) != 0;
}

static bool read_on_failure(struct encode_options *options, const char *value)
{
	return (options->params.on_failure = vencd_on_failure_from_name(value)) != 0;
}

static bool read_latency(struct encode_options *options, const char *value)
{
	return (options->params.latency = vencd_latency_from_name(value)) != 0;
}

static bool read_quality(struct encode_options *options, const char *value)
{
	long n = 0;
	bool good = read_number(value, 0, 63, &n);

	options->params.quality = (int32_t)n;
	return good;
}

static bool read_average(struct encode_options *options, const char *value)
{
	return read_bitrate(value, &options->params.bitrate);
}

static bool read_maximum(struct encode_options *options, const char *value)
{
	return read_bitrate(value, &options->params.max_bitrate);
}

static bool read_cbr(struct encode_options *options, const char *value)
{
	(void)value;
	options->params.rate_control = VENCD_RATE_CBR;
	return true;
}

static bool read_speed(struct encode_options *options, const char *value)
{
	long n = 0;
	bool good = read_number(value, 0, VENCD_SPEED_MAX, &n);

	options->params.speed = (int32_t)n;
	return good;
}

static bool read_gop(struct encode_options *options, const char *value)
{
	long n = 0;
	bool good = read_number(value, 1, 100000, &n);

	options->params.gop = (uint32_t)n;
	return good;
}

static bool read_b_frames(struct encode_options *options, const char *value)
{
	options->params.b_frames = strcmp(value, "on") == 0;
	return options->params.b_frames || strcmp(value, "off") == 0;
}

static bool read_container(struct encode_options *options, const char *value)
{
	return (options->container = container_find(value)) != NULL;
}

static bool read_input_format(struct encode_options *options, const char *value)
{
	options->input_format = INPUT_FORMAT_Y4M;
	return strcmp(value, "y4m") == 0;
}

static bool read_output(struct encode_options *options, const char *value)
{
	options->output = value;
	return *value != '\0';
}

static bool read_report(struct encode_options *options, const char *value)
{
	options->report = value;
	return *value != '\0';
}

static bool read_null_script(struct encode_options *options, const char *value)
{
	size_t length = strlen(value);

	if (length >= sizeof(options->params.null_script))
		return false;
	memcpy(options->params.null_script, value, length + 1);
	return true;
}

static const struct option_row {
	const char *name;
	const char *accepted; /* NULL: it takes no value */
	read_value read;
} rows[] = {
	{"-o", "a file name", read_output},
	{"--codec", "a list of av1, hevc, h264 and vp9", read_codecs},
	{"--backend", "any, hardware, software or null", read_backend},
	{"--on-failure", "failover or fail", read_on_failure},
	{"--quality", "a number from 0 to 63", read_quality},
	{"--bitrate", "1k to 4G bits a second, such as 2500k or 2.5M", read_average},
	{"--max-bitrate", "1k to 4G bits a second, such as 2500k or 2.5M", read_maximum},
	{"--cbr", NULL, read_cbr},
	{"--speed", "a number from 0 to 13", read_speed},
	{"--gop", "a number from 1 to 100000", read_gop},
	{"--b-frames", "on or off", read_b_frames},
	{"--latency", "file or live", read_latency},
	{"--container", "mkv, mp4, webm, ts, ivf, obu, h264, hevc or null", read_container},
	{"--input-format", "y4m", read_input_format},
	{"--report", "a file name", read_report},
	{"--null-script", "a text of at most 255 bytes", read_null_script},
};

/* The option that a word names, as "NAME" or "NAME=VALUE"; *value is NULL for the former. */
static const struct option_row *find_option(const char *word, const char **value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t length = strlen(rows[i].name);

		if (strncmp(word, rows[i].name, length) != 0)
			continue;
		if (!word[length] || word[length] == '=') {
			*value = word[length] ? word + length + 1 : NULL;
			return &rows[i];
		}
	}
	return NULL;
}

/* Returns how many words it took, or -1 after saying what is wrong. */
static int read_option(struct encode_options *options, char **words)
{
	const char *value;
	const struct option_row *row = find_option(words[0], &value);
	int taken = 1;

	if (!row) {
		tool_usage("encode", "there is no option %s", words[0]);
		return -1;
	}
	if (row->accepted && !value) {
		value = words[1];
		taken = 2;
	}
	if (row->accepted && !value)
		tool_usage("encode", "%s needs a value: %s", row->name, row->accepted);
	else if (!row->accepted && value)
		tool_usage("encode", "%s takes no value", row->name);
	else if (!row->read(options, value))
		tool_usage("encode", "%s %s is not accepted: only %s", row->name, value,
			row->accepted);
	else
		return taken;
	return -1;
}

static int read_words(struct encode_options *options, int argc, char **argv)
{
	bool words_only = false;

	for (int i = 1; i < argc;) {
		int taken = 1;

		if (!words_only && strcmp(argv[i], "--") == 0)
			words_only = true;
		else if (!words_only && argv[i][0] == '-' && argv[i][1])
			taken = read_option(options, argv + i);
		else if (options->input)
			return tool_usage("encode", "one input is enough: %s and %s",
				options->input, argv[i]);
		else
			options->input = argv[i];
		if (taken < 0)
			return TOOL_USAGE;
		i += taken;
	}
	return 0;
}

static int settle_rate(struct vencd_params *params)
{
	bool cbr = params->rate_control == VENCD_RATE_CBR;

	if (params->quality >= 0 && (params->bitrate || cbr))
		return tool_usage("encode", "--quality and --bitrate exclude each other");
	if (!params->bitrate && (params->max_bitrate || cbr))
		return tool_usage("encode", "%s needs --bitrate", cbr ? "--cbr" : "--max-bitrate");
	if (cbr && params->max_bitrate)
		return tool_usage("encode", "--cbr and --max-bitrate exclude each other");
	if (params->max_bitrate && params->max_bitrate < params->bitrate)
		return tool_usage("encode", "--max-bitrate is less than --bitrate");
	if (cbr)
		return 0;
	if (!params->bitrate)
		params->rate_control = VENCD_RATE_QUALITY;
	else
		params->rate_control = params->max_bitrate ? VENCD_RATE_CAPPED_VBR : VENCD_RATE_VBR;
	return 0;
}

static int no_container(const char *output)
{
	const char *slash = strrchr(output, '/');
	const char *dot = strrchr(slash ? slash : output, '.');
	char list[400];

	container_list(list, sizeof(list));
	if (dot && dot[1])
		return tool_usage("encode",
			"there is no container %s: take one of these, or --container:\n  %s",
			dot + 1, list);
	return tool_usage("encode",
		"%s has no extension that says which container it is to be: give it one of these, "
		"or use --container:\n  %s",
		output, list);
}

static int settle_container(struct encode_options *options)
{
	char list[400];

	container_list(list, sizeof(list));
	if (!options->container)
		options->container = container_of_path(options->output);
	if (!options->container)
		return no_container(options->output);
	if (container_narrow(options->container, &options->params) < 0)
		return tool_usage("encode", "%s takes none of the codecs of --codec:\n  %s",
			options->container->name, list);
	return 0;
}

static int settle_backend(const struct encode_options *options)
{
	bool null_backend = options->params.backend == VENCD_BACKEND_NULL;

	if (*options->params.null_script && !null_backend)
		return tool_usage("encode", "--null-script needs --backend null");
	if (null_backend && options->container->muxer)
		return tool_usage("encode",
			"the null encoder's packets are no bitstream: only the container null "
			"takes them (OUT.null or --container null)");
	return 0;
}

int encode_options_parse(struct encode_options *ret, int argc, char **argv)
{
	int r;

	*ret = (struct encode_options){
		.params = VENCD_PARAMS_INIT, .input_format = INPUT_FORMAT_ANY};
	r = read_words(ret, argc, argv);
	if (r)
		return r;
	if (!ret->input)
		return tool_usage("encode", "an input is missing");
	if (!ret->output)
		return tool_usage("encode", "-o OUT is missing");
	r = settle_rate(&ret->params);
	if (r == 0)
		r = settle_container(ret);
	return r ? r : settle_backend(ret);
}

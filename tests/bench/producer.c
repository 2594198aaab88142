// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The program that has frames to be encoded, for the bench: it writes every byte of every frame,
 * and gives them to the daemon through libvencd, or to a program (such as ffmpeg) through a pipe,
 * with the same code around it. What it saw is printed as one JSON object.
 *
 *	producer [key=value...] [-- PROGRAM ARGUMENT...]
 *
 * Keys: frames, width, height, format=i420|nv12, file=Y4M (instead of drawn pictures; also their
 * size and format), socket=PATH (to the daemon; else to PROGRAM, else to stdout, and then nothing
 * is printed), codec, backend, latency, speed, quality, gop, rate (nominal frames a
 * second), pace=N (frames a second; 0: none), touch=all|none (none: frames are submitted as they
 * are), out=FILE (packets, back to back).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/bench/delivery.h"

struct options {
	struct delivery d;
	uint32_t width, height, rate;
	const char *file;
};

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void die(const char *what, int r)
{
	fprintf(stderr, "producer: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

struct key {
	const char *name;
	void (*set)(struct options *o, const char *value);
};

#define NUMBER(name, field)                                               \
	static void set_##name(struct options *o, const char *value)      \
	{                                                                 \
		o->field = (__typeof__(o->field))strtoll(value, NULL, 0); \
	}
NUMBER(frames, d.frames)
NUMBER(pace, d.pace)
NUMBER(width, width)
NUMBER(height, height)
NUMBER(rate, rate)
NUMBER(speed, d.params.speed)
NUMBER(quality, d.params.quality)
NUMBER(gop, d.params.gop)

#define NAME(name, field, look_up)                                   \
	static void set_##name(struct options *o, const char *value) \
	{                                                            \
		o->field = look_up(value);                           \
		if (o->field == 0)                                   \
			die(value, EINVAL);                          \
	}
NAME(codec, d.params.codecs[0], vencd_codec_from_name)
NAME(backend, d.params.backend, vencd_backend_from_name)
NAME(latency, d.params.latency, vencd_latency_from_name)
NAME(format, d.params.format, vencd_pixel_format_from_name)

static void set_file(struct options *o, const char *value)
{
	o->file = value;
}

static void set_socket(struct options *o, const char *value)
{
	o->d.socket = value;
}

static void set_touch(struct options *o, const char *value)
{
	o->d.touch = strcmp(value, "none") == 0 ? TOUCH_NONE : TOUCH_ALL;
}

static void set_out(struct options *o, const char *value)
{
	o->d.out = fopen(value, "we");
	if (!o->d.out)
		die(value, errno);
}

static const struct key keys[] = {
	{"frames", set_frames},
	{"pace", set_pace},
	{"width", set_width},
	{"height", set_height},
	{"format", set_format},
	{"rate", set_rate},
	{"speed", set_speed},
	{"quality", set_quality},
	{"gop", set_gop},
	{"codec", set_codec},
	{"backend", set_backend},
	{"latency", set_latency},
	{"file", set_file},
	{"socket", set_socket},
	{"touch", set_touch},
	{"out", set_out},
};

static void set(struct options *o, char *argument)
{
	char *value = strchr(argument, '=');

	if (!value)
		die(argument, EINVAL);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, argument) == 0) {
			keys[i].set(o, value);
			return;
		}
	die(argument, EINVAL);
}

static void read_arguments(struct options *o, char **argv)
{
	for (char **a = argv + 1; *a; a++) {
		if (strcmp(*a, "--") == 0) {
			o->d.program = a + 1;
			return;
		}
		set(o, *a);
	}
}

static void prepare(struct options *o)
{
	struct delivery *d = &o->d;
	int r = o->file ? pictures_map(&d->pictures, o->file)
			: pictures_draw(&d->pictures, d->params.format, o->width, o->height);

	if (r < 0)
		die(o->file ? o->file : "pictures", r);
	if (d->frames == 0)
		d->frames = d->pictures.n;
	d->latency_ns = calloc(d->frames + 1, sizeof(*d->latency_ns));
	if (!d->latency_ns)
		die("memory", ENOMEM);
	d->params.width = d->pictures.width;
	d->params.height = d->pictures.height;
	if (o->file)
		d->params.format = VENCD_FORMAT_I420;
	d->params.time_base = (struct vencd_rational){1, (int32_t)o->rate};
	d->params.frame_rate = (struct vencd_rational){(int32_t)o->rate, 1};
}

/* --- the result --- */

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_latencies(const struct delivery *d)
{
	printf(", \"latency_us\": [");
	for (uint64_t i = 0; i < d->packets; i++)
		printf("%s%.1f", i ? ", " : "", (double)d->latency_ns[i] / 1e3);
	printf("]");
}

static void print_result(const struct delivery *d)
{
	printf("{\"frames\": %lu, \"packets\": %lu, \"bytes\": %lu, \"slots\": %lu, "
	       "\"seconds\": %.6f, \"first_ms\": %.3f, \"cpu_s\": %.6f",
		(unsigned long)d->frames, (unsigned long)d->packets, (unsigned long)d->bytes,
		(unsigned long)d->slots, (double)(d->ended_ns - d->begun_ns) / 1e9,
		(double)(d->first_ns ? d->first_ns - d->begun_ns : 0) / 1e6, cpu_s());
	if (d->pace)
		print_latencies(d);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct options o = {
		.width = 1920,
		.height = 1080,
		.rate = 30,
		.d = {.params = VENCD_PARAMS_INIT, .touch = TOUCH_ALL},
	};

	(void)argc;
	o.d.params.format = VENCD_FORMAT_I420;
	read_arguments(&o, argv);
	prepare(&o);
	if (o.d.socket)
		deliver_to_daemon(&o.d);
	else
		deliver_to_pipe(&o.d);
	if (o.d.out && fclose(o.d.out) != 0)
		die("write", errno);
	if (o.d.socket || o.d.program)
		print_result(&o.d);
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * A client that does what it is told, for the system tests: opens one session through libvencd,
 * submits frames in a given rhythm, reads packets, and prints what it saw and the report as one
 * JSON object. It checks on the way what no client should ever see: packets out of order, a frame
 * twice, data after the end.
 *
 *	feeder SOCKET [key=value...]
 *
 * Keys: frames, width, height, format, codec, backend, latency, on_failure, script, speed, quality,
 * gop, bitrate, b_frames=yes|no, force=N (each N-th frame is to be a keyframe), rate_control;
 * rhythm=burst (as many as the pool takes) or step (each packet awaited before the next
 * frame); end=finish, hold (input stays open until the session ends), cancel (after the frames),
 * die (SIGKILL oneself after the frames); out=FILE (packets, back to back); pause_ms between
 * frames;
 * ready=FD (a byte is written there when the session is open and the frames are submitted);
 * picture=flat (black, nearly) or bands (of grey that move, below grain);
 * go=FD (is read until end of file before the end= action is taken); until=go (frames are submitted
 * until then, at most frames=, and ready= is told of the first packet); uid=N (connects as that
 * user); die_at=N (SIGKILL oneself before the n-th call of the library).
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/vencd.h"

#define WAIT_MS 200
#define REPORT_MS 60000

enum rhythm {
	RHYTHM_BURST = 1,
	RHYTHM_STEP
};
enum ending {
	END_FINISH = 1,
	END_HOLD,
	END_CANCEL,
	END_DIE
};

struct feeder {
	struct vencd_params params;
	struct vencd_session *session;
	struct vencd_session_info info;
	uint64_t frames, submitted, packets, bytes;
	bool bands;
	unsigned force; /* each so many frames one is to be a keyframe; 0: none */
	enum rhythm rhythm;
	enum ending ending;
	unsigned pause_ms;
	int ready, go;
	unsigned uid;
	unsigned die_at, calls;
	bool until_go;
	bool ending_done;
	bool ended;
	FILE *out;
	int64_t last_dts;
	uint64_t seen_below; /* frames seen, contiguous from 0 */
	uint8_t *seen;       /* by frame index */
	uint64_t first_packet_ns, opened_ns;
	uint64_t last_ns; /* when it submitted its last frame, or said that there are no more */
};

static void die(const char *what, int r)
{
	fprintf(stderr, "feeder: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

/* Before every call of the library. */
static void step(struct feeder *f)
{
	if (++f->calls == f->die_at)
		raise(SIGKILL);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void on_packet(struct feeder *f, const struct vencd_packet *p)
{
	if (f->packets == 0)
		f->first_packet_ns = now_ns();
	if (f->packets && p->dts <= f->last_dts)
		die("dts does not increase", EPROTO);
	if (p->dts > p->pts || p->frame >= f->submitted)
		die("a packet of no submitted frame, or dts above pts", EPROTO);
	if (f->seen[p->frame]++)
		die("a frame came twice", EPROTO);
	if (f->packets == 0 && !(p->flags & VENCD_PACKET_KEYFRAME))
		die("the first packet is no keyframe", EPROTO);
	f->last_dts = p->dts;
	f->packets++;
	f->bytes += p->size;
	if (f->out && fwrite(p->data, 1, p->size, f->out) != p->size)
		die("write", errno);
}

static bool drain(struct feeder *f)
{
	struct vencd_packet packet;
	bool any = false;
	int r;

	while (step(f), (r = vencd_packet_receive(f->session, &packet)) > 0) {
		on_packet(f, &packet);
		step(f);
		vencd_packet_release(f->session);
		any = true;
	}
	if (r == -ENODATA)
		f->ended = true;
	else if (r != -EAGAIN)
		die("receive", r);
	return any;
}

static bool is_deep(const struct feeder *f)
{
	return f->params.format == VENCD_FORMAT_I010 || f->params.format == VENCD_FORMAT_P010;
}

/* So much that a predicted picture has something to say. */
static uint16_t grain(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 27;
}

/* Light and dark by turns, each of 64 rows; one row further down in each frame. */
static void draw_bands(const struct feeder *f, const struct vencd_frame *frame)
{
	uint32_t shift = f->params.format == VENCD_FORMAT_P010 ? 8 : 2;
	uint32_t state = (uint32_t)f->submitted;

	for (uint32_t p = 0; p < frame->planes; p++)
		for (uint32_t y = 0; y < frame->rows[p]; y++) {
			uint8_t *row = frame->data[p] + (size_t)y * frame->stride[p];
			uint32_t at = (uint32_t)(y + f->submitted) % 128;
			uint16_t value = p ? 128 : 16 + (at < 64 ? at : 127 - at) * 3;

			for (uint32_t x = 0; x < frame->row_bytes[p] && !is_deep(f); x++)
				row[x] = (uint8_t)(value + grain(&state));
			for (uint32_t x = 0; x < frame->row_bytes[p] / 2 && is_deep(f); x++)
				((uint16_t *)(void *)row)[x] = (uint16_t)((value + grain(&state))
					<< shift);
		}
}

static void draw(const struct feeder *f, const struct vencd_frame *frame)
{
	if (f->bands) {
		draw_bands(f, frame);
		return;
	}
	for (uint32_t p = 0; p < frame->planes; p++)
		for (uint32_t y = 0; y < frame->rows[p]; y++)
			memset(frame->data[p] + (size_t)y * frame->stride[p],
				(int)(f->submitted * 3 + y + p * 40) & 0x1, frame->row_bytes[p]);
}

/* Returns whether a frame was submitted. */
static bool feed(struct feeder *f)
{
	struct vencd_frame frame;
	uint32_t flags;
	int r;

	if (f->submitted == f->frames || (f->rhythm == RHYTHM_STEP && f->packets < f->submitted))
		return false;
	step(f);
	r = vencd_frame_acquire(f->session, &frame);
	if (r < 0)
		return false;
	draw(f, &frame);
	step(f);
	flags = f->force && f->submitted % f->force == 0 ? VENCD_FRAME_KEYFRAME : 0;
	r = vencd_frame_submit(f->session, frame.slot, (int64_t)f->submitted, flags);
	if (r < 0) {
		vencd_frame_discard(f->session, frame.slot);
		return false;
	}
	f->submitted++;
	f->last_ns = now_ns();
	if (f->pause_ms)
		usleep(f->pause_ms * 1000);
	return true;
}

static void tell_ready(struct feeder *f)
{
	if (f->ready >= 0 && write(f->ready, "r", 1) != 1)
		die("ready", errno);
	f->ready = -1;
}

/* Frames go on until it is told to go: then it has submitted all that there are. */
static void look_for_go(struct feeder *f)
{
	struct pollfd go = {.fd = f->go, .events = POLLIN};

	if (f->packets)
		tell_ready(f);
	if (poll(&go, 1, 0) > 0) {
		f->frames = f->submitted;
		f->until_go = false;
	}
}

static void await_go(struct feeder *f)
{
	char byte;

	tell_ready(f);
	if (f->go >= 0)
		while (read(f->go, &byte, 1) > 0)
			;
}

static void do_ending(struct feeder *f)
{
	f->ending_done = true;
	await_go(f);
	step(f);
	switch (f->ending) {
	case END_FINISH:
		f->last_ns = now_ns();
		(void)vencd_session_finish(f->session);
		break;
	case END_HOLD:
		break;
	case END_CANCEL:
		(void)vencd_session_cancel(f->session, VENCD_CANCEL_ASKED, "told to");
		break;
	case END_DIE:
		raise(SIGKILL);
	}
}

static void run(struct feeder *f)
{
	while (!f->ended) {
		bool moved = drain(f);

		if (f->ended)
			break;
		moved |= feed(f);
		if (f->until_go)
			look_for_go(f);
		if (!f->ending_done && f->submitted == f->frames &&
			(f->rhythm == RHYTHM_BURST || f->packets == f->frames))
			do_ending(f);
		else if (!moved) {
			step(f);
			(void)vencd_session_wait(f->session, WAIT_MS);
		}
	}
}

static void print_result(struct feeder *f)
{
	struct vencd_report report;
	uint64_t reported_ns;
	int r;

	step(f);
	r = vencd_session_report(f->session, REPORT_MS, &report);

	if (r < 0)
		die("report", r);
	reported_ns = now_ns();
	while (f->seen_below < f->submitted && f->seen[f->seen_below])
		f->seen_below++;
	printf("{\"submitted\": %lu, \"packets\": %lu, \"bytes\": %lu, \"contiguous\": %lu, "
	       "\"slots\": %u, \"firstPacketUs\": %lu, \"reportMs\": %lu, \"report\": %s}\n",
		(unsigned long)f->submitted, (unsigned long)f->packets, (unsigned long)f->bytes,
		(unsigned long)f->seen_below, f->info.slots,
		(unsigned long)(f->packets ? (f->first_packet_ns - f->opened_ns) / 1000 : 0),
		(unsigned long)(f->last_ns ? (reported_ns - f->last_ns) / 1000000 : 0),
		report.json);
	vencd_report_clear(&report);
}

struct key {
	const char *name;
	void (*set)(struct feeder *f, const char *value);
};

#define NUMBER(field)                                                     \
	static void set_##field(struct feeder *f, const char *value)      \
	{                                                                 \
		f->field = (__typeof__(f->field))strtoll(value, NULL, 0); \
	}
#define PARAM(field)                                                                    \
	static void set_##field(struct feeder *f, const char *value)                    \
	{                                                                               \
		f->params.field = (__typeof__(f->params.field))strtoll(value, NULL, 0); \
	}
NUMBER(frames)
NUMBER(pause_ms)
NUMBER(ready)
NUMBER(go)
NUMBER(uid)
NUMBER(die_at)
PARAM(width)
PARAM(height)
PARAM(speed)
PARAM(quality)
PARAM(gop)
PARAM(bitrate)
NUMBER(force)

static void set_format(struct feeder *f, const char *value)
{
	f->params.format = vencd_pixel_format_from_name(value);
}

static void set_codec(struct feeder *f, const char *value)
{
	f->params.codecs[0] = vencd_codec_from_name(value);
}

static void set_backend(struct feeder *f, const char *value)
{
	f->params.backend = vencd_backend_from_name(value);
}

static void set_latency(struct feeder *f, const char *value)
{
	f->params.latency = vencd_latency_from_name(value);
}

static void set_on_failure(struct feeder *f, const char *value)
{
	f->params.on_failure = vencd_on_failure_from_name(value);
}

static void set_script(struct feeder *f, const char *value)
{
	snprintf(f->params.null_script, sizeof(f->params.null_script), "%s", value);
}

static void set_label(struct feeder *f, const char *value)
{
	snprintf(f->params.label, sizeof(f->params.label), "%s", value);
}

static void set_rhythm(struct feeder *f, const char *value)
{
	f->rhythm = strcmp(value, "step") == 0 ? RHYTHM_STEP : RHYTHM_BURST;
}

static void set_end(struct feeder *f, const char *value)
{
	static const char *const names[] = {"", "finish", "hold", "cancel", "die"};

	for (int i = END_FINISH; i <= END_DIE; i++)
		if (strcmp(value, names[i]) == 0)
			f->ending = (enum ending)i;
}

static void set_until(struct feeder *f, const char *value)
{
	f->until_go = strcmp(value, "go") == 0;
}

static void set_picture(struct feeder *f, const char *value)
{
	f->bands = strcmp(value, "bands") == 0;
}

static void set_rate_control(struct feeder *f, const char *value)
{
	f->params.rate_control = vencd_rate_control_from_name(value);
}

static void set_b_frames(struct feeder *f, const char *value)
{
	f->params.b_frames = strcmp(value, "yes") == 0;
}

static void set_out(struct feeder *f, const char *value)
{
	f->out = fopen(value, "we");
	if (!f->out)
		die(value, errno);
}

static const struct key keys[] = {
	{"frames", set_frames},
	{"pause_ms", set_pause_ms},
	{"ready", set_ready},
	{"go", set_go},
	{"uid", set_uid},
	{"die_at", set_die_at},
	{"width", set_width},
	{"height", set_height},
	{"speed", set_speed},
	{"quality", set_quality},
	{"gop", set_gop},
	{"bitrate", set_bitrate},
	{"rate_control", set_rate_control},
	{"force", set_force},
	{"format", set_format},
	{"codec", set_codec},
	{"backend", set_backend},
	{"latency", set_latency},
	{"on_failure", set_on_failure},
	{"script", set_script},
	{"label", set_label},
	{"rhythm", set_rhythm},
	{"end", set_end},
	{"until", set_until},
	{"picture", set_picture},
	{"b_frames", set_b_frames},
	{"out", set_out},
};

static void set(struct feeder *f, char *argument)
{
	char *value = strchr(argument, '=');

	if (!value)
		die(argument, EINVAL);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, argument) == 0) {
			keys[i].set(f, value);
			return;
		}
	die(argument, EINVAL);
}

int main(int argc, char **argv)
{
	struct feeder f = {.params = VENCD_PARAMS_INIT,
		.rhythm = RHYTHM_BURST,
		.ending = END_FINISH,
		.ready = -1,
		.go = -1,
		.frames = 30};
	struct vencd *daemon = NULL;
	int r;

	f.params.codecs[0] = VENCD_CODEC_AV1;
	f.params.width = 320;
	f.params.height = 240;
	f.params.format = VENCD_FORMAT_I420;
	f.params.time_base = (struct vencd_rational){1, 30};
	f.params.frame_rate = (struct vencd_rational){30, 1};
	f.params.backend = VENCD_BACKEND_NULL;
	for (int i = 2; i < argc; i++)
		set(&f, argv[i]);
	if (f.uid && (setgid(f.uid) < 0 || setuid(f.uid) < 0))
		die("uid", errno);
	f.seen = calloc(f.frames + 1, 1);
	step(&f);
	r = argc < 2 || !f.seen ? -EINVAL : vencd_connect(&daemon, argv[1]);
	if (r < 0)
		die("connect", r);
	f.opened_ns = now_ns();
	step(&f);
	r = vencd_session_open(daemon, &f.params, &f.session);
	if (r == -EREMOTEIO) {
		fprintf(stderr, "refused: %s: %s\n", vencd_last_refusal(daemon)->error,
			vencd_last_refusal(daemon)->reason);
		vencd_disconnect(daemon);
		free(f.seen);
		return 3;
	}
	if (r < 0)
		die("open", r);
	vencd_session_get_info(f.session, &f.info);
	run(&f);
	print_result(&f);
	step(&f);
	vencd_session_close(f.session);
	step(&f);
	vencd_disconnect(daemon);
	if (f.out)
		fclose(f.out);
	free(f.seen);
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Frames through libvencd, as docs/example.c does it: fill what is free, take what is there, wait
 * when there is neither. With a pace, the second frame follows the first packet, and from there
 * each has its time; packets are taken as they come.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/bench/delivery.h"

#define REPORT_MS 60000

struct feed {
	struct delivery *d;
	struct vencd_session *session;
	uint64_t sent;
	uint64_t *submitted_ns;
};

static void open_session(struct feed *f, struct vencd **daemon)
{
	struct vencd_session_info info;
	int r = vencd_connect(daemon, f->d->socket);

	if (r < 0)
		die("connect", r);
	r = vencd_session_open(*daemon, &f->d->params, &f->session);
	if (r == -EREMOTEIO)
		die(vencd_last_refusal(*daemon)->reason, r);
	if (r < 0)
		die("open", r);
	vencd_session_get_info(f->session, &info);
	f->d->slots = info.slots;
}

/* UINT64_MAX: not before another packet has come. */
static uint64_t due_ns(const struct feed *f)
{
	if (f->d->pace == 0 || f->sent == 0)
		return 0;
	return f->d->first_ns ? f->d->first_ns + f->sent * 1000000000u / f->d->pace : UINT64_MAX;
}

/* Returns whether a frame was submitted. */
static bool send_frame(struct feed *f)
{
	struct vencd_frame frame;
	int r;

	if (f->sent == f->d->frames || now_ns() < due_ns(f))
		return false;
	r = vencd_frame_acquire(f->session, &frame);
	if (r == -EAGAIN)
		return false;
	if (r < 0)
		die("acquire", r);
	if (f->d->touch == TOUCH_ALL)
		pictures_copy(&f->d->pictures, f->sent, frame.data, frame.stride);
	f->submitted_ns[f->sent] = now_ns();
	r = vencd_frame_submit(f->session, frame.slot, (int64_t)f->sent, 0);
	if (r < 0)
		die("submit", r);
	if (++f->sent == f->d->frames)
		vencd_session_finish(f->session);
	return true;
}

static void note_packet(struct feed *f, const struct vencd_packet *packet)
{
	struct delivery *d = f->d;
	uint64_t now = now_ns();

	if (d->packets++ == 0)
		d->first_ns = now;
	d->bytes += packet->size;
	d->latency_ns[packet->frame] = now - f->submitted_ns[packet->frame];
	if (d->out && fwrite(packet->data, 1, packet->size, d->out) != packet->size)
		die("write", errno);
}

/* Returns what vencd_packet_receive() said last. */
static int take_packets(struct feed *f)
{
	struct vencd_packet packet;
	int r;

	while ((r = vencd_packet_receive(f->session, &packet)) > 0) {
		note_packet(f, &packet);
		vencd_packet_release(f->session);
	}
	return r;
}

static int wait_ms(const struct feed *f)
{
	uint64_t now = now_ns(), due = due_ns(f);

	if (due == 0 || due == UINT64_MAX || f->sent == f->d->frames)
		return -1;
	return now >= due ? 0 : (int)((due - now + 999999) / 1000000);
}

static void check_report(struct feed *f)
{
	struct vencd_report report;
	int r = vencd_session_report(f->session, REPORT_MS, &report);

	if (r < 0)
		die("report", r);
	if (report.outcome != VENCD_OUTCOME_COMPLETE)
		die(report.json, EIO);
	vencd_report_clear(&report);
}

void deliver_to_daemon(struct delivery *d)
{
	struct feed f = {.d = d, .submitted_ns = calloc(d->frames, sizeof(*f.submitted_ns))};
	struct vencd *daemon;
	int r;

	if (!f.submitted_ns)
		die("memory", ENOMEM);
	d->begun_ns = now_ns();
	open_session(&f, &daemon);
	while ((r = take_packets(&f)) == -EAGAIN)
		if (!send_frame(&f) && vencd_session_wait(f.session, wait_ms(&f)) < 0)
			die("wait", EINTR);
	if (r != -ENODATA)
		die("receive", r);
	d->ended_ns = now_ns();
	check_report(&f);
	vencd_session_close(f.session);
	vencd_disconnect(daemon);
	free(f.submitted_ns);
}

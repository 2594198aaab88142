// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Encodes a hundred drawn frames and writes the raw stream to stdout:
 *	cc example.c $(pkg-config --cflags --libs vencd) -o example && ./example >drawn.obu
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <vencd.h>

static void draw(const struct vencd_frame *frame, int number)
{
	for (unsigned plane = 0; plane < frame->planes; plane++)
		for (unsigned row = 0; row < frame->rows[plane]; row++)
			memset(frame->data[plane] + row * frame->stride[plane],
				plane ? 128 : (int)(row + 2 * number) & 255,
				frame->row_bytes[plane]);
}

static int encode(struct vencd_session *session, struct vencd_report *report)
{
	struct vencd_frame frame;
	struct vencd_packet packet;
	int sent = 0, r = 0;

	while (r != -ENODATA) {
		while (sent < 100 && vencd_frame_acquire(session, &frame) == 0) {
			draw(&frame, sent);
			r = vencd_frame_submit(session, frame.slot, sent++, 0);
			if (r < 0 && r != -EPIPE) /* the session ended: the report says why */
				return r;
		}
		if (sent == 100)
			vencd_session_finish(session);
		while ((r = vencd_packet_receive(session, &packet)) > 0) {
			fwrite(packet.data, 1, packet.size, stdout);
			vencd_packet_release(session);
		}
		if (r == -EAGAIN)
			vencd_session_wait(session, -1);
		else if (r != -ENODATA)
			return r;
	}
	return vencd_session_report(session, 5000, report);
}

int main(void)
{
	struct vencd *daemon = NULL;
	struct vencd_session *session = NULL;
	struct vencd_report report = {0};
	struct vencd_params params = VENCD_PARAMS_INIT;
	int r = vencd_connect(&daemon, NULL);

	params.codecs[0] = VENCD_CODEC_AV1;
	params.width = 640;
	params.height = 360;
	params.format = VENCD_FORMAT_I420;
	params.time_base = (struct vencd_rational){1, 25};
	if (r == 0)
		r = vencd_session_open(daemon, &params, &session);
	if (r == -EREMOTEIO)
		fprintf(stderr, "refused: %s\n", vencd_last_refusal(daemon)->reason);
	if (r == 0)
		r = encode(session, &report);
	if (r == 0)
		fprintf(stderr, "%s: %lu packets\n", vencd_outcome_name(report.outcome),
			(unsigned long)report.packets);
	else
		fprintf(stderr, "failed: %s\n", strerror(-r));
	r = r < 0 ? 1 : vencd_outcome_exit_code(report.outcome);
	vencd_report_clear(&report);
	vencd_session_close(session);
	vencd_disconnect(daemon);
	return r;
}

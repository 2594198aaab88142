// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_LAVC_H
#define VENCD_LAVC_H

/*
 * What all encoders that go through libavcodec share. An implementation embeds struct lavc in its
 * struct encoder:
 *
 *	lavc_init(); set what is its own in lavc.context; lavc_open(); then lavc_send() and so on as
 *	the contract says; lavc_finish(), also after a failed init or open.
 *
 * Every function here may block for as long as libavcodec does, and steps before each call that can
 * enter a driver.
 */

#include <libavcodec/avcodec.h>
#include <stdatomic.h>

#include "hw/encoder.h"
#include "hw/planar.h"

enum lavc_state {
	LAVC_ENCODING,
	LAVC_FLUSH_DUE, /* flush was asked for while a frame waits: sent by receive */
	LAVC_FLUSHED,
};

struct lavc {
	struct encoder_host host;
	AVCodecContext *context;
	AVFrame *frame; /* empty between calls */
	AVPacket *packet;
	AVBufferRef *mastering, *light; /* for each frame, or NULL */
	struct planar_buffer planar;
	enum lavc_state state;
	uint32_t format;       /* enum vencd_pixel_format of the frames that the context takes */
	_Atomic uint32_t held; /* frames that libavcodec has not let go of */
};

/* From here on libavcodec's log lines go nowhere but to host->text, and errors to stderr. */
void lavc_listen(void);

/* An AVERROR as a status, by one table; what is in none of its rows is ENCODER_LIBRARY. */
enum encoder_status lavc_status(int averror);

/*
 * The same for a failed call, with what the library said about it (or else the error's name) in
 * host->text.
 */
enum encoder_status lavc_failed(const struct encoder_host *host, const char *call, int averror);

/* Before each call that can enter a driver: its step, and nothing that was said before is its. */
void lavc_step(const struct encoder_host *host, enum encoder_step step);

/* What the library said since the last step, or else "call: reason", in host->text. */
void lavc_say(const struct encoder_host *host, const char *call, const char *reason);

/*
 * ABSENT where libavcodec has no such encoder; else fills info->version with libavcodec's and that
 * of the shared library whose name begins with `library`.
 */
enum encoder_status lavc_probe(const char *codec, const char *library,
	const struct encoder_host *host, struct encoder_info *info);

/*
 * Makes a context with what does not depend on the codec: size, pixel format, time base, frame
 * rate, sample aspect ratio, colour, HDR metadata, GOP, no global header, closed GOPs. `format`
 * (enum vencd_pixel_format) is what the codec takes; semi-planar frames are converted when it is
 * planar.
 */
enum encoder_status lavc_init(struct lavc *lavc, const char *codec,
	const struct encoder_params *params, uint32_t format, const struct encoder_host *host);

/* Bits a second at most, within a buffer whose length in time depends on the latency. */
void lavc_limit_rate(AVCodecContext *context, uint64_t rate, uint32_t latency);

/* Opens the codec. An option that is not consumed is an error, not a wish. Frees *options. */
enum encoder_status lavc_open(struct lavc *lavc, AVDictionary **options);

/*
 * Makes *ret a reference to a frame's own memory: refcounted and read-only, so that libavcodec does
 * not copy it. done() is called when the last reference goes, if lavc_taken() was called. Unless it
 * is, the frame stays the caller's.
 */
struct lavc_hold;
enum encoder_status lavc_wrap(struct lavc *lavc, const struct encoder_frame *frame, AVFrame *ret,
	struct lavc_hold **ret_hold);
void lavc_taken(struct lavc_hold *hold);

/*
 * The parts of lavc_send(), for who has something to do in between: gives libavcodec a frame that
 * stands for the wrapped one, and takes the hold if it accepts; lets go of lavc->frame.
 */
enum encoder_status lavc_give(struct lavc *lavc, const AVFrame *frame, struct lavc_hold *hold);
void lavc_unwrap(struct lavc *lavc);

/* The functions of the contract. */
enum encoder_status lavc_send(struct lavc *lavc, const struct encoder_frame *frame);
enum encoder_status lavc_receive(struct lavc *lavc, struct encoder_packet *ret);
enum encoder_status lavc_flush(struct lavc *lavc);
void lavc_finish(struct lavc *lavc);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_ENCODER_H
#define VENCD_ENCODER_H

/*
 * The encoder contract: one const table of functions per encoder, used by the run thread of one
 * attempt. Every function here may block for as long as the library below it likes; the caller
 * stands behind a call slot. No function is called from two threads at once for one instance;
 * different instances of one process may be.
 *
 * Order: open, then send and receive as they allow, then flush once (never without a frame sent),
 * then receive until ENCODER_END, then close. close may come at any time after a successful open.
 *
 * What an encoder promises
 * - packets are whole access units (Annex B) or temporal units; each shows exactly one frame, and
 *   carries that frame's pts unchanged; its own dts is ignored
 * - the first packet is a keyframe; parameter sets are in band before every keyframe; GOPs are
 *   closed; a frame with VENCD_FRAME_KEYFRAME becomes an IDR (AV1: a key frame)
 * - the visible size is exactly params.width x height
 * - it holds at most needs_frames frames before a packet comes, reorders by at most `reorder`
 * - a frame's planes are read until done(frame) was called and never written; done is called once a
 *   frame, from any thread, at the latest inside close
 * - nothing is written to stdout, no signal handler is installed, no process is started
 */

#include "client/vencd.h"
#include "client/plane/plane.h"

enum encoder_status {
	ENCODER_OK,
	ENCODER_AGAIN,     /* send: take packets first; receive: nothing until more is sent */
	ENCODER_END,       /* receive after flush: there is no more */
	ENCODER_INVALID,   /* parameters or frame refused */
	ENCODER_NO_MEMORY, /* of the host or the device */
	ENCODER_BUSY,      /* no session left on the device */
	ENCODER_ABSENT,    /* library, engine or codec is not there */
	ENCODER_DEVICE_LOST,
	ENCODER_LIBRARY,       /* any other error of the library below */
	ENCODER_WRONG_OUTPUT,  /* what came out breaks a promise above */
	ENCODER_NO_LIBRARY,    /* the device is there, but no driver library for it */
	ENCODER_NOT_PERMITTED, /* the device's node may not be opened */
	ENCODER_STATUS_MAX,
};

/* What a status means for the attempt and its session; one table, encoder_status_class(). */
enum encoder_class {
	ENCODER_CLASS_NONE,       /* not an error */
	ENCODER_CLASS_RETRY,      /* elsewhere or later */
	ENCODER_CLASS_FAILOVER,   /* next encoder of the ladder */
	ENCODER_CLASS_SESSION,    /* the request's own fault: fail the session */
	ENCODER_CLASS_QUARANTINE, /* next encoder, and the device takes no work */
};

enum encoder_class encoder_status_class(enum encoder_status status);
const char *encoder_status_name(enum encoder_status status); /* "device-lost" */

/* A request narrowed to one encoder: every field set and checked by encoder_narrow(). */
struct encoder_params {
	struct vencd_params request; /* codecs[0] is the codec */
	uint32_t threads;            /* for software: threads to use, >= 1 */
};

/*
 * Headers that a driver takes as libavcodec writes them. The others are the driver's own, if it
 * writes any: it is told of neither colour nor HDR metadata. Of encoders without a driver: none.
 */
enum encoder_header {
	ENCODER_HEADER_SEQUENCE = 1,
	ENCODER_HEADER_PICTURE,
	ENCODER_HEADER_SLICE,
	ENCODER_HEADER_MISC, /* as RAW, in an older way */
	ENCODER_HEADER_RAW,  /* what else there is, such as SEI messages */
	ENCODER_HEADER_MAX,
};

/*
 * What an encoder can express. The catalogue has what is possible at all; a device claims no more
 * than that, and a probe shows no more than the device claims. Rate controls and formats are bits,
 * 1u << enum vencd_rate_control and so on.
 */
struct encoder_reach {
	uint32_t min_width, min_height, max_width, max_height;
	uint32_t size_multiple;     /* width and height must be multiples of it */
	uint32_t formats;           /* taken without a pass over the chroma */
	uint32_t formats_converted; /* taken with one; who feeds a hardware encoder makes it */
	uint32_t rate_controls[3];  /* by enum vencd_latency, [0] unused */
	uint32_t b_frames;          /* bits, 1u << enum vencd_latency: where B frames exist */
	uint32_t packed_headers;    /* bits, 1u << enum encoder_header */
};

/* The calls that an encoder makes below one function of the contract, where they are several. */
enum encoder_step {
	ENCODER_STEP_DEVICE = 1, /* make the device: its library and driver are loaded here */
	ENCODER_STEP_FRAMES,     /* make its pool of surfaces */
	ENCODER_STEP_CODEC,      /* open the codec */
	ENCODER_STEP_SURFACE,    /* get a surface, or let go of one */
	ENCODER_STEP_UPLOAD,     /* copy a frame to it */
	ENCODER_STEP_ENCODE,     /* hand it to the codec */
	ENCODER_STEP_PACKET,     /* take a packet */
	ENCODER_STEP_FLUSH,
	ENCODER_STEP_FREE_CODEC,
	ENCODER_STEP_FREE_FRAMES, /* surfaces and their pool */
	ENCODER_STEP_FREE_DEVICE,
	ENCODER_STEP_MAX,
};

struct encoder_frame {
	const uint8_t *data[3];
	uint32_t stride[3];
	uint32_t format; /* enum vencd_pixel_format, one that the encoder's limits list */
	int64_t pts;
	uint32_t flags; /* VENCD_FRAME_* */
	uint64_t index; /* handed back by done() */
};

struct encoder_packet {
	const uint8_t *data;
	size_t size;
	int64_t pts;
	uint32_t flags; /* VENCD_PACKET_* */
	void *opaque;   /* the encoder's own */
};

#define ENCODER_TEXT_MAX 256u

/* What opening found out; all of it stands in the report. */
struct encoder_info {
	uint32_t needs_frames; /* frames held before the first packet, at most */
	uint32_t reorder;      /* R: how far dts lags behind pts, in frames */
	uint32_t group;        /* packets at most until they hold exactly the first N frames */
	int32_t speed_used;    /* what the library made of params.speed */
	uint32_t async;        /* 1: packets may appear without a send; receive must be polled */
	char version[64];      /* library and version, "SVT-AV1 2.3.0" */
};

struct encoder; /* an instance; each implementation has its own */

/* How an instance reaches its attempt. */
struct encoder_host {
	void (*done)(void *userdata, uint64_t index); /* the frame is not read any more */
	/*
	 * Before each call that can enter a driver, by the thread that makes it: the one before is
	 * over, and this one has a budget of its own. Does not return to a caller whose call was
	 * abandoned meanwhile. What a function of the contract does before its first step is timed
	 * as that function. NULL: nobody times it.
	 */
	void (*step)(void *userdata, enum encoder_step step);
	void *userdata;
	const char *device; /* its render node, "/dev/dri/renderD128"; "": the CPU */
	const char *script; /* null encoder only, else "" */
	char *text;         /* ENCODER_TEXT_MAX bytes: the library's last words, for the report */
};

static inline void encoder_host_step(const struct encoder_host *host, enum encoder_step step)
{
	if (host->step)
		host->step(host->userdata, step);
}

struct encoder_ops {
	const char *name; /* "svtav1", as in the catalogue */

	/*
	 * Does what its library does once a process and needs files for: those cannot be opened
	 * later. Called before any thread is made; says nothing of what fails. May be NULL.
	 */
	void (*warm)(void);

	/*
	 * Whether the library and host->device are there and what they are: info->version is
	 * filled. *reach is the catalogue's, and is narrowed to what the device claims.
	 */
	enum encoder_status (*probe)(const struct encoder_host *host, struct encoder_info *info,
		struct encoder_reach *reach);
	enum encoder_status (*open)(struct encoder **ret, const struct encoder_params *params,
		const struct encoder_host *host, struct encoder_info *info);
	enum encoder_status (*send)(struct encoder *encoder, const struct encoder_frame *frame);
	/* A packet stays valid until the next receive, flush or close. */
	enum encoder_status (*receive)(struct encoder *encoder, struct encoder_packet *ret);
	enum encoder_status (*flush)(struct encoder *encoder);
	void (*close)(struct encoder *encoder);
};

/* The registry, in order of preference within a codec; NULL-terminated. */
extern const struct encoder_ops *const encoder_registry[];
const struct encoder_ops *encoder_find(const char *name);
/* Warms all of them. */
void encoders_warm(void);

#endif

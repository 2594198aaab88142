// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_H
#define VENCD_H

/*
 * libvencd: encode video through the vencd daemon.
 *
 * A program connects, opens a session, writes frames into slots of a pool that it shares with the
 * encoder's process, submits them, and receives packets. Nothing is copied on the way: a frame is
 * written once, by the program, into memory that the encoder reads.
 *
 *	vencd_connect(&daemon, NULL);
 *	vencd_session_open(daemon, &params, &session);
 *	while (more input or packets) {
 *		vencd_frame_acquire() ... fill it ... vencd_frame_submit();
 *		while (vencd_packet_receive() > 0) ... write it ... vencd_packet_release();
 *		vencd_session_wait() when both said -EAGAIN
 *	}
 *	vencd_session_finish(); drain packets until vencd_packet_receive() returns -ENODATA
 *	vencd_session_report();
 *
 * Errors: every function that can fail returns a negative errno: those that are named, and what the
 * system gave (-ENOMEM, -EMFILE). *ret is set on success only. Where the daemon refused, the
 * connection keeps the refusal (vencd_last_refusal()), which says what to do.
 *
 * Ownership: what an open or connect gave is the caller's, to be closed. Pointers into shared
 * memory and to refusals are lent, for as long as is said there; strings of the *_name() functions
 * are constants.
 *
 * Thread-safety: a connection and its sessions belong to one thread at a time; different
 * connections are independent. The functions about names and exit codes may be called by any
 * thread. No function installs a signal handler or starts a thread. Functions that may wait say so
 * and for how long; the others do not.
 *
 * Lengths are in pixels or bytes as named; times are in ticks of the session's time base unless a
 * name says ms. All enums start at 1, so that 0 is "not given".
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum vencd_codec {
	VENCD_CODEC_AV1 = 1,
	VENCD_CODEC_HEVC,
	VENCD_CODEC_H264,
	VENCD_CODEC_VP9, /* on GPUs alone: there is no software encoder of it */
};

/* 4:2:0; 10-bit samples stand in the low (I010) or high (P010) bits of 16, little endian. */
enum vencd_pixel_format {
	VENCD_FORMAT_I420 = 1, /* three planes, 8 bit */
	VENCD_FORMAT_NV12,     /* two planes, chroma interleaved, 8 bit */
	VENCD_FORMAT_I010,     /* three planes, 10 bit */
	VENCD_FORMAT_P010,     /* two planes, 10 bit */
};

enum vencd_latency {
	VENCD_LATENCY_FILE = 1, /* look-ahead and B frames allowed: best quality a bit */
	VENCD_LATENCY_LIVE,     /* no reordering, no look-ahead: a packet for each frame at once */
};

enum vencd_rate_control {
	VENCD_RATE_QUALITY = 1, /* constant quality, params.quality */
	VENCD_RATE_VBR,         /* average params.bitrate */
	VENCD_RATE_CAPPED_VBR,  /* average params.bitrate, never above params.max_bitrate */
	VENCD_RATE_CBR,         /* constant params.bitrate */
};

enum vencd_backend {
	VENCD_BACKEND_ANY = 1,
	VENCD_BACKEND_HARDWARE,
	VENCD_BACKEND_SOFTWARE,
	VENCD_BACKEND_NULL, /* the scripted null encoder: never picked unless named */
};

enum vencd_on_failure {
	VENCD_ON_FAILURE_FAILOVER = 1, /* keep frames for replay on the next encoder */
	VENCD_ON_FAILURE_FAIL,         /* give slots back as soon as the encoder let go of them */
};

/* Outcome of a session, best first. A run is never reported better than it was. */
enum vencd_outcome {
	VENCD_OUTCOME_INCOMPLETE = 1, /* not ended yet */
	VENCD_OUTCOME_COMPLETE,  /* one attempt, every frame, nothing abandoned before the end */
	VENCD_OUTCOME_DEGRADED,  /* every frame is there, but something went wrong on the way */
	VENCD_OUTCOME_TRUNCATED, /* the first frames are there and readable, others are lost */
	VENCD_OUTCOME_FAILED,    /* nothing usable was made */
	VENCD_OUTCOME_CANCELLED, /* the client ended it, by request or by dying */
};

/* Why a client ends its session early; see vencd_session_cancel(). */
enum vencd_cancel_cause {
	VENCD_CANCEL_ASKED = 1,     /* somebody asked for it: outcome cancelled */
	VENCD_CANCEL_INPUT_FAILED,  /* the source of frames broke: outcome truncated */
	VENCD_CANCEL_OUTPUT_FAILED, /* packets could not be stored (disk full): outcome truncated */
};

/* Colour description, code points of ITU-T H.273. 2 (unspecified) is a value; 0 means not given. */
struct vencd_colour {
	uint8_t primaries;
	uint8_t transfer;
	uint8_t matrix;
	uint8_t full_range;      /* 0 limited, 1 full */
	uint8_t chroma_location; /* 0 not given, 1 left, 2 centre, 3 top-left */
	uint8_t reserved[3];
};

/* HDR10 static metadata: SMPTE ST 2086 and CTA-861.3. All zero: none. */
struct vencd_hdr {
	uint16_t display_primaries[3][2]; /* R, G, B; x, y in units of 0.00002 */
	uint16_t white_point[2];          /* x, y in units of 0.00002 */
	uint32_t max_luminance;           /* units of 0.0001 cd/m2; 0: no mastering display given */
	uint32_t min_luminance;           /* units of 0.0001 cd/m2 */
	uint16_t max_content_light;       /* cd/m2; 0: no light level given */
	uint16_t max_average_light;       /* cd/m2 */
};

struct vencd_rational {
	int32_t num;
	int32_t den;
};

#define VENCD_MAX_CODECS 4u
#define VENCD_SCRIPT_MAX 256u
#define VENCD_LABEL_MAX 64u
#define VENCD_SPEED_MAX 13u
#define VENCD_SIZE_MAX 8192u

/*
 * What a session is to encode. Set all of it to zero, then the fields that matter; zero means the
 * default, except where 0 is itself a value (quality, speed), which have a default of -1: start
 * from VENCD_PARAMS_INIT.
 */
struct vencd_params {
	uint32_t codecs[VENCD_MAX_CODECS]; /* enum vencd_codec, in order of preference, 0 ends */
	uint32_t width, height;            /* visible size, 1 to VENCD_SIZE_MAX, kept exactly */
	uint32_t format;                   /* enum vencd_pixel_format */
	struct vencd_rational time_base;   /* seconds per tick of pts; num, den > 0 */
	struct vencd_rational frame_rate;  /* nominal frames a second; 0/0: unknown (25 assumed) */
	struct vencd_rational sample_aspect; /* 0/0: not given */
	uint32_t rate_control;               /* enum vencd_rate_control */
	int32_t quality;      /* codec's scale: 0-63 AV1, VP9, 0-51 HEVC, H.264; -1 default */
	uint64_t bitrate;     /* bits a second */
	uint64_t max_bitrate; /* bits a second, VENCD_RATE_CAPPED_VBR */
	int32_t speed;        /* 0 slowest to 13; -1: the default (8) */
	uint32_t gop;         /* frames between keyframes at most; 0: 5 s of frames */
	int32_t b_frames;     /* 1 allowed, 0 none, -1 the codec's and latency's default */
	uint32_t latency;     /* enum vencd_latency; 0: file */
	uint32_t backend;     /* enum vencd_backend; 0: any */
	uint32_t on_failure;  /* enum vencd_on_failure; 0: failover */
	struct vencd_colour colour;
	struct vencd_hdr hdr;
	char label[VENCD_LABEL_MAX];        /* shown in lists; UTF-8, NUL-terminated */
	char null_script[VENCD_SCRIPT_MAX]; /* VENCD_BACKEND_NULL only; docs/null-encoder.md */
};

#define VENCD_PARAMS_INIT {.quality = -1, .speed = -1, .b_frames = -1}

/* A refusal of the daemon: a named error of io.vencd.Encoder with fields that say what to do. */
struct vencd_refusal {
	char error[64];         /* varlink error, such as io.vencd.Encoder.Unsupported */
	char parameter[32];     /* the refused field, as the interface spells it, or "" */
	char value[64];         /* what was asked for, or "" */
	char reason[256];       /* one sentence */
	char alternatives[256]; /* what would be accepted, or "" */
	char advice[256];       /* what to do */
};

struct vencd;         /* a connection */
struct vencd_session; /* a session on it */

/*
 * Connects to the daemon at path (NULL: $VENCD_SOCKET, else /run/vencd/io.vencd.Encoder). Returns
 * -ENOENT or -ECONNREFUSED where no daemon listens, -EACCES where this user may not connect,
 * -EAGAIN where too many wait to be accepted: for these it waits, up to 5 s. The caller owns *ret,
 * to be given to vencd_disconnect(). path is read during the call only.
 */
int vencd_connect(struct vencd **ret, const char *path);

/*
 * The same over a connected stream socket, whose ownership passes to *ret on success only. Such a
 * connection is not renewed when it breaks; one of vencd_connect() is, once for a call about a
 * session.
 */
int vencd_connect_fd(struct vencd **ret, int fd);

/* Ends the connection and frees it. Sessions must have been closed before. NULL is allowed. */
void vencd_disconnect(struct vencd *daemon);

/*
 * The refusal that the last call to the daemon on this connection got; its error is "" if none. It
 * belongs to the connection and changes with the next such call. Never NULL.
 */
const struct vencd_refusal *vencd_last_refusal(const struct vencd *daemon);

/*
 * Calls a method of io.vencd.Encoder ("ListDevices") without fds; parameters is a JSON object or
 * NULL. On success *ret_json is the reply as JSON text, to be freed with free() by the caller.
 * Waits up to 30 s. Returns -EREMOTEIO where the daemon refused, see vencd_last_refusal(); -EINVAL
 * where parameters is no JSON; -ETIMEDOUT; -ECONNRESET where the connection broke.
 */
int vencd_call(struct vencd *daemon, const char *method, const char *parameters, char **ret_json);

/*
 * Opens a session. Waits up to 30 s for the daemon's answer (it answers before the encoder is
 * open, but a probe that the choice needs may still be running, or workers for other sessions of
 * the same user may still start). Returns -EREMOTEIO where the
 * daemon refused, -EPROTO where its answer does not fit the memory that came with it, -ETIMEDOUT,
 * -ECONNRESET. The caller owns *ret, to be given to vencd_session_close() before the connection is
 * ended. params is read during the call only.
 */
int vencd_session_open(
	struct vencd *daemon, const struct vencd_params *params, struct vencd_session **ret);

/* What was chosen for a session. */
struct vencd_session_info {
	uint64_t id;
	uint32_t codec;   /* enum vencd_codec */
	uint32_t slots;   /* frames in the pool */
	uint32_t reorder; /* packets' dts lag behind pts by this many frames */
	char encoder[32]; /* such as "svtav1" */
	char backend[16]; /* such as "software" */
	char device[64];  /* such as "cpu" */
};

/* Copies it into *ret. Does not change while the session lives, and cannot fail. */
void vencd_session_get_info(const struct vencd_session *session, struct vencd_session_info *ret);

/* A frame to fill: planes of the session's format. Strides in bytes, rows of height or height/2. */
struct vencd_frame {
	uint32_t slot;      /* handle, for submit and discard */
	uint32_t planes;    /* 2 or 3 */
	uint8_t *data[3];   /* writable until submitted */
	uint32_t stride[3]; /* bytes from row to row */
	uint32_t rows[3];
	uint32_t row_bytes[3]; /* bytes of a row that are encoded, <= stride */
};

/*
 * Takes a free slot. Does not wait: -EAGAIN when all slots are in use, -EPIPE when the session has
 * ended or was finished. The slot is the caller's until submitted or discarded; its memory is the
 * session's, and mapped until that is closed. What stood in it before is undefined.
 */
int vencd_frame_acquire(struct vencd_session *session, struct vencd_frame *ret);

/* Gives an acquired slot back unused. For one that was not acquired it does nothing. */
void vencd_frame_discard(struct vencd_session *session, uint32_t slot);

#define VENCD_FRAME_KEYFRAME 1u /* encode this frame as a keyframe (an IDR) */

/*
 * Submits an acquired slot with its pts, in ticks, greater than the one before and between -2^61
 * and 2^61 (the session ends beyond). From here on the slot must not be written. Does not wait;
 * -EINVAL for a pts that does not increase, an unknown flag or a slot that was not acquired, -EPIPE
 * when the session has ended or was finished. After an error the slot is still the caller's.
 */
int vencd_frame_submit(struct vencd_session *session, uint32_t slot, int64_t pts, uint32_t flags);

/*
 * Says that no frame follows. Further submits return -EPIPE. Calling it twice, or for a session
 * that has ended, does nothing. Does not wait; always returns 0.
 */
int vencd_session_finish(struct vencd_session *session);

#define VENCD_PACKET_KEYFRAME 1u

/*
 * A packet: one access unit (H.264, HEVC: Annex B), temporal unit (AV1: OBUs, low overhead) or
 * frame (VP9; a superframe where there are hidden ones before it).
 */
struct vencd_packet {
	const uint8_t *data; /* in memory shared with the encoder's process: valid until released */
	size_t size;
	int64_t pts;    /* exactly as submitted */
	int64_t dts;    /* strictly increasing, never above pts */
	uint32_t flags; /* VENCD_PACKET_KEYFRAME: parameter sets are in band before it */
	uint64_t frame; /* index of the frame it shows, from 0 in order of submission */
};

/*
 * The next packet, in decode order. Returns 1 with a packet, -EAGAIN where none is ready, -ENODATA
 * after the last one of a session that has ended (well or not: ask for the report), -EPROTO when
 * the encoder's process wrote what it must not (the session is then cancelled), -ECONNRESET when
 * the daemon is gone: no report will come. One packet at a time: -EBUSY while one is not released.
 * The data is lent, and the encoder's process could still change it: who parses it copies it first.
 * Does not wait.
 */
int vencd_packet_receive(struct vencd_session *session, struct vencd_packet *ret);

/* Gives the packet's memory back; its data must not be read any more. Without one: nothing. */
void vencd_packet_release(struct vencd_session *session);

/*
 * Waits until vencd_frame_acquire() or vencd_packet_receive() may succeed or say something new, or
 * timeout_ms have passed (-1: no limit, 0: only look). A free slot is something new only after
 * vencd_frame_acquire() has said -EAGAIN: a program that has no frame to give is not kept awake.
 * Returns 1 when there is something to do, 0 on time-out, -EINTR on a signal.
 */
int vencd_session_wait(struct vencd_session *session, int timeout_ms);

/*
 * For programs with a loop of their own: a descriptor that polls readable when
 * vencd_packet_receive() or vencd_frame_acquire() is worth calling. It belongs to the session.
 * Call vencd_session_arm() right before polling: it returns 1, and polling must be skipped, when
 * there is something to do at once; else 0. It does not fail, and neither waits.
 */
int vencd_session_fd(const struct vencd_session *session);
int vencd_session_arm(struct vencd_session *session);

/*
 * Ends the session early. What was committed stays readable: drain it with
 * vencd_packet_receive(). With VENCD_CANCEL_INPUT_FAILED the session is finished, as by
 * vencd_session_finish(): what was submitted is still encoded, and the outcome is truncated.
 * text (NULL: none; cut to 255 bytes) says why, and stands in the report. Waits up to 5 s for the
 * daemon's answer, twice that where the connection has to be renewed. Returns -EINVAL for an
 * unknown cause, -EREMOTEIO, -ETIMEDOUT, -ECONNRESET. A session that has ended already is no
 * error. text is read during the call only.
 */
int vencd_session_cancel(
	struct vencd_session *session, enum vencd_cancel_cause cause, const char *text);

struct vencd_report {
	enum vencd_outcome outcome;
	uint64_t frames_submitted, frames_encoded, frames_lost, frames_cancelled;
	uint64_t packets, bytes;
	char *json; /* the whole report, see docs/report.schema.json; the caller's */
};

/*
 * Waits up to timeout_ms (-1: no limit) for the session's end, and then up to 30 s for its report,
 * twice that where the connection has to be renewed. *ret is filled only on success, is the
 * caller's, and is cleared with vencd_report_clear(). The library compares the report with what it
 * delivered itself (packets, bytes, digest) once all packets were received: a difference returns
 * -EBADMSG. -ETIMEDOUT when the session has not ended or the answer does not come, -EINTR on a
 * signal, -EREMOTEIO when the daemon keeps the report no more, -EPROTO for one that cannot be read,
 * -ECONNRESET when the daemon is gone.
 */
int vencd_session_report(struct vencd_session *session, int timeout_ms, struct vencd_report *ret);

/* Frees what the report has and sets it to zero; one that is zero already is allowed. */
void vencd_report_clear(struct vencd_report *report);

/*
 * Frees a session; one that has not ended is cancelled by this. Frames and packets of it must not
 * be touched any more. Does not wait. NULL is allowed.
 */
void vencd_session_close(struct vencd_session *session);

/* Names as they stand in requests and reports ("av1", "truncated"); NULL for no such value. */
const char *vencd_codec_name(enum vencd_codec codec);
const char *vencd_pixel_format_name(enum vencd_pixel_format format);
const char *vencd_latency_name(enum vencd_latency latency);
const char *vencd_rate_control_name(enum vencd_rate_control rate_control);
const char *vencd_backend_name(enum vencd_backend backend);
const char *vencd_on_failure_name(enum vencd_on_failure on_failure);
const char *vencd_outcome_name(enum vencd_outcome outcome);
const char *vencd_cancel_cause_name(enum vencd_cancel_cause cause);

/* The other way: 0 for a name that is none, and for NULL. */
enum vencd_codec vencd_codec_from_name(const char *name);
enum vencd_pixel_format vencd_pixel_format_from_name(const char *name);
enum vencd_latency vencd_latency_from_name(const char *name);
enum vencd_rate_control vencd_rate_control_from_name(const char *name);
enum vencd_backend vencd_backend_from_name(const char *name);
enum vencd_on_failure vencd_on_failure_from_name(const char *name);
enum vencd_outcome vencd_outcome_from_name(const char *name);
enum vencd_cancel_cause vencd_cancel_cause_from_name(const char *name);

/*
 * The exit code that a tool gives for an outcome: complete 0, degraded 10, truncated 11, failed 12,
 * cancelled 13. What is none of these gets that of failed.
 */
int vencd_outcome_exit_code(enum vencd_outcome outcome);

/*
 * A number as people read it, by the unit that it has in LimitReached and ListQuotas: "4.2 GiB" for
 * bytes, "124.4 Mpixels/s", "12.5 s/min" for ms/min, else the bare number. Cut at size (32 bytes
 * are enough). Returns ret. Any thread may call it.
 */
char *vencd_quantity_text(char *ret, size_t size, const char *unit, uint64_t n);

#ifdef __cplusplus
}
#endif
#endif

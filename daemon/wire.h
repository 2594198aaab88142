// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_WIRE_H
#define VENCD_WIRE_H

/*
 * The fixed-size structs between the supervisor and its children, over SOCK_SEQPACKET pairs. One
 * message is one struct; its size must be exactly the size that its type has in the table of
 * wire.c, and the number of fds likewise, else the child is killed (supervisor) or exits (child).
 * Strings are NUL-terminated; the receiver makes sure of it (wire_receive() does).
 *
 * `seq` pairs a request with its answers; it is chosen by the one who asks. A front never sends an
 * fd; only the supervisor does.
 */

#include <stdint.h>

#include "client/plane/plane.h"
#include "client/vencd.h"
#include "daemon/device_state.h"
#include "daemon/proof.h"
#include "daemon/report.h"
#include "daemon/walls.h"
#include "hw/encoder.h"

#define WIRE_MAX_FDS 24

enum wire_type {
	/* supervisor to any child */
	WIRE_PING = 1, /* answer PONG with the same seq */
	WIRE_EXIT,     /* end now */
	/* any child to supervisor */
	WIRE_PONG,
	WIRE_READY, /* once, after start-up: struct wire_ready */

	/* supervisor to front */
	WIRE_CONNECTION,   /* + 1 fd: serve this client connection */
	WIRE_DEVICE,       /* one row of the device table; last = 1 closes a snapshot,
			      which is empty if its only row names no encoder */
	WIRE_PROOF,        /* what probes showed of a row; before the snapshot */
	WIRE_OPENED,       /* answers OPEN: + fds, see struct wire_opened */
	WIRE_REFUSED,      /* answers any request */
	WIRE_DONE,         /* answers CANCEL, LIST and LIST_QUOTA (end of list) */
	WIRE_SESSION,      /* a row of LIST, and progress of a WAIT */
	WIRE_QUOTA,        /* a row of LIST_QUOTA */
	WIRE_WALLS,        /* answers GET_WALLS */
	WIRE_REPORT,       /* answers WAIT and GET_REPORT */
	WIRE_STREAM,       /* answers ENCODE: + 2 fds, see struct wire_stream */
	WIRE_STREAM_ENDED, /* the adapter's process is gone */
	WIRE_KEEP,         /* + 1 fd: to the keeper, which has no clients: hold it */
	WIRE_LET_GO,       /* to the keeper: close what it holds */

	/* front to supervisor */
	WIRE_CONNECTION_GONE,
	WIRE_OPEN,
	WIRE_WAIT,
	WIRE_WAIT_END, /* the connection that waits, or has asked for an adapter, is gone */
	WIRE_CANCEL,
	WIRE_LIST,
	WIRE_LIST_QUOTA,
	WIRE_GET_REPORT,
	WIRE_GET_WALLS,
	WIRE_RENEW, /* probe again: answered by DONE when that has begun */
	WIRE_ENCODE,
	WIRE_ENCODE_END, /* nobody waits for the adapter of this ENCODE any more */

	/* supervisor to worker */
	WIRE_PROBE,
	WIRE_START, /* + WIRE_START_FDS fds */
	WIRE_STOP,  /* end an attempt without flush: close and report */
	WIRE_RATE,  /* pixels a second, from now on */
	WIRE_TAINT, /* a call here was abandoned: open, close and destroy nothing any more */

	/* worker to supervisor */
	WIRE_PROBE_CASE, /* a case of a probe begins, and ends */
	WIRE_PROBED,
	WIRE_ATTEMPT_OPENED,
	WIRE_ATTEMPT_FAILED, /* the same struct: its encoder is about to be closed */
	WIRE_ATTEMPT_ENDED,  /* its thread is through */

	WIRE_INSPECT,   /* supervisor to inspector: once */
	WIRE_INSPECTED, /* and its answer */
	WIRE_TYPE_MAX,
};

struct wire_header {
	uint32_t type; /* enum wire_type */
	uint32_t size; /* of the whole struct */
	uint64_t seq;
};

/*
 * PING, PONG, EXIT, DONE, LIST, LIST_QUOTA, GET_WALLS, WAIT_END, STOP, TAINT, KEEP, LET_GO,
 * ENCODE_END: the header alone.
 */
struct wire_plain {
	struct wire_header h;
};

struct wire_ready {
	struct wire_header h;
	struct walls walls; /* those that it is behind */
};

/* CONNECTION, CONNECTION_GONE: h.seq is the connection. */
struct wire_connection {
	struct wire_header h;
	uint32_t uid, pid;
};

/* What cannot be freed now, and the setting that bounds it. */
struct wire_budget {
	char setting[24];
	uint64_t used, limit;
};

#define WIRE_BUDGETS 5

/* The GPU of a row, as sysfs and /dev/dri have it; node "": the row is of no GPU. */
struct wire_gpu {
	char node[64], driver[32], driver_version[64]; /* the kernel's driver */
	uint32_t vendor, device, subvendor, subdevice; /* of PCI; 0: none */
};

/* One encoder of one device: a row of ListDevices. */
struct wire_device {
	struct wire_header h;
	uint32_t last;  /* 1: the snapshot is whole */
	uint32_t state; /* enum device_state */
	char device[64], backend[16], encoder[32], version[64];
	char detail[256]; /* why it is in this state */
	char advice[192]; /* what to do about it; "": what its state's table says */
	struct wire_gpu gpu;
	uint32_t codec; /* enum vencd_codec; 0: any */
	uint32_t min_width, min_height, max_width, max_height, size_multiple;
	uint32_t formats;          /* bits, 1u << enum vencd_pixel_format */
	uint32_t rate_controls[3]; /* bits, by enum vencd_latency */
	uint32_t packed_headers;   /* bits, 1u << enum encoder_header */
	int32_t quality_min, quality_max;
	uint64_t probed_us; /* CLOCK_REALTIME of the proof; 0: none */
	uint32_t probe_ms, probe_frames, probe_needs_frames;
	uint64_t pixel_rate; /* pixels a second, in the probe; 0: not measured */
	uint32_t cached;     /* 1: that probe was of an earlier start */
	uint32_t probing;    /* 1: a probe is under way, or waits for its turn */
	uint32_t sessions;   /* attempts running now */
	uint64_t abandoned, late, reclaimed, crashed; /* since the daemon started */
	uint32_t tainted, tombstones;                 /* processes now */
	uint32_t leaked_threads, leaked_fds;          /* now */
	uint64_t leaked_bytes;                        /* now; an estimate */
	uint64_t strikes, quarantines, recycled;      /* since the daemon started */
	uint64_t parole_us; /* CLOCK_REALTIME: it is probed again then; 0: it is not */
	struct wire_budget budget[WIRE_BUDGETS];        /* of its device */
	struct wire_budget daemon_budget[WIRE_BUDGETS]; /* the same in every row */
};

struct wire_proof {
	struct wire_header h;
	uint32_t row; /* its number in a snapshot */
	struct proof proof;
};

struct wire_open {
	struct wire_header h;
	struct vencd_params params;
	uint64_t connection;
};

/*
 * The fds of OPENED in order: pool, submit ring, control page (read-only), lease (a
 * socket: its closing is the client's end), then for each attempt: ring (read-only), submit socket
 * (wakes the worker), packet socket (wakes the client).
 */
#define WIRE_OPENED_FDS(attempts) (4u + 3u * (attempts))

struct wire_opened {
	struct wire_header h;
	uint64_t id;
	uint8_t token[16];
	struct plane_layout layout;
	uint32_t codec, reorder;
	char encoder[32], backend[16], device[64];
};

/* The named errors of io.vencd.Encoder. */
enum wire_error {
	WIRE_ERROR_UNSUPPORTED = 1, /* no encoder can do this: parameter, alternatives */
	WIRE_ERROR_INVALID,         /* makes no sense anywhere: parameter, reason */
	WIRE_ERROR_NO_ENCODER,      /* none usable now: reasons */
	WIRE_ERROR_LIMIT,           /* a quota: limit, used, max */
	WIRE_ERROR_NO_SESSION,      /* unknown id, wrong token, or another uid's */
	WIRE_ERROR_NOT_ENDED,       /* no report yet */
	WIRE_ERROR_STOPPING,        /* the daemon is shutting down */
	WIRE_ERROR_RESOURCES,       /* the host is out of something: reason names it */
	WIRE_ERROR_NOT_ALLOWED,     /* for others than this user */
	WIRE_ERROR_MAX,
};

struct wire_refused {
	struct wire_header h;
	uint32_t error; /* enum wire_error */
	uint64_t limit, used, asked;
	char unit[16];                /* LIMIT: of these three, as in ListQuotas */
	struct vencd_refusal refusal; /* .error is left empty: the front fills it */
};

/* WAIT, CANCEL, GET_REPORT */
struct wire_request {
	struct wire_header h;
	uint64_t id;
	uint8_t token[16];
	uint32_t cause; /* CANCEL: enum vencd_cancel_cause */
	uint32_t more;  /* WAIT: progress wanted */
	char text[256]; /* CANCEL */
};

struct wire_session {
	struct wire_header h;
	uint64_t id;
	uint32_t uid, outcome; /* enum vencd_outcome */
	uint32_t codec, width, height, attempt;
	char encoder[32], device[64], label[VENCD_LABEL_MAX];
	uint64_t frames_submitted, frames_encoded, bytes;
	uint64_t created_us;
	uint32_t call, call_state, call_ms; /* enum slot_call, enum slot_state */
};

struct wire_quota {
	struct wire_header h;
	uint32_t uid;
	uint32_t whole; /* 1: of the whole daemon, and uid means nothing */
	char kind[16], setting[32], unit[16];
	uint64_t used, limit, refused;
};

struct wire_report {
	struct wire_header h;
	struct session_report report;
};

/*
 * ENCODE asks for an adapter process (vencd-stream); STREAM and STREAM_ENDED answer. The fds of
 * STREAM: the front's end of the adapter's connection, to be served like any client's, and the
 * front's end of the order socket (SOCK_SEQPACKET): the front sends one message down it, the order
 * as JSON with the input and output fds, and gets one back, the result as JSON.
 */
struct wire_stream {
	struct wire_header h;
	uint64_t connection;               /* ENCODE: the asking one; STREAM: the adapter's */
	uint32_t ended_signal, ended_code; /* STREAM_ENDED */
};

struct wire_walls {
	struct wire_header h;
	uint32_t required;                       /* bits: RequireWalls */
	uint32_t uid;                            /* that the daemon and its children run as */
	uint32_t hardware;                       /* 1: Hardware=yes */
	uint64_t descriptors;                    /* that the daemon may hold */
	char drivers_path[128], driver_name[32]; /* LIBVA_DRIVERS_PATH, LIBVA_DRIVER_NAME */
	uint32_t seen;                     /* bits, 1u << enum wall_kind: what follows is known */
	struct walls kinds[WALL_KIND_MAX]; /* of the last child of each kind */
};

/* An empty name stands for all. */
struct wire_renew {
	struct wire_header h;
	char device[64], encoder[32];
};

struct wire_probe {
	struct wire_header h;
	char encoder[32];
	char device[64]; /* its render node; "": the CPU */
	char script[VENCD_SCRIPT_MAX];
	uint32_t depth; /* enum proof_depth */
};

/* h.seq is the probe's. */
struct wire_probe_case {
	struct wire_header h;
	struct proof_evidence evidence;
};

struct wire_probed {
	struct wire_header h;
	char encoder[32];
	uint32_t status; /* enum encoder_status */
	uint32_t ms, frames;
	struct encoder_info info;
	struct encoder_reach reach; /* what it has shown of what it claims */
	uint64_t pixel_rate;        /* pixels a second, alone on the device */
	char text[ENCODER_TEXT_MAX];
};

/*
 * h.seq is the attempt's number, unique in the daemon's life. Fds in order: pool (read-only),
 * submit ring (read-only), control page (read-only), attempt ring, call slot, submit
 * socket (wakes the worker), packet socket (wakes the client).
 */
#define WIRE_START_FDS 7

struct wire_start {
	struct wire_header h;
	char encoder[32];
	char device[64]; /* its render node; "": the CPU */
	struct encoder_params params;
	struct encoder_info plan; /* needs_frames, reorder, group as promised to the client */
	struct plane_layout layout;
	uint32_t attempt; /* index within the session */
	uint32_t on_failure;
	uint64_t first_frame;
	uint64_t pixel_debt; /* to be waited for before the first frame */
	uint64_t pixel_rate; /* pixels a second, 0: no limit */
};

/* h.seq is the attempt. */
struct wire_rate {
	struct wire_header h;
	uint64_t pixel_rate;
};

struct wire_attempt_opened {
	struct wire_header h; /* seq: the attempt */
	struct encoder_info info;
};

struct wire_attempt_ended {
	struct wire_header h; /* seq: the attempt */
	uint32_t end;    /* enum attempt_end: FINISHED, ERROR, WRONG_OUTPUT, STALLED, CANCELLED */
	uint32_t status; /* enum encoder_status */
	uint32_t call;   /* enum slot_call that failed */
	uint64_t frame;
	uint64_t discarded_packets;
	uint32_t checking; /* 1: its output was to be decoded beside it */
	uint64_t frames_checked;
	uint64_t suspect_first, suspect_frames; /* of those committed; 0 frames: none */
	char text[ENCODER_TEXT_MAX];
};

struct wire_inspect {
	struct wire_header h;
	uint32_t pid, tid;
};

struct wire_inspected {
	struct wire_header h;
	struct thread_view view;
};

/* Any message. */
union wire_message {
	struct wire_header h;
	struct wire_plain plain;
	struct wire_ready ready;
	struct wire_connection connection;
	struct wire_device device;
	struct wire_proof proof;
	struct wire_open open;
	struct wire_opened opened;
	struct wire_refused refused;
	struct wire_request request;
	struct wire_session session;
	struct wire_quota quota;
	struct wire_report report;
	struct wire_stream stream;
	struct wire_walls walls;
	struct wire_renew renew;
	struct wire_probe probe;
	struct wire_probe_case probe_case;
	struct wire_probed probed;
	struct wire_start start;
	struct wire_rate rate;
	struct wire_attempt_opened attempt_opened;
	struct wire_attempt_ended attempt_ended;
	struct wire_inspect inspect;
	struct wire_inspected inspected;
};

/* The child's end of its pair: always this fd. */
#define WIRE_FD 3

/*
 * Sends one message with n fds, which stay the caller's; never waits. -EAGAIN when the receiver
 * does not keep up, -EPIPE when it is gone.
 */
int wire_send(int fd, void *message, const int *fds, unsigned n);

/*
 * Receives one message and up to WIRE_MAX_FDS fds, close-on-exec, owned by the caller. Never waits.
 * Returns 1 with a checked message, 0 at end of file, -EAGAIN, -EPROTO for a message that is none
 * (its fds are closed). fds may be NULL: the receiver then accepts none.
 */
int wire_receive(int fd, union wire_message *ret, int *fds, unsigned *n_fds);

#endif

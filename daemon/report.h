// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_REPORT_H
#define VENCD_REPORT_H

/*
 * The report of a session: a fixed-size record that the supervisor keeps and a front turns into
 * JSON (docs/report.schema.json). One function decides the outcome.
 */

#include <stdint.h>

#include "client/plane/plane.h"
#include "client/vencd.h"

#define REPORT_VERSION 1u
#define REPORT_REJECTED_MAX 8u
#define REPORT_TEXT_MAX 256u
#define REPORT_STACK_MAX 8u
#define REPORT_MESSAGES_MAX 768u

/* How an attempt ended. */
enum attempt_end {
	ATTEMPT_RUNNING = 1,  /* not ended */
	ATTEMPT_FINISHED,     /* delivered everything and closed */
	ATTEMPT_ABANDONED,    /* a call was given up by the watchdog */
	ATTEMPT_CRASHED,      /* its process was killed by a signal that we did not send */
	ATTEMPT_EXITED,       /* its process ended by itself */
	ATTEMPT_ERROR,        /* a call returned an error */
	ATTEMPT_WRONG_OUTPUT, /* its packets break the contract */
	ATTEMPT_STALLED,      /* calls return, but nothing moves */
	ATTEMPT_UNRESPONSIVE, /* its process's loop did not answer */
	ATTEMPT_CANCELLED,    /* the session was ended */
	ATTEMPT_DRAINED,      /* its worker had to go, because of another attempt's wedge */
	ATTEMPT_END_MAX,
};

#define THREAD_NOT_PERMITTED "not permitted"

/*
 * What was seen of a thread that did not come back. A text is what the kernel says, "none" where
 * there is nothing of the kind, or why it could not be read; never an address.
 */
struct thread_view {
	uint32_t pid, tid;
	uint32_t permitted; /* 1: its system call could be looked at */
	uint64_t cpu_ms;    /* that it has used; 0: unknown */
	char comm[16];
	char state[24]; /* "S (sleeping)" */
	char wchan[48]; /* the kernel's function that it sleeps in */
	char syscall[48];
	char stack[REPORT_STACK_MAX][48]; /* innermost first, "" ends */
};

/* What there is to say about an attempt that ended badly. */
struct forensics {
	uint32_t tid;       /* of the run thread; 0: unknown */
	char inspected[64]; /* "in call", "not permitted", "not inspected: why"; "": no call */
	struct thread_view thread;
	/* The frame that a send was given */
	uint32_t flags; /* VENCD_FRAME_* */
	uint64_t bytes; /* 0: no frame */
	int64_t pts;
	char messages[REPORT_MESSAGES_MAX]; /* the last of the process's stderr */
};

struct attempt_report {
	char encoder[32], backend[16], device[64], version[64];
	char picked[128];                        /* why this encoder */
	char rejected[REPORT_REJECTED_MAX][160]; /* "encoder: why not", "" ends */
	uint64_t first_frame, frames, packets, bytes, digest;
	uint64_t discarded_packets; /* written, but beyond the cut */
	uint32_t end;               /* enum attempt_end */
	uint32_t call;              /* enum slot_call in progress when it ended badly */
	uint64_t call_frame;        /* frame in that call */
	uint32_t waited_ms;         /* how long that call was waited for */
	uint32_t budget_ms;         /* and its budget then */
	uint32_t signal, exit_code; /* CRASHED, EXITED */
	uint32_t leaked_threads, leaked_fds;
	uint64_t leaked_bytes;   /* the session's memory, which stays mapped */
	uint32_t checking;       /* 1: its output was decoded beside it, as far as there was time */
	uint64_t frames_checked; /* and found good */
	uint64_t suspect_first, suspect_frames; /* delivered, and maybe wrong; 0 frames: none */
	uint32_t speed_used, needs_frames, reorder;
	uint32_t pid;
	uint32_t walls; /* those that its process was behind: bits of enum wall; 0: not known */
	char text[REPORT_TEXT_MAX]; /* the library's last words */
	struct forensics forensics;
};

struct session_report {
	uint32_t version;
	uint32_t outcome; /* enum vencd_outcome */
	uint64_t id;
	uint32_t uid;
	uint32_t codec;                /* enum vencd_codec that was chosen */
	uint64_t created_us, ended_us; /* CLOCK_REALTIME */
	uint64_t frames_submitted, frames_encoded, frames_lost, frames_cancelled;
	uint64_t packets, bytes, digest, discarded_packets;
	uint64_t first_packet_us; /* from the request; 0: none */
	uint32_t cancel_cause;    /* enum vencd_cancel_cause; 0: none */
	uint32_t on_failure;      /* enum vencd_on_failure */
	uint32_t attempts;
	struct vencd_params params;
	char cause[256]; /* one sentence: why it ended as it did; "" when complete */
	struct attempt_report attempt[PLANE_MAX_ATTEMPTS];
};

/* What the outcome is decided from. */
struct session_tally {
	uint64_t submitted, encoded;
	uint32_t attempts;
	uint32_t finished;     /* 1: the client said how many frames there are */
	uint32_t all_clean;    /* 1: every attempt ended as FINISHED, and no frame is suspect */
	uint32_t cancel_cause; /* enum vencd_cancel_cause or 0 */
};

/* The one place where an outcome comes from. */
enum vencd_outcome report_outcome(const struct session_tally *tally);

/*
 * Frames that a client submitted, as far as its pool allows it to have: head is the client's word,
 * taken and encoded are the worker's, and none of them is believed alone. At least encoded.
 */
uint64_t report_submitted(uint64_t head, uint64_t taken, uint64_t encoded, uint32_t slots);

const char *attempt_end_name(enum attempt_end end);

#endif

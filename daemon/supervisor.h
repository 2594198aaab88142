// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_SUPERVISOR_H
#define VENCD_SUPERVISOR_H

/*
 * The supervisor's state: one struct, one thread, one event loop. The parts:
 *
 *	quota.c      what each uid is charged with, and may be
 *	standing.c   which walls stand around the children
 *	registry.c   which encoders there are, and what their probes showed
 *	probing.c    the probes' processes
 *	proof_store.c  what was proved, from start to start
 *	verdict.c    what follows from failures and probes, by the policy of blame.c
 *	leak.c       what abandoned calls hold, and how much of it is too much
 *	placement.c  which encoder a request gets
 *	front.c      the processes that talk to clients, one per uid
 *	keeper.c     the process that closes connections
 *	request.c    what fronts ask for
 *	session.c    a session's life and accounts, from memory to report
 *	attempt.c    one try of a session in a worker
 *	worker.c     worker processes: warm, bound, tainted, drained
 *	growth.c     when a worker has been used long enough
 *	stream.c     adapters for one-shot requests
 *	watch.c      the tick that feeds watchdog.c
 *	forensics.c  what is told about an attempt that ended badly
 *	inspector.c  processes that look at a thread which does not come back
 *	archive.c    reports of ended sessions
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "daemon/child.h"
#include "daemon/config.h"
#include "daemon/pace.h"
#include "daemon/quota.h"
#include "daemon/registry.h"
#include "daemon/report.h"
#include "daemon/verdict.h"
#include "daemon/watchdog.h"

enum supervisor_state {
	SUPERVISOR_SERVING = 1,
	SUPERVISOR_STOPPING, /* no new sessions; running ones may finish until StopTimeout */
	SUPERVISOR_CUTTING,  /* all sessions were ended; their clients may still ask for reports */
	SUPERVISOR_FAREWELL, /* fronts write out what they have, and exit */
};

struct attempt;
struct session;

enum evidence_state {
	EVIDENCE_NONE,
	EVIDENCE_ASKED,
	EVIDENCE_SEEN,
	EVIDENCE_MISSED,
};

/* What an inspector saw, for the word (a call's, or the number of a ping) that was suspect. */
struct evidence {
	enum evidence_state state;
	uint64_t word;
	char why[48]; /* MISSED */
	struct thread_view view;
};

struct worker {
	LIST_ENTRY(worker) entry;
	struct supervisor *supervisor;
	struct child *child;
	const struct encoder_entry *encoder; /* NULL: warm */
	uint32_t uid;                        /* of its clients, once bound */
	bool ready;                          /* WIRE_READY came */
	struct walls walls;                  /* with it */
	bool tainted;                        /* has abandoned a call */
	bool accused;                        /* of what ends a process; heard once */
	bool retired;                        /* gets no new session: see growth.c */
	uint32_t sessions;                   /* given to it so far */
	uint64_t bytes_at_first;             /* its own memory when it was bound */
	uint64_t asked;                      /* pings sent */
	uint64_t answered;                   /* the last one answered */
	uint64_t silent_ns;                  /* how long a ping has been unanswered */
	struct evidence evidence;            /* of its loop */
	sd_event_source *drain;
	LIST_HEAD(, attempt) attempts; /* all whose memory its threads may still touch */
};

/* What the last child of a kind has said about its walls. */
struct standing {
	bool seen;
	struct walls walls;
};

enum attempt_state {
	ATTEMPT_LIVE = 1, /* its session runs */
	ATTEMPT_CLOSING,  /* its session has ended; the thread has not said that it is through */
	ATTEMPT_LEAKED,   /* a call was abandoned: the thread never comes to an end */
	ATTEMPT_RETURNED, /* and it came back late, and parked */
	ATTEMPT_KEPT,     /* through, but its tainted worker keeps the memory until its death */
};

struct attempt {
	LIST_ENTRY(attempt) entry; /* of the worker */
	enum attempt_state state;
	uint64_t number; /* unique in the daemon's life */
	struct worker *worker;
	struct session *session; /* NULL unless LIVE */
	struct quota_hold *hold; /* on the session's memory */
	struct call_slot *slot;
	struct plane_attempt *ring; /* header and log, read-only */
	struct watch watch;
	struct evidence evidence; /* of its run thread */
	struct pace pace;
	uint64_t pixels;   /* of a frame */
	uint64_t load;     /* pixels a second that it asks for */
	uint64_t memory;   /* of its session, in bytes */
	blame_shape shape; /* of its request */
	bool opened;
	bool accused; /* heard once */
};

struct waiter {
	LIST_ENTRY(waiter) entry;
	struct front *front;
	uint64_t seq;
	bool progress;
};

struct session {
	LIST_ENTRY(session) entry;
	struct supervisor *supervisor;
	uint64_t id;
	uint8_t token[16];
	uint32_t uid;
	struct plane_layout layout;
	struct plane_control *control; /* rw */
	struct plane_submit *submit;   /* read-only */
	int packet_wake;               /* to wake the client at the cut; deaf */
	int lease;                     /* its hang-up is the client's end; deaf */
	sd_event_source *lease_source;
	struct attempt *attempt; /* the current one */
	uint64_t memory;         /* bytes */
	struct quota_hold *hold; /* what is charged; NULL: nothing yet */
	uint64_t created_ns;
	struct session_report report; /* attempt[n] of the current attempt is its record */
	struct encoder_info plan;
	LIST_HEAD(, waiter) waiters;
};

struct front {
	LIST_ENTRY(front) entry;
	struct supervisor *supervisor;
	struct child *child;
	uint32_t uid;
	bool ready;
	unsigned connections; /* charged: handed over and not gone */
	uint64_t proofs_told; /* up to this of registry.proofs */
	uint64_t asked, answered, silent_ns;
	sd_event_source *idle;
};

/* A request that waits for a probe. */
struct pending_open {
	TAILQ_ENTRY(pending_open) entry;
	struct front *front;
	struct wire_open open;
	sd_event_source *patience;
};

struct archived {
	TAILQ_ENTRY(archived) entry;
	bool awaited; /* ended while the daemon stops, and nobody has asked for it yet */
	uint8_t token[16];
	struct session_report report;
};

struct supervisor {
	struct config config;
	struct quota quota;
	sd_event *event;
	enum supervisor_state state;
	uint64_t private_connection; /* --connection: its number, else 0 */
	bool exit_with_connection;
	bool socket_is_ours;  /* bound by us, not passed in */
	uint64_t next_number; /* sessions, attempts, connections, pings */
	struct registry registry;
	uint32_t required_walls; /* bits: RequireWalls */
	struct standing standing[WALL_KIND_MAX];
	LIST_HEAD(, front) fronts;
	LIST_HEAD(, worker) workers;
	LIST_HEAD(, session) sessions;
	LIST_HEAD(, stream) streams;
	LIST_HEAD(, inspector) inspectors;
	TAILQ_HEAD(, pending_open) pending;
	struct child *keeper; /* NULL: none is running */
	uint64_t keepers_given_up;
	unsigned n_awaited; /* of the archive */
	unsigned n_sessions, n_workers, n_fronts, n_streams, n_archived, n_tombstones;
	TAILQ_HEAD(, archived) archive;
	sd_event_source *listen, *tick, *stop_timer;
	sd_event_source *warm_retry; /* while it is set, no warm worker is started */
	uint64_t last_tick_ns, ticks;
	uint64_t tick_ns; /* length of the tick under way; 0: off */
};

/* supervisor.c: begins an orderly stop; called again (or by its timer), cuts everything. */
void supervisor_stop(struct supervisor *supervisor);

/* Ends the event loop once nothing is left to wait for. Called at every end of something. */
void supervisor_check_done(struct supervisor *supervisor);

uint64_t supervisor_now_ns(void);  /* CLOCK_MONOTONIC */
uint64_t supervisor_wall_us(void); /* CLOCK_REALTIME */

/*
 * keeper.c: closing a connection can take as long as its client likes. keeper_hold() gives a copy
 * to the keeper, so that ours is not the last; keeper_let_go() closes ours and then the keeper's.
 * Nothing else is held in between. keeper_close() does both. fds stay the caller's where hold
 * fails.
 */
int keeper_hold(struct supervisor *supervisor, int fd);
void keeper_let_go(struct supervisor *supervisor, int fd);
void keeper_close(struct supervisor *supervisor, int fd);
void keeper_stop(struct supervisor *supervisor);

/* front.c: takes fd, also where it fails. */
int front_accept(struct supervisor *supervisor, int fd, uint64_t *ret_connection);
void front_push_devices(struct front *front);
void front_tick(struct front *front, uint64_t elapsed_ns);
void front_refuse(
	struct front *front, uint64_t seq, enum wire_error error, const struct vencd_refusal *why);
/* LimitReached, or for what was no limit OutOfResources, with what there was not enough of. */
void front_refuse_limit(struct front *front, uint64_t seq, const struct quota_refusal *refusal,
	const char *what, int error);

/* standing.c */
#define STANDING_WHY_MAX 256
#define STANDING_ADVICE "see `vencctl doctor`; use a kernel that has it, or change RequireWalls"
/* Notes what a child has said. Returns 0, or -EPERM where it lacks what RequireWalls has. */
int standing_note(struct supervisor *supervisor, enum wall_kind kind, const struct walls *walls);
/* Whether the last of a kind lacked such a wall: 0, or -EPERM with why filled. */
int standing_refuses(const struct supervisor *supervisor, enum wall_kind kind,
	char why[static STANDING_WHY_MAX]);
/* Answers GET_WALLS. */
void standing_tell(struct front *front, uint64_t seq);

/* request.c */
void request_handle(struct front *front, const union wire_message *message);
void request_retry_pending(struct supervisor *supervisor);
void request_refuse_pending(struct supervisor *supervisor); /* all of them: it is stopping */
void request_drop_pending(struct supervisor *supervisor, const struct front *front);
void request_fill_session(const struct session *session, struct wire_session *ret);

/* session.c */
int session_open(struct front *front, const struct wire_open *open,
	const struct encoder_entry *encoder, const struct encoder_params *params,
	const struct attempt_report *why);
struct session *session_find(struct supervisor *supervisor, uint64_t id);
/* The current attempt is over: cut, accounts, report. */
void session_end(struct session *session, enum attempt_end end, const char *cause);
void session_cancel(struct session *session, uint32_t cause, const char *text);
void session_progress(struct session *session);
void session_drop_waiters(struct supervisor *supervisor, const struct front *front, uint64_t seq);

/* attempt.c */
int attempt_start(struct session *session, struct worker *worker, const struct wire_start *start,
	const int *fds, struct call_slot *slot, struct plane_attempt *ring);
/* Puts its worker's walls into its part of the session's report, where they are known. */
void attempt_note_walls(struct attempt *attempt);
/* Closes the commit word and writes its part of the session's report. Returns the cut. */
uint64_t attempt_cut(struct attempt *attempt, enum attempt_end end);
/* Notes the frames that were taken since the last time. Returns whether it keeps to its rate. */
bool attempt_keeps_pace(struct attempt *attempt);
/* A session of the uid came or went: each has an equal share of PixelsPerUser. */
void attempt_share_pixels(struct supervisor *supervisor, uint32_t uid);
/* Takes it from its session; its worker keeps it until its thread is through, or dead. */
void attempt_part(struct attempt *attempt, enum attempt_end end);
/* Its call was given up: counted, and the worker tainted. */
void attempt_abandoned(struct attempt *attempt);
/* An abandoned call came back. */
void attempt_returned(struct attempt *attempt);
void attempt_free(struct attempt *attempt);
void attempt_message(struct worker *worker, const union wire_message *message);

/* worker.c */
/* Binds one, or finds one to share. -EDQUOT with *refusal filled. */
int worker_for(struct supervisor *supervisor, const struct encoder_entry *encoder, uint32_t uid,
	struct worker **ret, struct quota_refusal *refusal);
/* Whether a session of the uid may have one start: only so many do at once. */
bool worker_may_start(const struct supervisor *supervisor, uint32_t uid);
void worker_keep_warm(struct supervisor *supervisor);
void worker_taint(struct worker *worker);
void worker_attempt_gone(struct worker *worker);
bool worker_is_software(const struct worker *worker);

/* stream.c */
/* Starts one that gets no order, to see its walls. */
void stream_try(struct supervisor *supervisor);
void stream_start(struct front *front, const struct wire_stream *request);
void stream_forsake(struct supervisor *supervisor, const struct front *front, uint64_t seq);
void stream_tick(struct supervisor *supervisor);
/* Its client has gone, or has its answer: it ends soon, by itself or not. */
void stream_end(struct front *front, uint64_t seq);
void stream_kill_all(struct supervisor *supervisor);
void stream_drop_front(struct supervisor *supervisor, const struct front *front);

/* watch.c */
int watch_start(struct supervisor *supervisor);
void watch_wake(struct supervisor *supervisor); /* something is timed again */

/* inspector.c */
enum inspection {
	INSPECT_CALL = 1,
	INSPECT_LOOP,
	INSPECT_TOMBSTONE,
};
/* Returns NULL, or why none was sent. The answer goes to the evidence that has that word. */
const char *inspector_send(
	struct worker *worker, enum inspection what, uint64_t attempt, uint64_t word, uint32_t tid);
void inspector_forget(const struct worker *worker); /* it is dead */

/* forensics.c */
void forensics_suspect(struct attempt *attempt); /* half of its call's budget is over */
void forensics_silent(struct worker *worker);    /* half of its loop's time to answer */
void forensics_tombstone(struct worker *worker);
/* Fills the forensics of a report that says already how the attempt ended, and logs them. */
void forensics_note(struct attempt *attempt, struct attempt_report *report);
/* The same for an attempt whose session has ended: into the log alone. */
void forensics_log_abandoned(const struct attempt *attempt);
void forensics_log_tombstone(const struct worker *worker, const struct thread_view *view);

/* archive.c */
void archive_add(struct session *session);
const struct archived *archive_find(const struct supervisor *supervisor, uint64_t id);
/* Somebody was sent the report. */
void archive_collected(struct supervisor *supervisor, uint64_t id);
void archive_clear(struct supervisor *supervisor);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What children say to the supervisor, and what they write into the memory that it reads: the whole
 * supervisor but its main() and child.c, whose place this takes. No process is started; every child
 * is a record, and the input is a program of what they do. Fronts send requests (a front may have
 * been taken over by its client), workers and probes answer what they like, rings and call slots
 * are scribbled over, children die.
 *
 * What a front is told has the form of its type; each report is finite, its texts end, its counts
 * add up, and it is complete only if it may be. When all children are dead no session, no charge
 * and no descriptor is left.
 */

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/child.h"
#include "daemon/log.h"
#include "daemon/session_memory.h"
#include "daemon/supervisor.h"
#include "tests/fuzz/fuzz.h"

#define CHILDREN_MAX 256u
#define MEMORIES_MAX 32u
#define STEPS_MAX 64u

/* A worker's and a client's mappings of what they may write. */
struct memory {
	struct plane_attempt *ring;
	struct call_slot *slot;
	struct plane_submit *submit;
	size_t submit_size;
};

static struct supervisor sv;
static struct child *children[CHILDREN_MAX];
static unsigned n_children;
static struct memory memories[MEMORIES_MAX];
static unsigned n_memories;
static uint64_t attempt_numbers[MEMORIES_MAX];
static struct wire_opened sessions[MEMORIES_MAX]; /* as fronts were told */
static unsigned n_sessions, n_attempts;
static struct fuzz_input program;

/* --- child.c, without processes --- */

int child_spawn(struct child **ret, sd_event *event, const struct child_ops *ops, void *owner,
	uint64_t grace_us, const struct child_extra *extra)
{
	struct child *child;

	(void)event, (void)grace_us, (void)extra;
	if (n_children == CHILDREN_MAX)
		return -EAGAIN;
	child = calloc(1, sizeof(*child));
	FUZZ_CHECK(child != NULL);
	*child = (struct child){.ops = ops, .owner = owner, .state = CHILD_RUNNING, .pidfd = -1};
	child->pid = 0x40000000 + (int)n_children; /* more than there can be */
	child->fd = child->err.fd = -1;
	child->err.program = ops->program;
	children[n_children++] = child;
	*ret = child;
	return 0;
}

struct child *child_free(struct child *child)
{
	for (unsigned i = 0; child && i < n_children; i++)
		if (children[i] == child) {
			children[i] = children[--n_children];
			free(child);
			return NULL;
		}
	FUZZ_CHECK(!child);
	return NULL;
}

static void check_report(const struct session_report *r)
{
	FUZZ_CHECK(r->outcome >= VENCD_OUTCOME_COMPLETE && vencd_outcome_name(r->outcome));
	FUZZ_CHECK(r->attempts >= 1 && r->attempts <= PLANE_MAX_ATTEMPTS);
	FUZZ_CHECK(r->frames_submitted - r->frames_encoded == r->frames_lost + r->frames_cancelled);
	FUZZ_CHECK(r->frames_encoded <= r->frames_submitted);
	FUZZ_CHECK(FUZZ_TERMINATED(r->cause));
	for (uint32_t i = 0; i < r->attempts; i++) {
		const struct attempt_report *a = &r->attempt[i];

		FUZZ_CHECK(attempt_end_name(a->end) && a->end != ATTEMPT_RUNNING);
		FUZZ_CHECK(FUZZ_TERMINATED(a->text) && FUZZ_TERMINATED(a->version));
		FUZZ_CHECK(r->outcome != VENCD_OUTCOME_COMPLETE || a->end == ATTEMPT_FINISHED);
		FUZZ_CHECK(r->outcome != VENCD_OUTCOME_COMPLETE || a->suspect_frames == 0);
		FUZZ_CHECK(a->suspect_frames == 0 ||
			(a->suspect_first >= a->first_frame && a->suspect_frames <= a->frames));
	}
}

static void *map(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	FUZZ_CHECK(p != MAP_FAILED);
	return p;
}

static void note_start(const struct wire_start *start, const int *fds)
{
	struct memory *m = &memories[n_memories];

	attempt_numbers[n_attempts++ % MEMORIES_MAX] = start->h.seq;
	if (n_memories == MEMORIES_MAX)
		return;
	m->ring = map(fds[3], plane_data_offset());
	m->slot = map(fds[4], PLANE_PAGE);
}

/* It follows the start of the same session. */
static void note_opened(const struct wire_opened *opened, const int *fds)
{
	struct memory *m = &memories[n_memories];

	FUZZ_CHECK(plane_layout_valid(&opened->layout));
	sessions[n_sessions++ % MEMORIES_MAX] = *opened;
	if (n_memories == MEMORIES_MAX)
		return;
	m->submit_size = plane_submit_size(&opened->layout);
	m->submit = map(fds[1], m->submit_size);
	n_memories++;
}

void child_send(struct child *child, void *message, const int *fds, unsigned n)
{
	union wire_message *m = message;

	(void)n;
	FUZZ_CHECK(m->h.type > 0 && m->h.type < WIRE_TYPE_MAX && m->h.size <= sizeof(*m));
	if (child->state != CHILD_RUNNING)
		return;
	if (m->h.type == WIRE_START)
		note_start(&m->start, fds);
	else if (m->h.type == WIRE_OPENED)
		note_opened(&m->opened, fds);
	else if (m->h.type == WIRE_REPORT)
		check_report(&m->report.report);
	else if (m->h.type == WIRE_REFUSED)
		FUZZ_CHECK(m->refused.error > 0 && m->refused.error < WIRE_ERROR_MAX &&
			FUZZ_TERMINATED(m->refused.refusal.reason));
	else if (m->h.type == WIRE_SESSION)
		FUZZ_CHECK(FUZZ_TERMINATED(m->session.label));
}

void child_send_if_idle(struct child *child, void *message)
{
	child_send(child, message, NULL, 0);
}

int child_send_now(struct child *child, void *message, const int *fds, unsigned n)
{
	if (child->state != CHILD_RUNNING)
		return -EPIPE;
	child_send(child, message, fds, n);
	return 0;
}

void child_pause(struct child *child)
{
	FUZZ_CHECK(child->state != CHILD_DEAD);
}

void child_resume(struct child *child)
{
	FUZZ_CHECK(child->state != CHILD_DEAD);
}

void child_kill(struct child *child)
{
	if (child->state == CHILD_RUNNING)
		child->state = CHILD_KILLED;
}

bool child_was_killed(const struct child *child)
{
	return child->before == CHILD_KILLED || child->before == CHILD_TOMBSTONE;
}

bool child_was_tombstone(const struct child *child)
{
	return child->before == CHILD_TOMBSTONE;
}

uint64_t child_cpu_ns(const struct child *child)
{
	(void)child;
	return 0;
}

bool child_is_stopped(const struct child *child)
{
	(void)child;
	return false;
}

int child_program_path(const char *name, char *path, size_t size)
{
	return (size_t)snprintf(path, size, "/nowhere/%s", name) < size ? 0 : -ENAMETOOLONG;
}

/* --- what children do --- */

static struct child *choose(void)
{
	unsigned n = fuzz_byte(&program);

	return n_children ? children[n % n_children] : NULL;
}

static void say(struct child *child, union wire_message *m)
{
	if (child->state == CHILD_RUNNING)
		child->ops->message(child, m);
}

static void die(struct child *child, uint8_t how)
{
	siginfo_t info = {.si_code = how & 1 ? CLD_KILLED : CLD_EXITED};

	info.si_status = how & 1 ? 9 : how >> 1;
	if (how & 0x80 && child->state == CHILD_KILLED) {
		child->state = CHILD_TOMBSTONE;
		if (child->ops->tombstone)
			child->ops->tombstone(child);
	}
	child->before = child->state;
	child->state = CHILD_DEAD;
	child->ops->dead(child, &info);
}

/* A request that could be granted, then made wrong in as many ways as bits say. */
static void fill_open(struct wire_open *open)
{
	uint8_t wrong = fuzz_byte(&program);
	struct vencd_params *p = &open->params;

	*p = (struct vencd_params){.codecs = {VENCD_CODEC_AV1},
		.width = 64,
		.height = 64,
		.format = VENCD_FORMAT_I420,
		.time_base = {1, 25},
		.quality = -1,
		.speed = -1,
		.b_frames = -1,
		.backend = VENCD_BACKEND_NULL};
	if (wrong & 1)
		p->backend = fuzz_byte(&program);
	if (wrong & 2)
		p->width = (uint32_t)fuzz_index(&program);
	if (wrong & 4)
		p->codecs[fuzz_byte(&program) % 3] = (uint32_t)fuzz_index(&program);
	if (wrong & 8)
		p->format = fuzz_byte(&program);
	if (wrong & 16)
		p->on_failure = p->rate_control = p->latency = fuzz_byte(&program);
	if (wrong & 32)
		p->gop = (uint32_t)fuzz_index(&program);
	if (wrong & 64)
		p->quality = (int32_t)fuzz_index(&program);
	if (wrong & 128)
		fuzz_take(&program, p, sizeof(*p));
	p->label[sizeof(p->label) - 1] = p->null_script[sizeof(p->null_script) - 1] = '\0';
}

static void fill_request(struct wire_request *request)
{
	const struct wire_opened *known = &sessions[fuzz_byte(&program) % MEMORIES_MAX];
	uint8_t wrong = fuzz_byte(&program);

	request->id = wrong & 1 ? fuzz_index(&program) : known->id;
	memcpy(request->token, known->token, sizeof(request->token));
	if (wrong & 2)
		request->token[0] ^= 1;
	if (wrong & 4)
		memset(request->token, 0, sizeof(request->token));
	request->cause = wrong >> 3;
	request->more = wrong >> 7;
}

static void fill_attempt(union wire_message *m)
{
	m->h.seq = attempt_numbers[fuzz_byte(&program) % MEMORIES_MAX];
	if (m->h.type == WIRE_ATTEMPT_OPENED)
		return;
	m->attempt_ended.end = fuzz_byte(&program) % (ATTEMPT_END_MAX + 2);
	m->attempt_ended.status = fuzz_byte(&program) % (ENCODER_STATUS_MAX + 2);
	m->attempt_ended.call = fuzz_byte(&program) % 16;
	m->attempt_ended.suspect_first = fuzz_byte(&program);
	m->attempt_ended.suspect_frames = fuzz_byte(&program) % 3 - 1;
}

static void speak(struct child *child)
{
	static const uint32_t said[] = {WIRE_OPEN, WIRE_WAIT, WIRE_CANCEL, WIRE_GET_REPORT,
		WIRE_LIST, WIRE_ENCODE, WIRE_WAIT_END, WIRE_READY, WIRE_PONG, WIRE_ATTEMPT_OPENED,
		WIRE_ATTEMPT_FAILED, WIRE_ATTEMPT_ENDED, WIRE_PROBED, WIRE_DONE,
		WIRE_CONNECTION_GONE};
	unsigned which = fuzz_byte(&program) % 16;
	union wire_message m = {.h.type = which < 15 ? said[which] : 0};

	if (which == 15)
		m.h.type = fuzz_byte(&program) % WIRE_TYPE_MAX;
	m.h.seq = fuzz_byte(&program);
	switch (m.h.type) {
	case WIRE_OPEN:
		fill_open(&m.open);
		break;
	case WIRE_WAIT:
	case WIRE_CANCEL:
	case WIRE_GET_REPORT:
		fill_request(&m.request);
		break;
	case WIRE_ATTEMPT_OPENED:
	case WIRE_ATTEMPT_FAILED:
	case WIRE_ATTEMPT_ENDED:
		fill_attempt(&m);
		break;
	case WIRE_PROBED:
		snprintf(m.probed.encoder, sizeof(m.probed.encoder), "null");
		m.probed.status = fuzz_byte(&program) % (ENCODER_STATUS_MAX + 2);
		break;
	case WIRE_PROBE_CASE:
		m.probe_case.evidence.state = fuzz_byte(&program) % (PROOF_STATE_MAX + 2);
		m.probe_case.evidence.status = fuzz_byte(&program) % (ENCODER_STATUS_MAX + 2);
		m.probe_case.evidence.asked.width = (uint32_t)fuzz_byte(&program) << 24;
		m.probe_case.evidence.asked.height = (uint32_t)fuzz_byte(&program) << 24;
		break;
	default:
		break;
	}
	say(child, &m);
}

static void scribble_ring(const struct memory *m)
{
	struct plane_entry *e = &plane_log(m->ring)[fuzz_byte(&program) % 16];

	switch (fuzz_byte(&program) % 3) {
	case 0:
		atomic_store(&m->ring->published, fuzz_index(&program));
		break;
	case 1:
		atomic_store(&m->ring->taken, fuzz_index(&program));
		break;
	default:
		e->total_frames = fuzz_index(&program);
		e->total_packets = fuzz_index(&program);
		e->total_bytes = fuzz_index(&program);
	}
}

static void scribble_slot(const struct memory *m)
{
	switch (fuzz_byte(&program) % 4) {
	case 0:
		atomic_store(&m->slot->word, fuzz_u64(&program));
		break;
	case 1:
		atomic_store(
			&m->slot->commit, fuzz_index(&program) << 2 | (fuzz_byte(&program) & 3));
		break;
	case 2:
		atomic_store(&m->slot->packets, fuzz_index(&program));
		break;
	default:
		atomic_store(&m->slot->since_ns, fuzz_index(&program));
		atomic_store(&m->slot->first_ns, fuzz_index(&program));
	}
}

static void scribble_submit(const struct memory *m)
{
	if (fuzz_byte(&program) & 1)
		atomic_store(&m->submit->head, fuzz_index(&program));
	else
		atomic_store(&m->submit->finished, fuzz_index(&program));
}

static void step(void)
{
	uint8_t what = fuzz_byte(&program) % 8;
	uint8_t place = fuzz_byte(&program);
	const struct memory *m = n_memories ? &memories[place % n_memories] : NULL;
	struct child *child = choose();

	if (what < 3 && child)
		speak(child);
	else if (what == 3 && m)
		scribble_ring(m);
	else if (what == 4 && m)
		scribble_slot(m);
	else if (what == 5 && m)
		scribble_submit(m);
	else if (what == 6 && child && child->state != CHILD_RUNNING)
		die(child, fuzz_byte(&program));
	else if (what == 7)
		(void)sd_event_run(sv.event, 0);
}

/* --- a daemon --- */

static void connect_as(void)
{
	int pair[2];
	uint64_t connection;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	(void)front_accept(&sv, pair[0], &connection);
	close(pair[1]);
}

static void pass_probe(struct child *child)
{
	union wire_message m = {.h.type = WIRE_PROBE_CASE};

	m.probe_case.evidence.state = PROOF_RUNNING;
	say(child, &m);
	m.probe_case.evidence.state = PROOF_PASSED;
	say(child, &m);
	m = (union wire_message){.h.type = WIRE_PROBED};
	snprintf(m.probed.encoder, sizeof(m.probed.encoder), "null");
	m.probed.reach = encoder_limits_find("null")->reach;
	say(child, &m);
}

/* The probes pass, and one client is connected. */
static void set_up(void)
{
	struct config_error error;
	union wire_message m;

	memset(&sv, 0, sizeof(sv));
	sv.state = SUPERVISOR_SERVING;
	FUZZ_CHECK(config_load(&sv.config, "/nonexistent", false, &error) == 0);
	sv.config.null_encoder = true;
	sv.config.warm_workers = 1;
	sv.config.workers_max = 8;
	sv.config.reports_kept = 4;
	quota_init(&sv.quota, &sv.config, supervisor_now_ns);
	TAILQ_INIT(&sv.pending);
	TAILQ_INIT(&sv.archive);
	FUZZ_CHECK(sd_event_new(&sv.event) >= 0 && watch_start(&sv) >= 0);
	FUZZ_CHECK(registry_start(&sv.registry, &sv) >= 0);
	for (unsigned i = 0; i < n_children; i++)
		if (fuzz_byte(&program) == 0)
			pass_probe(children[i]);
	connect_as();
	for (unsigned i = 0; i < n_children; i++)
		if (strcmp(children[i]->ops->program, "vencd-front") == 0) {
			m = (union wire_message){.h.type = WIRE_READY};
			say(children[i], &m);
		}
}

static void unmap_all(void)
{
	for (unsigned i = 0; i < MEMORIES_MAX; i++) {
		struct memory *m = &memories[i];

		if (m->ring)
			munmap(m->ring, plane_data_offset());
		if (m->slot)
			munmap(m->slot, PLANE_PAGE);
		if (m->submit)
			munmap(m->submit, m->submit_size);
		*m = (struct memory){0};
	}
	n_memories = n_attempts = n_sessions = 0;
	memset(attempt_numbers, 0, sizeof(attempt_numbers));
	memset(sessions, 0, sizeof(sessions));
}

/* All children die, as at the daemon's end; nothing may be left of anything. */
static void tear_down(void)
{
	const struct archived *archived;
	struct quota_account *account;

	sv.state = SUPERVISOR_CUTTING;
	registry_stop(&sv.registry);
	for (unsigned i = 0; i < 4 * CHILDREN_MAX && n_children > 0; i++) {
		child_kill(children[0]);
		die(children[0], 1);
	}
	FUZZ_CHECK(n_children == 0);
	TAILQ_FOREACH(archived, &sv.archive, entry)
	check_report(&archived->report);
	FUZZ_CHECK(LIST_EMPTY(&sv.sessions) && sv.n_sessions == 0 && sv.n_workers == 0);
	FUZZ_CHECK(sv.n_fronts == 0 && sv.n_streams == 0 && sv.n_tombstones == 0);
	FUZZ_CHECK(TAILQ_EMPTY(&sv.pending));
	LIST_FOREACH(account, &sv.quota.accounts, entry)
	for (unsigned kind = 0; kind < QUOTA_HELD_MAX; kind++)
		FUZZ_CHECK(account->used.of[kind] == 0);
	while ((account = LIST_FIRST(&sv.quota.accounts))) {
		LIST_REMOVE(account, entry);
		free(account);
	}
	archive_clear(&sv);
	sd_event_source_disable_unref(sv.tick);
	sd_event_source_disable_unref(sv.stop_timer);
	sd_event_source_disable_unref(sv.warm_retry);
	sd_event_unref(sv.event);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	/* What is logged here is not looked at, and is most of the time that a run takes. */
	FUZZ_CHECK(log_open(LOG_LEVEL_ERROR + 1) == 0 && log_close(1000) == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int free_fd = fuzz_free_fd();

	program = (struct fuzz_input){data, size};
	set_up();
	for (unsigned i = 0; i < STEPS_MAX && program.size > 0; i++)
		step();
	tear_down();
	unmap_all();
	FUZZ_CHECK(fuzz_free_fd() == free_fd);
	return 0;
}

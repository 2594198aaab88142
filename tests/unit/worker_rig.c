// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* The rig; see worker_rig.h. It plays by the rules of the data plane, and checks that they hold. */

#include "tests/unit/worker_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fallback/null.h"
#include "hw/catalogue.h"

/* --- the process --- */

static void exec_worker(const char *program, int fd)
{
	char *argv[] = {(char *)program, NULL};

	if (fd == WIRE_FD)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, WIRE_FD);
	execv(program, argv);
	perror(program);
	_exit(127);
}

void rig_start(struct rig *rig, const char *program)
{
	int fds[2];

	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	*rig = (struct rig){.fd = fds[0]};
	rig->pid = fork();
	CHECK(rig->pid >= 0);
	if (rig->pid == 0)
		exec_worker(program, fds[1]);
	close(fds[1]);
	rig_expect(rig, WIRE_READY);
}

static union wire_message *to_send(enum wire_type type, uint64_t seq)
{
	static union wire_message m;

	memset(&m, 0, sizeof(m));
	m.h.type = type;
	m.h.seq = seq;
	return &m;
}

void rig_send(struct rig *rig, enum wire_type type, uint64_t seq)
{
	CHECK_EQUAL(wire_send(rig->fd, to_send(type, seq), NULL, 0), 0);
}

const union wire_message *rig_next(struct rig *rig)
{
	static union wire_message m;
	struct pollfd p = {.fd = rig->fd, .events = POLLIN};

	CHECK_EQUAL(poll(&p, 1, RIG_PATIENCE_S * 1000), 1);
	CHECK_EQUAL(wire_receive(rig->fd, &m, NULL, NULL), 1);
	return &m;
}

const union wire_message *rig_expect(struct rig *rig, enum wire_type type)
{
	const union wire_message *m;

	/*
	 * A failure is told before the close and again after it: whoever asks for the end gets
	 * that.
	 */
	do
		m = rig_next(rig);
	while (m->h.type == WIRE_ATTEMPT_FAILED && type != WIRE_ATTEMPT_FAILED);
	if (m->h.type != type && m->h.type == WIRE_ATTEMPT_ENDED)
		fprintf(stderr, "ended as %u: %s\n", m->attempt_ended.end, m->attempt_ended.text);
	CHECK_EQUAL(m->h.type, type);
	return m;
}

void rig_ping(struct rig *rig)
{
	uint64_t seq = ++rig->next_number;

	rig_send(rig, WIRE_PING, seq);
	CHECK_EQUAL(rig_expect(rig, WIRE_PONG)->h.seq, seq);
}

static void nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

int rig_wait(struct rig *rig)
{
	int status;

	for (int i = 0; i < RIG_PATIENCE_S * 1000; i++) {
		if (waitpid(rig->pid, &status, WNOHANG) == rig->pid) {
			close(rig->fd);
			rig->pid = 0;
			return status;
		}
		nap();
	}
	kill(rig->pid, SIGKILL);
	CHECK(!"the worker did not end");
	return 0;
}

void rig_stop(struct rig *rig)
{
	int status;

	rig_send(rig, WIRE_EXIT, 0);
	status = rig_wait(rig);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 0);
}

static bool is_wanted(const char *name, char **names)
{
	bool wanted = !*names;

	for (; *names; names++)
		wanted |= strcmp(*names, name) == 0;
	return wanted;
}

int rig_main(struct rig *rig, const struct rig_case *cases, int argc, char **argv)
{
	CHECK(argc >= 2);
	for (; cases->name; cases++) {
		if (!is_wanted(cases->name, argv + 2))
			continue;
		fprintf(stderr, "%s\n", cases->name);
		rig_start(rig, argv[1]);
		cases->run();
		if (rig->pid)
			rig_stop(rig);
	}
	return 0;
}

/* --- memory --- */

static int make_memory(uint64_t size, void **ret)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(fd >= 0);
	CHECK_EQUAL(ftruncate(fd, (off_t)size), 0);
	CHECK_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	*ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(*ret != MAP_FAILED);
	return fd;
}

static int read_only(int fd)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(r >= 0);
	close(fd);
	return r;
}

static void make_sockets(struct session *s)
{
	int fds[2];

	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	s->fds[5] = fds[0];
	s->submit_wake = fds[1];
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	s->packet_wake = fds[0];
	s->fds[6] = fds[1];
}

static void make_memories(struct session *s)
{
	const struct plane_layout *l = &s->layout;
	void *map;

	s->fds[0] = read_only(make_memory(plane_pool_size(l), &map));
	s->pool = map;
	s->fds[1] = read_only(make_memory(plane_submit_size(l), &map));
	s->submit = map;
	s->fds[2] = read_only(make_memory(PLANE_PAGE, &map));
	CHECK_EQUAL(munmap(map, PLANE_PAGE), 0);
	s->fds[3] = make_memory(plane_attempt_size(l), &map);
	s->ring = map;
	s->fds[4] = make_memory(PLANE_PAGE, &map);
	s->slot = map;
	atomic_store(&s->slot->word, slot_word(0, SLOT_CALL_START, SLOT_RUNNING));
	atomic_store(&s->slot->commit, commit_word(0, COMMIT_OPEN));
}

static void fill_start(struct session *s, const struct session_options *o)
{
	const char *encoder = o->encoder ? o->encoder : "null";
	const struct encoder_limits *limits = encoder_limits_find(encoder);
	struct vencd_params request = VENCD_PARAMS_INIT;
	struct vencd_refusal refusal = {0};
	struct wire_start *w = &s->start;

	CHECK(limits);
	request.codecs[0] = limits->codec ? limits->codec : VENCD_CODEC_AV1;
	request.width = 128;
	request.height = 96;
	request.format = o->format ? o->format : VENCD_FORMAT_I420;
	request.time_base = (struct vencd_rational){1, 1000};
	request.frame_rate = (struct vencd_rational){25, 1};
	request.speed = 10;
	request.backend = limits->codec ? VENCD_BACKEND_ANY : VENCD_BACKEND_NULL;
	snprintf(
		request.null_script, sizeof(request.null_script), "%s", o->script ? o->script : "");
	if (encoder_narrow(limits, &request, &w->params, &refusal) < 0)
		fprintf(stderr, "refused: %s: %s\n", refusal.parameter, refusal.reason);
	CHECK(w->params.request.width == 128);
	w->params.threads = 1;
	encoder_plan(limits, &w->params, &w->plan);
	w->h.type = WIRE_START;
	w->h.seq = ++s->rig->next_number;
	snprintf(w->encoder, sizeof(w->encoder), "%s", encoder);
	w->on_failure = o->on_failure ? o->on_failure : VENCD_ON_FAILURE_FAILOVER;
	w->first_frame = o->first_frame;
	CHECK_EQUAL(plane_layout_init(&s->layout, 128, 96, request.format,
			    o->slots ? o->slots : w->plan.needs_frames + 2, 1),
		0);
	w->layout = s->layout;
}

void session_make(struct session *s, struct rig *rig, const struct session_options *options)
{
	memset(s, 0, sizeof(*s));
	s->rig = rig;
	s->digest = PLANE_FNV_OFFSET;
	s->last_dts = INT64_MIN;
	fill_start(s, options);
	make_memories(s);
	make_sockets(s);
	s->head = options->first_frame;
	atomic_store(&s->submit->head, s->head);
	for (s->n_free = 0; s->n_free < s->layout.slots; s->n_free++)
		s->free[s->n_free] = s->layout.slots - 1 - s->n_free;
}

void session_send_start(struct session *s)
{
	CHECK_EQUAL(wire_send(s->rig->fd, &s->start, s->fds, WIRE_START_FDS), 0);
}

void session_open(struct session *s, struct rig *rig, const struct session_options *options)
{
	const union wire_message *m;

	session_make(s, rig, options);
	session_send_start(s);
	m = rig_expect(rig, WIRE_ATTEMPT_OPENED);
	CHECK_EQUAL(m->h.seq, s->start.h.seq);
	CHECK(m->attempt_opened.info.needs_frames <= s->layout.slots);
}

void session_close(struct session *s)
{
	munmap(s->pool, plane_pool_size(&s->layout));
	munmap(s->submit, plane_submit_size(&s->layout));
	munmap(s->ring, plane_attempt_size(&s->layout));
	munmap(s->slot, PLANE_PAGE);
	for (int i = 0; i < WIRE_START_FDS; i++)
		close(s->fds[i]);
	close(s->submit_wake);
	close(s->packet_wake);
}

/* --- the client: frames --- */

int64_t session_pts(uint64_t index)
{
	return 1000 + 40 * (int64_t)index;
}

void session_wake(struct session *s)
{
	if (plane_must_wake(&s->ring->sleeping))
		plane_wake(s->submit_wake);
}

void session_submit_raw(struct session *s, uint32_t slot, uint32_t flags, int64_t pts)
{
	plane_frames(s->submit)[s->head % s->layout.submit_entries] = (struct plane_frame){
		.slot = slot, .flags = flags, .pts = pts};
	atomic_store_explicit(&s->submit->head, ++s->head, memory_order_release);
	session_wake(s);
}

void session_submit(struct session *s, uint32_t flags)
{
	CHECK(s->n_free > 0);
	session_submit_raw(s, s->free[--s->n_free], flags, session_pts(s->head));
}

void session_finish(struct session *s)
{
	atomic_store_explicit(&s->submit->finished, s->head + 1, memory_order_release);
	session_wake(s);
}

/* --- the client: packets --- */

static void check_null_packet(const struct session *s, const struct plane_entry *e)
{
	struct null_packet head;

	CHECK(e->size >= sizeof(head));
	memcpy(&head, plane_data(s->ring) + e->offset, sizeof(head));
	CHECK(memcmp(head.magic, NULL_MAGIC, sizeof(head.magic)) == 0);
	CHECK_EQUAL(head.pts, e->pts);
	CHECK_EQUAL(head.frame, e->frame);
	CHECK_EQUAL(head.size, e->size);
	CHECK_EQUAL(head.sequence, s->packets);
}

static void read_packet(struct session *s, const struct plane_entry *e)
{
	uint64_t index = e->frame - s->start.first_frame;

	CHECK(e->frame < s->head && index < sizeof(s->got));
	CHECK(!s->got[index]);
	CHECK_EQUAL(e->pts, session_pts(e->frame));
	CHECK(e->dts <= e->pts && e->dts > s->last_dts);
	CHECK(e->size > 0 && e->offset + e->size <= s->layout.data_size);
	CHECK(s->packets > 0 || e->flags == VENCD_PACKET_KEYFRAME);
	if (strcmp(s->start.encoder, "null") == 0)
		check_null_packet(s, e);
	s->got[index] = 1;
	while (s->got[s->seen])
		s->seen++;
	s->packets++;
	s->bytes += e->size;
	s->digest = plane_digest(s->digest, plane_data(s->ring) + e->offset, e->size);
	s->last_dts = e->dts;
}

static void read_release(struct session *s, const struct plane_entry *e)
{
	bool committed = s->got[e->frame - s->start.first_frame];

	CHECK(e->slot < s->layout.slots);
	CHECK(s->start.on_failure == VENCD_ON_FAILURE_FAIL || committed);
	s->releases++;
	s->free[s->n_free++] = e->slot;
}

bool session_read(struct session *s, bool consume)
{
	struct plane_entry *e = &s->entry;

	if (s->read == atomic_load_explicit(&s->ring->published, memory_order_acquire))
		return false;
	CHECK(!s->ended);
	*e = plane_log(s->ring)[s->read++ % PLANE_LOG_ENTRIES];
	if (e->type == PLANE_ENTRY_PACKET)
		read_packet(s, e);
	else if (e->type == PLANE_ENTRY_RELEASE)
		read_release(s, e);
	else
		CHECK_EQUAL(e->type, PLANE_ENTRY_END);
	s->ended = e->type == PLANE_ENTRY_END;
	CHECK_EQUAL(e->total_packets, s->packets);
	CHECK_EQUAL(e->total_frames, s->packets);
	CHECK_EQUAL(e->total_bytes, s->bytes);
	CHECK(e->total_digest == s->digest);
	if (consume)
		session_consume(s);
	return true;
}

void session_consume(struct session *s)
{
	atomic_store_explicit(&s->submit->consumed[0], s->read, memory_order_release);
	session_wake(s);
}

/* Sleeps as a client does: only a wake-up of the worker, or news of its end, goes on. */
static void sleep_on_packets(struct session *s)
{
	struct pollfd p[] = {
		{.fd = s->packet_wake, .events = POLLIN}, {.fd = s->rig->fd, .events = POLLIN}};

	plane_prepare_sleep(&s->submit->sleeping);
	if (s->read == atomic_load(&s->ring->published)) {
		CHECK(poll(p, 2, RIG_PATIENCE_S * 1000) > 0);
		if (p[1].revents && !p[0].revents)
			rig_expect(s->rig, WIRE_TYPE_MAX); /* fails, and says what came */
	}
	plane_end_sleep(&s->submit->sleeping);
	plane_drain(s->packet_wake);
}

void session_run(struct session *s, uint64_t frames)
{
	uint64_t end = s->start.first_frame + frames;

	while (!s->ended) {
		while (s->head < end && s->n_free > 0)
			session_submit(s, 0);
		if (s->head == end && atomic_load(&s->submit->finished) == 0)
			session_finish(s);
		if (!session_read(s, true))
			sleep_on_packets(s);
	}
	CHECK_EQUAL(s->packets, frames);
	CHECK_EQUAL(s->seen, frames);
}

/* --- the supervisor --- */

uint64_t session_await(struct session *s, enum slot_call call, enum slot_state state)
{
	uint64_t word = 0;

	for (int i = 0; i < RIG_PATIENCE_S * 1000; i++) {
		word = SLOT_LOAD(&s->slot->word);
		if (slot_call(word) == call && slot_state(word) == state)
			return word;
		nap();
	}
	fprintf(stderr, "the word stays at %s, %s\n", slot_call_name(slot_call(word)),
		slot_state_name(slot_state(word)));
	CHECK(!"the call word does not show it");
	return word;
}

void session_await_published(struct session *s, uint64_t entries)
{
	for (int i = 0; i < RIG_PATIENCE_S * 1000; i++) {
		if (atomic_load(&s->ring->published) >= entries)
			return;
		nap();
	}
	CHECK(!"not published");
}

const struct wire_attempt_ended *session_expect_end(struct session *s, enum attempt_end end)
{
	const struct wire_attempt_ended *e = &rig_expect(s->rig, WIRE_ATTEMPT_ENDED)->attempt_ended;

	CHECK_EQUAL(e->h.seq, s->start.h.seq);
	if (e->end != end)
		fprintf(stderr, "it said: %s\n", e->text);
	CHECK_EQUAL(e->end, end);
	return e;
}

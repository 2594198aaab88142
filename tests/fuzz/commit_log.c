// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The commit log as the client library reads it, with a worker that writes whatever it likes,
 * whenever it likes. The input is a program: the client acquires, submits, receives, releases and
 * finishes, and the other side writes entries and indexes between these, and while they are read.
 *
 * What the client is given lies in the ring, belongs to a frame that it submitted and has not got
 * before, and comes in decoding order; a slot that it holds stays its own. What is broken ends the
 * session for good.
 */

#include "tests/fuzz/scribble.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "client/libvencd/log.c"
#include "tests/fuzz/fuzz.h"

#define SLOTS 8u
#define ATTEMPTS 2u
#define DATA_SIZE 4096u
#define FRAMES_MAX 64u

static _Alignas(PLANE_PAGE) uint8_t submit_page[2 * PLANE_PAGE];
static _Alignas(PLANE_PAGE) uint8_t control_page[PLANE_PAGE];
static _Alignas(PLANE_PAGE) uint8_t pool[SLOTS * PLANE_PAGE];
static uint8_t *rings[ATTEMPTS];
static uint64_t ring_size;
static struct vencd *daemon_link;
static int daemon_end, quiet_fd;

/* What the test knows by itself. */
struct model {
	int64_t pts[FRAMES_MAX];
	bool delivered[FRAMES_MAX];
	bool held[SLOTS]; /* acquired by the client */
	uint64_t submitted, packets;
	int64_t last_dts;
	uint32_t attempt;
	uint64_t attempt_packets;
	int broken; /* what the library said last that it must go on saying */
};

static struct model model;
static struct vencd_session session;
static struct fuzz_input program;
static unsigned writes_at, looks; /* bit n: the other side writes at the n-th look */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int pair[2];

	(void)argc, (void)argv;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	FUZZ_CHECK(vencd_connect_fd(&daemon_link, pair[0]) == 0);
	daemon_end = pair[1];
	quiet_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	FUZZ_CHECK(quiet_fd >= 0);
	ring_size = plane_data_offset() + DATA_SIZE;
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		rings[i] = aligned_alloc(PLANE_PAGE, ring_size);
		FUZZ_CHECK(rings[i] != NULL);
	}
	return 0;
}

/* --- the other side --- */

static struct plane_attempt *ring_of(uint32_t n)
{
	return (struct plane_attempt *)rings[n % ATTEMPTS];
}

/* A good packet for the next frame that has none, then made wrong in as many ways as bits say. */
static void fill_packet(struct plane_entry *e, uint8_t wrong)
{
	uint64_t frame = 0;

	while (frame < model.submitted && frame < FRAMES_MAX - 1 && model.delivered[frame])
		frame++;
	*e = (struct plane_entry){.type = PLANE_ENTRY_PACKET,
		.flags = model.attempt_packets ? 0 : VENCD_PACKET_KEYFRAME,
		.size = 16,
		.frame = frame,
		.pts = model.pts[frame],
		.dts = model.pts[frame]};
	if (wrong & 1)
		e->frame = fuzz_index(&program);
	if (wrong & 2)
		e->pts = (int64_t)fuzz_index(&program);
	if (wrong & 4)
		e->dts = (int64_t)fuzz_index(&program);
	if (wrong & 8)
		e->offset = fuzz_index(&program);
	if (wrong & 16)
		e->size = (uint32_t)fuzz_index(&program);
	if (wrong & 32)
		e->flags = fuzz_byte(&program);
}

static void fill_release(struct plane_entry *e)
{
	uint32_t slot = fuzz_byte(&program);

	*e = (struct plane_entry){.type = PLANE_ENTRY_RELEASE, .slot = slot};
	e->frame = slot < SLOTS ? session.slots[slot].frame : 0;
	if (slot >= SLOTS)
		e->frame = fuzz_index(&program);
}

static void write_entry(void)
{
	uint8_t how = fuzz_byte(&program), wrong = fuzz_byte(&program);
	uint64_t at = session.attempts[session.reading].next + (how >> 6);
	struct plane_entry *e = &plane_log(ring_of(session.reading))[at % PLANE_LOG_ENTRIES];

	switch (how % 4) {
	case 0:
	case 1:
		fill_packet(e, wrong);
		break;
	case 2:
		fill_release(e);
		break;
	default:
		memset(e, 0, sizeof(*e));
		e->type = wrong < 0x80 ? PLANE_ENTRY_END : wrong;
	}
}

static void write_control(void)
{
	struct plane_control *control = session.control;

	switch (fuzz_byte(&program) % 4) {
	case 0:
		atomic_store(&control->cut[session.reading], fuzz_index(&program));
		return;
	case 1:
		atomic_store(&control->cut[session.reading],
			atomic_load(&session.attempts[session.reading].ring->published));
		return;
	case 2:
		atomic_store(&control->attempt, (uint32_t)fuzz_index(&program));
		return;
	default:
		atomic_store(&control->state, PLANE_SESSION_ENDED);
	}
}

static void others_write(void)
{
	switch (fuzz_byte(&program) % 6) {
	case 0:
	case 1:
		write_entry();
		return;
	case 2:
		atomic_fetch_add(&ring_of(session.reading)->published, fuzz_byte(&program) % 4);
		return;
	case 3:
		atomic_store(&ring_of(session.reading)->published, fuzz_index(&program));
		return;
	case 4:
		atomic_store(&ring_of(fuzz_byte(&program))->sleeping, 1);
		return;
	default:
		write_control();
	}
}

void scribble(const volatile void *at, size_t size)
{
	if (writes_at >> (looks++ % 32) & 1)
		others_write();
	/* An entry was copied: from here on the ring says something else. */
	if (size == sizeof(struct plane_entry))
		memset((void *)(uintptr_t)at, 0xff, size);
}

/* --- the client --- */

static void check_slots(void)
{
	unsigned seen[SLOTS] = {0};
	uint32_t n_free = 0;

	FUZZ_CHECK(session.n_free <= SLOTS);
	for (uint32_t i = 0; i < session.n_free; i++) {
		FUZZ_CHECK(session.free_slots[i] < SLOTS && !seen[session.free_slots[i]]++);
		FUZZ_CHECK(session.slots[session.free_slots[i]].use == SLOT_FREE);
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		FUZZ_CHECK(!model.held[i] || session.slots[i].use == SLOT_ACQUIRED);
		n_free += session.slots[i].use == SLOT_FREE;
	}
	FUZZ_CHECK(n_free == session.n_free);
}

static void acquire(void)
{
	struct vencd_frame frame;
	int r = vencd_frame_acquire(&session, &frame);

	FUZZ_CHECK(r == 0 || r == -EAGAIN || r == -EPIPE);
	if (r < 0)
		return;
	FUZZ_CHECK(frame.slot < SLOTS && !model.held[frame.slot]);
	model.held[frame.slot] = true;
}

static void submit(void)
{
	uint32_t slot = fuzz_byte(&program) % (SLOTS + 1);
	int64_t pts = session.last_pts + fuzz_byte(&program) % 4;
	int r;

	if (model.submitted == FRAMES_MAX)
		return;
	r = vencd_frame_submit(&session, slot, pts, 0);
	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EPIPE);
	if (r < 0)
		return;
	FUZZ_CHECK(slot < SLOTS && model.held[slot]);
	model.held[slot] = false;
	model.pts[model.submitted++] = pts;
}

static void check_packet_given(const struct vencd_packet *p)
{
	const uint8_t *ring = rings[session.reading], *data = ring + plane_data_offset();

	if (session.reading != model.attempt) {
		FUZZ_CHECK(session.reading > model.attempt);
		model.attempt = session.reading;
		model.attempt_packets = 0;
	}
	FUZZ_CHECK(p->size > 0 && p->data >= data && p->data + p->size <= data + DATA_SIZE);
	FUZZ_CHECK(p->frame < model.submitted && !model.delivered[p->frame]);
	FUZZ_CHECK(p->pts == model.pts[p->frame] && p->dts <= p->pts);
	FUZZ_CHECK(model.packets == 0 || p->dts > model.last_dts);
	FUZZ_CHECK(!(p->flags & ~VENCD_PACKET_KEYFRAME));
	FUZZ_CHECK(model.attempt_packets > 0 || p->flags & VENCD_PACKET_KEYFRAME);
	model.delivered[p->frame] = true;
	model.last_dts = p->dts;
	model.packets++;
	model.attempt_packets++;
}

static void receive(void)
{
	struct vencd_packet packet;
	bool held = session.packet_state == PACKET_HELD;
	int r;

	looks = 0;
	writes_at = fuzz_byte(&program);
	r = vencd_packet_receive(&session, &packet);
	writes_at = 0;
	FUZZ_CHECK(r == 1 || r == -EAGAIN || r == -EBUSY || r == -ENODATA || r == -EPROTO);
	FUZZ_CHECK((r == -EBUSY) == held);
	FUZZ_CHECK(held || !model.broken || r == model.broken);
	if (r == -EPROTO) {
		FUZZ_CHECK(session.phase == SESSION_BROKEN);
		model.broken = r;
	}
	if (r == 1)
		check_packet_given(&packet);
}

static void check_consumed(void)
{
	for (uint32_t i = 0; i < ATTEMPTS; i++) {
		uint64_t done = atomic_load(&session.submit->consumed[i]);

		FUZZ_CHECK(done <= session.attempts[i].next);
		FUZZ_CHECK(session.attempts[i].next <= session.attempts[i].limit ||
			session.attempts[i].limit == 0);
	}
}

static void client_acts(void)
{
	switch (fuzz_byte(&program) % 8) {
	case 0:
	case 1:
		acquire();
		break;
	case 2:
	case 3:
		submit();
		break;
	case 4:
	case 5:
		receive();
		break;
	case 6:
		vencd_packet_release(&session);
		break;
	default:
		(void)vencd_session_finish(&session);
	}
	check_slots();
	check_consumed();
}

/* --- both --- */

static void set_up(void)
{
	memset(submit_page, 0, sizeof(submit_page));
	memset(control_page, 0, sizeof(control_page));
	session = (struct vencd_session){.daemon = daemon_link,
		.phase = SESSION_OPEN,
		.packet_state = PACKET_NONE,
		.pool = pool,
		.submit = (struct plane_submit *)submit_page,
		.control = (struct plane_control *)control_page,
		.lease = -1,
		.epoll = -1};
	FUZZ_CHECK(plane_layout_init(&session.layout, 16, 16, VENCD_FORMAT_I420, SLOTS, ATTEMPTS) ==
		0);
	session.layout.data_size = DATA_SIZE; /* smaller than a real one: its digest is quick */
	session.control->state = PLANE_SESSION_OPEN;
	for (uint32_t i = 0; i < ATTEMPTS; i++) {
		memset(rings[i], 0, PLANE_PAGE + 64 * sizeof(struct plane_entry));
		session.control->cut[i] = PLANE_NO_CUT;
		session.attempts[i] = (struct attempt_reader){
			.ring = ring_of(i), .submit_wake = quiet_fd, .packet_wake = -1};
	}
	FUZZ_CHECK(frames_init(&session) == 0);
	model = (struct model){0};
}

static void tear_down(void)
{
	char said[4096];

	while (read(daemon_end, said, sizeof(said)) > 0)
		;
	free(session.slots);
	free(session.free_slots);
	free(session.history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	program = (struct fuzz_input){data, size};
	set_up();
	while (program.size > 0) {
		if (fuzz_byte(&program) & 1)
			client_acts();
		else
			others_write();
	}
	tear_down();
	return 0;
}

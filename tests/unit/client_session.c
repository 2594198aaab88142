// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The library's data plane against a daemon that behaves: the way of a frame and of a packet,
 * waiting, cuts and further attempts, the end and its report, and a daemon that goes away.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/client_fake.h"

static struct vencd *daemon_;
static struct vencd_session *session;

static void close_all(struct fake *fake)
{
	vencd_session_close(session);
	vencd_disconnect(daemon_);
	fake_stop(fake);
	session = NULL;
	daemon_ = NULL;
}

static uint32_t submit(int64_t pts, uint32_t flags)
{
	struct vencd_frame frame;

	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
	memset(frame.data[0], (int)pts, frame.row_bytes[0]);
	CHECK_EQUAL(vencd_frame_submit(session, frame.slot, pts, flags), 0);
	return frame.slot;
}

static void expect_packet(uint64_t frame, int64_t pts, const char *text)
{
	struct vencd_packet packet;

	CHECK_EQUAL(vencd_packet_receive(session, &packet), 1);
	CHECK_EQUAL(packet.frame, frame);
	CHECK_EQUAL(packet.pts, pts);
	CHECK_EQUAL(packet.size, strlen(text));
	CHECK(memcmp(packet.data, text, packet.size) == 0);
	vencd_packet_release(session);
}

static void expect_receive(int error)
{
	struct vencd_packet packet;

	CHECK_EQUAL(vencd_packet_receive(session, &packet), error);
}

static void test_frames(void)
{
	struct fake fake = {0};
	struct vencd_frame frame, all[4];
	uint32_t slot;

	fake_open(&fake, &daemon_, &session);
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(vencd_frame_acquire(session, &all[i]), 0);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EAGAIN);
	CHECK_EQUAL(all[0].planes, 3);
	CHECK_EQUAL(all[0].row_bytes[1], 32);
	memset(all[2].data[2], 0x5a, all[2].row_bytes[2]);
	CHECK_EQUAL(fake.pool[all[2].slot * fake.layout.slot_size + fake.layout.offset[2]], 0x5a);
	slot = all[3].slot;
	vencd_frame_discard(session, slot);
	vencd_frame_discard(session, slot); /* once is enough */
	CHECK_EQUAL(vencd_frame_submit(session, slot, 1, 0), -EINVAL);
	CHECK_EQUAL(vencd_frame_submit(session, 99, 1, 0), -EINVAL);
	CHECK_EQUAL(vencd_frame_submit(session, all[0].slot, 10, 2), -EINVAL);
	CHECK_EQUAL(vencd_frame_submit(session, all[0].slot, 10, VENCD_FRAME_KEYFRAME), 0);
	CHECK_EQUAL(vencd_frame_submit(session, all[0].slot, 11, 0), -EINVAL);
	CHECK_EQUAL(vencd_frame_submit(session, all[1].slot, 10, 0), -EINVAL);
	CHECK_EQUAL(vencd_frame_submit(session, all[1].slot, 11, 0), 0);
	CHECK_EQUAL(atomic_load(&fake.submit->head), 2);
	CHECK_EQUAL(fake_frame(&fake, 0)->slot, all[0].slot);
	CHECK_EQUAL(fake_frame(&fake, 0)->flags, VENCD_FRAME_KEYFRAME);
	CHECK_EQUAL(fake_frame(&fake, 1)->pts, 11);
	CHECK_EQUAL(vencd_session_finish(session), 0);
	CHECK_EQUAL(vencd_session_finish(session), 0);
	CHECK_EQUAL(atomic_load(&fake.submit->finished), 3);
	CHECK_EQUAL(vencd_frame_submit(session, all[2].slot, 12, 0), -EPIPE);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EPIPE);
	close_all(&fake);
}

static uint64_t pool_bytes(const struct fake *fake)
{
	struct stat st;

	CHECK_EQUAL(fstat(fake->pool_fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Linux 5.14 and later. */
static bool kernel_populates(void)
{
	void *page = mmap(
		NULL, PLANE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can = madvise(page, PLANE_PAGE, MADV_POPULATE_WRITE) == 0;

	CHECK_EQUAL(munmap(page, PLANE_PAGE), 0);
	return can;
}

/* The memory of a frame is made when its slot is acquired for the first time, all of it. */
static void test_memory(void)
{
	struct fake fake = {0};
	struct vencd_frame frame, other;
	uint64_t size;

	fake_open(&fake, &daemon_, &session);
	size = kernel_populates() ? fake.layout.slot_size : 0;
	CHECK_EQUAL(pool_bytes(&fake), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
		CHECK_EQUAL(pool_bytes(&fake), size);
		vencd_frame_discard(session, frame.slot);
	}
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
	CHECK_EQUAL(vencd_frame_acquire(session, &other), 0);
	CHECK_EQUAL(pool_bytes(&fake), 2 * size);
	close_all(&fake);
}

static void test_packets(void)
{
	struct fake fake = {0};
	struct vencd_packet packet;
	struct vencd_frame frame;
	struct vencd_report report;

	fake_open(&fake, &daemon_, &session);
	for (int i = 0; i < 4; i++)
		submit(i, 0);
	expect_receive(-EAGAIN);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EAGAIN);
	fake_packet(&fake, 0, 0, -1, VENCD_PACKET_KEYFRAME, "zero");
	fake_release(&fake, 0, 0);
	fake_packet(&fake, 0, 2, 0, 0, "two");
	expect_receive(-EAGAIN); /* written, not published */
	fake_publish(&fake, 0);
	CHECK_EQUAL(vencd_packet_receive(session, &packet), 1);
	CHECK_EQUAL(packet.flags, VENCD_PACKET_KEYFRAME);
	CHECK_EQUAL(packet.dts, -1);
	CHECK_EQUAL(atomic_load(&fake.submit->consumed[0]), 0);
	expect_receive(-EBUSY);
	vencd_packet_release(session);
	CHECK_EQUAL(atomic_load(&fake.submit->consumed[0]), 1);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0); /* takes the release in */
	CHECK_EQUAL(atomic_load(&fake.submit->consumed[0]), 2);
	vencd_frame_discard(session, frame.slot);
	expect_packet(2, 2, "two");
	fake_packet(&fake, 0, 1, 1, 0, "one");
	fake_packet(&fake, 0, 3, 2, 0, "three");
	for (uint64_t i = 1; i < 4; i++)
		fake_release(&fake, 0, i);
	fake_end(&fake, 0);
	fake_publish(&fake, 0);
	CHECK_EQUAL(vencd_session_finish(session), 0);
	CHECK_EQUAL(vencd_session_report(session, 50, &report), -ETIMEDOUT);
	fake_cut(&fake, 0, fake.attempt[0].written);
	fake_end_session(&fake);
	expect_packet(1, 1, "one");
	expect_packet(3, 3, "three");
	expect_receive(-ENODATA);
	expect_receive(-ENODATA);
	CHECK_EQUAL(vencd_session_wait(session, -1), 1);
	CHECK_EQUAL(vencd_session_report(session, 5000, &report), 0);
	CHECK_EQUAL(report.outcome, VENCD_OUTCOME_COMPLETE);
	CHECK_EQUAL(report.frames_submitted, 4);
	CHECK_EQUAL(report.packets, 4);
	CHECK_EQUAL(report.bytes, 15);
	CHECK(strstr(report.json, "\"outcome\":\"complete\""));
	vencd_report_clear(&report);
	close_all(&fake);
}

/* The report says something else than what arrived. */
static void test_digest(void)
{
	struct fake fake = {.fault = FAULT_LIE};
	struct vencd_report report;

	fake_open(&fake, &daemon_, &session);
	submit(0, 0);
	fake_packet(&fake, 0, 0, 0, VENCD_PACKET_KEYFRAME, "zero");
	fake_publish(&fake, 0);
	fake_cut(&fake, 0, 1);
	fake_end_session(&fake);
	/* Nothing to compare with before everything was received. */
	CHECK_EQUAL(vencd_session_report(session, 5000, &report), 0);
	vencd_report_clear(&report);
	expect_packet(0, 0, "zero");
	expect_receive(-ENODATA);
	CHECK_EQUAL(vencd_session_report(session, 5000, &report), -EBADMSG);
	close_all(&fake);
}

/* What lies beyond the cut is not there; what lies below is, published or not. */
static void test_cut(void)
{
	struct fake fake = {0};
	struct vencd_frame frame;

	fake_open(&fake, &daemon_, &session);
	for (int i = 0; i < 3; i++)
		submit(i, 0);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
	fake_packet(&fake, 0, 0, 0, VENCD_PACKET_KEYFRAME, "zero");
	fake_publish(&fake, 0);
	fake_packet(&fake, 0, 1, 1, 0, "one");
	fake_packet(&fake, 0, 2, 2, 0, "late");
	expect_packet(0, 0, "zero");
	expect_receive(-EAGAIN);
	fake_cut(&fake, 0, 2);
	expect_packet(1, 1, "one");
	fake_publish(&fake, 0); /* a late thread */
	expect_receive(-EAGAIN);
	fake_end_session(&fake);
	expect_receive(-ENODATA);
	CHECK_EQUAL(vencd_frame_submit(session, frame.slot, 9, 0), -EPIPE);
	CHECK_EQUAL(vencd_session_finish(session), 0);
	close_all(&fake);
}

/* The next attempt goes on where the first was cut; its slots come back. */
static void test_attempts(void)
{
	struct fake fake = {.attempts = 3};
	struct vencd_frame frame;
	struct vencd_report report;

	fake_open(&fake, &daemon_, &session);
	for (int i = 0; i < 4; i++)
		submit(i, 0);
	fake_packet(&fake, 0, 0, 0, VENCD_PACKET_KEYFRAME, "zero");
	fake_publish(&fake, 0);
	fake_cut(&fake, 0, 1);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EAGAIN);
	expect_packet(0, 0, "zero");
	expect_receive(-EAGAIN);
	fake_cut(&fake, 1, 0); /* one that made nothing */
	fake_next_attempt(&fake, 2);
	fake_packet(&fake, 2, 1, 1, VENCD_PACKET_KEYFRAME, "one");
	fake_packet(&fake, 2, 2, 2, 0, "two");
	fake_packet(&fake, 2, 3, 3, 0, "three");
	fake_release(&fake, 2, 1);
	fake_publish(&fake, 2);
	expect_packet(1, 1, "one");
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0); /* that of frame 0 */
	expect_packet(2, 2, "two");
	expect_packet(3, 3, "three");
	CHECK_EQUAL(atomic_load(&fake.submit->consumed[0]), 1);
	expect_receive(-EAGAIN);
	CHECK_EQUAL(atomic_load(&fake.submit->consumed[2]), 4);
	fake_cut(&fake, 2, 4);
	fake_end_session(&fake);
	expect_receive(-ENODATA);
	CHECK_EQUAL(vencd_session_report(session, 5000, &report), 0);
	CHECK_EQUAL(report.packets, 4);
	vencd_report_clear(&report);
	close_all(&fake);
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void test_wake_worker(void)
{
	struct fake fake = {0};
	int pipe_;

	fake_open(&fake, &daemon_, &session);
	pipe_ = fake.attempt[0].submit_wake[0];
	submit(0, 0);
	CHECK(!readable(pipe_)); /* it does not sleep */
	plane_prepare_sleep(&fake.attempt[0].ring->sleeping);
	submit(1, 0);
	CHECK(readable(pipe_));
	plane_drain(pipe_);
	fake_packet(&fake, 0, 0, 0, VENCD_PACKET_KEYFRAME, "zero");
	fake_publish(&fake, 0);
	expect_packet(0, 0, "zero");
	CHECK(readable(pipe_)); /* for credit */
	plane_drain(pipe_);
	vencd_session_finish(session);
	CHECK(readable(pipe_));
	close_all(&fake);
}

static void test_arm(void)
{
	struct fake fake = {0};
	struct vencd_frame frame;
	int fd;

	fake_open(&fake, &daemon_, &session);
	fd = vencd_session_fd(session);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_EQUAL(vencd_session_wait(session, 0), 0);
	CHECK_EQUAL(vencd_session_wait(session, 20), 0);
	for (int i = 0; i < 4; i++)
		submit(i, 0);
	CHECK_EQUAL(vencd_session_arm(session), 0);
	CHECK(!readable(fd));
	fake_release(&fake, 0, 0);
	fake_publish(&fake, 0);
	CHECK(readable(fd));
	/* A slot is worth waking for only after one was missed. */
	CHECK_EQUAL(vencd_session_arm(session), 0);
	for (int i = 0; i < 1; i++)
		submit(4, 0);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EAGAIN);
	CHECK_EQUAL(vencd_session_arm(session), 0);
	fake_release(&fake, 0, 1);
	fake_publish(&fake, 0);
	CHECK(readable(fd));
	CHECK_EQUAL(vencd_session_arm(session), 1);
	CHECK_EQUAL(vencd_session_wait(session, -1), 1);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
	CHECK_EQUAL(vencd_session_arm(session), 0);
	CHECK_EQUAL(atomic_load(&fake.submit->sleeping), 1);
	expect_receive(-EAGAIN); /* awake: nobody need write for it */
	CHECK_EQUAL(atomic_load(&fake.submit->sleeping), 0);
	/* Nor is one that comes back when no frame follows. */
	CHECK_EQUAL(vencd_frame_submit(session, frame.slot, 5, 0), 0);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EAGAIN);
	vencd_session_finish(session);
	fake_release(&fake, 0, 2);
	fake_publish(&fake, 0);
	CHECK_EQUAL(vencd_session_arm(session), 0);
	close_all(&fake);
}

/* The worker is gone, the daemon is not: its pipe does not keep the program awake. */
static void test_hang_up(void)
{
	struct fake fake = {.attempts = 2};

	fake_open(&fake, &daemon_, &session);
	close(fake.attempt[0].packet_wake[1]);
	fake.attempt[0].packet_wake[1] = -1;
	CHECK(readable(vencd_session_fd(session)));
	CHECK_EQUAL(vencd_session_arm(session), 0);
	CHECK(!readable(vencd_session_fd(session)));
	CHECK_EQUAL(vencd_session_wait(session, 20), 0);
	fake_next_attempt(&fake, 1);
	submit(0, 0);
	fake_packet(&fake, 1, 0, 0, VENCD_PACKET_KEYFRAME, "zero");
	fake_publish(&fake, 1);
	CHECK_EQUAL(vencd_session_arm(session), 0); /* no cut yet: the first one's turn */
	fake_cut(&fake, 0, 0);
	CHECK_EQUAL(vencd_session_wait(session, 20000), 1);
	expect_packet(0, 0, "zero");
	close_all(&fake);
}

struct worker {
	struct fake *fake;
	uint64_t frames;
};

/* Sleeps and wakes as the protocol says; a wake-up that is lost is a test that times out. */
static void await_frame(struct fake_attempt *a, struct plane_submit *submit_ring, uint64_t n)
{
	while (atomic_load(&submit_ring->head) <= n) {
		struct pollfd p = {.fd = a->submit_wake[0], .events = POLLIN};

		plane_prepare_sleep(&a->ring->sleeping);
		if (atomic_load(&submit_ring->head) <= n)
			CHECK(poll(&p, 1, 20000) == 1);
		plane_end_sleep(&a->ring->sleeping);
		plane_drain(a->submit_wake[0]);
	}
}

static void *run_worker(void *userdata)
{
	struct worker *w = userdata;
	struct fake_attempt *a = &w->fake->attempt[0];

	for (uint64_t i = 0; i < w->frames; i++) {
		await_frame(a, w->fake->submit, i);
		fake_packet(w->fake, 0, i, (int64_t)i, i ? 0 : VENCD_PACKET_KEYFRAME, "packet");
		fake_release(w->fake, 0, i);
		fake_publish(w->fake, 0);
	}
	fake_cut(w->fake, 0, a->written);
	fake_end_session(w->fake);
	return NULL;
}

static uint64_t receive_all(void)
{
	struct vencd_packet packet;
	uint64_t n = 0;

	while (vencd_packet_receive(session, &packet) == 1) {
		vencd_packet_release(session);
		n++;
	}
	return n;
}

/* Both sides run for real: everything arrives, and nobody sleeps for ever. */
static void test_race(void)
{
	struct fake fake = {0};
	struct worker worker = {.fake = &fake, .frames = 20000};
	struct vencd_frame frame;
	struct vencd_report report;
	uint64_t received = 0, sent = 0;
	pthread_t thread;

	fake_open(&fake, &daemon_, &session);
	CHECK(pthread_create(&thread, NULL, run_worker, &worker) == 0);
	while (received < worker.frames) {
		while (sent < worker.frames && vencd_frame_acquire(session, &frame) == 0)
			CHECK_EQUAL(vencd_frame_submit(session, frame.slot, (int64_t)sent++, 0), 0);
		received += receive_all();
		if (received < worker.frames)
			CHECK_EQUAL(vencd_session_wait(session, 20000), 1);
	}
	vencd_session_finish(session);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_EQUAL(vencd_session_report(session, 5000, &report), 0);
	CHECK_EQUAL(report.packets, worker.frames);
	vencd_report_clear(&report);
	close_all(&fake);
}

/* The daemon dies: what was published is there, then it says so; no signal arrives. */
static void test_daemon_gone(void)
{
	struct fake fake = {0};
	struct vencd_frame frame;
	struct vencd_report report;

	fake_open(&fake, &daemon_, &session);
	submit(0, 0);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
	fake_packet(&fake, 0, 0, 0, VENCD_PACKET_KEYFRAME, "zero");
	fake_publish(&fake, 0);
	plane_prepare_sleep(&fake.attempt[0].ring->sleeping);
	/* With the test's own copies of the other ends gone, writing there is a broken pipe. */
	fake_die(&fake);
	CHECK_EQUAL(vencd_frame_submit(session, frame.slot, 1, 0), 0);
	expect_packet(0, 0, "zero");
	CHECK_EQUAL(vencd_session_wait(session, 20000), 1);
	expect_receive(-ECONNRESET);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EPIPE);
	CHECK_EQUAL(vencd_session_report(session, 20000, &report), -ECONNRESET);
	close_all(&fake);
}

/* Closing a session is what the daemon learns its end from. */
static void test_lease(void)
{
	struct fake fake = {0};
	struct pollfd p = {0};

	fake_open(&fake, &daemon_, &session);
	p.fd = fake.lease[0];
	CHECK_EQUAL(poll(&p, 1, 0), 0);
	vencd_session_close(session);
	session = NULL;
	CHECK_EQUAL(poll(&p, 1, 20000), 1);
	CHECK(p.revents & POLLHUP);
	close_all(&fake);
}

int main(void)
{
	test_frames();
	test_memory();
	test_packets();
	test_digest();
	test_cut();
	test_attempts();
	test_wake_worker();
	test_arm();
	test_hang_up();
	test_race();
	test_daemon_gone();
	test_lease();
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The null encoder: packets, delay and order without faults, then each fault as a caller sees it.
 * What ends a process is done in a child.
 */

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fallback/null.h"
#include "hw/catalogue.h"
#include "tests/unit/check.h"

extern const struct encoder_ops encoder_null;

#define FRAMES 200u
#define TICK 3000

struct run {
	struct encoder *encoder;
	struct encoder_info info;
	char text[ENCODER_TEXT_MAX];
	unsigned done[FRAMES];
	unsigned n_done, sent, received;
};

static void on_done(void *userdata, uint64_t index)
{
	struct run *r = userdata;

	CHECK(index < FRAMES);
	r->done[index]++;
	r->n_done++;
}

static enum encoder_status open_run(struct run *r, const char *script, uint32_t gop)
{
	struct encoder_params params = {.request = VENCD_PARAMS_INIT, .threads = 1};
	struct encoder_host host = {
		.done = on_done, .userdata = r, .script = script, .text = r->text};

	*r = (struct run){0};
	params.request.width = 1920;
	params.request.height = 1080;
	params.request.gop = gop;
	return encoder_null.open(&r->encoder, &params, &host, &r->info);
}

static enum encoder_status send_one(struct run *r, uint32_t flags)
{
	struct encoder_frame frame = {
		.pts = (int64_t)r->sent * TICK, .flags = flags, .index = r->sent};
	enum encoder_status status = encoder_null.send(r->encoder, &frame);

	r->sent += status == ENCODER_OK;
	return status;
}

static enum encoder_status receive(struct run *r, struct encoder_packet *packet)
{
	enum encoder_status status = encoder_null.receive(r->encoder, packet);

	r->received += status == ENCODER_OK;
	return status;
}

static struct null_packet header(const struct encoder_packet *packet)
{
	struct null_packet h;

	CHECK(packet->size >= sizeof(h));
	memcpy(&h, packet->data, sizeof(h));
	CHECK(!memcmp(h.magic, NULL_MAGIC, sizeof(h.magic)));
	CHECK(h.digest ==
		plane_digest(PLANE_FNV_OFFSET, packet->data, sizeof(h) - sizeof(h.digest)));
	CHECK_EQUAL(h.pts, packet->pts);
	CHECK_EQUAL(h.size, packet->size);
	CHECK_EQUAL(h.width, 1920);
	CHECK_EQUAL(h.height, 1080);
	CHECK_EQUAL(!!(h.flags & NULL_PACKET_KEYFRAME), !!(packet->flags & VENCD_PACKET_KEYFRAME));
	return h;
}

static void check_close(struct run *r)
{
	encoder_null.close(r->encoder);
	for (unsigned i = 0; i < FRAMES; i++)
		CHECK_EQUAL(r->done[i], i < r->sent ? 1 : 0);
}

/* I0, then mini-GOPs of four: the last frame of each comes first. */
static void check_order(void)
{
	static const unsigned order[] = {0, 4, 1, 2, 3, 8, 5, 6, 7, 9, 10};
	struct run r;
	struct encoder_packet packet;

	CHECK_EQUAL(open_run(&r, "reorder=3;size=100", 0), ENCODER_OK);
	for (unsigned i = 0; i < 11; i++)
		CHECK_EQUAL(send_one(&r, i == 10 ? VENCD_FRAME_KEYFRAME : 0), ENCODER_OK);
	CHECK_EQUAL(encoder_null.flush(r.encoder), ENCODER_OK);
	for (unsigned i = 0; i < 11; i++) {
		CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
		CHECK_EQUAL(header(&packet).frame, order[i]);
		CHECK_EQUAL(header(&packet).sequence, i);
		CHECK_EQUAL(packet.pts, (int64_t)order[i] * TICK);
		CHECK_EQUAL(packet.size, 100);
		CHECK_EQUAL(packet.flags, i == 0 || i == 10 ? VENCD_PACKET_KEYFRAME : 0);
		CHECK_EQUAL(packet.data[99], NULL_FILL);
	}
	CHECK_EQUAL(receive(&r, &packet), ENCODER_END);
	check_close(&r);
}

static void check_hold(const char *script, unsigned hold, unsigned let_go)
{
	struct run r;
	struct encoder_packet packet;

	CHECK_EQUAL(open_run(&r, script, 0), ENCODER_OK);
	for (unsigned i = 0; i < hold; i++) {
		CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
		CHECK_EQUAL(receive(&r, &packet), ENCODER_AGAIN);
	}
	CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
	CHECK_EQUAL(r.n_done, let_go);
	check_close(&r);
}

/*
 * With as many frames in flight as the plan says, and released by whole groups, nothing stands
 * still.
 */
static void check_pool(const char *script)
{
	struct run r;
	struct encoder_packet packet;
	unsigned committed = 0, highest = 0, idle = 0;
	bool flushed = false;

	CHECK_EQUAL(open_run(&r, script, 30), ENCODER_OK);
	while (r.received < FRAMES) {
		enum encoder_status status;

		if (r.sent == FRAMES && !flushed) {
			CHECK_EQUAL(encoder_null.flush(r.encoder), ENCODER_OK);
			flushed = true;
		}
		if (r.sent < FRAMES && r.sent - committed < r.info.needs_frames)
			CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
		status = receive(&r, &packet);
		CHECK(status == ENCODER_OK || status == ENCODER_AGAIN);
		if (status == ENCODER_AGAIN) {
			CHECK(++idle < 10 * FRAMES);
			continue;
		}
		if (header(&packet).frame > highest)
			highest = (unsigned)header(&packet).frame;
		CHECK(r.received - committed <= r.info.group);
		if (highest + 1 == r.received)
			committed = r.received;
	}
	CHECK_EQUAL(committed, FRAMES);
	check_close(&r);
}

static void check_full(void)
{
	struct run r;
	struct encoder_packet packet;
	enum encoder_status status = ENCODER_OK;

	CHECK_EQUAL(open_run(&r, "hold=5;reorder=2", 0), ENCODER_OK);
	while (status == ENCODER_OK && r.sent < FRAMES)
		status = send_one(&r, 0);
	CHECK_EQUAL(status, ENCODER_AGAIN);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	check_close(&r);
}

/* Frames of an unfinished mini-GOP and frames that never became a packet are let go by close. */
static void check_close_early(void)
{
	struct run r;

	CHECK_EQUAL(open_run(&r, "reorder=3", 0), ENCODER_OK);
	for (unsigned i = 0; i < 7; i++)
		CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	CHECK_EQUAL(r.n_done, 0);
	check_close(&r);
}

static void check_errors(void)
{
	struct run r;
	struct encoder_packet packet;

	CHECK_EQUAL(open_run(&r, "open:1:error:busy", 0), ENCODER_BUSY);
	CHECK_EQUAL(open_run(&r, "open:1:sulk", 0), ENCODER_INVALID);
	CHECK(strstr(r.text, "open:1:sulk") != NULL);
	CHECK_EQUAL(open_run(&r, "send:2:error:no-memory;receive:2:lost", 0), ENCODER_OK);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_NO_MEMORY);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_DEVICE_LOST);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_DEVICE_LOST);
	CHECK_EQUAL(encoder_null.flush(r.encoder), ENCODER_DEVICE_LOST);
	check_close(&r);
}

/* Three frames in, the second packet is the wrong one. */
static struct encoder_packet garbled(struct run *r, const char *script)
{
	struct encoder_packet packet;

	CHECK_EQUAL(open_run(r, script, 0), ENCODER_OK);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQUAL(send_one(r, VENCD_FRAME_KEYFRAME), ENCODER_OK);
	CHECK_EQUAL(receive(r, &packet), ENCODER_OK);
	CHECK_EQUAL(header(&packet).frame, 0);
	CHECK_EQUAL(receive(r, &packet), ENCODER_OK);
	return packet;
}

static void check_garbage(void)
{
	struct run r;
	struct encoder_packet packet = garbled(&r, "receive:2:garbage:pts");

	CHECK(packet.pts > FRAMES * TICK);
	check_close(&r);
	packet = garbled(&r, "receive:2:garbage:nokey");
	CHECK_EQUAL(packet.flags, 0);
	check_close(&r);
	packet = garbled(&r, "receive:2:garbage:empty");
	CHECK_EQUAL(packet.size, 0);
	check_close(&r);
	packet = garbled(&r, "receive:2:garbage:truncated;size=128");
	CHECK_EQUAL(packet.size, 64);
	check_close(&r);
	packet = garbled(&r, "receive:2:garbage:twice");
	CHECK_EQUAL(header(&packet).frame, 1);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
	CHECK_EQUAL(header(&packet).frame, 1);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
	CHECK_EQUAL(header(&packet).frame, 2);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_AGAIN);
	check_close(&r);
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void check_waits(void)
{
	struct run r;
	struct encoder_packet packet;
	int64_t before;

	CHECK_EQUAL(open_run(&r, "send:1:late:30;send:2:slow:30;receive:*:spin:30", 0), ENCODER_OK);
	before = clock_ms(CLOCK_MONOTONIC);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	CHECK(clock_ms(CLOCK_MONOTONIC) - before >= 29);
	before = clock_ms(CLOCK_MONOTONIC);
	CHECK_EQUAL(send_one(&r, 0), ENCODER_OK);
	CHECK(clock_ms(CLOCK_MONOTONIC) - before >= 29);
	before = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	CHECK_EQUAL(receive(&r, &packet), ENCODER_OK);
	CHECK(clock_ms(CLOCK_THREAD_CPUTIME_ID) - before >= 29);
	check_close(&r);
}

/* Runs a script's send in a child and returns how that ended. */
static int send_in_child(const char *script)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		struct run r;

		if (open_run(&r, script, 0) == ENCODER_OK)
			send_one(&r, 0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void check_deaths(void)
{
	int status = send_in_child("send:1:exit:42");

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = send_in_child("send:1:crash");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	status = send_in_child("send:2:crash");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int told;

static void tell(int signal)
{
	(void)signal;
	if (write(told, "s", 1) != 1)
		_exit(1);
}

static void hang_in_child(int pipe)
{
	struct run r;

	told = pipe;
	signal(SIGUSR1, tell);
	if (open_run(&r, "send:1:hang", 0) != ENCODER_OK || write(pipe, "o", 1) != 1)
		_exit(1);
	send_one(&r, 0);
	_exit(write(pipe, "r", 1) != 1);
}

/* Waits until the process sleeps again, or has ended. */
static void await_sleep(pid_t pid)
{
	char path[64], state = 'R';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (state == 'R') {
		FILE *f = fopen(path, "re");

		CHECK(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
		fclose(f);
	}
}

/* A hang outlasts signals that are handled; only SIGKILL ends it. */
static void check_hang(void)
{
	int fds[2], status;
	char c;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		hang_in_child(fds[1]);
	close(fds[1]);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'o');
	for (unsigned i = 0; i < 20; i++) {
		await_sleep(pid);
		kill(pid, SIGUSR1);
		CHECK(read(fds[0], &c, 1) == 1);
		CHECK_EQUAL(c, 's');
	}
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(read(fds[0], &c, 1) == 0);
	close(fds[0]);
}

static void check_probe(void)
{
	char text[ENCODER_TEXT_MAX] = "";
	struct encoder_host host = {.script = "", .text = text};
	struct encoder_reach reach = {0};
	struct encoder_info info = {0};

	CHECK_EQUAL(encoder_null.probe(&host, &info, &reach), ENCODER_OK);
	CHECK(info.version[0] != '\0');
	host.script = "probe:1:error:absent";
	CHECK_EQUAL(encoder_null.probe(&host, &info, &reach), ENCODER_ABSENT);
	CHECK(text[0] != '\0');
	host.script = "probe";
	CHECK_EQUAL(encoder_null.probe(&host, &info, &reach), ENCODER_INVALID);
}

int main(void)
{
	check_probe();
	check_order();
	check_hold("hold=10", 10, 1);
	check_hold("hold=10;keep=0", 10, 11);
	check_pool("");
	check_pool("hold=7");
	check_pool("reorder=5");
	check_pool("hold=40;reorder=16;async=1;memory=100000");
	check_full();
	check_close_early();
	check_errors();
	check_garbage();
	check_waits();
	check_deaths();
	check_hang();
	return 0;
}

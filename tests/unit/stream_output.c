// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/* The output with packets that no encoder would make, and the queue of copied tracks. */

#include "client/stream/output.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

static struct source_info info = {.params = {.width = 64,
					  .height = 64,
					  .format = VENCD_FORMAT_I420,
					  .time_base = {1, 25},
					  .frame_rate = {25, 1}}};

static struct output *make(const char *container, int fd)
{
	struct output_setup setup = {
		.container = container_find(container), .codec = VENCD_CODEC_AV1, .info = &info};
	struct output *output = NULL;

	CHECK_EQUAL(descriptor_init(&setup.fd, fd, -1, NULL, NULL), 0);
	CHECK_EQUAL(output_new(&output, &setup), 0);
	return output;
}

static int write_packet(struct output *output, const char *text, int64_t pts)
{
	struct vencd_packet packet = {.data = (const uint8_t *)text,
		.size = strlen(text),
		.pts = pts,
		.dts = pts,
		.flags = VENCD_PACKET_KEYFRAME};

	return output_video(output, &packet, 1);
}

static void test_null_container(void)
{
	char path[] = "/tmp/vencd-test-XXXXXX", text[16] = "";
	int fd = mkstemp(path);
	struct output *output = make("null", fd);

	CHECK_EQUAL(write_packet(output, "one", 0), 0);
	CHECK_EQUAL(write_packet(output, "two", 1), 0);
	CHECK_EQUAL(output_finish(output), 0);
	CHECK_EQUAL(output_frames(output), 2);
	CHECK_EQUAL(output_bytes(output), 6);
	CHECK_EQUAL(pread(fd, text, sizeof(text), 0), 6);
	CHECK(strcmp(text, "onetwo") == 0);
	output_free(output);
	close(fd);
	unlink(path);
}

/* What holds no parameter sets cannot have a head, and leaves nothing behind. */
static void test_garbage(void)
{
	static const char *const containers[] = {"mkv", "mp4", "webm"};

	for (size_t i = 0; i < sizeof(containers) / sizeof(*containers); i++) {
		char path[] = "/tmp/vencd-test-XXXXXX";
		int fd = mkstemp(path);
		struct output *output = make(containers[i], fd);
		struct stat st;

		CHECK(write_packet(output, "no bitstream at all", 0) < 0);
		CHECK(*output_error(output));
		CHECK(write_packet(output, "more", 1) < 0);
		CHECK(output_finish(output) < 0);
		CHECK_EQUAL(output_frames(output), 0);
		CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
		output_free(output);
		close(fd);
		unlink(path);
	}
}

static void test_nothing(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct output *output = make("mkv", fd);

	CHECK_EQUAL(output_finish(output), 0);
	CHECK_EQUAL(output_frames(output), 0);
	output_free(output);
	close(fd);
}

/* --- tracks --- */

#define PACKETS 200
#define PACKET_BYTES 1000
#define LIMIT 5000 /* room for a few */

static void *put_packets(void *userdata)
{
	struct track_queue *queue = userdata;
	AVPacket *packet = av_packet_alloc();

	for (int i = 0; i < PACKETS; i++) {
		CHECK(av_new_packet(packet, PACKET_BYTES) == 0);
		packet->pts = i;
		CHECK_EQUAL(track_queue_put(queue, packet), 0);
	}
	CHECK(av_new_packet(packet, 2 * LIMIT) == 0);
	packet->pts = PACKETS;
	CHECK_EQUAL(track_queue_put(queue, packet), 0); /* more than the limit, once it is empty */
	av_packet_free(&packet);
	return NULL;
}

static void await(int wake_fd)
{
	eventfd_t count;

	CHECK(eventfd_read(wake_fd, &count) == 0);
}

static void test_tracks(void)
{
	int wake_fd = eventfd(0, EFD_CLOEXEC);
	struct track_queue *queue;
	AVPacket packet = {0};
	pthread_t thread;

	CHECK_EQUAL(track_queue_new(&queue, LIMIT, wake_fd), 0);
	CHECK(pthread_create(&thread, NULL, put_packets, queue) == 0);
	while (!track_queue_blocked(queue))
		await(wake_fd);
	for (int i = 0; i <= PACKETS; i++) {
		while (!track_queue_peek(queue))
			await(wake_fd);
		CHECK_EQUAL(track_queue_peek(queue)->pts, i);
		track_queue_take(queue, &packet);
		CHECK_EQUAL(packet.pts, i);
		av_packet_unref(&packet);
	}
	pthread_join(thread, NULL);
	CHECK(!track_queue_peek(queue) && !track_queue_blocked(queue));
	track_queue_stop(queue);
	CHECK(av_new_packet(&packet, 1) == 0);
	CHECK_EQUAL(track_queue_put(queue, &packet), -ECANCELED);
	CHECK_EQUAL(packet.size, 1);
	av_packet_unref(&packet);
	track_queue_free(queue);
	close(wake_fd);
}

int main(void)
{
	test_null_container();
	test_garbage();
	test_nothing();
	test_tracks();
	return 0;
}

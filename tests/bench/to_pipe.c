// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Frames through a pipe, as programs feed ffmpeg today: each is drawn into a buffer and written,
 * plane after plane without gaps. The pipe is made as large as an ordinary user may have it.
 *
 * Where a program is started, its output is read in a thread of its own, to see when the first of
 * it comes.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/delivery.h"

#define PIPE_SIZE (1 << 20)

extern char **environ;

struct reader {
	struct delivery *d;
	int fd;
};

static void write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			die("write to the pipe", errno);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
}

static void write_frames(struct delivery *d, int fd)
{
	const struct pictures *p = &d->pictures;
	uint8_t *buffer = aligned_alloc(4096, (p->size + 4095) / 4096 * 4096), *planes[3];

	if (!buffer)
		die("memory", ENOMEM);
	planes[0] = buffer;
	for (uint32_t i = 1; i < p->planes; i++)
		planes[i] = planes[i - 1] + (size_t)p->row_bytes[i - 1] * p->rows[i - 1];
	for (uint64_t i = 0; i < d->frames; i++) {
		pictures_copy(p, i, planes, p->row_bytes);
		write_all(fd, buffer, p->size);
	}
	free(buffer);
}

static void *read_output(void *userdata)
{
	struct reader *reader = userdata;
	struct delivery *d = reader->d;
	uint8_t buffer[65536];
	ssize_t n;

	while ((n = read(reader->fd, buffer, sizeof(buffer))) > 0) {
		if (d->bytes == 0)
			d->first_ns = now_ns();
		d->bytes += (uint64_t)n;
	}
	if (n < 0)
		die("read from the program", errno);
	return NULL;
}

static pid_t start(struct delivery *d, int input, int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	d->begun_ns = now_ns();
	r = posix_spawnp(&pid, d->program[0], &actions, NULL, d->program, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		die(d->program[0], r);
	return pid;
}

static void deliver_to_program(struct delivery *d)
{
	struct reader reader = {.d = d};
	int input[2], output[2], status, r;
	pthread_t thread;
	pid_t pid;

	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
		die("pipe", errno);
	(void)fcntl(input[1], F_SETPIPE_SZ, PIPE_SIZE);
	pid = start(d, input[0], output[1]);
	close(input[0]);
	close(output[1]);
	reader.fd = output[0];
	r = pthread_create(&thread, NULL, read_output, &reader);
	if (r != 0)
		die("thread", r);
	write_frames(d, input[1]);
	close(input[1]);
	pthread_join(thread, NULL);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die(d->program[0], ECHILD);
}

void deliver_to_pipe(struct delivery *d)
{
	signal(SIGPIPE, SIG_IGN);
	d->begun_ns = now_ns();
	if (d->program) {
		deliver_to_program(d);
	} else {
		(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_SIZE);
		write_frames(d, STDOUT_FILENO);
	}
	d->ended_ns = now_ns();
}

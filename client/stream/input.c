// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The input thread.
 *
 * Everything that may wait for the input or work on it (read, demux, decode, convert) happens
 * here, so that a stalled input leaves the pump free to take packets, to be told to stop, and to
 * fetch a report. The frame pool is the queue between the two: the pump acquires slots and lends
 * up to INPUT_SLOTS of them, the thread fills one after the other and gives it back as an event.
 * Each slot is held by exactly one side, so the pixels need no lock; the lists do.
 *
 * The thread never touches the session. One that is stuck in a read that nobody can call back (a
 * file on a dead network mount) is left behind with all it may still write to.
 */

#include "client/stream/input.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "client/stream/y4m.h"

/* READY, one for each slot, and the end. */
#define EVENTS (INPUT_SLOTS + 2)

struct input {
	pthread_t thread;
	struct source_setup setup;
	const struct source_ops *ops;
	struct source_info info;
	char *name;
	int wake_fd;
	int stop_fd; /* readable for good once stopped */
	_Atomic bool stopped;

	pthread_mutex_t lock;
	pthread_cond_t changed;                /* slots, stopped or ended */
	struct vencd_frame slots[INPUT_SLOTS]; /* lent and not yet filled, oldest first */
	unsigned n_slots;
	struct input_event events[EVENTS];
	unsigned n_events;
	bool ended; /* the thread touches nothing any more */
};

static bool is_stopped(void *userdata)
{
	const struct input *input = userdata;

	return atomic_load(&input->stopped);
}

static void post(struct input *input, const struct input_event *event)
{
	pthread_mutex_lock(&input->lock);
	input->events[input->n_events++] = *event;
	pthread_mutex_unlock(&input->lock);
	(void)eventfd_write(input->wake_fd, 1);
}

/* The oldest slot that was lent, which stays in the list while it is filled. */
static int wait_for_slot(struct input *input, struct vencd_frame *ret)
{
	int r = 0;

	pthread_mutex_lock(&input->lock);
	while (!input->n_slots && !atomic_load(&input->stopped))
		pthread_cond_wait(&input->changed, &input->lock);
	if (input->n_slots)
		*ret = input->slots[0];
	else
		r = -ECANCELED;
	pthread_mutex_unlock(&input->lock);
	return r;
}

static void forget_slot(struct input *input)
{
	pthread_mutex_lock(&input->lock);
	input->n_slots--;
	memmove(input->slots, input->slots + 1, input->n_slots * sizeof(*input->slots));
	pthread_mutex_unlock(&input->lock);
}

static int fill_one(struct input *input, struct source *source, struct input_event *event)
{
	struct source_frame frame = {0};
	struct vencd_frame slot;
	int r = wait_for_slot(input, &slot);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < slot.planes && i < 3; i++) {
		frame.data[i] = slot.data[i];
		frame.stride[i] = slot.stride[i];
		frame.rows[i] = slot.rows[i];
		frame.row_bytes[i] = slot.row_bytes[i];
	}
	r = input->ops->fill(source, &frame, event->text);
	if (r != SOURCE_FRAME)
		return r;
	forget_slot(input);
	event->slot = slot.slot;
	event->pts = frame.pts;
	event->duration = frame.duration;
	return r;
}

static void post_end(struct input *input, struct input_event *event, int r)
{
	event->type = r == SOURCE_END ? INPUT_END : INPUT_FAILED;
	event->error = r;
	if (r == -ECANCELED)
		snprintf(event->text, sizeof(event->text), "stopped");
	else if (r < 0 && !*event->text)
		snprintf(event->text, sizeof(event->text), "%s", strerror(-r));
	post(input, event);
}

static void *run(void *userdata)
{
	struct input *input = userdata;
	struct input_event event = {.type = INPUT_READY};
	struct source *source = NULL;
	int r = input->ops->open(&source, &input->setup, &input->info, event.text);

	if (r >= 0) {
		post(input, &event);
		event.type = INPUT_FRAME;
		while ((r = fill_one(input, source, &event)) == SOURCE_FRAME)
			post(input, &event);
	}
	post_end(input, &event, r);
	if (source)
		input->ops->close(source);
	pthread_mutex_lock(&input->lock);
	input->ended = true;
	pthread_cond_broadcast(&input->changed);
	pthread_mutex_unlock(&input->lock);
	return NULL;
}

/* A y4m file is found out by its first bytes; what cannot be looked into is taken as named. */
static const struct source_ops *choose(const struct input_setup *setup, const struct descriptor *fd)
{
	char magic[sizeof(Y4M_MAGIC) - 1];

	if (setup->format == INPUT_FORMAT_Y4M)
		return &y4m_source;
	if (fd->seekable &&
		pread(fd->fd, magic, sizeof(magic), lseek(fd->fd, 0, SEEK_CUR)) ==
			(ssize_t)sizeof(magic) &&
		memcmp(magic, Y4M_MAGIC, sizeof(magic)) == 0)
		return &y4m_source;
	return &media_source;
}

static void input_free(struct input *input)
{
	if (input->stop_fd >= 0)
		close(input->stop_fd);
	track_queue_free(input->setup.queue);
	source_info_clear(&input->info);
	pthread_cond_destroy(&input->changed);
	pthread_mutex_destroy(&input->lock);
	free(input->name);
	free(input);
}

static int input_init(struct input *input, const struct input_setup *setup)
{
	int r;

	input->name = strdup(setup->name);
	input->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!input->name || input->stop_fd < 0)
		return input->name ? -errno : -ENOMEM;
	r = descriptor_init(&input->setup.input, setup->fd, input->stop_fd, is_stopped, input);
	if (r < 0)
		return r;
	input->ops = choose(setup, &input->setup.input);
	input->setup.name = input->name;
	input->setup.container = setup->container;
	input->setup.nested = setup->nested;
	return track_queue_new(&input->setup.queue, TRACK_QUEUE_BYTES, input->wake_fd);
}

int input_start(struct input **ret, const struct input_setup *setup, int wake_fd)
{
	struct input *input = calloc(1, sizeof(*input));
	pthread_condattr_t monotonic;
	int r;

	if (!input)
		return -ENOMEM;
	pthread_mutex_init(&input->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&input->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	input->wake_fd = wake_fd;
	r = input_init(input, setup);
	if (r == 0)
		r = -pthread_create(&input->thread, NULL, run, input);
	if (r < 0)
		input_free(input);
	else
		*ret = input;
	return r;
}

void input_next(struct input *input, struct input_event *ret)
{
	*ret = (struct input_event){.type = INPUT_NOTHING};
	pthread_mutex_lock(&input->lock);
	if (input->n_events) {
		*ret = input->events[0];
		input->n_events--;
		memmove(input->events, input->events + 1, input->n_events * sizeof(*input->events));
	}
	pthread_mutex_unlock(&input->lock);
}

const struct source_info *input_info(const struct input *input)
{
	return &input->info;
}

struct track_queue *input_tracks(const struct input *input)
{
	return input->setup.queue;
}

void input_give(struct input *input, const struct vencd_frame *frame)
{
	pthread_mutex_lock(&input->lock);
	input->slots[input->n_slots++] = *frame;
	pthread_cond_broadcast(&input->changed);
	pthread_mutex_unlock(&input->lock);
}

void input_halt(struct input *input)
{
	atomic_store(&input->stopped, true);
	(void)eventfd_write(input->stop_fd, 1);
	track_queue_stop(input->setup.queue);
	pthread_mutex_lock(&input->lock);
	pthread_cond_broadcast(&input->changed);
	pthread_mutex_unlock(&input->lock);
}

/* Time on a clock that nobody sets. */
static bool await_end(struct input *input)
{
	struct timespec until;
	int r = 0;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += INPUT_STOP_MS / 1000;
	pthread_mutex_lock(&input->lock);
	while (!input->ended && r == 0)
		r = pthread_cond_timedwait(&input->changed, &input->lock, &until);
	ended = input->ended;
	pthread_mutex_unlock(&input->lock);
	return ended;
}

int input_stop(struct input *input)
{
	input_halt(input);
	if (!await_end(input))
		return -ETIMEDOUT;
	pthread_join(input->thread, NULL);
	input_free(input);
	return 0;
}

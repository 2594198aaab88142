// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The bounded queue of audio and subtitle packets.
 *
 * They wait here while the encoder looks ahead, so that the output is interleaved as well as the
 * input was. The bound is in bytes. A full queue stops the demuxer, and drops nothing; as the
 * demuxer also brings the frames that the encoder may be waiting for, the pump then writes the
 * oldest packets ahead of their video (pump.c), and the demuxer goes on. A packet is always let in
 * when the queue is empty, however large it is.
 */

#include "client/stream/track_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

/* What a packet costs beside its data. */
#define PACKET_OVERHEAD 256

struct item {
	struct item *next;
	AVPacket *packet;
};

struct track_queue {
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct item *first, **last;
	size_t bytes, limit_bytes;
	int wake_fd;
	bool stopped, blocked;
};

int track_queue_new(struct track_queue **ret, size_t limit_bytes, int wake_fd)
{
	struct track_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->room, NULL);
	queue->last = &queue->first;
	queue->limit_bytes = limit_bytes;
	queue->wake_fd = wake_fd;
	*ret = queue;
	return 0;
}

static size_t cost(const AVPacket *packet)
{
	return (size_t)packet->size + PACKET_OVERHEAD;
}

static struct item *unlink_first(struct track_queue *queue)
{
	struct item *item = queue->first;

	queue->first = item->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->bytes -= cost(item->packet);
	return item;
}

void track_queue_free(struct track_queue *queue)
{
	if (!queue)
		return;
	while (queue->first) {
		struct item *item = unlink_first(queue);

		av_packet_free(&item->packet);
		free(item);
	}
	pthread_cond_destroy(&queue->room);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static int wait_for_room(struct track_queue *queue, size_t bytes)
{
	while (!queue->stopped && queue->first && queue->bytes + bytes > queue->limit_bytes) {
		queue->blocked = true;
		(void)eventfd_write(queue->wake_fd, 1);
		pthread_cond_wait(&queue->room, &queue->lock);
	}
	queue->blocked = false;
	return queue->stopped ? -ECANCELED : 0;
}

int track_queue_put(struct track_queue *queue, AVPacket *packet)
{
	struct item *item = calloc(1, sizeof(*item));
	int r;

	if (item)
		item->packet = av_packet_alloc();
	if (!item || !item->packet) {
		free(item);
		return -ENOMEM;
	}
	pthread_mutex_lock(&queue->lock);
	r = wait_for_room(queue, cost(packet));
	if (r == 0) {
		av_packet_move_ref(item->packet, packet);
		queue->bytes += cost(item->packet);
		*queue->last = item;
		queue->last = &item->next;
		(void)eventfd_write(queue->wake_fd, 1);
	}
	pthread_mutex_unlock(&queue->lock);
	if (r < 0) {
		av_packet_free(&item->packet);
		free(item);
	}
	return r;
}

void track_queue_stop(struct track_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopped = true;
	pthread_cond_signal(&queue->room);
	pthread_mutex_unlock(&queue->lock);
}

const AVPacket *track_queue_peek(struct track_queue *queue)
{
	const AVPacket *packet;

	pthread_mutex_lock(&queue->lock);
	packet = queue->first ? queue->first->packet : NULL;
	pthread_mutex_unlock(&queue->lock);
	return packet;
}

void track_queue_take(struct track_queue *queue, AVPacket *ret)
{
	struct item *item;

	pthread_mutex_lock(&queue->lock);
	item = unlink_first(queue);
	pthread_cond_signal(&queue->room);
	pthread_mutex_unlock(&queue->lock);
	av_packet_move_ref(ret, item->packet);
	av_packet_free(&item->packet);
	free(item);
}

bool track_queue_blocked(struct track_queue *queue)
{
	bool blocked;

	pthread_mutex_lock(&queue->lock);
	blocked = queue->blocked;
	pthread_mutex_unlock(&queue->lock);
	return blocked;
}

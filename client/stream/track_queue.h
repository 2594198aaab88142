// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_TRACK_QUEUE_H
#define VENCD_STREAM_TRACK_QUEUE_H

/*
 * Packets of copied tracks on their way from the input thread to the output. One thread puts, one
 * takes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libavcodec/packet.h>

#define TRACK_QUEUE_BYTES ((size_t)64 << 20)

struct track_queue;

/* wake_fd (an eventfd, the caller's) is written when a packet comes and when the queue is full. */
int track_queue_new(struct track_queue **ret, size_t limit_bytes, int wake_fd);
void track_queue_free(struct track_queue *queue);

/*
 * Takes packet's contents; packet->stream_index is the track's index. Waits while the queue is
 * full; -ECANCELED once it was stopped, and packet is then left as it was.
 */
int track_queue_put(struct track_queue *queue, AVPacket *packet);

/* Lets a waiting put return, and all later ones at once. */
void track_queue_stop(struct track_queue *queue);

/* The oldest packet, valid until it is taken; NULL where there is none. */
const AVPacket *track_queue_peek(struct track_queue *queue);
void track_queue_take(struct track_queue *queue, AVPacket *ret);

/* Whether the other thread is waiting for room. */
bool track_queue_blocked(struct track_queue *queue);

#endif

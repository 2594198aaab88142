// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_SINK_H
#define VENCD_STREAM_SINK_H

/*
 * Where the bytes of the output go: a descriptor, with room kept for ending the file.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/stream/descriptor.h"

struct sink {
	struct descriptor fd;
	int64_t position, end; /* where the next byte goes; bytes of the file */
	int64_t allocated;     /* bytes that cannot fail for want of room any more */
	uint64_t room;         /* wanted beyond what is written, for the trailer */
	bool can_allocate;
	bool broken; /* a write failed */
	int error;   /* the first one, negative errno; 0: none */
};

/* `descriptor` is copied; its fd stays the caller's. A regular file is written from its start. */
void sink_init(struct sink *ret, const struct descriptor *descriptor);

/* How much room the trailer would take now. */
void sink_set_room(struct sink *sink, uint64_t bytes);

/* Writes all of it, or fails: negative errno. */
int sink_write(struct sink *sink, const void *data, size_t size);
int64_t sink_seek(struct sink *sink, int64_t offset, int whence);

/* Lets the room go that is not used: from here on it is the trailer's. */
void sink_use_room(struct sink *sink);

/* Whether a write failed, so that nothing is written any more. */
bool sink_is_broken(const struct sink *sink);

/* Cuts what was allocated and never written. Returns sink->error. */
int sink_finish(struct sink *sink);

#endif

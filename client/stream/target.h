// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_STREAM_TARGET_H
#define VENCD_STREAM_TARGET_H

/* The file that an encode ends in, written beside its name and renamed when whole. */

enum target_kind {
	TARGET_RENAMED = 1, /* NAME.partial, then NAME */
	TARGET_DIRECT,      /* a pipe or device with that name, or stdout: nothing to rename */
};

struct target {
	enum target_kind kind;
	int fd;
	char *path;    /* what it becomes; links followed */
	char *partial; /* what it is until then */
};

/*
 * Opens where `path` ("-": stdout) is to be written. An existing file of that name is not touched.
 * -EBUSY: somebody else is writing the partial file now; -EEXIST: the partial file is input_fd.
 */
int target_open(struct target *ret, const char *path, int input_fd);

/* Makes it durable and gives it its name. */
int target_commit(struct target *target);

/* Leaves it as it is; an empty partial file is removed. Returns whether something is left. */
int target_leave(struct target *target);

void target_clear(struct target *target);

#endif

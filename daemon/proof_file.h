// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_PROOF_FILE_H
#define VENCD_PROOF_FILE_H

/*
 * The file of proofs, and all else that is asked of the file system about them, by a thread of its
 * own: a disk that does not answer stops that thread alone. There is one in a process.
 */

#include "daemon/driver_files.h"
#include "daemon/log.h"
#include "daemon/proof_record.h"

#define PROOF_FILE_NAME "proofs.json"
#define PROOF_FILE_MAX (4u << 20) /* bytes; more than the most that is ever written */
#define PROOF_FILE_RECORDS 64u    /* at most */

/* Where the thread looks; what it is called with must outlive it. */
struct proof_place {
	const char *directory;  /* of the file */
	const char *libraries;  /* of drivers in user space: directories, with colons between */
	enum log_level missing; /* how to log that the directory cannot be used */
};

/* What was found at the start. */
struct proof_found {
	char libraries[DRIVER_FILES_TEXT]; /* their identity */
	struct proof_record *records;      /* the caller's */
	unsigned n;
};

/*
 * Starts the thread, which opens the directory, for itself alone, and reads the file; waits at most
 * wait_ms for that. Returns 0, -ETIMEDOUT where it takes longer (what it finds then is not used,
 * but what is written later may still be), -ENODATA where the directory cannot be used, which was
 * logged, or what pthread_create() says. A file that is no such file is logged, and taken for none.
 */
int proof_file_start(const struct proof_place *place, uint32_t wait_ms, struct proof_found *ret);

/*
 * Has the records written, all of them, in the place of what is there: whole or not at all. Copies
 * them, and does not wait; what waits to be written is replaced. -ENOMEM. Does nothing without a
 * thread.
 */
int proof_file_write(const struct proof_record *const *records, unsigned n);

/* Waits at most wait_ms until all is written; else the thread is left behind with what it has. */
void proof_file_stop(uint32_t wait_ms);

#endif

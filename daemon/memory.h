// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_MEMORY_H
#define VENCD_MEMORY_H

/*
 * Shared memory of a session: memfds of a fixed size, sealed against any change of it, mode 0600 (a
 * read-only descriptor of a 0777 memfd could be opened again for writing by another user).
 */

#include <stdint.h>

/* A sealed memfd of size bytes. Returns the fd, read-write and close-on-exec, or -errno. */
int memory_create(const char *name, uint64_t size);

/* A read-only descriptor of the same memory. The caller owns it. */
int memory_read_only(int fd);

/* Maps size bytes; never dumped in a core file. Returns NULL with errno set. */
void *memory_map(int fd, uint64_t size, int prot);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_FUZZ_H
#define VENCD_FUZZ_H

/*
 * What fuzz targets share: the check that ends them, and reading numbers out of an input. An input
 * that is at its end gives zeros, so that each one means something and a shorter one can be found.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FUZZ_CHECK(condition)                                                                   \
	((condition) ? (void)0                                                                  \
		     : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), \
			       abort()))

struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline void fuzz_take(struct fuzz_input *in, void *ret, size_t size)
{
	size_t n = size < in->size ? size : in->size;

	memset(ret, 0, size);
	if (n > 0)
		memcpy(ret, in->data, n);
	in->data += n;
	in->size -= n;
}

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	uint8_t value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

/* A number near zero, near the largest one, or any: what indexes are made wrong with. */
static inline uint64_t fuzz_index(struct fuzz_input *in)
{
	uint8_t kind = fuzz_byte(in);

	if (kind < 0xc0)
		return kind;
	return kind < 0xe0 ? UINT64_MAX - (kind - 0xc0u) : fuzz_u64(in);
}

/* The lowest descriptor that is free: the same before and after, or one was leaked. */
static inline int fuzz_free_fd(void)
{
	int fd = dup(STDERR_FILENO);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* Whether a field of so many bytes holds a string. */
#define FUZZ_TERMINATED(field) (memchr((field), '\0', sizeof(field)) != NULL)

#endif

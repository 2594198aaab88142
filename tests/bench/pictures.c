// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Pictures to copy from, since a producer that computes them would measure itself. A copy stands
 * for the drawing: it writes every byte of the frame, once, wherever the frame is to go.
 *
 * Few drawn ones, so that they stay in the cache as a renderer's own memory would; a file's are
 * mapped, and read in before the clock starts.
 */

#include "tests/bench/pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAWN 2u
#define MARK "FRAME\n"

static void set_size(
	struct pictures *p, enum vencd_pixel_format format, uint32_t width, uint32_t height)
{
	uint32_t chroma = 2 * ((width + 1) / 2); /* bytes of a row of both */

	*p = (struct pictures){.width = width, .height = height};
	p->planes = format == VENCD_FORMAT_NV12 ? 2 : 3;
	for (uint32_t i = 0; i < p->planes; i++) {
		p->row_bytes[i] = i ? chroma / (p->planes - 1) : width;
		p->rows[i] = i ? (height + 1) / 2 : height;
		p->size += (size_t)p->row_bytes[i] * p->rows[i];
	}
}

int pictures_draw(
	struct pictures *ret, enum vencd_pixel_format format, uint32_t width, uint32_t height)
{
	uint8_t *memory;

	if (format != VENCD_FORMAT_I420 && format != VENCD_FORMAT_NV12)
		return -EINVAL;
	set_size(ret, format, width, height);
	ret->step = ret->size;
	ret->n = DRAWN;
	memory = malloc(DRAWN * ret->size);
	if (!memory)
		return -ENOMEM;
	for (size_t i = 0; i < DRAWN * ret->size; i++)
		memory[i] = (uint8_t)(i % width + i / width / 2 + i / ret->size * 9);
	ret->first = memory;
	return 0;
}

static int read_header(struct pictures *p, const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size < 256 ? size : 256);
	char line[256] = "";
	uint32_t width, height;

	if (end)
		memcpy(line, text, (size_t)(end - text));
	if (sscanf(line, "YUV4MPEG2 W%u H%u", &width, &height) != 2)
		return -EINVAL;
	set_size(p, VENCD_FORMAT_I420, width, height);
	p->step = p->size + strlen(MARK);
	p->first = (const uint8_t *)end + 1 + strlen(MARK);
	p->n = (size - (size_t)(end + 1 - text)) / p->step;
	return p->n ? 0 : -EINVAL;
}

int pictures_map(struct pictures *ret, const char *y4m)
{
	int fd = open(y4m, O_RDONLY | O_CLOEXEC), r;
	struct stat st;
	void *memory;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	memory = r < 0
		? MAP_FAILED
		: mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		return r < 0 ? r : -errno;
	return read_header(ret, memory, (size_t)st.st_size);
}

void pictures_copy(const struct pictures *pictures, uint64_t number, uint8_t *const data[3],
	const uint32_t stride[3])
{
	const uint8_t *from = pictures->first + number % pictures->n * pictures->step;

	for (uint32_t i = 0; i < pictures->planes; i++)
		for (uint32_t y = 0; y < pictures->rows[i]; y++) {
			memcpy(data[i] + (size_t)y * stride[i], from, pictures->row_bytes[i]);
			from += pictures->row_bytes[i];
		}
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Mapping a session. Memory must be sealed against shrinking and of exactly the size that its
 * layout gives, or an access could fault; sockets must be non-blocking, or a wake-up could wait.
 * The control page is not mapped: the commit word says all that a worker needs to know.
 *
 * Session memory stays out of core files.
 */

#include "daemon/worker/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FD_POOL,
	FD_SUBMIT,
	FD_CONTROL,
	FD_RING,
	FD_SLOT,
	FD_SUBMIT_WAKE,
	FD_PACKET_WAKE,
};

static void *map_memory(int fd, uint64_t size, int protection)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	void *map;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return NULL;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
		return NULL;
	map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	(void)madvise(map, size, MADV_DONTDUMP);
	return map;
}

static bool is_channel(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_NONBLOCK && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static const char *map_all(struct session_map *m, const int *fds)
{
	m->pool = map_memory(fds[FD_POOL], m->pool_size, PROT_READ);
	if (!m->pool)
		return "the frame pool cannot be mapped";
	m->submit = map_memory(fds[FD_SUBMIT], m->submit_size, PROT_READ);
	if (!m->submit)
		return "the submit ring cannot be mapped";
	m->ring = map_memory(fds[FD_RING], m->ring_size, PROT_READ | PROT_WRITE);
	if (!m->ring)
		return "the attempt ring cannot be mapped";
	m->slot = map_memory(fds[FD_SLOT], PLANE_PAGE, PROT_READ | PROT_WRITE);
	if (!m->slot)
		return "the call slot cannot be mapped";
	if (!is_channel(fds[FD_SUBMIT_WAKE]) || !is_channel(fds[FD_PACKET_WAKE]))
		return "the wake-up sockets are none";
	return NULL;
}

int session_map_open(struct session_map *ret, const struct plane_layout *layout,
	const int fds[WIRE_START_FDS], const char **ret_why)
{
	*ret = (struct session_map){
		.pool_size = plane_pool_size(layout),
		.submit_size = plane_submit_size(layout),
		.ring_size = plane_attempt_size(layout),
		.submit_wake = fds[FD_SUBMIT_WAKE],
		.packet_wake = fds[FD_PACKET_WAKE],
	};
	*ret_why = map_all(ret, fds);
	for (int i = 0; i < FD_SUBMIT_WAKE; i++)
		close(fds[i]);
	if (!*ret_why)
		return 0;
	session_map_close(ret);
	session_map_close_slot(ret);
	return -EINVAL;
}

void session_map_close(struct session_map *m)
{
	if (m->pool)
		munmap((void *)m->pool, m->pool_size);
	if (m->submit)
		munmap(m->submit, m->submit_size);
	if (m->ring)
		munmap(m->ring, m->ring_size);
	m->pool = NULL;
	m->submit = NULL;
	m->ring = NULL;
	close(m->submit_wake);
	close(m->packet_wake);
}

void session_map_close_slot(struct session_map *m)
{
	if (m->slot)
		munmap(m->slot, PLANE_PAGE);
	m->slot = NULL;
}

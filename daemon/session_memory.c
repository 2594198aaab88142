// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Making a session's memory. Everything that the client must not write is given to it as a
 * read-only descriptor of its own; the pool is read-only for the worker in the same way.
 */

#include "daemon/session_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/memory.h"

uint64_t session_memory_size(const struct plane_layout *layout)
{
	return plane_pool_size(layout) + plane_submit_size(layout) + PLANE_PAGE +
		layout->attempts * (plane_attempt_size(layout) + PLANE_PAGE);
}

static void clear(struct session_memory *m)
{
	memset(m, 0, sizeof(*m));
	m->pool = m->pool_ro = m->submit = m->submit_ro = m->control = m->control_ro = -1;
	m->lease[0] = m->lease[1] = -1;
	for (unsigned i = 0; i < PLANE_MAX_ATTEMPTS; i++) {
		m->attempt[i].ring = m->attempt[i].ring_ro = m->attempt[i].slot = -1;
		m->attempt[i].submit_wake[0] = m->attempt[i].submit_wake[1] = -1;
		m->attempt[i].packet_wake[0] = m->attempt[i].packet_wake[1] = -1;
	}
}

static int create_pair(const char *name, uint64_t size, int *ret, int *ret_ro)
{
	*ret = memory_create(name, size);
	if (*ret < 0)
		return *ret;
	*ret_ro = memory_read_only(*ret);
	return *ret_ro < 0 ? *ret_ro : 0;
}

/*
 * What wakes others, or tells that they are gone. Sockets, since a pipe has a mutex that both ends
 * share: a client that reads or writes its end with a buffer whose page never comes (a mapped FUSE
 * file) holds it, and whoever writes or closes the other end sleeps until the client lets go. The
 * reader of ret[0] is the only one who can be sent anything: descriptors that a client put into our
 * end would be ours to close, which can take as long as the client likes.
 */
static int create_channel(int ret[2], int mute)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) < 0)
		return -errno;
	return shutdown(ret[mute], SHUT_RD) < 0 ? -errno : 0;
}

static int create_shared(struct session_memory *m, const struct plane_layout *l)
{
	int r = create_pair("vencd-pool", plane_pool_size(l), &m->pool, &m->pool_ro);

	r = r ? r : create_pair("vencd-submit", plane_submit_size(l), &m->submit, &m->submit_ro);
	r = r ? r : create_pair("vencd-control", PLANE_PAGE, &m->control, &m->control_ro);
	r = r ? r : create_channel(m->lease, 0);
	if (r < 0)
		return r;
	m->control_map = memory_map(m->control, PLANE_PAGE, PROT_READ | PROT_WRITE);
	m->submit_map = memory_map(m->submit, plane_submit_size(l), PROT_READ | PROT_WRITE);
	if (!m->control_map || !m->submit_map)
		return -errno;
	m->control_map->magic = m->submit_map->magic = PLANE_MAGIC;
	m->control_map->version = m->submit_map->version = PLANE_VERSION;
	atomic_store(&m->control_map->state, PLANE_SESSION_OPEN);
	for (unsigned i = 0; i < PLANE_MAX_ATTEMPTS; i++)
		atomic_store(&m->control_map->cut[i], PLANE_NO_CUT);
	/* From here on the submit ring is the client's alone to write. */
	return mprotect(m->submit_map, plane_submit_size(l), PROT_READ) < 0 ? -errno : 0;
}

static int create_attempt(struct session_memory *m, const struct plane_layout *l, unsigned n)
{
	int r = create_pair(
		"vencd-ring", plane_attempt_size(l), &m->attempt[n].ring, &m->attempt[n].ring_ro);

	r = r ? r : create_channel(m->attempt[n].submit_wake, 1);
	r = r ? r : create_channel(m->attempt[n].packet_wake, 1);
	if (r < 0)
		return r;
	m->attempt[n].slot = memory_create("vencd-slot", PLANE_PAGE);
	if (m->attempt[n].slot < 0)
		return m->attempt[n].slot;
	m->slot_map[n] = memory_map(m->attempt[n].slot, PLANE_PAGE, PROT_READ | PROT_WRITE);
	m->ring_map[n] = memory_map(
		m->attempt[n].ring, plane_data_offset(), PROT_READ | PROT_WRITE);
	if (!m->slot_map[n] || !m->ring_map[n])
		return -errno;
	m->ring_map[n]->magic = PLANE_MAGIC;
	m->ring_map[n]->version = PLANE_VERSION;
	atomic_store(&m->slot_map[n]->word, slot_word(0, SLOT_CALL_START, SLOT_RUNNING));
	atomic_store(&m->slot_map[n]->commit, commit_word(0, COMMIT_OPEN));
	return mprotect(m->ring_map[n], plane_data_offset(), PROT_READ) < 0 ? -errno : 0;
}

int session_memory_create(struct session_memory *ret, const struct plane_layout *layout)
{
	int r;

	clear(ret);
	ret->submit_size = plane_submit_size(layout);
	r = create_shared(ret, layout);
	for (unsigned i = 0; i < layout->attempts && r == 0; i++)
		r = create_attempt(ret, layout, i);
	if (r < 0)
		session_memory_close(ret, layout->attempts);
	return r;
}

unsigned session_memory_client_fds(
	const struct session_memory *memory, unsigned attempts, int fds[WIRE_MAX_FDS])
{
	unsigned n = 0;

	fds[n++] = memory->pool;
	fds[n++] = memory->submit;
	fds[n++] = memory->control_ro;
	fds[n++] = memory->lease[1];
	for (unsigned i = 0; i < attempts; i++) {
		fds[n++] = memory->attempt[i].ring_ro;
		fds[n++] = memory->attempt[i].submit_wake[1];
		fds[n++] = memory->attempt[i].packet_wake[0];
	}
	return n;
}

void session_memory_worker_fds(
	const struct session_memory *memory, unsigned n, int fds[WIRE_START_FDS])
{
	fds[0] = memory->pool_ro;
	fds[1] = memory->submit_ro;
	fds[2] = memory->control_ro;
	fds[3] = memory->attempt[n].ring;
	fds[4] = memory->attempt[n].slot;
	fds[5] = memory->attempt[n].submit_wake[0];
	fds[6] = memory->attempt[n].packet_wake[1];
}

int session_memory_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void unmap(void *map, uint64_t size)
{
	if (map)
		munmap(map, size);
}

void session_memory_close(struct session_memory *m, unsigned attempts)
{
	int *shared[] = {&m->pool, &m->pool_ro, &m->submit, &m->submit_ro, &m->control,
		&m->control_ro, &m->lease[0], &m->lease[1]};

	for (unsigned i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		close_fd(shared[i]);
	unmap(m->control_map, PLANE_PAGE);
	unmap(m->submit_map, m->submit_size);
	for (unsigned i = 0; i < attempts; i++) {
		close_fd(&m->attempt[i].ring);
		close_fd(&m->attempt[i].ring_ro);
		close_fd(&m->attempt[i].slot);
		for (int end = 0; end < 2; end++) {
			close_fd(&m->attempt[i].submit_wake[end]);
			close_fd(&m->attempt[i].packet_wake[end]);
		}
		unmap(m->slot_map[i], PLANE_PAGE);
		unmap(m->ring_map[i], plane_data_offset());
	}
}

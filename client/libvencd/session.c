// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Opening and ending a session. The reply to OpenSession carries a layout and the descriptors of
 * the shared memory; both are checked before anything is mapped: the layout must be the one that
 * its size, format and number of slots lead to, each memory must have exactly the size that follows
 * from it, and be sealed, so that nobody can take it away under us. What others write is mapped
 * read-only.
 *
 * Closing the lease is what ends a session for the daemon; closing a session therefore never waits.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/libvencd/session.h"

#define CANCEL_MS 5000u
#define CANCEL_TEXT 255u
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Where the fds of the reply are; see daemon/wire.h. */
enum {
	FD_POOL,
	FD_SUBMIT,
	FD_CONTROL,
	FD_LEASE,
	FD_ATTEMPTS,
	FD_RING = 0, /* within an attempt */
	FD_SUBMIT_WAKE,
	FD_PACKET_WAKE,
	FD_PER_ATTEMPT,
};

static int check_memory(int fd, uint64_t size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0)
		return -EPROTO;
	return st.st_size >= 0 && (uint64_t)st.st_size == size ? 0 : -EPROTO;
}

/*
 * Maps a sealed memory of exactly this size, unless *r is an error already; sets *r where it fails.
 * Frames are private and large: they stay out of core dumps.
 */
static void *map_memory(int *r, int fd, uint64_t size, int protection)
{
	void *p;

	if (*r >= 0)
		*r = check_memory(fd, size);
	if (*r < 0)
		return NULL;
	p = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		*r = -errno;
		return NULL;
	}
	madvise(p, size, MADV_DONTDUMP);
	return p;
}

static int check_header(uint32_t magic, uint32_t version)
{
	return magic == PLANE_MAGIC && version == PLANE_VERSION ? 0 : -EPROTO;
}

static int map_shared(struct vencd_session *s, const int *fds)
{
	const struct plane_layout *l = &s->layout;
	int r = 0;

	s->pool = map_memory(&r, fds[FD_POOL], plane_pool_size(l), PROT_READ | PROT_WRITE);
	s->submit = map_memory(&r, fds[FD_SUBMIT], plane_submit_size(l), PROT_READ | PROT_WRITE);
	s->control = map_memory(&r, fds[FD_CONTROL], PLANE_PAGE, PROT_READ);
	if (r >= 0)
		r = check_header(s->submit->magic, s->submit->version);
	if (r >= 0)
		r = check_header(s->control->magic, s->control->version);
	return r;
}

/* These ends are ours alone, so this changes nothing for anyone else. */
static int take_socket(int *ret, int *fd)
{
	int flags = fcntl(*fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(*fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -EPROTO;
	if (!(flags & O_NONBLOCK) && fcntl(*fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	*ret = *fd;
	*fd = -1;
	return 0;
}

static int map_attempt(struct vencd_session *s, struct attempt_reader *a, int *fds)
{
	int r = 0;

	a->ring = map_memory(&r, fds[FD_RING], plane_attempt_size(&s->layout), PROT_READ);
	if (r >= 0)
		r = check_header(a->ring->magic, a->ring->version);
	if (r >= 0)
		r = take_socket(&a->submit_wake, &fds[FD_SUBMIT_WAKE]);
	if (r >= 0)
		r = take_socket(&a->packet_wake, &fds[FD_PACKET_WAKE]);
	return r;
}

static int map_all(struct vencd_session *s, struct reply *reply)
{
	int r;

	if (reply->n_fds != FD_ATTEMPTS + FD_PER_ATTEMPT * s->layout.attempts)
		return -EPROTO;
	r = map_shared(s, reply->fds);
	if (r >= 0)
		r = take_socket(&s->lease, &reply->fds[FD_LEASE]);
	for (uint32_t i = 0; r >= 0 && i < s->layout.attempts; i++)
		r = map_attempt(s, &s->attempts[i], &reply->fds[FD_ATTEMPTS + FD_PER_ATTEMPT * i]);
	return r;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

/* Takes over what the reply says; its strings live in the reply. */
static int take_reply(struct vencd_session *s, const struct opened *o)
{
	if (!plane_layout_valid(&o->layout))
		return -EPROTO;
	s->layout = o->layout;
	s->info.id = o->id;
	s->info.codec = vencd_codec_from_name(o->codec);
	s->info.slots = o->layout.slots;
	s->info.reorder = o->reorder;
	copy_text(s->info.encoder, sizeof(s->info.encoder), o->encoder);
	copy_text(s->info.backend, sizeof(s->info.backend), o->backend);
	copy_text(s->info.device, sizeof(s->info.device), o->device);
	copy_text(s->token, sizeof(s->token), o->token);
	return s->info.codec ? 0 : -EPROTO;
}

/* The program will write frames of the size that it asked for. */
static bool as_asked(const struct plane_layout *l, const struct vencd_params *params)
{
	return l->width == params->width && l->height == params->height &&
		l->format == params->format;
}

static struct vencd_session *new_session(struct vencd *daemon)
{
	struct vencd_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->daemon = daemon;
	s->phase = SESSION_OPEN;
	s->packet_state = PACKET_NONE;
	s->lease = s->epoll = -1;
	for (uint32_t i = 0; i < PLANE_MAX_ATTEMPTS; i++)
		s->attempts[i].submit_wake = s->attempts[i].packet_wake = -1;
	return s;
}

static int set_up(struct vencd_session *s, const struct vencd_params *params, struct reply *reply)
{
	struct opened opened = {0};
	int r = request_read_reply(reply->parameters, &opened);

	if (r >= 0)
		r = take_reply(s, &opened);
	if (r >= 0 && !as_asked(&s->layout, params))
		r = -EPROTO;
	if (r >= 0)
		r = map_all(s, reply);
	if (r >= 0)
		r = frames_init(s);
	if (r >= 0)
		r = session_watch(s);
	return r;
}

int vencd_session_open(
	struct vencd *daemon, const struct vencd_params *params, struct vencd_session **ret)
{
	sd_json_variant *request = NULL;
	struct reply reply = {0};
	struct vencd_session *s = new_session(daemon);
	int r = s ? request_build(params, &request) : -ENOMEM;

	if (r >= 0)
		r = connection_call(daemon, "OpenSession", request, CONNECTION_CALL_MS, &reply);
	if (r >= 0)
		r = set_up(s, params, &reply);
	reply_clear(&reply);
	sd_json_variant_unref(request);
	if (r < 0) {
		vencd_session_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void vencd_session_get_info(const struct vencd_session *session, struct vencd_session_info *ret)
{
	*ret = session->info;
}

int session_parameters(const struct vencd_session *session, sd_json_variant **ret)
{
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_UNSIGNED("id", session->info.id),
		SD_JSON_BUILD_PAIR_STRING("token", session->token));
}

int session_call(struct vencd_session *session, const char *method, sd_json_variant *parameters,
	unsigned timeout_ms, struct reply *ret)
{
	int r = connection_call(session->daemon, method, parameters, timeout_ms, ret);

	/* The process that talked to us was replaced; the session is the daemon's, not its. */
	if (r == -ECONNRESET && connection_renew(session->daemon) >= 0)
		r = connection_call(session->daemon, method, parameters, timeout_ms, ret);
	return r;
}

/* The daemon takes so many bytes of text; what is cut must still be UTF-8. */
static void cut_text(char ret[CANCEL_TEXT + 1], const char *text)
{
	size_t n = strnlen(text, CANCEL_TEXT + 1);

	if (n > CANCEL_TEXT)
		for (n = CANCEL_TEXT; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
	memcpy(ret, text, n);
	ret[n] = '\0';
}

static int cancel_parameters(const struct vencd_session *session, enum vencd_cancel_cause cause,
	const char *text, sd_json_variant **ret)
{
	const char *name = vencd_cancel_cause_name(cause);
	char words[CANCEL_TEXT + 1];
	int r;

	if (!name)
		return -EINVAL;
	cut_text(words, text ? text : "");
	r = session_parameters(session, ret);
	if (r >= 0)
		r = sd_json_variant_set_field_string(ret, "cause", name);
	/* Text that is no UTF-8 cannot be sent; the request matters more. */
	if (r >= 0 && words[0] && sd_json_variant_set_field_string(ret, "text", words) == -ENOMEM)
		r = -ENOMEM;
	return r;
}

int vencd_session_cancel(
	struct vencd_session *session, enum vencd_cancel_cause cause, const char *text)
{
	sd_json_variant *parameters = NULL;
	struct reply reply = {0};
	int r = cancel_parameters(session, cause, text, &parameters);

	if (r >= 0 && !session_ended(session))
		r = session_call(session, "Cancel", parameters, CANCEL_MS, &reply);
	reply_clear(&reply);
	sd_json_variant_unref(parameters);
	if (r >= 0 && cause == VENCD_CANCEL_INPUT_FAILED)
		(void)vencd_session_finish(session);
	/* One that has ended meanwhile is refused, and is what was wanted. */
	return r == -EREMOTEIO && session_ended(session) ? 0 : r < 0 ? r : 0;
}

int session_break(struct vencd_session *session, const char *what)
{
	sd_json_variant *parameters = NULL;

	session->phase = SESSION_BROKEN;
	/*
	 * The packets did not arrive, whatever the daemon counts: never complete. Should it not
	 * hear of it now, closing the session tells it.
	 */
	if (cancel_parameters(session, VENCD_CANCEL_OUTPUT_FAILED, what, &parameters) >= 0)
		connection_send(session->daemon, "Cancel", parameters);
	sd_json_variant_unref(parameters);
	return -EPROTO;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void unmap(void *p, uint64_t size)
{
	if (p)
		munmap(p, size);
}

void vencd_session_close(struct vencd_session *session)
{
	if (!session)
		return;
	close_fd(session->lease);
	close_fd(session->epoll);
	for (uint32_t i = 0; i < PLANE_MAX_ATTEMPTS; i++) {
		unmap(session->attempts[i].ring, plane_attempt_size(&session->layout));
		close_fd(session->attempts[i].submit_wake);
		close_fd(session->attempts[i].packet_wake);
	}
	unmap(session->control, PLANE_PAGE);
	unmap(session->submit, plane_submit_size(&session->layout));
	unmap(session->pool, plane_pool_size(&session->layout));
	free(session->slots);
	free(session->free_slots);
	free(session->history);
	free(session);
}

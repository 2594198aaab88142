// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * See client_fake.h. The thread does varlink and nothing else; memory is made inside OpenSession
 * and kept until fake_stop(), so that a test can go on writing whatever the client does.
 */

#include "tests/unit/client_fake.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/epoll.h>
#include <unistd.h>

static int make_memory(const char *name, uint64_t size, int seals)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(fd >= 0);
	CHECK(ftruncate(fd, (off_t)size) == 0);
	CHECK(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static void *map(int fd, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int read_only(int fd)
{
	char path[64];
	int copy;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(copy >= 0);
	return copy;
}

static void make_channel(int ret[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) == 0);
}

static void make_shared(struct fake *fake)
{
	const struct plane_layout *l = &fake->layout;
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	uint64_t short_of = fake->fault == FAULT_SMALL_POOL ? PLANE_PAGE : 0;

	fake->pool_fd = make_memory("pool", plane_pool_size(l) - short_of, seals);
	fake->submit_fd = make_memory("submit", plane_submit_size(l),
		fake->fault == FAULT_UNSEALED ? F_SEAL_GROW : seals);
	fake->control_fd = make_memory("control", PLANE_PAGE, seals);
	fake->pool = map(fake->pool_fd, plane_pool_size(l));
	fake->submit = map(fake->submit_fd, plane_submit_size(l));
	fake->control = map(fake->control_fd, PLANE_PAGE);
	fake->submit->magic = fake->control->magic = PLANE_MAGIC;
	fake->submit->version = fake->control->version = PLANE_VERSION;
	atomic_store(&fake->control->state, PLANE_SESSION_OPEN);
	for (unsigned i = 0; i < PLANE_MAX_ATTEMPTS; i++)
		atomic_store(&fake->control->cut[i], PLANE_NO_CUT);
	make_channel(fake->lease);
}

static void make_attempt(struct fake *fake, struct fake_attempt *a)
{
	*a = (struct fake_attempt){.digest = PLANE_FNV_OFFSET};
	a->ring_fd = make_memory("ring", plane_attempt_size(&fake->layout),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	a->ring = map(a->ring_fd, plane_attempt_size(&fake->layout));
	a->ring->magic = fake->fault == FAULT_MAGIC ? 1 : PLANE_MAGIC;
	a->ring->version = PLANE_VERSION;
	make_channel(a->submit_wake);
	make_channel(a->packet_wake);
}

static uint32_t request_number(const struct fake *fake, const char *name)
{
	return (uint32_t)sd_json_variant_unsigned(sd_json_variant_by_key(fake->request, name));
}

static void make_memories(struct fake *fake)
{
	const char *format = sd_json_variant_string(
		sd_json_variant_by_key(fake->request, "format"));

	CHECK(plane_layout_init(&fake->layout, request_number(fake, "width"),
		      request_number(fake, "height"), vencd_pixel_format_from_name(format),
		      fake->slots, fake->attempts) == 0);
	if (fake->fault == FAULT_WIDTH)
		CHECK(plane_layout_init(&fake->layout, 128, 48, VENCD_FORMAT_I420, fake->slots,
			      fake->attempts) == 0);
	make_shared(fake);
	for (unsigned i = 0; i < fake->attempts; i++)
		make_attempt(fake, &fake->attempt[i]);
}

static void push(sd_varlink *link, int fd)
{
	CHECK(sd_varlink_push_dup_fd(link, fd) >= 0);
}

static void push_own(sd_varlink *link, int fd)
{
	CHECK(sd_varlink_push_fd(link, fd) >= 0);
}

static void push_fds(const struct fake *fake, sd_varlink *link)
{
	push(link, fake->pool_fd);
	push(link, fake->submit_fd);
	push_own(link, read_only(fake->control_fd));
	/* The client's ends are the client's alone: their closing must be seen. */
	push_own(link, fake->lease[1]);
	for (unsigned i = 0; i < fake->attempts; i++) {
		const struct fake_attempt *a = &fake->attempt[i];

		push_own(link, read_only(a->ring_fd));
		push(link, fake->fault == FAULT_NO_PIPE ? a->ring_fd : a->submit_wake[1]);
		if (fake->fault != FAULT_FEW_FDS)
			push(link, a->packet_wake[0]);
	}
	if (fake->fault == FAULT_MANY_FDS)
		push(link, fake->pool_fd);
}

#define NUMBERS(a)                                                                          \
	SD_JSON_BUILD_ARRAY(SD_JSON_BUILD_UNSIGNED((a)[0]), SD_JSON_BUILD_UNSIGNED((a)[1]), \
		SD_JSON_BUILD_UNSIGNED((a)[2]))

static sd_json_variant *layout_json(const struct fake *fake)
{
	const struct plane_layout *l = &fake->layout;
	uint32_t wrong = fake->fault == FAULT_STRIDE ? 64 : 0;
	uint32_t stride[3] = {l->stride[0] - wrong, l->stride[1], l->stride[2]};
	sd_json_variant *v = NULL;

	CHECK(sd_json_buildo(&v, SD_JSON_BUILD_PAIR_UNSIGNED("width", l->width),
		      SD_JSON_BUILD_PAIR_UNSIGNED("height", l->height),
		      SD_JSON_BUILD_PAIR_STRING("format", vencd_pixel_format_name(l->format)),
		      SD_JSON_BUILD_PAIR_UNSIGNED("planes", l->planes),
		      SD_JSON_BUILD_PAIR("stride", NUMBERS(stride)),
		      SD_JSON_BUILD_PAIR("rows", NUMBERS(l->rows)),
		      SD_JSON_BUILD_PAIR("rowBytes", NUMBERS(l->row_bytes)),
		      SD_JSON_BUILD_PAIR_UNSIGNED("slots", l->slots),
		      SD_JSON_BUILD_PAIR("offset", NUMBERS(l->offset)),
		      SD_JSON_BUILD_PAIR_UNSIGNED("slotSize", l->slot_size),
		      SD_JSON_BUILD_PAIR_UNSIGNED("submitEntries", l->submit_entries),
		      SD_JSON_BUILD_PAIR_UNSIGNED("attempts", l->attempts),
		      SD_JSON_BUILD_PAIR_UNSIGNED("dataSize", l->data_size)) >= 0);
	return v;
}

static int reply_opened(const struct fake *fake, sd_varlink *link)
{
	sd_json_variant *layout = layout_json(fake);
	int r;

	push_fds(fake, link);
	r = sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_UNSIGNED("id", 7),
		SD_JSON_BUILD_PAIR_CONDITION(fake->fault != FAULT_NO_TOKEN, "token",
			SD_JSON_BUILD_STRING("00112233445566778899aabbccddeeff")),
		SD_JSON_BUILD_PAIR_STRING("codec", "av1"),
		SD_JSON_BUILD_PAIR_STRING("encoder", "fake"),
		SD_JSON_BUILD_PAIR_STRING("backend", "null"),
		SD_JSON_BUILD_PAIR_STRING("device", "cpu"),
		SD_JSON_BUILD_PAIR_UNSIGNED("reorder", 0),
		SD_JSON_BUILD_PAIR_VARIANT("layout", layout));
	sd_json_variant_unref(layout);
	return r;
}

static int on_open(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	void *userdata)
{
	struct fake *fake = userdata;
	int r;

	(void)flags;
	if (fake->fault == FAULT_REFUSE)
		return sd_varlink_errorbo(link, "io.vencd.Encoder.Unsupported",
			SD_JSON_BUILD_PAIR_STRING("parameter", "width"),
			SD_JSON_BUILD_PAIR_STRING("value", "64"),
			SD_JSON_BUILD_PAIR_STRING("reason", "too\nnarrow"),
			SD_JSON_BUILD_PAIR_STRING("alternatives", "128 to 8192"),
			SD_JSON_BUILD_PAIR_STRING("advice", "scale it"));
	pthread_mutex_lock(&fake->lock);
	fake->request = sd_json_variant_ref(parameters);
	make_memories(fake);
	fake->opened++;
	r = reply_opened(fake, link);
	pthread_mutex_unlock(&fake->lock);
	return r;
}

static void copy_field(char *to, size_t size, sd_json_variant *v, const char *name)
{
	sd_json_variant *field = sd_json_variant_by_key(v, name);

	snprintf(to, size, "%s", field ? sd_json_variant_string(field) : "");
}

static bool drops(struct fake *fake)
{
	bool drop = fake->fault == FAULT_DROP;

	if (drop)
		fake->fault = FAULT_NONE;
	return drop;
}

static int on_cancel(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	void *userdata)
{
	struct fake *fake = userdata;
	char byte;

	(void)flags;
	if (fake->fault == FAULT_SLOW)
		CHECK(read(fake->slow_pipe[0], &byte, 1) == 1);
	pthread_mutex_lock(&fake->lock);
	copy_field(fake->cancel_cause, sizeof(fake->cancel_cause), parameters, "cause");
	copy_field(fake->cancel_text, sizeof(fake->cancel_text), parameters, "text");
	fake->cancels++;
	fake->outcome = "cancelled";
	pthread_mutex_unlock(&fake->lock);
	return sd_varlink_reply(link, NULL);
}

static sd_json_variant *attempts_json(const struct fake *fake)
{
	sd_json_variant *list = NULL;

	for (unsigned i = 0; i < fake->attempts; i++) {
		const struct fake_attempt *a = &fake->attempt[i];
		uint64_t lie = fake->fault == FAULT_LIE;
		char digest[17];

		snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)(a->digest ^ lie));
		CHECK(sd_json_variant_append_arraybo(&list,
			      SD_JSON_BUILD_PAIR_UNSIGNED("packets", a->packets),
			      SD_JSON_BUILD_PAIR_UNSIGNED("bytes", a->bytes),
			      SD_JSON_BUILD_PAIR_STRING("digest", digest)) >= 0);
	}
	return list;
}

static int reply_report(const struct fake *fake, sd_varlink *link)
{
	uint64_t submitted = atomic_load(&fake->submit->head), packets = 0, bytes = 0;
	sd_json_variant *attempts = attempts_json(fake);
	int r;

	for (unsigned i = 0; i < fake->attempts; i++) {
		packets += fake->attempt[i].packets;
		bytes += fake->attempt[i].bytes;
	}
	r = sd_varlink_replybo(link,
		SD_JSON_BUILD_PAIR_OBJECT("report",
			SD_JSON_BUILD_PAIR_STRING("outcome", fake->outcome),
			SD_JSON_BUILD_PAIR_UNSIGNED("framesSubmitted", submitted),
			SD_JSON_BUILD_PAIR_UNSIGNED("framesEncoded", packets),
			SD_JSON_BUILD_PAIR_UNSIGNED("framesLost", fake->frames_lost),
			SD_JSON_BUILD_PAIR_UNSIGNED("framesCancelled", 0),
			SD_JSON_BUILD_PAIR_UNSIGNED("packets", packets),
			SD_JSON_BUILD_PAIR_UNSIGNED("bytes", bytes),
			SD_JSON_BUILD_PAIR_VARIANT("attempts", attempts)));
	sd_json_variant_unref(attempts);
	return r;
}

static int on_get_report(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *userdata)
{
	struct fake *fake = userdata;
	bool drop;
	int r = 0;

	(void)parameters, (void)flags;
	pthread_mutex_lock(&fake->lock);
	drop = drops(fake);
	if (!drop)
		r = reply_report(fake, link);
	pthread_mutex_unlock(&fake->lock);
	if (drop)
		sd_varlink_close(link);
	return r;
}

/* Gives its parameters back. */
static int on_list(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	void *userdata)
{
	(void)flags, (void)userdata;
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("echo", parameters));
}

static int on_connect(sd_varlink_server *server, sd_varlink *link, void *userdata)
{
	(void)server;
	sd_varlink_set_userdata(link, userdata);
	return sd_varlink_set_allow_fd_passing_output(link, 1);
}

static int on_stop(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)fd, (void)revents, (void)userdata;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void *serve(void *userdata)
{
	struct fake *fake = userdata;

	CHECK(sd_event_loop(fake->event) >= 0);
	return NULL;
}

static void make_server(struct fake *fake)
{
	CHECK(sd_event_new(&fake->event) >= 0);
	CHECK(sd_event_add_io(fake->event, NULL, fake->stop_pipe[0], EPOLLIN, on_stop, NULL) >= 0);
	CHECK(sd_varlink_server_new(&fake->server, 0) >= 0);
	sd_varlink_server_set_userdata(fake->server, fake);
	CHECK(sd_varlink_server_bind_connect(fake->server, on_connect) >= 0);
	CHECK(sd_varlink_server_bind_method_many(fake->server, "io.vencd.Encoder.OpenSession",
		      on_open, "io.vencd.Encoder.Cancel", on_cancel, "io.vencd.Encoder.GetReport",
		      on_get_report, "io.vencd.Encoder.ListDevices", on_list) >= 0);
	CHECK(sd_varlink_server_attach_event(fake->server, fake->event, 0) >= 0);
	CHECK(sd_varlink_server_listen_address(fake->server, fake->path, 0600) >= 0);
}

void fake_start(struct fake *fake)
{
	static unsigned count;

	if (!fake->slots)
		fake->slots = 4;
	if (!fake->attempts)
		fake->attempts = 1;
	fake->outcome = "complete";
	fake->lease[0] = -1;
	CHECK(pthread_mutex_init(&fake->lock, NULL) == 0);
	CHECK(pipe2(fake->stop_pipe, O_CLOEXEC) == 0);
	CHECK(pipe2(fake->slow_pipe, O_CLOEXEC) == 0);
	snprintf(fake->path, sizeof(fake->path), "/tmp/vencd-fake-%d-%u", getpid(), count++);
	make_server(fake);
	CHECK(pthread_create(&fake->thread, NULL, serve, fake) == 0);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void free_attempt(const struct fake *fake, struct fake_attempt *a)
{
	munmap(a->ring, plane_attempt_size(&fake->layout));
	close_fd(&a->ring_fd);
	for (int end = 0; end < 2; end++) {
		close_fd(&a->submit_wake[end]);
		close_fd(&a->packet_wake[end]);
	}
}

static void free_memories(struct fake *fake)
{
	munmap(fake->pool, plane_pool_size(&fake->layout));
	munmap(fake->submit, plane_submit_size(&fake->layout));
	munmap(fake->control, PLANE_PAGE);
	close_fd(&fake->pool_fd);
	close_fd(&fake->submit_fd);
	close_fd(&fake->control_fd);
	close_fd(&fake->lease[0]);
	for (unsigned i = 0; i < fake->attempts; i++)
		free_attempt(fake, &fake->attempt[i]);
}

void fake_stop(struct fake *fake)
{
	CHECK(write(fake->stop_pipe[1], "", 1) == 1);
	CHECK(pthread_join(fake->thread, NULL) == 0);
	sd_varlink_server_unref(fake->server);
	sd_event_unref(fake->event);
	unlink(fake->path);
	if (fake->pool)
		free_memories(fake);
	sd_json_variant_unref(fake->request);
	for (int end = 0; end < 2; end++) {
		close(fake->stop_pipe[end]);
		close(fake->slow_pipe[end]);
	}
	pthread_mutex_destroy(&fake->lock);
}

struct vencd_params fake_params(void)
{
	struct vencd_params params = VENCD_PARAMS_INIT;

	params.codecs[0] = VENCD_CODEC_AV1;
	params.width = 64;
	params.height = 48;
	params.format = VENCD_FORMAT_I420;
	params.time_base = (struct vencd_rational){1, 25};
	return params;
}

void fake_open(struct fake *fake, struct vencd **daemon, struct vencd_session **session)
{
	struct vencd_params params = fake_params();

	fake_start(fake);
	CHECK_EQUAL(vencd_connect(daemon, fake->path), 0);
	CHECK_EQUAL(vencd_session_open(*daemon, &params, session), 0);
	/* What the thread did before its answer is seen from here on. */
	pthread_mutex_lock(&fake->lock);
	CHECK_EQUAL(fake->opened, 1);
	pthread_mutex_unlock(&fake->lock);
}

void fake_append(struct fake *fake, unsigned n, const struct plane_entry *entry)
{
	struct fake_attempt *a = &fake->attempt[n];

	pthread_mutex_lock(&fake->lock);
	plane_log(a->ring)[a->written++ % PLANE_LOG_ENTRIES] = *entry;
	if (entry->type == PLANE_ENTRY_PACKET && entry->offset <= fake->layout.data_size &&
		entry->size <= fake->layout.data_size - entry->offset) {
		a->packets++;
		a->bytes += entry->size;
		a->digest = plane_digest(
			a->digest, plane_data(a->ring) + entry->offset, entry->size);
	}
	pthread_mutex_unlock(&fake->lock);
}

const struct plane_frame *fake_frame(const struct fake *fake, uint64_t frame)
{
	CHECK(frame < atomic_load(&fake->submit->head));
	return &plane_frames(fake->submit)[frame % fake->layout.submit_entries];
}

void fake_packet(struct fake *fake, unsigned n, uint64_t frame, int64_t dts, uint32_t flags,
	const char *text)
{
	struct fake_attempt *a = &fake->attempt[n];
	uint32_t size = (uint32_t)strlen(text);
	struct plane_entry entry = {.type = PLANE_ENTRY_PACKET,
		.flags = flags,
		.size = size,
		.pts = fake_frame(fake, frame)->pts,
		.dts = dts,
		.frame = frame};

	if (a->data + size > fake->layout.data_size)
		a->data = 0;
	entry.offset = a->data;
	memcpy(plane_data(a->ring) + a->data, text, size);
	a->data += size;
	fake_append(fake, n, &entry);
}

void fake_release(struct fake *fake, unsigned n, uint64_t frame)
{
	struct plane_entry entry = {
		.type = PLANE_ENTRY_RELEASE, .slot = fake_frame(fake, frame)->slot, .frame = frame};

	fake_append(fake, n, &entry);
}

void fake_end(struct fake *fake, unsigned n)
{
	struct plane_entry entry = {.type = PLANE_ENTRY_END};

	fake_append(fake, n, &entry);
}

static void wake(struct fake *fake, unsigned n)
{
	if (plane_must_wake(&fake->submit->sleeping))
		plane_wake(fake->attempt[n].packet_wake[1]);
}

void fake_publish(struct fake *fake, unsigned n)
{
	struct fake_attempt *a = &fake->attempt[n];

	atomic_store_explicit(&a->ring->published, a->written, memory_order_release);
	wake(fake, n);
}

void fake_cut(struct fake *fake, unsigned n, uint64_t cut)
{
	atomic_store(&fake->control->cut[n], cut);
	wake(fake, n);
}

void fake_next_attempt(struct fake *fake, unsigned n)
{
	atomic_store(&fake->control->attempt, n);
	wake(fake, n);
}

void fake_end_session(struct fake *fake)
{
	uint32_t n = atomic_load(&fake->control->attempt);

	atomic_store(&fake->control->state, PLANE_SESSION_ENDED);
	plane_wake(fake->attempt[n].packet_wake[1]);
}

void fake_die(struct fake *fake)
{
	close_fd(&fake->lease[0]);
	for (unsigned i = 0; i < fake->attempts; i++) {
		close_fd(&fake->attempt[i].packet_wake[1]);
		close_fd(&fake->attempt[i].submit_wake[0]);
	}
}

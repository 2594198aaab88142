// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The library against a worker that writes what it must not, and a daemon whose answer does not fit
 * its memory. Each case differs from a valid one in one thing, and the valid one passes first, so
 * that a check that refuses everything is found as well as one that refuses nothing.
 */

#include <errno.h>
#include <string.h>

#include "tests/unit/client_fake.h"

#define FRAMES 3

/* The log before the hostile entry: frame 0's packet and release; frames 1 and 2 are submitted. */
static void write_good_start(struct fake *fake)
{
	fake_packet(fake, 0, 0, 5, VENCD_PACKET_KEYFRAME, "zero");
	fake_release(fake, 0, 0);
}

static struct plane_entry packet_entry(void)
{
	return (struct plane_entry){.type = PLANE_ENTRY_PACKET,
		.size = 4,
		.offset = 0,
		.pts = 11,
		.dts = 11,
		.frame = 1};
}

static struct plane_entry release_entry(const struct fake *fake)
{
	return (struct plane_entry){
		.type = PLANE_ENTRY_RELEASE, .slot = fake_frame(fake, 1)->slot, .frame = 1};
}

/* Each changes one thing of a valid entry, or adds one. */
static void good(struct fake *fake, struct plane_entry *e)
{
	(void)fake, (void)e;
}

static void late_dts(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->dts = e->pts + 1;
}

static void same_dts(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->dts = 5;
}

static void other_pts(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->pts++;
}

static void future_frame(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->frame = FRAMES;
}

static void ancient_frame(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->frame = (uint64_t)-1;
}

static void frame_twice(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->frame = 0;
	e->pts = 10;
	e->dts = 9;
}

static void no_bytes(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->size = 0;
}

static void offset_beyond(struct fake *fake, struct plane_entry *e)
{
	e->offset = fake->layout.data_size + 1;
}

static void size_beyond(struct fake *fake, struct plane_entry *e)
{
	e->offset = fake->layout.data_size - e->size + 1;
}

static void offset_wraps(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->offset = UINT64_MAX - 1;
}

static void huge_size(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->size = UINT32_MAX;
}

static void wrong_flags(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->flags = 0x80;
}

static void no_type(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->type = 0;
}

static void wrong_type(struct fake *fake, struct plane_entry *e)
{
	(void)fake;
	e->type = 77;
}

static void after_end(struct fake *fake, struct plane_entry *e)
{
	(void)e;
	fake_end(fake, 0);
}

static void good_release(struct fake *fake, struct plane_entry *e)
{
	*e = release_entry(fake);
}

static void no_such_slot(struct fake *fake, struct plane_entry *e)
{
	*e = release_entry(fake);
	e->slot = fake->layout.slots;
}

static void huge_slot(struct fake *fake, struct plane_entry *e)
{
	*e = release_entry(fake);
	e->slot = UINT32_MAX;
}

static void other_frames_slot(struct fake *fake, struct plane_entry *e)
{
	*e = release_entry(fake);
	e->frame = 2;
}

static void free_slot(struct fake *fake, struct plane_entry *e)
{
	*e = release_entry(fake);
	e->slot = fake_frame(fake, 0)->slot;
	e->frame = 0;
}

static void never_given_slot(struct fake *fake, struct plane_entry *e)
{
	*e = release_entry(fake);
	for (uint64_t i = 0; i < FRAMES; i++)
		if (e->slot == fake_frame(fake, i)->slot) {
			e->slot = (e->slot + 1) % fake->layout.slots;
			i = (uint64_t)-1;
		}
}

static const struct {
	const char *name;
	int expected;
	void (*change)(struct fake *fake, struct plane_entry *e);
	const char *why; /* what the daemon is told */
} entries[] = {
	{"good", 1, good, NULL},
	{"dts above pts", -EPROTO, late_dts, "order"},
	{"dts twice", -EPROTO, same_dts, "order"},
	{"another pts", -EPROTO, other_pts, "another time"},
	{"a frame not submitted", -EPROTO, future_frame, "not submitted"},
	{"a frame long ago", -EPROTO, ancient_frame, "not submitted"},
	{"a frame twice", -EPROTO, frame_twice, "two packets"},
	{"no bytes", -EPROTO, no_bytes, "outside"},
	{"offset beyond the ring", -EPROTO, offset_beyond, "outside"},
	{"end beyond the ring", -EPROTO, size_beyond, "outside"},
	{"offset wraps", -EPROTO, offset_wraps, "outside"},
	{"huge size", -EPROTO, huge_size, "outside"},
	{"unknown flags", -EPROTO, wrong_flags, "flags"},
	{"type 0", -EPROTO, no_type, "type"},
	{"unknown type", -EPROTO, wrong_type, "type"},
	{"more after the end", -EPROTO, after_end, "after its end"},
	{"good release", -EAGAIN, good_release, NULL},
	{"a slot that is none", -EPROTO, no_such_slot, "does not exist"},
	{"a huge slot", -EPROTO, huge_slot, "does not exist"},
	{"another frame's slot", -EPROTO, other_frames_slot, "does not have"},
	{"a free slot", -EPROTO, free_slot, "does not have"},
	{"a slot never given", -EPROTO, never_given_slot, "does not have"},
};

static void submit_frames(struct vencd_session *session)
{
	for (int i = 0; i < FRAMES; i++) {
		struct vencd_frame frame;

		CHECK_EQUAL(vencd_frame_acquire(session, &frame), 0);
		CHECK_EQUAL(vencd_frame_submit(session, frame.slot, 10 + i, 0), 0);
	}
}

/* The session is over for the program, and the daemon was told so, with a reason. */
static void check_broken(
	struct fake *fake, struct vencd *daemon, struct vencd_session *session, const char *why)
{
	struct vencd_packet packet;
	struct vencd_frame frame;
	char *json;

	CHECK_EQUAL(vencd_packet_receive(session, &packet), -EPROTO);
	CHECK_EQUAL(vencd_frame_acquire(session, &frame), -EPIPE);
	CHECK_EQUAL(vencd_session_wait(session, 20000), 1);
	/* The answer to the cancel that nobody waited for does not get in the way. */
	CHECK_EQUAL(vencd_call(daemon, "ListDevices", "{\"a\":1}", &json), 0);
	CHECK(strcmp(json, "{\"echo\":{\"a\":1}}") == 0);
	free(json);
	pthread_mutex_lock(&fake->lock);
	CHECK_EQUAL(fake->cancels, 1);
	CHECK(strcmp(fake->cancel_cause, "output_failed") == 0);
	if (!strstr(fake->cancel_text, why))
		fprintf(stderr, "%s is not in: %s\n", why, fake->cancel_text);
	CHECK(strstr(fake->cancel_text, why));
	pthread_mutex_unlock(&fake->lock);
}

static int receive(struct vencd_session *session)
{
	struct vencd_packet packet;
	int r = vencd_packet_receive(session, &packet);

	vencd_packet_release(session);
	return r;
}

static void test_entry(size_t i)
{
	struct fake fake = {0};
	struct vencd *daemon;
	struct vencd_session *session;
	struct plane_entry entry = packet_entry();

	fprintf(stderr, "entry: %s\n", entries[i].name);
	fake_open(&fake, &daemon, &session);
	submit_frames(session);
	write_good_start(&fake);
	entries[i].change(&fake, &entry);
	fake_append(&fake, 0, &entry);
	fake_publish(&fake, 0);
	CHECK_EQUAL(receive(session), 1);
	CHECK_EQUAL(receive(session), entries[i].expected);
	if (entries[i].expected == -EPROTO)
		check_broken(&fake, daemon, session, entries[i].why);
	vencd_session_close(session);
	vencd_disconnect(daemon);
	fake_stop(&fake);
}

static void first_not_a_keyframe(struct fake *fake)
{
	fake_packet(fake, 0, 0, 10, 0, "zero");
	fake_publish(fake, 0);
}

static void log_too_long(struct fake *fake)
{
	atomic_store(&fake->attempt[0].ring->published, PLANE_LOG_ENTRIES + 1);
}

static void log_endless(struct fake *fake)
{
	atomic_store(&fake->attempt[0].ring->published, UINT64_MAX);
}

static void cut_too_far(struct fake *fake)
{
	fake_cut(fake, 0, PLANE_LOG_ENTRIES + 1);
}

static const struct {
	void (*write)(struct fake *fake);
	const char *why;
} indices[] = {
	{first_not_a_keyframe, "no keyframe"},
	{log_too_long, "longer"},
	{log_endless, "longer"},
	{cut_too_far, "longer"},
};

static void test_index(size_t i)
{
	struct fake fake = {0};
	struct vencd *daemon;
	struct vencd_session *session;

	fake_open(&fake, &daemon, &session);
	submit_frames(session);
	indices[i].write(&fake);
	CHECK_EQUAL(receive(session), -EPROTO);
	check_broken(&fake, daemon, session, indices[i].why);
	vencd_session_close(session);
	vencd_disconnect(daemon);
	fake_stop(&fake);
}

/* Published and taken back, by the worker or by the cut: it had not been committed. */
static void test_shorter(bool by_cut, uint64_t read)
{
	struct fake fake = {0};
	struct vencd *daemon;
	struct vencd_session *session;

	fake_open(&fake, &daemon, &session);
	submit_frames(session);
	write_good_start(&fake);
	fake_packet(&fake, 0, 1, 10, 0, "one");
	fake_publish(&fake, 0);
	for (uint64_t i = 0; i < read; i++)
		CHECK_EQUAL(receive(session), 1);
	if (by_cut)
		fake_cut(&fake, 0, 2);
	else
		atomic_store(&fake.attempt[0].ring->published, 2);
	CHECK_EQUAL(receive(session), -EPROTO);
	check_broken(&fake, daemon, session, "shorter");
	vencd_session_close(session);
	vencd_disconnect(daemon);
	fake_stop(&fake);
}

/* What is in the ring changes after it was checked: the copy counts. */
static void test_changed_later(void)
{
	struct fake fake = {0};
	struct vencd *daemon;
	struct vencd_session *session;
	struct vencd_packet packet;

	fake_open(&fake, &daemon, &session);
	submit_frames(session);
	write_good_start(&fake);
	fake_publish(&fake, 0);
	CHECK_EQUAL(vencd_session_wait(session, 20000), 1); /* reads and checks it */
	plane_log(fake.attempt[0].ring)[0].size = UINT32_MAX;
	plane_log(fake.attempt[0].ring)[0].offset = UINT64_MAX;
	CHECK_EQUAL(vencd_packet_receive(session, &packet), 1);
	CHECK_EQUAL(packet.size, 4);
	CHECK(memcmp(packet.data, "zero", 4) == 0);
	vencd_session_close(session);
	vencd_disconnect(daemon);
	fake_stop(&fake);
}

static void test_reply(enum fake_fault fault)
{
	struct fake fake = {.fault = fault};
	struct vencd_params params = fake_params();
	struct vencd *daemon;
	struct vencd_session *session = NULL;
	char *json;

	fprintf(stderr, "reply: %d\n", (int)fault);
	fake_start(&fake);
	CHECK_EQUAL(vencd_connect(&daemon, fake.path), 0);
	CHECK_EQUAL(vencd_session_open(daemon, &params, &session), -EPROTO);
	CHECK(session == NULL);
	CHECK_EQUAL(vencd_call(daemon, "ListDevices", NULL, &json), 0);
	free(json);
	vencd_disconnect(daemon);
	fake_stop(&fake);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		test_entry(i);
	for (size_t i = 0; i < sizeof(indices) / sizeof(indices[0]); i++)
		test_index(i);
	for (uint64_t read = 1; read <= 2; read++) {
		test_shorter(false, read);
		test_shorter(true, read);
	}
	test_changed_later();
	for (int fault = FAULT_STRIDE; fault <= FAULT_MAGIC; fault++)
		test_reply((enum fake_fault)fault);
	return 0;
}

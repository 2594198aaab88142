// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * What a client says to its front: the whole front but its main(), with a client on one side and a
 * supervisor on the other that the target plays itself. The first byte of an input picks the
 * method (or none: the text is the whole call), the second flags and descriptors, the third the
 * supervisor's answer; the rest is the JSON of the parameters.
 *
 * A call is answered or passed on, never both. What is passed on is checked: its strings end, its
 * words are known, its numbers in range; every encoder of the catalogue can be asked for it, and as
 * JSON and back it is the same request. No answer of the supervisor makes a reply that is no JSON.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "daemon/front/front.h"
#include "daemon/front/parameters.h"
#include "hw/catalogue.h"
#include "tests/fuzz/fuzz.h"

#define TURNS_MAX 100000 /* a call takes several, and one input may hold hundreds */
#define PREFIX "io.vencd.Encoder."

static struct front front;
static int supervisor;

static const char *const methods[] = {
	"OpenSession", "Encode", "Cancel", "Wait", "GetReport", "ListDevices", "ListSessions"};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

struct plan {
	uint8_t method, flags, answer;
	struct fuzz_input text;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int pair[2], high;

	(void)argc, (void)argv;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	high = fcntl(pair[0], F_DUPFD, 16);
	FUZZ_CHECK(high >= 0 && dup2(pair[1], WIRE_FD) == WIRE_FD);
	supervisor = high;
	front.state = FRONT_SERVING;
	front.next_seq = 1;
	LIST_INIT(&front.clients);
	LIST_INIT(&front.encodes);
	FUZZ_CHECK(sd_event_new(&front.event) >= 0 && uplink_init(&front) >= 0);
	FUZZ_CHECK(devices_init(&front) >= 0 && client_server_init(&front) >= 0);
	return 0;
}

static void run_front(void)
{
	for (int i = 0; i < TURNS_MAX; i++)
		if (sd_event_run(front.event, 0) <= 0)
			return;
}

/* --- the client --- */

static void send_call(int fd, const char *text, size_t size, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
	} control = {0};
	struct iovec iov = {(void *)text, size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[4] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};

	if (n_fds > 0) {
		struct cmsghdr *c = &control.align;

		h.msg_control = control.bytes;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	FUZZ_CHECK(sendmsg(fd, &h, 0) == (ssize_t)size);
}

static void call(int fd, const struct plan *plan)
{
	const char *more = plan->flags & 4 ? ",\"more\":true" : "";
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	FUZZ_CHECK(file != NULL);
	if (plan->method < METHODS)
		fprintf(file,
			"{\"method\":\"" PREFIX "%s\"%s,\"parameters\":", methods[plan->method],
			more);
	fwrite(plan->text.data, 1, plan->text.size, file);
	if (plan->method < METHODS)
		fputc('}', file);
	fputc('\0', file);
	fclose(file);
	send_call(fd, text, size, plan->flags & 3);
	free(text);
}

/* Reads replies and gives their number, or -1 where the connection was closed. */
static int read_replies(int fd)
{
	static char text[1 << 18];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	int replies = 0;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	FUZZ_CHECK(text[n - 1] == '\0');
	for (const char *at = text; at < text + n; at += strlen(at) + 1) {
		sd_json_variant *v = NULL;

		FUZZ_CHECK(sd_json_parse(at, 0, &v, NULL, NULL) >= 0);
		FUZZ_CHECK(sd_json_variant_is_object(v));
		sd_json_variant_unref(v);
		replies++;
	}
	return replies;
}

/* --- the request that was passed on --- */

static bool is_word(uint32_t value, const char *name)
{
	return value == 0 || name;
}

static bool is_range(int64_t value, int64_t min, int64_t max)
{
	return value >= min && value <= max;
}

static bool is_ratio(struct vencd_rational r)
{
	return (r.num > 0 && r.den > 0) || (!r.num && !r.den);
}

static void check_params(const struct vencd_params *p)
{
	FUZZ_CHECK(FUZZ_TERMINATED(p->label) && FUZZ_TERMINATED(p->null_script));
	FUZZ_CHECK(p->codecs[0] != 0);
	for (unsigned i = 0; i < VENCD_MAX_CODECS; i++)
		FUZZ_CHECK(is_word(p->codecs[i], vencd_codec_name(p->codecs[i])));
	FUZZ_CHECK(is_range(p->width, 1, VENCD_SIZE_MAX) && is_range(p->height, 1, VENCD_SIZE_MAX));
	FUZZ_CHECK(vencd_pixel_format_name(p->format) != NULL);
	FUZZ_CHECK(is_word(p->rate_control, vencd_rate_control_name(p->rate_control)));
	FUZZ_CHECK(is_word(p->latency, vencd_latency_name(p->latency)));
	FUZZ_CHECK(is_word(p->backend, vencd_backend_name(p->backend)));
	FUZZ_CHECK(is_word(p->on_failure, vencd_on_failure_name(p->on_failure)));
	FUZZ_CHECK(is_range(p->quality, -1, 63) && is_range(p->speed, -1, VENCD_SPEED_MAX));
	FUZZ_CHECK(is_range(p->b_frames, -1, 1) && p->gop <= INT32_MAX);
	FUZZ_CHECK(p->bitrate <= 1000000000000 && p->max_bitrate <= 1000000000000);
	FUZZ_CHECK(is_ratio(p->time_base) && is_ratio(p->frame_rate) && is_ratio(p->sample_aspect));
	FUZZ_CHECK(p->colour.full_range <= 1 && p->colour.chroma_location <= 3);
}

/* What the supervisor does next with it, for every encoder there may be. */
static void narrow_to_all(const struct vencd_params *p)
{
	for (const struct encoder_limits *l = encoder_catalogue; l->name; l++) {
		struct encoder_params params;
		struct vencd_refusal refusal;
		struct encoder_info plan = {0};
		struct plane_layout layout;
		int r = encoder_narrow(l, p, &params, &refusal);

		FUZZ_CHECK(r == 0 || r == -EOPNOTSUPP || r == -EINVAL);
		if (r < 0) {
			FUZZ_CHECK(refusal.reason[0] && FUZZ_TERMINATED(refusal.reason));
			continue;
		}
		encoder_plan(l, &params, &plan);
		FUZZ_CHECK(plan.needs_frames >= 1);
		if (plan.needs_frames <= PLANE_MAX_SLOTS)
			FUZZ_CHECK(plane_layout_init(&layout, p->width, p->height, p->format,
					   plan.needs_frames, 1) == 0 &&
				plane_layout_valid(&layout));
	}
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			return false;
	return true;
}

/* As a report echoes it, and an adapter is told it: the same request once more. */
static void send_again(const struct vencd_params *p)
{
	static bool again;
	sd_json_variant *v = NULL;
	struct plan plan = {.method = 0};
	char *text = NULL;

	if (again || !is_plain(p->label) || !is_plain(p->null_script))
		return;
	FUZZ_CHECK(parameters_to_json(p, &v) >= 0);
	FUZZ_CHECK(sd_json_variant_format(v, 0, &text) >= 0);
	sd_json_variant_unref(v);
	plan.text = (struct fuzz_input){(const uint8_t *)text, strlen(text)};
	again = true;
	{
		union wire_message m;
		int pair[2];

		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
		FUZZ_CHECK(client_add(&front, 2, pair[0]) != NULL);
		call(pair[1], &plan);
		run_front();
		FUZZ_CHECK(wire_receive(supervisor, &m, NULL, NULL) == 1);
		FUZZ_CHECK(m.h.type == WIRE_OPEN && memcmp(&m.open.params, p, sizeof(*p)) == 0);
		close(pair[1]);
	}
	again = false;
	free(text);
}

static void check_asked(const union wire_message *m)
{
	switch (m->h.type) {
	case WIRE_OPEN:
		check_params(&m->open.params);
		narrow_to_all(&m->open.params);
		send_again(&m->open.params);
		break;
	case WIRE_CANCEL:
		FUZZ_CHECK(vencd_cancel_cause_name(m->request.cause) != NULL);
		FUZZ_CHECK(FUZZ_TERMINATED(m->request.text));
		break;
	case WIRE_WAIT:
	case WIRE_GET_REPORT:
	case WIRE_LIST:
	case WIRE_ENCODE:
		break;
	default:
		FUZZ_CHECK(!"a front asks for nothing else");
	}
}

/* --- the supervisor --- */

static uint32_t answer_type(uint32_t asked, uint8_t answer)
{
	if (answer & 1)
		return WIRE_REFUSED;
	switch (asked) {
	case WIRE_WAIT:
	case WIRE_GET_REPORT:
		return WIRE_REPORT;
	case WIRE_LIST:
		return answer & 2 ? WIRE_SESSION : WIRE_DONE;
	case WIRE_CANCEL:
		return WIRE_DONE;
	case WIRE_OPEN:
		return answer & 2 ? WIRE_OPENED : WIRE_REFUSED;
	default:
		return WIRE_REFUSED;
	}
}

static void fill(union wire_message *m, const struct plan *plan)
{
	for (size_t i = 0; i < sizeof(*m); i++)
		((uint8_t *)m)[i] = plan->text.size ? plan->text.data[i % plan->text.size] : 0;
}

static void send_opened(union wire_message *m, const struct plan *plan)
{
	int fds[WIRE_MAX_FDS];

	for (unsigned i = 0; i < WIRE_MAX_FDS; i++)
		fds[i] = STDERR_FILENO;
	m->opened.layout.attempts = (plan->answer >> 3) % (PLANE_MAX_ATTEMPTS + 1);
	m->opened.layout.planes %= 5;
	FUZZ_CHECK(wire_send(supervisor, m, fds, WIRE_OPENED_FDS(m->opened.layout.attempts)) == 0);
}

/* A device table of one row, before it is asked for. */
static void tell_devices(const struct plan *plan)
{
	union wire_message m;

	fill(&m, plan);
	m.h.type = WIRE_DEVICE;
	m.device.last = 1;
	m.device.state %= DEVICE_STATE_MAX + 1;
	FUZZ_CHECK(wire_send(supervisor, &m, NULL, 0) == 0);
	run_front();
}

/* An answer whose every number and text is the input's: a driver's words may be anything. */
static void answer(uint64_t seq, uint32_t asked, const struct plan *plan)
{
	union wire_message m;

	fill(&m, plan);
	m.h.type = answer_type(asked, plan->answer);
	m.h.seq = seq;
	if (m.h.type == WIRE_REPORT && plan->answer & 4)
		m.report.report.attempts %= PLANE_MAX_ATTEMPTS + 1;
	if (m.h.type == WIRE_OPENED)
		send_opened(&m, plan);
	else
		FUZZ_CHECK(wire_send(supervisor, &m, NULL, 0) == 0);
	run_front();
}

/* Returns how many requests came, and answers them. */
static int hear(const struct plan *plan)
{
	union wire_message m;
	int requests = 0;

	while (wire_receive(supervisor, &m, NULL, NULL) == 1) {
		if (m.h.type == WIRE_CONNECTION_GONE || m.h.type == WIRE_WAIT_END ||
			m.h.type == WIRE_ENCODE_END)
			continue;
		requests++;
		check_asked(&m);
		answer(m.h.seq, m.h.type, plan);
	}
	return requests;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct plan plan = {fuzz_byte(&in), fuzz_byte(&in), fuzz_byte(&in), in};
	int pair[2], requests, replies, free_fd = fuzz_free_fd();
	struct client *client;

	plan.text = in;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	client = client_add(&front, 1, pair[0]);
	FUZZ_CHECK(client != NULL);
	if (plan.method < METHODS && strcmp(methods[plan.method], "ListDevices") == 0)
		tell_devices(&plan);
	call(pair[1], &plan);
	run_front();
	replies = read_replies(pair[1]);
	requests = hear(&plan);
	if (plan.method < METHODS && !memchr(plan.text.data, '\0', plan.text.size))
		FUZZ_CHECK(requests + (replies != 0) <= 1);
	(void)read_replies(pair[1]);
	close(pair[1]);
	run_front();
	(void)hear(&plan);
	FUZZ_CHECK(LIST_EMPTY(&front.clients) && LIST_EMPTY(&front.encodes));
	FUZZ_CHECK(front.state == FRONT_SERVING);
	FUZZ_CHECK(fuzz_free_fd() == free_fd);
	return 0;
}

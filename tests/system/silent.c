// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * In the place of a worker: passes every probe, and answers nothing any more once it was given an
 * attempt. It sleeps in sigsuspend(), where an inspector must find it.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/wire.h"
#include "hw/catalogue.h"

static void say(void *message)
{
	if (wire_send(WIRE_FD, message, NULL, 0) < 0)
		exit(EXIT_FAILURE);
}

static void answer_probe(const struct wire_probe *probe)
{
	struct wire_probe_case one = {.h = {.type = WIRE_PROBE_CASE, .seq = probe->h.seq}};
	struct wire_probed probed = {.h = {.type = WIRE_PROBED, .seq = probe->h.seq},
		.status = ENCODER_OK,
		.frames = 1,
		.info = {.version = "silent 1"},
		.reach = encoder_limits_find(probe->encoder)->reach};

	one.evidence.state = PROOF_RUNNING;
	say(&one);
	one.evidence.state = PROOF_PASSED;
	say(&one);
	snprintf(probed.encoder, sizeof(probed.encoder), "%s", probe->encoder);
	say(&probed);
}

static _Noreturn void fall_silent(void)
{
	static const char words[] = "silent: from now on\n";
	sigset_t none;

	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		exit(EXIT_FAILURE);
	sigemptyset(&none);
	for (;;)
		sigsuspend(&none);
}

static void answer(const union wire_message *message)
{
	struct wire_plain pong = {.h = {.type = WIRE_PONG, .seq = message->h.seq}};

	if (message->h.type == WIRE_PROBE)
		answer_probe(&message->probe);
	else if (message->h.type == WIRE_PING)
		(void)wire_send(WIRE_FD, &pong, NULL, 0);
	else
		fall_silent();
}

int main(void)
{
	static union wire_message message;
	struct wire_ready ready = {
		.h = {.type = WIRE_READY}, .walls = {.standing = UINT32_MAX, .landlock_abi = 1}};
	struct pollfd p = {.fd = WIRE_FD, .events = POLLIN};
	int fds[WIRE_MAX_FDS];
	unsigned n;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing else ends it where a test is killed */
	say(&ready);
	while (poll(&p, 1, -1) == 1 && wire_receive(WIRE_FD, &message, fds, &n) == 1)
		answer(&message);
	return EXIT_FAILURE;
}

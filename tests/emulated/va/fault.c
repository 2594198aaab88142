// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Plays the faults of a device. Calls are counted for each display. A fault says on stderr what it
 * does before it does it; one that never returns really never returns: nothing that the process
 * does to the thread ends it.
 */

#include "tests/emulated/va/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* One write, so that lines of several threads do not mix; a driver's words are worth no error. */
static void say(const char *vendor, const char *where, uint64_t n, const char *what)
{
	char line[256];
	int size = snprintf(line, sizeof(line), "%s: %s %llu: %s\n", vendor, where,
		(unsigned long long)n, what);

	if (write(STDERR_FILENO, line, (size_t)size) < 0)
		return;
}

static void sleep_ms(uint64_t ms)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)(ms / 1000);
	end.tv_nsec += (long)(ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
}

static void spin_ms(uint64_t ms)
{
	struct timespec now;
	uint64_t end = 0, at;

	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		at = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
		end = end ? end : at + ms;
	} while (at < end);
}

static _Noreturn void wait_for_ever(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	for (;;)
		pause();
}

void fault_hang(const char *vendor, const char *where)
{
	say(vendor, where, 0, "hang");
	wait_for_ever();
}

/* The signal's own death, also under a sanitizer and where it is blocked. */
static void crash(void)
{
	sigset_t set;

	signal(SIGSEGV, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGSEGV);
}

static VAStatus act(const struct fault *f, struct fault_counts *counts)
{
	switch (f->mode) {
	case FAULT_HANG:
		wait_for_ever();
	case FAULT_LATE:
	case FAULT_SLOW:
		sleep_ms(f->arg);
		break;
	case FAULT_SPIN:
		spin_ms(f->arg);
		break;
	case FAULT_CRASH:
		crash();
		break;
	case FAULT_EXIT:
		_exit((int)f->arg);
	case FAULT_ERROR:
		return (VAStatus)f->arg;
	case FAULT_LOST:
		atomic_store(&counts->lost, 1);
		break;
	case FAULT_NONE:
	case FAULT_PRINT:
	case FAULT_GARBAGE: /* of the picture, not of the call */
	case FAULT_MODE_MAX:
		break;
	}
	return VA_STATUS_SUCCESS;
}

static bool concerns(const struct fault *f, enum call call, uint64_t n)
{
	char name[THREAD_NAME_MAX] = "";

	if (f->call != call || (f->n != n && f->n != FAULT_EVERY))
		return false;
	if (!f->thread[0])
		return true;
	prctl(PR_GET_NAME, name);
	return !strncmp(name, f->thread, strlen(f->thread));
}

VAStatus fault_play(const struct fault_script *script, struct fault_counts *counts, enum call call,
	const char *vendor)
{
	uint64_t n = atomic_fetch_add(&counts->calls[call], 1) + 1;
	VAStatus status = VA_STATUS_SUCCESS;

	for (uint32_t i = 0; i < script->n_faults; i++) {
		const struct fault *f = &script->faults[i];

		if (!concerns(f, call, n))
			continue;
		say(vendor, fault_call_name(call), n, fault_mode_name(f->mode));
		status = act(f, counts);
		break;
	}
	return atomic_load(&counts->lost) ? VA_STATUS_ERROR_OPERATION_FAILED : status;
}

enum garbage fault_garbage(const struct fault_script *script, const struct fault_counts *counts)
{
	uint64_t n = atomic_load(&counts->calls[CALL_EndPicture]);

	for (uint32_t i = 0; i < script->n_faults; i++)
		if (script->faults[i].mode == FAULT_GARBAGE &&
			concerns(&script->faults[i], CALL_EndPicture, n))
			return (enum garbage)script->faults[i].arg;
	return GARBAGE_NONE;
}

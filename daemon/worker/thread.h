// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors
#ifndef VENCD_THREAD_H
#define VENCD_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Starts a thread that nobody joins: that would wait for destructors of a library's thread-local
 * data. Returns 0 or -errno.
 */
static inline int thread_start(size_t stack, void *(*function)(void *), void *userdata)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return -r;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, stack);
	r = pthread_create(&thread, &attributes, function, userdata);
	pthread_attr_destroy(&attributes);
	return -r;
}

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The thread of the file of proofs.
 *
 *	NONE ── start ──▶ OPENING ── directory is ours ──▶ READY ── stop, all written ──▶ NONE
 *	  ▲                  │ cannot be used
 *	  └──────────────────┘
 *
 * It has a table of descriptors of its own. A new child closes what it has inherited before it
 * executes its program, and the supervisor waits for that; closing a file whose disk does not
 * answer may take for ever, and nobody else has one.
 *
 * The mutex is never held across a call that could wait. JSON is made and read here as well, since
 * that takes longer than the supervisor should be away.
 *
 * Written is a new file, which is renamed over the old one when all of it is on the disk. The
 * directory is locked: a second daemon would rename what the first has half written. A file that is
 * not a plain one of our own user, that others may write to, or that is too large, is not read; the
 * next proof replaces it.
 *
 * Everything is static: a thread that is left behind touches no memory that anyone frees.
 */

#include "daemon/proof_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/driver_files.h"

#define NEW_NAME PROOF_FILE_NAME ".new"

enum state {
	NONE,
	OPENING,
	READY,
};

struct batch {
	struct proof_record *records;
	unsigned n;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, news;
	struct proof_place place;
	enum state state;
	bool stopping, waiting; /* a batch waits to be written */
	struct batch batch;
	struct proof_found found;
	int directory;  /* the thread's own, as is the next */
	int last_error; /* of writing; 0: went well */
} file = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .directory = -1};

/* --- reading --- */

static int open_directory(void)
{
	const char *path = file.place.directory, *what = "cannot be opened";
	int r = 0;

	file.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file.directory < 0) {
		r = -errno;
	} else if (faccessat(file.directory, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		what = "cannot be written to";
		r = -errno;
	} else if (flock(file.directory, LOCK_EX | LOCK_NB) < 0) {
		what = "is another vencd's";
		r = -errno;
	}
	if (r == 0)
		return 0;
	log_message(file.place.missing, "proofs are not kept: %s %s: %s", path, what, strerror(-r));
	if (file.directory >= 0)
		close(file.directory);
	file.directory = -1;
	return r;
}

/* Why it is not to be read, or NULL. */
static const char *distrust(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is no plain file";
	if (st->st_uid != geteuid())
		return "it is another user's";
	if (st->st_mode & 022)
		return "others may write to it";
	return st->st_size > (off_t)PROOF_FILE_MAX ? "it is too large" : NULL;
}

/* The whole text, as long as the file was when it was opened; NULL with *why. */
static char *read_text(int fd, const char **why)
{
	struct stat st;
	size_t n = 0, size;
	ssize_t got;
	char *text;

	if (fstat(fd, &st) < 0) {
		*why = strerror(errno);
		return NULL;
	}
	*why = distrust(&st);
	size = (size_t)st.st_size;
	text = *why ? NULL : malloc(size + 1);
	while (text && n < size && (got = read(fd, text + n, size - n)) > 0)
		n += (size_t)got;
	if (!text || n < size) {
		*why = *why ? *why : strerror(errno ? errno : EIO);
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

static void parse(const char *text, const char **why)
{
	switch (proof_records_from_text(
		text, PROOF_FILE_RECORDS, &file.found.records, &file.found.n)) {
	case 0:
		break;
	case -ENOMEM:
		*why = strerror(ENOMEM);
		break;
	case -EPROTONOSUPPORT:
		*why = "it has another format";
		break;
	default:
		*why = "it is damaged";
	}
}

static void read_file(void)
{
	int fd = openat(file.directory, PROOF_FILE_NAME,
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	const char *why = NULL;
	char *text = NULL;

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0)
		why = strerror(errno);
	else
		text = read_text(fd, &why);
	if (text)
		parse(text, &why);
	free(text);
	if (fd >= 0)
		close(fd);
	if (why)
		log_warning("%s/" PROOF_FILE_NAME " is not used: %s; the next proof replaces it",
			file.place.directory, why);
}

/* --- writing --- */

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int write_new(const char *text, size_t size)
{
	int fd, r;

	if (unlinkat(file.directory, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(file.directory, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, size);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int replace(const char *text)
{
	size_t size = strlen(text);
	int r = size > PROOF_FILE_MAX ? -EFBIG : write_new(text, size);

	if (r == 0 && renameat(file.directory, NEW_NAME, file.directory, PROOF_FILE_NAME) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(file.directory, NEW_NAME, 0);
	else if (fsync(file.directory) < 0)
		r = -errno;
	return r;
}

/* A disk that is full stays so for a while: it is said once. */
static void write_batch(const struct batch *batch)
{
	char *text = NULL;
	int r = proof_records_to_text(batch->records, batch->n, &text);

	if (r == 0)
		r = replace(text);
	free(text);
	if (r < 0 && r != file.last_error)
		log_warning("%s/" PROOF_FILE_NAME " cannot be written: %s", file.place.directory,
			strerror(-r));
	file.last_error = r;
}

/* --- the thread --- */

/* Called with the mutex. */
static void serve(void)
{
	while (file.waiting || !file.stopping) {
		struct batch batch = file.batch;

		if (!file.waiting) {
			pthread_cond_wait(&file.work, &file.lock);
			continue;
		}
		file.waiting = false;
		pthread_mutex_unlock(&file.lock);
		write_batch(&batch);
		free(batch.records);
		pthread_mutex_lock(&file.lock);
	}
}

/* Of what there is at the start, it needs stderr at most. */
static bool have_own_descriptors(void)
{
	if (close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0)
		return true;
	log_warning("proofs are not kept: close_range: %s", strerror(errno));
	return false;
}

static void *run(void *unused)
{
	bool usable = have_own_descriptors() && open_directory() == 0;

	if (usable) {
		driver_files_identify(file.place.libraries, file.found.libraries);
		read_file();
	}
	pthread_mutex_lock(&file.lock);
	file.state = usable ? READY : NONE;
	pthread_cond_signal(&file.news);
	if (usable) {
		serve();
		pthread_mutex_unlock(&file.lock);
		close(file.directory);
		file.directory = -1;
		pthread_mutex_lock(&file.lock);
		file.state = NONE;
		pthread_cond_signal(&file.news);
	}
	pthread_mutex_unlock(&file.lock);
	return unused;
}

/* The event loop takes signals by a descriptor: no other thread may be there to get them. */
static int start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0) {
		(void)pthread_setname_np(thread, "vencd-proofs");
		pthread_detach(thread);
	}
	return -r;
}

/* Whether it has left the state in time. Called with the mutex. */
static bool wait_while(enum state state, uint32_t wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (file.state == state)
		if (pthread_cond_clockwait(&file.news, &file.lock, CLOCK_MONOTONIC, &until) != 0)
			return file.state != state;
	return true;
}

int proof_file_start(const struct proof_place *place, uint32_t wait_ms, struct proof_found *ret)
{
	int r;

	*ret = (struct proof_found){0};
	pthread_mutex_lock(&file.lock);
	file.place = *place;
	file.state = OPENING;
	file.stopping = false;
	r = start_thread();
	if (r < 0) {
		file.state = NONE;
	} else if (!wait_while(OPENING, wait_ms)) {
		r = -ETIMEDOUT;
	} else if (file.state == NONE) {
		r = -ENODATA;
	} else {
		*ret = file.found;
		file.found.records = NULL;
	}
	pthread_mutex_unlock(&file.lock);
	return r;
}

int proof_file_write(const struct proof_record *const *records, unsigned n)
{
	struct proof_record *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		copy[i] = *records[i];
	pthread_mutex_lock(&file.lock);
	if (file.state != NONE) {
		struct proof_record *old = file.waiting ? file.batch.records : NULL;

		file.batch = (struct batch){copy, n};
		file.waiting = true;
		copy = old;
		pthread_cond_signal(&file.work);
	}
	pthread_mutex_unlock(&file.lock);
	free(copy);
	return 0;
}

void proof_file_stop(uint32_t wait_ms)
{
	pthread_mutex_lock(&file.lock);
	file.stopping = true;
	pthread_cond_signal(&file.work);
	if (file.state == OPENING || (file.state == READY && !wait_while(READY, wait_ms)))
		log_warning("%s does not answer: what was proved last may not be kept",
			file.place.directory);
	pthread_mutex_unlock(&file.lock);
}

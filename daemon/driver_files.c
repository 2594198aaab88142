// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The identity of libva and of the drivers in user space, by their files alone: nothing is loaded.
 * Which of the drivers libva would take for a device is libva's word, so all of a directory count:
 * where one is new, what was known of any of them is asked again. What a driver loads in its turn
 * is not looked at; what it says of its version is told by a probe.
 */

#include "daemon/driver_files.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 1024u /* that are looked at */
#define LIBRARY_END "_drv_video.so"

/* FNV-1a. */
static uint64_t digest(uint64_t hash, const void *data, size_t size)
{
	for (const unsigned char *p = data; size > 0; p++, size--)
		hash = (hash ^ *p) * UINT64_C(0x100000001b3);
	return hash;
}

static bool is_library(const char *name)
{
	size_t n = strlen(name), end = strlen(LIBRARY_END);

	return (n > end && strcmp(name + n - end, LIBRARY_END) == 0) ||
		strcmp(name, "libva.so.2") == 0 || strcmp(name, "libva-drm.so.2") == 0;
}

/* Adds up, so that the order in which a directory has its files does not count. */
static void digest_directory(const char *path, uint64_t *sum, unsigned *n)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && *n < FILES_MAX && (entry = readdir(directory))) {
		uint64_t hash = UINT64_C(0xcbf29ce484222325);
		struct stat st;

		if (!is_library(entry->d_name) ||
			fstatat(dirfd(directory), entry->d_name, &st, 0) < 0)
			continue;
		hash = digest(hash, entry->d_name, strlen(entry->d_name));
		hash = digest(hash, &st.st_size, sizeof(st.st_size));
		hash = digest(hash, &st.st_mtim.tv_sec, sizeof(st.st_mtim.tv_sec));
		hash = digest(hash, &st.st_mtim.tv_nsec, sizeof(st.st_mtim.tv_nsec));
		*sum += hash;
		++*n;
	}
	if (directory)
		closedir(directory);
}

void driver_files_identify(const char *paths, char ret[static DRIVER_FILES_TEXT])
{
	uint64_t sum = 0;
	unsigned n = 0;

	while (*paths) {
		size_t length = strcspn(paths, ":");
		char path[4096];

		snprintf(path, sizeof(path), "%.*s", (int)length, paths);
		digest_directory(path, &sum, &n);
		paths += length + (paths[length] == ':');
	}
	snprintf(ret, DRIVER_FILES_TEXT, "%u files, %016llx", n, (unsigned long long)sum);
}

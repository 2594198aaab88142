// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Runs a fuzz target on the files of a folder, once each, without a fuzzer: what was found once is
 * tried in every build, by every compiler, and a target that no longer compiles shows at once.
 */

#include <dirent.h>
#include <limits.h>

#include "tests/fuzz/fuzz.h"

#define SEED_MAX (64 << 10)

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static void run(const char *folder, const char *name)
{
	uint8_t *data = malloc(SEED_MAX);
	char path[PATH_MAX];
	size_t size;
	FILE *file;

	FUZZ_CHECK(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
	file = fopen(path, "re");
	FUZZ_CHECK(file != NULL && data != NULL);
	size = fread(data, 1, SEED_MAX, file);
	FUZZ_CHECK(size < SEED_MAX && !ferror(file));
	fclose(file);
	fprintf(stderr, "%s\n", name);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	unsigned n = 0;
	DIR *folder;

	/* First: a target may need a descriptor of a certain number. */
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	folder = argc == 2 ? opendir(argv[1]) : NULL;
	FUZZ_CHECK(folder != NULL);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.') {
			run(argv[1], entry->d_name);
			n++;
		}
	closedir(folder);
	printf("%u inputs\n", n);
	return n ? 0 : 1;
}

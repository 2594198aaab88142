// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * vencd.conf. The input is the file. One that is taken has values that fit together, and printed
 * and read again it is the same; one that is refused says so in a line that begins with its path.
 */

#include <errno.h>
#include <sys/mman.h>

#include "daemon/config.h"
#include "tests/fuzz/fuzz.h"

#define PATH_SIZE 32

static int file_of(const void *data, size_t size, char path[PATH_SIZE])
{
	int fd = memfd_create("vencd.conf", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
	return fd;
}

static int load(struct config *config, const void *data, size_t size)
{
	struct config_error error = {.line = UINT32_MAX};
	char path[PATH_SIZE];
	int fd = file_of(data, size, path);
	int r = config_load(config, path, true, &error);

	close(fd);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r == 0)
		return r;
	FUZZ_CHECK(FUZZ_TERMINATED(error.text));
	FUZZ_CHECK(strncmp(error.text, path, strlen(path)) == 0);
	FUZZ_CHECK(strlen(error.text) > strlen(path) + 2);
	FUZZ_CHECK(error.line <= size + 1);
	return r;
}

static char *print(const struct config *config, size_t *size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, size);

	FUZZ_CHECK(file != NULL);
	config_print(file, config);
	fclose(file);
	return text;
}

static void check_values(const struct config *c)
{
	const uint32_t budgets[] = {c->start_budget_ms, c->own_budget_ms, c->probe_budget_ms,
		c->open_budget_ms, c->encode_budget_ms, c->flush_budget_ms, c->close_budget_ms,
		c->answer_budget_ms};

	FUZZ_CHECK(FUZZ_TERMINATED(c->socket) && c->socket[0] == '/');
	FUZZ_CHECK(FUZZ_TERMINATED(c->software) && FUZZ_TERMINATED(c->null_probe_script));
	FUZZ_CHECK(c->socket_mode <= 0777);
	FUZZ_CHECK(c->sessions_per_user >= 1 && c->sessions_per_user <= c->sessions_max);
	FUZZ_CHECK(c->tick_ms > 0);
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
		FUZZ_CHECK(c->tick_ms <= budgets[i] / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config, again;
	size_t first_size, second_size;
	char *first, *second;

	if (load(&config, data, size) < 0)
		return 0;
	check_values(&config);
	first = print(&config, &first_size);
	FUZZ_CHECK(load(&again, first, first_size) == 0);
	second = print(&again, &second_size);
	FUZZ_CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
	free(first);
	free(second);
	return 0;
}

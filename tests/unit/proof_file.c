// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * Kept proofs as text and as a file: what is written is what is read, a worker's words that are no
 * text included; and a process that is killed while it writes without a pause, time after time,
 * leaves a whole file, of one batch or of the next.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/proof_file.h"
#include "tests/unit/check.h"

#define ROUNDS 60
#define WAIT_MS 30000

static char directory[] = "/tmp/vencd-test-proofs-XXXXXX";

static void fill(struct proof_record *record, unsigned cases)
{
	*record = (struct proof_record){.proved_us = UINT64_C(1) << 60,
		.ms = UINT32_MAX,
		.frames = 512,
		.pixel_rate = UINT64_MAX,
		.reach = {.max_width = 4096, .max_height = 4096, .size_multiple = 2}};
	strcpy(record->key.encoder, "h264_vaapi");
	strcpy(record->key.device, "pci-0000:03:00.0");
	record->key.cases = PROOF_CASES_VERSION;
	strcpy(record->version, "libavcodec 61.19.101, \"quoted\" \\ driver");
	record->proof.n = cases;
	for (unsigned i = 0; i < cases; i++) {
		struct proof_evidence *e = &record->proof.cases[i];

		snprintf(e->asked.name, sizeof(e->asked.name), "case %u", i);
		e->asked.subject = PROOF_RATE;
		e->state = i % 2 ? PROOF_FAILED : PROOF_PASSED;
		e->status = i % 2 ? ENCODER_LIBRARY : ENCODER_OK;
		e->psnr = 4321 + i;
		memset(e->text, 'a' + (int)i, sizeof(e->text) - 1);
	}
}

static void check_text(void)
{
	static struct proof_record records[2];
	struct proof_record *read = NULL;
	unsigned n = 0;
	char *text;

	fill(&records[0], PROOF_CASES_MAX);
	fill(&records[1], 1);
	CHECK_EQUAL(proof_records_to_text(records, 2, &text), 0);
	CHECK_EQUAL(proof_records_from_text(text, 2, &read, &n), 0);
	CHECK_EQUAL(n, 2);
	CHECK(memcmp(read, records, sizeof(records)) == 0);
	free(read);
	CHECK_EQUAL(proof_records_from_text(text, 1, &read, &n), -EBADMSG);
	free(text);
	strcpy(records[0].proof.cases[1].text, "\xff\xfe\x01 said the driver");
	CHECK_EQUAL(proof_records_to_text(records, 1, &text), 0);
	CHECK_EQUAL(proof_records_from_text(text, 1, &read, &n), 0);
	CHECK(strcmp(read->proof.cases[1].text, "??? said the driver") == 0);
	free(read);
	free(text);
	CHECK_EQUAL(proof_records_to_text(records, 0, &text), 0);
	CHECK_EQUAL(proof_records_from_text(text, 1, &read, &n), 0);
	CHECK_EQUAL(n, 0);
	free(read);
	free(text);
}

/* One mistake refuses all of it. */
static void check_refused(const char *from, const char *to, int expected)
{
	static struct proof_record record;
	struct proof_record *read;
	char *text, *place, changed[1 << 16];
	unsigned n;
	int r;

	fill(&record, 4);
	CHECK_EQUAL(proof_records_to_text(&record, 1, &text), 0);
	place = strstr(text, from);
	CHECK(place);
	CHECK(snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(place - text), text, to,
		      place + strlen(from)) < (int)sizeof(changed));
	r = proof_records_from_text(changed, 1, &read, &n);
	if (r != expected)
		fprintf(stderr, "%s instead of %s: %d\n", to, from, r);
	CHECK_EQUAL(r, expected);
	if (r == 0)
		free(read);
	free(text);
}

static void check_mistakes(void)
{
	static char deep[20001];
	struct proof_record *read;
	unsigned n;

	check_refused("\"psnr\":4321", "\"psnr\":4322", 0);
	check_refused("\"format\":2", "\"format\":3", -EPROTONOSUPPORT);
	check_refused("\"format\":2", "\"format\":\"2\"", -EBADMSG);
	check_refused("\"psnr\":4321", "\"psnr\":4294967296", -EBADMSG);
	check_refused("\"psnr\":4321", "\"psnr\":-1", -EBADMSG);
	check_refused("\"psnr\":4321", "\"psnr\":1.5", -EBADMSG);
	check_refused("\"psnr\":4321,", "", -EBADMSG);
	check_refused("\"psnr\":4321", "\"psnr\":[]", -EBADMSG);
	check_refused("\"state\":2", "\"state\":1", -EBADMSG);
	check_refused("\"state\":2", "\"state\":3", -EBADMSG); /* the base */
	check_refused("\"state\":3", "\"state\":4", -EBADMSG);
	check_refused("\"subject\":2", "\"subject\":99", -EBADMSG);
	check_refused("\"status\":8", "\"status\":99", -EBADMSG);
	check_refused(
		"\"case\":\"case 0\"", "\"case\":\"0123456789012345678901234567890x\"", -EBADMSG);
	check_refused("\"case\":\"case 0\"", "\"case\":null", -EBADMSG);
	check_refused("\"maxWidth\":4096", "\"maxWidth\":0,\"x\":0", 0);
	check_refused("\"minWidth\":0", "\"minWidth\":4097", -EBADMSG);
	check_refused("\"key\":{", "\"key\":0,\"x\":{", -EBADMSG);
	check_refused("\"proof\":[", "\"proof\":[],\"x\":[", -EBADMSG);
	check_refused("\"proof\":[", "\"proof\":[7,", -EBADMSG);
	check_refused("\"encoders\":[", "\"encoders\":[[],", -EBADMSG);
	check_refused("]}", "", -EBADMSG);
	memset(deep, '[', sizeof(deep) - 1);
	CHECK_EQUAL(proof_records_from_text(deep, 1, &read, &n), -EBADMSG);
	CHECK_EQUAL(proof_records_from_text("", 1, &read, &n), -EBADMSG);
	CHECK_EQUAL(proof_records_from_text("[1]", 1, &read, &n), -EBADMSG);
	CHECK_EQUAL(proof_records_from_text("7", 1, &read, &n), -EBADMSG);
}

static void check_keys(void)
{
	struct proof_record a, b;

	fill(&a, 1);
	fill(&b, 1);
	CHECK(!proof_key_difference(&a.key, &b.key));
	b.key.subproduct = 1;
	CHECK(strcmp(proof_key_difference(&a.key, &b.key), "subsystemDeviceId") == 0);
	b.key.subproduct = 0;
	strcpy(b.key.driver, "i915");
	CHECK(strcmp(proof_key_difference(&a.key, &b.key), "driver") == 0);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static struct proof_place place(void)
{
	return (struct proof_place){directory, "/nowhere", LOG_LEVEL_ERROR};
}

/* Writes one record, then as many as there can be, then one, until it is killed. */
static void write_for_ever(void)
{
	static struct proof_record record;
	const struct proof_record *records[PROOF_FILE_RECORDS];
	const struct proof_place where = place();
	struct proof_found found;
	unsigned n = 1;

	fill(&record, PROOF_CASES_MAX);
	for (unsigned i = 0; i < PROOF_FILE_RECORDS; i++)
		records[i] = &record;
	if (proof_file_start(&where, WAIT_MS, &found) < 0)
		_exit(1);
	for (;;) {
		if (proof_file_write(records, n) < 0)
			_exit(2);
		n = PROOF_FILE_RECORDS + 1 - n;
		usleep(500); /* what waits is replaced: let it be written */
	}
}

/* Until there is another file than the one of the round before. Returns when it was written. */
static long await_file(pid_t writer, long before)
{
	for (;;) {
		struct stat st;

		if (stat(path_of(PROOF_FILE_NAME), &st) == 0 && st.st_mtim.tv_nsec != before)
			return st.st_mtim.tv_nsec;
		CHECK_EQUAL(waitpid(writer, NULL, WNOHANG), 0);
		usleep(200);
	}
}

static void check_file(void)
{
	static char text[PROOF_FILE_MAX];
	int fd = open(path_of(PROOF_FILE_NAME), O_RDONLY | O_CLOEXEC);
	struct proof_record *records;
	ssize_t size = 0, got;
	unsigned n;

	CHECK(fd >= 0);
	while ((got = read(fd, text + size, sizeof(text) - 1 - (size_t)size)) > 0)
		size += got;
	close(fd);
	text[size] = '\0';
	CHECK_EQUAL(proof_records_from_text(text, PROOF_FILE_RECORDS, &records, &n), 0);
	CHECK(n == 1 || n == PROOF_FILE_RECORDS);
	free(records);
}

static void check_kills(void)
{
	long last = -1;
	int status;

	srand(1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		pid_t writer = fork();

		if (writer == 0)
			write_for_ever();
		CHECK(writer > 0);
		last = await_file(writer, last);
		usleep((unsigned)rand() % 20000);
		CHECK(kill(writer, SIGKILL) == 0);
		CHECK(waitpid(writer, &status, 0) == writer && WIFSIGNALED(status));
		check_file();
	}
}

/* What was queued last is on disk when the end has been waited for, and is found again. */
static void check_end(void)
{
	static struct proof_record record;
	const struct proof_record *records[] = {&record, &record, &record};
	const struct proof_place where = place();
	struct proof_found found;

	fill(&record, 2);
	CHECK_EQUAL(proof_file_start(&where, WAIT_MS, &found), 0);
	CHECK(strncmp(found.libraries, "0 files, ", 9) == 0);
	free(found.records);
	for (unsigned n = 0; n < 4; n++)
		CHECK_EQUAL(proof_file_write(records, n), 0);
	proof_file_stop(WAIT_MS);
	CHECK_EQUAL(proof_file_start(&where, WAIT_MS, &found), 0);
	CHECK_EQUAL(found.n, 3);
	CHECK(memcmp(&found.records[2], &record, sizeof(record)) == 0);
	free(found.records);
	proof_file_stop(WAIT_MS);
	CHECK(access(path_of(PROOF_FILE_NAME ".new"), F_OK) < 0);
}

int main(void)
{
	CHECK(mkdtemp(directory));
	check_text();
	check_mistakes();
	check_keys();
	check_kills();
	check_end();
	CHECK(unlink(path_of(PROOF_FILE_NAME)) == 0);
	CHECK(rmdir(directory) == 0);
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The settings of the daemon's unit that keep a GPU, or an encoder, from working: one table. What
 * certainly does is bad; what some driver may be without is a note.
 *
 * Not judged: what costs vencd nothing (PrivateNetwork, RestrictNamespaces, NoNewPrivileges, the
 * Protect settings but those of /proc), and LimitMEMLOCK, since neither vencd nor VA-API locks
 * memory. A daemon that was not started by this unit is not held by it; its own word about each
 * GPU stands beside these findings.
 */

#include <fnmatch.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/vencctl/doctor.h"
#include "client/vencctl/doctor_unit.h"

#define CULPRIT_MAX 128u
#define NODES "/dev/dri/renderD*"
#define GROUPS_OF_USER 64
#define MIB (1024u * 1024u)

/* One setting, what is wrong with it, and what to do. */
struct check {
	enum unit_property property;
	enum finding_state state;
	/* Whether it hurts; if so, culprit is what follows the setting's name. */
	bool (*hurts)(const struct unit *unit, const struct check *check, char *culprit);
	const char *words; /* between spaces */
	uint64_t least;
	const char *effect, *advice;
};

/* --- ways in which a setting hurts --- */

static const struct unit_value *value_of(const struct unit *unit, const struct check *check)
{
	return &unit->value[check->property];
}

static bool is_true(const struct unit *unit, const struct check *check, char *culprit)
{
	snprintf(culprit, CULPRIT_MAX, "=yes");
	return value_of(unit, check)->truth;
}

static bool is_below(const struct unit *unit, const struct check *check, char *culprit)
{
	const struct unit_value *v = value_of(unit, check);

	snprintf(culprit, CULPRIT_MAX, "=%llu", (unsigned long long)v->number);
	return v->number < check->least;
}

/* The next of the words between spaces, or false. */
static bool next_word(const char **words, char *ret, size_t size)
{
	size_t n;

	*words += strspn(*words, " ");
	n = strcspn(*words, " ");
	snprintf(ret, size, "%.*s", (int)n, *words);
	*words += n;
	return n > 0;
}

static bool is_one_of(const struct unit *unit, const struct check *check, char *culprit)
{
	const struct unit_value *v = value_of(unit, check);
	const char *words = check->words;
	char word[CULPRIT_MAX];

	snprintf(culprit, CULPRIT_MAX, "=%s", v->text);
	while (next_word(&words, word, sizeof(word)))
		if (strcmp(word, v->text) == 0)
			return true;
	return false;
}

/* Denied system calls may have an error behind a colon. */
static bool has_word(char *const *list, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; list && list[i]; i++)
		if (strncmp(list[i], word, n) == 0 && (!list[i][n] || list[i][n] == ':'))
			return true;
	return false;
}

/* Of a filter: that one of the words is not allowed, or denied. No filter is an empty denial. */
static bool keeps_out(const struct unit *unit, const struct check *check, char *culprit)
{
	const struct unit_value *v = value_of(unit, check);
	const char *words = check->words;
	char word[CULPRIT_MAX];

	while (next_word(&words, word, sizeof(word))) {
		snprintf(culprit, CULPRIT_MAX, " keeps out %.60s", word);
		if (has_word(v->list, word) != v->truth)
			return true;
	}
	return false;
}

/* --- devices --- */

/* An entry is a node or a class of them, and what may be done: "char-drm rw". */
static bool allows_drm(char *const *list)
{
	for (size_t i = 0; list && list[i]; i++) {
		const char *space = strrchr(list[i], ' ');
		char pattern[CULPRIT_MAX];

		if (!space || !strchr(space, 'r') || !strchr(space, 'w'))
			continue;
		snprintf(pattern, sizeof(pattern), "%.*s", (int)(space - list[i]), list[i]);
		if (fnmatch(pattern, "char-drm", 0) == 0 || strncmp(pattern, "/dev/dri", 8) == 0)
			return true;
	}
	return false;
}

/* With the policy "auto", a list that is not empty is all that is allowed. */
static bool shuts_out(const struct unit *unit, const struct check *check, char *culprit)
{
	char *const *allowed = unit->value[UNIT_DEVICE_ALLOW].list;
	const char *policy = value_of(unit, check)->text;

	snprintf(culprit, CULPRIT_MAX, "=%s", policy);
	if (strcmp(policy, "auto") == 0 && !(allowed && *allowed))
		return false;
	return !allows_drm(allowed);
}

static bool is_named(const char *name, gid_t gid)
{
	const struct group *group = getgrnam(name);
	char number[16];

	snprintf(number, sizeof(number), "%u", gid);
	return (group && group->gr_gid == gid) || strcmp(name, number) == 0;
}

/* systemd gives a process the groups of its user, too. One that is made anew has none. */
static bool has_user_group(const char *name, gid_t gid)
{
	const struct passwd *user = getpwnam(name);
	gid_t groups[GROUPS_OF_USER];
	int n = GROUPS_OF_USER;

	if (!user || getgrouplist(name, user->pw_gid, groups, &n) < 0)
		return false;
	while (n-- > 0)
		if (groups[n] == gid)
			return true;
	return false;
}

static bool has_group(const struct unit *unit, gid_t gid)
{
	char *const *more = unit->value[UNIT_SUPPLEMENTARY_GROUPS].list;
	const char *group = unit->value[UNIT_GROUP].text;

	for (size_t i = 0; more && more[i]; i++)
		if (is_named(more[i], gid))
			return true;
	return (group && *group && is_named(group, gid)) ||
		has_user_group(unit->value[UNIT_USER].text, gid);
}

static bool is_root(const char *user)
{
	return !*user || strcmp(user, "root") == 0 || strcmp(user, "0") == 0;
}

static bool is_closed_to(const struct unit *unit, const char *node, char *culprit)
{
	const struct group *group;
	struct stat st;

	if (stat(node, &st) < 0 || (st.st_mode & 06) == 06 || has_group(unit, st.st_gid))
		return false;
	group = getgrgid(st.st_gid);
	snprintf(culprit, CULPRIT_MAX, "=%.24s, which is not in group %.24s of %.30s",
		unit->value[UNIT_USER].text, group ? group->gr_name : "?", node);
	return true;
}

static bool is_locked_out(const struct unit *unit, const struct check *check, char *culprit)
{
	bool closed = false;
	glob_t found;

	if (is_root(value_of(unit, check)->text) || glob(NODES, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc && !closed; i++)
		closed = is_closed_to(unit, found.gl_pathv[i], culprit);
	globfree(&found);
	return closed;
}

/* --- the table --- */

static const struct check checks[] = {
	{UNIT_PRIVATE_DEVICES, STATE_BAD, is_true, .effect = "hides /dev/dri from the daemon",
		.advice =
			"set PrivateDevices=no, and DeviceAllow=char-drm rw to let in GPUs alone"},
	{UNIT_DEVICE_POLICY, STATE_BAD, shuts_out,
		.effect = "no DeviceAllow lets in render nodes, so none can be opened",
		.advice = "set DeviceAllow=char-drm rw"},
	{UNIT_USER, STATE_BAD, is_locked_out, .effect = "render nodes do not let it in",
		.advice = "set SupplementaryGroups= to that group; most hosts call it render"},
	{UNIT_RESTRICT_ADDRESS_FAMILIES, STATE_BAD, keeps_out, "AF_UNIX",
		.effect = "the daemon talks to clients and children by nothing else",
		.advice = "add AF_UNIX to RestrictAddressFamilies"},
	{UNIT_SYSTEM_CALL_FILTER, STATE_BAD, keeps_out,
		"ioctl memfd_create pidfd_send_signal landlock_create_ruleset seccomp",
		.effect = "the daemon, its walls or a driver needs it",
		.advice = "allow it: SystemCallFilter=@system-service @sandbox has all of them"},
	{UNIT_MEMORY_DENY_WRITE_EXECUTE, STATE_NOTE, is_true,
		.effect = "drivers that compile code at run time, as Mesa's may, fail",
		.advice = "set MemoryDenyWriteExecute=no"},
	{UNIT_PROC_SUBSET, STATE_NOTE, is_one_of, "pid",
		.effect = "hides /proc/cpuinfo and /proc/driver, which encoders and drivers read",
		.advice = "set ProcSubset=all"},
	{UNIT_PROTECT_PROC, STATE_NOTE, is_one_of, "noaccess ptraceable",
		.effect = "a report cannot say where a wedged call hangs: its worker is not seen",
		.advice = "set ProtectProc=invisible"},
	{UNIT_LIMIT_NOFILE, STATE_NOTE, is_below, .least = DESCRIPTORS_WANTED,
		.effect = "fewer descriptors than FdsPerUser lets one user have",
		.advice = "set LimitNOFILE=65536"},
	{UNIT_TASKS_MAX, STATE_NOTE, is_below, .least = 1024,
		.effect = "each worker has threads, so that few sessions fit",
		.advice = "set TasksMax=infinity, or thousands"},
	{UNIT_MEMORY_MAX, STATE_NOTE, is_below, .least = 512 * MIB,
		.effect = "few sessions fit, and the kernel kills what exceeds it",
		.advice = "set MemoryMax=infinity, or gigabytes"},
};

static bool check_one(struct findings *f, const struct unit *unit, const struct check *check)
{
	char culprit[CULPRIT_MAX] = "";

	if (!value_of(unit, check)->known || !check->hurts(unit, check, culprit))
		return false;
	findings_add(f, check->state, "unit", check->advice, "%s%s: %s",
		unit_property_name(check->property), culprit, check->effect);
	return true;
}

static void check_all(struct findings *f, const struct unit *unit)
{
	const struct unit_value *active = &unit->value[UNIT_ACTIVE_STATE];
	bool any = false;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		any |= check_one(f, unit, &checks[i]);
	if (!any)
		findings_add(f, STATE_GOOD, "unit", "",
			"%s (%s): none of its settings is in the way", UNIT_NAME,
			active->known ? active->text : "?");
}

static bool is_loaded(const struct unit *unit)
{
	const struct unit_value *load = &unit->value[UNIT_LOAD_STATE];

	return load->known && strcmp(load->text, "loaded") == 0;
}

void doctor_check_unit(struct findings *f)
{
	char text[TEXT_MAX / 2] = "";
	struct unit unit;

	if (unit_ask(&unit, text, sizeof(text)) < 0)
		findings_add(f, STATE_NOTE, "unit", "", "no word from systemd of %s: %s", UNIT_NAME,
			text);
	else if (!is_loaded(&unit))
		findings_add(f, STATE_NOTE, "unit", "", "systemd has no %s (%.40s)", UNIT_NAME,
			unit.value[UNIT_LOAD_STATE].known ? unit.value[UNIT_LOAD_STATE].text
							  : "nothing is said of it");
	else
		check_all(f, &unit);
	unit_clear(&unit);
}

/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - madang doctor: is the namespace usable, and is all in it as it should be?
 *
 * Everything is found out first, each part on its own, so that one refusal does not hide the rest;
 * doctor_print.c then prints it. It never makes a namespace, and changes one only with --repair,
 * and then only what the library holds to be safe to mend.
 */
#include "doctor/doctor.h"
#include "run/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/command.h"
#include "madang/msg.h"
#include "madang/sem.h"
#include "base/progress.h"
#include "msgqueue/check.h"
#include "segment/hostcalls.h"
#include "semset/check.h"

static const struct option_row option_rows[] = {
	FLAG('r', "repair", "mend what is safe to mend, and say what was done"),
	FLAG('v', "verbose", "also what is as it should be: records of ended processes"),
	FLAG('j', "json", "as JSON, for programs"),
	OPTION_NAMESPACE,
	OPTION_HELP,
	OPTIONS_END,
};

#define TMPFS_NUMBER   0x01021994 /* statfs(2) */
#define RAMFS_NUMBER   0x858458f6
#define OVERLAY_NUMBER 0x794c7630

bool doctor_is_wrong(const struct mdg_finding *finding)
{
	switch (finding->kind) {
	case MDG_FOUND_LOCK_HELD:
	case MDG_FOUND_DEAD_SLOT:
	case MDG_FOUND_DEAD_OWNER:
	case MDG_FOUND_HALF_MADE:
		return false;
	default:
		return !finding->repaired;
	}
}

bool doctor_is_full(const struct diagnosis *diagnosis)
{
	return diagnosis->has_memory && diagnosis->memory_total > 0 &&
	       (diagnosis->memory_free < diagnosis->page_size || diagnosis->files_free == 0);
}

static int keep_finding(const struct mdg_finding *finding, void *context)
{
	struct diagnosis *diagnosis = context;
	struct mdg_finding *more =
		list_grow(diagnosis->findings, diagnosis->finding_count, sizeof *more);

	if (more == NULL) {
		diagnosis->findings_lost++;
		return 0;
	}
	diagnosis->findings = more;
	diagnosis->findings[diagnosis->finding_count++] = *finding;
	return 0;
}

/* The directory as it lies there, also when it is refused. */
static void look_at_directory(struct diagnosis *diagnosis)
{
	struct stat status;

	if (lstat(diagnosis->path, &status) != 0)
		return;
	diagnosis->exists = true;
	diagnosis->owner = (uint32_t)status.st_uid;
	diagnosis->mode = (unsigned)status.st_mode & 07777u;
}

/* The file system behind it, or behind the directory in which it would be made. */
static void look_at_memory(struct diagnosis *diagnosis)
{
	char place[NAMESPACE_PATH_ROOM];
	struct statvfs space;
	struct statfs system;

	snprintf(place, sizeof place, "%s", diagnosis->path);
	if (!diagnosis->exists) {
		char *slash = strrchr(place, '/');
		if (slash == NULL)
			strcpy(place, ".");
		else
			slash[slash == place] = '\0';
	}
	if (diagnosis->open_code == -ENOENT && access(place, W_OK | X_OK) != 0)
		diagnosis->place_error = errno;
	if (statvfs(place, &space) != 0)
		return;
	diagnosis->has_memory = true;
	diagnosis->memory_total = (uint64_t)space.f_blocks * space.f_frsize;
	diagnosis->memory_free = (uint64_t)space.f_bavail * space.f_frsize;
	/* File systems without a fixed number of files say 0 for both. */
	diagnosis->files_free = space.f_files == 0 ? UINT64_MAX : (uint64_t)space.f_favail;
	diagnosis->no_execution = (space.f_flag & ST_NOEXEC) != 0;
	diagnosis->kind = "unknown";
	if (statfs(place, &system) == 0) {
		uint32_t number = (uint32_t)system.f_type;
		diagnosis->kind = number == TMPFS_NUMBER     ? "tmpfs"
		                  : number == RAMFS_NUMBER   ? "ramfs"
		                  : number == OVERLAY_NUMBER ? "overlay"
		                                             : "disk";
	}
}

static void count_orphans(struct diagnosis *diagnosis, mdg_namespace *ns)
{
	struct mdg_segment_info segment = { .size = sizeof segment };
	uint32_t cursor = 0;

	while (mdg_segment_next(ns, &cursor, MDG_STAT_CREATOR, &segment) > 0)
		diagnosis->orphans += segment.attached == 0 && !segment.creator_alive &&
		                      segment.kind != MDG_SEGMENT_HEAP;
}

/* How many there are, for the line of progress. */
static uint64_t count_of(mdg_namespace *ns, enum mdg__class class)
{
	struct mdg__host_totals totals;

	return mdg__host_totals(ns, class, &totals) == 0 ? totals.used : 0;
}

/* The sets and queues of others are counted, and not looked into. */
static void look_at_sets(struct diagnosis *diagnosis, mdg_namespace *ns)
{
	struct mdg_semset_info set = { .size = sizeof set };
	uint32_t cursor = 0;

	while (mdg_semset_next(ns, &cursor, &set) > 0) {
		progress_show("semaphore sets", diagnosis->sets, count_of(ns, MDG__SEMAPHORE_SETS));
		diagnosis->sets++;
		diagnosis->semaphores += set.count;
		(void)mdg__semset_check(ns, set.id, diagnosis->repair, keep_finding, diagnosis);
	}
}

static void look_at_queues(struct diagnosis *diagnosis, mdg_namespace *ns)
{
	struct mdg_msgqueue_info queue = { .size = sizeof queue };
	uint32_t cursor = 0;

	while (mdg_msgqueue_next(ns, &cursor, &queue) > 0) {
		progress_show("queues", diagnosis->queues, count_of(ns, MDG__MESSAGE_QUEUES));
		(void)mdg__msgqueue_check(ns, queue.id, diagnosis->repair, keep_finding, diagnosis);
		diagnosis->queues++;
		diagnosis->messages += queue.messages;
		diagnosis->message_bytes += queue.bytes;
	}
}

static void look_inside(struct diagnosis *diagnosis)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_EXISTING };
	mdg_namespace *ns;

	diagnosis->open_code = diagnosis->repair ? mdg_namespace_open(&ns, diagnosis->dir, &options)
	                                         : namespace_try_to_look(&ns, diagnosis->dir);
	if (diagnosis->open_code != 0)
		return;
	/* The check first: --repair shows its effect in the numbers. */
	progress_show("registry and segments", 0, 0);
	diagnosis->check_code = mdg_namespace_check(ns, diagnosis->repair ? MDG_CHECK_REPAIR : 0,
	                                            keep_finding, diagnosis);
	look_at_sets(diagnosis, ns);
	look_at_queues(diagnosis, ns);
	diagnosis->info.size = sizeof diagnosis->info;
	diagnosis->has_info = mdg_namespace_info(ns, MDG_INFO_RESIDENT, &diagnosis->info) == 0;
	count_orphans(diagnosis, ns);
	progress_end();
	mdg_namespace_close(ns);
}

/* A namespace that is not there yet is healthy, if the first program can make it. If its directory
 * is there without a registry, the open says so: MDG_NOT_REGISTRY, or -ENOENT for an empty one. */
static void count_wrong(struct diagnosis *diagnosis)
{
	if (diagnosis->open_code != 0 && diagnosis->open_code != -ENOENT)
		diagnosis->wrong++;
	if (diagnosis->place_error != 0)
		diagnosis->wrong++;
	if (diagnosis->check_code < 0)
		diagnosis->wrong++;
	for (size_t i = 0; i < diagnosis->finding_count; i++)
		diagnosis->wrong += doctor_is_wrong(&diagnosis->findings[i]);
	diagnosis->wrong += (unsigned)diagnosis->findings_lost;
	diagnosis->wrong += doctor_is_full(diagnosis);
}

/* Takes one option of the command line. */
static int take(int option, const char *value, void *context)
{
	struct diagnosis *diagnosis = context;

	switch (option) {
	case 'r':
		diagnosis->repair = true;
		break;
	case 'v':
		diagnosis->verbose = true;
		break;
	case 'j':
		diagnosis->as_json = true;
		break;
	case 'n':
		diagnosis->dir = value;
		break;
	default:
		break;
	}
	return TOOL_OK;
}

static int doctor_main(const struct command *command, int argc, char **argv)
{
	struct diagnosis diagnosis = { 0 };
	int status = options_parse(command, argc, argv, take, &diagnosis);

	if (status != TOOL_OK)
		return status;
	if (optind < argc)
		return usage_error(
			"unexpected argument '%s' (a namespace is given with --namespace)",
			argv[optind]);
	namespace_path(diagnosis.path, diagnosis.dir);
	diagnosis.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	diagnosis.has_proc = access("/proc/self/stat", R_OK) == 0;
	diagnosis.has_preload = preload_find(diagnosis.preload, sizeof diagnosis.preload);
	look_at_directory(&diagnosis);
	diagnosis.has_remains = remains_find(&diagnosis.remains, diagnosis.path);
	look_inside(&diagnosis);
	look_at_memory(&diagnosis);
	diagnosis.strays = diagnosis.repair ? private_sweep() : private_count_strays();
	count_wrong(&diagnosis);
	if (diagnosis.as_json)
		doctor_print_json(&diagnosis);
	else
		doctor_print_text(&diagnosis);
	free(diagnosis.findings);
	return diagnosis.wrong == 0 ? TOOL_OK : TOOL_TROUBLE;
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "say whether the namespace is healthy, and mend it",
	.synonyms = "check fsck repair info",
	.usage = "doctor [--repair] [--verbose] [--json] [--namespace DIR]",
	.about = "Says whether a namespace is usable and healthy. It looks at the directory, the\n"
		 "limits and the use, the memory behind it, and each damaged or stale record.\n",
	.options = option_rows,
	.notes = "Exit status: 0 healthy (or not there yet), 1 something remains wrong, 2 usage.\n",
	.run = doctor_main,
};

/* SPDX-License-Identifier: MIT */
/*
 * health.c - mdg_namespace_check: what is wrong with a namespace, and mending it.
 *
 * registry/check.c checks the registry alone. This file also looks which processes are dead and
 * which files are there. The order matters:
 *   1. the writer lock, because nothing can be believed while it has a dead owner,
 *   2. the registry's own invariants,
 *   3. dead processes,
 *   4. objects without a file, and files without an object.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "registry/alive.h"
#include "registry/check.h"
#include "registry/current.h"
#include "registry/descriptor.h"
#include "registry/files.h"
#include "registry/object.h"
#include "registry/presence.h"
#include "registry/tie.h"
#include "segment/internal.h"

/* Findings are collected, and reported when no lock is held any more, because the caller's function
 * may be slow. */
#define FINDINGS_MOST 512u
#define QUIET_TRIES   16
#define CHANGE_PAUSES 4 /* to let a change be finished: 1, 2, 4, 8 ms */

struct findings {
	struct mdg_namespace *ns;
	struct mdg_finding *list;
	uint32_t count;
	bool repair;
	int remaining;
	int pauses; /* made so far to let changes be finished */
};

static void tell(struct findings *findings, const struct mdg_finding *finding)
{
	if (!finding->repaired)
		findings->remaining++;
	if (findings->count < FINDINGS_MOST)
		findings->list[findings->count++] = *finding;
}

static void __attribute__((format(printf, 6, 7)))
say(struct findings *findings, uint32_t kind, bool repaired, int32_t id, int32_t pid,
    const char *format, ...)
{
	struct mdg_finding finding = {
		.size = sizeof finding, .kind = kind, .repaired = repaired, .id = id, .pid = pid
	};
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(finding.text, sizeof finding.text, format, arguments);
	va_end(arguments);
	tell(findings, &finding);
}

/* ---- the lock ------------------------------------------------------------------ */

static void check_lock(struct findings *findings)
{
	struct mdg__registry *registry = &findings->ns->registry;
	uint32_t word = mdg__get32(&registry->head->lock), slot1 = word & MDG__SIGN_SLOT1;
	if (slot1 == 0)
		return;
	int32_t pid = mdg__is_slot1(registry, slot1)
	                      ? (int32_t)mdg__get32(&registry->processes[slot1 - 1].pid)
	                      : 0;
	if (mdg__sign_at_work(registry, word)) {
		/* A process at work holds the lock for a moment only. It is worth a word
		 * if it stays for longer. */
		for (int i = 0; i < 20 && mdg__get32(&registry->head->lock) == word; i++)
			(void)mdg__sys_futex_wait(&registry->head->lock, word, true, 10000000u);
		if (mdg__get32(&registry->head->lock) == word)
			say(findings, MDG_FOUND_LOCK_HELD, false, -1, pid,
			    "process %d holds the writer lock and does not go on", pid);
		return;
	}
	say(findings, MDG_FOUND_DEAD_OWNER, findings->repair, -1, pid,
	    "the writer lock belongs to process %d, which is dead", pid);
}

/* ---- the dead ------------------------------------------------------------------- */

static void check_dead(struct findings *findings)
{
	struct mdg_namespace *ns = findings->ns;
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t slot = 0; slot < ready; slot++) {
		uint32_t tag = mdg__get32(&registry->processes[slot].tag);
		struct mdg__holder holder = { slot, mdg__tag_generation(tag), 0, -1 };
		if (mdg__slot_state(tag) == MDG__SLOT_FREE ||
		    mdg__slot_at_work(registry, slot, mdg__tag_generation(tag)))
			continue;
		int32_t pid = (int32_t)mdg__get32(&registry->processes[slot].pid);
		if (findings->repair)
			mdg__reap(ns, &holder, 1);
		bool gone = mdg__get32(&registry->processes[slot].tag) != tag;
		say(findings, MDG_FOUND_DEAD_SLOT, gone, -1, pid,
		    "process %d is dead; its slot %u was not given back yet", pid, slot);
	}
}

/* ---- objects and files ------------------------------------------------------------ */

/* How an object of a class is called. */
static const char *const class_names[MDG__CLASSES] = { "segment", "semaphore set",
	                                               "message queue" };

/* An object may be BUSY although no process works on it. Reaping should have cleared it away. */
static void check_half_made(struct findings *findings, const struct mdg__entry *entry)
{
	struct mdg_namespace *ns = findings->ns;
	int32_t id = mdg__entry_id(entry);
	if (mdg__is_worked_on(ns, entry->worker, entry->worker_generation) ||
	    mdg__entry_is_old(ns, entry))
		return;
	if (findings->repair)
		mdg__clear_abandoned(ns, entry->class, entry->index, entry->tag);
	say(findings, MDG_FOUND_HALF_MADE, mdg__entry_is_old(ns, entry), id, 0,
	    "the making or removal of %s %d was cut off", class_names[entry->class], id);
}

/* The file and the entry of an object cannot be changed as one. A process that changes them needs
 * only a moment. If it died on the way, the file is made to follow the entry. */
static void check_half_set(struct findings *findings, enum mdg__class class, uint32_t index)
{
	struct mdg_namespace *ns = findings->ns;
	struct mdg__object *object = mdg__object_at(&ns->registry, class, index);
	struct mdg__entry entry;
	for (;; findings->pauses++) {
		mdg__object_copy(ns, class, index, &entry);
		if (mdg__tag_state(entry.tag) != MDG__LIVE ||
		    mdg__data_owner_is_right(ns, &entry) != 0)
			return;
		if (findings->pauses >= CHANGE_PAUSES)
			break;
		(void)mdg__sys_futex_wait(&object->mode, entry.mode, true,
		                          1000000u << findings->pauses);
	}
	int32_t id = mdg__tag_id(entry.tag, index);
	bool mended = findings->repair && mdg__data_follow_entry(ns, class, id) == 0;
	say(findings, MDG_FOUND_HALF_SET, mended, id, 0,
	    "the data file of %s %d has another owner, group or mode than it", class_names[class],
	    id);
}

/* The caller holds no lock. The repair takes them as IPC_SET does. */
static void check_half_sets(struct findings *findings, enum mdg__class class)
{
	uint32_t ready = mdg__registry_ready_count(&findings->ns->registry, class);
	for (uint32_t index = 0; index < ready; index++)
		check_half_set(findings, class, index);
}

static void check_files_of(struct findings *findings, enum mdg__class class)
{
	struct mdg_namespace *ns = findings->ns;
	uint32_t ready = mdg__registry_ready_count(&ns->registry, class);
	for (uint32_t index = 0; index < ready; index++) {
		struct mdg__entry entry;
		uint64_t resident;
		mdg__object_copy(ns, class, index, &entry);
		enum mdg__object_state state = mdg__tag_state(entry.tag);
		if (state == MDG__BUSY)
			check_half_made(findings, &entry);
		if (state != MDG__LIVE || mdg__entry_is_fileless(&entry) ||
		    mdg__data_stat(ns, &entry, &resident) != -ENOENT ||
		    mdg__entry_is_old(ns, &entry))
			continue;
		int32_t id = mdg__tag_id(entry.tag, index);
		say(findings, MDG_FOUND_MISSING_FILE, false, id, 0,
		    "%s %d has lost its data file; only removing it helps", class_names[class], id);
	}
}

/* Whether the file belongs to an object that is in use, or is the file of a setting. */
static bool is_wanted(struct mdg_namespace *ns, const struct mdg__file *file)
{
	if (!file->whole || file->unique != ns->registry.unique)
		return false;
	if (file->id < 0)
		return true;
	uint32_t index = (uint32_t)file->id % MDG__IDS;
	if (index >= mdg__registry_ready_count(&ns->registry, file->class))
		return false;
	uint32_t tag = mdg__get32(&mdg__object_at(&ns->registry, file->class, index)->tag);
	return mdg__tag_state(tag) != MDG__FREE && mdg__tag_id(tag, index) == file->id;
}

static void check_name(struct findings *findings, const char *name)
{
	struct mdg__file file;
	struct mdg__registry *registry = &findings->ns->registry;
	if (!mdg__file_parse(name, &file) || is_wanted(findings->ns, &file))
		return;
	bool gone = findings->repair && mdg__sys_unlinkat(registry->dirfd, name) == 0;
	if (mdg__file_is_stray(registry, &file))
		say(findings, MDG_FOUND_ORPHAN_FILE, gone, -1, 0,
		    "file %s is of a namespace that was deleted here", name);
	else
		say(findings, MDG_FOUND_ORPHAN_FILE, gone, -1, 0, "file %s belongs to no %s", name,
		    class_names[file.class]);
}

/* The names were read before this look at the registry. If it is still the directory's, none of the
 * names belongs to a later namespace (registry/files.c). */
static bool check_names(const struct mdg__listed *names, void *context)
{
	struct findings *findings = context;
	const char *name;
	if (mdg__registry_has_name(&findings->ns->registry) < 0)
		return false;
	for (int64_t at = 0; (name = mdg__next_name(names, &at)) != NULL;)
		check_name(findings, name);
	return true;
}

static void check_orphans(struct findings *findings)
{
	int dirfd = mdg__registry_dirfd(&findings->ns->registry);
	if (dirfd >= 0)
		mdg__directory_read(dirfd, check_names, findings);
}

/* ---- all of it ------------------------------------------------------------------- */

static int count_only(const struct mdg_finding *finding, void *context)
{
	(void)finding;
	(void)context;
	return 0;
}

struct collected {
	struct findings *findings;
	bool repaired;
};

static int pass_on(const struct mdg_finding *finding, void *context)
{
	struct collected *collected = context;
	struct mdg_finding copy = *finding;
	copy.repaired = collected->repaired;
	tell(collected->findings, &copy);
	return 0;
}

/* A namespace that was opened for a look cannot take the lock. So the registry is checked at a
 * moment at which it does not change. A registry that changes all the time is in use, and is not
 * checked. */
static int check_quiet_registry(struct findings *findings, struct collected *collected)
{
	struct mdg__registry *registry = &findings->ns->registry;
	uint32_t version;
	for (int i = 0; i < QUIET_TRIES; i++) {
		bool quiet = mdg__read_begin(registry, &version);
		if (quiet && mdg__registry_check(registry, count_only, NULL) == 0)
			return 0;
		if (quiet && !mdg__read_retry(registry, version)) {
			(void)mdg__registry_check(registry, pass_on, collected);
			return 0;
		}
		(void)mdg__sys_futex_wait(&registry->head->version, version, true, 1000000u);
	}
	return 0;
}

static int check_registry(struct findings *findings)
{
	struct mdg_namespace *ns = findings->ns;
	struct collected collected = { findings, false };
	if (ns->registry.look)
		return check_quiet_registry(findings, &collected);
	int rc = mdg__registry_make_sure(&ns->registry);
	if (rc < 0)
		return rc;
	rc = mdg__enter_writer(ns);
	if (rc == MDG_DAMAGED) /* the first try has put an unbelievable journal aside */
		rc = mdg__enter_writer(ns);
	if (rc < 0)
		return rc;
	int found = mdg__registry_check(&ns->registry, count_only, NULL);
	if (found > 0) {
		/* Reported before the repair, after which there is nothing left to report. */
		collected.repaired = findings->repair;
		(void)mdg__registry_check(&ns->registry, pass_on, &collected);
	}
	if (found > 0 && findings->repair) {
		mdg__registry_rebuild(&ns->registry);
		collected.repaired = false;
		(void)mdg__registry_check(&ns->registry, pass_on, &collected);
	}
	mdg__unlock(&ns->registry);
	return 0;
}

int mdg_namespace_check(mdg_namespace *ns, unsigned flags,
                        int (*found)(const struct mdg_finding *finding, void *context),
                        void *context)
{
	struct findings findings = { .ns = ns, .repair = (flags & MDG_CHECK_REPAIR) != 0 };
	size_t bytes = FINDINGS_MOST * sizeof findings.list[0];
	if (findings.repair && ns->registry.look)
		return -EROFS;
	void *memory;
	int rc = mdg__map_own(NULL, bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory);
	if (rc < 0)
		return rc;
	findings.list = memory;
	mdg__enter(ns);
	rc = mdg__registry_has_name(&ns->registry);
	if (rc == 0) {
		check_lock(&findings);
		rc = check_registry(&findings);
	}
	if (rc == 0) {
		check_dead(&findings);
		for (uint32_t class = 0; class < MDG__CLASSES; class ++)
			check_files_of(&findings, (enum mdg__class) class);
		check_orphans(&findings);
	}
	mdg__leave(ns);
	for (uint32_t class = 0; rc == 0 && class < MDG__CLASSES; class ++)
		if (ns->registry.flags & MDG_NS_SHARED)
			check_half_sets(&findings, (enum mdg__class) class);
	for (uint32_t i = 0; found != NULL && i < findings.count; i++)
		if (found(&findings.list[i], context) != 0)
			break;
	(void)mdg__sys_munmap(memory, bytes);
	return rc < 0 ? rc : findings.remaining;
}

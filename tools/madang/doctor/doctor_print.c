/* SPDX-License-Identifier: MIT */
/*
 * doctor_print.c - prints a diagnosis: for a person, or as JSON.
 *
 * The text goes to stdout whole, illness included: it is the answer that was asked for. Each thing
 * that is wrong is followed by what to do about it.
 */
#include "doctor/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define NO_LIMIT ((uint64_t)1 << 60) /* what nobody can reach is shown as no limit */

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case MDG_FOUND_DAMAGE:
		return "damage";
	case MDG_FOUND_DEAD_SLOT:
		return "dead-slot";
	case MDG_FOUND_DEAD_OWNER:
		return "dead-owner";
	case MDG_FOUND_LOCK_HELD:
		return "lock-held";
	case MDG_FOUND_ORPHAN_FILE:
		return "orphan-file";
	case MDG_FOUND_MISSING_FILE:
		return "missing-file";
	case MDG_FOUND_HALF_MADE:
		return "half-made";
	case MDG_FOUND_HALF_SET:
		return "half-set";
	default:
		return "other";
	}
}

/* ---- text ------------------------------------------------------------- */

TOOL_PRINTF(2, 3) static void line(const char *topic, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	printf("%-11s", topic);
	vprintf(format, list);
	putchar('\n');
	va_end(list);
}

static void print_directory(const struct diagnosis *diagnosis)
{
	char owner[SHOW_ROOM];

	line("namespace", "%s", diagnosis->path);
	if (diagnosis->exists)
		line("directory", "owner %s, mode %04o%s", show_user(owner, diagnosis->owner),
		     diagnosis->mode,
		     !diagnosis->has_info ? ""
		     : diagnosis->info.flags & MDG_NS_SHARED
		             ? ", shared between users"
		             : ", private: other users cannot use its ids (to share: madang init "
		               "--shared DIR)");
}

static void print_registry(const struct diagnosis *diagnosis)
{
	char advice[ADVICE_ROOM];

	if (diagnosis->open_code == 0) {
		line("registry", "usable by madang %s", mdg_version());
	} else if (diagnosis->place_error != 0) {
		line("registry", "WRONG: there is none, and it cannot be made: %s",
		     diagnosis->place_error == ENOENT ? "the directory above it is not there"
		                                      : strerror(diagnosis->place_error));
		line("",
		     "Choose a directory that you may write with --namespace or MADANG_NAMESPACE.");
	} else if (diagnosis->open_code == -ENOENT) {
		line("registry", "none yet: the first program that shares something makes it");
	} else {
		line("registry", "WRONG: %s", mdg_strerror(diagnosis->open_code));
		namespace_advice(advice, diagnosis->open_code, diagnosis->path);
		if (advice[0] != '\0')
			line("", "%s", advice);
	}
	if (diagnosis->has_remains) {
		line("", "note: %s", remains_text(advice, &diagnosis->remains));
		line("", "%s", remains_advice(&diagnosis->remains));
	}
}

static void show_limit(char room[SHOW_ROOM], uint64_t limit)
{
	if (limit >= NO_LIMIT)
		snprintf(room, SHOW_ROOM, "no limit");
	else
		snprintf(room, SHOW_ROOM, "%" PRIu64, limit);
}

static void print_use(const struct diagnosis *diagnosis)
{
	const struct mdg_namespace_info *info = &diagnosis->info;
	char bytes[SHOW_ROOM], resident[SHOW_ROOM], shmmax[SHOW_ROOM], shmall[SHOW_ROOM];

	if (!diagnosis->has_info)
		return;
	line("segments", "%u of %u, %s in all, %s in memory", info->segments_used,
	     info->segments_max, show_bytes(bytes, info->pages_total * diagnosis->page_size),
	     show_bytes(resident, info->pages_resident * diagnosis->page_size));
	if (diagnosis->orphans > 0)
		line("", "%u nobody has attached and whose creator is dead: madang rm --orphans",
		     diagnosis->orphans);
	/* Nothing is said of kinds of which there are none. */
	if (diagnosis->sets > 0)
		line("semaphores", "%u set%s, %" PRIu64 " semaphore%s in all", diagnosis->sets,
		     diagnosis->sets == 1 ? "" : "s", diagnosis->semaphores,
		     diagnosis->semaphores == 1 ? "" : "s");
	if (diagnosis->queues > 0)
		line("queues", "%u, %" PRIu64 " message%s in all, %s", diagnosis->queues,
		     diagnosis->messages, diagnosis->messages == 1 ? "" : "s",
		     show_bytes(bytes, diagnosis->message_bytes));
	/* The check writes, and a process that writes takes a slot. */
	line("processes", "%u of %u%s", info->processes_used, info->processes_max,
	     diagnosis->check_code >= 0 ? ", this one included" : "");
	show_limit(shmmax, info->shmmax);
	show_limit(shmall, info->shmall);
	line("limits", "largest segment (bytes): %s; pages in all: %s", shmmax, shmall);
}

static void print_memory(const struct diagnosis *diagnosis)
{
	char total[SHOW_ROOM], left[SHOW_ROOM];

	if (!diagnosis->has_memory) {
		line("memory", "unknown: the file system cannot be asked");
		return;
	}
	line("memory", "%s%s free of %s on %s", doctor_is_full(diagnosis) ? "WRONG: " : "",
	     show_bytes(left, diagnosis->memory_free), show_bytes(total, diagnosis->memory_total),
	     diagnosis->kind);
	if (diagnosis->files_free == 0)
		line("", "Full: it has no room for another file, so no segment can be made. Remove "
		         "files, or "
		         "allow more: mount -o remount,nr_inodes=...");
	else if (doctor_is_full(diagnosis))
		line("", "Full: no segment can be made. Remove segments, or enlarge it: "
		         "mount -o remount,size=... (in containers: --shm-size).");
	if (diagnosis->kind[0] == 'd')
		line("", "note: not a memory file system; all works, and is written to the disk");
	if (diagnosis->kind[0] == 'o')
		line("", "note: an overlay, as containers have it: each container sees a copy of "
		         "its own "
		         "here, and so another namespace. To share one, mount the same directory "
		         "into all "
		         "of them, and name it in MADANG_NAMESPACE");
	if (diagnosis->no_execution)
		line("",
		     "note: mounted noexec: SHM_EXEC and mprotect(PROT_EXEC) are refused, which "
		     "programs that make code in shared memory need; mount -o remount,exec allows "
		     "it");
}

static void print_surroundings(const struct diagnosis *diagnosis)
{
	if (diagnosis->has_proc)
		line("/proc", "mounted");
	else
		line("/proc",
		     "note: not mounted; attachments are judged by locks alone, and commands "
		     "are not shown");
	if (diagnosis->has_preload)
		line("preload", "%s", diagnosis->preload);
	else
		line("preload",
		     "note: libmadang-sysv.so.0 not found (%s); 'madang run' needs it, see "
		     "MADANG_PRELOAD",
		     diagnosis->preload);
}

static void print_strays(const struct diagnosis *diagnosis)
{
	if (diagnosis->strays == 0)
		return;
	line("private",
	     "%s %u namespace%s that 'madang run --private' left because it was killed%s",
	     diagnosis->repair ? "repaired: removed" : "note:", diagnosis->strays,
	     diagnosis->strays == 1 ? "" : "s",
	     diagnosis->repair ? ""
	                       : "; the next such run removes what nobody uses, or --repair does");
}

static const char *finding_advice(const struct mdg_finding *finding, bool repair)
{
	bool of_set = strncmp(finding->text, "semaphore set ", 14) == 0;
	if (finding->kind == MDG_FOUND_LOCK_HELD)
		return of_set ? "Others wait for it, and what is shown of the set may be old. Let "
		                "the process go on (kill -CONT), or end it."
		              : "";
	if (!repair && finding->kind == MDG_FOUND_DEAD_OWNER)
		return "The next program that needs the lock takes it over and undoes what was "
		       "begun; --repair does so now.";
	if (!repair && finding->kind == MDG_FOUND_HALF_MADE)
		return "A process was killed there. The next call that meets the segment, such as "
		       "a shmget, clears it away; --repair does so now.";
	if (finding->kind == MDG_FOUND_MISSING_FILE)
		return strncmp(finding->text, "segment", 7) == 0
		               ? "Its bytes are lost; remove the segment with 'madang rm'."
		               : "What was in it is lost; remove it with 'madang rm --kind'.";
	if (repair && finding->kind == MDG_FOUND_ORPHAN_FILE)
		return "It cannot be deleted: it is a directory, or another user's. Its owner or "
		       "root can "
		       "remove it by hand.";
	if (of_set && strstr(finding->text, "impossible value") != NULL)
		return "Only its programs know which value it should have. They can set it "
		       "(SETVAL); or end them, and remove the set with 'madang rm --kind "
		       "semaphores'.";
	if (repair && of_set)
		return "It could not be mended; end the programs that use it, and remove it with "
		       "'madang rm --kind semaphores'.";
	if (repair)
		return "Not safe to mend while it is in use: end the programs that use the "
		       "namespace, and try again.";
	return "Try 'madang doctor --repair'.";
}

/* Ended processes are counted, not listed: there is one for each program that ran. */
static void print_dead(const struct diagnosis *diagnosis)
{
	unsigned left = 0, cleared = 0;

	for (size_t i = 0; i < diagnosis->finding_count; i++) {
		const struct mdg_finding *finding = &diagnosis->findings[i];
		if (finding->kind == MDG_FOUND_DEAD_SLOT)
			*(finding->repaired ? &cleared : &left) += 1;
	}
	if (cleared > 0)
		line("finding", "repaired: cleared away %u record%s of ended processes", cleared,
		     cleared == 1 ? "" : "s");
	/* One for each program that ran: no fault, and so nothing that everybody has to read. */
	if (left > 0 && diagnosis->verbose)
		line("finding",
		     "note: %u record%s of ended processes; the next program to meet one "
		     "clears it away, or --repair does",
		     left, left == 1 ? "" : "s");
}

static void print_findings(const struct diagnosis *diagnosis)
{
	char text[4 * sizeof diagnosis->findings->text];

	for (size_t i = 0; i < diagnosis->finding_count; i++) {
		const struct mdg_finding *finding = &diagnosis->findings[i];
		if (finding->kind == MDG_FOUND_DEAD_SLOT)
			continue;
		const char *state = finding->repaired          ? "repaired"
		                    : doctor_is_wrong(finding) ? "WRONG"
		                                               : "note";
		line("finding", "%s: %s", state, show_text(text, sizeof text, finding->text));
		const char *advice =
			finding->repaired ? "" : finding_advice(finding, diagnosis->repair);
		if (advice[0] != '\0')
			line("", "%s", advice);
	}
	print_dead(diagnosis);
	if (diagnosis->check_code < 0)
		line("check", "WRONG: it could not be finished: %s",
		     mdg_strerror(diagnosis->check_code));
	if (diagnosis->findings_lost > 0)
		line("check", "WRONG: %zu more findings, and no memory to list them",
		     diagnosis->findings_lost);
}

void doctor_print_text(const struct diagnosis *diagnosis)
{
	print_directory(diagnosis);
	print_registry(diagnosis);
	print_use(diagnosis);
	print_memory(diagnosis);
	print_surroundings(diagnosis);
	print_findings(diagnosis);
	print_strays(diagnosis);
	if (diagnosis->wrong == 0)
		line("result", "healthy");
	else
		line("result", "%u thing%s wrong", diagnosis->wrong,
		     diagnosis->wrong == 1 ? "" : "s");
}

/* ---- JSON ------------------------------------------------------------- */

static void json_limit(struct json *json, const char *key, uint64_t limit)
{
	if (limit >= NO_LIMIT)
		json_null(json, key);
	else
		json_unsigned(json, key, limit);
}

static void json_use(struct json *json, const struct diagnosis *diagnosis)
{
	const struct mdg_namespace_info *info = &diagnosis->info;

	json_bool(json, "shared", (info->flags & MDG_NS_SHARED) != 0);
	json_unsigned(json, "segments_used", info->segments_used);
	json_unsigned(json, "segments_max", info->segments_max);
	if (diagnosis->sets > 0) {
		json_unsigned(json, "semaphore_sets_used", diagnosis->sets);
		json_unsigned(json, "semaphores", diagnosis->semaphores);
	}
	if (diagnosis->queues > 0) {
		json_unsigned(json, "queues_used", diagnosis->queues);
		json_unsigned(json, "messages", diagnosis->messages);
		json_unsigned(json, "message_bytes", diagnosis->message_bytes);
	}
	json_unsigned(json, "processes_used", info->processes_used);
	json_unsigned(json, "processes_max", info->processes_max);
	json_unsigned(json, "bytes_total", info->pages_total * diagnosis->page_size);
	json_unsigned(json, "bytes_resident", info->pages_resident * diagnosis->page_size);
	json_limit(json, "shmmax", info->shmmax);
	json_limit(json, "shmall", info->shmall);
	json_unsigned(json, "orphans", diagnosis->orphans);
}

static void json_findings(struct json *json, const struct diagnosis *diagnosis)
{
	json_open(json, "findings", '[');
	for (size_t i = 0; i < diagnosis->finding_count; i++) {
		const struct mdg_finding *finding = &diagnosis->findings[i];
		json_open(json, NULL, '{');
		json_string(json, "kind", kind_name(finding->kind));
		json_bool(json, "repaired", finding->repaired != 0);
		json_bool(json, "wrong", doctor_is_wrong(finding));
		json_signed(json, "id", finding->id);
		json_signed(json, "pid", finding->pid);
		json_string(json, "text", finding->text);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void doctor_print_json(const struct diagnosis *diagnosis)
{
	char room[SHOW_ROOM], advice[ADVICE_ROOM];
	int code = diagnosis->place_error != 0 ? -diagnosis->place_error
	           : diagnosis->open_code != 0 ? diagnosis->open_code
	           : diagnosis->check_code < 0 ? diagnosis->check_code
	                                       : 0;
	struct json json;

	json_begin_document(&json);
	json_string(&json, "path", diagnosis->path);
	json_bool(&json, "exists", diagnosis->open_code != -ENOENT);
	json_bool(&json, "usable", diagnosis->open_code == 0);
	json_bool(&json, "healthy", diagnosis->wrong == 0);
	if (code != 0 && (code != -ENOENT || diagnosis->place_error != 0)) {
		json_signed(&json, "error", code);
		json_string(&json, "error_text", mdg_strerror(code));
		json_string(&json, "advice", namespace_advice(advice, code, diagnosis->path));
	}
	if (diagnosis->exists) {
		json_unsigned(&json, "uid", diagnosis->owner);
		json_string(&json, "owner", show_user(room, diagnosis->owner));
		snprintf(room, sizeof room, "%04o", diagnosis->mode);
		json_string(&json, "mode", room);
	}
	if (diagnosis->has_info)
		json_use(&json, diagnosis);
	if (diagnosis->has_remains) {
		json_unsigned(&json, "deleted_files_left", diagnosis->remains.files);
		json_unsigned(&json, "deleted_still_used_by", diagnosis->remains.users);
	}
	if (diagnosis->has_memory) {
		json_string(&json, "file_system", diagnosis->kind);
		json_bool(&json, "noexec", diagnosis->no_execution);
		json_unsigned(&json, "memory_total", diagnosis->memory_total);
		json_unsigned(&json, "memory_free", diagnosis->memory_free);
		json_bool(&json, "memory_full", doctor_is_full(diagnosis));
	}
	json_bool(&json, "proc_mounted", diagnosis->has_proc);
	if (diagnosis->has_preload)
		json_string(&json, "preload", diagnosis->preload);
	else
		json_null(&json, "preload");
	json_unsigned(&json, "private_left", diagnosis->repair ? 0 : diagnosis->strays);
	json_findings(&json, diagnosis);
	json_close(&json, '}');
	json_end(&json);
}

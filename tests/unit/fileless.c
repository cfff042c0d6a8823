/* SPDX-License-Identifier: MIT */
/*
 * fileless.c - segments that reserve no memory have no file until they are first attached.
 *
 * Nobody can tell the difference but by a look into the directory, and it is looked into here.
 */
#include "unit.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "madang/names.h"
#include "segment/internal.h"

enum { SIZE = 20000, ROUNDS = 400 };

static mdg_namespace *ns;

/* How many data files there are, and how long the last one is. */
static int files(const char *name, off_t *ret_size)
{
	char path[UNIT_PATH + 256];
	struct stat status;
	int count = 0;
	unit_path(path, name);
	size_t length = strlen(path);
	DIR *directory = opendir(path);
	const struct dirent *entry;
	if (!CHECK(directory != NULL))
		return -1;
	while ((entry = readdir(directory)) != NULL)
		if (strncmp(entry->d_name, "seg-", 4) == 0) {
			count++;
			snprintf(path + length, sizeof path - length, "/%s", entry->d_name);
			if (ret_size != NULL && CHECK(stat(path, &status) == 0))
				*ret_size = status.st_size;
		}
	closedir(directory);
	return count;
}

static mdg_id create(void)
{
	mdg_id id = -1;
	CHECK_RC(0, mdg_segment_create(ns, NULL, SIZE, 0600, MDG_NORESERVE, &id));
	return id;
}

static unsigned char *attach(mdg_id id, unsigned flags)
{
	void *memory = NULL;
	return CHECK_RC(0, mdg_segment_attach(ns, id, NULL, flags, &memory)) ? memory : NULL;
}

static bool is_zero(const unsigned char *memory)
{
	for (int i = 0; i < SIZE; i++)
		if (memory[i] != 0)
			return false;
	return true;
}

/* ---- without a file ------------------------------------------------------------------------- */

static void never_attached(void)
{
	struct mdg_name_info name = { .size = sizeof name };
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	mdg_id id = create();
	CHECK(files("fileless", NULL) == 0);
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info));
	CHECK(info.attached == 0 && info.bytes == SIZE && info.resident == 0);
	CHECK_RC(0, mdg_names_next(ns, id, &cursor, &name));
	CHECK_RC(0, mdg_segment_lock(ns, id, 1));
	CHECK_RC(0, mdg_segment_set(ns, id, geteuid(), getegid(), 0640));
	CHECK(unit_stat(ns, id).mode == (0640 | MDG_MODE_LOCKED));
	CHECK_RC(0, mdg_segment_lock(ns, id, 0));
	unit_is_sound(ns);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(files("fileless", NULL) == 0);
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, id, 0, &info));
	unit_is_sound(ns);
}

/* A segment that reserves its memory has its file from the start; and where users share, each. */
static void others_have_files(void)
{
	mdg_id id;
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	mdg_namespace *shared = unit_open("shared", &options);
	CHECK_RC(0, mdg_segment_create(shared, NULL, SIZE, 0600, MDG_NORESERVE, &id));
	CHECK(files("shared", NULL) == 1);
	CHECK_RC(0, mdg_segment_create(ns, NULL, SIZE, 0600, 0, &id));
	CHECK(files("fileless", NULL) == 1);
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* ---- the first attachment ------------------------------------------------------------------- */

static void check_other(void *id)
{
	unsigned char *memory = attach(*(mdg_id *)id, 0);
	CHECK(memory != NULL && memory[0] == 1 && memory[SIZE - 1] == 2);
	memory[1] = 3;
}

static void attached(unsigned flags)
{
	const off_t pages = (SIZE + sysconf(_SC_PAGESIZE) - 1) / sysconf(_SC_PAGESIZE);
	off_t size = 0;
	mdg_id id = create();
	const unsigned char *first = attach(id, flags);
	if (first == NULL)
		return;
	CHECK(files("fileless", &size) == 1 && size == pages * sysconf(_SC_PAGESIZE));
	CHECK(is_zero(first));
	unsigned char *second = attach(id, 0);
	second[0] = 1;
	second[SIZE - 1] = 2;
	CHECK(first[0] == 1 && first[SIZE - 1] == 2);
	CHECK(in_child(check_other, &id));
	CHECK(first[1] == 3);
	/* What was mapped for reading cannot be made writable. */
	if (flags & MDG_RDONLY)
		CHECK(mprotect((void *)(uintptr_t)first, 1, PROT_READ | PROT_WRITE) < 0);
	CHECK_RC(0, mdg_segment_detach(ns, (void *)(uintptr_t)first));
	CHECK_RC(0, mdg_segment_detach(ns, second));
	first = attach(id, MDG_RDONLY);
	CHECK(first[1] == 3);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK_RC(0, mdg_segment_detach(ns, (void *)(uintptr_t)first));
	CHECK(files("fileless", NULL) == 0);
	unit_is_sound(ns);
}

static void with_umask(void)
{
	mode_t before = umask(0777);
	attached(MDG_RDONLY);
	attached(0);
	umask(before);
}

/* ---- scribbled ------------------------------------------------------------------------------ */

static int note(const struct mdg_finding *finding, void *context)
{
	*(mdg_id *)context = finding->id;
	CHECK(finding->kind == MDG_FOUND_DAMAGE && strstr(finding->text, "no file") != NULL);
	return 0;
}

static void attach_in_vain(mdg_id id)
{
	void *memory = NULL;
	CHECK_RC(MDG_DAMAGED, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_RC(MDG_DAMAGED, mdg_segment_attach(ns, id, NULL, MDG_RDONLY, &memory));
	CHECK(files("fileless", NULL) == 1);
}

/* A process that has it attached, and has written 1 there. It is stopped. */
static pid_t start_holder(mdg_id id)
{
	pid_t pid = fork();
	if (pid == 0) {
		unsigned char *memory = attach(id, 0);
		*memory = 1;
		raise(SIGSTOP);
		_exit(memory[1] == 2 ? 0 : 1);
	}
	int status = 0;
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	return pid;
}

/* The entry says that there is no file, and another process has the file mapped: it stays. */
static void scribbled(uint32_t bits)
{
	int status = -1;
	mdg_id id = create(), found = -1;
	pid_t holder = start_holder(id);
	atomic_fetch_or(&ns->registry.segments[(uint32_t)id % MDG__IDS].flags, bits);
	attach_in_vain(id);
	CHECK(mdg_namespace_check(ns, 0, note, &found) == 1 && found == id);
	attach_in_vain(id);
	CHECK_RC(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	unsigned char *memory = attach(id, 0);
	if (!CHECK(memory != NULL && memory[0] == 1))
		return;
	memory[1] = 2;
	CHECK(kill(holder, SIGCONT) == 0 && waitpid(holder, &status, 0) == holder && status == 0);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(files("fileless", NULL) == 0);
	unit_is_sound(ns);
}

/* Both bits, and nobody has attached it. */
static void scribbled_before(void)
{
	mdg_id id = create(), found = -1;
	ns->registry.segments[(uint32_t)id % MDG__IDS].flags |= MDG__SEG_FILE_BEGUN;
	CHECK(mdg_namespace_check(ns, 0, note, &found) == 1 && found == id);
	CHECK_RC(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	const unsigned char *memory = attach(id, 0);
	CHECK(memory != NULL && is_zero(memory));
	CHECK_RC(0, mdg_segment_detach(ns, (void *)(uintptr_t)memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(files("fileless", NULL) == 0);
	unit_is_sound(ns);
}

/* ---- two at once --------------------------------------------------------------------------- */

struct meeting {
	atomic_int round, done, id, rc;
};

static struct meeting *meeting;

static void wait_for(atomic_int *word, int value)
{
	while (atomic_load(word) != value)
		sched_yield();
}

static void delay(int turns)
{
	for (volatile int i = 0; i < turns; i++)
		;
}

/* Attaches in each round, a little earlier or later. */
static void attacher(void)
{
	for (int round = 1; round <= ROUNDS; round++) {
		void *memory;
		wait_for(&meeting->round, round);
		delay(round % 16 * 200);
		int rc = mdg_segment_attach(ns, atomic_load(&meeting->id), NULL, 0, &memory);
		if (rc == 0) {
			((unsigned char *)memory)[7] = 7;
			rc = mdg_segment_detach(ns, memory);
		}
		atomic_store(&meeting->rc, rc);
		atomic_store(&meeting->done, round);
	}
	_exit(0);
}

static void meet(int round, mdg_id id)
{
	atomic_store(&meeting->id, id);
	atomic_store(&meeting->round, round);
	delay(round / 16 % 16 * 200);
}

/* Odd rounds: both attach. Even ones: one attaches, and the other removes. */
static void meet_often(void)
{
	for (int round = 1; round <= ROUNDS; round++) {
		mdg_id id = create();
		meet(round, id);
		if (round % 2 == 1) {
			unsigned char *memory = attach(id, 0);
			wait_for(&meeting->done, round);
			CHECK(memory != NULL && memory[7] == 7);
			CHECK_RC(0, atomic_load(&meeting->rc));
			CHECK_RC(0, mdg_segment_detach(ns, memory));
		}
		CHECK_RC(0, mdg_segment_remove(ns, id));
		wait_for(&meeting->done, round);
		int rc = atomic_load(&meeting->rc);
		CHECK(rc == 0 || rc == -EINVAL || rc == -EIDRM);
		if (!CHECK(files("fileless", NULL) == 0))
			return;
	}
}

static void together(void)
{
	meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (!CHECK(meeting != MAP_FAILED))
		return;
	pid_t pid = fork();
	if (pid == 0)
		attacher();
	meet_often();
	if (check_failures == 0)
		CHECK(waitpid(pid, NULL, 0) == pid);
	unit_is_sound(ns);
}

int main(void)
{
	ns = unit_open("fileless", NULL);
	never_attached();
	others_have_files();
	attached(0);
	attached(MDG_RDONLY);
	with_umask();
	scribbled(MDG__SEG_FILE_NONE);
	scribbled(MDG__SEG_FILE_BEGUN);
	scribbled(MDG__SEG_FILE_NONE | MDG__SEG_FILE_BEGUN);
	scribbled_before();
	together();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * set_together.c - IPC_SET of a segment in a shared namespace that another is at, too:
 * whoever took over from the other, or the other from him, begins again and succeeds;
 * one who says for ever that he is just at it is not waited for.
 *
 * The other is a process that only lives, so that its slot does. What it would do to
 * entry and file at the worst moment is done here, in the calls by which set.c
 * looks at the file's owner and changes it (the linker's --wrap).
 */
#include "unit.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "registry/registry.h"
#include "segment/internal.h"
#include "support/datafile.h"

enum { FRIEND = 12345, STRANGER = 23456, MOST_SECONDS = 5 };

static mdg_namespace *ns;
static mdg_id id;
static char path[UNIT_PATH + 32];
static struct {
	uint32_t slot1, generation;
} other;
static void (*at_look)(void), (*at_change)(void);
static int changes;

static struct mdg__segment *segment(void)
{
	return &ns->registry.segments[(uint32_t)id % MDG__IDS];
}

/* ---- between the lines of set.c ---------------------------------------------------- */

int __real_mdg__data_owner_is_right(struct mdg_namespace *in, const struct mdg__entry *entry);
int __wrap_mdg__data_owner_is_right(struct mdg_namespace *in, const struct mdg__entry *entry);
int __real_mdg__data_set_owner(struct mdg_namespace *in, const struct mdg__entry *entry,
                               uint32_t uid, uint32_t gid, unsigned mode);
int __wrap_mdg__data_set_owner(struct mdg_namespace *in, const struct mdg__entry *entry,
                               uint32_t uid, uint32_t gid, unsigned mode);

int __wrap_mdg__data_owner_is_right(struct mdg_namespace *in, const struct mdg__entry *entry)
{
	if (at_look != NULL)
		at_look();
	return __real_mdg__data_owner_is_right(in, entry);
}

int __wrap_mdg__data_set_owner(struct mdg_namespace *in, const struct mdg__entry *entry,
                               uint32_t uid, uint32_t gid, unsigned mode)
{
	changes++;
	if (at_change != NULL)
		at_change();
	return __real_mdg__data_set_owner(in, entry, uid, gid, mode);
}

static void other_is_at_it(void)
{
	atomic_store(&segment()->setter, other.slot1);
	atomic_store(&segment()->setter_generation, other.generation);
}

static void give_to(uint32_t uid)
{
	CHECK(chown(path, uid, getegid()) == 0);
}

/* ---- the scenes ---------------------------------------------------------------------- */

/* Sets it, and then file and entry have to say what was set. */
static void set_and_compare(uint32_t uid, unsigned mode)
{
	struct stat file = { 0 };
	changes = 0;
	CHECK_RC(0, mdg_segment_set(ns, id, uid, getegid(), mode));
	at_look = at_change = NULL;
	struct mdg_segment_info info = unit_stat(ns, id);
	CHECK(stat(path, &file) == 0);
	CHECK(info.uid == uid && (info.mode & 0777) == mode);
	CHECK(file.st_uid == uid && (file.st_mode & 0707) == (mode & 0707));
}

/* The other, from whom it was taken, gives the file away, and then sets it right. */
static void file_is_on_its_way(void)
{
	give_to(changes == 1 ? STRANGER : geteuid());
}

static void overtaken_and_on_its_way(void)
{
	if (changes == 1)
		other_is_at_it();
	file_is_on_its_way();
}

/* Overtaken before anything was announced: that is now for the other to say. */
static void overtaken_early(void)
{
	at_look = NULL;
	other_is_at_it();
	atomic_store(&segment()->new_uid1, STRANGER + 1);
}

static void nobody_is_in_between(void)
{
	if (at_look == NULL)
		CHECK(atomic_load(&segment()->setter) == ns->registry.slot1);
}

static void given_away(void)
{
	at_change = file_is_on_its_way; /* by one who was overtaken before we came */
	set_and_compare(geteuid(), 0644);

	other_is_at_it();
	at_change = file_is_on_its_way;
	set_and_compare(geteuid(), 0604);
	CHECK(changes == 2);

	at_change = overtaken_and_on_its_way;
	set_and_compare(geteuid(), 0640);
	CHECK(changes == 2);

	atomic_store(&segment()->new_uid1, STRANGER + 1); /* by one who died */
	at_look = overtaken_early;
	at_change = nobody_is_in_between;
	set_and_compare(FRIEND, 0600);
	CHECK_RC(0, mdg_segment_set(ns, id, geteuid(), getegid(), 0600));
}

/* Nobody is at it, and the file is a stranger's. */
static void truly_damaged(void)
{
	give_to(STRANGER);
	CHECK_RC(MDG_DAMAGED, mdg_segment_set(ns, id, geteuid(), getegid(), 0600));
	give_to(geteuid());
}

/* Each time that we have made ourselves the one who is at it. */
static void never_let_go(void)
{
	struct timespec begin, end;
	at_change = other_is_at_it;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	set_and_compare(geteuid(), 0644);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec - begin.tv_sec < MOST_SECONDS);
	set_and_compare(geteuid(), 0600);
}

static pid_t start_other(void)
{
	int say[2];
	CHECK(pipe(say) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK_RC(0, mdg_segment_lock(ns, id, 0)); /* takes a slot */
		other.slot1 = ns->registry.slot1;
		other.generation = ns->registry.generation;
		CHECK(write(say[1], &other, sizeof other) == (ssize_t)sizeof other);
		for (;;)
			pause();
	}
	CHECK(read(say[0], &other, sizeof other) == (ssize_t)sizeof other);
	return pid;
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	char directory[UNIT_PATH];
	ns = unit_open("together", &options);
	CHECK_RC(0, mdg_segment_create(ns, NULL, 4096, 0640, 0, &id));
	unit_path(directory, "together");
	snprintf(path, sizeof path, "%s/%s", directory, data_file_name(directory, id));
	pid_t pid = start_other();
	never_let_go();
	if (geteuid() == 0) {
		given_away();
		truly_damaged();
	}
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	return test_result();
}

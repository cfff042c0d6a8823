/* SPDX-License-Identifier: MIT */
/*
 * objects_places.c - objects of the door (src/segment/objects.h) where users share a namespace,
 * where memory is short, where the namespace is deleted, and where threads use what others remove.
 */
#include "registry/ids.h"
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/identity.h"
#include "segment/internal.h"
#include "segment/objects.h"

#define SETS   MDG__SEMAPHORE_SETS
#define QUEUES MDG__MESSAGE_QUEUES
#define KEY    77

enum { OWNER = 20001, OTHER = 20002 };

static mdg_namespace *ns;

static int get(enum mdg__class class, int32_t key, unsigned flags, mdg_id *ret_id)
{
	struct mdg__object_order order = {
		.key = key, .flags = flags, .mode = flags & 0777, .field = { 3 }
	};
	return mdg__object_get(ns, class, &order, ret_id);
}

static bool become(uint32_t user)
{
	return setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 &&
	       setresuid(user, user, user) == 0;
}

/* ---- users ------------------------------------------------------------------------------ */

static struct stat file_of(mdg_id id)
{
	char directory[UNIT_PATH], path[UNIT_PATH + 64];
	struct stat status = { 0 };
	snprintf(path, sizeof path, "%s/sem-%s-%d", unit_path(directory, "objects-shared"),
	         ns->registry.number, id);
	(void)stat(path, &status);
	return status;
}

static void owner_makes(void *unused)
{
	(void)unused;
	mdg_id id;
	struct mdg__memory memory;
	struct mdg__object_change change = { .uid = OWNER, .gid = OWNER, .mode = 0642 };
	CHECK(become(OWNER));
	CHECK_RC(0, get(SETS, KEY, MDG_CREATE | 0602, &id));
	CHECK((file_of(id).st_mode & 0777) == 0606 && file_of(id).st_uid == OWNER);
	CHECK_RC(0, mdg__object_change(ns, SETS, id, &change));
	CHECK((file_of(id).st_mode & 0777) == 0666);
	change.mode = 0602;
	CHECK_RC(0, mdg__object_change(ns, SETS, id, &change));
	CHECK((file_of(id).st_mode & 0777) == 0606);
	change.uid = OTHER;
	CHECK_RC(-EPERM, mdg__object_change(ns, SETS, id, &change));
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 100, &memory));
	memory.base[0] = 'o';
	mdg__memory_leave(&memory);
	CHECK_RC(0, get(SETS, KEY + 1, MDG_CREATE | 0600, &id));
}

static void other_uses(void *unused)
{
	(void)unused;
	mdg_id id;
	struct mdg__memory memory;
	struct mdg__object_change change = { .uid = OTHER, .gid = OTHER, .mode = 0606 };
	CHECK(become(OTHER));
	CHECK_RC(-EACCES, get(SETS, KEY, 0444, &id));
	CHECK_RC(0, get(SETS, KEY, 0222, &id));
	CHECK_RC(0, mdg__object_may(ns, SETS, id, 0222));
	CHECK_RC(-EACCES, mdg__object_may(ns, SETS, id, 0444));
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 20000, &memory));
	CHECK(memory.base[0] == 'o');
	memory.base[19999] = 'e';
	mdg__memory_leave(&memory);
	CHECK_RC(-EPERM, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(-EPERM, mdg__object_change(ns, SETS, id, &change));
	CHECK_RC(0, get(SETS, KEY + 1, 0, &id));
	CHECK_RC(-EACCES, mdg__memory_get(ns, SETS, id, 1, &memory));
}

static void owner_removes(void *unused)
{
	(void)unused;
	mdg_id id;
	struct mdg__memory memory;
	CHECK(become(OWNER));
	CHECK_RC(0, get(SETS, KEY, 0600, &id));
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 1, &memory));
	CHECK(memory.length >= 20000 && memory.base[19999] == 'e');
	mdg__memory_leave(&memory);
	CHECK(unit_is_sound(ns));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK(file_of(id).st_ino == 0);
	CHECK_RC(0, get(SETS, KEY + 1, 0600, &id));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
}

/* A program that says when it changes its user is believed in between. */
static void remembered(void *unused)
{
	mdg_id id;
	(void)unused;
	CHECK_RC(0, get(SETS, 0, 0600, &id));
	mdg__identity_watch();
	CHECK_RC(0, mdg__object_may(ns, SETS, id, 0600));
	CHECK(setresgid(OTHER, OTHER, OTHER) == 0 && setresuid(OTHER, OTHER, 0) == 0);
	mdg__identity_changed();
	CHECK_RC(-EACCES, mdg__object_may(ns, SETS, id, 0600));
	CHECK_RC(-EPERM, mdg__object_rmid(ns, SETS, id));
	CHECK(setresuid(0, 0, 0) == 0); /* what is refused is always asked for anew */
	CHECK_RC(0, mdg__object_may(ns, SETS, id, 0600));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
}

static void users(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	if (geteuid() != 0)
		return;
	ns = unit_open("objects-shared", &options);
	CHECK(in_child(owner_makes, NULL));
	CHECK(in_child(other_uses, NULL));
	CHECK(in_child(owner_removes, NULL));
	CHECK(in_child(remembered, NULL));
	CHECK(unit_is_sound(ns));
}

/* ---- no memory ---------------------------------------------------------------------------- */

static void fill(void *unused)
{
	(void)unused;
	mdg_id id, first = -1;
	struct mdg__memory memory;
	char path[UNIT_PATH];
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("objects", unit_path(path, "objects-full"), "tmpfs", 0, "mode=0700,size=2m") != 0)
		return;
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("objects-full", &options);
	CHECK_RC(0, get(QUEUES, 0, 0600, &first));
	CHECK_RC(0, mdg__memory_get(ns, QUEUES, first, 1, &memory));
	mdg__memory_leave(&memory);
	CHECK_RC(-ENOMEM, mdg__memory_get(ns, QUEUES, first, 64 << 20, &memory));
	int rc = 0, count = 0;
	while (rc == 0 && count < 1000) {
		CHECK_RC(0, get(QUEUES, 0, 0600, &id));
		rc = mdg__memory_get(ns, QUEUES, id, 65536, &memory);
		if (rc < 0)
			break;
		memset(memory.base, 'f', 65536);
		mdg__memory_leave(&memory);
		count++;
	}
	CHECK(rc == -ENOMEM && count > 5 && count < 40);
	CHECK_RC(0, mdg__memory_get(ns, QUEUES, first, 0, &memory));
	CHECK(memory.length == 4096 || memory.length == mdg__page_size());
	mdg__memory_leave(&memory);
	CHECK(unit_is_sound(ns));
	uint32_t cursor = 0;
	struct mdg__entry entry;
	while (mdg__object_next_entry(ns, QUEUES, &cursor, &entry) > 0)
		CHECK_RC(0, mdg__object_rmid(ns, QUEUES, mdg__entry_id(&entry)));
	CHECK_RC(0, get(QUEUES, 0, 0600, &id));
	CHECK_RC(0, mdg__memory_get(ns, QUEUES, id, 1 << 20, &memory));
	mdg__memory_leave(&memory);
	CHECK_RC(0, mdg__object_rmid(ns, QUEUES, id));
}

static void full(void)
{
	char path[UNIT_PATH];
	CHECK(mkdir(unit_path(path, "objects-full"), 0700) == 0);
	CHECK(in_child(fill, NULL));
}

/* ---- a namespace that is deleted ------------------------------------------------------------ */

static void deleted(void)
{
	mdg_id id, unused;
	struct mdg__memory memory, other;
	char registry[UNIT_PATH + 16], directory[UNIT_PATH], data[UNIT_PATH + 64];
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("objects-deleted", &options);
	CHECK_RC(0, get(SETS, 0, 0600, &id));
	CHECK_RC(0, get(SETS, 0, 0600, &unused));
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 100, &memory));
	unit_path(registry, "objects-deleted");
	strcat(registry, "/registry");
	CHECK(unlink(registry) == 0);
	memory.base[0] = 1;
	CHECK_RC(MDG_NS_GONE, mdg__memory_get(ns, SETS, unused, 1, &other));
	CHECK_RC(MDG_NS_GONE, mdg__memory_get(ns, SETS, id, 1 << 16, &other));
	CHECK_RC(MDG_NS_GONE, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(MDG_NS_GONE, get(SETS, 0, 0600, &unused));
	mdg__memory_leave(&memory);
	/* The next namespace does not keep what the former left. */
	mdg_namespace *former = ns;
	snprintf(data, sizeof data, "%s/sem-%s-%d", unit_path(directory, "objects-deleted"),
	         ns->registry.number, id);
	CHECK(access(data, F_OK) == 0);
	ns = unit_open("objects-deleted", &options);
	CHECK(ns != former && access(data, F_OK) != 0);
	CHECK_RC(-EINVAL, mdg__memory_get(ns, SETS, id, 1, &other));
}

/* ---- a look ---------------------------------------------------------------------------------- */

static void leave_something(void *unused)
{
	mdg_id id;
	struct mdg__memory memory;
	struct mdg_namespace_options options = unit_options(0);
	(void)unused;
	ns = unit_open("objects-look", &options);
	CHECK_RC(0, get(QUEUES, KEY, MDG_CREATE | 0600, &id));
	CHECK_RC(0, get(QUEUES, KEY + 1, MDG_CREATE | 0600, &id));
	CHECK_RC(0, mdg__memory_get(ns, QUEUES, id, 1, &memory));
	memory.base[0] = 'L';
}

static void look(void)
{
	mdg_id used, unused;
	struct mdg__memory memory;
	struct mdg__object_change change = { .uid = geteuid(), .gid = getegid() };
	struct mdg_namespace_options options = unit_options(MDG_NS_LOOK);
	CHECK(in_child(leave_something, NULL));
	ns = unit_open("objects-look", &options);
	CHECK(mdg__object_is_look(ns));
	CHECK_RC(0, get(QUEUES, KEY, 0, &unused));
	CHECK_RC(0, get(QUEUES, KEY + 1, 0400, &used));
	CHECK_RC(-ENOENT, mdg__memory_get(ns, QUEUES, unused, 1, &memory));
	CHECK_RC(0, mdg__memory_get(ns, QUEUES, used, 1 << 20, &memory));
	CHECK(memory.base[0] == 'L' && memory.length < 1 << 20);
	mdg__memory_leave(&memory);
	CHECK(mdg__memory_take(ns, QUEUES, used, &memory));
	mdg__memory_leave(&memory);
	CHECK_RC(-EROFS, get(QUEUES, 0, 0600, &unused));
	CHECK_RC(-EROFS, mdg__object_rmid(ns, QUEUES, used));
	CHECK_RC(-EROFS, mdg__object_change(ns, QUEUES, used, &change));
	CHECK_RC(-EROFS, mdg__memory_punch(ns, QUEUES, used, 0));
}

/* ---- threads ------------------------------------------------------------------------------- */

enum { SLOTS = 8, USERS = 3 };
static _Atomic mdg_id ids[SLOTS];
static atomic_bool stop;
static atomic_ulong taken;

/* Whatever is taken can be read and written until it is left. */
static void *use(void *unused)
{
	uint64_t random = 1234567 + (uint64_t)(uintptr_t)&unused;
	while (!atomic_load(&stop)) {
		mdg_id id = atomic_load(&ids[unit_random(&random) % SLOTS]);
		struct mdg__memory memory;
		bool grow = unit_random(&random) % 16 == 0;
		if (!mdg__memory_take(ns, SETS, id, &memory) &&
		    mdg__memory_get(ns, SETS, id, grow ? 300000 : 1, &memory) != 0)
			continue;
		_Atomic uint32_t *last =
			(_Atomic uint32_t *)(void *)(memory.base + memory.length - 64);
		(void)atomic_fetch_add(last, 1);
		atomic_fetch_add(&taken, 1);
		mdg__memory_leave(&memory);
	}
	return NULL;
}

static void threads(void)
{
	struct mdg_namespace_options options = unit_options(0);
	pthread_t thread[USERS];
	ns = unit_open("objects-threads", &options);
	for (int i = 0; i < SLOTS; i++) {
		mdg_id id;
		CHECK_RC(0, get(SETS, 0, 0600, &id));
		atomic_store(&ids[i], id);
	}
	for (int i = 0; i < USERS; i++)
		CHECK(pthread_create(&thread[i], NULL, use, NULL) == 0);
	time_t end = time(NULL) + 2;
	for (int i = 0; time(NULL) < end; i++) {
		mdg_id id, old = atomic_load(&ids[i % SLOTS]);
		CHECK_RC(0, get(SETS, 0, 0600, &id));
		atomic_store(&ids[i % SLOTS], id);
		CHECK_RC(0, mdg__object_rmid(ns, SETS, old));
		(void)sched_yield();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < USERS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK(atomic_load(&taken) > 100);
	for (int i = 0; i < SLOTS; i++)
		CHECK_RC(0, mdg__object_rmid(ns, SETS, atomic_load(&ids[i])));
	CHECK(unit_is_sound(ns));
}

int main(void)
{
	threads();
	full();
	users();
	look();
	deleted();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * objects.c - the door for semaphore sets and message queues (src/segment/objects.h), as their
 * rooms use it: finding and making, looking, permission, removal, memory.
 */
#include "registry/object.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "segment/internal.h"
#include "segment/objects.h"

#define SETS   MDG__SEMAPHORE_SETS
#define QUEUES MDG__MESSAGE_QUEUES

static mdg_namespace *ns;
static char path[UNIT_PATH];

/* ---- two classes as their rooms will be -------------------------------------------- */

static int set_accepts(const struct mdg__object_order *order, const uint64_t *field)
{
	return order->field[0] > field[0] ? -EINVAL : 0;
}

static int set_prepares(struct mdg__object_order *order, mdg_namespace *of)
{
	(void)of;
	return order->field[0] == 0 ? -EINVAL : 0;
}

static int queue_prepares(struct mdg__object_order *order, mdg_namespace *of)
{
	order->field[0] = mdg__object_limit(of, MDG__MSGMNB);
	return 0;
}

static int set_get(int32_t key, uint64_t count, unsigned flags, mdg_id *ret_id)
{
	struct mdg__object_order order = { .key = key,
		                           .flags = flags,
		                           .mode = flags & 0777,
		                           .field = { count },
		                           .accepts = set_accepts,
		                           .prepares = set_prepares };
	return mdg__object_get(ns, SETS, &order, ret_id);
}

static int queue_get(int32_t key, unsigned flags, mdg_id *ret_id)
{
	struct mdg__object_order order = {
		.key = key, .flags = flags, .mode = flags & 0777, .prepares = queue_prepares
	};
	return mdg__object_get(ns, QUEUES, &order, ret_id);
}

/* How many files in the namespace have names that begin so. */
static int files(const char *beginning)
{
	int count = 0;
	DIR *directory = opendir(path);
	CHECK(directory != NULL);
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
		count += strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
	if (directory != NULL)
		closedir(directory);
	return count;
}

static void died(pid_t child, int signal)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == signal
	                  : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- one process ----------------------------------------------------------------------- */
static void finding(void)
{
	mdg_id id, same, other;
	CHECK_RC(-ENOENT, set_get(1, 3, 0600, &id));
	CHECK_RC(-EINVAL, set_get(1, 0, MDG_CREATE | 0600, &id));
	CHECK_RC(0, set_get(1, 3, MDG_CREATE | 0600, &id));
	CHECK_RC(0, set_get(1, 3, 0600, &same));
	CHECK(same == id);
	CHECK_RC(0, set_get(1, 0, MDG_CREATE, &same));
	CHECK(same == id);
	CHECK_RC(-EINVAL, set_get(1, 4, 0600, &same));
	CHECK_RC(-EEXIST, set_get(1, 4, MDG_CREATE | MDG_EXCL | 0600, &same));
	/* The other class has keys and ids of its own. */
	CHECK_RC(-ENOENT, queue_get(1, 0600, &other));
	CHECK_RC(0, queue_get(1, MDG_CREATE | 0600, &other));
	CHECK(other == id);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(-EINVAL, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(-ENOENT, set_get(1, 0, 0, &same));
	CHECK_RC(0, queue_get(1, 0, &same));
	CHECK_RC(0, mdg__object_rmid(ns, QUEUES, other));
	/* Private ones, and by name. */
	CHECK_RC(0, set_get(0, 1, 0600, &id));
	CHECK_RC(0, set_get(0, 1, 0600, &other));
	CHECK(id != other);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, other));
	struct mdg__object_order order = {
		.name = "a name", .flags = MDG_CREATE, .mode = 0600, .field = { 1 }
	};
	CHECK_RC(0, mdg__object_get(ns, SETS, &order, &id));
	CHECK_RC(0, mdg__object_get(ns, SETS, &order, &other));
	CHECK(id == other);
	struct mdg__entry entry;
	CHECK_RC(0, mdg__object_entry(ns, SETS, id, false, &entry));
	CHECK(strcmp(entry.name, "a name") == 0 && entry.key == 0);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK(files("sem-") == 0 && files("msg-") == 0);
	CHECK(unit_is_sound(ns));
}

static void looking(void)
{
	mdg_id id, queue, plain;
	struct mdg__entry entry;
	struct mdg__object_totals totals;
	uint32_t users[4], cursor = 0;
	CHECK_RC(0, set_get(7, 5, MDG_CREATE | 0640, &id));
	CHECK_RC(0, queue_get(7, MDG_CREATE | 0600, &queue));
	CHECK_RC(0, mdg__object_entry(ns, SETS, id, false, &entry));
	CHECK(entry.class == SETS && mdg__entry_id(&entry) == id && entry.key == 7 &&
	      entry.mode == 0640 && entry.field[0] == 5 && entry.cpid == getpid() &&
	      entry.ctime != 0);
	mdg__entry_users(ns, &entry, users);
	CHECK(users[0] == geteuid() && users[1] == getegid() && users[2] == geteuid() &&
	      users[3] == getegid());
	CHECK_RC(-EINVAL, mdg__object_entry(ns, SETS, id + 32768, false, &entry));
	CHECK_RC(0, mdg__object_entry(ns, SETS, id % 32768, true, &entry));
	CHECK(mdg__entry_id(&entry) == id && mdg__object_is_there(ns, SETS, id));
	CHECK_RC(-EINVAL, mdg__object_entry(ns, SETS, -1, true, &entry));
	CHECK_RC(0, set_get(0, 2, 0600, &plain));
	CHECK_RC(1, mdg__object_next_entry(ns, SETS, &cursor, &entry));
	CHECK(mdg__entry_id(&entry) == id);
	CHECK_RC(1, mdg__object_next_entry(ns, SETS, &cursor, &entry));
	CHECK(mdg__entry_id(&entry) == plain);
	CHECK_RC(0, mdg__object_next_entry(ns, SETS, &cursor, &entry));
	CHECK_RC(0, mdg__object_totals(ns, SETS, &totals));
	CHECK(totals.used == 2 && totals.total == 7 &&
	      totals.highest == (int32_t)((uint32_t)plain % 32768));
	CHECK_RC(0, mdg__object_totals(ns, QUEUES, &totals));
	CHECK(totals.used == 1 && totals.total == 0);
	CHECK(*mdg__object_fields(ns, QUEUES, queue) == 16384);
	/* Everything that IPC_SET can change. */
	struct mdg__object_change change = {
		.uid = geteuid(), .gid = getegid(), .mode = 0177, .fields = 1, .field = { 99, 99 }
	};
	CHECK_RC(0, mdg__object_change(ns, QUEUES, queue, &change));
	CHECK_RC(0, mdg__object_entry(ns, QUEUES, queue, false, &entry));
	CHECK(entry.mode == 0177 && entry.field[0] == 99 && entry.field[1] == 0);
	change.uid = UINT32_MAX;
	CHECK_RC(-EINVAL, mdg__object_change(ns, QUEUES, queue, &change));
	CHECK_RC(0, mdg__object_may(ns, SETS, id, 0444));
	CHECK_RC(-EINVAL, mdg__object_may(ns, SETS, id + 32768, 0444));
	CHECK_RC(0, mdg__object_control(ns, SETS, id, &entry));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, plain));
	CHECK_RC(0, mdg__object_end_removal(ns, QUEUES, queue));
	CHECK_RC(-EINVAL, mdg__object_control(ns, SETS, id, &entry));
	CHECK(!mdg__object_is_there(ns, SETS, id));
	CHECK(unit_is_sound(ns));
}

static void memory_of_one(void)
{
	mdg_id id;
	struct mdg__memory memory, again, larger;
	CHECK_RC(0, set_get(0, 1, 0600, &id));
	CHECK(!mdg__memory_take(ns, SETS, id, &memory));
	CHECK_RC(-ENOENT, mdg__memory_look(ns, SETS, id, &memory));
	CHECK(files("sem-") == 0);
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 100, &memory));
	CHECK(files("sem-") == 1 && memory.length >= 100 && memory.base[0] == 0);
	CHECK(unit_is_sound(ns));
	memory.base[99] = 'x';
	CHECK(mdg__memory_take(ns, SETS, id, &again) && again.base == memory.base);
	mdg__memory_leave(&again);
	CHECK(again.base == NULL);
	CHECK_RC(0, mdg__memory_look(ns, SETS, id, &again));
	mdg__memory_leave(&again);
	/* Longer: what was there is there, also at the old place. */
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 1 << 20, &larger));
	CHECK(larger.length >= 1 << 20 && larger.base[99] == 'x');
	larger.base[(1 << 20) - 1] = 'y';
	larger.base[98] = 'z';
	CHECK(memory.base[98] == 'z');
	mdg__memory_leave(&memory);
	/* Given back, and promised again. */
	CHECK_RC(0, mdg__memory_punch(ns, SETS, id, 65536));
	CHECK_RC(0, mdg__memory_promise(ns, SETS, id, 65536, (1 << 20) - 65536));
	CHECK(larger.base[(1 << 20) - 1] == 0 && larger.base[99] == 'x');
	/* Removed, and yet there for whoever has it. */
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK(files("sem-") == 0 && larger.base[99] == 'x');
	CHECK(!mdg__memory_take(ns, SETS, id, &memory));
	CHECK_RC(-EINVAL, mdg__memory_get(ns, SETS, id, 1, &memory));
	mdg__memory_leave(&larger);
	CHECK(unit_is_sound(ns));
}

/* Of many, so that indexes are used again. */
static void memory_of_many(void)
{
	for (int i = 0; i < 300; i++) {
		mdg_id id;
		struct mdg__memory memory;
		CHECK_RC(0, queue_get(0, 0600, &id));
		CHECK_RC(0, mdg__memory_get(ns, QUEUES, id, 4096, &memory));
		CHECK(memory.base[0] == 0 && memory.base[4095] == 0);
		memory.base[0] = 1;
		mdg__memory_leave(&memory);
		CHECK_RC(0, mdg__object_rmid(ns, QUEUES, id));
	}
	CHECK(files("msg-") == 0);
}

/* ---- several processes ---------------------------------------------------------------- */

enum { MAKERS = 4, KEYS = 40, FIRST_KEY = 1000 };

/* Each makes all keys, and adds 1 to the memory of each. */
static void make_all(_Atomic uint32_t *made)
{
	for (int32_t i = 0; i < KEYS; i++) {
		mdg_id id;
		struct mdg__memory memory;
		int rc = set_get(FIRST_KEY + i, 2, MDG_CREATE | MDG_EXCL | 0600, &id);
		if (rc == 0)
			atomic_fetch_add(made, 1);
		else
			CHECK(rc == -EEXIST);
		CHECK_RC(0, set_get(FIRST_KEY + i, 0, 0, &id));
		CHECK_RC(0, mdg__memory_get(ns, SETS, id, 5000, &memory));
		atomic_fetch_add((_Atomic uint32_t *)(void *)(memory.base + 4996), 1);
		mdg__memory_leave(&memory);
	}
}

static void makers_race(void)
{
	_Atomic uint32_t *made =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child[MAKERS];
	for (int i = 0; i < MAKERS; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			make_all(made);
			_exit(check_failures != 0);
		}
	}
	for (int i = 0; i < MAKERS; i++)
		died(child[i], 0);
	CHECK(*made == KEYS && files("sem-") == KEYS);
	for (int32_t i = 0; i < KEYS; i++) {
		mdg_id id;
		struct mdg__memory memory;
		CHECK_RC(0, set_get(FIRST_KEY + i, 0, 0, &id));
		CHECK_RC(0, mdg__memory_get(ns, SETS, id, 0, &memory));
		CHECK(memory.base[4996] == MAKERS);
		mdg__memory_leave(&memory);
		CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	}
	CHECK(files("sem-") == 0 && unit_is_sound(ns));
}

static void make_and_remove(void)
{
	for (int32_t key = 1;; key = key % 3 + 1) {
		mdg_id id;
		struct mdg__memory memory;
		if (set_get(key, 2, MDG_CREATE | 0600, &id) != 0 ||
		    mdg__memory_get(ns, SETS, id, (uint64_t)key * 5000, &memory) != 0)
			continue;
		CHECK(memory.base[key * 5000 - 1] == 0);
		mdg__memory_leave(&memory);
		if (key != 2)
			(void)mdg__object_rmid(ns, SETS, id);
	}
}

/* At any moment: what they made can be used, and removed. */
static void makers_die(void)
{
	uint64_t random = 88172645463325252u;
	for (int i = 0; i < 60; i++) {
		mdg_id id;
		struct mdg__memory memory;
		pid_t child = fork();
		if (child == 0)
			make_and_remove();
		usleep(500 + unit_random(&random) % 3000);
		kill(child, SIGKILL);
		died(child, SIGKILL);
		for (int32_t key = 1; key < 4; key++) {
			int rc = set_get(key, 0, 0, &id);
			if (rc == -ENOENT)
				continue;
			CHECK_RC(0, rc);
			CHECK_RC(0, mdg__memory_get(ns, SETS, id, 20000, &memory));
			CHECK(memory.base[19999] == 0);
			mdg__memory_leave(&memory);
			if (i % 4 == 0)
				CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
		}
	}
	struct mdg__object_totals totals;
	CHECK_RC(0, mdg__object_totals(ns, SETS, &totals));
	for (int32_t key = 1; key < 4; key++) {
		mdg_id id;
		if (set_get(key, 0, 0, &id) == 0)
			CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	}
	CHECK(files("sem-") == 0 && unit_is_sound(ns));
}

/* A child has the memory without a descriptor. */
static void forked(void)
{
	mdg_id id, fresh;
	struct mdg__memory memory;
	CHECK_RC(0, set_get(0, 1, 0600, &id));
	CHECK_RC(0, set_get(0, 1, 0600, &fresh));
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 100, &memory));
	pid_t child = fork();
	if (child == 0) {
		struct mdg__memory own, other;
		const struct rlimit none = { 0, 0 };
		CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
		CHECK(mdg__memory_take(ns, SETS, id, &own) && own.base == memory.base);
		own.base[7] = 'c';
		CHECK_RC(0, mdg__memory_get(ns, SETS, id, 4096, &other));
		CHECK_RC(-EMFILE, mdg__memory_get(ns, SETS, id, 1 << 20, &other));
		CHECK_RC(-EMFILE, mdg__memory_get(ns, SETS, fresh, 1, &other));
		mdg__memory_leave(&own);
		_exit(check_failures != 0);
	}
	died(child, 0);
	CHECK(memory.base[7] == 'c');
	mdg__memory_leave(&memory);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, fresh));
}

/* ---- half-made files ------------------------------------------------------------------ */

static const char *file_of(mdg_id id)
{
	static char name[UNIT_PATH + 64];
	snprintf(name, sizeof name, "%s/sem-%s-%d", path, ns->registry.number, id);
	return name;
}

static void put_file(mdg_id id, const char *content)
{
	FILE *file = fopen(file_of(id), "w");
	CHECK(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0);
}

/* A maker that died left the state and the file as they are given. What is in the file counts
 * only if the file was said to be made. */
static void half_made(uint32_t state, const char *content, char expected)
{
	mdg_id id;
	struct mdg__memory memory;
	CHECK_RC(0, set_get(0, 1, 0600, &id));
	if (content != NULL)
		put_file(id, content);
	mdg__late_at(&ns->registry, SETS, (uint32_t)id % MDG__IDS)->file = state;
	CHECK_RC(0, mdg__memory_get(ns, SETS, id, 9000, &memory));
	CHECK(memory.length >= 9000 && memory.base[0] == expected && memory.base[8999] == 0);
	mdg__memory_leave(&memory);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK(files("sem-") == 0);
}

static void half_made_ones(void)
{
	half_made(MDG__FILE_NONE, NULL, 0);
	half_made(MDG__FILE_NONE, "leftover", 0);
	half_made(MDG__FILE_BEGUN, NULL, 0);
	half_made(MDG__FILE_BEGUN, "", 0);
	half_made(MDG__FILE_BEGUN, "junk", 0);
	half_made(MDG__FILE_MADE, "", 0);
	half_made(MDG__FILE_MADE, "half", 'h');
	/* Deleted by somebody who should not. */
	mdg_id id;
	struct mdg__memory memory;
	CHECK_RC(0, set_get(0, 1, 0600, &id));
	mdg__late_at(&ns->registry, SETS, (uint32_t)id % MDG__IDS)->file = MDG__FILE_MADE;
	CHECK_RC(MDG_DAMAGED, mdg__memory_get(ns, SETS, id, 1, &memory));
	CHECK(mdg_namespace_check(ns, 0, NULL, NULL) == 1);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	/* A file of nobody, and one of another namespace. */
	put_file(id, "x");
	CHECK(mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL) == 0);
	CHECK(files("sem-") == 0);
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("objects", &options);
	unit_path(path, "objects");
	finding();
	looking();
	memory_of_one();
	memory_of_many();
	makers_race();
	makers_die();
	forked();
	half_made_ones();
	return test_result();
}

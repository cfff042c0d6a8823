/* SPDX-License-Identifier: MIT */
/*
 * objects.c - the door for semaphore sets and message queues (src/segment/objects.h), as their
 * rooms use it: finding and making, looking, permission, removal, memory.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

static __attribute__((unused)) void died(pid_t child, int signal)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == signal
	                  : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the tests ----------------------------------------------------------------------- */

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

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("objects", &options);
	unit_path(path, "objects");
	finding();
	looking();
	memory_of_one();
	memory_of_many();
	return test_result();
}

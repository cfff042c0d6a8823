/* SPDX-License-Identifier: MIT */
/*
 * segments.c - the functions on one segment, one by one: create, open, get,
 * attach, detach, stat, set, lock, remove.
 *
 * What the System V calls make of them is proved in tests/sysv, line by line;
 * here it is what only the native interface has: names, codes, its flags, and
 * that a failure leaves the result and errno alone.
 */
#include "unit.h"

#include <sys/mman.h>
#include <sys/stat.h>

enum { UNTOUCHED = -77 };

static mdg_namespace *ns;
static size_t page;

/* The id, or UNTOUCHED with the code checked; errno stays in either case. */
static mdg_id create(const char *name, uint64_t size, unsigned mode, unsigned flags, int wanted)
{
	mdg_id id = UNTOUCHED;
	errno = 4242;
	int rc = mdg_segment_create(ns, name, size, mode, flags, &id);
	CHECK_RC(wanted, rc);
	CHECK(errno == 4242 && (rc == 0 ? id >= 0 : id == UNTOUCHED));
	return id;
}

static mdg_id find(const char *name, uint64_t size, unsigned ask, int wanted)
{
	mdg_id id = UNTOUCHED;
	errno = 4242;
	int rc = mdg_segment_open(ns, name, size, ask, &id);
	CHECK_RC(wanted, rc);
	CHECK(errno == 4242 && (rc == 0 ? id >= 0 : id == UNTOUCHED));
	return id;
}

static mdg_id get(int32_t key, uint64_t size, unsigned flags, int wanted)
{
	mdg_id id = UNTOUCHED;
	errno = 4242;
	int rc = mdg_segment_get(ns, key, size, flags, &id);
	CHECK_RC(wanted, rc);
	CHECK(errno == 4242 && (rc == 0 ? id >= 0 : id == UNTOUCHED));
	return id;
}

static void *attach(mdg_id id, void *address, unsigned flags, int wanted)
{
	static char untouched;
	void *memory = &untouched;
	errno = 4242;
	int rc = mdg_segment_attach(ns, id, address, flags, &memory);
	CHECK_RC(wanted, rc);
	CHECK(errno == 4242 && (rc == 0) == (memory != &untouched));
	return memory;
}

static void destroy(mdg_id id)
{
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK_RC(-EINVAL, mdg_segment_remove(ns, id));
}

/* ---- names ---------------------------------------------------------------------- */

static void names(void)
{
	char longest[MDG_NAME_MAX + 2];
	memset(longest, 'n', sizeof longest);
	longest[MDG_NAME_MAX + 1] = '\0';
	create(longest, 100, 0600, 0, -EINVAL); /* 64 bytes */
	find(longest, 0, 0, -EINVAL);
	longest[MDG_NAME_MAX] = '\0';
	find(longest, 0, 0, -ENOENT);
	mdg_id id = create(longest, 100, 0600, 0, 0); /* 63 */
	CHECK(find(longest, 0, 0, 0) == id && strcmp(unit_stat(ns, id).name, longest) == 0);
	longest[MDG_NAME_MAX - 1] = 'm'; /* unlike in its last byte */
	find(longest, 0, 0, -ENOENT);
	longest[MDG_NAME_MAX - 1] = '\0'; /* shorter by it */
	find(longest, 0, 0, -ENOENT);
	destroy(id);
	longest[MDG_NAME_MAX - 1] = 'n';
	find(longest, 0, 0, -ENOENT);

	create("", 100, 0600, 0, -EINVAL);
	find("", 0, 0, -EINVAL);
	find(NULL, 0, 0, -EINVAL);
	static const char *const odd[] = { "a",        "/",        "..",
		                           "a b\n",    "\377\376", "seg-0",
		                           "registry", "12345678", "12345678\001" };
	mdg_id ids[9];
	for (int i = 0; i < 9; i++)
		ids[i] = create(odd[i], 100, 0600, 0, 0);
	for (int i = 0; i < 9; i++) {
		create(odd[i], 0, 0600, 0, -EEXIST); /* before the size, as System V does */
		CHECK(find(odd[i], 100, 0600, 0) == ids[i]);
		CHECK(strcmp(unit_stat(ns, ids[i]).name, odd[i]) == 0);
		CHECK(unit_stat(ns, ids[i]).key == 0);
		destroy(ids[i]);
	}
	mdg_id nameless = create(NULL, 100, 0600, 0, 0), other = create(NULL, 100, 0600, 0, 0);
	CHECK(nameless != other && unit_stat(ns, nameless).name[0] == '\0');
	destroy(nameless);
	destroy(other);
}

/* MDG_OR_OPEN: the first one makes it, and the others find it. */
static void made_or_found(void)
{
	mdg_id id = create("either", 100, 0640, MDG_OR_OPEN | MDG_NORESERVE, 0);
	CHECK(create("either", 100, 0640, MDG_OR_OPEN, 0) == id);
	CHECK(create("either", 1, 0400, MDG_OR_OPEN, 0) == id);
	CHECK(find("either", 100, 0600, 0) == id);
	CHECK((unit_stat(ns, id).mode & 0777) == 0640 && unit_stat(ns, id).bytes == 100);
	create("either", 101, 0640, MDG_OR_OPEN, -EINVAL); /* it is smaller */
	create("either", 100, 0640, 0, -EEXIST);
	create("", 100, 0600, MDG_OR_OPEN, -EINVAL);
	create("nothing", 0, 0600, MDG_OR_OPEN, -EINVAL);
	create("nothing", 100, 0600, MDG_OR_OPEN | MDG_EXCL, -EINVAL);
	find("nothing", 0, 0, -ENOENT);
	destroy(id);
	mdg_id next = create("either", 200, 0600, MDG_OR_OPEN, 0); /* removed: a new one */
	CHECK(next != id && unit_stat(ns, next).bytes == 200);
	destroy(next);
	mdg_id nameless = create(NULL, 100, 0600, MDG_OR_OPEN, 0);
	mdg_id other = create(NULL, 100, 0600, MDG_OR_OPEN, 0); /* nothing to find it by */
	CHECK(other != nameless);
	destroy(nameless);
	destroy(other);
}

/* A name is never found by a key, nor a key by a name, whatever bytes they have. */
static void names_and_keys(void)
{
	const char name[] = "AB\1\2"; /* the bytes of the key */
	int32_t key;
	memcpy(&key, name, sizeof key);
	mdg_id named = create(name, 100, 0600, 0, 0);
	get(key, 0, 0, -ENOENT);
	mdg_id keyed = get(key, 200, MDG_CREATE | MDG_EXCL | 0600, 0);
	CHECK(keyed != named && find(name, 0, 0, 0) == named && get(key, 0, 0, 0) == keyed);
	CHECK(unit_stat(ns, keyed).key == key && unit_stat(ns, keyed).name[0] == '\0');
	destroy(named);
	find(name, 0, 0, -ENOENT);
	CHECK(get(key, 0, 0, 0) == keyed);
	destroy(keyed);
	get(key, 0, 0, -ENOENT);

	/* A name is free at once, also while its segment lives on. */
	named = create(name, 100, 0600, 0, 0);
	void *memory = attach(named, NULL, 0, 0);
	CHECK_RC(0, mdg_segment_remove(ns, named));
	find(name, 0, 0, -ENOENT);
	struct mdg_segment_info info = unit_stat(ns, named);
	CHECK(info.mode == (0600 | MDG_MODE_REMOVED) && info.attached == 1);
	mdg_id again = create(name, 300, 0600, 0, 0);
	CHECK(again != named && find(name, 0, 0, 0) == again);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, named, 0, &info));
	destroy(again);
}

/* ---- making and finding ------------------------------------------------------------ */

static void sizes_and_modes(void)
{
	create("s", 0, 0600, 0, -EINVAL);
	create("s", UINT64_MAX, 0600, 0, -EINVAL);
	create("s", UINT64_C(1) << 62, 0600, 0, -ENOMEM);
	find("s", 0, 0, -ENOENT); /* nothing of it is left */
	mdg_id id = create("s", page + 1, 07642, 0, 0);
	CHECK(unit_stat(ns, id).mode == 0642 && unit_stat(ns, id).bytes == page + 1);
	CHECK(find("s", page + 1, 0, 0) == id);
	find("s", page + 2, 0, -EINVAL);
	destroy(id);

	mode_t mask = umask(0777);
	id = create("t", 1, 0666, 0, 0);
	umask(mask);
	CHECK(unit_stat(ns, id).mode == 0666);
	destroy(id);

	uint64_t reserved, sparse;
	struct mdg_segment_info info = { .size = sizeof info };
	id = create("r", 64 * page, 0600, 0, 0);
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info));
	reserved = info.resident;
	destroy(id);
	id = create("r", 64 * page, 0600, MDG_NORESERVE, 0);
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info));
	sparse = info.resident;
	CHECK(sparse < reserved && reserved >= 64 * page);
	CHECK(unit_stat(ns, id).resident == 0 && unit_stat(ns, id).creator_alive == 0);
	destroy(id);
}

static void keys(void)
{
	static const int32_t some[] = { 1, -1, INT32_MIN, INT32_MAX, 0x4d414441 };
	mdg_id first = get(0, 10, 0, 0),
	       second = get(0, 10, 0, 0); /* IPC_PRIVATE: no flag needed */
	CHECK(first != second);
	destroy(first);
	destroy(second);
	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		get(some[i], 10, 0, -ENOENT);
		get(some[i], 0, MDG_CREATE, -EINVAL);
		mdg_id id = get(some[i], 10, MDG_CREATE | 0600, 0);
		CHECK(get(some[i], 10, MDG_CREATE | 0600, 0) == id);
		get(some[i], 99, MDG_CREATE | MDG_EXCL, -EEXIST);
		get(some[i], 11, MDG_CREATE, -EINVAL);
		CHECK(get(some[i], 0, MDG_EXCL, 0) == id); /* alone it means nothing */
		destroy(id);
	}
}

/* ---- attaching ----------------------------------------------------------------------- */

static void attaching(void)
{
	mdg_id id = create(NULL, 3 * page, 0600, 0, 0);
	attach(-1, NULL, 0, -EINVAL);
	attach(id + 1, NULL, 0, -EINVAL);
	attach(id + 32768, NULL, 0, -EINVAL);
	attach(id, NULL, MDG_REMAP, -EINVAL);
	attach(id, (void *)(uintptr_t)12345, 0, -EINVAL);
	attach(id, (void *)(uintptr_t)12, MDG_ROUND | MDG_REMAP, -EINVAL);
	CHECK(unit_stat(ns, id).attached == 0);

	unsigned char *memory = attach(id, NULL, 0, 0);
	CHECK((uintptr_t)memory % page == 0);
	for (size_t i = 0; i < 3 * page; i++)
		CHECK(memory[i] == 0);
	memory[3 * page - 1] = 7;
	const unsigned char *again = attach(id, NULL, MDG_RDONLY, 0);
	CHECK(again != memory && again[3 * page - 1] == 7);
	struct mdg_segment_info info = unit_stat(ns, id);
	CHECK(info.attached == 2 && info.lpid == getpid() && info.cpid == getpid());
	CHECK(info.atime != 0 && info.dtime == 0);
	attach(id, memory + page, 0, -EINVAL); /* taken */
	CHECK_RC(0, mdg_segment_detach(ns, again));
	CHECK_RC(-EINVAL, mdg_segment_detach(ns, again));
	CHECK_RC(-EINVAL, mdg_segment_detach(ns, memory + page));
	CHECK_RC(-EINVAL, mdg_segment_detach(ns, memory + 1));
	CHECK_RC(-EINVAL, mdg_segment_detach(ns, NULL));
	CHECK(unit_stat(ns, id).attached == 1 && unit_stat(ns, id).dtime != 0);

	/* Where the program wants it: in a hole that it made, and over it. */
	unsigned char *hole = mmap(NULL, 5 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	attach(id, hole + page, 0, -EINVAL);
	CHECK(attach(id, hole + page, MDG_REMAP, 0) == hole + page);
	CHECK(hole[4 * page - 1] == 7);
	CHECK_RC(0, mdg_segment_detach(ns, hole + page));
	CHECK(attach(id, hole + page + 100, MDG_ROUND, 0) == hole + page);
	CHECK_RC(0, mdg_segment_detach(ns, hole + page));
	CHECK(munmap(hole, page) == 0 && munmap(hole + 4 * page, page) == 0);
	void *code = attach(id, NULL, MDG_EXEC, geteuid() == 0 ? 0 : -EACCES);
	if (geteuid() == 0)
		CHECK_RC(0, mdg_segment_detach(ns, code));
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	destroy(id);
}

/* Whether this process has a descriptor of the segment's file. */
static bool has_descriptor(mdg_id id)
{
	char name[32], path[64], target[UNIT_PATH];
	bool found = false;
	snprintf(name, sizeof name, "-%lld", (long long)id);
	for (int fd = 0; fd < 1024 && !found; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t length = readlink(path, target, sizeof target - 1);
		target[length > 0 ? length : 0] = '\0';
		const char *file = strstr(target, "/seg-");
		found = file != NULL && strstr(file, name) != NULL;
	}
	return found;
}

/* Others come to a removed segment through the descriptor of a process that has it attached. That
 * it was attached and detached more than once before makes no difference. */
static void attached_again(void)
{
	mdg_id other = create(NULL, 10, 0600, 0, 0);
	for (int before = 0; before < 4; before++) {
		mdg_id id = create(NULL, 10, 0600, 0, 0);
		for (int i = 0; i < before; i++)
			CHECK_RC(0, mdg_segment_detach(ns, attach(id, NULL, 0, 0)));
		void *memory = attach(id, NULL, 0, 0);
		CHECK(has_descriptor(id));
		CHECK_RC(0, mdg_segment_remove(ns, id));
		CHECK_RC(0, mdg_segment_detach(ns, attach(other, NULL, 0, 0)));
		CHECK(has_descriptor(id));
		CHECK_RC(0, mdg_segment_detach(ns, memory));
		CHECK(!has_descriptor(id));
	}
	destroy(other);
}

/* ---- looking --------------------------------------------------------------------------- */

static void looking(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	unsigned char untouched[sizeof info];
	mdg_id id = create("looked at", 10, 0000, 0, 0);
	memset(&info, 0x3c, sizeof info);
	info.size = sizeof info;
	memcpy(untouched, &info, sizeof untouched);
	errno = 4242;
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, -1, 0, &info));
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, id + 32768, 0, &info));
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, id + 1, MDG_STAT_INDEX, &info));
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, 32767, MDG_STAT_INDEX, &info));
	CHECK(memcmp((const unsigned char *)&info, untouched, sizeof info) == 0 && errno == 4242);
	CHECK_RC(geteuid() == 0 ? 0 : -EACCES, mdg_segment_stat(ns, id, 0, &info));
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_ANY, &info));
	CHECK(info.id == id && strcmp(info.name, "looked at") == 0 && info.mode == 0);
	CHECK(info.uid == geteuid() && info.cuid == geteuid() && info.gid == getegid() &&
	      info.cgid == getegid() && info.ctime != 0);
	CHECK_RC(0, mdg_segment_stat(ns, id % 32768, MDG_STAT_ANY | MDG_STAT_INDEX, &info));
	CHECK(info.id == id);
	CHECK_RC(0, mdg_segment_stat(ns, id + 32768, MDG_STAT_ANY | MDG_STAT_INDEX, &info));
	CHECK(info.id == id);
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_ANY | MDG_STAT_CREATOR, &info));
	CHECK(info.creator_alive == 1 && info.resident == 0);
	destroy(id);
}

static void make_and_end(void *arg)
{
	create(arg, 10, 0600, 0, 0);
}

static void creators(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	char name[] = "of a dead process";
	CHECK(in_child(make_and_end, name));
	mdg_id id = find(name, 0, 0, 0);
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_CREATOR, &info));
	CHECK(info.creator_alive == 0 && info.cpid != getpid() && info.cpid > 0);
	destroy(id);
}

/* ---- changing ---------------------------------------------------------------------------- */

static void changing(void)
{
	mdg_id id = create("changed", 10, 0600, 0, 0);
	struct mdg_segment_info before = unit_stat(ns, id), info = { .size = sizeof info };
	CHECK_RC(-EINVAL, mdg_segment_set(ns, id + 32768, 1, 1, 0));
	CHECK_RC(-EINVAL, mdg_segment_set(ns, id, UINT32_MAX, 1, 0));
	CHECK_RC(-EINVAL, mdg_segment_set(ns, id, 1, UINT32_MAX, 0));
	CHECK_RC(0, mdg_segment_set(ns, id, 1234, 5678, 07751));
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_ANY, &info));
	CHECK(info.uid == 1234 && info.gid == 5678 && info.mode == 0751);
	CHECK(info.cuid == before.cuid && info.cgid == before.cgid && info.bytes == before.bytes &&
	      info.ctime >= before.ctime && info.atime == 0 && info.lpid == 0);
	CHECK(strcmp(info.name, "changed") == 0);

	CHECK_RC(-EINVAL, mdg_segment_lock(ns, id + 32768, 1));
	CHECK_RC(0, mdg_segment_lock(ns, id, 1));
	CHECK_RC(0, mdg_segment_lock(ns, id, 1));
	CHECK(unit_stat(ns, id).mode == (0751 | MDG_MODE_LOCKED));
	CHECK_RC(0, mdg_segment_set(ns, id, 1234, 5678, 0644));
	CHECK(unit_stat(ns, id).mode == (0644 | MDG_MODE_LOCKED));
	CHECK_RC(0, mdg_segment_lock(ns, id, 0));
	CHECK_RC(0, mdg_segment_lock(ns, id, 0));
	CHECK(unit_stat(ns, id).mode == 0644);

	void *memory = attach(id, NULL, 0, 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK_RC(0, mdg_segment_remove(ns, id)); /* as long as it is attached */
	CHECK_RC(0, mdg_segment_set(ns, id, geteuid(), getegid(), 0600));
	CHECK(unit_stat(ns, id).mode == (0600 | MDG_MODE_REMOVED));
	void *more = attach(id, NULL, 0, 0);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK(unit_stat(ns, id).attached == 1);
	CHECK_RC(0, mdg_segment_detach(ns, more));
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, id, MDG_STAT_ANY, &info));
	CHECK_RC(-EINVAL, mdg_segment_remove(ns, id));
	attach(id, NULL, 0, -EINVAL);
}

int main(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	ns = unit_open("segments", NULL);
	names();
	made_or_found();
	names_and_keys();
	sizes_and_modes();
	keys();
	attaching();
	attached_again();
	looking();
	creators();
	changing();
	struct mdg_namespace_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 0 && info.pages_total == 0);
	unit_is_sound(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * names.c - names for objects in a segment: given, changed, taken away, walked over; a table that
 * is full, hostile, cut short; deaths while naming; and what a longer data file must not change.
 * What the objects themselves show is in look.c.
 */
#include <madang/names.h>
#include "shared.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "crash/victim.h"
#include "support/datafile.h"
#include "unit/unit.h"

/* The table, as documented in src/locks/table.h. */
enum { NAMES = 255, TAIL = 16384, ENTRY = 64, PAGE_MOST = 65536, SIZE = 4 * PAGE_MOST };

static mdg_namespace *ns;
static char path[UNIT_PATH + 32];

static mdg_id make(uint64_t size, unsigned flags)
{
	char directory[UNIT_PATH];
	mdg_id id = -1;
	CHECK_RC(0, mdg_segment_create(ns, NULL, size, 0600, flags, &id));
	unit_path(directory, "names");
	snprintf(path, sizeof path, "%s/%s", directory, data_file_name(directory, (int)id));
	return id;
}

static unsigned char *attach(mdg_id id, unsigned flags)
{
	void *memory = NULL;
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, flags, &memory));
	return memory;
}

static off_t file_size(void)
{
	struct stat status = { 0 };
	CHECK(stat(path, &status) == 0);
	return status.st_size;
}

/* How many names there are; -1: the walk failed. The last that is called `text` is in `ret`. */
static int walk(mdg_id id, const char *text, struct mdg_name_info *ret)
{
	struct mdg_name_info entry = { .size = sizeof entry };
	uint32_t cursor = 0;
	int count = 0, rc;
	while ((rc = mdg_names_next(ns, id, &cursor, &entry)) > 0) {
		CHECK(memchr(entry.name, '\0', sizeof entry.name) != NULL && entry.name[0] != '\0');
		CHECK(entry.offset % 64 == 0 && entry.state.kind >= MDG_SYNC_MUTEX &&
		      entry.state.kind <= MDG_SYNC_TXN);
		if (text != NULL && strcmp(entry.name, text) == 0)
			*ret = entry;
		count++;
	}
	CHECK(rc == 0 || rc == MDG_DAMAGED);
	return rc < 0 ? -1 : count;
}

static bool is_called(mdg_id id, const char *text, enum mdg_sync_kind kind, uint64_t offset)
{
	struct mdg_name_info entry = { .size = sizeof entry };
	walk(id, text, &entry);
	return strcmp(entry.name, text) == 0 && entry.state.kind == (uint32_t)kind &&
	       entry.offset == offset;
}

/* ---- naming ------------------------------------------------------------------------- */

static void given_and_changed(void)
{
	static const char longest[] = "123456789 123456789 123456789 123456789";
	mdg_id id = make(SIZE, 0);
	unsigned char *at = attach(id, 0), *other = attach(id, 0);
	CHECK(walk(id, NULL, NULL) == 0);
	CHECK(file_size() == SIZE);
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "first"));
	CHECK_RC(0, mdg_names_set(ns, other + 128, MDG_SYNC_RWLOCK, longest));
	CHECK_RC(0, mdg_names_set(ns, at + SIZE - 128, MDG_SYNC_SEM, "last"));
	CHECK(file_size() == SIZE + TAIL);
	CHECK(walk(id, NULL, NULL) == 3);
	CHECK(is_called(id, "first", MDG_SYNC_MUTEX, 0));
	CHECK(is_called(id, longest, MDG_SYNC_RWLOCK, 128));
	CHECK(is_called(id, "last", MDG_SYNC_SEM, SIZE - 128));
	CHECK_RC(0, mdg_names_set(ns, other, MDG_SYNC_EVENT, "x"));
	CHECK(walk(id, NULL, NULL) == 3 && is_called(id, "x", MDG_SYNC_EVENT, 0));
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_EVENT, NULL));
	CHECK_RC(-ENOENT, mdg_names_set(ns, at, MDG_SYNC_EVENT, NULL));
	CHECK(walk(id, NULL, NULL) == 2 && !is_called(id, "x", MDG_SYNC_EVENT, 0));
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(0, mdg_segment_detach(ns, other));
	/* The names stay as long as the segment does. */
	CHECK(walk(id, NULL, NULL) == 2);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	uint32_t cursor = 0;
	struct mdg_name_info entry = { .size = sizeof entry };
	CHECK_RC(-EINVAL, mdg_names_next(ns, id, &cursor, &entry));
}

static void refused(void)
{
	mdg_id id = make(SIZE, 0);
	unsigned char *at = attach(id, 0), aligned[128] MDG_ALIGNED;
	CHECK_RC(-EINVAL, mdg_names_set(ns, at, MDG_SYNC_MUTEX, ""));
	CHECK_RC(-EINVAL,
	         mdg_names_set(ns, at, MDG_SYNC_MUTEX, "123456789 123456789 123456789 123456789 "));
	CHECK_RC(-EINVAL, mdg_names_set(ns, at, (enum mdg_sync_kind)0, "name"));
	CHECK_RC(-EINVAL, mdg_names_set(ns, at, (enum mdg_sync_kind)(MDG_SYNC_TXN + 1), "name"));
	CHECK_RC(-EINVAL, mdg_names_set(ns, at + 32, MDG_SYNC_MUTEX, "name"));
	CHECK_RC(-EINVAL, mdg_names_set(ns, aligned, MDG_SYNC_MUTEX, "name"));
	CHECK_RC(-EINVAL, mdg_names_set(ns, NULL, MDG_SYNC_MUTEX, "name"));
	CHECK_RC(-EINVAL, mdg_names_set(ns, at + SIZE - 64, MDG_SYNC_MUTEX, "name"));
	CHECK_RC(-EINVAL, mdg_names_set(ns, at + SIZE - 4224, MDG_SYNC_RWLOCK, "name"));
	CHECK(file_size() == SIZE);
	CHECK_RC(0, mdg_names_set(ns, at + SIZE - 4288, MDG_SYNC_RWLOCK, "name"));
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(-EINVAL, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "name"));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	/* What is asked for counts, and not the page it is rounded up to. */
	id = make(100, 0);
	at = attach(id, 0);
	CHECK_RC(-EINVAL, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "name"));
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

static void full(void)
{
	mdg_id id = make(SIZE, 0);
	unsigned char *at = attach(id, 0);
	char name[40];
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "object %d", i);
		CHECK_RC(0, mdg_names_set(ns, at + 128 * i, MDG_SYNC_MUTEX, name));
	}
	CHECK(walk(id, NULL, NULL) == NAMES);
	CHECK_RC(-ENOSPC, mdg_names_set(ns, at + 128 * NAMES, MDG_SYNC_MUTEX, "too many"));
	CHECK_RC(0, mdg_names_set(ns, at + 128 * 77, MDG_SYNC_COND, "renamed"));
	CHECK(walk(id, NULL, NULL) == NAMES && is_called(id, "renamed", MDG_SYNC_COND, 128 * 77));
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, NULL));
	CHECK_RC(0, mdg_names_set(ns, at + 128 * NAMES, MDG_SYNC_MUTEX, "fits"));
	CHECK(walk(id, NULL, NULL) == NAMES && is_called(id, "fits", MDG_SYNC_MUTEX, 128 * NAMES));
	CHECK(is_called(id, "object 254", MDG_SYNC_MUTEX, 128 * 254));
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* ---- the segment beside its names ---------------------------------------------------- */

static void is_unchanged(mdg_id id, uint64_t resident)
{
	struct mdg_segment_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_segment_stat(ns, id, MDG_STAT_RESIDENT, &info));
	CHECK(info.bytes == SIZE && info.resident == resident);
	CHECK(unit_is_sound(ns));
}

static void segment_stays_as_it_was(void)
{
	mdg_id id = make(SIZE, 0);
	unsigned char *at = attach(id, 0);
	struct mdg_name_info entry = { .size = sizeof entry };
	is_unchanged(id, SIZE);
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "name"));
	is_unchanged(id, SIZE);
	CHECK_RC(0, mdg_segment_detach(ns, at));
	struct mdg_segment_info before = unit_stat(ns, id);
	CHECK(walk(id, "name", &entry) == 1);
	struct mdg_segment_info after = unit_stat(ns, id);
	CHECK(after.attached == 0 && after.lpid == before.lpid && after.atime == before.atime &&
	      after.dtime == before.dtime && after.ctime == before.ctime);
	at = attach(id, 0); /* as long as before: what follows is not mapped with it */
	CHECK_RC(0, mdg_segment_detach(ns, at));
	/* Removed and attached, it has no name in the directory any more. */
	at = attach(id, 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK_RC(0, mdg_names_set(ns, at + 128, MDG_SYNC_ONCE, "another"));
	CHECK(walk(id, NULL, NULL) == 2);
	CHECK_RC(0, mdg_segment_detach(ns, at));
	struct stat status;
	CHECK(stat(path, &status) < 0 && errno == ENOENT);
	CHECK(unit_is_sound(ns));
}

/* Its file is empty until it is attached, and holes until it is written. */
static void without_memory(void)
{
	mdg_id id = make(SIZE, MDG_NORESERVE);
	CHECK(walk(id, NULL, NULL) == 0);
	unsigned char *at = attach(id, 0);
	CHECK_RC(0, mdg_names_set(ns, at + SIZE / 2, MDG_SYNC_MUTEX, "name"));
	is_unchanged(id, 0);
	CHECK(walk(id, NULL, NULL) == 1);
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* ---- who may -------------------------------------------------------------------------- */

static void as_nobody(void *argument)
{
	mdg_id *ids = argument; /* one that may only be read, one that may not even that */
	struct mdg_namespace_options options = unit_options(MDG_NS_EXISTING);
	uint32_t cursor = 0;
	struct mdg_name_info entry = { .size = sizeof entry };
	mdg_namespace *shared;
	char directory[UNIT_PATH];
	CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	CHECK_RC(0, mdg_namespace_open(&shared, unit_path(directory, "names-shared"), &options));
	void *memory = NULL;
	CHECK_RC(0, mdg_segment_attach(shared, ids[0], NULL, MDG_RDONLY, &memory));
	CHECK_RC(-EACCES, mdg_names_set(shared, memory, MDG_SYNC_MUTEX, "mine"));
	CHECK_RC(1, mdg_names_next(shared, ids[0], &cursor, &entry));
	CHECK(strcmp(entry.name, "readable") == 0);
	cursor = 0;
	CHECK_RC(-EACCES, mdg_names_next(shared, ids[1], &cursor, &entry));
	mdg_namespace_close(shared);
}

static void permissions(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	mdg_id ids[2];
	void *memory[2];
	if (geteuid() != 0)
		return; /* nobody else to be */
	mdg_namespace *shared = unit_open("names-shared", &options);
	for (int i = 0; i < 2; i++) {
		CHECK_RC(0,
		         mdg_segment_create(shared, NULL, 4096, i == 0 ? 0644 : 0600, 0, &ids[i]));
		CHECK_RC(0, mdg_segment_attach(shared, ids[i], NULL, 0, &memory[i]));
		CHECK_RC(0, mdg_names_set(shared, memory[i], MDG_SYNC_MUTEX, "readable"));
	}
	CHECK(in_child(as_nobody, ids));
	mdg_namespace_close(shared);
}

/* ---- what others may write there ----------------------------------------------------- */

static void scribble(int fd, const void *bytes, size_t size, off_t offset)
{
	CHECK(pwrite(fd, bytes, size, SIZE + offset) == (ssize_t)size);
}

/* Names that cannot be are passed over, one by one. */
static void one_thing_wrong(int fd, mdg_id id)
{
	struct {
		uint32_t kind, unused;
		uint64_t offset;
		char name[40];
		uint64_t unused2;
	} good = { MDG_SYNC_MUTEX, 0, 128, "good", 0 }, bad;
	_Static_assert(sizeof good == ENTRY, "");
	scribble(fd, &good, ENTRY, 64 + 64 * NAMES - 64);
	CHECK(walk(id, NULL, NULL) == 2 && is_called(id, "good", MDG_SYNC_MUTEX, 128));
	for (int i = 0; i < 8; i++) {
		bad = good;
		switch (i) {
		case 0:
			bad.kind = MDG_SYNC_TXN + 1;
			break;
		case 1:
			bad.offset = 100;
			break;
		case 2:
			bad.offset = SIZE - 64;
			break;
		case 3:
			bad.offset = UINT64_MAX - 63;
			break;
		case 4:
			memset(bad.name, 'x', sizeof bad.name);
			break;
		case 5:
			bad.name[0] = '\0';
			break;
		case 6:
			bad.kind = MDG_SYNC_RWLOCK;
			bad.offset = SIZE - 4288 + 64;
			break;
		default:
			bad.kind = 0;
			break;
		}
		scribble(fd, &bad, ENTRY, 64 + 64 * NAMES - 64);
		CHECK(walk(id, NULL, NULL) == 1);
	}
}

static void hostile(void)
{
	enum { ROUNDS = 200 };
	mdg_id id = make(SIZE, 0);
	unsigned char *at = attach(id, 0), table[TAIL];
	uint64_t random = UINT64_C(0x123456789abcdef), magic;
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "name"));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && pread(fd, &magic, 8, SIZE) == 8);
	one_thing_wrong(fd, id);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof table; i++)
			table[i] = (unsigned char)unit_random(&random);
		memcpy(table, &magic, 8);
		for (size_t i = 8; i < 64; i++)
			table[i] = i == 8;
		for (size_t i = 64; i < sizeof table; i += ENTRY) {
			uint32_t kind = unit_random(&random) % 12;
			uint64_t offset = unit_random(&random) % (2 * SIZE) & ~UINT64_C(63);
			memcpy(table + i, &kind, 4);
			memcpy(table + i + 8, &offset, 8);
		}
		scribble(fd, table, sizeof table, 0);
		for (size_t i = 0; i < SIZE; i += 4) {
			uint32_t word = unit_random(&random);
			memcpy(at + i, &word, 4);
			if (round % 8 != 0)
				break; /* objects of noise take longer, and are alike */
		}
		CHECK(walk(id, NULL, NULL) >= 0);
		int rc = mdg_names_set(ns, at, MDG_SYNC_SEM, "name");
		CHECK(rc == 0 || rc == -ENOSPC);
	}
	magic ^= 1;
	scribble(fd, &magic, 8, 0);
	CHECK(walk(id, NULL, NULL) == -1);
	CHECK_RC(MDG_DAMAGED, mdg_names_set(ns, at, MDG_SYNC_SEM, "name"));
	/* Cut: there are no names, until the next one is given. */
	CHECK(ftruncate(fd, SIZE + TAIL / 2) == 0);
	CHECK(walk(id, NULL, NULL) == 0);
	CHECK(ftruncate(fd, SIZE) == 0);
	CHECK_RC(0, mdg_names_set(ns, at + 256, MDG_SYNC_SEM, "new"));
	CHECK(walk(id, NULL, NULL) == 1 && is_called(id, "new", MDG_SYNC_SEM, 256));
	close(fd);
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* ---- many, and deaths ------------------------------------------------------------------ */

enum { PROCESSES = 4, EACH = 40 };

static void name_mine(void *argument)
{
	const int *what = argument; /* id, which of them */
	unsigned char *at = attach((mdg_id)what[0], 0);
	char name[40];
	for (int i = 0; i < EACH; i++) {
		int object = what[1] * EACH + i;
		snprintf(name, sizeof name, "object %d", object);
		CHECK_RC(0, mdg_names_set(ns, at + 128 * object, MDG_SYNC_MUTEX, name));
	}
}

static void at_once(void)
{
	mdg_id id = make(SIZE, 0);
	pid_t child[PROCESSES];
	int what[PROCESSES][2];
	char name[40];
	for (int i = 0; i < PROCESSES; i++) {
		what[i][0] = (int)id;
		what[i][1] = i;
		child[i] = start(name_mine, what[i]);
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK(ended_well(child[i]));
	CHECK(walk(id, NULL, NULL) == PROCESSES * EACH);
	for (int i = 0; i < PROCESSES * EACH; i++) {
		snprintf(name, sizeof name, "object %d", i);
		CHECK(is_called(id, name, MDG_SYNC_MUTEX, 128 * (uint64_t)i));
	}
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

struct naming {
	mdg_id id;
	bool again; /* it has a name */
};

static int name_one(void *argument)
{
	const struct naming *naming = argument;
	void *memory;
	int rc = mdg_segment_attach(ns, naming->id, NULL, 0, &memory);
	victim_begins();
	return rc < 0 ? rc : mdg_names_set(ns, memory, MDG_SYNC_MUTEX, "the new name");
}

/* Killed after so many points: whether it had ended before. */
static bool killed_while_naming(struct naming *naming, unsigned points)
{
	struct victim victim = { 0 };
	struct mdg_name_info entry = { .size = sizeof entry };
	naming->id = make(SIZE, 0);
	unsigned char *at = attach(naming->id, 0);
	CHECK_RC(0, mdg_names_set(ns, at + 128, MDG_SYNC_ONCE, "beside"));
	if (naming->again)
		CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "the old name, which is longer"));
	CHECK(victim_start(&victim, path, name_one, naming));
	enum victim_event event = VICTIM_POINT;
	while (event == VICTIM_POINT && victim_points(&victim) < points)
		event = victim_next(&victim);
	CHECK(event == VICTIM_POINT || event == VICTIM_ENDED);
	/* Before and after the death. */
	for (int i = 0; i < 2; i++) {
		int count = walk(naming->id, NULL, NULL);
		bool is_new = is_called(naming->id, "the new name", MDG_SYNC_MUTEX, 0);
		bool is_old =
			is_called(naming->id, "the old name, which is longer", MDG_SYNC_MUTEX, 0);
		CHECK(count == 1 + is_new + is_old && !(is_new && is_old));
		CHECK(is_called(naming->id, "beside", MDG_SYNC_ONCE, 128));
		CHECK(naming->again || !is_old);
		CHECK(event != VICTIM_ENDED || is_new);
		if (i == 0)
			victim_kill(&victim);
	}
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "at last"));
	CHECK(walk(naming->id, "at last", &entry) == 2 && strcmp(entry.name, "at last") == 0);
	CHECK(unit_is_sound(ns));
	CHECK_RC(0, mdg_segment_detach(ns, at));
	CHECK_RC(0, mdg_segment_remove(ns, naming->id));
	return event == VICTIM_ENDED;
}

static void deaths(void)
{
	enum { POINTS_MOST = 1000 };
	const char *reason = NULL;
	if (!victim_possible(&reason)) {
		printf("deaths while naming not tried: %s\n", reason);
		return;
	}
	victim_init();
	for (int again = 0; again < 2; again++) {
		struct naming naming = { -1, again };
		unsigned points = 0;
		while (!killed_while_naming(&naming, points) && points < POINTS_MOST &&
		       check_failures == 0)
			points++;
		CHECK(points >= 4 && points < POINTS_MOST); /* four stores at least */
	}
}

int main(void)
{
	ns = unit_open("names", NULL);
	given_and_changed();
	refused();
	full();
	segment_stays_as_it_was();
	without_memory();
	permissions();
	hostile();
	at_once();
	deaths();
	mdg_namespace_close(ns);
	return test_result();
}

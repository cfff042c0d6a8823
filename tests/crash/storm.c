/* SPDX-License-Identifier: MIT */
/*
 * storm.c - kill -9 at random, under load, and everything is right afterwards.
 *
 *     storm [--seed N] [--kills N] [--workers N] [--long]
 *
 * Some 16 workers do random operations on a few shared keys and names: make,
 * look up, attach, detach, remove, set, lock, list, check, fork. A killer ends
 * one of them after each so many operations of all, and starts another in its
 * place: in the first third whoever was interrupted while it held the writer lock,
 * then anybody. What is tested on the way:
 *   - no operation gives an error that the state cannot explain, no damage;
 *   - the memory of a segment is its own: its first word is the id;
 *   - nobody hangs: operations go on as long as there are workers.
 * Then the workers pause with what they have attached, and the counts have to be
 * exact; then all end, and nothing is left: segments, slots, files, memory.
 *
 * The seed is printed; with it the operations and the victims are the same, but
 * not how they meet. --long goes on until it fails.
 */
#include "madang/segment.h"
#include "registry/layout.h"
#include "support/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

enum {
	WORKERS_MOST = 64,
	KEYS = 6,
	NAMES = 3,
	HELD_MOST = 12,
	EACH_KILL = 150, /* operations of all workers, about */
	HANG_S = 20      /* without a single operation of anybody */
};

/* One worker's place, in memory that all share. */
struct place {
	pid_t pid;
	atomic_uint operations;
	atomic_uint resting; /* it has seen that all are to rest */
	uint32_t held_count; /* what it has attached; exact while it rests */
	int32_t held[HELD_MOST];
};

static struct desk {
	atomic_uint rest, failures, operations;
	struct place place[WORKERS_MOST];
} * desk;

static unsigned workers = 16, kills = 300;
static unsigned inside; /* of the kills: holding the writer lock */
static uint64_t seed;
static char directory[256];

static void fail(const char *what, int code, int32_t id)
{
	atomic_fetch_add(&desk->failures, 1);
	dprintf(STDERR_FILENO, "process %d, segment %d: %s: %d (%s)\n", (int)getpid(), id, what,
	        code, code < 0 ? mdg_strerror(code) : "");
}

/* xorshift64*: enough for choices. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
	return limit == 0 ? 0 : (uint32_t)(draw(state) >> 33) % limit;
}

/* ---- a worker ------------------------------------------------------------------ */

struct worker {
	mdg_namespace *ns;
	struct place *place;
	uint64_t random;
	void *memory[HELD_MOST];
	bool child;
};

/* Whether this answer can be: `may` ends with 0. */
static void expect(const char *what, int rc, int32_t id, const int *may)
{
	if (rc >= 0)
		return;
	while (*may != 0 && *may != rc)
		may++;
	if (*may == 0)
		fail(what, rc, id);
}
#define MAY(...) ((const int[]){ __VA_ARGS__, 0 })

static mdg_id find(struct worker *worker)
{
	mdg_id id = -1;
	char name[] = "storm-0";
	uint32_t which = below(&worker->random, KEYS + NAMES);
	name[6] = (char)('0' + which % NAMES);
	int rc = which < KEYS ? mdg_segment_get(worker->ns, 0x570 + (int32_t)which, 0, 0, &id)
	                      : mdg_segment_open(worker->ns, name, 0, 0, &id);
	expect("look-up", rc, 0, MAY(-ENOENT));
	return rc < 0 ? -1 : id;
}

static void make(struct worker *worker)
{
	mdg_id id = -1;
	char name[] = "storm-0";
	uint32_t which = below(&worker->random, KEYS + NAMES + 1);
	uint64_t size = 1 + below(&worker->random, 20000);
	name[6] = (char)('0' + which % NAMES);
	if (which < KEYS) {
		int rc = mdg_segment_get(worker->ns, 0x570 + (int32_t)which, size,
		                         MDG_CREATE | 0600, &id);
		expect("making by key", rc, 0, MAY(-EINVAL));
	} else if (which < KEYS + NAMES) {
		int rc = mdg_segment_create(worker->ns, name, size, 0600, 0, &id);
		expect("making by name", rc, 0, MAY(-EEXIST));
	} else {
		int rc = mdg_segment_get(worker->ns, 0, size, 0600, &id);
		expect("making a private one", rc, 0, MAY(-ENOSPC));
		if (rc == 0)
			expect("removing the private one", mdg_segment_remove(worker->ns, id), id,
			       MAY(-1000));
	}
}

/* The first word of a segment becomes its id when it is first seen. */
static void look_inside(void *memory, int32_t id)
{
	int32_t seen = 0;
	if (!atomic_compare_exchange_strong((_Atomic int32_t *)memory, &seen, id + 1) &&
	    seen != id + 1)
		fail("its memory is that of another", seen, id);
}

static void attach(struct worker *worker)
{
	struct place *place = worker->place;
	mdg_id id = find(worker);
	void *memory = NULL;
	if (id < 0 || place->held_count == HELD_MOST)
		return;
	unsigned flags = below(&worker->random, 8) == 0 ? MDG_RDONLY : 0;
	int rc = mdg_segment_attach(worker->ns, id, NULL, flags, &memory);
	/* Removed between look-up and now; or its last holder died this moment. */
	expect("attaching", rc, id, MAY(-EINVAL, -EIDRM));
	if (rc < 0)
		return;
	if (flags == 0)
		look_inside(memory, id);
	worker->memory[place->held_count] = memory;
	place->held[place->held_count++] = id;
}

static void detach(struct worker *worker)
{
	struct place *place = worker->place;
	if (place->held_count == 0)
		return;
	uint32_t which = below(&worker->random, place->held_count);
	int rc = mdg_segment_detach(worker->ns, worker->memory[which]);
	expect("detaching", rc, place->held[which], MAY(-1000));
	place->held_count--;
	worker->memory[which] = worker->memory[place->held_count];
	place->held[which] = place->held[place->held_count];
}

static void change(struct worker *worker)
{
	mdg_id id = find(worker);
	struct mdg_segment_info info = { .size = sizeof info };
	int rc = 0;
	if (id < 0)
		return;
	switch (below(&worker->random, 6)) {
	case 0:
		rc = mdg_segment_set(worker->ns, id, geteuid(), getegid(), 0640);
		break;
	case 1:
		rc = mdg_segment_lock(worker->ns, id, 1);
		break;
	case 2:
		rc = mdg_segment_lock(worker->ns, id, 0);
		break;
	case 3:
		rc = mdg_segment_remove(worker->ns, id);
		break;
	default:
		rc = mdg_segment_stat(worker->ns, id, 0, &info);
		break;
	}
	expect("changing", rc, id, MAY(-EINVAL, -ENOMEM));
}

static int judge(const struct mdg_finding *finding, void *unused)
{
	(void)unused;
	if (finding->kind == MDG_FOUND_DAMAGE) {
		fail(finding->text, 0, finding->id);
		return 1;
	}
	return 0;
}

static void look(struct worker *worker)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_namespace_info totals = { .size = sizeof totals };
	uint32_t cursor = 0;
	int rc = 0;
	switch (below(&worker->random, 8)) {
	case 0:
		rc = mdg_namespace_check(worker->ns, 0, judge, NULL);
		break;
	case 1:
		rc = mdg_namespace_info(worker->ns, 0, &totals);
		break;
	default:
		while ((rc = mdg_segment_next(worker->ns, &cursor, 0, &info)) > 0)
			;
	}
	expect("looking", rc, 0, MAY(-1000));
}

static void work(struct worker *worker, unsigned operations);

/* The child lets go of some of what it inherited, makes its own, and ends. */
static void work_in_child(struct worker *worker)
{
	/* Copied before the fork: when the parent is killed, another worker gets its place. */
	static struct place own;
	own = *worker->place;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		worker->place = &own;
		worker->child = true;
		work(worker, 4);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void rest(struct worker *worker)
{
	atomic_store(&worker->place->resting, 1);
	while (atomic_load(&desk->rest) == 1)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	if (atomic_load(&desk->rest) == 2)
		_exit(0); /* as if killed, with all its attachments */
	atomic_store(&worker->place->resting, 0);
}

static void work(struct worker *worker, unsigned operations)
{
	for (unsigned i = 0; i < operations; i++) {
		uint32_t what = below(&worker->random, 100);
		if (what < 20)
			make(worker);
		else if (what < 45)
			attach(worker);
		else if (what < 65)
			detach(worker);
		else if (what < 88)
			change(worker);
		else if (what < 97 || worker->child)
			look(worker);
		else
			work_in_child(worker);
		if (worker->child)
			continue;
		atomic_fetch_add(&desk->operations, 1);
		atomic_fetch_add(&worker->place->operations, 1);
		if (atomic_load(&desk->rest) != 0)
			rest(worker);
	}
}

static void start(unsigned which, uint64_t *random)
{
	struct place *place = &desk->place[which];
	struct worker worker = { .place = place, .random = draw(random) | 1 };
	place->held_count = 0;
	atomic_store(&place->resting, 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid > 0)
		setpgid(pid, pid); /* here as well: whoever comes first */
	if (pid != 0) {
		place->pid = pid;
		return;
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	int rc = mdg_namespace_open(&worker.ns, directory, NULL);
	if (rc < 0)
		fail("opening the namespace", rc, 0);
	else
		work(&worker, UINT32_MAX);
	_exit(1);
}

/* ---- the killer --------------------------------------------------------------------- */

/* Waits until `operations` more were done; false: nobody does any. */
static bool let_them_work(unsigned operations)
{
	unsigned begin = atomic_load(&desk->operations), last = begin;
	int idle = 0;
	while (atomic_load(&desk->operations) - begin < operations) {
		nanosleep(&(struct timespec){ 0, 500000 }, NULL);
		unsigned now = atomic_load(&desk->operations);
		idle = now == last ? idle + 1 : 0;
		last = now;
		if (idle > HANG_S * 2000)
			return false;
	}
	return true;
}

/* With its child, if it has one just now: the worker's process group. Orphans come
 * to this process (subreaper), so all of them can be waited for. */
static void kill_one(unsigned which)
{
	pid_t group = desk->place[which].pid;
	if (group <= 0)
		return;
	kill(-group, SIGKILL);
	while (waitpid(-group, NULL, 0) > 0)
		;
}

/* The registry, mapped to look at. */
static const struct mdg__head *head;
static const struct mdg__process *processes;

static uint64_t aligned(uint64_t offset)
{
	return (offset + MDG__TABLE_ALIGN - 1) & ~(uint64_t)(MDG__TABLE_ALIGN - 1);
}

static void look_at_registry(void *unused)
{
	mdg_namespace *ns;
	(void)unused;
	CHECK(mdg_namespace_open(&ns, directory, NULL) == 0);
}

static bool map_registry(void)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/registry", directory);
	if (!in_child(look_at_registry, NULL)) /* it makes it, if need be */
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) != 0)
		return false;
	void *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return false;
	head = map;
	uint64_t buckets =
		aligned(MDG__TABLE_ALIGN + (head->capacity[MDG__SEGMENTS] + 63) / 64 * 8u);
	processes =
		(const void *)((const char *)map +
	                       aligned(buckets + (uint64_t)head->bucket_count[MDG__SEGMENTS] * 4u));
	return true;
}

/* Looks a number of times for the worker that holds the writer lock. In this part of the storm all
 * share one processor, so the worker does not run meanwhile. It was interrupted while it held the
 * lock, and is killed there. */
static unsigned lock_owner(void)
{
	for (unsigned look = 0; look < 4000; look++) {
		uint32_t slot1 = atomic_load(&head->lock) & 0x7fff;
		pid_t pid = slot1 == 0 || slot1 > atomic_load(&head->processes_ready)
		                    ? 0
		                    : (pid_t)atomic_load(&processes[slot1 - 1].pid);
		for (unsigned which = 0; which < workers && pid != 0; which++)
			if (desk->place[which].pid == pid)
				return which;
		nanosleep(&(struct timespec){ 0, 20000 }, NULL);
	}
	return workers;
}

/* All from now on: on the first processor we may use, or on all. */
static void gather(bool on_one, const cpu_set_t *all)
{
	cpu_set_t one;
	unsigned cpu = 0;
	CPU_ZERO(&one);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, all))
		cpu++;
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(*all), on_one ? &one : all);
}

static bool storm(uint64_t *random)
{
	cpu_set_t all;
	CPU_ZERO(&all);
	(void)sched_getaffinity(0, sizeof(all), &all);
	gather(true, &all);
	for (unsigned which = 0; which < workers; which++)
		start(which, random);
	for (unsigned i = 0; i < kills && atomic_load(&desk->failures) == 0; i++) {
		gather(i < kills / 3, &all);
		if (!let_them_work(1 + below(random, 2 * EACH_KILL)))
			return false;
		unsigned which = below(random, workers), owner = workers;
		if (i < kills / 3)
			owner = lock_owner();
		inside += owner < workers;
		kill_one(owner < workers ? owner : which);
		start(owner < workers ? owner : which, random);
	}
	gather(false, &all);
	return true;
}

/* ---- and then ------------------------------------------------------------------------- */

static bool all_rest(void)
{
	atomic_store(&desk->rest, 1);
	for (unsigned which = 0; which < workers; which++)
		for (int i = 0; atomic_load(&desk->place[which].resting) == 0; i++) {
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
			if (i > HANG_S * 1000)
				return false;
		}
	return true;
}

static uint32_t count_held(int32_t id)
{
	uint32_t count = 0;
	for (unsigned which = 0; which < workers; which++)
		for (uint32_t i = 0; i < desk->place[which].held_count; i++)
			count += desk->place[which].held[i] == id;
	return count;
}

/* Every count is what the living workers have, and all they have is there. */
static void check_counts(void *argument)
{
	mdg_namespace *ns;
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_namespace_info totals = { .size = sizeof totals };
	uint32_t cursor = 0, listed = 0, held = 0, attached = 0;
	(void)argument;
	CHECK(mdg_namespace_open(&ns, directory, NULL) == 0);
	CHECK(mdg_namespace_info(ns, 0, &totals) == 0);
	while (mdg_segment_next(ns, &cursor, 0, &info) > 0) {
		if (!CHECK(info.attached == count_held(info.id)))
			fprintf(stderr, "segment %d: %u attached, %u held\n", info.id,
			        info.attached, count_held(info.id));
		attached += info.attached;
		listed++;
	}
	for (unsigned which = 0; which < workers; which++)
		held += desk->place[which].held_count;
	CHECK(attached == held);
	CHECK(totals.segments_used == listed);
	/* The workers' slots; and this process may have one. */
	CHECK(totals.processes_used <= workers + 1);
	CHECK(mdg_namespace_check(ns, 0, judge, NULL) >= 0);
}

static int no_finding(const struct mdg_finding *finding, void *unused)
{
	(void)unused;
	if (finding->kind != MDG_FOUND_DEAD_SLOT)
		fail(finding->text, 0, finding->id);
	return 0;
}

static void remove_all(void *argument)
{
	mdg_namespace *ns;
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_namespace_info totals = { .size = sizeof totals };
	uint32_t cursor = 0;
	(void)argument;
	CHECK(mdg_namespace_open(&ns, directory, NULL) == 0);
	CHECK(mdg_namespace_check(ns, MDG_CHECK_REPAIR, no_finding, NULL) == 0);
	while (mdg_segment_next(ns, &cursor, 0, &info) > 0) {
		CHECK(info.attached == 0 && !(info.mode & MDG_MODE_REMOVED));
		CHECK(mdg_segment_remove(ns, info.id) == 0);
	}
	CHECK(mdg_namespace_info(ns, 0, &totals) == 0);
	CHECK(totals.segments_used == 0 && totals.pages_total == 0);
	CHECK(totals.processes_used == 1);
	CHECK(mdg_namespace_check(ns, 0, no_finding, NULL) == 0);
}

static unsigned count_files(void)
{
	unsigned files = 0;
	DIR *entries = opendir(directory);
	struct dirent *entry;
	while (entries != NULL && (entry = readdir(entries)) != NULL)
		files += entry->d_name[0] != '.';
	if (entries != NULL)
		closedir(entries);
	return files;
}

/* A file system of our own, where nobody else takes memory: true when we may. */
static bool mount_own(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mkdir(directory, 0700) == 0 &&
	       mount("storm", directory, "tmpfs", 0, "size=64m,mode=0700") == 0;
}

/* Blocks of the file system in use, less those of the registry, whose tables grow. */
static uint64_t blocks_used(void)
{
	struct statvfs fs;
	struct stat registry = { 0 };
	char path[300];
	snprintf(path, sizeof(path), "%s/registry", directory);
	(void)stat(path, &registry);
	if (statvfs(directory, &fs) != 0)
		return 0;
	return (uint64_t)(fs.f_blocks - fs.f_bfree) -
	       (uint64_t)registry.st_blocks * 512 / fs.f_frsize;
}

static void weather(uint64_t *random, bool own)
{
	memset(desk, 0, sizeof(*desk));
	inside = 0;
	if (head == NULL && !CHECK(map_registry()))
		return;
	uint64_t before = own ? blocks_used() : 0;
	CHECK(storm(random));
	if (CHECK(all_rest()))
		CHECK(in_child(check_counts, NULL));
	atomic_store(&desk->rest, 2);
	for (unsigned which = 0; which < workers; which++) {
		if (atomic_load(&desk->failures) != 0)
			kill_one(which);
		else /* it ends by itself */
			waitpid(desk->place[which].pid, NULL, 0);
	}
	CHECK(in_child(remove_all, NULL));
	CHECK(count_files() == 1); /* the registry */
	CHECK(!own || blocks_used() == before);
	CHECK(atomic_load(&desk->failures) == 0);
	printf("%u operations, %u kills, %u of them within the writer lock%s\n",
	       atomic_load(&desk->operations), kills, inside,
	       own ? "; memory back to the block" : "");
}

int main(int argc, char **argv)
{
	bool forever = false;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	seed = 20261123;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";
		if (strcmp(argv[i], "--long") == 0) {
			forever = true;
			seed = (uint64_t)now.tv_sec;
			continue;
		}
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(value, NULL, 0);
		else if (strcmp(argv[i], "--kills") == 0)
			kills = (unsigned)strtoul(value, NULL, 0);
		else if (strcmp(argv[i], "--workers") == 0)
			workers = (unsigned)strtoul(value, NULL, 0);
		else
			return 2;
		i++;
	}
	if (workers < 1 || workers > WORKERS_MOST)
		return 2;
	const char *given = getenv("MADANG_NAMESPACE");
	snprintf(directory, sizeof(directory), "%s-storm",
	         given != NULL ? given : "/dev/shm/madang-crash");
	desk = mmap(NULL, sizeof(*desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (desk == MAP_FAILED)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	bool own = mount_own();
	printf("seed %llu\n", (unsigned long long)seed);
	uint64_t random = seed * 2 + 1;
	do {
		fflush(stdout);
		weather(&random, own);
	} while (forever && check_failures == 0);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * Memory file systems that are full or tiny. What shmget gives can be touched,
 * all of it; what cannot be had is ENOMEM at once, and SIGBUS never. That holds
 * for the registry too, which grows with its users, and it goes on when there
 * is room again.
 */
#include "badinput/place.h"

#include <signal.h>
#include <sys/mman.h>

#include "registry/layout.h"

enum { SEGMENTS = 400, CHILDREN = 60 };

static mdg_namespace *ns;

static bool mount_tiny(const char *size)
{
	char options[64];
	snprintf(options, sizeof options, "mode=755,size=%s", size);
	if (mkdir(in_place("tiny"), 0755) != 0 && errno != EEXIST)
		return false;
	return mount("none", in_place("tiny"), "tmpfs", 0, options) == 0;
}

static bool resize(const char *size)
{
	char options[64];
	snprintf(options, sizeof options, "size=%s", size);
	return mount("none", in_place("tiny"), NULL, MS_REMOUNT, options) == 0;
}

/* Takes all there is, to the last page. */
static void fill_up(void)
{
	static char page[4096];
	memset(page, 1, sizeof page);
	int fd = open(in_place("tiny/filler"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	while (write(fd, page, sizeof page) > 0)
		;
	CHECK(errno == ENOSPC);
	close(fd);
}

static void make_room(void)
{
	CHECK(truncate(in_place("tiny/filler"), 0) == 0);
}

static void check_sound(void)
{
	CHECK_CODE(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	CHECK_CODE(0, mdg_namespace_check(ns, 0, NULL, NULL));
}

/* ---- segments ------------------------------------------------------------------ */

static void until_full(uint64_t size, unsigned how_many)
{
	mdg_id ids[SEGMENTS];
	void *memory[SEGMENTS];
	unsigned made = 0;
	int rc = 0;
	while (made < how_many) {
		rc = mdg_segment_create(ns, NULL, size, 0600, 0, &ids[made]);
		if (rc < 0)
			break;
		made++;
	}
	if (!CHECK(made > 0 && made < how_many))
		fprintf(stderr, "\t%u of %llu bytes\n", made, (unsigned long long)size);
	CHECK_CODE(-ENOMEM, rc);
	for (unsigned i = 0; i < made; i++) {
		memory[i] = NULL;
		rc = mdg_segment_attach(ns, ids[i], NULL, 0, &memory[i]);
		/* The registry has room for 64 attachments before it has to grow. */
		CHECK_CODE(i < 64 || rc == 0 ? 0 : -ENOMEM, rc);
		if (rc == 0)
			memset(memory[i], (int)i,
			       (size_t)size); /* a promise that was none would kill */
	}
	for (unsigned i = 0; i < made; i++) {
		if (memory[i] != NULL) {
			CHECK(((unsigned char *)memory[i])[size - 1] == (i & 0xff));
			CHECK_CODE(0, mdg_segment_detach(ns, memory[i]));
		}
		CHECK_CODE(0, mdg_segment_remove(ns, ids[i]));
	}
}

static void segments(void *unused)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	mdg_id id;
	(void)unused;
	CHECK(own_mounts() && mount_tiny("1m"));
	CHECK_CODE(0, open_new(in_place("tiny/ns"), &ns));
	if (check_failures != 0)
		return;
	CHECK_CODE(-ENOMEM, mdg_segment_create(ns, NULL, 1 << 20, 0600, 0, &id));
	CHECK_CODE(-ENOMEM, mdg_segment_create(ns, "large", UINT64_C(1) << 40, 0600, 0, &id));
	CHECK_CODE(-ENOENT, mdg_segment_open(ns, "large", 0, 0, &id));
	for (int round = 0; round < 3; round++) { /* all of it comes back */
		until_full(4096, SEGMENTS);
		until_full(60000, SEGMENTS);
		until_full(300000, SEGMENTS);
	}
	CHECK_CODE(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 0 && info.pages_total == 0);
	check_sound();
}

/* ---- a registry that does not fit ------------------------------------------------ */

static void no_registry(void *unused)
{
	struct mdg_namespace_options options = { .size = sizeof options, .segments = 32768 };
	mdg_namespace *none = NULL;
	(void)unused;
	CHECK(own_mounts() && mount_tiny("16k"));
	CHECK_CODE(-ENOSPC, mdg_namespace_open(&none, in_place("tiny/ns"), &options));
	options.flags = MDG_NS_EXCL;
	CHECK_CODE(-ENOSPC, mdg_namespace_open(&none, in_place("tiny/ns"), &options));
	CHECK_CODE(-ENOENT, open_flags(in_place("tiny/ns"), MDG_NS_EXISTING, NULL));
	CHECK(none == NULL);
	CHECK(access(in_place("tiny/ns/registry"), F_OK) != 0); /* no half of one is left */
	CHECK(resize("4m"));
	CHECK_CODE(0, mdg_namespace_open(&ns, in_place("tiny/ns"), &options));
	if (check_failures == 0)
		check_works(ns);
}

static void not_even_default(void *unused)
{
	(void)unused;
	CHECK(own_mounts() && mount_tiny("16k"));
	CHECK_CODE(-ENOSPC, open_new(in_place("tiny/ns"), NULL));
	CHECK(resize("1m"));
	CHECK_CODE(0, open_new(in_place("tiny/ns"), &ns));
	if (check_failures == 0)
		check_works(ns);
}

static void no_inodes(void *unused)
{
	mdg_id id;
	(void)unused;
	CHECK(own_mounts() && mount_tiny("1m,nr_inodes=3")); /* the root, the directory, one more */
	CHECK_CODE(0, open_new(in_place("tiny/ns"), &ns));
	if (check_failures != 0)
		return;
	CHECK_CODE(-ENOMEM, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	/* Without memory there is no file before the first attachment. */
	void *memory;
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &id));
	CHECK_CODE(-ENOMEM, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_CODE(-ENOMEM, mdg_segment_attach(ns, id, NULL, MDG_RDONLY, &memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
	CHECK(resize("1m,nr_inodes=100"));
	check_works(ns);
	check_sound();
}

/* ---- a registry that cannot grow ---------------------------------------------------- */

/* Far more segments than the registry has entries ready for. */
static void many_segments(void)
{
	static mdg_id ids[4000];
	unsigned made = 0, again = 0;
	int rc = 0;
	fill_up();
	for (; made < 4000 && rc == 0; made += rc == 0)
		rc = mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &ids[made]);
	CHECK(made > 0 && made < 4000);
	CHECK_CODE(-ENOMEM, rc);
	check_sound();
	make_room();
	for (again = made, rc = 0; again < made + 500 && rc == 0; again += rc == 0)
		rc = mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &ids[again]);
	CHECK(again == made + 500);
	while (again-- > 0)
		CHECK_CODE(0, mdg_segment_remove(ns, ids[again]));
	check_sound();
}

/* Keys of which each needs a part of the index, and the parts have no memory. A key that is only
 * looked for needs none. */
static void many_keys(void)
{
	enum { KEYS = 200 };
	static mdg_id ids[KEYS];
	unsigned refused = 0, again = 0;
	mdg_id id;
	fill_up();
	for (int32_t key = 1; key <= KEYS; key++) {
		CHECK_CODE(-ENOENT, mdg_segment_get(ns, key, 0, 0, &id));
		int rc = mdg_segment_get(ns, key, 4096, MDG_CREATE | MDG_NORESERVE | 0600,
		                         &ids[key - 1]);
		CHECK_CODE(rc == 0 ? 0 : -ENOMEM, rc);
		refused += rc != 0;
	}
	CHECK(refused > 0);
	check_sound();
	make_room();
	for (int32_t key = 1; key <= KEYS; key++)
		again += mdg_segment_get(ns, key, 4096, MDG_CREATE | MDG_NORESERVE | 0600,
		                         &ids[key - 1]) == 0;
	CHECK(again == KEYS);
	fill_up();
	for (int32_t key = 1; key <= KEYS; key++) {
		CHECK_CODE(0, mdg_segment_get(ns, key, 0, 0, &id));
		CHECK(id == ids[key - 1]);
		CHECK_CODE(0, mdg_segment_remove(ns, id));
	}
	make_room();
	check_sound();
}

/* Attaches all it can; every failure is ENOMEM or a lack of slots. Says so, and
 * stays until it is told to go. */
static void crowd_member(mdg_id first, unsigned count, int say, int wait)
{
	mdg_namespace *own = NULL;
	void *memory;
	char byte;
	int refusals = 0;
	int rc = mdg_namespace_open(&own, in_place("tiny/ns"), NULL);
	for (unsigned i = 0; i < count && rc == 0; i++) {
		int attached = mdg_segment_attach(own, first + (mdg_id)i, NULL, 0, &memory);
		if (attached == 0)
			memset(memory, 7, 4096);
		else if (attached == -ENOMEM)
			refusals++;
		else
			rc = attached;
	}
	byte = 'x';
	if (rc == 0 && refusals == 0)
		byte = 'a';
	else if (rc == 0)
		byte = 'r';
	if (rc < 0)
		fprintf(stderr, "attaching in a crowd: %s\n", mdg_strerror(rc));
	(void)!write(say, &byte, 1);
	(void)!read(wait, &byte, 1);
	_exit(0);
}

/* Many processes with many segments each: slots and records of attachments. */
static unsigned crowd(mdg_id first, unsigned count)
{
	int say[2], wait[2], status;
	unsigned refused = 0;
	pid_t pids[CHILDREN];
	if (!CHECK(pipe(say) == 0 && pipe(wait) == 0))
		return 0;
	for (int i = 0; i < CHILDREN; i++) {
		char byte = 'x';
		fflush(NULL);
		pids[i] = fork();
		if (pids[i] == 0) {
			close(wait[1]);
			crowd_member(first, count, say[1], wait[0]);
		}
		CHECK(read(say[0], &byte, 1) == 1 && byte != 'x');
		refused += byte == 'r';
	}
	close(wait[1]);
	for (int i = 0; i < CHILDREN; i++)
		CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	close(wait[0]);
	close(say[0]);
	close(say[1]);
	return refused;
}

static void many_processes(void)
{
	static mdg_id ids[40];
	for (int i = 0; i < 40; i++)
		CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &ids[i]));
	CHECK(ids[39] == ids[0] + 39);
	fill_up();
	CHECK(crowd(ids[0], 40) > 0); /* there is no room for records of all */
	for (int i = 0; i < 40; i++)
		CHECK(attached_to(ns, ids[i]) == 0);
	check_sound();
	make_room();
	CHECK(crowd(ids[0], 40) == 0);
	for (int i = 0; i < 40; i++)
		CHECK_CODE(0, mdg_segment_remove(ns, ids[i]));
	check_sound();
}

static void use_in_child(void *memory)
{
	memset(memory, 9, 4096);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
}

/* Fork while neither a slot nor a record can be had for the child. */
static void forks(void)
{
	static pid_t pids[100];
	mdg_id id;
	void *memory = NULL;
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	fill_up();
	for (int i = 0; i < 100; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			for (;;)
				pause();
	}
	CHECK(in_child(use_in_child, memory));
	for (int i = 0; i < 100; i++)
		CHECK(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
	CHECK(attached_to(ns, id) == 1);
	check_sound();
	make_room();
	CHECK(in_child(use_in_child, memory));
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
	check_sound();
}

/* One after the other, many more than there are records ready for. The records of those that were
 * detached serve again. */
static void one_at_a_time(void)
{
	static mdg_id ids[200];
	unsigned made = 0;
	void *memory;
	while (made < 200 &&
	       mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &ids[made]) == 0)
		made++;
	CHECK(made == 200);
	fill_up();
	for (unsigned i = 0; i < made; i++) {
		CHECK_CODE(0, mdg_segment_attach(ns, ids[i], NULL, 0, &memory));
		if (check_failures != 0)
			return;
		CHECK_CODE(0, mdg_segment_detach(ns, memory));
	}
	while (made-- > 0)
		CHECK_CODE(0, mdg_segment_remove(ns, ids[made]));
	make_room();
	check_sound();
}

static int attach_and_say(mdg_id id, int say)
{
	void *memory;
	int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	CHECK(write(say, &rc, sizeof rc) == sizeof rc);
	return rc;
}

static void remove_one(void *id)
{
	CHECK_CODE(0, mdg_segment_remove(ns, *(const mdg_id *)id));
}

/* Every slot that has memory belongs to a dead process, and there is no memory for another. A
 * process without a slot takes one of these over. So it can remove what takes up the memory. */
static void dead_in_all_slots(void)
{
	pid_t pids[CHILDREN];
	int say[2], rc = 0, count = 0;
	mdg_id id;
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK(pipe(say) == 0);
	fill_up();
	for (; count < CHILDREN && rc == 0; count++) {
		pids[count] = fork();
		if (pids[count] == 0 && attach_and_say(id, say[1]) == 0)
			pause();
		if (pids[count] == 0)
			_exit(0);
		CHECK(read(say[0], &rc, sizeof rc) == sizeof rc);
	}
	CHECK_CODE(-ENOMEM, rc);
	for (int i = 0; i < count; i++) {
		(void)kill(pids[i], SIGKILL);
		CHECK(waitpid(pids[i], NULL, 0) == pids[i]);
	}
	CHECK(in_child(remove_one, &id));
	make_room();
	check_sound();
}

/* Somebody scribbled: the registry says that more has memory than has. There is none to be had, so
 * the check says that, and is not killed. */
static void scribbled(void)
{
	int fd = open(in_place("tiny/ns/registry"), O_RDWR | O_CLOEXEC);
	struct mdg__head *head =
		mmap(NULL, sizeof *head, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(head != MAP_FAILED);
	_Atomic uint32_t *marks[] = { &head->processes_ready, &head->ties_ready,
		                      &head->directory[MDG__SEGMENTS].ready,
		                      &head->directory[MDG__MESSAGE_QUEUES].ready,
		                      &head->directory[MDG__SEGMENTS].bucket_parts };
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		uint32_t was = *marks[i];
		fill_up();
		*marks[i] = was + 1000;
		CHECK_CODE(-ENOMEM, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
		CHECK_CODE(-ENOMEM, mdg_namespace_check(ns, 0, NULL, NULL));
		make_room();
		check_sound();
		*marks[i] = was;
	}
	close(fd);
}

static void growing(void *act)
{
	void (*part)(void);
	memcpy(&part, act, sizeof part);
	CHECK(own_mounts() && mount_tiny("1m"));
	CHECK_CODE(0, open_new(in_place("tiny/ns"), &ns));
	if (check_failures == 0)
		part();
}

int main(void)
{
	static void (*const parts[])(void) = { many_segments, many_keys, many_processes,   forks,
		                               one_at_a_time, scribbled, dead_in_all_slots };
	need_own_mounts();
	place_make();
	CHECK(in_child(segments, NULL));
	CHECK(in_child(no_registry, NULL));
	CHECK(in_child(not_even_default, NULL));
	CHECK(in_child(no_inodes, NULL));
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		void (*part)(void) = parts[i];
		CHECK(in_child(growing, &part));
	}
	return test_result();
}

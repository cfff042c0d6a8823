/* SPDX-License-Identifier: MIT */
/*
 * Two users with sets of semaphores and message queues in a namespace that was made for several.
 * What the modes deny is denied: by the calls, by the files, and by what is written into the
 * registry. What the modes allow goes between users as between processes of one: sleepers learn of
 * a removal, also if the remover may not open the memory, and of a death.
 */
#include "badinput/place.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "madang/msg.h"
#include "madang/sem.h"
#include "registry/layout.h"

enum { OWNER = 20001, OTHER = 20002, TEAM = 20101, SOON_MS = 400 };

/* In memory that all processes share. */
struct left {
	mdg_id set, queue;
	_Atomic int ready;
};

static struct left *left;
static mdg_namespace *ns;

static void be(uid_t user, gid_t group)
{
	CHECK(setgroups(0, NULL) == 0 && setgid(group) == 0 && setuid(user) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0); /* its /proc is its own */
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	CHECK_CODE(0, open_flags(in_place("shared"), MDG_NS_SHARED, &ns));
	if (check_failures != 0)
		_exit(1);
}

static uint64_t milliseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void nap(long ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

static int op(mdg_id id, int change, int flags, uint64_t deadline)
{
	const struct mdg_semset_op one = { 0, (int16_t)change, (int16_t)flags };
	return mdg_semset_op(ns, id, &one, 1, deadline);
}

static int receive(mdg_id id, uint64_t deadline)
{
	char text[16];
	int64_t type;
	size_t length;
	return mdg_msgqueue_receive(ns, id, 0, text, sizeof text, 0, deadline, &type, &length);
}

static void make(unsigned mode)
{
	CHECK_CODE(0, mdg_semset_create(ns, NULL, 2, mode, 0, &left->set));
	CHECK_CODE(0, mdg_msgqueue_create(ns, NULL, mode, &left->queue));
}

static void remove_both(void)
{
	CHECK_CODE(0, mdg_semset_remove(ns, left->set));
	CHECK_CODE(0, mdg_msgqueue_remove(ns, left->queue));
}

/* ---- what the mode says --------------------------------------------------------------- */

static int or_denied(bool may, int rc)
{
	return may ? rc : -EACCES;
}

/* `bits`: what the caller's class has, r 4 and w 2. */
static void check_set(unsigned bits)
{
	struct mdg_semset_info info = { .size = sizeof info };
	uint16_t all[2] = { 0, 0 };
	bool reads = (bits & 4) != 0, writes = (bits & 2) != 0;
	int32_t pid;
	mdg_id id = left->set;
	CHECK_CODE(or_denied(reads, 0), mdg_semset_value(ns, id, 0));
	CHECK_CODE(or_denied(reads, 0), mdg_semset_pid(ns, id, 1, &pid));
	CHECK_CODE(or_denied(reads, 0), mdg_semset_waiting(ns, id, 0, 1));
	CHECK_CODE(or_denied(reads, 0), mdg_semset_all(ns, id, all, 2));
	CHECK_CODE(or_denied(reads, 0), mdg_semset_stat(ns, id, 0, &info));
	CHECK_CODE(or_denied(reads, 0), op(id, 0, MDG_SEM_NOWAIT, MDG_FOREVER));
	CHECK_CODE(or_denied(writes, 0), op(id, 1, 0, MDG_FOREVER));
	CHECK_CODE(or_denied(writes, 0), op(id, -1, MDG_SEM_UNDO, 0));
	CHECK_CODE(or_denied(writes, 0), mdg_semset_set_value(ns, id, 0, 0));
	CHECK_CODE(or_denied(writes, 0), mdg_semset_set_all(ns, id, all, 2));
}

static void check_queue(unsigned bits)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	bool reads = (bits & 4) != 0, writes = (bits & 2) != 0;
	mdg_id id = left->queue;
	CHECK_CODE(or_denied(reads, 0), mdg_msgqueue_stat(ns, id, 0, &info));
	int rc = receive(id, 0);
	if (rc == 0) /* what a class has sent that may not receive */
		rc = receive(id, 0);
	CHECK_CODE(or_denied(reads, -ENOMSG), rc);
	CHECK_CODE(or_denied(writes, 0), mdg_msgqueue_send(ns, id, 1, "text", 4, 0));
	if (writes && reads)
		CHECK_CODE(0, receive(id, 0));
}

struct who {
	uid_t user;
	gid_t group;
	unsigned bits;
	bool controls;
};

static void try_all(void *context)
{
	const struct who *who = context;
	be(who->user, who->group);
	check_set(who->bits);
	check_queue(who->bits);
	if (who->controls)
		return;
	CHECK_CODE(-EPERM, mdg_semset_set(ns, left->set, who->user, who->group, 0666));
	CHECK_CODE(-EPERM, mdg_semset_remove(ns, left->set));
	CHECK_CODE(-EPERM, mdg_msgqueue_set(ns, left->queue, who->user, who->group, 0666, 16384));
	CHECK_CODE(-EPERM, mdg_msgqueue_remove(ns, left->queue));
}

static void owner_makes(void *context)
{
	be(OWNER, TEAM);
	make(*(const unsigned *)context);
}

static void owner_sets(void *context)
{
	unsigned mode = *(const unsigned *)context;
	be(OWNER, TEAM);
	CHECK_CODE(0, mdg_semset_set(ns, left->set, OWNER, TEAM, mode));
	CHECK_CODE(0, mdg_msgqueue_set(ns, left->queue, OWNER, TEAM, mode, 16384));
}

/* IPC_SET, IPC_RMID and IPC_SET again need no bit. */
static void owner_removes(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	CHECK_CODE(0, mdg_semset_set(ns, left->set, OWNER, TEAM, 0));
	CHECK_CODE(0, mdg_msgqueue_set(ns, left->queue, OWNER, TEAM, 0, 16384));
	remove_both();
}

static void check_mode(unsigned mode, bool set_later)
{
	struct who owner = { OWNER, TEAM, mode >> 6, true };
	struct who member = { OTHER, TEAM, mode >> 3 & 7, false };
	struct who other = { OTHER, OTHER, mode & 7, false };
	unsigned at_first = set_later ? 0600 : mode;
	CHECK(in_child(owner_makes, &at_first));
	if (set_later)
		CHECK(in_child(owner_sets, &mode));
	int before = check_failures;
	CHECK(in_child(try_all, &owner));
	CHECK(in_child(try_all, &member));
	CHECK(in_child(try_all, &other));
	CHECK(in_child(owner_removes, NULL));
	if (check_failures != before)
		fprintf(stderr, "... with mode %04o%s\n", mode, set_later ? ", set later" : "");
}

/* ---- asleep, and another user removes it or takes the permission ------------------------ */

static pid_t start(void (*f)(void *), void *context)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		check_failures = 0;
		f(context);
		fflush(NULL);
		_exit(test_result());
	}
	return pid;
}

static bool ended_well(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

static void until_ready(int count)
{
	uint64_t end = milliseconds() + 20000;
	while (atomic_load(&left->ready) < count && milliseconds() < end)
		nap(1);
	nap(50); /* asleep by now, or else it finds the removal before it sleeps */
}

static void sleep_in_set(void *code)
{
	be(OTHER, OTHER);
	atomic_fetch_add(&left->ready, 1);
	CHECK_CODE(*(int *)code, op(left->set, -1, 0, MDG_FOREVER));
}

static void sleep_in_queue(void *code)
{
	be(OTHER, OTHER);
	atomic_fetch_add(&left->ready, 1);
	CHECK_CODE(*(int *)code, receive(left->queue, MDG_FOREVER));
}

static void sleep_to_send(void *code)
{
	static char large[8000];
	be(OTHER, OTHER);
	int rc = 0;
	while (rc == 0)
		rc = mdg_msgqueue_send(ns, left->queue, 1, large, sizeof large, 0);
	CHECK_CODE(-EAGAIN, rc);
	atomic_fetch_add(&left->ready, 1);
	CHECK_CODE(*(int *)code,
	           mdg_msgqueue_send(ns, left->queue, 1, large, sizeof large, MDG_FOREVER));
}

static void check_removal(unsigned mode, void (*sleep_of_queue)(void *), void (*end)(void *),
                          int code_of_queue)
{
	int code = -EIDRM;
	pid_t pids[2];
	atomic_store(&left->ready, 0);
	CHECK(in_child(owner_makes, &mode));
	pids[0] = start(sleep_in_set, &code);
	pids[1] = start(sleep_of_queue, &code_of_queue);
	until_ready(2);
	CHECK(in_child(end, NULL));
	uint64_t since = milliseconds();
	for (int i = 0; i < 2; i++)
		CHECK(ended_well(pids[i]));
	if (!CHECK(milliseconds() - since < SOON_MS))
		fprintf(stderr, "mode %04o: they learn of it after %d ms\n", mode,
		        (int)(milliseconds() - since));
}

static void owner_only_removes(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	remove_both();
}

/* Who closes it to everybody, himself too, still tells those that sleep in it. A set's sleepers are
 * not asked again. */
static void owner_closes(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	CHECK_CODE(0, mdg_msgqueue_set(ns, left->queue, OWNER, TEAM, 0, 16384));
	CHECK_CODE(0, mdg_semset_remove(ns, left->set));
}

static void root_limits(void *unused)
{
	(void)unused;
	be(0, 0);
	CHECK_CODE(0, mdg_msgqueue_set(ns, left->queue, OWNER, TEAM, 0066, 10));
}

static void owner_makes_room(void *unused)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	(void)unused;
	be(OWNER, TEAM);
	CHECK_CODE(0, mdg_msgqueue_set(ns, left->queue, OWNER, TEAM, 0066, 16384));
	CHECK_CODE(-EACCES, mdg_msgqueue_stat(ns, left->queue, 0, &info));
	CHECK_CODE(-EACCES, receive(left->queue, 0));
}

static void sleep_for_room(void *unused)
{
	(void)unused;
	be(OTHER, OTHER);
	atomic_fetch_add(&left->ready, 1);
	CHECK_CODE(0, mdg_msgqueue_send(ns, left->queue, 1, "a long text", 11, MDG_FOREVER));
}

static void check_room(void)
{
	atomic_store(&left->ready, 0);
	CHECK(in_child(owner_makes, &(unsigned){ 0066 }) && in_child(root_limits, NULL));
	pid_t pid = start(sleep_for_room, NULL);
	until_ready(1);
	uint64_t since = milliseconds();
	CHECK(in_child(owner_makes_room, NULL));
	CHECK(ended_well(pid) && milliseconds() - since < SOON_MS);
	CHECK(in_child(owner_removes, NULL));
}

static void root_removes(void *unused)
{
	(void)unused;
	be(0, 0);
	remove_both();
}

/* ---- a holder of another user dies -------------------------------------------------------- */

static void hold(void *unused)
{
	(void)unused;
	be(OTHER, OTHER);
	CHECK_CODE(0, op(left->set, -1, MDG_SEM_UNDO, 0));
	atomic_fetch_add(&left->ready, 1);
	for (;;)
		pause();
}

static void wait_for_death(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	atomic_fetch_add(&left->ready, 1);
	CHECK_CODE(0, op(left->set, -1, 0, MDG_FOREVER));
	CHECK_CODE(0, op(left->set, 1, 0, 0));
}

static void owner_sees_value(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	CHECK_CODE(1, mdg_semset_value(ns, left->set, 0));
}

static void owner_makes_one(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	make(0666);
	CHECK_CODE(0, mdg_semset_set_value(ns, left->set, 0, 1));
}

static void check_death(void)
{
	CHECK(in_child(owner_makes_one, NULL));
	for (int sleeper = 0; sleeper < 2; sleeper++) {
		atomic_store(&left->ready, 0);
		pid_t holder = start(hold, NULL);
		until_ready(1);
		pid_t waiter = sleeper ? start(wait_for_death, NULL) : 0;
		until_ready(1 + sleeper);
		CHECK(kill(holder, SIGKILL) == 0);
		uint64_t since = milliseconds();
		CHECK(!ended_well(holder));
		CHECK(!sleeper || (ended_well(waiter) && milliseconds() - since < SOON_MS));
		CHECK(in_child(owner_sees_value, NULL));
	}
	CHECK(in_child(owner_removes, NULL));
}

/* ---- the other as an enemy ------------------------------------------------------------------ */

/* The file of the set or queue, by its place in the registry: "-<id>" at the end of its name. */
static const char *file_of(mdg_id id, const char *kind)
{
	static char path[600];
	struct dirent *entry;
	char end[24];
	DIR *directory = opendir(in_place("shared"));
	snprintf(end, sizeof end, "-%d", (int)id);
	path[0] = 0;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		size_t length = strlen(entry->d_name), behind = strlen(end);
		if (strncmp(entry->d_name, kind, strlen(kind)) == 0 && length > behind &&
		    strcmp(entry->d_name + length - behind, end) == 0)
			snprintf(path, sizeof path, "%s",
			         in_directory(in_place("shared"), entry->d_name));
	}
	if (directory != NULL)
		closedir(directory);
	return path;
}

static bool denied(int rc)
{
	return rc < 0 && (errno == EPERM || errno == EACCES);
}

static void attack(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(path[0] != 0 && fd < 0 && errno == EACCES);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd < 0 && errno == EACCES);
	CHECK(denied(unlink(path)) && denied(truncate(path, 0)) && denied(chmod(path, 0666)) &&
	      denied(rename(path, in_place("shared/mine"))) && denied(chown(path, OTHER, OTHER)));
}

/* Gives himself every right to both. The owner is the one who made the directory. */
static void rewrite_registry(void)
{
	struct stat status = { .st_size = 0 };
	int fd = open(in_place("shared/registry"), O_RDWR | O_CLOEXEC), found = 0;
	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	char *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (!CHECK(map != MAP_FAILED))
		return;
	uint32_t tags[2] = { (uint32_t)(left->set / 32768) << 8 | MDG__LIVE,
		             (uint32_t)(left->queue / 32768) << 8 | MDG__LIVE };
	for (off_t at = 0; at + (off_t)sizeof(struct mdg__late) <= status.st_size; at += 64) {
		struct mdg__late *late = (void *)(map + at);
		if ((late->tag != tags[0] && late->tag != tags[1]) || late->uid != MDG__ID_OWNER ||
		    (late->mode & 0777) != 0600)
			continue;
		late->mode = 0666;
		late->uid = OTHER;
		found++;
	}
	CHECK(found == 2);
	munmap(map, (size_t)status.st_size);
}

static void enemy(void *unused)
{
	(void)unused;
	be(OTHER, OTHER);
	attack(file_of(left->set, "sem"));
	attack(file_of(left->queue, "msg"));
	rewrite_registry();
	CHECK_REFUSED(mdg_semset_value(ns, left->set, 0));
	CHECK_REFUSED(op(left->set, 1, 0, 0));
	CHECK_REFUSED(mdg_semset_set_value(ns, left->set, 0, 3));
	CHECK_REFUSED(receive(left->queue, 0));
	CHECK_REFUSED(mdg_msgqueue_send(ns, left->queue, 1, "forged", 6, 0));
}

static void owner_hides(void *unused)
{
	(void)unused;
	be(OWNER, TEAM);
	make(0600);
	CHECK_CODE(0, mdg_semset_set_value(ns, left->set, 0, 7));
	CHECK_CODE(0, mdg_msgqueue_send(ns, left->queue, 1, "secret", 6, 0));
}

/* The modes and users come from the enemy, but the content does not. */
static void root_finds(void *unused)
{
	char text[16] = "";
	int64_t type;
	size_t length = 0;
	(void)unused;
	be(0, 0);
	CHECK_CODE(7, mdg_semset_value(ns, left->set, 0));
	CHECK_CODE(0, mdg_msgqueue_receive(ns, left->queue, 0, text, sizeof text, 0, 0, &type,
	                                   &length));
	CHECK(length == 6 && strcmp(text, "secret") == 0);
	remove_both();
}

/* ---- and one that may write to the memory, and writes anything ------------------------------ */

static char *mapped(const char *path, size_t *ret_size)
{
	struct stat status = { .st_size = 0 };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	*ret_size = (size_t)status.st_size;
	char *map = mmap(NULL, *ret_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return map;
}

static void scribble(void *unused)
{
	size_t sizes[2];
	(void)unused;
	be(OTHER, OTHER);
	char *maps[2] = { mapped(file_of(left->set, "sem"), &sizes[0]),
		          mapped(file_of(left->queue, "msg"), &sizes[1]) };
	if (check_failures != 0)
		_exit(1);
	atomic_fetch_add(&left->ready, 1);
	for (uint64_t state = 88172645463325252u;;) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		int which = (int)(state & 1);
		uint32_t words = (uint32_t)(sizes[which] / 4);
		uint32_t at = words == 0 ? 0 : (uint32_t)(state >> 20) % words;
		if ((state & 2) != 0)
			at %= 512;
		uint32_t value = (uint32_t)(state >> 32);
		value >>= value % 32;
		/* The words of the locks may make others wait for long, and nothing more. */
		if (at > 32)
			atomic_store((_Atomic uint32_t *)(void *)maps[which] + at, value);
		if ((state & 0xf00) == 0)
			nap(1);
	}
}

static void owner_works_on(void *unused)
{
	uint16_t all[2] = { 1, 1 };
	mdg_id mine, own_queue;
	(void)unused;
	be(OWNER, TEAM);
	CHECK_CODE(0, mdg_semset_create(ns, NULL, 2, 0600, 0, &mine));
	CHECK_CODE(0, mdg_msgqueue_create(ns, NULL, 0600, &own_queue));
	uint64_t end = milliseconds() + 1500;
	while (milliseconds() < end) {
		uint64_t shortly = mdg_deadline(2000000);
		(void)op(left->set, 1, 0, shortly);
		(void)op(left->set, -1, MDG_SEM_UNDO, shortly);
		(void)mdg_semset_all(ns, left->set, all, 2);
		(void)mdg_semset_waiting(ns, left->set, 1, 0);
		(void)mdg_semset_set_value(ns, left->set, 0, 1);
		(void)mdg_msgqueue_send(ns, left->queue, 1, "a text", 6, shortly);
		(void)receive(left->queue, shortly);
		CHECK_CODE(0, op(mine, 1, MDG_SEM_UNDO, 0));
		CHECK_CODE(0, op(mine, -1, MDG_SEM_UNDO, 0));
		CHECK_CODE(0, mdg_msgqueue_send(ns, own_queue, 1, "a text", 6, 0));
		CHECK_CODE(0, receive(own_queue, 0));
	}
	CHECK_CODE(0, mdg_semset_remove(ns, mine));
	CHECK_CODE(0, mdg_msgqueue_remove(ns, own_queue));
}

static void check_scribbler(void)
{
	atomic_store(&left->ready, 0);
	CHECK(in_child(owner_makes_one, NULL));
	pid_t pid = start(scribble, NULL);
	until_ready(1);
	CHECK(in_child(owner_works_on, NULL));
	CHECK(kill(pid, SIGKILL) == 0 && !ended_well(pid));
	CHECK(in_child(owner_removes, NULL)); /* damaged or not, it goes */
}

int main(void)
{
	static const unsigned modes[] = { 0600, 0660, 0666, 0066, 0444, 0222, 0426, 0 };
	need_root();
	place_make();
	CHECK(chmod(place, 01777) == 0);
	left = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		for (int later = 0; later < 2; later++)
			check_mode(modes[i], later == 1);
	check_removal(0666, sleep_in_queue, owner_only_removes, -EIDRM);
	check_removal(0066, sleep_in_queue, owner_only_removes, -EIDRM);
	check_removal(0066, sleep_to_send, owner_only_removes, -EIDRM);
	check_removal(0066, sleep_in_queue, root_removes, -EIDRM);
	check_removal(0606, sleep_in_queue, owner_closes, -EACCES);
	check_room();
	check_death();
	CHECK(in_child(owner_hides, NULL));
	CHECK(in_child(enemy, NULL));
	CHECK(in_child(root_finds, NULL));
	check_scribbler();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * Sets of semaphores and message queues where something is lacking: memory, descriptors, length of
 * files, or the whole namespace. A call that needs it says so; what is there stays usable; nobody
 * sleeps for ever; and when there is enough again, everything works. And 32,000 of each at once.
 */
#include "badinput/place.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "madang/msg.h"
#include "madang/sem.h"

enum { MANY = 32000 };

static mdg_namespace *ns;

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

static int op(mdg_id id, uint16_t number, int change, int flags, uint64_t deadline)
{
	const struct mdg_semset_op one = { number, (int16_t)change, (int16_t)flags };
	return mdg_semset_op(ns, id, &one, 1, deadline);
}

static int send_bytes(mdg_id id, size_t size)
{
	static char text[8192];
	return mdg_msgqueue_send(ns, id, 1, text, size, 0);
}

static int receive(mdg_id id, uint64_t deadline)
{
	static char text[8192];
	int64_t type;
	size_t length;
	return mdg_msgqueue_receive(ns, id, 0, text, sizeof text, 0, deadline, &type, &length);
}

struct both {
	mdg_id set, queue;
};

static void make(struct both *both)
{
	CHECK_CODE(0, mdg_semset_create(ns, NULL, 4, 0600, 0, &both->set));
	CHECK_CODE(0, mdg_msgqueue_create(ns, NULL, 0600, &both->queue));
	if (check_failures != 0)
		_exit(1);
}

static void make_used(struct both *both)
{
	make(both);
	CHECK_CODE(0, op(both->set, 0, 1, 0, 0));
	CHECK_CODE(0, send_bytes(both->queue, 10));
}

/* All that can be done with them when nothing is lacking. */
static void use(const struct both *both)
{
	CHECK_CODE(0, op(both->set, 1, 3, MDG_SEM_UNDO, 0));
	CHECK_CODE(0, op(both->set, 1, -3, MDG_SEM_UNDO, 0));
	CHECK_CODE(-ETIMEDOUT, op(both->set, 3, -1, 0, mdg_deadline(1000)));
	CHECK_CODE(0, send_bytes(both->queue, 8000));
	while (receive(both->queue, 0) == 0)
		;
	CHECK_CODE(-ETIMEDOUT, receive(both->queue, mdg_deadline(1000)));
}

static void remove_both(const struct both *both)
{
	CHECK_CODE(0, mdg_semset_remove(ns, both->set));
	CHECK_CODE(0, mdg_msgqueue_remove(ns, both->queue));
}

/* ---- a full memory file system --------------------------------------------------------- */

static void fill_up(void)
{
	static char page[4096];
	int fd = open(in_place("tiny/filler"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	while (write(fd, page, sizeof page) > 0)
		;
	CHECK(errno == ENOSPC);
	close(fd);
}

/* A list that sleeps with so many operations and sums needs blocks. */
static int need_blocks(mdg_id set, uint32_t semaphores)
{
	struct mdg_semset_op list[400];
	for (uint32_t i = 0; i < 400; i++)
		list[i] = (struct mdg_semset_op){ (uint16_t)(i % semaphores), 1, MDG_SEM_UNDO };
	list[399].change = -2;
	return mdg_semset_op(ns, set, list, 400, mdg_deadline(1000));
}

static void full(void *unused)
{
	struct both used, unused_yet, wide;
	(void)unused;
	CHECK(own_mounts() && mkdir(in_place("tiny"), 0755) == 0 &&
	      mount("none", in_place("tiny"), "tmpfs", 0, "mode=755,size=4m") == 0);
	CHECK_CODE(0, open_new(in_place("tiny/ns"), &ns));
	if (check_failures != 0)
		return;
	make_used(&used);
	make(&unused_yet);
	CHECK_CODE(0, mdg_semset_create(ns, NULL, 400, 0600, 0, &wide.set));
	CHECK_CODE(0, op(wide.set, 399, 1, 0, 0));
	fill_up();
	CHECK_CODE(-ENOMEM, op(unused_yet.set, 0, 1, 0, 0));
	CHECK_CODE(-ENOMEM, mdg_semset_set_value(ns, unused_yet.set, 0, 1));
	CHECK_CODE(0, mdg_semset_value(ns, unused_yet.set, 0));
	CHECK_CODE(-ENOMEM, send_bytes(unused_yet.queue, 10));
	CHECK_CODE(-ENOMEM, need_blocks(wide.set, 400));
	CHECK_CODE(1, mdg_semset_value(ns, wide.set, 399));
	CHECK_CODE(0, mdg_semset_waiting(ns, wide.set, 399, 0));
	CHECK_CODE(0, op(used.set, 0, -1, 0, 0));
	CHECK_CODE(0, op(used.set, 0, 1, MDG_SEM_UNDO, 0));
	/* As many as there is memory for; then none is lost. */
	int sent = 1, rc;
	CHECK_CODE(0, mdg_msgqueue_set(ns, used.queue, geteuid(), getegid(), 0600, 16384));
	while ((rc = send_bytes(used.queue, 100)) == 0)
		sent++;
	CHECK(rc == -ENOMEM || rc == -EAGAIN);
	for (int i = 0; i < sent; i++)
		CHECK_CODE(0, receive(used.queue, 0));
	CHECK_CODE(-ENOMSG, receive(used.queue, 0));
	CHECK(truncate(in_place("tiny/filler"), 0) == 0);
	use(&used);
	use(&unused_yet);
	CHECK_CODE(-ETIMEDOUT, need_blocks(wide.set, 400));
	remove_both(&used);
	remove_both(&unused_yet);
}

/* ---- no descriptors, no length ----------------------------------------------------------- */

/* The C libraries differ in the type of `which`. */
#define LIMIT(which, number)                                                                       \
	do {                                                                                       \
		struct rlimit limit_;                                                              \
		CHECK(getrlimit(which, &limit_) == 0);                                             \
		limit_.rlim_cur = number;                                                          \
		CHECK(setrlimit(which, &limit_) == 0);                                             \
	} while (0)

static pid_t start(void (*f)(void *), void *context)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check_failures = 0;
		f(context);
		fflush(NULL);
		_exit(test_result());
	}
	nap(100);
	return pid;
}

static bool ended_well_within(pid_t pid, uint64_t ms)
{
	uint64_t end = milliseconds() + ms;
	int status = -1;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (milliseconds() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return false;
		}
		nap(5);
	}
	return status == 0;
}

static void sleep_in_set(void *both)
{
	CHECK_CODE(-EIDRM, op(((struct both *)both)->set, 3, -1, 0, MDG_FOREVER));
}

static void sleep_in_queue(void *both)
{
	while (receive(((struct both *)both)->queue, 0) == 0)
		;
	CHECK_CODE(-EIDRM, receive(((struct both *)both)->queue, MDG_FOREVER));
}

static void remove_without(void *both)
{
	struct both own; /* a process that is new needs a descriptor */
	make_used(&own);
	remove_both(&own);
	LIMIT(RLIMIT_NOFILE, 0);
	remove_both(both);
}

static void nothing_to_open(void *unused)
{
	struct both used, foreign;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("files"), &ns));
	make_used(&used);
	make(&foreign);
	LIMIT(RLIMIT_NOFILE, 0);
	use(&used);
	CHECK_CODE(-EMFILE, op(foreign.set, 0, 1, 0, 0));
	CHECK_CODE(0, mdg_semset_value(ns, foreign.set, 0));
	CHECK_CODE(-EMFILE, send_bytes(foreign.queue, 1));
	LIMIT(RLIMIT_NOFILE, 1000);
	use(&foreign);
	/* The remover has not mapped what others sleep in. */
	make(&foreign);
	pid_t first = start(sleep_in_set, &foreign), second = start(sleep_in_queue, &foreign);
	CHECK(in_child(remove_without, &foreign));
	CHECK(ended_well_within(first, 6000) && ended_well_within(second, 8000));
	remove_both(&used);
}

static void no_length(void *unused)
{
	struct both used, small;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("length"), &ns));
	make_used(&used);
	make(&small);
	LIMIT(RLIMIT_FSIZE, 0);
	use(&used);
	CHECK_CODE(-ENOMEM, op(small.set, 0, 1, 0, 0));
	CHECK_CODE(-ENOMEM, send_bytes(small.queue, 1));
	LIMIT(RLIMIT_FSIZE, 32768);
	use(&small);
	LIMIT(RLIMIT_FSIZE, RLIM_INFINITY);
	remove_both(&used);
	remove_both(&small);
}

/* ---- the namespace is deleted --------------------------------------------------------------- */

static void sleep_in_gone_set(void *both)
{
	int rc = op(((struct both *)both)->set, 3, -1, 0, MDG_FOREVER);
	CHECK(rc == -EIDRM || rc == MDG_NS_GONE);
}

static void sleep_in_gone_queue(void *both)
{
	int rc = 0;
	while (rc == 0)
		rc = receive(((struct both *)both)->queue, MDG_FOREVER);
	CHECK(rc == -EIDRM || rc == MDG_NS_GONE);
}

static void gone(void *unused)
{
	struct both both, other;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("gone"), &ns));
	make_used(&both);
	make(&other);
	pid_t first = start(sleep_in_gone_set, &both), second = start(sleep_in_gone_queue, &both);
	remove_tree(in_place("gone"));
	nap(20); /* what makes no system call asks every 8 ms */
	CHECK_CODE(MDG_NS_GONE, op(both.set, 0, 1, 0, 0));
	CHECK_CODE(MDG_NS_GONE, send_bytes(both.queue, 1));
	CHECK_CODE(MDG_NS_GONE, receive(both.queue, MDG_FOREVER));
	CHECK_CODE(MDG_NS_GONE, op(other.set, 0, 1, 0, 0));
	CHECK_CODE(MDG_NS_GONE, send_bytes(other.queue, 1));
	CHECK_CODE(MDG_NS_GONE, mdg_semset_create(ns, NULL, 1, 0600, 0, &other.set));
	CHECK_CODE(MDG_NS_GONE, mdg_msgqueue_create(ns, NULL, 0600, &other.queue));
	CHECK(ended_well_within(first, 6000) && ended_well_within(second, 8000));
}

/* ---- very many ---------------------------------------------------------------------- */

static int files_in(const char *path)
{
	int count = 0;
	DIR *directory = opendir(path);
	CHECK(directory != NULL);
	while (directory != NULL && readdir(directory) != NULL)
		count++;
	if (directory != NULL)
		closedir(directory);
	return count;
}

static void many(void *unused)
{
	struct both *all = calloc(MANY, sizeof *all), none;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("many"), &ns));
	for (int i = 0; i < MANY && check_failures == 0; i++)
		make(&all[i]);
	CHECK(files_in(in_place("many")) < 100); /* unused, they have none */
	CHECK_CODE(-ENOSPC, mdg_semset_create(ns, NULL, 1, 0600, 0, &none.set));
	CHECK_CODE(-ENOSPC, mdg_msgqueue_create(ns, NULL, 0600, &none.queue));
	for (int i = 0; i < MANY && check_failures == 0; i += 1000)
		use(&all[i]);
	for (int i = 0; i < MANY && check_failures == 0; i++)
		remove_both(&all[i]);
	make_used(&none);
	remove_both(&none);
	free(all);
}

int main(void)
{
	place_make();
	CHECK(in_child(nothing_to_open, NULL));
	CHECK(in_child(no_length, NULL));
	CHECK(in_child(gone, NULL));
	CHECK(in_child(many, NULL));
	if (check_failures == 0)
		need_own_mounts();
	CHECK(in_child(full, NULL));
	return test_result();
}

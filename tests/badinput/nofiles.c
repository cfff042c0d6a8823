/* SPDX-License-Identifier: MIT */
/*
 * No descriptors left: the limit low, nothing, or used up. Calls that need one
 * say so; what is attached stays usable and counted; and when there are some
 * again, everything works.
 */
#include "badinput/place.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static bool is_lack(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

static void limit(rlim_t number)
{
	struct rlimit both;
	CHECK(getrlimit(RLIMIT_NOFILE, &both) == 0);
	both.rlim_cur = number < both.rlim_max ? number : both.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &both) == 0);
}

/* ---- a namespace in use ------------------------------------------------------------ */

struct use {
	mdg_namespace *ns;
	mdg_id attached, other;
	char *memory;
};

static void begin(struct use *use)
{
	void *memory = NULL;
	limit(1024);
	CHECK_CODE(0, open_new(in_place("ns"), &use->ns));
	CHECK_CODE(0, mdg_segment_create(use->ns, NULL, 8192, 0600, 0, &use->attached));
	CHECK_CODE(0, mdg_segment_create(use->ns, NULL, 8192, 0600, 0, &use->other));
	CHECK_CODE(0, mdg_segment_attach(use->ns, use->attached, NULL, 0, &memory));
	use->memory = memory;
	if (check_failures != 0)
		_exit(1);
	strcpy(use->memory, "mine");
}

static void child_uses(void *context)
{
	struct use *use = context;
	CHECK(strcmp(use->memory, "mine") == 0);
	CHECK_CODE(0, mdg_segment_detach(use->ns, use->memory));
}

/* The calls, each right or refused for lack of descriptors. */
static void calls_without(struct use *use)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_namespace_info namespace = { .size = sizeof namespace };
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	void *memory = NULL;
	mdg_id id;
	CHECK_CODE(0, mdg_segment_stat(use->ns, use->attached, 0, &info));
	CHECK(info.attached == 1);
	CHECK_CODE(0, mdg_segment_stat(use->ns, use->other, 0, &info));
	CHECK_CODE(-ENOENT, mdg_segment_get(use->ns, 4711, 0, 0, &id));
	CHECK_CODE(0, mdg_namespace_info(use->ns, 0, &namespace));
	CHECK_CODE(1, mdg_segment_next(use->ns, &cursor, 0, &info));
	cursor = 0;
	CHECK_CODE(1, mdg_segment_next_process(use->ns, use->attached, &cursor, &process));
	CHECK(process.pid == getpid());
	int rc = mdg_segment_create(use->ns, NULL, 4096, 0600, 0, &id);
	CHECK(is_lack(rc));
	rc = mdg_segment_attach(use->ns, use->other, NULL, 0, &memory);
	CHECK(is_lack(rc) && memory == NULL);
	rc = mdg_namespace_open(&(mdg_namespace *){ NULL }, in_place("another"), NULL);
	CHECK(is_lack(rc));
	CHECK(strcmp(use->memory, "mine") == 0);
	CHECK(in_child(child_uses, use));
	CHECK(attached_to(use->ns, use->attached) == 1);
}

static int tell(const struct mdg_finding *finding, void *context)
{
	(void)context;
	fprintf(stderr, "\t%s\n", finding->text);
	return 0;
}

static void end(struct use *use)
{
	void *memory;
	check_works(use->ns);
	CHECK(attached_to(use->ns, use->attached) == 1);
	CHECK_CODE(0, mdg_segment_attach(use->ns, use->other, NULL, 0, &memory));
	CHECK_CODE(0, mdg_segment_detach(use->ns, memory));
	CHECK_CODE(0, mdg_segment_detach(use->ns, use->memory));
	CHECK(attached_to(use->ns, use->attached) == 0);
	CHECK_CODE(0, mdg_segment_remove(use->ns, use->attached));
	CHECK_CODE(0, mdg_segment_remove(use->ns, use->other));
	CHECK_CODE(0, mdg_namespace_check(use->ns, MDG_CHECK_REPAIR, NULL, NULL));
	CHECK_CODE(0, mdg_namespace_check(use->ns, 0, tell, NULL));
}

/* ---- the ways to have none ------------------------------------------------------------- */

static void limit_of_nothing(void *unused)
{
	struct use use;
	(void)unused;
	begin(&use);
	limit(0);
	calls_without(&use);
	limit(1024);
	end(&use);
}

static void used_up(void *unused)
{
	struct use use;
	int fds[1100], count = 0;
	(void)unused;
	begin(&use);
	while ((fds[count] = dup(2)) >= 0)
		count++;
	CHECK(errno == EMFILE && count > 900);
	calls_without(&use);
	while (count-- > 0)
		close(fds[count]);
	end(&use);
}

/* All closed that the program does not know, and then no new ones. */
static void closed_too(void *unused)
{
	struct use use;
	struct mdg_segment_info info = { .size = sizeof info };
	(void)unused;
	begin(&use);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	limit(0);
	CHECK_CODE(0, mdg_segment_stat(use.ns, use.attached, 0, &info));
	CHECK(info.attached == 1);
	CHECK(is_lack(mdg_segment_attach(use.ns, use.other, NULL, 0, &(void *){ NULL })));
	CHECK(strcmp(use.memory, "mine") == 0);
	CHECK_CODE(0, mdg_segment_detach(use.ns, use.memory));
	CHECK_CODE(0, mdg_segment_stat(use.ns, use.attached, 0, &info));
	CHECK(info.attached == 0);
	limit(1024);
	void *memory;
	CHECK_CODE(0, mdg_segment_attach(use.ns, use.attached, NULL, 0, &memory));
	use.memory = memory;
	CHECK(strcmp(use.memory, "mine") == 0);
	end(&use);
}

/* The descriptor of the directory, and no other, is closed. */
static void close_directory(void)
{
	struct stat directory, status;
	CHECK(stat(in_place("ns"), &directory) == 0);
	for (int fd = 3; fd < 1024; fd++)
		if (fstat(fd, &status) == 0 && status.st_dev == directory.st_dev &&
		    status.st_ino == directory.st_ino)
			close(fd);
}

/* Without the directory no file can be unlinked. A segment that is removed then is gone, and a
 * process that has descriptors gives its memory back. */
static void without_directory(void *unused)
{
	struct use use;
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_namespace_info namespace = { .size = sizeof namespace };
	(void)unused;
	begin(&use);
	close_directory();
	limit(0);
	CHECK_CODE(0, mdg_segment_remove(use.ns, use.other));
	CHECK_CODE(-EINVAL, mdg_segment_stat(use.ns, use.other, 0, &info));
	CHECK_CODE(0, mdg_segment_remove(use.ns, use.attached));
	CHECK_CODE(0, mdg_segment_detach(use.ns, use.memory));
	limit(1024);
	CHECK_CODE(0, mdg_namespace_info(use.ns, 0, &namespace));
	CHECK(namespace.segments_used == 0);
	CHECK_CODE(0, mdg_namespace_check(use.ns, 0, tell, NULL));
	check_works(use.ns);
}

enum { USER = 54327, FEW = 16 };

/* Attaches more than it keeps descriptors of, and last the segment that it is told of. */
static void have_many(int told, int say)
{
	mdg_namespace *ns;
	mdg_id id, other;
	void *memory;
	char byte = 'x';
	limit(FEW);
	if (!CHECK(read(told, &id, sizeof id) == sizeof id))
		_exit(1);
	CHECK_CODE(0, open_flags(in_place("mine/ns"), MDG_NS_EXISTING, &ns));
	for (int i = 0; i < FEW && check_failures == 0; i++) {
		CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &other));
		CHECK_CODE(0, mdg_segment_attach(ns, other, NULL, 0, &memory));
	}
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(write(say, &byte, 1) == 1);
	CHECK(read(told, &byte, 1) == 1);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	_exit(test_result());
}

/* Of those who have a removed segment attached, one keeps a descriptor of it, and another has more
 * segments than it keeps descriptors of. The first one goes. As long as the other is there the
 * segment can be attached. The other came before the segment was removed, or after. */
static void beside_one_with_many(void *after)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	void *memory = NULL;
	char byte;
	int tell_it[2] = { -1, -1 }, say[2] = { -1, -1 }, status = -1;
	CHECK(mkdir(in_place("mine"), 0700) == 0 || errno == EEXIST);
	CHECK(geteuid() != 0 || (chown(in_place("mine"), USER, USER) == 0 && become(USER)));
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0); /* so that others of this user may look into /proc */
	CHECK(pipe(tell_it) == 0 && pipe(say) == 0);
	pid_t pid = fork();
	if (pid == 0)
		have_many(tell_it[0], say[1]);
	CHECK_CODE(0, open_new(in_place("mine/ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	if (*(const bool *)after)
		CHECK_CODE(0, mdg_segment_remove(ns, id));
	CHECK(write(tell_it[1], &id, sizeof id) == sizeof id && read(say[0], &byte, 1) == 1);
	if (!*(const bool *)after)
		CHECK_CODE(0, mdg_segment_remove(ns, id));
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK(attached_to(ns, id) == 1);
	CHECK(write(tell_it[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* From the start, with one more descriptor each time until all works. */
static void few(void *number)
{
	mdg_namespace *ns = NULL;
	mdg_id id;
	void *memory;
	check_failures = 0;
	limit((rlim_t) * (int *)number);
	int rc = open_new(in_place("few"), &ns);
	if (rc == 0)
		rc = mdg_segment_create(ns, NULL, 4096, 0600, 0, &id);
	if (rc == 0) {
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
		if (rc == 0)
			CHECK_CODE(0, mdg_segment_detach(ns, memory));
		limit(1024);
		CHECK_CODE(0, mdg_segment_remove(ns, id));
	}
	CHECK(rc == 0 || is_lack(rc));
	if (rc < 0 && !is_lack(rc))
		fprintf(stderr, "\twith %d descriptors: %s\n", *(int *)number, mdg_strerror(rc));
	_exit(check_failures != 0 ? 1 : rc == 0 ? 3 : 0);
}

static void rising_limits(void)
{
	bool enough = false;
	for (int number = 0; number < 40 && !enough; number++) {
		int status;
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			few(&number);
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
		enough = WIFEXITED(status) && WEXITSTATUS(status) == 3;
	}
	CHECK(enough); /* a handful is enough */
}

int main(void)
{
	place_make();
	CHECK(in_child(limit_of_nothing, NULL));
	CHECK(in_child(used_up, NULL));
	CHECK(in_child(closed_too, NULL));
	CHECK(in_child(without_directory, NULL));
	CHECK(in_child(beside_one_with_many, &(bool){ false }));
	CHECK(in_child(beside_one_with_many, &(bool){ true }));
	rising_limits();
	return test_result();
}

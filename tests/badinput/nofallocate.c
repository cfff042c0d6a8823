/* SPDX-License-Identifier: MIT */
/*
 * No fallocate: a filter of system calls forbids it, as a file system may that has none. The
 * tables of the registry grow all the same, and what was in them before stays.
 */
#include "badinput/place.h"

#include "support/forbid.h"

enum { SEGMENTS = 1000, CHILDREN = 40, TOGETHER = 4, EACH = 300 };

static void is_sound(mdg_namespace *ns)
{
	CHECK_CODE(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
}

/* Far more segments and attachments than the registry has records ready for, and all are there. */
static void grow(void *error)
{
	static mdg_id ids[SEGMENTS];
	static char *memory[SEGMENTS];
	mdg_namespace *ns;
	void *at;
	CHECK(forbid_call(SYS_fallocate, *(const unsigned *)error));
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	for (int i = 0; i < SEGMENTS && check_failures == 0; i++) {
		CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &ids[i]));
		CHECK_CODE(0, mdg_segment_attach(ns, ids[i], NULL, 0, &at));
		memory[i] = at;
		*(int *)(void *)memory[i] = i;
	}
	for (int i = 0; i < SEGMENTS && check_failures == 0; i++)
		CHECK(attached_to(ns, ids[i]) == 1 && *(int *)(void *)memory[i] == i);
	is_sound(ns);
	for (int i = 0; i < SEGMENTS && check_failures == 0; i++) {
		CHECK_CODE(0, mdg_segment_detach(ns, memory[i]));
		CHECK_CODE(0, mdg_segment_remove(ns, ids[i]));
	}
}

static void attach_and_wait(mdg_id id, int say, int wait)
{
	mdg_namespace *ns;
	void *memory;
	char byte = 'x';
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(write(say, &byte, 1) == 1);
	(void)!read(wait, &byte, 1);
	_exit(test_result());
}

/* More processes than there are slots ready. */
static void crowd(void *error)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	int say[2] = { -1, -1 }, wait[2] = { -1, -1 }, status;
	char byte;
	CHECK(forbid_call(SYS_fallocate, *(const unsigned *)error) && pipe(say) == 0 &&
	      pipe(wait) == 0);
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	for (int i = 0; i < CHILDREN && check_failures == 0; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			close(wait[1]);
			attach_and_wait(id, say[1], wait[0]);
		}
		CHECK(pid > 0 && read(say[0], &byte, 1) == 1);
	}
	CHECK(attached_to(ns, id) == CHILDREN);
	is_sound(ns);
	close(wait[1]);
	while (waitpid(-1, &status, 0) > 0)
		CHECK(status == 0);
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

static void make_many(void)
{
	mdg_namespace *ns;
	mdg_id ids[EACH];
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	for (int i = 0; i < EACH && check_failures == 0; i++)
		CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &ids[i]));
	for (int i = 0; i < EACH && check_failures == 0; i++) {
		CHECK(attached_to(ns, ids[i]) == 0);
		CHECK_CODE(0, mdg_segment_remove(ns, ids[i]));
	}
	_exit(test_result());
}

/* Several processes let the tables grow at the same time. */
static void together(void *error)
{
	mdg_namespace *ns;
	int status;
	CHECK(forbid_call(SYS_fallocate, *(const unsigned *)error));
	for (int i = 0; i < TOGETHER; i++)
		if (fork() == 0)
			make_many();
	while (waitpid(-1, &status, 0) > 0)
		CHECK(status == 0);
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	is_sound(ns);
}

/* A process is killed while it lets the tables grow, after so many microseconds. What was there
 * stays, and the next process gets through. */
static void killed(void *after)
{
	mdg_namespace *ns;
	mdg_id id = -1;
	void *memory = NULL;
	int status = 0;
	CHECK(forbid_call(SYS_fallocate, ENOSYS));
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	pid_t pid = fork();
	if (pid == 0)
		make_many();
	usleep(*(const unsigned *)after);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(attached_to(ns, id) == 1);
	is_sound(ns);
	pid = fork();
	if (pid == 0)
		make_many();
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(attached_to(ns, id) == 1);
	is_sound(ns);
}

int main(void)
{
	static void (*const parts[])(void *) = { grow, crowd, together };
	unsigned errors[] = { ENOSYS, EPERM, EOPNOTSUPP };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		place_make();
		CHECK(in_child(parts[i], &errors[i]));
		place_remove();
	}
	for (unsigned after = 100; after < 6000 && check_failures == 0; after += 100) {
		place_make();
		CHECK(in_child(killed, &after));
		place_remove();
	}
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/* The native interface, <madang/sem.h>, in a namespace: run under enclose. */
#include <madang/sem.h>
#include <madang/segment.h>

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "sync/shared.h"

static mdg_namespace *ns;
static mdg_id id;

static int one(int number, int change, int flags)
{
	const struct mdg_semset_op op = { (uint16_t)number, (int16_t)change, (int16_t)flags };
	return mdg_semset_op(ns, id, &op, 1, MDG_FOREVER);
}

static void finding(void)
{
	mdg_id other;
	CHECK(mdg_semset_create(ns, "printers", 3, 0600, 0, &id) == 0);
	CHECK(mdg_semset_create(ns, "printers", 3, 0600, 0, &other) == -EEXIST);
	CHECK(mdg_semset_create(ns, "printers", 3, 0600, MDG_OR_OPEN, &other) == 0 && other == id);
	CHECK(mdg_semset_create(ns, "printers", 4, 0600, MDG_OR_OPEN, &other) == -EINVAL);
	CHECK(mdg_semset_create(ns, "other", 3, 0600, MDG_OR_OPEN | MDG_EXCL, &other) == -EINVAL);
	CHECK(mdg_semset_create(ns, "other", 3, 0600, MDG_OR_OPEN, &other) == 0 && other != id);
	CHECK(mdg_semset_remove(ns, other) == 0);
	CHECK(mdg_semset_create(ns, "none", 0, 0600, 0, &other) == -EINVAL);
	CHECK(mdg_semset_create(ns, "many", 32001, 0600, 0, &other) == -EINVAL);
	CHECK(mdg_semset_open(ns, "printers", 3, 0600, &other) == 0 && other == id);
	CHECK(mdg_semset_open(ns, "printers", 4, 0600, &other) == -EINVAL);
	CHECK(mdg_semset_open(ns, "absent", 0, 0, &other) == -ENOENT);
	CHECK_LINE("G3", mdg_semset_get(ns, 77, 1, 0600, &other) == -ENOENT);
	CHECK_LINE("G5", mdg_semset_get(ns, 77, 0, 0600 | MDG_CREATE, &other) == -EINVAL);
	CHECK(mdg_semset_get(ns, 77, 2, 0600 | MDG_CREATE, &other) == 0);
	CHECK_LINE("G4", mdg_semset_get(ns, 77, 9, 0600 | MDG_CREATE | MDG_EXCL, &id) == -EEXIST);
	CHECK_LINE("G6", mdg_semset_get(ns, 77, 3, 0600, &id) == -EINVAL);
	CHECK_LINE("G2", mdg_semset_get(ns, 77, UINT32_MAX, 0600, &id) == -EINVAL);
	CHECK_LINE("C8", mdg_semset_remove(ns, other) == 0);
	CHECK_LINE("C8", mdg_semset_remove(ns, other) == -EINVAL);
	CHECK(mdg_semset_open(ns, "printers", 0, 0, &id) == 0);
}

static void values(void)
{
	uint16_t all[3] = { 4, 5, 6 }, seen[3];
	int32_t pid = -1;
	struct mdg_semset_info info = { .size = sizeof info };
	CHECK_LINE("G8", mdg_semset_value(ns, id, 0) == 0 && mdg_semset_waiting(ns, id, 0, 0) == 0);
	CHECK_LINE("G8", mdg_semset_pid(ns, id, 2, &pid) == 0 && pid == 0);
	CHECK_LINE("G8", mdg_semset_stat(ns, id, 0, &info) == 0 && info.otime == 0);
	CHECK(info.count == 3 && info.id == id && info.mode == 0600 && info.uid == geteuid() &&
	      strcmp(info.name, "printers") == 0 && info.ctime >= time(NULL) - 2);
	CHECK(mdg_semset_all(ns, id, seen, 3) == 0 && seen[0] == 0);
	CHECK(one(0, 2, 0) == 0 && mdg_semset_value(ns, id, 0) == 2);
	CHECK_LINE("S7", mdg_semset_pid(ns, id, 0, &pid) == 0 && pid == getpid());
	CHECK_LINE("S7", mdg_semset_stat(ns, id, 0, &info) == 0 && info.otime >= time(NULL) - 2);
	CHECK_LINE("S1", one(3, 1, 0) == -EFBIG && one(0, -3, MDG_SEM_NOWAIT) == -EAGAIN);
	CHECK_LINE("S1", mdg_semset_op(ns, id, NULL, 501, 0) == -E2BIG);
	CHECK_LINE("S1", mdg_semset_op(ns, id, NULL, 0, 0) == -EINVAL);
	CHECK_LINE("C3", mdg_semset_set_value(ns, id, 1, 7) == 0);
	CHECK_LINE("C3", mdg_semset_set_value(ns, id, 1, 32768) == -ERANGE);
	CHECK_LINE("C3", mdg_semset_set_value(ns, id, 3, 1) == -EINVAL);
	CHECK(mdg_semset_value(ns, id, 1) == 7 && mdg_semset_value(ns, id, 3) == -EINVAL);
	CHECK_LINE("C4", mdg_semset_set_all(ns, id, all, 3) == 0);
	CHECK(mdg_semset_all(ns, id, seen, 3) == 0 && memcmp(all, seen, sizeof all) == 0);
	CHECK(mdg_semset_all(ns, id, seen, 2) == -EINVAL);
	uint32_t cursor = 0, count = 0;
	while (mdg_semset_next(ns, &cursor, &info) == 1)
		count++;
	CHECK(count == 1 && info.id == id);
}

static void take_one(void *unused)
{
	(void)unused;
	CHECK(one(0, -1, MDG_SEM_UNDO) == 0);
}

static void take_and_stay(void *unused)
{
	take_one(unused);
	for (;;)
		pause();
}

static void undo(void)
{
	CHECK(mdg_semset_set_value(ns, id, 0, 1) == 0);
	CHECK_LINE("U2", in_child(take_one, NULL) && mdg_semset_value(ns, id, 0) == 1);
	pid_t holds = start(take_and_stay, NULL);
	while (mdg_semset_value(ns, id, 0) != 0)
		nap_ms(1);
	pid_t waits = start(take_one, NULL);
	while (mdg_semset_waiting(ns, id, 0, 0) != 1)
		nap_ms(1);
	killed(holds);
	CHECK_LINE("U11", ended_well(waits) && mdg_semset_value(ns, id, 0) == 1);
	/* A set with so many semaphores that its memory has to grow. */
	mdg_id first = id;
	struct mdg_semset_op ops[500];
	for (unsigned i = 0; i < 500; i++)
		ops[i] = (struct mdg_semset_op){ (uint16_t)(i * 60), 1, MDG_SEM_UNDO };
	CHECK_LINE("G5", mdg_semset_get(ns, 0, 32000, 0600, &id) == 0);
	CHECK_LINE("S3", mdg_semset_op(ns, id, ops, 500, MDG_FOREVER) == 0);
	CHECK(mdg_semset_value(ns, id, 499 * 60) == 1 && mdg_semset_remove(ns, id) == 0);
	id = first;
}

/* ---- pointers that lead nowhere ---------------------------------------------------------- */

static sigjmp_buf out;

static void leave(int number)
{
	siglongjmp(out, number);
}

/* Each ends in SIGSEGV, and the set goes on: nothing is held. */
static void pointers(void)
{
	const struct sigaction action = { .sa_handler = leave };
	struct sigaction before;
	const uint16_t zeros[3] = { 0 };
	uint16_t seen[3] = { 9, 9, 9 };
	volatile int faults = 0;
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED && sigaction(SIGSEGV, &action, &before) == 0);
	CHECK(mdg_semset_set_all(ns, id, zeros, 3) == 0);
	for (volatile int which = 0; which < 4; which++) {
		if (sigsetjmp(out, 1) != 0) {
			faults++;
		} else if (which == 0) {
			(void)mdg_semset_all(ns, id, (void *)page, 3);
		} else if (which == 1) {
			(void)mdg_semset_set_all(ns, id, (void *)page, 3);
		} else if (which == 2) {
			(void)mdg_semset_op(ns, id, (void *)page, 2, MDG_FOREVER);
		} else {
			(void)mdg_semset_pid(ns, id, 0, (void *)page);
		}
		/* Another thread's or process's would wait for a lock that is held. */
		CHECK(one(0, 1, MDG_SEM_UNDO) == 0 && one(0, -1, MDG_SEM_UNDO) == 0);
		CHECK(mdg_semset_all(ns, id, seen, 3) == 0 && seen[0] == 0);
		CHECK(mdg_semset_waiting(ns, id, 0, 0) == 0);
	}
	CHECK(faults == 4);
	CHECK(sigaction(SIGSEGV, &before, NULL) == 0 && munmap(page, 4096) == 0);
}

static void wait_for_removal(void *unused)
{
	(void)unused;
	CHECK_LINE("W8", one(1, -9, 0) == -EIDRM);
}

static void removal(void)
{
	struct mdg_semset_info info = { .size = sizeof info };
	CHECK(mdg_semset_set_value(ns, id, 1, 0) == 0);
	pid_t waits = start(wait_for_removal, NULL);
	while (mdg_semset_waiting(ns, id, 1, 0) != 1)
		nap_ms(1);
	CHECK(mdg_semset_set(ns, id, geteuid(), getegid(), 0640) == 0);
	CHECK(mdg_semset_stat(ns, id, 0, &info) == 0 && info.mode == 0640);
	CHECK_LINE("W8", mdg_semset_remove(ns, id) == 0 && ended_well(waits));
	CHECK_LINE("C8", one(1, 1, 0) == -EINVAL && mdg_semset_value(ns, id, 0) == -EINVAL);
	CHECK_LINE("C8", mdg_semset_stat(ns, id, 0, &info) == -EINVAL);
}

int main(void)
{
	CHECK(mdg_namespace_open(&ns, NULL, NULL) == 0);
	finding();
	values();
	undo();
	pointers();
	removal();
	mdg_namespace_close(ns);
	return test_result();
}

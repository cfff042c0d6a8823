/* SPDX-License-Identifier: MIT */
/*
 * removed_meanwhile.c - attaching and looking while another process removes.
 *
 * This process has the segment attached all the time, so that there is no
 * moment at which it is gone: whatever the order, another one that attaches it
 * by its id, or looks at it, succeeds. Two processes meet at a word in memory,
 * so that removal and attaching start together, in every round a little
 * differently.
 */
#include "unit.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { ROUNDS = 3000 };

struct meeting {
	atomic_int round; /* that may begin */
	atomic_int done;  /* the last one that the child has finished */
	atomic_int id;
	atomic_int failed; /* rounds in which a call of the child failed */
	atomic_int code;   /* ... and what the last such call gave */
};

static struct meeting *meeting;
static mdg_namespace *ns;

static void wait_for(atomic_int *word, int value)
{
	while (atomic_load(word) != value)
		sched_yield();
}

static void fail(int rc)
{
	atomic_fetch_add(&meeting->failed, 1);
	atomic_store(&meeting->code, rc);
}

static void use(mdg_id id, int round)
{
	struct mdg_segment_info info = { .size = sizeof info };
	void *memory;
	for (volatile int i = 0; i < round % 64 * 16; i++)
		;
	int rc = round % 3 == 0 ? mdg_segment_stat(ns, id, 0, &info) : 0;
	if (rc == 0)
		rc = mdg_segment_attach(ns, id, NULL, round % 2 ? MDG_RDONLY : 0, &memory);
	if (rc != 0) {
		fail(rc);
		return;
	}
	if (*(const volatile int *)memory != round)
		fail(1);
	rc = mdg_segment_stat(ns, id, 0, &info);
	if (rc == 0 && info.attached != 2)
		rc = 2;
	if (rc == 0)
		rc = mdg_segment_detach(ns, memory);
	if (rc != 0)
		fail(rc);
}

static void attacher(void)
{
	for (int round = 1; round <= ROUNDS; round++) {
		wait_for(&meeting->round, round);
		use(atomic_load(&meeting->id), round);
		atomic_store(&meeting->done, round);
	}
	_exit(0);
}

static void remove_meanwhile(int round)
{
	struct mdg_segment_info info = { .size = sizeof info };
	mdg_id id = -1;
	int *memory = NULL;
	void *mapped = NULL;
	CHECK_RC(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &mapped));
	memory = mapped;
	*memory = round;
	atomic_store(&meeting->id, id);
	atomic_store(&meeting->round, round);
	for (volatile int i = 0; i < round % 61 * 16; i++)
		;
	CHECK_RC(0, mdg_segment_remove(ns, id));
	wait_for(&meeting->done, round);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(-EINVAL, mdg_segment_stat(ns, id, 0, &info));
}

int main(void)
{
	meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (meeting == MAP_FAILED)
		return 1;
	ns = unit_open("meeting", NULL);
	pid_t pid = fork();
	if (pid == 0)
		attacher();
	for (int round = 1; round <= ROUNDS; round++)
		remove_meanwhile(round);
	CHECK(waitpid(pid, NULL, 0) == pid);
	if (!CHECK(atomic_load(&meeting->failed) == 0))
		fprintf(stderr, "%d rounds, the last with %d: %s\n", atomic_load(&meeting->failed),
		        atomic_load(&meeting->code), mdg_strerror(atomic_load(&meeting->code)));
	unit_is_sound(ns);
	return test_result();
}

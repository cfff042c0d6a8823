/* SPDX-License-Identifier: MIT */
/*
 * removed_beside_changes.c - a removed segment that somebody still has can be
 * attached by its id (Linux), however busy the registry is.
 *
 * Its file has lost its name by then, so it is reached through one who has it;
 * and who that is has to be read beside the changes of others. One process makes
 * such changes and takes its time over each, so that a reader without the lock
 * practically never comes between two of them, and pauses after each, so that
 * who asks for the lock gets it.
 */
#include "unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "registry/registry.h"
#include "segment/internal.h"

enum { ROUNDS = 200, HELD_NS = 400000, PAUSE_NS = 20000 };

static mdg_namespace *ns;
static atomic_int *changes; /* made so far */

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Changes what nobody looks at, for ever. */
static void change(mdg_id idle)
{
	struct mdg__segment *segment = &ns->registry.segments[(uint32_t)idle % MDG__IDS];
	const struct timespec pause = { 0, PAUSE_NS };
	for (uint32_t value = 1;; value++) {
		mdg__enter(ns);
		if (mdg__enter_writer(ns) != 0)
			_exit(1);
		mdg__put32(&ns->registry, &segment->lock_uid, value);
		for (uint64_t end = now() + HELD_NS; now() < end;)
			;
		mdg__commit(&ns->registry);
		mdg__unlock(&ns->registry);
		mdg__leave(ns);
		atomic_fetch_add(changes, 1);
		nanosleep(&pause, NULL);
	}
}

static pid_t start_changing(mdg_id idle)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		change(idle);
	}
	while (pid > 0 && atomic_load(changes) == 0 && waitpid(pid, NULL, WNOHANG) == 0)
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	return pid;
}

/* Attaches what it is told, and never had: it was forked before. */
static void attach(int requests, int replies)
{
	mdg_id id;
	while (read(requests, &id, sizeof id) == (ssize_t)sizeof id) {
		void *memory = NULL;
		int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
		if (rc == 0 && *(mdg_id *)memory != id)
			rc = 1;
		if (rc == 0)
			rc = mdg_segment_detach(ns, memory);
		if (write(replies, &rc, sizeof rc) != (ssize_t)sizeof rc)
			break;
	}
	_exit(0);
}

/* By this process, which has it until the other has had it too. */
static void make_and_remove(int requests, int replies)
{
	mdg_id id;
	void *memory;
	int rc = -1;
	CHECK_RC(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	*(mdg_id *)memory = id;
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(write(requests, &id, sizeof id) == (ssize_t)sizeof id);
	CHECK(read(replies, &rc, sizeof rc) == (ssize_t)sizeof rc);
	CHECK_RC(0, rc);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
}

int main(void)
{
	mdg_id idle;
	int requests[2], replies[2];
	changes = mmap(NULL, sizeof *changes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (changes == MAP_FAILED || pipe(requests) != 0 || pipe(replies) != 0)
		return 1;
	ns = unit_open("busy", NULL);
	CHECK_RC(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &idle));
	pid_t attacher = fork();
	if (attacher == 0) {
		close(requests[1]);
		attach(requests[0], replies[1]);
	}
	close(replies[1]);
	pid_t changer = start_changing(idle);
	for (int i = 0; i < ROUNDS; i++)
		make_and_remove(requests[1], replies[0]);
	close(requests[1]);
	CHECK(kill(changer, SIGKILL) == 0 && waitpid(changer, NULL, 0) == changer);
	CHECK(waitpid(attacher, NULL, 0) == attacher);
	return test_result();
}

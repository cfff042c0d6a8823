/* SPDX-License-Identifier: MIT */
/*
 * storm.c - processes that commit, carry and read at the same time, and are killed at random.
 *
 *     storm [SECONDS]
 *
 * Committers of one segment have a mutex in it for the time of a change. Another process carries
 * the generations into a second replica, as a bridge does. Readers of both see one number in all
 * words, and generations that never go back. One process after the other is killed and started
 * again.
 */
#include "replica/replicas.h"

#include <madang/sync.h>
#include <signal.h>
#include <sys/mman.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

enum { COMMITTERS = 2, CARRIERS = 1, READERS = 2, PROCESSES = COMMITTERS + CARRIERS + READERS };

static struct shared {
	mdg_mutex mutex;
	_Atomic uint64_t next, reads, carried, wrong;
} * shared;

static void commit_on(void)
{
	mdg_replica *writer = open_as("storm", MDG_REPLICA_COMMIT, 0);
	for (;;) {
		const struct mdg_range all = { 0, BYTES };
		int rc = mdg_mutex_lock(&shared->mutex);
		if (rc == MDG_BROKEN || rc == MDG_OWNER_DIED)
			(void)mdg_mutex_set_repaired(&shared->mutex);
		uint64_t number = atomic_fetch_add(&shared->next, 1);
		fill(number);
		rc = mdg_segment_commit(writer, number % 2 != 0 ? &all : NULL, 1, MDG_FOREVER,
		                        NULL);
		if (rc != 0)
			atomic_fetch_add(&shared->wrong, 1);
		(void)mdg_mutex_unlock(&shared->mutex);
	}
}

static void carry_on(void)
{
	mdg_replica *from = open_as("storm", MDG_REPLICA_APPLY, 0);
	mdg_replica *to = open_as("far", MDG_REPLICA_APPLY, BYTES);
	for (;;) {
		uint64_t have = info_of(to).generation;
		(void)mdg_replica_wait(from, have, MDG_FOREVER, NULL);
		int rc = carry(from, to, have, 1);
		if (rc == 0)
			atomic_fetch_add(&shared->carried, 1);
		else if (rc != -EAGAIN)
			atomic_fetch_add(&shared->wrong, 1);
	}
}

static void read_on(const char *name)
{
	mdg_replica *reader = open_as(name, 0, 0);
	for (uint64_t last = 0;;) {
		uint64_t generation = 0, number = read_number(reader, &generation);
		if (number == UINT64_MAX || generation < last)
			atomic_fetch_add(&shared->wrong, 1);
		last = generation;
		atomic_fetch_add(&shared->reads, 1);
	}
}

static pid_t begin(int index)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (index < COMMITTERS)
		commit_on();
	else if (index < COMMITTERS + CARRIERS)
		carry_on();
	else
		read_on(index % 2 != 0 ? "storm" : "far");
	_exit(1);
}

int main(int argc, char **argv)
{
	pid_t pids[PROCESSES];
	unsigned kills = 0;
	ns = unit_open("storm", NULL);
	open_segment("storm");
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (shared == MAP_FAILED)
		return 1;
	mdg_replica_close(open_as("storm", MDG_REPLICA_COMMIT, 0));
	mdg_replica_close(open_as("far", MDG_REPLICA_APPLY, BYTES));
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = begin(i);
	uint64_t end = mdg_deadline((argc > 1 ? strtoull(argv[1], NULL, 10) : 2) * 1000000000u);
	srandom((unsigned)end);
	while (mdg_deadline(0) < end) {
		const struct timespec nap = { 0, 1000 + random() % 3000000 };
		int victim = (int)(random() % PROCESSES);
		nanosleep(&nap, NULL);
		kill(pids[victim], SIGKILL);
		waitpid(pids[victim], NULL, 0);
		pids[victim] = begin(victim);
		kills++;
	}
	for (int i = 0; i < PROCESSES; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	printf("%u kills, %llu commits, %llu carried, %llu reads, %llu wrong\n", kills,
	       (unsigned long long)shared->next, (unsigned long long)shared->carried,
	       (unsigned long long)shared->reads, (unsigned long long)shared->wrong);
	CHECK(shared->wrong == 0 && shared->next > 10 && shared->reads > 10);
	CHECK(shared->carried > 1);
	return test_result();
}

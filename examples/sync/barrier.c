/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - work in rounds: no worker begins a round before all have finished the one before.
 *
 * One of the workers dies in the third round. The others are told once, at the meeting that it
 * missed, and go on without it.
 */
#include "place.h"

enum { WORKERS = 4, ROUNDS = 6, FATAL_ROUND = 3 };

static struct {
	mdg_barrier meeting;
	mdg_sem told; /* counts those who were told */
} * hall;

static void work(int dies)
{
	must(mdg_barrier_join(&hall->meeting, WORKERS), "join");
	for (int round = 1; round <= ROUNDS; round++) {
		if (dies && round == FATAL_ROUND)
			die();
		int rc = mdg_barrier_wait(&hall->meeting, WORKERS);
		if (rc == MDG_OWNER_DIED) {
			printf("process %d: round %d without one that died\n", (int)getpid(),
			       round);
			must(mdg_sem_post(&hall->told, 1), "post");
		} else {
			must(rc, "meeting");
			if (rc == MDG_LAST) /* one of those who met, for what is done once */
				printf("round %d is over\n", round);
			fflush(stdout);
		}
	}
	must(mdg_barrier_leave(&hall->meeting), "leave");
}

static void work_on(void)
{
	work(0);
}

static void work_and_die(void)
{
	work(1);
}

int main(void)
{
	pid_t worker[WORKERS];
	int well = 1;

	hall = shared_place(sizeof(*hall));
	for (int i = 0; i < WORKERS; i++)
		worker[i] = child(i == 0 ? work_and_die : work_on);
	went_well(worker[0]);
	for (int i = 1; i < WORKERS; i++)
		well = went_well(worker[i]) && well;
	return well && mdg_sem_value(&hall->told) == WORKERS - 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

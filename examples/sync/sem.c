/* SPDX-License-Identifier: MIT */
/*
 * sem.c - jobs that are counted: each post adds a job, and each wait takes one.
 *
 * One worker is killed while it sleeps, or just after it was woken. The other workers get the jobs.
 * But if a worker takes a job and then dies, the job is gone, because a semaphore has no owner.
 * Where that matters, guard the jobs with a mutex.
 */
#include "place.h"

enum { WORKERS = 3, JOBS = 60 };

static struct {
	mdg_sem jobs, done;
	mdg_event over;
} * office;

static void work(void)
{
	int count = 0;

	for (;;) {
		must(mdg_sem_wait(&office->jobs), "wait");
		if (mdg_event_is_set(&office->over))
			break;
		count++;
		must(mdg_sem_post(&office->done, 1), "post");
	}
	printf("process %d: did %d jobs\n", (int)getpid(), count);
}

/* Waits for a job in vain, and is killed then. */
static void wait_only(void)
{
	must(mdg_sem_wait(&office->jobs), "wait");
}

int main(void)
{
	pid_t worker[WORKERS];
	int well = 1;

	office = shared_place(sizeof(*office));
	pid_t killed = child(wait_only);
	nap(20);
	kill(killed, SIGKILL);
	went_well(killed);
	for (int i = 0; i < WORKERS; i++)
		worker[i] = child(work);
	for (int i = 0; i < JOBS; i += 5)
		must(mdg_sem_post(&office->jobs, 5), "post");
	for (int i = 0; i < JOBS; i++) {
		int rc = mdg_sem_wait_until(&office->done, mdg_deadline(UINT64_C(20000000000)));
		must(rc, "waiting for a job to be done");
	}
	printf("all %d jobs are done\n", JOBS);
	must(mdg_event_set(&office->over), "set");
	must(mdg_sem_post(&office->jobs, WORKERS), "post"); /* one more for each: to go home */
	for (int i = 0; i < WORKERS; i++)
		well = went_well(worker[i]) && well;
	return well && mdg_sem_value(&office->jobs) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

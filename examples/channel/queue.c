/* SPDX-License-Identifier: MIT */
/*
 * queue.c - jobs, and workers that share them.
 *
 * There are two queues. "jobs" leads from the office to the workers, and "results" leads back. Each
 * job goes to one worker. If a worker is killed before it has released its job, the job goes to
 * another worker, marked as a redelivery. The first worker may have sent the result already, so a
 * result can come twice. A program that needs each result once has to look at the job's number, as
 * the office does here.
 *
 * A worker releases a job after it has sent the result, and not before. With mdg_channel_recv the
 * worker would release the job as it takes it. The job would then be done at most once, and it
 * would be lost if the worker died over it.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <stdbool.h>
#include <string.h>

#include "../sync/place.h"

enum { WORKERS = 3, JOBS = 60, HOME = -1 };
#define PATIENCE mdg_deadline(UINT64_C(20000000000)) /* 20 s */

/* Fixed widths: a 32-bit program may work for a 64-bit one. */
struct job {
	int32_t number; /* HOME: there are no more */
	int32_t value;
};

static mdg_channel *enter(const char *name, unsigned role)
{
	struct mdg_channel_options options = { .size = sizeof(options), .kind = MDG_QUEUE };
	mdg_namespace *ns;
	mdg_channel *channel;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_open(&channel, ns, name, role, &options), name);
	return channel;
}

/* The channel may contain any bytes. So this checks the size before it takes the bytes for a
 * job. */
static struct job job_of(const struct mdg_message *message)
{
	struct job job = { HOME, 0 };

	if (message->size == sizeof(job))
		memcpy(&job, message->data, sizeof(job));
	return job;
}

static void work(void)
{
	mdg_channel *jobs = enter("example-jobs", MDG_LISTENER);
	mdg_channel *results = enter("example-results", MDG_TALKER);
	struct mdg_message message;
	int count = 0;

	for (;;) {
		must(mdg_channel_peek(jobs, &message, PATIENCE), "waiting for a job");
		struct job job = job_of(&message);
		if (job.number != HOME) {
			if ((message.flags & MDG_REDELIVERED) != 0)
				printf("process %d: job %d once more\n", (int)getpid(),
				       (int)job.number);
			job.value *= job.value;
			must(mdg_channel_send(results, &job, sizeof(job), PATIENCE), "send");
			count++;
		}
		must(mdg_channel_release(jobs), "release");
		if (job.number == HOME)
			break;
	}
	printf("process %d: did %d jobs\n", (int)getpid(), count);
	mdg_channel_close(results);
	mdg_channel_close(jobs);
}

static void take_one_and_die(void)
{
	mdg_channel *jobs = enter("example-jobs", MDG_LISTENER);
	struct mdg_message message;

	must(mdg_channel_peek(jobs, &message, PATIENCE), "peek");
	die();
}

/* Until each job has been done at least once. */
static bool collect(mdg_channel *results)
{
	bool done[JOBS] = { false };

	for (int left = JOBS; left > 0;) {
		struct job job;
		int rc = mdg_channel_recv(results, &job, sizeof(job), NULL, PATIENCE);
		must(rc, "waiting for a result");
		if (rc != sizeof(job) || job.number < 0 || job.number >= JOBS ||
		    job.value != job.number * job.number)
			return false;
		left -= !done[job.number];
		done[job.number] = true;
	}
	return true;
}

int main(void)
{
	mdg_channel *jobs = enter("example-jobs", MDG_TALKER);
	mdg_channel *results = enter("example-results", MDG_LISTENER);
	const struct job home = { HOME, 0 };
	pid_t worker[WORKERS];
	mdg_namespace *ns;

	for (int i = 0; i < JOBS; i++) {
		struct job job = { i, i };
		must(mdg_channel_send(jobs, &job, sizeof(job), PATIENCE), "send");
	}
	bool well = !went_well(child(take_one_and_die));
	for (int i = 0; i < WORKERS; i++)
		worker[i] = child(work);
	well = collect(results) && well;
	printf("all %d jobs are done\n", JOBS);
	for (int i = 0; i < WORKERS; i++)
		must(mdg_channel_send(jobs, &home, sizeof(home), PATIENCE), "send");
	for (int i = 0; i < WORKERS; i++)
		well = went_well(worker[i]) && well;
	mdg_channel_close(jobs);
	mdg_channel_close(results);
	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_channel_remove(ns, "example-jobs"), "remove");
	must(mdg_channel_remove(ns, "example-results"), "remove");
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

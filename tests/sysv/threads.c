/* SPDX-License-Identifier: MIT */
/*
 * Attachments belong to the process, not to the thread that made them (L1 to
 * L3, L7, fine L12, L63): they stay when that thread ends, also when it was the
 * first one, and many threads may attach, detach and fork at once.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <pthread.h>
#include <sched.h>

#define FAILED ((void *)-1)

static size_t page;

static void wait_for_turn(struct peer *test, void *arg)
{
	(void)arg;
	peer_hear(test);
}

static void close_all(void)
{
	for (int fd = 3; fd < 65536; fd++)
		close(fd);
}

static void *attach_in_thread(void *arg)
{
	const int *id = arg;
	return attach(*id);
}

struct crowd {
	int id;
	pthread_barrier_t *together;
};

enum { CROWD = 4, ROUNDS = 50 };

static void *attach_in_crowd(void *arg)
{
	struct crowd *crowd = arg;
	char *at[ROUNDS];
	pthread_barrier_wait(crowd->together);
	for (int i = 0; i < ROUNDS; i++)
		at[i] = shmat(crowd->id, NULL, 0);
	pthread_barrier_wait(crowd->together); /* all attached: main counts ... */
	pthread_barrier_wait(crowd->together); /* ... and lets go on */
	for (int i = 0; i < ROUNDS; i++)
		if (at[i] == FAILED || shmdt(at[i]) != 0)
			return NULL;
	return arg;
}

static void threads(void)
{
	int id = make_private(page, 0600);
	pthread_t thread[CROWD];
	void *memory;
	/* The one who attached is gone, its process is not. */
	CHECK(pthread_create(&thread[0], NULL, attach_in_thread, &id) == 0);
	CHECK(pthread_join(thread[0], &memory) == 0 && memory != FAILED);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L12", stat.shm_nattch == 1 && stat.shm_lpid == getpid());
	struct peer child = peer_start(wait_for_turn, NULL);
	CHECK_LINE("L1", attached(id) == 2);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("L2", attached(id) == 1);
	CHECK(shmdt(memory) == 0);

	pthread_barrier_t together;
	struct crowd crowd = { id, &together };
	pthread_barrier_init(&together, NULL, CROWD + 1);
	for (int i = 0; i < CROWD; i++)
		CHECK(pthread_create(&thread[i], NULL, attach_in_crowd, &crowd) == 0);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	CHECK_LINE("fine L12", attached(id) == CROWD * ROUNDS);
	pthread_barrier_wait(&together);
	for (int i = 0; i < CROWD; i++)
		CHECK(pthread_join(thread[i], &memory) == 0 && memory != NULL);
	CHECK_LINE("fine L12", attached(id) == 0);
	pthread_barrier_destroy(&together);
}

static void *fork_in_thread(void *arg)
{
	const int *id = arg;
	struct peer child = peer_start(wait_for_turn, NULL);
	CHECK_LINE("L1", attached(*id) == 2);
	peer_kill(&child);
	CHECK_LINE("L3", attached(*id) == 1);
	return arg;
}

static void fork_of_a_thread(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, fork_in_thread, &id) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

struct survivor {
	struct peer test;
	int id;
	bool closes;
};

/* Joining it would do, but musl leaves a lock held when the first thread of a
 * forked process ends. */
static void await_first_thread(void)
{
	char state = '?';
	while (state != 'Z') {
		FILE *file = fopen("/proc/self/stat", "re");
		if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 'Z';
		if (file != NULL)
			fclose(file);
		sched_yield();
	}
}

static void *outlive_the_first(void *arg)
{
	struct survivor *self = arg;
	await_first_thread();
	if (self->closes)
		close_all();
	peer_say(&self->test);
	peer_hear(&self->test);
	/* It may go on attaching. */
	CHECK_LINE("fine L63", shmdt(attach(self->id)) == 0);
	peer_say(&self->test);
	peer_hear(&self->test);
	fflush(stderr);
	_exit(test_result());
}

static void end_first_thread(struct peer *test, void *arg)
{
	static struct survivor self; /* the stack it would be on is about to end */
	self = *(struct survivor *)arg;
	self.test = *test;
	attach(self.id);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, outlive_the_first, &self) == 0);
	pthread_exit(NULL);
}

/* A process lives as long as its last thread. */
static void first_thread_ends(bool closes)
{
	const char *line = closes ? "L7" : "fine L63";
	struct survivor self = { .id = make_private(page, 0600), .closes = closes };
	struct peer child = peer_start(end_first_thread, &self);
	CHECK(peer_hear(&child));
	CHECK_LINE(line, attached(self.id) == 1);
	peer_say(&child);
	CHECK(peer_hear(&child));
	CHECK_LINE(line, attached(self.id) == 1);
	CHECK_LINE(line, peer_finish(&child) == 0);
	CHECK_LINE(line, attached(self.id) == 0);
}

int main(void)
{
	begin();
	page = page_size();
	threads();
	fork_of_a_thread();
	first_thread_ends(false);
	first_thread_ends(true);
	return test_result();
}

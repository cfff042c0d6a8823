/* SPDX-License-Identifier: MIT */
/*
 * run.c - runs the program that lies in a world, on whatever System V IPC this
 * process finds: the kernel's, or Madang when that is preloaded.
 *
 * The conductor starts the first actors and waits; from then on each actor, when
 * it has taken a step, looks who takes the next one and hands on. Steps of actors
 * that are not there are passed over, with a word in the log. At the end it is
 * the conductor's turn: it kills everybody, looks at what is left, removes it,
 * and looks once more, so that what dead processes still hold shows.
 */
#include "differential/world.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

struct world *world;
int me = CONDUCTOR;
size_t page;
char *area;
struct place places[PLACES];
uint64_t mapped;

/* ---- taking turns --------------------------------------------------------------------- */

void step_end(void)
{
	world->step++;
}

/* Who takes the next step; the conductor when there is none. */
static int whose_turn(void)
{
	for (; world->step < world->op_count && !world->log_full; world->step++) {
		int actor = world->op[world->step].actor;
		if (actor == CONDUCTOR || (world->actor[actor].alive && !is_asleep(actor)))
			return actor;
		log_outcome(world->actor[actor].alive ? BUSY : ABSENT);
	}
	return CONDUCTOR;
}

static bool over(void)
{
	return world->crash_signal != 0 || world->log_full || world->step >= world->op_count;
}

void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0 && errno == EINTR)
		;
}

/* Ends the step, unless there are sleepers whom it may have woken. */
bool step_finish(const struct op *op)
{
	bool life = op_class(op->kind) == OF_LIFE;
	if (needs_settling(op)) {
		world->settling = true;
		if (me == CONDUCTOR)
			settle_step();
		else
			sem_post(&world->actor[CONDUCTOR].go);
		return me == CONDUCTOR;
	}
	observe(op, life ? world->watch == WATCH_TOUCHED : op->kind == OP_SURVEY);
	step_end();
	return true;
}

/* Whoever is woken has the turn, or ends a step for somebody else. */
static void wait_turn(void)
{
	for (bool turn = false; !turn;) {
		wait_for(&world->actor[me].go);
		turn = true;
		if (world->crash_signal != 0)
			return;
		if (world->dying != NOBODY)
			turn = death_finish();
		else if (world->settling)
			settle_step();
	}
}

/* Takes one step; false: it is not over, and another process ends it. */
static bool take_step(void)
{
	const struct op *op = &world->op[world->step];
	enum step_fate fate = op_of_life(op);
	bool here = true;
	if (fate == STEP_NOT_OF_LIFE && op_class(op->kind) == OF_SETS)
		here = sem_act(op);
	else if (fate == STEP_NOT_OF_LIFE && op_class(op->kind) == OF_QUEUES)
		here = msg_act(op);
	else if (fate == STEP_NOT_OF_LIFE)
		op_act(op);
	if (fate == STEP_OVER)
		return true;
	return fate != STEP_ELSEWHERE && here && step_finish(op);
}

/* Returns in the conductor alone, when all is over. */
static void go_on(void)
{
	for (;;) {
		int next = whose_turn();
		if (me == CONDUCTOR && over())
			return;
		if (next != me) {
			sem_post(&world->actor[next].go);
			wait_turn();
		} else if (!take_step()) {
			wait_turn();
		}
	}
}

/* ---- setting up -------------------------------------------------------------------------- */

struct world *world_map(const char *path)
{
	struct stat stat;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) != 0) {
		perror(path);
		exit(1);
	}
	void *memory = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
	return memory;
}

/* Far from where programs, heaps, stacks, libraries and sanitizers lie. */
static void area_find(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start =
		sizeof(void *) == 8 ? (uintptr_t)UINT64_C(0x200000000000) : (uintptr_t)0x90000000u;
	area = (char *)start;
}

/* Whether the area is free, with some room behind it for what begins at its end. */
static bool area_is_free(void)
{
	size_t size = 2 * AREA_PAGES * page;
	void *memory =
		mmap(area, size, PROT_NONE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	munmap(memory, size);
	return memory == (void *)area;
}

int act(const char *path, int actor, bool resume)
{
	world_path = path;
	world = world_map(path);
	me = actor;
	area_find();
	faults_catch();
	if (resume) {
		exec_finish();
	} else {
		become(world->actor[me].user);
		sem_post(&world->actor[me].there);
		wait_turn();
	}
	go_on();
	return 0;
}

/* ---- the end ------------------------------------------------------------------------------- */

/* One after the other, each waited for, so that two runs agree who died last: those of whom
 * the conductor is the parent, until there are none. */
static void kill_actors(void)
{
	for (int i = 0; i < ACTORS; i++) {
		struct actor *actor = &world->actor[i];
		if (!actor->alive || actor->parent != CONDUCTOR || actor->pid <= 0)
			continue;
		kill(actor->pid, SIGKILL);
		wait_child(actor->pid);
		actor->alive = actor->untold = false;
		actor->in_call = false;
		world->death_unseen = true;
		if (world->crash_signal == 0)
			settle();
		if (world->watch == WATCH_ALL && world->crash_signal == 0)
			observe(NULL, true);
		for (int child = 0; child < ACTORS; child++)
			if (world->actor[child].parent == i)
				world->actor[child].parent = CONDUCTOR;
		i = -1; /* its children may be of lower number */
	}
	while (wait_child(-1) > 0) /* zombies that were left */
		;
}

static void remove_segments(void)
{
	struct shmid_ds stat;
	struct shm_info totals;
	int highest = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&totals);
	for (int index = 0; world->alone && index <= highest; index++) {
		int id = shmctl(index, SHM_STAT, &stat);
		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
	}
	for (int slot = 0; !world->alone && slot < SLOTS; slot++)
		shmctl(world->id[slot], IPC_RMID, NULL);
}

/* Exactly one process acts at any time. On one processor they wake each other much faster than
 * from processor to processor, and one that yields lets the others run until they sleep. */
static void stay_on_one_cpu(void)
{
	cpu_set_t allowed, one;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	int count = CPU_COUNT(&allowed), left = count > 0 ? world->cpu % count : 0;
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && left-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one) == 1)
		sched_setaffinity(0, sizeof(one), &one);
}

int conduct(const char *path)
{
	const char *oracle = getenv("MADANG_ORACLE");
	world_path = path;
	world = world_map(path);
	world->alone = oracle == NULL || strcmp(oracle, "alone") == 0;
	stay_on_one_cpu();
	area_find();
	faults_catch();
	world->no_area = !area_is_free();
	if (world->no_area || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 ||
	    sem_init(&world->actor[CONDUCTOR].go, 1, 0) != 0)
		return 1;
	phase_begin();
	go_on();

	kill_actors();
	if (world->crash_signal == 0) {
		observe(NULL, true);
		log_totals_and_all();
		sets_survey(true);
		queues_survey(true);
		remove_segments();
		log_totals_and_all();
		sets_survey(false);
		queues_survey(false);
	}
	world->finished = true;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * remains.c - what is left of processes that were killed is used again, or set right, by others.
 */
#include <sched.h>
#include <setjmp.h>
#include <sys/mount.h>

#include "semset/set.h"
#include "semset/sound.h"

enum { DEATHS = 400, BLOCKS_MOST = 120, OTHERS = 10 };

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Nobody ever changes the value, so nobody has a reason to look at the queue. */
static void killed_asleep(void)
{
	fresh(2);
	pid_t others[OTHERS];
	for (int i = 0; i < DEATHS; i++) {
		/* After half of them some sleep at the end of the queue, and live. */
		for (int k = 0; i == DEATHS / 2 && k < OTHERS; k++)
			others[k] = sleeper1(1, -1, 0);
		killed(sleeper(
			OPS({ 0, -1, 0 }, { 1, -1, 0 }, { 0, -1, 0 }, { 1, 0, 0 }, { 0, -1, 0 })));
	}
	CHECK(ncount(0) == 0 && ncount(1) == OTHERS);
	if (!CHECK(mdg__semset_head(engine())->fresh <= BLOCKS_MOST))
		fprintf(stderr, "%u blocks after %d deaths\n", mdg__semset_head(engine())->fresh,
		        DEATHS);
	CHECK(is_sound(engine()));
	for (int k = 0; k < OTHERS; k++)
		CHECK(op1(1, 1, 0) == 0 && result(others[k]) == 0);
	CHECK(is_sound(engine()));
}

/* ---- a change that was left half done -------------------------------------------------------- */

static int cannot_grow(struct mdg__semset *set, uint64_t least)
{
	(void)set;
	(void)least;
	return -ENOMEM;
}

/* The set for a process that gets no more memory. */
static struct mdg__semset *poor(void)
{
	static struct mdg__semset_host host;
	static struct mdg__semset set;
	host = test_host;
	host.grow = cannot_grow;
	set = *engine();
	set.host = &host;
	return &set;
}

static struct mdg__semset_stay *stay(void)
{
	static struct mdg__semset_stay own;
	const struct mdg__semset_need need = { 0 };
	CHECK(mdg__semset_enter(&own, engine(), need, mdg__semset_repair) == 0);
	return &own;
}

static void put_value(struct mdg__semset_stay *own, uint32_t number, int32_t to)
{
	mdg__claim(own, number);
	mdg__semset_put64(own, &mdg__semset_at(own->set, number)->word,
	                  mdg__word(to, MDG__BUSY, getpid()));
}

static void die_before_commit(void *unused)
{
	(void)unused;
	put_value(stay(), 0, 7);
	_exit(0);
}

/* Whoever takes over the lock cannot map all of the memory, and so cannot put the old value back.
 * The next one does. */
static void nobody_to_repair(void)
{
	fresh(2);
	CHECK(set_value(0, 3) == 0 && op1(0, -1, UNDO) == 0 && op1(0, 1, UNDO) == 0);
	pid_t victim = start(die_before_commit, NULL);
	CHECK(ended_well(victim));
	struct mdg__semset *set = poor();
	set->length = mdg__semset_heap_at(2);
	CHECK(mdg__semset_set_value(set, 1, 4) == -ENOMEM);
	CHECK(set_value(1, 5) == 0);
	CHECK(value(0) == 3 && value(1) == 5);
	CHECK(is_sound(engine()));
}

static void die_before_serving(void *unused)
{
	struct mdg__semset_stay *own = stay();
	(void)unused;
	put_value(own, 0, 1);
	mdg__note_change(own, false);
	mdg__semset_commit(own);
	_exit(0);
}

/* Whoever takes over the lock serves the sleeper, and then gets no memory for its own call. */
static void nobody_to_wake(void)
{
	struct mdg_semset_op ops[MDG__OPS_MAX];
	const uint64_t soon = 1000000000; /* before a sleeper looks by itself */
	for (unsigned i = 0; i < MDG__OPS_MAX; i++)
		ops[i] = (struct mdg_semset_op){ i % 2, -1, NOWAIT };
	fresh(2);
	pid_t one = sleeper1(0, -1, 0);
	CHECK(ended_well(start(die_before_serving, NULL)));
	uint64_t began = now_ns();
	CHECK(mdg__semset_op(poor(), ops, MDG__OPS_MAX, MDG_FOREVER) == -ENOMEM);
	CHECK(result(one) == 0 && now_ns() - began < soon);
	CHECK(value(0) == 0 && is_sound(engine()));
}

/* ---- another pid namespace ------------------------------------------------------------------- */

static _Atomic uint32_t *said;

/* Gets a slip, then sleeps, and then uses the slip. */
static void be_first_of_a_namespace(void *unused)
{
	(void)unused;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0)
		_exit(77);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (mount("proc", "/proc", "proc", 0, NULL) != 0)
			_exit(77);
		bool well = op(OPS({ 0, 1, 0 }, { 1, 1, 0 })) == 0;
		atomic_store(said, 1);
		well = op1(2, -1, 0) == 0 && well;
		_exit(well && op(OPS({ 0, -1, 0 }, { 1, -1, 0 })) == 0 ? 0 : 1);
	}
	_exit(-result(pid));
}

static uint32_t slips(void)
{
	uint32_t slip1 = mdg__semset_head(engine())->slips1, count = 0;
	for (; slip1 != 0; count++)
		slip1 = ((struct mdg__slip *)mdg__block_at(engine(), slip1, MDG__SLIP))->next1;
	return count;
}

static void sweep(void)
{
	struct mdg__semset_stay *own = stay();
	mdg__sleepers_sweep(own);
	mdg__slips_end(own, NULL);
	mdg__semset_leave(own);
}

/* Its pids are other processes' here, or nobody's. */
static void another_namespace(void)
{
	fresh(3);
	atomic_store(said, 0);
	pid_t pid = start(be_first_of_a_namespace, NULL);
	while (atomic_load(said) == 0 && !has_ended(pid))
		nap_ms(1);
	while (ncount(2) == 0 && !has_ended(pid))
		nap_ms(1);
	if (atomic_load(said) == 0) {
		CHECK(result(pid) == -77);
		return;
	}
	sweep();
	CHECK(slips() == 1);
	/* Served, and not awake yet. */
	struct mdg__semset_stay *own = stay();
	put_value(own, 2, 1);
	mdg__note_change(own, false);
	mdg__semset_commit(own);
	mdg__serve(own);
	mdg__sleepers_sweep(own);
	CHECK(own->head->done.first1 != 0);
	mdg__semset_leave(own);
	CHECK(result(pid) == 0);
	CHECK(value(0) == 0 && value(1) == 0 && value(2) == 0 && is_sound(engine()));
}

/* ---- a child that a handler forks ------------------------------------------------------------ */

static sigjmp_buf way_out;

static void fork_and_jump(int number)
{
	(void)number;
	if (fork() == 0)
		siglongjmp(way_out, 1);
	while (atomic_load(said) != 2)
		nap_ms(1);
}

/* The child leaves the handler, and with it the call that is its parent's, and makes a call. */
static void sleep_and_fork(void *unused)
{
	struct sigaction action = { .sa_handler = fork_and_jump };
	(void)unused;
	sigaction(SIGUSR1, &action, NULL);
	if (sigsetjmp(way_out, 1) == 0)
		_exit(-op1(0, -1, 0));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK(value(1) == 0);
	atomic_store(said, 1);
	_exit(0);
}

/* Has all blocks that it needs but the one of its sleep. */
static void sleep_after_it(void *unused)
{
	(void)unused;
	CHECK(op(OPS({ 1, 0, 0 }, { 2, 0, 0 })) == 0);
	while (atomic_load(said) == 0)
		nap_ms(1);
	_exit(-op1(2, -1, 0));
}

static void sleep_of_the_parent(void)
{
	fresh(3);
	atomic_store(said, 0);
	pid_t one = start(sleep_and_fork, NULL), other = start(sleep_after_it, NULL);
	while (ncount(0) == 0 || slips() != 2)
		nap_ms(1);
	kill(one, SIGUSR1);
	while (atomic_load(said) != 1)
		nap_ms(1);
	while (ncount(2) == 0)
		nap_ms(1);
	atomic_store(said, 2);
	CHECK(result(one) == -EINTR);
	nap_ms(20);
	CHECK(ncount(2) == 1 && op1(2, 1, 0) == 0 && result(other) == 0);
	CHECK(is_sound(engine()));
}

int main(void)
{
	said = shared_memory(sizeof *said);
	another_namespace();
	sleep_of_the_parent();
	killed_asleep();
	nobody_to_repair();
	nobody_to_wake();
	return test_result();
}

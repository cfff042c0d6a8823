/* SPDX-License-Identifier: MIT */
/*
 * inherit.c - Madang's locks beside priority-inheritance mutexes of the C library.
 *
 * The C library marks such mutexes in the robust list by bit 0 of a link. A victim takes four
 * locks, each of one of three kinds, in every order; it gives one of them back, or none, and is
 * killed. All that it still held must be found with its owner dead, by the C library's calls or by
 * Madang's.
 *
 * The victim is a process that has never used Madang before, or the forked child of one that has:
 * such a child looks through the list before its first lock of ours.
 */
#include "sync/shared.h"

enum kind { OURS, THEIRS, INHERITING, KINDS };
enum { LOCKS = 4, ORDERS = KINDS * KINDS * KINDS * KINDS, KEEPS_ALL = LOCKS };

static struct box {
	mdg_mutex ours[LOCKS], before;
	pthread_mutex_t theirs[LOCKS];
	_Atomic uint32_t ready;
} * box;

struct order {
	enum kind kind[LOCKS];
	int given_back;
	bool child_of_user;
};

static bool make(pthread_mutex_t *mutex, bool inheriting)
{
	pthread_mutexattr_t kind;
	bool known = true;
	pthread_mutexattr_init(&kind);
	CHECK(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0);
	CHECK(pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0);
	if (inheriting)
		known = pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT) == 0;
	known = known && pthread_mutex_init(mutex, &kind) == 0;
	pthread_mutexattr_destroy(&kind);
	return known;
}

static void prepare(const struct order *order)
{
	memset(box, 0, sizeof(*box));
	for (int i = 0; i < LOCKS; i++)
		CHECK(make(&box->theirs[i], order->kind[i] == INHERITING));
}

static int take(const struct order *order, int i)
{
	return order->kind[i] == OURS ? mdg_mutex_lock_until(&box->ours[i], GRACE)
	                              : pthread_mutex_lock(&box->theirs[i]);
}

static int give(const struct order *order, int i)
{
	return order->kind[i] == OURS ? mdg_mutex_unlock(&box->ours[i])
	                              : pthread_mutex_unlock(&box->theirs[i]);
}

static void take_and_die(void *argument)
{
	const struct order *order = argument;
	for (int i = 0; i < LOCKS; i++)
		CHECK(take(order, i) == 0);
	if (order->given_back != KEEPS_ALL)
		CHECK(give(order, order->given_back) == 0);
	fflush(NULL);
	if (test_result() == 0)
		die();
}

static void use_then_fork(void *argument)
{
	CHECK(mdg_mutex_lock(&box->before) == 0);
	pid_t child = fork();
	if (child == 0) {
		take_and_die(argument);
		_exit(1);
	}
	CHECK(WIFSIGNALED(ended(child)));
	CHECK(mdg_mutex_unlock(&box->before) == 0);
}

/* This runs in a process of its own, because the process that starts the victims uses none of our
 * locks. */
static void look(void *argument)
{
	const struct order *order = argument;
	for (int i = 0; i < LOCKS; i++) {
		bool held = i != order->given_back;
		int died = order->kind[i] == OURS ? MDG_OWNER_DIED : EOWNERDEAD;
		/* A lock that nobody gives back would make a waiter wait for ever. So this only
		 * tries. */
		int rc = order->kind[i] == OURS ? mdg_mutex_trylock(&box->ours[i])
		                                : pthread_mutex_trylock(&box->theirs[i]);
		CHECK(rc == (held ? died : 0));
	}
}

static void run(const struct order *order)
{
	int failures = check_failures;
	prepare(order);
	if (order->child_of_user) {
		CHECK(ended_well(start(use_then_fork, (void *)(uintptr_t)order)));
	} else {
		CHECK(WIFSIGNALED(ended(start(take_and_die, (void *)(uintptr_t)order))));
	}
	CHECK(ended_well(start(look, (void *)(uintptr_t)order)));
	if (check_failures != failures)
		fprintf(stderr, "the order is %d %d %d %d, %d given back, %s\n", order->kind[0],
		        order->kind[1], order->kind[2], order->kind[3], order->given_back,
		        order->child_of_user ? "in a child" : "in the first process");
}

int main(void)
{
	pthread_mutex_t probe;
	struct order order;
	box = shared_memory(sizeof(*box));
	if (!make(&probe, true))
		SKIP("the C library or the kernel has no priority inheritance");
	for (int number = 0; number < ORDERS && check_failures == 0; number++)
		for (int child = 0; child < 2; child++)
			for (order.given_back = 0; order.given_back <= KEEPS_ALL;
			     order.given_back++) {
				for (int i = 0, rest = number; i < LOCKS; i++, rest /= KINDS)
					order.kind[i] = (enum kind)(rest % KINDS);
				order.child_of_user = child != 0;
				run(&order);
			}
	return test_result();
}

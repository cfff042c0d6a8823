/* SPDX-License-Identifier: MIT */
/*
 * beside.c - a sender is killed while another process has the queue's lock.
 *
 * The sender is taken through its call instruction by instruction (tests/sync/points/step.h), while
 * a receiver sleeps. Where the lock is free, this process takes it, the sender is killed, and the
 * lock is given back in the plainest way. The kernel finds a lock that somebody else has, and wakes
 * nobody. If the message was handed over, its receiver has to wake all the same.
 */
#include "msgqueue/queue.h"
#include "msgqueue/layout.h"
#include "sync/points/step.h"

enum { WATCHED = 20480, POINTS_MOST = 300 };

static struct world *world;
static struct step step;

static void send_short(void *none)
{
	(void)none;
	struct world *other = world_make(10);
	CHECK(snd(other, 1, "x", 0) == 0 && rcv(other, 0, 0)->rc == 0);
	step_begins();
	CHECK(snd(world, 5, "victim", FAR) == 0);
	step_ends();
}

static void receive_and_say(void *none)
{
	(void)none;
	const struct got *got = rcv(world, 0, FAR);
	atomic_store(&world->said[0], got->rc == 0 ? (uint32_t)got->text[0] : (uint32_t)got->rc);
}

/* Whoever was not woken for a message that was sent is waited for longer than it takes. */
static bool ends_soon(pid_t pid)
{
	const struct mdg__queue_head *head = (const struct mdg__queue_head *)(void *)world->memory;
	bool sent = atomic_load(&head->lspid) == step.pid;
	int status = 0;
	for (int i = 0; i < (sent ? 3000 : 200); i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return true;
		nap_ms(1);
	}
	return false;
}

/* Returns whether the lock was free. */
static bool kill_beside(void)
{
	struct mdg__owned *lock = &((struct mdg__queue_head *)(void *)world->memory)->lock;
	bool has = mdg__owned_take_free(lock);
	step_kill(&step);
	if (has)
		CHECK(mdg__owned_give(lock) == 0);
	return has;
}

/* Returns whether the sender had ended before. */
static bool kill_at(unsigned point, unsigned *free_points)
{
	enum step_event event = STEP_POINT;
	world = world_make(16384);
	pid_t receiver = start(receive_and_say, NULL);
	CHECK(sleeps_in(world, 1, receiver));
	CHECK(step_start(&step, world->memory, WATCHED, send_short, NULL));
	for (unsigned i = 0; i <= point && event == STEP_POINT; i++)
		event = step_next(&step);
	CHECK(event == STEP_POINT || event == STEP_ENDED);
	*free_points += kill_beside() ? 1 : 0;
	bool through = ends_soon(receiver), sent = look(world).lspid == step.pid;
	if (!CHECK(through == sent))
		fprintf(stderr, "    killed at point %u\n", point);
	if (!through) {
		CHECK(snd(world, 1, "z", 0) == 0);
		CHECK(ended_well(receiver));
	}
	CHECK(atomic_load(&world->said[0]) == (sent ? 'v' : 'z'));
	CHECK(rcv(world, 0, 0)->rc == -EAGAIN || look(world).qnum == 0);
	world_drop(world);
	return event == STEP_ENDED;
}

int main(void)
{
	const char *reason = "";
	unsigned point = 0, free_points = 0;
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	while (point < POINTS_MOST && check_failures < 10 && !kill_at(point, &free_points))
		point++;
	printf("%u points, the lock was free at %u\n", point + 1, free_points);
	/* A sanitizer leaves fewer points: ten were seen. */
	CHECK(free_points >= 4 && point < POINTS_MOST);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - memory that holds anything: calls return, with whatever code, and neither touch
 * memory that is not the queue's nor hang.
 *
 *     hostile [ROUNDS]
 *
 * Each round is a child with a queue in use, in which words are overwritten: at random in all of
 * it, or with likely values in the head, or all of it with noise. The memory behind what was
 * promised may not be touched.
 */
#include "msgqueue/queue.h"

#include "msgqueue/layout.h"

static struct world *world;
static uint64_t state;

static uint32_t likely(void)
{
	static const uint32_t values[] = { 0,    1,    2,    63,         64,         128,
		                           255,  256,  257,  300,        511,        1023,
		                           1024, 1025, 1088, 0x7fffffff, 0x80000000, 0xffffffff };
	uint32_t count = sizeof(values) / sizeof(values[0]);
	return below(&state, 3) == 0 ? below(&state, 1100) : values[below(&state, count)];
}

/* The word of the lock has a test of its own. */
static bool is_lock(uint32_t at)
{
	return at * 4 < sizeof(struct mdg__owned);
}

static void scribble(void)
{
	_Atomic uint32_t *words = (_Atomic uint32_t *)(void *)world->memory;
	uint32_t kind = below(&state, 3), count = 1 + below(&state, kind == 2 ? 4000 : 6);
	uint32_t most = kind == 0 ? sizeof(struct mdg__queue_head) / 4 : 32768 / 4;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = below(&state, most);
		if (!is_lock(at))
			atomic_store(&words[at], kind == 2 ? below(&state, UINT32_MAX) : likely());
	}
}

static void use(void)
{
	static char text[5000];
	struct mdg__queue queue = queue_of(world);
	struct mdg__queue_figures figures;
	struct mdg__queue_sleeper sleepers[8];
	for (int i = 0; i < 30; i++) {
		switch (below(&state, 9)) {
		case 0:
		case 1:
			(void)snd_bytes(world, 1 + below(&state, 3), text,
			                below(&state, below(&state, 2) == 0 ? 100 : 5000), 0);
			break;
		case 2:
		case 3:
			(void)rcv(world, (int64_t)below(&state, 7) - 3, 0);
			break;
		case 4:
			(void)rcv_into(world, below(&state, 5), MDG__RECEIVE_COPY, 5000, 0);
			break;
		case 5:
			(void)rcv(world, 99, mdg_deadline(100000));
			break;
		case 6:
			(void)mdg__queue_look(&queue, &figures);
			break;
		case 7:
			(void)mdg__queue_sleepers(&queue, sleepers, 8);
			break;
		default:
			(void)mdg__queue_changed(&queue);
		}
	}
}

static void die_with_lock(void *none)
{
	(void)none;
	struct mdg__queue_head *head = (struct mdg__queue_head *)(void *)world->memory;
	(void)mdg__owned_take(&head->lock, MDG_FOREVER);
	die();
}

static void round_of(void *argument)
{
	state = *(const uint64_t *)argument;
	alarm(20);
	world = world_make(20000);
	atomic_store(&world->hostile, 1);
	/* Nothing may be touched behind what was promised. */
	CHECK(mprotect(world->memory + (1 << 20), WORLD_BYTES - (1 << 20), PROT_NONE) == 0);
	atomic_store(&world->limit, 1 << 20);
	for (int i = 0; i < 40; i++)
		(void)snd_bytes(world, 1 + below(&state, 3), "text", below(&state, 5), 0);
	use();
	scribble();
	if (below(&state, 2) == 0) { /* and the next one repairs */
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			die_with_lock(NULL);
		ended(pid);
	}
	use();
}

static void sleep_long(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

static void check_lock(void)
{
	world = world_make(100);
	struct mdg__queue_head *head = (struct mdg__queue_head *)(void *)world->memory;
	atomic_store(&head->lock.robust.word, 0x3ffffff0u);
	CHECK(snd(world, 1, "x", 0) == MDG_DAMAGED);
	CHECK(rcv(world, 0, MDG_FOREVER)->rc == MDG_DAMAGED);
	pid_t pid = start(sleep_long, NULL); /* it lives, and has never had the lock */
	nap_ms(20);
	atomic_store(&head->lock.robust.word, (uint32_t)pid | 0x80000000u);
	CHECK(snd(world, 1, "x", 0) == MDG_DAMAGED);
	killed(pid);
	atomic_store(&head->lock.robust.word, 0x40000000u); /* as after a death */
	CHECK(snd(world, 1, "x", 0) == 0 && holds(world, 1, 1));
	world_drop(world);
}

int main(int argc, char **argv)
{
	uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 400;
	for (uint32_t i = 1; i <= rounds && check_failures == 0; i++) {
		uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15);
		int status = ended(start(round_of, &seed));
		if (!CHECK(status == 0))
			fprintf(stderr, "round %u ends with status %#x\n", i, (unsigned)status);
	}
	check_lock();
	return test_result();
}

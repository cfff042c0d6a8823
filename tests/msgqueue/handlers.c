/* SPDX-License-Identifier: MIT */
/*
 * handlers.c - signal handlers at any moment that use the queue in which their thread is, and leave
 * the call by siglongjmp now and then.
 *
 *     handlers [MILLISECONDS]
 *
 * Several processes send and receive. Each has a timer whose handler does the same on the same
 * queue. A text says how long it is and what is in it, so cells that two messages have are found.
 * At the end the messages are counted: those whose call returned were sent, or taken, once. Of a
 * call that was left, either may be.
 */
#include <setjmp.h>
#include <sys/time.h>

#include "msgqueue/queue.h"

#if HANDLERS_LATE
#define HANDLERS_COME 0
#else
#define HANDLERS_COME 1
#endif

enum { PROCESSES = 3, LENGTH_MOST = 700 };

static struct world *world;
static uint64_t ends, state, jumps_state;
static sigjmp_buf way_out;
static volatile sig_atomic_t may_jump;

/* What all of them have counted. */
static struct counts {
	_Atomic uint64_t sent, received, left, handled;
} * counts;

static void send_one(uint64_t *random)
{
	unsigned char text[LENGTH_MOST];
	uint32_t length = 1 + below(random, below(random, 4) == 0 ? LENGTH_MOST : 60);
	memset(text, (int)(length % 251), sizeof(text));
	int rc = snd_bytes(world, 1 + below(random, 3), text, length, 0);
	if (rc == 0)
		atomic_fetch_add(&counts->sent, 1);
	CHECK(rc == 0 || rc == -EAGAIN);
}

static void receive_one(uint64_t *random)
{
	static const int64_t wanted[] = { 0, 0, 0, 2, -2 };
	unsigned char text[LENGTH_MOST];
	struct mdg__queue queue = queue_of(world);
	uint64_t length = 0;
	int64_t type;
	int rc = mdg__queue_receive(&queue, wanted[below(random, 5)], 0, text, sizeof(text), 0,
	                            &type, &length);
	if (rc == 0) {
		atomic_fetch_add(&counts->received, 1);
		bool good = length >= 1 && length <= LENGTH_MOST;
		for (uint64_t i = 0; good && i < length; i++)
			good = text[i] == length % 251;
		CHECK(good);
	}
	CHECK(rc == 0 || rc == -ENOMSG);
}

static void use_in_handler(int number)
{
	int saved = errno;
	(void)number;
	send_one(&jumps_state);
	receive_one(&jumps_state);
	atomic_fetch_add(&counts->handled, 1);
	errno = saved;
	if (may_jump != 0 && below(&jumps_state, 3) == 0) {
		may_jump = 0;
		atomic_fetch_add(&counts->left, 1);
		siglongjmp(way_out, 1);
	}
}

static void use(void *argument)
{
	uint64_t number = *(const uint64_t *)argument;
	struct sigaction action = { .sa_handler = use_in_handler };
	struct itimerval often = { { 0, 60 + (int)number * 17 }, { 0, 50 } };
	state = number * 7919 + 1;
	jumps_state = number * 104729 + 3;
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	(void)sigsetjmp(way_out, 1);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (now_ns() < ends) {
		may_jump = 1;
		if (below(&state, 2) == 0)
			send_one(&state);
		else
			receive_one(&state);
		may_jump = 0;
	}
	memset(&often, 0, sizeof(often));
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

/* What is left in the queue belongs to what was counted. */
static void judge(void)
{
	uint64_t sent = atomic_load(&counts->sent), received = atomic_load(&counts->received);
	uint64_t left = atomic_load(&counts->left), there = look(world).qnum;
	printf("%llu sent, %llu received, %llu there; %llu handlers, %llu calls left\n",
	       (unsigned long long)sent, (unsigned long long)received, (unsigned long long)there,
	       (unsigned long long)atomic_load(&counts->handled), (unsigned long long)left);
	CHECK(sent + left >= received + there && received + there + left >= sent);
	CHECK(left > 0 && atomic_load(&counts->handled) > left);
	for (uint64_t i = 0; i < there; i++)
		receive_one(&state);
	while (look(world).qnum != 0 && check_failures == 0)
		receive_one(&state);
	CHECK(holds(world, 0, 0));
}

int main(int argc, char **argv)
{
	uint64_t milliseconds = argc > 1 ? (uint64_t)atoi(argv[1]) : 2000;
	pid_t pids[PROCESSES];
	if (!HANDLERS_COME)
		SKIP("the thread sanitizer runs handlers late");
	world = world_make(4000);
	counts = shared_memory(sizeof(*counts));
	state = 1;
	ends = now_ns() + milliseconds * 1000000;
	for (uint64_t i = 0; i < PROCESSES; i++)
		pids[i] = start(use, &i);
	for (int i = 0; i < PROCESSES; i++)
		CHECK(ended_well(pids[i]));
	judge();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * storm.c - many senders and receivers on a small queue, killed at any moment, with everything
 * counted.
 *
 *     storm [SECONDS]
 *
 * Each sender has a type of its own and numbers its messages; each message says of whom it is, its
 * number, and a sum of its bytes. In shared memory stands how often each arrived. At the end:
 *   L8 L11   none came twice; of those whose send had returned, no more are missing than receivers
 *            were killed
 *   L4 L13   all that came are whole
 *   L9 L12   the queue is empty, and its figures say so
 * Senders and receivers are also stopped and continued, and get a signal with a handler.
 */
#include "msgqueue/queue.h"

enum { SENDERS = 3, RECEIVERS = 3, ACTORS = SENDERS + RECEIVERS, NUMBERS = 1 << 20 };

struct note {
	uint32_t sender, number, size, sum;
};

static struct world *world;
static struct tally {
	_Atomic uint32_t tried[SENDERS], sent[SENDERS]; /* numbers up to this one */
	_Atomic uint32_t broken, twice, done;
	_Atomic uint8_t arrived[SENDERS][NUMBERS], returned[SENDERS][NUMBERS];
} * tally;

static uint32_t sum_of(const unsigned char *bytes, uint32_t size)
{
	uint32_t sum = 2166136261u;
	for (uint32_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}

static void interrupted(int number)
{
	(void)number;
}

static void take_signals(void)
{
	struct sigaction action = { .sa_handler = interrupted, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
}

static void send_all(void *argument)
{
	static unsigned char text[3000];
	uint32_t me = *(uint32_t *)argument;
	uint64_t state = (uint64_t)getpid() * 2654435761u + 1;
	take_signals();
	while (atomic_load(&tally->done) == 0) {
		uint32_t number = atomic_load(&tally->tried[me]) + 1;
		if (number >= NUMBERS)
			return;
		struct note note = { me, number,
			             below(&state, 8) == 0 ? below(&state, 2500)
			                                   : below(&state, 100),
			             0 };
		for (uint32_t i = 0; i < note.size; i++)
			text[sizeof(note) + i] = (unsigned char)(number * 7 + i * me + i / 3);
		note.sum = sum_of(text + sizeof(note), note.size);
		memcpy(text, &note, sizeof(note));
		atomic_store(&tally->tried[me], number);
		uint64_t deadline = below(&state, 20) == 0 ? 0 : mdg_deadline(50000000);
		if (snd_bytes(world, 1 + me, text, sizeof(note) + note.size, deadline) == 0)
			atomic_store(&tally->returned[me][number], 1);
	}
}

static void receive_all(void *argument)
{
	uint32_t me = *(uint32_t *)argument;
	uint64_t state = (uint64_t)getpid() * 2654435761u + 7;
	take_signals();
	while (atomic_load(&tally->done) < 2) {
		static const int64_t wants[] = { 0, 1, -2, -3, 3, 2 };
		int64_t wanted = me == 0 ? 0 : wants[below(&state, 6)];
		unsigned flags = below(&state, 4) == 0 ? MDG__RECEIVE_EXCEPT : 0;
		const struct got *got =
			rcv_into(world, wanted, flags, 4000, mdg_deadline(20000000));
		if (got->rc != 0)
			continue;
		struct note note;
		memcpy(&note, got->text, sizeof(note));
		if (got->length < sizeof(note) || note.sender >= SENDERS ||
		    note.number >= NUMBERS || got->length != sizeof(note) + note.size ||
		    got->type != 1 + note.sender ||
		    sum_of((const unsigned char *)got->text + sizeof(note), note.size) != note.sum)
			atomic_fetch_add(&tally->broken, 1);
		else if (atomic_fetch_add(&tally->arrived[note.sender][note.number], 1) != 0)
			atomic_fetch_add(&tally->twice, 1);
	}
}

static pid_t start_actor(uint32_t at)
{
	uint32_t me = at < SENDERS ? at : at - SENDERS;
	return start(at < SENDERS ? send_all : receive_all, &me);
}

static void judge(uint32_t killed_receivers)
{
	uint32_t sent = 0, arrived = 0, missing = 0, unasked = 0;
	for (int s = 0; s < SENDERS; s++)
		for (uint32_t n = 1; n <= atomic_load(&tally->tried[s]) && n < NUMBERS; n++) {
			bool came = atomic_load(&tally->arrived[s][n]) != 0;
			bool was_sent = atomic_load(&tally->returned[s][n]) != 0;
			sent += was_sent;
			arrived += came;
			missing += was_sent && !came;
			unasked += came && !was_sent;
		}
	printf("%u sent, %u arrived (%u of the killed), %u missing; %u receivers killed\n", sent,
	       arrived, unasked, missing, killed_receivers);
	CHECK_LINE("L4", atomic_load(&tally->broken) == 0);
	CHECK_LINE("L8", atomic_load(&tally->twice) == 0);
	CHECK_LINE("L11", missing <= killed_receivers);
	CHECK(sent > 100);
	CHECK_LINE("L12", holds(world, 0, 0) && look(world).claims == 0);
}

int main(int argc, char **argv)
{
	pid_t pids[ACTORS];
	uint64_t state = (uint64_t)time(NULL) * 7919 + 1;
	uint64_t end = mdg_deadline((argc > 1 ? (uint64_t)atoi(argv[1]) : 4) * 1000000000u);
	uint32_t kills = 0, killed_receivers = 0;
	take_signals(); /* a child that has just begun may get the signal */
	world = world_make(6000);
	tally = shared_memory(sizeof(*tally));
	for (uint32_t i = 0; i < ACTORS; i++)
		pids[i] = start_actor(i);
	while (now_ns() < end) {
		uint32_t at = below(&state, ACTORS), what = below(&state, 10);
		pause_us(below(&state, 2000));
		if (what == 0) {
			kill(pids[at], SIGSTOP);
			nap_ms(1);
			kill(pids[at], SIGCONT);
		} else if (what < 3) {
			kill(pids[at], SIGUSR1);
		} else {
			killed(pids[at]);
			killed_receivers += at >= SENDERS;
			kills++;
			pids[at] = start_actor(at);
		}
	}
	atomic_store(&tally->done, 1);
	for (int i = 0; i < SENDERS; i++)
		CHECK(ended_well(pids[i]));
	uint64_t patience = GRACE;
	while (look(world).qnum != 0 && now_ns() < patience)
		nap_ms(5);
	atomic_store(&tally->done, 2);
	for (int i = SENDERS; i < ACTORS; i++)
		CHECK(ended_well(pids[i]));
	printf("%u kills\n", kills);
	judge(killed_receivers);
	return test_result();
}

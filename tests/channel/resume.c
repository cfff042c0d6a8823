/* SPDX-License-Identifier: MIT */
/*
 * resume.c - a stream goes on each time that either side of it was killed and started again.
 *
 * The content of a message follows from its number in the channel. So a new process on either side
 * learns from the channel alone what comes next, as a program must that was killed and remembers
 * nothing. The listener notes in shared memory what it has worked on, before it releases the
 * message. No message may be missing, and a message that comes twice has to be marked.
 *
 * A kill comes after a given number of further messages. After each kill the stream has to go on.
 */
#include "channel/handles.h"

enum { KILLS = SLOWLY ? 40 : 200, CAPACITY = 8192, SIZE_MOST = 3000, HANG_S = 30 };

static struct board {
	_Atomic uint64_t next;  /* behind the last that was worked on */
	_Atomic uint32_t again; /* that came twice, and were marked */
	_Atomic uint32_t failures;
} * board;

static void fail(const char *what, uint64_t number, int code)
{
	if (atomic_fetch_add(&board->failures, 1) < 20)
		dprintf(STDERR_FILENO, "message %llu: %s: %d (%s)\n", (unsigned long long)number,
		        what, code, code < 0 ? mdg_strerror(code) : "");
}

static size_t size_of(uint64_t number)
{
	return (size_t)(number * 2654435761u % (number % 7 == 0 ? SIZE_MOST : 200));
}

static mdg_channel *side(unsigned role)
{
	mdg_channel *channel = NULL;
	struct mdg_channel_options options = options_of(MDG_STREAM, CAPACITY);
	int rc = mdg_channel_open(&channel, ns, "resume", role, &options);
	if (rc != 0) {
		fail("opening", role, rc);
		_exit(1);
	}
	return channel;
}

static void talk(void *argument)
{
	static unsigned char bytes[SIZE_MOST];
	mdg_channel *talks = side(MDG_TALKER);
	const unsigned *way = argument;
	int rc = 0;
	for (uint64_t number = info_of(talks).sequence; rc == 0; number++) {
		size_t size = size_of(number);
		void *place = bytes;
		if ((number + *way) % 3 == 0)
			rc = mdg_channel_reserve(talks, size, &place, GRACE);
		fill(place, size, number);
		if (rc == 0)
			rc = place != bytes ? mdg_channel_commit(talks, size)
			                    : mdg_channel_send(talks, place, size, GRACE);
		if (rc != 0)
			fail("sending", number, rc);
	}
}

static void hear(const struct mdg_message *message)
{
	uint64_t next = atomic_load(&board->next), number = message->sequence;
	bool again = (message->flags & MDG_REDELIVERED) != 0;
	if (message->size != size_of(number) || !is_filled(message->data, message->size, number))
		fail("is not what was sent", number, 0);
	if (number > next)
		fail("something is left out before it", number, 0);
	if (number < next && !again)
		fail("comes twice, and is not marked", number, 0);
	if (number < next)
		atomic_fetch_add(&board->again, 1);
	else
		atomic_store(&board->next, number + 1);
}

static void listen(void *argument)
{
	const unsigned *way = argument;
	mdg_channel *listens = side(MDG_LISTENER);
	struct mdg_message messages[5];
	for (;;) {
		int rc = *way % 2 == 0 ? mdg_channel_peek(listens, messages, GRACE)
		                       : mdg_channel_peek_many(listens, messages, 5, GRACE);
		if (rc < 0)
			fail("receiving", atomic_load(&board->next), rc);
		for (int i = 0; i < (*way % 2 == 0 ? 1 : rc); i++)
			hear(&messages[i]);
		rc = mdg_channel_release(listens);
		if (rc != 0)
			fail("releasing", atomic_load(&board->next), rc);
	}
}

/* Whether so many more arrive. */
static bool gets_on(uint64_t messages)
{
	uint64_t from = atomic_load(&board->next);
	uint64_t end = mdg_deadline(HANG_S * UINT64_C(1000000000));
	while (atomic_load(&board->next) < from + messages && atomic_load(&board->failures) == 0) {
		struct timespec shortly = { 0, 50000 };
		nanosleep(&shortly, NULL);
		if (now_ns() > end)
			return false;
	}
	return atomic_load(&board->failures) == 0;
}

int main(void)
{
	void (*const sides[])(void *) = { talk, listen };
	pid_t pid[2];
	unsigned resumed = 0, way = 0;
	board = shared_memory(sizeof *board);
	open_namespace();
	mdg_channel *looks = enter("resume", MDG_OBSERVER, MDG_STREAM, CAPACITY);
	for (unsigned i = 0; i < 2; i++)
		pid[i] = start(sides[i], &way);
	CHECK(gets_on(100));
	for (unsigned kill_number = 0; kill_number < KILLS; kill_number++) {
		unsigned victims = kill_number % 5 == 4 ? 3 : 1u << kill_number % 2; /* or both */
		way++;
		for (unsigned i = 0; i < 2; i++)
			if ((victims & 1u << i) != 0)
				kill(pid[i], SIGKILL);
		for (unsigned i = 0; i < 2; i++)
			if ((victims & 1u << i) != 0) {
				CHECK(WIFSIGNALED(ended(pid[i])));
				pid[i] = start(sides[i], &way);
			}
		if (!CHECK(gets_on(1 + draw(300))))
			break;
		resumed++;
	}
	for (unsigned i = 0; i < 2; i++)
		killed(pid[i]);
	printf("resumed %u of %u times; %llu messages, %u of them came twice and were marked\n",
	       resumed, (unsigned)KILLS, (unsigned long long)atomic_load(&board->next),
	       atomic_load(&board->again));
	CHECK(resumed == KILLS && atomic_load(&board->failures) == 0);
	mdg_channel_close(looks);
	remove_channel("resume");
	mdg_namespace_close(ns);
	return test_result();
}

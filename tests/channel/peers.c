/* SPDX-License-Identifier: MIT */
/*
 * peers.c - channels between programs that were built differently: another word size, another C
 * library. tests/life/cross.sh builds the other program.
 *
 *     channel-peers OTHER            the test: this program and OTHER, in one namespace
 *     channel-peers ROLE KIND        one of the processes
 *
 * They talk and listen side by side in each kind, whichever of them made the channel. They sleep
 * and are woken, in the kernel and in poll. Each dies while it holds, reserves or serves something,
 * and the other one learns of it.
 */
#include "channel/handles.h"

#include <limits.h>
#include <poll.h>

enum { CAPACITY = 2048, EACH = SLOWLY ? 300 : 1500, SIZE_MOST = 600 };

/* In a segment of the same namespace. */
static struct board {
	_Atomic uint32_t stage, told, received, talking, ready;
} * board;

static unsigned kind;

/* ---- what a process does ---------------------------------------------------------------- */

static void attach_board(bool make)
{
	mdg_id id;
	void *memory = NULL;
	open_namespace();
	CHECK_RC(0, make ? mdg_segment_create(ns, "board", sizeof *board, 0600, 0, &id)
	                 : mdg_segment_open(ns, "board", sizeof *board, 0600, &id));
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	board = memory;
}

static mdg_channel *talker(void)
{
	return talker_of("peers", kind, CAPACITY);
}

static mdg_channel *listener(void)
{
	return listener_of("peers", kind, CAPACITY);
}

static size_t size_of(uint32_t number)
{
	return sizeof number + number * 37 % (SIZE_MOST - sizeof number);
}

static void write_numbered(void *data, uint32_t number)
{
	fill(data, size_of(number), number);
	memcpy(data, &number, sizeof number);
}

static uint32_t read_numbered(const struct mdg_message *message)
{
	const unsigned char *bytes = message->data;
	uint32_t number = UINT32_MAX;
	if (!CHECK(message->size >= sizeof number))
		return number;
	memcpy(&number, bytes, sizeof number);
	CHECK(number < EACH && message->size == size_of(number));
	for (size_t i = sizeof number; i < message->size; i++)
		if (!CHECK(bytes[i] == byte_of(number, i)))
			break;
	return number;
}

static void talk(void)
{
	mdg_channel *talks = talker();
	CHECK(reaches(&board->ready, 2)); /* a topic's listeners are to be there */
	for (uint32_t number = 0; number < EACH && check_failures == 0; number++) {
		unsigned char bytes[SIZE_MOST];
		void *place = bytes;
		if (number % 3 == 0)
			CHECK_RC(0, mdg_channel_reserve(talks, size_of(number), &place, GRACE));
		write_numbered(place, number);
		CHECK_RC(0, number % 3 == 0
		                    ? mdg_channel_commit(talks, size_of(number))
		                    : mdg_channel_send(talks, place, size_of(number), GRACE));
		if (number % 300 == 0)
			nap_ms(1); /* so that some fall asleep */
	}
	atomic_fetch_sub(&board->talking, 1);
	mdg_channel_close(talks);
}

/* Until all have ended and there is nothing more. */
static void listen_by(mdg_channel *listens, int fd)
{
	atomic_fetch_add(&board->ready, 1);
	for (uint32_t round = 0; check_failures == 0; round++) {
		struct mdg_message message;
		unsigned char bytes[SIZE_MOST];
		bool peeks = round % 2 == 0, last = atomic_load(&board->talking) == 0;
		struct pollfd ask = { .fd = fd, .events = POLLIN };
		if (fd >= 0 && !last && poll(&ask, 1, 5) == 0)
			continue;
		uint64_t deadline = last || fd >= 0 ? 0 : mdg_deadline(5000000);
		int rc = peeks ? mdg_channel_peek(listens, &message, deadline)
		               : mdg_channel_recv(listens, bytes, sizeof bytes, &message, deadline);
		if (rc == -EAGAIN && last)
			break;
		if (rc == -EAGAIN || rc == -ETIMEDOUT)
			continue;
		CHECK(rc >= 0 && message.flags == 0 && message.missed == 0);
		(void)read_numbered(&message);
		atomic_fetch_add(&board->received, 1);
		if (peeks)
			CHECK_RC(0, mdg_channel_release(listens));
	}
	mdg_channel_close(listens);
}

static void listen(void)
{
	listen_by(listener(), -1);
}

static void listen_polling(void)
{
	mdg_channel *listens = listener();
	int fd = mdg_channel_fd(listens);
	CHECK(fd >= 0);
	listen_by(listens, fd);
}

static void ask(void)
{
	mdg_channel *calls = talker();
	for (uint32_t number = 0; number < EACH && check_failures == 0; number++) {
		unsigned char bytes[SIZE_MOST];
		struct mdg_message reply = { 0 };
		write_numbered(bytes, number);
		int rc = mdg_channel_call(calls, bytes, size_of(number), bytes, sizeof bytes,
		                          &reply, GRACE);
		CHECK(rc >= 0 && read_numbered(&reply) == (number + 1) % EACH);
	}
	atomic_fetch_sub(&board->talking, 1);
	mdg_channel_close(calls);
}

static void serve(void)
{
	mdg_channel *serves = listener();
	while (atomic_load(&board->talking) > 0 && check_failures == 0) {
		struct mdg_message message;
		void *place = NULL;
		int rc = mdg_channel_peek(serves, &message, mdg_deadline(5000000));
		if (rc == -ETIMEDOUT)
			continue;
		CHECK_RC(0, rc);
		uint32_t number = (read_numbered(&message) + 1) % EACH;
		CHECK_RC(0, mdg_channel_reserve(serves, size_of(number), &place, GRACE));
		write_numbered(place, number);
		CHECK_RC(0, mdg_channel_commit(serves, size_of(number)));
		atomic_fetch_add(&board->received, 1);
	}
	mdg_channel_close(serves);
}

/* ---- deaths ----------------------------------------------------------------------------- */

static _Noreturn void stay(void)
{
	atomic_store(&board->stage, check_failures == 0 ? 1 : 9);
	for (;;)
		pause();
}

static void hold(void)
{
	mdg_channel *talks = talker(), *listens = listener();
	CHECK_RC(0, says(talks, 50, 5, 0));
	CHECK_RC(0, mdg_channel_peek(listens, &(struct mdg_message){ 0 }, 0));
	stay();
}

static void hear_again(void)
{
	mdg_channel *listens = listener();
	atomic_store(&board->told, 1);
	CHECK(hears_with(listens, 50, 5, MDG_REDELIVERED));
	mdg_channel_close(listens);
}

static void reserve(void)
{
	mdg_channel *talks = talker();
	CHECK_RC(0, mdg_channel_reserve(talks, 100, &(void *){ NULL }, 0));
	stay();
}

static void hear_the_next(void)
{
	mdg_channel *talks = talker(), *listens = listener();
	CHECK_RC(0, says(talks, 60, 6, 0));
	atomic_store(&board->told, 1);
	CHECK(hears(listens, 60, 6));
	mdg_channel_close(talks);
	mdg_channel_close(listens);
}

static void serve_and_stay(void)
{
	mdg_channel *serves = listener();
	atomic_store(&board->told, 1); /* it may be asked */
	CHECK(hears(serves, 70, 7));
	CHECK_RC(0, mdg_channel_reserve(serves, 100, &(void *){ NULL }, 0));
	stay();
}

static void ask_one_that_dies(void)
{
	mdg_channel *calls = talker();
	CHECK(reaches(&board->told, 1));
	CHECK_RC(0, says(calls, 70, 7, 0));
	CHECK_RC(MDG_PEER_DIED, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
	mdg_channel_close(calls);
}

/* ---- what it looks like ----------------------------------------------------------------- */

static void look(void)
{
	const char *text = getenv("MADANG_PEERS_EXPECTED");
	unsigned long long identity[2] = { 0, 0 }, epoch = 0, sequence = 0;
	mdg_channel *looks = enter("peers", MDG_OBSERVER, kind, CAPACITY);
	struct mdg_channel_info info = info_of(looks);
	struct mdg_peer peers[3] = { { .size = sizeof peers[0] } };
	CHECK(text != NULL && sscanf(text, "%llx %llx %llx %llx", &identity[0], &identity[1],
	                             &epoch, &sequence) == 4);
	CHECK(info.identity[0] == identity[0] && info.identity[1] == identity[1]);
	CHECK(info.epoch == epoch && info.sequence == sequence && info.capacity == CAPACITY);
	CHECK_RC(2, mdg_channel_peers(looks, peers, 3));
	for (int i = 0; i < 2; i++)
		CHECK(peers[i].alive == 1 && peers[i].pid == (int32_t)getppid());
	mdg_channel_close(looks);
}

static const struct {
	const char *name;
	void (*play)(void);
} roles[] = {
	{ "talk", talk },
	{ "listen", listen },
	{ "listen-polling", listen_polling },
	{ "ask", ask },
	{ "serve", serve },
	{ "hold", hold },
	{ "hear-again", hear_again },
	{ "reserve", reserve },
	{ "hear-the-next", hear_the_next },
	{ "serve-and-stay", serve_and_stay },
	{ "ask-one-that-dies", ask_one_that_dies },
	{ "look", look },
};

/* ---- the test --------------------------------------------------------------------------- */

static pid_t run(const char *program, const char *role)
{
	char text[12];
	snprintf(text, sizeof text, "%u", kind);
	return start_program(program, role, text);
}

/* Both talk and both listen; one of a stream. `first` makes the channel. */
static void side_by_side(const char *first, const char *second, bool polls)
{
	const char *listens = kind == MDG_CALL ? "serve" : polls ? "listen-polling" : "listen";
	const char *talks = kind == MDG_CALL ? "ask" : "talk";
	unsigned talkers = kind == MDG_STREAM ? 1 : 2, count = 0;
	pid_t pid[4];
	memset(board, 0, sizeof *board);
	atomic_store(&board->talking, talkers);
	if (kind == MDG_STREAM)
		atomic_store(&board->ready, 1);
	pid[count++] = run(first, listens);
	if (kind != MDG_STREAM)
		pid[count++] = run(second, listens);
	if (kind != MDG_STREAM)
		pid[count++] = run(first, talks);
	pid[count++] = run(second, talks);
	for (unsigned i = 0; i < count; i++)
		CHECK(ended_well(pid[i]));
	CHECK(atomic_load(&board->received) == EACH * talkers * (kind == MDG_TOPIC ? 2 : 1));
	remove_channel("peers");
}

static void dies(const char *role, const char *dying, const char *other_role, const char *other)
{
	memset(board, 0, sizeof *board);
	pid_t victim = run(dying, role);
	if (kind != MDG_CALL)
		CHECK(reaches(&board->stage, 1) && atomic_load(&board->stage) == 1);
	pid_t told = run(other, other_role);
	if (kind == MDG_CALL)
		CHECK(reaches(&board->stage, 1) && atomic_load(&board->stage) == 1);
	else
		CHECK(falls_asleep(told, &board->told));
	killed(victim);
	CHECK(ended_well(told));
	remove_channel("peers");
}

static void looks_the_same(const char *other)
{
	char text[100];
	kind = MDG_QUEUE;
	mdg_channel *talks = talker(), *listens = listener();
	CHECK_RC(0, says(talks, 10, 1, 0));
	struct mdg_channel_info info = info_of(talks);
	snprintf(text, sizeof text, "%llx %llx %llx %llx", (unsigned long long)info.identity[0],
	         (unsigned long long)info.identity[1], (unsigned long long)info.epoch,
	         (unsigned long long)info.sequence);
	setenv("MADANG_PEERS_EXPECTED", text, 1);
	CHECK(ended_well(run(other, "look")));
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	remove_channel("peers");
}

static void test(const char *own, const char *other)
{
	for (int i = 0; i < 2; i++) {
		const char *one = i == 0 ? own : other, *two = i == 0 ? other : own;
		for (kind = MDG_STREAM; kind <= MDG_CALL; kind++) {
			side_by_side(one, two, false);
			if (kind != MDG_CALL)
				side_by_side(one, two, true);
		}
		kind = MDG_QUEUE;
		dies("hold", one, "hear-again", two);
		dies("reserve", one, "hear-the-next", two);
		kind = MDG_CALL;
		dies("serve-and-stay", one, "ask-one-that-dies", two);
	}
	looks_the_same(other);
}

int main(int argc, char **argv)
{
	static char own[PATH_MAX];
	for (size_t i = 0; argc == 3 && i < sizeof roles / sizeof roles[0]; i++)
		if (strcmp(argv[1], roles[i].name) == 0) {
			attach_board(false);
			kind = (unsigned)strtoul(argv[2], NULL, 10);
			if (check_failures == 0)
				roles[i].play();
			return test_result();
		}
	ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
	if (argc != 2 || length < 0) {
		fprintf(stderr, "usage: %s OTHER\n", argv[0]);
		return 2;
	}
	attach_board(true);
	test(own, argv[1]);
	return test_result();
}

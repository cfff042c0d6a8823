/* SPDX-License-Identifier: MIT */
/*
 * waits.c - waiting, for each kind but calls.
 *
 * A full and an empty channel, deadlines, spinning and sleeping, being woken, and signals. errno is
 * left alone.
 */
#include <sys/resource.h>

#include "channel/handles.h"

enum { SMALL = 1024 };

static _Atomic uint32_t *word;

/* ---- full and empty --------------------------------------------------------------------- */

static unsigned fill_up(mdg_channel *talker, size_t size)
{
	unsigned count = 0;
	int rc;
	while ((rc = says(talker, size, count, 0)) == 0 && count < 10000)
		count++;
	CHECK_RC(-EAGAIN, rc);
	return count;
}

/* Not sooner than the deadline. */
static bool times_out(int (*call)(struct pair pair, uint64_t deadline), struct pair pair)
{
	uint64_t deadline = mdg_deadline(2000000);
	return CHECK_RC(-ETIMEDOUT, call(pair, deadline)) && CHECK(now_ns() >= deadline) &&
	       CHECK_RC(-EAGAIN, call(pair, 0));
}

static int send_100(struct pair pair, uint64_t deadline)
{
	return says(pair.talker, 100, 0, deadline);
}

static int send_many_100(struct pair pair, uint64_t deadline)
{
	unsigned char bytes[100] = { 0 };
	struct mdg_message message[2] = { { .data = bytes, .size = 100 }, { 0 } };
	return mdg_channel_send_many(pair.talker, message, 2, deadline);
}

static int reserve_100(struct pair pair, uint64_t deadline)
{
	void *place;
	return mdg_channel_reserve(pair.talker, 100, &place, deadline);
}

static int reserve_many_100(struct pair pair, uint64_t deadline)
{
	struct mdg_message message[2] = { { .size = 100 }, { 0 } };
	return mdg_channel_reserve_many(pair.talker, message, 2, deadline);
}

static int receive(struct pair pair, uint64_t deadline)
{
	unsigned char byte;
	return mdg_channel_recv(pair.listener, &byte, 1, NULL, deadline);
}

static int receive_many(struct pair pair, uint64_t deadline)
{
	unsigned char byte;
	struct mdg_message message = { .data = &byte, .size = 1 };
	return mdg_channel_recv_many(pair.listener, &message, 1, deadline);
}

static int peek(struct pair pair, uint64_t deadline)
{
	struct mdg_message message;
	return mdg_channel_peek(pair.listener, &message, deadline);
}

static int peek_many(struct pair pair, uint64_t deadline)
{
	struct mdg_message message[3];
	return mdg_channel_peek_many(pair.listener, message, 3, deadline);
}

static void full_and_empty(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	CHECK(times_out(receive, pair));
	CHECK(times_out(receive_many, pair));
	CHECK(times_out(peek, pair));
	CHECK(times_out(peek_many, pair));
	unsigned count = fill_up(pair.talker, 100);
	CHECK(count >= SMALL / 164);
	CHECK(times_out(send_100, pair));
	CHECK(times_out(send_many_100, pair));
	CHECK(times_out(reserve_100, pair));
	CHECK(times_out(reserve_many_100, pair));
	for (unsigned i = 0; i < count; i++)
		CHECK(hears(pair.listener, 100, i));
	CHECK(hears_nothing(pair.listener));
	/* A passed deadline still takes what is there. */
	CHECK_RC(0, says(pair.talker, 10, 1, 1));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &(struct mdg_message){ 0 }, 1));
	end_pair(pair);
}

/* ---- waiting ---------------------------------------------------------------------------- */

struct waiting {
	unsigned kind, wait, count;
	size_t size;
};

static struct mdg_channel_options options_for(const struct waiting *waiting)
{
	struct mdg_channel_options options = options_of(waiting->kind, SMALL);
	options.wait = waiting->wait;
	return options;
}

static void listen_now_and_then(void *argument)
{
	const struct waiting *waiting = argument;
	struct mdg_channel_options options = options_for(waiting);
	mdg_channel *listener = enter_as("pair", MDG_LISTENER, &options);
	atomic_store(word, 1);
	for (unsigned i = 0; i < waiting->count; i++) {
		CHECK(hears(listener, waiting->size, i));
		if (draw(8) == 0)
			pause_us(draw(200));
	}
	mdg_channel_close(listener);
}

/* Both sides wait for the other, again and again. */
static void waiting(unsigned kind, unsigned wait)
{
	struct waiting waiting = { kind, wait, wait == MDG_WAIT_SPIN || SLOWLY ? 60 : 400, 150 };
	struct mdg_channel_options options = options_for(&waiting);
	mdg_channel *talker = enter_as("pair", MDG_TALKER, &options);
	atomic_store(word, 0);
	pid_t pid = start(listen_now_and_then, &waiting);
	CHECK(reaches(word, 1));
	for (unsigned i = 0; i < waiting.count; i++) {
		CHECK_RC(0, says(talker, waiting.size, i, GRACE));
		if (draw(8) == 0)
			pause_us(draw(200));
	}
	CHECK(ended_well(pid));
	mdg_channel_close(talker);
	remove_channel("pair");
}

/* Who waits sleeps, or not, as it said; and is woken. */
static void wakes(unsigned kind, unsigned wait)
{
	struct waiting waiting = { kind, wait, 1, 10 };
	struct mdg_channel_options options = options_for(&waiting);
	mdg_channel *talker = enter_as("pair", MDG_TALKER, &options);
	atomic_store(word, 0);
	pid_t pid = start(listen_now_and_then, &waiting);
	if (wait != MDG_WAIT_SPIN) {
		sleeps_after(pid, word);
	} else {
		CHECK(reaches(word, 1));
		for (int i = 0; i < 5; i++) {
			CHECK(!is_asleep(pid));
			nap_ms(1);
		}
	}
	CHECK_RC(0, says(talker, 10, 0, 0));
	CHECK(ended_well(pid));
	mdg_channel_close(talker);
	remove_channel("pair");
}

static void send_to_the_end(void *argument)
{
	const struct waiting *waiting = argument;
	struct mdg_channel_options options = options_for(waiting);
	mdg_channel *talker = enter_as("pair", MDG_TALKER, &options);
	unsigned count = fill_up(talker, 100);
	atomic_store(word + 1, count + 1);
	atomic_store(word, 1);
	CHECK_RC(0, says(talker, 100, count, MDG_FOREVER));
	mdg_channel_close(talker);
}

static void wakes_talker(unsigned kind, unsigned wait)
{
	struct waiting waiting = { kind, wait, 1, 100 };
	struct mdg_channel_options options = options_for(&waiting);
	mdg_channel *listener = enter_as("pair", MDG_LISTENER, &options);
	atomic_store(word, 0);
	pid_t pid = start(send_to_the_end, &waiting);
	if (wait != MDG_WAIT_SPIN)
		sleeps_after(pid, word);
	else
		CHECK(reaches(word, 1));
	for (unsigned i = 0; i < atomic_load(word + 1); i++)
		CHECK(hears(listener, 100, i));
	CHECK(ended_well(pid));
	mdg_channel_close(listener);
	remove_channel("pair");
}

/* ---- signals, errno --------------------------------------------------------------------- */

static void listen_interrupted(void *argument)
{
	mdg_channel *listener = listener_of("pair", *(unsigned *)argument, SMALL);
	unsigned char byte;
	handle_signals(word + 1, 0);
	atomic_store(word, 1);
	CHECK_RC(-EINTR, mdg_channel_recv(listener, &byte, 1, NULL, MDG_FOREVER));
	atomic_store(word, 2);
	CHECK_RC(-EINTR, mdg_channel_peek(listener, &(struct mdg_message){ 0 }, MDG_FOREVER));
	mdg_channel_close(listener);
}

static void talk_interrupted(void *argument)
{
	mdg_channel *talker = talker_of("pair", *(unsigned *)argument, SMALL);
	handle_signals(word + 1, 0);
	fill_up(talker, 100);
	atomic_store(word, 1);
	CHECK_RC(-EINTR, says(talker, 100, 0, MDG_FOREVER));
	atomic_store(word, 2);
	CHECK_RC(-EINTR, mdg_channel_reserve(talker, 100, &(void *){ NULL }, MDG_FOREVER));
	mdg_channel_close(talker);
}

/* A signal may come when it does not sleep; so there are more of them. */
static void interrupt(void (*f)(void *), unsigned kind)
{
	uint64_t give_up = GRACE;
	int status = -1;
	atomic_store(word, 0);
	pid_t pid = start(f, &kind);
	while (waitpid(pid, &status, WNOHANG) == 0 && CHECK(now_ns() < give_up)) {
		if (atomic_load(word) >= 1)
			kill(pid, SIGUSR1);
		nap_ms(1);
	}
	CHECK(status == 0);
}

static void interrupted(unsigned kind)
{
	if (HANDLERS_LATE)
		return;
	struct pair pair = { NULL, NULL };
	pair.talker = talker_of("pair", kind, SMALL);
	interrupt(listen_interrupted, kind);
	mdg_channel_close(pair.talker);
	pair.listener = listener_of("pair", kind, SMALL);
	interrupt(talk_interrupted, kind);
	mdg_channel_close(pair.listener);
	remove_channel("pair");
}

static void errno_is_untouched(unsigned kind)
{
	struct pair pair = make_pair(kind, SMALL);
	unsigned char bytes[100] = { 0 };
	struct mdg_message message;
	struct mdg_channel_info info = { .size = sizeof info };
	errno = EDOM;
	(void)mdg_channel_recv(pair.listener, bytes, 1, NULL, mdg_deadline(200000));
	(void)mdg_channel_send(pair.talker, bytes, sizeof bytes, 0);
	(void)mdg_channel_peek(pair.listener, &message, MDG_FOREVER);
	(void)mdg_channel_release(pair.listener);
	(void)mdg_channel_send(pair.talker, bytes, SMALL + 1, 0);
	(void)mdg_channel_look(pair.talker, &info);
	(void)mdg_channel_fd(pair.listener);
	(void)mdg_channel_recv(pair.listener, bytes, 1, NULL, 0);
	mdg_channel *none = NULL;
	(void)mdg_channel_open(&none, ns, "pair", MDG_TALKER, &(struct mdg_channel_options){ 0 });
	while (mdg_channel_send(pair.talker, bytes, sizeof bytes, mdg_deadline(200000)) == 0)
		;
	mdg_channel_close(pair.talker);
	mdg_channel_close(pair.listener);
	(void)mdg_channel_remove(ns, "pair");
	CHECK(errno == EDOM);
}

/* How often this process went to sleep. */
static long sleeps_of(void (*wait)(mdg_channel *), mdg_channel *channel)
{
	struct rusage before, after;
	CHECK(getrusage(RUSAGE_SELF, &before) == 0);
	wait(channel);
	CHECK(getrusage(RUSAGE_SELF, &after) == 0);
	return after.ru_nvcsw - before.ru_nvcsw;
}

enum { LONG_MS = 2600, LOOK_MS = 25 };

static void wait_for_message(mdg_channel *channel)
{
	CHECK_RC(-ETIMEDOUT,
	         mdg_channel_recv(channel, NULL, 0, NULL, mdg_deadline(LONG_MS * 1000000ull)));
}

static void wait_for_event(mdg_channel *channel)
{
	struct mdg_peer_event event = { .size = sizeof event };
	CHECK_RC(0, mdg_channel_event(channel, &event, 0)); /* its own coming */
	CHECK_RC(-ETIMEDOUT,
	         mdg_channel_event(channel, &event, mdg_deadline(LONG_MS * 1000000ull)));
}

/* Who waits for long looks every 25 ms for a second, and then once a second. */
static void waits_for_long(void)
{
	struct mdg_channel_options options = { .size = sizeof options, .wait = MDG_WAIT_LONG };
	mdg_channel *listener = enter_as("pair", MDG_LISTENER, &options);
	long most = 1000 / LOOK_MS + LONG_MS / 1000 + 8, slept;
	slept = sleeps_of(wait_for_event, listener);
	CHECK(slept <= most);
	slept = sleeps_of(wait_for_message, listener);
	CHECK(slept <= most);
	options.wait = MDG_WAIT_DEFAULT;
	mdg_channel_close(listener);
	listener = enter_as("pair", MDG_LISTENER, &options);
	slept = sleeps_of(wait_for_message, listener);
	CHECK(slept > most); /* so the measure is right */
	mdg_channel_close(listener);
	remove_channel("pair");
}

int main(void)
{
	word = shared_memory(2 * sizeof *word);
	open_namespace();
	for (unsigned kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		int before = check_failures;
		full_and_empty(kind);
		for (unsigned wait = MDG_WAIT_DEFAULT; wait <= MDG_WAIT_NEAR; wait++) {
			waiting(kind, wait);
			wakes(kind, wait);
			wakes_talker(kind, wait);
		}
		interrupted(kind);
		errno_is_untouched(kind);
		if (check_failures != before)
			fprintf(stderr, "of kind %u\n", kind);
	}
	waits_for_long();
	mdg_namespace_close(ns);
	return test_result();
}

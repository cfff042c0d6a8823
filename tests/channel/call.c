/* SPDX-License-Identifier: MIT */
/*
 * call.c - requests and replies: each caller gets the reply to its own request.
 *
 * It also tests refusals, deadlines, replies that come too late, and the death of either side.
 */
#include "channel/call.h"

#include "channel/handles.h"

enum { CAPACITY = 2048 };

static _Atomic uint32_t *word;

static mdg_channel *caller(void)
{
	return talker_of("call", MDG_CALL, CAPACITY);
}

static mdg_channel *server(void)
{
	return listener_of("call", MDG_CALL, CAPACITY);
}

static void end(mdg_channel *calls, mdg_channel *serves)
{
	mdg_channel_close(calls);
	mdg_channel_close(serves);
	remove_channel("call");
}

/* ---- question and answer ---------------------------------------------------------------- */

/* By copying, and in place on all four ways. */
static void one_size(mdg_channel *calls, mdg_channel *serves, size_t size, size_t back)
{
	struct mdg_message message;
	void *place = NULL;
	CHECK_RC(0, says(calls, size, 1, 0));
	CHECK(hears_nothing(calls));
	CHECK(hears(serves, size, 1));
	CHECK(hears_nothing(calls));
	CHECK_RC(0, says(serves, back, 2, 0));
	CHECK(hears(calls, back, 2));

	CHECK_RC(0, mdg_channel_reserve(calls, size, &place, 0));
	CHECK((uintptr_t)place % 16 == 0);
	fill(place, size, 3);
	CHECK_RC(-EAGAIN, mdg_channel_peek(serves, &message, 0));
	CHECK_RC(0, mdg_channel_commit(calls, size));
	CHECK_RC(0, mdg_channel_peek(serves, &message, 0));
	CHECK(message.size == size && is_filled(message.data, size, 3) && message.flags == 0);
	CHECK_RC(0, mdg_channel_reserve(serves, CAPACITY, &place, 0));
	CHECK((uintptr_t)place % 16 == 0);
	fill(place, back, 4);
	CHECK(is_filled(message.data, size, 3)); /* which is still there */
	CHECK_RC(-EAGAIN, mdg_channel_peek(calls, &message, 0));
	CHECK_RC(0, mdg_channel_commit(serves, back));
	CHECK_RC(0, mdg_channel_peek(calls, &message, 0));
	CHECK(message.size == back && is_filled(message.data, back, 4));
	CHECK_RC(0, mdg_channel_release(calls));
}

static void sizes(void)
{
	static const size_t some[] = { 0,
		                       1,
		                       15,
		                       16,
		                       17,
		                       31,
		                       32,
		                       33,
		                       47,
		                       48,
		                       49,
		                       63,
		                       64,
		                       65,
		                       1023,
		                       1024,
		                       1025,
		                       CAPACITY - 64,
		                       CAPACITY - 1,
		                       CAPACITY };
	enum { COUNT = sizeof some / sizeof some[0] };
	static unsigned char large[CAPACITY + 1];
	mdg_channel *calls = caller(), *serves = server();
	void *place = large;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < COUNT; i++)
			one_size(calls, serves, some[i],
			         some[(COUNT - 1 - i + (size_t)round) % COUNT]);
	CHECK_RC(-EMSGSIZE, mdg_channel_send(calls, large, CAPACITY + 1, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_reserve(calls, CAPACITY + 1, &place, GRACE));
	CHECK(place == large);
	CHECK_RC(0, says(calls, 1, 1, 0));
	CHECK(hears(serves, 1, 1));
	CHECK_RC(-EMSGSIZE, mdg_channel_send(serves, large, CAPACITY + 1, GRACE));
	CHECK_RC(-EMSGSIZE, mdg_channel_reserve(serves, CAPACITY + 1, &place, GRACE));
	CHECK_RC(0, says(serves, 2, 2, 0));
	CHECK(hears(calls, 2, 2));
	end(calls, serves);
}

/* A reply larger than its room stays until there is room. */
static void too_little_room(void)
{
	mdg_channel *calls = caller(), *serves = server();
	struct mdg_message message = { .size = 4711 };
	unsigned char bytes[100] = { 0 };
	CHECK_RC(0, says(calls, 100, 1, 0));
	CHECK_RC(-EMSGSIZE, mdg_channel_recv(serves, bytes, 99, &message, 0));
	CHECK(message.size == 100 && bytes[0] == 0);
	CHECK(hears(serves, 100, 1));
	CHECK_RC(0, says(serves, 90, 2, 0));
	CHECK_RC(-EMSGSIZE, mdg_channel_recv(calls, bytes, 89, &message, 0));
	CHECK(message.size == 90 && bytes[0] == 0);
	CHECK(hears(calls, 90, 2));
	end(calls, serves);
}

/* ---- who may do what, when -------------------------------------------------------------- */

static void rules(void)
{
	mdg_channel *calls = caller(), *serves = server(), *looks = enter("call", 0, MDG_CALL, 0);
	struct mdg_message message = { .data = &message, .size = 1 };
	unsigned char byte = 0;
	void *place = NULL;
	CHECK_RC(-EINVAL, mdg_channel_recv(calls, &byte, 1, NULL, GRACE)); /* nothing was asked */
	CHECK_RC(-EINVAL, mdg_channel_peek(calls, &message, GRACE));
	CHECK_RC(-EINVAL, mdg_channel_release(calls));
	CHECK_RC(-EINVAL, mdg_channel_send(serves, "", 0, GRACE)); /* no request is held */
	CHECK_RC(-EINVAL, mdg_channel_reserve(serves, 1, &place, GRACE));
	CHECK_RC(-EINVAL, mdg_channel_release(serves));
	CHECK_RC(-EINVAL, mdg_channel_commit(serves, 0));
	CHECK_RC(-EINVAL, mdg_channel_cancel(calls));
	CHECK_RC(-EPERM, mdg_channel_call(serves, "", 0, &byte, 1, NULL, 0));
	CHECK_RC(-EPERM, mdg_channel_call(looks, "", 0, &byte, 1, NULL, 0));
	CHECK_RC(-EPERM, mdg_channel_send(looks, "", 0, 0));
	CHECK_RC(-EPERM, mdg_channel_recv(looks, &byte, 1, NULL, 0));
	for (int i = 0; i < 2; i++) {
		mdg_channel *channel = i == 0 ? calls : serves;
		CHECK_RC(-EPERM, mdg_channel_send_many(channel, &message, 1, 0));
		CHECK_RC(-EPERM, mdg_channel_recv_many(channel, &message, 1, 0));
		CHECK_RC(-EPERM, mdg_channel_reserve_many(channel, &message, 1, 0));
		CHECK_RC(-EPERM, mdg_channel_commit_many(channel, &message, 1));
		CHECK_RC(-EPERM, mdg_channel_peek_many(channel, &message, 1, 0));
	}
	/* A server holds one request until it has replied. */
	mdg_channel *other = caller();
	CHECK_RC(0, says(calls, 10, 1, 0));
	CHECK_RC(0, says(other, 10, 2, 0));
	CHECK(hears(serves, 10, 1));
	CHECK_RC(-EBUSY, mdg_channel_recv(serves, &byte, 1, NULL, GRACE));
	CHECK_RC(-EBUSY, mdg_channel_peek(serves, &message, GRACE));
	CHECK_RC(0, mdg_channel_reserve(serves, 10, &place, 0));
	CHECK_RC(-EBUSY, mdg_channel_reserve(serves, 10, &place, 0));
	CHECK_RC(-EBUSY, mdg_channel_send(serves, "", 0, 0));
	CHECK_RC(0, mdg_channel_cancel(serves));
	CHECK_RC(-EAGAIN, mdg_channel_peek(calls, &message, 0));
	CHECK_RC(0, says(serves, 5, 5, 0));
	CHECK_RC(-EINVAL, mdg_channel_send(serves, "", 0, 0));
	CHECK(hears(serves, 10, 2));
	CHECK_RC(0, says(serves, 6, 6, 0));
	CHECK(hears(calls, 5, 5));
	CHECK(hears(other, 6, 6));
	CHECK_RC(-EINVAL, mdg_channel_recv(calls, &byte, 1, NULL, GRACE));
	mdg_channel_close(other);
	mdg_channel_close(looks);
	end(calls, serves);
}

/* What a server gives back, or holds when it leaves, is refused. */
static void refused(void)
{
	mdg_channel *calls = caller(), *serves = server();
	struct mdg_message message;
	for (int i = 0; i < 20; i++) {
		CHECK_RC(0, says(calls, 300, 1, 0));
		if (i % 2 == 0)
			CHECK(hears(serves, 300, 1));
		else
			CHECK_RC(0, mdg_channel_peek(serves, &message, 0));
		CHECK_RC(0, mdg_channel_release(serves));
		CHECK_RC(-EINVAL, mdg_channel_release(serves));
		CHECK_RC(-ECANCELED, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
		CHECK_RC(-EINVAL, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
	}
	CHECK_RC(0, says(calls, 10, 1, 0));
	CHECK(hears(serves, 10, 1));
	mdg_channel_close(serves);
	int rc = mdg_channel_recv(calls, NULL, 0, NULL, GRACE);
	CHECK(rc == -ECANCELED || rc == MDG_PEER_DIED);
	/* Not taken yet: kept for the next server. */
	CHECK_RC(0, says(calls, 10, 2, 0));
	CHECK(hears_nothing(calls));
	serves = server();
	CHECK(hears(serves, 10, 2));
	CHECK_RC(0, says(serves, 3, 3, 0));
	CHECK(hears(calls, 3, 3));
	end(calls, serves);
}

/* ---- never a stale reply ---------------------------------------------------------------- */

static int ask(mdg_channel *calls, uint64_t number, uint64_t deadline)
{
	unsigned char request[40], reply[40];
	fill(request, sizeof request, number);
	memset(reply, 0, sizeof reply);
	int rc = mdg_channel_call(calls, request, sizeof request, reply, sizeof reply, NULL,
	                          deadline);
	if (rc >= 0)
		CHECK(rc == sizeof reply && is_filled(reply, sizeof reply, ~number));
	return rc;
}

/* A caller that has stopped waiting may still ask for the reply, until it sends another request. */
static void too_late(void)
{
	mdg_channel *calls = caller(), *serves = server(), *other = server();
	struct mdg_message message;
	for (unsigned i = 0; i < 30; i++) {
		bool taken = i % 3 != 0, waits = i % 2 == 1;
		CHECK_RC(waits ? -ETIMEDOUT : -EAGAIN,
		         ask(calls, 1, waits ? mdg_deadline(100000) : 0));
		CHECK_RC(-EAGAIN, mdg_channel_recv(calls, NULL, 0, NULL, 0));
		if (taken)
			CHECK(hears(serves, 40, 1));
		if (i % 5 == 4 && taken) { /* late, but it still is the reply */
			CHECK_RC(0, says(serves, 20, 2, 0));
			CHECK(hears(calls, 20, 2));
			continue;
		}
		CHECK_RC(0, says(calls, 20, 3, 0));
		CHECK_RC(-EAGAIN, mdg_channel_peek(calls, &message, 0));
		if (taken && i % 3 == 1)
			CHECK_RC(-ECANCELED, says(serves, 40, ~UINT64_C(1), 0));
		else if (taken)
			CHECK_RC(-ECANCELED, mdg_channel_reserve(serves, 40, &(void *){ NULL }, 0));
		CHECK_RC(-EINVAL, mdg_channel_release(serves)); /* it was released */
		/* What nobody waits for any more is not given out. */
		CHECK(hears(other, 20, 3));
		CHECK_RC(-EAGAIN, mdg_channel_peek(calls, &message, 0));
		CHECK_RC(0, says(other, 21, 4, 0));
		CHECK(hears(calls, 21, 4));
	}
	mdg_channel_close(other);
	end(calls, serves);
}

/* The caller gives up while the server writes; the server ends only when the next one is asked. */
static void late_while_written(void)
{
	mdg_channel *calls = caller(), *slow = server(), *quick = server();
	void *place = NULL;
	for (unsigned i = 0; i < 20; i++) {
		CHECK_RC(0, says(calls, 30, 1, 0));
		CHECK(hears(slow, 30, 1));
		CHECK_RC(0, mdg_channel_reserve(slow, 30, &place, 0));
		fill(place, 30, 2);
		CHECK_RC(-ETIMEDOUT, mdg_channel_recv(calls, NULL, 0, NULL, mdg_deadline(100000)));
		/* It may ask again at once, or when the server has ended. */
		int rc = says(calls, 31, 3, 0);
		CHECK(rc == 0 || rc == -EAGAIN || rc == -EBUSY);
		int late = mdg_channel_commit(slow, 30);
		if (rc == 0)
			CHECK_RC(-ECANCELED, late);
		else
			CHECK(late == 0 || late == -ECANCELED);
		if (rc != 0 && late == 0) { /* then it is still the reply that it waits for */
			CHECK(hears(calls, 30, 2));
			CHECK_RC(0, says(calls, 31, 3, 0));
		} else if (rc != 0) {
			CHECK_RC(0, says(calls, 31, 3, 0));
		}
		CHECK(hears(quick, 31, 3));
		CHECK_RC(-EAGAIN, mdg_channel_peek(calls, &(struct mdg_message){ 0 }, 0));
		CHECK_RC(0, says(quick, 32, 4, 0));
		CHECK(hears(calls, 32, 4));
	}
	mdg_channel_close(slow);
	end(calls, quick);
}

/* ---- deaths ----------------------------------------------------------------------------- */

enum way { TAKES, PEEKS, WRITES, WAYS };

static void serve_and_die(void *argument)
{
	const enum way *way = argument;
	mdg_channel *serves = server();
	void *place = NULL;
	atomic_store(word, 1);
	if (*way == TAKES)
		CHECK(hears(serves, 50, 1));
	else
		CHECK_RC(0, mdg_channel_peek(serves, &(struct mdg_message){ 0 }, GRACE));
	if (*way == WRITES) {
		CHECK_RC(0, mdg_channel_reserve(serves, 100, &place, 0));
		fill(place, 50, 7);
	}
	if (check_failures != 0)
		_exit(1);
	die();
}

static void server_killed(void)
{
	mdg_channel *calls = caller();
	for (enum way way = TAKES; way < WAYS; way++) {
		atomic_store(word, 0);
		pid_t pid = start(serve_and_die, &way);
		CHECK(reaches(word, 1));
		CHECK_RC(0, says(calls, 50, 1, 0));
		CHECK_RC(MDG_PEER_DIED, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
		CHECK(WIFSIGNALED(ended(pid)));
		CHECK_RC(-EINVAL, mdg_channel_recv(calls, NULL, 0, NULL, GRACE));
		/* It is not done twice. */
		mdg_channel *serves = server();
		CHECK(hears_nothing(serves));
		CHECK_RC(0, says(calls, 10, 2, 0));
		CHECK(hears(serves, 10, 2));
		CHECK_RC(0, says(serves, 10, 3, 0));
		CHECK(hears(calls, 10, 3));
		mdg_channel_close(serves);
	}
	mdg_channel_close(calls);
	remove_channel("call");
}

static void call_and_die(void *argument)
{
	const bool *waits = argument;
	mdg_channel *calls = caller();
	CHECK_RC(0, says(calls, 50, 1, 0));
	atomic_store(word, 1);
	if (*waits)
		(void)mdg_channel_recv(calls, NULL, 0, NULL, MDG_FOREVER);
	for (;;)
		pause();
}

static void call_and_leave(void *argument)
{
	mdg_channel *calls = caller();
	CHECK_RC(0, says(calls, 50, 1, 0));
	atomic_store(word, 1);
	CHECK(reaches(word, 2));
	(void)argument;
	mdg_channel_close(calls);
}

static void caller_gone(void)
{
	mdg_channel *serves = server();
	void *place = NULL;
	for (unsigned i = 0; i < 6; i++) {
		bool waits = i % 2 == 1, leaves = i >= 4;
		atomic_store(word, 0);
		pid_t pid = start(leaves ? call_and_leave : call_and_die, &waits);
		CHECK(hears(serves, 50, 1));
		CHECK(reaches(word, 1));
		bool writes = i >= 2 && i != 4;
		if (writes)
			CHECK_RC(0, mdg_channel_reserve(serves, 10, &place, 0));
		if (leaves) {
			atomic_store(word, 2);
			CHECK(ended_well(pid));
		} else {
			killed(pid);
			(void)info_of(serves); /* finds the dead, as who waits does */
		}
		int rc = writes ? mdg_channel_commit(serves, 10) : says(serves, 10, 1, 0);
		if (!CHECK(rc == MDG_PEER_DIED || (leaves && rc == -ECANCELED)))
			fprintf(stderr, "%d in round %u\n", rc, i);
		CHECK_RC(-EINVAL, mdg_channel_release(serves)); /* it is released */
		/* The next one in its place gets none of it. */
		mdg_channel *calls = caller();
		CHECK_RC(-EINVAL, mdg_channel_recv(calls, NULL, 0, NULL, 0));
		CHECK_RC(0, says(calls, 10, 2, 0));
		CHECK(hears_nothing(calls));
		CHECK(hears(serves, 10, 2));
		CHECK_RC(0, says(serves, 10, 3, 0));
		CHECK(hears(calls, 10, 3));
		mdg_channel_close(calls);
	}
	mdg_channel_close(serves);
	remove_channel("call");
}

static void leave_out_numbers(mdg_channel *calls)
{
	void *place = NULL;
	for (unsigned i = 0; i < 3; i++) {
		CHECK_RC(0, mdg_channel_reserve(calls, 10, &place, 0));
		CHECK_RC(0, mdg_channel_cancel(calls));
	}
}

/* What a process does that empties the seat of a caller, cut off in the middle: a server that holds
 * a request of the caller may not begin a reply any more. The caller has left out some numbers, so
 * the request is a later one than the box can know. */
static void caller_going(void)
{
	mdg_channel *calls = caller(), *serves = server();
	leave_out_numbers(calls);
	CHECK_RC(0, says(calls, 10, 1, 0));
	CHECK(hears(serves, 10, 1));
	CHECK(mdg__box_drop(calls, calls->place));
	mdg__c64 *box = &mdg__box_of(calls, calls->place)->word;
	uint64_t was = atomic_load(box);
	CHECK_RC(-ECANCELED, says(serves, 10, 2, 0));
	CHECK(atomic_load(box) == was);
	/* The next one in its place. */
	mdg_channel_close(calls);
	calls = caller();
	CHECK_RC(0, says(calls, 10, 3, 0));
	CHECK(hears(serves, 10, 3));
	CHECK_RC(0, says(serves, 10, 4, 0));
	CHECK(hears(calls, 10, 4));
	end(calls, serves);
}

/* A request that is still in the ring when its caller leaves and the next one has its seat: nobody
 * answers it. */
static void asked_before(void)
{
	mdg_channel *calls = caller(), *serves = server();
	CHECK_RC(0, says(calls, 10, 1, 0));
	leave_out_numbers(calls);
	CHECK_RC(0, says(calls, 10, 2, 0));
	uint32_t seat = calls->place;
	mdg_channel_close(calls);
	calls = caller();
	CHECK(calls->place == seat);
	CHECK(hears_nothing(serves));
	for (unsigned i = 0; i < 3; i++) {
		CHECK_RC(0, says(calls, 10, 3 + i, 0));
		CHECK(hears(serves, 10, 3 + i));
		CHECK_RC(0, says(serves, 10, 6 + i, 0));
		CHECK(hears(calls, 10, 6 + i));
	}
	end(calls, serves);
}

/* ---- many ------------------------------------------------------------------------------- */

enum { CALLERS = 3, SERVERS = 2, EACH = SLOWLY ? 150 : 1500 };

static void ask_many(void *argument)
{
	const unsigned *which = argument;
	mdg_channel *calls = caller();
	for (unsigned i = 0; i < EACH && check_failures == 0; i++)
		CHECK_RC(40, ask(calls, *which * 100000 + i, GRACE));
	atomic_fetch_add(word, 1);
	mdg_channel_close(calls);
}

/* The reply to what begins with these bytes: the same as ask() expects. */
static void answer(const unsigned char *request, unsigned char *reply)
{
	for (uint32_t which = 0; which < CALLERS; which++)
		for (uint32_t i = 0; i < EACH; i++)
			if (is_filled(request, 40, which * 100000 + i)) {
				fill(reply, 40, ~(uint64_t)(which * 100000 + i));
				return;
			}
	CHECK(false);
}

static void serve_many(void *argument)
{
	mdg_channel *serves = server();
	unsigned char request[40], reply[40];
	(void)argument;
	while (atomic_load(word) < CALLERS) {
		int rc = mdg_channel_recv(serves, request, sizeof request, NULL,
		                          mdg_deadline(5000000));
		if (rc == -ETIMEDOUT)
			continue;
		if (!CHECK_RC(40, rc))
			break;
		answer(request, reply);
		CHECK_RC(0, mdg_channel_send(serves, reply, sizeof reply, GRACE));
	}
	mdg_channel_close(serves);
}

static void many(void)
{
	pid_t pid[CALLERS + SERVERS];
	unsigned which[CALLERS];
	atomic_store(word, 0);
	for (unsigned i = 0; i < SERVERS; i++)
		pid[i] = start(serve_many, NULL);
	for (unsigned i = 0; i < CALLERS; i++) {
		which[i] = i;
		pid[SERVERS + i] = start(ask_many, &which[i]);
	}
	for (unsigned i = 0; i < CALLERS + SERVERS; i++)
		CHECK(ended_well(pid[i]));
	remove_channel("call");
}

static void serve_asleep(void *argument)
{
	mdg_channel *serves = server();
	(void)argument;
	atomic_store(word, 1);
	CHECK(hears(serves, 40, 9));
	CHECK(reaches(word, 2));
	CHECK_RC(0, says(serves, 40, ~UINT64_C(9), 0));
	mdg_channel_close(serves);
}

static void ask_asleep(void *argument)
{
	mdg_channel *calls = caller();
	(void)argument;
	atomic_store(word + 1, 1);
	CHECK_RC(40, ask(calls, 9, MDG_FOREVER));
	mdg_channel_close(calls);
}

/* Each wakes the other. */
static void asleep(void)
{
	atomic_store(word, 0);
	atomic_store(word + 1, 0);
	pid_t serves = start(serve_asleep, NULL);
	sleeps_after(serves, word);
	pid_t calls = start(ask_asleep, NULL);
	sleeps_after(calls, word + 1);
	atomic_store(word, 2);
	CHECK(ended_well(serves));
	CHECK(ended_well(calls));
	remove_channel("call");
}

static void ask_interrupted(void *argument)
{
	mdg_channel *calls = caller();
	(void)argument;
	handle_signals(word + 1, 0);
	atomic_store(word, 1);
	CHECK_RC(-EINTR, ask(calls, 1, MDG_FOREVER));
	mdg_channel_close(calls);
}

static void interrupted(void)
{
	int status = -1;
	if (HANDLERS_LATE)
		return;
	atomic_store(word, 0);
	pid_t pid = start(ask_interrupted, NULL);
	sleeps_after(pid, word);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		kill(pid, SIGUSR1);
		nap_ms(1);
	}
	CHECK(status == 0);
	remove_channel("call");
}

int main(void)
{
	word = shared_memory(2 * sizeof *word);
	open_namespace();
	sizes();
	too_little_room();
	rules();
	refused();
	too_late();
	late_while_written();
	server_killed();
	caller_gone();
	caller_going();
	asked_before();
	many();
	asleep();
	interrupted();
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * scribbled.c - a channel for calls, in which the word of a box was written over at any moment of a
 * call: at most one call fails, and then calls work again. They also work for the next caller in
 * that seat.
 */
#include "channel/call.h"

#include "channel/handles.h"

enum { CAPACITY = 256, SHORT_NS = 2000000 };

enum moment { IDLE, ASKED, HELD, WRITTEN, DONE, MOMENTS };

static mdg_channel *caller(void)
{
	return talker_of("scribbled", MDG_CALL, CAPACITY);
}

static void call(mdg_channel *calls, mdg_channel *serves, uint64_t number)
{
	CHECK_RC(0, says(calls, 20, number, 0));
	CHECK(hears(serves, 20, number));
	CHECK_RC(0, says(serves, 30, number + 1, 0));
	CHECK(hears(calls, 30, number + 1));
}

/* A call goes as far as that. */
static void begin(mdg_channel *calls, mdg_channel *serves, enum moment moment)
{
	void *place = NULL;
	if (moment >= ASKED)
		CHECK_RC(0, says(calls, 20, 1, 0));
	if (moment >= HELD)
		CHECK(hears(serves, 20, 1));
	if (moment >= WRITTEN)
		CHECK_RC(0, mdg_channel_reserve(serves, 30, &place, 0));
	if (moment >= DONE)
		CHECK_RC(0, mdg_channel_commit(serves, 30));
}

/* Both do what is left to do, and whatever comes of it. */
static void finish(mdg_channel *calls, mdg_channel *serves, enum moment moment)
{
	unsigned char bytes[CAPACITY];
	if (moment == ASKED)
		(void)mdg_channel_recv(serves, bytes, sizeof bytes, NULL, 0);
	if (moment == WRITTEN)
		(void)mdg_channel_commit(serves, 30);
	else if (moment != DONE)
		(void)says(serves, 30, 2, 0);
	(void)mdg_channel_release(serves);
	(void)mdg_channel_recv(calls, bytes, sizeof bytes, NULL, mdg_deadline(SHORT_NS));
}

/* The word says that number then. */
static void scribble(mdg_channel *channel, uint32_t place, uint64_t number,
                     enum mdg__box_state state)
{
	atomic_store(&mdg__box_of(channel, place)->word, number << 8 | (uint64_t)state);
}

static void is_mended(uint64_t ahead, enum mdg__box_state state, enum moment moment)
{
	mdg_channel *serves = listener_of("scribbled", MDG_CALL, CAPACITY), *calls = caller();
	int before = check_failures;
	uint32_t seat = calls->place;
	call(calls, serves, 10);
	begin(calls, serves, moment);
	scribble(calls, seat, calls->call + ahead, state);
	if (moment != IDLE)
		finish(calls, serves, moment);
	call(calls, serves, 20);
	call(calls, serves, 30);
	/* In its seat, after it was written over while it was taken, and while it was free. */
	scribble(calls, seat, UINT64_MAX >> 8, state);
	mdg_channel_close(calls);
	calls = caller();
	CHECK(calls->place == seat);
	call(calls, serves, 40);
	mdg_channel_close(calls);
	scribble(serves, seat, (UINT64_MAX >> 8) - ahead % 3, state);
	calls = caller();
	CHECK(calls->place == seat);
	call(calls, serves, 50);
	call(calls, serves, 60);
	mdg_channel_close(calls);
	mdg_channel_close(serves);
	remove_channel("scribbled");
	if (check_failures != before)
		fprintf(stderr, "... %llu ahead, state %u, moment %u\n", (unsigned long long)ahead,
		        (unsigned)state, (unsigned)moment);
}

/* A word of a call that is over. Its caller cannot see that. It asks once, to no avail. */
static void is_mended_after(enum mdg__box_state state)
{
	mdg_channel *serves = listener_of("scribbled", MDG_CALL, CAPACITY), *calls = caller();
	unsigned char byte;
	call(calls, serves, 10);
	scribble(calls, calls->place, calls->call, state);
	CHECK_RC(0, says(calls, 20, 1, 0));
	CHECK(hears_nothing(serves));
	CHECK_RC(-ETIMEDOUT, mdg_channel_recv(calls, &byte, 1, NULL, mdg_deadline(SHORT_NS)));
	call(calls, serves, 20);
	mdg_channel_close(calls);
	mdg_channel_close(serves);
	remove_channel("scribbled");
}

int main(void)
{
	static const uint64_t ahead[] = {
		1, 2, 1000, MDG__CALL_MOST / 2, MDG__CALL_MOST, UINT64_MAX >> 9
	};
	open_namespace();
	for (size_t i = 0; i < sizeof ahead / sizeof ahead[0]; i++)
		for (enum mdg__box_state state = MDG__BOX_IDLE; state <= MDG__BOX_WAITS; state++)
			for (enum moment moment = IDLE; moment < MOMENTS && check_failures < 5;
			     moment++)
				is_mended(ahead[i], state, moment);
	is_mended_after(MDG__BOX_WRITING);
	is_mended_after(MDG__BOX_GONE);
	mdg_namespace_close(ns);
	return test_result();
}

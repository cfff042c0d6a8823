/* SPDX-License-Identifier: MIT */
/*
 * call.c - requests and replies, cut off on either side. What the caller or the server that lives
 * is told is the reply, or the death; and it is told.
 */
#include "channel/points/scene.h"
#include "madang/relay.h"

enum { ANSWERED = 7777 };

/* ---- the victim calls ------------------------------------------------------------------- */

static void ask(struct actor *me)
{
	say_one(me);
}

static void ask_in_place(struct actor *me)
{
	uint32_t number = atomic_load(&books->trying);
	MUST_RC(0, mdg_channel_reserve(me->talks, 8, &me->place, GRACE));
	write_number(me->place, 8, number);
	atomic_store(&books->trying, number + 1);
	MUST_RC(0, mdg_channel_commit(me->talks, 8));
	atomic_store(&books->sent, number + 1);
}

static void ask_again(struct actor *me)
{
	say_one(me);
	MUST_RC(-EAGAIN, mdg_channel_recv(me->talks, NULL, 0, NULL, 0));
	say_one(me);
}

static void call_in_vain(struct actor *me)
{
	uint32_t words[2], number = atomic_load(&books->trying);
	write_number(words, sizeof words, number);
	atomic_store(&books->trying, number + 1);
	MUST_RC(-ETIMEDOUT, mdg_channel_call(me->talks, words, sizeof words, words, sizeof words,
	                                     NULL, mdg_deadline(1000000)));
}

/* ---- the victim serves ------------------------------------------------------------------ */

static void take(struct actor *me)
{
	MUST_RC(0, mdg_channel_peek(me->listens, me->many, GRACE));
}

static void reply(struct actor *me)
{
	uint32_t answer = ANSWERED;
	MUST_RC(0, mdg_channel_send(me->listens, &answer, sizeof answer, GRACE));
}

static void reply_in_place(struct actor *me)
{
	uint32_t answer = ANSWERED;
	MUST_RC(0, mdg_channel_reserve(me->listens, 100, &me->place, GRACE));
	memcpy(me->place, &answer, sizeof answer);
	MUST_RC(0, mdg_channel_commit(me->listens, sizeof answer));
}

static void refuse(struct actor *me)
{
	MUST_RC(0, mdg_channel_release(me->listens));
}

static void abandon(struct actor *me)
{
	MUST_RC(0, mdg_channel_abandon(me->listens));
}

static void leave(struct actor *me)
{
	mdg_channel_close(me->listens);
	mdg_channel_close(me->talks);
	me->listens = me->talks = NULL;
}

/* Asks and answers until it keeps both locks. */
static void keep(struct actor *me)
{
	uint32_t words[2];
	write_number(words, sizeof words, BEFORE);
	for (unsigned i = 0; i < UNTIL_KEPT; i++) {
		MUST_RC(0, mdg_channel_send(me->talks, words, sizeof words, GRACE));
		take(me);
		reply(me);
		MUST_RC(sizeof(uint32_t),
		        mdg_channel_recv(me->talks, words, sizeof words, NULL, GRACE));
		write_number(words, sizeof words, BEFORE);
	}
}

static void keep_and_ask(struct actor *me)
{
	keep(me);
	ask(me);
}

static void open_talker(struct actor *me)
{
	me->talks = points_open(MDG_TALKER);
}

static void look(struct actor *me)
{
	struct mdg_channel_info info = { .size = sizeof info };
	mdg_channel *looks = points_open(MDG_OBSERVER);
	(void)me;
	MUST_RC(0, mdg_channel_look(looks, &info));
}

static void die_serving(struct actor *me)
{
	me->listens = points_open(MDG_LISTENER);
	take(me);
	MUST_RC(0, mdg_channel_reserve(me->listens, 100, &me->place, GRACE));
}

static void die_asking(struct actor *me)
{
	me->talks = points_open(MDG_TALKER);
	ask(me);
}

/* ---- the other side --------------------------------------------------------------------- */

/* Asks one question, and waits for what becomes of it. */
static void wait_for_reply(struct actor *me)
{
	uint32_t answer = 0;
	me->talks = points_open(MDG_TALKER);
	say_one(me);
	atomic_store(&books->asleep, 1);
	int rc = mdg_channel_recv(me->talks, &answer, sizeof answer, NULL, GRACE);
	if (rc >= 0)
		MUST(rc == sizeof answer && answer == ANSWERED);
	else
		MUST(rc == MDG_PEER_DIED || rc == -ECANCELED);
	atomic_store(rc >= 0 ? &books->answered : &books->refused, 1);
	mdg_channel_close(me->talks);
}

/* Answers whatever comes, from all who ask. */
static void serve_all(struct actor *me)
{
	me->listens = points_open(MDG_LISTENER);
	atomic_store(&books->asleep, 1);
	while (atomic_load(&books->stop) == 0) {
		struct mdg_message request;
		uint32_t answer = ANSWERED;
		int rc = mdg_channel_peek(me->listens, &request, mdg_deadline(10000000));
		if (rc == -ETIMEDOUT)
			continue;
		MUST(rc == 0);
		if (rc != 0)
			return;
		count_message(&request);
		rc = mdg_channel_send(me->listens, &answer, sizeof answer, GRACE);
		MUST(rc == 0 || rc == MDG_PEER_DIED || rc == -ECANCELED);
	}
	mdg_channel_close(me->listens);
}

/* A fresh caller and server: calls go through as if nothing had happened, and each answer belongs
 * to its question. */
void after_call(void)
{
	struct actor fresh = { 0 };
	pid_t server = 0;
	if (scene->sleeper != serve_all) {
		atomic_store(&books->asleep, 0);
		server = fork();
		if (server == 0) {
			serve_all(&fresh);
			_exit(0);
		}
	}
	fresh.talks = points_open(MDG_TALKER);
	for (uint32_t number = END; number < END + 5; number++) {
		uint32_t words[2], answer = 0;
		write_number(words, sizeof words, number);
		int rc = mdg_channel_call(fresh.talks, words, sizeof words, &answer, sizeof answer,
		                          NULL, GRACE);
		MUST(rc == sizeof answer && answer == ANSWERED);
	}
	/* The waiting caller has been told by now, or will be soon. Then the servers may leave. */
	uint64_t end = GRACE;
	while (scene->sleeper == wait_for_reply &&
	       atomic_load(&books->answered) + atomic_load(&books->refused) == 0 && now_ns() < end)
		nap_ms(1);
	atomic_store(&books->stop, 1);
	mdg_channel_close(fresh.talks);
	if (server > 0)
		(void)ended(server);
}

/* No request comes twice, and each request comes unless its caller died. */
void check_call(bool finished)
{
	for (uint32_t number = 0; number < NUMBERS; number++)
		MUST(atomic_load(&books->got[number]) <= 1);
	for (uint32_t number = END; number < END + 5; number++)
		MUST(atomic_load(&books->got[number]) == 1);
	if (scene->sleeper == wait_for_reply) {
		MUST(atomic_load(&books->answered) + atomic_load(&books->refused) == 1);
		if (finished && (scene->operate == reply || scene->operate == reply_in_place))
			MUST(atomic_load(&books->answered) == 1);
	}
}

enum { T = MDG_TALKER, L = MDG_LISTENER };
const struct scene call_scenes[] = {
	{ "ask", CALL, T, 3, 0, .operate = ask, .least = 8 },
	{ "ask-awaited", CALL, T, 3, 0, .operate = ask, .sleeper = serve_all, .least = 8 },
	{ "ask-in-place", CALL, T, 3, 0, .operate = ask_in_place, .sleeper = serve_all,
	  .least = 8 },
	{ "ask-again", CALL, T, 3, 0, .operate = ask_again, .least = 12 },
	{ "in-vain", CALL, T, 3, 0, .operate = call_in_vain, .least = 8 },
	{ "leave", CALL, T, 3, 0, .prepare = ask, .operate = leave, .least = 4 },
	{ "come", CALL, 0, 3, 0, .operate = open_talker, .least = 12 },
	{ "make", CALL, 0, 0, 0, .operate = open_talker, .zeros = true, .least = 20 },
	{ "take", CALL, L, 3, 0, .operate = take, .sleeper = wait_for_reply, .least = 3 },
	{ "reply", CALL, L, 3, 0, .prepare = take, .operate = reply, .sleeper = wait_for_reply,
	  .least = 4 },
	{ "reply-in-place", CALL, L, 3, 0, .prepare = take, .operate = reply_in_place,
	  .sleeper = wait_for_reply, .least = 4 },
	{ "refuse", CALL, L, 3, 0, .prepare = take, .operate = refuse, .sleeper = wait_for_reply,
	  .least = 2 },
	{ "abandon", CALL, L, 3, 0, .prepare = take, .operate = abandon, .sleeper = wait_for_reply,
	  .least = 2 },
	{ "leave-serving", CALL, L, 3, 0, .prepare = take, .operate = leave,
	  .sleeper = wait_for_reply, .least = 4 },
	{ "bury-server", CALL, 0, 3, 0, .dying = die_serving, .operate = look,
	  .sleeper = wait_for_reply }, /* which may bury it before */
	{ "ask-kept", CALL, T | L, 0, 0, .prepare = keep, .operate = ask, .least = 8 },
	{ "take-kept", CALL, T | L, 0, 0, .prepare = keep_and_ask, .operate = take, .least = 5 },
	{ "bury-caller", CALL, 0, 3, 0, .dying = die_asking, .operate = look, .least = 3 },
	{ .name = NULL }
};

/* SPDX-License-Identifier: MIT */
/*
 * storm.c - kill -9 at random among those who talk and listen; every message is accounted for.
 *
 *     storm [--seed N] [--kills N] [KIND...]       stream queue topic overwrite call
 *
 * Talkers and listeners use every way of sending and receiving, wait without and with deadlines,
 * come, leave and are killed; a killer puts another in the place of each, and stops some for a
 * moment. Each message carries its talker, its number there, and bytes that follow from both.
 *
 * THE BOOKS are in memory that all share. A talker notes a number before it sends it, and after
 * that that it was sent, or (deadline passed, cancelled) surely not. A listener counts a message
 * before it releases it. So in the end
 *   stream, queue  what was sent was received, once without MDG_REDELIVERED at most, and
 *                  in order; what surely was not sent was not received. A listener killed in
 *                  mdg_channel_recv, which releases by itself, may have released what it had not
 *                  counted: as many may be missing as there were such deaths.
 *   topic          each listener finds each talker's messages in order from the first it saw
 *                  to the end, but for those that it is told it missed (overwrite).
 *   call           a reply is that to the request; a request is worked on once at most.
 *
 * The seed is printed; with it operations and victims are the same, but not how they meet. With
 * MADANG_SOAK=SECONDS in the environment it goes on so long, each round with another seed.
 */
#include "base/progress.h"
#include "channel/handles.h"

enum {
	SIDE = 4,
	NUMBERS = 1 << 15,
	CAPACITY = 4096,
	BATCH = 3,
	HANG_S = 30,
	EACH_KILL = SLOWLY ? 60 : 150 /* messages between two kills, about */
};
enum state { NONE, INTENT, SENT, NEVER };

struct place {
	pid_t pid;
	_Atomic uint32_t receives; /* in a call that releases by itself: so many at most */
};

static struct storm {
	_Atomic uint32_t rest, failures, progress;
	_Atomic uint32_t used_up; /* a talker has no number left: the round ends */
	_Atomic uint64_t last;    /* stream: the number behind the last unmarked message */
	struct place talker[SIDE], listener[SIDE];
	_Atomic uint32_t next[SIDE];
	_Atomic uint8_t state[SIDE][NUMBERS], got[SIDE][NUMBERS];
} * storm;

static const struct kind {
	const char *name;
	unsigned kind, full, talkers, listeners;
} kinds[] = {
	{ "stream", MDG_STREAM, 0, 1, 1 },
	{ "queue", MDG_QUEUE, 0, SIDE, SIDE },
	{ "topic", MDG_TOPIC, MDG_FULL_WAIT, SIDE, 3 },
	{ "overwrite", MDG_TOPIC, MDG_FULL_OVERWRITE, 3, SIDE },
	{ "call", MDG_CALL, 0, SIDE, 3 },
}, *kind;

static uint64_t seed, chance; /* what the killer does */
static unsigned kills = SLOWLY ? 15 : 60;

static void fail(const char *what, int64_t code)
{
	if (atomic_fetch_add(&storm->failures, 1) < 20)
		dprintf(STDERR_FILENO, "%s, seed %llu, process %d: %s: %lld (%s)\n", kind->name,
		        (unsigned long long)seed, (int)getpid(), what, (long long)code,
		        code < 0 ? mdg_strerror((int)code) : "");
}
#define MUST(expression)                                                                           \
	do {                                                                                       \
		if (!(expression))                                                                 \
			fail(#expression, __LINE__);                                               \
	} while (0)

static uint64_t my_random;

static uint32_t some(uint32_t limit)
{
	return below(&my_random, limit);
}

static uint64_t some_deadline(void)
{
	static const uint64_t ns_of[] = { 0, 30000, 300000, 3000000 };
	uint32_t which = some(8);
	return which < 4 ? GRACE : mdg_deadline(ns_of[which - 4]);
}

/* ---- letters ---------------------------------------------------------------------------- */

struct letter {
	uint32_t talker, number, sum, zero;
};

static size_t letter_size(uint32_t number)
{
	uint32_t size = number * 2654435761u >> 22; /* up to 1023; */
	if (number % 16 == 0)
		size = size * 3; /* some that are reserved and not copied with a lock held */
	return sizeof(struct letter) + size % (CAPACITY - sizeof(struct letter));
}

static uint64_t content(uint32_t talker, uint32_t number)
{
	return (uint64_t)talker << 26 ^ number;
}

static void write_letter(void *data, uint32_t talker, uint32_t number)
{
	struct letter letter = { talker, number, talker ^ number ^ 0x6d64676cu, 0 };
	memcpy(data, &letter, sizeof letter);
	fill((unsigned char *)data + sizeof letter, letter_size(number) - sizeof letter,
	     content(talker, number));
}

/* Whether it is whole, and may have been sent. */
static bool read_letter(const struct mdg_message *message, struct letter *ret)
{
	if (message->size < sizeof *ret) {
		fail("a message too short", (int64_t)message->size);
		return false;
	}
	memcpy(ret, message->data, sizeof *ret);
	if (ret->talker >= SIDE || ret->number >= NUMBERS || ret->zero != 0 ||
	    ret->sum != (ret->talker ^ ret->number ^ 0x6d64676cu) ||
	    message->size != letter_size(ret->number) ||
	    !is_filled((const unsigned char *)message->data + sizeof *ret,
	               message->size - sizeof *ret, content(ret->talker, ret->number))) {
		fail("a message that nobody sent", ret->number);
		return false;
	}
	enum state state = atomic_load(&storm->state[ret->talker][ret->number]);
	if (state != INTENT && state != SENT)
		fail("a message that was not sent", ret->number);
	return true;
}

/* ---- talkers ---------------------------------------------------------------------------- */

static void note(uint32_t talker, uint32_t number, enum state state)
{
	atomic_store(&storm->state[talker][number], (uint8_t)state);
}

/* What the talker may be told when a message is not sent. */
static void sent(uint32_t talker, uint32_t number, int rc)
{
	if (rc < 0 && rc != -EAGAIN && rc != -ETIMEDOUT)
		fail("sending", rc);
	note(talker, number, rc < 0 ? NEVER : SENT);
	if (rc >= 0)
		atomic_fetch_add(&storm->progress, 1);
}

static void talk_in_place(mdg_channel *channel, uint32_t talker, uint32_t number)
{
	void *place;
	size_t size = letter_size(number);
	size_t more = some(3) == 0 ? size + some((uint32_t)(CAPACITY - size + 1)) : size;
	int rc = mdg_channel_reserve(channel, more, &place, some_deadline());
	if (rc == 0) {
		write_letter(place, talker, number);
		if (some(6) == 0) {
			MUST(mdg_channel_cancel(channel) == 0);
			note(talker, number, NEVER);
			return;
		}
		rc = mdg_channel_commit(channel, size);
	}
	sent(talker, number, rc);
}

static void talk_many(mdg_channel *channel, uint32_t talker, uint32_t number)
{
	static unsigned char bytes[BATCH][CAPACITY];
	struct mdg_message messages[BATCH];
	bool in_place = some(2) == 0;
	for (uint32_t i = 0; i < BATCH; i++) {
		messages[i] =
			(struct mdg_message){ .data = bytes[i], .size = letter_size(number + i) };
		if (!in_place)
			write_letter(bytes[i], talker, number + i);
	}
	int rc = in_place ? mdg_channel_reserve_many(channel, messages, BATCH, some_deadline())
	                  : mdg_channel_send_many(channel, messages, BATCH, some_deadline());
	if (in_place && rc > 0) {
		unsigned shown = 1 + some((uint32_t)rc);
		for (uint32_t i = 0; i < shown; i++)
			write_letter(messages[i].data, talker, number + i);
		int shows = mdg_channel_commit_many(channel, messages, shown);
		MUST(shows == 0);
		rc = (int)shown;
	}
	for (int i = 0; i < BATCH; i++)
		sent(talker, number + (uint32_t)i, i < rc ? 0 : rc < 0 ? rc : -EAGAIN);
}

/* The reply is that to the request: its bytes follow from the request's. */
static uint64_t reply_to(uint32_t talker, uint32_t number)
{
	return content(talker, number) ^ UINT64_C(0x55555);
}

static void ask(mdg_channel *channel, uint32_t talker, uint32_t number, uint64_t deadline)
{
	static unsigned char request[CAPACITY], reply[CAPACITY];
	struct mdg_message message = { 0 };
	write_letter(request, talker, number);
	int rc = mdg_channel_call(channel, request, letter_size(number), reply, sizeof reply,
	                          &message, deadline);
	if (rc >= 0) {
		MUST((size_t)rc == letter_size(number) / 2 && message.size == (size_t)rc);
		MUST(is_filled(reply, (size_t)rc, reply_to(talker, number)));
		MUST(atomic_load(&storm->got[talker][number]) == 1);
		atomic_fetch_add(&storm->progress, 1);
	} else if (rc != -EAGAIN && rc != -ETIMEDOUT && rc != MDG_PEER_DIED && rc != -ECANCELED) {
		fail("asking", rc);
	}
	note(talker, number, rc >= 0 ? SENT : INTENT); /* else: nobody knows */
}

static void talk(void *argument)
{
	const unsigned *which = argument;
	uint32_t talker = *which;
	struct mdg_channel_options options = { .size = sizeof options, .wait = some(5) == 0 };
	mdg_channel *channel = NULL;
	int rc = mdg_channel_open(&channel, ns, "storm", MDG_TALKER, &options);
	if (rc != 0)
		fail("a talker's opening", rc);
	while (rc == 0 && atomic_load(&storm->rest) == 0) {
		uint32_t number = atomic_load(&storm->next[talker]), way = some(4);
		uint32_t count = way == 3 && kind->kind != MDG_CALL ? BATCH : 1;
		if (number + count > NUMBERS) {
			atomic_store(&storm->used_up, 1);
			nap_ms(1);
			continue;
		}
		atomic_store(&storm->next[talker], number + count);
		for (uint32_t i = 0; i < count; i++)
			note(talker, number + i, INTENT);
		if (kind->kind == MDG_CALL) {
			ask(channel, talker, number, some_deadline());
		} else if (count > 1) {
			talk_many(channel, talker, number);
		} else if (way == 2) {
			talk_in_place(channel, talker, number);
		} else {
			static unsigned char bytes[CAPACITY];
			write_letter(bytes, talker, number);
			sent(talker, number,
			     mdg_channel_send(channel, bytes, letter_size(number),
			                      some_deadline()));
		}
		if (some(300) == 0)
			break; /* leaves, and the killer puts another here */
	}
	if (rc == 0 && kind->kind != MDG_CALL && some(3) == 0)
		(void)mdg_channel_reserve(channel, 100, &(void *){ NULL }, 0); /* is cancelled */
	mdg_channel_close(channel);
}

/* ---- listeners -------------------------------------------------------------------------- */

struct listener {
	struct place *place;
	mdg_channel *channel;
	uint32_t next[SIDE]; /* of each talker: behind the last that it saw */
	bool saw[SIDE];
	uint64_t sequence;
	bool last; /* comes when all others have ended */
};

/* Each to one: counted, before it is released. */
static void take_once(struct listener *me, const struct mdg_message *message,
                      const struct letter *letter)
{
	bool again = (message->flags & MDG_REDELIVERED) != 0;
	uint8_t before = atomic_fetch_add(&storm->got[letter->talker][letter->number], 1);
	if (before != 0 && !again)
		fail("received twice, and not marked", letter->number);
	if (again)
		return;
	if (letter->number < me->next[letter->talker])
		fail("not in order", letter->number);
	me->next[letter->talker] = letter->number + 1;
	if (kind->kind == MDG_STREAM &&
	    atomic_exchange(&storm->last, message->sequence + 1) > message->sequence)
		fail("not in the stream's order", letter->number);
}

/* Whether one that was surely sent is between. */
static bool some_sent(uint32_t talker, uint32_t from, uint32_t to)
{
	for (uint32_t number = from; number < to; number++)
		if (atomic_load(&storm->state[talker][number]) == SENT)
			return true;
	return false;
}

/* All to each: nothing left out but what it is told. */
static void take_all(struct listener *me, const struct mdg_message *message,
                     const struct letter *letter)
{
	uint32_t talker = letter->talker;
	MUST(message->flags == 0);
	MUST(message->missed == 0 || kind->full == MDG_FULL_OVERWRITE);
	MUST(message->sequence >= me->sequence + message->missed);
	me->sequence = message->sequence + 1;
	if (message->missed > 0) /* of whom is not said */
		memset(me->saw, 0, sizeof me->saw);
	if (me->saw[talker] && letter->number < me->next[talker])
		fail("not in order", letter->number);
	if (me->saw[talker] && some_sent(talker, me->next[talker], letter->number))
		fail("left out before", letter->number);
	me->saw[talker] = true;
	me->next[talker] = letter->number + 1;
}

static void take(struct listener *me, const struct mdg_message *message)
{
	struct letter letter;
	if (!read_letter(message, &letter))
		return;
	if (kind->kind == MDG_TOPIC)
		take_all(me, message, &letter);
	else
		take_once(me, message, &letter);
	atomic_fetch_add(&storm->progress, 1);
}

/* -EAGAIN or -ETIMEDOUT: nothing was there. */
static int listen_once(struct listener *me, uint64_t deadline)
{
	static unsigned char bytes[BATCH][CAPACITY];
	struct mdg_message messages[BATCH];
	uint32_t way = some(5);
	for (uint32_t i = 0; i < BATCH; i++)
		messages[i] = (struct mdg_message){ .data = bytes[i], .size = CAPACITY };
	bool releases = way >= 3;
	if (releases)
		atomic_store(&me->place->receives, way == 3 ? 1 : BATCH);
	int rc = way == 4   ? mdg_channel_recv_many(me->channel, messages, BATCH, deadline)
	         : way == 3 ? mdg_channel_recv(me->channel, bytes[0], CAPACITY, messages, deadline)
	         : way == 2 ? mdg_channel_peek_many(me->channel, messages, BATCH, deadline)
	                    : mdg_channel_peek(me->channel, messages, deadline);
	int count = way == 2 || way == 4 || rc < 0 ? rc : 1;
	for (int i = 0; i < count; i++)
		take(me, &messages[i]);
	if (releases)
		atomic_store(&me->place->receives, 0);
	else if (count > 0 && (me->last || some(400) != 0))
		MUST(mdg_channel_release(me->channel) == 0);
	else if (count > 0)
		return 1; /* leaves with it */
	return rc < 0 ? rc : 0;
}

/* Until there is nothing more. */
static void listen_to_the_end(struct listener *me)
{
	int rc;
	while ((rc = listen_once(me, mdg_deadline(20000000))) == 0)
		;
	MUST(rc == 1 || rc == -ETIMEDOUT);
	if (kind->kind == MDG_TOPIC)
		for (uint32_t talker = 0; talker < SIDE && rc != 1; talker++)
			if (me->saw[talker] && some_sent(talker, me->next[talker], NUMBERS))
				fail("left out at the end", talker);
}

static void serve_once(struct listener *me, uint64_t deadline)
{
	static unsigned char bytes[CAPACITY];
	struct mdg_message request;
	struct letter letter;
	void *place;
	int rc = mdg_channel_recv(me->channel, bytes, CAPACITY, &request, deadline);
	if (rc < 0) {
		if (rc != -EAGAIN && rc != -ETIMEDOUT)
			fail("serving", rc);
		return;
	}
	if (!read_letter(&request, &letter))
		return;
	if (atomic_fetch_add(&storm->got[letter.talker][letter.number], 1) != 0)
		fail("a request is worked on twice", letter.number);
	size_t size = letter_size(letter.number) / 2;
	if (some(30) == 0 && !me->last) {
		MUST(mdg_channel_release(me->channel) == 0);
		return;
	}
	if (some(2) == 0) {
		rc = mdg_channel_reserve(me->channel, size, &place, GRACE);
		if (rc == 0) {
			fill(place, size, reply_to(letter.talker, letter.number));
			rc = mdg_channel_commit(me->channel, size);
		}
	} else {
		fill(bytes, size, reply_to(letter.talker, letter.number));
		rc = mdg_channel_send(me->channel, bytes, size, GRACE);
	}
	if (rc != 0 && rc != MDG_PEER_DIED && rc != -ECANCELED)
		fail("replying", rc);
	atomic_fetch_add(&storm->progress, 1);
}

static void listen(void *argument)
{
	const unsigned *which = argument;
	struct listener me = { .place = &storm->listener[*which] };
	struct mdg_channel_options options = { .size = sizeof options,
		                               .from = some(3),
		                               .wait = some(5) == 0 };
	int rc = mdg_channel_open(&me.channel, ns, "storm", MDG_LISTENER, &options);
	if (rc != 0) {
		fail("a listener's opening", rc);
		return;
	}
	int got = 0;
	while (atomic_load(&storm->rest) < 2 && got <= 0) {
		if (kind->kind == MDG_CALL) {
			serve_once(&me, mdg_deadline(1000000));
			got = 0;
		} else {
			got = listen_once(&me, mdg_deadline(1000000));
			if (got < 0 && got != -ETIMEDOUT)
				fail("receiving", got);
		}
	}
	if (kind->kind != MDG_CALL && got <= 0)
		listen_to_the_end(&me);
	mdg_channel_close(me.channel);
}

/* ---- the killer ------------------------------------------------------------------------- */

static unsigned places(void)
{
	return kind->talkers + kind->listeners;
}

static struct place *place_of(unsigned which)
{
	return which < kind->talkers ? &storm->talker[which]
	                             : &storm->listener[which - kind->talkers];
}

static void begin(unsigned which)
{
	unsigned own = which < kind->talkers ? which : which - kind->talkers;
	struct place *place = place_of(which);
	my_random = (chance + which * UINT64_C(7919)) | 1;
	(void)below(&chance, 2);
	for (int i = 0; i < 5; i++)
		(void)some(2);
	atomic_store(&place->receives, 0);
	place->pid = start(which < kind->talkers ? talk : listen, &own);
}

static bool let_them_work(uint32_t messages)
{
	uint32_t from = atomic_load(&storm->progress), last = from;
	uint64_t end = mdg_deadline(HANG_S * UINT64_C(1000000000));
	while (atomic_load(&storm->progress) - from < messages &&
	       atomic_load(&storm->used_up) == 0) {
		struct timespec time = { 0, 100000 };
		nanosleep(&time, NULL);
		uint32_t now = atomic_load(&storm->progress);
		if (now != last)
			end = mdg_deadline(HANG_S * UINT64_C(1000000000));
		last = now;
		for (unsigned which = 0; which < places(); which++) {
			struct place *place = place_of(which);
			int status = 0; /* who leaves by itself */
			if (waitpid(place->pid, &status, WNOHANG) == place->pid) {
				MUST(status == 0);
				begin(which);
			}
		}
		if (now_ns() > end) {
			fail("nobody gets on", 0);
			return false;
		}
	}
	return true;
}

static unsigned lost; /* as many may be missing */

static void kill_one(unsigned which)
{
	struct place *place = place_of(which);
	kill(place->pid, SIGKILL);
	int status = ended(place->pid);
	if (WIFSIGNALED(status))
		lost += atomic_load(&place->receives);
	else
		MUST(status == 0); /* it had just left */
}

static void stop_one(unsigned which)
{
	pid_t pid = place_of(which)->pid;
	kill(pid, SIGSTOP);
	nap_ms(2);
	kill(pid, SIGCONT);
}

/* ---- and then --------------------------------------------------------------------------- */

static void end_of(unsigned from, unsigned to)
{
	uint64_t end = GRACE;
	for (unsigned which = from; which < to; which++) {
		int status = -1;
		pid_t pid = place_of(which)->pid;
		while (waitpid(pid, &status, WNOHANG) == 0 && now_ns() < end)
			nap_ms(1);
		MUST(status == 0);
		if (status == -1)
			killed(pid);
	}
}

/* One of each once more: all of the capacity can be used. */
static void use_it(mdg_channel *looks)
{
	static unsigned char bytes[CAPACITY];
	struct mdg_channel_options options = { .size = sizeof options };
	mdg_channel *talks = enter_as("storm", MDG_TALKER, &options);
	mdg_channel *listens = enter_as("storm", MDG_LISTENER, &options);
	for (unsigned i = 0; i < 5; i++) {
		MUST(mdg_channel_send(talks, bytes, CAPACITY, 0) == 0);
		MUST(mdg_channel_recv(listens, bytes, CAPACITY, NULL, 0) == CAPACITY);
		if (kind->kind == MDG_CALL) {
			MUST(mdg_channel_send(listens, bytes, CAPACITY, 0) == 0);
			MUST(mdg_channel_recv(talks, bytes, CAPACITY, NULL, 0) == CAPACITY);
		}
	}
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	struct mdg_channel_info info = { .size = sizeof info };
	MUST(mdg_channel_look(looks, &info) == 0);
	MUST(info.talkers == 0 && info.listeners == 0);
	MUST(kind->kind == MDG_TOPIC || (info.used == 0 && info.waiting == 0));
	MUST(mdg_channel_peers(looks, NULL, 0) == 0);
}

static uint64_t check_books(void)
{
	uint64_t all = 0, missing = 0;
	for (unsigned talker = 0; talker < SIDE; talker++)
		for (unsigned number = 0; number < NUMBERS; number++)
			if (atomic_load(&storm->state[talker][number]) == SENT) {
				all++;
				missing += atomic_load(&storm->got[talker][number]) == 0;
			}
	if (kind->kind != MDG_TOPIC && missing > (kind->kind == MDG_CALL ? 0 : lost))
		fail("sent and never received", (int64_t)missing);
	return all;
}

static void run(const struct kind *which_kind, uint64_t number)
{
	struct mdg_channel_options options = options_of(which_kind->kind, CAPACITY);
	uint64_t began = now_ns();
	unsigned deaths = 0;
	kind = which_kind;
	options.full = kind->full;
	memset(storm, 0, sizeof *storm);
	seed = number;
	chance = number * UINT64_C(0x9e3779b97f4a7c15) | 1;
	lost = 0;
	mdg_channel *looks = enter_as("storm", MDG_OBSERVER, &options);
	for (unsigned which = 0; which < places(); which++)
		begin(which);
	while (deaths < kills && atomic_load(&storm->failures) == 0 &&
	       atomic_load(&storm->used_up) == 0) {
		if (!let_them_work(1 + below(&chance, EACH_KILL)))
			break;
		if (below(&chance, 8) == 0)
			stop_one(below(&chance, places()));
		unsigned which = below(&chance, places());
		kill_one(which);
		begin(which);
		deaths++;
	}
	atomic_store(&storm->rest, 1);
	end_of(0, kind->talkers);
	MUST(mdg_channel_look(
		     looks,
		     &(struct mdg_channel_info){ .size = sizeof(struct mdg_channel_info) }) ==
	     0); /* buries the dead */
	atomic_store(&storm->rest, 2);
	end_of(kind->talkers, places());
	if (kind->kind == MDG_STREAM || kind->kind == MDG_QUEUE) {
		/* What the last ones left with. */
		struct listener last = { .place = &storm->listener[0], .last = true };
		last.channel = enter_as("storm", MDG_LISTENER, NULL);
		listen_to_the_end(&last);
		mdg_channel_close(last.channel);
	}
	if (atomic_load(&storm->failures) == 0)
		use_it(looks);
	uint64_t all = check_books();
	mdg_channel_close(looks);
	remove_channel("storm");
	printf("%-9s seed %llu: %u deaths, %llu messages in %llu ms\n", kind->name,
	       (unsigned long long)number, deaths, (unsigned long long)all,
	       (unsigned long long)((now_ns() - began) / 1000000));
	fflush(stdout);
	CHECK(atomic_load(&storm->failures) == 0);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	bool any = false, wanted = false;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-') {
			i++;
			continue;
		}
		any = true;
		wanted = wanted || strcmp(argv[i], name) == 0;
	}
	return wanted || !any;
}

int main(int argc, char **argv)
{
	const char *soak = getenv("MADANG_SOAK");
	uint64_t number = 1, seconds = soak == NULL ? 0 : strtoull(soak, NULL, 10);
	uint64_t end = mdg_deadline(seconds * UINT64_C(1000000000));
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0)
			number = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--kills") == 0)
			kills = (unsigned)strtoul(argv[i + 1], NULL, 10);
	}
	storm = shared_memory(sizeof *storm);
	open_namespace();
	do {
		for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
			if (is_wanted(kinds[i].name, argc, argv))
				run(&kinds[i], number);
		number++;
	} while (now_ns() < end && test_result() == 0);
	mdg_namespace_close(ns);
	return test_result();
}

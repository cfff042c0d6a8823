/* SPDX-License-Identifier: MIT */
/*
 * relaying.c - threads of one process that relay into the same channel, each with handles of its
 * own, on one mapping: for ThreadSanitizer. In every preset the numbers are checked.
 *
 * Two threads relay the same messages of one origin, as two bridges would that believe that each is
 * alone, and each has an origin of its own. A program talks between them. Others look at positions
 * all the time. In a topic each number of an origin comes once, and they grow. A queue drops
 * nothing, so there the messages of the first origin come twice.
 */
#include "channel/handles.h"
#include "madang/relay.h"

enum { RELAYERS = 2, LISTENERS = 2, CAPACITY = 4096, BATCH = 5, MOST = 300 };
enum { EACH = SLOWLY ? 1000 : 10000, OWN = 8, ORIGINS = RELAYERS + 1 };

static mdg_channel *opened[16];
static _Atomic uint32_t opened_count, talking, listening, relayed_count;
static _Atomic uint64_t came[ORIGINS];
static unsigned kind;
static struct mdg_channel_options options;

static const struct mdg_origin common = { { 1, 2 }, 3 };

static struct mdg_origin origin_of(unsigned which)
{
	return which == 0 ? common : (struct mdg_origin){ { 4, 5 }, which };
}

/* Handles are closed when all threads have ended: see threads.c. */
static mdg_channel *enter_thread(unsigned role)
{
	mdg_channel *channel = enter_as("relaying", role, &options);
	opened[atomic_fetch_add(&opened_count, 1)] = channel;
	return channel;
}

static size_t size_of(uint64_t number)
{
	return (size_t)(number * 7 % MOST);
}

/* Relays all numbers of one origin once, or finds that they are there. */
static void relay_from(mdg_channel *talks, unsigned which, uint64_t *next)
{
	static _Thread_local unsigned char bytes[BATCH][MOST];
	struct mdg_relayed batch[BATCH];
	unsigned count = 0, repeats = 0;
	for (; count < BATCH && *next + count < EACH; count++) {
		uint64_t number = *next + count;
		fill(bytes[count], size_of(number), number + which);
		batch[count] = (struct mdg_relayed){ .data = bytes[count],
			                             .size = size_of(number),
			                             .origin = origin_of(which),
			                             .number = number };
	}
	if (count == 0)
		return;
	int rc = mdg_channel_relay(talks, batch, count, &repeats, GRACE);
	if (!CHECK(rc > 0 && (unsigned)rc <= count && repeats <= (unsigned)rc))
		return;
	if (kind == MDG_QUEUE)
		CHECK(repeats == 0);
	*next += (unsigned)rc;
	atomic_fetch_add(&relayed_count, (unsigned)rc - repeats);
}

static void *relay(void *argument)
{
	unsigned which = (unsigned)(uintptr_t)argument + 1;
	mdg_channel *talks = enter_thread(MDG_TALKER);
	uint64_t next = 0, own = 0;
	while ((next < EACH || own < EACH) && check_failures == 0) {
		struct mdg_origin at = { { 7, 7 }, which };
		relay_from(talks, 0, &next);
		relay_from(talks, which, &own);
		CHECK_RC(0, mdg_channel_commit_position(talks, &at, next + own));
	}
	atomic_fetch_sub(&talking, 1);
	return NULL;
}

static void *talk(void *argument)
{
	mdg_channel *talks = enter_thread(MDG_TALKER);
	(void)argument;
	while (atomic_load(&talking) > 1 && check_failures == 0) {
		CHECK_RC(0, mdg_channel_send(talks, "own", 3, GRACE));
		usleep(200);
	}
	atomic_fetch_sub(&talking, 1);
	return NULL;
}

static void check_message(mdg_channel *listens, const struct mdg_message *message,
                          uint64_t next[ORIGINS])
{
	struct mdg_relayed from;
	unsigned which = 0;
	if (!(message->flags & MDG_RELAYED)) {
		CHECK(message->size == 3 && memcmp(message->data, "own", 3) == 0);
		return;
	}
	CHECK_RC(0, mdg_channel_relayed(listens, message, &from));
	if (from.origin.identity[0] != common.identity[0])
		which = (unsigned)from.origin.epoch;
	if (!CHECK(which < ORIGINS && from.number < EACH))
		return;
	CHECK(message->size == size_of(from.number) &&
	      is_filled(message->data, message->size, from.number + which));
	if (kind == MDG_TOPIC) {
		CHECK(from.number >= next[which]);
		if (options.full == MDG_FULL_WAIT)
			CHECK(from.number == next[which]);
	}
	next[which] = from.number + 1;
	atomic_fetch_add(&came[which], 1);
}

static void *listen(void *argument)
{
	mdg_channel *listens = enter_thread(MDG_LISTENER);
	uint64_t next[ORIGINS] = { 0 };
	(void)argument;
	atomic_fetch_add(&listening, 1);
	while (check_failures == 0) {
		struct mdg_message batch[2 * BATCH];
		bool last = atomic_load(&talking) == 0;
		int rc = mdg_channel_peek_many(listens, batch, 2 * BATCH,
		                               last ? 0 : mdg_deadline(2000000));
		if (rc == -EAGAIN || rc == -ETIMEDOUT) {
			if (last)
				break;
			continue;
		}
		if (!CHECK(rc > 0))
			break;
		for (int i = 0; i < rc; i++)
			check_message(listens, &batch[i], next);
		CHECK_RC(0, mdg_channel_release(listens));
	}
	return NULL;
}

/* Positions only grow, and what a bridge forgets is gone. */
static void *look(void *argument)
{
	mdg_channel *looks = enter_thread(MDG_OBSERVER);
	struct mdg_origin mine = { { 9, 9 }, 9 };
	uint64_t before = 0;
	(void)argument;
	while (atomic_load(&talking) > 0 && check_failures == 0) {
		struct mdg_position positions[16];
		uint64_t next = 0;
		int rc = mdg_channel_position(looks, &common, &next);
		CHECK(rc == -ENOENT || (rc == 0 && next >= before && next <= EACH));
		before = next;
		rc = mdg_channel_positions(looks, positions, 16);
		CHECK(rc >= 0 && rc <= OWN);
		CHECK_RC(0, mdg_channel_commit_position(looks, &mine, 1));
		CHECK_RC(0, mdg_channel_forget(looks, &mine));
		usleep(100);
	}
	return NULL;
}

static void check_all(void)
{
	uint64_t wanted = kind == MDG_TOPIC ? (uint64_t)EACH * LISTENERS : EACH;
	for (unsigned i = 0; i < ORIGINS; i++) {
		bool twice = kind == MDG_QUEUE && i == 0;
		if (options.full == MDG_FULL_OVERWRITE)
			CHECK(came[i] > 0 && came[i] <= wanted);
		else
			CHECK(came[i] == (twice ? wanted * RELAYERS : wanted));
		came[i] = 0;
	}
	CHECK(relayed_count == (kind == MDG_QUEUE ? EACH * RELAYERS * 2 : EACH * ORIGINS));
}

static void run(unsigned as_kind, unsigned full)
{
	pthread_t thread[RELAYERS + LISTENERS + 2];
	unsigned count = 0;
	kind = as_kind;
	options = options_of(kind, CAPACITY);
	options.full = full;
	mdg_channel *looks = enter_as("relaying", MDG_OBSERVER, &options);
	relayed_count = listening = 0;
	talking = RELAYERS + 1;
	for (unsigned i = 0; i < LISTENERS; i++)
		CHECK(pthread_create(&thread[count++], NULL, listen, NULL) == 0);
	CHECK(reaches(&listening, LISTENERS));
	for (unsigned i = 0; i < RELAYERS; i++)
		CHECK(pthread_create(&thread[count++], NULL, relay, (void *)(uintptr_t)i) == 0);
	CHECK(pthread_create(&thread[count++], NULL, talk, NULL) == 0);
	CHECK(pthread_create(&thread[count++], NULL, look, NULL) == 0);
	for (unsigned i = 0; i < count; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	for (uint32_t i = 0; i < opened_count; i++)
		mdg_channel_close(opened[i]);
	opened_count = 0;
	if (check_failures == 0)
		check_all();
	mdg_channel_close(looks);
	remove_channel("relaying");
}

int main(void)
{
	open_namespace();
	run(MDG_QUEUE, 0);
	run(MDG_TOPIC, MDG_FULL_WAIT);
	run(MDG_TOPIC, MDG_FULL_OVERWRITE);
	mdg_namespace_close(ns);
	return test_result();
}

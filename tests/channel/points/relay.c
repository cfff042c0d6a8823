/* SPDX-License-Identifier: MIT */
/*
 * relay.c - messages that a bridge brings, cut off: messages and position are both there or
 * neither.
 *
 * The number at the origin is the number in the books. What a fresh process finds as the position
 * has to agree with what is received: all below it, and nothing from it on.
 */
#include "channel/points/scene.h"
#include "madang/relay.h"

static const struct mdg_origin far = { { 1, 2 }, 3 };

static void relay_sized(struct actor *me, unsigned count, size_t size)
{
	unsigned char bytes[3][LARGE];
	struct mdg_relayed many[3];
	uint32_t number = atomic_load(&books->trying);
	for (uint32_t i = 0; i < count; i++)
		many[i] = (struct mdg_relayed){ .data = bytes[i],
			                        .size = write_number(bytes[i], size, number + i),
			                        .origin = far,
			                        .number = number + i };
	if (atomic_exchange(&books->relays, 1) == 0)
		atomic_store(&books->relayed, number);
	atomic_store(&books->trying, number + count);
	MUST_RC((int)count, mdg_channel_relay(me->talks, many, count, NULL, GRACE));
	atomic_store(&books->sent, number + count);
}

static void relay_one(struct actor *me)
{
	relay_sized(me, 1, 8);
}

static void relay_large(struct actor *me)
{
	relay_sized(me, 1, LARGE);
}

static void relay_three(struct actor *me)
{
	relay_sized(me, 3, 8);
}

static void relay_and_relay(struct actor *me)
{
	relay_one(me);
	relay_one(me);
}

/* A position without a message goes on, or stays. */
static void commit(struct actor *me)
{
	const struct mdg_origin other = { { 4, 5 }, 6 };
	MUST_RC(0, mdg_channel_commit_position(me->talks, &other, 7));
	MUST_RC(0, mdg_channel_commit_position(me->talks, &other, 8));
	MUST_RC(0, mdg_channel_forget(me->talks, &other));
}

void after_relay(mdg_channel *talks)
{
	uint64_t next = 0;
	struct mdg_relayed again;
	unsigned char bytes[8];
	unsigned repeats = 0;
	if (atomic_load(&books->relays) == 0)
		return;
	uint32_t first = atomic_load(&books->relayed);
	int rc = mdg_channel_position(talks, &far, &next);
	MUST(rc == 0 || rc == -ENOENT);
	atomic_store(&books->position, rc == 0 ? (uint32_t)next : first);
	if (scene->kind == MDG_QUEUE)
		return;
	/* What was taken is dropped when it comes again. */
	for (uint32_t number = first; rc == 0 && number < next; number++) {
		write_number(bytes, sizeof bytes, number);
		again = (struct mdg_relayed){
			.data = bytes, .size = sizeof bytes, .origin = far, .number = number
		};
		MUST_RC(1, mdg_channel_relay(talks, &again, 1, &repeats, GRACE));
		MUST(repeats == 1);
	}
}

void check_relay(void)
{
	uint32_t position = atomic_load(&books->position), trying = atomic_load(&books->trying);
	if (atomic_load(&books->relays) == 0)
		return;
	for (uint32_t number = atomic_load(&books->relayed); number < trying; number++) {
		uint32_t got = atomic_load(&books->got[number]);
		if (got != (number < position) && scene->full != MDG_FULL_OVERWRITE)
			complain("message %u was received %u times, and the position is %u", number,
			         got, position);
	}
}

enum { T = MDG_TALKER };
const struct scene relay_scenes[] = {
	{ "relay", ALL, T, 0, 0, .operate = relay_one, .least = 12 },
	{ "relay-more", ALL, T, 0, 0, .prepare = relay_one, .operate = relay_one, .least = 10 },
	{ "relay-again", ALL, T, 0, 0, .operate = relay_and_relay, .least = 20 },
	{ "relay-three", ALL, T, 0, 0, .operate = relay_three, .least = 16 },
	{ "relay-large", ALL, T, 0, 0, .operate = relay_large, .least = 12 },
	{ "relay-end", ALL, T, 34, 0, .operate = relay_large, .least = 12 },
	{ "relay-end-three", ALL, T, 37, 0, .operate = relay_three, .least = 16 },
	{ "position", ALL, T, 0, 0, .operate = commit, .least = 6 },
	{ .name = NULL },
};

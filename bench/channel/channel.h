/* SPDX-License-Identifier: MIT */
/*
 * channel.h - what the files of `madang-bench --channel` share; C and C++.
 *
 * A SIDE is one means of passing messages: a kind of Madang's channels, a pipe, a library's ring.
 * Its file gives it calls to put and take a message, then includes blocks.h: so the
 * same text is compiled for each side, with direct calls.
 *
 * A GAME is one case on one side while it is being measured: MEMBERS, processes that sleep between
 * blocks, so that the other sides have the processors to themselves. Member 0 asks (there and back)
 * or listens (one way) and has the first processor; the others answer or talk and have the second.
 * The process that began the games has no part in the messages: so libraries that do not bear a
 * fork are used in members only.
 */
#ifndef MADANG_BENCH_CHANNEL_H
#define MADANG_BENCH_CHANNEL_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* There and back; one way: one by one, in batches, large. */
enum channel_measure { CHANNEL_ROUND, CHANNEL_ONE, CHANNEL_MANY, CHANNEL_BIG, CHANNEL_MEASURES };

enum channel_side_name {
	CHANNEL_STREAM,
	CHANNEL_PLACE,
	CHANNEL_DEFAULT,
	CHANNEL_QUEUE,
	CHANNEL_TOPIC,
	CHANNEL_CALL,
	CHANNEL_CK,
	CHANNEL_SPSC,
	CHANNEL_QB,
	CHANNEL_PIPE,
	CHANNEL_SEQPACKET,
	CHANNEL_MQ,
	CHANNEL_SYSV,
	CHANNEL_BOOST_MQ,
	CHANNEL_ZMQ,
	CHANNEL_NNG,
	CHANNEL_SIDES
};

enum {
	CHANNEL_SMALL = 64,    /* bytes of a message */
	CHANNEL_LARGE = 65536, /* of CHANNEL_BIG */
	CHANNEL_LINE = 64,
	CHANNEL_BATCH = 64,      /* messages */
	CHANNEL_WRITTEN = 16,    /* places of messages that are written */
	CHANNEL_AHEAD = 8,       /* messages that are written before they are sent */
	CHANNEL_SLOTS = 1024,    /* small messages that a side holds, about */
	CHANNEL_LARGE_SLOTS = 8, /* large ones */
	CHANNEL_MEMBERS = 3,
	CHANNEL_STAMPS = 2048, /* rounds of a block that are timed one by one */
	CHANNEL_MEMORY = 1 << 18
};

/* A small message. */
struct channel_packet {
	uint64_t number; /* of its talker in this block, from 0 */
	uint64_t talker;
	unsigned char rest[CHANNEL_SMALL - 16];
};

/* Buffers that are copied from and to begin a line, on every side, and not where the stack happens
 * to be: that made a factor of two from run to run. */
#define CHANNEL_ALIGNED __attribute__((aligned(64)))

struct channel_side;

struct channel_game {
	const struct channel_side *side;
	enum channel_measure measure;
	bool sleeps; /* who waits is to sleep; else to spin */
	bool one_processor;
	unsigned talkers; /* of CHANNEL_ROUND: 1 */
	unsigned ahead;   /* messages that are written before they are sent, or 0 */
	unsigned number;  /* of the game, for names */
	unsigned member;  /* which of its processes this is */
	void *memory;     /* CHANNEL_MEMORY bytes, shared, zeros at first */
	void *made[2];    /* make to join */
	int descriptors[2][2];
	void *ends;       /* of this member: what join made */
	uint32_t *stamps; /* NULL, or for who asks: n + 1 times, in ticks */
	char *why;        /* 64 bytes, shared: why make or join could not */
	struct channel_control *control;
	int done; /* eventfd: a block's end */
	int pid[CHANNEL_MEMBERS];
};

/* n rounds, or messages of each talker. 0, or a call failed. */
typedef int channel_play(struct channel_game *game, unsigned n);

struct channel_side {
	const char *name; /* NULL: not built */
	const char *what;
	unsigned variant;   /* for the side's own functions */
	bool spins, sleeps; /* how it can be made to wait */
	bool talkers;       /* it can have several */
	/* Before the members are forked, and after they have ended. NULL: nothing to do. */
	bool (*make)(struct channel_game *game);
	void (*unmake)(struct channel_game *game);
	/* Each member calls this. It opens the channel from which the member takes and then, when
	 * all members have done so, the one into which it puts. */
	bool (*join)(struct channel_game *game);
	bool (*reach)(struct channel_game *game);
	void (*leave)(struct channel_game *game);
	/* By member 0, and by the others. NULL: not on this side. */
	channel_play *play[CHANNEL_MEASURES][2];
	/* The least that can be done, for counting system calls. */
	int (*put_one)(struct channel_game *game), (*take_one)(struct channel_game *game);
};

void channel_madang_fill(struct channel_side side[CHANNEL_SIDES]);
void channel_kernel_fill(struct channel_side side[CHANNEL_SIDES]);
void channel_ck_fill(struct channel_side *side);
void channel_qb_fill(struct channel_side *side);
void channel_zmq_fill(struct channel_side *side);
void channel_nng_fill(struct channel_side *side);
void channel_boost_fill(struct channel_side side[CHANNEL_SIDES]);

/* Notes why make or join cannot; false. */
bool channel_cannot(struct channel_game *game, const char *what, const char *reason);
bool channel_cannot_errno(struct channel_game *game, const char *what);

/* ---- which channel a member uses for what ------------------------------------------- */

/* There and back takes two channels: 0 from member 0 to member 1, 1 the other way. */
static inline bool channel_talks(const struct channel_game *game)
{
	return game->measure == CHANNEL_ROUND || game->member != 0;
}

static inline bool channel_listens(const struct channel_game *game)
{
	return game->measure == CHANNEL_ROUND || game->member == 0;
}

static inline unsigned channel_out(const struct channel_game *game)
{
	return game->measure == CHANNEL_ROUND && game->member == 1;
}

static inline unsigned channel_in(const struct channel_game *game)
{
	return game->measure == CHANNEL_ROUND && game->member == 0;
}

static inline unsigned channel_count(const struct channel_game *game)
{
	return game->measure == CHANNEL_ROUND ? 2 : 1;
}

static inline size_t channel_size(const struct channel_game *game)
{
	return game->measure == CHANNEL_BIG ? CHANNEL_LARGE : CHANNEL_SMALL;
}

/* Bytes of messages that a side should hold. */
static inline size_t channel_room(const struct channel_game *game)
{
	return game->measure == CHANNEL_BIG ? (size_t)CHANNEL_LARGE * CHANNEL_LARGE_SLOTS
	                                    : (size_t)CHANNEL_SMALL * CHANNEL_SLOTS;
}

/* ---- for blocks --------------------------------------------------------------------- */

/* Waits for a moment, for sides that do not wait themselves. If the other side cannot run
 * meanwhile, or must not be kept from running, this gives the processor away. */
static inline void channel_moment(const struct channel_game *game)
{
	if (game->sleeps || game->one_processor || game->talkers > 1) {
		sched_yield();
		return;
	}
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Ticks of about a nanosecond or less; how long one is comes out of a whole block. */
static inline uint32_t channel_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return (uint32_t)__builtin_ia32_rdtsc();
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
#endif
}

/* When round i begins, or the last one has ended; in a block whose rounds are timed one by one. */
static inline void channel_stamp(const struct channel_game *game, unsigned i)
{
	if (game->stamps != NULL)
		game->stamps[i] = channel_ticks();
}

/* Tells the compiler that the memory is written and read. Otherwise it would leave out a copy that
 * nobody reads. */
static inline void channel_used(void *place)
{
	__asm__ volatile("" : : "r"(place) : "memory");
}

/* A program writes a message, and sends it. The copy out of it may then have to wait until what
 * was just written, in pieces that are smaller than the copy's, has left the store buffer; which
 * waits for the other processor's lines. So the same is measured with messages that were
 * written some messages earlier. */
static inline void channel_packets_init(struct channel_packet *packets, uint64_t talker)
{
	memset(packets, 0, CHANNEL_WRITTEN * sizeof *packets);
	for (unsigned i = 0; i < CHANNEL_WRITTEN; i++) {
		packets[i].number = i;
		packets[i].talker = talker;
	}
}

/* Writes the message that is `ahead` behind number i. Returns number i. */
static inline struct channel_packet *channel_packet_write(struct channel_packet *packets,
                                                          unsigned i, unsigned ahead)
{
	packets[(i + ahead) % CHANNEL_WRITTEN].number = i + ahead;
	channel_used(packets);
	return &packets[i % CHANNEL_WRITTEN];
}

/* Every large message is made: its bytes are all its number's last. */
static inline void channel_fill(void *place, unsigned number)
{
	memset(place, (int)(number & 0xff), CHANNEL_LARGE);
}

/* One word of each line is read. 0: it was the message that was expected. */
static inline int channel_look_through(const void *place, unsigned number)
{
	const char *bytes = (const char *)place;
	uint64_t each = (number & 0xff) * UINT64_C(0x0101010101010101), sum = 0;

	for (size_t at = 0; at < CHANNEL_LARGE; at += CHANNEL_LINE) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof word);
		sum += word;
	}
	return sum != each * (CHANNEL_LARGE / CHANNEL_LINE);
}

/* 0: it is the next of its talker. */
static inline int channel_wrong(const struct channel_packet *packet, uint64_t *expected)
{
	if (packet->talker >= CHANNEL_MEMBERS)
		return 1;
	return packet->number != expected[packet->talker]++;
}

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * damaged.c - a channel whose memory holds what no call has put there.
 *
 *     damaged [--seed N] [--rounds N]
 *
 * Every word of the head, of the first seats, and of the ring's lines is written over with values
 * that hurt, one at a time, in a channel that is being used: messages are waiting, held and
 * reserved. Then every call is made, by those who are there and by those who come. It may fail,
 * with a code that has a text, or wait until its deadline; what it gives out lies in the channel,
 * and what it copies in the room for it. In the end another process scribbles all the time.
 *
 * All that is done by children. A crash, or a call that does not return, is theirs, and is said
 * with the word and the value; then the next child goes on behind it. Seed and rounds say which
 * values are tried.
 */
#include "channel/handle.h"

#include "channel/handles.h"
#include "madang/relay.h"

enum { CAPACITY = 256, ROOM = 300, SEATS = 4, HANG_S = 20, PEERS = 8 };

static const struct kind {
	const char *name;
	unsigned kind, full;
} kinds[] = {
	{ "stream", MDG_STREAM, 0 }, { "queue", MDG_QUEUE, 0 },
	{ "topic", MDG_TOPIC, MDG_FULL_WAIT },
	{ "overwrite", MDG_TOPIC, MDG_FULL_OVERWRITE }, { "call", MDG_CALL, 0 },
}, *kind;

/* Where the child is, for its parent to look at. */
static struct place {
	_Atomic uint32_t steps, done; /* calls; mutations that are behind */
	uint32_t offset, width, line; /* what was written, and the line of the call */
	uint64_t before, value;
	_Atomic uint32_t refused, broken;
} * place;

static uint64_t seed = 1, chance = 1;

static uint32_t pick(uint32_t limit)
{
	(void)unit_random(&chance);
	return unit_random(&chance) % limit;
}

/* ---- every call ------------------------------------------------------------------------- */

/* What a call may say. */
static int say(int rc, int line)
{
	atomic_fetch_add(&place->steps, 1);
	place->line = (uint32_t)line;
	if (rc < 0) {
		atomic_fetch_add(&place->refused, 1);
		if (rc == MDG_BROKEN)
			atomic_fetch_add(&place->broken, 1);
		if (!CHECK(strcmp(mdg_strerror(rc), "unknown code") != 0))
			fprintf(stderr, "%d in line %d\n", rc, line);
	}
	return rc;
}
#define SAY(said) (place->line = __LINE__, say((said), __LINE__))

static uint64_t soon(void)
{
	return mdg_deadline(20000);
}

/* It lies in the ring or in a box, and can be read. */
static void is_inside(const mdg_channel *channel, const struct mdg_message *message)
{
	static volatile unsigned char sum;
	uintptr_t from = (uintptr_t)message->data, begin = (uintptr_t)channel->ring;
	uint64_t size = channel->ring_size + channel->box_size * channel->seat_count;
	if (!CHECK(from >= begin && from - begin <= size && message->size <= size - (from - begin)))
		return;
	for (size_t i = 0; i < message->size; i++)
		sum = (unsigned char)(sum + ((const unsigned char *)message->data)[i]);
}

static void talk(mdg_channel *channel)
{
	unsigned char bytes[ROOM] = { 1 };
	struct mdg_message many[3] = { { .data = bytes, .size = 5 },
		                       { .data = bytes, .size = 60 },
		                       { .data = bytes, .size = 0 } };
	void *data = NULL;
	(void)SAY(mdg_channel_send(channel, bytes, 20, 0));
	(void)SAY(mdg_channel_send(channel, bytes, CAPACITY, soon()));
	if (SAY(mdg_channel_reserve(channel, 100, &data, 0)) == 0) {
		is_inside(channel, &(struct mdg_message){ .data = data, .size = 100 });
		memset(data, 0xff, 100);
		(void)SAY(mdg_channel_commit(channel, 30));
	}
	if (SAY(mdg_channel_reserve(channel, CAPACITY, &data, 0)) == 0)
		(void)SAY(mdg_channel_cancel(channel));
	(void)SAY(mdg_channel_send_many(channel, many, 3, 0));
	int got = SAY(mdg_channel_reserve_many(channel, many, 3, 0));
	for (int i = 0; i < got; i++) {
		is_inside(channel, &many[i]);
		memset(many[i].data, 0xa5, many[i].size);
	}
	if (got > 0)
		(void)SAY(mdg_channel_commit_many(channel, many, (unsigned)got));
}

static const struct mdg_origin far = { { 1, 2 }, 3 };

static struct mdg_relayed relayed(uint64_t number, size_t size)
{
	static unsigned char bytes[ROOM] = { 3 };
	return (struct mdg_relayed){ .data = bytes, .size = size, .origin = far, .number = number };
}

static void bridge(mdg_channel *channel)
{
	struct mdg_relayed many[3] = { relayed(5, 10), relayed(6, 70), relayed(7, 0) };
	struct mdg_position positions[MDG_POSITIONS_MAX];
	uint64_t next;
	unsigned repeats;
	CHECK(SAY(mdg_channel_relay(channel, many, 3, &repeats, 0)) <= 3);
	(void)SAY(mdg_channel_relay(channel, many, 1, NULL, soon()));
	(void)SAY(mdg_channel_position(channel, &far, &next));
	(void)SAY(mdg_channel_commit_position(channel, &far, 9));
	CHECK(SAY(mdg_channel_positions(channel, positions, MDG_POSITIONS_MAX)) <=
	      (int)MDG_POSITIONS_MAX);
	(void)SAY(mdg_channel_settled(channel, 3, soon()));
	(void)SAY(mdg_channel_forget(channel, &far));
}

static void browse(mdg_channel *channel)
{
	unsigned char bytes[ROOM + 16];
	struct mdg_message message;
	struct mdg_relayed from;
	uint64_t cursor = 0;
	memset(bytes, 0x5a, sizeof bytes);
	for (int i = 0; i < 200; i++) {
		if (SAY(mdg_channel_browse(channel, &cursor, bytes, ROOM, &message, &from)) <= 0)
			break;
		CHECK(message.size <= ROOM && from.size == message.size);
	}
	for (size_t i = ROOM; i < sizeof bytes; i++)
		CHECK(bytes[i] == 0x5a);
}

/* Copies, with bytes behind the room that have to stay. */
static void receive(mdg_channel *channel, size_t room, uint64_t deadline)
{
	unsigned char bytes[ROOM + 16];
	struct mdg_message message;
	memset(bytes, 0x5a, sizeof bytes);
	int rc = SAY(mdg_channel_recv(channel, bytes, room, &message, deadline));
	CHECK(rc <= (int)room);
	for (size_t i = room; i < sizeof bytes; i++)
		if (!CHECK(bytes[i] == 0x5a))
			return;
}

static void listen(mdg_channel *channel)
{
	unsigned char bytes[3][ROOM];
	struct mdg_message many[3];
	(void)SAY(mdg_channel_release(channel));
	receive(channel, ROOM, 0);
	receive(channel, 3, 0);
	if (SAY(mdg_channel_peek(channel, many, soon())) == 0) {
		is_inside(channel, many);
		(void)SAY(mdg_channel_release(channel));
	}
	int got = SAY(mdg_channel_peek_many(channel, many, 3, 0));
	for (int i = 0; i < got; i++) {
		struct mdg_relayed from;
		is_inside(channel, &many[i]);
		if (SAY(mdg_channel_relayed(channel, &many[i], &from)) == 0)
			CHECK(from.size == many[i].size && from.data == many[i].data);
	}
	(void)SAY(mdg_channel_release(channel));
	for (int i = 0; i < 3; i++)
		many[i] = (struct mdg_message){ .data = bytes[i], .size = ROOM };
	(void)SAY(mdg_channel_recv_many(channel, many, 3, 0));
	for (int i = 0; i < 8; i++)
		if (SAY(mdg_channel_recv(channel, bytes[0], ROOM, NULL, 0)) < 0)
			break;
}

static void ask_and_serve(mdg_channel *calls, mdg_channel *serves)
{
	unsigned char bytes[ROOM] = { 0 };
	struct mdg_message message;
	void *data = NULL;
	receive(calls, ROOM, 0);
	(void)SAY(mdg_channel_send(serves, bytes, 20, 0));
	(void)SAY(mdg_channel_send(calls, bytes, 30, soon()));
	if (SAY(mdg_channel_peek(serves, &message, 0)) == 0)
		is_inside(serves, &message);
	if (SAY(mdg_channel_reserve(serves, CAPACITY, &data, 0)) == 0) {
		is_inside(serves, &(struct mdg_message){ .data = data, .size = CAPACITY });
		memset(data, 0xff, CAPACITY);
		(void)SAY(mdg_channel_commit(serves, 40));
	}
	if (SAY(mdg_channel_peek(calls, &message, 0)) == 0) {
		is_inside(calls, &message);
		(void)SAY(mdg_channel_release(calls));
	}
	(void)SAY(mdg_channel_release(serves));
	(void)SAY(mdg_channel_call(calls, bytes, CAPACITY, bytes, ROOM, NULL, soon()));
	receive(serves, ROOM, 0);
	(void)SAY(mdg_channel_send(serves, bytes, CAPACITY, 0));
	receive(calls, ROOM, 0);
}

static void look(mdg_channel *channel)
{
	struct mdg_channel_info info = { .size = sizeof info, .name = "" };
	struct mdg_peer peers[PEERS] = { { .size = sizeof peers[0] } };
	struct mdg_peer_event event = { .size = sizeof event };
	uint32_t cursor = 0;
	if (SAY(mdg_channel_look(channel, &info)) == 0)
		CHECK(memchr(info.name, '\0', sizeof info.name) != NULL);
	CHECK(SAY(mdg_channel_peers(channel, peers, PEERS)) <= PEERS);
	for (int i = 0; i < 40; i++)
		if (SAY(mdg_channel_event(channel, &event, 0)) < 0)
			break;
	while (SAY(mdg_channel_next(ns, &cursor, &info)) == 1)
		;
}

static void use(mdg_channel *talks, mdg_channel *listens)
{
	if (kind->kind == MDG_CALL && talks != NULL && listens != NULL)
		ask_and_serve(talks, listens);
	if (talks != NULL) {
		talk(talks);
		look(talks);
		bridge(talks);
		browse(talks);
	}
	if (listens != NULL) {
		(void)SAY(mdg_channel_fd(listens));
		listen(listens);
	}
}

/* ---- a channel in use ------------------------------------------------------------------- */

static mdg_channel *try_open(unsigned role, unsigned flags)
{
	struct mdg_channel_options options = {
		.size = sizeof options, .flags = flags, .from = pick(4), .number = pick(5)
	};
	mdg_channel *channel = NULL;
	(void)SAY(mdg_channel_open(&channel, ns, "damaged", role, &options));
	return channel;
}

static struct pair open_both(void)
{
	struct mdg_channel_options options = options_of(kind->kind, CAPACITY);
	options.full = kind->full;
	options.peers = PEERS;
	struct pair pair = { enter_as("damaged", MDG_TALKER, &options), NULL };
	pair.listener = enter_as("damaged", MDG_LISTENER, &options);
	return pair;
}

/* Something waits; every second time something is held and reserved. */
static void prepare(struct pair pair, unsigned round)
{
	unsigned char bytes[ROOM] = { 0 };
	struct mdg_message message;
	for (unsigned i = round % 5; i > 0; i--) {
		CHECK_RC(0, mdg_channel_send(pair.talker, bytes, 90, 0));
		CHECK_RC(90, mdg_channel_recv(pair.listener, bytes, ROOM, NULL, 0));
		if (kind->kind == MDG_CALL) {
			CHECK_RC(0, mdg_channel_send(pair.listener, bytes, 10, 0));
			CHECK_RC(10, mdg_channel_recv(pair.talker, bytes, ROOM, NULL, 0));
		}
	}
	CHECK_RC(0, mdg_channel_send(pair.talker, bytes, 30, 0));
	if (round % 2 == 0)
		CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
	if (kind->kind == MDG_CALL)
		return;
	CHECK_RC(0, mdg_channel_send(pair.talker, bytes, 10, 0));
	struct mdg_relayed brought = relayed(4, 50);
	CHECK_RC(1, mdg_channel_relay(pair.talker, &brought, 1, NULL, 0));
	if (round / 2 % 2 == 0)
		CHECK_RC(0, mdg_channel_reserve(pair.talker, 40, &(void *){ NULL }, 0));
}

static void end_of(struct pair pair)
{
	mdg_id id = pair.talker->id;
	atomic_fetch_add(&place->steps, 1);
	mdg_channel_close(pair.listener);
	mdg_channel_close(pair.talker);
	if (SAY(mdg_channel_remove(ns, "damaged")) < 0)
		CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* By those who were there, and two who come. */
static void use_it(struct pair pair)
{
	if (pick(2) == 0 && kind->kind != MDG_CALL)
		(void)SAY(mdg_channel_commit(pair.talker, 10));
	use(pair.talker, pair.listener);
	mdg_channel *talks = try_open(MDG_TALKER, 0);
	mdg_channel *listens = try_open(MDG_LISTENER, MDG_CHANNEL_EXISTING);
	mdg_channel *looks = try_open(MDG_OBSERVER, MDG_CHANNEL_EXISTING);
	use(talks, listens);
	if (looks != NULL)
		look(looks);
	mdg_channel_close(looks);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
}

/* ---- what is written -------------------------------------------------------------------- */

/* Words of 4 bytes that are tried: the head, some seats, the first 16 bytes of each line of the
 * ring, and of the boxes of these seats. */
static uint32_t head_words(void)
{
	return (uint32_t)sizeof(struct mdg__channel_head) / 4;
}

static uint32_t seat_words(void)
{
	return SEATS * (uint32_t)sizeof(struct mdg__seat) / 4;
}

static uint32_t ring_words(const mdg_channel *channel)
{
	return (uint32_t)(channel->ring_size / 4);
}

static uint32_t word_count(const mdg_channel *channel)
{
	return head_words() + seat_words() + ring_words(channel) +
	       (channel->box_size != 0 ? SEATS * 4 : 0);
}

static uint32_t offset_of(const mdg_channel *channel, uint32_t number)
{
	if (number < head_words() + seat_words())
		return number * 4;
	number -= head_words() + seat_words();
	uint32_t ring = (uint32_t)(channel->ring - (unsigned char *)channel->head);
	if (number < ring_words(channel))
		return ring + number * 4;
	number -= ring_words(channel);
	return ring + (uint32_t)(channel->ring_size + number / 4 * channel->box_size) +
	       number % 4 * 4;
}

static uint64_t value_for(const mdg_channel *channel, uint64_t old)
{
	const uint64_t values[] = { 0,
		                    1,
		                    2,
		                    3,
		                    63,
		                    64,
		                    65,
		                    0xff,
		                    0x10001,
		                    INT32_MAX,
		                    UINT64_C(1) << 31,
		                    UINT32_MAX,
		                    INT64_MAX,
		                    UINT64_C(1) << 63,
		                    UINT64_MAX,
		                    UINT64_MAX - 63,
		                    UINT64_C(1) << 32,
		                    channel->ring_size };
	switch (pick(10)) {
	case 0:
		return old + 1;
	case 1:
		return old - 1;
	case 2:
		return old + 16 * (1 + pick(8));
	case 3:
		return old - 16 * (1 + pick(8));
	case 4:
		return old + channel->ring_size;
	case 5:
		return old - channel->ring_size;
	case 6:
		return old ^ UINT64_C(1) << pick(64);
	case 7:
		return (uint64_t)pick(UINT32_MAX) << 32 | pick(UINT32_MAX);
	default:
		return values[pick(sizeof values / sizeof values[0])];
	}
}

/* What a mutation puts into the word at `at`; `other` if it does not concern it. */
static uint32_t half_of(size_t at, uint32_t offset, bool wide, uint64_t value, uint32_t other)
{
	if (offset == at)
		return (uint32_t)value;
	return wide && offset + 4 == at ? (uint32_t)(value >> 32) : other;
}

/* Two values make a living process look busy. If it seems to hold the seats' lock, a process that
 * closes waits for it for ever. If it seems to be making the channel, a process that opens waits
 * for a second. Any process that shares the memory can do this. The test leaves such values out,
 * because it would take too long. */
static bool makes_wait(const mdg_channel *channel, uint32_t offset, bool wide, uint64_t value)
{
	size_t lock = offsetof(struct mdg__channel_head, seat_lock);
	size_t ready = offsetof(struct mdg__channel_head, ready);
	return half_of(lock, offset, wide, value, 0) == channel->me ||
	       half_of(ready, offset, wide, value, 1) == 0;
}

static void write_over(mdg_channel *channel, uint32_t number)
{
	unsigned char *memory = (unsigned char *)channel->head;
	uint32_t offset = offset_of(channel, number);
	bool wide = offset % 8 == 0 && pick(2) == 0;
	uint64_t old = wide ? atomic_load((mdg__c64 *)(void *)(memory + offset))
	                    : atomic_load((mdg__c32 *)(void *)(memory + offset));
	uint64_t value = value_for(channel, old);
	if (makes_wait(channel, offset, wide, value))
		value = UINT64_MAX;
	place->offset = offset;
	place->width = wide ? 8 : 4;
	place->before = old;
	place->value = wide ? value : (uint32_t)value;
	if (wide)
		atomic_store((mdg__c64 *)(void *)(memory + offset), value);
	else
		atomic_store((mdg__c32 *)(void *)(memory + offset), (uint32_t)value);
}

/* ---- one after the other ---------------------------------------------------------------- */

static uint32_t rounds = SLOWLY ? 1 : 2;

/* From the mutation `done` on. */
static void mutate(void *argument)
{
	uint32_t words = 1;
	(void)argument;
	for (;;) {
		uint32_t number = atomic_load(&place->done);
		chance = ((seed << 32 ^ number) * UINT64_C(0x9e3779b97f4a7c15) ^ kind->kind << 8 ^
		          kind->full) |
		         1;
		struct pair pair = open_both();
		words = word_count(pair.talker);
		if (number < words * rounds) {
			prepare(pair, number);
			write_over(pair.talker, number % words);
			use_it(pair);
		}
		end_of(pair);
		if (number >= words * rounds || check_failures != 0)
			break;
		atomic_fetch_add(&place->done, 1);
	}
}

/* A message at each place of the ring that says it is longer. */
static void lengths(void *unused)
{
	static const uint32_t sizes[] = { 25,
		                          32,
		                          33,
		                          48,
		                          49,
		                          63,
		                          64,
		                          65,
		                          112,
		                          200,
		                          CAPACITY - 1,
		                          CAPACITY,
		                          CAPACITY + 1,
		                          CAPACITY + 64,
		                          768,
		                          816,
		                          832,
		                          1000,
		                          INT32_MAX,
		                          UINT32_MAX - 79,
		                          UINT32_MAX - 16,
		                          UINT32_MAX };
	enum { COUNT = sizeof sizes / sizeof sizes[0], PLACES = 18 };
	uint32_t front = kind->kind == MDG_CALL ? sizeof(struct mdg__request) : 0;
	struct pair pair = open_both();
	(void)unused;
	for (unsigned i = 0; i < PLACES * COUNT && check_failures == 0; i++) {
		struct mdg_message message;
		uint64_t word = 0;
		CHECK_RC(0, mdg_channel_send(pair.talker, &word, sizeof word, 0));
		uint64_t position = atomic_load(&pair.talker->head->tail) - (32 + front);
		uint64_t offset = position % pair.talker->ring_size;
		struct mdg__record *record = (void *)(pair.talker->ring + offset);
		uint32_t size = atomic_load(&record->size);
		if (!CHECK(size == sizeof word + front))
			break;
		place->offset = (uint32_t)offset + 4;
		place->value = sizes[i % COUNT];
		atomic_store(&record->size, sizes[i % COUNT]);
		if (SAY(mdg_channel_peek(pair.listener, &message, 0)) == 0) {
			is_inside(pair.listener, &message);
			atomic_store(&record->size, size);
		} else {
			atomic_store(&record->size, size);
			if (!CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0)))
				break;
		}
		(void)SAY(mdg_channel_release(pair.listener));
		if (kind->kind == MDG_CALL)
			(void)SAY(mdg_channel_recv(pair.talker, NULL, 0, NULL, 0));
		/* It may have gone as far as it believed: both begin anew. */
		end_of(pair);
		pair = open_both();
		for (unsigned j = 0; j <= i / COUNT; j++) {
			CHECK_RC(0, mdg_channel_send(pair.talker, &word, sizeof word, 0));
			CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
			CHECK_RC(0, mdg_channel_release(pair.listener));
			if (kind->kind == MDG_CALL)
				CHECK_RC(-ECANCELED,
				         mdg_channel_recv(pair.talker, NULL, 0, NULL, 0));
		}
	}
	end_of(pair);
}

static void say_where(const char *what)
{
	fprintf(stderr,
	        "%s: %s, in line %u after mutation %u: %u bytes at %u, %#llx became %#llx\n",
	        kind->name, what, place->line, atomic_load(&place->done), place->width,
	        place->offset, (unsigned long long)place->before, (unsigned long long)place->value);
}

/* Whether it comes to its end; a pause of no calls at all is a hang. */
static bool is_watched(pid_t pid)
{
	uint32_t steps = 0;
	uint64_t end = 0;
	for (;;) {
		int status;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (status != 0)
				say_where(WIFSIGNALED(status) ? "killed by a signal" : "failed");
			return CHECK(status == 0);
		}
		uint32_t now = atomic_load(&place->steps);
		if (now != steps || end == 0)
			end = mdg_deadline(HANG_S * UINT64_C(1000000000));
		steps = now;
		if (now_ns() > end) {
			say_where("hangs");
			killed(pid);
			return CHECK(false);
		}
		nap_ms(1);
	}
}

static void one_by_one(void)
{
	unsigned failures = 0;
	atomic_store(&place->done, 0);
	while (!is_watched(start(mutate, NULL)) && ++failures < 5) {
		atomic_fetch_add(&place->done, 1);
		mdg_id id; /* what it left */
		if (mdg_segment_open(ns, "damaged", 0, 0, &id) == 0)
			(void)mdg_segment_remove(ns, id);
	}
}

/* ---- all the time ----------------------------------------------------------------------- */

static void scribble(void *argument)
{
	struct mdg_channel *looks = enter("damaged", MDG_OBSERVER, 0, 0);
	(void)argument;
	for (;;) {
		write_over(looks, pick(word_count(looks)));
		pause_us(pick(30));
	}
}

static void use_meanwhile(void *argument)
{
	enum { TIMES = SLOWLY ? 20 : 60 };
	(void)argument;
	for (unsigned i = 0; i < TIMES && check_failures == 0; i++) {
		mdg_channel *talks = try_open(MDG_TALKER, MDG_CHANNEL_EXISTING);
		mdg_channel *listens = try_open(MDG_LISTENER, MDG_CHANNEL_EXISTING);
		use(talks, listens);
		use(talks, listens);
		mdg_channel_close(talks);
		mdg_channel_close(listens);
	}
}

/* The part of the head that bounds the memory is put right before a process opens the channel.
 * Otherwise no process could open it. */
static void all_the_time(void)
{
	struct pair pair = open_both();
	struct mdg__channel_head head = { 0 };
	memcpy(&head, pair.talker->head, 128);
	pid_t scribbles = start(scribble, NULL), uses = start(use_meanwhile, NULL);
	int status;
	uint32_t steps = 0;
	uint64_t end = mdg_deadline(HANG_S * UINT64_C(1000000000));
	while (waitpid(uses, &status, WNOHANG) == 0) {
		memcpy(pair.talker->head, &head, 128);
		atomic_store(&pair.talker->head->seat_lock, 0);
		if (atomic_load(&place->steps) != steps)
			end = mdg_deadline(HANG_S * UINT64_C(1000000000));
		steps = atomic_load(&place->steps);
		if (!CHECK(now_ns() < end)) {
			say_where("hangs while another scribbles");
			killed(uses);
			break;
		}
		nap_ms(1);
	}
	if (!CHECK(status == 0))
		say_where("while another scribbles");
	killed(scribbles);
	memcpy(pair.talker->head, &head, 128);
	atomic_store(&pair.talker->head->seat_lock, 0);
	end_of(pair);
}

static int pass_over(const struct mdg_finding *finding, void *context)
{
	*(int *)context += finding->repaired != 0;
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = (uint32_t)strtoul(argv[i + 1], NULL, 10);
	}
	place = shared_memory(sizeof *place);
	open_namespace();
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		uint64_t began = now_ns();
		kind = &kinds[i];
		(void)is_watched(start(lengths, NULL));
		one_by_one();
		unsigned mutations = atomic_load(&place->done);
		all_the_time();
		printf("%-9s seed %llu: %u mutations, %u calls, %u refused, %u of them MDG_BROKEN, "
		       "%u ms\n",
		       kind->name, (unsigned long long)seed, mutations, atomic_load(&place->steps),
		       atomic_load(&place->refused), atomic_load(&place->broken),
		       (unsigned)((now_ns() - began) / 1000000));
		fflush(stdout);
	}
	/* A pipe may be left where a seat was overwritten. The check finds it and removes it. */
	int mended = 0;
	CHECK(mdg_namespace_check(ns, MDG_CHECK_REPAIR, pass_over, &mended) >= 0);
	CHECK(unit_is_sound(ns));
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * relay.c - what a bridge puts into a channel, and how far it has come: positions, repeats, origins
 * of messages, looking at what lies there, and waiting until it is done with.
 */
#include "channel/handle.h"
#include "channel/handles.h"
#include "madang/relay.h"

enum { CAPACITY = 4096, SIZE = 40 };

static const struct mdg_origin far = { { 11, 22 }, 33 }, other = { { 11, 22 }, 34 };

static struct mdg_relayed relayed(uint64_t number, size_t size, const struct mdg_origin *origin)
{
	static unsigned char bytes[8][CAPACITY];
	static unsigned turn;
	unsigned char *data = bytes[turn++ % 8];
	fill(data, size, number);
	return (struct mdg_relayed){
		.data = data, .size = size, .origin = *origin, .number = number
	};
}

static int relays(mdg_channel *talker, uint64_t number, size_t size)
{
	struct mdg_relayed message = relayed(number, size, &far);
	return mdg_channel_relay(talker, &message, 1, NULL, 0);
}

static void position_is(mdg_channel *channel, const struct mdg_origin *origin, uint64_t wanted)
{
	uint64_t next = 0;
	if (wanted == 0) {
		CHECK_RC(-ENOENT, mdg_channel_position(channel, origin, &next));
		return;
	}
	CHECK_RC(0, mdg_channel_position(channel, origin, &next));
	CHECK(next == wanted);
}

/* A message is held that was relayed so. */
static void holds(mdg_channel *listener, size_t size, uint64_t number, uint32_t flags)
{
	struct mdg_message message;
	struct mdg_relayed from;
	CHECK_RC(0, mdg_channel_peek(listener, &message, GRACE));
	CHECK(message.size == size && message.flags == (MDG_RELAYED | flags));
	CHECK(is_filled(message.data, size, number));
	CHECK_RC(0, mdg_channel_relayed(listener, &message, &from));
	CHECK(from.number == number && from.size == size && from.data == message.data);
	CHECK(memcmp(&from.origin, &far, sizeof far) == 0);
	CHECK((from.flags & MDG_REDELIVERED) == flags);
}

/* In order, each once, whatever is sent again; between messages that are nobody's. */
static void repeats(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	struct mdg_relayed many[5];
	unsigned dropped = 77;
	position_is(pair.talker, &far, 0);
	CHECK_RC(1, relays(pair.talker, 5, SIZE));
	position_is(pair.listener, &far, 6);
	position_is(pair.talker, &other, 0);
	holds(pair.listener, SIZE, 5, 0);
	CHECK_RC(0, mdg_channel_release(pair.listener));
	for (unsigned i = 0; i < 5; i++)
		many[i] = relayed(4 + i, SIZE + i * 200, &far);
	if (kind == MDG_QUEUE) { /* it may have come back */
		CHECK_RC(1, relays(pair.talker, 3, SIZE));
		hears_with(pair.listener, SIZE, 3, MDG_RELAYED);
		position_is(pair.talker, &far, 6);
		CHECK_RC(3, mdg_channel_relay(pair.talker, many + 2, 3, &dropped, 0));
		CHECK(dropped == 0);
	} else {
		CHECK_RC(1, mdg_channel_relay(pair.talker, many, 1, &dropped, 0));
		CHECK(dropped == 1);
		CHECK_RC(5, mdg_channel_relay(pair.talker, many, 5, &dropped, 0));
		CHECK(dropped == 2);
	}
	CHECK_RC(0, says(pair.talker, SIZE, 99, 0));
	position_is(pair.talker, &far, 9);
	for (unsigned i = 2; i < 5; i++)
		hears_with(pair.listener, SIZE + i * 200, 4 + i, MDG_RELAYED);
	hears(pair.listener, SIZE, 99);
	hears_nothing(pair.listener);
	end_pair(pair);
}

/* Through many laps of the ring, of all sizes; the largest too. */
static void laps(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	for (uint64_t i = 0; i < 3000; i++) {
		size_t size = i % 7 == 0 ? CAPACITY : (size_t)(i * 37 % 700);
		CHECK_RC(1, relays(pair.talker, i, size));
		if (i % 3 == 0) {
			hears_with(pair.listener, size, i, MDG_RELAYED);
			continue;
		}
		holds(pair.listener, size, i, 0);
		CHECK_RC(0, mdg_channel_release(pair.listener));
	}
	position_is(pair.talker, &far, 3000);
	CHECK_RC(-EMSGSIZE, relays(pair.talker, 3000, CAPACITY + 1));
	position_is(pair.talker, &far, 3000);
	end_pair(pair);
}

/* Many in one call; the receiver's room is too small for one of them. */
static void batches(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	unsigned char room[6][SIZE];
	struct mdg_relayed many[6];
	struct mdg_message got[6];
	for (unsigned i = 0; i < 6; i++) {
		many[i] = relayed(i, i == 4 ? SIZE + 1 : SIZE, &far);
		many[i].flags = i == 1 ? MDG_REDELIVERED : 0;
		got[i] = (struct mdg_message){ .data = room[i], .size = SIZE };
	}
	CHECK_RC(6, mdg_channel_relay(pair.talker, many, 6, NULL, 0));
	CHECK_RC(4, mdg_channel_recv_many(pair.listener, got, 6, 0));
	for (unsigned i = 0; i < 4; i++)
		CHECK(got[i].flags == (MDG_RELAYED | (i == 1 ? MDG_REDELIVERED : 0)) &&
		      is_filled(room[i], SIZE, i));
	hears_with(pair.listener, SIZE + 1, 4, MDG_RELAYED);
	hears_with(pair.listener, SIZE, 5, MDG_RELAYED);
	CHECK_RC(-EAGAIN, mdg_channel_recv_many(pair.listener, got, 6, 0));
	end_pair(pair);
}

/* What a full channel takes is told, and the position is that of what it took. */
static void full(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	struct mdg_relayed many[8];
	for (unsigned i = 0; i < 8; i++)
		many[i] = relayed(i, 2000, &far);
	int rc = mdg_channel_relay(pair.talker, many, 8, NULL, 0);
	CHECK(rc > 0 && rc < 8);
	position_is(pair.talker, &far, (uint64_t)rc);
	CHECK_RC(-EAGAIN, relays(pair.talker, 100, 2000));
	CHECK_RC(-ETIMEDOUT,
	         mdg_channel_relay(pair.talker, many + rc, 1, NULL, mdg_deadline(20000000)));
	position_is(pair.talker, &far, (uint64_t)rc);
	end_pair(pair);
}

static void positions(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	struct mdg_position all[MDG_POSITIONS_MAX + 1];
	mdg_channel *looks = enter("pair", MDG_OBSERVER, 0, 0);
	for (uint64_t i = 0; i < MDG_POSITIONS_MAX; i++) {
		struct mdg_origin origin = { { i, 7 }, 8 };
		CHECK_RC(0, mdg_channel_commit_position(pair.talker, &origin, i + 1));
		CHECK_RC(0, mdg_channel_commit_position(pair.talker, &origin, i + 1));
		CHECK_RC(i == 0 ? 0 : -EINVAL,
		         mdg_channel_commit_position(pair.talker, &origin, i == 0 ? 1 : i));
	}
	CHECK_RC(-ENOSPC, mdg_channel_commit_position(pair.talker, &far, 1));
	CHECK_RC(-ENOSPC, relays(pair.talker, 1, SIZE));
	hears_nothing(pair.listener);
	CHECK_RC(MDG_POSITIONS_MAX, mdg_channel_positions(looks, NULL, 0));
	CHECK_RC(MDG_POSITIONS_MAX, mdg_channel_positions(looks, all, MDG_POSITIONS_MAX + 1));
	for (uint64_t i = 0; i < MDG_POSITIONS_MAX; i++)
		CHECK(all[i].next == all[i].origin.identity[0] + 1 && all[i].origin.epoch == 8 &&
		      all[i].when > 1000000);
	CHECK_RC(-ENOENT, mdg_channel_forget(pair.talker, &far));
	CHECK_RC(0, mdg_channel_forget(pair.talker, &all[5].origin));
	CHECK_RC(-ENOENT, mdg_channel_forget(pair.talker, &all[5].origin));
	position_is(pair.listener, &all[5].origin, 0);
	CHECK_RC(1, relays(pair.talker, 1, SIZE));
	hears_with(pair.listener, SIZE, 1, MDG_RELAYED);
	position_is(looks, &far, 2);
	CHECK_RC(kind == MDG_STREAM ? -EPERM : 0,
	         mdg_channel_commit_position(pair.listener, &far, 9));
	CHECK_RC(kind == MDG_STREAM ? -EPERM : 0, mdg_channel_forget(looks, &all[6].origin));
	mdg_channel_close(looks);
	end_pair(pair);
}

static void wrong_use(void)
{
	struct pair pair = make_pair(MDG_STREAM, CAPACITY);
	mdg_channel *calls = talker_of("calls", MDG_CALL, CAPACITY);
	struct mdg_relayed two[2] = { relayed(2, SIZE, &far), relayed(2, SIZE, &far) };
	struct mdg_message message = { 0 };
	uint64_t cursor = 0;
	CHECK_RC(-EINVAL, mdg_channel_relay(pair.talker, two, 0, NULL, 0));
	CHECK_RC(-EINVAL, mdg_channel_relay(pair.talker, two, 2, NULL, 0));
	two[1].number = 3;
	two[1].origin = other;
	CHECK_RC(-EINVAL, mdg_channel_relay(pair.talker, two, 2, NULL, 0));
	two[0].flags = 2;
	CHECK_RC(-EINVAL, mdg_channel_relay(pair.talker, two, 1, NULL, 0));
	two[0].flags = 0;
	CHECK_RC(-EPERM, mdg_channel_relay(pair.listener, two, 1, NULL, 0));
	CHECK_RC(-EPERM, mdg_channel_relay(calls, two, 1, NULL, 0));
	CHECK_RC(-EPERM, mdg_channel_settled(calls, 1, 0));
	CHECK_RC(-EPERM, mdg_channel_browse(calls, &cursor, NULL, 0, NULL, NULL));
	CHECK_RC(0, mdg_channel_reserve(pair.talker, 8, &message.data, 0));
	CHECK_RC(-EBUSY, mdg_channel_relay(pair.talker, two, 1, NULL, 0));
	CHECK_RC(0, mdg_channel_cancel(pair.talker));
	CHECK_RC(0, says(pair.talker, SIZE, 1, 0));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
	CHECK_RC(-EINVAL, mdg_channel_relayed(pair.listener, &message, two));
	mdg_channel_close(calls);
	remove_channel("calls");
	end_pair(pair);
}

/* A listener that dies with a message gives it to the next one, with its tag. */
static void hold_and_wait(void *kind)
{
	mdg_channel *listener = listener_of("pair", *(unsigned *)kind, 0);
	holds(listener, SIZE, 1, 0);
	die();
}

static void redelivered(unsigned kind)
{
	struct pair pair = { talker_of("pair", kind, CAPACITY), NULL };
	CHECK_RC(1, relays(pair.talker, 1, SIZE));
	(void)ended(start(hold_and_wait, &kind));
	pair.listener = listener_of("pair", kind, CAPACITY);
	holds(pair.listener, SIZE, 1, MDG_REDELIVERED);
	end_pair(pair);
}

/* ---- looking ---------------------------------------------------------------------------- */

static unsigned browsed(mdg_channel *channel, uint64_t *numbers)
{
	unsigned char bytes[CAPACITY];
	struct mdg_message message;
	struct mdg_relayed from;
	uint64_t cursor = 0;
	unsigned count = 0;
	int rc;
	while ((rc = mdg_channel_browse(channel, &cursor, bytes, CAPACITY, &message, &from)) > 0) {
		bool tagged = (message.flags & MDG_RELAYED) != 0;
		CHECK(is_filled(bytes, message.size, tagged ? from.number : 50));
		numbers[count++] = tagged ? from.number : 50;
	}
	CHECK_RC(0, rc);
	return count;
}

static void browse(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	mdg_channel *looks = enter("pair", MDG_OBSERVER, 0, 0);
	mdg_channel *eye = kind == MDG_STREAM ? pair.talker : looks;
	struct mdg_message message;
	uint64_t cursor = 0, numbers[16];
	bool keeps = kind == MDG_TOPIC;
	CHECK(browsed(eye, numbers) == 0);
	CHECK_RC(1, relays(pair.talker, 1, SIZE));
	CHECK_RC(0, says(pair.talker, SIZE, 50, 0));
	CHECK_RC(1, relays(pair.talker, 3, 500));
	CHECK(browsed(eye, numbers) == 3 && numbers[0] == 1 && numbers[1] == 50 && numbers[2] == 3);
	CHECK(browsed(pair.listener, numbers) == 3);
	CHECK_RC(1, mdg_channel_browse(eye, &cursor, NULL, 0, &message, NULL));
	CHECK_RC(1, mdg_channel_browse(eye, &cursor, NULL, 0, &message, NULL));
	CHECK_RC(-EMSGSIZE, mdg_channel_browse(eye, &cursor, numbers, 8, &message, NULL));
	CHECK(message.size == 500);
	CHECK_RC(1, mdg_channel_browse(eye, &cursor, NULL, 0, NULL, NULL));
	CHECK_RC(0, mdg_channel_browse(eye, &cursor, NULL, 0, NULL, NULL));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
	CHECK(browsed(eye, numbers) == 3); /* held is not released */
	CHECK_RC(0, mdg_channel_release(pair.listener));
	CHECK(browsed(eye, numbers) == (keeps ? 3 : 2));
	if (kind == MDG_STREAM)
		CHECK_RC(-EPERM, mdg_channel_browse(looks, &cursor, NULL, 0, NULL, NULL));
	mdg_channel_close(looks);
	end_pair(pair);
}

/* Of a queue: what one holds behind what another has released. */
static void browse_holes(void)
{
	struct pair pair = make_pair(MDG_QUEUE, CAPACITY);
	mdg_channel *second = listener_of("pair", MDG_QUEUE, 0);
	struct mdg_message message;
	uint64_t numbers[16];
	for (unsigned i = 1; i <= 3; i++)
		CHECK_RC(1, relays(pair.talker, i, SIZE));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
	CHECK_RC(0, mdg_channel_peek(second, &message, 0));
	CHECK_RC(0, mdg_channel_release(second));
	CHECK(browsed(pair.talker, numbers) == 2 && numbers[0] == 1 && numbers[1] == 3);
	mdg_channel_close(pair.listener); /* an orphan's hold counts as well */
	CHECK(browsed(pair.talker, numbers) == 2 && numbers[0] == 1 && numbers[1] == 3);
	pair.listener = second;
	holds(second, SIZE, 1, MDG_REDELIVERED);
	end_pair(pair);
}

/* ---- settled ---------------------------------------------------------------------------- */

static void settled(unsigned kind)
{
	struct pair pair = make_pair(kind, CAPACITY);
	struct mdg_message message;
	uint64_t next = 77;
	CHECK_RC(0, mdg_channel_relayed_next(pair.talker, &next));
	CHECK(next == 0);
	CHECK_RC(0, mdg_channel_settled(pair.talker, 0, 0));
	CHECK_RC(1, relays(pair.talker, 1, SIZE));
	CHECK_RC(0, mdg_channel_relayed_next(pair.talker, &next));
	CHECK(next == 1);
	CHECK_RC(0, says(pair.talker, SIZE, 50, 0));
	CHECK_RC(-EAGAIN, mdg_channel_settled(pair.talker, 1, 0));
	CHECK_RC(0, mdg_channel_peek(pair.listener, &message, 0));
	CHECK_RC(-EAGAIN, mdg_channel_settled(pair.talker, 1, 0));
	CHECK_RC(-ETIMEDOUT, mdg_channel_settled(pair.talker, 1, mdg_deadline(30000000)));
	CHECK_RC(0, mdg_channel_release(pair.listener));
	CHECK_RC(0, mdg_channel_settled(pair.talker, 1, 0));
	CHECK_RC(-EAGAIN, mdg_channel_settled(pair.talker, 2, 0));
	hears(pair.listener, SIZE, 50);
	CHECK_RC(0, mdg_channel_settled(pair.talker, 2, 0));
	end_pair(pair);
}

/* One that died with the message has not settled it. */
static void unsettled_by_death(void)
{
	unsigned kind = MDG_QUEUE;
	mdg_channel *talker = talker_of("pair", MDG_QUEUE, CAPACITY);
	CHECK_RC(1, relays(talker, 1, SIZE));
	(void)ended(start(hold_and_wait, &kind));
	CHECK_RC(-ETIMEDOUT, mdg_channel_settled(talker, 1, mdg_deadline(100000000)));
	mdg_channel *listener = listener_of("pair", MDG_QUEUE, 0);
	holds(listener, SIZE, 1, MDG_REDELIVERED);
	CHECK_RC(0, mdg_channel_release(listener));
	CHECK_RC(0, mdg_channel_settled(talker, 1, GRACE));
	end_pair((struct pair){ talker, listener });
}

/* ---- beginning at a number -------------------------------------------------------------- */

static mdg_channel *listener_from(uint64_t number)
{
	struct mdg_channel_options options = { .size = sizeof options,
		                               .from = MDG_FROM_NUMBER,
		                               .number = number };
	return enter_as("pair", MDG_LISTENER, &options);
}

static void from_number(unsigned full_policy)
{
	struct mdg_channel_options options = options_of(MDG_TOPIC, CAPACITY);
	struct mdg_message message;
	options.full = full_policy;
	mdg_channel *talker = enter_as("pair", MDG_TALKER, &options);
	for (unsigned i = 0; i < 5; i++)
		CHECK_RC(0, says(talker, SIZE, i, 0));
	for (unsigned i = 0; i <= 6; i++) {
		mdg_channel *listener = listener_from(i);
		for (unsigned k = i; k < 5; k++)
			hears(listener, SIZE, k);
		hears_nothing(listener);
		mdg_channel_close(listener);
	}
	for (unsigned i = 5; i < 1000; i++)
		CHECK_RC(0, says(talker, SIZE, i, 0));
	mdg_channel *listener = listener_from(3);
	CHECK_RC(0, mdg_channel_peek(listener, &message, 0));
	CHECK(message.sequence > 800 && message.missed == message.sequence - 3);
	uint64_t next = message.sequence + 1;
	CHECK_RC(0, mdg_channel_release(listener));
	CHECK_RC(0, mdg_channel_peek(listener, &message, 0));
	CHECK(message.sequence == next && message.missed == 0);
	end_pair((struct pair){ talker, listener });
}

/* A topic of which two talkers relay, and both drop what the other one has brought. */
static void two_bridges(void)
{
	struct pair pair = make_pair(MDG_TOPIC, CAPACITY);
	mdg_channel *second = talker_of("pair", MDG_TOPIC, 0);
	for (unsigned i = 0; i < 100; i++) {
		CHECK_RC(1, relays(i % 3 == 0 ? pair.talker : second, i, SIZE));
		CHECK_RC(1, relays(i % 3 == 0 ? second : pair.talker, i, SIZE));
		hears_with(pair.listener, SIZE, i, MDG_RELAYED);
	}
	hears_nothing(pair.listener);
	mdg_channel_close(second);
	end_pair(pair);
}

/* A channel of an earlier format is refused. */
static void old_format(void)
{
	mdg_channel *channel = talker_of("pair", MDG_STREAM, CAPACITY), *late = NULL;
	atomic_store(&channel->head->format, 5);
	CHECK_RC(MDG_VERSION_UNLIKE, mdg_channel_open(&late, ns, "pair", MDG_LISTENER, NULL));
	atomic_store(&channel->head->format, MDG__CHANNEL_FORMAT);
	mdg_channel_close(channel);
	remove_channel("pair");
}

/* Two bridges bring the same at one time, one of them in batches. Each message comes once, in
 * order. */
enum { RACED = SLOWLY ? 500 : 5000 };

static void bring_all(void *batch)
{
	mdg_channel *talker = talker_of("race", MDG_TOPIC, 0);
	struct mdg_relayed many[8];
	unsigned most = *(unsigned *)batch;
	for (uint64_t i = 0; i < RACED;) {
		unsigned count = RACED - i < most ? (unsigned)(RACED - i) : most;
		for (unsigned k = 0; k < count; k++)
			many[k] = relayed(i + k, SIZE, &far);
		int rc = mdg_channel_relay(talker, many, count, NULL, GRACE);
		if (!CHECK(rc > 0))
			break;
		i += (unsigned)rc;
	}
	mdg_channel_close(talker);
}

static void race(void)
{
	unsigned one = 1, five = 5;
	mdg_channel *listener = listener_of("race", MDG_TOPIC, CAPACITY);
	pid_t first = start(bring_all, &one), second = start(bring_all, &five);
	for (uint64_t i = 0; i < RACED; i++)
		if (!hears_with(listener, SIZE, i, MDG_RELAYED))
			break;
	CHECK(ended_well(first));
	CHECK(ended_well(second));
	hears_nothing(listener);
	mdg_channel_close(listener);
	remove_channel("race");
}

/* ---- damage ----------------------------------------------------------------------------- */

/* A note that names no entry is let go, and writes nowhere. */
static void damaged_note(void)
{
	static const uint32_t entries[] = { MDG__ORIGINS + 1, 1000000, UINT32_MAX };
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		mdg_channel *talker = talker_of("pair", MDG_STREAM, CAPACITY);
		mdg_channel *looks = enter("pair", MDG_OBSERVER, 0, 0);
		unsigned char seats[4 * sizeof(struct mdg__seat)];
		CHECK_RC(1, relays(talker, 1, SIZE));
		mdg_channel_close(talker);
		memcpy(seats, looks->seats, sizeof seats);
		atomic_store(&looks->head->redo_at, 0);
		atomic_store(&looks->head->redo_next, 77);
		atomic_store(&looks->head->redo_entry1, entries[i]);
		talker = talker_of("pair", MDG_STREAM, CAPACITY);
		CHECK(atomic_load(&looks->head->redo_entry1) == 0);
		const unsigned char *others = (const void *)(looks->seats + 1);
		CHECK(memcmp(seats + sizeof(struct mdg__seat), others,
		             sizeof seats - sizeof(struct mdg__seat)) == 0);
		CHECK(atomic_load(&looks->seats[0].count) == 0);
		position_is(talker, &far, 2);
		CHECK_RC(1, relays(talker, 2, SIZE));
		mdg_channel_close(talker);
		mdg_channel_close(looks);
		remove_channel("pair");
	}
}

/* A tag that the record has no room for. */
static void damaged_tag(unsigned kind)
{
	static const uint32_t sizes[] = { 0, 1, MDG__TAG - 1, CAPACITY + MDG__TAG + 1, UINT32_MAX };
	struct mdg_message message;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct pair pair = make_pair(kind, CAPACITY);
		uint64_t cursor = 0;
		CHECK_RC(1, relays(pair.talker, 1, SIZE));
		struct mdg__record *record = (void *)pair.talker->ring;
		CHECK(atomic_load(&record->size) == SIZE + MDG__TAG);
		atomic_store(&record->size, sizes[i]);
		CHECK_RC(MDG_BROKEN, mdg_channel_peek(pair.listener, &message, 0));
		CHECK_RC(MDG_BROKEN,
		         mdg_channel_browse(pair.talker, &cursor, NULL, 0, &message, NULL));
		end_pair(pair);
	}
}

int main(void)
{
	open_namespace();
	for (unsigned kind = MDG_STREAM; kind <= MDG_TOPIC; kind++) {
		repeats(kind);
		laps(kind);
		batches(kind);
		if (kind != MDG_TOPIC)
			redelivered(kind);
		full(kind);
		positions(kind);
		browse(kind);
		settled(kind);
		damaged_tag(kind);
	}
	browse_holes();
	unsettled_by_death();
	wrong_use();
	from_number(MDG_FULL_WAIT);
	from_number(MDG_FULL_OVERWRITE);
	two_bridges();
	race();
	damaged_note();
	old_format();
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * open.c - finding or making a channel.
 *
 * Processes open in either order, many at once, with options that fit or do not. A segment that is
 * no channel is refused. The test also looks at the places, the removal and the identity of a
 * channel. Deaths while a channel is made are in points.c, other users in users.c.
 */
#include "channel/handles.h"

enum { CAPACITY = 1024, MANY = 8 };

static struct board {
	_Atomic uint32_t word, made, ready;
	uint64_t identity[MANY][2], epoch[MANY];
} * board;

/* Opens; what it says. NULL is left alone where it fails. */
static int opens(const char *name, unsigned role, const struct mdg_channel_options *options)
{
	mdg_channel *channel = NULL;
	int rc = mdg_channel_open(&channel, ns, name, role, options);
	CHECK((rc == 0) == (channel != NULL) && rc <= 0);
	mdg_channel_close(channel);
	return rc;
}

/* ---- either order, many at once --------------------------------------------------------- */

static void listen_in_child(void *argument)
{
	const struct mdg_channel_options *options = argument;
	mdg_channel *channel = enter_as("open", MDG_LISTENER, options);
	CHECK(hears(channel, 70, 3));
	mdg_channel_close(channel);
}

static void talk_in_child(void *argument)
{
	const struct mdg_channel_options *options = argument;
	mdg_channel *channel = enter_as("open", MDG_TALKER, options);
	CHECK_RC(0, says(channel, 70, 3, GRACE));
	mdg_channel_close(channel);
}

/* The second has no opinion. */
static void either_order(void)
{
	for (unsigned kind = MDG_STREAM; kind <= MDG_QUEUE; kind++) {
		struct mdg_channel_options options = options_of(kind, CAPACITY);
		struct mdg_channel_options any = { .size = sizeof any };
		mdg_channel *talks = enter_as("open", MDG_TALKER, &options);
		pid_t pid = start(listen_in_child, &any);
		CHECK_RC(0, says(talks, 70, 3, 0));
		CHECK(ended_well(pid));
		mdg_channel_close(talks);
		remove_channel("open");
		mdg_channel *listens = enter_as("open", MDG_LISTENER, &options);
		pid = start(talk_in_child, &any);
		CHECK(hears(listens, 70, 3));
		CHECK(ended_well(pid));
		mdg_channel_close(listens);
		remove_channel("open");
	}
}

static void open_at_once(void *argument)
{
	const unsigned *which = argument;
	struct mdg_channel_options options = options_of(MDG_QUEUE, CAPACITY);
	mdg_channel *channel = NULL;
	options.flags = *which % 2 == 0 ? 0 : MDG_CHANNEL_EXCL;
	atomic_fetch_add(&board->ready, 1);
	while (atomic_load(&board->word) == 0)
		;
	int rc = mdg_channel_open(&channel, ns, "open", 1 + *which % 2, &options);
	if (options.flags == MDG_CHANNEL_EXCL && rc == -EEXIST) {
		options.flags = 0;
		rc = mdg_channel_open(&channel, ns, "open", 1 + *which % 2, &options);
	} else if (options.flags == MDG_CHANNEL_EXCL) {
		atomic_fetch_add(&board->made, 1);
	}
	if (!CHECK_RC(0, rc))
		return;
	struct mdg_channel_info info = info_of(channel);
	memcpy(board->identity[*which], info.identity, sizeof info.identity);
	board->epoch[*which] = info.epoch;
	if (*which % 2 == 0)
		CHECK_RC(0, says(channel, 20, 1, GRACE));
	else
		CHECK(hears(channel, 20, 1));
	mdg_channel_close(channel);
}

/* `in_part`: a maker that died has left a channel without a head, and one of them finishes it. */
static void at_once(bool in_part)
{
	enum { ROUNDS = SLOWLY ? 6 : 25 };
	struct mdg_channel_options options = options_of(MDG_QUEUE, CAPACITY);
	uint64_t bytes = bytes_of_channel("open", &options);
	for (unsigned round = 0; round < ROUNDS; round++) {
		pid_t pid[MANY];
		unsigned which[MANY];
		if (in_part)
			make_in_part("open", bytes);
		atomic_store(&board->word, 0);
		atomic_store(&board->made, 0);
		atomic_store(&board->ready, 0);
		for (unsigned i = 0; i < MANY; i++) {
			which[i] = i;
			pid[i] = start(open_at_once, &which[i]);
		}
		CHECK(reaches(&board->ready, MANY));
		atomic_store(&board->word, 1);
		for (unsigned i = 0; i < MANY; i++)
			CHECK(ended_well(pid[i]));
		CHECK(atomic_load(&board->made) <= 1);
		for (unsigned i = 1; i < MANY; i++)
			CHECK(board->epoch[i] == board->epoch[0] &&
			      memcmp(board->identity[i], board->identity[0], 16) == 0);
		remove_channel("open");
	}
}

/* ---- options ---------------------------------------------------------------------------- */

static void existing_and_exclusive(void)
{
	struct mdg_channel_options options = options_of(MDG_QUEUE, CAPACITY);
	options.flags = MDG_CHANNEL_EXISTING;
	CHECK_RC(-ENOENT, opens("open", MDG_TALKER, &options));
	CHECK_RC(-ENOENT, mdg_channel_remove(ns, "open"));
	options.flags = MDG_CHANNEL_EXCL;
	CHECK_RC(0, opens("open", MDG_TALKER, &options));
	CHECK_RC(-EEXIST, opens("open", MDG_TALKER, &options));
	options.flags = MDG_CHANNEL_EXISTING;
	CHECK_RC(0, opens("open", MDG_TALKER, &options));
	CHECK_RC(0, opens("open", MDG_OBSERVER, &options));
	remove_channel("open");
	CHECK_RC(-ENOENT, opens("open", MDG_TALKER, &options));
}

static void unlike(void)
{
	struct mdg_channel_options made = options_of(MDG_TOPIC, CAPACITY), other;
	made.peers = 10;
	made.full = MDG_FULL_OVERWRITE;
	CHECK_RC(0, opens("open", MDG_TALKER, &made));
	CHECK_RC(0, opens("open", MDG_LISTENER, &made));
	CHECK_RC(0, opens("open", MDG_LISTENER, NULL));
	other = made;
	other.kind = MDG_QUEUE;
	other.full = 0;
	CHECK_RC(MDG_UNLIKE_KIND, opens("open", MDG_TALKER, &other));
	CHECK_RC(MDG_UNLIKE_KIND, opens("open", MDG_OBSERVER, &other));
	other = made;
	other.full = MDG_FULL_WAIT;
	CHECK_RC(MDG_UNLIKE_FULL, opens("open", MDG_TALKER, &other));
	other = made;
	other.capacity = CAPACITY + 1;
	CHECK_RC(MDG_UNLIKE_CAPACITY, opens("open", MDG_TALKER, &other));
	other.capacity = CAPACITY - 63; /* rounded up */
	CHECK_RC(0, opens("open", MDG_TALKER, &other));
	other.capacity = CAPACITY - 64;
	CHECK_RC(MDG_UNLIKE_CAPACITY, opens("open", MDG_TALKER, &other));
	other = made;
	other.peers = 11;
	CHECK_RC(MDG_UNLIKE_PEERS, opens("open", MDG_TALKER, &other));
	other = made;
	other.mode = 0644; /* without effect on a channel that exists */
	CHECK_RC(0, opens("open", MDG_TALKER, &other));
	remove_channel("open");
}

static void refused(void)
{
	static const char long_name[] =
		"1234567890123456789012345678901234567890123456789012345678901234";
	struct mdg_channel_options good = options_of(MDG_TOPIC, CAPACITY), options;
	mdg_channel *channel = NULL;
	CHECK_RC(-EINVAL, opens("", MDG_TALKER, &good));
	CHECK_RC(-EINVAL, opens(long_name, MDG_TALKER, &good));
	CHECK_RC(-EINVAL, mdg_channel_open(&channel, ns, NULL, MDG_TALKER, &good));
	CHECK_RC(-EINVAL, opens("open", 3, &good));
	CHECK_RC(-EINVAL, opens("open", UINT32_MAX, &good));
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		options = good;                                                                    \
		__VA_ARGS__;                                                                       \
		CHECK_RC(-EINVAL, opens("open", MDG_TALKER, &options));                            \
	} while (0)
	REFUSED(options.size = 0);
	REFUSED(options.size = offsetof(struct mdg_channel_options, number) - 4);
	REFUSED(options.flags = 0x80000000u);
	REFUSED(options.kind = MDG_CALL + 1);
	REFUSED(options.kind = UINT32_MAX);
	REFUSED(options.full = 3);
	REFUSED(options.kind = MDG_STREAM, options.full = MDG_FULL_OVERWRITE);
	REFUSED(options.kind = MDG_QUEUE, options.full = MDG_FULL_OVERWRITE);
	REFUSED(options.kind = MDG_CALL, options.full = MDG_FULL_OVERWRITE);
	REFUSED(options.capacity = (uint64_t)MDG_CAPACITY_MAX + 1);
	REFUSED(options.capacity = UINT64_MAX);
	REFUSED(options.peers = 1);
	REFUSED(options.peers = MDG_PEERS_MAX + 1);
	REFUSED(options.from = MDG_FROM_NUMBER + 1);
	REFUSED(options.wait = MDG_WAIT_NEAR + 1);
#undef REFUSED
	CHECK_RC(-ENOENT, mdg_channel_remove(ns, "open"));
	CHECK_RC(-EINVAL, mdg_channel_remove(ns, ""));
}

/* ---- what is no channel ----------------------------------------------------------------- */

static void no_channel(void)
{
	static const uint64_t sizes[] = { 1, 100, 4096, 70000, 1 << 20 };
	for (unsigned i = 0; i < 5; i++) {
		mdg_id id;
		void *memory = NULL;
		CHECK_RC(0, mdg_segment_create(ns, "plain", sizes[i], 0600, 0, &id));
		CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
		memset(memory, 0x5a, (size_t)sizes[i]);
		CHECK_RC(MDG_NOT_CHANNEL, opens("plain", MDG_TALKER, NULL));
		CHECK_RC(MDG_NOT_CHANNEL, opens("plain", MDG_OBSERVER, NULL));
		CHECK_RC(MDG_NOT_CHANNEL, mdg_channel_remove(ns, "plain"));
		const unsigned char *bytes = memory;
		CHECK(bytes[0] == 0x5a && bytes[sizes[i] - 1] == 0x5a);
		CHECK_RC(0, mdg_segment_detach(ns, memory));
		CHECK_RC(0, mdg_segment_remove(ns, id));
	}
}

/* ---- places ----------------------------------------------------------------------------- */

static void stay(void *argument)
{
	(void)argument;
	(void)enter("open", MDG_LISTENER, 0, 0);
	atomic_fetch_add(&board->word, 1);
	for (;;)
		pause();
}

static void places(void)
{
	enum { PEERS = 3 };
	struct mdg_channel_options options = options_of(MDG_QUEUE, CAPACITY);
	mdg_channel *channels[PEERS];
	options.peers = PEERS;
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < PEERS; i++)
			channels[i] = enter_as("open", 1 + (i + round) % 2, &options);
		CHECK_RC(-EUSERS, opens("open", MDG_TALKER, &options));
		CHECK_RC(-EUSERS, opens("open", MDG_LISTENER, NULL));
		CHECK_RC(0, opens("open", MDG_OBSERVER, NULL)); /* takes none */
		mdg_channel_close(channels[round % PEERS]);
		CHECK_RC(0, opens("open", MDG_TALKER, NULL));
		for (unsigned i = 0; i < PEERS; i++)
			if (i != round % PEERS)
				mdg_channel_close(channels[i]);
	}
	/* A place is freed by a death. */
	pid_t pid[PEERS];
	for (unsigned round = 0; round < 3; round++) {
		atomic_store(&board->word, 0);
		for (unsigned i = 0; i < PEERS; i++)
			pid[i] = start(stay, NULL);
		CHECK(reaches(&board->word, PEERS));
		CHECK_RC(-EUSERS, opens("open", MDG_TALKER, NULL));
		killed(pid[round]);
		CHECK_RC(0, opens("open", MDG_TALKER, NULL));
		for (unsigned i = 0; i < PEERS; i++)
			if (i != round)
				killed(pid[i]);
	}
	remove_channel("open");
}

/* As many as there can be. */
static void most_places(void)
{
	static mdg_channel *channels[MDG_PEERS_MAX];
	struct mdg_channel_options options = options_of(MDG_QUEUE, CAPACITY);
	options.peers = MDG_PEERS_MAX;
	for (unsigned i = 0; i < MDG_PEERS_MAX; i++)
		channels[i] = enter_as("open", 1 + i % 2, &options);
	CHECK_RC(-EUSERS, opens("open", MDG_TALKER, &options));
	CHECK_RC(0, says(channels[MDG_PEERS_MAX - 2], 10, 1, 0));
	CHECK(hears(channels[MDG_PEERS_MAX - 1], 10, 1));
	struct mdg_channel_info info = info_of(channels[0]);
	CHECK(info.talkers == MDG_PEERS_MAX / 2 && info.listeners == MDG_PEERS_MAX / 2);
	for (unsigned i = 0; i < MDG_PEERS_MAX; i++)
		mdg_channel_close(channels[i]);
	remove_channel("open");
}

/* ---- removal ---------------------------------------------------------------------------- */

struct waiter {
	unsigned role, kind, what;
};

static void wait_until_removed(void *argument)
{
	const struct waiter *waiter = argument;
	struct mdg_peer_event event = { .size = sizeof event };
	mdg_channel *channel = enter("open", waiter->role, waiter->kind, CAPACITY);
	unsigned char bytes[100] = { 0 };
	int rc = 0;
	if (waiter->role == MDG_TALKER && waiter->what == 0)
		while (mdg_channel_send(channel, bytes, sizeof bytes, 0) == 0)
			;
	atomic_store(&board->word, 1);
	switch (waiter->what) {
	case 0:
		rc = waiter->role == MDG_TALKER
		             ? mdg_channel_send(channel, bytes, sizeof bytes, MDG_FOREVER)
		             : mdg_channel_recv(channel, bytes, sizeof bytes, NULL, MDG_FOREVER);
		break;
	case 1:
		rc = mdg_channel_event(channel, &event, MDG_FOREVER);
		break;
	default:
		rc = mdg_channel_call(channel, bytes, 10, bytes, 10, NULL, MDG_FOREVER);
		break;
	}
	CHECK_RC(-EIDRM, rc);
	mdg_channel_close(channel);
}

static void removed(void)
{
	static const struct waiter waiters[] = {
		{ MDG_LISTENER, MDG_STREAM, 0 }, { MDG_LISTENER, MDG_QUEUE, 0 },
		{ MDG_LISTENER, MDG_TOPIC, 0 },  { MDG_LISTENER, MDG_CALL, 0 },
		{ MDG_TALKER, MDG_STREAM, 0 },   { MDG_TALKER, MDG_QUEUE, 0 },
		{ MDG_OBSERVER, MDG_QUEUE, 1 },  { MDG_TALKER, MDG_CALL, 2 },
	};
	for (unsigned i = 0; i < sizeof waiters / sizeof waiters[0]; i++) {
		struct waiter waiter = waiters[i];
		atomic_store(&board->word, 0);
		pid_t pid = start(wait_until_removed, &waiter);
		sleeps_after(pid, &board->word);
		remove_channel("open");
		CHECK(ended_well(pid));
	}
	/* Another one of that name has nothing of it. */
	mdg_channel *old = talker_of("open", MDG_QUEUE, CAPACITY), *listens;
	CHECK_RC(0, says(old, 10, 1, 0));
	remove_channel("open");
	CHECK_RC(-ENOENT, mdg_channel_remove(ns, "open"));
	mdg_channel *talks = talker_of("open", MDG_STREAM, 2 * CAPACITY);
	listens = listener_of("open", MDG_STREAM, 2 * CAPACITY);
	CHECK(hears_nothing(listens));
	(void)says(old, 10, 2, 0);
	CHECK(hears_nothing(listens));
	CHECK_RC(0, says(talks, 10, 3, 0));
	CHECK(hears(listens, 10, 3));
	mdg_channel_close(old);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	remove_channel("open");
}

/* ---- identity --------------------------------------------------------------------------- */

static uint64_t real_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void identity(void)
{
	struct mdg_channel_info first = { 0 }, info, other;
	uint64_t epoch = 0;
	for (unsigned i = 0; i < 50; i++) {
		uint64_t before = real_ns();
		mdg_channel *channel = enter("open", MDG_TALKER, MDG_QUEUE, CAPACITY);
		info = info_of(channel);
		CHECK_RC(0, says(channel, 1, 1, 0));
		CHECK(info.epoch > epoch);
		CHECK(info.epoch >= before && info.epoch <= real_ns() + 1000);
		epoch = info.epoch;
		if (i == 0)
			first = info;
		CHECK(memcmp(info.identity, first.identity, sizeof info.identity) == 0);
		CHECK(info.sequence == 0);
		mdg_channel_close(channel);
		remove_channel("open");
	}
	mdg_channel *channel = enter("open2", MDG_TALKER, MDG_QUEUE, CAPACITY);
	other = info_of(channel);
	CHECK(memcmp(other.identity, first.identity, sizeof other.identity) != 0);
	mdg_channel_close(channel);
	/* The same for all who are in it, and after all have left. */
	channel = enter("open2", MDG_LISTENER, 0, 0);
	info = info_of(channel);
	CHECK(memcmp(other.identity, info.identity, sizeof info.identity) == 0);
	CHECK(other.epoch == info.epoch);
	mdg_channel_close(channel);
	remove_channel("open2");
	/* In another namespace the name is another's. */
	mdg_namespace *own = ns;
	ns = unit_open("elsewhere", NULL);
	channel = enter("open", MDG_TALKER, MDG_QUEUE, CAPACITY);
	info = info_of(channel);
	CHECK(memcmp(info.identity, first.identity, sizeof info.identity) != 0);
	mdg_channel_close(channel);
	remove_channel("open");
	mdg_namespace_close(ns);
	ns = own;
}

/* Nothing is left of all this. */
static void nothing_left(void)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 0);
	CHECK(unit_is_sound(ns));
}

int main(void)
{
	board = shared_memory(sizeof *board);
	open_namespace();
	either_order();
	at_once(false);
	at_once(true);
	existing_and_exclusive();
	unlike();
	refused();
	no_channel();
	places();
	most_places();
	removed();
	identity();
	nothing_left();
	mdg_namespace_close(ns);
	return test_result();
}

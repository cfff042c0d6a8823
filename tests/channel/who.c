/* SPDX-License-Identifier: MIT */
/*
 * who.c - what a channel shows of itself and of those who are in it: figures, peers, events, and
 * the walk over all channels.
 */
#include "channel/handles.h"

enum { CAPACITY = 2048 };

static _Atomic uint32_t *word;

static struct mdg_peer peer_of(mdg_channel *channel, unsigned role, unsigned which)
{
	struct mdg_peer peers[16] = { { .size = sizeof peers[0] } };
	int count = mdg_channel_peers(channel, peers, 16);
	CHECK(count >= 0 && count <= 16);
	for (int i = 0; i < count; i++)
		if (peers[i].role == role && which-- == 0)
			return peers[i];
	CHECK(false);
	return (struct mdg_peer){ 0 };
}

/* ---- the channel ------------------------------------------------------------------------ */

static void figures(unsigned kind)
{
	struct mdg_channel_options options = options_of(kind, CAPACITY);
	struct mdg_channel_info info;
	mdg_id id = -1;
	options.peers = 9;
	mdg_channel *talks = enter_as("who", MDG_TALKER, &options);
	mdg_channel *listens = enter_as("who", MDG_LISTENER, &options);
	mdg_channel *looks = enter_as("who", MDG_OBSERVER, NULL);
	CHECK_RC(0, mdg_segment_open(ns, "who", 0, 0, &id));
	info = info_of(looks);
	CHECK(info.id == id && info.kind == kind && info.full == MDG_FULL_WAIT && info.peers == 9);
	CHECK(info.capacity == CAPACITY && strcmp(info.name, "who") == 0);
	CHECK(info.sequence == 0 && info.bytes == 0 && info.waiting == 0 && info.missed == 0);
	CHECK(info.room >= CAPACITY && info.used == 0);
	CHECK(info.talkers == 1 && info.listeners == 1);
	CHECK((info.identity[0] | info.identity[1]) != 0);
	for (unsigned i = 0; i < 5; i++)
		CHECK_RC(0, says(talks, 100, i, 0));
	info = info_of(looks);
	CHECK(info.sequence == 5 && info.waiting == 5 && info.bytes >= 500);
	CHECK(info.used >= 500 && info.used <= info.room);
	CHECK(peer_of(looks, MDG_TALKER, 0).count == 5);
	CHECK(peer_of(looks, MDG_LISTENER, 0).count == 0);
	CHECK(peer_of(looks, MDG_LISTENER, 0).lag == 5);
	for (unsigned i = 0; i < 3; i++)
		CHECK(hears(listens, 100, i));
	CHECK(kind == MDG_TOPIC || info_of(looks).waiting == 2);
	CHECK(peer_of(looks, MDG_LISTENER, 0).count == 3);
	CHECK(peer_of(looks, MDG_LISTENER, 0).lag == 2);
	for (unsigned i = 3; i < 5; i++)
		CHECK(hears(listens, 100, i));
	CHECK(hears_nothing(listens));
	info = info_of(looks);
	CHECK(info.sequence == 5 && (kind == MDG_TOPIC || (info.waiting == 0 && info.used == 0)));
	CHECK(peer_of(looks, MDG_LISTENER, 0).lag == 0);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	info = info_of(looks);
	CHECK(info.talkers == 0 && info.listeners == 0 && info.sequence == 5);
	CHECK_RC(0, mdg_channel_peers(looks, NULL, 0));
	mdg_channel_close(looks);
	remove_channel("who");
}

/* ---- the peers -------------------------------------------------------------------------- */

static void stay(void *argument)
{
	const unsigned *what = argument; /* role, whether it holds, whether it waits */
	mdg_channel *channel = enter("who", what[0], MDG_QUEUE, CAPACITY);
	if (what[1] != 0 && what[0] == MDG_LISTENER)
		CHECK_RC(0, mdg_channel_peek(channel, &(struct mdg_message){ 0 }, GRACE));
	else if (what[1] != 0)
		CHECK_RC(0, mdg_channel_reserve(channel, 10, &(void *){ NULL }, GRACE));
	atomic_store(word, check_failures == 0 ? 1 : 9);
	if (what[2] != 0)
		(void)mdg_channel_recv(channel, NULL, 0, NULL, MDG_FOREVER);
	for (;;)
		pause();
}

static pid_t one_stays(unsigned role, unsigned holds, unsigned waits)
{
	unsigned what[3] = { role, holds, waits };
	atomic_store(word, 0);
	pid_t pid = start(stay, what);
	CHECK(reaches(word, 1) && atomic_load(word) == 1);
	return pid;
}

static bool shows_asleep(mdg_channel *looks)
{
	uint64_t end = GRACE;
	while (peer_of(looks, MDG_LISTENER, 0).asleep == 0)
		if (now_ns() > end)
			return false;
	return true;
}

static void peers(void)
{
	mdg_channel *looks = enter("who", MDG_OBSERVER, MDG_QUEUE, CAPACITY);
	CHECK_RC(0, mdg_channel_peers(looks, NULL, 0));
	int64_t before = (int64_t)time(NULL);
	pid_t pid = one_stays(MDG_LISTENER, 0, 1);
	struct mdg_peer peer = peer_of(looks, MDG_LISTENER, 0);
	struct mdg_peer two[2] = { { .size = sizeof two[0] } };
	CHECK(peer.pid == (int32_t)pid && peer.alive == 1 && peer.holds == 0);
	CHECK(peer.count == 0 && peer.lag == 0 && peer.missed == 0);
	CHECK(peer.since >= before && peer.since <= (int64_t)time(NULL));
	CHECK(shows_asleep(looks));
	pid_t other = one_stays(MDG_TALKER, 1, 0);
	CHECK_RC(2, mdg_channel_peers(looks, two, 1)); /* how many there are, not how many fit */
	CHECK_RC(2, mdg_channel_peers(looks, two, 2));
	CHECK(two[0].place != two[1].place && two[0].role != two[1].role);
	peer = peer_of(looks, MDG_TALKER, 0);
	CHECK(peer.pid == (int32_t)other && peer.holds == 1 && peer.asleep == 0);
	killed(pid);
	killed(other);
	CHECK(info_of(looks).talkers == 0 && info_of(looks).listeners == 0);
	CHECK_RC(0, mdg_channel_peers(looks, two, 2));
	/* Dead, and holding what nobody has taken yet. */
	mdg_channel *talks = talker_of("who", MDG_QUEUE, 0);
	CHECK_RC(0, says(talks, 10, 1, 0));
	pid = one_stays(MDG_LISTENER, 1, 0);
	CHECK(peer_of(looks, MDG_LISTENER, 0).holds == 1);
	killed(pid);
	(void)info_of(looks);
	int count = mdg_channel_peers(looks, two, 2);
	CHECK(count == 2 && two[0].alive + two[1].alive == 1);
	for (int i = 0; i < 2; i++)
		if (two[i].alive == 0)
			CHECK(two[i].pid == (int32_t)pid && two[i].role == MDG_LISTENER);
	mdg_channel *listens = listener_of("who", MDG_QUEUE, 0);
	CHECK(hears_with(listens, 10, 1, MDG_REDELIVERED));
	CHECK_RC(2, mdg_channel_peers(looks, two, 2));
	CHECK(two[0].alive == 1 && two[1].alive == 1);
	mdg_channel_close(listens);
	mdg_channel_close(talks);
	mdg_channel_close(looks);
	remove_channel("who");
}

/* ---- events ----------------------------------------------------------------------------- */

static struct mdg_peer_event next_event(mdg_channel *channel)
{
	struct mdg_peer_event event = { .size = sizeof event };
	CHECK_RC(0, mdg_channel_event(channel, &event, GRACE));
	return event;
}

static void wait_for_event(void *argument)
{
	mdg_channel *looks = enter("who", MDG_OBSERVER, MDG_QUEUE, CAPACITY);
	(void)argument;
	atomic_store(word, 1);
	struct mdg_peer_event event = next_event(looks);
	CHECK(event.change == MDG_PEER_CAME && event.role == MDG_TALKER);
	mdg_channel_close(looks);
}

static void events(void)
{
	mdg_channel *looks = enter("who", MDG_OBSERVER, MDG_QUEUE, CAPACITY);
	struct mdg_peer_event event = { .size = sizeof event, .change = 4711 };
	uint64_t deadline = mdg_deadline(1000000);
	CHECK_RC(-EAGAIN, mdg_channel_event(looks, &event, 0));
	CHECK_RC(-ETIMEDOUT, mdg_channel_event(looks, &event, deadline));
	CHECK(now_ns() >= deadline && event.change == 4711);
	mdg_channel *talks = talker_of("who", MDG_QUEUE, 0);
	event = next_event(talks); /* of its own coming as well */
	CHECK(event.change == MDG_PEER_CAME && event.role == MDG_TALKER);
	CHECK_RC(-EAGAIN, mdg_channel_event(talks, &event, 0));
	event = next_event(looks);
	uint64_t number = event.number;
	CHECK(event.change == MDG_PEER_CAME && event.role == MDG_TALKER);
	CHECK(event.pid == (int32_t)getpid());
	CHECK(event.place == peer_of(looks, MDG_TALKER, 0).place);
	uint32_t changes = info_of(looks).changes;
	mdg_channel *other = enter("who", MDG_OBSERVER, 0, 0);
	mdg_channel_close(other); /* an observer does not count */
	pid_t pid = one_stays(MDG_LISTENER, 0, 0);
	killed(pid);
	CHECK_RC(0,
	         mdg_channel_look(
			 looks,
			 &(struct mdg_channel_info){
				 .size = sizeof(struct mdg_channel_info) })); /* finds the dead */
	mdg_channel_close(talks);
	static const uint32_t change[] = { MDG_PEER_CAME, MDG_PEER_GONE, MDG_PEER_LEFT };
	for (unsigned i = 0; i < 3; i++) {
		event = next_event(looks);
		CHECK(event.change == change[i] && event.number == ++number);
		CHECK(event.role == (i < 2 ? MDG_LISTENER : MDG_TALKER));
		CHECK(event.pid == (int32_t)(i < 2 ? pid : getpid()));
	}
	CHECK_RC(-EAGAIN, mdg_channel_event(looks, &event, 0));
	CHECK(info_of(looks).changes == changes + 3);
	/* The last 32 are kept. */
	for (unsigned i = 0; i < 25; i++)
		mdg_channel_close(listener_of("who", MDG_QUEUE, 0));
	for (unsigned i = 0; i < 32; i++) {
		event = next_event(looks);
		CHECK(event.number == number + 50 - 32 + 1 + i);
		CHECK(event.change == (i % 2 == 0 ? MDG_PEER_CAME : MDG_PEER_LEFT));
	}
	CHECK_RC(-EAGAIN, mdg_channel_event(looks, &event, 0));
	/* One who sleeps is woken. */
	atomic_store(word, 0);
	pid = start(wait_for_event, NULL);
	sleeps_after(pid, word);
	mdg_channel_close(talker_of("who", MDG_QUEUE, 0));
	CHECK(ended_well(pid));
	mdg_channel_close(looks);
	remove_channel("who");
}

/* A death is an event for who waits for one: nobody else has to look. */
static void event_of_death(void)
{
	mdg_channel *looks = enter("who", MDG_OBSERVER, MDG_QUEUE, CAPACITY);
	for (unsigned i = 0; i < 4; i++) {
		pid_t pid = one_stays(1 + i % 2, 0, 0);
		CHECK(next_event(looks).change == MDG_PEER_CAME);
		killed(pid);
		struct mdg_peer_event event = next_event(looks);
		CHECK(event.change == MDG_PEER_GONE && event.pid == (int32_t)pid);
		CHECK(event.role == 1 + i % 2);
	}
	mdg_channel_close(looks);
	remove_channel("who");
}

/* ---- all channels ----------------------------------------------------------------------- */

static unsigned walk(unsigned kinds[MDG_CALL + 1])
{
	struct mdg_channel_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	unsigned count = 0;
	int rc;
	memset(kinds, 0, (MDG_CALL + 1) * sizeof kinds[0]);
	while ((rc = mdg_channel_next(ns, &cursor, &info)) == 1) {
		char name[8];
		snprintf(name, sizeof name, "walk%u", info.kind);
		CHECK(info.kind >= MDG_STREAM && info.kind <= MDG_CALL);
		CHECK(strcmp(info.name, name) == 0 && info.capacity == info.kind * 1024);
		CHECK(info.sequence == info.kind);
		kinds[info.kind]++;
		if (!CHECK(++count < 100))
			break;
	}
	CHECK_RC(0, rc);
	return count;
}

static void all_channels(void)
{
	static const unsigned kinds[] = { MDG_STREAM, MDG_QUEUE, MDG_TOPIC, MDG_CALL };
	unsigned seen[MDG_CALL + 1];
	mdg_id plain[2];
	CHECK(walk(seen) == 0);
	CHECK_RC(0, mdg_segment_create(ns, "plain", 100000, 0600, 0, &plain[0]));
	CHECK_RC(0, mdg_segment_create(ns, NULL, 1, 0600, MDG_NORESERVE, &plain[1]));
	CHECK(walk(seen) == 0);
	for (unsigned i = 0; i < 4; i++) {
		char name[8];
		snprintf(name, sizeof name, "walk%u", kinds[i]);
		mdg_channel *talks = talker_of(name, kinds[i], kinds[i] * 1024);
		for (unsigned j = 0; j < kinds[i]; j++) {
			bool calls = kinds[i] == MDG_CALL; /* each asks once */
			mdg_channel *says_it = calls ? talker_of(name, MDG_CALL, 0) : talks;
			CHECK_RC(0, says(says_it, 10, 1, 0));
			if (calls)
				mdg_channel_close(says_it);
		}
		mdg_channel_close(talks);
		CHECK(walk(seen) == i + 1 && seen[kinds[i]] == 1);
	}
	remove_channel("walk2");
	CHECK(walk(seen) == 3 && seen[MDG_QUEUE] == 0);
	remove_channel("walk1");
	remove_channel("walk3");
	remove_channel("walk4");
	CHECK(walk(seen) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, plain[0]));
	CHECK_RC(0, mdg_segment_remove(ns, plain[1]));
}

int main(void)
{
	word = shared_memory(sizeof *word);
	open_namespace();
	figures(MDG_STREAM);
	figures(MDG_QUEUE);
	figures(MDG_TOPIC);
	peers();
	events();
	event_of_death();
	all_channels();
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * restart.c - a stream whose talker or listener is killed (kill -9) in the middle, and
 * started again, a hundred times: how often it goes on, how soon, and whether every message came.
 *
 * Each message carries the number that its talker believes it to have; a new talker asks the
 * channel where it stands. The listener keeps what it expects next in memory that outlives it,
 * before it releases a message: so a message that comes again has to be marked, and what is
 * neither received nor expected is missing.
 */
#include "bench/channel/games.h"
#include "bench/common/processes.h"

#include <madang/channel.h>
#include <madang/segment.h>

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 100, MORE = 1000, PATIENCE_MS = 2000 };

/* In shared memory: a line of its talker, the others of its listener. */
struct shared {
	uint64_t sent; /* the number after the last that is known to be sent */
	int32_t talker_code;
	char rest[116];
	uint64_t next; /* the number that the listener expects */
	uint64_t redelivered, doubled, missing, strange;
	int32_t listener_code;
};

struct party {
	struct shared *shared;
	pid_t pid[2]; /* talker, listener */
};

static const char name[] = "restarted";

/* ---- the two processes -------------------------------------------------------------- */

/* A place whose owner was killed this moment may not be free yet. */
static int enter(unsigned role, mdg_channel **ret_channel)
{
	struct mdg_channel_options options = { .size = sizeof options, .kind = MDG_STREAM };
	uint64_t until = now_ns() + PATIENCE_MS * UINT64_C(1000000);
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, NULL, NULL);

	if (rc != 0)
		return rc;
	while ((rc = mdg_channel_open(ret_channel, ns, name, role, &options)) == -EBUSY &&
	       now_ns() < until)
		sched_yield();
	return rc;
}

static int talk(struct shared *shared)
{
	CHANNEL_ALIGNED struct channel_packet packet = { 0 };
	struct mdg_channel_info info = { .size = sizeof info };
	mdg_channel *channel;
	int rc = enter(MDG_TALKER, &channel);

	if (rc == 0)
		rc = mdg_channel_look(channel, &info);
	for (packet.number = rc == 0 ? info.sequence : 0; rc == 0; packet.number++) {
		rc = mdg_channel_send(channel, &packet, sizeof packet, MDG_FOREVER);
		__atomic_store_n(&shared->sent, packet.number + 1, __ATOMIC_RELAXED);
	}
	return rc;
}

static void note(struct shared *shared, const struct mdg_message *message)
{
	const struct channel_packet *packet = message->data;
	uint64_t next = shared->next;

	if (message->size != sizeof *packet || packet->number != message->sequence)
		shared->strange++;
	if (message->sequence < next) {
		if ((message->flags & MDG_REDELIVERED) != 0)
			shared->redelivered++;
		else
			shared->doubled++;
		return;
	}
	shared->missing += message->sequence - next;
	__atomic_store_n(&shared->next, message->sequence + 1, __ATOMIC_RELEASE);
}

static int listen_to(struct shared *shared)
{
	struct mdg_message message;
	mdg_channel *channel;
	int rc = enter(MDG_LISTENER, &channel);

	while (rc == 0) {
		rc = mdg_channel_peek(channel, &message, MDG_FOREVER);
		if (rc == 0) {
			note(shared, &message);
			rc = mdg_channel_release(channel);
		}
	}
	return rc;
}

/* `which`: 0 the talker, 1 the listener. */
static bool start(struct party *party, int which)
{
	pid_t child = process_start();

	if (child == 0) {
		processor_choose(which);
		if (which == 0)
			party->shared->talker_code = talk(party->shared);
		else
			party->shared->listener_code = listen_to(party->shared);
		_exit(1);
	}
	party->pid[which] = child;
	return child > 0;
}

/* ---- the game ----------------------------------------------------------------------- */

static void rest_us(unsigned us)
{
	const struct timespec some = { 0, (long)us * 1000 };

	nanosleep(&some, NULL);
}

/* Messages arrive that were sent after this moment. Milliseconds, or < 0: they do not. */
static double goes_on(const struct shared *shared)
{
	uint64_t start = now_ns(), until = start + PATIENCE_MS * UINT64_C(1000000);
	uint64_t next = __atomic_load_n(&shared->next, __ATOMIC_ACQUIRE);
	uint64_t sent = __atomic_load_n(&shared->sent, __ATOMIC_RELAXED);
	uint64_t wanted = (next > sent ? next : sent) + MORE;

	while (__atomic_load_n(&shared->next, __ATOMIC_ACQUIRE) < wanted) {
		if (now_ns() > until || stop_asked())
			return -1;
		rest_us(50);
	}
	return (double)(now_ns() - start) / 1e6;
}

static void play(struct party *party, struct channel_restart *result, struct samples *ms)
{
	uint32_t luck = 1;

	while (result->kills < KILLS && !stop_asked()) {
		double took;
		int which;

		luck = luck * 1664525u + 1013904223u;
		which = (int)(luck >> 31);
		rest_us(500 + (luck >> 16 & 0xfff));
		process_kill(&party->pid[which]);
		result->kills++;
		took = start(party, which) ? goes_on(party->shared) : -1;
		if (took < 0)
			return;
		result->resumed++;
		samples_add(ms, took);
		result->ms_most = took > result->ms_most ? took : result->ms_most;
	}
}

void channel_restart_play(struct channel_restart *ret_restart)
{
	struct party party = { .shared = shared_memory(sizeof *party.shared) };
	struct samples ms = { 0 };

	*ret_restart = (struct channel_restart){ .played = true };
	if (start(&party, 1) && start(&party, 0) && goes_on(party.shared) >= 0)
		play(&party, ret_restart, &ms);
	process_kill(&party.pid[0]);
	process_kill(&party.pid[1]);
	ret_restart->redelivered = party.shared->redelivered;
	ret_restart->doubled = party.shared->doubled;
	ret_restart->missing = party.shared->missing;
	ret_restart->strange = party.shared->strange;
	ret_restart->messages = party.shared->next - party.shared->missing;
	ret_restart->code =
		party.shared->talker_code ? party.shared->talker_code : party.shared->listener_code;
	ret_restart->ms = samples_spread(&ms);
	samples_free(&ms);
	munmap(party.shared, sizeof *party.shared);
}

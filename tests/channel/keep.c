/* SPDX-License-Identifier: MIT */
/*
 * keep.c - a handle that uses a lock alone keeps it, and anybody else gets it at once: while the
 * keeper goes on, idles, is stopped outside, is dead or has left, and from a process without
 * membarrier(2). While the keeper is stopped inside, others wait until their deadline.
 *
 * This test is built with channels that keep a lock from the second time on.
 */
#include "channel/handles.h"

#include <signal.h>
#include <sys/syscall.h>

#include "channel/messages.h"
#include "support/forbid.h"

enum { CAPACITY = 1024, OFTEN = 50, T = MDG_TALKER, L = MDG_LISTENER };

enum { LINES = 16, ENDS = 4000 };
static struct board {
	_Atomic uint32_t ready, goes_on;
	_Atomic uint32_t first, second, done; /* the same while nobody has talk_lock */
	_Alignas(MDG__LINE) struct {
		_Alignas(MDG__LINE) _Atomic uint32_t word;
	} lines[LINES];
} * board;

static mdg_channel *open_as(unsigned role)
{
	return enter("keep", role, MDG_QUEUE, CAPACITY);
}

static bool is_kept(const mdg__c32 *lock)
{
	return (atomic_load(lock) & MDG__KEPT) != 0;
}

static void pass(mdg_channel *talks, mdg_channel *listens, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		CHECK_RC(0, says(talks, 30, i, 0));
		CHECK(hears(listens, 30, i));
	}
}

/* ---- one process --------------------------------------------------------------------------- */

static void is_kept_and_given(void)
{
	mdg_channel *talks = open_as(T), *listens = open_as(L), *other = open_as(T);
	pass(talks, listens, OFTEN);
	CHECK(is_kept(&talks->head->talk_lock) && is_kept(&talks->head->take_lock));
	for (int i = 0; i < 20; i++) { /* each of them keeps it, later each time */
		pass(other, listens, 1);
		CHECK(!is_kept(&talks->head->talk_lock));
		pass(other, listens, OFTEN);
		pass(talks, listens, 1);
		CHECK(!is_kept(&talks->head->talk_lock));
		pass(talks, listens, OFTEN);
	}
	mdg_channel_close(other);
	pass(talks, listens, 400 * OFTEN); /* it keeps it late by now */
	CHECK(is_kept(&talks->head->talk_lock));
	CHECK_RC(0, says(talks, 30, 1, 0));
	mdg_channel *second = open_as(L);
	CHECK(hears(second, 30, 1));
	CHECK(!is_kept(&talks->head->take_lock));
	pass(talks, listens, 1);
	pass(talks, second, 1);
	mdg_channel_close(second);
	/* Whoever leaves leaves nothing. */
	pass(talks, listens, 400 * OFTEN);
	CHECK(is_kept(&talks->head->talk_lock) && is_kept(&talks->head->take_lock));
	mdg_channel *looks = open_as(MDG_OBSERVER);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	CHECK(atomic_load(&looks->head->talk_lock) == 0);
	CHECK(atomic_load(&looks->head->take_lock) == 0);
	mdg_channel_close(looks);
	remove_channel("keep");
}

/* All ways of sending and receiving, by one that keeps the locks. */
static void keeps_all_ways(void)
{
	mdg_channel *talks = open_as(T), *listens = open_as(L);
	struct mdg_message many[3];
	unsigned char bytes[3][30];
	void *place;
	pass(talks, listens, OFTEN);
	for (unsigned i = 0; i < OFTEN; i++) {
		CHECK_RC(0, says(talks, CAPACITY, i, 0));
		CHECK(hears(listens, CAPACITY, i));
		for (unsigned k = 0; k < 3; k++) {
			fill(bytes[k], 30, i + k);
			many[k] = (struct mdg_message){ .data = bytes[k], .size = 30 };
		}
		CHECK_RC(3, mdg_channel_send_many(talks, many, 3, 0));
		CHECK_RC(0, mdg_channel_reserve(talks, 30, &place, 0));
		fill(place, 30, i + 3);
		CHECK_RC(0, mdg_channel_commit(talks, 30));
		CHECK_RC(0, mdg_channel_reserve(talks, 30, &place, 0));
		CHECK_RC(0, mdg_channel_cancel(talks));
		CHECK_RC(2, mdg_channel_peek_many(listens, many, 2, 0));
		CHECK(is_filled(many[1].data, 30, i + 1));
		CHECK_RC(0, mdg_channel_release(listens));
		CHECK(hears(listens, 30, i + 2) && hears(listens, 30, i + 3));
		CHECK(hears_nothing(listens));
		CHECK(is_kept(&talks->head->talk_lock) && is_kept(&talks->head->take_lock));
	}
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	remove_channel("keep");
}

/* ---- a keeper in another process -------------------------------------------------------- */

static void keeper(void *argument)
{
	mdg_channel *talks = open_as(T), *listens = open_as(L);
	(void)argument;
	pass(talks, listens, OFTEN);
	CHECK(is_kept(&talks->head->talk_lock) && is_kept(&talks->head->take_lock));
	atomic_store(&board->ready, check_failures == 0 ? 1 : 9);
	CHECK(reaches(&board->goes_on, 1));
	pass(talks, listens, OFTEN);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
}

static pid_t keeper_start(void)
{
	memset(board, 0, sizeof *board);
	pid_t pid = start(keeper, NULL);
	CHECK(reaches(&board->ready, 1) && atomic_load(&board->ready) == 1);
	return pid;
}

static void keeper_goes_on(pid_t pid)
{
	atomic_store(&board->goes_on, 1);
	CHECK(ended_well(pid));
	remove_channel("keep");
}

/* Nobody waits for it: the deadline has passed. */
static void is_idle_or_stopped(bool stops)
{
	pid_t pid = keeper_start();
	if (stops)
		kill(pid, SIGSTOP);
	mdg_channel *talks = open_as(T), *listens = open_as(L);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_RC(0, says(talks, 30, i, 0));
		CHECK(hears(listens, 30, i));
	}
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	if (stops)
		kill(pid, SIGCONT);
	keeper_goes_on(pid);
}

/* A handle that is open already, so that nobody buries the dead one before. */
static void is_dead(void)
{
	mdg_channel *talks = open_as(T), *listens = open_as(L);
	pid_t pid = keeper_start();
	kill(pid, SIGKILL);
	CHECK(WIFSIGNALED(ended(pid)));
	pass(talks, listens, OFTEN);
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	remove_channel("keep");
}

/* It is inside, and does not go on: what it does is written here for it. Others wait until their
 * deadline, and it keeps the lock. When it is dead, they have it. */
static void is_inside(bool talks)
{
	mdg_channel *talker = open_as(T), *listener = open_as(L);
	struct mdg__channel_head *head = talker->head;
	pid_t pid = keeper_start();
	const mdg__c32 *lock = talks ? &head->talk_lock : &head->take_lock;
	uint32_t kept = atomic_load(lock);
	atomic_store(&talker->seats[kept >> 16].inside, 1);
	for (unsigned i = 0; i < 2; i++) {
		if (talks) {
			CHECK_RC(-EAGAIN, says(talker, 30, 0, 0));
		} else {
			CHECK_RC(0, says(talker, 30, i, 0));
			CHECK(hears_nothing(listener));
		}
		CHECK(atomic_load(lock) == kept);
	}
	kill(pid, SIGKILL);
	CHECK(WIFSIGNALED(ended(pid)));
	if (talks)
		pass(talker, listener, OFTEN);
	else
		CHECK(hears(listener, 30, 0) && hears(listener, 30, 1));
	mdg_channel_close(talker);
	mdg_channel_close(listener);
	remove_channel("keep");
}

/* ---- at the same moment ----------------------------------------------------------------- */

/* Stores that are done late, because the other process's processor has the lines. */
static void store_late(void)
{
	for (int i = 0; i < LINES; i++)
		atomic_store_explicit(&board->lines[i].word, 1, memory_order_relaxed);
}

/* [talk] Plain additions: if two do it at once, one is lost. */
static bool add(void)
{
	uint32_t first = mdg__relaxed32(&board->first), second = mdg__relaxed32(&board->second);
	atomic_store_explicit(&board->first, first + 1, memory_order_relaxed);
	atomic_store_explicit(&board->second, second + 1, memory_order_relaxed);
	return first == second;
}

static void adds_and_keeps(void *argument)
{
	mdg_channel *talks = open_as(T);
	uint32_t done = 0;
	(void)argument;
	atomic_store(&board->ready, 1);
	while (atomic_load_explicit(&board->goes_on, memory_order_relaxed) == 0) {
		store_late();
		if (!mdg__talk_straight(talks))
			continue;
		done++;
		if (!CHECK(add()))
			break;
		mdg__talk_end(talks);
	}
	atomic_store(&board->done, done);
	_exit(test_result());
}

/* One keeps the lock and uses it all the time, the other takes it away. */
static void only_one_is_inside(void)
{
	mdg_channel *talks = open_as(T);
	memset(board, 0, sizeof *board);
	pid_t pid = start(adds_and_keeps, NULL);
	uint32_t done = 0;
	CHECK(reaches(&board->ready, 1));
	for (bool well = true; well && done < ENDS; done++) {
		for (int i = 0; i < 1000 && !is_kept(&talks->head->talk_lock); i++)
			store_late();
		store_late();
		well = CHECK_RC(0, mdg__talk_lock(talks, GRACE)) && CHECK(add());
		mdg__channel_unlock(&talks->head->talk_lock);
	}
	atomic_store(&board->goes_on, 1);
	CHECK(ended_well(pid));
	CHECK(atomic_load(&board->first) == done + atomic_load(&board->done));
	mdg_channel_close(talks);
	remove_channel("keep");
}

/* ---- a process without membarrier ------------------------------------------------------- */

static void forbid_barrier(void)
{
	if (!forbid_call(SYS_membarrier, EPERM))
		exit(77);
}

static void without_barrier(void *argument)
{
	(void)argument;
	forbid_barrier();
	mdg_channel *talks = open_as(T), *listens = open_as(L);
	CHECK(!is_kept(&talks->head->talk_lock) && !is_kept(&talks->head->take_lock));
	pass(talks, listens, OFTEN);
	CHECK(!is_kept(&talks->head->talk_lock) && !is_kept(&talks->head->take_lock));
	mdg_channel_close(talks);
	mdg_channel_close(listens);
}

/* One comes that cannot make the keeper pass a fence. From then on nobody keeps a lock. */
static void has_no_barrier(void)
{
	pid_t pid = keeper_start();
	int status = ended(start(without_barrier, NULL));
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	if (WEXITSTATUS(status) == 0) {
		mdg_channel *talks = open_as(T), *listens = open_as(L);
		pass(talks, listens, OFTEN);
		CHECK(!is_kept(&talks->head->talk_lock) && !is_kept(&talks->head->take_lock));
		mdg_channel_close(talks);
		mdg_channel_close(listens);
	}
	keeper_goes_on(pid);
}

static void looks_without_barrier(void *argument)
{
	(void)argument;
	forbid_barrier();
	mdg_channel_close(enter("stream", MDG_OBSERVER, MDG_STREAM, CAPACITY));
}

/* A stream's talker and listener take no lock. So whoever comes touches none either: what it sets
 * right after a dead owner would be in the middle of what the talker does. */
static void leaves_a_stream_alone(void)
{
	mdg_channel *talks = enter("stream", T, MDG_STREAM, CAPACITY);
	struct mdg__channel_head *head = talks->head;
	uint32_t dead = talks->me ^ 0xffff0000; /* who had its slot, and is gone */
	atomic_store(&head->talk_lock, dead);
	atomic_store(&head->take_lock, dead);
	int status = ended(start(looks_without_barrier, NULL));
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	CHECK(atomic_load(&head->talk_lock) == dead && atomic_load(&head->take_lock) == dead);
	mdg_channel_close(talks);
	remove_channel("stream");
}

int main(void)
{
	board = shared_memory(sizeof *board);
	open_namespace();
	is_kept_and_given();
	keeps_all_ways();
	is_idle_or_stopped(false);
	is_idle_or_stopped(true);
	is_dead();
	is_inside(true);
	is_inside(false);
	only_one_is_inside();
	leaves_a_stream_alone();
	has_no_barrier();
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * rwlock_leave.c - a reader leaves its slot by a plain store, and a writer comes in the middle.
 *
 * The writer here is made by hand: it announces itself and marks the slot, as a writer does, and
 * then sleeps without ever looking again by itself. So whoever empties the slot has to wake it.
 */
#include "sync/rwlock.h"
#include "sync/stepped.h"

static struct box {
	mdg_rwlock lock;
	_Atomic uint32_t marked, gone, in, got;
} * box;

/* The word of the slot that was used first. */
static _Atomic uint32_t *slot_word(void)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(&box->lock);
	for (uint32_t at = 0; at < MDG_READERS_MAX; at++)
		if ((atomic_load(&rw->used[at / 32]) >> at % 32 & 1) != 0)
			return &rw->slot[at].robust.word;
	bool is_used = false;
	CHECK(is_used);
	return &rw->slot[0].robust.word;
}

static void read_and_leave(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	stepped_here();
	stepped_end(mdg_rwlock_unlock(&box->lock) == 0);
}

static void wait_as_a_writer(void *unused)
{
	(void)unused;
	_Atomic uint32_t *word = slot_word();
	atomic_store(&mdg__rwlock_of(&box->lock)->writer.robust.word, (uint32_t)getpid());
	uint32_t seen = atomic_load(word), marked = seen | MDG__WAITERS | MDG__CAME;
	if ((seen & MDG__TID) != 0 && atomic_compare_exchange_strong(word, &seen, marked)) {
		atomic_store(&box->marked, 1);
		while (atomic_load(word) == marked)
			syscall(SYS_futex, word, 0 /* FUTEX_WAIT */, marked, NULL, NULL, 0);
	}
	atomic_store(&box->gone, 1);
}

static bool is_gone_or_asleep(pid_t pid)
{
	return atomic_load(&box->gone) != 0 || (atomic_load(&box->marked) != 0 && is_asleep(pid));
}

/* A writer comes after so many instructions of the reader. Then the reader goes on or is killed. */
static bool writer_comes(uint32_t at, bool reader_dies)
{
	struct stepped reader;
	memset(box, 0, sizeof(*box));
	if (!stepped_start(&reader, read_and_leave, NULL)) {
		printf("not tried: a writer in the middle (no ptrace)\n");
		return false;
	}
	bool more = stepped_go(&reader, at) == at;
	pid_t writer = start(wait_as_a_writer, NULL);
	uint64_t end = GRACE;
	while (!is_gone_or_asleep(writer) && now_ns() < end)
		nap_ms(1);
	if (reader_dies)
		stepped_kill(&reader);
	else
		(void)stepped_go(&reader, UINT32_MAX);
	CHECK(reaches(&box->gone, 1));
	CHECK((atomic_load(slot_word()) & MDG__TID) == 0);
	killed(writer);
	return more;
}

static bool reader_goes_on(uint32_t at)
{
	return writer_comes(at, false);
}

static bool reader_is_killed(uint32_t at)
{
	return writer_comes(at, true);
}

/* ---- nobody wakes the writer ------------------------------------------------------------ */

static void read_and_stay(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->lock) == 0);
	atomic_store(&box->in, 1);
	for (;;)
		pause();
}

static void write_once(void *unused)
{
	(void)unused;
	atomic_store(&box->marked, 1);
	CHECK(mdg_rwlock_write_until(&box->lock, GRACE) == 0);
	atomic_store(&box->got, 1);
	CHECK(mdg_rwlock_unlock(&box->lock) == 0);
}

/* What the processor may do is done by hand here: the slot is empty, and the reader did not see the
 * writer. */
static void writer_looks_again(void)
{
	memset(box, 0, sizeof(*box));
	pid_t reader = start(read_and_stay, NULL);
	CHECK(reaches(&box->in, 1));
	pid_t writer = start(write_once, NULL);
	CHECK(falls_asleep(writer, &box->marked));
	atomic_store(slot_word(), 0);
	CHECK(reaches(&box->got, 1));
	CHECK(ended_well(writer));
	killed(reader);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	at_many_instructions(reader_goes_on);
	at_many_instructions(reader_is_killed);
	writer_looks_again();
	return test_result();
}

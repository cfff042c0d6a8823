/* SPDX-License-Identifier: MIT */
/*
 * once.c - mdg_once: done by one thread, and awaited by all.
 *
 * If the thread at work fails or dies, another one gets the turn. The test also puts words there
 * that no caller writes.
 */
#include "sync/shared.h"

enum { MANY = 6, ROUNDS = 200 };

static struct box {
	mdg_once once, other;
	_Atomic uint32_t stage, told, done;
	uint32_t plain; /* written by the one who does it */
} * box;

static void make_new(void)
{
	CHECK(mdg_once_destroy(&box->once) == 0);
	box->plain = 0;
	atomic_store(&box->stage, 0);
	atomic_store(&box->told, 0);
	atomic_store(&box->done, 0);
}

/* ---- answers --------------------------------------------------------------------------- */

static void others_see_it_begun(void *unused)
{
	(void)unused;
	uint64_t begin = now_ns();
	CHECK(mdg_once_trybegin(&box->once) == -EBUSY);
	CHECK(mdg_once_begin_until(&box->once, 0) == -ETIMEDOUT);
	CHECK(mdg_once_begin_until(&box->once, BRIEFLY) == -ETIMEDOUT);
	CHECK(now_ns() - begin >= 50000000);
	CHECK(mdg_once_finish(&box->once) == -EPERM);
	CHECK(mdg_once_fail(&box->once) == -EPERM);
	CHECK(mdg_once_destroy(&box->once) == -EBUSY);
}

static void others_see_it_done(void *unused)
{
	(void)unused;
	CHECK(mdg_once_begin(&box->once) == MDG_DONE);
	CHECK(mdg_once_trybegin(&box->once) == MDG_DONE);
	CHECK(mdg_once_begin_until(&box->once, 0) == MDG_DONE);
	CHECK(mdg_once_finish(&box->once) == -EPERM);
}

static void answers(void)
{
	errno = 4711;
	CHECK(mdg_once_finish(&box->once) == -EPERM);
	CHECK(mdg_once_fail(&box->once) == -EPERM);
	CHECK(mdg_once_begin(&box->once) == 0);
	CHECK(mdg_once_begin(&box->once) == -EDEADLK);
	CHECK(mdg_once_trybegin(&box->once) == -EDEADLK);
	CHECK(mdg_once_destroy(&box->once) == -EBUSY);
	CHECK(in_child(others_see_it_begun, NULL));
	CHECK(mdg_once_fail(&box->once) == 0);
	CHECK(mdg_once_fail(&box->once) == -EPERM);
	CHECK(mdg_once_trybegin(&box->once) == 0);
	CHECK(mdg_once_finish(&box->once) == 0);
	others_see_it_done(NULL);
	CHECK(in_child(others_see_it_done, NULL));
	CHECK(mdg_once_destroy(&box->once) == 0);
	CHECK(mdg_once_begin_until(&box->once, 0) == 0);
	CHECK(mdg_once_finish(&box->once) == 0);
	CHECK(errno == 4711);
}

/* Done: one load. Nothing is written, so it may be asked where nothing can be. */
static void done_is_only_read(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	mdg_once *once = shared_memory(page);
	CHECK(mdg_once_begin(once) == 0);
	CHECK(mdg_once_finish(once) == 0);
	CHECK(mprotect(once, page, PROT_READ) == 0);
	CHECK(mdg_once_begin(once) == MDG_DONE);
	CHECK(mdg_once_trybegin(once) == MDG_DONE);
	munmap(once, page);
}

/* ---- by one of many ------------------------------------------------------------------------ */

static void *take_part(void *unused)
{
	int rc = mdg_once_begin_until(&box->once, GRACE);
	CHECK(rc == 0 || rc == MDG_DONE);
	if (rc == 0) {
		atomic_fetch_add(&box->done, 1);
		sched_yield();
		box->plain = 4711;
		CHECK(mdg_once_finish(&box->once) == 0);
	}
	CHECK(box->plain == 4711);
	return unused;
}

static void take_part_child(void *unused)
{
	(void)take_part(unused);
}

static void done_by_one(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t thread[MANY];
		make_new();
		pid_t child = round % 10 == 0 ? start(take_part_child, NULL) : 0;
		for (int i = 0; i < MANY; i++)
			CHECK(pthread_create(&thread[i], NULL, take_part, NULL) == 0);
		for (int i = 0; i < MANY; i++)
			pthread_join(thread[i], NULL);
		CHECK(child == 0 || ended_well(child));
		CHECK(atomic_load(&box->done) == 1);
	}
}

static void wait_for_it(void *unused)
{
	(void)unused;
	atomic_fetch_add(&box->stage, 1);
	CHECK(mdg_once_begin_until(&box->once, GRACE) == MDG_DONE);
	CHECK(box->plain == 4711);
}

/* All who sleep are woken, by the one call. */
static void sleepers_are_woken(void)
{
	pid_t child[MANY];
	make_new();
	CHECK(mdg_once_begin(&box->once) == 0);
	for (int i = 0; i < MANY; i++)
		child[i] = start(wait_for_it, NULL);
	CHECK(reaches(&box->stage, MANY));
	nap_ms(50);
	box->plain = 4711;
	CHECK(mdg_once_finish(&box->once) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK(ended_well(child[i]));
}

/* ---- failures and deaths -------------------------------------------------------------------- */

/* Each fails; the last does it. */
static void *try_in_turn(void *unused)
{
	int rc = mdg_once_begin_until(&box->once, GRACE);
	if (rc == 0 && atomic_fetch_add(&box->told, 1) + 1 < MANY) {
		CHECK(mdg_once_fail(&box->once) == 0);
	} else {
		CHECK(rc == 0);
		CHECK(mdg_once_finish(&box->once) == 0);
	}
	return unused;
}

static void failures_hand_it_on(void)
{
	pthread_t thread[MANY];
	make_new();
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&thread[i], NULL, try_in_turn, NULL) == 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(thread[i], NULL);
	CHECK(atomic_load(&box->told) == MANY);
	CHECK(mdg_once_begin(&box->once) == MDG_DONE);
}

static void begin_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_once_begin(&box->once) == 0);
	die();
}

static void told_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_once_begin(&box->once) == MDG_OWNER_DIED);
	die();
}

static void *begin_and_end(void *unused)
{
	CHECK(mdg_once_begin(&box->once) == 0);
	return unused;
}

static void begin_in_thread(void *unused)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, begin_and_end, unused) == 0);
	pthread_join(thread, NULL);
}

static void deaths_are_told_once(void)
{
	void (*const ways[])(void *) = { begin_and_die, begin_in_thread };
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		make_new();
		ended(start(ways[i], NULL));
		CHECK(mdg_once_begin_until(&box->once, GRACE) == MDG_OWNER_DIED);
		CHECK(mdg_once_fail(&box->once) == 0);
		CHECK(mdg_once_begin(&box->once) == 0);
		CHECK(mdg_once_fail(&box->once) == 0);
		ended(start(begin_and_die, NULL));
		ended(start(told_and_die, NULL));
		CHECK(mdg_once_begin(&box->once) == MDG_OWNER_DIED);
		CHECK(mdg_once_finish(&box->once) == 0);
		CHECK(mdg_once_begin(&box->once) == MDG_DONE);
	}
}

static void hold(void *unused)
{
	(void)unused;
	CHECK(mdg_once_begin(&box->once) == 0);
	atomic_store(&box->stage, 1);
	for (;;)
		pause();
}

static void wait_and_count(void *unused)
{
	(void)unused;
	int rc = mdg_once_begin_until(&box->once, GRACE);
	if (rc == MDG_OWNER_DIED) {
		atomic_fetch_add(&box->told, 1);
		box->plain = 4711;
		CHECK(mdg_once_finish(&box->once) == 0);
	} else {
		CHECK(rc == MDG_DONE);
		CHECK(box->plain == 4711);
	}
}

/* Of those who sleep when it dies, one is told. */
static void a_sleeper_is_told(void)
{
	pid_t child[MANY];
	make_new();
	pid_t owner = start(hold, NULL);
	CHECK(reaches(&box->stage, 1));
	for (int i = 0; i < MANY; i++)
		child[i] = start(wait_and_count, NULL);
	nap_ms(50);
	killed(owner);
	for (int i = 0; i < MANY; i++)
		CHECK(ended_well(child[i]));
	CHECK(atomic_load(&box->told) == 1);
}

/* ---- what no caller has put there ----------------------------------------------------------- */

static void hostile_words(void)
{
	static const uint32_t words[] = { 2, 0x80000000, 0xffffffff, 0x100 };
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		make_new();
		box->once.mdg_private[13] = words[i]; /* own[0] of src/sync/owned.h */
		CHECK(mdg_once_begin(&box->once) == MDG_BROKEN);
		CHECK(mdg_once_trybegin(&box->once) == MDG_BROKEN);
		CHECK(mdg_once_finish(&box->once) == -EPERM);
		CHECK(mdg_once_destroy(&box->once) == 0);
		CHECK(mdg_once_begin(&box->once) == 0);
		CHECK(mdg_once_finish(&box->once) == 0);
	}
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	answers();
	done_is_only_read();
	done_by_one();
	sleepers_are_woken();
	failures_hand_it_on();
	deaths_are_told_once();
	a_sleeper_is_told();
	hostile_words();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * threads.c - all objects between the threads of one process, on one mapping, for ThreadSanitizer.
 *
 * What the objects guard is plain memory: a lock that orders too little is a race that the
 * sanitizer sees (and reports; without it the sums and pairs are still checked). 2, 4 and 16
 * threads; some end while they hold something, and others take their places.
 */
#include "sync/shared.h"

enum { THREADS_MOST = 16, VALUE = 100, ROOM = 4 };

static struct plain {
	mdg_mutex mutex;
	mdg_rwlock rwlock;
	mdg_cond more, less;
	mdg_mutex store;
	mdg_sem token;
	mdg_event event;
	mdg_once once;
	_Alignas(64) unsigned char cell[MDG_CELL_SIZE(VALUE)];
	/* Plain, each guarded by one of the above. */
	uint64_t by_mutex[2], by_rwlock[2];
	uint64_t stored, slot[ROOM], handed, made;
} * plain;
static _Atomic uint64_t sum_by_mutex, sum_by_rwlock, sum_put, sum_got, deaths, told, readers_ended;
static unsigned rounds = 1500, threads;

/* The sanitizer does not see that the kernel orders a death before its being told: so the dead
 * one adds to `deaths` at its end, and who is told reads it. */
static bool was_told(int rc)
{
	if (rc == MDG_OWNER_DIED && atomic_load(&deaths) > 0)
		atomic_fetch_add(&told, 1);
	return CHECK(rc == 0 || rc == MDG_OWNER_DIED) && rc != 0;
}

static void count(uint64_t pair[2], _Atomic uint64_t *sum)
{
	CHECK(pair[0] == pair[1]);
	pair[0]++;
	pair[1]++;
	atomic_fetch_add(sum, 1);
}

/* The thread ends in the middle of it: true. */
static bool with_mutex(uint64_t *random)
{
	if (was_told(mdg_mutex_lock(&plain->mutex)))
		CHECK(mdg_mutex_set_repaired(&plain->mutex) == 0);
	count(plain->by_mutex, &sum_by_mutex);
	if (below(random, 500) == 0)
		return true;
	CHECK(mdg_mutex_unlock(&plain->mutex) == 0);
	return false;
}

static bool with_rwlock(uint64_t *random)
{
	bool writes = below(random, 3) == 0;
	int rc = writes ? mdg_rwlock_write(&plain->rwlock) : mdg_rwlock_read(&plain->rwlock);
	if (was_told(rc)) {
		CHECK(mdg_rwlock_set_repaired(&plain->rwlock) == 0);
		writes = true;
	}
	/* Always; for the sanitizer, as above. */
	if (writes && atomic_load(&readers_ended) < UINT64_MAX)
		count(plain->by_rwlock, &sum_by_rwlock);
	else
		CHECK(plain->by_rwlock[0] == plain->by_rwlock[1]);
	if (below(random, 500) == 0) {
		if (!writes)
			atomic_fetch_add(&readers_ended, 1); /* of which nobody is told */
		return true;
	}
	CHECK(mdg_rwlock_unlock(&plain->rwlock) == 0);
	return false;
}

/* As many are put as taken. */
static bool with_cond(uint64_t *random)
{
	bool puts = below(random, 2) == 0;
	uint64_t deadline = mdg_deadline(2000000);
	(void)was_told(mdg_mutex_lock(&plain->store));
	while (plain->stored == (puts ? ROOM : 0) && now_ns() < deadline) {
		int rc = mdg_cond_wait_until(puts ? &plain->less : &plain->more, &plain->store,
		                             deadline);
		CHECK(rc == 0 || rc == -ETIMEDOUT);
	}
	if (puts && plain->stored < ROOM) {
		plain->slot[plain->stored++] = below(random, 1000);
		atomic_fetch_add(&sum_put, plain->slot[plain->stored - 1]);
		CHECK(mdg_cond_signal(&plain->more) == 0);
	} else if (!puts && plain->stored > 0) {
		atomic_fetch_add(&sum_got, plain->slot[--plain->stored]);
		CHECK(mdg_cond_broadcast(&plain->less) == 0);
	}
	CHECK(mdg_mutex_unlock(&plain->store) == 0);
	return false;
}

/* One token: who has it has `handed` to itself. */
static bool with_sem(uint64_t *random)
{
	(void)random;
	CHECK(mdg_sem_wait(&plain->token) == 0);
	plain->handed++;
	CHECK(mdg_sem_post(&plain->token, 1) == 0);
	return false;
}

/* The same with an event. */
static bool with_event(uint64_t *random)
{
	static uint64_t mine; /* whose the event is */
	(void)random;
	CHECK(mdg_event_take(&plain->event) == 0);
	mine++;
	CHECK(mdg_event_set(&plain->event) == 0);
	return false;
}

static bool with_once(uint64_t *random)
{
	int rc = mdg_once_begin(&plain->once);
	if (rc == MDG_DONE) {
		CHECK(plain->made != 0);
		return false;
	}
	(void)was_told(rc);
	plain->made++;
	if (below(random, 2) == 0)
		return true;
	CHECK((below(random, 2) == 0 ? mdg_once_fail(&plain->once)
	                             : mdg_once_finish(&plain->once)) == 0);
	return false;
}

static bool with_cell(uint64_t *random)
{
	mdg_cell *cell = (mdg_cell *)(void *)plain->cell;
	unsigned char value[VALUE];
	if (below(random, 3) != 0) {
		CHECK(mdg_cell_read(cell, value, VALUE, NULL) == 0);
		CHECK(memcmp(value, value + 1, VALUE - 1) == 0);
		return false;
	}
	memset(value, (int)below(random, 256), sizeof(value));
	if (below(random, 200) == 0) {
		void *place;
		(void)was_told(mdg_cell_begin(cell, VALUE, &place));
		memset(place, 7, VALUE / 2);
		return true;
	}
	(void)was_told(mdg_cell_write(cell, value, VALUE));
	return false;
}

static void *live(void *argument)
{
	static bool (*const with[])(uint64_t *) = { with_mutex, with_rwlock, with_cond, with_sem,
		                                    with_event, with_once,   with_cell };
	uint64_t random = (uint64_t)(uintptr_t)argument * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (unsigned i = 0; i < rounds; i++)
		if (with[below(&random, sizeof(with) / sizeof(with[0]))](&random)) {
			atomic_fetch_add(&deaths, 1);
			if (i % 2 == 0)
				pthread_exit((void *)(uintptr_t)(rounds - i));
			return (void *)(uintptr_t)(rounds - i);
		}
	return NULL;
}

static void run(unsigned count_of_them)
{
	pthread_t thread[THREADS_MOST];
	unsigned char value[VALUE] = { 0 };
	unsigned next = 1000 * count_of_them, again = 2 * count_of_them;
	memset(plain, 0, sizeof(*plain));
	sum_by_mutex = sum_by_rwlock = sum_put = sum_got = deaths = told = readers_ended = 0;
	threads = count_of_them;
	CHECK(mdg_sem_post(&plain->token, 1) == 0);
	CHECK(mdg_event_set(&plain->event) == 0);
	for (unsigned i = 0; i < threads; i++)
		CHECK(pthread_create(&thread[i], NULL, live, (void *)(uintptr_t)next++) == 0);
	for (unsigned i = 0; i < threads; i++) {
		void *left = NULL;
		CHECK(pthread_join(thread[i], &left) == 0);
		if (left == NULL || again == 0)
			continue;
		again--; /* another in its place */
		CHECK(pthread_create(&thread[i], NULL, live, (void *)(uintptr_t)next++) == 0);
		i--;
	}
	/* The last deaths are told here. */
	if (was_told(mdg_mutex_trylock(&plain->mutex)))
		CHECK(mdg_mutex_set_repaired(&plain->mutex) == 0);
	CHECK(mdg_mutex_unlock(&plain->mutex) == 0);
	if (was_told(mdg_rwlock_trywrite(&plain->rwlock)))
		CHECK(mdg_rwlock_set_repaired(&plain->rwlock) == 0);
	CHECK(mdg_rwlock_unlock(&plain->rwlock) == 0);
	int rc = mdg_once_trybegin(&plain->once);
	CHECK(rc == MDG_DONE || was_told(rc) || rc == 0);
	(void)was_told(mdg_cell_trywrite((mdg_cell *)(void *)plain->cell, value, VALUE));
	CHECK(plain->by_mutex[0] == sum_by_mutex && plain->by_mutex[1] == sum_by_mutex);
	CHECK(plain->by_rwlock[0] == sum_by_rwlock && plain->by_rwlock[1] == sum_by_rwlock);
	while (plain->stored > 0)
		sum_got += plain->slot[--plain->stored];
	CHECK(sum_put == sum_got);
	CHECK(deaths == told + readers_ended);
	printf("%2u threads: %llu ended holding, %llu told\n", threads, (unsigned long long)deaths,
	       (unsigned long long)told);
}

int main(void)
{
	plain = shared_memory(sizeof(*plain));
	run(2);
	run(4);
	run(16);
	return test_result();
}

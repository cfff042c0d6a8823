/* SPDX-License-Identifier: MIT */
/*
 * libc.c - the C library's side. All objects are process-shared, the mutex is robust, and the
 * condition uses CLOCK_MONOTONIC.
 *
 * The C library has no event, so a semaphore is used for one. It has no cell, so a value guarded by
 * a rwlock is used. It has no transaction, so two stores under the mutex are used, of which a death
 * can leave only the first.
 */
#include "bench/sync/sync.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#define WITH_RWLOCK  1
#define WITH_SEM     1
#define WITH_EVENT   1
#define WITH_COND    1
#define WITH_BARRIER 1
#define WITH_CELL    1
#define WITH_TXN     1

#define LINE __attribute__((aligned(64)))

struct objects {
	LINE pthread_mutex_t mutex;
	LINE pthread_mutex_t other;
	LINE pthread_rwlock_t rwlock;
	struct {
		LINE sem_t one;
	} sems[2];
	struct {
		LINE pthread_cond_t one;
	} conds[2];
	LINE pthread_barrier_t barrier;
	LINE struct sync_data data;
};

_Static_assert(sizeof(struct objects) <= SYNC_OBJECTS_SIZE, "");

#define sem                      sems
#define event                    sems
#define cond                     conds
#define mutex_lock               pthread_mutex_lock
#define mutex_unlock             pthread_mutex_unlock
#define rw_read                  pthread_rwlock_rdlock
#define rw_unread                pthread_rwlock_unlock
#define rw_write                 pthread_rwlock_wrlock
#define rw_unwrite               pthread_rwlock_unlock
#define sem_up(object)           sem_post(&(object)->one)
#define sem_down(object)         sem_wait(&(object)->one)
#define event_set(object)        sem_post(&(object)->one)
#define event_unset(object)      sem_trywait(&(object)->one)
#define event_take(object)       sem_wait(&(object)->one)
#define cond_signal(object)      pthread_cond_signal(&(object)->one)
#define cond_broadcast(object)   pthread_cond_broadcast(&(object)->one)
#define cond_wait(object, mutex) pthread_cond_wait(&(object)->one, mutex)

static int barrier_meet(pthread_barrier_t *barrier)
{
	int rc = pthread_barrier_wait(barrier);

	return rc != 0 && rc != PTHREAD_BARRIER_SERIAL_THREAD;
}

static int cell_read(struct objects *o, unsigned char *value, uint32_t *ret_version)
{
	int bad = pthread_rwlock_rdlock(&o->rwlock);

	memcpy(value, o->data.value, SYNC_VALUE);
	if (ret_version != NULL)
		*ret_version = o->data.version;
	return bad | pthread_rwlock_unlock(&o->rwlock);
}

static int cell_write(struct objects *o, const unsigned char *value)
{
	int bad = pthread_rwlock_wrlock(&o->rwlock);

	memcpy(o->data.value, value, SYNC_VALUE);
	o->data.version++;
	return bad | pthread_rwlock_unlock(&o->rwlock);
}

static int two_words(struct objects *o, uint64_t value)
{
	volatile uint64_t *words = o->data.words;
	int bad = pthread_mutex_lock(&o->mutex);

	words[0] = value;
	words[1] = value;
	return bad | pthread_mutex_unlock(&o->mutex);
}

#include "bench/sync/blocks.h"

static int make_locks(struct objects *o)
{
	pthread_mutexattr_t mutex;
	pthread_rwlockattr_t rwlock;
	int bad = pthread_mutexattr_init(&mutex) | pthread_rwlockattr_init(&rwlock);

	bad |= pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	bad |= pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	bad |= pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
	return bad | pthread_mutex_init(&o->mutex, &mutex) | pthread_mutex_init(&o->other, &mutex) |
	       pthread_rwlock_init(&o->rwlock, &rwlock);
}

static int make_meetings(struct objects *o)
{
	pthread_condattr_t condition;
	pthread_barrierattr_t barrier;
	int bad = pthread_condattr_init(&condition) | pthread_barrierattr_init(&barrier);

	bad |= pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
	bad |= pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
	bad |= pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
	bad |= pthread_barrier_init(&o->barrier, &barrier, 2);
	for (int i = 0; i < 2; i++) {
		bad |= sem_init(&o->sems[i].one, 1, 0);
		bad |= pthread_cond_init(&o->conds[i].one, &condition);
	}
	return bad;
}

static bool make(void *objects)
{
	struct objects *o = objects;

	return make_locks(o) == 0 && make_meetings(o) == 0;
}

static int wake(void *place, enum sync_wake what, enum sync_act act)
{
	return wake_once(place, what, act);
}

void sync_libc_fill(struct sync_side_about *about)
{
#ifdef __GLIBC__
	about->name = "glibc";
#else
	about->name = "libc";
#endif
	about->make = make;
	about->wake = wake;
	set_plays(about);
}

/* SPDX-License-Identifier: MIT */
/*
 * boost.cpp - Boost.Interprocess's side, for the objects that it has. Built only where a
 * C++ compiler and Boost's headers are found.
 *
 * Its mutex is not robust. Where POSIX's process-shared objects exist it is made of those.
 */
#include "bench/sync/sync.h"

#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>

#include <cstring>
#include <new>

#define WITH_RWLOCK  1
#define WITH_SEM     1
#define WITH_EVENT   1
#define WITH_COND    1
#define WITH_BARRIER 0
#define WITH_CELL    1
#define WITH_TXN     0

namespace ipc = boost::interprocess;

namespace
{

struct alignas(64) semaphore : ipc::interprocess_semaphore {
	semaphore() : ipc::interprocess_semaphore(0)
	{
	}
};
struct alignas(64) condition : ipc::interprocess_condition {
};

struct objects {
	alignas(64) ipc::interprocess_mutex mutex;
	alignas(64) ipc::interprocess_mutex other;
	alignas(64) ipc::interprocess_sharable_mutex rwlock;
	semaphore sem[2];
	condition cond[2];
	alignas(64) sync_data data;
};

static_assert(sizeof(objects) <= SYNC_OBJECTS_SIZE, "");

#define event sem

/* They throw instead of returning a code. Nobody catches it: the program ends. */
inline int mutex_lock(ipc::interprocess_mutex *mutex)
{
	mutex->lock();
	return 0;
}
inline int mutex_unlock(ipc::interprocess_mutex *mutex)
{
	mutex->unlock();
	return 0;
}

typedef ipc::interprocess_sharable_mutex rwlock;
inline int rw_read(rwlock *lock)
{
	lock->lock_sharable();
	return 0;
}
inline int rw_unread(rwlock *lock)
{
	lock->unlock_sharable();
	return 0;
}
inline int rw_write(rwlock *lock)
{
	lock->lock();
	return 0;
}
inline int rw_unwrite(rwlock *lock)
{
	lock->unlock();
	return 0;
}

inline int sem_up(semaphore *sem)
{
	sem->post();
	return 0;
}
inline int sem_down(semaphore *sem)
{
	sem->wait();
	return 0;
}
inline int event_set(semaphore *sem)
{
	sem->post();
	return 0;
}
inline int event_unset(semaphore *sem)
{
	return !sem->try_wait();
}
inline int event_take(semaphore *sem)
{
	sem->wait();
	return 0;
}

inline int cond_signal(condition *cond)
{
	cond->notify_one();
	return 0;
}
inline int cond_broadcast(condition *cond)
{
	cond->notify_all();
	return 0;
}

/* It waits with a lock object; this one takes over a held mutex and leaves it held. */
inline int cond_wait(condition *cond, ipc::interprocess_mutex *mutex)
{
	ipc::scoped_lock<ipc::interprocess_mutex> lock(*mutex, ipc::accept_ownership);

	cond->wait(lock);
	lock.release();
	return 0;
}

inline int cell_read(objects *o, unsigned char *value, uint32_t *ret_version)
{
	o->rwlock.lock_sharable();
	std::memcpy(value, o->data.value, SYNC_VALUE);
	if (ret_version != nullptr)
		*ret_version = o->data.version;
	o->rwlock.unlock_sharable();
	return 0;
}

inline int cell_write(objects *o, const unsigned char *value)
{
	o->rwlock.lock();
	std::memcpy(o->data.value, value, SYNC_VALUE);
	o->data.version++;
	o->rwlock.unlock();
	return 0;
}

#include "bench/sync/blocks.h"

bool make(void *place)
{
	new (place) objects();
	return true;
}

int wake(void *place, enum sync_wake what, enum sync_act act)
{
	return wake_once(static_cast<objects *>(place), what, act);
}

} // namespace

void sync_boost_fill(sync_side_about *about)
{
	about->name = "boost";
	about->make = make;
	about->wake = wake;
	set_plays(about);
}

/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - mdg_sync_set_interruptible: a signal handler ends the waits for locks of a thread
 * that wants it, nothing is taken and nothing is lost, and no other thread notices.
 */
#include "sync/asleep.h"

static struct box {
	mdg_mutex mutex;
	mdg_rwlock written, read, full;
	mdg_once once;
	mdg_cond cond;
	_Atomic uint32_t about, signals, crowd;
	_Alignas(64) unsigned char cell[4096];
	_Alignas(64) unsigned char txn[4096];
	_Alignas(64) unsigned char data[64];
} * box;

/* ---- the waits: each for what this process has ---------------------------------------- */

static int wait_mutex(void)
{
	return mdg_mutex_lock(&box->mutex);
}

static int wait_mutex_until(void)
{
	return mdg_mutex_lock_until(&box->mutex, GRACE);
}

static int wait_read(void)
{
	return mdg_rwlock_read(&box->written);
}

static int wait_write(void)
{
	return mdg_rwlock_write(&box->written);
}

/* For a reader to leave. */
static int wait_drain(void)
{
	return mdg_rwlock_write(&box->read);
}

static int wait_once(void)
{
	return mdg_once_begin(&box->once);
}

static int wait_cell(void)
{
	uint64_t value = 1;
	return mdg_cell_write((mdg_cell *)(void *)box->cell, &value, sizeof(value));
}

static int wait_txn(void)
{
	mdg_txn_run run;
	return mdg_txn_begin(&run, (mdg_txn *)(void *)box->txn, 1024, box->data, sizeof(box->data));
}

static const struct wait {
	const char *name;
	int (*call)(void);
} waits[] = {
	{ "mutex", wait_mutex }, { "mutex until", wait_mutex_until },
	{ "read", wait_read },   { "write", wait_write },
	{ "drain", wait_drain }, { "once", wait_once },
	{ "cell", wait_cell },   { "transaction", wait_txn },
};

static mdg_txn_run running;

static void take_all(void)
{
	void *place;
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	CHECK(mdg_rwlock_write(&box->written) == 0);
	CHECK(mdg_rwlock_read(&box->read) == 0);
	CHECK(mdg_once_begin(&box->once) == 0);
	CHECK(mdg_cell_begin((mdg_cell *)(void *)box->cell, 8, &place) == 0);
	CHECK(mdg_txn_begin(&running, (mdg_txn *)(void *)box->txn, 1024, box->data,
	                    sizeof(box->data)) == 0);
}

static void give_all(void)
{
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
	CHECK(mdg_rwlock_unlock(&box->written) == 0);
	CHECK(mdg_rwlock_unlock(&box->read) == 0);
	CHECK(mdg_once_fail(&box->once) == 0);
	CHECK(mdg_cell_cancel((mdg_cell *)(void *)box->cell) == 0);
	CHECK(mdg_txn_cancel(&running) == 0);
}

/* ---- with the setting, and without ------------------------------------------------------- */

static void wait_interruptibly(void *wait)
{
	handle_signals(&box->signals, 0);
	CHECK(mdg_sync_set_interruptible(1) == 0);
	atomic_store(&box->about, 1);
	CHECK(((const struct wait *)wait)->call() == -EINTR);
	CHECK(atomic_load(&box->signals) == 1);
}

/* The same thread again, without the setting: it goes on, until it is killed. */
static void wait_on(void *wait)
{
	handle_signals(&box->signals, 0);
	CHECK(mdg_sync_set_interruptible(1) == 0);
	CHECK(mdg_sync_set_interruptible(0) == 1);
	CHECK(mdg_sync_set_interruptible(0) == 0);
	atomic_store(&box->about, 1);
	(void)((const struct wait *)wait)->call();
	CHECK(false);
}

static pid_t waiter(void (*f)(void *), const struct wait *wait)
{
	atomic_store(&box->about, 0);
	atomic_store(&box->signals, 0);
	pid_t pid = start(f, (void *)(uintptr_t)wait);
	CHECK(falls_asleep(pid, &box->about));
	kill(pid, SIGUSR1);
	return pid;
}

static void each_wait(void)
{
	take_all();
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		pid_t pid = waiter(wait_interruptibly, &waits[i]);
		check_one(ended_well(pid), waits[i].name, NULL, __FILE__, __LINE__);
		pid = waiter(wait_on, &waits[i]);
		CHECK(reaches(&box->signals, 1));
		nap_ms(5);
		check_one(waitpid(pid, NULL, WNOHANG) == 0, waits[i].name, NULL, __FILE__,
		          __LINE__);
		killed(pid);
	}
	give_all();
	take_all(); /* nobody has taken anything */
	give_all();
}

/* ---- a rwlock whose every place for readers is taken -------------------------------------- */

static void read_until_killed(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->full) == 0);
	atomic_fetch_add(&box->crowd, 1);
	pause();
}

static int wait_crowd(void)
{
	return mdg_rwlock_read(&box->full);
}

static void crowd(void)
{
	static const struct wait wait = { "crowd", wait_crowd };
	pid_t readers[MDG_READERS_MAX];
	for (uint32_t i = 0; i < MDG_READERS_MAX; i++)
		readers[i] = start(read_until_killed, NULL);
	CHECK(reaches(&box->crowd, MDG_READERS_MAX));
	pid_t pid = waiter(wait_interruptibly, &wait);
	CHECK(ended_well(pid));
	for (uint32_t i = 0; i < MDG_READERS_MAX; i++)
		killed(readers[i]);
	CHECK(mdg_rwlock_write(&box->full) == 0);
	CHECK(mdg_rwlock_unlock(&box->full) == 0);
}

/* ---- a condition locks its mutex again, whatever comes -------------------------------------- */

static void wait_condition(void *unused)
{
	(void)unused;
	handle_signals(&box->signals, 0);
	CHECK(mdg_sync_set_interruptible(1) == 0);
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	atomic_store(&box->about, 1);
	CHECK(mdg_cond_wait(&box->cond, &box->mutex) == -EINTR);
	CHECK(mdg_mutex_unlock(&box->mutex) == 0); /* it is held */
}

/* The first signal ends the sleep, and the second one comes while the mutex is waited for. */
static void condition(void)
{
	atomic_store(&box->about, 0);
	atomic_store(&box->signals, 0);
	pid_t pid = start(wait_condition, NULL);
	CHECK(falls_asleep(pid, &box->about));
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	for (uint32_t i = 1; i <= 3; i++) {
		kill(pid, SIGUSR1);
		CHECK(reaches(&box->signals, i));
		nap_ms(2);
	}
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
	CHECK(ended_well(pid));
}

/* ---- whose setting it is ------------------------------------------------------------------ */

static void has_none(void *unused)
{
	(void)unused;
	CHECK(mdg_sync_set_interruptible(0) == 0);
}

static void *thread_has_none(void *unused)
{
	has_none(NULL);
	return unused;
}

static void of_one_thread(void)
{
	pthread_t thread;
	CHECK(mdg_sync_set_interruptible(7) == 0);
	CHECK(ended_well(start(has_none, NULL)));
	CHECK(pthread_create(&thread, NULL, thread_has_none, NULL) == 0);
	pthread_join(thread, NULL);
	CHECK(mdg_sync_set_interruptible(0) == 1);
}

int main(void)
{
	box = shared_memory(sizeof(*box));
	of_one_thread();
	if (HANDLERS_LATE)
		return test_result();
	each_wait();
	crowd();
	condition();
	return test_result();
}

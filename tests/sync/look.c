/* SPDX-License-Identifier: MIT */
/*
 * look.c - mdg_sync_look: who has an object, who waits for it and since when, and what deaths
 * leave. It also looks at bytes that are no object at all.
 */
#include "shared.h"

#include <sys/syscall.h>

static struct box {
	mdg_mutex mutex;
	mdg_once once;
	mdg_rwlock rwlock;
	mdg_cond cond;
	mdg_sem sem;
	mdg_event event;
	mdg_cell cell;
	mdg_barrier barrier;
	unsigned char values[4 * 64]; /* of the cell */
	mdg_txn txn;
	unsigned char journal[64]; /* of the transaction */
	uint64_t data;
	_Atomic uint32_t true_now;
} * box;

static struct mdg_sync_state look(const void *object, enum mdg_sync_kind kind)
{
	struct mdg_sync_state state;
	memset(&state, 0xa5, sizeof state);
	state.size = sizeof state;
	CHECK(mdg_sync_look(object, kind, &state) == 0);
	CHECK(state.kind == (uint32_t)kind);
	return state;
}

/* Nobody has it, nobody waits, nobody died. */
static bool is_free(const void *object, enum mdg_sync_kind kind)
{
	struct mdg_sync_state state = look(object, kind);
	return state.state == 0 && state.owner == 0 && state.readers == 0 && state.value == 0 &&
	       state.waiters == 0;
}

static uint32_t now_ms(void)
{
	return (uint32_t)(now_ns() / 1000000);
}

/* Until that thread is seen waiting: since when; false after GRACE. */
static bool waits(const void *object, enum mdg_sync_kind kind, pid_t thread, uint32_t *ret_since)
{
	for (uint64_t end = GRACE; now_ns() < end; nap_ms(1)) {
		struct mdg_sync_state state = look(object, kind);
		for (uint32_t i = 0; i < state.waiters && i < MDG_WAITERS_SHOWN; i++)
			if (state.waiter[i].thread == (uint32_t)thread) {
				*ret_since = state.waiter[i].since;
				return true;
			}
	}
	return false;
}

/* Starts a child that waits, sees it waiting since a moment that can be, and calls `release`. */
static void is_seen_waiting(const void *object, enum mdg_sync_kind kind, void (*wait)(void *),
                            int (*release)(void))
{
	uint32_t before = now_ms(), since = 0;
	pid_t child = start(wait, NULL);
	CHECK(waits(object, kind, child, &since));
	CHECK(since - before <= now_ms() - before);
	CHECK(look(object, kind).waiters == 1);
	CHECK(release() == 0);
	CHECK(ended_well(child));
	CHECK(look(object, kind).waiters == 0);
}

/* ---- mutex ---------------------------------------------------------------------------- */

static void lock_and_unlock(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
}

static void lock_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	die();
}

static int unlock(void)
{
	return mdg_mutex_unlock(&box->mutex);
}

static void mutex(void)
{
	const uint32_t self = (uint32_t)syscall(SYS_gettid);
	const void *object = &box->mutex;
	CHECK(is_free(object, MDG_SYNC_MUTEX));
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	CHECK(look(object, MDG_SYNC_MUTEX).owner == self);
	is_seen_waiting(object, MDG_SYNC_MUTEX, lock_and_unlock, unlock);
	CHECK(is_free(object, MDG_SYNC_MUTEX));
	pid_t child = start(lock_and_die, NULL);
	CHECK(WIFSIGNALED(ended(child)));
	struct mdg_sync_state state = look(object, MDG_SYNC_MUTEX);
	CHECK(state.owner == 0 && state.state == MDG_STATE_OWNER_DIED);
	CHECK(mdg_mutex_lock(&box->mutex) == MDG_OWNER_DIED);
	state = look(object, MDG_SYNC_MUTEX);
	CHECK(state.owner == self && state.state == MDG_STATE_UNREPAIRED);
	CHECK(mdg_mutex_set_repaired(&box->mutex) == 0);
	CHECK(look(object, MDG_SYNC_MUTEX).state == 0);
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
	CHECK(WIFSIGNALED(ended(start(lock_and_die, NULL))));
	CHECK(mdg_mutex_lock(&box->mutex) == MDG_OWNER_DIED);
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
	state = look(object, MDG_SYNC_MUTEX);
	CHECK(state.owner == 0 && state.state == MDG_STATE_BROKEN);
}

/* ---- once ------------------------------------------------------------------------------- */

static void begin_once(void *unused)
{
	(void)unused;
	CHECK(mdg_once_begin(&box->once) == MDG_DONE);
}

static int once_done(void)
{
	return mdg_once_finish(&box->once);
}

static void once(void)
{
	CHECK(is_free(&box->once, MDG_SYNC_ONCE));
	CHECK(mdg_once_begin(&box->once) == 0);
	CHECK(look(&box->once, MDG_SYNC_ONCE).owner == (uint32_t)syscall(SYS_gettid));
	CHECK(look(&box->once, MDG_SYNC_ONCE).value == 0);
	is_seen_waiting(&box->once, MDG_SYNC_ONCE, begin_once, once_done);
	struct mdg_sync_state state = look(&box->once, MDG_SYNC_ONCE);
	CHECK(state.owner == 0 && state.state == 0 && state.value == 1);
}

/* ---- rwlock ----------------------------------------------------------------------------- */

static void read_and_unlock(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_read(&box->rwlock) == 0);
	CHECK(mdg_rwlock_unlock(&box->rwlock) == 0);
}

static void write_and_unlock(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write(&box->rwlock) == 0);
	CHECK(mdg_rwlock_unlock(&box->rwlock) == 0);
}

static void write_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write(&box->rwlock) == 0);
	die();
}

static void wait_to_write_and_die(void *unused)
{
	(void)unused;
	CHECK(mdg_rwlock_write_until(&box->rwlock, BRIEFLY) == -ETIMEDOUT);
	die();
}

static int rwlock_unlock(void)
{
	return mdg_rwlock_unlock(&box->rwlock);
}

/* While a writer waits for this reader, the writer is no owner. */
static int rwlock_unlock_read(void)
{
	struct mdg_sync_state state = look(&box->rwlock, MDG_SYNC_RWLOCK);
	CHECK(state.owner == 0 && state.readers == 1 && state.state == 0);
	CHECK(state.reader[0] == (uint32_t)syscall(SYS_gettid));
	return mdg_rwlock_unlock(&box->rwlock);
}

static void rwlock(void)
{
	const uint32_t self = (uint32_t)syscall(SYS_gettid);
	const void *object = &box->rwlock;
	CHECK(is_free(object, MDG_SYNC_RWLOCK));
	CHECK(mdg_rwlock_read(&box->rwlock) == 0);
	CHECK(WIFSIGNALED(ended(start(wait_to_write_and_die, NULL))));
	is_seen_waiting(object, MDG_SYNC_RWLOCK, write_and_unlock, rwlock_unlock_read);
	CHECK(is_free(object, MDG_SYNC_RWLOCK));
	CHECK(mdg_rwlock_write(&box->rwlock) == 0);
	struct mdg_sync_state state = look(object, MDG_SYNC_RWLOCK);
	CHECK(state.owner == self && state.readers == 0);
	is_seen_waiting(object, MDG_SYNC_RWLOCK, read_and_unlock, rwlock_unlock);
	CHECK(is_free(object, MDG_SYNC_RWLOCK));
	CHECK(WIFSIGNALED(ended(start(write_and_die, NULL))));
	state = look(object, MDG_SYNC_RWLOCK);
	CHECK(state.owner == 0 && state.state == MDG_STATE_OWNER_DIED);
	CHECK(mdg_rwlock_read(&box->rwlock) == MDG_OWNER_DIED);
	state = look(object, MDG_SYNC_RWLOCK);
	CHECK(state.owner == self && state.state == MDG_STATE_UNREPAIRED);
	CHECK(mdg_rwlock_unlock(&box->rwlock) == 0);
	CHECK(look(object, MDG_SYNC_RWLOCK).state == MDG_STATE_BROKEN);
}

/* ---- those that nobody owns --------------------------------------------------------------- */

static void wait_for_cond(void *unused)
{
	(void)unused;
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	while (atomic_load(&box->true_now) == 0)
		CHECK(mdg_cond_wait(&box->cond, &box->mutex) == 0);
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
}

static int make_true(void)
{
	CHECK(mdg_mutex_lock(&box->mutex) == 0);
	atomic_store(&box->true_now, 1);
	CHECK(mdg_mutex_unlock(&box->mutex) == 0);
	return mdg_cond_broadcast(&box->cond);
}

static void take_unit(void *unused)
{
	(void)unused;
	CHECK(mdg_sem_wait(&box->sem) == 0);
}

static int post(void)
{
	return mdg_sem_post(&box->sem, 4);
}

static void wait_for_event(void *unused)
{
	(void)unused;
	CHECK(mdg_event_wait(&box->event) == 0);
}

static int set(void)
{
	return mdg_event_set(&box->event);
}

static void nobodys(void)
{
	CHECK(mdg_mutex_destroy(&box->mutex) == 0);
	CHECK(is_free(&box->cond, MDG_SYNC_COND));
	is_seen_waiting(&box->cond, MDG_SYNC_COND, wait_for_cond, make_true);
	CHECK(is_free(&box->sem, MDG_SYNC_SEM));
	is_seen_waiting(&box->sem, MDG_SYNC_SEM, take_unit, post);
	CHECK(look(&box->sem, MDG_SYNC_SEM).value == 3);
	CHECK(is_free(&box->event, MDG_SYNC_EVENT));
	is_seen_waiting(&box->event, MDG_SYNC_EVENT, wait_for_event, set);
	CHECK(look(&box->event, MDG_SYNC_EVENT).value == 1);
	CHECK(mdg_event_reset(&box->event) == 0 && is_free(&box->event, MDG_SYNC_EVENT));
}

/* ---- barrier ------------------------------------------------------------------------------- */

static void meet(void *unused)
{
	(void)unused;
	CHECK(mdg_barrier_wait(&box->barrier, 2) >= 0);
}

static int meet_too(void)
{
	struct mdg_sync_state state = look(&box->barrier, MDG_SYNC_BARRIER);
	CHECK(state.readers == 2 && state.value == 2 && state.owner == 0);
	CHECK(state.reader[0] == (uint32_t)syscall(SYS_gettid) ||
	      state.reader[1] == (uint32_t)syscall(SYS_gettid));
	return mdg_barrier_wait(&box->barrier, 2) >= 0 ? 0 : -1;
}

static void barrier(void)
{
	CHECK(is_free(&box->barrier, MDG_SYNC_BARRIER));
	CHECK(mdg_barrier_join(&box->barrier, 2) == 0);
	is_seen_waiting(&box->barrier, MDG_SYNC_BARRIER, meet, meet_too);
	CHECK(look(&box->barrier, MDG_SYNC_BARRIER).readers == 1); /* the other one has died */
	CHECK(mdg_barrier_leave(&box->barrier) == 0);
	CHECK(look(&box->barrier, MDG_SYNC_BARRIER).readers == 0);
}

/* ---- cell and transaction ------------------------------------------------------------------ */

static void values(void)
{
	const uint32_t self = (uint32_t)syscall(SYS_gettid);
	mdg_txn_run run;
	void *place;
	CHECK(is_free(&box->cell, MDG_SYNC_CELL));
	CHECK(mdg_cell_write(&box->cell, "a", 1) == 0 && mdg_cell_write(&box->cell, "b", 1) == 0);
	CHECK(mdg_cell_begin(&box->cell, 1, &place) == 0);
	struct mdg_sync_state state = look(&box->cell, MDG_SYNC_CELL);
	CHECK(state.owner == self && state.value == 2);
	CHECK(mdg_cell_cancel(&box->cell) == 0);
	CHECK(look(&box->cell, MDG_SYNC_CELL).owner == 0);
	CHECK(is_free(&box->txn, MDG_SYNC_TXN));
	CHECK(mdg_txn_begin(&run, &box->txn, sizeof box->journal, &box->data, sizeof box->data) ==
	      0);
	CHECK(look(&box->txn, MDG_SYNC_TXN).owner == self);
	CHECK(mdg_txn_cancel(&run) == 0);
	CHECK(is_free(&box->txn, MDG_SYNC_TXN));
}

/* ---- anything ---------------------------------------------------------------------------- */

static void noise(void)
{
	enum { ROUNDS = 2000 };
	static mdg_rwlock object; /* the largest */
	struct mdg_sync_state state = { .size = sizeof state };
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
	CHECK(mdg_sync_look(&object, (enum mdg_sync_kind)0, &state) == -EINVAL);
	CHECK(mdg_sync_look(&object, (enum mdg_sync_kind)(MDG_SYNC_TXN + 1), &state) == -EINVAL);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof object / 4; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			object.mdg_private[i] = (uint32_t)(random >> 32);
			if (random % 4 == 0) /* small numbers, and all bits */
				object.mdg_private[i] =
					random % 8 == 0 ? UINT32_MAX : (uint32_t)(round % 4 != 0);
		}
		for (uint32_t kind = MDG_SYNC_MUTEX; kind <= MDG_SYNC_TXN; kind++) {
			state = look(&object, (enum mdg_sync_kind)kind);
			CHECK(state.waiters <= MDG_WAITERS_SHOWN &&
			      state.readers <= sizeof state.reader / sizeof state.reader[0]);
			CHECK(state.state <=
			      (MDG_STATE_OWNER_DIED | MDG_STATE_UNREPAIRED | MDG_STATE_BROKEN));
		}
	}
}

int main(void)
{
	box = shared_memory(sizeof *box);
	mutex();
	once();
	rwlock();
	nobodys();
	barrier();
	values();
	noise();
	return test_result();
}

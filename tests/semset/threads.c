/* SPDX-License-Identifier: MIT */
/* Threads of one process on one set: for the preset tsan above all. */
#include "semset/set.h"

enum { THREADS = 4, TIMES = 3000 };

static int inside; /* guarded by the first semaphore */
static _Atomic uint32_t failures;

static struct mdg__semset own_set(void)
{
	return *engine();
}

static int on(struct mdg__semset *set, const struct mdg_semset_op *ops, uint32_t count)
{
	return mdg__semset_op(set, ops, count, GRACE);
}

static void *work(void *argument)
{
	struct mdg__semset set = *(struct mdg__semset *)argument;
	const struct mdg_semset_op lock = { 0, -1, MDG_SEM_UNDO }, unlock = { 0, 1, MDG_SEM_UNDO };
	const struct mdg_semset_op two[2] = { { 1, 1, 0 }, { 2, -1, 0 } };
	const struct mdg_semset_op back[2] = { { 1, -1, 0 }, { 2, 1, 0 } };
	for (int i = 0; i < TIMES && failures == 0; i++) {
		if (on(&set, &lock, 1) != 0) {
			failures++;
			break;
		}
		if (++inside != 1)
			failures++;
		inside--;
		if (on(&set, &unlock, 1) != 0 || on(&set, two, 2) != 0 || on(&set, back, 2) != 0)
			failures++;
		if (i % 64 == 0 && mdg__semset_waiting(&set, 0, false) < 0)
			failures++;
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	fresh(3);
	CHECK(set_value(0, 1) == 0 && set_value(2, 2) == 0);
	struct mdg__semset set = own_set();
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, &set) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(failures == 0);
	CHECK(value(0) == 1 && value(1) == 0 && value(2) == 2);
	return test_result();
}

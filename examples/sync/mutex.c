/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - a list of numbers and its total, and a process that dies between changing the two.
 *
 * The total has to be the sum of the list, and the mutex guards both. A child is killed after it
 * has entered a number and before it has added it to the total. The next owner of the mutex is
 * told. It counts again and says that the data are right, and no other process notices anything.
 */
#include "place.h"

enum { MOST = 100, EACH = 20, CHILDREN = 3 };

static struct {
	mdg_mutex lock;
	int count, total; /* guarded by lock */
	int number[MOST];
} * list;

static void lock(void)
{
	int rc = mdg_mutex_lock(&list->lock);

	if (rc == MDG_OWNER_DIED) {
		list->total = 0;
		for (int i = 0; i < list->count; i++)
			list->total += list->number[i];
		printf("process %d: somebody died here; counted again\n", (int)getpid());
		rc = mdg_mutex_set_repaired(&list->lock);
	}
	must(rc, "lock"); /* MDG_BROKEN too: somebody did not repair */
}

static void add(int number)
{
	list->number[list->count] = number;
	list->count++;
	list->total += number;
}

static void add_many(void)
{
	for (int i = 1; i <= EACH; i++) {
		lock();
		add(i);
		must(mdg_mutex_unlock(&list->lock), "unlock");
	}
}

static void add_and_die(void)
{
	lock();
	list->number[list->count] = 1000;
	list->count++;
	die(); /* before: list->total += 1000 */
}

int main(void)
{
	pid_t adder[CHILDREN];
	int well = 1;

	list = shared_place(sizeof(*list));
	if (went_well(child(add_and_die)))
		return EXIT_FAILURE;
	for (int i = 0; i < CHILDREN; i++)
		adder[i] = child(add_many);
	for (int i = 0; i < CHILDREN; i++)
		well = went_well(adder[i]) && well;
	lock();
	printf("%d numbers, %d in total\n", list->count, list->total);
	well = well && list->total == 1000 + CHILDREN * EACH * (EACH + 1) / 2;
	must(mdg_mutex_unlock(&list->lock), "unlock");
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - a table that many processes read and few write.
 *
 * Readers look at two prices that belong together. A writer changes both. Several readers can hold
 * the lock at a time, but a writer holds it alone. The death of a reader that holds the lock does
 * no harm. After the death of a writer, the next process holds the lock for writing, even if it
 * only asked to read, and corrects the table.
 */
#include "place.h"

enum { READERS = 3, CHANGES = 2000 };

static struct {
	mdg_rwlock lock;
	int net, gross; /* gross = net + 20; guarded by lock */
	mdg_event over;
} * table;

static void repair_after(int rc)
{
	if (rc == MDG_OWNER_DIED) {
		table->gross = table->net + 20;
		printf("process %d: the writer died; repaired\n", (int)getpid());
		rc = mdg_rwlock_set_repaired(&table->lock);
	}
	must(rc, "lock");
}

static void read_many(void)
{
	long looks = 0;

	while (!mdg_event_is_set(&table->over) || looks == 0) {
		repair_after(mdg_rwlock_read(&table->lock));
		if (table->gross != table->net + 20)
			exit(EXIT_FAILURE);
		must(mdg_rwlock_unlock(&table->lock), "unlock");
		looks++;
	}
	printf("process %d: looked, and net and gross always belonged together\n", (int)getpid());
}

static void read_and_die(void)
{
	repair_after(mdg_rwlock_read(&table->lock));
	die();
}

static void write_and_die(void)
{
	repair_after(mdg_rwlock_write(&table->lock));
	table->net = 500;
	die(); /* before it could write the other one */
}

int main(void)
{
	pid_t reader[READERS];
	int well = 1;

	table = shared_place(sizeof(*table));
	table->gross = 20; /* nobody else is there yet */
	went_well(child(read_and_die));
	went_well(child(write_and_die));
	for (int i = 0; i < READERS; i++)
		reader[i] = child(read_many);
	for (int i = 1; i <= CHANGES; i++) {
		repair_after(mdg_rwlock_write(&table->lock));
		table->net = i;
		table->gross = i + 20;
		must(mdg_rwlock_unlock(&table->lock), "unlock");
	}
	must(mdg_event_set(&table->over), "set");
	for (int i = 0; i < READERS; i++)
		well = went_well(reader[i]) && well;
	printf("net %d, gross %d\n", table->net, table->gross);
	return well && table->gross == CHANGES + 20 ? EXIT_SUCCESS : EXIT_FAILURE;
}

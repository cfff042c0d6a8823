/* SPDX-License-Identifier: MIT */
/*
 * once.c - a table that the first process fills in, and that all others then use.
 *
 * The first process dies in the middle. The next one is told, begins anew, and the waiting
 * processes get a whole table.
 */
#include "place.h"

enum { SQUARES = 1000, USERS = 4 };

static struct {
	mdg_once filled;
	mdg_sem fillers; /* counts who filled it */
	int square[SQUARES];
} * table;

static void fill(int until)
{
	for (int i = 0; i < until; i++)
		table->square[i] = i * i;
}

static void use(void)
{
	int rc = mdg_once_begin(&table->filled);

	if (rc == MDG_OWNER_DIED)
		printf("process %d: who was at it died; beginning anew\n", (int)getpid());
	if (rc == 0 || rc == MDG_OWNER_DIED) {
		fill(SQUARES);
		must(mdg_sem_post(&table->fillers, 1), "post");
		must(mdg_once_finish(&table->filled), "done");
	} else {
		must(rc, "begin"); /* MDG_DONE */
	}
	if (table->square[SQUARES - 1] != (SQUARES - 1) * (SQUARES - 1))
		exit(EXIT_FAILURE);
	printf("process %d: the table is there\n", (int)getpid());
}

static void begin_and_die(void)
{
	must(mdg_once_begin(&table->filled), "begin");
	fill(SQUARES / 2);
	die();
}

int main(void)
{
	pid_t user[USERS];
	int well = 1;

	table = shared_place(sizeof(*table));
	went_well(child(begin_and_die));
	for (int i = 0; i < USERS; i++)
		user[i] = child(use);
	for (int i = 0; i < USERS; i++)
		well = went_well(user[i]) && well;
	return well && mdg_sem_value(&table->fillers) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

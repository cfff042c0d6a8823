/* SPDX-License-Identifier: MIT */
/*
 * cell.c - the latest weather: one process writes, any number read, and nobody waits.
 *
 * A reader gets the latest value that was written, and always a whole one. Reading does not disturb
 * the writer. If the writer dies in the middle, the value before stays.
 */
#include "place.h"

enum { READERS = 3, VALUES = 20000 };

struct weather {
	int degrees[8]; /* at eight places, here always the same */
};

static struct {
	union {
		mdg_cell cell;
		char room[MDG_CELL_SIZE(sizeof(struct weather))];
	} latest;
	mdg_event over;
} * station;

static void read_many(void)
{
	struct weather now;
	uint32_t version = 0, last = 0, changes = 0;

	do {
		must(mdg_cell_read(&station->latest.cell, &now, sizeof(now), &version), "read");
		for (int i = 1; i < 8; i++)
			if (now.degrees[i] != now.degrees[0])
				exit(EXIT_FAILURE);
		changes += version != last;
		last = version;
	} while (!mdg_event_is_set(&station->over));
	printf("process %d: saw the weather change %u times\n", (int)getpid(), changes);
}

static void write_and_die(void)
{
	void *place;
	struct weather *next;

	must(mdg_cell_begin(&station->latest.cell, sizeof(*next), &place), "begin");
	next = place;
	next->degrees[0] = 4711;
	die(); /* before mdg_cell_commit */
}

int main(void)
{
	pid_t reader[READERS];
	struct weather next;
	int well = 1;

	station = shared_place(sizeof(*station));
	for (int i = 0; i < READERS; i++)
		reader[i] = child(read_many);
	went_well(child(write_and_die));
	for (int value = 1; value <= VALUES; value++) {
		for (int i = 0; i < 8; i++)
			next.degrees[i] = value;
		int rc = mdg_cell_write(&station->latest.cell, &next, sizeof(next));
		if (rc == MDG_OWNER_DIED)
			printf("a writer died; its value never appears, this one does\n");
		else
			must(rc, "write");
	}
	must(mdg_event_set(&station->over), "set");
	for (int i = 0; i < READERS; i++)
		well = went_well(reader[i]) && well;
	must(mdg_cell_read(&station->latest.cell, &next, sizeof(next), NULL), "read");
	return well && next.degrees[7] == VALUES ? EXIT_SUCCESS : EXIT_FAILURE;
}

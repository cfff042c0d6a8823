/* SPDX-License-Identifier: MIT */
/*
 * event.c - a start for which all wait, and a bell that one process answers.
 *
 * `wait` leaves an event set. So all processes pass, also those that come later. `take` resets the
 * event. So each ring of the bell is answered by one process. A process that passes sees the data
 * that were written before the event was set.
 */
#include "place.h"

enum { RUNNERS = 3, RINGS = 6, LAST = -1 };

static struct {
	mdg_event start, bell, answered;
	int track; /* written before the start */
	int ring;  /* written before the bell */
} * course;

static void run(void)
{
	must(mdg_event_wait(&course->start), "wait");
	if (course->track != 400)
		exit(EXIT_FAILURE);
	for (;;) {
		must(mdg_event_take(&course->bell), "take");
		int ring = course->ring;
		if (ring != LAST)
			printf("process %d: answers ring %d\n", (int)getpid(), ring);
		fflush(stdout);
		must(mdg_event_set(&course->answered), "set");
		if (ring == LAST)
			return;
	}
}

static void ring_and_wait(int ring)
{
	course->ring = ring;
	must(mdg_event_set(&course->bell), "set");
	/* By then it may have been answered, by whoever was the first. */
	must(mdg_event_take_until(&course->answered, mdg_deadline(UINT64_C(20000000000))), "take");
}

int main(void)
{
	pid_t runner[RUNNERS];
	int well = 1;

	course = shared_place(sizeof(*course));
	for (int i = 0; i < RUNNERS; i++)
		runner[i] = child(run);
	course->track = 400;
	must(mdg_event_set(&course->start), "set");
	for (int i = 1; i <= RINGS; i++)
		ring_and_wait(i);
	for (int i = 0; i < RUNNERS; i++)
		ring_and_wait(LAST);
	for (int i = 0; i < RUNNERS; i++)
		well = went_well(runner[i]) && well;
	printf("%d rings, each answered once\n", RINGS);
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT */
/*
 * others.c - a crowd of other segments, to see whether their number matters.
 *
 * They have keys, so that key indexes fill as well, and reserve nothing. The
 * kernel's segments outlive a process that crashes; Madang's lie in the run's
 * own namespace directory. So the former are removed even on a crash.
 */
#include "bench/segment/segment.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define OTHERS_MAX 30000
#define FIRST_KEY  0x6d000000 /* away from the cases' keys and from ftok's usual ones */

struct crowd {
	const struct side *side;
	int count;
	int id[OTHERS_MAX];
};

static struct crowd crowds[SIDES];

static struct crowd *crowd_of(const struct side *side)
{
	return &crowds[side == bench_sides[KERNEL] ? KERNEL : MADANG];
}

int others_make(const struct side *side, int count)
{
	struct crowd *crowd = crowd_of(side);
	int key = FIRST_KEY + (side == bench_sides[KERNEL] ? OTHERS_MAX * 2 : 0);

	crowd->side = side;
	while (crowd->count < count && !stop_asked()) {
		int id = side->get(key++, 4096, IPC_CREAT | IPC_EXCL | SHM_NORESERVE | 0600);

		if (id >= 0)
			crowd->id[crowd->count++] = id;
		else if (errno != EEXIST)
			break; /* as many as the system has room for */
	}
	return crowd->count;
}

void others_remove(const struct side *side)
{
	struct crowd *crowd = crowd_of(side);

	while (crowd->count > 0)
		side->ctl(crowd->id[--crowd->count], IPC_RMID, NULL);
}

/* Only the kernel's: system calls are all that may be relied on now. */
static void on_crash(int number)
{
	for (int i = 0; i < SIDES; i++)
		if (crowds[i].side != NULL && crowds[i].side->ctl == bench_sides[KERNEL]->ctl)
			others_remove(crowds[i].side);
	signal(number, SIG_DFL);
	raise(number);
}

void others_remove_on_crash(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		signal(numbers[i], on_crash);
}

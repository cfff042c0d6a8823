/* SPDX-License-Identifier: MIT */
/*
 * remains.c - what is left of processes that were killed is used again, or set right, by others.
 */
#include <sched.h>

#include "semset/set.h"
#include "semset/sound.h"

enum { DEATHS = 400, BLOCKS_MOST = 120, OTHERS = 10 };

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Nobody ever changes the value, so nobody has a reason to look at the queue. */
static void killed_asleep(void)
{
	fresh(2);
	pid_t others[OTHERS];
	for (int i = 0; i < DEATHS; i++) {
		/* After half of them some sleep at the end of the queue, and live. */
		for (int k = 0; i == DEATHS / 2 && k < OTHERS; k++)
			others[k] = sleeper1(1, -1, 0);
		killed(sleeper(
			OPS({ 0, -1, 0 }, { 1, -1, 0 }, { 0, -1, 0 }, { 1, 0, 0 }, { 0, -1, 0 })));
	}
	CHECK(ncount(0) == 0 && ncount(1) == OTHERS);
	if (!CHECK(mdg__semset_head(engine())->fresh <= BLOCKS_MOST))
		fprintf(stderr, "%u blocks after %d deaths\n", mdg__semset_head(engine())->fresh,
		        DEATHS);
	CHECK(is_sound(engine()));
	for (int k = 0; k < OTHERS; k++)
		CHECK(op1(1, 1, 0) == 0 && result(others[k]) == 0);
	CHECK(is_sound(engine()));
}

int main(void)
{
	killed_asleep();
	return test_result();
}

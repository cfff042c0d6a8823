/* SPDX-License-Identifier: MIT */
/*
 * seed_sleep.c - a sleep() that ends when the other one is ready.
 *
 * The seed's two programs keep in step by sleeping: the talker 2 seconds, in
 * which the listener is to answer, the listener 3, in which the talker is to
 * look at the segment table. On a busy machine that is luck. Linked into them,
 * this takes the place of libc's sleep: it makes the file that SLEEP_MAKES
 * names ("I am here") and returns when the one that SLEEP_AWAITS names is
 * there, after 30 seconds in any case. Nothing else of the programs differs.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

unsigned int sleep(unsigned int seconds)
{
	const struct timespec moment = { .tv_sec = 0, .tv_nsec = 10000000L };
	const char *makes = getenv("SLEEP_MAKES"), *awaits = getenv("SLEEP_AWAITS");

	(void)seconds;
	if (makes != NULL)
		close(open(makes, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	for (int i = 0; awaits != NULL && access(awaits, F_OK) != 0 && i < 3000; i++)
		nanosleep(&moment, NULL);
	return 0;
}

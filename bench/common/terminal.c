/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - how the program hears that it is to stop.
 */
#include "bench/common/bench.h"

#include <signal.h>

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

bool stop_asked(void)
{
	return stopping != 0;
}

void stop_on_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a driver process that died is reported, not died of */
}

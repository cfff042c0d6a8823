/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - what the program shows while it measures, and how it hears that
 * it is to stop.
 */
#include "bench/common/bench.h"

#include <signal.h>
#include <unistd.h>

void say(const char *what)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", what);
}

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

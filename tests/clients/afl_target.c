/* SPDX-License-Identifier: MIT */
/*
 * afl_target.c - what afl.sh has fuzzed: reads a few bytes and follows them.
 *
 * One path crashes, one waits until it is killed, one forks, and one becomes
 * another program, so that the children of AFL's forkserver, which are all
 * attached, end in every way they can. With -DPERSISTENT it runs many inputs in
 * one process, and they come to it through a second segment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int reached;

static int follow(const char *bytes, size_t length)
{
	if (length == 0)
		return 0;
	if (bytes[0] == 'f') {
		if (fork() == 0) {
			reached = 1;
			_exit(0);
		}
		wait(NULL);
	}
	if (bytes[0] == 'x')
		execl("/bin/true", "true", (char *)NULL);
	if (bytes[0] == 'w' && getenv("AFL_TARGET_WAITS") != NULL)
		for (;;)
			pause();
	if (length >= 5 && memcmp(bytes, "court", 5) == 0)
		abort();
	for (size_t i = 0; i < length; i++)
		if (bytes[i] >= '0' && bytes[i] <= '9')
			reached += bytes[i] % 3 ? 3 : 5;
	return 0;
}

#ifdef PERSISTENT
#pragma GCC diagnostic ignored "-Wgnu-statement-expression"
__AFL_FUZZ_INIT();

int main(void)
{
	__AFL_INIT();
	unsigned char *bytes = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(500))
		follow((const char *)bytes, (size_t)__AFL_FUZZ_TESTCASE_LEN);
	return 0;
}
#else
int main(void)
{
	char bytes[64];
	ssize_t length = read(STDIN_FILENO, bytes, sizeof(bytes));
	return follow(bytes, length > 0 ? (size_t)length : 0);
}
#endif

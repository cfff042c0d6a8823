/* SPDX-License-Identifier: MIT */
/*
 * plain.c - a System V program that knows nothing of Madang, for `madang run` to run.
 *
 *     plain make KEY     makes a segment of 100 bytes, says its key
 *     plain exit CODE    exits with CODE
 *     plain environment  prints LD_PRELOAD and MADANG_NAMESPACE
 *     plain exec PROGRAM ARGUMENTS...
 *                        becomes PROGRAM
 *     plain script FILE  is the interpreter of a script: exits with 5
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

static int make(const char *text)
{
	key_t key = (key_t)strtoul(text, NULL, 0);

	if (shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600) < 0) {
		fprintf(stderr, "plain: shmget: %s\n", strerror(errno));
		return 1;
	}
	printf("made 0x%08x\n", (unsigned)key);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "make") == 0)
		return make(argv[2]);
	if (argc > 2 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (argc > 2 && strcmp(argv[1], "script") == 0)
		return 5;
	if (argc > 2 && strcmp(argv[1], "exec") == 0) {
		execv(argv[2], argv + 2);
		return 1;
	}
	if (argc > 1 && strcmp(argv[1], "environment") == 0) {
		const char *list = getenv("LD_PRELOAD"), *dir = getenv("MADANG_NAMESPACE");
		printf("LD_PRELOAD=%s\nMADANG_NAMESPACE=%s\n", list ? list : "", dir ? dir : "");
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * hold.c - attaches segments and keeps them: `hold ID...`
 *
 * Prints "attached" when it has them all, and ends at the end of its input,
 * without a detach. A plain System V program, linked with nothing of Madang.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (shmat(atoi(argv[i]), NULL, 0) == (void *)-1) {
			fprintf(stderr, "hold: segment %s: %s\n", argv[i], strerror(errno));
			return EXIT_FAILURE;
		}
	}
	puts("attached");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return EXIT_SUCCESS;
}

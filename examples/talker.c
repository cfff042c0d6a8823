/* SPDX-License-Identifier: MIT */
/*
 * talker.c - says something to a listener and waits for its answer.
 *
 *     talker FILE TEXT [COMMAND [ARGUMENT...]]
 *
 * FILE names the conversation: a listener and a talker with the same FILE meet.
 * Start the two in any order. When the answer has come, and before it lets the
 * listener go, the talker runs COMMAND: both still have the segment attached,
 * so `ipcs -m` as the command shows it with two attachments.
 */
#include "conversation.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>

extern char **environ;

/* Runs a command and waits for it; true when it ended with 0. The command
 * starts with no signal blocked: it would inherit our mask, and could then
 * not be interrupted. It does not inherit our attachments: exec drops them. */
static bool run(char **command)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	int error, status;
	pid_t pid;

	sigemptyset(&none);
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		posix_spawnattr_setsigmask(&attributes, &none);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
		error = posix_spawnp(&pid, command[0], NULL, &attributes, command, environ);
		posix_spawnattr_destroy(&attributes);
	}
	if (error != 0) {
		fprintf(stderr, "cannot run %s: %s\n", command[0], strerror(error));
		return false;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			perror("waitpid");
			return false;
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The talker's side of the conversation, from the question to the end. */
static bool ask(struct conversation *c, int id, const char *text, char **command)
{
	bool fine;

	if (!conversation_write(c->question, text))
		return false;
	printf("talker: said: %s\n", text);
	fflush(stdout);
	if (!conversation_move(c, ASKED, &c->listener))
		return false;
	if (!conversation_wait(c, id, ANSWERED))
		return false;
	fine = command[0] == NULL || run(command);
	printf("talker: got the answer: %.*s\n", TEXT_MAX, c->answer);
	fflush(stdout);
	return conversation_move(c, OVER, &c->listener) && fine;
}

int main(int argc, char **argv)
{
	struct conversation *c;
	bool fine;
	int id;

	if (argc < 3) {
		fprintf(stderr, "usage: talker FILE TEXT [COMMAND [ARGUMENT...]]\n");
		return 2;
	}
	if (!conversation_block_signals())
		return EXIT_FAILURE;
	c = conversation_join(argv[1], &id);
	if (c == NULL)
		return EXIT_FAILURE;
	if (!conversation_take_place(id, &c->talker, "talker")) {
		conversation_leave(c);
		return EXIT_FAILURE;
	}

	fine = ask(c, id, argv[2], argv + 3);

	/* The listener removes the segment. If none ever came, that falls to us. */
	if (atomic_load(&c->listener) == 0)
		fine = conversation_remove(id) && fine;
	fine = conversation_leave(c) && fine;
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

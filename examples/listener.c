/* SPDX-License-Identifier: MIT */
/*
 * listener.c - waits for a talker, hears it, answers.
 *
 *     listener FILE [ANSWER]
 *
 * FILE names the conversation: a listener and a talker with the same FILE meet.
 * Start the two in any order. The listener removes the segment when the talker
 * has read the answer, and also when it is interrupted; conversation.h tells
 * how the two keep in step.
 */
#include "conversation.h"

#include <stdio.h>
#include <stdlib.h>

/* The listener's side of the conversation, from the first wait to the last. */
static bool listen_and_answer(struct conversation *c, int id, const char *answer)
{
	if (!conversation_wait(c, id, ASKED))
		return false;
	/* The precision is a bound: nothing promises that what another process
	 * wrote ends with a zero byte. */
	printf("listener: heard: %.*s\n", TEXT_MAX, c->question);
	if (!conversation_write(c->answer, answer))
		return false;
	printf("listener: answered: %s\n", answer);
	fflush(stdout);
	if (!conversation_move(c, ANSWERED, &c->talker))
		return false;
	return conversation_wait(c, id, OVER);
}

int main(int argc, char **argv)
{
	const char *answer = argc > 2 ? argv[2] : "Have a nice day.";
	struct conversation *c;
	bool fine;
	int id;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: listener FILE [ANSWER]\n");
		return 2;
	}
	if (!conversation_block_signals())
		return EXIT_FAILURE;
	c = conversation_join(argv[1], &id);
	if (c == NULL)
		return EXIT_FAILURE;
	if (!conversation_take_place(id, &c->listener, "listener")) {
		conversation_leave(c);
		return EXIT_FAILURE;
	}
	printf("listener: waiting for a talker at segment %d\n", id);
	/* Somebody may read this from a pipe, where it would stay in the buffer. */
	fflush(stdout);

	fine = listen_and_answer(c, id, answer);

	/* The listener has the last word on the segment, whatever happened. */
	fine = conversation_remove(id) && fine;
	fine = conversation_leave(c) && fine;
	if (fine)
		printf("listener: removed segment %d\n", id);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT */
/*
 * listener.c - answers talkers, one after the other, until one says "bye".
 *
 *     listener ROOM [ANSWER]
 *
 * ROOM names the conversation. Start listener and talkers in any order; room.h tells how they
 * keep in step. The listener removes the segment at the end, also when it is interrupted. A
 * second listener for the same room is refused while the first one lives.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "room.h"

static void on_signal(int number)
{
	(void)number; /* ends the wait: -EINTR */
}

/* Without SA_RESTART: a wait for an event is then interrupted. */
static void end_waits_on(int number)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

/* One question and its answer. False at the end; *ret_rc says whether it was a good one. */
static bool answer_one(struct room *room, const char *answer, int *ret_rc)
{
	char question[TEXT_MAX + 1];

	*ret_rc = mdg_event_take(&room->asked);
	if (*ret_rc == 0)
		*ret_rc = room_lock_words(room);
	if (*ret_rc != 0)
		return false;
	text_copy(question, room->question);
	snprintf(room->answer, sizeof(room->answer), "%s", answer);
	room->answer_to = room->questions;
	mdg_mutex_unlock(&room->words);
	if (question[0] != '\0') { /* its talker died over it */
		printf("listener: heard: %s\n", question);
		fflush(stdout);
	}
	mdg_event_set(&room->answered);
	return strcmp(question, "bye") != 0;
}

int main(int argc, char **argv)
{
	const char *answer = argc > 2 ? argv[2] : "Have a nice day.";
	mdg_namespace *ns = NULL;
	struct room *room = NULL;
	mdg_id id = -1;
	int rc;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: listener ROOM [ANSWER]\n");
		return 2;
	}
	end_waits_on(SIGINT);
	end_waits_on(SIGTERM);
	if (room_enter(argv[1], &ns, &id, &room) != 0)
		return EXIT_FAILURE;
	rc = mdg_mutex_trylock(&room->chair);
	if (rc == MDG_OWNER_DIED) /* of a listener; it guards no data */
		rc = mdg_mutex_set_repaired(&room->chair);
	if (rc != 0) {
		room_failed(rc, "the listener's chair");
		return EXIT_FAILURE;
	}
	printf("listener: listening in room %s\n", argv[1]);
	fflush(stdout);
	while (answer_one(room, answer, &rc))
		;
	if (rc != 0)
		room_failed(rc, "listening");
	mdg_mutex_unlock(&room->chair);
	rc = mdg_segment_remove(ns, id) == 0 ? rc : -EIDRM;
	mdg_segment_detach(ns, room);
	mdg_namespace_close(ns);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

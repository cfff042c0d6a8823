/* SPDX-License-Identifier: MIT */
/*
 * talker.c - says something to the listener and reads its answer.
 *
 *     talker ROOM TEXT         one conversation
 *     talker ROOM TEXT die     is killed in the middle, after it has asked
 *
 * Any number of talkers may come at once. Each has the floor for its whole conversation. A talker
 * that comes before the listener waits for it, for at most PATIENCE seconds. If the listener was
 * there and died, the talker says so.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "room.h"

enum { PATIENCE = 20 };

/* The floor guards no data that could be half written, because each conversation has a number. */
static int take_floor(struct room *room)
{
	int rc = mdg_mutex_lock(&room->floor);

	if (rc == MDG_OWNER_DIED) {
		printf("talker: the one before me was killed\n");
		rc = mdg_mutex_set_repaired(&room->floor);
	}
	return rc;
}

static int ask(struct room *room, const char *text, uint32_t *ret_number)
{
	int rc = room_lock_words(room);

	if (rc != 0)
		return rc;
	snprintf(room->question, sizeof(room->question), "%s", text);
	*ret_number = ++room->questions;
	mdg_mutex_unlock(&room->words);
	return mdg_event_set(&room->asked);
}

/* 1: it is the answer; 0: to another question. */
static int read_answer(struct room *room, uint32_t number, char answer[TEXT_MAX + 1])
{
	int rc = room_lock_words(room);

	if (rc != 0)
		return rc;
	bool mine = room->answer_to == number;
	text_copy(answer, room->answer);
	mdg_mutex_unlock(&room->words);
	return mine;
}

static int await_answer(struct room *room, uint32_t number, char answer[TEXT_MAX + 1])
{
	uint64_t end = mdg_deadline(PATIENCE * UINT64_C(1000000000));
	int rc = 0;

	while (rc == 0) {
		rc = mdg_event_take_until(&room->answered, end);
		if (rc == 0)
			rc = read_answer(room, number, answer);
	}
	return rc < 0 ? rc : 0;
}

static int converse(struct room *room, const char *text, bool dies)
{
	char answer[TEXT_MAX + 1];
	uint32_t number;
	int rc = ask(room, text, &number);

	if (rc != 0)
		return rc;
	printf("talker: said: %s\n", text);
	fflush(stdout);
	if (dies)
		kill(getpid(), SIGKILL);
	rc = await_answer(room, number, answer);
	if (rc == 0)
		printf("talker: got the answer: %s\n", answer);
	else if (rc == -ETIMEDOUT && mdg_mutex_trylock(&room->chair) != -EBUSY)
		fprintf(stderr, "there is no listener\n");
	return rc;
}

int main(int argc, char **argv)
{
	mdg_namespace *ns = NULL;
	struct room *room = NULL;
	mdg_id id = -1;

	if (argc < 3 || argc > 4 || strlen(argv[2]) > TEXT_MAX) {
		fprintf(stderr, "usage: talker ROOM TEXT [die]\n");
		return 2;
	}
	if (room_enter(argv[1], &ns, &id, &room) != 0)
		return EXIT_FAILURE;
	int rc = take_floor(room);
	if (rc == 0) {
		rc = converse(room, argv[2], argc == 4);
		mdg_mutex_unlock(&room->floor);
	}
	if (rc != 0)
		room_failed(rc, "talking");
	mdg_segment_detach(ns, room);
	mdg_namespace_close(ns);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

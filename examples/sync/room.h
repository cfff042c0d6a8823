/* SPDX-License-Identifier: MIT */
/*
 * room.h - the conversation of listener and talkers, by the native interface.
 *
 * One segment, found by its name, holds the room. Whoever comes first makes it; as zeros it is
 * ready, so nobody has to go first. There are no signals, no process ids and no sleeping:
 *
 *   floor     held by the talker whose turn it is, for its whole conversation
 *   words     guards the texts and their numbers, while they are read or written
 *   asked     set by the talker, taken by the listener
 *   answered  set by the listener, taken by the talker
 *   chair     held by the listener while it is there: so a talker can see that it is not
 *
 * A talker may be killed at any moment. Without the floor, it was not there yet. With the floor,
 * the next talker gets that and is told (MDG_OWNER_DIED); an answer that the dead one did
 * not read has another number than the next question, and is not taken for its answer. In the
 * middle of a text, whoever gets the words next drops that text.
 */
#ifndef MADANG_EXAMPLES_SYNC_ROOM_H
#define MADANG_EXAMPLES_SYNC_ROOM_H

#include <madang/segment.h>
#include <madang/sync.h>

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 255 };

struct room {
	mdg_mutex floor, words, chair;
	mdg_event asked, answered;
	/* Guarded by `words`. Fixed widths: a 32-bit program may share it with a 64-bit one. */
	uint32_t questions; /* how many there have been */
	uint32_t answer_to; /* the number of the question answered last */
	char question[TEXT_MAX + 1];
	char answer[TEXT_MAX + 1];
};

static inline int room_failed(int rc, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, mdg_strerror(rc));
	return rc;
}

static inline int room_enter(const char *name, mdg_namespace **ret_ns, mdg_id *ret_id,
                             struct room **ret_room)
{
	void *memory;
	int rc = mdg_namespace_open(ret_ns, NULL, NULL);
	if (rc == 0)
		rc = mdg_segment_create(*ret_ns, name, sizeof(struct room), 0600, MDG_OR_OPEN,
		                        ret_id);
	if (rc == 0)
		rc = mdg_segment_attach(*ret_ns, *ret_id, NULL, 0, &memory);
	if (rc != 0)
		return room_failed(rc, name);
	*ret_room = memory;
	return 0;
}

/* Texts are short: whoever dies while it writes one has not said it. */
static inline int room_lock_words(struct room *room)
{
	int rc = mdg_mutex_lock(&room->words);
	if (rc == MDG_OWNER_DIED) {
		room->question[0] = room->answer[0] = '\0';
		room->answer_to = 0;
		rc = mdg_mutex_set_repaired(&room->words);
	}
	return rc;
}

/* Nothing promises that what another process wrote ends with a zero byte. */
static inline void text_copy(char to[TEXT_MAX + 1], const char from[TEXT_MAX + 1])
{
	memcpy(to, from, TEXT_MAX);
	to[TEXT_MAX] = '\0';
}

#endif

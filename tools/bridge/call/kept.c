/* SPDX-License-Identifier: MIT */
/*
 * kept.c - the last replies, for those who missed them because a connection was cut.
 *
 * Whoever asks for a reply does so within CALL_SILENCE. So an older one is not needed any more.
 */
#include <stdlib.h>
#include <string.h>

#include "call/parts.h"

static void drop(struct kept *kept, struct kept_reply *reply)
{
	if (reply->request == NULL)
		return;
	kept->bytes -= reply->size;
	free(reply->request);
	free(reply->data);
	*reply = (struct kept_reply){ .request = NULL };
}

/* The oldest go until there is room. */
static void make_room(struct kept *kept, size_t size)
{
	for (unsigned i = 0; i < CALL_KEPT_MAX && kept->bytes + size > CALL_KEPT_BYTES; i++)
		drop(kept, &kept->replies[(kept->next + i) % CALL_KEPT_MAX]);
}

void kept_add(struct kept *kept, const char *request, enum call_word word, const void *data,
              size_t size)
{
	struct kept_reply *reply = &kept->replies[kept->next];
	kept->next = (kept->next + 1) % CALL_KEPT_MAX;
	drop(kept, reply);
	if (size > CALL_KEPT_BYTES)
		return;
	make_room(kept, size);
	reply->request = strdup(request);
	reply->data = size > 0 ? malloc(size) : NULL;
	if (reply->request == NULL || (size > 0 && reply->data == NULL)) {
		free(reply->request);
		free(reply->data);
		*reply = (struct kept_reply){ .request = NULL };
		return;
	}
	if (size > 0)
		memcpy(reply->data, data, size);
	reply->size = size;
	reply->word = word;
	reply->when = call_now();
	kept->bytes += size;
}

const struct kept_reply *kept_find(const struct kept *kept, const char *request)
{
	for (unsigned i = 0; i < CALL_KEPT_MAX; i++) {
		const struct kept_reply *reply = &kept->replies[i];
		if (reply->request != NULL && strcmp(reply->request, request) == 0)
			return reply;
	}
	return NULL;
}

void kept_clear(struct kept *kept)
{
	for (unsigned i = 0; i < CALL_KEPT_MAX; i++)
		drop(kept, &kept->replies[i]);
}

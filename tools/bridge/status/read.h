/* SPDX-License-Identifier: MIT */
/*
 * read.h - what a bridge says of itself (layout.h), read by others: `madang-bridge --status` and
 * the tool.
 *
 * How the bytes are got is the caller's: the tool reads the data file without attaching it, the
 * bridge attaches it. Nothing that is read is trusted.
 */
#ifndef BRIDGE_STATUS_READ_H
#define BRIDGE_STATUS_READ_H

#include <stdbool.h>

#include "madang/segment.h"
#include "status/layout.h"

/* Copies `size` bytes at `offset`. False: they are not there. */
typedef bool bridge_bytes(void *context, void *to, size_t size, uint64_t offset);

/* One channel in one direction. Texts end with NUL, and words have one of their values. */
struct bridge_view_row {
	char channel[BRIDGE_WORD_ROOM];
	uint32_t kind;
	enum bridge_direction direction;
	enum bridge_row_state state;
	uint64_t sent, received, repeats, in_flight, lag, bytes, retries, next, dropped, missed;
	int64_t moved;
	char error[BRIDGE_ERROR_ROOM];
};

/* One replicated segment. The last line is what the replica says: bridge_view_find_replicas. */
struct bridge_view_replica {
	char segment[BRIDGE_WORD_ROOM];
	bool writes;
	enum bridge_replica_state state;
	uint64_t generation, fence, crossed;
	int64_t moved;
	char error[BRIDGE_ERROR_ROOM];
	uint64_t lag, lag_ns, bytes;
};

struct bridge_view {
	bool is_there; /* else no bridge has run here, or it ended in order: all else is zero */
	bool alive;    /* else it was killed, and this is what it said last */
	int32_t pid;
	enum bridge_state state;
	int64_t since, changed;
	uint64_t reconnects;
	char host[BRIDGE_WORD_ROOM], group[BRIDGE_WORD_ROOM];
	char url[BRIDGE_URL_ROOM], error[BRIDGE_ERROR_ROOM];
	uint32_t rows_left_out;
	struct bridge_view_row *rows; /* sorted by channel and direction */
	size_t count;
	struct bridge_view_replica replicas[BRIDGE_REPLICAS_MAX]; /* sorted by segment */
	size_t replica_count;
};

/* 0, or MDG_DAMAGED: this is no status; MDG_VERSION_UNLIKE: of another version; -ENOMEM. `alive`
 * is left to the caller. Afterwards, in any case, bridge_view_free. */
int bridge_view_read(struct bridge_view *ret, bridge_bytes *bytes, void *context);
/* What lags in a channel, by the number of its next message: corrects the rows of this channel. */
void bridge_view_find_lag(struct bridge_view *view, const char *channel, uint64_t sequence);
/* What the replicas of the namespace say of themselves: generation, lag, and size. */
void bridge_view_find_replicas(struct bridge_view *view, mdg_namespace *ns);
/* Whether the process that wrote it still has the segment attached. */
bool bridge_view_lives(mdg_namespace *ns, mdg_id id, int32_t pid);
void bridge_view_free(struct bridge_view *view);

/* The words for people and for JSON: "connected", "cut off"; "out"; "moving". */
const char *bridge_state_word(const struct bridge_view *view); /* also "dead" */
const char *bridge_direction_word(enum bridge_direction direction);
const char *bridge_row_word(enum bridge_row_state state);
/* "writer" or "reader"; "moving". */
const char *bridge_role_word(const struct bridge_view_replica *replica);
const char *bridge_replica_word(enum bridge_replica_state state);

#endif

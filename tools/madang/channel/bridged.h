/* SPDX-License-Identifier: MIT */
/*
 * bridged.h - what the bridge of a namespace does for its channels, for `madang channels`, `top`
 * and `metrics`.
 */
#ifndef MADANG_TOOL_BRIDGED_H
#define MADANG_TOOL_BRIDGED_H

#include "base/tool.h"
#include "status/words.h"

/* Reads it from the data file; attaches nothing but the replicas that it names. No bridge is no
 * error: then ret->is_there is false. 0, or why it cannot be read. Afterwards, in any case,
 * bridge_view_free. */
int bridged_read(mdg_namespace *ns, struct bridge_view *ret);

/* What it does with one channel. */
struct bridged {
	const struct bridge_view_row *rows[BRIDGE_DIRECTIONS]; /* NULL: not allowed */
	bool any;
	bool trouble;            /* it does not go on: cut off, dead, held, failed */
	uint64_t lag, in_flight; /* of both directions */
};
void bridged_find(const struct bridge_view *view, const char *channel, struct bridged *ret);
/* For a cell: "-", "out", "in, lag 12", "idle", "cut off", "dead". Returns `room`. */
char *bridged_text(char room[TABLE_CELL], const struct bridge_view *view,
                   const struct bridged *bridged);

#endif

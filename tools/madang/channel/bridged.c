/* SPDX-License-Identifier: MIT */
/*
 * bridged.c - reads what the bridge of a namespace says of itself, and puts it into words.
 */
#include "channel/bridged.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "segment/segment.h"

static bool bytes_of_file(void *context, void *to, size_t size, uint64_t offset)
{
	return pread(*(int *)context, to, size, (off_t)offset) == (ssize_t)size;
}

int bridged_read(mdg_namespace *ns, struct bridge_view *ret)
{
	char name[MDG_NAME_MAX + 1];
	mdg_id id;

	memset(ret, 0, sizeof *ret);
	if (mdg_segment_open(ns, BRIDGE_STATUS_SEGMENT, 0, 0, &id) != 0)
		return 0;
	int fd = mdg__segment_open_file(ns, id, MDG__KIND_PLAIN, BRIDGE_ROWS_AT, name);
	if (fd < 0)
		return fd == -EINVAL || fd == -ENOENT ? 0 : fd; /* it has gone, or is no status */
	int rc = bridge_view_read(ret, bytes_of_file, &fd);
	(void)close(fd);
	if (rc == 0) {
		ret->alive = bridge_view_lives(ns, id, ret->pid);
		bridge_view_find_replicas(ret, ns);
	}
	return rc == MDG_DAMAGED ? 0 : rc; /* then it is somebody's own segment */
}

void bridged_find(const struct bridge_view *view, const char *channel, struct bridged *ret)
{
	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < view->count; i++) {
		const struct bridge_view_row *row = &view->rows[i];
		if (strcmp(row->channel, channel) != 0)
			continue;
		ret->rows[row->direction] = row;
		ret->any = true;
		ret->lag += row->lag;
		ret->in_flight += row->in_flight;
		ret->trouble |= row->state == BRIDGE_HELD || row->state == BRIDGE_FAILED;
	}
	ret->trouble |= ret->any && (!view->alive || view->state != BRIDGE_CONNECTED);
}

/* The state of the row that needs most attention. */
static enum bridge_row_state worst(const struct bridged *bridged)
{
	enum bridge_row_state state = BRIDGE_IDLE;

	for (int i = 0; i < BRIDGE_DIRECTIONS; i++)
		if (bridged->rows[i] != NULL && bridged->rows[i]->state > state)
			state = bridged->rows[i]->state;
	return state;
}

/* In which directions messages may go now. */
static const char *directions(const struct bridged *bridged)
{
	const struct bridge_view_row *out = bridged->rows[BRIDGE_OUT];
	const struct bridge_view_row *in = bridged->rows[BRIDGE_IN];
	bool goes_out = out != NULL && out->state != BRIDGE_IDLE;
	bool comes_in = in != NULL && in->state != BRIDGE_IDLE;

	return goes_out && comes_in ? "out, in" : goes_out ? "out" : comes_in ? "in" : "idle";
}

char *bridged_text(char room[TABLE_CELL], const struct bridge_view *view,
                   const struct bridged *bridged)
{
	int length;

	if (!bridged->any) {
		snprintf(room, TABLE_CELL, "-");
		return room;
	}
	if (!view->alive || view->state != BRIDGE_CONNECTED) {
		length = snprintf(room, TABLE_CELL, "%s", bridge_state_word(view));
	} else {
		enum bridge_row_state state = worst(bridged);
		bool is_bad = state == BRIDGE_HELD || state == BRIDGE_FAILED;
		length = snprintf(room, TABLE_CELL, "%s%s%s", directions(bridged),
		                  is_bad ? " " : "", is_bad ? bridge_row_word(state) : "");
	}
	if (bridged->lag > 0)
		snprintf(room + length, TABLE_CELL - (size_t)length, ", lag %" PRIu64,
		         bridged->lag);
	return room;
}

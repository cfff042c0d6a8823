/* SPDX-License-Identifier: MIT */
/*
 * words.c - what a bridge says of itself, as lines of text that are safe for a terminal.
 */
#include "status/words.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

/* Where the text ends now. */
static int add_figure(char *room, size_t size, int length, const char *what, uint64_t value)
{
	if (value > 0 && (size_t)length < size)
		length += snprintf(room + length, size - (size_t)length, "  %s %" PRIu64, what,
		                   value);
	return length;
}

char *bridge_row_text(char *room, size_t size, const struct bridge_view_row *row)
{
	char error[4 * BRIDGE_ERROR_ROOM];
	bool out = row->direction == BRIDGE_OUT;
	int length = snprintf(room, size,
	                      "%-3s  %-6s  %s %" PRIu64 "  in flight %" PRIu64 "  lag %" PRIu64,
	                      bridge_direction_word(row->direction), bridge_row_word(row->state),
	                      out ? "sent" : "received", out ? row->sent : row->received,
	                      row->in_flight, row->lag);

	length = add_figure(room, size, length, "repeats", row->repeats);
	length = add_figure(room, size, length, "tried again", row->retries);
	length = add_figure(room, size, length, "dropped", row->dropped);
	length = add_figure(room, size, length, "missed packs", row->missed);
	if (row->error[0] != '\0' && (size_t)length < size)
		snprintf(room + length, size - (size_t)length, "  %s",
		         show_text(error, sizeof error, row->error));
	return room;
}

char *bridge_link_text(char *room, size_t size, const struct bridge_view *view, int64_t now)
{
	char url[4 * BRIDGE_URL_ROOM], error[4 * BRIDGE_ERROR_ROOM], age[SHOW_ROOM];
	int length = snprintf(room, size, "bridge %d  %s", (int)view->pid, bridge_state_word(view));

	if (view->alive && (size_t)length < size)
		length += snprintf(room + length, size - (size_t)length, " for %s",
		                   show_age(age, now, view->changed));
	if ((size_t)length < size)
		length += snprintf(
			room + length, size - (size_t)length, "  %" PRIu64 " reconnect%s%s%s",
			view->reconnects, view->reconnects == 1 ? "" : "s",
			view->url[0] != '\0' ? "  " : "", show_text(url, sizeof url, view->url));
	if (view->error[0] != '\0' && (size_t)length < size)
		snprintf(room + length, size - (size_t)length, "  %s",
		         show_text(error, sizeof error, view->error));
	return room;
}

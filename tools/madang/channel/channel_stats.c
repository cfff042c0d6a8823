/* SPDX-License-Identifier: MIT */
/*
 * channel_stats.c - counting messages for --stats.
 *
 * The time runs from the first message to the last. Before the first message the command only
 * waited for others, and that says nothing about its speed.
 */
#include "channel/channel_tool.h"

#include <inttypes.h>
#include <stdio.h>

char *channel_show_seconds(char room[SHOW_ROOM], uint64_t nanoseconds)
{
	uint64_t milliseconds = nanoseconds / 1000000;
	unsigned rest = (unsigned)(milliseconds % 1000), digits = 3;

	while (digits > 0 && rest % 10 == 0) {
		rest /= 10;
		digits--;
	}
	if (digits == 0)
		snprintf(room, SHOW_ROOM, "%" PRIu64 " s", milliseconds / 1000);
	else
		snprintf(room, SHOW_ROOM, "%" PRIu64 ".%0*u s", milliseconds / 1000, (int)digits,
		         rest);
	return room;
}

void channel_count(struct channel_stats *stats, const struct mdg_message *messages, unsigned count)
{
	stats->last = mdg_deadline(0);
	if (stats->messages == 0)
		stats->first = stats->last;
	stats->messages += count;
	for (unsigned i = 0; i < count; i++) {
		stats->bytes += messages[i].size;
		stats->missed += messages[i].missed;
		stats->redelivered += (messages[i].flags & MDG_REDELIVERED) != 0;
	}
}

void channel_print_stats(const struct channel_stats *stats, bool listener)
{
	char time[SHOW_ROOM], bytes[SHOW_ROOM], rate[3 * SHOW_ROOM] = "",
							 losses[2 * SHOW_ROOM] = "";
	double seconds = (double)(stats->last - stats->first) / 1e9;

	/* One moment has no rate. */
	if (seconds > 0)
		snprintf(rate, sizeof rate, " in %s: %.0f messages/s, %s bytes/s",
		         channel_show_seconds(time, stats->last - stats->first),
		         (double)stats->messages / seconds,
		         show_size(bytes, (uint64_t)((double)stats->bytes / seconds)));
	if (listener)
		snprintf(losses, sizeof losses, "; %" PRIu64 " missed, %" PRIu64 " redelivered",
		         stats->missed, stats->redelivered);
	complain("%" PRIu64 " message%s, %" PRIu64 " byte%s%s%s", stats->messages,
	         stats->messages == 1 ? "" : "s", stats->bytes, stats->bytes == 1 ? "" : "s", rate,
	         losses);
}

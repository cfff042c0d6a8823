/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - the table of all kinds of channel.
 */
#include "channel/kind.h"

static const struct mdg__channel_kind *const kinds[] = {
	&mdg__kind_stream,
	&mdg__kind_queue,
	&mdg__kind_topic,
	&mdg__kind_call,
};

const struct mdg__channel_kind *mdg__channel_kind(uint32_t number)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i]->number == number)
			return kinds[i];
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - finding a kind in the table of all kinds (kind.h).
 */
#include "channel/kind.h"

#define ADDRESS(name) &mdg__kind_##name,
static const struct mdg__channel_kind *const kinds[] = { MDG__KINDS(ADDRESS) };

const struct mdg__channel_kind *mdg__channel_kind(uint32_t number)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i]->number == number)
			return kinds[i];
	return NULL;
}

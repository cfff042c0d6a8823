/* SPDX-License-Identifier: MIT */
/*
 * list.c - room for one item more in a list whose length is all that is known of it.
 */
#include <stdlib.h>

#include "base/tool.h"

void *list_grow(void *list, size_t count, size_t size)
{
	/* Room doubles at each power of two. */
	if (count != 0 && (count & (count - 1)) != 0)
		return list;
	return realloc(list, (count == 0 ? 1 : 2 * count) * size);
}

/* SPDX-License-Identifier: MIT */
/*
 * tables.h - what members do with a table of keys, for the table of the file that includes this
 * one.
 *
 * Before, the side has defined table_get(end, key, ret_value) and table_put(end, key, value), which
 * return false when they fail, and table_intern(end, text), which returns the copy or NULL. No
 * guard: it is included once, by each side's file. Both members use the same keys. A value tells
 * its key, so a wrong answer is found.
 */

static bool table_intern_one(struct heap_end *end, uint32_t number)
{
	char text[HEAP_KEY + 1];

	heap_text(text, number);
	const char *copy = table_intern(end, text);
	return copy != NULL && copy != text && memcmp(copy, text, HEAP_KEY) == 0;
}

static bool table_fill(struct heap_end *end, unsigned n)
{
	uint64_t key[HEAP_KEY / 8];

	if (end->game->what->kind == HEAP_MAP_INTERN) {
		for (uint32_t i = 0; i < n; i++)
			if (!table_intern_one(end, i))
				return false;
		return true;
	}
	for (uint32_t i = 0; i < n; i++) {
		heap_key(key, i);
		if (!table_put(end, key, i))
			return false;
	}
	return true;
}

static bool table_gets(struct heap_end *end, unsigned n)
{
	uint32_t keys = end->game->what->live;
	uint64_t key[HEAP_KEY / 8];

	for (; n > 0; n--) {
		uint32_t number = (uint32_t)(((uint64_t)heap_random(end) * keys) >> 32);
		uint64_t value = UINT64_MAX;

		heap_key(key, number);
		if (!table_get(end, key, &value) || (uint32_t)value != number)
			return false;
	}
	return true;
}

static bool table_puts(struct heap_end *end, unsigned n)
{
	uint32_t keys = end->game->what->live;
	uint64_t key[HEAP_KEY / 8];

	for (; n > 0; n--) {
		uint32_t number = (uint32_t)(((uint64_t)heap_random(end) * keys) >> 32);

		heap_key(key, number);
		if (!table_put(end, key, (uint64_t)n << 32 | number))
			return false;
	}
	return true;
}

static bool table_interns(struct heap_end *end, unsigned n)
{
	uint32_t keys = end->game->what->live;

	for (; n > 0; n--)
		if (!table_intern_one(end, (uint32_t)(((uint64_t)heap_random(end) * keys) >> 32)))
			return false;
	return true;
}

static void table_plays(struct heap_side *side)
{
	side->fill = table_fill;
	side->play[HEAP_MAP_GET] = table_gets;
	side->play[HEAP_MAP_PUT] = table_puts;
	side->play[HEAP_MAP_INTERN] = table_interns;
}

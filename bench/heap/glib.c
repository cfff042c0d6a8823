/* SPDX-License-Identifier: MIT */
/*
 * glib.c - a table of keys: GLib's GHashTable with a mutex, in one process. Two users are two
 * threads.
 *
 * The keys are 16 bytes, hashed by a mixing function of two multiplications. GLib's own functions
 * are for text and numbers. Texts are interned by g_intern_string, which has a table and a lock of
 * its own.
 */
#include "bench/heap/heap.h"

#include "bench/heap/keys.h"

#include <glib.h>
#include <pthread.h>
#include <stdlib.h>

static GHashTable *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static guint hash(gconstpointer key)
{
	const uint64_t *words = key;
	uint64_t mixed = (words[0] ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);

	mixed = (mixed ^ mixed >> 32 ^ words[1]) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (guint)(mixed >> 32);
}

static gboolean equal(gconstpointer left, gconstpointer right)
{
	return memcmp(left, right, HEAP_KEY) == 0;
}

static inline bool table_get(struct heap_end *end, const void *key, uint64_t *ret_value)
{
	const uint64_t *found;

	(void)end;
	pthread_mutex_lock(&lock);
	found = g_hash_table_lookup(table, key);
	if (found != NULL)
		*ret_value = *found;
	pthread_mutex_unlock(&lock);
	return found != NULL;
}

/* The value is a block of its own, as values of any length have to be. */
static inline bool table_put(struct heap_end *end, const void *key, uint64_t value)
{
	void *own_key = bench_alloc(HEAP_KEY);
	uint64_t *own_value = bench_alloc(sizeof *own_value);

	(void)end;
	memcpy(own_key, key, HEAP_KEY);
	*own_value = value;
	pthread_mutex_lock(&lock);
	g_hash_table_replace(table, own_key, own_value);
	pthread_mutex_unlock(&lock);
	return true;
}

static inline const char *table_intern(struct heap_end *end, const char *text)
{
	(void)end;
	return g_intern_string(text);
}

#include "bench/heap/tables.h"

/* The first of two threads makes it. */
static bool begin(struct heap_end *end)
{
	(void)end;
	pthread_mutex_lock(&lock);
	if (table == NULL)
		table = g_hash_table_new_full(hash, equal, free, free);
	pthread_mutex_unlock(&lock);
	return true;
}

const struct heap_side *heap_side_glib(void)
{
	static struct heap_side side = { .name = "glib", .begin = begin };

	table_plays(&side);
	return &side;
}

/* SPDX-License-Identifier: MIT */
/*
 * map_measure.c - what get and put cost, beside a private table of GLib with a lock. By hand.
 *
 *     enclose map_measure [ENTRIES]...
 *
 * Keys of 16 bytes, values of 8. GLib is loaded if it is there; it gets strings, g_str_hash and a
 * pthread mutex, and its values are copied as ours are. Times are of the processor, the least of
 * five rounds, in which both take turns.
 */
#include "heap/maps.h"

#include <dlfcn.h>
#include <pthread.h>

enum { CALLS = 400000, ROUNDS = 5 };

static mdg_map *map;
static uint32_t entries;
static char (*keys)[24];

/* ---- GLib ---------------------------------------------------------------------------------- */

static struct {
	void *(*new_full)(void *hash, void *equal, void *free_key, void *free_value);
	void *(*lookup)(void *, const void *);
	int (*replace)(void *, void *, void *);
	void (*destroy)(void *);
	void *str_hash, *str_equal, *free, *table;
	pthread_mutex_t lock;
} glib = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool glib_load(void)
{
	void *library = dlopen("libglib-2.0.so.0", RTLD_NOW);
	if (library == NULL)
		return false;
	*(void **)&glib.new_full = dlsym(library, "g_hash_table_new_full");
	*(void **)&glib.lookup = dlsym(library, "g_hash_table_lookup");
	*(void **)&glib.replace = dlsym(library, "g_hash_table_replace");
	*(void **)&glib.destroy = dlsym(library, "g_hash_table_destroy");
	glib.str_hash = dlsym(library, "g_str_hash");
	glib.str_equal = dlsym(library, "g_str_equal");
	glib.free = dlsym(library, "g_free");
	return glib.new_full != NULL && glib.lookup != NULL && glib.replace != NULL;
}

static void glib_put(uint32_t which, uint64_t value)
{
	char *key = malloc(17);
	uint64_t *copy = malloc(sizeof *copy);
	memcpy(key, keys[which], 17);
	*copy = value;
	pthread_mutex_lock(&glib.lock);
	(void)glib.replace(glib.table, key, copy);
	pthread_mutex_unlock(&glib.lock);
}

static uint64_t glib_get(uint32_t which)
{
	uint64_t value = 0;
	pthread_mutex_lock(&glib.lock);
	const uint64_t *found = glib.lookup(glib.table, keys[which]);
	if (found != NULL)
		value = *found;
	pthread_mutex_unlock(&glib.lock);
	return value;
}

/* ---- ours ---------------------------------------------------------------------------------- */

static void map_put(uint32_t which, uint64_t value)
{
	if (mdg_map_put(map, keys[which], 16, &value, sizeof value, NULL) != 0)
		abort();
}

static uint64_t map_get(uint32_t which)
{
	uint64_t value = 0;
	(void)mdg_map_get(map, keys[which], 16, &value, sizeof value, NULL, NULL);
	return value;
}

/* ---- measuring ----------------------------------------------------------------------------- */

static double cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_put(void (*put)(uint32_t, uint64_t))
{
	uint64_t random = 7;
	double begun = cpu_ns();
	for (uint32_t i = 0; i < CALLS; i++)
		put(draw(&random, entries), i);
	return (cpu_ns() - begun) / CALLS;
}

static double time_get(uint64_t (*get)(uint32_t))
{
	uint64_t random = 7, sum = 0;
	double begun = cpu_ns();
	for (uint32_t i = 0; i < CALLS; i++)
		sum += get(draw(&random, entries));
	double each = (cpu_ns() - begun) / CALLS;
	return sum == 1 ? 0 : each;
}

static double time_see(void)
{
	uint64_t random = 7, sum = 0;
	struct mdg_map_entry entry = { .size = sizeof entry };
	double begun = cpu_ns();
	(void)mdg_read_begin(heap);
	for (uint32_t i = 0; i < CALLS; i++)
		if (mdg_map_see(map, keys[draw(&random, entries)], 16, &entry) == 0)
			sum += *(const uint64_t *)entry.value;
	(void)mdg_read_end(heap);
	double each = (cpu_ns() - begun) / CALLS;
	return sum == 1 ? 0 : each;
}

static double least(double a, double b)
{
	return b < a ? b : a;
}

static double time_hash(void)
{
	uint64_t sum = 0;
	double begun = cpu_ns();
	for (uint32_t i = 0; i < CALLS; i++)
		sum += mdg__map_hash(map, keys[i % entries], 16);
	double each = (cpu_ns() - begun) / CALLS;
	return sum == 1 ? 0 : each;
}

static double time_section(void)
{
	double begun = cpu_ns();
	for (uint32_t i = 0; i < CALLS; i++) {
		(void)mdg_read_begin(heap);
		(void)mdg_read_end(heap);
	}
	return (cpu_ns() - begun) / CALLS;
}

static void measure(bool with_glib)
{
	double get = 1e9, see = 1e9, put = 1e9, other_get = 1e9, other_put = 1e9, hash = 1e9,
	       section = 1e9;
	keys = malloc(entries * sizeof *keys);
	for (uint32_t i = 0; i < entries; i++)
		snprintf(keys[i], sizeof keys[i], "%08x%08x", i * 2654435761u, i);
	(void)mdg_map_clear(map);
	if (with_glib)
		glib.table = glib.new_full(glib.str_hash, glib.str_equal, glib.free, glib.free);
	double begun = cpu_ns();
	for (uint32_t i = 0; i < entries; i++)
		map_put(i, i);
	double fill = (cpu_ns() - begun) / entries, other_fill = 0;
	begun = cpu_ns();
	for (uint32_t i = 0; with_glib && i < entries; i++)
		glib_put(i, i);
	other_fill = (cpu_ns() - begun) / entries;
	for (int i = 0; i < ROUNDS; i++) {
		get = least(get, time_get(map_get));
		other_get = with_glib ? least(other_get, time_get(glib_get)) : 0;
		put = least(put, time_put(map_put));
		other_put = with_glib ? least(other_put, time_put(glib_put)) : 0;
		see = least(see, time_see());
		hash = least(hash, time_hash());
		section = least(section, time_section());
	}
	printf("%u entries, ns: get %.1f (GLib %.1f: %.2f), see %.1f, put %.1f (GLib %.1f: %.2f), "
	       "filling %.1f (GLib %.1f); hash %.1f, read section %.1f\n",
	       entries, get, other_get, get / other_get, see, put, other_put, put / other_put, fill,
	       other_fill, hash, section);
	if (with_glib)
		glib.destroy(glib.table);
	free(keys);
}

int main(int argc, char **argv)
{
	bool with_glib = glib_load();
	if (!with_glib)
		printf("there is no libglib-2.0.so.0\n");
	open_heap_of(UINT64_C(0x100000000), 0);
	map = map_of("bytes", 0);
	for (int i = 1; i < argc || i == 1; i++) {
		entries = argc > 1 ? (uint32_t)strtoul(argv[i], NULL, 10) : 1000;
		measure(with_glib);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * cache.c - a cache that unrelated programs share.
 *
 *     cache put NAME KEY VALUE
 *     cache get NAME KEY            prints the value; exit code 1: it is not there
 *     cache drop NAME               removes the cache
 *     cache                         a demonstration: programs that put and get, one of them killed
 *
 * The root of the heap refers to a table of places. A key has one place, which refers to an entry.
 * A put makes a new entry, and swaps it with the one that is there. It may be another key's: it is
 * a cache. Readers take no lock. They read inside of a read section, and an entry that was swapped
 * out is freed when all of them have left it.
 *
 * A program may be killed at any moment. The place has the old entry or the new one then, and
 * whatever the dead program held is freed.
 */
#include <madang/heap.h>

#include "../sync/place.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { PLACES = 256, TEXT = 200, TYPE = 0x63616368 };

struct table {
	mdg_ref place[PLACES];
};

struct entry {
	uint32_t key_size, value_size;
	char text[]; /* the key, then the value */
};

static mdg_heap *heap;
static struct table *table;

static _Noreturn void no_memory(void)
{
	fprintf(stderr, "no memory: %s\n", mdg_strerror(mdg_heap_why(heap)));
	exit(EXIT_FAILURE);
}

/* Opens the cache; whoever comes first makes it. */
static void enter(mdg_namespace *ns, const char *name)
{
	struct mdg_heap_options options = { .size = sizeof(options) };
	mdg_ref *root;

	must(mdg_heap_open(&heap, ns, name, &options), name);
	int rc = mdg_root(heap, "cache", TYPE, 1, &root, mdg_deadline(10000000000));
	must(rc, "root");
	if (rc == MDG_ROOT_NEW) {
		struct table *made = mdg_hold(heap, sizeof(*made));
		if (made == NULL)
			no_memory();
		memset(made, 0, sizeof(*made));
		must(mdg_publish(heap, made, root, 0), "publish");
	}
	table = mdg_at(heap, *root);
}

static mdg_ref *place_of(const char *key)
{
	uint32_t hash = 2166136261u;

	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return &table->place[(hash ^ hash >> 16) % PLACES];
}

static void put(const char *key, const char *value)
{
	size_t key_size = strlen(key), value_size = strlen(value);
	struct entry *entry = mdg_hold(heap, sizeof(*entry) + key_size + value_size);
	void *old;
	int rc;

	if (entry == NULL)
		no_memory();
	entry->key_size = (uint32_t)key_size;
	entry->value_size = (uint32_t)value_size;
	memcpy(entry->text, key, key_size);
	memcpy(entry->text + key_size, value, value_size);
	while ((rc = mdg_swap(heap, entry, place_of(key), &old)) == -EAGAIN)
		; /* another one is just taking what is there */
	must(rc, "swap");
	if (old != NULL)
		must(mdg_retire(heap, old), "retire");
}

/* Copies the value. False: it is not there. */
static bool get(const char *key, char value[TEXT])
{
	size_t key_size = strlen(key);
	bool found = false;

	must(mdg_read_begin(heap), "read");
	const mdg_ref *place = place_of(key);
	const struct entry *entry = mdg_at(heap, __atomic_load_n(place, __ATOMIC_ACQUIRE));
	if (entry != NULL && entry->key_size == key_size &&
	    memcmp(entry->text, key, key_size) == 0) {
		snprintf(value, TEXT, "%.*s", (int)entry->value_size, entry->text + key_size);
		found = true;
	}
	must(mdg_read_end(heap), "read");
	return found;
}

/* ---- the demonstration --------------------------------------------------------------- */

/* One of the programs. Each value says whose it is, so a mixture of two would be seen. */
static void work(const char *who, long count)
{
	char key[32], value[TEXT];

	for (long i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key %ld", i * 31 % 1000);
		if (i % 3 == 0) {
			snprintf(value, sizeof(value), "%s of %s", key, who);
			put(key, value);
		} else if (get(key, value) && strncmp(value, key, strlen(key)) != 0) {
			fprintf(stderr, "%s: %s\n", key, value);
			exit(EXIT_FAILURE);
		}
	}
}

/* A program of its own, which has nothing of this one's memory. */
static pid_t start(const char *name, const char *who, const char *count)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "cache", "work", name, who, count, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static bool demonstrate(mdg_namespace *ns)
{
	static const char name[] = "example-cache";
	char value[TEXT];
	bool well;

	enter(ns, name);
	pid_t first = start(name, "first", "20000"), second = start(name, "second", "20000");
	pid_t third = start(name, "third", "2000000000");
	nap(30);
	kill(third, SIGKILL);
	well = !went_well(third) && went_well(first) && went_well(second);
	put("after", "all is well");
	well = well && get("after", value) && strcmp(value, "all is well") == 0;
	mdg_heap_sweep(heap);
	int found = mdg_heap_check(heap, 0, NULL, NULL);
	printf("one of three was killed; \"after\" is \"%s\"; %d findings in the heap\n",
	       well ? value : "", found);
	mdg_heap_close(heap);
	must(mdg_heap_remove(ns, name), "remove");
	return well && found == 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char value[TEXT];
	mdg_namespace *ns;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	if (argc == 1)
		return demonstrate(ns) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (argc == 3 && strcmp(what, "drop") == 0) {
		must(mdg_heap_remove(ns, argv[2]), argv[2]);
		return EXIT_SUCCESS;
	}
	if (argc > 3)
		enter(ns, argv[2]);
	if (argc == 5 && strcmp(what, "put") == 0) {
		put(argv[3], argv[4]);
	} else if (argc == 4 && strcmp(what, "get") == 0) {
		if (!get(argv[3], value))
			return EXIT_FAILURE;
		puts(value);
	} else if (argc == 5 && strcmp(what, "work") == 0) {
		work(argv[3], strtol(argv[4], NULL, 10));
	} else {
		fprintf(stderr, "usage: cache [put NAME KEY VALUE | get NAME KEY | drop NAME]\n");
		return 2;
	}
	return EXIT_SUCCESS;
}

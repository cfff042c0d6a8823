/* SPDX-License-Identifier: MIT */
/*
 * jansson.c - objects of the library jansson, handed from one program to another. Nothing is
 * written as text and parsed again.
 *
 *     jansson give NAME TEXT        parses the text, and gives the object away
 *     jansson take NAME             takes the object, prints it, and frees it
 *     jansson                       both, as two programs
 *
 * The heap is at its home address in both programs, so the pointers in the objects are right in
 * both. jansson's own static variables are not in the heap: so the programs agree on the seed of
 * its tables, and true, false and null, which are such variables, are left out.
 */
#include <jansson.h>
#include <madang/heap.h>

#include "../sync/place.h"

#include <stdbool.h>
#include <string.h>

enum { TYPE = 0x6a736f6e };

static mdg_heap *heap;

static void *json_alloc(size_t size)
{
	return mdg_alloc(heap, size);
}

static void json_give(void *block)
{
	mdg_free(heap, block);
}

static _Noreturn void no_memory(void)
{
	fprintf(stderr, "no memory: %s\n", mdg_strerror(mdg_heap_why(heap)));
	exit(EXIT_FAILURE);
}

/* What is handed over. */
struct parcel {
	json_t *object;
};

/* The place where it is left. */
static mdg_ref *enter(mdg_namespace *ns, const char *name)
{
	struct mdg_heap_options options = { .size = sizeof(options), .flags = MDG_HEAP_HOME };
	mdg_ref *place;

	must(mdg_heap_open(&heap, ns, name, &options), name);
	json_set_alloc_funcs(json_alloc, json_give);
	json_object_seed(1);
	must(mdg_root(heap, "parcel", TYPE, 1, &place, 0), "root");
	return place;
}

static int give(mdg_namespace *ns, const char *name, const char *text)
{
	mdg_ref *place = enter(ns, name);
	struct parcel *parcel = mdg_hold(heap, sizeof(*parcel));
	json_error_t error;

	if (parcel == NULL)
		no_memory();
	parcel->object = json_loads(text, 0, &error);
	if (parcel->object == NULL) {
		fprintf(stderr, "%s\n", error.text);
		return EXIT_FAILURE;
	}
	must(mdg_publish(heap, parcel, place, 0), "publish");
	printf("%d gives an object at %p\n", (int)getpid(), (void *)parcel->object);
	return EXIT_SUCCESS;
}

static int take(mdg_namespace *ns, const char *name)
{
	mdg_ref *place = enter(ns, name); /* opens the heap */
	struct parcel *parcel = mdg_take(heap, place);

	if (parcel == NULL) {
		fprintf(stderr, "there is nothing\n");
		return EXIT_FAILURE;
	}
	printf("%d takes the object at %p: ", (int)getpid(), (void *)parcel->object);
	fflush(stdout);
	json_dumpf(parcel->object, stdout, 0);
	putchar('\n');
	json_decref(parcel->object);
	must(mdg_free(heap, parcel), "free");

	struct mdg_heap_info info = { .size = sizeof(info) };
	must(mdg_heap_stat(heap, &info), "stat");
	printf("%llu blocks are left\n", (unsigned long long)info.blocks);
	return info.blocks == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool run(const char *what, const char *name, const char *text)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "jansson", what, name, text, (char *)NULL);
		_exit(127);
	}
	return went_well(pid);
}

int main(int argc, char **argv)
{
	static const char name[] = "example-jansson";
	mdg_namespace *ns;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	if (argc == 4 && strcmp(argv[1], "give") == 0)
		return give(ns, argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "take") == 0)
		return take(ns, argv[2]);
	if (argc > 1) {
		fprintf(stderr, "usage: jansson [give NAME TEXT | take NAME]\n");
		return 2;
	}
	bool well =
		run("give", name, "{\"name\": \"Madang\", \"list\": [1, 2.5, {\"deep\": []}]}") &&
		run("take", name, NULL);
	must(mdg_heap_remove(ns, name), "remove");
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

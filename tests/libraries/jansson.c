/* SPDX-License-Identifier: MIT */
/*
 * jansson.c - jansson's objects in a heap that programs started apart have at the same address.
 *
 *     jansson make     makes an object of 100,000 members, and publishes it
 *     jansson read     another program: takes it, reads it, and frees it
 *
 * true, false and null of jansson are static variables, and each program has its own. The seed of
 * its tables is one as well. So the programs agree on a seed, and leave out those three.
 */
#include "on_heap.h"

#include <jansson.h>

enum { MEMBERS = 100000, TYPE = 0x6a736f6e };

/* manual: begin jansson */
static void *json_alloc(size_t size)
{
	return mdg_alloc(heap, size);
}
static void json_free(void *block)
{
	mdg_free(heap, block);
}
/* json_set_alloc_funcs(json_alloc, json_free); and between programs: json_object_seed(1); */
/* manual: end */

struct box {
	json_t *object;
};

static mdg_ref *place_of_box(int wanted)
{
	mdg_ref *place = NULL;

	CHECK(mdg_root(heap, "object", TYPE, 1, &place, mdg_deadline(5000000000)) == wanted);
	if (place == NULL)
		exit(1);
	return place;
}

static void make(void)
{
	mdg_ref *place = place_of_box(MDG_ROOT_NEW);
	struct box *box = mdg_hold(heap, sizeof *box);
	char key[32];

	if (!CHECK(box != NULL))
		exit(1);
	box->object = json_object();
	for (int i = 0; i < MEMBERS; i++) {
		snprintf(key, sizeof key, "member %d", i);
		CHECK(json_object_set_new(box->object, key,
		                          json_pack("{s:i, s:[s, f]}", "number", i, "list", key,
		                                    i / 2.0)) == 0);
	}
	CHECK(mdg_publish(heap, box, place, 0) == 0);
}

static void read_all(const json_t *object)
{
	char key[32];

	CHECK(json_object_size(object) == MEMBERS);
	for (int i = 0; i < MEMBERS; i++) {
		const json_t *member, *list;

		snprintf(key, sizeof key, "member %d", i);
		member = json_object_get(object, key);
		list = json_object_get(member, "list");
		if (!CHECK(json_integer_value(json_object_get(member, "number")) == i) ||
		    !CHECK(strcmp(json_string_value(json_array_get(list, 0)), key) == 0) ||
		    !CHECK(json_real_value(json_array_get(list, 1)) == i / 2.0))
			return;
	}
}

static void read_and_free(void)
{
	mdg_ref *place = place_of_box(0);
	struct box *box = mdg_take(heap, place);

	if (!CHECK(box != NULL))
		exit(1);
	CHECK(heap_blocks() > MEMBERS);
	read_all(box->object);
	json_decref(box->object);
	CHECK(mdg_free(heap, box) == 0);
	CHECK(heap_blocks() == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	heap_enter("jansson", MDG_HEAP_HOME);
	json_set_alloc_funcs(json_alloc, json_free);
	json_object_seed(1);
	if (strcmp(argv[1], "make") == 0)
		make();
	else
		read_and_free();
	CHECK(heap_whole());
	return test_result();
}

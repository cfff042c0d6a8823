/* SPDX-License-Identifier: MIT */
/*
 * cjson.c - cJSON on a shared heap: a child parses, its parent reads, changes and frees.
 */
#include "on_heap.h"

#include <cjson/cJSON.h>

/* manual: begin cJSON */
static void *cjson_alloc(size_t size)
{
	return mdg_alloc(heap, size);
}
static void cjson_free(void *block)
{
	mdg_free(heap, block);
}
/* cJSON_InitHooks(&(cJSON_Hooks){ cjson_alloc, cjson_free }); */
/* manual: end */

static struct shared {
	cJSON *object;
} * shared;

static void parse(void *unused)
{
	(void)unused;
	shared->object =
		cJSON_Parse("{\"name\": \"heap\", \"list\": [1, 2.5, true, null, \"four\"]}");
	CHECK(shared->object != NULL);
}

int main(void)
{
	uint64_t blocks;
	char *text;

	heap_enter("cjson", 0);
	shared = heap_place(sizeof *shared);
	blocks = heap_blocks();
	cJSON_InitHooks(&(cJSON_Hooks){ cjson_alloc, cjson_free });
	CHECK(in_child(parse, NULL));
	CHECK(heap_blocks() >= blocks + 8);
	CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(shared->object, "list")) == 5);
	CHECK(cJSON_AddNumberToObject(shared->object, "more", 7) != NULL);
	text = cJSON_PrintUnformatted(shared->object);
	CHECK(text != NULL &&
	      strcmp(text, "{\"name\":\"heap\",\"list\":[1,2.5,true,null,\"four\"],\"more\":7}") ==
	              0);
	cJSON_free(text);
	cJSON_Delete(shared->object);
	CHECK(heap_blocks() == blocks);
	CHECK(heap_whole());
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * expat.c - expat on a shared heap: the two halves of a document are parsed by two processes, with
 * one parser.
 */
#include "on_heap.h"

#include <expat.h>

/* manual: begin expat */
static void *expat_alloc(size_t size)
{
	return mdg_alloc(heap, size);
}
static void *expat_realloc(void *block, size_t size)
{
	return mdg_realloc(heap, block, size);
}
static void expat_free(void *block)
{
	mdg_free(heap, block);
}
static const XML_Memory_Handling_Suite expat_suite = { expat_alloc, expat_realloc, expat_free };
/* XML_Parser parser = XML_ParserCreate_MM(NULL, &expat_suite, NULL); */
/* manual: end */

static const char text[] = "<?xml version='1.0'?><a one='1'><b>text</b><b two='2'>more</b><c/>"
			   "<b>&lt;&amp;&gt;</b></a>";

static struct shared {
	XML_Parser parser;
	int elements, characters;
} * shared;

static void XMLCALL on_element(void *data, const char *name, const char **attributes)
{
	struct shared *seen = data;

	(void)name, (void)attributes;
	seen->elements++;
}

static void XMLCALL on_text(void *data, const char *part, int length)
{
	struct shared *seen = data;

	(void)part;
	seen->characters += length;
}

static void parse(int from, int to)
{
	CHECK(XML_Parse(shared->parser, text + from, to - from, to == (int)sizeof text - 1) ==
	      XML_STATUS_OK);
}

static void first_half(void *unused)
{
	(void)unused;
	parse(0, 50);
}

int main(void)
{
	uint64_t blocks;

	heap_enter("expat", 0);
	shared = heap_place(sizeof *shared);
	blocks = heap_blocks();
	shared->parser = XML_ParserCreate_MM(NULL, &expat_suite, NULL);
	if (!CHECK(shared->parser != NULL))
		return 1;
	XML_SetUserData(shared->parser, shared);
	XML_SetStartElementHandler(shared->parser, on_element);
	XML_SetCharacterDataHandler(shared->parser, on_text);
	CHECK(heap_blocks() > blocks);
	CHECK(in_child(first_half, NULL));
	CHECK(shared->elements == 2 && shared->characters == 4);
	parse(50, (int)sizeof text - 1);
	CHECK(shared->elements == 5 && shared->characters == 11);
	XML_ParserFree(shared->parser);
	CHECK(heap_blocks() == blocks);
	CHECK(heap_whole());
	return test_result();
}

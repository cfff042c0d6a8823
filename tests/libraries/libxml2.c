/* SPDX-License-Identifier: MIT */
/*
 * libxml2.c - libxml2 on a shared heap: a child parses a document and changes it, and its parent
 * reads and frees it.
 */
#include "on_heap.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlmemory.h>
#include <libxml/xpath.h>

/* manual: begin libxml2 */
static void *xml_alloc(size_t size)
{
	return mdg_alloc(heap, size);
}
static void xml_free(void *block)
{
	mdg_free(heap, block);
}
static void *xml_realloc(void *block, size_t size)
{
	return mdg_realloc(heap, block, size);
}
static char *xml_strdup(const char *text)
{
	char *copy = mdg_alloc(heap, strlen(text) + 1);
	return copy == NULL ? NULL : strcpy(copy, text);
}
/* before any other call: xmlMemSetup(xml_free, xml_alloc, xml_realloc, xml_strdup); */
/* manual: end */

static struct shared {
	xmlDocPtr document;
} * shared;

/* The dictionary of names is a block of the document, and is shared with it. */
static void parse(void *unused)
{
	enum { ITEMS = 2000 };
	char *text = malloc(ITEMS * 64 + 64), *end = text;

	(void)unused;
	end += sprintf(end, "<list kind='test'>");
	for (int i = 0; i < ITEMS; i++)
		end += sprintf(end, "<item number='%d'>text of %d</item>", i, i);
	end += sprintf(end, "</list>");
	shared->document = xmlReadMemory(text, (int)(end - text), "list.xml", NULL, 0);
	free(text);
	CHECK(shared->document != NULL);
	CHECK(xmlNewChild(xmlDocGetRootElement(shared->document), NULL, (const xmlChar *)"last",
	                  (const xmlChar *)"of the child") != NULL);
}

static double count(const char *path)
{
	xmlXPathContextPtr context = xmlXPathNewContext(shared->document);
	xmlXPathObjectPtr found = xmlXPathEvalExpression((const xmlChar *)path, context);
	double value = found != NULL ? found->floatval : -1;

	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
	return value;
}

int main(void)
{
	uint64_t blocks;

	heap_enter("libxml2", 0);
	shared = heap_place(sizeof *shared);
	blocks = heap_blocks();
	CHECK(xmlMemSetup(xml_free, xml_alloc, xml_realloc, xml_strdup) == 0);
	xmlInitParser();
	CHECK(heap_blocks() > blocks);
	CHECK(in_child(parse, NULL));
	CHECK(shared->document != NULL && heap_blocks() > blocks + 4000);
	CHECK(count("count(/list/item)") == 2000);
	CHECK(count("sum(/list/item/@number)") == 1999000);
	CHECK(count("count(/list/last[. = 'of the child'])") == 1);
	xmlFreeDoc(shared->document);
	xmlCleanupParser();
	CHECK(heap_whole());
	CHECK(heap_blocks() < blocks + 100); /* what the child's parser had for itself */
	return test_result();
}

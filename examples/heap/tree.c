/* SPDX-License-Identifier: MIT */
/*
 * tree.c - a tree that a parent and its children build together after fork.
 *
 * There is no lock. Whoever wants to insert a number looks for the empty place where it belongs,
 * holds a node, and publishes it there. If another process was faster, the place is not empty any
 * more, and the search goes on below what is there now.
 *
 * One child is killed while it holds a node. The node is free again: in the end the heap has
 * exactly the nodes that are in the tree.
 */
#include <madang/heap.h>

#include "../sync/place.h"

#include <errno.h>
#include <stdbool.h>

enum { CHILDREN = 4, NUMBERS = 20000, TYPE = 0x74726565 };

struct node {
	mdg_ref left, right; /* places, too */
	uint32_t number;
};

static mdg_heap *heap;
static mdg_ref *root;

static _Noreturn void no_memory(void)
{
	fprintf(stderr, "no memory: %s\n", mdg_strerror(mdg_heap_why(heap)));
	exit(EXIT_FAILURE);
}

static void insert(uint32_t number, bool dies)
{
	struct node *node = mdg_hold(heap, sizeof(*node));
	mdg_ref *place = root;

	if (node == NULL)
		no_memory();
	*node = (struct node){ .number = number };
	if (dies)
		die();
	for (;;) {
		int rc = mdg_publish(heap, node, place, 0);
		if (rc != -EAGAIN) {
			must(rc, "publish");
			return;
		}
		struct node *above = mdg_at(heap, __atomic_load_n(place, __ATOMIC_ACQUIRE));
		place = number < above->number ? &above->left : &above->right;
	}
}

/* Every number once, each child a part of them. The order is as good as random. */
static void insert_part(uint32_t part, uint32_t until)
{
	for (uint32_t i = part; i < NUMBERS; i += CHILDREN) {
		bool dies = i >= until;
		insert((i * 7919u) % NUMBERS, dies);
	}
}

static void one(void)
{
	insert_part(0, NUMBERS);
}

static void two(void)
{
	insert_part(1, NUMBERS);
}

static void three_and_die(void)
{
	insert_part(2, NUMBERS / 2);
}

/* From left to right: counts the nodes, and says whether they are in order. */
static uint32_t count(mdg_ref ref, uint32_t *ret_last, bool *ret_ordered)
{
	struct node *node = mdg_at(heap, ref);

	if (node == NULL)
		return 0;
	uint32_t nodes = count(node->left, ret_last, ret_ordered);
	*ret_ordered = *ret_ordered && (*ret_last == UINT32_MAX || *ret_last < node->number);
	*ret_last = node->number;
	return nodes + 1 + count(node->right, ret_last, ret_ordered);
}

static uint64_t blocks(void)
{
	struct mdg_heap_info info = { .size = sizeof(info) };

	must(mdg_heap_stat(heap, &info), "stat");
	return info.blocks;
}

int main(void)
{
	struct mdg_heap_options options = { .size = sizeof(options) };
	mdg_namespace *ns;

	must(mdg_namespace_open(&ns, NULL, NULL), "namespace");
	must(mdg_heap_open(&heap, ns, "example-tree", &options), "heap");
	must(mdg_root(heap, "tree", TYPE, 1, &root, MDG_FOREVER), "root");
	insert(3 * 7919 % NUMBERS, false); /* from here on everybody finds something */

	pid_t first = child(one), second = child(two), third = child(three_and_die);
	for (uint32_t i = 3 + CHILDREN; i < NUMBERS; i += CHILDREN)
		insert((i * 7919u) % NUMBERS, false);
	bool well = went_well(first) && went_well(second);
	bool survived = went_well(third);
	int swept = mdg_heap_sweep(heap);

	uint32_t last = UINT32_MAX;
	bool ordered = true;
	uint32_t nodes = count(*root, &last, &ordered);
	printf("%u nodes in the tree, %s; %llu blocks in the heap; %d dead swept\n", nodes,
	       ordered ? "in order" : "OUT OF ORDER", (unsigned long long)blocks(), swept);
	well = well && !survived && ordered && nodes == blocks() && nodes > NUMBERS * 3 / 4;
	mdg_heap_close(heap);
	must(mdg_heap_remove(ns, "example-tree"), "remove");
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT */
/*
 * deaths_scenes.c - the operations that are cut off. See deaths.c.
 */
#include "heap/deaths.h"

/* ---- scenarios ----------------------------------------------------------------------------- */

const struct scenario *now;
static struct node *mine;

void fill_places(int from, int count, size_t size)
{
	for (int i = from; i < from + count; i++)
		MUST(mdg_publish(heap, hold(size), &place[i], 0) == 0);
}

static void warm(void)
{
	(void)mdg_free(heap, mdg_hold(heap, now->size));
}
/* It has a slot, and keeps no span. */
static void warm_small(void)
{
	(void)mdg_free(heap, mdg_hold(heap, SMALL));
}
static void cold(void)
{
}
static void do_hold(void)
{
	(void)mdg_hold(heap, now->size);
}
static void have(void)
{
	mine = hold(now->size);
}
/* Its slab is at hand, and has labels. */
static void have_at_hand(void)
{
	warm();
	have();
}
static void do_publish(void)
{
	(void)mdg_publish(heap, mine, &place[PLACES - 1], 0);
}
static void have_over(void)
{
	mine = hold(now->size);
	mine->next = place[0];
}
static void do_publish_over(void)
{
	(void)mdg_publish(heap, mine, &place[0], mine->next);
}
/* What it has taken is not free, whoever is swept meanwhile. */
static void must_be_held(const struct node *node)
{
	if (node != NULL && (mdg_usable_size(heap, node) == 0 || !node_is_whole(node)))
		_exit(98);
}
static void do_take(void)
{
	must_be_held(mdg_take(heap, &place[0]));
}
static void own_linked(void)
{
	mine = hold(now->size);
	(void)mdg_publish(heap, mine, &place[PLACES - 1], 0);
}
static void do_take_own(void)
{
	(void)mdg_take(heap, &place[PLACES - 1]);
}
static void do_swap(void)
{
	void *old;
	if (mdg_swap(heap, mine, &place[0], &old) == 0)
		must_be_held(old);
}
static void do_publish_first(void)
{
	(void)mdg_publish(heap, mine, &place[0], 0);
}
static void do_push(void)
{
	mine->next = place[0];
	(void)mdg_publish(heap, mine, &place[0], mine->next);
}
/* As a program does that is alone with the place. */
static void do_unlink(void)
{
	mine = mdg_at(heap, place[0]);
	place[0] = 0;
	int rc = mdg_free(heap, mine);
	if (rc != 0)
		_exit(97);
}
static void do_swap_empty(void)
{
	void *old;
	(void)mdg_swap(heap, mine, &place[PLACES - 1], &old);
}
static void do_keep(void)
{
	(void)mdg_keep(heap, mine);
}
static void have_of_other(void)
{
	warm();
	mine = mdg_take(heap, &place[0]);
}
static void do_free(void)
{
	(void)mdg_free(heap, mine);
}
static void have_plain(void)
{
	mine = mdg_alloc(heap, now->size);
}
static void have_plain_of_other(void)
{
	have_of_other();
	(void)mdg_keep(heap, mine);
}
static void do_alloc(void)
{
	(void)mdg_alloc(heap, now->size);
}
static void do_realloc(void)
{
	(void)mdg_realloc(heap, mine, now->size * 3);
}
static void do_shrink(void)
{
	(void)mdg_realloc(heap, mine, MDG__MEDIUM_MOST + 1);
}
static void do_zeroed(void)
{
	(void)mdg_alloc_zeroed(heap, 2, now->size / 2);
}
static void do_aligned(void)
{
	(void)mdg_alloc_aligned(heap, 4096, now->size);
}
static void do_limit(void)
{
	(void)mdg_heap_limit(heap, LIMIT);
}
/* A place that contains a pointer. work_a_little knows references only. */
static void **pointer_place(void)
{
	return (void **)(uintptr_t)&place[3];
}
static void do_publish_ptr(void)
{
	(void)mdg_publish_ptr(heap, mine, pointer_place(), NULL);
}
static void pointer_linked(void)
{
	mine = hold(now->size);
	(void)mdg_publish_ptr(heap, mine, pointer_place(), NULL);
	mine = hold(now->size);
}
static void do_take_ptr(void)
{
	must_be_held(mdg_take_ptr(heap, pointer_place()));
}
static void do_publish_ptr_over(void)
{
	mine->next = mdg_ref_of(heap, *pointer_place());
	(void)mdg_publish_ptr(heap, mine, pointer_place(), *pointer_place());
}
/* Units that are free and have memory. */
static void have_idle(void)
{
	(void)mdg_free(heap, mdg_hold(heap, 8 * LARGE));
	warm();
}
static void do_trim(void)
{
	(void)mdg_heap_trim(heap, 0);
}
/* The victim's slab is full. */
static void fill_slab(void)
{
	for (int i = 0; i < 8; i++) {
		struct node *node = hold(EIGHTH);
		if (node == NULL || mdg_publish(heap, node, &place[i], 0) != 0)
			_exit(99);
	}
}
static void free_of_slab(void)
{
	for (int i = 1; i < 8; i += 3)
		node_free(mdg_take(heap, &place[i]));
}
static void do_close(void)
{
	mdg_heap_close(heap);
}
/* The last block of a slab that nobody owns. */
void leave_slab(void *argument)
{
	(void)argument;
	MUST(mdg_publish(heap, hold(EIGHTH), &place[0], 0) == 0);
}
/* It has a slot, and no slab; nor has it swept. */
static void ready(void)
{
	(void)mdg_keep(heap, place);
}
static void have_last(void)
{
	mine = mdg_take(heap, &place[0]);
	(void)mdg_keep(heap, mine);
}
static void do_sweep(void)
{
	(void)mdg_heap_sweep(heap);
}

/* Who dies in many ways at once. */
void die_full(void *argument)
{
	(void)argument;
	(void)hold(SMALL);
	(void)hold(MEDIUM);
	(void)hold(LARGE);
	(void)mdg_take(heap, &place[1]);
	(void)mdg_free(heap, mdg_take(heap, &place[2]));
	(void)mdg_publish(heap, hold(SMALL), &place[PLACES - 2], 0);
}

const struct scenario scenarios[] = {
	{ "hold", 4, 0, SMALL, 2, warm, NULL, do_hold, NULL },
	{ "hold-first", 10, 0, SMALL, 2, cold, NULL, do_hold, NULL },
	{ "hold-span", 8, 0, LARGE, 2, warm_small, NULL, do_hold, NULL },
	{ "hold-kept-span", 3, 0, LARGE, 2, warm, NULL, do_hold, NULL },
	{ "hold-merge", 8, 0, EIGHTH, 0, fill_slab, free_of_slab, do_hold, NULL },
	{ "hold-unit", 8, 0, EIGHTH, 0, fill_slab, NULL, do_hold, NULL },
	{ "publish", 4, 0, SMALL, 2, have, NULL, do_publish, NULL },
	{ "publish-at-once", 4, 0, SMALL, 2, have_at_hand, NULL, do_publish, NULL },
	{ "publish-span", 4, 0, LARGE, 2, have, NULL, do_publish, NULL },
	{ "publish-over", 4, 0, SMALL, 2, have_over, NULL, do_publish_over, NULL },
	{ "take", 5, 0, SMALL, 2, warm, NULL, do_take, NULL },
	{ "take-own", 5, 0, SMALL, 2, own_linked, NULL, do_take_own, NULL },
	{ "take-span", 5, 0, LARGE, 2, warm, NULL, do_take, NULL },
	{ "swap", 6, 0, SMALL, 2, have, NULL, do_swap, NULL },
	{ "swap-empty", 4, 0, SMALL, 2, have, NULL, do_swap_empty, NULL },
	{ "swap-span", 6, 0, LARGE, 2, have, NULL, do_swap, NULL },
	{ "publish-ptr", 4, 0, SMALL, 2, have, NULL, do_publish_ptr, NULL },
	{ "publish-ptr-over", 4, 0, SMALL, 2, pointer_linked, NULL, do_publish_ptr_over, NULL },
	{ "take-ptr", 5, 0, SMALL, 2, pointer_linked, NULL, do_take_ptr, NULL },
	{ "keep", 2, 1, SMALL, 2, have, NULL, do_keep, NULL },
	{ "free-held", 3, 0, SMALL, 2, have, NULL, do_free, NULL },
	{ "free-held-span", 3, 0, LARGE, 2, have, NULL, do_free, NULL },
	{ "free-held-of-other", 3, 0, SMALL, 2, have_of_other, NULL, do_free, NULL },
	{ "free", 1, 1, SMALL, 2, have_plain, NULL, do_free, NULL },
	{ "free-of-other", 2, 1, SMALL, 2, have_plain_of_other, NULL, do_free, NULL },
	{ "free-last", 4, 1, EIGHTH, 0, have_last, NULL, do_free, NULL },
	/* The owner of the slab is killed too, before anybody sweeps. */
	{ "free-both", 2, 1, EIGHTH, 0, have_last, NULL, do_free, NULL },
	{ "alloc", 1, 1, SMALL, 2, warm, NULL, do_alloc, NULL },
	{ "alloc-span", 4, 1, LARGE, 2, warm_small, NULL, do_alloc, NULL },
	{ "alloc-kept-span", 1, 1, LARGE, 2, warm, NULL, do_alloc, NULL },
	{ "zeroed", 1, 1, SMALL, 2, warm, NULL, do_zeroed, NULL },
	{ "aligned", 1, 1, MEDIUM, 2, warm, NULL, do_aligned, NULL },
	{ "limit", 1, 0, SMALL, 0, warm, NULL, do_limit, NULL },
	{ "realloc-held", 8, 0, SMALL, 2, have, NULL, do_realloc, NULL },
	{ "realloc", 2, 2, SMALL, 2, have_plain, NULL, do_realloc, NULL },
	{ "realloc-span", 4, 1, LARGE, 2, have_plain, NULL, do_realloc, NULL },
	{ "realloc-held-span", 4, 0, LARGE, 2, have, NULL, do_realloc, NULL },
	{ "shrink-held-span", 4, 0, LARGE, 2, have, NULL, do_shrink, NULL },
	{ "trim", 8, 0, LARGE, 2, have_idle, NULL, do_trim, NULL },
	{ "sweep", 40, 0, SMALL, 4, ready, NULL, do_sweep, NULL },
	{ "sweep-publish", 10, 0, SMALL, 4, ready, NULL, do_sweep, "publish-over" },
	{ "sweep-take", 20, 0, SMALL, 4, ready, NULL, do_sweep, "take" },
	{ "sweep-publish-ptr", 20, 0, SMALL, 2, ready, NULL, do_sweep, "publish-ptr-over" },
	{ "sweep-take-ptr", 20, 0, SMALL, 2, ready, NULL, do_sweep, "take-ptr" },
	{ "sweep-swap", 20, 0, SMALL, 4, ready, NULL, do_sweep, "swap" },
	{ "sweep-swap-span", 20, 0, LARGE, 2, ready, NULL, do_sweep, "swap-span" },
	{ "sweep-free", 20, 0, SMALL, 4, ready, NULL, do_sweep, "free-held-of-other" },
	{ "publish-first", 4, 0, SMALL, 0, have, NULL, do_publish_first, NULL },
	/* The one that has published is killed, and is swept while the other one is stopped. */
	{ "take-after", 1, 0, SMALL, 0, have, NULL, do_take, "publish-first" },
	{ "swap-after", 1, 0, SMALL, 0, have, NULL, do_swap, "publish-first" },
	{ "push-after", 1, 0, SMALL, 0, have, NULL, do_push, "publish-first" },
	{ "unlink-after", 1, 1, SMALL, 0, have, NULL, do_unlink, "publish-first" },
	{ "txn-hold", 6, 0, SMALL, 2, txn_have_begun, NULL, txn_hold, NULL },
	{ "txn-hold-span", 6, 0, LARGE, 2, txn_have_begun, NULL, txn_hold, NULL },
	{ "txn-free", 3, 0, SMALL, 2, txn_have_begun, NULL, txn_free, NULL },
	{ "txn-drop", 1, 0, SMALL, 2, txn_have_held, NULL, txn_drop, NULL },
	{ "txn-commit", 12, 0, SMALL, 2, txn_have_replaced, NULL, txn_commit, NULL },
	{ "txn-commit-own", 12, 0, SMALL, 2, txn_have_replaced_own, NULL, txn_commit, NULL },
	{ "txn-commit-span", 12, 0, LARGE, 2, txn_have_replaced, NULL, txn_commit, NULL },
	{ "txn-commit-drop", 8, 0, SMALL, 2, txn_have_dropped, NULL, txn_commit, NULL },
	{ "txn-cancel", 5, 0, SMALL, 2, txn_have_replaced, NULL, txn_cancel, NULL },
	{ "txn-cancel-span", 5, 0, LARGE, 2, txn_have_replaced, NULL, txn_cancel, NULL },
	{ "txn-cancel-drop", 4, 0, SMALL, 2, txn_have_dropped, NULL, txn_cancel, NULL },
	{ "txn-whole", 25, 0, SMALL, 2, warm, NULL, txn_replace, NULL },
	/* The next owner, and its death. The sweeper, before the next owner, and its death. */
	{ "txn-next", 25, 0, SMALL, 2, warm, NULL, txn_replace, "txn-commit" },
	{ "sweep-txn", 20, 0, SMALL, 2, ready, NULL, do_sweep, "txn-commit" },
	{ "sweep-txn-drop", 20, 0, SMALL, 2, ready, NULL, do_sweep, "txn-commit-drop" },
	{ "close", 10, 0, SMALL, 2, have, NULL, do_close, NULL },
};

const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];

bool is_cold(const struct scenario *scenario)
{
	return scenario->prepare == cold;
}
bool is_trim(const struct scenario *scenario)
{
	return scenario->operate == do_trim;
}
bool is_sweep(const struct scenario *scenario)
{
	return scenario->operate == do_sweep;
}
bool is_after_txn(const struct scenario *scenario)
{
	return scenario->before != NULL && strncmp(scenario->before, "txn-", 4) == 0;
}
bool is_of_txn(const struct scenario *scenario)
{
	return strstr(scenario->name, "txn-") != NULL || is_after_txn(scenario);
}
bool is_of_two(const struct scenario *scenario)
{
	return strcmp(scenario->name, "free-both") == 0;
}
bool is_close(const struct scenario *scenario)
{
	return scenario->operate == do_close;
}
bool is_unlink(const struct scenario *scenario)
{
	return scenario->operate == do_unlink;
}

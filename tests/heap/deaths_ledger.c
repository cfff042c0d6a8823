/* SPDX-License-Identifier: MIT */
/*
 * deaths_ledger.c - what must be there after a death. See deaths.c.
 */
#include "heap/deaths.h"

/* ---- blocks -------------------------------------------------------------------------------- */

struct node *node_fill(void *block, size_t size)
{
	struct node *node = block;
	if (node == NULL)
		return NULL;
	*node = (struct node){ MAGIC, 0, size };
	memset(node->bytes, (int)(size % 251), size - sizeof *node);
	return node;
}

struct node *hold(size_t size)
{
	return node_fill(mdg_hold(heap, size), size);
}

bool node_is_whole(const struct node *node)
{
	return node->magic == MAGIC && node->size <= LARGE && node->size > sizeof *node &&
	       node->bytes[0] == node->size % 251 &&
	       node->bytes[node->size - sizeof *node - 1] == node->size % 251;
}

void node_free(struct node *node)
{
	while (node != NULL) {
		struct node *next = mdg_at(heap, node->next);
		MUST(node_is_whole(node));
		node->magic = 0;
		int rc = mdg_free(heap, node);
		MUST(rc == 0);
		node = next;
	}
}

/* ---- the ledger ---------------------------------------------------------------------------- */

enum { REACHED_MOST = 400 };
static struct {
	mdg_ref ref[REACHED_MOST];
	unsigned count;
} reached;

static bool is_reached(mdg_ref ref)
{
	for (unsigned i = 0; i < reached.count; i++)
		if (reached.ref[i] == ref)
			return true;
	return false;
}

static void reach(mdg_ref ref)
{
	while (ref != 0 && reached.count < REACHED_MOST) {
		struct mdg__block block;
		const struct node *node = mdg_at(heap, ref);
		MUST(node != NULL && !is_reached(ref));
		if (node == NULL || is_reached(ref))
			return;
		reached.ref[reached.count++] = ref;
		MUST(mdg__block_find(inside, ref, &block) == 0);
		MUST(!mdg__block_is_free(inside, &block));
		MUST(mdg__held_by(inside, &block) == 0);
		MUST(node_is_whole(node));
		ref = node->next;
	}
}

/* What is allocated now is nothing that is linked, nor is it twice the same. */
static void allocate_some(size_t size)
{
	struct node *got[3];
	for (int i = 0; i < 3; i++) {
		got[i] = node_fill(mdg_alloc(heap, size), size);
		MUST(got[i] != NULL && !is_reached(mdg_ref_of(heap, got[i])));
		for (int j = 0; j < i; j++)
			MUST(got[i] != got[j]);
	}
	for (int i = 0; i < 3; i++)
		node_free(got[i]);
}

/* Frees what nobody reaches. */
static unsigned free_strays(void)
{
	unsigned count = 0;
	for (uint64_t unit = 0; unit < mdg__units_high(inside);) {
		uint64_t head = MDG__LOAD(inside->heads[unit]), step = 1;
		const struct mdg__size_class *class = &mdg__heap_classes[MDG__HEAD_CLASS(head)];
		mdg_ref ref = inside->parts.data + (unit << MDG__UNIT_SHIFT);
		uint32_t blocks = 0;
		if (MDG__HEAD_STATE(head) == MDG__UNIT_SPAN) {
			step = MDG__HEAD_UNITS(head);
			blocks = 1;
		} else if (MDG__HEAD_STATE(head) == MDG__UNIT_SLAB) {
			step = class->units;
			blocks = class->blocks;
		}
		for (uint32_t i = 0; i < blocks; i++, ref += class->size)
			if (mdg_usable_size(heap, mdg_at(heap, ref)) != 0 && !is_reached(ref) &&
			    ref != mdg_ref_of(heap, place) && ref != mdg_ref_of(heap, txn)) {
				MUST(mdg_free(heap, mdg_at(heap, ref)) == 0);
				count++;
			}
		unit += step != 0 ? step : 1;
	}
	return count;
}

static void check_slots(void)
{
	for (uint32_t i = 0; i < mdg__heap_slots_used(inside); i++) {
		const struct mdg__heap_slot *slot = &inside->slot[i];
		uint32_t word = MDG__LOAD(slot->life.word);
		MUST(word == 0 || (word & MDG__TID) == (uint32_t)getpid());
		for (int j = 0; j < MDG__HANDS; j++)
			MUST(MDG__HAND_OP(MDG__LOAD(slot->hands[j].op)) == MDG__HAND_NONE);
	}
}

static int say_finding(const struct mdg_heap_finding *finding, void *argument)
{
	(void)argument;
	fprintf(stderr, "%s: %s\n", context, finding->text);
	return 0;
}

/* What a place refers to. In some there are pointers. */
static mdg_ref target(mdg_ref content)
{
	return content < heap->extent ? content : mdg_ref_of(heap, (void *)(uintptr_t)content);
}

static struct node *take(mdg_ref *at)
{
	return *at < heap->extent ? mdg_take(heap, at) : mdg_take_ptr(heap, (void **)(uintptr_t)at);
}

/* It was changed, or it was not. */
static void check_limit(void)
{
	struct mdg_heap_info info = { .size = sizeof info };
	MUST(mdg_heap_stat(heap, &info) == 0);
	MUST(info.limit == MAXIMUM || info.limit == LIMIT);
	MUST(mdg_heap_limit(heap, MAXIMUM) == 0);
}

/* Slabs that nobody owns, and nobody has a block of. */
static unsigned empty_slabs(void)
{
	unsigned count = 0;
	for (uint64_t unit = 0; unit < mdg__units_high(inside); unit++) {
		uint64_t head = MDG__LOAD(inside->heads[unit]);
		uint32_t class = MDG__HEAD_CLASS(head);
		count += MDG__HEAD_STATE(head) == MDG__UNIT_SLAB && MDG__HEAD_OWNER(head) == 0 &&
		         mdg__slab_count_free(inside, unit, class) ==
		                 mdg__heap_classes[class].blocks;
	}
	return count;
}

void settle_accounts(unsigned slack, size_t size)
{
	txn_recover();
	for (int i = 0; i < 10 && mdg_heap_sweep(heap) != 0; i++)
		;
	/* Who gets the lock from a dead one counts again. */
	MUST(mdg_heap_trim(heap, UINT64_MAX) == 0);
	reached.count = 0;
	check_limit();
	check_slots();
	for (int i = 0; i < PLACES; i++) {
		MUST((place[i] & 1) == 0);
		if ((place[i] & 1) == 0)
			reach(target(place[i]));
	}
	MUST(mdg_heap_check(heap, 0, say_finding, NULL) == 0);
	struct found found = look(heap);
	MUST(found.wrong == 0);
	MUST(found.live >= reached.count + ALWAYS && found.live <= reached.count + ALWAYS + slack);
	allocate_some(size);
	MUST(free_strays() <= slack);
	for (int i = 0; i < PLACES; i++) {
		struct node *node = take(&place[i]);
		node_free(node);
		place[i] = 0;
	}
	found = look(heap);
	MUST(found.wrong == 0 && found.live == ALWAYS);
	if (is_of_two(now))
		MUST(empty_slabs() == 0);
}

void use_again(void)
{
	enum { MANY = 256 };
	struct node *got[MANY];
	for (int i = 0; i < MANY; i++)
		got[i] = node_fill(mdg_alloc(heap, SMALL), SMALL);
	(void)mdg_heap_sweep(heap);
	for (int i = 0; i < MANY; i++) {
		MUST(got[i] != NULL && mdg_usable_size(heap, got[i]) != 0);
		node_free(got[i]);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * check_roots.c - the roots: their names, and what they refer to.
 *
 * A root that refers to no block is emptied: whoever reads it would read what is not there. So is
 * one that contains an odd number which is nobody's mark: whoever wants it would get MDG_BROKEN.
 */
#include "heap/check.h"
#include "heap/held.h"

#include "platform/fence.h"

static struct mdg__spot root_spot(uint32_t index)
{
	return (struct mdg__spot){ "root", index };
}

static bool is_named(const struct mdg__heap_root *root)
{
	return MDG__ROOT_STATE(atomic_load_explicit(&root->state, memory_order_acquire)) ==
	       MDG__ROOT_NAMED;
}

/* What the place refers to. 0: to nothing, or somebody takes it out at this moment, or the root is
 * removed. */
static uint64_t target(const struct mdg__heap *heap, uint64_t content)
{
	uint64_t home = MDG__LOAD(heap->head->home);
	if ((content & 1) != 0)
		return 0;
	if (home != 0 && content >= home && content - home < heap->parts.end)
		content -= home; /* a pointer */
	return content;
}

/* Inside of a block is right too: it is the program's to say. */
static bool is_in_block(struct mdg__heap *heap, uint64_t ref)
{
	uint64_t high = mdg__units_high(heap), unit = (ref - heap->parts.data) >> MDG__UNIT_SHIFT;
	struct mdg__block block;
	struct mdg__thing thing;
	if (ref < heap->parts.data || unit >= high)
		return false;
	mdg__thing_at(heap, unit, high, &thing);
	if (thing.state == MDG__UNIT_INNER && MDG__HEAD_UNITS(thing.head) <= unit) {
		unit -= MDG__HEAD_UNITS(thing.head);
		mdg__thing_at(heap, unit, high, &thing);
	}
	uint64_t from = mdg__ref_of_unit(heap, unit);
	if (thing.valid && thing.state == MDG__UNIT_SLAB)
		ref -= (ref - from) % mdg__heap_classes[thing.class].size;
	else /* of a span, the units behind the first say nothing */
		for (; unit > 0 && thing.head == 0; unit--)
			mdg__thing_at(heap, unit - 1, high, &thing);
	if (thing.valid && thing.state == MDG__UNIT_SPAN)
		ref = mdg__ref_of_unit(heap, thing.unit);
	if (mdg__block_find(heap, ref, &block) < 0 || mdg__block_is_free(heap, &block))
		return false;
	return true;
}

static bool leads_nowhere(const struct mdg__doubt *doubt)
{
	struct mdg__heap *heap = doubt->check->heap;
	const struct mdg__heap_root *root = &heap->root[doubt->index];
	uint64_t ref = target(heap, doubt->word);
	if (ref == 0 || !is_named(root) || is_in_block(heap, ref))
		return false;
	mdg__fence(memory_order_seq_cst);
	return MDG__LOAD(root->place) == doubt->word;
}

static bool is_nonsense(const struct mdg__doubt *doubt)
{
	const struct mdg__heap *heap = doubt->check->heap;
	const struct mdg__heap_root *root = &heap->root[doubt->index];
	return is_named(root) && mdg__place_is_nonsense(heap, &root->place, doubt->word);
}

static void check_place(struct mdg__heap_check *check, uint32_t index)
{
	struct mdg__heap_root *root = &check->heap->root[index];
	uint64_t content = atomic_load_explicit(&root->place, memory_order_acquire);
	struct mdg__doubt doubt = { check, 0, content, index };
	bool odd = (content & 1) != 0;
	mdg__is_wrong *is_wrong = odd ? is_nonsense : leads_nowhere;
	if (!is_wrong(&doubt) || !mdg__is_still_wrong(&doubt, is_wrong))
		return;
	uint64_t ref = (uint64_t)((uintptr_t)&root->place - (uintptr_t)check->heap->view.base);
	bool mended = check->repair && atomic_compare_exchange_strong(&root->place, &content, 0);
	mdg__found(check, MDG_HEAP_FOUND_ROOT, ref, mended, root_spot(index),
	           odd ? "contains an odd number that no call has put there"
	               : "refers to no block that is allocated");
}

/* ---- names ---------------------------------------------------------------------------------- */

enum { NAME_WORDS = (MDG_ROOT_NAME_MAX + 1) / 8 };

static bool is_same_name(const struct mdg__heap_root *one, const struct mdg__heap_root *other)
{
	for (uint32_t i = 0; i < NAME_WORDS; i++)
		if (MDG__LOAD(one->name[i]) != MDG__LOAD(other->name[i]))
			return false;
	return true;
}

static bool is_text(const struct mdg__heap_root *root)
{
	char text[MDG_ROOT_NAME_MAX + 1];
	for (uint32_t i = 0; i < NAME_WORDS; i++) {
		uint64_t word = MDG__LOAD(root->name[i]);
		memcpy(text + (size_t)i * 8, &word, sizeof word);
	}
	size_t length = strnlen(text, sizeof text);
	for (size_t i = length; i < sizeof text; i++)
		if (text[i] != '\0')
			return false;
	return length > 0 && length < sizeof text;
}

/* `word`: the root's state. */
static bool is_misnamed(const struct mdg__doubt *doubt)
{
	const struct mdg__heap_root *root = &doubt->check->heap->root[doubt->index];
	if (!is_named(root) || is_text(root))
		return false;
	mdg__fence(memory_order_acquire);
	return MDG__LOAD(root->state) == doubt->word;
}

/* `unit`: the other root. */
static bool is_double(const struct mdg__doubt *doubt)
{
	const struct mdg__heap_root *root = doubt->check->heap->root;
	return is_named(&root[doubt->index]) && is_named(&root[doubt->unit]) &&
	       MDG__LOAD(root[doubt->index].place) != MDG__PLACE_REMOVED &&
	       MDG__LOAD(root[doubt->unit].place) != MDG__PLACE_REMOVED &&
	       is_same_name(&root[doubt->index], &root[doubt->unit]);
}

static void check_name(struct mdg__heap_check *check, uint32_t index)
{
	const struct mdg__heap_root *root = check->heap->root;
	struct mdg__doubt doubt = { check, 0, MDG__LOAD(root[index].state), index };
	if (is_misnamed(&doubt) && mdg__is_still_wrong(&doubt, is_misnamed))
		mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, false, root_spot(index),
		           "its name is no text");
	for (doubt.unit = 0; doubt.unit < index && !check->stopped; doubt.unit++)
		if (is_double(&doubt) && mdg__is_still_wrong(&doubt, is_double))
			mdg__found(check, MDG_HEAP_FOUND_TABLE, 0, false, root_spot(index),
			           "another root has the same name");
}

void mdg__check_roots(struct mdg__heap_check *check)
{
	for (uint32_t i = 0; i < MDG_ROOTS_MOST && !check->stopped; i++) {
		if (!is_named(&check->heap->root[i]))
			continue;
		check_name(check, i);
		check_place(check, i);
	}
}

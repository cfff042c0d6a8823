/* SPDX-License-Identifier: MIT */
/*
 * heap_damage.c - damage to the memory of a heap that is fuzzed: where, and what is written there.
 *
 * Most of it goes to the fields of layout.h and map_layout.h, with values that such fields have:
 * references to blocks, words of units, marks, labels, locks. What the kernel follows at the death
 * of a thread is spared, and so is what musl follows then: mark and node of struct mdg__robust.
 */
#include "fuzz/heap_scene.h"

#include <string.h>

/* The memory that a damage may hit. */
struct target {
	uint64_t from, bytes; /* from the beginning of the heap */
};

static struct target words_of(const struct heap_scene *scene, const volatile void *from,
                              uint64_t bytes)
{
	return (struct target){
		(uint64_t)((const volatile unsigned char *)from - scene->heap->base), bytes
	};
}

/* Where its tables and nodes are. `what` chooses. */
static struct target target_of_map(const struct heap_scene *scene, const mdg_map *map,
                                   uint32_t what)
{
	struct mdg__map_part *part = &map->head->part[what / 4 % MDG__MAP_PARTS];
	uint64_t table = MDG__LOAD(part->table);
	struct mdg__map_view view;
	for (uint32_t i = 0; i < MDG__MAP_PARTS && table == 0; i++)
		table = MDG__LOAD(map->head->part[i].table); /* most parts are empty */
	switch (what % 4) {
	case 0:
		return words_of(scene, map->head, offsetof(struct mdg__map_head, part));
	case 1:
		return words_of(scene, part, sizeof *part);
	default:
		break;
	}
	if (mdg__map_table_at(map, table, &view) != 0 || view.buckets == NULL)
		return words_of(scene, part, sizeof *part);
	if (what % 4 == 2)
		return (struct target){ table, sizeof(struct mdg__map_table) + 128 };
	for (uint32_t i = 0; i < 64 * MDG__MAP_SLOTS; i++) {
		struct mdg__map_bucket *bucket = &view.buckets[i / MDG__MAP_SLOTS & view.mask];
		struct mdg__map_seen seen;
		if (mdg__map_node_at(map, MDG__LOAD(bucket->slot[i % MDG__MAP_SLOTS]), &seen))
			return words_of(scene, seen.node, sizeof *seen.node + 16);
	}
	return words_of(scene, view.buckets, sizeof *view.buckets);
}

static struct target target_of(const struct heap_scene *scene, const struct step *step)
{
	const struct mdg__heap *in = scene->in;
	const void *block = scene->block[step->which % BLOCKS];
	uint64_t ref = mdg_ref_of(scene->heap, block), unit = step->which % UNITS;
	struct mdg__heap_slot *slot = &in->slot[step->which % 8];
	mdg_map *map = scene->map[step->which % MAPS];
	if (ref >= in->parts.data && step->which >= 128)
		unit = (ref - in->parts.data) >> MDG__UNIT_SHIFT;
	switch (step->what % 16) {
	case 0:
		return words_of(scene, in->head, sizeof *in->head);
	case 1: /* of the head, what changes */
		return words_of(scene, &in->head->limit, sizeof *in->head - 64);
	case 2:
		return words_of(scene, &in->root[step->which % 4], sizeof *in->root);
	case 3:
		return words_of(scene, slot, offsetof(struct mdg__heap_slot, none));
	case 4:
		return words_of(scene, slot->hands, sizeof slot->hands);
	case 5:
	case 6:
		return words_of(scene, &in->heads[unit], 64);
	case 7:
		return words_of(scene, in->bits[step->which / 8 % MDG__BITS_ALL], UNITS / 8);
	case 8:
		return words_of(scene, &in->hints[unit], 8);
	case 9:
		return words_of(scene, mdg__free_words(in, unit), 8u * MDG__SLAB_WORDS);
	case 10:
		return words_of(scene, mdg__remote_words(in, unit), 8u * MDG__SLAB_WORDS);
	case 11:
		return words_of(scene, &in->labels[unit * MDG__LABELS_OF_UNIT], 4096);
	case 12:
		if (MDG__LOAD(slot->retired) - in->parts.data < in->data_bytes)
			return (struct target){ MDG__LOAD(slot->retired), sizeof(struct mdg__bag) };
		return words_of(scene, scene->txn, MDG_TXN_SIZE(512));
	case 13:
		if (ref != 0)
			return (struct target){ ref, 4096 };
		return (struct target){ 0, scene->heap->extent };
	default:
		if (map != NULL && mdg__map_is_there(map))
			return target_of_map(scene, map, step->which / 2);
		return (struct target){ 0, scene->heap->extent };
	}
}

static uint64_t value_of(const struct heap_scene *scene, const struct step *step, uint64_t before)
{
	uint64_t v = step->value;
	uint64_t ref = mdg_ref_of(scene->heap, scene->block[v % BLOCKS]);
	switch (step->how % 16) {
	case 0:
		return v;
	case 1:
		return before ^ v;
	case 2:
		return before + (v & 0xff) - 128;
	case 3:
		return ref + (v >> 8 & 0xff0);
	case 4:
		return scene->in->parts.data + (v & 0x3ffff0);
	case 5:
		return scene->heap->extent - (v & 0xff);
	case 6:
		return UINT64_MAX - (v & 0xff);
	case 7: /* a word of units */
		return MDG__HEAD(v % 6, v >> 8 & 63, v >> 16 & 15, v >> 24 & 127);
	case 8: /* who takes */
		return MDG__PLACE_MARK(v & 15, MDG__LOAD(scene->in->slot[v & 7].generation),
		                       MDG__LOAD(scene->in->head->identity[0]));
	case 9:
		return MDG__LABEL_HELD | MDG__LABEL(v & 15, v >> 8, v >> 16, v >> 36);
	case 10: /* an operation of a hand */
		return v & 0xf0f0f;
	case 11: /* the lock of a dead thread */
		return MDG__DIED | (v & MDG__WAITERS);
	case 12:
		return 0;
	case 13:
		return scene->in->parts.roots + (v & 0x1ff8);
	default:
		return v & 0xff;
	}
}

static bool hits(uint64_t at, uint64_t width, const struct heap_scene *scene,
                 const struct mdg__robust *robust)
{
	uint64_t from = words_of(scene, robust, 0).from, word = from + 4;
	return at + width > from && at < from + sizeof *robust && !(at >= word && at < word + 4);
}

static bool is_spared(const struct heap_scene *scene, uint64_t at, uint64_t width)
{
	bool spared = hits(at, width, scene, &scene->in->head->lock.robust);
	for (uint32_t i = 0; i < scene->in->slots; i++)
		spared = spared || hits(at, width, scene, &scene->in->slot[i].life);
	return spared;
}

void heap_damage(const struct heap_scene *scene, const struct step *step)
{
	struct target target = target_of(scene, step);
	uint64_t width = step->width % 4 == 0 ? 1 : step->width % 4 == 1 ? 4 : 8, now = 0;
	uint64_t at = target.from + step->where % target.bytes / width * width;
	if (at >= scene->heap->extent || scene->heap->extent - at < width ||
	    is_spared(scene, at, width))
		return;
	memcpy(&now, scene->heap->base + at, (size_t)width);
	now = value_of(scene, step, now);
	memcpy(scene->heap->base + at, &now, (size_t)width);
}

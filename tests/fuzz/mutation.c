/* SPDX-License-Identifier: MIT */
/* See mutation.h. */
#include "fuzz/mutation.h"

#include <string.h>

#include "madang/segment.h"
#include "platform/text.h"
#include "registry/layout.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- where things are: as registry/open.c lays them out ------------------------- */

enum part {
	HEAD,
	BITMAP,
	BUCKETS,
	PROCESSES,
	SEGMENTS,
	ATTACHMENTS,
	SET_BITMAP,
	SET_BUCKETS,
	SETS,
	QUEUE_BITMAP,
	QUEUE_BUCKETS,
	QUEUES,
	PARTS
};

static const char *const part_names[PARTS] = { "head",           "bitmap",        "buckets",
	                                       "processes",      "segments",      "attachments",
	                                       "bitmap of sets", "set buckets",   "sets",
	                                       "queue bitmap",   "queue buckets", "queues" };

struct table {
	uint32_t offset, record, count;
};

/* Bitmap, buckets and entries of a directory. */
static void of_class(const struct mdg__head *head, enum mdg__class class, struct table *bitmap,
                     struct table *buckets, struct table *entries)
{
	*bitmap = (struct table){ 0, 8, (head->capacity[class] + 63) / 64 };
	*buckets = (struct table){ 0, 4, head->bucket_count[class] };
	*entries = (struct table){ 0, MDG__ENTRY_SIZE, head->capacity[class] };
}

static void find_tables(const unsigned char *image, struct table tables[PARTS])
{
	const struct mdg__head *head = (const void *)image;
	tables[HEAD] = (struct table){ 0, sizeof *head, 1 };
	tables[PROCESSES] =
		(struct table){ 0, sizeof(struct mdg__process), head->process_capacity };
	tables[ATTACHMENTS] = (struct table){ 0, sizeof(struct mdg__tie), head->tie_capacity };
	of_class(head, MDG__SEGMENTS, &tables[BITMAP], &tables[BUCKETS], &tables[SEGMENTS]);
	of_class(head, MDG__SEMAPHORE_SETS, &tables[SET_BITMAP], &tables[SET_BUCKETS],
	         &tables[SETS]);
	of_class(head, MDG__MESSAGE_QUEUES, &tables[QUEUE_BITMAP], &tables[QUEUE_BUCKETS],
	         &tables[QUEUES]);
	uint32_t end = 0;
	for (int part = 0; part < PARTS; part++) {
		tables[part].offset = end;
		end += tables[part].record * tables[part].count;
		end = (end + MDG__TABLE_ALIGN - 1) / MDG__TABLE_ALIGN * MDG__TABLE_ALIGN;
	}
}

/* ---- drawing ------------------------------------------------------------------- */

struct draw {
	struct mutation *mutation;
	const unsigned char *image;
	uint32_t size;
	struct dice *dice;
	struct table tables[PARTS];
};

static void add(struct draw *draw, uint64_t offset, uint32_t width, uint64_t value)
{
	struct mutation *mutation = draw->mutation;
	if (mutation->count < EDITS_MAX && offset + width <= draw->size)
		mutation->edits[mutation->count++] =
			(struct edit){ (uint32_t)offset, width, value };
}

static uint64_t now(const struct draw *draw, uint32_t offset, uint32_t width)
{
	uint64_t value64 = 0;
	uint32_t value32 = 0;
	if (width == 8) {
		memcpy(&value64, draw->image + offset, 8);
		return value64;
	}
	memcpy(&value32, draw->image + offset, 4);
	return value32;
}

/* A record that is in use more often than one that is not. */
static uint32_t some_record(struct draw *draw, enum part part)
{
	uint32_t count = draw->tables[part].count;
	uint32_t few = count < 8 ? count : 8;
	return roll_below(draw->dice, one_in(draw->dice, 8) ? count : few);
}

static uint32_t place_of(const struct draw *draw, enum part part, uint32_t record)
{
	return draw->tables[part].offset + record * draw->tables[part].record;
}

static uint64_t crafted(struct draw *draw, uint32_t offset, uint32_t width)
{
	static const uint64_t edges[] = { 0,
		                          1,
		                          2,
		                          3,
		                          15,
		                          16,
		                          17,
		                          63,
		                          64,
		                          65,
		                          1023,
		                          1024,
		                          1025,
		                          4095,
		                          4096,
		                          4097,
		                          0x7fff,
		                          0x8000,
		                          0xffff,
		                          0x10000,
		                          0x7fffffff,
		                          0x80000000,
		                          0xfffffffe,
		                          0xffffffff,
		                          UINT64_C(1) << 32,
		                          UINT64_C(1) << 40,
		                          INT64_MAX,
		                          UINT64_C(1) << 63,
		                          UINT64_MAX - 4095,
		                          UINT64_MAX };
	struct dice *dice = draw->dice;
	uint64_t value = now(draw, offset, width);
	switch (roll_below(dice, 8)) {
	case 0:
		return value + 1;
	case 1:
		return value - 1;
	case 2:
		return value ^ UINT64_C(1) << roll_below(dice, width * 8);
	case 3:
		return roll_below(dice, 18); /* an index, an idx1, a state */
	case 4:
		return (value & ~UINT64_C(0xff)) | roll_below(dice, 6); /* a tag's state */
	case 5:
		return roll(dice);
	default:
		return edges[roll_below(dice, COUNT(edges))];
	}
}

static void a_byte(struct draw *draw)
{
	add(draw, roll_below(draw->dice, draw->size), 1, roll(draw->dice) & 0xff);
}

static void a_field(struct draw *draw)
{
	static const enum part parts[] = { HEAD,        BITMAP,      BUCKETS,  PROCESSES,
		                           PROCESSES,   SEGMENTS,    SEGMENTS, SEGMENTS,
		                           ATTACHMENTS, ATTACHMENTS, SETS,     QUEUES };
	enum part part = parts[roll_below(draw->dice, COUNT(parts))];
	uint32_t place = place_of(draw, part, some_record(draw, part));
	uint32_t room = part == HEAD ? offsetof(struct mdg__head, undo) : draw->tables[part].record;
	uint32_t width = room >= 8 && one_in(draw->dice, 2) ? 8 : 4;
	place += roll_below(draw->dice, room / width) * width;
	add(draw, place, width, crafted(draw, place, width));
}

/* Links of lists: to itself, to each other, to the far end. */
static void a_link(struct draw *draw)
{
	static const uint32_t fields[] = {
		offsetof(struct mdg__tie, object_next),
		offsetof(struct mdg__tie, object_previous),
		offsetof(struct mdg__tie, process_next),
		offsetof(struct mdg__tie, process_previous),
	};
	for (uint32_t i = 0; i < 1 + roll_below(draw->dice, 6); i++) {
		uint32_t record = some_record(draw, ATTACHMENTS);
		uint32_t to = one_in(draw->dice, 3) ? record : some_record(draw, ATTACHMENTS);
		add(draw,
		    place_of(draw, ATTACHMENTS, record) +
		            fields[roll_below(draw->dice, COUNT(fields))],
		    4, to + 1);
	}
	if (one_in(draw->dice, 2))
		add(draw, offsetof(struct mdg__head, free_tie), 4,
		    some_record(draw, ATTACHMENTS) + 1);
	if (one_in(draw->dice, 2))
		add(draw,
		    place_of(draw, SEGMENTS, some_record(draw, SEGMENTS)) +
		            offsetof(struct mdg__segment, next),
		    4, some_record(draw, SEGMENTS) + 1);
}

/* A record that leads to itself in every list, the free list included. */
static void a_knot(struct draw *draw)
{
	uint32_t record = some_record(draw, ATTACHMENTS), at = place_of(draw, ATTACHMENTS, record);
	for (uint32_t field = 16; field < 32; field += 4)
		add(draw, at + field, 4, record + 1);
	add(draw, offsetof(struct mdg__head, free_tie), 4, record + 1);
	uint32_t segment = some_record(draw, SEGMENTS), process = some_record(draw, PROCESSES);
	add(draw, place_of(draw, SEGMENTS, segment) + offsetof(struct mdg__segment, ties), 4,
	    record + 1);
	add(draw, place_of(draw, PROCESSES, process) + offsetof(struct mdg__process, ties), 4,
	    record + 1);
}

static void a_lock(struct draw *draw)
{
	uint32_t slot = roll_below(draw->dice, 5);
	uint32_t tag = (uint32_t)now(draw, place_of(draw, PROCESSES, slot), 4);
	uint32_t generation = one_in(draw->dice, 4) ? (uint32_t)roll(draw->dice) : tag >> 8;
	uint32_t slot1 = one_in(draw->dice, 4) ? (uint32_t)roll(draw->dice) & 0x7fff : slot + 1;
	uint32_t waiters = one_in(draw->dice, 2) ? 0x8000 : 0;
	add(draw, offsetof(struct mdg__head, lock), 4, generation << 16 | waiters | slot1);
}

static void a_journal(struct draw *draw)
{
	uint32_t notes = one_in(draw->dice, 4) ? (uint32_t)crafted(draw, 0, 4)
	                                       : roll_below(draw->dice, MDG__JOURNAL_MAX + 2);
	add(draw, offsetof(struct mdg__head, undo_count), 4, notes);
	for (uint32_t i = 0; i < notes && i < 8; i++) {
		uint32_t at = (uint32_t)offsetof(struct mdg__head, undo) +
		              i * (uint32_t)sizeof(struct mdg__undo);
		uint32_t target = one_in(draw->dice, 4) ? (uint32_t)crafted(draw, 0, 4)
		                                        : roll_below(draw->dice, draw->size) & ~3u;
		add(draw, at, 4, target);
		add(draw, at + 4, 4, one_in(draw->dice, 8) ? roll(draw->dice) & 15 : 4u << (i & 1));
		add(draw, at + 8, 8, crafted(draw, 0, 8));
	}
	if (one_in(draw->dice, 2))
		add(draw, offsetof(struct mdg__head, version), 4, roll(draw->dice) | 1);
}

/* The counters of the head, watermarks among them. */
static void a_counter(struct draw *draw)
{
	uint32_t first = one_in(draw->dice, 2) ? 192 : 256;
	uint32_t at = first + roll_below(draw->dice, 8) * 4;
	add(draw, at, 4, crafted(draw, at, 4));
}

/* Somebody is said to be at work on a segment. */
static void a_worker(struct draw *draw)
{
	uint32_t index = roll_below(draw->dice, 7), at = place_of(draw, SEGMENTS, index);
	uint32_t slot = roll_below(draw->dice, 5);
	uint32_t tag = (uint32_t)now(draw, at, 4);
	uint32_t slot_tag = (uint32_t)now(draw, place_of(draw, PROCESSES, slot), 4);
	add(draw, at, 4, (tag & ~UINT32_C(0xff)) | MDG__BUSY);
	add(draw, at + offsetof(struct mdg__segment, worker), 4,
	    one_in(draw->dice, 4) ? crafted(draw, 0, 4) : slot + 1);
	add(draw, at + offsetof(struct mdg__segment, worker_generation), 4,
	    one_in(draw->dice, 4) ? crafted(draw, 0, 4) : slot_tag >> 8);
	if (one_in(draw->dice, 2))
		add(draw, place_of(draw, PROCESSES, slot) + offsetof(struct mdg__process, working),
		    4, crafted(draw, 0, 4));
}

/* Between users: somebody is said to be just changing owner and mode, file and entry. */
static void a_setter(struct draw *draw)
{
	uint32_t at = place_of(draw, SEGMENTS, roll_below(draw->dice, 4));
	uint32_t slot = roll_below(draw->dice, 5);
	uint32_t slot_tag = (uint32_t)now(draw, place_of(draw, PROCESSES, slot), 4);
	add(draw, at + offsetof(struct mdg__segment, setter), 4,
	    one_in(draw->dice, 4) ? crafted(draw, 0, 4) : slot + 1);
	add(draw, at + offsetof(struct mdg__segment, setter_generation), 4,
	    one_in(draw->dice, 4) ? crafted(draw, 0, 4) : slot_tag >> 8);
	if (one_in(draw->dice, 2))
		add(draw, at + offsetof(struct mdg__segment, new_uid1), 4, crafted(draw, 0, 4));
}

/* Another directory is said to be in use: an object there, half made, live or removed, and
 * perhaps a tie that names it, or one that names no class. */
static void an_object(struct draw *draw)
{
	struct dice *dice = draw->dice;
	bool queue = one_in(dice, 2);
	enum mdg__class class = queue ? MDG__MESSAGE_QUEUES : MDG__SEMAPHORE_SETS;
	enum part entries = queue ? QUEUES : SETS;
	uint32_t directory = (uint32_t)(offsetof(struct mdg__head, directory) +
	                                (uint32_t) class * sizeof(struct mdg__directory));
	uint32_t index = some_record(draw, entries), at = place_of(draw, entries, index);
	add(draw, directory + offsetof(struct mdg__directory, ready), 4,
	    one_in(dice, 4) ? crafted(draw, 0, 4) : draw->tables[entries].count);
	add(draw, at, 4, roll_below(dice, 1 << 17) << 8 | roll_below(dice, 5));
	add(draw, at + offsetof(struct mdg__object, worker), 4, roll_below(dice, 5));
	add(draw, at + offsetof(struct mdg__object, kind), 4, UINT32_MAX);
	add(draw, at + offsetof(struct mdg__object, next), 4,
	    one_in(dice, 2) ? index + 1 : roll_below(dice, 66));
	add(draw, at + offsetof(struct mdg__object, key), 4, roll_below(dice, 4));
	if (one_in(dice, 2))
		add(draw, place_of(draw, queue ? QUEUE_BITMAP : SET_BITMAP, 0), 8, roll(dice));
	if (one_in(dice, 2))
		add(draw, place_of(draw, queue ? QUEUE_BUCKETS : SET_BUCKETS, roll_below(dice, 64)),
		    4, index + 1);
	uint32_t tie = place_of(draw, ATTACHMENTS, some_record(draw, ATTACHMENTS));
	if (one_in(dice, 2))
		add(draw, tie + offsetof(struct mdg__tie, object), 4,
		    one_in(dice, 4) ? UINT32_C(7) << MDG__CLASS_SHIFT | index
		                    : (uint32_t) class << MDG__CLASS_SHIFT | index);
	if (one_in(dice, 2))
		add(draw, at + offsetof(struct mdg__object, ties), 4,
		    some_record(draw, ATTACHMENTS) + 1);
}

static bool is_shared(const struct draw *draw)
{
	return (((const struct mdg__head *)(const void *)draw->image)->flags & MDG_NS_SHARED) != 0;
}

/* What never changes, with a sum that fits: only the one who opens reads it. */
static void a_constant(struct draw *draw)
{
	unsigned char head[sizeof(struct mdg__head)];
	uint32_t at = 8 + roll_below(draw->dice, offsetof(struct mdg__head, fixed_sum) / 4 - 2) * 4;
	uint32_t sum_at = offsetof(struct mdg__head, fixed_sum);
	uint32_t value = (uint32_t)crafted(draw, at, 4);
	memcpy(head, draw->image, sizeof head);
	memcpy(head + at, &value, 4);
	add(draw, at, 4, value);
	add(draw, sum_at, 4, (uint32_t)mdg__hash(head + 8, sum_at - 8));
}

static void much(struct draw *draw)
{
	uint32_t at = roll_below(draw->dice, draw->size), zero = one_in(draw->dice, 4);
	for (uint32_t i = 0; i < EDITS_MAX / 2; i++)
		add(draw, (at & ~7u) + i * 8, 8, zero ? 0 : roll(draw->dice));
}

void mutation_draw(struct mutation *mutation, const unsigned char *image, size_t size,
                   struct dice *dice)
{
	struct draw draw = {
		.mutation = mutation, .image = image, .size = (uint32_t)size, .dice = dice
	};
	find_tables(image, draw.tables);
	mutation->count = 0;
	for (uint32_t i = 0; i < 1 + roll_below(dice, 4) * roll_below(dice, 3); i++) {
		uint32_t kind = roll_below(dice, 1000);
		if (kind < 200)
			a_byte(&draw);
		else if (kind < 680)
			a_field(&draw);
		else if (kind < 780)
			a_link(&draw);
		else if (kind < 800)
			a_knot(&draw);
		else if (kind < 805)
			a_lock(&draw);
		else if (kind < 860)
			a_journal(&draw);
		else if (kind < 945)
			a_counter(&draw);
		else if (kind < 950 && is_shared(&draw))
			a_setter(&draw);
		else if (kind < 960)
			a_worker(&draw);
		else if (kind < 970)
			an_object(&draw);
		else if (kind < 980)
			a_constant(&draw);
		else
			much(&draw);
	}
}

/* ---- applying and telling --------------------------------------------------------- */

void mutation_apply(const struct mutation *mutation, unsigned char *map)
{
	for (uint32_t i = 0; i < mutation->count; i++) {
		const struct edit *edit = &mutation->edits[i];
		unsigned char *at = map + edit->offset;
		/* As one store each, as a process that scribbles would make it. */
		if (edit->width == 8 && edit->offset % 8 == 0)
			atomic_store((mdg__a64 *)(void *)at, edit->value);
		else if (edit->width == 4 && edit->offset % 4 == 0)
			atomic_store((mdg__a32 *)(void *)at, (uint32_t)edit->value);
		else
			*(volatile unsigned char *)at = (unsigned char)edit->value;
	}
}

void mutation_print(const struct mutation *mutation, const unsigned char *image, size_t size,
                    FILE *out)
{
	struct table tables[PARTS];
	(void)size;
	find_tables(image, tables);
	for (uint32_t i = 0; i < mutation->count && i < 40; i++) {
		const struct edit *edit = &mutation->edits[i];
		int part = PARTS - 1;
		while (part > 0 && edit->offset < tables[part].offset)
			part--;
		uint32_t within = edit->offset - tables[part].offset;
		fprintf(out, "  %s[%u] + %u (file offset %u), %u bytes = %#llx\n", part_names[part],
		        within / tables[part].record, within % tables[part].record, edit->offset,
		        edit->width, (unsigned long long)edit->value);
	}
	if (mutation->count > 40)
		fprintf(out, "  and %u more\n", mutation->count - 40);
}

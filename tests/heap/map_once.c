/* SPDX-License-Identifier: MIT */
/*
 * map_once.c - a look-up at once (map_once.h) believes nothing, and reads in a read section.
 *
 * The part of the key gets a table, a bucket and a node that the test has made by hand. The key is
 * found in them. Then one thing after the other is made wrong, and the key must not be found there.
 */
#include "heap/map_find.h"

#include "heap/maps.h"

enum { TABLE_BITS = 12, SMALL = 8192, SMALL_OF_UNIT = 8 };

static const char key[] = "sixteen letters!", other[] = "a longer key than that";
static mdg_map *map;
static struct mdg__heap *inside;
static struct mdg__map_part *part;
static struct mdg__map_table *table;
static struct mdg__map_bucket *bucket;
static uint64_t bucket_unit, table_unit;

static uint64_t ref_of(const void *at)
{
	return (uint64_t)((const unsigned char *)at - heap->base);
}

static uint64_t unit_of(const void *at)
{
	return (ref_of(at) - inside->parts.data) >> MDG__UNIT_SHIFT;
}

/* 0, or an error. The three calls have to agree. */
static int look(void)
{
	static unsigned char value[1 << 18];
	struct mdg_map_entry entry = { .size = sizeof entry };
	size_t length;
	mdg_ref ref;
	int rc = mdg_map_get(map, key, 16, value, sizeof value, &length, NULL);
	int seen = mdg_read_begin(heap);
	seen = seen == 0 ? mdg_map_see(map, key, 16, &entry) : seen;
	(void)mdg_read_end(heap);
	CHECK(seen == rc);
	CHECK((mdg__map_ref(map, key, 16, &ref) == 0) == (rc == 0));
	if (rc == 0 && CHECK_RC(0, mdg_map_intern(map, key, 16, &ref)))
		CHECK(entry.length == length && memcmp(entry.value, value, length) == 0 &&
		      memcmp(mdg_at(heap, ref), key, 16) == 0);
	return rc;
}

/* A node with the key at this place, and a value of 8 bytes. */
static void node_put(void *at)
{
	struct mdg__map_node node = { .value = 1, .key_length = 16, .length = 8 };
	node.hash = mdg__map_hash(map, key, 16);
	memcpy(at, &node, sizeof node);
	memcpy((unsigned char *)at + sizeof node, key, 16);
	memcpy((unsigned char *)at + sizeof node + 16, "a value.", 8);
	atomic_store(&bucket->slot[3], ref_of(at));
}

static struct mdg__map_node *small_node(void)
{
	struct mdg__map_node *node = mdg_alloc(heap, 64);
	node_put(node);
	CHECK_RC(0, look());
	return node;
}

/* The home bucket lies in another unit than the beginning of the table. */
static void make_table(void)
{
	uint64_t hash = mdg__map_hash(map, key, 16);
	struct mdg__map_view view;
	table = mdg_alloc(heap, 400000);
	mdg__map_table_make(map, table, TABLE_BITS, &view);
	bucket = &view.buckets[mdg__map_home(TABLE_BITS, hash)];
	part = mdg__map_part_of(map, hash);
	atomic_store(&bucket->tags, mdg__map_tag_of(hash) << 24);
	atomic_store(&part->table, ref_of(table));
	atomic_store(&part->bits, TABLE_BITS);
	table_unit = unit_of(table);
	bucket_unit = unit_of(bucket);
}

static void of_the_table(void)
{
	struct mdg__map_node *node = small_node();
	uint64_t good = part->table;
	atomic_store(&part->bits, 3); /* the hint is wrong: the table's head says better */
	CHECK_RC(0, look());
	atomic_store(&part->bits, UINT64_MAX);
	CHECK_RC(0, look());
	mdg__map_tidy(map, part); /* as after a death: the hint becomes right */
	CHECK(part->bits == TABLE_BITS);
	atomic_store(&table->bits, TABLE_BITS - 1);
	CHECK_RC(-ENOENT, look());
	atomic_store(&part->bits, 60);
	atomic_store(&table->bits, 60);
	CHECK_RC(MDG_BROKEN, look());
	atomic_store(&part->bits, TABLE_BITS);
	atomic_store(&table->bits, TABLE_BITS);
	atomic_store(&table->mark, 1);
	CHECK_RC(MDG_BROKEN, look());
	atomic_store(&table->mark, MDG__MAP_TABLE_MARK);
	mdg__bit_clear(inside, MDG__BITS_COMMITTED, table_unit);
	CHECK_RC(MDG_BROKEN, look());
	mdg__bit_set(inside, MDG__BITS_COMMITTED, table_unit);
	mdg__bit_clear(inside, MDG__BITS_COMMITTED, bucket_unit);
	CHECK_RC(MDG_BROKEN, look());
	mdg_ref ref;
	CHECK_RC(MDG_BROKEN, mdg_map_intern(map, key, 16, &ref)); /* it must come to an end */
	mdg__bit_set(inside, MDG__BITS_COMMITTED, bucket_unit);
	const uint64_t bad[] = {
		1, 16, good + 8, heap->extent - 16, heap->extent, UINT64_C(1) << 50, UINT64_MAX - 15
	};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (bad[i] == good + 8) { /* it would do, but for where it begins */
			memmove((unsigned char *)table + 8, table, sizeof *table);
			atomic_store(&part->table, bad[i]);
			CHECK_RC(MDG_BROKEN, look());
			memmove(table, (unsigned char *)table + 8, sizeof *table);
			continue;
		}
		atomic_store(&part->table, bad[i]);
		CHECK_RC(MDG_BROKEN, look());
	}
	atomic_store(&part->table, 0);
	CHECK_RC(-ENOENT, look());
	atomic_store(&part->table, good);
	CHECK_RC(0, look());
	(void)mdg_free(heap, node);
}

static void of_the_bucket(void)
{
	struct mdg__map_node *node = small_node();
	uint64_t tags = bucket->tags;
	const uint64_t bad[] = { 0,
		                 1,
		                 ref_of(node) + 1,
		                 ref_of(node) + 16,
		                 heap->extent - 16,
		                 heap->extent,
		                 UINT64_C(1) << 50,
		                 UINT64_MAX - 15 };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		atomic_store(&bucket->slot[3], bad[i]);
		CHECK_RC(-ENOENT, look());
	}
	/* Another node with the same tag comes first; then it lies in the bucket behind. */
	atomic_store(&bucket->slot[3], ref_of(node));
	atomic_store(&bucket->tags, (tags & ~UINT64_C(0xff)) | (tags >> 24 & 0xff));
	CHECK_RC(0, look());
	uint32_t at =
		(uint32_t)(((uint64_t)((unsigned char *)bucket - (unsigned char *)table) - 64) /
	                   64);
	struct mdg__map_bucket *behind = at + 1 < 1u << TABLE_BITS ? bucket + 1 : bucket - at;
	atomic_store(&behind->tags, tags);
	atomic_store(&behind->slot[3], ref_of(node));
	atomic_store(&bucket->slot[3], 0);
	atomic_store(&bucket->tags, tags | UINT64_C(1) << 56);
	CHECK_RC(0, look());
	uint64_t unlike = ~(tags >> 24) & 0xff;
	atomic_store(&bucket->tags, unlike * MDG__EACH_BYTE & MDG__TAGS);
	CHECK_RC(-ENOENT, look());
	atomic_store(&bucket->tags, (unlike * MDG__EACH_BYTE & MDG__TAGS) | UINT64_C(1) << 56);
	CHECK_RC(0, look());
	atomic_store(&behind->slot[3], 0);
	atomic_store(&bucket->tags, tags);
	(void)mdg_free(heap, node);
}

static void of_the_node(void)
{
	struct mdg__map_node *node = small_node();
	atomic_store(&node->key_length, 15);
	CHECK_RC(-ENOENT, look());
	atomic_store(&node->key_length, UINT32_MAX);
	CHECK_RC(-ENOENT, look());
	atomic_store(&node->key_length, 16);
	atomic_store(&node->length, MDG__UNIT_BYTES);
	CHECK_RC(-ENOENT, look());
	atomic_store(&node->length, UINT32_MAX);
	CHECK_RC(-ENOENT, look());
	atomic_store(&node->length, 8);
	((unsigned char *)(node + 1))[15] ^= 1;
	CHECK_RC(-ENOENT, look());
	((unsigned char *)(node + 1))[15] ^= 1;
	CHECK_RC(0, look());
	node_put((unsigned char *)node + 8); /* no block begins so */
	CHECK_RC(-ENOENT, look());
	/* In the middle of larger blocks. */
	unsigned char *medium = mdg_alloc(heap, 20000), *span = mdg_alloc(heap, 400000);
	node_put(medium + 64);
	CHECK_RC(-ENOENT, look());
	node_put(span + MDG__UNIT_BYTES + 64);
	CHECK_RC(-ENOENT, look());
	node_put(span); /* a block of its own is right */
	CHECK_RC(0, look());
	node_put(medium);
	CHECK_RC(0, look());
}

/* The key, or the value, would go on in the next unit. */
static void at_the_end_of_a_unit(void)
{
	unsigned char *blocks[4 * SMALL_OF_UNIT], *last = NULL;
	for (unsigned i = 0; i < 4 * SMALL_OF_UNIT; i++) {
		blocks[i] = mdg_alloc(heap, SMALL);
		/* It ends a unit, and the next unit is in use as well. */
		for (unsigned k = 0; k < i; k++)
			if (unit_of(blocks[i]) != unit_of(blocks[k]) &&
			    (blocks[i] == blocks[k] + SMALL || blocks[k] == blocks[i] + SMALL))
				last = blocks[k] < blocks[i] ? blocks[k] : blocks[i];
	}
	if (!CHECK(last != NULL))
		return;
	unsigned char *end = last + SMALL;
	unsigned char saved[64];
	memcpy(saved, end, sizeof saved);
	node_put(end - 48);
	CHECK_RC(0, look());
	node_put(end - 32);
	CHECK_RC(-ENOENT, look());
	node_put(end - 16);
	CHECK(mprotect(end, MDG__UNIT_BYTES, PROT_NONE) == 0);
	CHECK_RC(-ENOENT, look()); /* the next unit is not read */
	CHECK(mprotect(end, MDG__UNIT_BYTES, PROT_READ | PROT_WRITE) == 0);
	node_put(end - 48);
	atomic_store(&((struct mdg__map_node *)(void *)(end - 48))->length, 9);
	CHECK_RC(-ENOENT, look());
	memcpy(end, saved, sizeof saved);
}

/* ---- the read section ---------------------------------------------------------------------- */

static struct mdg__heap_own *own;
static void *volatile closed_page;
static volatile int faults, epochs, busy;

static void on_fault(int signal)
{
	(void)signal;
	faults++;
	epochs += MDG__LOAD(own->slot->epoch) != 0;
	busy += own->idle.heap == NULL;
	if (mprotect(closed_page, MDG__UNIT_BYTES, PROT_READ | PROT_WRITE) != 0)
		_exit(1);
}

/* While the node is read, others can see that the thread is in a read section. */
static void reads_in_a_section(void)
{
	struct mdg__map_node *node = small_node();
	struct sigaction action = { .sa_handler = on_fault }, before;
	char value[8];
	mdg_ref ref;
	closed_page = mdg__unit_at(inside, unit_of(node));
	sigaction(SIGSEGV, &action, &before);
	for (int i = 0; i < 4; i++) {
		MDG__STORE(inside->head->fences, i == 3); /* readers have to fence */
		CHECK(mprotect(closed_page, MDG__UNIT_BYTES, PROT_NONE) == 0);
		if (i == 1)
			CHECK_RC(0, mdg_map_intern(map, key, 16, &ref));
		else
			CHECK_RC(0, mdg_map_get(map, key, 16, value, 8, NULL, NULL));
		CHECK(faults == i + 1 && epochs == i + 1 && busy == i + 1);
		CHECK(own->slot->epoch == 0 && own->idle.heap == inside && own->reading == 0);
	}
	sigaction(SIGSEGV, &before, NULL);
	MDG__STORE(inside->head->fences, 0);
	CHECK_RC(0, mdg_read_begin(heap)); /* a look-up does not end it */
	CHECK_RC(0, mdg_map_get(map, key, 16, value, 8, NULL, NULL));
	CHECK_RC(-ENOENT, mdg_map_get(map, other, sizeof other, value, 8, NULL, NULL));
	CHECK(own->slot->epoch != 0 && own->reading == 1);
	CHECK_RC(0, mdg_read_end(heap));
	CHECK(own->slot->epoch == 0);
}

int main(void)
{
	open_heap();
	inside = mdg__heap_of(heap);
	map = map_of("once", 0);
	/* The same places in each run. The bucket is in another unit than the table's head. */
	mdg__map_secret_make(&map->secret, 1, 2);
	make_table();
	int why = 0;
	own = mdg__own_find(inside, &why);
	if (!CHECK(own != NULL))
		return test_result();
	CHECK(table_unit != bucket_unit);
	CHECK(mdg__map_tag_of(mdg__map_hash(map, key, 16)) != 0);
	of_the_table();
	of_the_bucket();
	of_the_node();
	at_the_end_of_a_unit();
	reads_in_a_section();
	return test_result();
}

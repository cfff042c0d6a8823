/* SPDX-License-Identifier: MIT */
/*
 * map_points.c - a process dies at each store of a change of a map.
 *
 *     map_points [--all] [SCENE]...
 *
 * A scene has a part of a map with some entries, and a victim that makes one change. It is killed
 * at point 0, at point 1, and so on to its end. While it stands there, readers find what was there.
 * After its death the change has been made, or it has not. The next writer goes on at once, and the
 * heap has the blocks of the map and no others.
 *
 * In the scenes `after ...` the victim is a writer that finds the part of another one that was
 * killed in the middle of its change.
 *
 * Without --all, every 20th point is played, and other ones in each minute.
 */
#include "heap/held.h"
#include "heap/maps.h"
#include "heap/watched.h"
#include "sync/points/step.h"

enum { KEYS = 12, PART = 5 };

static mdg_map *bytes, *blocks;
static struct {
	char text[KEY_ROOM];
	size_t length;
} keys[KEYS];

struct scene {
	const char *name;
	bool of_blocks;
	bool puts; /* else the key is gone afterwards */
	bool bag;  /* it has retired a block before: then it replaces in one go (map_over.c) */
	unsigned entries; /* keys 0 to entries - 1 are there */
	unsigned key;     /* that is changed */
	int (*act)(unsigned key);
	const char *victims; /* the scene of another victim, which was killed before */
};

/* ---- the changes --------------------------------------------------------------------------- */

static int put(unsigned key)
{
	return mdg_map_put(bytes, keys[key].text, keys[key].length, "new", 3, NULL);
}

static int drop(unsigned key)
{
	return mdg_map_remove(bytes, keys[key].text, keys[key].length);
}

/* The version that the key has; 0: it is not there. Of a map of references: the reference. */
static uint64_t version_of(mdg_map *map, unsigned key)
{
	uint64_t value, version = 0;
	(void)mdg_map_get(map, keys[key].text, keys[key].length, &value, sizeof value, NULL,
	                  &version);
	return version;
}

static int put_if(unsigned key)
{
	return mdg_map_put_if(bytes, keys[key].text, keys[key].length, "new", 3,
	                      version_of(bytes, key), NULL);
}

static int drop_if(unsigned key)
{
	return mdg_map_remove_if(bytes, keys[key].text, keys[key].length, version_of(bytes, key));
}

static int intern(unsigned key)
{
	mdg_ref ref;
	return mdg_map_intern(bytes, keys[key].text, keys[key].length, &ref);
}

static int clear(unsigned key)
{
	(void)key;
	return mdg_map_clear(bytes);
}

static char *new_block(void)
{
	char *block = mdg_hold(heap, 32);
	if (block != NULL)
		memcpy(block, "new", 4);
	return block;
}

static int put_block(unsigned key)
{
	void *old = NULL;
	char *block = new_block();
	if (block == NULL)
		return mdg_heap_why(heap);
	int rc = mdg_map_put_ref(blocks, keys[key].text, keys[key].length, block, &old);
	return rc == 0 && old != NULL ? mdg_retire(heap, old) : rc;
}

static int take_block(unsigned key)
{
	void *old;
	int rc = mdg_map_take(blocks, keys[key].text, keys[key].length, &old);
	return rc == 0 ? mdg_retire(heap, old) : rc;
}

static int put_block_if(unsigned key)
{
	void *old = NULL;
	char *block = new_block();
	if (block == NULL)
		return mdg_heap_why(heap);
	int rc = mdg_map_put_ref_if(blocks, keys[key].text, keys[key].length, block,
	                            version_of(blocks, key), &old);
	return rc == 0 && old != NULL ? mdg_retire(heap, old) : rc;
}

static int take_block_if(unsigned key)
{
	void *old;
	int rc = mdg_map_take_if(blocks, keys[key].text, keys[key].length, version_of(blocks, key),
	                         &old);
	return rc == 0 ? mdg_retire(heap, old) : rc;
}

/* A table of 7 slots grows when there are 4 entries, one of 14 when there are 9. */
static const struct scene scenes[] = {
	{ "first", false, true, false, 0, 0, put, NULL },
	{ "insert", false, true, false, 2, 2, put, NULL },
	{ "replace", false, true, false, 3, 1, put, NULL },
	{ "grow", false, true, false, 4, 4, put, NULL },
	{ "remove", false, false, false, 3, 1, drop, NULL },
	{ "intern", false, true, false, 1, 1, intern, NULL },
	{ "clear", false, false, false, 3, 1, clear, NULL },
	{ "put_block", true, true, false, 2, 2, put_block, NULL },
	{ "replace_block", true, true, false, 3, 1, put_block, NULL },
	{ "grow_block", true, true, false, 4, 4, put_block, NULL },
	{ "take_block", true, false, false, 3, 1, take_block, NULL },
	{ "insert_if", false, true, false, 2, 2, put_if, NULL },
	{ "replace_if", false, true, false, 3, 1, put_if, NULL },
	{ "remove_if", false, false, false, 3, 1, drop_if, NULL },
	{ "put_block_if", true, true, false, 2, 2, put_block_if, NULL },
	{ "replace_block_if", true, true, false, 3, 1, put_block_if, NULL },
	{ "take_block_if", true, false, false, 3, 1, take_block_if, NULL },
	{ "after_insert", false, true, false, 2, 3, put, "insert" },
	{ "after_grow", false, true, false, 4, 5, put, "grow" },
	{ "after_replace", false, true, false, 3, 1, put, "replace" },
	{ "after_remove", false, false, false, 3, 2, drop, "remove" },
	{ "after_put_block", true, true, false, 2, 2, put_block, "put_block" },
	{ "after_take_block", true, true, false, 3, 1, put_block, "take_block" },
	{ "at_once", false, true, true, 3, 1, put, NULL },
	{ "insert_at_once", false, true, true, 2, 2, put, NULL },
	{ "after_at_once", false, true, true, 3, 1, put, "at_once" },
};
enum { SCENES = sizeof scenes / sizeof scenes[0] };

static const struct scene *scene_named(const char *name)
{
	for (unsigned i = 0; i < SCENES; i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	return NULL;
}

/* ---- before and after ---------------------------------------------------------------------- */

static mdg_map *map_used(const struct scene *scene)
{
	return scene->of_blocks ? blocks : bytes;
}

static void set_up(const struct scene *scene)
{
	void *old;
	CHECK_RC(0, mdg_map_clear(bytes));
	CHECK_RC(0, mdg_map_clear(blocks));
	for (unsigned i = 0; i < scene->entries; i++) {
		if (scene->of_blocks) {
			char *block = mdg_hold(heap, 32);
			memcpy(block, "old", 4);
			CHECK_RC(0, mdg_map_put_ref(blocks, keys[i].text, keys[i].length, block,
			                            &old));
		} else {
			CHECK_RC(0,
			         mdg_map_put(bytes, keys[i].text, keys[i].length, "old", 3, NULL));
		}
	}
	(void)mdg_heap_sweep(heap);
}

/* 'o', 'n', 'i' (interned: no value), or 0: it is not there. */
static int look(const struct scene *scene, unsigned key)
{
	struct mdg_map_entry entry = { .size = sizeof entry };
	int what = 0;
	CHECK_RC(0, mdg_read_begin(heap));
	int rc = mdg_map_see(map_used(scene), keys[key].text, keys[key].length, &entry);
	if (rc == 0)
		what = 'i';
	if (rc == 0 && entry.length != 0)
		what = *(const unsigned char *)entry.value;
	CHECK_RC(0, mdg_read_end(heap));
	CHECK(rc == 0 || rc == -ENOENT);
	return what;
}

/* What the scene changes is as before or as after, and everything else as before. */
static bool is_right(const struct scene *scene, const struct scene *other, bool ended)
{
	bool right = true;
	for (unsigned i = 0; i < KEYS; i++) {
		int what = look(scene, i), before = i < scene->entries ? 'o' : 0;
		bool changes = i == scene->key || scene->act == clear;
		bool other_changes = other != NULL && i == other->key;
		int new_value = scene->act == intern ? 'i' : 'n';
		int after = !changes ? before : scene->puts ? new_value : 0;
		int other_after = !other_changes ? before : other->puts ? 'n' : 0;
		right &= what == after || (what == before && !(changes && ended)) ||
		         (other_changes && what == other_after && !(changes && ended));
	}
	return right;
}

/* Whoever has put a node into the map does not hold it any more. */
static bool nobody_holds(const mdg_map *map)
{
	struct mdg__map_view view;
	struct mdg__block block;
	uint64_t table = MDG__LOAD(map->head->part[PART].table);
	if (!CHECK(mdg__map_table_at(map, table, &view) == 0) || view.buckets == NULL)
		return true;
	for (uint32_t i = 0; i <= view.mask; i++)
		for (uint32_t slot = 0; slot < MDG__MAP_SLOTS; slot++) {
			uint64_t ref = MDG__LOAD(view.buckets[i].slot[slot]);
			if (ref != 0 && (mdg__block_find(mdg__heap_of(heap), ref, &block) != 0 ||
			                 mdg__held_by(mdg__heap_of(heap), &block) != 0))
				return false;
		}
	return true;
}

static bool is_clean(void)
{
	uint64_t there = 0, wanted = 1;
	for (int i = 0; i < 20 && there != wanted; i++) {
		(void)mdg_heap_sweep(heap);
		there = blocks_allocated();
		wanted = blocks_of(bytes) + blocks_of(blocks);
	}
	if (there != wanted)
		fprintf(stderr, "%llu blocks, %llu in maps\n", (unsigned long long)there,
		        (unsigned long long)wanted);
	return there == wanted;
}

/* ---- one point ----------------------------------------------------------------------------- */

static void victim(void *argument)
{
	const struct scene *scene = argument;
	/* It has a slot, and a slab of each size, before. */
	for (size_t size = 16; size <= 512; size += 16)
		(void)mdg_free(heap, mdg_alloc(heap, size));
	if (scene->bag)
		(void)mdg_retire(heap, mdg_hold(heap, 16));
	step_begins();
	int rc = scene->act(scene->key);
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* Slots, what is allocated, and the part with its table and nodes. */
static void watch_all(const struct scene *scene)
{
	struct mdg__heap *own = mdg__heap_of(heap);
	struct mdg__map_part *part = &map_used(scene)->head->part[PART];
	struct mdg__map_view view;
	watch_nothing();
	watch(own->slot, 8 * sizeof own->slot[0]);
	watch(own->free, 8 * MDG__SLAB_WORDS * 8);
	watch(own->remote, 8 * MDG__SLAB_WORDS * 8);
	watch(part, sizeof *part);
	CHECK(mdg__map_table_at(map_used(scene), MDG__LOAD(part->table), &view) == 0);
	if (view.buckets == NULL)
		return;
	watch(view.buckets, (view.mask + 1) * sizeof *view.buckets);
	for (unsigned i = 0; scene->of_blocks && i < 3; i++) {
		void *node = mdg_at(heap, MDG__LOAD(view.buckets[0].slot[i]));
		if (node != NULL)
			watch(node, sizeof(struct mdg__map_node));
	}
}

/* Starts a victim and takes it to the point. */
static enum step_event victim_to(struct step *step, const struct scene *scene, unsigned point)
{
	struct scene copy = *scene;
	watch_all(scene);
	refresh();
	CHECK(step_start(step, watched, watched_size, victim, &copy));
	return step_to(step, point + 1);
}

/* The part grows and shrinks. What was retired is freed, and its memory has another content. */
static void go_on(const struct scene *scene)
{
	enum { FROM = KEYS / 2, TIMES = 700 };
	static char content[TIMES];
	memset(content, 0x77, sizeof content);
	for (unsigned i = FROM; i < KEYS; i++)
		CHECK_RC(0, scene->of_blocks ? put_block(i) : put(i));
	for (unsigned i = 0; i < TIMES; i++) {
		CHECK_RC(0, scene->of_blocks
		                    ? put_block(KEYS - 1)
		                    : mdg_map_put(bytes, keys[KEYS - 1].text, keys[KEYS - 1].length,
		                                  content, i, NULL));
		void *block = mdg_hold(heap, i);
		if (CHECK(block != NULL)) {
			memset(block, 0x77, i);
			CHECK_RC(0, mdg_free(heap, block));
		}
	}
	for (unsigned i = FROM; i < KEYS; i++)
		CHECK_RC(0, scene->of_blocks ? take_block(i) : drop(i));
}

/* False: the victim came to its end before. */
static bool play(const struct scene *scene, unsigned point)
{
	static struct step step;
	const struct scene *other = scene->victims != NULL ? scene_named(scene->victims) : NULL;
	set_up(scene);
	if (other != NULL) {
		/* Somewhere in the middle. */
		enum step_event event = victim_to(&step, other, 8 + point * 7 % 40);
		CHECK(event == STEP_POINT || event == STEP_ENDED);
		step_kill(&step);
	}
	enum step_event event = victim_to(&step, scene, point);
	bool ended = event == STEP_ENDED;
	bool right = CHECK(event == STEP_POINT || ended || event == STEP_ASLEEP);
	right &= CHECK(is_right(scene, other, ended)); /* for readers, at once */
	step_kill(&step);
	right &= CHECK(is_right(scene, other, ended));
	/* The next writer goes on at once, and ends what was begun. */
	uint64_t begun = now_ns();
	go_on(scene);
	right &= CHECK(now_ns() - begun < UINT64_C(3000000000));
	right &= CHECK(is_right(scene, other, ended));
	right &= CHECK(mdg_map_count(map_used(scene)) == entries_of(map_used(scene)));
	right &= CHECK(is_clean());
	right &= CHECK(nobody_holds(map_used(scene)));
	right &= CHECK(is_right(scene, other, ended));
	if (!right)
		fprintf(stderr, "%s, point %u\n", scene->name, point);
	return !ended;
}

static void make_keys(void)
{
	for (unsigned i = 0, number = 0; i < KEYS; number++) {
		keys[i].length = key_of(number, keys[i].text);
		uint64_t one = mdg__map_hash(bytes, keys[i].text, keys[i].length);
		if (one >> MDG__MAP_PART_SHIFT == PART)
			i++;
	}
}

int main(int argc, char **argv)
{
	const char *reason = NULL;
	unsigned stride = wants_all_points(&argc, &argv) ? 1 : 20 * POINT_STRIDE;
	if (!step_possible(&reason))
		SKIP("%s", reason);
	step_refresh = refresh;
	open_heap_of(UINT64_C(0x1000000), 0);
	bytes = map_of("bytes", 0);
	blocks = map_of("blocks", MDG_MAP_REFS);
	/* The keys of both maps are in one part each. */
	blocks->secret = bytes->secret;
	make_keys();
	for (unsigned i = 0; i < SCENES && check_failures < 5; i++) {
		bool wanted = argc == 1;
		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], scenes[i].name) == 0;
		unsigned point = stride == 1 ? 0 : (unsigned)(time(NULL) / 60) % stride;
		/* Clearing takes the lock of each part: that is many points of one kind. */
		unsigned step = scenes[i].act == clear ? 16 * stride + 1 : stride;
		while (wanted && check_failures < 5 && play(&scenes[i], point))
			point += step;
		if (wanted)
			printf("%s: %u points\n", scenes[i].name, point);
	}
	return test_result();
}

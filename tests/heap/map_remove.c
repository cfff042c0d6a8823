/* SPDX-License-Identifier: MIT */
/*
 * map_remove.c - removing a whole map: what it gives back, and what those get who have it open.
 *
 *     map_remove [--all]
 *
 * Then a process is killed at each store of a removal, on from point 0. The map is whole, or gone
 * for everybody. After the next call that opens or removes it, nothing of it is allocated.
 * Each part is locked and emptied, so there are many points of one kind, and the victim takes a
 * second or more to the last of them. Without --all, two or three of them are played.
 *
 * The same is done with a map that is being made: the next one finds it, or makes another one.
 */
#include "heap/maps.h"
#include "sync/points/step.h"

#include <sys/wait.h>

enum { KEYS = 300 };

static bool nothing_is_left(void)
{
	struct mdg_root_info root = { .size = sizeof root };
	uint32_t cursor = 0;
	for (int i = 0; i < 20 && blocks_allocated() != 0; i++)
		(void)mdg_heap_sweep(heap);
	return CHECK(blocks_allocated() == 0) && CHECK(mdg_root_next(heap, &cursor, &root) == 0);
}

static void fill(mdg_map *map, unsigned keys)
{
	for (uint32_t i = 0; i < keys; i++) {
		void *old = NULL, *block;
		if ((map->flags & MDG_MAP_REFS) == 0) {
			CHECK_RC(0, mdg_map_put(map, &i, sizeof i, "value", 5, NULL));
		} else if (CHECK((block = mdg_hold(heap, 40)) != NULL)) {
			CHECK_RC(0, mdg_map_put_ref(map, &i, sizeof i, block, &old));
		}
	}
}

/* ---- what others get ----------------------------------------------------------------------- */

static void is_gone(mdg_map *map)
{
	struct mdg_map_entry entry = { .size = sizeof entry };
	struct mdg_map_cursor cursor = { { 0, 0 } };
	uint32_t key = 1;
	char value[8];
	mdg_ref ref;
	CHECK_RC(-EIDRM, mdg_map_get(map, &key, sizeof key, value, sizeof value, NULL, NULL));
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(-EIDRM, mdg_map_see(map, &key, sizeof key, &entry));
	CHECK_RC(-EIDRM, mdg_map_next(map, &cursor, &entry));
	CHECK_RC(0, mdg_read_end(heap));
	CHECK_RC(-EIDRM, mdg_map_put(map, &key, sizeof key, "v", 1, NULL));
	CHECK_RC(-EIDRM, mdg_map_remove(map, &key, sizeof key));
	CHECK_RC(-EIDRM, mdg_map_intern(map, &key, sizeof key, &ref));
	CHECK_RC(-EIDRM, mdg_map_clear(map));
	CHECK(mdg_map_count(map) == 0);
}

static void refs_are_gone(mdg_map *map)
{
	uint32_t key = 1;
	void *old, *block = mdg_hold(heap, 40);
	CHECK_RC(-EIDRM, mdg_map_put_ref(map, &key, sizeof key, block, &old));
	CHECK_RC(-EIDRM, mdg_map_take(map, &key, sizeof key, &old));
	CHECK_RC(0, mdg_free(heap, block));
}

static void both_kinds(void)
{
	mdg_map *map = map_of("bytes", 0), *again = map_of("bytes", 0);
	mdg_map *refs = map_of("blocks", MDG_MAP_REFS);
	fill(map, KEYS);
	fill(refs, KEYS);
	CHECK_RC(0, mdg_map_destroy(heap, "bytes"));
	is_gone(map);
	is_gone(again);
	CHECK(mdg_map_count(refs) == KEYS);
	CHECK_RC(0, mdg_map_destroy(heap, "blocks"));
	refs_are_gone(refs);
	CHECK(nothing_is_left());
	mdg_map_close(map);
	mdg_map_close(again);
	mdg_map_close(refs);
}

/* A new map of the same name is another one, also if its head comes to lie at the same place. */
static void another(void)
{
	mdg_map *old = map_of("bytes", 0), *new, stale;
	CHECK_RC(0, mdg_map_destroy(heap, "bytes"));
	CHECK(nothing_is_left());
	new = map_of("bytes", 0);
	fill(new, KEYS);
	is_gone(old);
	stale = *new;
	stale.identity = old->identity;
	is_gone(&stale);
	CHECK(mdg_map_count(new) == KEYS);
	mdg_map_close(old);
	mdg_map_close(new);
	CHECK_RC(0, mdg_map_destroy(heap, "bytes"));
	CHECK(nothing_is_left());
}

/* A reader in a section goes on seeing what it saw. */
static void readers(void)
{
	struct mdg_map_entry entry = { .size = sizeof entry };
	uint32_t key = 1;
	mdg_map *map = map_of("bytes", 0);
	fill(map, 2);
	CHECK_RC(0, mdg_read_begin(heap));
	CHECK_RC(0, mdg_map_see(map, &key, sizeof key, &entry));
	CHECK_RC(0, mdg_map_destroy(heap, "bytes"));
	(void)mdg_heap_sweep(heap);
	CHECK(blocks_allocated() != 0 && memcmp(entry.value, "value", 5) == 0);
	CHECK_RC(0, mdg_read_end(heap));
	mdg_map_close(map);
	CHECK(nothing_is_left());
}

static void errors(void)
{
	mdg_ref *place;
	mdg_map *map;
	CHECK_RC(-ENOENT, mdg_map_destroy(heap, "none"));
	CHECK_RC(-EINVAL, mdg_map_destroy(heap, NULL));
	CHECK_RC(-EINVAL, mdg_map_destroy(NULL, "none"));
	CHECK(mdg_root(heap, "no map", 1, 1, &place, 0) == MDG_ROOT_NEW);
	CHECK_RC(0, mdg_publish(heap, mdg_hold(heap, 16), place, 0));
	CHECK_RC(MDG_UNLIKE_TYPE, mdg_map_destroy(heap, "no map"));
	CHECK_RC(0, mdg_free(heap, mdg_take(heap, place)));
	CHECK_RC(0, mdg_root_remove(heap, "no map"));
	/* Nonsense in a slot stays behind; what the other parts have does not. */
	map = map_of("bytes", 0);
	fill(map, KEYS);
	struct mdg__map_view view;
	unsigned part = 0; /* that has a table: by chance, one may have no key */
	while (MDG__LOAD(map->head->part[part].table) == 0)
		part++;
	CHECK_RC(0, mdg__map_table_at(map, MDG__LOAD(map->head->part[part].table), &view));
	for (int i = 0; i < MDG__MAP_SLOTS; i++)
		if (MDG__LOAD(view.buckets[0].slot[i]) == 0) {
			MDG__STORE(view.buckets[0].slot[i], 0x10);
			break;
		}
	CHECK_RC(0, mdg_map_destroy(heap, "bytes"));
	is_gone(map);
	CHECK(nothing_is_left());
	mdg_map_close(map);
}

/* Who waits for a part gets the code, even if the part stays locked. The removal waits for it. */
static void waiting(void)
{
	mdg_map *map = map_of("bytes", 0);
	uint32_t key = 7;
	struct mdg__map_part *part = mdg__map_part_of(map, mdg__map_hash(map, &key, sizeof key));
	fill(map, KEYS);
	CHECK_RC(0, mdg_mutex_lock(&part->lock));
	fflush(NULL);
	pid_t writer = fork();
	if (writer == 0)
		_exit(mdg_map_put(map, &key, sizeof key, "v", 1, NULL) == -EIDRM ? 0 : 1);
	usleep(50000);
	pid_t remover = fork();
	if (remover == 0)
		_exit(mdg_map_destroy(heap, "bytes") == 0 ? 0 : 1);
	usleep(250000); /* so long that sections end and begin anew */
	CHECK(waitpid(remover, NULL, WNOHANG) == 0);
	CHECK(!mdg__map_is_there(map));
	CHECK_RC(0, mdg_mutex_unlock(&part->lock));
	for (int status = -1, i = 0; i < 2; i++) {
		CHECK(waitpid(i == 0 ? writer : remover, &status, 0) > 0);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	mdg_map_close(map);
	CHECK(nothing_is_left());
}

/* ---- deaths -------------------------------------------------------------------------------- */

static unsigned char watched[24000];
static const mdg_map *seen_map;

static size_t watch(size_t at, const void *from, size_t size)
{
	memcpy(watched + at, from, size);
	return at + size;
}

/* Slots, the root, what is allocated, and the head with its parts. */
static void refresh(void)
{
	struct mdg__heap *own = mdg__heap_of(heap);
	size_t at = watch(0, own->slot, 4 * sizeof own->slot[0]);
	at = watch(at, own->root, 2 * sizeof own->root[0]);
	at = watch(at, own->free, 8 * MDG__SLAB_WORDS * 8);
	if (seen_map != NULL)
		at = watch(at, seen_map->head, sizeof *seen_map->head);
	CHECK(at <= sizeof watched);
}

static void victim(void *argument)
{
	(void)argument;
	for (size_t size = 16; size <= 512; size += 16)
		(void)mdg_free(heap, mdg_alloc(heap, size));
	step_begins();
	int rc = mdg_map_destroy(heap, "bytes");
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

static bool is_whole_map(mdg_map *map, unsigned keys)
{
	for (uint32_t i = 0; i < keys; i++) {
		char value[8];
		int rc = mdg_map_get(map, &i, sizeof i, value, sizeof value, NULL, NULL);
		if (rc != 0)
			return false;
	}
	return true;
}

/* False: the victim came to its end before. */
static bool play(unsigned point)
{
	static struct step step;
	enum { FEW = 8 };
	const struct mdg_map_options options = { .size = sizeof options,
		                                 .flags = MDG_MAP_EXISTING };
	mdg_map *map = map_of("bytes", 0), *other = NULL;
	char value[8];
	uint32_t key = 1;
	seen_map = map;
	fill(map, FEW);
	refresh();
	CHECK(step_start(&step, watched, sizeof watched, victim, NULL));
	enum step_event event = step_to(&step, point + 1);
	bool whole = mdg__map_is_there(map);
	CHECK(event == STEP_POINT || event == STEP_ENDED || event == STEP_ASLEEP);
	step_kill(&step);
	if (whole)
		CHECK(is_whole_map(map, FEW));
	else
		CHECK_RC(-EIDRM, mdg_map_get(map, &key, sizeof key, value, 8, NULL, NULL));
	/* The next one that comes, whatever it wants, finds the whole map or none. */
	int rc = point % 2 == 0 ? mdg_map_open(&other, heap, "bytes", &options)
	                        : mdg_map_destroy(heap, "bytes");
	CHECK(rc == (whole ? 0 : -ENOENT));
	if (rc == 0 && point % 2 == 0) {
		CHECK(is_whole_map(other, FEW));
		mdg_map_close(other);
	}
	rc = mdg_map_destroy(heap, "bytes");
	CHECK(rc == (whole && point % 2 == 0 ? 0 : -ENOENT));
	if (!nothing_is_left())
		fprintf(stderr, "point %u\n", point);
	mdg_map_close(map);
	return event != STEP_ENDED;
}

/* ---- two at once --------------------------------------------------------------------------- */

static uint32_t owner_of(const mdg_map *map, int part)
{
	const struct mdg__owned *lock =
		(const struct mdg__owned *)(const void *)&map->head->part[part].lock;
	return MDG__LOAD(lock->robust.word) & MDG__TID;
}

/* It finds a map that somebody else is removing. */
static void second_remover(void *argument)
{
	(void)argument;
	step_begins();
	int rc = mdg_map_destroy(heap, "bytes");
	step_ends();
	_exit(rc == -ENOENT ? 0 : 1);
}

/* The remover goes on until it is at work in this part. False: it does not come there. */
static bool goes_to(struct step *step, const mdg_map *map, int part)
{
	enum step_event event = STEP_POINT;
	for (int i = 0; i < 3000 && event == STEP_POINT; i++) {
		if (owner_of(map, part) == (uint32_t)step->pid &&
		    MDG__LOAD(map->head->part[part].writer) != 0)
			return true;
		event = step_next(step);
	}
	return false;
}

static void lets_go(struct step *step)
{
	int status = -1;
	step_pause(step);
	kill(step->pid, SIGCONT);
	CHECK(ends_within(step->pid, 5000, &status, true));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* One has emptied a part when another one comes. That one has no lock of this map when its head is
 * free. */
static void two_removers(void)
{
	static struct step first, second;
	struct mdg__block block;
	mdg_map *map = map_of("bytes", 0);
	seen_map = map;
	fill(map, KEYS);
	refresh();
	CHECK(step_start(&first, watched, sizeof watched, victim, NULL));
	CHECK(goes_to(&first, map, 2));
	CHECK(step_start(&second, watched, sizeof watched, second_remover, NULL));
	bool inside = goes_to(&second, map, 1);
	lets_go(&first);
	(void)mdg_heap_sweep(heap);
	if (inside)
		CHECK(mdg__block_find(mdg__heap_of(heap), map->ref, &block) == 0 &&
		      !mdg__block_is_free(mdg__heap_of(heap), &block));
	lets_go(&second);
	mdg_map_close(map);
	CHECK(nothing_is_left());
}

static void maker(void *argument)
{
	(void)argument;
	mdg_map *map;
	for (size_t size = 16; size <= 512; size += 16)
		(void)mdg_free(heap, mdg_alloc(heap, size));
	step_begins();
	int rc = mdg_map_open(&map, heap, "bytes", NULL);
	step_ends();
	_exit(rc == 0 ? 0 : 1);
}

/* False: it came to its end before. Others find a map that is whole, whoever has made it. */
static bool play_making(unsigned point)
{
	static struct step step;
	int before = check_failures;
	seen_map = NULL;
	refresh();
	CHECK(step_start(&step, watched, sizeof watched, maker, NULL));
	enum step_event event = step_to(&step, point + 1);
	CHECK(event == STEP_POINT || event == STEP_ENDED);
	step_kill(&step);
	if (point % 2 == 0) {
		mdg_map *map = map_of("bytes", 0);
		CHECK(mdg_map_count(map) == 0);
		fill(map, KEYS);
		CHECK(is_whole_map(map, KEYS) && mdg_map_count(map) == KEYS);
		mdg_map_close(map);
	}
	int rc = mdg_map_destroy(heap, "bytes");
	CHECK(rc == 0 || (rc == -ENOENT && point % 2 != 0));
	if (!nothing_is_left() || check_failures != before)
		fprintf(stderr, "making, point %u\n", point);
	return event != STEP_ENDED;
}

static void deaths_of_makers(unsigned stride)
{
	unsigned point = stride == 1 ? 0 : (unsigned)(time(NULL) / 60) % stride;
	while (check_failures < 5 && play_making(point))
		point += stride;
	CHECK(point >= 10);
	printf("making: %u points\n", point);
}

static void deaths(unsigned stride)
{
	const char *reason = NULL;
	if (!step_possible(&reason)) {
		fprintf(stderr, "no deaths: %s\n", reason);
		return;
	}
	step_refresh = refresh;
	unsigned point = stride == 1 ? 0 : (unsigned)time(NULL) % stride;
	/* The first parts and the head have all of their points. In between, one part is as
	 * another: of each, one more point is played. */
	while (check_failures < 5 && play(point))
		point += stride != 1 ? stride : point > 60 && point < 1000 ? 18 : 1;
	printf("%u points\n", point);
	two_removers();
	deaths_of_makers(stride == 1 ? 1 : 7 * POINT_STRIDE);
}

int main(int argc, char **argv)
{
	unsigned stride = wants_all_points(&argc, &argv) ? 1 : 400 * POINT_STRIDE;
	open_heap_of(UINT64_C(0x1000000), 0);
	both_kinds();
	another();
	readers();
	errors();
	waiting();
	deaths(stride);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - structures with a size: a program and a library of different versions.
 *
 * Each structure that a function fills in is given with the library's size, with a shorter one
 * (an older program) and with a longer one (a newer program). Each structure of options is given
 * shorter and longer. A library that is newer than the program is played by the helper of all
 * functions, with a structure made up here.
 */
#include "unit.h"

#include "madang/channel.h"
#include "madang/map.h"
#include "madang/names.h"
#include "madang/segment.h"
#include "madang/sync.h"
#include "platform/sized.h"

enum { ROOM = 4096, MORE = 40, FILL = 0xa5, OBSERVERS = 8 };

static mdg_namespace *ns;
static mdg_heap *heap;
static mdg_map *map;
static mdg_id box;
static mdg_channel *talker, *observers[OBSERVERS];
static unsigned observer;

/* ---- what is filled in ---------------------------------------------------------------------- */

static int namespace_info(void *ret)
{
	return mdg_namespace_info(ns, 0, ret);
}

static int segment_stat(void *ret)
{
	return mdg_segment_stat(ns, box, 0, ret);
}

static int segment_next(void *ret)
{
	uint32_t cursor = 0;
	int rc = mdg_segment_next(ns, &cursor, 0, ret);
	return rc == 1 ? 0 : rc;
}

static int segment_next_process(void *ret)
{
	uint32_t cursor = 0;
	int rc = mdg_segment_next_process(ns, box, &cursor, ret);
	return rc == 1 ? 0 : rc;
}

static int names_next(void *ret)
{
	uint32_t cursor = 0;
	int rc = mdg_names_next(ns, box, &cursor, ret);
	return rc == 1 ? 0 : rc;
}

static int sync_look(void *ret)
{
	static mdg_sem sem;
	if (mdg_sem_value(&sem) == 0)
		CHECK_RC(0, mdg_sem_post(&sem, 7));
	return mdg_sync_look(&sem, MDG_SYNC_SEM, ret);
}

static int channel_look(void *ret)
{
	return mdg_channel_look(talker, ret);
}

static int channel_next(void *ret)
{
	uint32_t cursor = 0;
	int rc = mdg_channel_next(ns, &cursor, ret);
	return rc == 1 ? 0 : rc;
}

static int channel_peers(void *ret)
{
	int rc = mdg_channel_peers(talker, ret, 1);
	return rc == 2 ? 0 : rc;
}

/* Each observer is told of the same event once. */
static int channel_event(void *ret)
{
	int rc = mdg_channel_event(observers[observer], ret, 0);
	observer += rc == 0;
	return rc;
}

static int map_see(void *ret)
{
	int rc = mdg_read_begin(heap);
	if (rc == 0)
		rc = mdg_map_see(map, "key", 3, ret);
	(void)mdg_read_end(heap);
	return rc;
}

static const struct {
	const char *name;
	int (*fill)(void *ret);
	size_t size;
} filled[] = {
	{ "mdg_namespace_info", namespace_info, sizeof(struct mdg_namespace_info) },
	{ "mdg_segment_info, stat", segment_stat, sizeof(struct mdg_segment_info) },
	{ "mdg_segment_info, next", segment_next, sizeof(struct mdg_segment_info) },
	{ "mdg_process_info", segment_next_process, sizeof(struct mdg_process_info) },
	{ "mdg_name_info", names_next, sizeof(struct mdg_name_info) },
	{ "mdg_sync_state", sync_look, sizeof(struct mdg_sync_state) },
	{ "mdg_channel_info, look", channel_look, sizeof(struct mdg_channel_info) },
	{ "mdg_channel_info, next", channel_next, sizeof(struct mdg_channel_info) },
	{ "mdg_peer", channel_peers, sizeof(struct mdg_peer) },
	{ "mdg_peer_event", channel_event, sizeof(struct mdg_peer_event) },
	{ "mdg_map_entry", map_see, sizeof(struct mdg_map_entry) },
};

static _Alignas(64) unsigned char memory[ROOM];

/* Puts a size at the beginning of memory that holds something else. */
static void *with_size(uint32_t size)
{
	memset(memory, FILL, sizeof memory);
	memcpy(memory, &size, sizeof size);
	return memory;
}

/* Whether the bytes from `from` up to `to` all are `byte`. */
static bool all_are(unsigned char byte, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (memory[i] != byte)
			return false;
	return true;
}

static bool size_is(uint32_t size)
{
	return memcmp(memory, &size, sizeof size) == 0;
}

static void fills_what_fits(int (*fill)(void *ret), size_t own)
{
	static unsigned char whole[ROOM];
	const uint32_t size = (uint32_t)own, head = sizeof size;
	const uint32_t shorter[] = { size - 4, size / 2, MDG_SIZE_LEAST };

	CHECK_RC(0, fill(with_size(size)));
	CHECK(size_is(size) && all_are(FILL, own, ROOM));
	memcpy(whole, memory, sizeof whole);
	for (unsigned i = 0; i < sizeof shorter / sizeof shorter[0]; i++) {
		CHECK_RC(0, fill(with_size(shorter[i])));
		CHECK(size_is(shorter[i]) && all_are(FILL, shorter[i], ROOM));
		CHECK(memcmp(memory + head, whole + head, shorter[i] - head) == 0);
	}
	CHECK_RC(0, fill(with_size(size + MORE)));
	CHECK(size_is(size + MORE) && memcmp(memory + head, whole + head, own - head) == 0);
	CHECK(all_are(0, own, own + MORE) && all_are(FILL, own + MORE, ROOM));
}

static void refuses(int (*fill)(void *ret))
{
	const uint32_t wrong[] = { 0, 4, MDG_SIZE_LEAST - 1, MDG_SIZE_MOST + 1, UINT32_MAX };
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		CHECK_RC(-EINVAL, fill(with_size(wrong[i])));
		CHECK(size_is(wrong[i]) && all_are(FILL, sizeof wrong[i], ROOM));
	}
}

static void structures(void)
{
	for (unsigned i = 0; i < sizeof filled / sizeof filled[0]; i++) {
		int before = check_failures;
		refuses(filled[i].fill);
		fills_what_fits(filled[i].fill, filled[i].size);
		if (check_failures != before)
			fprintf(stderr, "of struct %s\n", filled[i].name);
	}
}

/* The size of the first says where the second lies. */
static void arrays(void)
{
	const uint32_t own = sizeof(struct mdg_peer), sizes[] = { 16, own - 8, own, own + MORE };
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint32_t place[2];
		CHECK_RC(2, mdg_channel_peers(talker, with_size(sizes[i]), 2));
		for (unsigned k = 0; k < 2; k++) {
			const unsigned char *peer = memory + k * (size_t)sizes[i];
			CHECK(memcmp(peer, &sizes[i], sizeof sizes[i]) == 0);
			memcpy(&place[k], peer + offsetof(struct mdg_peer, place), sizeof place[k]);
		}
		CHECK(place[0] == 0 && place[1] == 1 && all_are(FILL, 2 * (size_t)sizes[i], ROOM));
	}
}

/* ---- options -------------------------------------------------------------------------------- */

static void namespace_options(void)
{
	struct {
		struct mdg_namespace_options known;
		uint64_t later[5];
	} options = { .known = { .flags = MDG_NS_EXISTING } };
	const uint32_t own = sizeof options.known;
	const uint32_t wrong[] = { 0, 8, own - 1, MDG_SIZE_MOST + 1 };
	const char *path = getenv("MADANG_NAMESPACE");
	mdg_namespace *other;
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		options.known.size = wrong[i];
		CHECK_RC(-EINVAL, mdg_namespace_open(&other, path, &options.known));
	}
	for (uint32_t size = own; size <= sizeof options; size += 8) {
		options.known.size = size;
		CHECK_RC(0, mdg_namespace_open(&other, path, &options.known));
		mdg_namespace_close(other);
	}
	options.later[4] = 1;
	CHECK_RC(-E2BIG, mdg_namespace_open(&other, path, &options.known));
	options.known.size = own + 32; /* that field is not part of it */
	CHECK_RC(0, mdg_namespace_open(&other, path, &options.known));
	mdg_namespace_close(other);
}

static void channel_options(void)
{
	struct {
		struct mdg_channel_options known;
		uint64_t later[5];
	} options = { .known = { .flags = MDG_CHANNEL_EXISTING } };
	/* As it was first; `number` came later. */
	const uint32_t own = offsetof(struct mdg_channel_options, number);
	const uint32_t wrong[] = { 0, 8, own - 1, MDG_SIZE_MOST + 1 };
	mdg_channel *other;
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		options.known.size = wrong[i];
		CHECK_RC(-EINVAL, mdg_channel_open(&other, ns, "news", 0, &options.known));
	}
	for (uint32_t size = own; size <= sizeof options; size += 8) {
		options.known.size = size;
		CHECK_RC(0, mdg_channel_open(&other, ns, "news", 0, &options.known));
		mdg_channel_close(other);
	}
	options.later[4] = 1;
	CHECK_RC(-E2BIG, mdg_channel_open(&other, ns, "news", 0, &options.known));
	options.known.size = own + 32;
	CHECK_RC(0, mdg_channel_open(&other, ns, "news", 0, &options.known));
	mdg_channel_close(other);
}

/* ---- a newer library ------------------------------------------------------------------------ */

/* Its first version had `size` and `old`. */
struct grown {
	uint32_t size, old;
	uint64_t fresh;
};

static void newer_library(void)
{
	struct grown own = { 0 }, given = { .size = 8, .old = 3, .fresh = 4 };
	CHECK_RC(0, mdg__sized_take(&own, sizeof own, 8, &given));
	CHECK(own.size == sizeof own && own.old == 3 && own.fresh == 0);
	given.size = sizeof given;
	CHECK_RC(0, mdg__sized_take(&own, sizeof own, 8, &given));
	CHECK(own.old == 3 && own.fresh == 4);
	given.size = 7;
	CHECK_RC(-EINVAL, mdg__sized_take(&own, sizeof own, 8, &given));
	CHECK(own.old == 3 && own.fresh == 4);
	given = (struct grown){ .size = 8, .fresh = 5 };
	mdg__sized_give(&given, &own, sizeof own);
	CHECK(given.size == 8 && given.old == 3 && given.fresh == 5);
}

/* ---- sizes of objects ------------------------------------------------------------------------ */

static void macros(void)
{
	const size_t values[] = { 1, 63, 64, 65, 4096, 1000003, MDG_CELL_MAX };
	const size_t journals[] = { 64, 65, 127, 128, 4096, 1000003, (size_t)1 << 31 };
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
		CHECK(mdg_cell_size(values[i]) == MDG_CELL_SIZE(values[i]));
	for (unsigned i = 0; i < sizeof journals / sizeof journals[0]; i++)
		CHECK(mdg_txn_size(journals[i]) == MDG_TXN_SIZE(journals[i]));
	CHECK(mdg_cell_size(0) == 0 && mdg_cell_size((size_t)MDG_CELL_MAX + 1) == 0);
	CHECK(mdg_txn_size(63) == 0 && mdg_txn_size(((size_t)1 << 31) + 1) == 0);
	CHECK(mdg_cell_size(SIZE_MAX) == 0 && mdg_txn_size(SIZE_MAX) == 0);
}

static void set_up(void)
{
	void *at;
	mdg_channel *listener;
	CHECK_RC(0, mdg_namespace_open(&ns, NULL, NULL));
	CHECK_RC(0, mdg_segment_create(ns, "box", 4096, 0600, 0, &box));
	CHECK_RC(0, mdg_segment_attach(ns, box, NULL, 0, &at));
	CHECK_RC(0, mdg_names_set(ns, at, MDG_SYNC_MUTEX, "lock"));
	for (int i = 0; i < OBSERVERS; i++)
		CHECK_RC(0, mdg_channel_open(&observers[i], ns, "news", MDG_OBSERVER, NULL));
	CHECK_RC(0, mdg_channel_open(&talker, ns, "news", MDG_TALKER, NULL));
	CHECK_RC(0, mdg_channel_open(&listener, ns, "news", MDG_LISTENER, NULL));
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 1 << 24 };
	CHECK_RC(0, mdg_heap_open(&heap, ns, "heap", &options));
	CHECK_RC(0, mdg_map_open(&map, heap, "map", NULL));
	CHECK_RC(0, mdg_map_put(map, "key", 3, "value", 5, NULL));
}

int main(void)
{
	set_up();
	structures();
	arrays();
	namespace_options();
	channel_options();
	newer_library();
	macros();
	return test_result();
}

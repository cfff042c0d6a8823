/* SPDX-License-Identifier: MIT */
/*
 * generations.c - commits, views, what changed, what a bridge puts in, roles, and what is refused.
 */
#include "replica/replicas.h"

#include <madang/heap.h>

static uint64_t commit(mdg_replica *writer, const struct mdg_range *ranges, unsigned count)
{
	uint64_t generation = 0;
	CHECK_RC(0, mdg_segment_commit(writer, ranges, count, MDG_FOREVER, &generation));
	return generation;
}

static void ranges(void)
{
	open_segment("ranges");
	mdg_replica *writer = open_as("ranges", MDG_REPLICA_COMMIT, 0);
	mdg_replica *reader = open_as("ranges", 0, 0);
	uint64_t word = 1, generation = 77;
	CHECK(read_number(reader, &generation) == 0 && generation == 0);
	fill(3);
	const struct mdg_range one = { 8, 8 }, odd = { BYTES - 3, 3 };
	CHECK(commit(writer, &one, 1) == 1); /* the first takes all */
	CHECK(read_number(reader, &generation) == 3 && generation == 1);
	fill(4);
	CHECK(commit(writer, &one, 1) == 2);
	CHECK_RC(0, mdg_replica_read(reader, 8, &word, 8, NULL));
	CHECK(word == 4);
	CHECK_RC(0, mdg_replica_read(reader, 0, &word, 8, NULL));
	CHECK(word == 3);
	words[WORDS - 1] = UINT64_C(0x0807060504030201);
	CHECK(commit(writer, &odd, 1) == 3);
	CHECK_RC(0, mdg_replica_read(reader, BYTES - 5, &word, 5, NULL));
	CHECK(memcmp(&word, "\0\0\6\7\10", 5) == 0); /* three of its bytes, and two of before */
	CHECK(commit(writer, NULL, 0) == 4);
	words[WORDS - 1] = 4;
	CHECK(commit(writer, NULL, 0) == 5);
	CHECK(read_number(reader, NULL) == 4);
	const struct mdg_range bad[] = { { BYTES, 1 }, { UINT64_MAX, 2 }, { 1, UINT64_MAX } };
	for (int i = 0; i < 3; i++)
		CHECK_RC(-EINVAL, mdg_segment_commit(writer, &bad[i], 1, 0, NULL));
	CHECK_RC(-EBADF, mdg_segment_commit(reader, NULL, 0, 0, NULL));
	CHECK_RC(-EINVAL, mdg_replica_read(reader, BYTES, &word, 1, NULL));
	CHECK_RC(-EINVAL, mdg_replica_read(reader, 1, &word, SIZE_MAX, NULL));
	mdg_replica_close(writer);
	mdg_replica_close(reader);
}

/* A view is whole until the second commit after it begins. */
static void overtaken(void)
{
	open_segment("over");
	mdg_replica *writer = open_as("over", MDG_REPLICA_COMMIT, 0);
	mdg_replica *reader = open_as("over", 0, 0);
	struct mdg_view view = { .size = sizeof view };
	fill(1);
	commit(writer, NULL, 0);
	CHECK_RC(0, mdg_replica_begin(reader, &view));
	CHECK(view.generation == 1 && view.bytes == BYTES && view.time != 0);
	fill(2);
	commit(writer, NULL, 0);
	CHECK_RC(0, mdg_replica_check(reader, &view));
	CHECK(whole_number(view.data) == 1);
	fill(3);
	commit(writer, NULL, 0);
	CHECK_RC(-EAGAIN, mdg_replica_check(reader, &view));
	CHECK_RC(-EAGAIN, mdg_replica_end(reader, &view));
	CHECK_RC(-EAGAIN, mdg_replica_wait(reader, 3, 0, NULL));
	CHECK_RC(-ETIMEDOUT, mdg_replica_wait(reader, 3, mdg_deadline(1000000), NULL));
	uint64_t generation = 0;
	CHECK_RC(0, mdg_replica_wait(reader, 1, 0, &generation));
	CHECK(generation == 3);
	CHECK_RC(0, mdg_replica_remove(ns, "over"));
	CHECK_RC(-EIDRM, mdg_replica_wait(reader, 3, MDG_FOREVER, NULL));
	CHECK_RC(-EIDRM, mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL));
	mdg_replica_close(writer);
	mdg_replica_close(reader);
	CHECK_RC(-ENOENT, mdg_replica_remove(ns, "over"));
}

/* From one replica to another, as between hosts. */
static void carried(void)
{
	open_segment("from");
	mdg_replica *writer = open_as("from", MDG_REPLICA_COMMIT, 0);
	mdg_replica *from = open_as("from", MDG_REPLICA_APPLY, 0);
	mdg_replica *to = open_as("to", MDG_REPLICA_APPLY, BYTES);
	uint64_t cursor = 0, generation;
	struct mdg_range changed[8];
	struct mdg_view view = { .size = sizeof view };
	fill(1);
	words[100] = 0;
	commit(writer, NULL, 0);
	CHECK_RC(-ESTALE, carry(from, to, 1, 7));
	CHECK_RC(0, carry(from, to, 0, 7));
	CHECK_RC(-EALREADY, carry(from, to, 0, 7));
	fill(1);
	const struct mdg_range part = { 800, 8 };
	CHECK(commit(writer, &part, 1) == 2);
	CHECK_RC(0, mdg_replica_begin(from, &view));
	CHECK(mdg_replica_changes(from, &view, 1, &cursor, changed, 8) == 1);
	CHECK(changed[0].offset == 512 && changed[0].length == MDG_REPLICA_BLOCK);
	CHECK_RC(0, mdg_replica_end(from, &view));
	CHECK_RC(-EPERM, carry(from, to, 1, 6)); /* a deposed writer's */
	CHECK_RC(0, carry(from, to, 1, 7));
	CHECK(read_number(to, &generation) == 1 && generation == 2);
	CHECK(info_of(to).fence == 7 && info_of(to).cursor == 7);
	CHECK(info_of(to).role == MDG_REPLICA_READER);
	/* What becomes zeros is in no part of a snapshot, or is as zeros. */
	fill(0);
	commit(writer, NULL, 0);
	CHECK_RC(0, carry(from, to, 0, 8));
	CHECK(read_number(to, &generation) == 0 && generation == 3);
	/* Several generations at once, and one lap later. */
	for (uint64_t i = 10; i < 14; i++) {
		fill(i);
		commit(writer, NULL, 0);
	}
	CHECK_RC(0, carry(from, to, 3, 8));
	CHECK(read_number(to, &generation) == 13 && generation == 7);
	mdg_replica_close(writer);
	mdg_replica_close(from);
	mdg_replica_close(to);
}

static int put(mdg_replica *to, uint64_t offset, uint64_t length)
{
	static const unsigned char bytes[2 * BYTES];
	struct mdg_generation generation = { .size = sizeof generation,
		                             .whole = 1,
		                             .generation = info_of(to).generation + 1 };
	const struct mdg_part parts[] = { { 0, 512, bytes }, { offset, length, bytes } };
	return mdg_replica_apply(to, &generation, parts, 2, MDG_FOREVER);
}

static void refused(void)
{
	mdg_replica *to = open_as("bad", MDG_REPLICA_APPLY, BYTES), *other = NULL;
	CHECK_RC(0, put(to, 512, 512));
	CHECK_RC(0, put(to, 5120, BYTES - 5120));
	const uint64_t bad[][2] = { { 0, 512 },          { 500, 512 },   { 512, 100 },
		                    { 512, 0 },          { BYTES, 512 }, { 5120, 512 },
		                    { 512, UINT64_MAX }, { 5120, BYTES } };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_RC(-EINVAL, put(to, bad[i][0], bad[i][1]));
	CHECK(info_of(to).generation == 2);
	struct mdg_replica_options options = { .size = sizeof options,
		                               .flags = MDG_REPLICA_APPLY,
		                               .bytes = BYTES + 1 };
	CHECK_RC(MDG_UNLIKE_CAPACITY, mdg_replica_open(&other, ns, "bad", &options));
	options.bytes = UINT64_MAX;
	CHECK_RC(-EINVAL, mdg_replica_open(&other, ns, "huge", &options));
	options.flags = 64;
	CHECK_RC(-EINVAL, mdg_replica_open(&other, ns, "bad", &options));
	options =
		(struct mdg_replica_options){ .size = sizeof options, .flags = MDG_REPLICA_COMMIT };
	CHECK_RC(-ENOENT, mdg_replica_open(&other, ns, "bad", &options));
	CHECK_RC(-ENOENT, mdg_replica_open(&other, ns, "none", NULL));
	CHECK_RC(-EINVAL, mdg_replica_open(&other, ns, "", NULL));
	char name[70] = { 0 };
	memset(name, 'n', MDG_REPLICA_NAME_MAX + 1);
	CHECK_RC(-EINVAL, mdg_replica_open(&other, ns, name, NULL));
	name[MDG_REPLICA_NAME_MAX] = '\0';
	CHECK_RC(-ENOENT, mdg_replica_open(&other, ns, name, NULL));
	mdg_id id;
	CHECK_RC(0, mdg_segment_create(ns, "none.replica", 5000, 0600, 0, &id));
	CHECK_RC(-ENOENT, mdg_replica_open(&other, ns, "none", NULL)); /* as one being made */
	mdg_replica_close(to);
}

static void remove_segment(const char *name)
{
	mdg_id id;
	CHECK_RC(0, mdg_segment_open(ns, name, 0, 0, &id));
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* What is shown is of another segment than the one that is committed: no mixture of the two. */
static void made_again(void)
{
	const struct mdg_range one = { 8, 8 };
	uint64_t first = 0;
	open_segment("again");
	mdg_replica *old = open_as("again", MDG_REPLICA_COMMIT, 0);
	fill(1);
	commit(old, NULL, 0);
	remove_segment("again");
	open_segment("again");
	mdg_replica *writer = open_as("again", MDG_REPLICA_COMMIT, 0);
	mdg_replica *bridge = open_as("again", MDG_REPLICA_APPLY, 0);
	fill(5);
	CHECK(commit(writer, &one, 1) == 2 && read_number(writer, NULL) == 5);
	fill(6);
	CHECK(commit(writer, &one, 1) == 3 && read_number(writer, NULL) == UINT64_MAX);
	CHECK_RC(0, put(bridge, 512, 512)); /* of another host */
	CHECK_RC(0, mdg_replica_set_role(bridge, MDG_REPLICA_ALONE, 0, 0, MDG_FOREVER));
	CHECK(commit(writer, &one, 1) == 5 && read_number(writer, NULL) == 6);
	/* Its segment is removed by who does not know of replicas. */
	remove_segment("again.replica");
	CHECK(commit(writer, &one, 1) == 6);
	CHECK_RC(-EIDRM, mdg_replica_wait(old, 99, MDG_FOREVER, NULL));
	CHECK_RC(-EIDRM, mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL));
	CHECK_RC(-EIDRM, mdg_replica_read(bridge, 0, &first, 8, NULL));
	CHECK_RC(-EIDRM, mdg_replica_set_role(bridge, MDG_REPLICA_WRITER, 1, 50, MDG_FOREVER));
	mdg_replica_close(old);
	mdg_replica_close(writer);
	mdg_replica_close(bridge);
}

/* Removes what cannot be opened: half made, of another version, damaged. But no other segment. */
static void removed(void)
{
	mdg_replica *replica = NULL;
	uint32_t *version;
	void *memory;
	mdg_id id;
	CHECK_RC(0, mdg_segment_create(ns, "half.replica", 9999, 0600, 0, &id));
	CHECK_RC(0, mdg_replica_remove(ns, "half"));
	CHECK_RC(-ENOENT, mdg_replica_remove(ns, "half"));
	CHECK_RC(0, mdg_segment_create(ns, "own.replica", 9999, 0600, 0, &id));
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	memset(memory, 'x', 8);
	CHECK_RC(MDG_NOT_REPLICA, mdg_replica_remove(ns, "own"));
	CHECK_RC(0, mdg_segment_create(ns, "small.replica", 8, 0600, 0, &id));
	CHECK_RC(MDG_NOT_REPLICA, mdg_replica_remove(ns, "small"));
	mdg_replica_close(open_as("later", MDG_REPLICA_APPLY, BYTES));
	CHECK_RC(0, mdg_segment_open(ns, "later.replica", 0, 0, &id));
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	version = (uint32_t *)memory + 2;
	CHECK(*version == 1);
	*version = 2;
	CHECK_RC(MDG_VERSION_UNLIKE, mdg_replica_open(&replica, ns, "later", NULL));
	CHECK_RC(0, mdg_replica_remove(ns, "later"));
}

static void roles(void)
{
	open_segment("role");
	mdg_replica *writer = open_as("role", MDG_REPLICA_COMMIT, 0);
	mdg_replica *bridge = open_as("role", MDG_REPLICA_APPLY, 0);
	uint64_t generation = 0;
	fill(1);
	CHECK(commit(writer, NULL, 0) == 1 && info_of(writer).lag == 0);
	CHECK_RC(-EBADF, mdg_replica_set_role(writer, MDG_REPLICA_WRITER, 1, 0, MDG_FOREVER));
	CHECK_RC(0, mdg_replica_set_role(bridge, MDG_REPLICA_WRITER, 9, 40, MDG_FOREVER));
	CHECK(read_number(bridge, &generation) == 1 && generation == 41);
	CHECK(info_of(writer).lag == 41 && info_of(writer).lag_ns != 0);
	CHECK(commit(writer, NULL, 0) == 42 && info_of(writer).fence == 9);
	CHECK_RC(-ETIMEDOUT, mdg_replica_settled(writer, 42, mdg_deadline(1000000)));
	CHECK_RC(-EBADF, mdg_replica_lock(writer, 0));
	CHECK_RC(-EPERM, mdg_replica_unlock(bridge));
	CHECK_RC(0, mdg_replica_lock(bridge, 0));
	CHECK_RC(-ETIMEDOUT, mdg_segment_commit(writer, NULL, 0, mdg_deadline(1000000), NULL));
	CHECK_RC(0, mdg_replica_unlock(bridge));
	CHECK_RC(0, mdg_replica_set_far(bridge, 42));
	CHECK_RC(0, mdg_replica_settled(writer, 42, 0));
	/* What the server had under an earlier lease says nothing. */
	CHECK_RC(0, mdg_replica_set_role(bridge, MDG_REPLICA_WRITER, 9, 0, MDG_FOREVER));
	CHECK_RC(-EAGAIN, mdg_replica_settled(writer, 42, 0));
	CHECK_RC(0, mdg_replica_set_far(bridge, 42));
	CHECK_RC(0, mdg_replica_settled(writer, 42, 0));
	CHECK(info_of(writer).lag == 0 && info_of(writer).lag_ns == 0 &&
	      info_of(writer).heard != 0);
	CHECK_RC(0, mdg_replica_set_role(bridge, MDG_REPLICA_DEPOSED, 9, 0, MDG_FOREVER));
	CHECK_RC(MDG_DEPOSED, mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL));
	CHECK_RC(MDG_DEPOSED, mdg_replica_settled(writer, 43, MDG_FOREVER));
	CHECK_RC(0, mdg_replica_set_role(bridge, MDG_REPLICA_READER, 9, 0, MDG_FOREVER));
	CHECK_RC(-EROFS, mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL));
	CHECK_RC(0, mdg_replica_set_far(bridge, 50));
	CHECK(info_of(writer).lag == 8 && info_of(writer).lag_ns != 0);
	mdg_replica_close(writer);
	mdg_replica_close(bridge);
	uint32_t cursor = 0, found = 0;
	struct mdg_replica_info info = { .size = sizeof info };
	while (mdg_replica_next(ns, &cursor, &info) == 1)
		if (strcmp(info.name, "role") == 0 && ++found != 0)
			CHECK(info.generation == 42 && info.role == MDG_REPLICA_READER);
	CHECK(found == 1);
}

/* A heap: references from anywhere, pointers at the home address. */
static void heaps(void)
{
	struct mdg_heap_options made = { .size = sizeof made,
		                         .flags = MDG_HEAP_HOME,
		                         .maximum = MDG_HEAP_MAXIMUM_LEAST };
	struct node {
		struct node *next;
		uint64_t number;
	} * first, *second;
	mdg_heap *heap = NULL;
	mdg_ref *root = NULL;
	if (!CHECK_RC(0, mdg_heap_open(&heap, ns, "heap", &made)))
		return;
	CHECK(mdg_root(heap, "first", 1, 1, &root, MDG_FOREVER) == MDG_ROOT_NEW);
	first = mdg_alloc(heap, sizeof *first);
	second = mdg_alloc(heap, sizeof *second);
	if (!CHECK(first != NULL && second != NULL))
		return;
	*first = (struct node){ second, 1 };
	*second = (struct node){ NULL, 2 };
	mdg_ref ref = mdg_ref_of(heap, first);
	uint64_t home = (uintptr_t)heap->base;
	mdg_replica *writer = open_as("heap", MDG_REPLICA_COMMIT, 0), *reader = NULL;
	commit(writer, NULL, 0);
	second->number = 3;
	commit(writer, NULL, 0);
	struct mdg_replica_options options = { .size = sizeof options,
		                               .flags = MDG_REPLICA_HOME,
		                               .home = home };
	CHECK_RC(MDG_HOME_TAKEN, mdg_replica_open(&reader, ns, "heap", &options));
	mdg_replica_close(writer);
	mdg_heap_close(heap);
	if (!CHECK_RC(0, mdg_replica_open(&reader, ns, "heap", &options)))
		return;
	struct mdg_view view = { .size = sizeof view }, more = view;
	CHECK_RC(0, mdg_replica_begin(reader, &view));
	CHECK_RC(-EBUSY, mdg_replica_begin(reader, &more));
	CHECK((uintptr_t)view.data == home && view.generation == 2);
	const struct node *seen = (const void *)((const char *)view.data + ref);
	CHECK(seen->number == 1 && seen->next == second && seen->next->number == 3);
	CHECK_RC(0, mdg_replica_end(reader, &view));
	writer = open_as("heap", MDG_REPLICA_COMMIT, 0);
	commit(writer, NULL, 0);
	CHECK_RC(0, mdg_replica_begin(reader, &view)); /* the other copy */
	CHECK(view.generation == 3 && seen->next->number == 3);
	CHECK_RC(0, mdg_replica_end(reader, &view));
	mdg_replica_close(reader);
	mdg_replica_close(writer);
}

int main(void)
{
	ns = unit_open("replicas", NULL);
	ranges();
	overtaken();
	carried();
	refused();
	roles();
	made_again();
	removed();
	heaps();
	CHECK(unit_is_sound(ns));
	return test_result();
}

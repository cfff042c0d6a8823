/* SPDX-License-Identifier: MIT */
/*
 * Wrong sizes, flags, names, ids and addresses through the native interface:
 * each is refused with its code, and leaves nothing behind.
 */
#include "badinput/place.h"

#include <sys/mman.h>

static mdg_namespace *ns;

static void make(void)
{
	static const uint64_t too_large[] = { UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX,
		                              UINT64_MAX - 4095, (uint64_t)INT64_MAX };
	mdg_id id = -7;
	CHECK_CODE(-EINVAL, mdg_segment_create(ns, NULL, 0, 0600, 0, &id));
	CHECK_CODE(-EINVAL, mdg_segment_get(ns, 0, 0, MDG_CREATE | 0600, &id));
	CHECK_CODE(-EINVAL, mdg_segment_get(ns, 77, 0, MDG_CREATE | 0600, &id));
	for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++) {
		CHECK_REFUSED(mdg_segment_create(ns, NULL, too_large[i], 0600, 0, &id));
		/* 2^62 bytes may be had as long as nobody promises them. */
		if (i > 0)
			CHECK_REFUSED(mdg_segment_create(ns, NULL, too_large[i], 0600,
			                                 MDG_NORESERVE, &id));
		CHECK_REFUSED(mdg_segment_get(ns, 77, too_large[i], MDG_CREATE | 0600, &id));
	}
	/* No such size of huge pages: 2^63. */
	CHECK_CODE(-EINVAL,
	           mdg_segment_create(ns, NULL, 4096, 0600, MDG_HUGEPAGES | 63u << 26, &id));
	CHECK_CODE(-EINVAL, mdg_segment_create(ns, NULL, 4096, 0600, 1u << 24, &id));
	CHECK_CODE(-EINVAL, mdg_segment_create(ns, "", 4096, 0600, 0, &id));
	CHECK(id == -7);
}

static void names(void)
{
	char name[MDG_NAME_MAX + 2];
	mdg_id id = -7, found;
	memset(name, 'x', sizeof name);
	name[MDG_NAME_MAX + 1] = '\0';
	CHECK_CODE(-EINVAL, mdg_segment_create(ns, name, 4096, 0600, 0, &id));
	CHECK_CODE(-EINVAL, mdg_segment_open(ns, name, 0, 0, &id));
	CHECK_CODE(-EINVAL, mdg_segment_open(ns, NULL, 0, 0, &id));
	CHECK_CODE(-EINVAL, mdg_segment_open(ns, "", 0, 0, &id));
	CHECK_CODE(-ENOENT, mdg_segment_open(ns, "nobody's", 0, 0, &id));
	CHECK(id == -7);
	/* The longest is one byte shorter; and a name is no path. */
	name[MDG_NAME_MAX] = '\0';
	CHECK_CODE(0, mdg_segment_create(ns, name, 4096, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_open(ns, name, 4096, 0600, &found));
	CHECK(found == id);
	CHECK_CODE(-EINVAL, mdg_segment_open(ns, name, 4097, 0, &found));
	CHECK_CODE(-EEXIST, mdg_segment_create(ns, name, 4096, 0600, 0, &found));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
	CHECK_CODE(0, mdg_segment_create(ns, "../registry", 4096, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

static void ids(void)
{
	static const mdg_id none[] = { -1,   INT32_MIN, INT32_MAX, 5,         4095,
		                       4096, 32767,     32768,     63 * 32768 };
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	struct mdg_process_info process = { .size = sizeof process };
	void *memory = &info;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		CHECK_CODE(-EINVAL, mdg_segment_stat(ns, none[i], 0, &info));
		CHECK_CODE(-EINVAL,
		           mdg_segment_stat(ns, none[i], MDG_STAT_INDEX | MDG_STAT_ANY, &info));
		CHECK_CODE(-EINVAL, mdg_segment_attach(ns, none[i], NULL, 0, &memory));
		CHECK_CODE(-EINVAL, mdg_segment_set(ns, none[i], 0, 0, 0600));
		CHECK_CODE(-EINVAL, mdg_segment_lock(ns, none[i], 1));
		CHECK_CODE(-EINVAL, mdg_segment_remove(ns, none[i]));
		CHECK_CODE(-EINVAL, mdg_segment_next_process(ns, none[i], &cursor, &process));
	}
	CHECK(memory == &info);
	cursor = UINT32_MAX;
	CHECK_CODE(0, mdg_segment_next(ns, &cursor, 0, &info));
}

static void addresses(void)
{
	mdg_id id;
	void *memory = NULL, *other = NULL;
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	CHECK_CODE(-EINVAL, mdg_segment_attach(ns, id, (void *)1, 0, &memory));
	CHECK_CODE(-EINVAL, mdg_segment_attach(ns, id, NULL, MDG_REMAP, &memory));
	CHECK_CODE(-EINVAL, mdg_segment_attach(ns, id, (void *)1, MDG_ROUND | MDG_REMAP, &memory));
	/* The last page there is: no room behind it, whatever the machine. */
	CHECK_REFUSED(mdg_segment_attach(ns, id, (void *)(UINTPTR_MAX - 4095), 0, &memory));
	CHECK(memory == NULL);
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_CODE(-EINVAL, mdg_segment_attach(ns, id, memory, 0, &other));
	CHECK(other == NULL);
	CHECK_CODE(-EINVAL, mdg_segment_detach(ns, NULL));
	CHECK_CODE(-EINVAL, mdg_segment_detach(ns, (char *)memory + 1));
	CHECK_CODE(-EINVAL, mdg_segment_detach(ns, (char *)memory + 4096));
	CHECK_CODE(-EINVAL, mdg_segment_detach(ns, (void *)(UINTPTR_MAX - 4095)));
	CHECK(attached_to(ns, id) == 1);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(-EINVAL, mdg_segment_detach(ns, memory));
	CHECK_CODE(-EINVAL, mdg_segment_set(ns, id, UINT32_MAX, 0, 0600));
	CHECK_CODE(-EINVAL, mdg_segment_set(ns, id, 0, UINT32_MAX, 0600));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
	CHECK_CODE(-EINVAL, mdg_segment_remove(ns, id));
}

static void nothing_is_left(void)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	CHECK_CODE(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 0);
	CHECK(info.pages_total == 0);
	CHECK_CODE(0, mdg_namespace_check(ns, 0, NULL, NULL));
}

static void options(void *unused)
{
	static const struct {
		uint32_t size, flags, segments, processes;
	} wrong[] = {
		{ 0, 0, 0, 0 },   { 4, 0, 0, 0 },      { 32, 0x8, 0, 0 },
		{ 32, 0, 63, 0 }, { 32, 0, 32769, 0 }, { 32, 0, UINT32_MAX, 0 },
		{ 32, 0, 0, 15 }, { 32, 0, 0, 32768 }, { 32, 0, 0, UINT32_MAX },
	};
	(void)unused;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct mdg_namespace_options given = { .size = wrong[i].size,
			                               .flags = wrong[i].flags,
			                               .segments = wrong[i].segments,
			                               .processes = wrong[i].processes };
		mdg_namespace *none = NULL;
		CHECK_CODE(-EINVAL, mdg_namespace_open(&none, in_place("options"), &given));
		CHECK(none == NULL);
	}
	/* What was refused stands in nobody's way. */
	CHECK_CODE(0, open_new(in_place("options"), &ns));
	check_works(ns);
}

int main(void)
{
	place_make();
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	if (check_failures == 0) {
		make();
		names();
		ids();
		addresses();
		nothing_is_left();
	}
	CHECK(in_child(options, NULL));
	CHECK(strcmp(mdg_strerror(-123456), "unknown code") == 0);
	CHECK(strcmp(mdg_strerror(7), "unknown code") == 0);
	mdg_namespace_close(NULL);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * open.c - finding or making a heap: options, heaps that are none or are damaged, reading only,
 * home addresses, removal, and makers that die.
 */
#include "heap/heap.h"

#include <madang/channel.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "heap/opening.h"

#define OPTIONS(...)                                                                               \
	(&(const struct mdg_heap_options){ .size = sizeof(struct mdg_heap_options), __VA_ARGS__ })
#define SMALL .maximum = 4 << 20
enum { MIB = 1 << 20 };

/* Opens and closes; what it says. */
static int opens(const char *name, const struct mdg_heap_options *options)
{
	mdg_heap *heap = NULL;
	int rc = mdg_heap_open(&heap, ns, name, options);
	CHECK((rc == 0) == (heap != NULL) && rc <= 0);
	mdg_heap_close(heap);
	return rc;
}

/* ---- options ------------------------------------------------------------------------------- */

static void options(void)
{
	char longest[MDG_NAME_MAX + 2];
	memset(longest, 'n', sizeof longest);
	longest[MDG_NAME_MAX + 1] = '\0';
	CHECK_RC(-EINVAL, opens(NULL, NULL));
	CHECK_RC(-EINVAL, opens("", NULL));
	CHECK_RC(-EINVAL, opens(longest, NULL));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.flags = 0x40)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.flags = MDG_HEAP_EXCL | MDG_HEAP_EXISTING)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.flags = MDG_HEAP_EXCL | MDG_HEAP_RDONLY)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.maximum = MIB - 1)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.maximum = MDG_HEAP_MAXIMUM_MOST + 1)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.maximum = MIB, .limit = MIB + 1)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.limit = 1000)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.threads = 7)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.threads = MDG_HEAP_THREADS_MOST + 1)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.mode = 01000)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.address = UINT64_C(0x200000000000))));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.flags = MDG_HEAP_HOME, .address = 4096)));
	struct mdg_heap_options shorter = { .size = 8 };
	CHECK_RC(-EINVAL, opens("o", &shorter));
	CHECK_RC(-ENOENT, opens("o", OPTIONS(.flags = MDG_HEAP_EXISTING)));
	CHECK_RC(-ENOENT, opens("o", OPTIONS(.flags = MDG_HEAP_RDONLY)));
	CHECK_RC(-ENOENT, mdg_heap_remove(ns, "o"));
	CHECK_RC(0, opens("o", OPTIONS(.flags = MDG_HEAP_EXCL, .maximum = MIB + 1, .threads = 8)));
	CHECK_RC(-EEXIST, opens("o", OPTIONS(.flags = MDG_HEAP_EXCL)));
	CHECK_RC(0, opens("o", OPTIONS(.flags = MDG_HEAP_EXISTING)));
	CHECK_RC(0, opens("o", OPTIONS(.maximum = 2 * MIB)));
	CHECK_RC(0, opens("o", OPTIONS(.threads = 100, .keep = 1, .limit = 2 * MIB)));
	CHECK_RC(MDG_UNLIKE_MAXIMUM, opens("o", OPTIONS(.maximum = 3 * MIB)));
	CHECK_RC(MDG_UNLIKE_FLAGS, opens("o", OPTIONS(.flags = MDG_HEAP_LABELS)));
	CHECK_RC(-EINVAL, opens("o", OPTIONS(.flags = 0x80)));
	mdg_heap *heap = heap_open("o", NULL);
	/* The same is said of one that is open already. */
	CHECK_RC(MDG_UNLIKE_MAXIMUM, opens("o", OPTIONS(.maximum = 3 * MIB)));
	CHECK_RC(MDG_UNLIKE_FLAGS, opens("o", OPTIONS(.flags = MDG_HEAP_LABELS)));
	CHECK(mdg__heap_of(heap)->capacity == 2 * MIB / MDG__UNIT_BYTES);
	CHECK(mdg__heap_of(heap)->slots == 8);
	mdg_heap_close(heap);
	mdg_heap_close(NULL);
	CHECK_RC(0, mdg_heap_remove(ns, "o"));
}

static void twice(void)
{
	mdg_heap *first = heap_open("t", OPTIONS(SMALL)), *second = heap_open("t", NULL);
	CHECK(first == second && (uintptr_t)first->base % MDG__UNIT_BYTES == 0);
	void *block = mdg_alloc(first, 10);
	mdg_heap_close(second);
	CHECK(mdg_free(first, block) == 0);
	mdg_heap_close(first);
	first = heap_open("t", NULL);
	CHECK(mdg_free(first, block) != 0);
	mdg_heap_close(first);
	CHECK_RC(0, mdg_heap_remove(ns, "t"));
}

/* ---- what is no heap, or no good one ------------------------------------------------------- */

static void no_heaps(void)
{
	mdg_id id;
	mdg_channel *channel;
	const struct mdg_channel_options options = { .size = sizeof options,
		                                     .kind = MDG_QUEUE,
		                                     .capacity = 1024 };
	CHECK(mdg_segment_create(ns, "plain", MIB, 0600, 0, &id) == 0);
	CHECK_RC(MDG_NOT_HEAP, opens("plain", NULL));
	CHECK_RC(MDG_NOT_HEAP, mdg_heap_remove(ns, "plain"));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK_RC(0, mdg_channel_open(&channel, ns, "talk", MDG_LISTENER, &options));
	CHECK_RC(MDG_NOT_HEAP, opens("talk", NULL));
	mdg_channel_close(channel);
	CHECK_RC(0, mdg_channel_remove(ns, "talk"));
}

/* Opens a heap whose head has this in place of one of its fields. */
#define OPENS_WITH(field, value)                                                                   \
	do {                                                                                       \
		__typeof__(atomic_load(&head->field)) before_ = atomic_load(&head->field);         \
		atomic_store(&head->field, value);                                                 \
		rc = opens("damaged", NULL);                                                       \
		atomic_store(&head->field, before_);                                               \
	} while (0)

static void damaged(void)
{
	mdg_id id;
	void *memory;
	int rc;
	CHECK_RC(0, opens("damaged", OPTIONS(SMALL)));
	CHECK(mdg_segment_open(ns, "damaged", 0, 0, &id) == 0);
	CHECK(mdg_segment_attach(ns, id, NULL, 0, &memory) == 0);
	struct mdg__heap_head *head = memory;
	OPENS_WITH(magic, __builtin_bswap64(MDG__HEAP_MAGIC));
	CHECK_RC(MDG_VERSION_UNLIKE, rc);
	OPENS_WITH(format, MDG__HEAP_FORMAT + 1);
	CHECK_RC(MDG_VERSION_UNLIKE, rc);
	OPENS_WITH(capacity, 0);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(capacity, before_ + 1);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(capacity, before_ * 2);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(capacity, UINT64_MAX / 16 * 16);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(slots, 7);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(slots, UINT32_MAX);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(flags, 1);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(flags, MDG_HEAP_HOME);
	CHECK_RC(MDG_BROKEN, rc);
	OPENS_WITH(home, MDG__UNIT_BYTES);
	CHECK_RC(MDG_BROKEN, rc);
	CHECK_RC(0, opens("damaged", NULL));
	CHECK(mdg_segment_detach(ns, memory) == 0);
	CHECK_RC(0, mdg_heap_remove(ns, "damaged"));
}

/* ---- reading only -------------------------------------------------------------------------- */

static void read_only(void)
{
	mdg_heap *heap = heap_open("r", OPTIONS(SMALL));
	mdg_heap *reader = heap_open("r", OPTIONS(.flags = MDG_HEAP_RDONLY));
	CHECK(reader != heap && heap_open("r", OPTIONS(.flags = MDG_HEAP_RDONLY)) == reader);
	mdg_heap_close(reader);
	unsigned char *block = mdg_alloc(heap, 100);
	stamp(block, 100, 3);
	mdg_ref ref = mdg_ref_of(heap, block);
	CHECK(mdg_at(reader, ref) != block && stamped(mdg_at(reader, ref), 100, 3));
	CHECK(mdg_usable_size(reader, mdg_at(reader, ref)) == 112);
	CHECK(mdg_usable_size(reader, (char *)mdg_at(reader, ref) + 16) == 0);
	CHECK(mdg_alloc(reader, 10) == NULL && mdg_heap_why(reader) == -EROFS);
	CHECK(mdg_alloc(reader, 1000000) == NULL && mdg_alloc_zeroed(reader, 1, 1) == NULL);
	CHECK(mdg_alloc_aligned(reader, 64, 64) == NULL && mdg_heap_why(heap) == 0);
	CHECK(mdg_realloc(reader, mdg_at(reader, ref), 7) == NULL);
	CHECK_RC(-EROFS, mdg_free(reader, mdg_at(reader, ref)));
	CHECK_RC(-EROFS, mdg_heap_limit(reader, MIB));
	CHECK_RC(-EROFS, mdg_heap_trim(reader, 0));
	CHECK_RC(-EROFS, mdg_heap_sweep(reader));
	CHECK_RC(0, mdg_free(heap, block));
	mdg_heap_close(reader);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "r"));
}

/* ---- home addresses ------------------------------------------------------------------------ */

static int after_exec(const char *address)
{
	mdg_heap *heap = heap_open("home", OPTIONS(.flags = MDG_HEAP_HOME | MDG_HEAP_EXISTING));
	unsigned char *block = (unsigned char *)(uintptr_t)strtoull(address, NULL, 16);
	CHECK(stamped(block, 500, 8) && mdg_free(heap, block) == 0);
	mdg_heap_close(heap);
	return test_result();
}

static void exec_self(void *block)
{
	char text[32];
	snprintf(text, sizeof text, "%llx", (unsigned long long)(uintptr_t)block);
	execl("/proc/self/exe", "heap-open", text, NULL);
	_exit(1);
}

/* What lies at the home of the heap `name`, or at `address` if there is no such heap. */
static struct mdg_heap_home_info home_of(int expected, const char *name, uint64_t address)
{
	struct mdg_heap_home_info info = { .size = sizeof info };
	CHECK_RC(expected, mdg_heap_home(ns, name,
	                                 address == 0 ? NULL
	                                              : OPTIONS(.address = address,
	                                                        .flags = MDG_HEAP_HOME, SMALL),
	                                 &info));
	CHECK(info.unused == 0);
	return info;
}

/* A page of this program's file is in the way. */
static void file_in_the_way(void *home)
{
	char self[sizeof((struct mdg_heap_home_info *)0)->taken_by] = "";
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *at = mmap((char *)home + 2 * MIB, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	CHECK(at == (char *)home + 2 * MIB);
	CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	struct mdg_heap_home_info info = home_of(0, "home", 0);
	CHECK(info.taken_address == (uintptr_t)at && info.taken_length == 4096);
	CHECK(strcmp(self, info.taken_by) == 0);
	CHECK(munmap(at, 4096) == 0);
}

static void take_home(void *address)
{
	mdg_heap *heap = heap_open("home", NULL);
	void *in_the_way =
		mmap((char *)address + MIB, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(in_the_way == (char *)address + MIB);
	CHECK_RC(MDG_HOME_TAKEN, opens("home", OPTIONS(.flags = MDG_HEAP_HOME)));
	struct mdg_heap_home_info info = home_of(0, "home", 0);
	CHECK(info.address == (uintptr_t)address && info.length >= 64 * MIB);
	CHECK(info.taken_address == (uintptr_t)in_the_way && info.taken_length == 4096);
	CHECK(info.taken_by[0] == 0);
	CHECK(heap->base != address && mdg_free(heap, mdg_alloc(heap, 5)) == 0);
	CHECK(munmap(in_the_way, 4096) == 0);
	info = home_of(0, "home", 0);
	CHECK(info.taken_address == 0 && info.taken_length == 0);
	file_in_the_way(address);
	CHECK_RC(0, opens("home", OPTIONS(.flags = MDG_HEAP_HOME)));
	mdg_heap_close(heap);
}

static void homes(void)
{
	mdg_heap *heap = heap_open("home", OPTIONS(.flags = MDG_HEAP_HOME));
	mdg_heap *second = heap_open("second", OPTIONS(.flags = MDG_HEAP_HOME));
	void *base = heap->base;
	unsigned char *block = mdg_alloc(heap, 500);
	stamp(block, 500, 8);
	CHECK(second->base != heap->base);
	CHECK(in_child(exec_self, block) && mdg_free(heap, block) == MDG_FREED_TWICE);
	CHECK_RC(MDG_UNLIKE_HOME,
	         opens("home", OPTIONS(.flags = MDG_HEAP_HOME, .address = UINT64_C(0x7fff0000))));
	CHECK_RC(0, opens("home", OPTIONS(.flags = MDG_HEAP_HOME, .address = (uintptr_t)base)));
	CHECK(heap_open("home", NULL) == heap);
	mdg_heap_close(heap);
	mdg_heap_close(heap);
	CHECK(in_child(take_home, base));
	mdg_heap_close(second);
	CHECK_RC(0, mdg_heap_remove(ns, "home"));
	CHECK_RC(0, mdg_heap_remove(ns, "second"));
	/* The program chooses the address. */
	heap = heap_open("home",
	                 OPTIONS(.flags = MDG_HEAP_HOME, .address = (uintptr_t)base, SMALL));
	CHECK(heap->base == base);
	CHECK_RC(MDG_HOME_TAKEN, opens("second", OPTIONS(.flags = MDG_HEAP_HOME, SMALL,
	                                                 .address = (uintptr_t)base)));
	CHECK_RC(-ENOENT, mdg_heap_remove(ns, "second"));
	struct mdg_heap_home_info info = home_of(0, "second", (uintptr_t)base);
	CHECK(info.taken_address == (uintptr_t)base && info.taken_by[0] == '/');
	(void)home_of(-ENOENT, "second", 0);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "home"));
	CHECK_RC(0, opens("home", OPTIONS(SMALL)));
	CHECK_RC(MDG_UNLIKE_FLAGS, opens("home", OPTIONS(.flags = MDG_HEAP_HOME)));
	(void)home_of(MDG_UNLIKE_FLAGS, "home", 0);
	CHECK_RC(0, mdg_heap_remove(ns, "home"));
}

/* ---- removal ------------------------------------------------------------------------------- */

static void removed(void)
{
	mdg_heap *heap = heap_open("gone", OPTIONS(.maximum = 64 * MIB));
	unsigned char *block = mdg_alloc(heap, 100);
	stamp(block, 100, 1);
	CHECK_RC(0, mdg_heap_remove(ns, "gone"));
	CHECK_RC(-ENOENT, mdg_heap_remove(ns, "gone"));
	CHECK(stamped(block, 100, 1) && mdg_free(heap, block) == 0);
	for (int i = 0; i < 100; i++) {
		unsigned char *span = mdg_alloc(heap, 300000);
		if (CHECK(span != NULL))
			stamp(span, 300000, 1);
	}
	mdg_heap *next = heap_open("gone", OPTIONS(SMALL));
	CHECK(next != heap);
	CHECK_LIVE(next, 0);
	mdg_heap_close(next);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "gone"));
}

/* ---- makers -------------------------------------------------------------------------------- */

static void make_and_die(void *size)
{
	mdg_id id;
	CHECK(mdg__segment_create(ns, "half", *(uint64_t *)size, 0600, MDG_NORESERVE,
	                          MDG__KIND_HEAP, 0, &id) == 0);
}

/* A maker dies before the head is right: who opens the heap next makes it, if that one's options
 * are those of the maker. */
static void half_made(void)
{
	struct mdg__heap_shape shape;
	mdg__heap_shape_of(OPTIONS(SMALL), &shape);
	CHECK(in_child(make_and_die, &shape.parts.end));
	CHECK_RC(MDG_NOT_HEAP, opens("half", OPTIONS(.maximum = 8 * MIB)));
	CHECK_RC(MDG_NOT_HEAP, opens("half", OPTIONS(.flags = MDG_HEAP_RDONLY)));
	mdg_heap *heap = heap_open("half", OPTIONS(SMALL));
	CHECK(mdg_free(heap, mdg_alloc(heap, 10)) == 0);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "half"));
	CHECK(in_child(make_and_die, &shape.parts.end));
	CHECK_RC(0, mdg_heap_remove(ns, "half"));
}

static void open_with_others(void *flags)
{
	mdg_heap *heap = heap_open("many", OPTIONS(SMALL, .flags = *(uint32_t *)flags));
	CHECK(mdg_free(heap, mdg_alloc(heap, 10)) == 0);
	CHECK(mdg_alloc(heap, 10) != NULL);
	mdg_heap_close(heap);
}

static void many_openers(uint32_t flags)
{
	enum { MANY = 12 };
	pid_t pids[MANY];
	fflush(NULL);
	for (int i = 0; i < MANY; i++)
		if ((pids[i] = fork()) == 0) {
			check_failures = 0;
			open_with_others(&flags);
			_exit(test_result());
		}
	for (int i = 0; i < MANY; i++) {
		int status = -1;
		CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	}
	mdg_heap *heap = heap_open("many", NULL);
	CHECK_LIVE(heap, MANY);
	mdg_heap_close(heap);
	CHECK_RC(0, mdg_heap_remove(ns, "many"));
}

int main(int argc, char **argv)
{
	enter_namespace();
	if (argc > 1)
		return after_exec(argv[1]);
	options();
	twice();
	no_heaps();
	damaged();
	read_only();
	homes();
	removed();
	half_made();
	for (int i = 0; i < 10; i++)
		many_openers(i % 2 != 0 ? MDG_HEAP_HOME : 0);
	mdg_namespace_close(ns);
	return test_result();
}

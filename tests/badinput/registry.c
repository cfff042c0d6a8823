/* SPDX-License-Identifier: MIT */
/*
 * Registry files that are none: cut short to every length, of another format,
 * something else than a file, noise. Opening says what is wrong, changes
 * nothing, and when the right bytes are back all segments are there again.
 */
#include "badinput/place.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "registry/layout.h"

static char *image;
static size_t size;
static mdg_id kept; /* a segment with content, in the namespace "ns" */

static const char *registry(void)
{
	return in_place("ns/registry");
}

/* ---- preparing ---------------------------------------------------------------- */

static void make_kept(void *result)
{
	struct mdg_namespace_options options = { .size = sizeof options,
		                                 .segments = 64,
		                                 .processes = 16 };
	mdg_namespace *ns;
	void *memory = NULL;
	CHECK_CODE(0, mdg_namespace_open(&ns, in_place("ns"), &options));
	CHECK_CODE(0, mdg_segment_create(ns, "kept", 4096, 0600, 0, result));
	CHECK_CODE(0, mdg_segment_attach(ns, *(mdg_id *)result, NULL, 0, &memory));
	if (memory != NULL)
		strcpy(memory, "all of it");
}

static void find_kept(void *unused)
{
	mdg_namespace *ns;
	mdg_id id;
	void *memory = NULL;
	(void)unused;
	CHECK_CODE(0, open_flags(in_place("ns"), MDG_NS_EXISTING, &ns));
	if (check_failures != 0)
		return;
	CHECK_CODE(0, mdg_segment_open(ns, "kept", 4096, 0600, &id));
	CHECK(id == kept);
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(memory != NULL && strcmp(memory, "all of it") == 0);
	check_works(ns);
}

static bool read_image(void)
{
	int fd = open(registry(), O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	size = (size_t)status.st_size;
	image = malloc(size);
	bool whole = image != NULL && read(fd, image, size) == (ssize_t)size;
	close(fd);
	return whole;
}

static void write_registry(const char *bytes, size_t length)
{
	int fd = open(registry(), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	close(fd);
}

/* ---- what happens ---------------------------------------------------------------- */

struct expectation {
	int code; /* 0: any refusal */
};

static void open_it(void *expected)
{
	int wanted = ((struct expectation *)expected)->code;
	alarm(20);
	if (wanted == 0) {
		CHECK_REFUSED(open_new(in_place("ns"), NULL));
		CHECK_REFUSED(open_flags(in_place("ns"), MDG_NS_EXISTING, NULL));
	} else {
		CHECK_CODE(wanted, open_new(in_place("ns"), NULL));
		CHECK_CODE(wanted, open_flags(in_place("ns"), MDG_NS_EXISTING, NULL));
	}
}

static bool refused(int code)
{
	struct expectation expected = { code };
	return in_child(open_it, &expected);
}

static void cut(size_t length)
{
	struct stat status;
	write_registry(image, length);
	/* Less than a magic is no registry at all; but it stands beside a segment. */
	if (!CHECK(refused(length < 8 ? MDG_NOT_REGISTRY : MDG_TRUNCATED)))
		fprintf(stderr, "\tcut to %zu bytes\n", length);
	CHECK(stat(registry(), &status) == 0 && (size_t)status.st_size == length);
}

static void every_length(void)
{
	for (size_t length = 0; length < 80; length++)
		cut(length);
	for (size_t length = 4093; length < 4100; length++)
		cut(length);
	for (size_t length = 80; length < size; length += 487)
		cut(length);
	cut(size - 1);
	write_registry(image, size);
	CHECK(in_child(find_kept, NULL));
}

static void changed(size_t offset, uint32_t value, int code)
{
	char *copy = malloc(size);
	memcpy(copy, image, size);
	memcpy(copy + offset, &value, sizeof value);
	write_registry(copy, size);
	if (!CHECK(refused(code)))
		fprintf(stderr, "\t%#x at %zu\n", value, offset);
	free(copy);
}

static void other_formats(void)
{
	changed(offsetof(struct mdg__head, magic), 0xdeadbeef, MDG_NOT_REGISTRY);
	changed(offsetof(struct mdg__head, magic) + 4, 0x32474e41, MDG_NOT_REGISTRY);
	changed(offsetof(struct mdg__head, format), 0, MDG_VERSION_UNLIKE);
	changed(offsetof(struct mdg__head, format), MDG__FORMAT - 1, MDG_VERSION_UNLIKE);
	changed(offsetof(struct mdg__head, format), MDG__FORMAT + 1, MDG_VERSION_UNLIKE);
	changed(offsetof(struct mdg__head, format), UINT32_MAX, MDG_VERSION_UNLIKE);
	changed(offsetof(struct mdg__head, mark), 0x04030201, MDG_VERSION_UNLIKE);
	for (size_t offset = offsetof(struct mdg__head, process_capacity);
	     offset <= offsetof(struct mdg__head, fixed_sum); offset += 4)
		changed(offset, 0x12345678, MDG_DAMAGED);
	write_registry(image, size);
	CHECK(in_child(find_kept, NULL));
}

/* Longer than it says: what lies behind it is nobody's business. */
static void longer(void)
{
	CHECK(truncate(registry(), (off_t)size + 4096) == 0);
	CHECK(in_child(find_kept, NULL));
	write_registry(image, size);
}

/* ---- no file at all ----------------------------------------------------------------- */

static void away(void)
{
	CHECK(remove(registry()) == 0);
}

static void other_kinds(void)
{
	away();
	CHECK(mkfifo(registry(), 0600) == 0 && refused(MDG_NOT_REGISTRY));
	away();
	CHECK(mkdir(registry(), 0700) == 0 && refused(MDG_NOT_REGISTRY));
	away();
	CHECK(symlink("nowhere", registry()) == 0 && refused(MDG_NOT_REGISTRY));
	CHECK(access(in_place("ns/nowhere"), F_OK) != 0);
	away();
	write_registry(image, size);
	CHECK(rename(registry(), in_place("elsewhere")) == 0);
	CHECK(symlink("../elsewhere", registry()) == 0 && refused(MDG_NOT_REGISTRY));
	away();
	if (geteuid() == 0 && mknod(registry(), S_IFCHR | 0600, makedev(1, 5)) == 0) {
		CHECK(refused(MDG_NOT_REGISTRY)); /* /dev/zero */
		away();
	}
	CHECK(rename(in_place("elsewhere"), registry()) == 0);
	CHECK(in_child(find_kept, NULL));
}

static void noise(void)
{
	uint64_t state = 12345;
	char *bytes = malloc(size + 9000);
	for (int round = 0; round < 100; round++) {
		for (size_t at = 0; at < size + 9000; at++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			bytes[at] = (char)(state >> 56);
		}
		write_registry(bytes, (size_t)(state >> 33) % (size | 1));
		if (!CHECK(refused(0)))
			fprintf(stderr, "\tround %d\n", round);
	}
	free(bytes);
	write_registry(image, size);
	CHECK(in_child(find_kept, NULL));
}

static void as_stranger(void *unused)
{
	(void)unused;
	CHECK(become(20001));
	CHECK_CODE(-EACCES, open_new(in_place("ns"), NULL));
}

/* Made, cut off, and found by the next who opens: not a loss, a fresh start. */
static void fresh(void *unused)
{
	mdg_namespace *ns;
	(void)unused;
	CHECK(mkdir(in_place("fresh"), 0700) == 0);
	int fd = open(in_place("fresh/registry"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 3 << 20) == 0 && close(fd) == 0);
	CHECK_CODE(0, open_new(in_place("fresh"), &ns));
	if (check_failures == 0)
		check_works(ns);
}

int main(void)
{
	place_make();
	mdg_id *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(in_child(make_kept, shared));
	kept = *shared;
	if (!CHECK(read_image()))
		return 1;
	every_length();
	other_formats();
	longer();
	other_kinds();
	noise();
	CHECK(in_child(fresh, NULL));
	if (geteuid() == 0) {
		CHECK(chmod(in_place("ns"), 0755) == 0 && chmod(registry(), 0000) == 0);
		CHECK(in_child(as_stranger, NULL));
	}
	free(image);
	return test_result();
}

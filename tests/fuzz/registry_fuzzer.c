/* SPDX-License-Identifier: MIT */
/*
 * registry_fuzzer - opening a registry that may be anything.
 *
 * The input's first byte says how its file is made of the rest, which is written
 * over a healthy registry from its beginning:
 *     bit 0  the length in the head, and its checksum, are made right, so that it
 *            is the rest of the head that decides, and the file has that length
 *     bit 1  the file is cut: bits 3 to 7 say to how many 32nds of its length
 *     bit 2  the head's writer lock and journal are emptied
 * The file is opened by one who would make a registry if there were none and by
 * one who would not; what can be opened is looked at, checked, used and repaired.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/calls.h"
#include "fuzz/target.h"
#include "platform/text.h"
#include "registry/layout.h"
#include "segment/internal.h"

enum { RIGHT = 1, CUT = 2, QUIET = 4, LONGEST = 1 << 26 };

static char directory[256], path[300];
static uint8_t *image; /* healthy, and enough of it */
static size_t image_size;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void empty(void)
{
	DIR *files = opendir(directory);
	struct dirent *entry;
	while (files != NULL && (entry = readdir(files)) != NULL)
		(void)unlinkat(dirfd(files), entry->d_name, 0);
	if (files != NULL)
		closedir(files);
}

static void tidy_up(void)
{
	empty();
	rmdir(directory);
	free(image);
}

/* What a process of its own makes. */
static void make_image(void)
{
	struct mdg_namespace_options options = { .size = sizeof options,
		                                 .segments = 64,
		                                 .processes = 16 };
	struct stat status;
	mdg_namespace *ns;
	mdg_id id;
	if (mdg_namespace_open(&ns, directory, &options) != 0 ||
	    mdg_segment_get(ns, 77, 4096, MDG_CREATE | 0600, &id) != 0)
		die("the healthy registry");
	call_forget_all(); /* a namespace stays open as long as the process that opened it */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) != 0 || (image = malloc((size_t)status.st_size)) == NULL)
		die(path);
	image_size = (size_t)status.st_size;
	if (pread(fd, image, image_size, 0) != (ssize_t)image_size)
		die(path);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(directory, sizeof directory, "%s/madang-fuzz-XXXXXX", base);
	if (mkdtemp(directory) == NULL)
		die(directory);
	snprintf(path, sizeof path, "%s/registry", directory);
	atexit(tidy_up);
	make_image();
	return 0;
}

/* ---- making the file ------------------------------------------------------------- */

static uint64_t aligned(uint64_t offset)
{
	return (offset + MDG__TABLE_ALIGN - 1) / MDG__TABLE_ALIGN * MDG__TABLE_ALIGN;
}

/* As registry/open.c computes it. */
static uint64_t length_of(const struct mdg__head *head)
{
	uint64_t at = MDG__TABLE_ALIGN;
	at = aligned(at + ((uint64_t)head->capacity[MDG__SEGMENTS] + 63) / 64 * 8u);
	at = aligned(at + (uint64_t)head->bucket_count[MDG__SEGMENTS] * 4u);
	at = aligned(at + head->process_capacity * sizeof(struct mdg__process));
	at = aligned(at + head->capacity[MDG__SEGMENTS] * sizeof(struct mdg__segment));
	return aligned(at + head->tie_capacity * sizeof(struct mdg__tie));
}

static uint64_t make_right(struct mdg__head *head)
{
	uint64_t length = length_of(head);
	head->magic = MDG__MAGIC;
	head->format = MDG__FORMAT;
	head->mark = MDG__MARK;
	head->file_size = length;
	head->fixed_sum =
		(uint32_t)mdg__hash((const char *)head + sizeof head->magic,
	                            offsetof(struct mdg__head, fixed_sum) - sizeof head->magic);
	return length < LONGEST ? length : LONGEST;
}

static void make_file(const uint8_t *data, size_t size)
{
	unsigned how = size > 0 ? data[0] : 0;
	size_t given = size > 0 ? size - 1 : 0;
	given = given < image_size ? given : image_size;
	uint8_t *bytes = calloc(1, image_size > 0 ? image_size : 1);
	if (bytes == NULL)
		die("memory");
	memcpy(bytes, image, image_size);
	if (given > 0)
		memcpy(bytes, data + 1, given);
	struct mdg__head *head = (void *)bytes;
	if (how & QUIET)
		memset((char *)bytes + offsetof(struct mdg__head, lock), 0, 16);
	uint64_t length = how & RIGHT ? make_right(head) : image_size;
	if (how & CUT)
		length = length * (how >> 3) / 32;
	size_t written = length < image_size ? (size_t)length : image_size;
	empty();
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, bytes, written, 0) != (ssize_t)written ||
	    ftruncate(fd, (off_t)length) != 0)
		die(path);
	close(fd);
	free(bytes);
}

/* ---- opening it ------------------------------------------------------------------ */

static void look(mdg_namespace *ns)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	struct mdg_segment_info segment = { .size = sizeof segment };
	uint32_t cursor = 0;
	mdg_id id;
	void *memory;
	(void)mdg_namespace_info(ns, 0, &info);
	for (int i = 0; i < 8 && mdg_segment_next(ns, &cursor, 0, &segment) > 0; i++)
		;
	(void)mdg_segment_get(ns, 77, 0, 0, &id);
	if (mdg_segment_get(ns, 0, 4096, MDG_NORESERVE | 0600, &id) == 0) {
		if (mdg_segment_attach(ns, id, NULL, 0, &memory) == 0)
			(void)mdg_segment_detach(ns, memory);
		(void)mdg_segment_remove(ns, id);
	}
}

static void open_it(uint32_t flags)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = flags };
	mdg_namespace *ns;
	if (mdg_namespace_open(&ns, directory, &options) != 0)
		return;
	(void)mdg_namespace_check(ns, 0, NULL, NULL);
	look(ns);
	if (mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL) >= 0)
		look(ns);
	call_forget_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	make_file(data, size);
	open_it(MDG_NS_EXISTING);
	make_file(data, size);
	open_it(0);
	if (chmod(directory, 0700) != 0) /* one that claims to be shared opens it */
		die(directory);
	return 0;
}

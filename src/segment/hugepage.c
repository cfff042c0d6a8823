/* SPDX-License-Identifier: MIT */
/*
 * hugepage.c - segments of huge pages.
 *
 * The kernel makes such segments on a hugetlbfs of its own, in which files have no names. Other
 * processes have to find the file of a Madang segment. So it lies on a mounted hugetlbfs of the
 * right page size; most systems mount one on /dev/hugepages. If there is no such mount, no huge
 * pages can be had, and the call fails with ENOMEM, as it does if the pool is empty.
 *
 * As with the kernel, a process may make such a segment if it has CAP_IPC_LOCK, or is in the
 * group that /proc/sys/vm/hugetlb_shm_group names.
 */
#include "segment/hugepage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "platform/text.h"
#include "platform/userns.h"

#define HUGE_SHIFT 26 /* where shmget's flags hold log2 of the page size */

bool mdg__read_number(const char *path, const char *label, uint64_t *ret)
{
	char text[4096];
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	int64_t length = mdg__sys_read(fd, text, sizeof text - 1);
	(void)mdg__sys_close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	const char *at = strstr(text, label);
	if (at == NULL)
		return false;
	at += strlen(label);
	at += strspn(at, " \t");
	return mdg__parse_number(&at, 10, ret);
}

/* The default size of huge pages on nearly all machines: what one entry of the middle page table
 * maps. A table fills a page, and an entry has 8 bytes. */
static unsigned usual_shift(void)
{
	return 2 * (unsigned)__builtin_ctzl(mdg__page_size()) - 3;
}

/* If /sys is not mounted, the usual sizes are taken to exist. If one does not, the call fails later
 * with ENOMEM, as it does if the size exists and its pool is empty. */
static bool size_exists(unsigned shift)
{
	static const char all[] = "/sys/kernel/mm/hugepages";
	char path[96];
	struct stat status;
	if (mdg__sys_statat(AT_FDCWD, all, true, &status) < 0)
		return shift == usual_shift() || shift == 30;
	mdg__format(path, sizeof path, "/sys/kernel/mm/hugepages/hugepages-%ukB",
	            (uint32_t)(1u << (shift - 10)));
	return mdg__sys_statat(AT_FDCWD, path, true, &status) == 0;
}

/* The size of a segment for which none was asked. 0: the kernel has no huge pages. */
static unsigned default_shift(void)
{
	uint64_t number;
	if (mdg__read_number("/proc/meminfo", "Hugepagesize:", &number) && number != 0)
		return 10 + (unsigned)__builtin_ctzll(number);
	if (mdg__read_number("/proc/meminfo", "MemTotal:", &number))
		return 0; /* the file is complete, and has no such line */
	return size_exists(usual_shift()) ? usual_shift() : 0;
}

/* The kernel's setting is a number of the initial user namespace. */
static bool is_in_outside_group(uint32_t outside)
{
	uint32_t inside = mdg__id_inside(mdg__userns(mdg__euid()), MDG__GROUP, outside);
	return inside != MDG__ID_UNKNOWN && mdg__in_group(inside);
}

int mdg__huge_choose(unsigned flags, unsigned *ret_shift)
{
	unsigned shift = flags >> HUGE_SHIFT & 0x3f;
	uint64_t number;
	if (shift == 0)
		shift = default_shift();
	else if (shift < 12 || shift > 40 || !size_exists(shift))
		shift = 0;
	if (shift == 0)
		return -EINVAL;
	bool may = mdg__capable(MDG__CAP_IPC_LOCK) ||
	           (mdg__read_number("/proc/sys/vm/hugetlb_shm_group", "", &number) &&
	            is_in_outside_group((uint32_t)number));
	if (!may)
		return -EPERM;
	*ret_shift = shift;
	return 0;
}

/* Opens the root of a hugetlbfs if its page size is the right one. The block size of the file
 * system is its page size. */
static int open_mount(const char *path, unsigned shift)
{
	struct stat status;
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	if (mdg__sys_fstat(fd, &status) == 0 && (uint64_t)status.st_blksize == UINT64_C(1) << shift)
		return fd;
	(void)mdg__sys_close(fd);
	return -ENOMEM;
}

int mdg__huge_directory(unsigned shift)
{
	char text[16384], *line, *next;
	int fd = mdg__sys_openat(AT_FDCWD, "/proc/self/mounts", O_RDONLY, 0);
	if (fd < 0)
		return -ENOMEM;
	size_t filled = 0;
	int64_t got;
	while (filled < sizeof text - 1 &&
	       (got = mdg__sys_read(fd, text + filled, sizeof text - 1 - filled)) > 0)
		filled += (size_t)got;
	(void)mdg__sys_close(fd);
	text[filled] = '\0';
	/* Lines of "device directory type options 0 0". */
	for (line = text; line != NULL && *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		char *directory = strchr(line, ' ');
		char *end = directory != NULL ? strchr(directory + 1, ' ') : NULL;
		if (end == NULL || strncmp(end, " hugetlbfs ", 11) != 0)
			continue;
		*end = '\0';
		int found = open_mount(directory + 1, shift);
		if (found >= 0)
			return found;
	}
	return -ENOMEM;
}

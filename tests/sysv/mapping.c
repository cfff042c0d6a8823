/* SPDX-License-Identifier: MIT */
/*
 * Group M of docs/semantics.md: what a program may do to the mapping of an attachment
 * with munmap, mmap, mremap, mprotect and madvise, and what shmdt and nattch say
 * afterwards. With it come the facts of group A that are about mappings: what
 * /proc/PID/maps shows, how many there may be, remap_file_pages.
 *
 * The kernel counts mappings, and each split makes one more. Splits that remove
 * pages are counted alike on Madang; those that only change something about the
 * pages (mprotect, mlock) are its listed divergence, so their counts are asked
 * of the kernel alone.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <sys/syscall.h>

#define FAILED ((void *)-1)

static size_t page;

/* A new segment of three pages, each page's first byte its number, attached. */
static char *three_pages(int *ret_id)
{
	*ret_id = make_private(3 * page, 0600);
	char *memory = attach(*ret_id);
	for (int i = 0; i < 3; i++)
		memory[(size_t)i * page] = (char)(i + 1);
	return memory;
}

static bool is_gone(char *address)
{
	return signal_of(read_it, address) == SIGSEGV;
}

static void all_gone(const char *line, int id, char *memory)
{
	CHECK_LINE(line, attached(id) == 0);
	for (size_t i = 0; i < 3; i++)
		CHECK_LINE(line, is_gone(memory + i * page));
	CHECK_ERRNO(line, EINVAL, shmdt(memory));
}

static void protected_parts(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(mprotect(memory + page, page, PROT_READ) == 0);
	if (on_kernel())
		CHECK_LINE("fine M10", attached(id) == 3);
	CHECK_LINE("M1", signal_of(write_it, memory + page) == SIGSEGV);
	CHECK_LINE("M1", signal_of(write_it, memory) == 0);
	CHECK_LINE("M1, fine M12", shmdt(memory) == 0);
	all_gone("M1", id, memory);

	memory = three_pages(&id);
	CHECK(mprotect(memory + page, page, PROT_NONE) == 0);
	CHECK(mprotect(memory + page, page, PROT_READ | PROT_WRITE) == 0);
	CHECK(memory[page] == 2);
	if (on_kernel())
		CHECK_LINE("fine M11", attached(id) == 3);
	CHECK_LINE("fine M12", shmdt(memory) == 0);
	all_gone("fine M12", id, memory);

	memory = three_pages(&id);
	/* Not mlock: sanitizers make nothing of it. RLIMIT_MEMLOCK may be 0. */
	bool locked = syscall(SYS_mlock, memory, page) == 0;
	if (locked && on_kernel())
		CHECK_LINE("fine M13", attached(id) == 2);
	CHECK_LINE("fine M14", shmdt(memory) == 0);
	all_gone("fine M14", id, memory);
}

static void hole_in_the_middle(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(munmap(memory + page, page) == 0);
	CHECK_LINE("fine M04", attached(id) == 2);
	CHECK_LINE("M2", memory[0] == 1 && memory[2 * page] == 3);
	CHECK_ERRNO("D1", EINVAL, shmdt(memory + page));
	CHECK_ERRNO("D1", EINVAL, shmdt(memory + 2 * page));
	time_t since = now_seconds();
	CHECK_LINE("M2, fine M05", shmdt(memory) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("M2", recent(stat.shm_dtime, since) && stat.shm_lpid == getpid());
	all_gone("M2", id, memory);
}

static void missing_tail(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(munmap(memory + 2 * page, page) == 0);
	CHECK_LINE("fine M09", attached(id) == 1);
	CHECK_LINE("M3", memory[0] == 1 && memory[page] == 2 && is_gone(memory + 2 * page));
	CHECK_LINE("M3, fine M09", shmdt(memory) == 0);
	all_gone("M3", id, memory);
}

static void missing_head(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(munmap(memory, page) == 0);
	CHECK_LINE("fine M06", attached(id) == 1);
	CHECK_LINE("M5", memory[page] == 2 && memory[2 * page] == 3 && is_gone(memory));
	CHECK_ERRNO("fine M07", EINVAL, shmdt(memory + page));
	CHECK_LINE("M5", attached(id) == 1 && memory[page] == 2);
	CHECK_LINE("M5, fine M08", shmdt(memory) == 0);
	all_gone("M5", id, memory);
}

static void stay(struct peer *test, void *arg)
{
	(void)arg;
	peer_hear(test);
}

/* What is left is what a fork inherits. */
static void parts_over_fork(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(munmap(memory + page, page) == 0);
	struct peer child = peer_start(stay, NULL);
	CHECK_LINE("fine L60", attached(id) == 4);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("fine L60", attached(id) == 2);
	CHECK(munmap(memory + 2 * page, page) == 0);
	CHECK_LINE("fine L60", attached(id) == 1);
	CHECK(munmap(memory, page) == 0);
	all_gone("M4", id, memory);
}

static void unmapped(void)
{
	int id;
	char *memory = three_pages(&id);
	time_t since = now_seconds();
	CHECK(munmap(memory, 3 * page) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("M4, fine M01", stat.shm_nattch == 0);
	CHECK_LINE("fine M02", recent(stat.shm_dtime, since) && stat.shm_lpid == getpid());
	CHECK_ERRNO("M4, fine M03", EINVAL, shmdt(memory));

	/* The last detach of a removed one, by munmap. */
	memory = three_pages(&id);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0 && attached(id) == 1);
	CHECK(munmap(memory, 3 * page) == 0);
	CHECK_LINE("M4", !exists(id));

	/* One munmap over two attachments, a stranger between and around them. */
	id = make_private(page, 0600);
	char *place = numbered_pages(5);
	CHECK(shmat(id, place + page, SHM_REMAP) == place + page);
	CHECK(shmat(id, place + 3 * page, SHM_REMAP) == place + 3 * page);
	CHECK(attached(id) == 2);
	CHECK(munmap(place, 5 * page) == 0);
	CHECK_LINE("M4", attached(id) == 0 && is_gone(place + page) && is_gone(place + 2 * page));
	CHECK_ERRNO("M4", EINVAL, shmdt(place + page));
}

static void unmap_that_fails(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK_ERRNO("M4", EINVAL, munmap(memory + 1, page));
	CHECK_ERRNO("M4", EINVAL, munmap(memory, 0));
	CHECK_LINE("M4", attached(id) == 1 && memory[0] == 1);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

static char *map_over(char *address, size_t pages)
{
	return mmap(address, pages * page, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void mapped_over(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(map_over(memory, 3) == memory);
	strcpy(memory, "a stranger");
	CHECK_LINE("M6", attached(id) == 0);
	CHECK_ERRNO("M6", EINVAL, shmdt(memory));
	CHECK_LINE("M6", strcmp(memory, "a stranger") == 0);
	munmap(memory, 3 * page);

	memory = three_pages(&id);
	CHECK(map_over(memory + page, 1) == memory + page);
	strcpy(memory + page, "a stranger");
	CHECK_LINE("fine M15", attached(id) == 2);
	CHECK_LINE("fine M15", shmdt(memory) == 0 && attached(id) == 0);
	CHECK_LINE("fine M15", strcmp(memory + page, "a stranger") == 0);
	CHECK_LINE("fine M15", is_gone(memory) && is_gone(memory + 2 * page));
	munmap(memory + page, page);

	/* Over the head: what is left goes by the old start, the stranger stays. */
	memory = three_pages(&id);
	CHECK(map_over(memory, 1) == memory);
	CHECK_LINE("M6", attached(id) == 1);
	CHECK_LINE("M6", shmdt(memory) == 0 && attached(id) == 0);
	CHECK_LINE("M6", memory[0] == 0 && is_gone(memory + page));
	munmap(memory, page);
}

/* A hint that cannot be had takes nothing away, nor does a mapping that fails. */
static void mapped_beside(void)
{
	int id;
	char *memory = three_pages(&id);
	char *other = mmap(memory, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_LINE("M6", other != FAILED && other != memory && attached(id) == 1);
	CHECK_LINE("M6", mmap(memory, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, -1, 0) == FAILED);
	CHECK_LINE("M6", attached(id) == 1 && memory[0] == 1);
	munmap(other, page);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

static void moved(void)
{
	int id;
	char *old = three_pages(&id), *to = free_pages(3);
	CHECK(mremap(old, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECK_LINE("M7, fine M16", attached(id) == 1 && to[0] == 1 && to[2 * page] == 3);
	CHECK_LINE("M7", is_gone(old));
	CHECK_ERRNO("M7, fine M17", EINVAL, shmdt(old));
	CHECK_LINE("M7", attached(id) == 1);
	struct peer child = peer_start(stay, NULL);
	CHECK_LINE("M7", attached(id) == 2);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("M7, fine M18", shmdt(to) == 0);
	all_gone("M7", id, to);
}

/* Moved onto another attachment: that one is gone. */
static void moved_onto(void)
{
	int id, under;
	char *memory = three_pages(&id), *target = three_pages(&under);
	CHECK(mremap(memory, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	CHECK_LINE("M7", attached(id) == 1 && attached(under) == 0);
	CHECK_LINE("M7", shmdt(target) == 0 && attached(id) == 0);
	CHECK_ERRNO("M7", EINVAL, shmdt(target));
}

static void grown(void)
{
	int id;
	char *memory = three_pages(&id);
	memory = mremap(memory, 3 * page, 5 * page, MREMAP_MAYMOVE);
	CHECK_LINE("fine M19", memory != FAILED && memory[2 * page] == 3 && attached(id) == 1);
	CHECK_LINE("fine M19", signal_of(read_it, memory + 3 * page) == SIGBUS);
	CHECK_LINE("fine M19", signal_of(write_it, memory + 4 * page) == SIGBUS);
	CHECK_LINE("fine M20", shmdt(memory) == 0);
	all_gone("fine M20", id, memory);
}

static void shrunk(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK(mremap(memory, 3 * page, page, 0) == memory);
	CHECK_LINE("fine M24", attached(id) == 1 && memory[0] == 1 && is_gone(memory + page));
	CHECK_LINE("fine M24", shmdt(memory) == 0);
	all_gone("fine M24", id, memory);
}

static void doubled(void)
{
	int id;
	char *memory = three_pages(&id);
	char *copy = mremap(memory, 0, 3 * page, MREMAP_MAYMOVE);
	CHECK_LINE("fine M21", copy != FAILED && copy != memory && attached(id) == 2);
	strcpy(copy, "the same memory");
	CHECK_LINE("fine M22", strcmp(memory, "the same memory") == 0 && copy[page] == 2);
	CHECK_LINE("fine M23", shmdt(copy) == 0 && attached(id) == 1);
	CHECK_LINE("fine M23", is_gone(copy) && strcmp(memory, "the same memory") == 0);
	CHECK(shmdt(memory) == 0);
	all_gone("fine M23", id, memory);
}

static void advised(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK_LINE("fine M25", msync(memory, 3 * page, MS_SYNC) == 0 && memory[page] == 2);
	CHECK_LINE("fine M27", madvise(memory, 3 * page, MADV_DONTNEED) == 0 && memory[page] == 2);
	CHECK_LINE("fine M26", madvise(memory + page, page, MADV_REMOVE) == 0);
	CHECK_LINE("fine M26", memory[0] == 1 && memory[page] == 0 && memory[2 * page] == 3);
	CHECK(attached(id) == 1 && shmdt(memory) == 0);
	all_gone("fine M25", id, memory);
}

/* The kernel's name for an attachment, and its id where a file has its inode. */
static void shown_in_maps(void)
{
	char line[512], name[64] = "", wanted[64];
	key_t key = fresh_key();
	int id = make_segment(key, page, IPC_CREAT | 0600);
	char *memory = attach(id);
	unsigned long long start, inode = ~0ull;
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	while (!found && maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		found = sscanf(line, "%llx-%*x %*s %*x %*s %llu %63[^\n]", &start, &inode, name) >=
		                2 &&
		        start == (unsigned long long)(uintptr_t)memory;
	if (maps != NULL)
		fclose(maps);
	snprintf(wanted, sizeof(wanted), "/SYSV%08x (deleted)", (unsigned)key);
	CHECK(found);
	if (on_kernel()) {
		CHECK_LINE("fine A41", strcmp(name, wanted) == 0);
		CHECK_LINE("fine A42", inode == (unsigned long long)id);
	}
	CHECK(shmdt(memory) == 0);
}

/* Makes mappings until the process may have no more: pages of two kinds in turn. */
static void attach_one_too_many(void *arg)
{
	const int *id = arg;
	size_t most = (size_t)number_in("/proc/sys/vm/max_map_count", ""), pages = 2 * most;
	char *area = mmap(NULL, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != FAILED);
	size_t i = 1;
	while (i < pages && mprotect(area + i * page, page, PROT_READ) == 0)
		i += 2;
	/* What is left room for now is one mapping at most. */
	void *one = shmat(*id, NULL, 0), *two = shmat(*id, NULL, SHM_RDONLY);
	int error = errno;
	munmap(area, pages * page);
	CHECK_LINE("fine A61", i < pages && two == FAILED && error == ENOMEM);
	CHECK_LINE("fine A61", attached(*id) == (one != FAILED ? 1 : 0));
}

static void too_many_mappings(void)
{
	long long most = number_in("/proc/sys/vm/max_map_count", "");
	if (WITH_SHADOW || most < 0 || most > 100000)
		return; /* shadows are mappings too; and it would take long */
	int id = make_private(page, 0600);
	CHECK(in_child(attach_one_too_many, &id));
}

/* What a program may do with an ordinary shared mapping, remap_file_pages, works. */
static void pages_in_another_order(void)
{
	int id;
	char *memory = three_pages(&id);
	CHECK_LINE("fine A66", remap_file_pages(memory, page, 0, 1, 0) == 0 && memory[0] == 2);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("fine A66", remap_file_pages(memory + page, page, 0, 2, 0) == 0);
	CHECK_LINE("fine A66", memory[0] == 2 && memory[page] == 3 && memory[2 * page] == 3);
	CHECK(munmap(memory, 3 * page) == 0);
	CHECK_LINE("M4", !exists(id));
}

int main(void)
{
	begin();
	page = page_size();
	protected_parts();
	hole_in_the_middle();
	missing_tail();
	missing_head();
	parts_over_fork();
	unmapped();
	unmap_that_fails();
	mapped_over();
	mapped_beside();
	moved();
	moved_onto();
	grown();
	shrunk();
	doubled();
	advised();
	shown_in_maps();
	too_many_mappings();
	pages_in_another_order();
	return test_result();
}

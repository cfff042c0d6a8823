/* SPDX-License-Identifier: MIT */
/*
 * Group A of docs/semantics.md: shmat, line by line, with the fine print.
 *
 * Addresses that have to be free come from free_pages(): between the asking and
 * the use only this thread runs. What is about permission needs a caller who is
 * not root: as root the test drops its privilege in a child, which only finds a
 * namespace that others may enter (the registration as shmat-shared) or the
 * kernel's. What a write to read-only memory does is seen by the signal that
 * ends a forked child.
 *
 * The name of the mapping in /proc/PID/maps, max_map_count and remap_file_pages are in
 * mapping.c.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FAILED ((void *)-1)

static size_t page;

static void unknown_ids(void)
{
	CHECK_ERRNO("A1, fine A01", EINVAL, shmat(-1, NULL, 0));
	CHECK_ERRNO("A1", EINVAL, shmat(INT32_MIN, NULL, 0));
	CHECK_ERRNO("A1", EINVAL, shmat(INT32_MAX, NULL, 0));
	int id = make_private(page, 0600);
	CHECK_ERRNO("fine A02", EINVAL, shmat(id + 32768, NULL, 0));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("A1, fine A03", EINVAL, shmat(id, NULL, 0));
}

/* Makes and removes segments until one has the index of `gone`, as the kernel
 * does after a full round of the index. */
static int come_round(int gone)
{
	for (int i = 0; i < 40000; i++) {
		int id = shmget(IPC_PRIVATE, 1, 0600);
		if (id < 0)
			return -1;
		if (id % 32768 == gone % 32768) {
			keep_track(id);
			return id;
		}
		shmctl(id, IPC_RMID, NULL);
	}
	return -1;
}

static void stale_ids(void)
{
	int gone = shmget(IPC_PRIVATE, page, 0600);
	CHECK(gone >= 0 && shmctl(gone, IPC_RMID, NULL) == 0);
	int present = come_round(gone);
	CHECK_LINE("fine A04", present >= 0 && present / 32768 > gone / 32768);

	struct shmid_ds stat;
	memset(&stat, 0, sizeof(stat));
	CHECK_ERRNO("fine A05", EINVAL, shmat(gone, NULL, 0));
	CHECK_ERRNO("fine A06", EINVAL, shmctl(gone, IPC_STAT, &stat));
	CHECK_ERRNO("fine A07", EINVAL, shmctl(gone, IPC_RMID, NULL));
	CHECK_ERRNO("fine A08", EINVAL, shmctl(gone, SHM_LOCK, NULL));
	CHECK_LINE("fine A09", shmctl(gone, SHM_STAT, &stat) == present && stat.shm_segsz == 1);
	CHECK_LINE("fine A09", shmctl(present, SHM_STAT, &stat) == present);
	CHECK(exists(present));
}

static void chosen_addresses(void)
{
	int id = make_private(2 * page, 0600);
	char *first = attach(id);
	CHECK_LINE("A9, fine A10", (uintptr_t)first % page == 0);

	char *wish = free_pages(2);
	CHECK_ERRNO("A2, fine A16", EINVAL, shmat(id, wish + 1, 0));
	CHECK_ERRNO("A2", EINVAL, shmat(id, wish + page - 1, SHM_RDONLY));
	CHECK_LINE("A2, fine A17", shmat(id, wish + 1234, SHM_RND) == wish);
	CHECK(shmdt(wish) == 0);
	CHECK_LINE("A2", shmat(id, wish + page - 1, SHM_RND | SHM_RDONLY) == wish);
	CHECK(shmdt(wish) == 0);
	CHECK_LINE("A2, fine A18", shmat(id, wish, 0) == wish);
	CHECK_LINE("fine A62", (size_t)SHMLBA == page);
	strcpy(first, "here as well");
	CHECK_LINE("A2", strcmp(wish, "here as well") == 0);
	CHECK(shmdt(wish) == 0);
	CHECK(shmdt(first) == 0);
}

static void taken_addresses(void)
{
	int id = make_private(2 * page, 0600);
	char *own = attach(id);
	char *other = numbered_pages(3);
	CHECK_ERRNO("A3, fine A19", EINVAL, shmat(id, other, 0));
	CHECK_ERRNO("A3", EINVAL, shmat(id, own, 0));
	CHECK_ERRNO("A3", EINVAL, shmat(id, other + page, SHM_RND));
	/* Only its end touches: the first page is free, the second is not. */
	CHECK(munmap(other, page) == 0);
	CHECK_ERRNO("A3, fine A20", EINVAL, shmat(id, other, 0));
	CHECK_ERRNO("A3", EINVAL, shmat(id, other + 1, SHM_RND));
	/* Only its beginning touches. */
	CHECK(munmap(other + 2 * page, page) == 0);
	CHECK_ERRNO("A3", EINVAL, shmat(id, other + page, 0));
	CHECK_LINE("A3", other[page] == 2 && other[2 * page - 1] == 2);
	CHECK_LINE("A3", signal_of(read_it, other) == SIGSEGV);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine A21", stat.shm_nattch == 1);
	CHECK(munmap(other + page, page) == 0);
	CHECK(shmdt(own) == 0);
}

static void failed_attach_changes_nothing(void)
{
	int id = make_private(page, 0600);
	char *taken = numbered_pages(1);
	CHECK_ERRNO("A3", EINVAL, shmat(id, taken, 0));
	CHECK_ERRNO("A3", EINVAL, shmat(id, taken + 1, 0));
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine A21", stat.shm_nattch == 0 && stat.shm_atime == 0 && stat.shm_lpid == 0 &&
	                               stat.shm_dtime == 0);
	munmap(taken, page);
}

static void remap_over_ordinary(void)
{
	int id = make_private(page, 0600);
	char *pages = numbered_pages(3);
	CHECK_LINE("A4, fine A29", shmat(id, pages + page, SHM_REMAP) == pages + page);
	CHECK_LINE("A4", pages[0] == 1 && pages[page - 1] == 1);
	CHECK_LINE("A4", pages[page] == 0 && pages[2 * page - 1] == 0);
	CHECK_LINE("A4", pages[2 * page] == 3 && pages[3 * page - 1] == 3);
	CHECK_LINE("A4", attached(id) == 1);
	CHECK_ERRNO("A4, fine A22", EINVAL, shmat(id, NULL, SHM_REMAP));
	CHECK_ERRNO("A4, fine A23", EINVAL, shmat(id, (char *)page - 1, SHM_RND | SHM_REMAP));
	CHECK_ERRNO("fine A43", EINVAL, shmat(id, NULL, ~0));
	CHECK_LINE("A4", attached(id) == 1);
	CHECK(shmdt(pages + page) == 0);
	CHECK_LINE("fine A30", signal_of(read_it, pages + page) == SIGSEGV);
	CHECK_LINE("fine A30", pages[0] == 1 && pages[2 * page] == 3);
	munmap(pages, 3 * page);
	/* The rounded address, and where nothing is to be replaced. */
	char *wish = free_pages(1);
	CHECK_LINE("A4", shmat(id, wish + 7, SHM_REMAP | SHM_RND) == wish);
	CHECK(shmdt(wish) == 0);
}

static void remap_over_attachments(void)
{
	int old = make_private(2 * page, 0600), new = make_private(page, 0600);
	char *h = attach(old);
	h[0] = 'o';
	h[page] = 'p';
	CHECK_LINE("fine A24", shmat(new, h, SHM_REMAP) == h);
	CHECK_LINE("fine A24", h[0] == 0);
	CHECK_LINE("fine A25", h[page] == 'p' && attached(old) == 1 && attached(new) == 1);
	CHECK_LINE("fine A26", shmdt(h) == 0 && attached(new) == 0);
	CHECK_LINE("fine A27", h[page] == 'p' && attached(old) == 1);
	CHECK_LINE("fine A28", shmdt(h) == 0 && attached(old) == 0);
	CHECK_ERRNO("fine A28", EINVAL, shmdt(h));

	/* Replaced as a whole, by another segment and by itself. */
	int same = make_private(page, 0600);
	h = attach(same);
	CHECK_LINE("A4", shmat(new, h, SHM_REMAP) == h);
	CHECK_LINE("A4", attached(same) == 0 && attached(new) == 1);
	CHECK_LINE("A4", shmat(new, h, SHM_REMAP) == h && attached(new) == 1);
	CHECK(shmdt(h) == 0 && attached(new) == 0);
}

static bool fails_with(int wanted, const void *result)
{
	return result == FAILED && errno == wanted;
}

/* What the system says to a mapping at page 0 is what shmat says. */
static void page_zero(void *arg)
{
	int id = *(int *)arg;
	void *zero = mmap(NULL, page, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	int refused = errno;
	if (zero == MAP_FAILED) {
		CHECK_LINE("fine A31", fails_with(refused, shmat(id, (void *)1, SHM_RND)));
		return;
	}
	munmap(zero, page);
	CHECK_LINE("fine A32", shmat(id, (void *)1, SHM_RND) == NULL);
	CHECK_LINE("fine A32", attached(id) == 1);
	CHECK_LINE("fine A32b", shmdt(NULL) == 0 && attached(id) == 0);
}

static void little_address_space(void *arg)
{
	struct rlimit limit = { (rlim_t)64 << 20, (rlim_t)64 << 20 };
	int id = *(int *)arg;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK_LINE("fine A35", fails_with(ENOMEM, shmat(id, NULL, 0)));
	CHECK_LINE("fine A35", attached(id) == 0);
}

static void impossible_addresses(void)
{
	int id = make_private(2 * page, 0600);
#if defined(__LP64__) && !defined(__s390x__) /* whose programs may have all addresses */
	/* No machine's programs reach as far, with however many levels of page tables. */
	CHECK_ERRNO("fine A33", ENOMEM, shmat(id, (void *)((UINT64_C(1) << 56) - page), 0));
#endif
#if defined(__LP64__)
	CHECK_ERRNO("fine A34", EINVAL, shmat(id, (void *)-page, 0));
#endif
	if (WITH_SHADOW)
		return; /* neither page 0 nor little space is possible there */
	CHECK(in_child(page_zero, &id));
	int large = make_private((size_t)128 << 20, 0600);
	CHECK(in_child(little_address_space, &large));
	CHECK(shmctl(large, IPC_RMID, NULL) == 0);
}

static void read_only(void)
{
	int id = make_private(page, 0600);
	char *both = attach(id);
	strcpy(both, "written before");
	char *memory = shmat(id, NULL, SHM_RDONLY);
	CHECK_LINE("A5", memory != FAILED && strcmp(memory, "written before") == 0);
	CHECK_LINE("fine A36", signal_of(read_it, memory) == 0);
	CHECK_LINE("fine A36", signal_of(write_it, memory) == SIGSEGV);
	CHECK_ERRNO("A5, fine A37", EACCES, mprotect(memory, page, PROT_READ | PROT_WRITE));
	CHECK_LINE("fine A38", attached(id) == 2);
	CHECK_LINE("fine A39", mprotect(both, page, PROT_READ) == 0);
	CHECK_LINE("fine A39", signal_of(write_it, both) == SIGSEGV);
	CHECK_LINE("fine A39", mprotect(both, page, PROT_READ | PROT_WRITE) == 0);
	strcpy(both, "written after");
	CHECK_LINE("A5", strcmp(memory, "written after") == 0);
	CHECK(shmdt(memory) == 0);
	CHECK(shmdt(both) == 0);
}

static bool maps_say(const void *address, const char *wanted)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long start;
		char rights[5];
		if (sscanf(line, "%llx-%*x %4s", &start, rights) == 2 &&
		    start == (unsigned long long)(uintptr_t)address)
			found = strcmp(rights, wanted) == 0;
	}
	if (maps != NULL)
		fclose(maps);
	return found;
}

/* No file of a file system mounted noexec can be mapped executable. */
static bool may_execute(void)
{
	const char *directory = getenv("MADANG_NAMESPACE");
	struct statvfs stat;
	if (on_kernel() || directory == NULL || statvfs(directory, &stat) != 0)
		return true;
	return (stat.f_flag & ST_NOEXEC) == 0;
}

static void executable(void)
{
	if (!may_execute()) {
		printf("not checked: A6, fine A40 (the namespace's file system is mounted "
		       "noexec)\n");
		return;
	}
	int id = make_private(page, 0700);
	void *memory = shmat(id, NULL, SHM_EXEC);
	CHECK_LINE("A6", memory != FAILED);
	CHECK_LINE("fine A40", maps_say(memory, "rwxs"));
	CHECK(shmdt(memory) == 0);
	memory = shmat(id, NULL, SHM_EXEC | SHM_RDONLY);
	CHECK_LINE("A6", memory != FAILED && maps_say(memory, "r-xs"));
	CHECK(shmdt(memory) == 0);
	if (geteuid() != 0)
		return;
	id = make_private(page, 0);
	memory = shmat(id, NULL, SHM_EXEC);
	CHECK_LINE("A6", memory != FAILED);
	CHECK(shmdt(memory) == 0);
}

static int own_segment(int mode)
{
	int id = shmget(IPC_PRIVATE, page, mode);
	CHECK(id >= 0);
	return id;
}

static void permission(void *arg)
{
	(void)arg;
	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		return;
	int r = own_segment(0400), w = own_segment(0200), rw = own_segment(0600);
	int rx = own_segment(0500), none = own_segment(0);
	CHECK_ERRNO("A5", EACCES, shmat(r, NULL, 0));
	CHECK_ERRNO("A5", EACCES, shmat(w, NULL, 0));
	CHECK_ERRNO("A5", EACCES, shmat(w, NULL, SHM_RDONLY));
	CHECK_ERRNO("A5", EACCES, shmat(none, NULL, SHM_RDONLY));
	CHECK_ERRNO("A6", EACCES, shmat(rw, NULL, SHM_EXEC));
	CHECK_ERRNO("A6", EACCES, shmat(r, NULL, SHM_EXEC | SHM_RDONLY));
	CHECK_ERRNO("A6", EACCES, shmat(rx, NULL, SHM_EXEC));
	void *memory = shmat(r, NULL, SHM_RDONLY);
	CHECK_LINE("A5", memory != FAILED);
	CHECK_ERRNO("A5", EACCES, mprotect(memory, page, PROT_READ | PROT_WRITE));
	CHECK(shmdt(memory) == 0);
	if (may_execute()) {
		memory = shmat(rx, NULL, SHM_EXEC | SHM_RDONLY);
		CHECK_LINE("A6", memory != FAILED);
		CHECK(shmdt(memory) == 0);
	}
	const int ids[] = { r, w, rw, rx, none };
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		CHECK(shmctl(ids[i], IPC_RMID, NULL) == 0);
}

/* As root in a namespace that is closed to others, there is nobody to refuse. */
static bool others_may_enter(void)
{
	const char *directory = getenv("MADANG_NAMESPACE");
	struct stat found;
	if (on_kernel() || geteuid() != 0 || directory == NULL)
		return true;
	return stat(directory, &found) == 0 && (found.st_mode & 0002) != 0;
}

static void counts(void)
{
	int id = make_private(5000, 0600);
	time_t since = now_seconds();
	char *one = attach(id);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("A7, fine A11", stat.shm_nattch == 1 && stat.shm_lpid == getpid());
	CHECK_LINE("A7", recent(stat.shm_atime, since) && stat.shm_dtime == 0);
	size_t whole = (5000 + page - 1) / page * page;
	CHECK_LINE("fine A12", one[4999] == 0 && one[5000] == 0 && one[whole - 1] == 0);
	CHECK_LINE("fine A12", signal_of(write_it, one + whole - 1) == 0);

	char *two = attach(id);
	CHECK_LINE("A7, fine A13", two != one && attached(id) == 2);
	strcpy(one, "one");
	CHECK_LINE("A7, fine A14", strcmp(two, "one") == 0);
	one[5001] = 'x';
	CHECK_LINE("fine A15", two[5001] == 'x' && one[whole - 1] == 1);
	char *three = shmat(id, NULL, 0777 | 01000000 | 0x10000000);
	CHECK_LINE("fine A44", three != FAILED && attached(id) == 3);
	CHECK(shmdt(one) == 0 && shmdt(two) == 0 && shmdt(three) == 0);
	CHECK(attached(id) == 0);

	char *again = attach(id);
	CHECK_LINE("A12", strcmp(again, "one") == 0 && again[5001] == 'x');
	CHECK(shmdt(again) == 0);
}

static void many_attachments(void)
{
	enum { MANY = 200 };
	int id = make_private(page, 0600);
	char *at[MANY];
	for (int i = 0; i < MANY; i++)
		at[i] = attach(id);
	CHECK_LINE("A11", attached(id) == MANY);
	strcpy(at[0], "everywhere");
	for (int i = 0; i < MANY; i++)
		CHECK_LINE("A11", strcmp(at[i], "everywhere") == 0);
	for (int i = 0; i < MANY; i++)
		CHECK_LINE("A11", shmdt(at[i]) == 0);
	CHECK_LINE("A11", attached(id) == 0);
}

static void attach_removed(struct peer *test, void *arg)
{
	int *id = arg; /* in shared memory: this process is older than the segment */
	peer_hear(test);
	char *memory = shmat(*id, NULL, 0);
	CHECK_LINE("A8", memory != FAILED && strcmp(memory, "still here") == 0);
	char *look = shmat(*id, NULL, SHM_RDONLY);
	CHECK_LINE("A8", look != FAILED && strcmp(look, "still here") == 0);
	CHECK_LINE("A8", attached(*id) == 3);
	strcpy(memory, "so am I");
	CHECK(shmdt(look) == 0);
	peer_say(test);
	peer_hear(test);
}

static void removed_segments(void)
{
	int *id = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct peer other = peer_start(attach_removed, id);
	*id = make_private(2 * page, 0600);
	char *memory = attach(*id);
	strcpy(memory, "still here");
	CHECK(shmctl(*id, IPC_RMID, NULL) == 0);
	/* The one that has it, itself. */
	char *again = shmat(*id, NULL, SHM_RDONLY);
	CHECK_LINE("A8", again != FAILED && strcmp(again, "still here") == 0);
	CHECK(shmdt(again) == 0);
	peer_say(&other);
	CHECK_LINE("A8", peer_hear(&other));
	CHECK_LINE("A8", strcmp(memory, "so am I") == 0 && attached(*id) == 2);
	/* Now the newcomer alone holds it, and this process comes back. */
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("A8", attached(*id) == 1);
	memory = shmat(*id, NULL, 0);
	CHECK_LINE("A8", memory != FAILED && strcmp(memory, "so am I") == 0);
	CHECK(peer_finish(&other) == 0);
	CHECK_LINE("A8", attached(*id) == 1);
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("A8", !exists(*id));
	munmap(id, page);
}

/* A removed segment that somebody holds read-only can still be written. */
static void removed_held_read_only(void)
{
	int id = make_private(page, 0600);
	char *look = shmat(id, NULL, SHM_RDONLY);
	CHECK(look != FAILED && shmctl(id, IPC_RMID, NULL) == 0);
	char *memory = shmat(id, NULL, 0);
	CHECK_LINE("A8", memory != FAILED);
	strcpy(memory, "seen");
	CHECK_LINE("A8", strcmp(look, "seen") == 0);
	CHECK(shmdt(memory) == 0 && shmdt(look) == 0);
}

/* ---- in every situation ------------------------------------------------ */

static void wait_for_post(struct peer *test, void *arg)
{
	int id = *(int *)arg;
	sem_t *bell = shmat(id, free_pages(1), 0);
	CHECK(bell != FAILED);
	alarm(30); /* a wake-up that never comes ends the test, badly */
	peer_say(test);
	CHECK_LINE("fine A63", sem_wait(bell) == 0);
}

static void futexes(void)
{
	int id = make_private(page, 0600);
	sem_t *bell = attach(id);
	CHECK(sem_init(bell, 1, 0) == 0);
	struct peer other = peer_start(wait_for_post, &id);
	peer_hear(&other);
	CHECK(sem_post(bell) == 0);
	CHECK_LINE("fine A63", peer_join(&other) == 0);
	CHECK(shmdt(bell) == 0);
}

static volatile sig_atomic_t handler_held;

static void all_calls(int number)
{
	(void)number;
	struct shmid_ds stat;
	int id = shmget(IPC_PRIVATE, page, 0600);
	void *memory = shmat(id, NULL, 0);
	handler_held = id >= 0 && memory != FAILED && shmctl(id, IPC_STAT, &stat) == 0 &&
	               stat.shm_nattch == 1 && shmdt(memory) == 0 &&
	               shmctl(id, IPC_RMID, NULL) == 0;
}

static void *stay(void *gate)
{
	sem_wait(gate);
	return NULL;
}

static void all_calls_here(void *arg)
{
	(void)arg;
	handler_held = 0;
	all_calls(0);
	CHECK_LINE("fine A65", handler_held);
}

static void odd_places(void)
{
	CHECK(signal(SIGUSR1, all_calls) != SIG_ERR);
	raise(SIGUSR1);
	CHECK_LINE("fine A65", handler_held);

	sem_t gate;
	pthread_t thread;
	sem_init(&gate, 0, 0);
	CHECK(pthread_create(&thread, NULL, stay, &gate) == 0);
	CHECK_LINE("fine A65", in_child(all_calls_here, NULL));
	sem_post(&gate);
	pthread_join(thread, NULL);
}

/* After vfork the child's attachment lies in the parent's memory, and stays. */
static void after_vfork(void)
{
	int id = make_private(page, 0600);
	void *volatile memory = FAILED;
	pid_t pid = vfork();
	if (pid == 0) {
		memory = shmat(id, NULL, 0);
		_exit(0);
	}
	CHECK(reap(pid) == 0);
	CHECK_LINE("fine A65", memory != FAILED && attached(id) == 1);
	if (on_kernel()) /* Madang takes the child for the process whose memory it uses */
		CHECK_LINE("fine A65", stat_of(id).shm_lpid == pid);
	CHECK_LINE("fine A65", shmdt(memory) == 0 && attached(id) == 0);
}

int main(void)
{
	begin();
	page = page_size();
	unknown_ids();
	stale_ids();
	chosen_addresses();
	taken_addresses();
	failed_attach_changes_nothing();
	remap_over_ordinary();
	remap_over_attachments();
	impossible_addresses();
	read_only();
	executable();
	if (others_may_enter())
		CHECK(in_child(permission, NULL));
	counts();
	many_attachments();
	removed_segments();
	removed_held_read_only();
	futexes();
	odd_places();
	if (!WITHOUT_VFORK)
		after_vfork();
	return test_result();
}

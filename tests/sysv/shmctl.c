/* SPDX-License-Identifier: MIT */
/*
 * shmctl.c - the lines C of docs/semantics.md: looking at segments, changing
 * and removing them, locking, and what the whole namespace holds.
 *
 * "fine" names are its fine print, R among them (removal). Who may do what
 * is in permission.c. Numbers of the whole namespace are compared exactly only
 * where nobody else can make segments meanwhile.
 */
#include "support/segments.h"

#include <limits.h>
#include <stddef.h>
#include <sys/resource.h>

enum { INDEXES = 32768 }; /* an id is an index + a sequence * this */

static int remove_id(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}

/* IPC_INFO and SHM_INFO give other structures through the same parameter. */
static int ipc_info(int id, struct shminfo *info)
{
	return shmctl(id, IPC_INFO, (struct shmid_ds *)(void *)info);
}

static int shm_info(int id, struct shm_info *info)
{
	return shmctl(id, SHM_INFO, (struct shmid_ds *)(void *)info);
}

/* ---- what cannot be ----------------------------------------------------- */

static void test_unknown_commands(void)
{
	struct shmid_ds stat;
	int id = make_private(100, 0600);
	CHECK_ERRNO("C1, fine C01", EINVAL, shmctl(id, 99, &stat));
	CHECK_ERRNO("C1, fine C02", EINVAL, shmctl(id, -1, &stat));
	CHECK_ERRNO("C1", EINVAL, shmctl(id, INT_MAX, &stat));
#if defined(__x86_64__) && defined(__LP64__)
	CHECK_ERRNO("fine C03", EINVAL, shmctl(id, IPC_STAT | 0x100, &stat));
#endif
	/* The semaphores' and message queues' commands are none of ours. */
	CHECK_ERRNO("C1", EINVAL, shmctl(id, 16, &stat));
	CHECK_LINE("C1", exists(id));
}

static void check_no_such_id(int id)
{
	struct shmid_ds stat;
	memset(&stat, 0, sizeof(stat));
	stat.shm_perm.uid = geteuid();
	stat.shm_perm.gid = getegid();
	CHECK_ERRNO("C1, fine C04, R12", EINVAL, shmctl(id, IPC_STAT, &stat));
	CHECK_ERRNO("C1, fine C21", EINVAL, shmctl(id, IPC_SET, &stat));
	CHECK_ERRNO("C3h, fine C46, R11", EINVAL, remove_id(id));
	CHECK_ERRNO("C1, fine C27", EINVAL, shmctl(id, SHM_LOCK, NULL));
	CHECK_ERRNO("C1", EINVAL, shmctl(id, SHM_UNLOCK, NULL));
}

static void test_unknown_ids(void)
{
	int gone = make_private(100, 0600);
	CHECK(remove_id(gone) == 0);
	check_no_such_id(gone);
	check_no_such_id(-1);
	check_no_such_id(INT_MIN);
	check_no_such_id(INT_MAX);
	int id = make_private(100, 0600);
	check_no_such_id(id + INDEXES); /* same index, another sequence */

	struct shmid_ds stat;
	struct shminfo limits;
	struct shm_info use;
	CHECK_ERRNO("C4, fine C05", EINVAL, ipc_info(-1, &limits));
	CHECK_ERRNO("C5, fine C06", EINVAL, shm_info(-1, &use));
	CHECK_ERRNO("C6", EINVAL, shmctl(-1, SHM_STAT, &stat));
	CHECK_ERRNO("C6", EINVAL, shmctl(-1, SHM_STAT_ANY, &stat));
	CHECK_ERRNO("C1", EINVAL, shmctl(-1, 99, &stat));
}

/* ---- IPC_STAT ----------------------------------------------------------- */

static void test_stat(void)
{
	struct shmid_ds stat;
	int id = make_private(100, 0600);
	memset(&stat, 0xa5, sizeof(stat));
	CHECK_LINE("fine C43", shmctl(id, IPC_STAT, &stat) == 0);
#if defined(__x86_64__) && defined(__LP64__)
	static const unsigned char zeros[16];
	const unsigned char *bytes = (const unsigned char *)&stat;
	_Static_assert(sizeof(stat) == 112, "fine C47");
	_Static_assert(sizeof(stat.shm_perm) == 48, "fine C47");
	_Static_assert(offsetof(struct shmid_ds, shm_segsz) == 48, "fine C67");
	_Static_assert(offsetof(struct shmid_ds, shm_nattch) == 88, "fine C67");
	CHECK_LINE("fine C44", memcmp(bytes + 96, zeros, 16) == 0);
	CHECK_LINE("fine C44", memcmp(bytes + 32, zeros, 16) == 0);
	unsigned short sequence;
	unsigned mode;
	memcpy(&mode, bytes + 20, sizeof(mode));
	memcpy(&sequence, bytes + 24, sizeof(sequence));
	CHECK_LINE("fine C66", mode == 0600 && sequence == (unsigned short)(id / INDEXES));
#elif defined(__i386__) && defined(__GLIBC__) && (!defined(_TIME_BITS) || _TIME_BITS == 32)
	_Static_assert(sizeof(stat) == 84, "fine C63");
	_Static_assert(sizeof(stat.shm_perm) == 36, "fine C63");
	_Static_assert(offsetof(struct shmid_ds, shm_segsz) == 36, "fine C63");
	_Static_assert(offsetof(struct shmid_ds, shm_nattch) == 72, "fine C63");
#elif defined(__i386__) && defined(__GLIBC__)
	/* Such a program calls __shmctl64, and another structure is filled for it. */
	CHECK_LINE("fine C65", sizeof(stat.shm_ctime) == 8 && stat.shm_ctime <= clock_after());
	CHECK_LINE("fine C65", stat.shm_atime == 0 && stat.shm_cpid == getpid());
#endif
	CHECK_LINE("C1", stat.shm_perm.mode == 0600 && stat.shm_segsz == 100);
}

/* ---- IPC_SET ------------------------------------------------------------ */

/* What IPC_SET leaves alone. */
static bool same_otherwise(const struct shmid_ds *a, const struct shmid_ds *b)
{
	return a->shm_perm.__key == b->shm_perm.__key && a->shm_perm.cuid == b->shm_perm.cuid &&
	       a->shm_perm.cgid == b->shm_perm.cgid && a->shm_segsz == b->shm_segsz &&
	       a->shm_atime == b->shm_atime && a->shm_dtime == b->shm_dtime &&
	       a->shm_cpid == b->shm_cpid && a->shm_lpid == b->shm_lpid &&
	       a->shm_nattch == b->shm_nattch;
}

static void test_set(void)
{
	/* Giving it away needs root on Madang; on the kernel any owner may. But one who is alone
	 * there, and not root, is in a user namespace that knows no other user (enclose.c). */
	uid_t step = geteuid() == 0 || (on_kernel() && !alone()) ? 1 : 0;
	int id = make_segment(fresh_key(), 5000, IPC_CREAT | 0600);
	CHECK(shmdt(attach(id)) == 0);
	struct shmid_ds before = stat_of(id), wish;
	memset(&wish, 0x5a, sizeof(wish));
	wish.shm_perm.uid = geteuid() + step;
	wish.shm_perm.gid = getegid() + step;
	wish.shm_perm.mode = 03000 | 0123456000 | 0641;
	wait_past(before.shm_ctime);
	CHECK_LINE("C2, fine C15", shmctl(id, IPC_SET, &wish) == 0);
	struct shmid_ds after = stat_of(id);
	CHECK_LINE("C2, fine C16", after.shm_perm.uid == wish.shm_perm.uid);
	CHECK_LINE("C2, fine C16", after.shm_perm.gid == wish.shm_perm.gid);
	CHECK_LINE("C2, fine C16", after.shm_perm.mode == 0641);
	CHECK_LINE("C2, fine C17", after.shm_ctime > before.shm_ctime);
	CHECK_LINE("C2", after.shm_ctime <= clock_after());
	CHECK_LINE("C2, fine C16, C18, P34", same_otherwise(&before, &after));

	/* Whoever set no bit at all is still its owner. */
	wish = after;
	wish.shm_perm.mode = 0;
	CHECK_LINE("fine C62", shmctl(id, IPC_SET, &wish) == 0);
	wish.shm_perm.mode = 0600;
	CHECK_LINE("fine C62", shmctl(id, IPC_SET, &wish) == 0);
	CHECK_LINE("fine C62", stat_of(id).shm_perm.mode == 0600);
}

static void test_set_nobody(void)
{
	int id = make_private(100, 0600);
	struct shmid_ds before = stat_of(id), wish = before;
	wish.shm_perm.mode = 0644;
	wish.shm_perm.uid = (uid_t)-1;
	CHECK_ERRNO("C2, fine C19", EINVAL, shmctl(id, IPC_SET, &wish));
	wish.shm_perm.uid = before.shm_perm.uid;
	wish.shm_perm.gid = (gid_t)-1;
	CHECK_ERRNO("C2, fine C20", EINVAL, shmctl(id, IPC_SET, &wish));
	struct shmid_ds after = stat_of(id);
	CHECK_LINE("C2", after.shm_perm.mode == 0600 && after.shm_perm.uid == before.shm_perm.uid);
}

/* ---- IPC_RMID ----------------------------------------------------------- */

static void test_remove_unattached(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, 100, IPC_CREAT | 0600);
	CHECK(shmdt(attach(id)) == 0);
#if ULONG_MAX > UINT32_MAX
	CHECK_LINE("C3, fine R60", shmctl(id, IPC_RMID, (void *)1) == 0);
#else
	CHECK_LINE("C3", remove_id(id) == 0); /* glibc converts what the pointer points to */
#endif
	check_no_such_id(id);
	CHECK_ERRNO("C3h", EINVAL, shmat(id, NULL, 0));
	CHECK_ERRNO("C3", ENOENT, shmget(key, 0, 0));
}

static void test_remove_attached(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, 100, IPC_CREAT | 0644);
	char *first = attach(id);
	strcpy(first, "still here");
	struct shmid_ds before = stat_of(id);
	wait_past(before.shm_ctime);
	CHECK_LINE("C3, fine R01", remove_id(id) == 0);
	struct shmid_ds after = stat_of(id);
	CHECK_LINE("C3, fine R02", after.shm_perm.mode == (0644 | SHM_DEST));
	CHECK_LINE("C3, fine R03", after.shm_perm.__key == IPC_PRIVATE);
	CHECK_LINE("C3, fine R04", after.shm_ctime == before.shm_ctime);
	CHECK_LINE("C3", after.shm_nattch == 1);
	CHECK_ERRNO("C3, fine G35", ENOENT, shmget(key, 0, 0));
	int heir = make_segment(key, 300, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("C3, fine G36", heir != id && stat_of(heir).shm_segsz == 300);
	CHECK_LINE("C3, fine R05", remove_id(id) == 0);

	char *second = attach(id);
	CHECK_LINE("C3, A8, fine R06", stat_of(id).shm_nattch == 2);
	CHECK_LINE("C3, A8", strcmp(second, "still here") == 0);
	struct shmid_ds wish = after;
	wish.shm_perm.mode = 0600;
	CHECK_LINE("fine R07", shmctl(id, IPC_SET, &wish) == 0);
	CHECK_LINE("fine R07", stat_of(id).shm_perm.mode == (0600 | SHM_DEST));
	CHECK(shmdt(first) == 0);
	CHECK_LINE("C3, fine R09", stat_of(id).shm_nattch == 1);
	CHECK(shmdt(second) == 0);
	check_no_such_id(id);
	CHECK_ERRNO("C3h, fine R10", EINVAL, shmat(id, NULL, 0));
	CHECK_LINE("C3: the key's new segment is untouched", stat_of(heir).shm_segsz == 300);
}

/* ---- IPC_INFO, SHM_INFO ------------------------------------------------- */

static void test_info_of_nothing(void)
{
	struct shminfo limits;
	struct shm_info use;
	if (!alone())
		return;
	CHECK_LINE("C4, fine C45", ipc_info(0, &limits) == 0);
	CHECK_LINE("C5, fine C45", shm_info(0, &use) == 0 && use.used_ids == 0);
	CHECK_LINE("C5", use.shm_tot == 0 && use.shm_rss == 0);
}

static void test_limits(void)
{
	struct shminfo limits;
	memset(&limits, 0xa5, sizeof(limits));
	int id = make_private(100, 0600), index = id % INDEXES;
	int highest = ipc_info(0, &limits);
	CHECK_LINE("C4, fine C32", alone() ? highest == index : highest >= index);
	CHECK_LINE("C4, fine C33", limits.shmmin == 1);
	CHECK_LINE("C4, fine C33", limits.shmseg == limits.shmmni && limits.shmmni >= 64);
	if (alone())
		CHECK_LINE("fine S60", limits.shmmni == 4096);
#if ULONG_MAX > UINT32_MAX
	/* Madang's default is the kernel's: no limit, but for room to count in. */
	unsigned long unlimited = ULONG_MAX - (1ul << 24);
	CHECK_LINE("C4, fine C34",
	           limits.shmmax ==
	                   (on_kernel() ? (unsigned long)number_in("/proc/sys/kernel/shmmax", "")
	                                : unlimited));
	CHECK_LINE("C4, fine C35",
	           limits.shmall ==
	                   (on_kernel() ? (unsigned long)number_in("/proc/sys/kernel/shmall", "")
	                                : unlimited));
#else
	CHECK_LINE("C4, fine C64", limits.shmmax <= INT_MAX);
	if (!on_kernel())
		CHECK_LINE("C4, fine C64", limits.shmmax == INT_MAX && limits.shmall == 0xfeffffff);
#endif
	CHECK_LINE("C4, fine C36", ipc_info(INT_MAX, &limits) >= index);
	CHECK_LINE("C4, fine C36", ipc_info(id, &limits) >= index);
}

/* The highest index is found again when the segment that had it is gone. */
static void test_highest_index(void)
{
	if (!alone())
		return;
	struct shminfo limits;
	struct shm_info use;
	int last = -1;
	for (int i = 0; i < 5; i++) {
		int id = make_private(100, 0600);
		if (id % INDEXES > last % INDEXES || last < 0)
			last = id;
	}
	CHECK_LINE("C4, fine C32", ipc_info(0, &limits) == last % INDEXES);
	CHECK_LINE("C5, fine C37", shm_info(0, &use) == last % INDEXES);
	CHECK(remove_id(last) == 0);
	CHECK_LINE("C4, fine C32", ipc_info(0, &limits) < last % INDEXES);
	CHECK_LINE("C5, fine C37", shm_info(0, &use) < last % INDEXES);
}

static void test_use(void)
{
	size_t page = page_size();
	struct shm_info before, after;
	memset(&before, 0xa5, sizeof(before));
	memset(&after, 0xa5, sizeof(after));
	CHECK(shm_info(0, &before) >= 0);
	int small = make_segment(IPC_PRIVATE, 100, 0600 | SHM_NORESERVE);
	int large = make_segment(IPC_PRIVATE, 4 * page + 1, 0600 | SHM_NORESERVE);
	int highest = shm_info(0, &after);
	CHECK_LINE("C5, fine C37", highest >= small % INDEXES && highest >= large % INDEXES);
	CHECK_LINE("C5, fine C37", after.swap_attempts == 0 && after.swap_successes == 0);
	CHECK_LINE("C5", shm_info(INT_MAX, &after) >= 0);
	if (alone()) {
		CHECK_LINE("C5, fine C38", after.used_ids == before.used_ids + 2);
		CHECK_LINE("C5, fine C38", after.shm_tot == before.shm_tot + 6);
		CHECK_LINE("C5, fine C38, G66", after.shm_rss == before.shm_rss);
		char *memory = attach(large);
		memset(memory, 1, 3 * page);
		CHECK(shm_info(0, &after) >= 0);
		CHECK_LINE("C5, fine C39",
		           after.shm_rss + after.shm_swp == before.shm_rss + before.shm_swp + 3);
		CHECK(remove_id(large) == 0);
		CHECK(shm_info(0, &after) >= 0);
		CHECK_LINE("C5: removed but attached counts",
		           after.used_ids == before.used_ids + 2);
		CHECK(shmdt(memory) == 0);
	}
	CHECK(remove_id(small) == 0);
	remove_id(large);
	CHECK(shm_info(0, &after) >= 0);
	if (alone())
		CHECK_LINE("C5",
		           after.used_ids == before.used_ids && after.shm_tot == before.shm_tot);
}

/* ---- SHM_STAT, SHM_STAT_ANY --------------------------------------------- */

static void check_stat_by_index(int command)
{
	key_t key = fresh_key();
	int id = make_segment(key, 4321, IPC_CREAT | 0640), index = id % INDEXES;
	const int names[] = { index, id, index + 7 * INDEXES };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct shmid_ds stat;
		memset(&stat, 0xa5, sizeof(stat));
		CHECK_LINE("C6, fine C40, A09", shmctl(names[i], command, &stat) == id);
		CHECK_LINE("C6, fine C40", stat.shm_segsz == 4321 && stat.shm_perm.__key == key);
		CHECK_LINE("C6, fine C40", stat.shm_perm.mode == 0640 && stat.shm_cpid == getpid());
	}
	struct shminfo limits;
	struct shmid_ds stat;
	if (alone())
		CHECK_ERRNO("C6, fine C41, C42", EINVAL,
		            shmctl(ipc_info(0, &limits) + 1, command, &stat));
	CHECK_ERRNO("C6, fine C41, C42", EINVAL, shmctl(INDEXES - 1, command, &stat));
	CHECK_ERRNO("C6", EINVAL, shmctl(-1, command, &stat));
	CHECK_ERRNO("C6", EINVAL, shmctl(INT_MIN, command, &stat));
}

/* ---- SHM_LOCK, SHM_UNLOCK ------------------------------------------------ */

static void test_lock(void)
{
	struct rlimit memory;
	if (geteuid() != 0 && getrlimit(RLIMIT_MEMLOCK, &memory) == 0 &&
	    memory.rlim_cur < page_size())
		return;
	int id = make_private(100, 0640);
	CHECK_LINE("C7, fine C26", shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK_LINE("C7, fine C22", shmctl(id, SHM_LOCK, NULL) == 0);
	CHECK_LINE("C7, fine C22", stat_of(id).shm_perm.mode == (0640 | SHM_LOCKED));
	CHECK_LINE("C7, fine C23", shmctl(id, SHM_LOCK, NULL) == 0);
	struct shmid_ds wish = stat_of(id);
	wish.shm_perm.mode = 0600;
	CHECK(shmctl(id, IPC_SET, &wish) == 0);
	CHECK_LINE("C7, fine C24", stat_of(id).shm_perm.mode == (0600 | SHM_LOCKED));
	char *memory_of = attach(id);
	memory_of[0] = 1;
	CHECK_LINE("C7, fine C25", shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK_LINE("C7, fine C25", stat_of(id).shm_perm.mode == 0600);
	CHECK_LINE("C7", shmctl(id, SHM_LOCK, NULL) == 0);
	CHECK(remove_id(id) == 0);
	CHECK_LINE("C7", stat_of(id).shm_perm.mode == (0600 | SHM_LOCKED | SHM_DEST));
	CHECK(shmdt(memory_of) == 0);
	CHECK_LINE("C7", !exists(id));
}

int main(void)
{
	begin();
	test_info_of_nothing(); /* first: nothing was made yet */
	test_limits();
	test_highest_index();
	test_unknown_commands();
	test_unknown_ids();
	test_stat();
	test_set();
	test_set_nobody();
	test_remove_unattached();
	test_remove_attached();
	test_use();
	check_stat_by_index(SHM_STAT);
	check_stat_by_index(SHM_STAT_ANY);
	test_lock();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * shmget.c - the lines G of docs/semantics.md: making and finding segments.
 *
 * The names in assertions are tags of docs/semantics.md, which says what "fine"
 * ones are. What needs several users is in permission.c, what needs small limits
 * in limits.c.
 */
#include "support/segments.h"
#include "platform/raw.h"

#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

enum { INDEXES = 32768 }; /* an id is an index + a sequence * this */

static void test_kernel_is_out(void)
{
#ifdef SYS_shmget
	if (!on_kernel())
		CHECK_LINE("enclosure", MDG__RAW(SYS_shmget, IPC_PRIVATE, 100, 0600) == -ENOSYS);
#endif
}

static void test_private_key(void)
{
	int plain = make_segment(IPC_PRIVATE, 100, 0600);
	int other = make_segment(IPC_PRIVATE, 100, 0600);
	int create = make_segment(IPC_PRIVATE, 100, 0600 | IPC_CREAT);
	int excl = make_segment(IPC_PRIVATE, 100, 0600 | IPC_CREAT | IPC_EXCL);
	CHECK_LINE("G1, fine G01", plain != other && create != plain && create != other);
	CHECK_LINE("fine G24", excl != create && excl != plain && excl != other);
	CHECK_LINE("G1, fine G02", stat_of(plain).shm_perm.__key == IPC_PRIVATE);
	CHECK_LINE("G1, fine G02", stat_of(create).shm_perm.__key == IPC_PRIVATE);
}

static void test_absent_key(void)
{
	key_t key = fresh_key();
	CHECK_ERRNO("G2, fine G05", ENOENT, shmget(key, 100, 0600));
	CHECK_ERRNO("G2, fine G06", ENOENT, shmget(key, 0, 0600));
	CHECK_ERRNO("G2, fine G06", ENOENT, shmget(key, SIZE_MAX, 0600));
	CHECK_ERRNO("G2, fine G07", ENOENT, shmget(key, 100, 0600 | IPC_EXCL));
}

static void test_exclusive(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, 100, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("G3, fine G18", shmget(key, 100, IPC_CREAT | 0600) == id);
	CHECK_ERRNO("G3, fine G15", EEXIST, shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERRNO("G3, fine G16, G65", EEXIST, shmget(key, 101, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERRNO("G3, fine G17", EEXIST, shmget(key, 0, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_LINE("G3, fine G19", shmget(key, 100, IPC_EXCL | 0600) == id);
}

static void test_size_of_new(void)
{
	key_t key = fresh_key();
	CHECK_ERRNO("G4, fine G03", EINVAL, shmget(IPC_PRIVATE, 0, 0600));
	CHECK_ERRNO("G4, fine G04", EINVAL, shmget(key, 0, IPC_CREAT | 0600));
	CHECK_ERRNO("G4, fine G04", ENOENT, shmget(key, 0, 0));
#if SIZE_MAX > UINT32_MAX
	CHECK_ERRNO("G4, fine G26", EINVAL, shmget(key, SIZE_MAX, IPC_CREAT | 0600));
	CHECK_ERRNO("G4, fine G27", ENOMEM, shmget(key, (size_t)1 << 62, IPC_CREAT | 0600));
	CHECK_ERRNO("G4, fine G28", EINVAL, shmget(key, (size_t)1 << 63, IPC_CREAT | 0600));
	CHECK_ERRNO("G4: nothing was made", ENOENT, shmget(key, 0, 0));
#endif
}

static void test_size_of_found(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, 5000, IPC_CREAT | 0600);
	static const size_t fitting[] = { 0, 1, 4999, 5000 };
	for (size_t i = 0; i < sizeof(fitting) / sizeof(fitting[0]); i++) {
		CHECK_LINE("G5, fine G18", shmget(key, fitting[i], 0600) == id);
		CHECK_LINE("G5, fine G18", shmget(key, fitting[i], IPC_CREAT | 0600) == id);
	}
	CHECK_ERRNO("G5, fine G20", EINVAL, shmget(key, 5001, 0600));
	CHECK_ERRNO("G5, fine G20", EINVAL, shmget(key, 2 * page_size(), 0600));
	CHECK_ERRNO("G5, fine G21", EINVAL, shmget(key, 5001, IPC_CREAT | 0600));
	CHECK_ERRNO("G5", EINVAL, shmget(key, SIZE_MAX, 0600));
	CHECK_LINE("fine G22", shmget(key, 100, 0600 | 0x00100000) == id);
}

static void test_every_key_is_a_key(void)
{
	static const key_t keys[] = { (key_t)0xffffffff, INT_MIN, INT_MAX, 1, -2 };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		int id = shmget(keys[i], 100, IPC_CREAT | IPC_EXCL | 0600);
		if (id < 0 && errno == EEXIST && !alone())
			continue; /* somebody else's on this kernel */
		CHECK_LINE("G14, fine G23", id >= 0);
		keep_track(id);
		CHECK_LINE("G14, fine G13", stat_of(id).shm_perm.__key == keys[i]);
		CHECK_LINE("G14", shmget(keys[i], 0, 0) == id);
		CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	}
}

/* The mode, also of a segment that its owner may not read. */
static unsigned mode_of(int id)
{
	struct shmid_ds stat;
	return shmctl(id, SHM_STAT_ANY, &stat) == id ? stat.shm_perm.mode : ~0u;
}

static void test_mode(void)
{
	mode_t before = umask(0777);
	for (unsigned mode = 0; mode <= 0777; mode += 7)
		CHECK_LINE("G8, fine G08", mode_of(make_private(100, (int)mode)) == mode);
	umask(before);
	/* Bits that would be SHM_DEST and SHM_LOCKED are flags here: IPC_CREAT, IPC_EXCL. */
	int id = make_segment(fresh_key(), 100, 01777 | 02000);
	CHECK_LINE("G8, fine G25", stat_of(id).shm_perm.mode == 0777);
	id = make_segment(IPC_PRIVATE, 100, 0640 | SHM_NORESERVE | 0x40000000);
	CHECK_LINE("G8, G15, fine G25", stat_of(id).shm_perm.mode == 0640);
}

static void test_fresh_fields(void)
{
	key_t key = fresh_key();
	time_t before = clock_before();
	int id = make_segment(key, 5001, IPC_CREAT | 0640);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("G10, fine G11", stat.shm_ctime >= before && stat.shm_ctime <= clock_after());
	CHECK_LINE("G9, fine G09", stat.shm_segsz == 5001);
	CHECK_LINE("G10, fine G10", stat.shm_nattch == 0);
	CHECK_LINE("G10, fine G10", stat.shm_atime == 0 && stat.shm_dtime == 0);
	CHECK_LINE("G10, fine G10", stat.shm_cpid == getpid() && stat.shm_lpid == 0);
	CHECK_LINE("G10, fine G12",
	           stat.shm_perm.uid == geteuid() && stat.shm_perm.cuid == geteuid());
	CHECK_LINE("G10, fine G12",
	           stat.shm_perm.gid == getegid() && stat.shm_perm.cgid == getegid());
	CHECK_LINE("fine G13", stat.shm_perm.__key == key);
#if defined(__GLIBC__) || defined(__x86_64__) || defined(__aarch64__)
	CHECK_LINE("fine G14", (int)stat.shm_perm.__seq == id / INDEXES);
#endif
}

static void test_memory_of_new(void)
{
	size_t size = page_size() + 100, whole = 2 * page_size();
	unsigned char *memory = attach(make_private(size, 0600));
	size_t zeros = 0;
	for (size_t i = 0; i < whole; i++)
		zeros += memory[i] == 0;
	CHECK_LINE("G9, fine G32", zeros == whole);
	memset(memory, 1, whole);
	CHECK_LINE("G9", memory[whole - 1] == 1);
	CHECK(shmdt(memory) == 0);
}

static void *make_in_thread(void *id)
{
	*(int *)id = make_private(100, 0600);
	return NULL;
}

static void test_creator(void)
{
	pthread_t thread;
	int id = -1;
	CHECK(pthread_create(&thread, NULL, make_in_thread, &id) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_LINE("fine G33", stat_of(id).shm_cpid == getpid());

	key_t key = fresh_key();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(make_segment(key, 100, IPC_CREAT | 0600) < 0);
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	id = shmget(key, 0, 0600);
	CHECK_LINE("fine G37", id >= 0 && stat_of(id).shm_cpid == child);
}

/* Of two ids given one after the other, with nobody else making any. */
static bool follows(int id, int before)
{
	int index = id % INDEXES, index_before = before % INDEXES;
	int sequence = id / INDEXES, sequence_before = before / INDEXES;
	if (index > index_before)
		return sequence == sequence_before;
	return sequence == sequence_before + 1;
}

static void test_ids_do_not_come_back(void)
{
	int first = make_private(100, 0600), before = first, rounds = 0;
	CHECK(shmctl(first, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("G11", EINVAL, shmctl(first, IPC_RMID, NULL));
	CHECK_LINE("G11, fine G30", make_private(100, 0600) % INDEXES != first % INDEXES);

	/* Round the indexes until the first one is in use again. */
	bool in_order = true;
	int id;
	do {
		id = shmget(IPC_PRIVATE, 1, 0600 | SHM_NORESERVE);
		in_order = in_order && id > before && (!alone() || follows(id, before));
		before = id;
		if (id % INDEXES == first % INDEXES)
			break;
		CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	} while (id >= 0 && ++rounds < 2 * INDEXES);
	CHECK_LINE("G11, fine G31", in_order);
	CHECK_LINE("G11", id >= 0 && id % INDEXES == first % INDEXES && id != first);
	keep_track(id);
	struct shmid_ds stat;
	CHECK_ERRNO("G11", EINVAL, shmctl(first, IPC_STAT, &stat));
	CHECK_ERRNO("G11", EINVAL, shmat(first, NULL, 0));
	CHECK_ERRNO("G11", EINVAL, shmctl(first, IPC_RMID, NULL));
	CHECK_LINE("G11", stat_of(id).shm_segsz == 1);
}

static int in_use(void)
{
	struct shm_info use;
	CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&use) >= 0);
	return use.used_ids;
}

/* With many in use the indexes go round later. This comes first in main: segments
 * with indexes at the end would be in the way. */
static void test_range_of_indexes(void)
{
	enum { MANY = 100, ROUNDS = 400 };
	int ids[MANY], highest = 0;
	if (!alone())
		return;
	for (int i = 0; i < MANY; i++)
		ids[i] = make_private(1, 0600);
	int expected = in_use() * 3 / 2 - 1;
	for (int i = 0; i < ROUNDS; i++) {
		int id = make_private(1, 0600);
		if (id % INDEXES > highest)
			highest = id % INDEXES;
		CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	}
	CHECK_LINE("fine S14", expected == 149 && highest == expected);
	for (int i = 0; i < MANY; i++)
		CHECK(shmctl(ids[i], IPC_RMID, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		int id = make_private(1, 0600);
		CHECK_LINE("fine S14", i < 150 || id % INDEXES <= 63);
		CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	}
}

static void test_key_of_removed(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, 100, IPC_CREAT | 0600);
	void *memory = attach(id);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("fine G35", ENOENT, shmget(key, 0, 0600));
	int again = make_segment(key, 200, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("fine G36", again >= 0 && again != id);
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("fine G36", shmget(key, 0, 0600) == again);
}

/* Makes, attaches, detaches and removes one: every call once. */
static bool every_call_works(void)
{
	key_t key = fresh_key();
	int id = shmget(key, 100, IPC_CREAT | 0600);
	if (id < 0)
		return false;
	keep_track(id);
	struct shmid_ds stat;
	void *memory = shmat(id, NULL, 0);
	bool worked =
		memory != (void *)-1 && shmctl(id, IPC_STAT, &stat) == 0 && shmdt(memory) == 0;
	return shmctl(id, IPC_RMID, NULL) == 0 && worked;
}

static void close_everything(void *unused)
{
	(void)unused;
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
	CHECK_LINE("fine G41", every_call_works());
}

static void allow_no_descriptor(void *unused)
{
	(void)unused;
	struct rlimit none = { 0, 0 };
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK_LINE("fine G38", every_call_works());
}

struct new_root {
	char directory[24];
	key_t key;
};

static void change_root(void *root_pointer)
{
	struct new_root *root = root_pointer;
	CHECK(chroot(root->directory) == 0);
	CHECK_LINE("fine G40", shmget(root->key, 0, 0600) >= 0);
	CHECK_LINE("fine G39", every_call_works());
}

static void test_under_another_root(void)
{
	struct new_root root = { "/tmp/madang-root-XXXXXX", fresh_key() };
	make_segment(root.key, 100, IPC_CREAT | 0600);
	CHECK(mkdtemp(root.directory) != NULL);
	CHECK(in_child(change_root, &root));
	rmdir(root.directory);
}

static void test_in_a_bare_process(void)
{
	CHECK(in_child(close_everything, NULL));
	/* Segments are files in user space: without descriptors there are none. */
	if (on_kernel())
		CHECK(in_child(allow_no_descriptor, NULL));
	if (geteuid() == 0)
		test_under_another_root();
}

static void check_huge_segment(int id)
{
	const size_t huge = (size_t)number_in("/proc/meminfo", "Hugepagesize:") << 10;
	keep_track(id);
	CHECK_LINE("fine G62", stat_of(id).shm_segsz == 5000);
	void *memory = attach(id);
	CHECK_LINE("fine G62", (uintptr_t)memory % huge == 0);
	CHECK(shmdt(memory) == 0);
}

static void test_huge_pages(void)
{
	const int two_megabytes = 21 << 26, unheard_of = 13 << 26;
	key_t key = fresh_key();
	int id = shmget(key, 5000, IPC_CREAT | SHM_HUGETLB | two_megabytes | 0600);
	if (id < 0) {
		CHECK_LINE("G13, fine G42", errno == ENOMEM || errno == EPERM || errno == EINVAL);
		CHECK_ERRNO("G13: nothing was made", ENOENT, shmget(key, 0, 0));
	} else {
		check_huge_segment(id);
	}
	/* Without a reservation it can be had though there are no huge pages. */
	id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600);
	if (id >= 0)
		check_huge_segment(id);
	if (geteuid() == 0 && number_in("/proc/meminfo", "HugePages_Total:") == 0 &&
	    number_in("/proc/sys/vm/nr_overcommit_hugepages", "") == 0)
		CHECK_ERRNO("G13, fine G42, G63", ENOMEM,
		            shmget(key, 5000, IPC_CREAT | SHM_HUGETLB | 0600));
	CHECK_ERRNO("fine G43", EINVAL,
	            shmget(key, 5000, IPC_CREAT | SHM_HUGETLB | unheard_of | 0600));
}

/* Memory is promised at creation: on Madang by reserving it, on the kernel by
 * counting it, which depends on how generous the machine was told to be. */
static void test_reservation(void)
{
	int id = make_segment(IPC_PRIVATE, 4 * page_size(), 0600 | SHM_NORESERVE);
	CHECK_LINE("G15", stat_of(id).shm_segsz == 4 * page_size());
	unsigned char *memory = attach(id);
	memset(memory, 7, 4 * page_size());
	CHECK_LINE("G15", memory[4 * page_size() - 1] == 7);
	CHECK(shmdt(memory) == 0);
#if SIZE_MAX > UINT32_MAX
	struct sysinfo machine;
	size_t terabyte = (size_t)1 << 40;
	if (sysinfo(&machine) != 0 ||
	    (machine.totalram + machine.totalswap) * machine.mem_unit >= terabyte)
		return;
	if (!on_kernel() || number_in("/proc/sys/vm/overcommit_memory", "") == 0) {
		CHECK_ERRNO("G4, fine G29", ENOMEM, shmget(IPC_PRIVATE, terabyte, 0600));
		make_segment(IPC_PRIVATE, terabyte, 0600 | SHM_NORESERVE);
	}
#endif
}

int main(void)
{
	begin();
	test_kernel_is_out();
	test_range_of_indexes();
	test_private_key();
	test_absent_key();
	test_exclusive();
	test_size_of_new();
	test_size_of_found();
	test_every_key_is_a_key();
	test_mode();
	test_fresh_fields();
	test_memory_of_new();
	test_creator();
	test_ids_do_not_come_back();
	test_key_of_removed();
	test_in_a_bare_process();
	test_huge_pages();
	test_reservation();
	return test_result();
}

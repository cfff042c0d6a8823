/* SPDX-License-Identifier: MIT */
/*
 * numbers.c - System V objects by the numbers of the system calls, as UCX makes them.
 *
 * The same program runs on the kernel. A call that is not ours has to be passed on unchanged. Two
 * kinds of calls show this: calls that use all arguments of syscall(2), and a call with few
 * arguments, made next to variables that another thread changes.
 */
#include "support/check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>

static long attached(int id)
{
	struct shmid_ds stat = { .shm_nattch = 99 };
	return shmctl(id, IPC_STAT, &stat) == 0 ? (long)stat.shm_nattch : -1;
}

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void test_four_calls(void)
{
	struct shmid_ds stat = { .shm_nattch = 99 };
	int id = (int)syscall(SYS_shmget, IPC_PRIVATE, page(), IPC_CREAT | 0600);
	CHECK(id >= 0);
	char *memory = (char *)syscall(SYS_shmat, id, NULL, 0);
	if (!CHECK((intptr_t)memory != -1))
		return;
	memory[0] = 7;
	CHECK(attached(id) == 1);
	CHECK(syscall(SYS_shmctl, id, IPC_STAT, &stat) == 0);
	CHECK(stat.shm_nattch == 1 && stat.shm_segsz == page() && stat.shm_cpid == getpid());
	stat.shm_perm.mode = 0640;
	CHECK(syscall(SYS_shmctl, id, IPC_SET, &stat) == 0);
	CHECK(shmctl(id, IPC_STAT, &stat) == 0 && (stat.shm_perm.mode & 0777) == 0640);
	CHECK(syscall(SYS_shmdt, memory) == 0);
	CHECK(attached(id) == 0);
	CHECK_ERRNO("syscall", EINVAL, syscall(SYS_shmdt, memory));
	CHECK_ERRNO("syscall", EINVAL, syscall(SYS_shmat, id, (void *)1, 0));
	CHECK(syscall(SYS_shmctl, id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("syscall", EINVAL, syscall(SYS_shmctl, id, IPC_RMID, NULL));
	CHECK_ERRNO("syscall", EINVAL, syscall(SYS_shmget, IPC_PRIVATE, 0, 0600));
}

#if defined(SYS_ipc)

static void test_ipc(void)
{
	enum { SHMAT = 21, SHMDT, SHMGET, SHMCTL, NEW_FORM = 0x100 };
	struct shmid_ds stat = { .shm_nattch = 99 };
	unsigned long memory = 0;
	int id = (int)syscall(SYS_ipc, SHMGET, IPC_PRIVATE, page(), 0600, NULL, 0);
	CHECK(id >= 0);
	CHECK(syscall(SYS_ipc, SHMAT, id, 0, &memory, NULL, 0) == 0 && memory != 0);
	CHECK(syscall(SYS_ipc, SHMCTL, id, IPC_STAT | NEW_FORM, 0, &stat, 0) == 0);
	CHECK(stat.shm_nattch == 1);
	CHECK(syscall(SYS_ipc, SHMDT, 0, 0, 0, memory, 0) == 0);
	CHECK(attached(id) == 0);
	CHECK_ERRNO("ipc", EINVAL, syscall(SYS_ipc, SHMAT | 1 << 16, id, 0, &memory, NULL, 0));
	CHECK(syscall(SYS_ipc, SHMCTL, id, IPC_RMID, 0, NULL, 0) == 0);
}

static void test_ipc_sets(void)
{
	enum { SEMOP = 1, SEMGET, SEMCTL, SEMTIMEDOP, NEW_FORM = 0x100 };
	struct semid_ds stat;
	struct sembuf take = { 1, -4, 0 };
	const long moment[2] = { 0, 1000 };
	union {
		int value;
		void *pointer;
	} argument = { 4 };
	int id = (int)syscall(SYS_ipc, SEMGET, IPC_PRIVATE, 2, 0600, NULL, 0);
	CHECK(id >= 0 && syscall(SYS_ipc, SEMCTL, id, 1, SETVAL, &argument, 0) == 0);
	CHECK(semctl(id, 1, GETVAL) == 4);
	CHECK(syscall(SYS_ipc, SEMOP, id, 1, 0, &take, 0) == 0);
	CHECK(syscall(SYS_ipc, SEMCTL, id, 1, GETVAL, &argument, 0) == 0);
	CHECK_ERRNO("ipc", EAGAIN, syscall(SYS_ipc, SEMTIMEDOP, id, 1, 0, &take, moment));
	argument.pointer = &stat;
	CHECK(syscall(SYS_ipc, SEMCTL, id, 0, IPC_STAT | NEW_FORM, &argument, 0) == 0);
	CHECK(stat.sem_nsems == 2);
	CHECK_ERRNO("ipc", EINVAL, syscall(SYS_ipc, SEMCTL, id, 0, IPC_RMID, NULL, 0));
	CHECK(syscall(SYS_ipc, SEMCTL, id, 0, IPC_RMID, &argument, 0) == 0);
}

static void test_ipc_queues(void)
{
	enum { MSGSND = 11, MSGRCV, MSGGET, MSGCTL, NEW_FORM = 0x100 };
	struct msqid_ds stat;
	struct {
		long type;
		char text[8];
	} message = { 3, "abc" };
	struct {
		void *message;
		long wanted;
	} both = { &message, 0 };
	int id = (int)syscall(SYS_ipc, MSGGET, IPC_PRIVATE, 0600, 0, NULL, 0);
	CHECK(id >= 0 && syscall(SYS_ipc, MSGSND, id, 4, 0, &message, 0) == 0);
	CHECK(syscall(SYS_ipc, MSGRCV, id, 8, 0, &both, 0) == 4);
	CHECK(syscall(SYS_ipc, MSGSND, id, 4, 0, &message, 0) == 0);
	CHECK(syscall(SYS_ipc, MSGCTL, id, IPC_STAT | NEW_FORM, 0, &stat, 0) == 0);
	CHECK(stat.msg_qnum == 1);
	CHECK(syscall(SYS_ipc, MSGRCV | 1 << 16, id, 8, 0, &message, 3) == 4);
	CHECK(syscall(SYS_ipc, MSGCTL, id, IPC_RMID, 0, NULL, 0) == 0);
}

#else
static void test_ipc(void)
{
}

static void test_ipc_sets(void)
{
}

static void test_ipc_queues(void)
{
}
#endif

#if defined(SYS_semget)

static void test_sets(void)
{
	struct semid_ds stat;
	struct sembuf take = { 1, -4, 0 };
	int id = (int)syscall(SYS_semget, IPC_PRIVATE, 2, 0600);
	CHECK(id >= 0 && syscall(SYS_semctl, id, 1, SETVAL, 4) == 0 && semctl(id, 1, GETVAL) == 4);
	CHECK(syscall(SYS_semctl, id, 0, IPC_STAT, &stat) == 0 && stat.sem_nsems == 2);
#if defined(SYS_semop)
	const struct timespec moment = { 0, 1000 };
	CHECK(syscall(SYS_semop, id, &take, 1) == 0);
	CHECK_ERRNO("syscall", EAGAIN, syscall(SYS_semtimedop, id, &take, 1, &moment));
#elif defined(SYS_semtimedop_time64)
	const int64_t moment[2] = { 0, 1000 };
	CHECK(syscall(SYS_semtimedop_time64, id, &take, 1, NULL) == 0);
	CHECK_ERRNO("syscall", EAGAIN, syscall(SYS_semtimedop_time64, id, &take, 1, moment));
#endif
	CHECK(syscall(SYS_semctl, id, 1, GETVAL) == 0);
	CHECK(syscall(SYS_semctl, id, 0, IPC_RMID) == 0);
	CHECK_ERRNO("syscall", EINVAL, semctl(id, 1, GETVAL));
}

static void test_queues(void)
{
	struct msqid_ds stat;
	struct {
		long type;
		char text[8];
	} message = { 3, "abc" };
	int id = (int)syscall(SYS_msgget, IPC_PRIVATE, 0600);
	CHECK(id >= 0 && syscall(SYS_msgsnd, id, &message, 4, 0) == 0);
	CHECK(syscall(SYS_msgctl, id, IPC_STAT, &stat) == 0 && stat.msg_qnum == 1);
	CHECK(msgctl(id, IPC_STAT, &stat) == 0 && stat.msg_qnum == 1);
	CHECK(syscall(SYS_msgrcv, id, &message, 8, 3, 0) == 4);
	CHECK_ERRNO("syscall", ENOMSG, syscall(SYS_msgrcv, id, &message, 8, 0, IPC_NOWAIT));
	CHECK(syscall(SYS_msgctl, id, IPC_RMID, NULL) == 0);
}

#endif

/* A program that unmaps an attachment by number has detached it. */
static void test_mappings(void)
{
	int id = shmget(IPC_PRIVATE, 2 * page(), 0600);
	char *memory = shmat(id, NULL, 0);
	CHECK((intptr_t)memory != -1);
	CHECK(syscall(SYS_munmap, memory, page()) == 0 && attached(id) == 1);
#if defined(SYS_mmap2)
	long over = syscall(SYS_mmap2, memory + page(), page(), PROT_READ,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#else
	long over = syscall(SYS_mmap, memory + page(), page(), PROT_READ,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#endif
	CHECK(over == (long)(memory + page()) && attached(id) == 0);
	CHECK(syscall(SYS_munmap, memory + page(), page()) == 0);
	memory = shmat(id, NULL, 0);
	char *room = mmap(NULL, 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(syscall(SYS_mremap, memory, 2 * page(), 2 * page(), MREMAP_MAYMOVE | MREMAP_FIXED,
	              room) == (long)room);
	CHECK(attached(id) == 1 && shmdt(room) == 0 && attached(id) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("mapping", EINVAL, syscall(SYS_munmap, (void *)1, page()));
}

/* ---- calls that are not ours --------------------------------------------------------- */

static void test_six_arguments(void)
{
	char name[] = "/tmp/madang-numbers-XXXXXX";
	int fd = mkstemp(name);
	CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, (off_t)(3 * page())) == 0);
	CHECK(pwrite(fd, "six", 4, (off_t)(2 * page())) == 4);
#if defined(SYS_mmap2)
	char *memory = (char *)syscall(SYS_mmap2, NULL, page(), PROT_READ, MAP_SHARED, fd,
	                               2 * page() / 4096);
#else
	char *memory =
		(char *)syscall(SYS_mmap, NULL, page(), PROT_READ, MAP_SHARED, fd, 2 * page());
#endif
	CHECK((intptr_t)memory != -1 && strcmp(memory, "six") == 0);
	CHECK(syscall(SYS_munmap, memory, page()) == 0);
	CHECK(syscall(SYS_close, fd) == 0);
	CHECK_ERRNO("syscall", EBADF, syscall(SYS_close, fd));
	CHECK_ERRNO("syscall", ENOSYS, syscall(100000));
	CHECK_ERRNO("syscall", ENOSYS, syscall(-1L));
	errno = 123;
	CHECK(syscall(SYS_getppid) == getppid() && errno == 123);
}

/* Another thread counts in variables that lie where further arguments would. */
enum { WORDS = 8, ROUNDS = 200000 };
static _Atomic int stop;

static void *count(void *words)
{
	volatile long *counts = words;
	long rounds = 0;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		rounds++;
		for (int i = 0; i < WORDS; i++)
			counts[i] = rounds;
	}
	for (int i = 0; i < WORDS; i++)
		counts[i] = -1;
	/* From here on nobody writes them. */
	return NULL;
}

/* The frame of the caller begins with the words, as few compilers would not have it. */
static void __attribute__((noinline)) test_neighbours(void)
{
	volatile long words[WORDS] = { 0 };
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, count, (void *)(uintptr_t)words) == 0);
	for (int i = 0; i < ROUNDS; i++)
		(void)syscall(SYS_getppid);
	atomic_store(&stop, 1);
	for (int i = 0; i < ROUNDS / 100; i++)
		(void)syscall(SYS_getppid);
	pthread_join(thread, NULL);
	for (int i = 0; i < WORDS; i++)
		CHECK(words[i] == -1);
}

/* ---- signals ---------------------------------------------------------------------------- */

static int signalled_id;
static volatile sig_atomic_t handled, wrong;

static void attach_by_number(int signal)
{
	(void)signal;
	int before = errno;
	long memory = syscall(SYS_shmat, signalled_id, NULL, 0);
	wrong |= memory == -1 || syscall(SYS_shmdt, memory) != 0;
	handled++;
	errno = before;
}

static void test_in_handler(void)
{
	struct sigaction action = { .sa_handler = attach_by_number };
	signalled_id = shmget(IPC_PRIVATE, 1, 0600);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	for (int i = 0; i < 100; i++) {
		long memory = syscall(SYS_shmat, signalled_id, NULL, 0);
		CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1) == 0);
		CHECK(syscall(SYS_shmdt, memory) == 0);
	}
	CHECK(handled == 100 && !wrong && attached(signalled_id) == 0);
	CHECK(shmctl(signalled_id, IPC_RMID, NULL) == 0);
}

/* ---- the table of /proc ------------------------------------------------------------------ */

static bool lists(long fd, int id)
{
	static char text[1 << 16];
	char wanted[32];
	size_t filled = 0;
	ssize_t got;
	if (!CHECK(fd >= 0))
		return false;
	while ((got = read((int)fd, text + filled, sizeof(text) - 1 - filled)) > 0)
		filled += (size_t)got;
	text[filled] = '\0';
	close((int)fd);
	snprintf(wanted, sizeof(wanted), " %10d ", id);
	return strstr(text, wanted) != NULL;
}

/* As programs open it that are careful where a path leads. */
static void test_opened(void)
{
	static const char path[] = "/proc/sysvipc/shm";
	struct {
		uint64_t flags, mode, resolve;
	} how = { O_RDONLY | O_CLOEXEC, 0, 0x04 };
	int id = shmget(IPC_PRIVATE, 1, 0600);
	CHECK(lists(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY), id));
#if defined(SYS_open)
	CHECK(lists(syscall(SYS_open, path, O_RDONLY), id));
#endif
	long fd = syscall(437 /* openat2 */, AT_FDCWD, path, &how, sizeof(how));
	if (fd >= 0 || errno != ENOSYS) {
		CHECK(fcntl((int)fd, F_GETFD) == FD_CLOEXEC);
		CHECK(lists(fd, id));
		how.resolve = 0x08; /* RESOLVE_BENEATH */
		CHECK_ERRNO("not below", EXDEV, syscall(437, AT_FDCWD, path, &how, sizeof(how)));
	}
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

int main(void)
{
#if !defined(SYS_shmget)
	SKIP("this machine has no such numbers");
#else
	test_four_calls();
	test_sets();
	test_queues();
	test_ipc();
	test_ipc_sets();
	test_ipc_queues();
	test_mappings();
	test_six_arguments();
	test_neighbours();
	test_in_handler();
	test_opened();
	return test_result();
#endif
}

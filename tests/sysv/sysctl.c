/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c - the limits and shm_next_id, set as programs set them: by writing to the
 * files of /proc/sys/kernel (fine S01 to S16, S60, S62).
 *
 * Opened, written and read in every way that readers and writers have, by one process
 * and seen by others; and what the kernel refuses is not taken over. Only whether the
 * write says so differs: a write goes past us, so what is nonsense is left out later.
 * On the kernel it needs root and an IPC namespace of its own.
 */
#include "support/segments.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DIRECTORY "/proc/sys/kernel/"
#define NEXT_ID   DIRECTORY "shm_next_id"
#define SHMMNI    DIRECTORY "shmmni"
#define SHMMAX    DIRECTORY "shmmax"
#define SHMALL    DIRECTORY "shmall"
#define FORCED    DIRECTORY "shm_rmid_forced"

/* ---- reading and writing ------------------------------------------------------------ */

static const char *text_of_fd(int fd)
{
	static char text[64];
	ssize_t got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

static const char *text_of(const char *path)
{
	int fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	const char *text = text_of_fd(fd);
	close(fd);
	return text;
}

static bool says(const char *path, const char *text)
{
	const char *got = text_of(path);
	bool same = strcmp(got, text) == 0;
	if (!same)
		fprintf(stderr, "%s says '%s', not '%s'\n", path, got, text);
	return same;
}

/* As `echo -n`; what is not taken over fails on the kernel. */
static void write_text(const char *path, const char *text, bool is_valid)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	CHECK(fd >= 0);
	ssize_t written = write(fd, text, strlen(text));
	CHECK(written > 0 || (!is_valid && on_kernel()));
	CHECK(close(fd) == 0);
}

static void set(const char *path, const char *text)
{
	write_text(path, text, true);
}

static int make(void)
{
	return make_private(1, 0600);
}

static int index_of(int id)
{
	return id % 32768;
}

/* ---- shm_next_id ---------------------------------------------------------------------- */

static void test_next_id(void)
{
	CHECK_LINE("fine S60", says(NEXT_ID, "-1\n"));
	int usual = make();
	set(NEXT_ID, "4029");
	CHECK_LINE("fine S16", says(NEXT_ID, "4029\n"));
	int id = make();
	CHECK_LINE("fine S16", id == 4029 && says(NEXT_ID, "-1\n"));
	CHECK_LINE("the others go on where they were", index_of(make()) == index_of(usual) + 1);

	set(NEXT_ID, "4029\n");
	CHECK_LINE("taken: the next index", make() == 4030);
	set(NEXT_ID, "2147483647");
	CHECK_LINE("the last one", make() == 2147483647);
	set(NEXT_ID, "32767");
	CHECK_ERRNO("taken, and none behind it", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
	CHECK(says(NEXT_ID, "-1\n"));
	CHECK(make() >= 0);

	/* With a sequence of its own, and by key. */
	key_t key = fresh_key();
	set(NEXT_ID, "98000");
	int keyed = make_segment(key, 100, IPC_CREAT | 0600);
	CHECK(keyed == 98000 && shmget(key, 0, 0) == keyed);
	struct shmid_ds status = stat_of(keyed);
	CHECK(status.shm_perm.__seq == 2);
	char *memory = attach(keyed);
	memory[99] = 7;
	CHECK(shmdt(memory) == 0);

	/* Only a segment that is made uses it up. */
	set(NEXT_ID, "5000");
	CHECK(shmget(key, 0, IPC_CREAT | 0600) == keyed);
	CHECK_ERRNO("no size", EINVAL, shmget(IPC_PRIVATE, 0, 0600));
	if (sizeof(size_t) == 8)
		CHECK_ERRNO("too large", ENOMEM, shmget(IPC_PRIVATE, (size_t)-1 >> 2, 0600));
	CHECK(says(NEXT_ID, "5000\n"));
	CHECK(make() == 5000);
}

/* Another process removes the segment, and makes one with the same id. */
static pid_t begin_replacing(int *ret_tell)
{
	int told[2], id;
	CHECK(pipe(told) == 0);
	*ret_tell = told[1];
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	check_failures = 0;
	CHECK(read(told[0], &id, sizeof(id)) == sizeof(id));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	set(NEXT_ID, "70001");
	CHECK(shmget(IPC_PRIVATE, 20000, 0600) == id);
	char *memory = attach(id);
	memory[0] = 'b';
	_exit(test_result());
}

/* The id of a segment that is gone: a new one, also for who knew the old one. */
static void test_same_id_again(void)
{
	int tell, status = -1;
	pid_t other = begin_replacing(&tell);
	set(NEXT_ID, "70001");
	int id = make_private(20000, 0600);
	char *memory = attach(id);
	memory[0] = 'a';
	CHECK(shmdt(memory) == 0);
	memory = attach(id); /* by now a library may keep the file open */
	CHECK(shmdt(memory) == 0);
	CHECK(write(tell, &id, sizeof(id)) == sizeof(id));
	CHECK(waitpid(other, &status, 0) == other && status == 0);
	memory = attach(id);
	CHECK(memory[0] == 'b' && memory[1] == 0);
	CHECK(stat_of(id).shm_nattch == 1);
	CHECK(shmdt(memory) == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void test_nonsense(void)
{
	static const char *const nonsense[] = { "-1",
		                                "-2",
		                                "abc",
		                                "12abc",
		                                "+7",
		                                "2147483648",
		                                "99999999999999999999999",
		                                "\n",
		                                "0x",
		                                "9,5",
		                                "00000000000000000000000000000000012" };
	set(NEXT_ID, "77");
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		write_text(NEXT_ID, nonsense[i], false);
		CHECK(says(NEXT_ID, "77\n"));
	}
	static const char *const sense[][2] = { { " 12", "12\n" },  { "12 \n", "12\n" },
		                                { "0x10", "16\n" }, { "010", "8\n" },
		                                { "0", "0\n" },     { "\t5 6", "5\n" } };
	for (size_t i = 0; i < sizeof(sense) / sizeof(sense[0]); i++) {
		set(NEXT_ID, sense[i][0]);
		CHECK(says(NEXT_ID, sense[i][1]));
	}
	CHECK(make() >= 0); /* uses it up */

	set(SHMMNI, "4096");
	write_text(SHMMNI, "32769", false);
	write_text(SHMMNI, "-1", false);
	CHECK(says(SHMMNI, "4096\n"));
	char before[64];
	strcpy(before, text_of(SHMMAX));
	write_text(SHMMAX, "18446744073709551616", false);
	CHECK(says(SHMMAX, before));
}

/* One descriptor, kept open: written, used, read, written again. */
static void test_one_descriptor(void)
{
	char byte;
	int lowest = dup(0);
	close(lowest);
	int fd = open(NEXT_ID, O_RDWR | O_CLOEXEC);
	CHECK(fd == lowest && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(write(fd, "6001", 4) == 4);
	CHECK(make() == 6001);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && strcmp(text_of_fd(fd), "-1\n") == 0);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "62", 2) == 2);
	CHECK(make() == 62); /* and not what was there before, overwritten in part */
	CHECK(ftruncate(fd, 0) == 0 || !on_kernel());
	CHECK(says(NEXT_ID, "-1\n"));
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "6003\n", 5) == 5);
	CHECK(says(NEXT_ID, "6003\n"));
	CHECK(make() == 6003);
	CHECK(close(fd) == 0);

	fd = open(NEXT_ID, O_WRONLY);
	CHECK(fd == lowest && fcntl(fd, F_GETFD) == 0);
	CHECK_ERRNO("for writing only", EBADF, read(fd, &byte, 1));
	CHECK(close(fd) == 0);
	CHECK(dup(0) == lowest && close(lowest) == 0);
}

/* As the C library's streams, sysctl(8) and shells do it. */
static void test_streams(void)
{
	static const char *const modes[] = { "w", "r+", "a", "we" };
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		FILE *stream = fopen(NEXT_ID, modes[i]);
		CHECK(stream != NULL);
		if (stream == NULL)
			continue;
		CHECK(fprintf(stream, "%zu\n", 7000 + i) > 0 && fclose(stream) == 0);
		CHECK(make() == 7000 + (int)i);
	}
	FILE *stream = fopen("/dev/null", "r");
	CHECK(stream != NULL);
	stream = freopen(NEXT_ID, "w", stream);
	CHECK(stream != NULL && fputs("7100", stream) >= 0 && fclose(stream) == 0);
	CHECK(make() == 7100);
	/* Where a shell is inside, too: not if this program is linked with Madang alone, or is
	 * of another word size or C library than the shell. */
	set(NEXT_ID, "7199");
	if (system("test \"$(cat " NEXT_ID ")\" = 7199 2> /dev/null") == 0)
		CHECK(system("echo 7200 > " NEXT_ID) == 0 && make() == 7200);
	else
		CHECK(!on_kernel() && make() == 7199);
}

/* ---- limits --------------------------------------------------------------------------- */

static struct shminfo limits(void)
{
	struct shminfo info = { 0 };
	CHECK(shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&info) >= 0);
	return info;
}

static void see_small_limits(void *unused)
{
	(void)unused;
	CHECK(says(SHMMAX, "8192\n") && limits().shmmax == 8192);
	CHECK_ERRNO("fine S01", EINVAL, shmget(IPC_PRIVATE, 8193, 0600));
	CHECK_LINE("fine S02", make_private(8192, 0600) >= 0);
}

static void test_sizes(void)
{
	char before[64];
	strcpy(before, text_of(SHMMAX));
	key_t key = fresh_key();
	int large = make_segment(key, 100000, IPC_CREAT | 0600);
	set(SHMMAX, "8192");
	see_small_limits(NULL);
	CHECK_LINE("fine S62: all at once", in_child(see_small_limits, NULL));
	CHECK_LINE("fine S03",
	           shmget(key, 100000, 0) == large && stat_of(large).shm_segsz == 100000);
	set(SHMMAX, "0");
	CHECK_ERRNO("not even a byte", EINVAL, shmget(IPC_PRIVATE, 1, 0600));
	set(SHMMAX, before);
	CHECK(says(SHMMAX, before));
	CHECK(make_private(8193, 0600) >= 0);

	strcpy(before, text_of(SHMALL));
	struct shm_info used;
	char text[32];
	CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&used) >= 0);
	snprintf(text, sizeof(text), "%lu", used.shm_tot + 2);
	set(SHMALL, text);
	CHECK(limits().shmall == used.shm_tot + 2);
	CHECK_ERRNO("fine S06", ENOSPC, shmget(IPC_PRIVATE, 3 * page_size(), 0600));
	int last = make_private(2 * page_size(), 0600);
	CHECK_ERRNO("fine S06", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
	CHECK(shmctl(last, IPC_RMID, NULL) == 0);
	CHECK_LINE("fine S09", make() >= 0);
	set(SHMALL, before);
	CHECK(says(SHMALL, before));
}

static void make_until_refused(void *left)
{
	for (int i = 0; i < *(int *)left; i++)
		CHECK_LINE("fine S10", make() >= 0);
	CHECK_ERRNO("fine S10", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
}

static void test_number(void)
{
	struct shm_info used;
	char text[32];
	int left = 10;
	CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&used) >= 0);
	snprintf(text, sizeof(text), "%d\n", used.used_ids + left);
	set(SHMMNI, text);
	CHECK(says(SHMMNI, text));
	struct shminfo info = limits();
	CHECK_LINE("fine S61",
	           (int)info.shmmni == used.used_ids + left && info.shmseg == info.shmmni);
	CHECK(in_child(make_until_refused, &left));
	CHECK_ERRNO("fine S10", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
	set(SHMMNI, "3");
	CHECK_LINE("fine S13", exists(segments_tracked->id[0]));
	CHECK_ERRNO("fine S13", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
	set(NEXT_ID, "31000");
	CHECK_ERRNO("the number comes first", ENOSPC, shmget(IPC_PRIVATE, 1, 0600));
	CHECK(says(NEXT_ID, "31000\n"));
	/* S63: as far as ids go. */
	set(SHMMNI, "32768");
	CHECK(limits().shmmni == 32768 && make() == 31000);
	set(SHMMNI, "4096");
}

/* ---- by other paths --------------------------------------------------------------------- */

/* What leads to the same file is the same file. */
static void test_other_paths(void)
{
	static const char *const paths[] = { "/proc/sys/kernel/../kernel/shm_next_id",
		                             "/proc//sys/./kernel/shm_next_id",
		                             "/proc/self/root/proc/sys/kernel/shm_next_id" };
	int id = 8300, here = open(".", O_RDONLY | O_DIRECTORY);
	int directory = open(DIRECTORY, O_RDONLY | O_DIRECTORY);
	char text[16];
	if (faccessat(directory, "shm_next_id", F_OK, 0) != 0)
		return; /* this kernel has none, and so nothing that leads there */
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++, id++) {
		snprintf(text, sizeof(text), "%d", id);
		set(paths[i], text);
		CHECK_LINE(paths[i], make() == id);
	}
	int fd = openat(directory, "shm_next_id", O_WRONLY);
	CHECK(write(fd, "8310", 4) == 4 && close(fd) == 0 && make() == 8310);
	CHECK(chdir(DIRECTORY) == 0);
	set("shm_next_id", "8311");
	CHECK(make() == 8311);
	CHECK(says("shm_next_id", "-1\n"));
	FILE *stream = fopen("./shm_next_id", "w");
	CHECK(stream != NULL && fputs("8312", stream) >= 0 && fclose(stream) == 0);
	CHECK(make() == 8312);
	CHECK(fchdir(here) == 0 && close(here) == 0 && close(directory) == 0);
	/* Another file of that name is another file. */
	CHECK_ERRNO("none there", ENOENT, open("/proc/self/shm_next_id", O_RDONLY));
}

/* ---- who may, and who dies ------------------------------------------------------------- */

static void as_another(void *unused)
{
	static const char *const paths[] = { SHMMAX, SHMALL, SHMMNI, NEXT_ID, FORCED };
	(void)unused;
	CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		CHECK_ERRNO("not his", EACCES, open(paths[i], O_WRONLY));
		CHECK_ERRNO("not his", EACCES, open(paths[i], O_RDWR | O_TRUNC));
		CHECK_ERRNO("not his", EACCES, access(paths[i], W_OK));
		CHECK_ERRNO("nobody's", EEXIST, open(paths[i], O_RDWR | O_CREAT | O_EXCL, 0600));
		FILE *stream = fopen(paths[i], "w");
		CHECK(stream == NULL);
		CHECK(access(paths[i], R_OK) == 0);
	}
}

static void test_rights(void)
{
	CHECK(access(NEXT_ID, R_OK | W_OK) == 0 && access(SHMMNI, W_OK) == 0);
	CHECK_ERRNO("no program", EACCES, access(NEXT_ID, X_OK));
	CHECK_ERRNO("no directory", ENOTDIR, open(NEXT_ID, O_RDONLY | O_DIRECTORY));
	CHECK(strcmp(text_of(FORCED), "0\n") == 0);
	if (!on_kernel())
		CHECK_ERRNO("not to be had", EACCES, open(FORCED, O_WRONLY));
	/* A private namespace is closed to others, who say so in another way. */
	if (geteuid() == 0)
		CHECK(in_child(as_another, NULL));
}

#ifdef SHARED_NAMESPACE
/* What the owner has written holds for everybody, also for who comes to know it first. */
static void make_as_another(void *unused)
{
	(void)unused;
	CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	CHECK(make() == 8100);
	CHECK(says(NEXT_ID, "-1\n"));
	int next = make();
	CHECK(next >= 0 && next != 8100 && next != 8101);
}

static void test_others(void)
{
	if (geteuid() != 0)
		return;
	set(NEXT_ID, "8100");
	CHECK(in_child(make_as_another, NULL));
	CHECK(says(NEXT_ID, "-1\n"));
	set(NEXT_ID, "8101");
	CHECK(make() == 8101);
	CHECK(in_child(as_another, NULL));
}
#else
static void test_others(void)
{
}
#endif

/* Killed between its writes, with the file open: what it wrote counts. */
static void test_death(void)
{
	int ready[2];
	char byte;
	CHECK(pipe(ready) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(NEXT_ID, O_RDWR | O_TRUNC);
		if (write(fd, "8001", 4) != 4 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(make() == 8001 && says(NEXT_ID, "-1\n"));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	int next = make();
	CHECK(next >= 0 && next != 8001);
	set(NEXT_ID, "8002");
	CHECK(make() == 8002);
}

/* Takes over what was written, and is killed in the middle: at its first system call that has the
 * number call[0] and the second argument call[1] (0: any). Not every C library comes with
 * <linux/filter.h> and <linux/seccomp.h>. */
static void dies_at(const int call[2])
{
	enum { NUMBER = 0, SECOND = 24 + 4 * (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) };
	const struct {
		uint16_t code;
		uint8_t jt, jf;
		uint32_t k;
	} list[] = {
		{ 0x20, 0, 0, NUMBER }, /* load */
		{ 0x15, 0, 2, (uint32_t)call[0] },
		{ 0x20, 0, 0, SECOND },
		{ 0x15, 1, call[1] == 0 ? 1 : 0, (uint32_t)call[1] },
		{ 0x06, 0, 0, 0x7fff0000 }, /* allow */
		{ 0x06, 0, 0, 0x80000000 }, /* kill the process */
	};
	const struct {
		unsigned short length;
		const void *list;
	} program = { 6, list };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, 2, &program, 0, 0) != 0)
		_exit(77);
	(void)make();
	_exit(1); /* nobody killed us */
}

/* Whoever takes a value over is killed on the way: the next one does it. */
static void test_death_of_reader(void)
{
#if defined(SYS_fcntl64)
	const int lock_asked[2] = { SYS_fcntl64, F_OFD_GETLK };
#else
	const int lock_asked[2] = { SYS_fcntl, F_OFD_GETLK };
#endif
	const int read_there[2] = { SYS_pread64, 0 };
	const int *const calls[] = { lock_asked, read_there };
	for (int i = 0; i < 2 && !on_kernel(); i++) {
		char text[16];
		int status;
		snprintf(text, sizeof(text), "%d", 8200 + i);
		set(NEXT_ID, text);
		pid_t pid = fork();
		if (pid == 0)
			dies_at(calls[i]);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			puts("not tried: no filter of system calls here");
		else
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		CHECK_LINE("the next one takes it over", make() == 8200 + i);
	}
}

int main(void)
{
	begin();
	if (!alone() || (on_kernel() && geteuid() != 0))
		SKIP("the kernel's limits can only be set by root, in an IPC namespace");
	if (open(NEXT_ID, O_RDONLY) < 0 && on_kernel())
		SKIP("this kernel has no shm_next_id");
	test_next_id();
	test_same_id_again();
	test_nonsense();
	test_one_descriptor();
	test_streams();
	test_sizes();
	test_number();
	test_other_paths();
	test_rights();
	test_others();
	test_death();
	test_death_of_reader();
	return test_result();
}

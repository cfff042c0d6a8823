/* SPDX-License-Identifier: MIT */
/*
 * L7: shared memory and the program's descriptors leave each other alone.
 *
 * One half: no call takes a low descriptor, or leaves one open over exec. The
 * other half: a process that closes every descriptor, or puts other files in
 * their place, as daemons do, stays attached, is counted, and may go on making
 * every call.
 *
 * The test's own pipes lie at 0 and 1 in such processes (peer.h). Processes
 * that close everything and then exec are in exec.c.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define FAILED ((void *)-1)

enum { LOW = 256 }; /* no descriptor of the library's may be below, but see low_limit() */

static size_t page;

/* ---- what the program has open ----------------------------------------- */

struct view {
	int lowest_free;
	bool is_open[LOW];
};

static struct view look(void)
{
	struct view view;
	for (int fd = 0; fd < LOW; fd++)
		view.is_open[fd] = fcntl(fd, F_GETFD) >= 0;
	view.lowest_free = fcntl(2, F_DUPFD, 0);
	close(view.lowest_free);
	return view;
}

static struct view view_before;

/* CHECK that a call works, and that the descriptors are what they were. */
#define CHECK_QUIET(expression)                                                                    \
	do {                                                                                       \
		view_before = look();                                                              \
		CHECK(expression);                                                                 \
		unchanged(#expression);                                                            \
	} while (0)

static void unchanged(const char *call)
{
	struct view now = look();
	if (!CHECK_LINE("L7", now.lowest_free == view_before.lowest_free &&
	                              memcmp(now.is_open, view_before.is_open, LOW) == 0))
		fprintf(stderr, "  after %s: lowest free descriptor %d, was %d\n", call,
		        now.lowest_free, view_before.lowest_free);
}

/* Calls f for each open descriptor from 3 up. */
static void each_descriptor(void (*f)(int fd))
{
	int list[512], count = 0;
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	while (directory != NULL && (entry = readdir(directory)) != NULL && count < 512) {
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd > 2 && fd != dirfd(directory))
			list[count++] = fd;
	}
	if (directory != NULL)
		closedir(directory);
	for (int i = 0; i < count; i++)
		f(list[i]);
}

static bool was_there[65536];

static void note(int fd)
{
	if (fd < 65536)
		was_there[fd] = true;
}

static void must_close_on_exec(int fd)
{
	if (fd < 65536 && !was_there[fd])
		CHECK_LINE("L7", (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void quiet_child(void *arg)
{
	const int *id = arg;
	void *memory = FAILED;
	unchanged("fork, in the child");
	CHECK_QUIET((memory = shmat(*id, NULL, 0)) != FAILED);
	CHECK_QUIET(shmdt(memory) == 0);
}

/* The first calls of this process are among these. */
static void calls_are_quiet(void)
{
	key_t key = IPC_PRIVATE;
	struct shmid_ds stat;
	void *one = FAILED, *two = FAILED, *three = FAILED;
	int id = -1;
	each_descriptor(note);
	CHECK_QUIET((key = fresh_key()) != IPC_PRIVATE);
	CHECK_QUIET((id = shmget(key, 3 * page, IPC_CREAT | 0600)) >= 0);
	keep_track(id);
	CHECK_QUIET(shmget(key, 0, 0600) == id);
	CHECK_QUIET((one = shmat(id, NULL, 0)) != FAILED);
	CHECK_QUIET((two = shmat(id, NULL, SHM_RDONLY)) != FAILED);
	CHECK_QUIET((three = shmat(id, NULL, 0)) != FAILED);
	CHECK_QUIET(shmctl(id, IPC_STAT, &stat) == 0);
	CHECK_QUIET(shmctl(id, IPC_SET, &stat) == 0);
	CHECK_QUIET(shmctl(0, SHM_INFO, &stat) >= 0);
	CHECK_QUIET(shmdt(one) == 0);
	CHECK_QUIET(in_child(quiet_child, &id));
	CHECK_QUIET(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_QUIET((one = shmat(id, NULL, 0)) != FAILED);
	CHECK_QUIET(shmdt(one) == 0);
	CHECK_QUIET(munmap(two, 3 * page) == 0);
	CHECK_QUIET(shmdt(three) == 0 && shmctl(id, IPC_RMID, NULL) == -1);
	CHECK_QUIET(shmget(key, 0, 0) == -1);
	each_descriptor(must_close_on_exec);
}

/* Even descriptors 0 and 1 stay free, and a low limit on their number changes nothing. */
static void low_limit(void *arg)
{
	(void)arg;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 64) {
		limit.rlim_cur = 64;
		CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	}
	close(0);
	close(1);
	int next = fcntl(2, F_DUPFD, 3); /* the lowest free one above */
	close(next);
	int id = shmget(IPC_PRIVATE, page, 0600);
	void *memory = shmat(id, NULL, 0);
	CHECK_LINE("L7", id >= 0 && memory != FAILED);
	CHECK_LINE("L7",
	           fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(next, F_GETFD) < 0);
	CHECK_LINE("L7", attached(id) == 1 && shmdt(memory) == 0);
	CHECK_LINE("L7", shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("L7",
	           fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(next, F_GETFD) < 0);
}

/* Where the high ones are used up, those that the program has left serve as well. */
static void each_one_serves(void *arg)
{
	(void)arg;
	enum { LIMIT = 48, USED = 16, SEGMENTS = LIMIT - USED };
	struct rlimit limit = { LIMIT, LIMIT };
	void *memory[SEGMENTS];
	int ids[SEGMENTS], attached_ones = 0;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	close(0);
	for (int i = 0; i < SEGMENTS; i++) {
		ids[i] = shmget(IPC_PRIVATE, page, 0600);
		memory[i] = shmat(ids[i], NULL, 0);
		attached_ones += memory[i] != FAILED;
		CHECK(shmctl(ids[i], IPC_RMID, NULL) == 0);
	}
	CHECK(attached_ones == SEGMENTS);
	CHECK_LINE("L7", fcntl(0, F_GETFD) < 0);
	for (int i = 0; i < SEGMENTS; i++)
		CHECK(memory[i] == FAILED || shmdt(memory[i]) == 0);
}

/* ---- closing and replacing them ---------------------------------------- */

static void replace(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != fd) {
		dup2(null, fd);
		close(null);
	}
}

static void must_be_null(int fd)
{
	struct stat stat;
	if (fd >= 65536 || !was_there[fd])
		return;
	CHECK_LINE("L7",
	           fstat(fd, &stat) == 0 && S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(1, 3));
}

static void close_each(int fd)
{
	close(fd);
}

enum closing { BY_LOOP, BY_RANGE, BY_LIST, BY_REPLACING };

static void close_all(enum closing how)
{
	switch (how) {
	case BY_RANGE:
#ifdef SYS_close_range
		if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
			return;
#endif
		/* fall through */
	case BY_LOOP:
		for (int fd = 3; fd < 65536; fd++)
			close(fd);
		return;
	case BY_LIST:
		each_descriptor(close_each);
		return;
	case BY_REPLACING:
		memset(was_there, 0, sizeof(was_there));
		each_descriptor(replace);
		each_descriptor(note);
		return;
	}
}

struct closer {
	int id;
	enum closing how;
	bool inherits;
};

/* Every call again, from a process whose descriptors are gone. */
static void go_on(int id)
{
	int before = attached(id);
	char *memory = shmat(id, NULL, 0);
	CHECK_LINE("L7", memory != FAILED && strcmp(memory, "kept") == 0);
	CHECK_LINE("L7", attached(id) == before + 1);
	CHECK_LINE("L7", shmdt(memory) == 0 && attached(id) == before);
	int own = shmget(IPC_PRIVATE, page, 0600);
	memory = shmat(own, NULL, 0);
	CHECK_LINE("L7", own >= 0 && memory != FAILED && attached(own) == 1);
	CHECK_LINE("L7", shmctl(own, IPC_RMID, NULL) == 0 && shmdt(memory) == 0 && !exists(own));
}

static void close_and_go_on(struct peer *test, void *arg)
{
	struct closer *self = arg;
	if (!self->inherits)
		attach(self->id);
	close_all(self->how);
	peer_say(test);
	peer_hear(test);
	go_on(self->id);
	if (self->how == BY_REPLACING)
		each_descriptor(must_be_null);
	close_all(self->how); /* also what was opened since */
	peer_say(test);
	peer_hear(test);
}

static void closers(bool inherits, bool is_killed)
{
	unsigned before = inherits ? 1 : 0;
	for (enum closing how = BY_LOOP; how <= BY_REPLACING; how++) {
		struct closer self = { make_private(page, 0600), how, inherits };
		char *memory = attach(self.id);
		strcpy(memory, "kept");
		if (!inherits)
			CHECK(shmdt(memory) == 0);
		struct peer child = peer_start(close_and_go_on, &self);
		CHECK(peer_hear(&child));
		CHECK_LINE("L7", stat_of(self.id).shm_nattch == before + 1);
		peer_say(&child);
		CHECK(peer_hear(&child));
		CHECK_LINE("L7", stat_of(self.id).shm_nattch == before + 1);
		if (is_killed)
			kill(child.pid, SIGKILL);
		else
			peer_say(&child);
		await_zombie(child.pid);
		struct shmid_ds stat = stat_of(self.id);
		CHECK_LINE("L7", stat.shm_nattch == before && stat.shm_lpid == child.pid);
		CHECK_LINE("L7", peer_join(&child) == (is_killed ? 128 + SIGKILL : 0));
		if (inherits)
			CHECK_LINE("L7", shmdt(memory) == 0 && attached(self.id) == 0);
	}
}

/* ---- and their children ------------------------------------------------ */

struct family {
	int id;
	pid_t daemon;
};

static void become_daemon(struct peer *test, void *arg)
{
	struct family *shared = arg;
	char *memory = attach(shared->id);
	strcpy(memory, "kept");
	close_all(BY_RANGE);
	pid_t pid = fork(); /* of a process that has none of its descriptors */
	if (pid != 0) {
		CHECK_LINE("L7", pid > 0 && attached(shared->id) == 2);
		shared->daemon = pid;
		return;
	}
	setsid();
	peer_say(test);
	peer_hear(test);
	close_all(BY_RANGE);
	go_on(shared->id);
	close_all(BY_RANGE);
	peer_say(test);
	peer_hear(test);
}

static void daemons(bool is_removed)
{
	struct family *shared =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->id = make_private(page, 0600);
	struct peer child = peer_start(become_daemon, shared);
	CHECK(peer_hear(&child));
	CHECK(reap(child.pid) == 0);
	CHECK_LINE("L7", attached(shared->id) == 1);
	if (is_removed)
		CHECK(shmctl(shared->id, IPC_RMID, NULL) == 0);
	peer_say(&child);
	CHECK(peer_hear(&child));
	CHECK_LINE("L7", attached(shared->id) == 1);
	if (is_removed) { /* reached through a process without descriptors */
		char *memory = shmat(shared->id, NULL, 0);
		CHECK_LINE("A8", memory != FAILED && strcmp(memory, "kept") == 0);
		CHECK(shmdt(memory) == 0 && attached(shared->id) == 1);
	}
	kill(shared->daemon, SIGKILL);
	CHECK(reap(shared->daemon) == 128 + SIGKILL);
	CHECK_LINE("L7", is_removed ? !exists(shared->id) : attached(shared->id) == 0);
	close(child.in);
	close(child.out);
	munmap(shared, page);
}

static void wait_for_turn(struct peer *test, void *arg)
{
	(void)arg;
	peer_hear(test);
}

/* The test itself loses all, with children that it had before. */
static void everything_at_once(void *arg)
{
	(void)arg;
	int id = make_private(page, 0600);
	char *memory = attach(id);
	strcpy(memory, "kept");
	pid_t child[3];
	for (int i = 0; i < 3; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			pause();
			_exit(0);
		}
	}
	close_all(BY_LIST);
	CHECK_LINE("L7", attached(id) == 4);
	go_on(id);
	for (int i = 0; i < 3; i++) {
		kill(child[i], SIGKILL);
		reap(child[i]);
		CHECK_LINE("L7", attached(id) == 3 - i);
	}
	struct peer after = peer_start(wait_for_turn, NULL);
	CHECK_LINE("L7", attached(id) == 2);
	CHECK(peer_finish(&after) == 0);
	CHECK_LINE("L7", attached(id) == 1 && shmdt(memory) == 0 && attached(id) == 0);
}

int main(void)
{
	begin();
	page = page_size();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	CHECK(in_child(low_limit, NULL)); /* before this process made a call */
	CHECK(in_child(each_one_serves, NULL));
	calls_are_quiet();
	CHECK(in_child(low_limit, NULL));
	CHECK(in_child(each_one_serves, NULL));
	closers(false, false);
	closers(false, true);
	closers(true, false);
	closers(true, true);
	daemons(false);
	daemons(true);
	CHECK(in_child(everything_at_once, NULL));
	return test_result();
}

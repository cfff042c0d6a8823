/* SPDX-License-Identifier: MIT */
/*
 * Group L: attachments over fork, exec, vfork, posix_spawn, threads, and every
 * way a process ends (L1 to L6, and the finer facts on them).
 *
 * The test itself is the witness: it looks at a segment as soon as fork
 * returned, and again while the ended process is still a zombie. Nothing sleeps;
 * processes wait for each other in pipes (peer.h), and for the clock only where
 * a time stamp has to move.
 *
 * What an executed program sees first is asked in the executed program: this
 * one, started again with arguments (see executed()). The test is a subreaper,
 * so that it can wait for grandchildren.
 *
 * L7 and L8 are in descriptors.c and freed.c. Not here: raw clone, MADV_DONTFORK.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#define FAILED ((void *)-1)

extern char **environ;

static char *program; /* this file, to be executed again */
static size_t page;

/* ---- what the executed program does ------------------------------------ */

static char id_text[16], count_text[16];

/* The arguments that make this program look at a segment first thing in main. */
static char **arguments(const char *verb, int id, int count)
{
	static char *list[5];
	static char verb_text[16];
	snprintf(verb_text, sizeof(verb_text), "%s", verb);
	snprintf(id_text, sizeof(id_text), "%d", id);
	snprintf(count_text, sizeof(count_text), "%d", count);
	list[0] = program;
	list[1] = verb_text;
	list[2] = id_text;
	list[3] = count_text;
	list[4] = NULL;
	return list;
}

/* look: the segment has COUNT attachments. self: and this process was the last
 * to change that. hold: like self, then takes a turn with the parent. */
static int executed(char **argv)
{
	int id = atoi(argv[2]), count = atoi(argv[3]);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("L5", (int)stat.shm_nattch == count);
	if (strcmp(argv[1], "look") == 0)
		return test_result();
	CHECK_LINE("fine L07", stat.shm_lpid == getpid() && stat.shm_dtime != 0);
	if (strcmp(argv[1], "hold") == 0) {
		struct peer test = peer_of_parent();
		peer_say(&test);
		peer_hear(&test);
		CHECK_LINE("L5", attached(id) == count);
	}
	return test_result();
}

/* ---- fork -------------------------------------------------------------- */

static void wait_for_turn(struct peer *test, void *arg)
{
	(void)arg;
	peer_hear(test);
}

static void forking(void)
{
	int id = make_private(page, 0600), other = make_private(page, 0600);
	char *one = attach(id), *two = attach(id), *look = shmat(other, NULL, SHM_RDONLY);
	strcpy(one, "inherited");
	time_t since = next_second();
	struct peer child = peer_start(wait_for_turn, NULL);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("L1", stat.shm_nattch == 4 && attached(other) == 2); /* and fine L01 */
	CHECK_LINE("L1", stat.shm_lpid == getpid());                    /* and fine L02 */
	CHECK_LINE("L1", recent(stat.shm_atime, since) && stat.shm_dtime == 0); /* fine L03 */
	struct peer second = peer_start(wait_for_turn, NULL);
	CHECK_LINE("L1", attached(id) == 6 && attached(other) == 3);

	since = now_seconds();
	peer_say(&child);
	await_zombie(child.pid);
	stat = stat_of(id);
	CHECK_LINE("fine L04", stat.shm_nattch == 4 && stat.shm_lpid == child.pid);
	CHECK_LINE("L2", recent(stat.shm_dtime, since));
	CHECK(peer_join(&child) == 0);
	stat = stat_of(id);
	CHECK_LINE("L2", stat.shm_nattch == 4 && stat.shm_lpid == child.pid);
	CHECK(peer_finish(&second) == 0);
	CHECK_LINE("L2", attached(id) == 2 && attached(other) == 1);
	CHECK(shmdt(one) == 0 && shmdt(two) == 0 && shmdt(look) == 0);
}

static void count_itself(struct peer *test, void *arg)
{
	const int *id = arg;
	CHECK_LINE("L1", attached(*id) == 2);
	peer_hear(test);
}

/* A family of eight, all seen at once by everybody. */
static void many_children(void)
{
	enum { CHILDREN = 8 };
	struct peer child[CHILDREN];
	int id = make_private(page, 0600);
	char *memory = attach(id);
	struct peer first = peer_start(count_itself, &id);
	CHECK(peer_finish(&first) == 0);
	for (int i = 0; i < CHILDREN; i++) {
		child[i] = peer_start(wait_for_turn, NULL);
		CHECK_LINE("L1", attached(id) == i + 2);
	}
	for (int i = 0; i < CHILDREN; i++) {
		CHECK((i % 2 != 0 ? peer_kill(&child[i]) : peer_finish(&child[i])) >= 0);
		CHECK_LINE("L2", attached(id) == CHILDREN - i);
	}
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

static void speak_and_wait(struct peer *test, void *arg)
{
	(void)arg;
	peer_say(test);
	peer_hear(test);
}

/* Who came last is who shows, though nobody looked in between. */
static void death_before_detach(void)
{
	int id = make_private(page, 0600);
	char *one = attach(id), *two = attach(id);
	struct peer child = peer_start(speak_and_wait, NULL);
	CHECK(peer_hear(&child));
	peer_kill(&child);
	time_t since = next_second();
	CHECK(shmdt(one) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("L4", stat.shm_lpid == getpid() && recent(stat.shm_dtime, since));
	child = peer_start(speak_and_wait, NULL);
	CHECK(peer_hear(&child));
	peer_kill(&child);
	one = attach(id);
	stat = stat_of(id);
	CHECK_LINE("A7", stat.shm_lpid == getpid() && stat.shm_nattch == 2);
	CHECK(shmdt(one) == 0 && shmdt(two) == 0);
}

/* ---- the ways to end --------------------------------------------------- */

enum ending { BY_EXIT_NOW, BY_EXIT, BY_KILL, BY_KILL_STOPPED, BY_ABORT, BY_FAULT, BY_TERM };

struct end {
	const char *line;
	enum ending how;
	int id;
	bool inherits;
};

static void end_so(struct peer *test, void *arg)
{
	struct end *end = arg;
	if (!end->inherits)
		attach(end->id);
	peer_say(test);
	peer_hear(test);
	die_plainly();
	switch (end->how) {
	case BY_EXIT_NOW: _exit(0);
	case BY_EXIT: exit(0);
	case BY_ABORT: abort();
	case BY_FAULT: raise(SIGSEGV); break;
	case BY_TERM: raise(SIGTERM); break;
	case BY_KILL_STOPPED: raise(SIGSTOP); break;
	case BY_KILL: break;
	}
	peer_hear(test);
}

static void ending(struct end end)
{
	end.id = make_private(page, 0600);
	char *memory = end.inherits ? attach(end.id) : NULL;
	int before = end.inherits ? 1 : 0;
	struct peer child = peer_start(end_so, &end);
	CHECK(peer_hear(&child));
	CHECK(attached(end.id) == before + 1 && stat_of(end.id).shm_dtime == 0);
	time_t since = now_seconds();
	peer_say(&child);
	if (end.how == BY_KILL_STOPPED) {
		CHECK(waitpid(child.pid, NULL, WUNTRACED) == child.pid);
		CHECK(attached(end.id) == before + 1);
	}
	if (end.how == BY_KILL || end.how == BY_KILL_STOPPED)
		kill(child.pid, SIGKILL);
	await_zombie(child.pid);
	struct shmid_ds stat = stat_of(end.id);
	CHECK_LINE(end.line, (int)stat.shm_nattch == before);
	CHECK_LINE(end.line, stat.shm_lpid == child.pid && recent(stat.shm_dtime, since));
	peer_join(&child);
	CHECK_LINE(end.line, attached(end.id) == before);
	if (memory != NULL)
		CHECK(shmdt(memory) == 0);
}

static void endings(void)
{
	static const struct end ends[] = {
		{ "L2", BY_EXIT_NOW, 0, false },      { "L2", BY_EXIT, 0, false },
		{ "L3", BY_KILL, 0, false },          { "L3", BY_KILL_STOPPED, 0, false },
		{ "fine L06", BY_ABORT, 0, false },   { "L3", BY_FAULT, 0, false },
		{ "L3", BY_TERM, 0, false },          { "L2", BY_EXIT_NOW, 0, true },
		{ "L2", BY_EXIT, 0, true },           { "fine L05", BY_KILL, 0, true },
		{ "L3", BY_KILL_STOPPED, 0, true },   { "fine L06", BY_ABORT, 0, true },
	};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		ending(ends[i]);
}

/* ---- children and what they inherited ---------------------------------- */

struct inherited {
	int id;
	char *memory;
};

static void detach_and_back(struct peer *test, void *arg)
{
	struct inherited *with = arg;
	CHECK_LINE("L6", shmdt(with->memory) == 0);
	peer_say(test);
	peer_hear(test);
	CHECK_LINE("fine L20", shmat(with->id, with->memory, 0) == with->memory);
	CHECK_LINE("fine L20", strcmp(with->memory, "the parent's") == 0);
	strcpy(with->memory, "the child's");
	peer_say(test);
	peer_hear(test);
}

static void children_detach(void)
{
	struct inherited with = { .id = make_private(page, 0600) };
	with.memory = attach(with.id);
	strcpy(with.memory, "the parent's");
	struct peer child = peer_start(detach_and_back, &with);
	CHECK(peer_hear(&child));
	struct shmid_ds stat = stat_of(with.id);
	CHECK_LINE("L6", stat.shm_nattch == 1); /* and fine L21 */
	CHECK_LINE("L4", stat.shm_lpid == child.pid && stat.shm_dtime != 0);
	CHECK_LINE("L6", strcmp(with.memory, "the parent's") == 0);
	peer_say(&child);
	CHECK(peer_hear(&child));
	CHECK_LINE("fine L20", attached(with.id) == 2);
	CHECK_LINE("fine L20", strcmp(with.memory, "the child's") == 0);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("L6", attached(with.id) == 1);
	CHECK_LINE("L4", shmdt(with.memory) == 0 && stat_of(with.id).shm_lpid == getpid());
}

struct generations {
	int id;
	pid_t grandchild;
};

/* Leaves a process behind that talks to the test in its place. */
static void leave_grandchild(struct peer *test, void *arg)
{
	struct generations *shared = arg;
	char *memory = attach(shared->id);
	strcpy(memory, "from the dead");
	pid_t pid = fork();
	if (pid != 0) {
		CHECK_LINE("L1", pid > 0 && attached(shared->id) == 2);
		shared->grandchild = pid;
		return;
	}
	setsid();
	peer_say(test);
	peer_hear(test);
	CHECK_LINE("fine L19", strcmp(memory, "from the dead") == 0);
	strcpy(memory, "from the orphan");
}

static void grandchildren(bool is_removed)
{
	struct generations *shared = mmap(NULL, page, PROT_READ | PROT_WRITE,
	                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->id = make_private(page, 0600);
	struct peer child = peer_start(leave_grandchild, shared);
	CHECK(peer_hear(&child));
	CHECK(reap(child.pid) == 0);
	CHECK_LINE("L6", attached(shared->id) == 1); /* and fine L17 */
	if (is_removed)
		CHECK(shmctl(shared->id, IPC_RMID, NULL) == 0 && exists(shared->id));
	peer_say(&child);
	CHECK(reap(shared->grandchild) == 0);
	close(child.in);
	close(child.out);
	if (is_removed) {
		CHECK_LINE("fine L18", !exists(shared->id));
	} else {
		CHECK_LINE("fine L18", attached(shared->id) == 0);
		char *memory = attach(shared->id);
		CHECK_LINE("fine L19", strcmp(memory, "from the orphan") == 0);
		CHECK(shmdt(memory) == 0);
	}
	munmap(shared, page);
}

static void attach_and_wait(struct peer *test, void *arg)
{
	const int *id = arg;
	attach(*id);
	peer_say(test);
	peer_hear(test);
}

/* The last of several to end, however it ends, destroys a removed segment. */
static void last_to_end(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, page, IPC_CREAT | 0600);
	struct peer child[4];
	for (int i = 0; i < 4; i++) {
		child[i] = peer_start(attach_and_wait, &id);
		CHECK(peer_hear(&child[i]));
	}
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("fine L15", (stat_of(id).shm_perm.mode & SHM_DEST) != 0 && attached(id) == 4);
	CHECK(peer_finish(&child[2]) == 0);
	CHECK_LINE("fine L64", attached(id) == 3);
	peer_kill(&child[0]);
	CHECK_LINE("fine L64", attached(id) == 2);
	CHECK(peer_finish(&child[3]) == 0);
	CHECK_LINE("fine L64", attached(id) == 1);
	peer_kill(&child[1]);
	CHECK_LINE("fine L16", !exists(id));
	CHECK_ERRNO("fine L16", EINVAL, shmat(id, NULL, 0));
	CHECK_ERRNO("fine L16", ENOENT, shmget(key, 0, 0));
}

/* ---- exec -------------------------------------------------------------- */

enum via { BY_EXEC, BY_EXEC_SAME_PLACES, BY_EXEC_AFTER_CLOSING, BY_EXEC_OF_THREAD };

struct exec {
	const char *line;
	enum via via;
	int id;
	bool inherits;
};

static void *exec_again(void *arg)
{
	const struct exec *with = arg;
	execv(program, arguments("hold", with->id, with->inherits ? 1 : 0));
	perror(program);
	_exit(1);
}

static void close_all(void)
{
	for (int fd = 3; fd < 65536; fd++)
		close(fd);
}

static void exec_so(struct peer *test, void *arg)
{
	struct exec *with = arg;
	pthread_t thread;
	if (!with->inherits) {
		attach(with->id);
		attach(with->id);
	}
	peer_say(test);
	peer_hear(test);
	/* Pid and start time stay; so do addresses, when nothing is random. */
	if (with->via == BY_EXEC_SAME_PLACES || with->via == BY_EXEC_AFTER_CLOSING)
		personality(ADDR_NO_RANDOMIZE);
	if (with->via == BY_EXEC_AFTER_CLOSING)
		close_all();
	if (with->via == BY_EXEC_OF_THREAD && pthread_create(&thread, NULL, exec_again, with) == 0)
		pthread_join(thread, NULL);
	exec_again(with);
}

static void executing(struct exec with)
{
	with.id = make_private(page, 0600);
	char *memory = with.inherits ? attach(with.id) : NULL;
	int before = with.inherits ? 1 : 0;
	struct peer child = peer_start(exec_so, &with);
	CHECK(peer_hear(&child));
	CHECK(attached(with.id) == 2);
	peer_say(&child);
	CHECK(peer_hear(&child)); /* the new program speaks */
	struct shmid_ds stat = stat_of(with.id);
	CHECK_LINE(with.line, (int)stat.shm_nattch == before && stat.shm_lpid == child.pid);
	CHECK_LINE(with.line, peer_finish(&child) == 0);
	CHECK_LINE(with.line, attached(with.id) == before);
	if (memory != NULL)
		CHECK(shmdt(memory) == 0);
}

static void exec_cat(struct peer *test, void *arg)
{
	const int *id = arg;
	attach(*id);
	execlp("nothing-has-this-name", "x", (char *)NULL);
	CHECK_LINE("L5", attached(*id) == 1); /* an exec that fails changes nothing */
	peer_say(test);
	peer_hear(test);
	unsetenv("LD_PRELOAD"); /* may be for another C library than cat's */
	execlp("cat", "cat", (char *)NULL);
	perror("cat");
	_exit(1);
}

/* A program that knows nothing of shared memory holds none. */
static void executing_a_stranger(void)
{
	int id = make_private(page, 0600);
	struct peer child = peer_start(exec_cat, &id);
	CHECK(peer_hear(&child));
	CHECK_LINE("L5", attached(id) == 1);
	peer_say(&child);
	peer_say(&child); /* for cat, that gives it back */
	CHECK(peer_hear(&child));
	CHECK_LINE("L5", attached(id) == 0);
	close(child.out);
	child.out = -1;
	CHECK(peer_join(&child) == 0);
	CHECK_LINE("L5", attached(id) == 0);
}

static void execs(void)
{
	static const struct exec with[] = {
		{ "L5", BY_EXEC, 0, false },
		{ "L5", BY_EXEC, 0, true },
		{ "L5", BY_EXEC_SAME_PLACES, 0, false },
		{ "L7", BY_EXEC_AFTER_CLOSING, 0, false },
		{ "L7", BY_EXEC_AFTER_CLOSING, 0, true },
		{ "L5", BY_EXEC_OF_THREAD, 0, false },
	};
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		executing(with[i]);
	executing_a_stranger();
}

/* ---- vfork, posix_spawn, system ---------------------------------------- */

static void unchanged(const char *line, int id, char *memory)
{
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE(line, stat.shm_nattch == 1 && stat.shm_dtime == 0);
	CHECK_LINE(line, stat.shm_lpid == getpid());
	CHECK_LINE("fine L09", signal_of(write_it, memory) == 0);
}

static void vforking(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	pid_t pid = vfork();
	if (pid == 0)
		_exit(0);
	CHECK(reap(pid) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L08", stat.shm_nattch == 1 && stat.shm_dtime == 0);

	char **list = arguments("look", id, 1);
	pid = vfork();
	if (pid == 0) {
		execv(program, list);
		_exit(1);
	}
	CHECK_LINE("L5", reap(pid) == 0);
	pid = vfork();
	if (pid == 0) {
		execv("/nothing/has/this/name", list);
		_exit(9);
	}
	CHECK_LINE("L5", reap(pid) == 9);
	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	CHECK_LINE("fine L08", reap(pid) == 128 + SIGKILL);
	unchanged("fine L08", id, memory);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

static void spawning(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	pid_t pid;
	CHECK(posix_spawn(&pid, program, NULL, NULL, arguments("look", id, 1), environ) == 0);
	CHECK_LINE("L5", reap(pid) == 0);
	CHECK(posix_spawn(&pid, "/nothing/has/this/name", NULL, NULL,
	                  arguments("look", id, 1), environ) != 0);
	unchanged("fine L10", id, memory);

	/* A shell of another C library cannot be preloaded with ours, this program can. */
	const char *preload = getenv("LD_PRELOAD");
	char command[2048];
	snprintf(command, sizeof(command), "LD_PRELOAD='%s' exec '%s' look %d 1",
	         preload != NULL ? preload : "", program, id);
	unsetenv("LD_PRELOAD");
	CHECK_LINE("fine L11", system(command) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L11", stat.shm_nattch == 1);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

/* ---- threads ----------------------------------------------------------- */

static void *attach_in_thread(void *arg)
{
	const int *id = arg;
	return attach(*id);
}

struct crowd {
	int id;
	pthread_barrier_t *together;
};

enum { CROWD = 4, ROUNDS = 50 };

static void *attach_in_crowd(void *arg)
{
	struct crowd *crowd = arg;
	char *at[ROUNDS];
	pthread_barrier_wait(crowd->together);
	for (int i = 0; i < ROUNDS; i++)
		at[i] = shmat(crowd->id, NULL, 0);
	pthread_barrier_wait(crowd->together); /* all attached: main counts ... */
	pthread_barrier_wait(crowd->together); /* ... and lets go on */
	for (int i = 0; i < ROUNDS; i++)
		if (at[i] == FAILED || shmdt(at[i]) != 0)
			return NULL;
	return arg;
}

static void threads(void)
{
	int id = make_private(page, 0600);
	pthread_t thread[CROWD];
	void *memory;
	/* The one who attached is gone, its process is not. */
	CHECK(pthread_create(&thread[0], NULL, attach_in_thread, &id) == 0);
	CHECK(pthread_join(thread[0], &memory) == 0 && memory != FAILED);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L12", stat.shm_nattch == 1 && stat.shm_lpid == getpid());
	struct peer child = peer_start(wait_for_turn, NULL);
	CHECK_LINE("L1", attached(id) == 2);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("L2", attached(id) == 1);
	CHECK(shmdt(memory) == 0);

	pthread_barrier_t together;
	struct crowd crowd = { id, &together };
	pthread_barrier_init(&together, NULL, CROWD + 1);
	for (int i = 0; i < CROWD; i++)
		CHECK(pthread_create(&thread[i], NULL, attach_in_crowd, &crowd) == 0);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	CHECK_LINE("fine L12", attached(id) == CROWD * ROUNDS);
	pthread_barrier_wait(&together);
	for (int i = 0; i < CROWD; i++)
		CHECK(pthread_join(thread[i], &memory) == 0 && memory != NULL);
	CHECK_LINE("fine L12", attached(id) == 0);
	pthread_barrier_destroy(&together);
}

static void *fork_in_thread(void *arg)
{
	const int *id = arg;
	struct peer child = peer_start(wait_for_turn, NULL);
	CHECK_LINE("L1", attached(*id) == 2);
	peer_kill(&child);
	CHECK_LINE("L3", attached(*id) == 1);
	return arg;
}

static void fork_of_a_thread(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, fork_in_thread, &id) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

struct survivor {
	struct peer test;
	int id;
	bool closes;
};

/* Joining it would do, but musl leaves a lock held when the first thread of a
 * forked process ends. */
static void await_first_thread(void)
{
	char state = '?';
	while (state != 'Z') {
		FILE *file = fopen("/proc/self/stat", "re");
		if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 'Z';
		if (file != NULL)
			fclose(file);
		sched_yield();
	}
}

static void *outlive_the_first(void *arg)
{
	struct survivor *self = arg;
	await_first_thread();
	if (self->closes)
		close_all();
	peer_say(&self->test);
	peer_hear(&self->test);
	/* It may go on attaching. */
	CHECK_LINE("fine L63", shmdt(attach(self->id)) == 0);
	peer_say(&self->test);
	peer_hear(&self->test);
	fflush(stderr);
	_exit(test_result());
}

static void end_first_thread(struct peer *test, void *arg)
{
	static struct survivor self; /* the stack it would be on is about to end */
	self = *(struct survivor *)arg;
	self.test = *test;
	attach(self.id);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, outlive_the_first, &self) == 0);
	pthread_exit(NULL);
}

/* A process lives as long as its last thread. */
static void first_thread_ends(bool closes)
{
	const char *line = closes ? "L7" : "fine L63";
	struct survivor self = { .id = make_private(page, 0600), .closes = closes };
	struct peer child = peer_start(end_first_thread, &self);
	CHECK(peer_hear(&child));
	CHECK_LINE(line, attached(self.id) == 1);
	peer_say(&child);
	CHECK(peer_hear(&child));
	CHECK_LINE(line, attached(self.id) == 1);
	CHECK_LINE(line, peer_finish(&child) == 0);
	CHECK_LINE(line, attached(self.id) == 0);
}

/* ---- another IPC namespace --------------------------------------------- */

static void leave_ipc_namespace(void *arg)
{
	const struct inherited *with = arg;
	if (unshare(CLONE_NEWIPC) != 0)
		return; /* only root can leave */
	CHECK_LINE("fine L61", strcmp(with->memory, "valid") == 0);
	CHECK_LINE("fine L61", shmdt(with->memory) == 0);
}

static void ipc_namespaces(void)
{
	struct inherited with = { .id = make_private(page, 0600) };
	with.memory = attach(with.id);
	strcpy(with.memory, "valid");
	CHECK(in_child(leave_ipc_namespace, &with));
	CHECK_LINE("fine L61", attached(with.id) == 1);
	CHECK(shmdt(with.memory) == 0);
}

int main(int argc, char **argv)
{
	program = argv[0];
	page = page_size();
	if (argc == 4)
		return executed(argv);
	begin();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	forking();
	many_children();
	death_before_detach();
	endings();
	children_detach();
	grandchildren(false);
	grandchildren(true);
	last_to_end();
	execs();
	if (!WITHOUT_VFORK)
		vforking();
	spawning();
	threads();
	fork_of_a_thread();
	first_thread_ends(false);
	first_thread_ends(true);
	ipc_namespaces();
	return test_result();
}

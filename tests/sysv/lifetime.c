/* SPDX-License-Identifier: MIT */
/*
 * Group L of docs/semantics.md: attachments over fork and every way a process ends
 * (L1 to L4, L6, and the fine print on them).
 *
 * The test itself is the witness: it looks at a segment as soon as fork
 * returned, and again while the ended process is still a zombie. Nothing sleeps;
 * processes wait for each other in pipes (peer.h), and for the clock only where
 * a time stamp has to move. The test is a subreaper, so that it can wait for
 * grandchildren.
 *
 * L5 is in exec.c, threads in threads.c, L7 in descriptors.c, L8 in freed.c.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <sched.h>
#include <sys/prctl.h>

static size_t page;

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
	CHECK_LINE("L1, fine L01", stat.shm_nattch == 4 && attached(other) == 2);
	CHECK_LINE("L1, fine L02", stat.shm_lpid == getpid());
	CHECK_LINE("L1, fine L03", recent(stat.shm_atime, since) && stat.shm_dtime == 0);
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
	case BY_EXIT_NOW:
		_exit(0);
	case BY_EXIT:
		exit(0);
	case BY_ABORT:
		abort();
	case BY_FAULT:
		raise(SIGSEGV);
		break;
	case BY_TERM:
		raise(SIGTERM);
		break;
	case BY_KILL_STOPPED:
		raise(SIGSTOP);
		break;
	case BY_KILL:
		break;
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
		{ "L2", BY_EXIT_NOW, 0, false },    { "L2", BY_EXIT, 0, false },
		{ "L3", BY_KILL, 0, false },        { "L3", BY_KILL_STOPPED, 0, false },
		{ "fine L06", BY_ABORT, 0, false }, { "L3", BY_FAULT, 0, false },
		{ "L3", BY_TERM, 0, false },        { "L2", BY_EXIT_NOW, 0, true },
		{ "L2", BY_EXIT, 0, true },         { "fine L05", BY_KILL, 0, true },
		{ "L3", BY_KILL_STOPPED, 0, true }, { "fine L06", BY_ABORT, 0, true },
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
	CHECK_LINE("L6, fine L21", stat.shm_nattch == 1);
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
	struct generations *shared =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->id = make_private(page, 0600);
	struct peer child = peer_start(leave_grandchild, shared);
	CHECK(peer_hear(&child));
	CHECK(reap(child.pid) == 0);
	CHECK_LINE("L6, fine L17", attached(shared->id) == 1);
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

/* ---- children that inherit something else -------------------------------- */

struct sharer {
	char *memory;
	int gate[2];
};

/* Runs in the parent's memory, on a stack of its own, with the parent's errno. */
static int share_memory(void *arg)
{
	struct sharer *sharer = arg;
	char byte;
	strcpy(sharer->memory, "from a sharer");
	return read(sharer->gate[0], &byte, 1) == 1 ? 0 : 1;
}

/* A child that shares all memory has no attachments of its own. */
static void sharing_memory(void)
{
	size_t size = 64 * page;
	struct sharer sharer;
	int id = make_private(page, 0600);
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sharer.memory = attach(id);
	CHECK(stack != MAP_FAILED && pipe(sharer.gate) == 0);
	pid_t pid = clone(share_memory, stack + size, CLONE_VM | SIGCHLD, &sharer);
	CHECK_LINE("fine L13", pid > 0 && attached(id) == 1);
	CHECK(write(sharer.gate[1], ".", 1) == 1);
	CHECK(reap(pid) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L13", stat.shm_nattch == 1 && stat.shm_lpid == getpid());
	CHECK_LINE("fine L13", strcmp(sharer.memory, "from a sharer") == 0);
	close(sharer.gate[0]);
	close(sharer.gate[1]);
	munmap(stack, size);
	CHECK(shmdt(sharer.memory) == 0);
}

static void not_inherited(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	CHECK(madvise(memory, page, MADV_DONTFORK) == 0);
	CHECK_LINE("fine L14", signal_of(read_it, memory) == SIGSEGV);
	struct peer child = peer_start(wait_for_turn, NULL);
	if (on_kernel()) /* Madang does not see the madvise */
		CHECK_LINE("fine L14", attached(id) == 1);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("fine L14", attached(id) == 1);
	CHECK(shmdt(memory) == 0);
}

/* ---- another pid namespace ----------------------------------------------- */

struct views {
	int outer, inner;
};

static void look_from_inside(struct peer *test, void *arg)
{
	struct views *ids = arg;
	struct shmid_ds stat = stat_of(ids->outer);
	CHECK_LINE("fine L62", stat.shm_cpid == 0 && stat.shm_lpid == 0);
	ids->inner = make_private(page, 0600);
	CHECK_LINE("fine L62", getpid() == 1 && stat_of(ids->inner).shm_cpid == 1);
	peer_say(test);
	peer_hear(test);
}

/* Its children are in a pid namespace of their own, this process is not. */
static void look_from_outside(void *arg)
{
	struct views *ids = arg;
	if (unshare(CLONE_NEWPID) != 0)
		return; /* only root can make one */
	struct peer child = peer_start(look_from_inside, ids);
	CHECK(peer_hear(&child));
	CHECK_LINE("fine L62", child.pid != 1 && stat_of(ids->inner).shm_cpid == child.pid);
	CHECK(peer_finish(&child) == 0);
}

static void pid_namespaces(void)
{
	struct views *ids =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ids->outer = make_private(page, 0600);
	CHECK(shmdt(attach(ids->outer)) == 0);
	CHECK(in_child(look_from_outside, ids));
	munmap(ids, page);
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

int main(void)
{
	page = page_size();
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
	if (!WITHOUT_VFORK)
		sharing_memory();
	not_inherited();
	if (on_kernel()) /* Madang shows processes as they saw themselves */
		pid_namespaces();
	ipc_namespaces();
	return test_result();
}

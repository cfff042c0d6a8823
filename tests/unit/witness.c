/* SPDX-License-Identifier: MIT */
/*
 * witness.c - the count of attachments is right at each moment, though most looks at it ask the
 * kernel nothing.
 *
 * This process counts, and another one, the helper, has the segment attached. The count is warm:
 * looks within the same 8 ms believe the helper's witness. Then something happens to the helper or
 * to its witness, and the very next look has to be right.
 */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "registry/registry.h"
#include "madang/sync.h"
#include "segment/internal.h"
#include "sync/witness.h"

enum { ROUNDS = 300 };

static mdg_namespace *ns;
static mdg_id id;

struct helper {
	pid_t pid;
	int to, from; /* closing `to` lets it go on; `from` tells */
};

static uint32_t count(void)
{
	return unit_stat(ns, id).attached;
}

/* Enough looks that the last ones are of the same 8 ms. */
static uint32_t count_warm(void)
{
	uint32_t last = 0;
	for (int i = 0; i < 50; i++)
		last = count();
	return last;
}

static void say(int to)
{
	if (write(to, "y", 1) != 1)
		_exit(2);
}

static void wait_for(int from)
{
	char byte;
	while (read(from, &byte, 1) < 0 && errno == EINTR)
		;
}

/* Runs `act` in a child that has attached the segment. `act` says when it is ready. */
static struct helper start(void (*act)(int to, int from))
{
	struct helper helper = { .pid = -1 };
	int to[2], from[2];
	if (!CHECK(pipe2(to, O_CLOEXEC) == 0) || !CHECK(pipe2(from, O_CLOEXEC) == 0))
		exit(1);
	fflush(NULL);
	helper.pid = fork();
	if (helper.pid == 0) {
		close(to[1]);
		close(from[0]);
		act(from[1], to[0]);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	helper.to = to[1];
	helper.from = from[0];
	wait_for(helper.from);
	return helper;
}

static void end(struct helper *helper)
{
	int status;
	kill(helper->pid, SIGKILL);
	CHECK(waitpid(helper->pid, &status, 0) == helper->pid);
	close(helper->to);
	close(helper->from);
}

static void attach(void)
{
	void *memory;
	if (mdg_segment_attach(ns, id, NULL, 0, &memory) != 0)
		_exit(3);
}

/* The slot of a process, as it is in the registry. */
static struct mdg__process *slot_of(pid_t pid)
{
	struct mdg__registry *registry = &ns->registry;
	uint32_t ready = mdg__registry_ready_count(registry, MDG__PROCESSES);
	for (uint32_t i = 0; i < ready; i++)
		if (mdg__slot_state(mdg__get32(&registry->processes[i].tag)) == MDG__SLOT_LIVE &&
		    mdg__get32(&registry->processes[i].pid) == (uint32_t)pid)
			return &registry->processes[i];
	return NULL;
}

static bool is_witnessed(pid_t pid)
{
	const struct mdg__process *process = slot_of(pid);
	return process != NULL && mdg__witness_stands(&process->witness) &&
	       mdg__get32(&process->witness_generation) ==
	               mdg__tag_generation(mdg__get32(&process->tag));
}

/* ---- deaths ----------------------------------------------------------------------------- */

static void stay(int to, int from)
{
	attach();
	say(to);
	wait_for(from);
}

static void killed(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct helper helper = start(stay);
		CHECK(is_witnessed(helper.pid));
		CHECK(count_warm() == 1);
		end(&helper);
		if (!CHECK(count() == 0))
			return;
	}
}

static void *attach_in_thread(void *context)
{
	(void)context;
	attach();
	return NULL;
}

/* The thread that bears witness is not the first one, and is killed with all others. */
static void witness_beside(int to, int from)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, attach_in_thread, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		_exit(4);
	say(to);
	wait_for(from);
	attach(); /* the first thread becomes the witness */
	say(to);
	pause();
}

static void thread_ended(void)
{
	struct helper helper = start(witness_beside);
	CHECK(!is_witnessed(helper.pid));
	CHECK(count_warm() == 1);
	CHECK(write(helper.to, "y", 1) == 1);
	wait_for(helper.from);
	CHECK(is_witnessed(helper.pid));
	CHECK(count_warm() == 2);
	end(&helper);
	CHECK(count() == 0);
}

static void exec_then(int to, int from)
{
	attach();
	say(to);
	wait_for(from);
	/* `to` is closed by exec, and that tells. */
	execl("/bin/sleep", "sleep", "60", (char *)NULL);
	_exit(5);
}

static void execed(void)
{
	for (int i = 0; i < 20; i++) {
		char byte;
		struct helper helper = start(exec_then);
		CHECK(count_warm() == 1);
		CHECK(write(helper.to, "y", 1) == 1);
		CHECK(read(helper.from, &byte, 1) == 0);
		CHECK(count() == 0);
		end(&helper);
	}
}

/* ---- forks ------------------------------------------------------------------------------- */

/* The child of the helper is not witnessed until it makes a call, and is counted all the same. */
static void fork_and_tell(int to, int from)
{
	attach();
	if (fork() == 0) {
		mdg_id other;
		pid_t self = getpid();
		wait_for(from);
		if (mdg_segment_create(ns, NULL, 1, 0600, 0, &other) != 0 ||
		    mdg_segment_remove(ns, other) != 0 ||
		    write(to, &self, sizeof self) != sizeof self)
			_exit(12);
		wait_for(from);
		_exit(0);
	}
	say(to);
	pause();
}

static void forked(void)
{
	struct helper helper = start(fork_and_tell);
	int status;
	CHECK(count_warm() == 2);
	kill(helper.pid, SIGKILL);
	CHECK(waitpid(helper.pid, &status, 0) == helper.pid);
	CHECK(count_warm() == 1);
	pid_t child = -1;
	CHECK(write(helper.to, "y", 1) == 1);
	CHECK(read(helper.from, &child, sizeof child) == sizeof child);
	CHECK(is_witnessed(child));
	CHECK(count_warm() == 1);
	close(helper.to);
	wait_for(helper.from); /* its descriptors are closed, one after the other */
	close(helper.from);
	for (int i = 0; i < 1000 && count() != 0; i++)
		usleep(1000);
	CHECK(count() == 0);
}

/* A child of vfork has the memory of its parent, and no list. */
static void vfork_and_tell(int to, int from)
{
	attach();
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(6);
	}
	waitpid(pid, NULL, 0);
	say(to);
	wait_for(from);
}

static void vforked(void)
{
	struct helper helper = start(vfork_and_tell);
	CHECK(is_witnessed(helper.pid));
	CHECK(count_warm() == 1);
	end(&helper);
	CHECK(count() == 0);
}

/* ---- what a program may do to its witness --------------------------------------------------- */

static void close_all(int to, int from)
{
	attach();
	for (int fd = 3; fd < 256; fd++)
		if (fd != to && fd != from)
			close(fd);
	say(to);
	wait_for(from);
}

static void closed(void)
{
	struct helper helper = start(close_all);
	CHECK(count_warm() == 1);
	end(&helper);
	CHECK(count() == 0);
}

/* The kernel is told of an empty list, and marks nothing. */
static void lose_list(int to, int from)
{
	static struct {
		uintptr_t list;
		long offset;
		uintptr_t pending;
	} empty;
	attach();
	empty.list = (uintptr_t)&empty;
	if (syscall(SYS_set_robust_list, &empty, sizeof empty) != 0)
		_exit(7);
	say(to);
	wait_for(from);
}

/* The witness says for ever that the process lives. It is not believed for long, and not in the
 * next owner of the slot. */
static void unmarked(void)
{
	struct helper helper = start(lose_list);
	struct mdg__process *slot = slot_of(helper.pid);
	CHECK(is_witnessed(helper.pid));
	CHECK(count_warm() == 1);
	end(&helper);
	usleep(20000);
	CHECK(count() == 0);
	if (!CHECK(slot != NULL) || !CHECK(mdg__witness_stands(&slot->witness)))
		return;
	uint32_t word = mdg__get32(&slot->witness.word);
	for (int i = 0; i < 50; i++) {
		/* The hint leads the next process to the slot behind the last one. */
		atomic_store(&ns->registry.head->slot_hint,
		             (uint32_t)(slot - ns->registry.processes));
		helper = start(stay);
		CHECK(slot_of(helper.pid) == slot);
		CHECK(!is_witnessed(helper.pid));
		CHECK(mdg__get32(&slot->witness.word) == word);
		CHECK(count_warm() == 1);
		end(&helper);
		CHECK(count() == 0);
	}
}

/* ---- the list of a thread that also holds locks ---------------------------------------------- */

struct locks {
	mdg_mutex before, after;
};

static void *hold(void *context)
{
	struct locks *locks = context;
	void *memory;
	if (mdg_mutex_lock(&locks->before) != 0 ||
	    mdg_segment_attach(ns, id, NULL, 0, &memory) != 0 || mdg_mutex_lock(&locks->after) != 0)
		_exit(9);
	return locks;
}

static struct locks *locks_in(mdg_id segment)
{
	void *memory = NULL;
	CHECK_RC(0, mdg_segment_attach(ns, segment, NULL, 0, &memory));
	return memory;
}

static mdg_id lock_segment;

static void *get_locks(void *ret_locks)
{
	*(struct locks **)ret_locks = locks_in(lock_segment);
	return NULL;
}

/* The first witness ends at once. So the next thread that attaches is one. */
static struct locks *locks_by_thread(void)
{
	struct locks *locks = NULL;
	pthread_t thread;
	if (pthread_create(&thread, NULL, get_locks, &locks) != 0 ||
	    pthread_join(thread, NULL) != 0)
		_exit(11);
	return locks;
}

/* The witness is entered behind a lock that the thread holds. */
static void hold_and_stay(int to, int from)
{
	(void)hold(locks_by_thread());
	say(to);
	wait_for(from);
}

/* The lock is given back, and the witness stays in the list. */
static void hold_and_give_back(int to, int from)
{
	struct locks *locks = hold(locks_by_thread());
	if (mdg_mutex_unlock(&locks->after) != 0 || mdg_mutex_unlock(&locks->before) != 0)
		_exit(13);
	say(to);
	wait_for(from);
}

static void given_back(void)
{
	CHECK_RC(0, mdg_segment_create(ns, "locks", 4096, 0600, 0, &lock_segment));
	for (int i = 0; i < 50; i++) {
		struct helper helper = start(hold_and_give_back);
		CHECK(is_witnessed(helper.pid));
		CHECK(count_warm() == 1);
		end(&helper);
		CHECK(count() == 0);
	}
	CHECK_RC(0, mdg_segment_remove(ns, lock_segment));
}

/* A thread ends and leaves its locks. */
static void hold_and_end(int to, int from)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, hold, locks_by_thread()) != 0 ||
	    pthread_join(thread, NULL) != 0)
		_exit(10);
	say(to);
	wait_for(from);
}

static void with_locks(void (*act)(int, int), bool ended)
{
	CHECK_RC(0, mdg_segment_create(ns, "locks", 4096, 0600, 0, &lock_segment));
	struct helper helper = start(act);
	struct locks *locks = locks_in(lock_segment);
	CHECK(is_witnessed(helper.pid) == !ended);
	CHECK(count_warm() == 1);
	CHECK_RC(ended ? MDG_OWNER_DIED : -EBUSY, mdg_mutex_trylock(&locks->before));
	end(&helper);
	CHECK(count() == 0);
	if (!ended)
		CHECK_RC(MDG_OWNER_DIED, mdg_mutex_trylock(&locks->before));
	CHECK_RC(MDG_OWNER_DIED, mdg_mutex_trylock(&locks->after));
	CHECK_RC(0, mdg_mutex_unlock(&locks->before));
	CHECK_RC(0, mdg_mutex_unlock(&locks->after));
	CHECK_RC(0, mdg_segment_detach(ns, locks));
	CHECK_RC(0, mdg_segment_remove(ns, lock_segment));
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	options.processes = 16;
	ns = unit_open("witness", &options);
	CHECK_RC(0, mdg_segment_create(ns, "counted", 4096, 0600, 0, &id));
	killed();
	thread_ended();
	execed();
	forked();
	vforked();
	closed();
	with_locks(hold_and_stay, false);
	with_locks(hold_and_end, true);
	given_back();
	unmarked(); /* the last one, because a slot is without witness from then on */
	unit_is_sound(ns);
	return test_result();
}

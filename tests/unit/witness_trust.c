/* SPDX-License-Identifier: MIT */
/*
 * witness_trust.c - a witness lies in memory that others may write to. What they write there does
 * not keep the kernel from the other locks of the thread, and counts stay right.
 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "platform/sys.h"
#include "registry/registry.h"
#include "segment/internal.h"
#include "sync/held.h"
#include "sync/witness.h"

static mdg_namespace *ns;
static mdg_id id;
static pthread_mutex_t *older; /* the program's own, robust */

static void attach(void)
{
	void *memory;
	if (mdg_segment_attach(ns, id, NULL, 0, &memory) != 0)
		_exit(3);
}

/* This process's witness. */
static struct mdg__robust *own_witness(void)
{
	return &ns->registry.processes[ns->registry.slot1 - 1].witness;
}

static void older_make(void)
{
	pthread_mutexattr_t robust;
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(older, &robust);
	pthread_mutexattr_destroy(&robust);
}

static void older_was_noticed(void)
{
	struct timespec soon;
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += 5;
	CHECK(pthread_mutex_timedlock(older, &soon) == EOWNERDEAD);
}

static void run(void (*body)(void), int signal)
{
	int status;
	older_make();
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		body();
		raise(signal);
		_exit(signal);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == signal);
	CHECK(unit_stat(ns, id).attached == 0);
	older_was_noticed();
}

/* Somebody empties the word. Then the thread bears witness again, and its list is no circle. */
static void emptied(void)
{
	pthread_mutex_lock(older);
	attach();
	if (!mdg__witness_stands(own_witness()))
		_exit(4);
	atomic_store(&own_witness()->word, 0);
	attach();
	if (!mdg__witness_stands(own_witness()))
		_exit(5);
}

static void *attach_and_end(void *none)
{
	pthread_mutex_lock(older);
	attach();
	if (!mdg__witness_stands(own_witness()))
		_exit(4);
	/* Somebody leads the list astray. */
	memset(&own_witness()->word + 1, 0x55, sizeof(struct mdg__robust) - sizeof(uint32_t));
	return none;
}

/* The thread leaves the list in order when it ends. So nobody follows the link. */
static void astray(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, attach_and_end, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		_exit(6);
	if (mdg__witness_stands(own_witness()))
		_exit(7);
}

/* As in a handler that has interrupted the C library while it changes the list. */
static void interrupted(void)
{
	static uint32_t other[16];
	void *found = NULL;
	size_t size = 0;
	/* musl makes the thread's list at its first robust lock. */
	pthread_mutex_lock(older);
	if (mdg__sys_get_robust_list(&found, &size) < 0 || found == NULL)
		_exit(8);
	struct mdg__robust_head *head = found;
	uintptr_t list = head->list;
	head->pending = (uintptr_t)other;
	attach();
	if (head->list != list || mdg__witness_stands(own_witness()))
		_exit(9);
	head->pending = 0;
	attach();
	if (!mdg__witness_stands(own_witness()))
		_exit(10);
}

/* Where other users may write to the registry, nobody bears witness. */
static void where_users_share(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	mdg_namespace *first = ns;
	void *memory;
	ns = unit_open("witness_shared", &options);
	mdg_id shared;
	CHECK_RC(0, mdg_segment_create(ns, "counted", 4096, 0600, 0, &shared));
	CHECK_RC(0, mdg_segment_attach(ns, shared, NULL, 0, &memory));
	CHECK(!mdg__witness_stands(own_witness()));
	CHECK(unit_stat(ns, shared).attached == 1);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	ns = first;
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	options.processes = 16;
	ns = unit_open("witness_trust", &options);
	older = mmap(NULL, sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (older == MAP_FAILED)
		return 1;
	CHECK_RC(0, mdg_segment_create(ns, "counted", 4096, 0600, 0, &id));
	run(emptied, SIGKILL);
	run(astray, SIGKILL);
	run(interrupted, SIGKILL);
	where_users_share();
	return test_result();
}

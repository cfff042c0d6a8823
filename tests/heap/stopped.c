/* SPDX-License-Identifier: MIT */
/*
 * stopped.c - a process is stopped while it has the heap's lock. Those who need the lock wait for
 * it, but can be interrupted and ended meanwhile. When the stopped one is killed, they go on.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>

static mdg_heap *heap;
static _Atomic int *handled; /* by the process that waits */

static void on_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(handled, 1);
}

static void nap(long milliseconds)
{
	struct timespec time = { 0, milliseconds * 1000000 };
	nanosleep(&time, NULL);
}

static pid_t stop_with_lock(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		mdg__sigmask mask;
		if (mdg__heap_lock(mdg__heap_of(heap), &mask) == 0)
			raise(SIGSTOP);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	return pid;
}

static void await(int count)
{
	for (int i = 0; i < 500 && atomic_load(handled) < count; i++)
		nap(10);
	CHECK(atomic_load(handled) >= count);
}

/* A process that needs the lock while the other one, which is stopped, has it. It ends with 0 if it
 * gets what it wants. */
static pid_t start_waiting(pid_t *ret_stopped)
{
	atomic_store(handled, 0);
	pid_t pid = fork();
	if (pid == 0) {
		void *block = mdg_alloc(heap, 100); /* it has a slot after this */
		signal(SIGUSR1, on_signal);
		atomic_store(handled, 1);
		while (atomic_load(handled) == 1)
			nap(1);
		_exit(block == NULL || mdg_alloc(heap, 3 << 20) == NULL);
	}
	await(1);
	*ret_stopped = stop_with_lock();
	atomic_store(handled, 2);
	nap(50);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void end_who_waits(void)
{
	pid_t stopped, waiting = start_waiting(&stopped);
	CHECK(kill(waiting, SIGTERM) == 0);
	int status = status_of(waiting);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK(kill(stopped, SIGKILL) == 0);
	(void)status_of(stopped);
}

static void interrupt_who_waits(void)
{
	pid_t stopped, waiting = start_waiting(&stopped);
	CHECK(kill(waiting, SIGUSR1) == 0);
	await(3);
	CHECK(kill(stopped, SIGKILL) == 0);
	(void)status_of(stopped);
	CHECK(status_of(waiting) == 0);
}

int main(void)
{
	struct mdg_heap_options options = { .size = sizeof options, .maximum = 64 << 20 };
	enter_namespace();
	heap = heap_open("stopped", &options);
	handled = mmap(NULL, sizeof *handled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	CHECK(handled != MAP_FAILED);
	end_who_waits();
	interrupt_who_waits();
	(void)mdg_heap_sweep(heap);
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 0);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "stopped") == 0);
	mdg_namespace_close(ns);
	return test_result();
}

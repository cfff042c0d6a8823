/* SPDX-License-Identifier: MIT */
/*
 * main_ends.c - the first thread of a process ends before the others, by pthread_exit. The kernel
 * knows it until the process ends. What it had of a heap is free all the same: another thread takes
 * over what it kept, and detaches the heap by closing it.
 */
#include "heap/heap.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static mdg_heap *heap;
static struct mdg__heap_own *kept; /* what the first thread has kept */

/* Whether the first thread is a zombie. */
static bool has_ended(void)
{
	char line[512], path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
	FILE *file = fopen(path, "r");
	if (!CHECK(file != NULL && fgets(line, sizeof line, file) != NULL))
		exit(1);
	fclose(file);
	return strstr(line, ") Z ") != NULL;
}

static void *other_thread(void *unused)
{
	int why;
	const long page = sysconf(_SC_PAGESIZE);
	while (!has_ended())
		usleep(1000);
	CHECK(!mdg__own_lives(mdg__heap_of(heap), kept));
	CHECK_RC(0, mdg_free(heap, mdg_alloc(heap, 100)));
	CHECK(mdg__own_find(mdg__heap_of(heap), &why) == kept);
	void *base = heap->base;
	mdg_heap_close(heap);
	CHECK(msync(base, (size_t)page, MS_ASYNC) < 0 && errno == ENOMEM);
	_exit(test_result());
	return unused;
}

static void play(void)
{
	int why, status = -1;
	pthread_t thread;
	pid_t pid = fork();
	if (pid == 0) {
		heap = heap_open("heap", NULL);
		CHECK_RC(0, mdg_free(heap, mdg_alloc(heap, 100)));
		kept = mdg__own_find(mdg__heap_of(heap), &why);
		CHECK(kept != NULL && mdg__own_lives(mdg__heap_of(heap), kept));
		if (!CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0))
			_exit(1);
		pthread_exit(NULL);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	enter_namespace();
	play();
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * standard.c - a program that has closed stdin, stdout and stderr, in which a thread goes on
 * writing there: nothing of it gets into a file of the library, which is open for a moment only.
 */
#include "heap/heap.h"

#include <fcntl.h>
#include <madang/msg.h>
#include <madang/sem.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MILLISECONDS = 1000, REGISTRIES = 100, SAVED = 300 };

static _Atomic bool ends;
static _Atomic long landed, tried;

static void *writer(void *unused)
{
	(void)unused;
	static const char junk[64] = "what a program says to a stderr that it has closed";
	while (!atomic_load(&ends))
		for (int fd = 0; fd < 3; fd++) {
			landed += write(fd, junk, sizeof junk) > 0;
			tried++;
		}
	return NULL;
}

/* Which call failed: stderr is closed. */
static int failed_line, failed_rc;
#define DONE(call) done(call, __LINE__)

static bool done(int rc, int line)
{
	if (rc < 0 && failed_rc == 0) {
		failed_rc = rc;
		failed_line = line;
	}
	return rc >= 0;
}

static void segments(unsigned flags)
{
	void *memory;
	mdg_id id;
	if (!DONE(mdg_segment_create(ns, NULL, 10000, 0600, flags, &id)))
		return;
	if (DONE(mdg_segment_attach(ns, id, NULL, 0, &memory)))
		DONE(mdg_segment_detach(ns, memory));
	DONE(mdg_segment_remove(ns, id));
}

static void objects(void)
{
	const struct mdg_semset_op op = { .number = 0, .change = 1 };
	mdg_id id;
	if (DONE(mdg_semset_create(ns, NULL, 1, 0600, 0, &id))) {
		DONE(mdg_semset_op(ns, id, &op, 1, MDG_FOREVER));
		DONE(mdg_semset_remove(ns, id));
	}
	if (DONE(mdg_msgqueue_create(ns, NULL, 0600, &id))) {
		DONE(mdg_msgqueue_send(ns, id, 1, "text", 4, MDG_FOREVER));
		DONE(mdg_msgqueue_remove(ns, id));
	}
}

static void heaps(void)
{
	const struct mdg_heap_options options = { .size = sizeof options, .maximum = 8 << 20 };
	mdg_heap *heap;
	if (!DONE(mdg_heap_open(&heap, ns, "standard", &options)))
		return;
	DONE(mdg_alloc(heap, 1 << 20) == NULL ? -ENOMEM : 0);
	mdg_heap_close(heap);
	DONE(mdg_heap_remove(ns, "standard"));
}

/* A namespace of its own, whose registry is made and removed. The process goes on keeping two
 * descriptors of it. */
static void registries(void)
{
	char directory[256], file[300];
	mdg_namespace *other;
	if (!DONE(mdg_namespace_default_path(directory, sizeof directory - 8)))
		return;
	strcat(directory, "-other");
	snprintf(file, sizeof file, "%s/registry", directory);
	if (!DONE(mdg_namespace_open(&other, directory, NULL)))
		return;
	mdg_namespace_close(other);
	DONE(unlink(file) != 0 || rmdir(directory) != 0 ? -errno : 0);
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void use(void)
{
	for (uint64_t begun = now_ms(); now_ms() - begun < MILLISECONDS;) {
		segments(0);
		segments(MDG_NORESERVE);
		objects();
		heaps();
	}
}

/* The only numbers that the process may have are the standard ones. */
static int make_in_limit(void)
{
	struct rlimit limit;
	mdg_id id;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -errno;
	const struct rlimit low = { .rlim_cur = 3, .rlim_max = limit.rlim_max };
	(void)setrlimit(RLIMIT_NOFILE, &low);
	int rc = mdg_segment_create(ns, NULL, 10000, 0600, 0, &id);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return rc;
}

static int open_numbers(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int main(void)
{
	pthread_t thread;
	enter_namespace();
	segments(0);
	int saved = fcntl(2, F_DUPFD, SAVED);
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	int rc = pthread_create(&thread, NULL, writer, NULL);
	for (int i = 0; i < REGISTRIES; i++)
		registries();
	int before = open_numbers();
	use();
	int in_limit = make_in_limit();
	segments(0);
	atomic_store(&ends, true);
	rc = rc != 0 ? rc : pthread_join(thread, NULL);
	bool free_still = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
	int after = open_numbers();
	(void)dup2(saved, 2);
	CHECK(rc == 0 && tried > 0);
	CHECK_RC(0, failed_rc);
	if (failed_rc != 0)
		fprintf(stderr, "line %d\n", failed_line);
	CHECK_RC(-EMFILE, in_limit);
	CHECK(free_still && before == after);
	if (!CHECK(landed == 0))
		fprintf(stderr, "%ld of %ld writes went into a file\n", (long)landed, (long)tried);
	mdg_namespace_close(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/* See calls.h. */
#include "fuzz/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "segment/internal.h"

#define SECOND UINT64_C(1000000000)
#define SLEEPS 50 /* in one call: more than a few waits in turn */

/* ---- measuring a call -------------------------------------------------------- */

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec time = { 0, 0 };
	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static struct measure measure(void)
{
	struct rusage usage = { 0 };
	getrusage(RUSAGE_SELF, &usage);
	return (struct measure){ nanoseconds(CLOCK_MONOTONIC),
		                 nanoseconds(CLOCK_PROCESS_CPUTIME_ID), usage.ru_nvcsw, getpid() };
}

void call_start(struct caller *caller)
{
	caller->waited = false;
	caller->start = measure();
}

uint64_t call_begin(struct caller *caller, const char *name)
{
	atomic_store(&caller->progress->call, name);
	atomic_fetch_add(&caller->progress->call_number, 1);
	return nanoseconds(CLOCK_MONOTONIC);
}

_Noreturn void call_give_up(const struct caller *caller, int code)
{
	if (caller->aborts)
		abort();
	_exit(code);
}

/* The other calls since call_start() take a thousandth of what is asked for here. */
void call_end(struct caller *caller, uint64_t before)
{
	uint64_t wall = nanoseconds(CLOCK_MONOTONIC) - before;
	if (wall < SECOND)
		return;
	caller->waited = true;
	struct measure now = measure();
	if (now.pid != caller->start.pid)
		caller->start = (struct measure){ .wall = before, .pid = now.pid };
	uint64_t processor = now.processor - caller->start.processor;
	long sleeps = now.sleeps - caller->start.sleeps;
	if (processor < SECOND && sleeps < SLEEPS)
		return;
	fprintf(stderr, "hang: %s took %.1f s, %.1f s of them running, slept %ld times\n",
	        atomic_load(&caller->progress->call), (double)wall / (double)SECOND,
	        (double)processor / (double)SECOND, sleeps);
	call_give_up(caller, EXIT_HANG);
}

/* ---- the calls ----------------------------------------------------------------- */

mdg_namespace *call_open(struct caller *caller)
{
	mdg_namespace *ns = NULL;
	int rc = CALL("mdg_namespace_open", mdg_namespace_open(&ns, caller->scene->path, NULL));
	if (rc < 0)
		atomic_store(&caller->progress->phase, mdg_strerror(rc));
	return rc == 0 ? ns : NULL;
}

mdg_namespace *call_open_to_look(struct caller *caller)
{
	const struct mdg_namespace_options options = { .size = sizeof options,
		                                       .flags = MDG_NS_LOOK };
	mdg_namespace *ns = NULL;
	int rc = CALL("mdg_namespace_open to look",
	              mdg_namespace_open(&ns, caller->scene->path, &options));
	if (rc < 0)
		return NULL;
	/* Whoever writes ends by a signal. */
	if (mprotect(ns->registry.head, (size_t)ns->registry.length, PROT_READ) < 0) {
		perror("mprotect");
		call_give_up(caller, EXIT_WRONG);
	}
	return ns;
}

void call_forget(mdg_namespace *ns)
{
	for (uint32_t i = 0; i < ns->piece_count; i++)
		munmap((void *)ns->pieces[i].start, ns->pieces[i].length);
	for (uint32_t i = 0; i < ns->registry.segment_capacity; i++)
		if (ns->caches[i].sequence1 != 0 && ns->caches[i].fd >= 0)
			close(ns->caches[i].fd);
	mdg__registry_close(&ns->registry);
	atomic_store(&mdg__namespaces, NULL);
}

void call_forget_all(void)
{
	mdg_namespace *next;
	for (mdg_namespace *ns = atomic_load(&mdg__namespaces); ns != NULL; ns = next) {
		next = ns->next;
		call_forget(ns);
	}
}

static void look(struct caller *caller, mdg_namespace *ns)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	struct mdg_segment_info segment = { .size = sizeof segment };
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	mdg_id id;
	for (int i = 0; i < SCENE_SEGMENTS; i++) {
		unsigned flags = i < 2 ? MDG_STAT_RESIDENT | MDG_STAT_CREATOR : 0;
		(void)CALL("mdg_segment_get", mdg_segment_get(ns, SCENE_KEY + i, 1, 0400, &id));
		(void)CALL("mdg_segment_stat",
		           mdg_segment_stat(ns, caller->scene->ids[i], flags, &segment));
	}
	(void)CALL("mdg_segment_stat by index",
	           mdg_segment_stat(ns, (mdg_id)roll_below(&caller->dice, 8),
	                            MDG_STAT_INDEX | MDG_STAT_ANY, &segment));
	(void)CALL("mdg_segment_open", mdg_segment_open(ns, "weather", 1, 0400, &id));
	(void)CALL("mdg_segment_open of none", mdg_segment_open(ns, "no such", 0, 0, &id));
	(void)CALL("mdg_segment_stat of none", mdg_segment_stat(ns, 12345678, 0, &segment));
	/* A damaged entry is an error and not the end of the walk. */
	for (int steps = 0; steps < 200; steps++)
		if (CALL("mdg_segment_next", mdg_segment_next(ns, &cursor, 0, &segment)) == 0)
			break;
	for (int i = 0; i < 2; i++) {
		cursor = 0;
		for (int steps = 0; steps < 40; steps++)
			if (CALL("mdg_segment_next_process",
			         mdg_segment_next_process(ns, caller->scene->ids[i], &cursor,
			                                  &process)) <= 0)
				break;
	}
	(void)CALL("mdg_namespace_info", mdg_namespace_info(ns, MDG_INFO_RESIDENT, &info));
}

/* What was attached can be used, all that stat says there is. */
static void use(struct caller *caller, mdg_namespace *ns, mdg_id id, volatile char *memory,
                bool writable)
{
	struct mdg_segment_info info = { .size = sizeof info, .bytes = 1 };
	if (!caller->quiet ||
	    CALL("mdg_segment_stat of attached", mdg_segment_stat(ns, id, MDG_STAT_ANY, &info)) < 0)
		info.bytes = 1;
	if (memory == NULL) {
		fprintf(stderr, "attached, but nowhere\n");
		call_give_up(caller, EXIT_WRONG);
		return; /* cppcheck knows no _Noreturn */
	}
	atomic_store(&caller->progress->call, "use of attached memory");
	char byte = (char)(memory[0] ^ memory[info.bytes - 1]);
	if (writable)
		memory[info.bytes - 1] = byte;
}

static void attach(struct caller *caller, mdg_namespace *ns, void *kept[SCENE_SEGMENTS])
{
	for (int i = 0; i < SCENE_SEGMENTS; i++) {
		mdg_id id = caller->scene->ids[i];
		void *memory = NULL;
		if (CALL("mdg_segment_attach", mdg_segment_attach(ns, id, NULL, 0, &memory)) == 0) {
			use(caller, ns, id, memory, true);
			kept[i] = memory;
		}
		if (i > 0 || CALL("mdg_segment_attach read-only",
		                  mdg_segment_attach(ns, id, NULL, MDG_RDONLY, &memory)) < 0)
			continue;
		use(caller, ns, id, memory, false);
		(void)CALL("mdg_segment_detach", mdg_segment_detach(ns, memory));
	}
}

static void make(struct caller *caller, mdg_namespace *ns)
{
	static const char *const names[] = { NULL, "fuzz" };
	mdg_id id = -1;
	void *memory = NULL;
	for (int i = 0; i < 2; i++) {
		if (CALL("mdg_segment_create",
		         mdg_segment_create(ns, names[i], 5000, 0600, 0, &id)) < 0)
			continue;
		if (CALL("mdg_segment_attach of a new one",
		         mdg_segment_attach(ns, id, NULL, 0, &memory)) == 0) {
			use(caller, ns, id, memory, true);
			(void)CALL("mdg_segment_detach of a new one",
			           mdg_segment_detach(ns, memory));
		}
		(void)CALL("mdg_segment_remove of a new one", mdg_segment_remove(ns, id));
	}
	(void)CALL("mdg_segment_get to make",
	           mdg_segment_get(ns, SCENE_KEY + 3, 4096, MDG_CREATE | 0600, &id));
	(void)CALL("mdg_segment_get to find or make",
	           mdg_segment_get(ns, SCENE_KEY + 5, 4096, MDG_CREATE | 0600, &id));
}

static void fork_once(struct caller *caller, mdg_namespace *ns, void *const kept[SCENE_SEGMENTS])
{
	pid_t pid = CALL("fork", fork());
	if (pid == 0) {
		for (int i = 0; i < SCENE_SEGMENTS; i++)
			if (kept[i] != NULL)
				(void)CALL("mdg_segment_detach in a child",
				           mdg_segment_detach(ns, kept[i]));
		_exit(0);
	}
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status != 0) {
		fprintf(stderr, "the child of fork ended with status %#x\n", (unsigned)status);
		call_give_up(caller, WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_WRONG);
	}
}

static void change(struct caller *caller, mdg_namespace *ns)
{
	const struct scene *scene = caller->scene;
	for (int i = 0; i < 2; i++) {
		(void)CALL("mdg_segment_set",
		           mdg_segment_set(ns, scene->ids[i], geteuid(), getegid(), 0640));
		(void)CALL("mdg_segment_lock", mdg_segment_lock(ns, scene->ids[i], 1));
		(void)CALL("mdg_segment_lock off", mdg_segment_lock(ns, scene->ids[i], 0));
	}
}

static int see_damage(const struct mdg_finding *finding, void *context)
{
	char(*text)[160] = context;
	if (finding->kind == MDG_FOUND_DAMAGE && !finding->repaired)
		memcpy(*text, finding->text, sizeof *text);
	return 0;
}

static void check(struct caller *caller, mdg_namespace *ns)
{
	char damage[160] = "";
	if (one_in(&caller->dice, 2))
		(void)CALL("mdg_namespace_check", mdg_namespace_check(ns, 0, NULL, NULL));
	int rc = CALL("mdg_namespace_check to repair",
	              mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	if (!caller->quiet || rc < 0)
		return;
	rc = CALL("mdg_namespace_check after repair",
	          mdg_namespace_check(ns, 0, see_damage, &damage));
	if (rc < 0 || damage[0] != '\0') {
		fprintf(stderr, "after a repair: %s\n", rc < 0 ? mdg_strerror(rc) : damage);
		call_give_up(caller, EXIT_WRONG);
	}
}

void call_everything(struct caller *caller, mdg_namespace *ns)
{
	void *kept[SCENE_SEGMENTS] = { NULL };
	look(caller, ns);
	attach(caller, ns, kept);
	if (one_in(&caller->dice, 32))
		fork_once(caller, ns, kept);
	if (one_in(&caller->dice, 4)) /* repaired with everything attached */
		check(caller, ns);
	make(caller, ns);
	change(caller, ns);
	for (int i = 0; i < SCENE_SEGMENTS; i++) {
		if (i % 2 == 0)
			(void)CALL("mdg_segment_remove",
			           mdg_segment_remove(ns, caller->scene->ids[i]));
		if (kept[i] != NULL)
			(void)CALL("mdg_segment_detach", mdg_segment_detach(ns, kept[i]));
	}
	check(caller, ns);
	if (one_in(&caller->dice, 4))
		look(caller, ns);
}

/* ---- watching from outside ------------------------------------------------------- */

struct progress *progress_new(void)
{
	void *memory = mmap(NULL, sizeof(struct progress), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

static int tell(const struct progress *progress, const char *what, int number)
{
	const char *call = atomic_load(&progress->call), *phase = atomic_load(&progress->phase);
	fprintf(stderr, "%s %d, in %s, %s\n", what, number, call != NULL ? call : "no call",
	        phase != NULL ? phase : "");
	return 1;
}

int watch(pid_t pid, struct progress *progress)
{
	const struct timespec pause = { 0, 2000000 };
	uint64_t seen = 0, since = nanoseconds(CLOCK_MONOTONIC);
	int status;
	for (;;) {
		pid_t ended = waitpid(pid, &status, WNOHANG);
		if (ended == pid)
			break;
		if (ended < 0 && errno != EINTR)
			return tell(progress, "waitpid, errno", errno);
		uint64_t now = nanoseconds(CLOCK_MONOTONIC);
		uint64_t at = atomic_load(&progress->call_number);
		if (at != seen)
			since = now;
		seen = at;
		if (now - since > NEVER_SECONDS * SECOND) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return tell(progress, "never came back, killed after seconds",
			            NEVER_SECONDS);
		}
		nanosleep(&pause, NULL);
	}
	if (WIFSIGNALED(status))
		return tell(progress, "ended by signal", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return tell(progress, "ended with exit code", WEXITSTATUS(status));
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * threads.c - threads of one process over one mapping of the registry.
 *
 *     threads calls | signals | cancel | fork
 *
 * What ThreadSanitizer can see: every protocol of the registry among threads
 * that share its mapping. Between processes it sees nothing; tests/crash and
 * tests/life are for that. The threads share a few keys, so that they meet.
 *
 * calls    create, find, attach, detach, stat, walk, set and remove, by all.
 * signals  a timer's handler makes the calls, too, in the middle of them.
 * cancel   threads are cancelled where they stand: no call is a cancellation
 *          point, so none may leave a lock behind or the count wrong.
 * fork     threads fork meanwhile, and the children use what they inherited.
 *
 * The number of rounds is fixed, so that the work does not depend on the
 * machine's speed.
 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

enum { THREADS = 4, KEYS = 5, ROUNDS = 1500, FORKS = 12, CANCELS = 40, FIRST_KEY = 0x7400 };

static mdg_namespace *ns;
static atomic_int failures;
static size_t page;
static bool forks; /* a child of another thread's may hold any segment for a while */

#define EXPECT(condition) expect(!!(condition), #condition, __LINE__)

static void expect(bool held, const char *what, int line)
{
	if (held)
		return;
	fprintf(stderr, "threads.c:%d: does not hold: %s\n", line, what);
	atomic_fetch_add(&failures, 1);
}

/* What the others may have done to a segment between two of our calls. */
static bool may_be_gone(int rc)
{
	if (rc == 0 || rc == -EINVAL || rc == -EIDRM || rc == -ENOENT)
		return true;
	fprintf(stderr, "%d: %s\n", rc, mdg_strerror(rc));
	return false;
}

/* ---- one thread's work ------------------------------------------------------------- */

struct worker {
	uint64_t state;
	int rounds;
};

static void use_memory(mdg_id id)
{
	void *memory, *second;
	int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	EXPECT(may_be_gone(rc));
	if (rc != 0)
		return;
	/* Attached means there, whatever the others do. */
	struct mdg_segment_info info = { .size = sizeof info };
	atomic_fetch_add((atomic_uint *)memory, 1);
	rc = mdg_segment_stat(ns, id, MDG_STAT_ANY, &info);
	if (rc != 0)
		fprintf(stderr, "segment %d: %s\n", id, mdg_strerror(rc));
	EXPECT(rc == 0 && info.attached >= 1 && info.id == id);
	if (mdg_segment_attach(ns, id, NULL, MDG_RDONLY, &second) == 0) {
		EXPECT(atomic_load((atomic_uint *)second) >= 1);
		EXPECT(mdg_segment_detach(ns, second) == 0);
	}
	EXPECT(mdg_segment_detach(ns, memory) == 0);
}

static void look_around(mdg_id id)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_process_info process = { .size = sizeof process };
	struct mdg_namespace_info all = { .size = sizeof all };
	uint32_t cursor = 0;
	int rc;
	while ((rc = mdg_segment_next(ns, &cursor, MDG_STAT_CREATOR, &info)) == 1)
		EXPECT(info.bytes >= 1 && info.bytes <= 3 * page);
	EXPECT(rc == 0);
	cursor = 0;
	while ((rc = mdg_segment_next_process(ns, id, &cursor, &process)) == 1)
		EXPECT(process.attached >= 1);
	EXPECT(may_be_gone(rc));
	EXPECT(mdg_namespace_info(ns, 0, &all) == 0);
	EXPECT(all.segments_used <= THREADS * 2 + KEYS + 8);
}

static void work_once(struct worker *worker)
{
	uint32_t random = unit_random(&worker->state);
	int32_t key = FIRST_KEY + (int32_t)(random % KEYS);
	char name[] = { 'n', (char)('0' + random / 8 % 3), '\0' }; /* also in a signal handler */
	mdg_id id;
	int rc;
	switch (random / 64 % 8) {
	case 0:
	case 1:
		rc = mdg_segment_get(ns, key, 1 + random % (2 * page), MDG_CREATE | 0600, &id);
		EXPECT(rc == 0 || rc == -EINVAL); /* there, but smaller */
		break;
	case 2:
		rc = mdg_segment_get(ns, key, 100, MDG_CREATE | MDG_EXCL | 0600, &id);
		EXPECT(rc == 0 || rc == -EEXIST);
		break;
	case 3:
		rc = mdg_segment_create(ns, name, page, 0600, MDG_NORESERVE, &id);
		EXPECT(rc == 0 || rc == -EEXIST);
		if (rc == -EEXIST)
			rc = mdg_segment_open(ns, name, page, 0600, &id);
		EXPECT(may_be_gone(rc));
		if (random % 5 == 0) {
			rc = mdg_segment_create(ns, name, page, 0600, MDG_NORESERVE | MDG_OR_OPEN,
			                        &id);
			EXPECT(rc == 0); /* whoever makes or removes it meanwhile */
		}
		if (rc == 0 && random % 3 == 0)
			EXPECT(may_be_gone(mdg_segment_remove(ns, id)));
		break;
	case 4:
		rc = mdg_segment_create(ns, NULL, page, 0600, 0, &id); /* nobody else's */
		EXPECT(rc == 0);
		use_memory(id);
		EXPECT(mdg_segment_remove(ns, id) == 0);
		rc = mdg_segment_remove(ns, id);
		EXPECT(rc == -EINVAL || (rc == 0 && forks));
		break;
	default:
		rc = mdg_segment_get(ns, key, 0, 0, &id);
		EXPECT(may_be_gone(rc));
		if (rc != 0)
			break;
		use_memory(id);
		if (random % 5 == 0)
			EXPECT(may_be_gone(mdg_segment_set(ns, id, geteuid(), getegid(), 0640)));
		if (random % 4 == 0)
			EXPECT(may_be_gone(mdg_segment_remove(ns, id)));
		if (random % 50 == 0)
			look_around(id);
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	for (int i = 0; i < worker->rounds; i++)
		work_once(worker);
	return NULL;
}

static void start(pthread_t *threads, struct worker *workers, int rounds)
{
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ UINT64_C(77) * (unsigned)(i + 1), rounds };
		CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
	}
}

static void join(const pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Nothing is attached, nothing wrong, and after removal nothing there. */
static void settle(void)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_namespace_info all = { .size = sizeof all };
	uint32_t cursor = 0;
	while (mdg_segment_next(ns, &cursor, 0, &info) == 1) {
		CHECK(info.attached == 0 && (info.mode & MDG_MODE_REMOVED) == 0);
		CHECK_RC(0, mdg_segment_remove(ns, info.id));
	}
	CHECK_RC(0, mdg_namespace_info(ns, 0, &all));
	CHECK(all.segments_used == 0 && all.pages_total == 0);
	unit_is_sound(ns);
	CHECK(atomic_load(&failures) == 0);
}

static void calls(void)
{
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	start(threads, workers, ROUNDS);
	join(threads);
}

/* ---- signals ------------------------------------------------------------------------ */

static atomic_int handled;

static void on_timer(int signal)
{
	static _Thread_local uint64_t state;
	struct worker worker;
	int before = errno;
	(void)signal;
	if (state == 0)
		state = (uint64_t)(uintptr_t)&state | 1;
	worker.state = state;
	work_once(&worker);
	state = worker.state;
	atomic_fetch_add(&handled, 1);
	errno = before;
}

static void signals(void)
{
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	start(threads, workers, ROUNDS);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	/* The timer counts real time; the work is done when it has struck often enough. */
	struct worker own = { 5, 1 };
	while (atomic_load(&handled) < 50)
		work(&own);
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	join(threads);
}

/* ---- cancellation ---------------------------------------------------------------------- */

static void *work_until_cancelled(void *arg)
{
	struct worker *worker = arg;
	for (;;) {
		work_once(worker);
		pthread_testcancel();
	}
	return NULL;
}

static void cancel(void)
{
	pthread_t threads[THREADS], victim;
	struct worker workers[THREADS], lost = { 99, 0 };
	start(threads, workers, ROUNDS);
	for (int i = 0; i < CANCELS; i++) {
		void *result = NULL;
		CHECK(pthread_create(&victim, NULL, work_until_cancelled, &lost) == 0);
		nanosleep(&(struct timespec){ 0, i * 37L % 100 * 10000 }, NULL);
		CHECK(pthread_cancel(victim) == 0);
		CHECK(pthread_join(victim, &result) == 0 && result == PTHREAD_CANCELED);
	}
	join(threads);
}

/* ---- fork ------------------------------------------------------------------------------- */

/* In the child: the parent's threads are gone, the attachments are there. */
static int child(mdg_id id, void *memory)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct worker worker = { (uint64_t)getpid(), 5 };
	atomic_store(&failures, 0); /* those before are the parent's */
	if (mdg_segment_stat(ns, id, 0, &info) != 0 || info.attached < 1)
		return 2;
	atomic_fetch_add((atomic_uint *)memory, 1);
	work(&worker);
	if (mdg_segment_detach(ns, memory) != 0)
		return 3;
	return atomic_load(&failures) == 0 ? 0 : 4;
}

static void *work_and_fork(void *arg)
{
	struct worker *worker = arg;
	mdg_id id;
	void *memory;
	EXPECT(mdg_segment_create(ns, NULL, page, 0600, 0, &id) == 0);
	EXPECT(mdg_segment_attach(ns, id, NULL, 0, &memory) == 0);
	for (int i = 0; i < FORKS; i++) {
		struct mdg_segment_info info = { .size = sizeof info };
		int status = -1;
		work_once(worker);
		pid_t pid = fork();
		if (pid == 0)
			_exit(child(id, memory));
		EXPECT(pid > 0);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		/* Children of other threads have it attached, too, as long as they live. */
		EXPECT(mdg_segment_stat(ns, id, 0, &info) == 0 && info.attached >= 1);
		EXPECT(atomic_load((atomic_uint *)memory) == (unsigned)i + 1);
	}
	EXPECT(mdg_segment_detach(ns, memory) == 0);
	EXPECT(mdg_segment_remove(ns, id) == 0);
	return NULL;
}

static void fork_in_threads(void)
{
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	forks = true;
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ UINT64_C(31) * (unsigned)(i + 1), 0 };
		CHECK(pthread_create(&threads[i], NULL, work_and_fork, &workers[i]) == 0);
	}
	join(threads);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} kinds[] = { { "calls", calls },
		      { "signals", signals },
		      { "cancel", cancel },
		      { "fork", fork_in_threads } };
	page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (argc != 2 || strcmp(argv[1], kinds[i].name) != 0)
			continue;
		ns = unit_open("threads", NULL);
		kinds[i].run();
		settle();
		return test_result();
	}
	fprintf(stderr, "threads calls|signals|cancel|fork\n");
	return 2;
}

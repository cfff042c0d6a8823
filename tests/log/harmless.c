/* SPDX-License-Identifier: MIT */
/*
 * harmless.c - a program whose calls are logged notices nothing of it.
 *
 *     harmless             plays all parts
 *     harmless PART FILE   in a process of its own, with MADANG_LOG in its environment
 *
 * Each part is a program that does what programs do: closes descriptors, forks, has threads, has
 * nobody who reads its standard error.
 */
#include "support/check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>

enum { MANY = 200, PROCESSES = 4, THREADS = 4 };

/* Makes a line of the log, and nothing else: there is no such segment. */
static void call(void)
{
	errno = 0;
	CHECK(shmctl(-1, IPC_RMID, NULL) == -1 && errno == EINVAL);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Lines of a file; -1: it is not there. */
static long lines_of(const char *file, const char *with)
{
	char line[2000];
	long count = 0;
	FILE *in = fopen(file, "r");
	if (in == NULL)
		return -1;
	while (fgets(line, sizeof line, in) != NULL)
		count += strstr(line, with) != NULL;
	fclose(in);
	return count;
}

/* ---- the parts ---------------------------------------------------------------------------- */

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(fd);
	return fd;
}

/* The numbers that the program counts on stay free, and what it puts in the place of the log's own
 * descriptor gets no line. */
static void descriptors(const char *file)
{
	char own[] = "/tmp/madang-own-XXXXXX";
	struct stat status;
	int free = lowest_free();
	call();
	CHECK(lowest_free() == free);
	close(mkstemp(own));
	int mine = open(own, O_WRONLY | O_APPEND | O_CLOEXEC); /* as the log is opened */
	for (int fd = 3; fd < 1024; fd++)
		if (fd != mine)
			dup2(mine, fd);
	call();
	CHECK(fstat(mine, &status) == 0 && status.st_size == 0);
	unlink(own);
	CHECK(lines_of(file, "shmctl(-1, IPC_RMID, NULL) = -1 EINVAL") == 2);
}

static void no_errno(const char *file)
{
	(void)file;
	call(); /* ... whose line cannot be written: the disk is full */
	errno = EDOM;
	int id = shmget(IPC_PRIVATE, 1, 0600);
	CHECK(id >= 0 && errno == EDOM);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0 && errno == EDOM);
}

/* Nobody reads. SIGPIPE would kill. */
static void nobody_reads(const char *file)
{
	sigset_t pipe_signal, pending;
	(void)file;
	call();
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGPIPE) == 0);
	/* One that waits already is the program's own. */
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe_signal, NULL);
	raise(SIGPIPE);
	call();
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGPIPE) == 1);
}

/* The reader sleeps. It is waited for once, and not for long. */
static void full_pipe(const char *file)
{
	double begin = now();
	(void)file;
	for (int i = 0; i < 200; i++)
		call();
	double took = now() - begin;
	if (freopen("/dev/null", "w", stderr) == NULL) /* or what fails would wait, too */
		_exit(1);
	CHECK(took < 15);
}

/* The reader is this program itself. */
static void slow_reader(const char *file)
{
	static char said[200000];
	int end = atoi(file);
	call();
	call();
	while (read(end, said, sizeof said) > 0)
		;
	call();
	ssize_t length = read(end, said, sizeof said - 1);
	said[length > 0 ? length : 0] = '\0';
	bool is_told = strstr(said, " +++ 2 lines were lost +++\n") != NULL;
	bool is_there = strstr(said, " shmctl(-1, IPC_RMID, NULL) = -1 EINVAL") != NULL;
	CHECK(is_told && is_there);
}

/* Number 2 becomes a file of the program's. */
static void replaced(const char *file)
{
	char own[] = "/tmp/madang-own-XXXXXX";
	struct stat status;
	int mine = mkstemp(own), before = dup(2);
	(void)file;
	call();
	dup2(mine, 2);
	call();
	CHECK(fstat(mine, &status) == 0 && status.st_size == 0);
	dup2(before, 2);
	unlink(own);
}

/* A daemon that lets go of its terminal. */
static void daemonish(const char *file)
{
	(void)file;
	call();
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	call();
	for (;;)
		pause();
}

static void size_limit(const char *file)
{
	struct rlimit limit = { 300, 300 };
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 20; i++)
		call();
	CHECK(lines_of(file, "shmctl") >= 2);
}

static void *many(void *argument)
{
	for (int i = 0; i < MANY; i++)
		call();
	return argument;
}

static void threads(void)
{
	pthread_t thread[THREADS];
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, many, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* No line is torn, and none is missing. */
static void crowd(const char *file)
{
	pid_t pid[PROCESSES];
	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			threads();
			_exit(test_result());
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = -1;
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
	}
	char line[2000];
	long whole = 0;
	FILE *in = fopen(file, "r");
	CHECK(in != NULL);
	while (in != NULL && fgets(line, sizeof line, in) != NULL) {
		int at = 0, process, thread;
		(void)sscanf(line,
		             "%d/%d %*d:%*d:%*d.%*d shmctl(-1, IPC_RMID, NULL) = -1 EINVAL "
		             "(Invalid argument) <%*d.%*d>%n",
		             &process, &thread, &at);
		CHECK(at > 0 && strcmp(line + at, "\n") == 0);
		whole++;
	}
	CHECK(whole == PROCESSES * THREADS * MANY);
	if (in != NULL)
		fclose(in);
}

/* ---- handlers ----------------------------------------------------------------------------- */

static sigjmp_buf back;
static volatile sig_atomic_t jumps;

static void on_alarm(int signal)
{
	int before = errno;
	(void)signal;
	call();
	errno = before;
	if (jumps)
		siglongjmp(back, 1);
}

/* A handler makes a call while the program sleeps in one; and another one never comes back. */
static void handlers(const char *file)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct sembuf take = { 0, -1, 0 };
	int id = semget(IPC_PRIVATE, 1, 0600);
	sigaction(SIGALRM, &action, NULL);
	ualarm(100000, 0);
	CHECK(semop(id, &take, 1) == -1 && errno == EINTR);
	jumps = 1;
	if (sigsetjmp(back, 1) == 0) {
		ualarm(100000, 0);
		(void)semop(id, &take, 1);
		CHECK(false); /* it returns */
	}
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK(lines_of(file, "sem_op=-1, sem_flg=0}], 1 <unfinished ...>") == 2);
	CHECK(lines_of(file, "<... semop resumed>) = -1 EINTR") == 1);
	CHECK(lines_of(file, "shmctl(") == 2 && lines_of(file, ", 0, IPC_RMID) = 0") == 1);
}

/* What a pointer that leads nowhere does is the call's business, and not the log's. */
static void pointers(const char *file)
{
	static char *const nowhere = (char *)16;
	CHECK(shmctl(-1, IPC_SET, (struct shmid_ds *)(void *)nowhere) == -1 && errno == EINVAL);
	CHECK(shmdt(nowhere) == -1 && errno == EINVAL);
	CHECK(semctl(-1, 0, SETALL, nowhere) == -1 && errno == EINVAL);
	CHECK(lines_of(file, "0x10") == 3);
}

/* ---- playing them ------------------------------------------------------------------------- */

static const struct part {
	const char *name;
	void (*play)(const char *file);
	const char *log; /* NULL: a file; or "-" */
} parts[] = { { "descriptors", descriptors, NULL },
	      { "no-errno", no_errno, "/dev/full" },
	      { "nobody-reads", nobody_reads, "-" },
	      { "full-pipe", full_pipe, "-" },
	      { "slow-reader", slow_reader, "-" },
	      { "replaced", replaced, "-" },
	      { "daemonish", daemonish, "-" },
	      { "size-limit", size_limit, NULL },
	      { "crowd", crowd, NULL },
	      { "handlers", handlers, NULL },
	      { "pointers", pointers, NULL } };
enum { PARTS = sizeof parts / sizeof parts[0] };

static int play(const char *name, const char *file)
{
	for (int i = 0; i < PARTS; i++)
		if (strcmp(parts[i].name, name) == 0)
			parts[i].play(file);
	return test_result();
}

static pid_t start(const struct part *part, const char *file, int error)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (error >= 0)
		dup2(error, 2);
	setenv("MADANG_LOG", part->log != NULL ? part->log : file, 1);
	execl("/proc/self/exe", "harmless", part->name, file, (char *)NULL);
	_exit(126);
}

static bool passes(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

static const struct part *part_named(const char *name)
{
	for (int i = 0; i < PARTS; i++)
		if (strcmp(parts[i].name, name) == 0)
			return &parts[i];
	return NULL;
}

/* What is written to the other end until it is closed everywhere. */
static size_t drain(int fd, char *room, size_t size)
{
	size_t length = 0;
	struct pollfd one = { fd, POLLIN, 0 };
	while (length < size - 1) {
		bool comes = poll(&one, 1, 30000) > 0;
		CHECK(comes);
		if (!comes)
			break;
		ssize_t got = read(fd, room + length, size - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	room[length] = '\0';
	return length;
}

static void to_a_pipe(const char *name, bool full, bool read_end)
{
	static char said[200000];
	int ends[2];
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
	while (full && write(ends[1], "x", 1) == 1)
		;
	CHECK(fcntl(ends[1], F_SETFL, 0) == 0);
	if (!read_end)
		close(ends[0]);
	pid_t pid = start(part_named(name), "", ends[1]);
	close(ends[1]);
	if (read_end && !full) {
		size_t length = drain(ends[0], said, sizeof said);
		CHECK(length > 0 && strstr(said, "shmctl(-1, IPC_RMID, NULL) = -1 EINVAL") != NULL);
		/* ... which was one line; and nothing keeps the pipe open. */
		CHECK(length > 0 && strchr(said, '\n') == said + length - 1);
	}
	if (strcmp(name, "daemonish") == 0) {
		kill(pid, SIGKILL);
		(void)passes(pid);
	} else {
		CHECK(passes(pid));
	}
	if (read_end)
		close(ends[0]);
}

/* A slow reader learns how much it has missed. */
static void to_a_slow_reader(void)
{
	char number[16];
	int ends[2];
	CHECK(pipe2(ends, O_NONBLOCK) == 0);
	while (write(ends[1], "x", 1) == 1)
		;
	CHECK(fcntl(ends[1], F_SETFL, 0) == 0);
	snprintf(number, sizeof number, "%d", ends[0]);
	CHECK(passes(start(part_named("slow-reader"), number, ends[1])));
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	char file[] = "/tmp/madang-log-XXXXXX";
	if (argc > 2)
		return play(argv[1], argv[2]);
	signal(SIGPIPE, SIG_DFL);
	int made = mkstemp(file);
	if (made < 0)
		return 1;
	for (int i = 0; i < PARTS; i++) {
		if (parts[i].log != NULL && parts[i].log[0] == '-')
			continue;
		CHECK(ftruncate(made, 0) == 0);
		if (!passes(start(&parts[i], file, -1))) {
			fprintf(stderr, "it was the part %s\n", parts[i].name);
			CHECK(false);
		}
	}
	to_a_pipe("nobody-reads", false, false);
	to_a_pipe("full-pipe", true, true);
	to_a_pipe("replaced", false, true);
	to_a_pipe("daemonish", false, true);
	to_a_slow_reader();
	close(made);
	unlink(file);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * top.c - how long `madang top` takes from a key to the last byte of the new screen.
 *
 *     madang-bench-top TOOL [SEGMENTS [ROUNDS [LIMIT]]]      by default 4096 and 100
 *
 * A namespace with so many segments is made on a memory file system. The tool runs in it on a
 * terminal that this program plays, of 80 by 24 characters and then of 200 by 50. Keys are sent,
 * and the answer is read until nothing has come for a while. The time of a key goes to the last
 * byte.
 *
 *     look       Space: everything is read again, sorted and painted. A segment was made or removed
 *                since, so that the screen changes.
 *     reverse    r: all is sorted the other way round and painted, without reading.
 *     filter     /, then a character: all columns of all rows are searched.
 *
 * Exit 0; 1: a median is above LIMIT milliseconds; 2: it cannot be measured; 77: the tool refuses
 * the terminal, and has said why: it has no screen here.
 */
#include <fcntl.h>
#include <madang/segment.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_MS = 60, ANSWER_MS = 20000, ROUNDS_MOST = 10000 };

static char directory[64];
static mdg_namespace *ns;
static mdg_id extra = -1;
static int terminal = -1;
static pid_t tool;

static void give_up(const char *what, int rc)
{
	fprintf(stderr, "madang-bench-top: %s%s%s\n", what, rc != 0 ? ": " : "",
	        rc != 0 ? mdg_strerror(rc) : "");
	exit(2);
}

static void must(int rc, const char *what)
{
	if (rc != 0)
		give_up(what, rc);
}

/* ---- the namespace ----------------------------------------------------- */

static void tidy_up(void)
{
	char command[128];

	if (tool > 0)
		kill(tool, SIGKILL);
	/* The directory is one that mkdtemp has named. */
	snprintf(command, sizeof command, "rm -rf %s", directory);
	if (directory[0] != '\0' && system(command) != 0) /* NOLINT(cert-env33-c) */
		fprintf(stderr, "%s is left\n", directory);
}

static void furnish(uint32_t segments)
{
	struct mdg_namespace_options options = { .size = sizeof options,
		                                 .segments = segments + 64 };
	char path[80], name[32];
	mdg_id id;

	snprintf(directory, sizeof directory, "%s/madang-top-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(directory) == NULL)
		give_up("no directory", 0);
	atexit(tidy_up);
	snprintf(path, sizeof path, "%s/ns", directory);
	must(mdg_namespace_open(&ns, path, &options), "namespace");
	for (uint32_t i = 0; i < segments; i++) {
		snprintf(name, sizeof name, "segment.%u", i);
		must(mdg_segment_create(ns, name, 4096 + i % 7 * 4096, 0600, 0, &id), "segment");
	}
	setenv("MADANG_NAMESPACE", path, 1);
}

/* So that the next look finds something new. */
static void change(void)
{
	if (extra >= 0) {
		must(mdg_segment_remove(ns, extra), "remove");
		extra = -1;
	} else {
		must(mdg_segment_create(ns, NULL, 4096, 0600, 0, &extra), "create");
	}
}

/* ---- the tool on a terminal --------------------------------------------- */

static void begin(const char *path, unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
		give_up("no terminal", 0);
	const char *name = ptsname(terminal);
	int other = name != NULL ? open(name, O_RDWR | O_NOCTTY) : -1;
	if (other < 0 || ioctl(other, TIOCSWINSZ, &size) != 0)
		give_up("no terminal", 0);
	tool = fork();
	if (tool == 0) {
		setsid();
		dup2(other, 0);
		dup2(other, 1);
		setenv("TERM", "xterm-256color", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		execl(path, path, "top", "--interval", "100000", (char *)NULL);
		_exit(127);
	}
	close(other);
}

static double now_ms(void)
{
	return (double)mdg_deadline(0) / 1e6;
}

/* Reads until nothing has come for a while: when the last byte came; below 0: nothing has. */
static double settle(void)
{
	double last = -1;
	int patience = ANSWER_MS;

	for (;;) {
		struct pollfd input = { .fd = terminal, .events = POLLIN };
		char bytes[65536];
		if (poll(&input, 1, patience) <= 0)
			return last;
		if (read(terminal, bytes, sizeof bytes) <= 0)
			return last;
		last = now_ms();
		patience = QUIET_MS;
	}
}

static double press(const char *key)
{
	double begun = now_ms();

	if (write(terminal, key, strlen(key)) < 0)
		give_up("the tool has ended", 0);
	double end = settle();
	if (end < 0)
		give_up("the screen does not change", 0);
	return end - begun;
}

static void finish(void)
{
	int status;

	(void)!write(terminal, "q", 1);
	(void)settle();
	close(terminal);
	waitpid(tool, &status, 0);
	tool = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		give_up("the tool failed", 0);
}

/* ---- measuring ----------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return one < other ? -1 : one > other;
}

static double report(const char *screen, const char *what, double *times, unsigned count)
{
	qsort(times, count, sizeof *times, compare);
	printf("%-8s  %-8s  %7.1f  %7.1f\n", screen, what, times[count / 2], times[count * 9 / 10]);
	fflush(stdout);
	return times[count / 2];
}

static double play(const char *path, unsigned short rows, unsigned short columns, unsigned rounds)
{
	static double times[ROUNDS_MOST];
	char screen[16];
	double worst = 0, median;

	snprintf(screen, sizeof screen, "%ux%u", columns, rows);
	begin(path, rows, columns);
	if (settle() < 0) {
		int status;
		pid_t ended = waitpid(tool, &status, WNOHANG);
		if (ended == tool && WIFEXITED(status) && WEXITSTATUS(status) == 1)
			exit(77);
		give_up("the screen stays empty", 0);
	}
	for (unsigned i = 0; i < rounds; i++) {
		change();
		times[i] = press(" ");
	}
	worst = report(screen, "look", times, rounds);
	for (unsigned i = 0; i < rounds; i++)
		times[i] = press("r");
	median = report(screen, "reverse", times, rounds);
	worst = median > worst ? median : worst;
	for (unsigned i = 0; i < rounds; i++) {
		(void)press("/");
		times[i] = press("7");
		(void)press("\177"); /* of its own: Esc may wait for more */
		(void)press("\r");
	}
	median = report(screen, "filter", times, rounds);
	finish();
	return median > worst ? median : worst;
}

static unsigned number(int argc, char **argv, int at, unsigned usual, unsigned most)
{
	unsigned long value = argc > at ? strtoul(argv[at], NULL, 10) : usual;

	return value < 1 ? 1 : value > most ? most : (unsigned)value;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("Usage: madang-bench-top TOOL [SEGMENTS [ROUNDS [LIMIT]]]\n", stderr);
		return 2;
	}
	unsigned segments = number(argc, argv, 2, 4096, 30000);
	unsigned rounds = number(argc, argv, 3, 100, ROUNDS_MOST);
	double limit = number(argc, argv, 4, 1000000, 1000000);
	furnish(segments);
	printf("%u segments, %u rounds; milliseconds from the key to the last byte\n"
	       "screen    what       median      90%%\n",
	       segments, rounds);
	double narrow = play(argv[1], 24, 80, rounds);
	double wide = play(argv[1], 50, 200, rounds);
	return narrow > limit || wide > limit ? 1 : 0;
}

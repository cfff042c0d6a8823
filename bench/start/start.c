/* SPDX-License-Identifier: MIT */
/*
 * start.c - starts `true` and the forker again and again, in each way in turn. See start.h.
 *
 * posix_spawn starts it without a fork, so what this program itself has mapped does not count.
 */
#include "base/progress.h" /* of the tool */
#include "bench/start/start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_ROOM 4096
#define FORKS     "20"

static const char *const names[START_WAYS][2] = {
	[START_PLAIN] = { "plain", "true" },
	[START_ENV] = { "env", "env true" },
	[START_PRELOADED] = { "preloaded", "true, with LD_PRELOAD of libmadang-sysv" },
	[START_RUN] = { "run", "madang run true" },
	[START_FORK] = { "fork", "fork, exit and wait" },
	[START_FORK_PRELOADED] = { "fork-preloaded", "with LD_PRELOAD of libmadang-sysv" },
	[START_FORK_KERNEL] = { "fork-kernel", "attached to a segment of the kernel's" },
	[START_FORK_ATTACHED] = { "fork-attached", "with LD_PRELOAD, attached to a segment" },
};

enum { PRELOADED = 3 };
static const enum start_way preloaded[PRELOADED] = { START_PRELOADED, START_FORK_PRELOADED,
	                                             START_FORK_ATTACHED };

/* How one way is started. */
struct start {
	char program[PATH_ROOM];
	char *arguments[4];
	char **environment;
};

struct starts {
	struct start way[START_WAYS];
	char preload[PATH_ROOM + sizeof "LD_PRELOAD="];
	char **plain, **preloaded; /* environments */
	struct samples wall[START_WAYS], cpu[START_WAYS], more[START_WAYS], ratio[START_WAYS];
};

/* ---- what is started ----------------------------------------------------- */

static bool find_program(char room[PATH_ROOM], const char *name)
{
	static const char *const directories[] = { "/usr/bin", "/bin" };

	for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++) {
		snprintf(room, PATH_ROOM, "%s/%s", directories[i], name);
		if (access(room, X_OK) == 0)
			return true;
	}
	return false;
}

/* The tool of this build or of this installation lies beside this program, and the forker too. */
static void find_beside(struct start_result *result, int way, char room[PATH_ROOM],
                        const char *name)
{
	ssize_t length = readlink("/proc/self/exe", room, PATH_ROOM - 1);
	char *slash;
	size_t left;

	room[length > 0 ? length : 0] = '\0';
	slash = strrchr(room, '/');
	left = slash == NULL ? 0 : PATH_ROOM - (size_t)(slash + 1 - room);
	if (left > strlen(name))
		strcpy(slash + 1, name);
	if (left <= strlen(name) || access(room, X_OK) != 0)
		snprintf(result->way[way].why_not, sizeof result->way[way].why_not,
		         "%s is not beside this program", name);
}

/* The library that answers this program's own calls. */
static bool find_library(char room[PATH_ROOM])
{
	Dl_info info;
	void *call = dlsym(RTLD_DEFAULT, "shmget");

	if (call == NULL || dladdr(call, &info) == 0 || strstr(info.dli_fname, "madang") == NULL)
		return false;
	return realpath(info.dli_fname, room) != NULL;
}

/* The environment without LD_PRELOAD, and with room for one more. */
static char **environment_copy(void)
{
	extern char **environ;
	size_t count = 0, kept = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = bench_alloc((count + 2) * sizeof *copy);
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
			copy[kept++] = environ[i];
	copy[kept] = copy[kept + 1] = NULL;
	return copy;
}

static void arguments_set(struct start *start, const char *first, const char *second,
                          const char *third)
{
	start->arguments[0] = (char *)(uintptr_t)first;
	start->arguments[1] = (char *)(uintptr_t)second;
	start->arguments[2] = (char *)(uintptr_t)third;
	start->arguments[3] = NULL;
}

static void forkers_find(struct starts *starts, struct start_result *result)
{
	for (int way = START_FORK; way < START_WAYS; way++) {
		struct start *start = &starts->way[way];
		bool attached = way == START_FORK_KERNEL || way == START_FORK_ATTACHED;

		find_beside(result, way, start->program, "madang-bench-forker");
		arguments_set(start, "forker", FORKS, attached ? "1" : "0");
	}
}

static void starts_find(struct starts *starts, struct start_result *result)
{
	char *true_path = starts->way[START_PLAIN].program, library[PATH_ROOM] = "";
	size_t last = 0;

	starts->plain = environment_copy();
	starts->preloaded = environment_copy();
	for (int i = 0; i < START_WAYS; i++)
		starts->way[i].environment = starts->plain;
	if (!find_program(true_path, "true"))
		strcpy(result->way[START_PLAIN].why_not, "there is no program true");
	strcpy(starts->way[START_PRELOADED].program, true_path);
	arguments_set(&starts->way[START_PLAIN], "true", NULL, NULL);
	arguments_set(&starts->way[START_PRELOADED], "true", NULL, NULL);
	arguments_set(&starts->way[START_ENV], "env", true_path, NULL);
	arguments_set(&starts->way[START_RUN], "madang", "run", true_path);
	if (!find_program(starts->way[START_ENV].program, "env"))
		strcpy(result->way[START_ENV].why_not, "there is no program env");
	find_beside(result, START_RUN, starts->way[START_RUN].program, "madang");
	forkers_find(starts, result);
	for (unsigned i = 0; !find_library(library) && i < PRELOADED; i++)
		strcpy(result->way[preloaded[i]].why_not, "the library cannot be found");
	snprintf(starts->preload, sizeof starts->preload, "LD_PRELOAD=%s", library);
	while (starts->preloaded[last] != NULL)
		last++;
	starts->preloaded[last] = starts->preload;
	for (unsigned i = 0; i < PRELOADED; i++)
		starts->way[preloaded[i]].environment = starts->preloaded;
}

/* ---- the measurement ------------------------------------------------------- */

static double seconds_ns(const struct timeval *time)
{
	return (double)time->tv_sec * 1e9 + (double)time->tv_usec * 1e3;
}

/* False with errno, or with 0: the program did not end well. */
static bool start_once(const struct start *start, double *ret_wall, double *ret_cpu)
{
	struct rusage usage;
	uint64_t before = now_ns();
	pid_t pid, got;
	int status;

	errno = posix_spawn(&pid, start->program, NULL, NULL, start->arguments, start->environment);
	if (errno != 0)
		return false;
	do
		got = wait4(pid, &status, 0, &usage);
	while (got < 0 && errno == EINTR);
	*ret_wall = (double)(now_ns() - before);
	if (got < 0)
		return false;
	*ret_cpu = seconds_ns(&usage.ru_utime) + seconds_ns(&usage.ru_stime);
	errno = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Starts the forker, and reads what it prints. False as above. */
static bool forks_once(const struct start *start, double *ret_fork)
{
	posix_spawn_file_actions_t actions;
	char text[32] = "";
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	errno = posix_spawn(&pid, start->program, &actions, NULL, start->arguments,
	                    start->environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (errno == 0) {
		(void)!read(ends[0], text, sizeof text - 1); /* one line, or its end */
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		errno = 0;
	}
	close(ends[0]);
	*ret_fork = strtod(text, NULL);
	return *ret_fork > 0;
}

/* `plain` is the wall time of the plain start of this turn, if that was measured. */
static void way_once(struct starts *starts, struct start_result *result, int way, double *plain)
{
	double wall = 0, cpu = 0;

	if (result->way[way].why_not[0] != '\0')
		return;
	if (way >= START_FORK ? !forks_once(&starts->way[way], &wall)
	                      : !start_once(&starts->way[way], &wall, &cpu)) {
		snprintf(result->way[way].why_not, sizeof result->way[way].why_not, "%s",
		         errno != 0 ? strerror(errno) : "the program failed");
		return;
	}
	samples_add(&starts->wall[way], wall);
	if (way < START_FORK)
		samples_add(&starts->cpu[way], cpu);
	if (way == START_PLAIN || way == START_FORK)
		*plain = wall;
	else if (*plain > 0) {
		samples_add(&starts->more[way], wall - *plain);
		samples_add(&starts->ratio[way], wall / *plain);
	}
}

void start_measure(const struct settings *settings, struct start_result *ret_result)
{
	static struct starts starts;
	unsigned turns = settings->quick ? 20 : 400;

	*ret_result = (struct start_result){ 0 };
	for (int i = 0; i < START_WAYS; i++) {
		ret_result->way[i].name = names[i][0];
		ret_result->way[i].what = names[i][1];
	}
	starts_find(&starts, ret_result);
	for (unsigned turn = 0; turn < turns && !stop_asked(); turn++) {
		progress_show("starts of a program", turn, turns);
		double plain[2] = { 0, 0 };
		for (int way = 0; way < START_WAYS; way++)
			way_once(&starts, ret_result, way, &plain[way >= START_FORK]);
	}
	progress_end();
	for (int i = 0; i < START_WAYS; i++) {
		ret_result->way[i].wall = samples_spread(&starts.wall[i]);
		ret_result->way[i].cpu = samples_spread(&starts.cpu[i]);
		ret_result->way[i].more = samples_spread(&starts.more[i]);
		ret_result->way[i].ratio = samples_spread(&starts.ratio[i]);
		samples_free(&starts.wall[i]);
		samples_free(&starts.cpu[i]);
		samples_free(&starts.more[i]);
		samples_free(&starts.ratio[i]);
	}
	free(starts.plain);
	free(starts.preloaded);
}

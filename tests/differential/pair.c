/* SPDX-License-Identifier: MIT */
/*
 * pair.c - two worlds, two processes, one comparison.
 *
 * A world is a file in the memory file system that is used again for the next
 * program; the log's pages then need not be found anew.
 */
#include "differential/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_PER_STEP = 4096, LOG_AT_LEAST = 1 << 20, ENCLOSE_FAILED = 125 };

extern char **environ;

/* All worlds that there are, for who is told to end. */
enum { PATHS_MAX = 1024 };
static char paths[PATHS_MAX][96];
static volatile sig_atomic_t path_count;

static void die(const char *what)
{
	fprintf(stderr, "differential: %s: %s\n", what, strerror(errno));
	exit(1);
}

void pair_init(struct pair *pair, const struct setup *setup, size_t steps)
{
	*pair = (struct pair){ .setup = setup };
	pair->size = sizeof(struct world) + steps * LOG_PER_STEP + LOG_AT_LEAST;
	for (int side = 0; side < SIDES; side++) {
		snprintf(pair->path[side], sizeof(pair->path[side]), "%s/world-%d",
		         setup->directory, (int)path_count);
		if (path_count == PATHS_MAX)
			path_count = 0; /* those are long gone */
		memcpy(paths[path_count], pair->path[side], sizeof(paths[0]));
		path_count = path_count + 1;
		int fd = open(pair->path[side], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, (off_t)pair->size) != 0)
			die(pair->path[side]);
		close(fd);
		pair->world[side] = world_map(pair->path[side]);
	}
}

void pair_fini(struct pair *pair)
{
	for (int side = 0; side < SIDES; side++) {
		munmap(pair->world[side], pair->size);
		unlink(pair->path[side]);
	}
}

void pair_unlink_all(void)
{
	for (int i = 0; i < PATHS_MAX; i++)
		if (paths[i][0] != '\0')
			unlink(paths[i]);
}

static void world_prepare(const struct pair *pair, int side, const struct program *program)
{
	struct world *w = pair->world[side];
	memset(w, 0, offsetof(struct world, op));
	w->users = program->users;
	w->watch = program->watch;
	w->no_exec = pair->setup->no_exec;
	w->no_copy = pair->setup->no_copy;
	w->cpu = side;
	w->size = pair->size;
	w->op_count = (uint32_t)program->count;
	w->dying = NOBODY;
	w->key_base = 0x6d000000 | (getpid() & 0xffff) << 4;
	memset(w->id, -1, sizeof(w->id));
	memset(w->set, -1, sizeof(w->set));
	memset(w->queue, -1, sizeof(w->queue));
	memcpy(w->op, program->ops, program->count * sizeof(*program->ops));
}

static pid_t side_start(const struct pair *pair, enum side side, bool shared)
{
	const struct setup *setup = pair->setup;
	bool kernel = side == KERNEL || setup->same;
	char timeout[16];
	const char *arguments[16] = { setup->enclose, "--timeout", timeout };
	int count = 3;
	snprintf(timeout, sizeof(timeout), "%d", setup->timeout);
	if (kernel)
		arguments[count++] = "--kernel";
	else if (shared)
		arguments[count++] = "--shared";
	if (!kernel && setup->preload != NULL) {
		arguments[count++] = "--preload";
		arguments[count++] = setup->preload;
	}
	arguments[count++] = "--";
	arguments[count++] = kernel ? setup->self : setup->subject;
	arguments[count++] = "--conduct";
	arguments[count++] = pair->path[side];
	arguments[count] = NULL;

	pid_t pid;
	char **argv = (char **)(uintptr_t)arguments; /* posix_spawn writes to none of them */
	int error = posix_spawn(&pid, setup->enclose, NULL, NULL, argv, environ);
	if (error != 0) {
		errno = error;
		die(setup->enclose);
	}
	return pid;
}

void pair_start(struct pair *pair, const struct program *program)
{
	for (int side = 0; side < SIDES; side++) {
		world_prepare(pair, side, program);
		pair->pid[side] = side_start(pair, (enum side)side, program->users);
	}
}

bool pair_finish(struct pair *pair, struct difference *ret_difference)
{
	for (int side = 0; side < SIDES; side++) {
		int status = -1;
		while (waitpid(pair->pid[side], &status, 0) < 0 && errno == EINTR)
			;
		if (pair->world[side]->no_area) {
			fprintf(stderr, "differential: the addresses of the area are not free\n");
			exit(1);
		}
		bool began = pair->world[side]->phases != 0;
		if (!began || (WIFEXITED(status) && WEXITSTATUS(status) == ENCLOSE_FAILED)) {
			fprintf(stderr, "differential: %s did not run: exit code %d\n",
			        side == KERNEL ? "the kernel's side" : "Madang's side",
			        WIFEXITED(status) ? WEXITSTATUS(status) : -1);
			exit(1);
		}
	}
	return compare(pair->world[KERNEL], pair->world[MADANG], ret_difference);
}

bool pair_run(struct pair *pair, const struct program *program, struct difference *ret_difference)
{
	pair_start(pair, program);
	return pair_finish(pair, ret_difference);
}

/* SPDX-License-Identifier: MIT */
/*
 * differ.c - the engine beside the kernel, at random.
 *
 * There are pairs of processes, of which one works on the engine's set and one on the kernel's.
 * Both of a pair are told to do the same operations. They may sleep, be interrupted by a signal, or
 * be killed and started again. After each step both sets have to show the same: values, counts, who
 * was the last, and what the operations returned.
 *
 *     semset-differ [seed [steps]]
 */
#include <poll.h>

#include "semset/set.h"
#include "semset/sound.h"

enum { PAIRS = 5, SEMAPHORES = 3, OPS = 4, STEPS = 1500 };

struct command {
	unsigned count;
	struct sembuf ops[OPS];
};

static struct actor {
	pid_t pid;
	int to, from;
	bool busy;
	int result;
} actors[PAIRS][2]; /* the engine's, the kernel's */

static uint64_t state;
static char log_of_step[200];
static struct {
	int id;
} kernel_set;

static void use(int kernel)
{
	world.kernel = kernel == 1;
	world.id = kernel_set.id;
}

static void nothing(int number)
{
	(void)number;
}

static void play(int kernel, int from, int to)
{
	struct command command;
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	use(kernel);
	for (;;) {
		ssize_t got;
		while ((got = read(from, &command, sizeof command)) < 0 && errno == EINTR)
			;
		if (got != sizeof command)
			_exit(0);
		int result = op(command.ops, command.count);
		if (write(to, &result, sizeof result) != sizeof result)
			_exit(1);
	}
}

static void start_actor(struct actor *actor, int kernel)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		play(kernel, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	*actor = (struct actor){ pid, to[1], from[0], false, 0 };
}

static void end_actor(struct actor *actor)
{
	killed(actor->pid);
	close(actor->to);
	close(actor->from);
}

/* ---- what both show ---------------------------------------------------------------------- */

struct view {
	int value[SEMAPHORES], ncount[SEMAPHORES], zcount[SEMAPHORES], last[SEMAPHORES];
	int result[PAIRS];
	bool busy[PAIRS];
};

static int pair_of(int pid, int kernel, const int *dead, int dead_count)
{
	if (pid == getpid())
		return 100;
	for (int i = 0; i < PAIRS; i++)
		if (actors[i][kernel].pid == pid)
			return i + 1;
	for (int i = dead_count - 1; i >= 0; i--)
		if (dead[2 * i + kernel] == pid)
			return 1000 + i;
	return pid == 0 ? 0 : -1;
}

static int dead[2 * 4096], dead_count;

static void collect(int kernel)
{
	for (int i = 0; i < PAIRS; i++) {
		struct actor *actor = &actors[i][kernel];
		struct pollfd fd = { actor->from, POLLIN, 0 };
		if (actor->busy && poll(&fd, 1, 0) == 1 &&
		    read(actor->from, &actor->result, sizeof actor->result) == sizeof actor->result)
			actor->busy = false;
	}
}

static void look(int kernel, struct view *ret)
{
	memset(ret, 0, sizeof *ret);
	use(kernel);
	for (unsigned i = 0; i < SEMAPHORES; i++) {
		ret->value[i] = value(i);
		ret->ncount[i] = ncount(i);
		ret->zcount[i] = zcount(i);
		ret->last[i] = pair_of(last_pid(i), kernel, dead, dead_count);
	}
	for (int i = 0; i < PAIRS; i++) {
		ret->busy[i] = actors[i][kernel].busy;
		ret->result[i] = ret->busy[i] ? 1 : actors[i][kernel].result;
	}
}

/* Both were zeros before they were filled in. */
static bool is_same(const struct view *one, const struct view *other)
{
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	return memcmp(one, other, sizeof *one) == 0;
}

/* Waits until whoever is busy is asleep in the set. A view is no snapshot, so it counts when it
 * is the same twice. */
static bool settle(int kernel, struct view *ret)
{
	uint64_t end = mdg_deadline(5000000000);
	struct view before;
	memset(&before, 0, sizeof before);
	for (;;) {
		int asleep = 0, busy = 0;
		collect(kernel);
		look(kernel, ret);
		for (int i = 0; i < SEMAPHORES; i++)
			asleep += ret->ncount[i] + ret->zcount[i];
		for (int i = 0; i < PAIRS; i++)
			busy += ret->busy[i];
		if (asleep == busy && is_same(&before, ret))
			return true;
		before = *ret;
		if (now_ns() > end)
			return false;
		usleep(100);
	}
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void draw_command(struct command *command)
{
	command->count = below(&state, 3) == 0 ? 1 + below(&state, OPS) : 1;
	for (unsigned i = 0; i < command->count; i++) {
		int change = (int)below(&state, 5) - 2;
		int flags = (below(&state, 2) ? UNDO : 0) | (below(&state, 6) == 0 ? NOWAIT : 0);
		if (below(&state, 40) == 0)
			change = below(&state, 2) ? 32767 : -32767;
		command->ops[i] = (struct sembuf){ (unsigned short)below(&state, SEMAPHORES),
			                           (short)change, (short)flags };
	}
}

static void describe(unsigned pair, const struct command *command)
{
	int at = snprintf(log_of_step, sizeof log_of_step, "%u:", pair);
	for (unsigned i = 0; i < command->count; i++)
		at += snprintf(log_of_step + at, sizeof log_of_step - (size_t)at, " (%d,%d%s%s)",
		               command->ops[i].sem_num, command->ops[i].sem_op,
		               command->ops[i].sem_flg & UNDO ? " UNDO" : "",
		               command->ops[i].sem_flg & NOWAIT ? " NOWAIT" : "");
}

static void operate(unsigned pair)
{
	struct command command;
	memset(&command, 0, sizeof command);
	draw_command(&command);
	describe(pair, &command);
	for (int kernel = 0; kernel < 2; kernel++) {
		actors[pair][kernel].busy = true;
		CHECK(write(actors[pair][kernel].to, &command, sizeof command) == sizeof command);
	}
}

static void kill_pair(unsigned pair)
{
	snprintf(log_of_step, sizeof log_of_step, "%u is killed", pair);
	for (int kernel = 0; kernel < 2; kernel++) {
		dead[2 * dead_count + kernel] = actors[pair][kernel].pid;
		end_actor(&actors[pair][kernel]);
		use(kernel);
		start_actor(&actors[pair][kernel], kernel);
	}
	dead_count += dead_count < 4095;
}

static void set_both(void)
{
	unsigned which = below(&state, SEMAPHORES), new = below(&state, 4);
	unsigned short values[SEMAPHORES];
	bool all = below(&state, 4) == 0;
	snprintf(log_of_step, sizeof log_of_step, "set %u to %u%s", which, new, all ? ", all" : "");
	for (unsigned i = 0; i < SEMAPHORES; i++)
		values[i] = (unsigned short)below(&state, 3);
	for (int kernel = 0; kernel < 2; kernel++) {
		use(kernel);
		CHECK((all ? set_all(values) : set_value(which, (int)new)) == 0);
	}
}

static void step(void)
{
	unsigned pair = below(&state, PAIRS), what = below(&state, 20);
	if (what == 0)
		kill_pair(pair);
	else if (what == 1)
		set_both();
	else if (!actors[pair][0].busy)
		operate(pair);
	else if (what < 6) {
		snprintf(log_of_step, sizeof log_of_step, "%u gets a signal", pair);
		kill(actors[pair][0].pid, SIGUSR1);
		kill(actors[pair][1].pid, SIGUSR1);
		/* It may sleep on for a moment, and be counted. */
		for (int i = 0; i < 1000 && (actors[pair][0].busy || actors[pair][1].busy); i++) {
			usleep(100);
			collect(0);
			collect(1);
			/* Just before it slept, it was missed. */
			if (i % 100 == 99 && actors[pair][0].busy)
				kill(actors[pair][0].pid, SIGUSR1);
		}
	}
}

static void show(const char *name, const struct view *view)
{
	fprintf(stderr, "%s:", name);
	for (int i = 0; i < SEMAPHORES; i++)
		fprintf(stderr, " [%d n%d z%d by %d]", view->value[i], view->ncount[i],
		        view->zcount[i], view->last[i]);
	for (int i = 0; i < PAIRS; i++)
		fprintf(stderr, " %d", view->result[i]);
	fprintf(stderr, "\n");
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : now_ns();
	unsigned steps = argc > 2 ? (unsigned)atoi(argv[2]) : STEPS;
	state = seed | 1;
	kernel_set.id = semget(IPC_PRIVATE, SEMAPHORES, 0600);
	if (kernel_set.id < 0)
		SKIP("the kernel has no semaphores here");
	world.kernel = false;
	fresh(SEMAPHORES);
	for (int i = 0; i < PAIRS; i++)
		for (int kernel = 0; kernel < 2; kernel++)
			start_actor(&actors[i][kernel], kernel);
	printf("seed %#llx\n", (unsigned long long)seed);
	for (unsigned i = 0; i < steps && check_failures == 0; i++) {
		struct view views[2];
		step();
		bool quiet = settle(0, &views[0]);
		quiet = settle(1, &views[1]) && quiet;
		if (!CHECK(quiet) || !CHECK(is_same(&views[0], &views[1]))) {
			fprintf(stderr, "step %u: %s\n", i, log_of_step);
			show("engine", &views[0]);
			show("kernel", &views[1]);
		}
	}
	for (int i = 0; i < PAIRS; i++)
		for (int kernel = 0; kernel < 2; kernel++)
			end_actor(&actors[i][kernel]);
	use(0);
	(void)ncount(0);
	CHECK(is_sound(engine()));
	semctl(kernel_set.id, 0, IPC_RMID);
	world.id = -1;
	return test_result();
}

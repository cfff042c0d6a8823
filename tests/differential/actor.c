/* SPDX-License-Identifier: MIT */
/*
 * actor.c - births, deaths, exec, and becoming another user.
 *
 * A death is a step of two processes: the one that dies (or kills), and the
 * parent, who waits until it has died, looks at the segments and ends the step.
 * The parent is another actor, or the conductor for those that it started and
 * for orphans, which come to it (it is a subreaper). A zombie can be left behind
 * on purpose: it counts nothing any more although its pid is still taken.
 *
 * The real user is root all the time, so that actors may kill each other and
 * come back. Before exec the effective user is root for a moment: a program
 * that starts with another effective than real user is one that Madang leaves
 * alone (docs/divergences.md, "a set-user-ID program").
 */
#include "differential/world.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const struct user users[USERS] = {
	{ 0, 0, 0 },         { 12401, 12401, 0 },     { 12402, 12402, 0 },
	{ 12403, 12401, 0 }, { 12404, 12404, 12401 }, { 0, 12401, 0 },
};

const char *world_path;
extern char **environ;

/* ---- users -------------------------------------------------------------------------- */

static bool become_try(const struct user *user)
{
	size_t groups = user->supplementary != 0 ? 1 : 0;
	return seteuid(0) == 0 && setgroups(groups, &user->supplementary) == 0 &&
	       setegid(user->gid) == 0 && seteuid(user->uid) == 0;
}

void become(int user)
{
	if (getuid() == 0 && world->users && !become_try(&users[user])) {
		perror("differential: becoming another user");
		abort();
	}
}

static void op_user(const struct op *op)
{
	if (!world->users || op->arg[0] < 0 || op->arg[0] >= USERS) {
		log_outcome(REFUSED);
		return;
	}
	world->actor[me].user = (int)op->arg[0];
	become(world->actor[me].user);
	log_outcome(DONE);
}

/* ---- births --------------------------------------------------------------------------- */

/* The child's entry, before it runs; false: there is no such actor, or it is there already. */
static bool birth_prepare(int64_t child)
{
	if (child < 0 || child >= ACTORS || world->actor[child].alive ||
	    world->births == BIRTHS_MAX) {
		log_outcome(REFUSED);
		return false;
	}
	struct actor *actor = &world->actor[child];
	if (sem_init(&actor->go, 1, 0) != 0 || sem_init(&actor->there, 1, 0) != 0)
		abort();
	actor->pid = 0;
	actor->parent = me;
	actor->user = me == CONDUCTOR ? 0 : world->actor[me].user;
	actor->untold = false;
	actor->in_call = false;
	actor->alive = true;
	return true;
}

/* The child waits for its turn, so all of this comes before its first step. And it is waited
 * for: docs/divergences.md, "`shm_lpid` after a death" of a child whose fork has not returned. */
static void birth_finish(int64_t child, pid_t pid)
{
	if (pid < 0) {
		perror("differential: fork");
		abort();
	}
	world->actor[child].pid = pid;
	world->pid_of_birth[world->births++] = pid;
	wait_for(&world->actor[child].there);
	log_outcome(DONE);
}

/* In a forked child: from now on another actor. What it shares with its parent is private to
 * each already; it comes back in the loop of run.c and waits there. */
static void op_fork(const struct op *op)
{
	if (!birth_prepare(op->arg[0]))
		return;
	pid_t pid = fork();
	if (pid == 0) {
		me = (int)op->arg[0];
		sem_post(&world->actor[me].there);
		return;
	}
	birth_finish(op->arg[0], pid);
}

static void exec_self(int actor, bool resume)
{
	char number[] = { (char)('0' + actor), '\0' };
	char self[] = "/proc/self/exe", role[] = "--act";
	char resuming[] = { resume ? '1' : '0', '\0' };
	/* Not written to: execve's parameter only looks so. */
	char *arguments[] = { self, role, number, resuming, (char *)(uintptr_t)world_path, NULL };
	execve(self, arguments, environ);
}

static void op_vfork(const struct op *op)
{
	if (!birth_prepare(op->arg[0]))
		return;
	int child = (int)op->arg[0], user = world->actor[me].user;
	world->actor[child].user = 0;
	become(0);
	pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): is the subject */
	if (pid == 0) {
		exec_self(child, false);
		_exit(127);
	}
	become(user);
	birth_finish(child, pid);
}

static void op_exec(void)
{
	become(0);
	exec_self(me, true);
	perror("differential: exec");
	abort();
}

/* What is left of an exec step, in the new program. */
void exec_finish(void)
{
	become(world->actor[me].user);
	log_outcome(DONE);
	observe(&world->op[world->step], world->watch == WATCH_TOUCHED);
	step_end();
}

/* ---- deaths ---------------------------------------------------------------------------- */

pid_t wait_child(pid_t pid)
{
	pid_t ended;
	while ((ended = waitpid(pid, NULL, 0)) < 0 && errno == EINTR)
		;
	return ended;
}

/* Who can wait for this actor. If its parent sleeps in a call, the conductor can only see it become
 * a zombie. */
static int waiter_of(int actor)
{
	int parent = world->actor[actor].parent;
	bool can = parent == CONDUCTOR || (world->actor[parent].alive && !is_asleep(parent));
	return can ? parent : CONDUCTOR;
}

/* What is left of the step in which `dying` died, by whoever can wait for it. */
bool death_finish(void)
{
	struct actor *dead = &world->actor[world->dying];
	if (dead->parent != me) {
		wait_zombie(dead->pid);
	} else if (world->zombie) {
		siginfo_t info;
		while (waitid(P_PID, (id_t)dead->pid, &info, WEXITED | WNOWAIT) != 0 &&
		       errno == EINTR)
			;
	} else {
		wait_child(dead->pid);
	}
	dead->alive = dead->untold = false;
	dead->in_call = false;
	world->death_unseen = true;
	for (int i = 0; i < ACTORS; i++)
		if (world->actor[i].parent == world->dying)
			world->actor[i].parent = CONDUCTOR;
	world->dying = NOBODY;
	return step_finish(&world->op[world->step]);
}

static void death_begin(int actor, bool zombie)
{
	world->dying = actor;
	world->zombie = zombie;
}

static void op_exit(const struct op *op)
{
	int waiter = waiter_of(me);
	log_outcome(DONE);
	death_begin(me, op->arg[0] != 0);
	sem_post(&world->actor[waiter].go);
	_exit(0);
}

static enum step_fate op_kill(const struct op *op)
{
	int64_t victim = op->arg[0];
	if (victim < 0 || victim >= ACTORS || !world->actor[victim].alive) {
		log_outcome(REFUSED);
		return STEP_MINE;
	}
	int waiter = waiter_of((int)victim);
	log_outcome(DONE);
	death_begin((int)victim, op->arg[1] != 0);
	if (victim == me)
		sem_post(&world->actor[waiter].go);
	kill(world->actor[victim].pid, SIGKILL);
	if (waiter == me) {
		return death_finish() ? STEP_OVER : STEP_ELSEWHERE;
	}
	sem_post(&world->actor[waiter].go);
	return STEP_ELSEWHERE;
}

/* The handlers do nothing: what counts is that they run. */
static void op_signal(const struct op *op)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGURG, SIGALRM };
	int64_t who = op->arg[0], how = op->arg[1];
	if (who < 0 || who >= ACTORS || !world->actor[who].alive || how < 0 || how > 3) {
		log_outcome(REFUSED);
		return;
	}
	int result = kill(world->actor[who].pid, signals[how]);
	log_result(result, result < 0 ? errno : 0);
}

static void op_reap(void)
{
	int count = 0;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		count++;
	log_result(count, 0);
}

/* What closefrom(3) does, which not every C library has: the library's descriptors too. Only where
 * all are root: docs/divergences.md, "attaching a removed segment whose holders closed all
 * descriptors". */
static void op_closefrom(void)
{
	if (world->users || geteuid() != 0) {
		log_outcome(REFUSED);
		return;
	}
#ifdef SYS_close_range
	bool closed = syscall(SYS_close_range, 3U, ~0U, 0U) == 0;
#else
	bool closed = false;
#endif
	long most = closed ? 0 : sysconf(_SC_OPEN_MAX);
	for (long fd = 3; fd < most; fd++)
		close((int)fd);
	log_outcome(DONE);
}

enum step_fate op_of_life(const struct op *op)
{
	int actor = me;
	switch ((enum op_kind)op->kind) {
	case OP_START:
	case OP_FORK:
		op_fork(op);
		break;
	case OP_VFORK:
		op_vfork(op);
		break;
	case OP_EXEC:
		op_exec();
		break;
	case OP_EXIT:
		op_exit(op);
		break;
	case OP_KILL:
		return op_kill(op);
	case OP_REAP:
		op_reap();
		break;
	case OP_SIGNAL:
		op_signal(op);
		break;
	case OP_CLOSEFROM:
		op_closefrom();
		break;
	case OP_USER:
		op_user(op);
		break;
	default:
		return STEP_NOT_OF_LIFE;
	}
	/* A forked child has no part in the step that made it. */
	return me == actor ? STEP_MINE : STEP_ELSEWHERE;
}

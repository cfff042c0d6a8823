/* SPDX-License-Identifier: MIT */
/*
 * L5: exec detaches everything, and what vfork, posix_spawn and system start
 * counts nothing of its own.
 *
 * What an executed program sees first is asked in the executed program: this
 * one, started again with arguments (see executed()). Exec keeps the pid and
 * the start time, and without address randomisation the places of mappings too;
 * none of these may make the old program's attachments look alive.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/personality.h>

extern char **environ;

static char *program; /* this file, to be executed again */
static size_t page;

/* ---- what the executed program does ------------------------------------ */

static char id_text[16], count_text[16];

/* The arguments that make this program look at a segment first thing in main. */
static char **arguments(const char *verb, int id, int count)
{
	static char *list[5];
	static char verb_text[16];
	snprintf(verb_text, sizeof(verb_text), "%s", verb);
	snprintf(id_text, sizeof(id_text), "%d", id);
	snprintf(count_text, sizeof(count_text), "%d", count);
	list[0] = program;
	list[1] = verb_text;
	list[2] = id_text;
	list[3] = count_text;
	list[4] = NULL;
	return list;
}

/* look: the segment has COUNT attachments. self: and this process was the last
 * to change that. hold: like self, then takes a turn with the parent. */
static int executed(char **argv)
{
	int id = atoi(argv[2]), count = atoi(argv[3]);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("L5", (int)stat.shm_nattch == count);
	if (strcmp(argv[1], "look") == 0)
		return test_result();
	CHECK_LINE("fine L07", stat.shm_lpid == getpid() && stat.shm_dtime != 0);
	if (strcmp(argv[1], "hold") == 0) {
		struct peer test = peer_of_parent();
		peer_say(&test);
		peer_hear(&test);
		CHECK_LINE("L5", attached(id) == count);
	}
	return test_result();
}

/* ---- exec -------------------------------------------------------------- */

enum via { BY_EXEC, BY_EXEC_SAME_PLACES, BY_EXEC_AFTER_CLOSING, BY_EXEC_OF_THREAD };

struct exec {
	const char *line;
	enum via via;
	int id;
	bool inherits;
};

static void *exec_again(void *arg)
{
	const struct exec *with = arg;
	execv(program, arguments("hold", with->id, with->inherits ? 1 : 0));
	perror(program);
	_exit(1);
}

static void close_all(void)
{
	for (int fd = 3; fd < 65536; fd++)
		close(fd);
}

static void exec_so(struct peer *test, void *arg)
{
	struct exec *with = arg;
	pthread_t thread;
	if (!with->inherits) {
		attach(with->id);
		attach(with->id);
	}
	peer_say(test);
	peer_hear(test);
	/* Pid and start time stay; so do addresses, when nothing is random. */
	if (with->via == BY_EXEC_SAME_PLACES || with->via == BY_EXEC_AFTER_CLOSING)
		personality(ADDR_NO_RANDOMIZE);
	if (with->via == BY_EXEC_AFTER_CLOSING)
		close_all();
	if (with->via == BY_EXEC_OF_THREAD && pthread_create(&thread, NULL, exec_again, with) == 0)
		pthread_join(thread, NULL);
	exec_again(with);
}

static void executing(struct exec with)
{
	with.id = make_private(page, 0600);
	char *memory = with.inherits ? attach(with.id) : NULL;
	int before = with.inherits ? 1 : 0;
	struct peer child = peer_start(exec_so, &with);
	CHECK(peer_hear(&child));
	CHECK(attached(with.id) == 2);
	peer_say(&child);
	CHECK(peer_hear(&child)); /* the new program speaks */
	struct shmid_ds stat = stat_of(with.id);
	CHECK_LINE(with.line, (int)stat.shm_nattch == before && stat.shm_lpid == child.pid);
	CHECK_LINE(with.line, peer_finish(&child) == 0);
	CHECK_LINE(with.line, attached(with.id) == before);
	if (memory != NULL)
		CHECK(shmdt(memory) == 0);
}

static void exec_cat(struct peer *test, void *arg)
{
	const int *id = arg;
	attach(*id);
	execlp("nothing-has-this-name", "x", (char *)NULL);
	CHECK_LINE("L5", attached(*id) == 1); /* an exec that fails changes nothing */
	peer_say(test);
	peer_hear(test);
	unsetenv("LD_PRELOAD"); /* may be for another C library than cat's */
	execlp("cat", "cat", (char *)NULL);
	perror("cat");
	_exit(1);
}

/* A program that knows nothing of shared memory holds none. */
static void executing_a_stranger(void)
{
	int id = make_private(page, 0600);
	struct peer child = peer_start(exec_cat, &id);
	CHECK(peer_hear(&child));
	CHECK_LINE("L5", attached(id) == 1);
	peer_say(&child);
	peer_say(&child); /* for cat, that gives it back */
	CHECK(peer_hear(&child));
	CHECK_LINE("L5", attached(id) == 0);
	close(child.out);
	child.out = -1;
	CHECK(peer_join(&child) == 0);
	CHECK_LINE("L5", attached(id) == 0);
}

static void execs(void)
{
	static const struct exec with[] = {
		{ "L5", BY_EXEC, 0, false },
		{ "L5", BY_EXEC, 0, true },
		{ "L5", BY_EXEC_SAME_PLACES, 0, false },
		{ "L7", BY_EXEC_AFTER_CLOSING, 0, false },
		{ "L7", BY_EXEC_AFTER_CLOSING, 0, true },
		{ "L5", BY_EXEC_OF_THREAD, 0, false },
	};
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		executing(with[i]);
	executing_a_stranger();
}

/* ---- vfork, posix_spawn, system ---------------------------------------- */

static void unchanged(const char *line, int id, char *memory)
{
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE(line, stat.shm_nattch == 1 && stat.shm_dtime == 0);
	CHECK_LINE(line, stat.shm_lpid == getpid());
	CHECK_LINE("fine L09", signal_of(write_it, memory) == 0);
}

static void vforking(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	pid_t pid = vfork();
	if (pid == 0)
		_exit(0);
	CHECK(reap(pid) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L08", stat.shm_nattch == 1 && stat.shm_dtime == 0);

	char **list = arguments("look", id, 1);
	pid = vfork();
	if (pid == 0) {
		execv(program, list);
		_exit(1);
	}
	CHECK_LINE("L5", reap(pid) == 0);
	pid = vfork();
	if (pid == 0) {
		execv("/nothing/has/this/name", list);
		_exit(9);
	}
	CHECK_LINE("L5", reap(pid) == 9);
	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	CHECK_LINE("fine L08", reap(pid) == 128 + SIGKILL);
	unchanged("fine L08", id, memory);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

static void spawning(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id);
	pid_t pid;
	CHECK(posix_spawn(&pid, program, NULL, NULL, arguments("look", id, 1), environ) == 0);
	CHECK_LINE("L5", reap(pid) == 0);
	CHECK(posix_spawn(&pid, "/nothing/has/this/name", NULL, NULL, arguments("look", id, 1),
	                  environ) != 0);
	unchanged("fine L10", id, memory);

	/* A shell of another C library cannot be preloaded with ours, this program can. */
	const char *preload = getenv("LD_PRELOAD");
	char command[2048];
	snprintf(command, sizeof(command), "LD_PRELOAD='%s' exec '%s' look %d 1",
	         preload != NULL ? preload : "", program, id);
	unsetenv("LD_PRELOAD");
	CHECK_LINE("fine L11", system(command) == 0);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine L11", stat.shm_nattch == 1);
	CHECK(shmdt(memory) == 0 && attached(id) == 0);
}

int main(int argc, char **argv)
{
	program = argv[0];
	page = page_size();
	if (argc == 4)
		return executed(argv);
	begin();
	execs();
	if (!WITHOUT_VFORK)
		vforking();
	spawning();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * crosslife ATTACHER - one segment, two programs that were built unlike: for 32
 * and for 64 bits, with glibc and with musl.
 *
 * ATTACHER (attacher.c) is the other one. Each side makes a segment that the
 * other finds by key, attaches, reads and writes; each forks, closes its
 * descriptors and dies while the other counts; each attaches what the other
 * removed; and both churn segments at the same time under the one writer lock.
 *
 * Nothing here knows what the other was built for: what memory holds has to be
 * the same bytes for all.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/churn.h"
#include "life/peer.h"

#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>

static const char *program; /* the attacher */

/* ---- talking ------------------------------------------------------------ */

struct attacher {
	struct peer peer;
	FILE *answers;
};

static void execute(struct peer *test, void *arg)
{
	(void)test;
	(void)arg;
	execl(program, program, (char *)NULL);
	perror(program);
	_exit(1);
}

static struct attacher start(void)
{
	struct attacher attacher = { .peer = peer_start(execute, NULL) };
	attacher.answers = fdopen(attacher.peer.in, "re");
	CHECK(attacher.answers != NULL);
	return attacher;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct attacher *attacher,
                                                       const char *format, ...)
{
	char line[128];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	line[length] = '\n';
	CHECK(write(attacher->peer.out, line, (size_t)length + 1) == length + 1);
}

static long long answer(const struct attacher *attacher)
{
	long long value;
	if (!CHECK(fscanf(attacher->answers, "%lld", &value) == 1))
		return INT64_MIN;
	return value;
}

#define ASK(attacher, ...) (tell(attacher, __VA_ARGS__), answer(attacher))

static int end(struct attacher *attacher)
{
	close(attacher->peer.out);
	int code = reap(attacher->peer.pid);
	fclose(attacher->answers);
	return code;
}

static int kill_it(struct attacher *attacher)
{
	kill(attacher->peer.pid, SIGKILL);
	return end(attacher);
}

/* ---- what both say ------------------------------------------------------ */

static void both_count(const struct attacher *other, int id, int wanted)
{
	long long theirs = ASK(other, "stat %d nattch", id);
	int ours = attached(id);
	if (!CHECK(ours == wanted && theirs == wanted))
		fprintf(stderr, "  %d attachments: here %d, there %lld\n", wanted, ours, theirs);
}

static void both_see_the_same(const struct attacher *other, int id)
{
	struct shmid_ds stat = stat_of(id);
	CHECK(ASK(other, "stat %d segsz", id) == (long long)stat.shm_segsz);
	CHECK(ASK(other, "stat %d mode", id) == (long long)stat.shm_perm.mode);
	CHECK(ASK(other, "stat %d key", id) == stat.shm_perm.__key);
	CHECK(ASK(other, "stat %d uid", id) == (long long)stat.shm_perm.uid);
	CHECK(ASK(other, "stat %d cpid", id) == stat.shm_cpid);
	CHECK(ASK(other, "stat %d lpid", id) == stat.shm_lpid);
	CHECK(ASK(other, "stat %d atime", id) == stat.shm_atime);
	CHECK(ASK(other, "stat %d dtime", id) == stat.shm_dtime);
	CHECK(ASK(other, "stat %d ctime", id) == stat.shm_ctime);
}

static void both_write(const struct attacher *other, char *memory, size_t size)
{
	const size_t places[] = { 0, 4096 - 4, size / 2 + 1, size - 8 };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int64_t value = INT64_C(0x1122334455667788) + (int64_t)i, found;
		memcpy(memory + places[i], &value, sizeof(value));
		CHECK(ASK(other, "read %ld", (long)places[i]) == value);
		CHECK(ASK(other, "write %ld %" PRId64, (long)places[i], -value) == 0);
		memcpy(&found, memory + places[i], sizeof(found));
		CHECK(found == -value);
	}
}

/* ---- the stories -------------------------------------------------------- */

static void wait_to_be_killed(struct peer *test, void *arg)
{
	peer_say(test);
	if (arg != NULL)
		for (int fd = 3; fd < 65536; fd++)
			close(fd);
	peer_say(test);
	peer_hear(test);
}

/* One attachment here, one there; children on both sides come and go. */
static void children(const struct attacher *other, int id)
{
	both_count(other, id, 2);
	long long child = ASK(other, "fork");
	CHECK(child > 0);
	both_count(other, id, 3);
	kill((pid_t)child, SIGKILL);
	/* Not our child, nor reaped: wait until it has left its memory. */
	while (attached(id) == 3 && kill((pid_t)child, 0) == 0)
		sched_yield();
	both_count(other, id, 2);

	static int closes;
	for (int i = 0; i < 2; i++) {
		struct peer own = peer_start(wait_to_be_killed, i != 0 ? &closes : NULL);
		CHECK(peer_hear(&own));
		CHECK(peer_hear(&own));
		both_count(other, id, 3);
		peer_kill(&own);
		both_count(other, id, 2);
	}
}

static void made_here(void)
{
	size_t size = 5 * page_size() - 100;
	key_t key = fresh_key();
	int id = make_segment(key, size, IPC_CREAT | 0640);
	char *memory = attach(id);
	struct attacher other = start();
	CHECK(ASK(&other, "find %d", key) == id);
	both_count(&other, id, 1);
	CHECK(ASK(&other, "attach %d 0", id) == 0);
	CHECK(stat_of(id).shm_lpid == other.peer.pid);
	both_count(&other, id, 2);
	both_see_the_same(&other, id);
	both_write(&other, memory, size);
	children(&other, id);

	/* Without descriptors it is alive all the same; killed, it is not. */
	CHECK(ASK(&other, "close") == 0);
	both_count(&other, id, 2);
	both_write(&other, memory, size);
	CHECK(kill_it(&other) == 128 + SIGKILL);
	CHECK(attached(id) == 1 && stat_of(id).shm_dtime != 0);
	CHECK(shmdt(memory) == 0 && shmctl(id, IPC_RMID, NULL) == 0 && !exists(id));
}

static void made_there(void)
{
	size_t size = (size_t)48 << 20;
	key_t key = fresh_key();
	struct attacher other = start();
	int id = (int)ASK(&other, "make %d %ld 600", key, (long)size);
	CHECK(id >= 0);
	keep_track(id);
	CHECK(shmget(key, size, 0600) == id && stat_of(id).shm_cpid == other.peer.pid);
	CHECK(ASK(&other, "attach %d 0", id) == 0);
	both_count(&other, id, 1);
	char *memory = attach(id);
	both_count(&other, id, 2);
	both_see_the_same(&other, id);
	both_write(&other, memory, size);
	children(&other, id);
	CHECK(ASK(&other, "detach") == 0);
	CHECK(stat_of(id).shm_lpid == other.peer.pid);
	both_count(&other, id, 1);
	CHECK(shmdt(memory) == 0);
	both_count(&other, id, 0);
	CHECK(ASK(&other, "remove %d", id) == 0);
	CHECK_ERRNO("C3h", EINVAL, shmat(id, NULL, 0));
	CHECK(end(&other) == 0);
}

/* A8 and D6 between the two: removed by one, reached through the other. */
static void removed_ones(void)
{
	int id = make_private(page_size(), 0600);
	char *memory = attach(id);
	int64_t value = 7;
	memcpy(memory, &value, sizeof(value));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	struct attacher other = start(), third = start();
	CHECK_LINE("A8", ASK(&other, "attach %d 0", id) == 0 && ASK(&other, "read 0") == 7);
	CHECK_LINE("A8", ASK(&third, "attach %d %d", id, SHM_RDONLY) == 0);
	both_count(&other, id, 3);
	CHECK(shmdt(memory) == 0);
	memory = attach(id);
	CHECK_LINE("A8", ASK(&other, "write 0 8") == 0 && ASK(&third, "read 0") == 8);
	CHECK(shmdt(memory) == 0);
	CHECK(end(&third) == 0);
	both_count(&other, id, 1);
	CHECK(kill_it(&other) == 128 + SIGKILL);
	CHECK_LINE("D6", !exists(id));
}

static void both_at_once(void)
{
	enum { ROUNDS = 300 };
	struct attacher other[2] = { start(), start() };
	tell(&other[0], "churn %d", ROUNDS);
	tell(&other[1], "churn %d", ROUNDS);
	CHECK(churn(ROUNDS) == 0);
	CHECK(answer(&other[0]) == 0);
	CHECK(answer(&other[1]) == 0);
	CHECK(end(&other[0]) == 0);
	CHECK(end(&other[1]) == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: crosslife ATTACHER\n");
		return 2;
	}
	program = argv[1];
	begin();
	made_here();
	made_there();
	removed_ones();
	both_at_once();
	return test_result();
}

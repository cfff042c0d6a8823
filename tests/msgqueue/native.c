/* SPDX-License-Identifier: MIT */
/*
 * native.c - <madang/msg.h> in a namespace: making, finding, permission bits, looking, changing,
 * removing; messages between processes; queues that were never used have no file.
 */
#include "madang/msg.h"

#include <dirent.h>
#include <setjmp.h>

#include "msgqueue/layout.h"
#include "msgqueue/open.h"

#include "sync/asleep.h"
#include "unit/unit.h"

static mdg_namespace *ns;

static struct mdg_msgqueue_info info_of(mdg_id id)
{
	struct mdg_msgqueue_info info = { .size = sizeof(info) };
	CHECK_RC(0, mdg_msgqueue_stat(ns, id, 0, &info));
	return info;
}

static int snd(mdg_id id, int64_t type, const char *text, uint64_t deadline)
{
	return mdg_msgqueue_send(ns, id, type, text, strlen(text), deadline);
}

static char received[9000];

static int rcv(mdg_id id, int64_t wanted, size_t size, unsigned flags, uint64_t deadline)
{
	int64_t type;
	size_t length = 0;
	int rc = mdg_msgqueue_receive(ns, id, wanted, received, size, flags, deadline, &type,
	                              &length);
	received[rc == 0 ? length : 0] = 0;
	return rc;
}

static void check_finding(void)
{
	mdg_id id, other;
	CHECK_RC(-ENOENT, mdg_msgqueue_get(ns, 77, 0, &id));        /* G03 */
	CHECK_RC(-ENOENT, mdg_msgqueue_get(ns, 77, MDG_EXCL, &id)); /* G04 */
	CHECK_RC(0, mdg_msgqueue_get(ns, 77, MDG_CREATE | 0640, &id));
	CHECK_RC(0, mdg_msgqueue_get(ns, 77, MDG_CREATE, &other));
	CHECK_LINE("G05", id == other);
	CHECK_RC(-EEXIST, mdg_msgqueue_get(ns, 77, MDG_CREATE | MDG_EXCL, &other)); /* G06 */
	CHECK_RC(0, mdg_msgqueue_get(ns, 0, 0600, &other));
	CHECK_LINE("G01", other != id);
	struct mdg_msgqueue_info info = info_of(id);
	CHECK_LINE("G08", info.mode == 0640);
	CHECK_LINE("G09", info.messages == 0 && info.bytes == 0 && info.lspid == 0 &&
	                          info.lrpid == 0 && info.stime == 0 && info.rtime == 0);
	CHECK_LINE("G11", info.bytes_max == 16384);
	CHECK_LINE("G12", info.uid == geteuid() && info.cuid == geteuid() && info.gid == getegid());
	CHECK_LINE("G13", info.key == 77 && info.id == id);
	CHECK_LINE("G02", info_of(other).key == 0);
	CHECK_RC(0, mdg_msgqueue_remove(ns, id));
	CHECK_RC(-ENOENT, mdg_msgqueue_get(ns, 77, 0, &id)); /* G21 */
	CHECK_RC(-EINVAL, mdg_msgqueue_remove(ns, id));      /* C15 */
	CHECK_RC(-EINVAL, snd(id, 1, "x", 0));               /* G18 */
	CHECK_RC(0, mdg_msgqueue_remove(ns, other));
	CHECK_RC(0, mdg_msgqueue_create(ns, "orders", 0600, &id));
	CHECK_RC(-EEXIST, mdg_msgqueue_create(ns, "orders", 0600, &id));
	CHECK_RC(0, mdg_msgqueue_open(ns, "orders", 0600, &other));
	CHECK(id == other && strcmp(info_of(id).name, "orders") == 0);
	CHECK_RC(-EINVAL, mdg_msgqueue_open(ns, "", 0600, &other));
	CHECK_RC(0, mdg_msgqueue_remove(ns, id));
	CHECK_RC(-ENOENT, mdg_msgqueue_open(ns, "orders", 0600, &other));
}

static void check_arguments(void)
{
	mdg_id id;
	int64_t type;
	size_t length;
	CHECK_RC(0, mdg_msgqueue_create(ns, NULL, 0600, &id));
	CHECK_RC(-EINVAL, snd(id, 0, "x", 0));                                  /* S01 */
	CHECK_RC(-EINVAL, snd(id, INT64_MIN, "x", 0));                          /* S03 */
	CHECK_RC(-EINVAL, mdg_msgqueue_send(ns, id, 1, received, 8193, 0));     /* S05 */
	CHECK_RC(0, mdg_msgqueue_send(ns, id, 1, received, 8192, 0));           /* S06 */
	CHECK_RC(-EINVAL, mdg_msgqueue_send(ns, id, 1, received, SIZE_MAX, 0)); /* S08 */
	CHECK_RC(-EINVAL, snd(-1, 1, "x", 0));                                  /* S10 */
	CHECK_RC(-EINVAL,
	         mdg_msgqueue_receive(ns, id, 0, received, SIZE_MAX, 0, 0, &type, &length));
	CHECK_RC(-EINVAL, rcv(-1, 0, 10, 0, 0));                               /* R11 */
	CHECK_RC(-EINVAL, rcv(id, 0, 9000, MDG_MSG_COPY, 1));                  /* Y03 */
	CHECK_RC(-EINVAL, rcv(id, 0, 9000, MDG_MSG_COPY | MDG_MSG_EXCEPT, 0)); /* Y04 */
	CHECK_RC(-E2BIG, rcv(id, 0, 10, MDG_MSG_COPY, 0));                     /* Y07 */
	CHECK_RC(-EINVAL, rcv(id, 0, 10, MDG_MSG_COPY | MDG_MSG_NOERROR, 0));  /* Y08 */
	CHECK_RC(0, rcv(id, 0, 8192, MDG_MSG_COPY | MDG_MSG_NOERROR, 0));      /* Y09 */
	CHECK_RC(0, rcv(id, 0, 8192, 0, 0));
	CHECK_RC(0, mdg_msgqueue_remove(ns, id));
}

static void check_changing(void)
{
	mdg_id id;
	CHECK_RC(0, mdg_msgqueue_create(ns, NULL, 0600, &id));
	CHECK_RC(0, snd(id, 3, "hello", 0));
	struct mdg_msgqueue_info info = info_of(id);
	CHECK(info.messages == 1 && info.bytes == 5 && info.lspid == getpid() && info.stime != 0);
	CHECK_RC(0, mdg_msgqueue_set(ns, id, info.uid, info.gid, 0644, 4));
	info = info_of(id);
	CHECK_LINE("C07", info.mode == 0644 && info.bytes_max == 4 && info.messages == 1);
	CHECK_RC(-EAGAIN, snd(id, 3, "", 0));                                       /* C13 */
	CHECK_RC(-EINVAL, mdg_msgqueue_set(ns, id, UINT32_MAX, info.gid, 0644, 9)); /* C10 */
	CHECK_LINE("C12", info_of(id).bytes_max == 4);
	CHECK_RC(0, rcv(id, 0, 10, 0, 0));
	CHECK(strcmp(received, "hello") == 0 && info_of(id).lrpid == getpid());
	CHECK_RC(0, mdg_msgqueue_remove(ns, id));
}

static uint32_t files(void)
{
	char path[UNIT_PATH];
	DIR *directory = opendir(unit_path(path, "queues"));
	uint32_t count = 0;
	for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	if (directory != NULL)
		closedir(directory);
	return count;
}

static void check_many(void)
{
	enum { MANY = 1000 };
	static mdg_id ids[MANY];
	struct mdg_msgqueue_info info = { .size = sizeof(info) };
	uint32_t cursor = 0, count = 0, before = files();
	for (int i = 0; i < MANY; i++)
		CHECK_RC(0, mdg_msgqueue_get(ns, 0, 0600, &ids[i])); /* G25 */
	CHECK(files() == before);
	CHECK_RC(0, snd(ids[500], 1, "x", 0));
	CHECK(files() == before + 1);
	while (mdg_msgqueue_next(ns, &cursor, &info) == 1)
		count += info.messages == (info.id == ids[500]);
	CHECK(count == MANY);
	for (int i = 0; i < MANY; i++)
		CHECK_RC(0, mdg_msgqueue_remove(ns, ids[i]));
	CHECK(files() == before);
}

/* ---- several processes ----------------------------------------------------------------------- */

static mdg_id shared_id;

static void receive_removed(void *none)
{
	(void)none;
	CHECK_RC(-EIDRM, rcv(shared_id, 0, 100, 0, MDG_FOREVER));
}

static void send_removed(void *none)
{
	(void)none;
	CHECK_RC(-EIDRM, snd(shared_id, 1, "long", MDG_FOREVER));
}

static void receive_hello(void *none)
{
	(void)none;
	CHECK_RC(0, rcv(shared_id, 5, 100, 0, MDG_FOREVER));
	CHECK(strcmp(received, "hello") == 0);
}

static bool sleeps(pid_t pid)
{
	uint64_t end = GRACE;
	while (!is_asleep(pid) && now_ns() < end)
		nap_ms(1);
	nap_ms(5);
	return is_asleep(pid);
}

static void check_processes(void)
{
	CHECK_RC(0, mdg_msgqueue_create(ns, NULL, 0600, &shared_id));
	pid_t pid = start(receive_hello, NULL);
	CHECK(sleeps(pid));
	CHECK_RC(0, snd(shared_id, 5, "hello", 0));
	CHECK_LINE("B06", info_of(shared_id).messages == 0 && info_of(shared_id).lrpid == pid);
	CHECK_LINE("B01", ended_well(pid));
	CHECK_RC(0, mdg_msgqueue_set(ns, shared_id, geteuid(), getegid(), 0600, 2));
	pid = start(receive_removed, NULL);
	pid_t other = start(send_removed, NULL);
	CHECK(sleeps(pid) && sleeps(other));
	CHECK_RC(0, mdg_msgqueue_remove(ns, shared_id));
	CHECK_LINE("B25", ended_well(pid));
	CHECK_LINE("B26", ended_well(other));
}

/* A queue grows in one process, and another one sees all of it. */
static void check_growth(void)
{
	CHECK_RC(0, mdg_msgqueue_create(ns, NULL, 0600, &shared_id));
	for (int i = 0; i < 16384; i++)
		if (!CHECK_RC(0, snd(shared_id, 1 + i % 3, i % 2 == 0 ? "" : "x", 0)))
			break;
	CHECK_RC(-EAGAIN, snd(shared_id, 1, "", 0)); /* S26 */
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		int count = 0;
		while (rcv(shared_id, 0, 100, 0, 0) == 0)
			count++;
		_exit(count == 16384 ? 0 : 1);
	}
	CHECK(ended_well(pid) && info_of(shared_id).messages == 0 && info_of(shared_id).bytes == 0);
	CHECK_RC(0, mdg_msgqueue_remove(ns, shared_id));
}

static sigjmp_buf way_out;

static void jump(int number)
{
	(void)number;
	siglongjmp(way_out, 1);
}

/* Nothing is left of the stack of a call that was left by siglongjmp. */
static __attribute__((noinline)) int receive_below(void)
{
	volatile unsigned char stack[1 << 15];
	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0xab;
	int rc = rcv(shared_id, 0, 100, 0, 0);
	return rc == 0 && stack[77] != 0xab ? 1 : rc;
}

static void leave_a_sleep(void *none)
{
	struct sigaction action = { .sa_handler = jump };
	(void)none;
	sigaction(SIGUSR1, &action, NULL);
	if (sigsetjmp(way_out, 1) == 0)
		CHECK_RC(99, rcv(shared_id, 3, 100, 0, MDG_FOREVER));
	raise(SIGSTOP);
	CHECK_RC(0, receive_below());
	CHECK(strcmp(received, "x") == 0);
}

/* The queue has grown when the thread comes back. */
static void check_left_and_grown(void)
{
	int status = 0;
	CHECK_RC(0, mdg_msgqueue_create(ns, NULL, 0600, &shared_id));
	pid_t pid = start(leave_a_sleep, NULL);
	CHECK(sleeps(pid));
	kill(pid, SIGUSR1);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	for (int i = 0; i < 4000; i++)
		if (!CHECK_RC(0, snd(shared_id, 1, "x", 0)))
			break;
	kill(pid, SIGCONT);
	CHECK(ended_well(pid) && info_of(shared_id).messages == 3999);
	CHECK_RC(0, mdg_msgqueue_remove(ns, shared_id));
}

/* Takes the queue's lock, and stops. */
static void stop_under_the_lock(void)
{
	struct mdg__open open;
	if (mdg__open(&open, ns, shared_id) < 0 ||
	    mdg__owned_take(&((struct mdg__queue_head *)(void *)open.queue.base)->lock, 0) != 0)
		_exit(1);
	atomic_store_explicit(&((struct mdg__queue_head *)(void *)open.queue.base)->turn,
	                      MDG__TURN_LOCKED, memory_order_seq_cst);
	raise(SIGSTOP);
	_exit(0);
}

/* Whoever looks and whoever removes does not wait for a process that is stopped. */
static void check_stopped(void)
{
	int status = 0;
	CHECK_RC(0, mdg_msgqueue_create(ns, NULL, 0600, &shared_id));
	CHECK_RC(0, snd(shared_id, 3, "seven b", 0));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		stop_under_the_lock();
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	uint64_t begin = now_ns();
	struct mdg_msgqueue_info info = info_of(shared_id);
	CHECK(info.messages == 1 && info.bytes == 7 && info.lspid == getpid());
	CHECK(now_ns() - begin >= UINT64_C(400000000));
	CHECK_RC(0, mdg_msgqueue_remove(ns, shared_id));
	CHECK(now_ns() - begin < UINT64_C(10000000000));
	CHECK_RC(-EINVAL, snd(shared_id, 3, "x", 0));
	CHECK_RC(-EINVAL, mdg_msgqueue_remove(ns, shared_id));
	kill(pid, SIGCONT);
	CHECK(ended_well(pid));
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("queues", &options);
	check_finding();
	check_arguments();
	check_changing();
	check_many();
	check_processes();
	check_growth();
	check_left_and_grown();
	check_stopped();
	CHECK(unit_is_sound(ns));
	mdg_namespace_close(ns);
	return test_result();
}

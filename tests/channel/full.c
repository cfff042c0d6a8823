/* SPDX-License-Identifier: MIT */
/*
 * full.c - a channel for calls in a file system that has not enough room for the boxes of all
 * peers.
 *
 * A box has memory from the moment in which a caller comes. So a channel of a few callers is there,
 * although not all of its boxes could be. A caller for whose box there is no memory is told so when
 * it comes. It gets no place. Those who are in the channel go on, and nobody gets SIGBUS. The same
 * is true on a kernel that cannot populate a mapping.
 */
#include "channel/handles.h"

#include "support/forbid.h"
#include "support/userns.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { CAPACITY = 65536, PEERS = 32 };

static const char *directory;

static void no_signal(int signal)
{
	static const char text[] = "SIGBUS\n";
	(void)signal;
	(void)!write(2, text, sizeof text - 1);
	_exit(3);
}

static int come(mdg_channel **ret)
{
	struct mdg_channel_options options = options_of(MDG_CALL, CAPACITY);
	options.peers = PEERS;
	return mdg_channel_open(ret, ns, "calls", MDG_TALKER, &options);
}

/* A question, and an answer that fills the box. */
static void ask(mdg_channel *calls, mdg_channel *serves, unsigned what)
{
	CHECK_RC(0, says(calls, CAPACITY, what, 0));
	CHECK(hears(serves, CAPACITY, what));
	CHECK_RC(0, says(serves, CAPACITY, what + 1, 0));
	CHECK(hears(calls, CAPACITY, what + 1));
}

static void ask_all(mdg_channel *const *callers, int count, mdg_channel *serves)
{
	for (int i = 0; i < count; i++)
		ask(callers[i], serves, (unsigned)i);
}

static void fill_and_call(void)
{
	mdg_channel *callers[PEERS] = { NULL }, *serves = NULL, *more = NULL;
	struct mdg_channel_options options = options_of(MDG_CALL, CAPACITY);
	struct mdg_peer peers[PEERS] = { { .size = sizeof peers[0] } };
	int count = 0, rc = 0;
	options.peers = PEERS;
	/* All boxes together would not fit. */
	CHECK_RC(0, mdg_channel_open(&serves, ns, "calls", MDG_LISTENER, &options));
	while (serves != NULL && count < PEERS && (rc = come(&callers[count])) == 0)
		count++;
	CHECK_RC(-ENOMEM, rc);
	CHECK(count >= 2 && count < PEERS - 1);
	if (check_failures != 0)
		return;
	CHECK(mdg_channel_peers(serves, peers, PEERS) == count + 1);
	ask_all(callers, count, serves);
	CHECK_RC(-ENOMEM, come(&more));
	CHECK_RC(-ENOMEM, come(&more));
	/* A place that was left has its memory. */
	mdg_channel_close(callers[0]);
	CHECK_RC(0, come(&callers[0]));
	ask_all(callers, count, serves);
	/* When there is room, callers come. */
	CHECK(mount("full", directory, NULL, MS_REMOUNT, "size=8m") == 0);
	while (count < PEERS - 1 && come(&callers[count]) == 0)
		count++;
	CHECK(count == PEERS - 1);
	ask_all(callers, count, serves);
	CHECK_RC(-EUSERS, come(&more));
	for (int i = 0; i < count; i++)
		mdg_channel_close(callers[i]);
	mdg_channel_close(serves);
	remove_channel("calls");
}

static void in_own_mount(bool populates)
{
	char path[256];
	struct sigaction action = { .sa_handler = no_signal };
	sigaction(SIGBUS, &action, NULL);
	if (geteuid() != 0 && !userns_enter_alone())
		SKIP("no user namespace can be made here");
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("full", directory, "tmpfs", 0, "mode=0700,size=1m") != 0)
		SKIP("no file system of its own can be mounted here");
	if (!populates)
		CHECK(forbid_call(SYS_madvise, ENOSYS));
	snprintf(path, sizeof path, "%s/ns", directory);
	CHECK_RC(0, mdg_namespace_open(&ns, path, NULL));
	if (check_failures == 0)
		fill_and_call();
	umount2(directory, MNT_DETACH);
	_exit(test_result());
}

int main(void)
{
	static char path[256];
	open_namespace();
	mdg_namespace_close(ns);
	snprintf(path, sizeof path, "%s/mount", getenv("MADANG_NAMESPACE"));
	CHECK(mkdir(path, 0700) == 0);
	directory = path;
	for (int populates = 1; populates >= 0; populates--) {
		int status = -1;
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			in_own_mount(populates != 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			return 77;
		CHECK(status == 0);
	}
	return test_result();
}

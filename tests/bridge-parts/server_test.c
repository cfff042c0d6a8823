/* SPDX-License-Identifier: MIT */
/*
 * server_test.c - the server that a bridge starts for trying: it answers, on the loopback; it ends
 * with the bridge, also after kill -9 of the bridge or of the keeper; nothing is left behind.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "server/server.h"
#include "support/check.h"

static char base[] = "/tmp/madang-server-test-XXXXXX";

/* Waits until the process is gone. */
static bool goes(int fd)
{
	struct pollfd waits = { .fd = fd, .events = POLLIN };
	bool gone = poll(&waits, 1, 10000) == 1;

	(void)close(fd);
	return gone;
}

static int hold(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Until the directory has gone; whoever removes it is no child of ours. */
static bool vanishes(const char *path)
{
	struct stat status;

	for (int i = 0; i < 1000; i++, usleep(10000))
		if (stat(path, &status) != 0)
			return true;
	return false;
}

/* A bridge that tells of its server, and waits. */
static pid_t start(struct server *ret)
{
	int said[2];

	CHECK(pipe(said) == 0);
	pid_t child = fork();
	if (child == 0) {
		struct server own;
		int rc = server_start(&own, NULL);
		(void)!write(said[1], &own, sizeof own);
		while (rc == 0)
			pause();
		_exit(rc);
	}
	CHECK(read(said[0], ret, sizeof *ret) == (ssize_t)sizeof *ret);
	(void)close(said[0]);
	(void)close(said[1]);
	CHECK(ret->pid > 0 && strncmp(ret->url, "nats://127.0.0.1:", 17) == 0);
	return child;
}

static void in_order(void)
{
	struct server server, other;
	struct stat status;
	char store[64], room[sizeof server.room];

	snprintf(store, sizeof store, "%s/store", base);
	CHECK(server_start(&server, store) == 0);
	CHECK(server_start(&other, NULL) == 0);
	CHECK(strcmp(server.url, other.url) != 0); /* two beside each other */
	CHECK(stat(server.room, &status) == 0 && (status.st_mode & 0777) == 0700);
	CHECK(!server_has_ended(&server));
	int fd = hold(server.pid);
	strcpy(room, server.room);
	server_end(&server);
	CHECK(goes(fd) && stat(room, &status) != 0);
	CHECK(stat(store, &status) == 0); /* what was given stays */
	CHECK(kill(other.pid, SIGKILL) == 0);
	while (!server_has_ended(&other))
		usleep(1000);
	server_end(&other);
	server_end(&other);
	CHECK(stat(other.room, &status) != 0);
}

static void killed(void)
{
	struct server server;
	pid_t child = start(&server);
	int fd = hold(server.pid);

	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	CHECK(goes(fd) && vanishes(server.room));
	/* The keeper dies first. Then the directory stays; the kernel has ended the server. */
	child = start(&server);
	fd = hold(server.pid);
	CHECK(kill(server.keeper, SIGKILL) == 0);
	CHECK(goes(fd));
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	server_room_remove(server.room);
}

static void refused(void)
{
	struct server server;

	CHECK(server_start(&server, "/dev/null") == 1 && strstr(server.wrong, "no directory"));
	CHECK(server_start(&server, "/nowhere/at/all") == 1 && strstr(server.wrong, "/nowhere/at"));
	CHECK(setenv("MADANG_NATS_SERVER", "/nowhere", 1) == 0);
	CHECK(server_start(&server, NULL) == 1 && strstr(server.wrong, "not installed") &&
	      strstr(server.advice, "apt install nats-server"));
	CHECK(setenv("MADANG_NATS_SERVER", "/bin/false", 1) == 0);
	CHECK(server_start(&server, NULL) == 1 && strstr(server.wrong, "ended at once"));
	struct stat status;
	CHECK(stat(server.room, &status) != 0);
	CHECK(unsetenv("MADANG_NATS_SERVER") == 0);
}

int main(void)
{
	struct server server;

	if (server_start(&server, NULL) != 0) {
		if (strstr(server.wrong, "not installed") != NULL)
			SKIP("there is no nats-server");
		fprintf(stderr, "%s\n", server.wrong);
		return 1;
	}
	server_end(&server);
	CHECK(mkdtemp(base) != NULL && setenv("TMPDIR", base, 1) == 0);
	in_order();
	killed();
	refused();
	server_room_remove(base);
	return test_result();
}

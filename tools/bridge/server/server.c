/* SPDX-License-Identifier: MIT */
/*
 * server.c - finds nats-server, has it started, and waits until it answers.
 */
#include "server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 4222, PATIENCE = 15 /* seconds until it has to answer */ };

__attribute__((format(printf, 3, 4))) static int wrong(struct server *server, const char *advice,
                                                       const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(server->wrong, sizeof server->wrong, format, list);
	va_end(list);
	snprintf(server->advice, sizeof server->advice, "%s", advice);
	return 1;
}

/* ---- the program ---------------------------------------------------------- */

/* Debian has it where the PATH of most users does not look. */
static bool find_program(char *room, size_t size)
{
	const char *given = getenv("MADANG_NATS_SERVER"), *path = getenv("PATH");
	char all[4096];

	if (given != NULL && given[0] != '\0') {
		snprintf(room, size, "%s", given);
		return access(room, X_OK) == 0;
	}
	snprintf(all, sizeof all, "%.3900s:/usr/local/sbin:/usr/sbin:/usr/local/bin",
	         path != NULL ? path : "/usr/bin");
	char *rest = all, *directory;
	while ((directory = strsep(&rest, ":")) != NULL) {
		snprintf(room, size, "%s/nats-server", directory[0] != '\0' ? directory : ".");
		if (access(room, X_OK) == 0)
			return true;
	}
	return false;
}

/* Another may take it in the next moment; then the server says so. */
static bool is_free(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(port),
		                       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	bool free = bind(fd, (struct sockaddr *)(void *)&address, sizeof address) == 0 &&
	            listen(fd, 1) == 0;
	(void)close(fd);
	return free;
}

/* ---- directories ------------------------------------------------------------ */

static int make_room(struct server *server)
{
	const char *base = getenv("TMPDIR");

	snprintf(server->room, sizeof server->room, "%.200s/madang-server-XXXXXX",
	         base != NULL && base[0] == '/' ? base : "/tmp");
	if (mkdtemp(server->room) != NULL)
		return 0;
	int number = errno;
	return wrong(server, "Set $TMPDIR to a directory in which you may write.",
	             "cannot make the directory %s: %s", server->room, strerror(number));
}

static int make_store(struct server *server, const char *store)
{
	struct stat status;

	if (mkdir(store, 0700) != 0 && errno != EEXIST)
		return wrong(server, "", "cannot make the directory %s: %s", store,
		             strerror(errno));
	if (stat(store, &status) != 0 || !S_ISDIR(status.st_mode))
		return wrong(server, "", "%s is no directory", store);
	if (access(store, R_OK | W_OK | X_OK) != 0)
		return wrong(server, "", "cannot write in the directory %s: %s", store,
		             strerror(errno));
	return 0;
}

/* ---- waiting ---------------------------------------------------------------- */

/* The last line of the server's log that says what is wrong; "" if there is none. */
static void last_words(const struct server *server, char *room, size_t size)
{
	char path[sizeof server->room + 8], line[380];
	FILE *log;

	room[0] = '\0';
	snprintf(path, sizeof path, "%s/log", server->room);
	log = fopen(path, "re");
	while (log != NULL && fgets(line, sizeof line, log) != NULL) {
		const char *at = strstr(line, "[FTL]");
		if (at == NULL)
			at = strstr(line, "[ERR]");
		if (at == NULL && strchr(line, '[') == NULL)
			at = line;
		if (at == NULL)
			continue;
		snprintf(room, size, "%s", at + (at[0] == '[' ? strlen("[FTL] ") : 0));
		room[strcspn(room, "\n")] = '\0';
	}
	if (log != NULL)
		(void)fclose(log);
}

/* nats-server writes a file when it listens: {"nats":["nats://127.0.0.1:4222"]}. */
static bool read_ports(struct server *server)
{
	char path[sizeof server->room + 48], text[1024];
	unsigned long port;
	char *end;

	snprintf(path, sizeof path, "%s/nats-server_%d.ports", server->room, (int)server->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t length = read(fd, text, sizeof text - 1);
	(void)close(fd);
	text[length > 0 ? length : 0] = '\0';
	const char *at = strstr(text, "nats://127.0.0.1:");
	if (at == NULL || strchr(text, '}') == NULL)
		return false;
	port = strtoul(at + strlen("nats://127.0.0.1:"), &end, 10);
	if (*end != '"' || port == 0 || port > 65535)
		return false;
	snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%lu", port);
	return true;
}

static int milliseconds_left(const struct timespec *until)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t left = (int64_t)(until->tv_sec - now.tv_sec) * 1000 +
	               (until->tv_nsec - now.tv_nsec) / 1000000;
	return left > 0 ? (int)left : 0;
}

static bool hear_pid(struct server *server)
{
	char text[32];
	ssize_t length = read(server->news, text, sizeof text - 1);

	if (length <= 0)
		return false;
	text[length] = '\0';
	server->pid = (pid_t)strtol(text, NULL, 10);
	return server->pid > 0;
}

static int has_failed(struct server *server)
{
	char words[400];

	last_words(server, words, sizeof words);
	return wrong(server, "", "nats-server has ended at once%s%s", words[0] != '\0' ? ": " : "",
	             words);
}

/* Until the server's file is there (0), or the server is gone. */
static int wait_for_server(struct server *server, int changes)
{
	struct timespec until;
	char events[4096];

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE;
	for (;;) {
		struct pollfd waits[] = { { .fd = changes, .events = POLLIN },
			                  { .fd = server->news, .events = POLLIN } };
		int left = milliseconds_left(&until);
		if (server->pid > 0 && read_ports(server))
			return 0;
		if (left == 0)
			return wrong(server, "", "nats-server has not answered for %d seconds",
			             PATIENCE);
		if (poll(waits, 2, left) < 0 && errno != EINTR)
			return wrong(server, "", "cannot wait for nats-server: %s",
			             strerror(errno));
		if (waits[1].revents != 0 && !hear_pid(server))
			return has_failed(server);
		if (waits[0].revents & POLLIN)
			(void)!read(changes, events, sizeof events);
	}
}

/* ---- start and end ------------------------------------------------------------ */

/* The process that starts the server, and what it and the bridge know each other by. */
static int start_keeper(struct server *server, const char *program, const char *store)
{
	int life[2], news[2];
	struct server_job job = { program,      store, is_free(PORT) ? "4222" : "-1",
		                  server->room, -1,    -1 };

	if (pipe2(life, O_CLOEXEC) != 0)
		return wrong(server, "", "cannot make a pipe: %s", strerror(errno));
	if (pipe2(news, O_CLOEXEC) != 0) {
		(void)close(life[0]);
		(void)close(life[1]);
		return wrong(server, "", "cannot make a pipe: %s", strerror(errno));
	}
	job.life = life[0];
	job.news = news[1];
	server->keeper = fork();
	if (server->keeper == 0)
		server_keeper_run(&job);
	server->life = life[1];
	server->news = news[0];
	(void)close(life[0]);
	(void)close(news[1]);
	if (server->keeper < 0) {
		(void)close(server->life);
		(void)close(server->news);
		return wrong(server, "", "cannot start a process: %s", strerror(errno));
	}
	return 0;
}

int server_start(struct server *server, const char *store)
{
	char program[4096], own[sizeof server->room + 8];

	memset(server, 0, sizeof *server);
	if (!find_program(program, sizeof program))
		return wrong(server,
		             "Install it: apt install nats-server. $MADANG_NATS_SERVER may say "
		             "where it is. Or connect to a server elsewhere with --url.",
		             "nats-server is not installed");
	if ((store != NULL && make_store(server, store) != 0) || make_room(server) != 0)
		return 1;
	snprintf(own, sizeof own, "%s/store", server->room);
	int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int rc = 0;
	if (changes < 0 ||
	    inotify_add_watch(changes, server->room, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) < 0)
		rc = wrong(server, "", "cannot watch %s: %s", server->room, strerror(errno));
	if (rc == 0)
		rc = start_keeper(server, program, store != NULL ? store : own);
	if (rc != 0) {
		server_room_remove(server->room);
	} else {
		rc = wait_for_server(server, changes);
		if (rc != 0)
			server_end(server);
	}
	if (changes >= 0)
		(void)close(changes);
	return rc;
}

bool server_has_ended(const struct server *server)
{
	struct pollfd waits = { .fd = server->news, .events = POLLIN };

	return poll(&waits, 1, 0) > 0 && (waits.revents & POLLHUP) != 0;
}

void server_end(struct server *server)
{
	if (server->keeper <= 0)
		return;
	(void)close(server->life);
	while (waitpid(server->keeper, NULL, 0) < 0 && errno == EINTR)
		continue;
	(void)close(server->news);
	server->keeper = 0;
}

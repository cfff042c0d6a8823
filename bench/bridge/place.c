/* SPDX-License-Identifier: MIT */
/*
 * place.c - where the bridge is measured: a private directory with a server's store and two
 * namespaces, a nats-server on the loopback, and bridges. All of it goes again.
 *
 * The server's store lies on a disk ($TMPDIR, or /tmp), the namespaces in memory.
 */
#include "bench/bridge/bridge.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct place place;
static char memory[64];

static void pause_ms(long ms)
{
	struct timespec moment = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&moment, NULL);
}

int place_make(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(place.directory, sizeof place.directory, "%.80s/madang-bridge-XXXXXX",
	         temporary != NULL ? temporary : "/tmp");
	snprintf(memory, sizeof memory, "%s/madang-bridge-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(place.directory) == NULL || mkdtemp(memory) == NULL) {
		perror("madang-bench-bridge: cannot make a directory");
		return 1;
	}
	snprintf(place.near_ns, sizeof place.near_ns, "%s/near", memory);
	snprintf(place.far_ns, sizeof place.far_ns, "%s/far", memory);
	return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about, (void)kind, (void)where;
	return remove(path);
}

void place_remove(void)
{
	if (place.directory[0] != '\0')
		nftw(place.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (memory[0] != '\0')
		nftw(memory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

pid_t place_fork(void)
{
	fflush(NULL);
	return process_start();
}

/* What a program says goes into a file of the directory. */
static void say_into(const char *name)
{
	char path[192];
	int file;

	snprintf(path, sizeof path, "%s/%s.log", place.directory, name);
	file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file >= 0) {
		dup2(file, 1);
		dup2(file, 2);
	}
}

void place_end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGTERM);
	for (int i = 0; i < 500; i++) {
		if (waitpid(*pid, NULL, WNOHANG) == *pid) {
			*pid = 0;
			return;
		}
		pause_ms(10);
	}
	process_kill(pid);
}

/* ---- the server -------------------------------------------------------------- */

/* The server writes the ports that it was given into this file. */
static bool read_ports(void)
{
	char path[192], text[512];
	const char *url;
	size_t length;
	FILE *file;

	snprintf(path, sizeof path, "%s/nats-server_%d.ports", place.directory,
	         (int)place.server_pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = '\0';
	url = strstr(text, "nats://");
	if (url == NULL)
		return false;
	length = strcspn(url, "\"");
	snprintf(place.url, sizeof place.url, "%.*s", (int)length, url);
	url = strstr(text, "http://127.0.0.1:");
	if (url != NULL)
		place.monitor_port =
			(unsigned short)strtoul(url + strlen("http://127.0.0.1:"), NULL, 10);
	return true;
}

int place_server(void)
{
	char store[192];

	snprintf(store, sizeof store, "%s/store", place.directory);
	place.server_pid = place_fork();
	if (place.server_pid == 0) {
		say_into("server");
		execlp(place.server, "nats-server", "-a", "127.0.0.1", "-p", "-1", "-m", "-1",
		       "-js", "-sd", store, "--ports_file_dir", place.directory, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && place.server_pid > 0; i++) {
		if (read_ports())
			return 0;
		if (waitpid(place.server_pid, NULL, WNOHANG) != 0)
			break;
		pause_ms(10);
	}
	fprintf(stderr, "madang-bench-bridge: %s does not start\n", place.server);
	return 1;
}

/* ---- a bridge ----------------------------------------------------------------- */

pid_t place_bridge(const char *namespace_dir, const char *group, const char *host,
                   const char *channels)
{
	return place_bridge_with(namespace_dir, group, host, "--channel", channels);
}

pid_t place_bridge_with(const char *namespace_dir, const char *group, const char *host,
                        const char *option, const char *value)
{
	pid_t pid = place_fork();

	if (pid == 0) {
		say_into(host);
		execl(place.bridge, "madang-bridge", "--url", place.url, "--host", host, "--group",
		      group, "--namespace", namespace_dir, option, value, (char *)NULL);
		_exit(127);
	}
	return pid;
}

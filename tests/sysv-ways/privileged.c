/* SPDX-License-Identifier: MIT */
/*
 * privileged.c - a set-user-ID program is left alone.
 *
 *     privileged [PRELOAD]
 *
 * Root makes a set-user-ID copy of this program and runs it as another user,
 * with a namespace in its environment and the library, if given, preloaded.
 * The copy must run as if neither were there: no Madang in it, nothing said,
 * and (asking the native library that is linked into it) not the namespace of
 * the caller's choice. And its calls, by the library that is linked into it, are not
 * written to the caller's log. Others than root skip.
 */
#include "support/check.h"

#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "madang/segment.h"

enum { OWNER = 54321, CALLER = 54322, MARK = 40 };

/* What the copy does. */
static int look(void)
{
	char line[500], path[1024], wanted[64];
	CHECK(getauxval(AT_SECURE) != 0 && geteuid() == OWNER && getuid() == CALLER);
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps != NULL);
	while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
		CHECK(strstr(line, "libmadang") == NULL);
	if (maps != NULL)
		fclose(maps);
	CHECK(mdg_namespace_default_path(path, sizeof path) == 0);
	snprintf(wanted, sizeof wanted, "/madang-%d", OWNER);
	const char *end = strrchr(path, '/');
	CHECK(end != NULL && strcmp(end, wanted) == 0);
	CHECK(strncmp(path, "/dev/shm/", 9) == 0 || strncmp(path, "/tmp/", 5) == 0);
	CHECK(shmctl(-1, IPC_RMID, NULL) == -1 && errno == EINVAL);
	fflush(NULL);
	return test_result() == 0 ? MARK : 1;
}

static bool copy(const char *to)
{
	char bytes[65536];
	ssize_t got;
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	bool done = in >= 0 && out >= 0;
	while (done && (got = read(in, bytes, sizeof bytes)) != 0)
		done = got > 0 && write(out, bytes, (size_t)got) == got;
	done = done && fchown(out, OWNER, OWNER) == 0 && fchmod(out, 04755) == 0;
	close(in);
	close(out);
	return done;
}

/* Runs it as the caller; what it says comes back in `said`. */
static int run(const char *program, char *said, size_t room)
{
	int ends[2], status = -1;
	size_t length = 0;
	ssize_t got;
	if (pipe(ends) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		if (setgroups(0, NULL) == 0 && setgid(CALLER) == 0 && setuid(CALLER) == 0)
			execl(program, program, "look", (char *)NULL);
		_exit(126);
	}
	close(ends[1]);
	while (length < room - 1 && (got = read(ends[0], said + length, room - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = '\0';
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/madang-ways-XXXXXX", program[64], log[64], said[2000] = "";
	struct stat logged;
	struct statvfs system;
	if (argc > 1 && strcmp(argv[1], "look") == 0)
		return look();
	if (geteuid() != 0)
		SKIP("only root can make a program set-user-ID for another user");
	if (mkdtemp(directory) == NULL || statvfs(directory, &system) != 0)
		return 1;
	if (system.f_flag & ST_NOSUID) {
		rmdir(directory);
		SKIP("set-user-ID has no effect in /tmp (nosuid)");
	}
	snprintf(program, sizeof program, "%s/copy", directory);
	CHECK(chmod(directory, 0755) == 0 && copy(program));
	setenv("MADANG_NAMESPACE", "/dev/shm/madang-of-the-caller", 1);
	setenv("TMPDIR", "/dev/shm", 1);
	snprintf(log, sizeof log, "%s/log", directory);
	close(open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	CHECK(chmod(log, 0666) == 0);
	setenv("MADANG_LOG", log, 1);
	if (argc > 1)
		setenv("LD_PRELOAD", argv[1], 1);
	int code = run(program, said, sizeof said);
	CHECK(code == MARK && said[0] == '\0');
	if (said[0] != '\0')
		fprintf(stderr, "it said: %s\n", said);
	CHECK(stat(log, &logged) == 0 && logged.st_size == 0);
	unlink(log);
	unlink(program);
	rmdir(directory);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * default_path.c - which directory is the default namespace.
 *
 * MADANG_NAMESPACE; else one in /dev/shm if that is there already or can be
 * made; else under TMPDIR; else /tmp. An ordinary user who may not write in
 * /dev/shm is a user of a mount namespace where root has made it so.
 * (Set-user-ID programs: tests/sysv-ways/privileged.c.)
 */
#include "unit.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { USER = 54323 };

static bool is_default(const char *wanted)
{
	char path[1024];
	memset(path, 'x', sizeof path);
	CHECK_RC(0, mdg_namespace_default_path(path, sizeof path));
	if (strcmp(path, wanted) == 0)
		return true;
	fprintf(stderr, "the default is %s, not %s\n", path, wanted);
	return false;
}

static bool is_default_in(const char *directory)
{
	char wanted[1200];
	snprintf(wanted, sizeof wanted, "%s/madang-%u", directory, (unsigned)geteuid());
	return is_default(wanted);
}

static void by_environment(void *arg)
{
	(void)arg;
	setenv("MADANG_NAMESPACE", "/some/where", 1);
	CHECK(is_default("/some/where"));
	setenv("MADANG_NAMESPACE", "not/absolute", 1);
	CHECK(is_default("not/absolute"));
	setenv("MADANG_NAMESPACE", "", 1); /* as if it were not set */
	if (access("/dev/shm", W_OK | X_OK) == 0)
		CHECK(is_default_in("/dev/shm"));
	char path[1100];
	memset(path, 'y', sizeof path);
	path[1023] = '\0';
	setenv("MADANG_NAMESPACE", path, 1);
	CHECK(is_default(path));
	path[1023] = 'y';
	path[1024] = '\0';
	setenv("MADANG_NAMESPACE", path, 1);
	char room[1100];
	CHECK_RC(-ENAMETOOLONG, mdg_namespace_default_path(room, sizeof room));
}

static void usual(void *arg)
{
	(void)arg;
	unsetenv("MADANG_NAMESPACE");
	setenv("TMPDIR", "/some/tmp", 1);
	if (access("/dev/shm", W_OK | X_OK) == 0)
		CHECK(is_default_in("/dev/shm"));
	char exact[64], room[64];
	snprintf(exact, sizeof exact, "/dev/shm/madang-%u", (unsigned)geteuid());
	if (access("/dev/shm", W_OK | X_OK) == 0) {
		CHECK_RC(0, mdg_namespace_default_path(room, strlen(exact) + 1));
		CHECK_RC(-ENAMETOOLONG, mdg_namespace_default_path(room, strlen(exact)));
	}
}

/* The object for NULL is that of the path. */
static void opened(void *arg)
{
	(void)arg;
	mdg_namespace *named = NULL, *usual_one = NULL;
	CHECK_RC(0, mdg_namespace_open(&usual_one, NULL, NULL));
	CHECK_RC(0, mdg_namespace_open(&named, getenv("MADANG_NAMESPACE"), NULL));
	CHECK(named == usual_one);
}

/* ---- without /dev/shm --------------------------------------------------------- */

static bool cover_shm(mode_t mode, const char *inside)
{
	char path[64], options[32];
	snprintf(options, sizeof options, "mode=%o", (unsigned)mode);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("madang-test", "/dev/shm", "tmpfs", 0, options) != 0)
		return false;
	if (inside == NULL)
		return true;
	snprintf(path, sizeof path, "/dev/shm/%s", inside);
	return mkdir(path, 0700) == 0 && chown(path, USER, USER) == 0;
}

static bool become_user(void)
{
	return setgroups(0, NULL) == 0 && setgid(USER) == 0 && setuid(USER) == 0;
}

static void closed_shm(void *arg)
{
	(void)arg;
	if (!CHECK(cover_shm(0755, NULL) && become_user()))
		return;
	unsetenv("MADANG_NAMESPACE");
	setenv("TMPDIR", "/some/tmp", 1);
	CHECK(is_default_in("/some/tmp"));
	setenv("TMPDIR", "", 1);
	CHECK(is_default_in("/tmp"));
	unsetenv("TMPDIR");
	CHECK(is_default_in("/tmp"));
}

/* Somebody has made it for the user, who could not have: it is used. */
static void prepared_shm(void *arg)
{
	char name[32];
	(void)arg;
	snprintf(name, sizeof name, "madang-%d", USER);
	if (!CHECK(cover_shm(0755, name) && become_user()))
		return;
	unsetenv("MADANG_NAMESPACE");
	setenv("TMPDIR", "/some/tmp", 1);
	CHECK(is_default_in("/dev/shm"));
	mdg_namespace *ns;
	CHECK_RC(0, mdg_namespace_open(&ns, NULL, NULL));
}

static bool may_mount(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(cover_shm(0755, NULL) ? 0 : 1);
	int status = -1;
	waitpid(pid, &status, 0);
	return status == 0;
}

int main(void)
{
	CHECK(in_child(by_environment, NULL));
	CHECK(in_child(usual, NULL));
	CHECK(in_child(opened, NULL));
	if (geteuid() == 0 && may_mount()) {
		CHECK(in_child(closed_shm, NULL));
		CHECK(in_child(prepared_shm, NULL));
	} else {
		printf("left out: /dev/shm without permission (needs root, to mount)\n");
	}
	return test_result();
}

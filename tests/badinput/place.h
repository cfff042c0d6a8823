/* SPDX-License-Identifier: MIT */
/*
 * place.h - a directory for each test, and ways to spoil it.
 *
 * place_make() makes the directory on the memory file system. The directory is
 * removed when the test's first process exits, with everything in it. Include this
 * file after check.h, once in a program.
 *
 * A process keeps the object of a namespace that it has opened. So each case that
 * opens a namespace runs in a child (in_child), and no case depends on another.
 */
#ifndef MADANG_TESTS_BADINPUT_PLACE_H
#define MADANG_TESTS_BADINPUT_PLACE_H

#include "support/check.h"
#include "support/datafile.h"

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "madang/segment.h"

static char place[256];
static pid_t place_owner;

static inline int place_remove_one(const char *path, const struct stat *status, int kind,
                                   struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	(void)remove(path);
	return 0;
}

static inline void remove_tree(const char *path)
{
	(void)nftw(path, place_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline void place_remove(void)
{
	if (getpid() == place_owner)
		remove_tree(place);
}

static inline void place_make(void)
{
	const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	snprintf(place, sizeof place, "%s/madang-test-XXXXXX", base != NULL ? base : "/tmp");
	place_owner = getpid();
	if (mkdtemp(place) == NULL) {
		perror(place);
		exit(1);
	}
	(void)chmod(place, 0755); /* tests become other users in it */
	atexit(place_remove);
}

/* A path in the place, good until eight more were asked for. */
static inline const char *in_place(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof paths[0], "%s/%s", place, name);
	return path;
}

static inline const char *in_directory(const char *directory, const char *name)
{
	static char paths[8][800];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

/* The result of opening; `ns` may be NULL when it is not wanted. On failure the
 * result parameter must not have been touched. */
static inline int open_flags(const char *path, uint32_t flags, mdg_namespace **ns)
{
	static char untouched;
	struct mdg_namespace_options options = { .size = sizeof options, .flags = flags };
	mdg_namespace *opened = (mdg_namespace *)(void *)&untouched;
	int rc = mdg_namespace_open(&opened, path, &options);
	CHECK((rc == 0) == (opened != (mdg_namespace *)(void *)&untouched));
	if (ns != NULL)
		*ns = opened;
	return rc;
}

static inline int open_new(const char *path, mdg_namespace **ns)
{
	return open_flags(path, 0, ns);
}

/* rc is `wanted`, or says what it is instead; and there is a sentence for it. */
#define CHECK_CODE(wanted, call)                                                                   \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (!CHECK(rc_ == (wanted)))                                                       \
			fprintf(stderr, "\tgot %d: %s\n", rc_, mdg_strerror(rc_));                 \
	} while (0)
/* Fails, with a code that mdg_strerror has a sentence for. */
#define CHECK_REFUSED(call)                                                                        \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		CHECK(rc_ < 0);                                                                    \
		if (!CHECK(strcmp(mdg_strerror(rc_), "unknown code") != 0 &&                       \
		           strcmp(mdg_strerror(rc_), "the system refused") != 0))                  \
			fprintf(stderr, "\tgot %d\n", rc_);                                        \
	} while (0)

static inline void need_root(void)
{
	if (geteuid() != 0)
		SKIP("needs root: mounts file systems or becomes another user");
}

/* Mounts of this process's own, which go with it. */
static inline bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Not where the root is no mount point, as in many a chroot: what is mounted there would be
 * seen outside. */
static inline void need_own_mounts(void)
{
	int status = -1;
	need_root();
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(own_mounts() ? 0 : errno == EINVAL ? 2 : 3);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		SKIP("%s: no mounts of its own can be had",
		     WEXITSTATUS(status) == 2 ? "the root is no mount point (a chroot)"
		                              : "no privilege");
}

static inline bool become(uid_t user)
{
	return setgroups(0, NULL) == 0 && setgid((gid_t)user) == 0 && setuid(user) == 0;
}

/* A segment that can be made, attached, written, read, and removed again. */
static inline void check_works(mdg_namespace *ns)
{
	mdg_id id;
	void *memory;
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 10000, 0600, 0, &id));
	if (check_failures != 0)
		return;
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	if (check_failures != 0)
		return;
	memset(memory, 0x5a, 10000);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

static inline uint32_t attached_to(mdg_namespace *ns, mdg_id id)
{
	struct mdg_segment_info info = { .size = sizeof info, .attached = UINT32_MAX };
	CHECK_CODE(0, mdg_segment_stat(ns, id, MDG_STAT_ANY, &info));
	return info.attached;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * default_userns.c - the default namespace of users in user namespaces.
 *
 * Whoever comes first, inside or outside: one user has one default, with one set
 * of segments, and nobody is in another's way. Each case is a mount namespace with
 * an empty /dev/shm; each step a process that becomes somebody, opens the default,
 * looks at what the steps before it have made, and makes one more.
 */
#include "unit.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include "support/userns.h"

enum { USER = 54323, OTHER = 54324, FIRST = 100000 };

#define RANGE "0 100000 65536"

/* ---- who ---------------------------------------------------------------------- */

static bool user(void)
{
	return become_user(USER);
}
static bool other(void)
{
	return become_user(OTHER);
}
static bool root(void)
{
	return true;
}
static bool root_inside(void)
{
	return userns_enter_alone();
}
static bool inside(void)
{
	return become_user(USER) && userns_enter_alone();
}
static bool nested(void)
{
	return inside() && userns_enter_alone();
}
static bool unmapped(void)
{
	return become_user(USER) && unshare(CLONE_NEWUSER) == 0;
}
static bool range_root(void)
{
	return userns_enter_as_root(RANGE, RANGE);
}
static bool range_fifth(void)
{
	return userns_enter(RANGE, RANGE, NULL) && become_user(5);
}
static bool fifth(void)
{
	return become_user(FIRST + 5);
}

/* As unshare does, which has a program begin in there: it has seen nothing of outside. */
static bool inside_as_other(void)
{
	char users[32];
	snprintf(users, sizeof users, "%d %d 1", OTHER, USER);
	return become_user(USER) && userns_enter(users, users, NULL) && userns_enter_alone();
}

static bool without_proc(void)
{
	return inside() && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/proc", "tmpfs", 0, NULL) == 0 && access("/proc/self", F_OK) != 0;
}

/* ---- what ---------------------------------------------------------------------- */

struct step {
	bool (*become)(void);
	const char *path;  /* of the default: all of it, or to its last slash */
	unsigned segments; /* that are there already */
	int code;
};

/* Every segment is the caller's own, in his own numbers, and can be used. */
static unsigned count_own(mdg_namespace *ns, bool mapped)
{
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	unsigned count = 0;
	void *memory;
	while (mdg_segment_next(ns, &cursor, 0, &info) > 0) {
		CHECK(info.uid == geteuid() && info.cuid == geteuid());
		CHECK_RC(mapped ? 0 : -EINVAL,
		         mdg_segment_set(ns, info.id, info.uid, info.gid, 0600));
		if (CHECK_RC(0, mdg_segment_attach(ns, info.id, NULL, 0, &memory)))
			CHECK_RC(0, mdg_segment_detach(ns, memory));
		count++;
	}
	return count;
}

static bool is_path(const char *path, const char *wanted)
{
	size_t length = strlen(wanted);
	bool whole = wanted[length - 1] != '-' && wanted[length - 1] != '/';
	bool is = whole ? strcmp(path, wanted) == 0
	                : strncmp(path, wanted, length) == 0 &&
	                          strncmp(strrchr(path, '/'), "/madang-u", 9) == 0;
	if (!is)
		fprintf(stderr, "the default is %s, not %s\n", path, wanted);
	return is;
}

static void take(void *step_pointer)
{
	const struct step *step = step_pointer;
	char path[1024];
	mdg_namespace *ns;
	mdg_id id;
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	void *memory;
	if (!CHECK(step->become()))
		return;
	CHECK_RC(0, mdg_namespace_default_path(path, sizeof path));
	CHECK(is_path(path, step->path));
	if (!CHECK_RC(step->code, mdg_namespace_open(&ns, NULL, NULL)) || step->code != 0)
		return;
	unsigned segments = count_own(ns, step->become != unmapped);
	if (!CHECK(segments == step->segments))
		fprintf(stderr, "%u segments, not %u\n", segments, step->segments);
	if (CHECK_RC(0, mdg_segment_create(ns, NULL, 4096, 0600, 0, &id)) &&
	    CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory)) &&
	    CHECK_RC(1, mdg_segment_next_process(ns, id, &cursor, &process)))
		CHECK(process.uid == geteuid());
	CHECK(strcmp(path, "/") > 0 && access(path, F_OK) == 0);
}

static bool cover_shm(mode_t mode)
{
	char options[32];
	snprintf(options, sizeof options, "mode=%o", (unsigned)mode);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("madang-test", "/dev/shm", "tmpfs", 0, options) == 0;
}

#define STEPS(...) ((struct step[]){ __VA_ARGS__, { NULL, NULL, 0, 0 } })
#define SHM        "/dev/shm/madang-"

static void walk(struct step *steps)
{
	for (int i = 0; steps[i].become != NULL; i++)
		if (!CHECK(in_child(take, &steps[i])))
			fprintf(stderr, "... in step %d\n", i + 1);
}

/* ---- cases ---------------------------------------------------------------------- */

static void inside_first(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	walk(STEPS({ inside, SHM "54323", 0, 0 }, { root, SHM "0", 0, 0 },
	           { user, SHM "54323", 1, 0 }, { root_inside, SHM "0", 1, 0 },
	           { inside, SHM "54323", 2, 0 }, { nested, SHM "54323", 3, 0 },
	           { unmapped, SHM "54323", 4, 0 }, { other, SHM "54324", 0, 0 },
	           { user, SHM "54323", 5, 0 }, { root, SHM "0", 2, 0 }));
}

static void outside_first(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	walk(STEPS({ root, SHM "0", 0, 0 }, { user, SHM "54323", 0, 0 },
	           { inside, SHM "54323", 1, 0 }, { nested, SHM "54323", 2, 0 },
	           { without_proc, SHM "54323", 3, 0 }, { user, SHM "54323", 4, 0 }));
}

/* The innermost has no number that it could know. It says 0, and is nobody's root. */
static void nested_first(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	walk(STEPS({ nested, SHM, 0, 0 }, { root, SHM "0", 0, 0 }, { nested, SHM, 1, 0 },
	           { user, SHM, 2, 0 }, { inside, SHM, 3, 0 }, { unmapped, SHM, 4, 0 },
	           { without_proc, SHM, 5, 0 }, { other, SHM "54324", 0, 0 }, { user, SHM, 6, 0 }));
}

static void blind_first(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	walk(STEPS({ without_proc, SHM, 0, 0 }, { unmapped, SHM, 1, 0 }, { user, SHM, 2, 0 },
	           { root, SHM "0", 0, 0 }));
}

static void a_range(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	walk(STEPS({ range_fifth, SHM "100005", 0, 0 }, { range_root, SHM "100000", 0, 0 },
	           { fifth, SHM "100005", 1, 0 }, { range_fifth, SHM "100005", 2, 0 },
	           { root, SHM "0", 0, 0 }));
}

/* Another is where the caller would be: outside that is said, inside the caller goes elsewhere.
 * Names that anybody may use are looked at for their owners. */
static void squatted(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	CHECK(mkdir(SHM "54323", 0755) == 0 && chown(SHM "54323", OTHER, OTHER) == 0);
	CHECK(mkdir(SHM "u0000000000000000", 0700) == 0 &&
	      chown(SHM "u0000000000000000", OTHER, OTHER) == 0);
	CHECK(mkdir("/dev/shm/own", 0700) == 0 && chown("/dev/shm/own", USER, USER) == 0);
	CHECK(symlink("own", SHM "u0000000000000001") == 0 &&
	      lchown(SHM "u0000000000000001", USER, USER) == 0);
	walk(STEPS({ user, SHM "54323", 0, MDG_NS_OWNER }, { inside, SHM, 0, 0 },
	           { nested, SHM, 1, 0 }, { unmapped, SHM, 2, 0 },
	           { user, SHM "54323", 0, MDG_NS_OWNER }));
	CHECK(rmdir("/dev/shm/own") == 0); /* nothing was put there */
	CHECK(rmdir(SHM "54323") == 0 && rmdir(SHM "u0000000000000000") == 0);
	walk(STEPS({ user, SHM, 3, 0 }));
}

/* Who is 0 inside is the real root only if he is him. */
static void not_root(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	CHECK(mkdir(SHM "100005", 0755) == 0 && chown(SHM "100005", FIRST, FIRST) == 0);
	walk(STEPS({ range_fifth, SHM, 0, 0 }));
	CHECK(rmdir(SHM "100005") == 0);
	CHECK(mkdir(SHM "54323", 0755) == 0); /* the real root's: refused by its mode only */
	walk(STEPS({ user, SHM "54323", 0, -EACCES }));
}

static void elsewhere(void *unused)
{
	(void)unused;
	CHECK(cover_shm(0755) && mount("madang-test", "/tmp", "tmpfs", 0, "mode=1777") == 0);
	setenv("TMPDIR", "/tmp/", 1);
	walk(STEPS({ nested, "/tmp//", 0, 0 }, { user, "/tmp//", 1, 0 },
	           { other, "/tmp//madang-54324", 0, 0 }, { inside, "/tmp//", 2, 0 }));
}

/* A lie that nothing gives away leads to a name that is wrong, never to another's things. */
static void a_lie(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
	walk(STEPS({ other, SHM "54324", 0, 0 }, { inside_as_other, SHM, 0, 0 },
	           { user, SHM, 1, 0 }, { other, SHM "54324", 1, 0 }));
	CHECK(umount("/dev/shm") == 0 &&
	      mount("madang-test", "/dev/shm", "tmpfs", 0, "mode=1777") == 0);
	walk(STEPS({ user, SHM "54323", 0, 0 }, { inside_as_other, SHM "54323", 1, 0 },
	           { other, SHM "54324", 0, 0 }));
}

static void try_mounts(void *unused)
{
	(void)unused;
	CHECK(cover_shm(01777));
}

int main(void)
{
	userns_begin(USER);
	if (!in_child(try_mounts, NULL))
		SKIP("/dev/shm cannot be covered with a mount here");
	unsetenv("MADANG_NAMESPACE");
	CHECK(in_child(inside_first, NULL));
	CHECK(in_child(outside_first, NULL));
	CHECK(in_child(nested_first, NULL));
	CHECK(in_child(blind_first, NULL));
	CHECK(in_child(a_range, NULL));
	CHECK(in_child(squatted, NULL));
	CHECK(in_child(not_root, NULL));
	CHECK(in_child(elsewhere, NULL));
	CHECK(in_child(a_lie, NULL));
	return test_result();
}

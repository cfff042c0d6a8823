/* SPDX-License-Identifier: MIT */
/*
 * Directories that are no namespaces: links, files, other people's, open to
 * everybody, read-only, not there. Each is refused with its own reason, and is
 * the same afterwards as before.
 */
#include "badinput/place.h"

enum { USER = 20001, OTHER = 20002 };

static bool is_there(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

static bool is_empty(const char *path)
{
	return rmdir(path) == 0 && mkdir(path, 0755) == 0;
}

/* ---- names ------------------------------------------------------------------- */

static void links(void *unused)
{
	(void)unused;
	CHECK(mkdir(in_place("real"), 0700) == 0);
	CHECK(symlink("real", in_place("link")) == 0);
	CHECK(symlink("nowhere", in_place("dangling")) == 0);
	CHECK(symlink("loop", in_place("loop")) == 0);
	CHECK_CODE(MDG_NS_SYMLINK, open_new(in_place("link"), NULL));
	CHECK_CODE(MDG_NS_SYMLINK, open_new(in_place("link/"), NULL));
	CHECK_CODE(MDG_NS_SYMLINK, open_new(in_place("link///"), NULL));
	CHECK_CODE(MDG_NS_SYMLINK, open_flags(in_place("link"), MDG_NS_EXISTING, NULL));
	CHECK_CODE(MDG_NS_SYMLINK, open_new(in_place("dangling"), NULL));
	CHECK_CODE(MDG_NS_SYMLINK, open_new(in_place("loop"), NULL));
	CHECK_REFUSED(open_new(in_place("loop/ns"), NULL));
	CHECK(!is_there(in_place("nowhere")));
	CHECK(is_empty(in_place("real")));
}

static void files(void *unused)
{
	(void)unused;
	int fd = open(in_place("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(mkfifo(in_place("fifo"), 0600) == 0);
	CHECK_CODE(MDG_NS_NOT_DIR, open_new(in_place("file"), NULL));
	CHECK_CODE(MDG_NS_NOT_DIR, open_new(in_place("file/"), NULL));
	CHECK_CODE(MDG_NS_NOT_DIR, open_new(in_place("fifo"), NULL));
	CHECK_CODE(MDG_NS_NOT_DIR, open_new("/dev/null", NULL));
	CHECK_CODE(-ENOTDIR, open_new(in_place("file/ns"), NULL));
	CHECK_CODE(-ENOENT, open_new(in_place("missing/ns"), NULL));
	CHECK_CODE(-ENOENT, open_new("", NULL));
}

static void long_names(void *unused)
{
	char path[8192];
	(void)unused;
	for (size_t length = 1020; length < sizeof path - 1; length += length < 1030 ? 1 : 997) {
		memset(path, 'x', length);
		memcpy(path, place, strlen(place));
		path[strlen(place)] = '/';
		path[length] = '\0';
		CHECK_CODE(-ENAMETOOLONG,
		           open_new(path, NULL)); /* of 255 in one part, or of 1023 */
	}
	memset(path, '/', 3000);
	path[3000] = '\0';
	CHECK_REFUSED(open_flags(path, MDG_NS_EXISTING, NULL));
}

/* ---- wishes ------------------------------------------------------------------- */

static void existing(void *unused)
{
	(void)unused;
	CHECK_CODE(-ENOENT, open_flags(in_place("none"), MDG_NS_EXISTING, NULL));
	CHECK(!is_there(in_place("none")));
	CHECK(mkdir(in_place("empty"), 0700) == 0);
	CHECK_CODE(-ENOENT, open_flags(in_place("empty"), MDG_NS_EXISTING, NULL));
	CHECK(is_empty(in_place("empty")));
	CHECK_CODE(0, open_flags(in_place("twice"), MDG_NS_EXCL, NULL));
	CHECK_CODE(-EEXIST, open_flags(in_place("twice"), MDG_NS_EXCL, NULL));
}

static void exclusive(void *unused)
{
	(void)unused; /* another process's */
	CHECK_CODE(-EEXIST, open_flags(in_place("twice"), MDG_NS_EXCL, NULL));
	CHECK_CODE(0, open_flags(in_place("twice"), MDG_NS_EXISTING, NULL));
}

/* ---- open to others --------------------------------------------------------------- */

static void writable(void *unused)
{
	static const mode_t modes[] = { 0777, 0770, 0722, 0702, 0720, 01777, 02770 };
	(void)unused;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		const char *path = in_place("writable");
		CHECK(mkdir(path, 0700) == 0 && chmod(path, modes[i]) == 0);
		CHECK_CODE(MDG_NS_WRITABLE, open_new(path, NULL));
		CHECK_CODE(MDG_NS_WRITABLE, open_flags(path, MDG_NS_SHARED, NULL));
		CHECK(rmdir(path) == 0); /* nothing was put there */
	}
}

static void opened_later(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_flags(in_place("later"), MDG_NS_EXISTING, NULL));
}

static void refused_later(void *unused)
{
	(void)unused;
	CHECK_CODE(MDG_NS_WRITABLE, open_flags(in_place("later"), MDG_NS_EXISTING, NULL));
}

static void make_later(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_new(in_place("later"), NULL));
}

/* A private namespace whose directory somebody opened to all. */
static void writable_later(void)
{
	CHECK(in_child(make_later, NULL));
	CHECK(chmod(in_place("later"), 0777) == 0);
	CHECK(in_child(refused_later, NULL));
	CHECK(chmod(in_place("later"), 01777) == 0); /* sticky alone does not make it shared */
	CHECK(in_child(refused_later, NULL));
	CHECK(chmod(in_place("later"), 0700) == 0);
	CHECK(in_child(opened_later, NULL));
}

/* ---- other users' ------------------------------------------------------------------ */

static void as_user(void *unused)
{
	(void)unused;
	CHECK(become(USER));
	CHECK_CODE(-EACCES, open_new(in_place("roots/ns"), NULL));    /* behind a wall */
	CHECK_CODE(-EACCES, open_new(in_place("ns-of-user"), NULL));  /* may not make it */
	CHECK_CODE(MDG_NS_OWNER, open_new(in_place("others"), NULL)); /* a stranger's */
	CHECK_CODE(-EACCES, open_new(in_place("own-0500"), NULL));    /* no room for a registry */
	CHECK_CODE(-EACCES, open_new(in_place("own-0000"), NULL));
	CHECK_CODE(-EACCES, open_flags(in_place("roots-own"), MDG_NS_EXISTING, NULL));
}

static void as_root(void *unused)
{
	(void)unused;
	CHECK_CODE(MDG_NS_OWNER, open_new(in_place("others"), NULL));
}

static void make_roots_own(void *unused)
{
	mdg_namespace *ns;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("roots-own"), &ns));
	CHECK(chmod(in_place("roots-own"), 0755) == 0); /* may be entered; its registry is 0600 */
}

static void other_users(void)
{
	CHECK(mkdir(in_place("roots"), 0700) == 0);
	CHECK(mkdir(in_place("others"), 0755) == 0 && chown(in_place("others"), OTHER, OTHER) == 0);
	CHECK(mkdir(in_place("own-0500"), 0500) == 0 &&
	      chown(in_place("own-0500"), USER, USER) == 0);
	CHECK(mkdir(in_place("own-0000"), 0000) == 0 &&
	      chown(in_place("own-0000"), USER, USER) == 0);
	CHECK(in_child(make_roots_own, NULL));
	CHECK(in_child(as_user, NULL));
	CHECK(in_child(as_root, NULL));
	CHECK(is_empty(in_place("others")));
}

/* A registry in a stranger's directory says that it is shared. It must not be believed. */
static void trap(void *unused)
{
	(void)unused;
	CHECK_CODE(MDG_NS_OWNER, open_new(in_place("trap"), NULL));
}

static void make_shared_as_user(void *unused)
{
	(void)unused;
	CHECK(become(USER));
	CHECK_CODE(0, open_flags(in_place("home/shared"), MDG_NS_SHARED, NULL));
}

static void use_shared_as_other(void *unused)
{
	mdg_namespace *ns;
	(void)unused;
	CHECK(become(OTHER));
	CHECK_CODE(0, open_flags(in_place("home/shared"), MDG_NS_EXISTING, &ns));
	if (check_failures == 0)
		check_works(ns);
}

static void shared_by_others(void)
{
	CHECK(mkdir(in_place("home"), 0755) == 0 && chown(in_place("home"), USER, USER) == 0);
	CHECK(in_child(make_shared_as_user, NULL));
	CHECK(in_child(use_shared_as_other, NULL));
	/* The same registry, but in the directory of somebody else than its owner. */
	CHECK(mkdir(in_place("trap"), 0755) == 0 && chown(in_place("trap"), OTHER, OTHER) == 0);
	CHECK(link(in_place("home/shared/registry"), in_place("trap/registry")) == 0);
	CHECK(in_child(trap, NULL));
}

static void read_only(void *unused)
{
	(void)unused;
	if (!own_mounts() || mkdir(in_place("ro"), 0700) != 0 ||
	    mount("none", in_place("ro"), "tmpfs", MS_RDONLY, "mode=700") != 0) {
		printf("not tried: a read-only file system (mount: %s)\n", strerror(errno));
		return;
	}
	CHECK_CODE(-EROFS, open_new(in_place("ro"), NULL));
	CHECK_CODE(-EROFS, open_new(in_place("ro/ns"), NULL));
}

int main(void)
{
	place_make();
	CHECK(in_child(links, NULL));
	CHECK(in_child(files, NULL));
	CHECK(in_child(long_names, NULL));
	CHECK(in_child(existing, NULL));
	CHECK(in_child(exclusive, NULL));
	CHECK(in_child(writable, NULL));
	writable_later();
	if (geteuid() == 0) {
		other_users();
		shared_by_others();
		CHECK(in_child(read_only, NULL));
	} else {
		printf("not tried without root: other users' directories\n");
	}
	return test_result();
}

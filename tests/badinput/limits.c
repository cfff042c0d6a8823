/* SPDX-License-Identifier: MIT */
/*
 * A process with narrow limits: the largest file, the address space, a umask
 * that takes everything. A code says what is wrong, no signal comes of it, and
 * what others have is not touched.
 */
#include "badinput/place.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

static mdg_namespace *ns;

/* A macro, because what names a limit is an int here and an enumeration there. */
#define LIMIT(which, value)                                                                        \
	do {                                                                                       \
		struct rlimit both_;                                                               \
		CHECK(getrlimit(which, &both_) == 0);                                              \
		both_.rlim_cur = (value) < both_.rlim_max ? (value) : both_.rlim_max;              \
		CHECK(setrlimit(which, &both_) == 0);                                              \
	} while (0)

/* The sanitizers have all of the address space for themselves. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
static const bool has_address_space = false;
#else
static const bool has_address_space = true;
#endif

/* ---- the largest file: the System V calls know no such limit ------------------------ */

static void largest_file(void *unused)
{
	mdg_id id;
	sigset_t pending;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	LIMIT(RLIMIT_FSIZE, 8192);
	int rc = mdg_segment_create(ns, NULL, 1 << 20, 0600, 0, &id);
	CHECK(rc == 0 || rc == -ENOMEM); /* and SIGXFSZ, which kills, does not come */
	rc = mdg_segment_create(ns, NULL, 64 << 20, 0600, 0, &id);
	CHECK(rc == 0 || rc == -ENOMEM);
	rc = mdg_segment_create(ns, NULL, 1 << 20, 0600, MDG_NORESERVE, &id);
	if (rc == 0) { /* it gets its size when it is attached */
		void *memory;
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	}
	CHECK(rc == 0 || rc == -ENOMEM);
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 8192, 0600, 0, &id));
	rc = open_new(in_place("another"), NULL);
	CHECK(rc == 0 || rc == -EFBIG || rc == -ENOSPC);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 0);
	LIMIT(RLIMIT_FSIZE, RLIM_INFINITY);
	check_works(ns);
}

/* One that was sent by somebody else still comes. */
static void other_signal(void *unused)
{
	mdg_id id;
	sigset_t set, pending;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGXFSZ) == 0);
	LIMIT(RLIMIT_FSIZE, 8192);
	(void)mdg_segment_create(ns, NULL, 1 << 20, 0600, 0, &id);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1);
}

/* ---- address space --------------------------------------------------------------------- */

static rlim_t used_space(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL || fscanf(file, "%lu", &pages) != 1)
		SKIP("/proc/self/statm cannot be read");
	fclose(file);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void no_room_to_attach(void *unused)
{
	mdg_id id;
	void *memory = NULL;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 64 << 20, 0600, MDG_NORESERVE, &id));
	LIMIT(RLIMIT_AS, used_space() + (32 << 20));
	CHECK_CODE(-ENOMEM, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(memory == NULL && attached_to(ns, id) == 0);
	check_works(ns);
	LIMIT(RLIMIT_AS, RLIM_INFINITY);
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(attached_to(ns, id) == 1);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

/* Too little to map the registry: which others use, so it must stay as it is. */
static void no_room_to_open(void *unused)
{
	(void)unused;
	LIMIT(RLIMIT_AS, used_space() + (64 << 10));
	CHECK_CODE(-ENOMEM, open_new(in_place("ns"), NULL));
	CHECK_CODE(-ENOMEM, open_flags(in_place("ns"), MDG_NS_EXISTING, NULL));
}

/* ---- umask -------------------------------------------------------------------------------- */

static mode_t mode_of(const char *path)
{
	struct stat status = { .st_mode = 0 };
	CHECK(stat(path, &status) == 0);
	return status.st_mode & 07777;
}

static void umask_0777(void *shared)
{
	const char *path = *(bool *)shared ? in_place("shared") : in_place("private");
	char name[256];
	mdg_id id;
	struct mdg_segment_info info = { .size = sizeof info };
	umask(0777);
	CHECK_CODE(0, open_flags(path, *(bool *)shared ? MDG_NS_SHARED : 0, &ns));
	if (check_failures != 0)
		return;
	CHECK(mode_of(path) == (*(bool *)shared ? 01777 : 0700));
	CHECK(mode_of(in_directory(path, "registry")) == (*(bool *)shared ? 0666 : 0600));
	check_works(ns);
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0640, 0, &id));
	snprintf(name, sizeof name, "%s", data_file_name(path, id));
	if (*(bool *)shared) /* in a private one the directory is what guards it */
		CHECK(mode_of(in_directory(path, name)) == 0640);
	CHECK_CODE(0, mdg_segment_stat(ns, id, 0, &info));
	CHECK(info.mode == 0640);
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &id));
	void *memory = NULL;
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	if (memory != NULL)
		memset(memory, 1, 4096);
}

/* A user without any privilege meets the modes as they are. */
static void as_user(void *shared)
{
	if (geteuid() == 0)
		CHECK(become(20001));
	umask_0777(shared);
}

static void still_works(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_flags(in_place("ns"), MDG_NS_EXISTING, &ns));
	if (check_failures == 0)
		check_works(ns);
}

int main(void)
{
	bool shared = false;
	place_make();
	CHECK(in_child(largest_file, NULL));
	CHECK(in_child(other_signal, NULL));
	if (has_address_space) {
		CHECK(in_child(no_room_to_attach, NULL));
		CHECK(in_child(no_room_to_open, NULL));
	}
	CHECK(in_child(still_works, NULL));
	CHECK(chmod(place, 0777) == 0);
	CHECK(in_child(as_user, &shared));
	shared = true;
	CHECK(in_child(as_user, &shared));
	return test_result();
}

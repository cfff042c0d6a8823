/* SPDX-License-Identifier: MIT */
/*
 * look.c - MDG_NS_LOOK: root looks at a user's namespace, and nothing is changed by it.
 *
 * A user's processes hold segments: one attached, one of a process that was killed,
 * one removed and still attached. Root sees all of it. Afterwards every file in the
 * directory has the owner, mode, size, times and bytes that it had. Others are
 * refused; and what a hostile user puts in the place of files leads nowhere.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "madang/channel.h"
#include "madang/names.h"
#include "madang/segment.h"
#include "registry/layout.h"
#include "support/userns.h"

enum { USER = 54323, OTHER = 54324, FILES = 4, PATH_ROOM = UNIT_PATH + 128 };

static char directory[UNIT_PATH];
static int say[2], wait_for[2]; /* pipes: the user's process to the test, and back */

struct made {
	mdg_id attached, killed, removed;
};
static struct made *made;

/* ---- what lies there ----------------------------------------------------------- */

struct seen {
	struct stat status;
	uint64_t sum;
};

static uint64_t sum_of(const char *path)
{
	static unsigned char buffer[65536];
	uint64_t sum = 14695981039346656037u;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0)
		for (ssize_t i = 0; i < got; i++)
			sum = (sum ^ buffer[i]) * 1099511628211u;
	if (fd >= 0)
		close(fd);
	return sum;
}

/* The name of a segment's data file: seg-NUMBER-ID. */
static const char *data_name(mdg_id id)
{
	static char name[sizeof((struct dirent *)NULL)->d_name];
	char end[16];
	const struct dirent *entry;
	DIR *listing = opendir(directory);
	size_t length = (size_t)snprintf(end, sizeof end, "-%d", id);
	CHECK(listing != NULL);
	name[0] = '\0';
	while (listing != NULL && (entry = readdir(listing)) != NULL) {
		size_t whole = strlen(entry->d_name);
		if (strncmp(entry->d_name, "seg-", 4) == 0 && whole > length &&
		    strcmp(entry->d_name + whole - length, end) == 0)
			snprintf(name, sizeof name, "%s", entry->d_name);
	}
	CHECK(name[0] != '\0');
	if (listing != NULL)
		closedir(listing);
	return name;
}

static void path_of(char path[PATH_ROOM], int file)
{
	if (file < 2)
		snprintf(path, PATH_ROOM, "%s%s", directory, file == 0 ? "" : "/registry");
	else
		snprintf(path, PATH_ROOM, "%s/%s", directory,
		         data_name(file == 2 ? made->attached : made->killed));
}

static void see(struct seen seen[FILES])
{
	char path[PATH_ROOM];
	memset(seen, 0, FILES * sizeof *seen);
	for (int i = 0; i < FILES; i++) {
		path_of(path, i);
		CHECK(lstat(path, &seen[i].status) == 0);
		if (S_ISREG(seen[i].status.st_mode))
			seen[i].sum = sum_of(path);
		/* Reading changes them; the sums above do. */
		memset(&seen[i].status.st_atim, 0, sizeof seen[i].status.st_atim);
	}
}

/* ---- the user ------------------------------------------------------------------- */

static void attach_and_stay(void *ns_pointer)
{
	mdg_namespace *ns = ns_pointer;
	void *memory;
	CHECK_RC(0, mdg_segment_attach(ns, made->killed, NULL, 0, &memory));
	raise(SIGKILL);
}

static void be_user(void *unused)
{
	(void)unused;
	mdg_namespace *ns;
	mdg_channel *channel;
	void *memory;
	char byte = 'r';
	CHECK(become_user(USER));
	CHECK_RC(0, mdg_namespace_open(&ns, directory, NULL));
	CHECK_RC(0, mdg_segment_create(ns, "attached", 8192, 0600, 0, &made->attached));
	CHECK_RC(0, mdg_segment_create(ns, "killed", 4096, 0600, 0, &made->killed));
	CHECK_RC(0, mdg_segment_create(ns, "removed", 4096, 0600, 0, &made->removed));
	CHECK_RC(0, mdg_segment_attach(ns, made->attached, NULL, 0, &memory));
	CHECK_RC(0, mdg_segment_attach(ns, made->removed, NULL, 0, &memory));
	CHECK_RC(0, mdg_segment_remove(ns, made->removed));
	CHECK_RC(0, mdg_channel_open(&channel, ns, "news", MDG_LISTENER, NULL));
	CHECK(!in_child(attach_and_stay, ns));
	(void)!write(say[1], &byte, 1);
	(void)!read(wait_for[0], &byte, 1);
	CHECK_RC(0, mdg_segment_create(ns, "later", 4096, 0600, 0, &made->killed));
}

/* ---- root ------------------------------------------------------------------------- */

static int open_look(mdg_namespace **ret_ns, const char *path)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_LOOK);
	return mdg_namespace_open(ret_ns, path, &options);
}

static int say_finding(const struct mdg_finding *finding, void *context)
{
	++*(int *)context;
	return finding->kind == MDG_FOUND_DEAD_SLOT ? 0
	                                            : (fprintf(stderr, "%s\n", finding->text), 0);
}

static void look_at_segments(mdg_namespace *ns)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_process_info process = { .size = sizeof process };
	struct mdg_namespace_info whole = { .size = sizeof whole };
	uint32_t cursor = 0, removed = 0, count = 0, processes = 0;
	while (mdg_segment_next(ns, &cursor, MDG_STAT_RESIDENT | MDG_STAT_CREATOR, &info) > 0) {
		CHECK(info.uid == USER && info.cuid == USER && info.gid == USER);
		CHECK(info.creator_alive && info.attached == (info.id == made->killed ? 0u : 1u));
		removed += (info.mode & MDG_MODE_REMOVED) != 0;
		count++;
	}
	CHECK(count == 4 && removed == 1);
	cursor = 0;
	while (mdg_segment_next_process(ns, made->attached, &cursor, &process) > 0) {
		CHECK(process.uid == USER);
		processes++;
	}
	CHECK(processes == 1);
	CHECK_RC(0, mdg_namespace_info(ns, MDG_INFO_RESIDENT, &whole));
	CHECK(whole.segments_used == 4 && whole.pages_resident > 0);
}

static void look_at_more(mdg_namespace *ns)
{
	struct mdg_channel_info channel = { .size = sizeof channel };
	struct mdg_name_info *none = NULL;
	uint32_t cursor = 0;
	int findings = 0;
	(void)none;
	CHECK_RC(1, mdg_channel_next(ns, &cursor, &channel));
	CHECK(strcmp(channel.name, "news") == 0 && channel.listeners == 1);
	int remaining = mdg_namespace_check(ns, 0, say_finding, &findings);
	CHECK(remaining == findings && findings >= 1); /* the dead one's slot, not given back */
	CHECK_RC(-EROFS, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
}

static void change_nothing(mdg_namespace *ns)
{
	mdg_id id;
	void *memory;
	mdg_channel *channel;
	CHECK_RC(-EROFS, mdg_segment_create(ns, "new", 4096, 0600, 0, &id));
	CHECK_RC(-EROFS, mdg_segment_get(ns, 0, 4096, 0600 | MDG_CREATE, &id));
	CHECK_RC(-EROFS, mdg_segment_remove(ns, made->attached));
	CHECK_RC(-EROFS, mdg_segment_set(ns, made->attached, 0, 0, 0666));
	CHECK_RC(-EROFS, mdg_segment_lock(ns, made->attached, 1));
	CHECK_RC(-EROFS, mdg_segment_attach(ns, made->attached, NULL, 0, &memory));
	CHECK_RC(-EROFS, mdg_segment_attach(ns, made->attached, NULL, MDG_RDONLY, &memory));
	CHECK_RC(-EROFS, mdg_channel_open(&channel, ns, "news", MDG_TALKER, NULL));
	CHECK_RC(0, mdg_segment_open(ns, "attached", 0, 0, &id));
	CHECK(id == made->attached);
}

/* The entry of a segment in a mapping of the registry. */
static struct mdg__segment *entry_of(char *map, off_t length, const char *name)
{
	for (off_t at = 0; at + (off_t)sizeof(struct mdg__segment) <= length; at += 64) {
		const char *here = map + at + offsetof(struct mdg__segment, name);
		if (memcmp(here, name, strlen(name) + 1) == 0)
			return (void *)(map + at);
	}
	return NULL;
}

/* A segment whose maker died in the middle, or is in no hurry. */
static int seem_half_made(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) != 0)
		return -1;
	char *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct mdg__segment *segment = entry_of(map, status.st_size, "killed");
	if (segment == NULL)
		return -1;
	segment->tag = (segment->tag & ~UINT32_C(0xff)) | MDG__BUSY;
	segment->worker = 0;
	return close(fd);
}

static void look_at_half_made(void *unused)
{
	(void)unused;
	mdg_namespace *ns;
	mdg_id id;
	alarm(20);
	CHECK_RC(0, open_look(&ns, directory));
	CHECK_RC(-ENOENT, mdg_segment_open(ns, "killed", 0, 0, &id));
	CHECK_RC(-EROFS, mdg_segment_create(ns, "killed", 4096, 0600, 0, &id));
}

static void be_root(void *unused)
{
	(void)unused;
	mdg_namespace *ns, *usual;
	struct mdg_namespace_options existing = unit_options(MDG_NS_EXISTING);
	CHECK_RC(MDG_NS_OWNER, mdg_namespace_open(&usual, directory, &existing));
	if (!CHECK_RC(0, open_look(&ns, directory)))
		return;
	look_at_segments(ns);
	look_at_more(ns);
	change_nothing(ns);
	pid_t child = fork(); /* goes on looking in there */
	if (child == 0) {
		look_at_segments(ns);
		_exit(test_result());
	}
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	/* To have looked opens no other door. */
	CHECK_RC(MDG_NS_OWNER, mdg_namespace_open(&usual, directory, &existing));
	mdg_namespace_close(ns);
}

static void be_refused(void *enter_pointer)
{
	mdg_namespace *ns;
	int who = *(const int *)enter_pointer;
	CHECK(who != 0 || become_user(OTHER));
	CHECK(who != 1 || userns_enter_as_root("0 0 1", "0 0 1"));
	CHECK(who != 2 || userns_enter_as_root("0 0 1\n1 54323 1", "0 0 1\n1 54323 1"));
	int rc = open_look(&ns, directory);
	CHECK(rc == MDG_NS_OWNER || rc == -EACCES);
}

static void look_in_use(void)
{
	struct seen before[FILES], after[FILES];
	char byte = 'w';
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		be_user(NULL);
		_exit(test_result());
	}
	if (!CHECK(read(say[0], &byte, 1) == 1))
		return;
	see(before);
	CHECK(in_child(be_root, NULL));
	int strangers = 3;
	if (!in_child(userns_try_range,
	              NULL)) { /* forbidden, or a sanitizer's thread runs beside us */
		fprintf(stderr, "user namespaces cannot be made here: their roots are not tried\n");
		strangers = 1;
	}
	for (int who = 0; who < strangers; who++)
		CHECK(in_child(be_refused, &who));
	see(after);
	for (int i = 0; i < FILES; i++)
		CHECK(memcmp(&before[i], &after[i], sizeof before[i]) == 0);
	CHECK(write(wait_for[1], &byte, 1) == 1);
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* ---- traps --------------------------------------------------------------------------- */

static void look_at_trap(void *unused)
{
	(void)unused;
	mdg_namespace *ns;
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_name_info entry = { .size = sizeof entry };
	uint32_t cursor = 0, in_segment = 0;
	int rc = open_look(&ns, directory);
	if (rc != 0)
		return;
	while (mdg_segment_next(ns, &cursor, MDG_STAT_RESIDENT, &info) > 0) {
		in_segment = 0;
		CHECK(mdg_names_next(ns, info.id, &in_segment, &entry) <= 0);
	}
	(void)mdg_namespace_check(ns, 0, NULL, NULL);
	_exit(2); /* it could be opened */
}

/* Whether root's call returns, and opens the namespace or not, as expected. No file appears, and no
 * file changes its owner. */
static bool survives(bool opened)
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(20);
		look_at_trap(NULL);
		_exit(test_result());
	}
	int status = -1;
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == (opened ? 2 : 0))
		return true;
	fprintf(stderr, "the look ended with %x\n", (unsigned)status);
	return false;
}

static void as_the_user(int (*act)(const char *path), const char *name)
{
	char path[PATH_ROOM];
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		snprintf(path, sizeof path, "%s/%s", directory, name);
		_exit(become_user(USER) && (remove(path) == 0 || errno == ENOENT) && act(path) == 0
		              ? 0
		              : 1);
	}
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int make_fifo(const char *path)
{
	return mkfifo(path, 0600);
}
static int make_directory(const char *path)
{
	return mkdir(path, 0700);
}
static int make_link(const char *path)
{
	return symlink("/etc/shadow", path);
}
static int make_nothing(const char *path)
{
	(void)path;
	return 0;
}

static int make_sparse(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	return fd >= 0 && ftruncate(fd, (off_t)1 << 40) == 0 ? close(fd) : -1;
}

/* A copy of the registry in which every entry names a file that is not his. */
static int point_elsewhere(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat roots, status;
	char other[UNIT_PATH + 16];
	snprintf(other, sizeof other, "%s-roots", directory);
	if (fd < 0 || fstat(fd, &status) != 0 || stat(other, &roots) != 0)
		return -1;
	char *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (off_t at = 0; at + (off_t)sizeof(struct mdg__segment) <= status.st_size; at += 64) {
		struct mdg__segment *segment = (void *)(map + at);
		if ((segment->tag & 0xff) == MDG__LIVE && segment->size == 8192)
			segment->inode = roots.st_ino;
	}
	return close(fd);
}

static int keep_and_point(const char *name_path)
{
	char path[UNIT_PATH + 16];
	(void)name_path;
	snprintf(path, sizeof path, "%s/registry", directory);
	return point_elsewhere(path);
}

static void traps(void)
{
	char data[128];
	static int (*const acts[])(const char *) = { make_fifo, make_link, make_directory,
		                                     make_sparse };
	char other[UNIT_PATH + 16];
	snprintf(other, sizeof other, "%s-roots", directory);
	int fd = open(other, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && ftruncate(fd, 65536) == 0 && close(fd) == 0);
	snprintf(data, sizeof data, "%s", data_name(made->attached));
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		as_the_user(acts[i], data);
		CHECK(survives(true));
	}
	as_the_user(keep_and_point, data);
	CHECK(survives(true));
	snprintf(other, sizeof other, "%s/registry", directory);
	CHECK(seem_half_made(other) == 0);
	CHECK(in_child(look_at_half_made, NULL));
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		as_the_user(acts[i], "registry");
		CHECK(survives(false));
	}
	as_the_user(make_nothing, "registry");
	CHECK(survives(false));
	char path[UNIT_PATH + 16];
	snprintf(path, sizeof path, "%s/registry", directory);
	CHECK(access(path, F_OK) != 0); /* root has made none */
}

int main(void)
{
	if (geteuid() != 0)
		SKIP("only root may look at another user's");
	made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(made != MAP_FAILED && pipe2(say, O_CLOEXEC) == 0 && pipe2(wait_for, O_CLOEXEC) == 0);
	unit_path(directory, "");
	directory[strlen(directory) - 1] = '\0';
	CHECK(chmod(directory, 0711) == 0);
	unit_path(directory, "users");
	CHECK(mkdir(directory, 0700) == 0 && chown(directory, USER, USER) == 0);
	look_in_use();
	traps();
	return test_result();
}

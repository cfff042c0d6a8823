/* SPDX-License-Identifier: MIT */
/*
 * namespaces.c - mdg_namespace_open and _info: options and their limits, who
 * makes what, what is refused, and the same or different ones in one process.
 *
 * The path of the default namespace is in default_path.c.
 */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct mdg_namespace_info info_of(mdg_namespace *ns)
{
	struct mdg_namespace_info info;
	memset(&info, 0xa5, sizeof info);
	info.size = sizeof info;
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	return info;
}

static bool is_there(const char *name)
{
	char path[UNIT_PATH];
	struct stat status;
	return stat(unit_path(path, name), &status) == 0;
}

/* Opening fails with this code, and leaves the result alone. */
static bool refuses(int wanted, const char *path, const struct mdg_namespace_options *options)
{
	mdg_namespace *const before = (mdg_namespace *)(uintptr_t)16;
	mdg_namespace *ns = before;
	errno = 4242;
	int rc = mdg_namespace_open(&ns, path, options);
	bool untouched = CHECK(ns == before && errno == 4242);
	return CHECK_RC(wanted, rc) && untouched;
}

static bool refuses_name(int wanted, const char *name, const struct mdg_namespace_options *options)
{
	char path[UNIT_PATH];
	return refuses(wanted, unit_path(path, name), options);
}

static void what_is_made(void)
{
	struct stat status;
	char path[UNIT_PATH];
	mode_t mask = umask(0277); /* takes the owner's own rights away, if it may */
	mdg_namespace *ns = unit_open("made", NULL);
	umask(mask);
	CHECK(stat(unit_path(path, "made"), &status) == 0 && (status.st_mode & 07777) == 0700);
	CHECK(stat(unit_path(path, "made/registry"), &status) == 0 && S_ISREG(status.st_mode) &&
	      (status.st_mode & 07777) == 0600);
	/* A page of each table that is used from the start. */
	if (sysconf(_SC_PAGESIZE) == 4096)
		CHECK(status.st_blocks * 512 == 5 * 4096);
	struct mdg_namespace_info info = info_of(ns);
	CHECK(info.flags == 0 && info.segments_max == 4096 && info.processes_max == 4096);
	CHECK(info.segments_used == 0 && info.highest_index == 0 && info.pages_total == 0);
	CHECK(info.pages_resident == 0);
	CHECK(info.shmmax == UINT64_MAX - (1u << 24) && info.shmall == UINT64_MAX - (1u << 24));
	CHECK(strcmp(info.path, unit_path(path, "made")) == 0);
	mdg_namespace_close(ns);
	mdg_namespace_close(NULL);
}

static void options_and_limits(void)
{
	static const uint32_t wrong_segments[] = { 1, 63, 32769, UINT32_MAX };
	static const uint32_t wrong_processes[] = { 1, 15, 32768, UINT32_MAX };
	struct mdg_namespace_options options = unit_options(0);
	for (size_t i = 0; i < 4; i++) {
		options = unit_options(0);
		options.segments = wrong_segments[i];
		refuses_name(-EINVAL, "limits", &options);
		options = unit_options(0);
		options.processes = wrong_processes[i];
		refuses_name(-EINVAL, "limits", &options);
	}
	options = unit_options(0x80);
	refuses_name(-EINVAL, "limits", &options);
	options = unit_options(0);
	options.size = 4; /* not even the flags */
	refuses_name(-EINVAL, "limits", &options);

	options = unit_options(0);
	options.segments = 64;
	options.processes = 16;
	options.shmmax = 12345;
	options.shmall = 10;
	struct mdg_namespace_info least = info_of(unit_open("least", &options));
	CHECK(least.segments_max == 64 && least.processes_max == 16);
	CHECK(least.shmmax == 12345 && least.shmall == 10);
	options.segments = 32768;
	options.processes = 32767;
	struct mdg_namespace_info most = info_of(unit_open("most", &options));
	CHECK(most.segments_max == 32768 && most.processes_max == 32767);

	options = unit_options(0);
	options.segments = 100;
	struct mdg_namespace_info older = info_of(unit_open("older", &options));
	CHECK(older.segments_max == 100 && older.processes_max == 4096 && older.shmall != 10);
	/* Options have no effect on what is there. */
	options = unit_options(0);
	options.segments = 200;
	CHECK(info_of(unit_open("older", &options)).segments_max == 100);
}

static void limits_hold(void)
{
	struct mdg_namespace_options options = unit_options(0);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	options.segments = 64;
	options.shmmax = 3 * page;
	options.shmall = 70;
	mdg_namespace *ns = unit_open("small", &options);
	mdg_id id, ids[64], keep = -7;
	CHECK_RC(-EINVAL, mdg_segment_create(ns, NULL, 3 * page + 1, 0600, 0, &keep));
	for (int i = 0; i < 64; i++)
		CHECK_RC(0, mdg_segment_create(ns, NULL, i < 3 ? 3 * page : 1, 0600, 0, &ids[i]));
	CHECK(info_of(ns).pages_total == 70 && info_of(ns).segments_used == 64);
	CHECK(info_of(ns).highest_index == 63);
	CHECK_RC(-ENOSPC, mdg_segment_create(ns, NULL, 1, 0600, 0, &keep)); /* no index */
	CHECK_RC(0, mdg_segment_remove(ns, ids[10]));
	CHECK_RC(-ENOSPC, mdg_segment_create(ns, NULL, page + 1, 0600, 0, &keep)); /* no pages */
	CHECK_RC(0, mdg_segment_create(ns, NULL, page, 0600, 0, &id));
	CHECK(id % 32768 == 10 && id / 32768 == ids[10] / 32768 + 1);
	CHECK(keep == -7);
	for (int i = 0; i < 64; i++)
		CHECK_RC(0, mdg_segment_remove(ns, i == 10 ? id : ids[i]));
	CHECK(info_of(ns).segments_used == 0 && info_of(ns).pages_total == 0);
	unit_is_sound(ns);
}

static void who_makes_it(void)
{
	struct mdg_namespace_options existing = unit_options(MDG_NS_EXISTING);
	struct mdg_namespace_options exclusive = unit_options(MDG_NS_EXCL);
	refuses_name(-ENOENT, "later", &existing);
	CHECK(!is_there("later"));
	mdg_namespace *made = unit_open("later", &exclusive);
	refuses_name(-EEXIST, "later", &exclusive);
	CHECK(unit_open("later", &existing) == made && unit_open("later", NULL) == made);
	mdg_namespace_close(made);
	mdg_namespace_close(made);
	mdg_namespace_close(made);

	char path[UNIT_PATH];
	CHECK(mkdir(unit_path(path, "empty"), 0700) == 0);
	refuses(-ENOENT, path, &existing);
	CHECK(unit_open("empty", &exclusive) != NULL);
}

/* Another process finds it made. */
static void exclusive_elsewhere(void *arg)
{
	struct mdg_namespace_options exclusive = unit_options(MDG_NS_EXCL);
	(void)arg;
	refuses_name(-EEXIST, "shared", &exclusive);
}

static void shared(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	struct stat status;
	char path[UNIT_PATH];
	mdg_namespace *ns = unit_open("shared", &options);
	CHECK(stat(unit_path(path, "shared"), &status) == 0 && (status.st_mode & 07777) == 01777);
	CHECK(stat(unit_path(path, "shared/registry"), &status) == 0 &&
	      (status.st_mode & 07777) == 0666);
	CHECK(info_of(ns).flags == MDG_NS_SHARED);
	CHECK(in_child(exclusive_elsewhere, NULL));
}

static void refusals(void)
{
	char path[UNIT_PATH], target[UNIT_PATH], longest[2000];
	unit_open("target", NULL);
	CHECK(symlink(unit_path(target, "target"), unit_path(path, "link")) == 0);
	refuses(MDG_NS_SYMLINK, path, NULL);
	strcat(path, "/"); /* which would follow the link */
	refuses(MDG_NS_SYMLINK, path, NULL);
	int fd = open(unit_path(path, "file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && close(fd) == 0);
	refuses(MDG_NS_NOT_DIR, path, NULL);
	refuses_name(-ENOTDIR, "file/below", NULL);
	refuses_name(-ENOENT, "nowhere/below", NULL);
	refuses(-ENOENT, "", NULL);
	CHECK(mkdir(unit_path(path, "open"), 0700) == 0 && chmod(path, 0777) == 0);
	refuses(MDG_NS_WRITABLE, path, NULL);
	CHECK(chmod(path, 01777) == 0); /* sticky, but not made as a shared one */
	refuses(MDG_NS_WRITABLE, path, NULL);
	CHECK(chmod(path, 0770) == 0);
	refuses(MDG_NS_WRITABLE, path, NULL);
	if (geteuid() == 0 && chown(unit_path(path, "open"), 12345, 12345) == 0) {
		CHECK(chmod(path, 0700) == 0);
		refuses(MDG_NS_OWNER, path, NULL);
		CHECK(chown(path, 0, 0) == 0);
	}
	memset(longest, 'x', sizeof longest);
	longest[0] = '/';
	longest[1024] = '\0';
	refuses(-ENAMETOOLONG, longest, NULL);
	longest[1023] = '\0'; /* the path may be that long; its one name not */
	refuses(-ENAMETOOLONG, longest, NULL);
	CHECK_RC(-ENAMETOOLONG, mdg_namespace_default_path(target, 5));
}

/* The file's own word is wrong. */
static bool opens_with(const char *bytes, size_t size, off_t at, int wanted)
{
	char path[UNIT_PATH];
	static int number;
	char name[40];
	snprintf(name, sizeof name, "bad%d", ++number);
	CHECK(mkdir(unit_path(path, name), 0700) == 0);
	snprintf(name, sizeof name, "bad%d/registry", number);
	char model[UNIT_PATH];
	int from = open(unit_path(model, "model/registry"), O_RDONLY | O_CLOEXEC);
	static char file[65536];
	ssize_t got = read(from, file, sizeof file);
	struct stat status = { 0 };
	CHECK(got > 4096 && fstat(from, &status) == 0 && close(from) == 0);
	int fd = open(unit_path(path, name), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK(write(fd, file, (size_t)got) == got && ftruncate(fd, status.st_size) == 0);
	if (bytes != NULL)
		CHECK(pwrite(fd, bytes, size, at) == (ssize_t)size);
	else
		CHECK(ftruncate(fd, at) == 0);
	CHECK(close(fd) == 0);
	*strrchr(path, '/') = '\0';
	if (wanted != 0)
		return refuses(wanted, path, NULL);
	mdg_namespace *ns;
	return CHECK_RC(0, mdg_namespace_open(&ns, path, NULL));
}

static void wrong_files(void)
{
	static const off_t lengths[] = { 4096, 5000, 8192, 100000 };
	unit_open("model", NULL);
	opens_with("", 0, 0, 0);
	opens_with("\1", 1, 7, MDG_NOT_REGISTRY);      /* magic */
	opens_with("\1", 1, 8, MDG_VERSION_UNLIKE);    /* format */
	opens_with("\377", 1, 13, MDG_VERSION_UNLIKE); /* mark */
	opens_with("\377", 1, 16, MDG_DAMAGED);        /* capacities, and their sum */
	opens_with("\377", 1, 84, MDG_DAMAGED);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		opens_with(NULL, 0, lengths[i], MDG_TRUNCATED);
	opens_with(NULL, 0, 100, MDG_TRUNCATED);
}

static void in_one_process(void)
{
	char path[UNIT_PATH];
	mdg_namespace *one = unit_open("one", NULL), *other = unit_open("other", NULL);
	mdg_namespace *again = unit_open("other/../one", NULL);
	CHECK(one != other && again == one);
	mdg_id first, second, found;
	CHECK_RC(0, mdg_segment_create(one, "same", 100, 0600, 0, &first));
	CHECK_RC(-ENOENT, mdg_segment_open(other, "same", 0, 0600, &found));
	CHECK_RC(0, mdg_segment_create(other, "same", 200, 0600, 0, &second));
	CHECK(unit_stat(one, first).bytes == 100 && unit_stat(other, second).bytes == 200);

	void *a, *b;
	CHECK_RC(0, mdg_segment_attach(one, first, NULL, 0, &a));
	CHECK_RC(0, mdg_segment_attach(other, second, NULL, 0, &b));
	CHECK_RC(-EINVAL, mdg_segment_detach(one, b));
	CHECK_RC(-EINVAL, mdg_segment_detach(other, a));
	mdg_namespace_close(one); /* opened twice: stays in use */
	mdg_namespace_close(again);
	memset(a, 1, 100); /* ... and even closed, attachments stay */
	CHECK(unit_stat(one, first).attached == 1);
	CHECK_RC(0, mdg_segment_detach(one, a));
	CHECK_RC(0, mdg_segment_detach(other, b));

	/* From another directory by a relative path, and after leaving it. */
	char before[4096];
	CHECK(getcwd(before, sizeof before) != NULL);
	CHECK(chdir(unit_path(path, "other")) == 0);
	mdg_namespace *relative = NULL;
	CHECK_RC(0, mdg_namespace_open(&relative, "../one", NULL));
	CHECK(relative == one);
	CHECK_RC(0, mdg_namespace_open(&relative, "../relative", NULL));
	CHECK(chdir(before) == 0);
	CHECK_RC(0, mdg_segment_create(relative, "x", 1, 0600, 0, &first));
	CHECK(is_there("relative"));
}

int main(void)
{
	what_is_made();
	options_and_limits();
	limits_hold();
	who_makes_it();
	shared();
	refusals();
	wrong_files();
	in_one_process();
	return test_result();
}

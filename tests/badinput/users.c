/* SPDX-License-Identifier: MIT */
/*
 * Two users in one namespace that was made for several: neither can read, write,
 * attach, change or remove what the modes deny; not by the calls, not by the
 * files in the directory that both may write to, and not by what he writes into
 * the registry that both may write to.
 *
 * What one can do is to harm everybody by ruining the registry as a whole: the
 * directory is for users who trust each other that far.
 */
#include "badinput/place.h"

#include <sys/mman.h>

#include "registry/layout.h"

enum { OWNER = 20001, OTHER = 20002, SQUATTED = 40 };

/* What the owner's child leaves for the other's. */
struct left {
	mdg_id secret, readable, writable, next;
};

static struct left *left;
static mdg_namespace *ns;

static const char *file_of(mdg_id id)
{
	char name[64], stem[32]; /* the name of another one's, without the id */
	snprintf(stem, sizeof stem, "%s", data_file_name(in_place("shared"), left->secret));
	strrchr(stem, '-')[1] = '\0';
	snprintf(name, sizeof name, "shared/%s%d", stem, id);
	return in_place(name);
}

/* ---- the owner ------------------------------------------------------------------- */

static mdg_id make(const char *name, unsigned mode, const char *text)
{
	mdg_id id = -1;
	void *memory = NULL;
	CHECK_CODE(0, mdg_segment_create(ns, name, 8192, mode, 0, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	if (memory != NULL)
		strcpy(memory, text);
	return id;
}

static void owner_makes(void *unused)
{
	(void)unused;
	CHECK(become(OWNER));
	CHECK_CODE(0, open_flags(in_place("shared"), MDG_NS_SHARED, &ns));
	if (check_failures != 0)
		return;
	left->secret = make("secret", 0600, "secret");
	left->readable = make("readable", 0644, "readable");
	left->writable = make("writable", 0666, "writable");
	left->next = left->writable + 10; /* ids go up; others are going to make a few */
}

static void check_owners(mdg_id id, unsigned mode, const char *text)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct stat status;
	void *memory = NULL;
	CHECK_CODE(0, mdg_segment_stat(ns, id, 0, &info));
	CHECK(info.mode == mode && info.uid == OWNER && info.cuid == OWNER);
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(memory != NULL && strcmp(memory, text) == 0);
	CHECK(stat(file_of(id), &status) == 0 && status.st_uid == OWNER &&
	      (status.st_mode & 0777) == mode && status.st_nlink == 1);
}

static void owner_finds_all(void *unused)
{
	(void)unused;
	CHECK(become(OWNER));
	CHECK_CODE(0, open_flags(in_place("shared"), MDG_NS_EXISTING, &ns));
	if (check_failures != 0)
		return;
	check_owners(left->secret, 0600, "secret");
	check_owners(left->readable, 0644, "readable");
	check_owners(left->writable, 0666, "written by the other");
	check_works(ns);
}

/* ---- the other, by the calls -------------------------------------------------------- */

static void denied_control(mdg_id id)
{
	CHECK_CODE(-EPERM, mdg_segment_set(ns, id, OTHER, OTHER, 0666));
	CHECK_CODE(-EPERM, mdg_segment_set(ns, id, OWNER, OWNER, 0666));
	CHECK_CODE(-EPERM, mdg_segment_lock(ns, id, 1));
	CHECK_CODE(-EPERM, mdg_segment_remove(ns, id));
}

static void other_calls(void *unused)
{
	struct mdg_segment_info info = { .size = sizeof info };
	void *memory = NULL;
	mdg_id id;
	(void)unused;
	CHECK(become(OTHER));
	CHECK_CODE(0, open_flags(in_place("shared"), MDG_NS_EXISTING, &ns));
	if (check_failures != 0)
		return;
	CHECK_CODE(-EACCES, mdg_segment_attach(ns, left->secret, NULL, 0, &memory));
	CHECK_CODE(-EACCES, mdg_segment_attach(ns, left->secret, NULL, MDG_RDONLY, &memory));
	CHECK_CODE(-EACCES, mdg_segment_stat(ns, left->secret, 0, &info));
	CHECK_CODE(-EACCES, mdg_segment_open(ns, "secret", 0, 0400, &id));
	CHECK_CODE(0, mdg_segment_open(ns, "secret", 0, 0, &id));
	CHECK_CODE(-EACCES, mdg_segment_attach(ns, left->readable, NULL, 0, &memory));
	CHECK(memory == NULL);
	CHECK_CODE(0, mdg_segment_attach(ns, left->readable, NULL, MDG_RDONLY, &memory));
	CHECK(strcmp(memory, "readable") == 0);
	CHECK(mprotect(memory, 8192, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
	CHECK_CODE(0, mdg_segment_attach(ns, left->writable, NULL, 0, &memory));
	strcpy(memory, "written by the other");
	denied_control(left->secret);
	denied_control(left->readable);
	denied_control(left->writable);
	check_works(ns);
}

/* ---- the other, by the files ---------------------------------------------------------- */

static bool fails(int rc)
{
	return rc < 0 && (errno == EPERM || errno == EACCES);
}

static void attack_file(const char *path)
{
	CHECK(fails(unlink(path)));
	CHECK(fails(rename(path, in_place("shared/mine"))));
	CHECK(fails(chmod(path, 0666)));
	CHECK(fails(chown(path, OTHER, OTHER)));
	int fd = open(in_place("shared/bait"), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(fails(rename(in_place("shared/bait"), path)));
	CHECK(unlink(in_place("shared/bait")) == 0);
}

static void attack_data(mdg_id id, bool readable, bool writable)
{
	const char *path = file_of(id);
	attack_file(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK((fd >= 0) == readable);
	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK((fd >= 0) == writable);
	close(fd);
	if (!writable)
		CHECK(fails(truncate(path, 0)));
	/* A further name for it gives no right that the modes do not. Whether it can
	 * be had is fs.protected_hardlinks' to say; what can be written can be linked. */
	if (!writable && link(path, in_place("mine")) == 0) {
		fd = open(in_place("mine"), O_RDWR | O_CLOEXEC);
		CHECK(fd < 0 && unlink(in_place("mine")) == 0);
	}
}

static void other_files(void *unused)
{
	(void)unused;
	CHECK(become(OTHER));
	attack_data(left->secret, false, false);
	attack_data(left->readable, true, false);
	attack_data(left->writable, true, true);
	attack_file(in_place("shared/registry"));
	CHECK(fails(rename(in_place("shared"), in_place("elsewhere"))));
	CHECK(fails(chmod(in_place("shared"), 0777)));
}

/* ---- the other, by the registry --------------------------------------------------------- */

/* Writes himself every right into the entry of the segment. */
static void rewrite_entry(mdg_id id)
{
	struct stat status;
	int fd = open(in_place("shared/registry"), O_RDWR | O_CLOEXEC);
	if (!CHECK(fd >= 0 && fstat(fd, &status) == 0))
		return;
	char *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (!CHECK(map != MAP_FAILED))
		return;
	/* Its table is found by the one segment of this very size and owner, whose
	 * directory it is. */
	uint32_t tag = (uint32_t)(id / 32768) << 8 | MDG__LIVE;
	bool found = false;
	for (off_t at = 0; at + (off_t)sizeof(struct mdg__segment) <= status.st_size; at += 64) {
		struct mdg__segment *segment = (void *)(map + at);
		if (segment->tag != tag || segment->size != 8192 || segment->uid != MDG__ID_OWNER ||
		    (segment->mode & 0777) != 0600)
			continue;
		segment->mode = 0666;
		segment->uid = OTHER;
		found = true;
	}
	CHECK(found);
	munmap(map, (size_t)status.st_size);
}

static void other_registry(void *unused)
{
	void *memory = NULL;
	(void)unused;
	CHECK(become(OTHER));
	CHECK_CODE(0, open_flags(in_place("shared"), MDG_NS_EXISTING, &ns));
	if (check_failures != 0)
		return;
	rewrite_entry(left->secret);
	/* The library believes it; the kernel does not. */
	CHECK_REFUSED(mdg_segment_attach(ns, left->secret, NULL, 0, &memory));
	CHECK_REFUSED(mdg_segment_attach(ns, left->secret, NULL, MDG_RDONLY, &memory));
	CHECK(memory == NULL);
	CHECK_REFUSED(mdg_segment_set(ns, left->secret, OTHER, OTHER, 0666));
	int fd = open(file_of(left->secret), O_RDONLY | O_CLOEXEC);
	CHECK(fd < 0);
}

/* The owner's content is still there, by his own file, and still his alone. */
static void owner_has_content(void *unused)
{
	char text[16] = "";
	struct stat status;
	(void)unused;
	CHECK(become(OWNER));
	int fd = open(file_of(left->secret), O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof text) == (ssize_t)sizeof text);
	CHECK(strcmp(text, "secret") == 0);
	CHECK(fstat(fd, &status) == 0 && status.st_uid == OWNER && (status.st_mode & 0777) == 0600);
	close(fd);
}

/* ---- squatting ------------------------------------------------------------------------- */

/* Puts files and links where the next segments' files will be. */
static void other_squats(void *unused)
{
	(void)unused;
	CHECK(become(OTHER));
	for (mdg_id id = left->next; id < left->next + SQUATTED; id++) {
		if (id % 2 == 0) {
			int fd = open(file_of(id), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
			CHECK(fd >= 0 && fchmod(fd, 0666) == 0 && ftruncate(fd, 8192) == 0);
			close(fd);
		} else {
			CHECK(symlink("/etc/passwd", file_of(id)) == 0);
		}
	}
}

static void owner_makes_all_the_same(void *unused)
{
	mdg_id id = -1;
	void *memory = NULL;
	struct stat status;
	(void)unused;
	CHECK(become(OWNER));
	CHECK_CODE(0, open_flags(in_place("shared"), MDG_NS_EXISTING, &ns));
	if (check_failures != 0)
		return;
	while (id < left->next - 1) /* up to where the squatter sits */
		CHECK_CODE(0, mdg_segment_create(ns, NULL, 8192, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_create(ns, "new", 8192, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(lstat(file_of(id), &status) == 0 && S_ISREG(status.st_mode) &&
	      status.st_uid == OWNER && (status.st_mode & 0777) == 0600);
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 8192, 0600, MDG_NORESERVE, &id));
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK(lstat(file_of(id), &status) == 0 && status.st_uid == OWNER);
}

int main(void)
{
	need_root();
	place_make();
	CHECK(chmod(place, 01777) == 0);
	left = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(in_child(owner_makes, NULL));
	CHECK(in_child(other_calls, NULL));
	CHECK(in_child(other_files, NULL));
	CHECK(in_child(owner_finds_all, NULL));
	CHECK(in_child(other_squats, NULL));
	CHECK(in_child(owner_makes_all_the_same, NULL));
	CHECK(in_child(other_registry, NULL));
	CHECK(in_child(owner_has_content, NULL));
	return test_result();
}

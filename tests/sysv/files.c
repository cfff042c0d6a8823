/* SPDX-License-Identifier: MIT */
/*
 * files.c - the lines F and K of docs/semantics.md: the table of segments as
 * /proc/sysvipc/shm shows it, and ftok.
 *
 * "fine" names are its fine print: X is the table, F is ftok. The table is
 * read as programs do, through open, openat and fopen. That everybody sees
 * everybody's segments is in permission.c. Swap figures are not looked at.
 */
#include "support/segments.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define TABLE "/proc/sysvipc/shm"
#define HEADER                                                                                     \
	"       key      shmid perms                  size  cpid  lpid nattch   uid   gid"         \
	"  cuid  cgid      atime      dtime      ctime                   rss                  "    \
	"swap"

enum { TABLE_ROOM = 1 << 20, ROW_ROOM = 400 };

/* The table as text; `step` bytes at a time, which must make no difference. */
static bool read_table(int fd, size_t step, char *text)
{
	size_t length = 0;
	ssize_t got;
	while ((got = read(fd, text + length, step)) > 0)
		if ((length += (size_t)got) + step >= TABLE_ROOM)
			return false;
	text[length] = '\0';
	return got == 0;
}

static char *table(void)
{
	static char text[TABLE_ROOM];
	text[0] = '\0';
	int fd = open(TABLE, O_RDONLY);
	CHECK_LINE("F1", fd >= 0 && read_table(fd, 4096, text));
	if (fd >= 0)
		close(fd);
	return text;
}

/* Copies the row of this segment, without its end of line. */
static bool find_row(const char *text, int id, char row[ROW_ROOM])
{
	for (const char *line = strchr(text, '\n'); line != NULL; line = strchr(line, '\n')) {
		int key, row_id;
		line++;
		if (sscanf(line, "%d %d", &key, &row_id) != 2 || row_id != id)
			continue;
		size_t length = strcspn(line, "\n");
		if (length >= ROW_ROOM)
			return false;
		memcpy(row, line, length);
		row[length] = '\0';
		return true;
	}
	return false;
}

/* What the kernel writes for such a segment, without rss and swap. */
static void expected_row(int id, char row[ROW_ROOM])
{
	struct shmid_ds s = stat_of(id);
	snprintf(row, ROW_ROOM,
	         "%10d %10d  %4o %21llu %5d %5d  %5llu %5u %5u %5u %5u %10lld %10lld %10lld",
	         (int)s.shm_perm.__key, id, (unsigned)s.shm_perm.mode,
	         (unsigned long long)s.shm_segsz, (int)s.shm_cpid, (int)s.shm_lpid,
	         (unsigned long long)s.shm_nattch, s.shm_perm.uid, s.shm_perm.gid, s.shm_perm.cuid,
	         s.shm_perm.cgid, (long long)s.shm_atime, (long long)s.shm_dtime,
	         (long long)s.shm_ctime);
}

/* The row says what IPC_STAT says, in the kernel's widths; gives back rss. */
static uint64_t check_row(const char *name, int id)
{
	char row[ROW_ROOM] = "", wanted[ROW_ROOM], figures[ROW_ROOM];
	uint64_t rss = 0, swap = 0;
	expected_row(id, wanted);
	CHECK_LINE(name, find_row(table(), id, row));
	bool same = strncmp(row, wanted, strlen(wanted)) == 0;
	CHECK_LINE(name, same);
	if (!same) {
		fprintf(stderr, "wanted: %s ...\ngot:    %s\n", wanted, row);
		return 0;
	}
	const char *rest = row + strlen(wanted);
	CHECK_LINE(name, sscanf(rest, "%" SCNu64 " %" SCNu64, &rss, &swap) == 2);
	snprintf(figures, sizeof(figures), " %21" PRIu64 " %21" PRIu64, rss, swap);
	CHECK_LINE(name, strcmp(rest, figures) == 0);
	return rss + swap;
}

static void test_header(void)
{
	const char *text = table();
	CHECK_LINE("F1, fine X01", strncmp(text, HEADER "\n", sizeof(HEADER)) == 0);
	CHECK_LINE("F1", text[0] != '\0' && text[strlen(text) - 1] == '\n');
}

static key_t key_of_sign(int sign)
{
	key_t key;
	do
		key = fresh_key();
	while ((key > 0) != (sign > 0));
	return key;
}

static void test_rows(void)
{
	size_t page = page_size();
	int positive = make_segment(key_of_sign(1), 1, IPC_CREAT | 0);
	int negative = make_segment(key_of_sign(-1), 4 * page + 1, IPC_CREAT | 0666);
	int keyless = make_segment(IPC_PRIVATE, 4 * page, IPC_CREAT | 0600 | SHM_NORESERVE);
	if (geteuid() == 0)
		check_row("F1, fine X02", positive);
	check_row("F1, fine X02", negative);
	CHECK_LINE("F1, fine X02", check_row("F1, fine X02", keyless) == 0);

	char *memory = attach(keyless);
	memset(memory, 1, 2 * page);
	CHECK_LINE("F1, fine X02", check_row("F1 attached", keyless) == 2 * page);
	if (shmctl(keyless, SHM_LOCK, NULL) == 0) /* RLIMIT_MEMLOCK may forbid it */
		check_row("F1 locked", keyless);
	CHECK(shmctl(keyless, SHM_UNLOCK, NULL) == 0);
	CHECK(shmdt(memory) == 0);
	check_row("F1 detached", keyless);
}

static void test_removed(void)
{
	char row[ROW_ROOM];
	int id = make_segment(fresh_key(), 100, IPC_CREAT | 0644);
	void *memory = attach(id);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	check_row("F1, fine X03", id);
	int key = -1, row_id;
	unsigned perms = 0;
	CHECK_LINE("fine X03", find_row(table(), id, row) &&
	                               sscanf(row, "%d %d %o", &key, &row_id, &perms) == 3);
	CHECK_LINE("fine X03", key == 0 && perms == 01644);
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("F1", !find_row(table(), id, row));
}

static void test_order(void)
{
	for (int i = 0; i < 100; i++)
		make_segment(IPC_PRIVATE, 100, 0600);
	int last = -1, rows = 0;
	for (const char *line = strchr(table(), '\n'); line[1] != '\0';
	     line = strchr(line + 1, '\n')) {
		int key, id = -1;
		CHECK_LINE("F1", sscanf(line + 1, "%d %d", &key, &id) == 2);
		CHECK_LINE("F1: by index", id % 32768 > last);
		last = id % 32768;
		rows++;
	}
	CHECK_LINE("F1", rows >= 100);
}

static void test_ways_to_read(void)
{
	static char whole[TABLE_ROOM], pieces[TABLE_ROOM];
	if (!alone())
		return; /* somebody might make a segment in between */
	strcpy(whole, table());

	int fd = open(TABLE, O_RDONLY | O_CLOEXEC);
	CHECK_LINE("F1", fd >= 0 && read_table(fd, 7, pieces) && strcmp(pieces, whole) == 0);
	CHECK_LINE("F1", lseek(fd, 0, SEEK_SET) == 0);
	CHECK_LINE("F1", read_table(fd, 4096, pieces) && strcmp(pieces, whole) == 0);
	close(fd);

	fd = openat(AT_FDCWD, TABLE, O_RDONLY);
	CHECK_LINE("F1", fd >= 0 && read_table(fd, 4096, pieces) && strcmp(pieces, whole) == 0);
	close(fd);

	FILE *file = fopen(TABLE, "r");
	CHECK_LINE("F1", file != NULL);
	if (file == NULL)
		return;
	size_t length = fread(pieces, 1, TABLE_ROOM - 1, file);
	pieces[length] = '\0';
	CHECK_LINE("F1", strcmp(pieces, whole) == 0);
	CHECK(fclose(file) == 0);
}

static void find_in_other_process(void *id)
{
	char row[ROW_ROOM];
	CHECK_LINE("F1", find_row(table(), *(int *)id, row));
	*(int *)id = -1; /* of our own copy */
}

static void test_new_state_each_time(void)
{
	char row[ROW_ROOM];
	int id = make_private(100, 0600);
	CHECK_LINE("fine X60", find_row(table(), id, row));
	CHECK(in_child(find_in_other_process, &id));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK_LINE("fine X60", !find_row(table(), id, row));
}

/* The descriptor is an ordinary one: the lowest free one, and nothing is left open. */
static void test_descriptors(void)
{
	int lowest = dup(0);
	close(lowest);
	int fd = open(TABLE, O_RDONLY);
	CHECK_LINE("F1, L7", fd == lowest);
	CHECK_LINE("F1", (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0);
	close(fd);
	fd = open(TABLE, O_RDONLY | O_CLOEXEC);
	CHECK_LINE("F1", (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	CHECK_LINE("F1, L7", dup(0) == lowest);
	close(lowest);
	CHECK_ERRNO("F1: other files as ever", ENOENT, open("/proc/sysvipc/none", O_RDONLY));
}

/* ---- ftok ----------------------------------------------------------------- */

static key_t formula(const struct stat *stat, int project)
{
	return (key_t)(((uint32_t)project & 0xff) << 24 | ((uint32_t)stat->st_dev & 0xff) << 16 |
	               ((uint32_t)stat->st_ino & 0xffff));
}

static void test_ftok(void)
{
	const char *tmpdir = getenv("TMPDIR");
	char directory[200], path[220], link[220];
	struct stat stat = { 0 };
	snprintf(directory, sizeof(directory), "%s/madang-ftok-XXXXXX", tmpdir ? tmpdir : "/tmp");
	CHECK(mkdtemp(directory) != NULL && lstat(directory, &stat) == 0);
	CHECK_LINE("K1", ftok(directory, 'm') == formula(&stat, 'm'));

	snprintf(path, sizeof(path), "%s/file", directory);
	snprintf(link, sizeof(link), "%s/link", directory);
	CHECK_ERRNO("K1, fine F03", ENOENT, ftok(path, 'm'));
	CHECK_ERRNO("K1, fine F03", ENOENT, ftok("", 'm'));
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && fstat(fd, &stat) == 0);
	CHECK_ERRNO("K1, fine F03", ENOTDIR, ftok(strcat(path, "/x"), 'm'));
	path[strlen(path) - 2] = '\0';
	for (int project = 0; project < 600; project += 37) {
		CHECK_LINE("K1, fine F01", ftok(path, project) == formula(&stat, project));
		CHECK_LINE("K1, fine F02", ftok(path, project) == ftok(path, project & 0xff));
	}
	CHECK_LINE("K1, fine F05", ftok(path, 0) == formula(&stat, 0));
	CHECK_LINE("K1, fine F02", ftok(path, -1) == formula(&stat, 0xff));
	CHECK(symlink("file", link) == 0);
	CHECK_LINE("fine F04", ftok(link, 'm') == ftok(path, 'm'));
	CHECK(unlink(link) == 0 && unlink(path) == 0);
	CHECK(symlink("nothing", link) == 0);
	CHECK_ERRNO("fine F04", ENOENT, ftok(link, 'm'));
	close(fd);
	CHECK(unlink(link) == 0 && rmdir(directory) == 0);
}

int main(void)
{
	begin();
	test_header();
	test_rows();
	test_removed();
	test_order();
	test_ways_to_read();
	test_new_state_each_time();
	test_descriptors();
	test_ftok();
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * made.c - the descriptor of a new segment's file, which its maker keeps for the first attachment.
 *
 * A program does not notice, but by looking at its descriptors, as is done here. What matters is
 * that the descriptor never stands for another segment, and does not stay.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "segment/internal.h"

enum { SIZE = 20000, LARGE = 300 << 10, LOW = 256 };

static mdg_namespace *ns;

/* How many descriptors of data files this process has, and one of them. */
static int kept(int *ret_fd)
{
	char path[300], target[UNIT_PATH];
	int count = 0;
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	if (!CHECK(directory != NULL))
		return -1;
	while ((entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		ssize_t length = readlink(path, target, sizeof target - 1);
		target[length > 0 ? length : 0] = '\0';
		if (strstr(target, "/seg-") == NULL)
			continue;
		count++;
		if (ret_fd != NULL)
			*ret_fd = atoi(entry->d_name);
	}
	closedir(directory);
	return count;
}

static mdg_id create(uint64_t size, unsigned flags)
{
	mdg_id id = -1;
	CHECK_RC(0, mdg_segment_create(ns, NULL, size, 0600, flags, &id));
	return id;
}

static unsigned char *attach(mdg_id id)
{
	void *memory = NULL;
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	return memory;
}

/* Makes, attaches and removes one. So the process keeps the next one's descriptor. */
static void use_one(void)
{
	mdg_id id = create(SIZE, 0);
	unsigned char *memory = attach(id);
	CHECK(memory != NULL && memory[0] == 0);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(kept(NULL) == 0);
}

static mdg_id create_kept(void)
{
	use_one();
	mdg_id id = create(SIZE, 0);
	CHECK(kept(NULL) == 1);
	return id;
}

/* ---- keeping -------------------------------------------------------------------------------- */

/* One that this process does not attach is the last whose descriptor is kept. */
static void only_after_an_attachment(void)
{
	CHECK_RC(0, mdg_segment_remove(ns, create(SIZE, 0)));
	mdg_id id = create(SIZE, 0);
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	mdg_id first = create_kept(), second = create(SIZE, 0);
	CHECK(kept(NULL) == 1);
	CHECK_RC(0, mdg_segment_remove(ns, second));
	CHECK_RC(0, mdg_segment_remove(ns, first));
	CHECK(kept(NULL) == 0);
}

static void only_small_and_private(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	mdg_namespace *own = ns;
	use_one();
	mdg_id id = create(LARGE, 0);
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	ns = unit_open("shared", &options);
	use_one();
	id = create(SIZE, 0);
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	ns = own;
}

/* A segment that was detached twice may be attached again, and its descriptor lies idle too. */
static void only_one(void)
{
	mdg_id first = create(SIZE, 0);
	for (int i = 0; i < 2; i++)
		CHECK_RC(0, mdg_segment_detach(ns, attach(first)));
	CHECK(kept(NULL) == 1);
	mdg_id second = create(SIZE, 0);
	CHECK(kept(NULL) == 1);
	CHECK_RC(0, mdg_segment_detach(ns, attach(second)));
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, second));
	CHECK_RC(0, mdg_segment_remove(ns, first));
}

/* The program must not run out of descriptors. */
static void only_as_many(void)
{
	uint32_t most = ns->most_kept_fds;
	ns->most_kept_fds = 0;
	use_one();
	mdg_id id = create(SIZE, 0);
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	ns->most_kept_fds = most;
}

static void check_other(void *id)
{
	unsigned char *memory = attach(*(mdg_id *)id);
	CHECK(memory != NULL && memory[0] == 1 && memory[SIZE - 1] == 2);
	memory[1] = 3;
}

static void is_the_segment(void)
{
	int fd = -1, same = -1;
	mdg_id id = create_kept();
	CHECK(kept(&fd) == 1 && fd >= LOW && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	unsigned char *memory = attach(id);
	CHECK(kept(&same) == 1 && same == fd);
	for (int i = 0; i < SIZE; i++)
		CHECK(memory[i] == 0);
	memory[0] = 1;
	memory[SIZE - 1] = 2;
	CHECK(in_child(check_other, &id));
	CHECK(memory[1] == 3);
	unit_is_sound(ns);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* A read-only attachment must not get the descriptor that is open for writing. */
static void read_only(void)
{
	void *memory = NULL;
	char path[64], line[512];
	mdg_id id = create_kept();
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, MDG_RDONLY, &memory));
	snprintf(path, sizeof path, "%lx-", (unsigned long)(uintptr_t)memory);
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, maps) != NULL)
		if (strncmp(line, path, strlen(path)) == 0)
			CHECK(strstr(line, " r--s ") != NULL);
	fclose(maps);
	CHECK(mprotect(memory, 1, PROT_READ | PROT_WRITE) < 0);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(kept(NULL) == 0);
}

static void has_none(void *unused)
{
	(void)unused;
	CHECK(kept(NULL) == 0);
}

static void not_for_a_child(void)
{
	mdg_id id = create_kept();
	CHECK(in_child(has_none, NULL));
	unsigned char *memory = attach(id);
	CHECK(memory != NULL);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
}

/* ---- what others do -------------------------------------------------------------------------- */

/* Another process, made beforehand: a fork takes the descriptor away. */
struct other {
	pid_t pid;
	int orders, done;
};

/* What it does: it removes a segment, and perhaps makes another one with the same id. */
struct order {
	mdg_id id;
	bool again;
	unsigned flags;
};

static void obey(const struct order *order)
{
	CHECK_RC(0, mdg_segment_remove(ns, order->id));
	if (!order->again)
		return;
	atomic_store(&ns->registry.head->directory[MDG__SEGMENTS].next_id1,
	             (uint32_t)order->id + 1);
	CHECK(create(SIZE, order->flags) == order->id);
}

static struct other start_other(void)
{
	int orders[2], done[2];
	struct other other = { .pid = -1 };
	if (!CHECK(pipe(orders) == 0 && pipe(done) == 0))
		return other;
	other = (struct other){ fork(), orders[1], done[0] };
	if (other.pid == 0) {
		struct order order;
		close(orders[1]);
		while (read(orders[0], &order, sizeof order) == (ssize_t)sizeof order) {
			obey(&order);
			CHECK(write(done[1], "", 1) == 1);
		}
		_exit(check_failures != 0);
	}
	close(orders[0]);
	close(done[1]);
	return other;
}

static void let(const struct other *other, struct order order)
{
	char byte;
	CHECK(write(other->orders, &order, sizeof order) == (ssize_t)sizeof order);
	CHECK(read(other->done, &byte, 1) == 1);
}

static void end_other(struct other *other)
{
	int status = -1;
	close(other->orders);
	close(other->done);
	CHECK(waitpid(other->pid, &status, 0) == other->pid && status == 0);
}

/* The next call closes it. */
static void removed_by_another(void)
{
	struct other other = start_other();
	mdg_id id = create_kept();
	let(&other, (struct order){ .id = id });
	void *memory = NULL;
	CHECK_RC(-EINVAL, mdg_segment_attach(ns, id, NULL, 0, &memory));
	CHECK_RC(-EINVAL, mdg_segment_remove(ns, id));
	id = create(SIZE, MDG_NORESERVE);
	CHECK(kept(NULL) == 0);
	CHECK_RC(0, mdg_segment_remove(ns, id));
	end_other(&other);
}

/* The id is given to another segment. `flags`: whether that one has a file already. */
static void same_id_again(unsigned flags)
{
	struct other other = start_other();
	mdg_id id = create_kept();
	int fd = -1;
	struct stat before, after;
	CHECK(kept(&fd) == 1 && fstat(fd, &before) == 0 && pwrite(fd, "old", 3, 0) == 3);
	let(&other, (struct order){ id, true, flags });
	unsigned char *memory = attach(id);
	CHECK(memory != NULL && memory[0] == 0);
	CHECK(kept(&fd) == 1 && fstat(fd, &after) == 0 && before.st_ino != after.st_ino);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	end_other(&other);
	unit_is_sound(ns);
}

/* ---- what the program does ------------------------------------------------------------------- */

static void replaced(bool closed)
{
	int fd = -1;
	struct stat before, after;
	mdg_id id = create_kept();
	CHECK(kept(&fd) == 1 && fstat(fd, &before) == 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(closed ? close(fd) == 0 : dup2(null, fd) == fd);
	unsigned char *memory = attach(id);
	CHECK(memory != NULL && memory[SIZE - 1] == 0);
	int other = -1;
	CHECK(kept(&other) == 1 && fstat(other, &after) == 0 && after.st_ino == before.st_ino);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	if (!closed)
		CHECK(fstat(fd, &after) == 0 && S_ISCHR(after.st_mode) && close(fd) == 0);
	close(null);
}

/* While the segment was made, another thread of the program has closed all descriptors, and opened
 * a file. `rc`: what has come of the segment. */
static void replaced_meanwhile(bool marked, int rc)
{
	mdg_id id = create(SIZE, 0);
	struct stat before = { 0 }, now;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CHECK_RC(0, mdg_segment_detach(ns, attach(id))); /* which notes its inode */
	CHECK(fd >= 0 && fstat(fd, &before) == 0 && lseek(fd, 1, SEEK_SET) == 1);
	const struct mdg__made made = {
		.wanted = true,
		.fd = fd,
		.inode = mdg__get64(&ns->registry.segments[(uint32_t)id % MDG__IDS].inode),
		.mark = marked ? UINT64_C(0x2d5) << 32 : 0
	};
	mdg__enter(ns);
	mdg__made_end(ns, id, 5 << 12, &made, rc);
	mdg__leave(ns);
	unsigned char *memory = attach(id);
	if (CHECK(memory != NULL))
		memory[SIZE - 1] = 7;
	CHECK(fstat(fd, &now) == 0 && now.st_ino == before.st_ino && now.st_size == before.st_size);
	CHECK(lseek(fd, 0, SEEK_CUR) == 1);
	CHECK(memory != NULL && memory[0] == 0);
	CHECK_RC(0, mdg_segment_detach(ns, memory));
	CHECK_RC(0, mdg_segment_remove(ns, id));
	CHECK(close(fd) == 0 && kept(NULL) == 0);
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("made", &options);
	only_after_an_attachment();
	only_small_and_private();
	only_one();
	only_as_many();
	is_the_segment();
	read_only();
	not_for_a_child();
	removed_by_another();
	same_id_again(0);
	same_id_again(MDG_NORESERVE);
	replaced(true);
	replaced(false);
	for (int marked = 0; marked < 2; marked++) {
		replaced_meanwhile(marked != 0, 0);
		replaced_meanwhile(marked != 0, -ENOMEM);
	}
	unit_is_sound(ns);
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/* See world.h. */
#include "crash/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "registry/internal.h"
#include "segment/internal.h"
#include "segment/objects.h"
#include "support/datafile.h"

struct desk *desk;
char world_context[160];
static char base[160]; /* where the directories are made */

void complain(const char *format, ...)
{
	char text[600];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	desk->complaints++;
	/* One write, so that lines of parallel tests do not mix. */
	dprintf(STDERR_FILENO, "%s: %s\n", world_context, text);
}

void world_init(void)
{
	desk = mmap(NULL, sizeof(*desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (desk == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* Beside the namespace that enclose chose: it removes all of it afterwards. */
	const char *given = getenv("MADANG_NAMESPACE");
	snprintf(base, sizeof(base), "%s", given != NULL ? given : "/dev/shm/madang-crash");
}

/* ---- running things in children ---------------------------------------------- */

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

pid_t world_begin(const struct world *world, world_function *f, void *argument)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		desk->rc = f(world, argument);
		fflush(NULL);
		_exit(0);
	}
	return pid;
}

int world_await(pid_t pid, int milliseconds)
{
	uint64_t end = now() + (uint64_t)milliseconds * 1000000u, pause = 20000;
	int status;
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now() > end)
			return -1;
		nanosleep(&(struct timespec){ 0, (long)pause }, NULL);
		pause = pause < 1000000 ? pause * 2 : pause;
	}
	if (WIFSIGNALED(status))
		complain("a process that came later died of signal %d", WTERMSIG(status));
	return status;
}

int world_run(const struct world *world, world_function *f, void *argument, int milliseconds)
{
	desk->rc = -1;
	pid_t pid = world_begin(world, f, argument);
	if (world_await(pid, milliseconds) == -1) {
		complain("a process that came later hangs at its step %u", desk->steps);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return desk->rc;
}

mdg_namespace *world_open(const struct world *world)
{
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, world->directory, &world->options);
	if (rc != 0) {
		complain("the namespace cannot be opened: %s", mdg_strerror(rc));
		_exit(1);
	}
	return ns;
}

/* ---- making and ending --------------------------------------------------------- */

static int furnish(const struct world *world)
{
	mdg_namespace *ns = world_open(world);
	mdg_id id;
	void *memory;
	int rc = mdg_segment_get(ns, KEY_HELD, 8192, MDG_CREATE | MDG_EXCL | 0666, &id);
	if (rc == 0) {
		desk->held = id;
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	}
	if (rc == 0)
		rc = mdg_segment_get(ns, KEY_IDLE, 4096, MDG_CREATE | MDG_EXCL | 0600, &id);
	if (rc == 0) {
		desk->idle = id;
		rc = mdg_segment_create(ns, NAME_KEPT, 4096, 0600, 0, &id);
	}
	return rc;
}

static pid_t start_keeper(const struct world *world)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		int rc = furnish(world);
		if (rc != 0) {
			complain("the keeper cannot make its segments: %s", mdg_strerror(rc));
			_exit(1);
		}
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return 0;
	kill(pid, SIGCONT);
	return pid;
}

bool world_make(struct world *world, const struct mdg_namespace_options *options, bool keeper)
{
	static unsigned count;
	memset(world, 0, sizeof(*world));
	snprintf(world->directory, sizeof(world->directory), "%s-%d-%u", base, (int)getpid(),
	         count++);
	snprintf(world->registry, sizeof(world->registry), "%s/registry", world->directory);
	world->options = *options;
	world->options.size = sizeof(world->options);
	if (keeper) {
		world->keeper = start_keeper(world);
		world->held = desk->held;
		world->idle = desk->idle;
	}
	return !keeper || world->keeper > 0;
}

void world_end(struct world *world)
{
	world_leave(world);
	DIR *directory = opendir(world->directory);
	struct dirent *entry;
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
	rmdir(world->directory);
}

/* ---- looking --------------------------------------------------------------------- */

static uint32_t count_files(const struct world *world)
{
	uint32_t files = 0;
	DIR *directory = opendir(world->directory);
	struct dirent *entry;
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		files += strncmp(entry->d_name, "seg-", 4) == 0;
	if (directory != NULL)
		closedir(directory);
	return files;
}

/* Each world is a new namespace, and the ids of each namespace begin at another number. So the
 * tests count ids from the first one. */
mdg_id world_first_id(const mdg_namespace *ns)
{
	return (mdg_id)(mdg__first_sequence(ns->registry.unique) * MDG__IDS);
}

static void look_at(const struct world *world, mdg_namespace *ns,
                    const struct mdg_segment_info *info, struct seen *seen)
{
	char path[520];
	struct stat status;
	mdg_id id = -1;
	seen->id = info->id - world_first_id(ns);
	seen->key = info->key;
	seen->mode = info->mode;
	seen->attached = info->attached;
	seen->uid = info->uid;
	seen->gid = info->gid;
	seen->size = info->bytes;
	snprintf(seen->name, sizeof(seen->name), "%s", info->name); /* zeros to the end */
	if (info->key != 0)
		(void)mdg_segment_get(ns, info->key, 0, 0, &id);
	else if (info->name[0] != '\0')
		(void)mdg_segment_open(ns, info->name, 0, 0, &id);
	seen->found = id < 0 ? id : id - world_first_id(ns);
	bool hidden = info->key == 0 && info->name[0] == '\0';
	if (!hidden && id != info->id)
		complain("segment %d is not found by its key %#x or name '%s' but %d is", info->id,
		         (unsigned)info->key, info->name, id);
	snprintf(path, sizeof(path), "%s/%s", world->directory,
	         data_file_name(world->directory, info->id));
	/* The file of a removed segment has lost its name, unless the remover died before it could
	 * unlink it. */
	if (info->mode & MDG_MODE_REMOVED)
		return;
	/* That of a segment which reserves no memory is made with the first attachment. Whoever
	 * makes it may die before he has attached it. */
	uint32_t index = (uint32_t)info->id % MDG__IDS;
	uint32_t flags = mdg__get32(&ns->registry.segments[index].flags);
	if (mdg__segment_file(flags) == MDG__FILE_NONE && stat(path, &status) == 0)
		complain("segment %d has a file that nobody has made", info->id);
	if (mdg__segment_file(flags) != MDG__FILE_MADE)
		return;
	desk->state.files++;
	if (stat(path, &status) == 0 && (flags & MDG__SEG_NORESERVE) != 0) {
		seen->file_size = 0; /* or what it will be */
	} else if (stat(path, &status) == 0) {
		seen->file_size = (uint64_t)status.st_size;
		seen->file_mode = status.st_mode & 0777;
		seen->file_uid = status.st_uid;
		seen->file_gid = status.st_gid;
	} else {
		complain("segment %d has no file", info->id);
	}
}

static int find_by_key(mdg_namespace *ns, const struct mdg__entry *entry)
{
	struct mdg__object_order order = { .key = entry->key };
	mdg_id id = -1;
	int rc = entry->key != 0 ? mdg__object_get(ns, entry->class, &order, &id) : 0;
	return rc < 0 ? rc : id < 0 ? 0 : id - world_first_id(ns);
}

static void look_at_objects(mdg_namespace *ns)
{
	uint32_t seen = 0;
	for (uint32_t class = MDG__SEMAPHORE_SETS; class < MDG__CLASSES; class ++) {
		struct mdg__entry entry;
		struct mdg__object_totals totals;
		struct mdg__memory memory;
		uint64_t total = 0;
		uint32_t cursor = 0, used = 0;
		int rc = mdg__object_totals(ns, (enum mdg__class) class, &totals);
		if (rc != 0)
			complain("mdg__object_totals: %s", mdg_strerror(rc));
		while (mdg__object_next_entry(ns, (enum mdg__class) class, &cursor, &entry) > 0 &&
		       seen < STATE_OBJECTS) {
			struct seen_object *object = &desk->state.object[seen++];
			rc = mdg__memory_look(ns, entry.class, mdg__entry_id(&entry), &memory);
			if (rc != 0 && rc != -ENOENT)
				complain("mdg__memory_look: %s", mdg_strerror(rc));
			*object = (struct seen_object){ .class1 = (int32_t) class + 1,
				                        .id = mdg__entry_id(&entry) -
				                              world_first_id(ns),
				                        .key = entry.key,
				                        .found = find_by_key(ns, &entry),
				                        .mode = entry.mode,
				                        .uid = entry.uid,
				                        .gid = entry.gid,
				                        .field = entry.field[0],
				                        .has_memory = rc == 0 };
			mdg__memory_leave(&memory);
			total += class == MDG__SEMAPHORE_SETS ? entry.field[0] : 0;
			used++;
		}
		if (used != totals.used || total != totals.total)
			complain("%u objects of %llu are counted, %u of %llu are listed",
			         totals.used, (unsigned long long)totals.total, used,
			         (unsigned long long)total);
	}
}

void world_look(const struct world *world, mdg_namespace *ns, uint32_t own)
{
	struct mdg_segment_info segment = { .size = sizeof segment };
	struct mdg_namespace_info info = { .size = sizeof info };
	struct state *state = &desk->state;
	uint32_t cursor = 0;
	uint64_t pages = 0;
	int rc = mdg_namespace_info(ns, 0, &info);
	if (rc != 0)
		complain("mdg_namespace_info: %s", mdg_strerror(rc));
	memset(state, 0, sizeof(*state));
	state->used = info.segments_used;
	state->pages = info.pages_total;
	state->processes = info.processes_used - own;
	while ((rc = mdg_segment_next(ns, &cursor, 0, &segment)) > 0) {
		pages += (segment.bytes + 4095) / 4096;
		if (state->segments < STATE_SEGMENTS)
			look_at(world, ns, &segment, &state->segment[state->segments++]);
	}
	if (rc < 0)
		complain("mdg_segment_next: %s", mdg_strerror(rc));
	look_at_objects(ns);
	uint32_t removed = state->segments - state->files, files = count_files(world);
	if (files < state->files || files > state->files + removed)
		complain("%u data files for %u segments and %u removed ones", files, state->files,
		         removed);
	/* With pages of another size than 4096 the sum is for the library to check. */
	if (state->used != state->segments ||
	    (sysconf(_SC_PAGESIZE) == 4096 && pages != state->pages))
		complain("%u segments of %llu pages are counted, %u of %llu are listed",
		         state->used, (unsigned long long)state->pages, state->segments,
		         (unsigned long long)pages);
}

bool state_same(const struct state *one, const struct state *other)
{
	/* Both were zeros before they were filled in. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	return memcmp(one, other, sizeof(*one)) == 0;
}

void state_set_file_owners(struct state *state, const struct state *from)
{
	for (uint32_t i = 0; i < state->segments; i++) {
		state->segment[i].file_mode = from->segment[i].file_mode;
		state->segment[i].file_uid = from->segment[i].file_uid;
		state->segment[i].file_gid = from->segment[i].file_gid;
	}
}

void world_leave(struct world *world)
{
	if (world->keeper > 0) {
		kill(world->keeper, SIGKILL);
		waitpid(world->keeper, NULL, 0);
		world->keeper = 0;
	}
}

void state_print(const char *title, const struct state *state)
{
	char text[4000];
	int at = snprintf(text, sizeof(text),
	                  "    %s: %u segments, %llu pages, %u processes, %u files", title,
	                  state->used, (unsigned long long)state->pages, state->processes,
	                  state->files);
	for (uint32_t i = 0; i < state->segments && i < 6; i++) {
		const struct seen *seen = &state->segment[i];
		at += snprintf(text + at, sizeof(text) - (size_t)at,
		               "; %d key %#x '%s' mode %o size %llu attached %u file %llu %o",
		               seen->id, (unsigned)seen->key, seen->name, seen->mode,
		               (unsigned long long)seen->size, seen->attached,
		               (unsigned long long)seen->file_size, seen->file_mode);
	}
	dprintf(STDERR_FILENO, "%s\n", text);
}

static int judge(const struct mdg_finding *finding, void *allowed)
{
	if (!(*(unsigned *)allowed >> finding->kind & 1))
		complain("the check finds%s: %s", finding->repaired ? " and repairs" : "",
		         finding->text);
	return 0;
}

void world_check(mdg_namespace *ns, unsigned flags, unsigned allowed)
{
	int rc = mdg_namespace_check(ns, flags, judge, &allowed);
	if (rc < 0)
		complain("mdg_namespace_check: %s", mdg_strerror(rc));
	else if (rc > 0 && ((flags & MDG_CHECK_REPAIR) || allowed == 0))
		complain("the check leaves %d findings", rc);
}

/* ---- the raw file ------------------------------------------------------------------- */

bool raw_read(const struct world *world, struct raw *raw)
{
	memset(raw->bytes, 0, sizeof(struct mdg__head));
	int fd = open(world->registry, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, raw->bytes, sizeof(raw->bytes));
	if (fd >= 0)
		close(fd);
	raw->length = got < 0 ? 0 : (uint64_t)got;
	return raw->length >= sizeof(struct mdg__head);
}

static uint64_t aligned(uint64_t offset)
{
	return (offset + MDG__TABLE_ALIGN - 1) & ~(uint64_t)(MDG__TABLE_ALIGN - 1);
}

static uint64_t processes_at(struct raw *raw)
{
	struct mdg__head *head = raw_head(raw);
	uint64_t buckets =
		aligned(MDG__TABLE_ALIGN + (head->capacity[MDG__SEGMENTS] + 63) / 64 * 8u);
	return aligned(buckets + (uint64_t)head->bucket_count[MDG__SEGMENTS] * 4u);
}

struct mdg__process *raw_process(struct raw *raw, uint32_t slot)
{
	return (struct mdg__process *)(void *)(raw->bytes + processes_at(raw)) + slot;
}

struct mdg__segment *raw_segment(struct raw *raw, uint32_t index)
{
	uint64_t at = aligned(processes_at(raw) +
	                      raw_head(raw)->process_capacity * sizeof(struct mdg__process));
	return (struct mdg__segment *)(void *)(raw->bytes + at) + index;
}

bool raw_lock_is_held(const struct world *world)
{
	static struct raw raw;
	if (!raw_read(world, &raw) || (raw_head(&raw)->lock & 0x7fff) == 0)
		return false;
	uint32_t slot = (raw_head(&raw)->lock & 0x7fff) - 1;
	struct flock lock = { .l_type = F_WRLCK,
		              .l_whence = SEEK_SET,
		              .l_len = 1,
		              .l_start = (off_t)(processes_at(&raw) +
		                                 slot * sizeof(struct mdg__process)) };
	int fd = open(world->registry, O_RDWR | O_CLOEXEC);
	bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	if (fd >= 0)
		close(fd);
	return held;
}

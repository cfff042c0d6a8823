/* SPDX-License-Identifier: MIT */
/*
 * The directory stays, but its files go, and somebody makes a new registry there: what systemd's
 * RemoveIPC=, tmpfiles and `rm *` do to a namespace that is in use. Who used the former one learns
 * of it, touches nothing of the new one, and keeps what it has attached. What nobody can find any
 * more is cleared away with the making of the new one.
 */
#include "badinput/place.h"

#include "madang/channel.h"
#include "madang/segment.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

enum { MANY = 64, TOLD_WITHIN_MS = 5000 };

struct use {
	mdg_namespace *ns;
	mdg_id attached, other;
	mdg_channel *news;
	char *memory;
};

static void begin(struct use *use)
{
	void *memory = NULL;
	CHECK_CODE(0, open_new(in_place("ns"), &use->ns));
	CHECK_CODE(0, mdg_segment_create(use->ns, "a", 8192, 0600, 0, &use->attached));
	CHECK_CODE(0, mdg_segment_get(use->ns, 77, 8192, MDG_CREATE | 0600, &use->other));
	CHECK_CODE(0, mdg_segment_attach(use->ns, use->attached, NULL, 0, &memory));
	CHECK_CODE(0, mdg_channel_open(&use->news, use->ns, "news", MDG_LISTENER, NULL));
	CHECK(mdg_channel_fd(use->news) >= 0);
	use->memory = memory;
	if (check_failures != 0)
		_exit(1);
	strcpy(use->memory, "mine");
}

/* ---- the ways to go -------------------------------------------------------------- */

static void delete_all(void)
{
	struct dirent *entry;
	DIR *directory = opendir(in_place("ns"));
	CHECK(directory != NULL);
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			CHECK(remove(in_directory(in_place("ns"), entry->d_name)) == 0);
	closedir(directory);
}

static void delete_registry(void)
{
	CHECK(remove(in_place("ns/registry")) == 0);
}

static void move_registry(void)
{
	CHECK(rename(in_place("ns/registry"), in_place("former")) == 0);
	/* The registry still has a name, but another one. A process asks about that only after the
	 * coarse clock has moved on. */
	nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
}

static void make_another(void *unused)
{
	mdg_namespace *ns;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("another"), &ns));
}

/* Another registry comes in its place, without a moment between. */
static void replace_registry(void)
{
	CHECK(in_child(make_another, NULL));
	CHECK(rename(in_place("another/registry"), in_place("ns/registry")) == 0);
	remove_tree(in_place("another"));
}

/* ---- the new one ----------------------------------------------------------------- */

struct ids {
	mdg_id id[MANY];
	int count;
};

static struct ids *newer;

/* The same keys, names and indexes once more. */
static void make_newer(void *unused)
{
	mdg_namespace *ns;
	void *memory = NULL;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, "a", 4096, 0600, 0, &newer->id[0]));
	CHECK_CODE(0, mdg_segment_get(ns, 77, 4096, MDG_CREATE | 0600, &newer->id[1]));
	for (newer->count = 2; newer->count < MANY && check_failures == 0; newer->count++)
		CHECK_CODE(0, mdg_segment_create(ns, NULL, 1, 0600, 0, &newer->id[newer->count]));
	CHECK_CODE(0, mdg_segment_attach(ns, newer->id[0], NULL, 0, &memory));
	if (memory != NULL)
		strcpy(memory, "newer");
}

/* The check of the new namespace finds no fault, neither in makers that have ended nor in what the
 * former namespace left. */
static int count_faults(const struct mdg_finding *finding, void *context)
{
	if (finding->kind != MDG_FOUND_DEAD_SLOT && strstr(finding->text, "deleted") == NULL)
		++*(int *)context;
	return 0;
}

static void newer_is_whole(void *unused)
{
	int faults = 0;
	mdg_namespace *ns;
	mdg_id id;
	void *memory = NULL;
	(void)unused;
	CHECK_CODE(0, open_flags(in_place("ns"), MDG_NS_EXISTING, &ns));
	CHECK(mdg_namespace_check(ns, 0, count_faults, &faults) >= 0 && faults == 0);
	CHECK_CODE(0, mdg_segment_open(ns, "a", 0, 0600, &id));
	CHECK(id == newer->id[0]);
	CHECK_CODE(0, mdg_segment_get(ns, 77, 0, 0600, &id));
	CHECK(id == newer->id[1]);
	for (int i = 0; i < newer->count; i++) {
		CHECK_CODE(0, mdg_segment_attach(ns, newer->id[i], NULL, 0, &memory));
		CHECK(i != 0 || strcmp(memory, "newer") == 0);
	}
	check_works(ns);
}

/* ---- who used the former one ------------------------------------------------------ */

/* Says that the namespace is gone, at once. */
#define GONE(call) CHECK_CODE(MDG_NS_GONE, call)
/* The same of what only looks: it may be some 10 ms late. */
#define GONE_SOON(call)                                                                            \
	do {                                                                                       \
		int told_ = 0;                                                                     \
		for (int ms_ = 0; ms_ < TOLD_WITHIN_MS && (told_ = (call)) != MDG_NS_GONE; ms_++)  \
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);                         \
		GONE(told_);                                                                       \
	} while (0)

static void changes_nothing(const struct use *use)
{
	mdg_namespace *ns = use->ns;
	mdg_channel *channel;
	void *memory = NULL;
	mdg_id id;
	GONE(mdg_segment_remove(ns, use->attached));
	GONE(mdg_segment_remove(ns, use->other));
	GONE(mdg_segment_set(ns, use->other, geteuid(), getegid(), 0666));
	GONE(mdg_segment_lock(ns, use->other, 1));
	GONE(mdg_segment_create(ns, NULL, 4096, 0600, 0, &id));
	GONE(mdg_segment_create(ns, "b", 4096, 0600, MDG_NORESERVE, &id));
	GONE(mdg_segment_get(ns, 78, 4096, MDG_CREATE | 0600, &id));
	GONE(mdg_segment_attach(ns, use->other, NULL, 0, &memory));
	GONE(mdg_channel_open(&channel, ns, "more", MDG_TALKER, NULL));
	GONE(mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	CHECK(memory == NULL);
}

static void finds_nothing(const struct use *use)
{
	mdg_namespace *ns = use->ns;
	struct mdg_namespace_info all = { .size = sizeof all };
	struct mdg_segment_info info = { .size = sizeof info };
	struct mdg_process_info process = { .size = sizeof process };
	uint32_t cursor = 0;
	void *memory = NULL;
	mdg_id id;
	GONE_SOON(mdg_segment_stat(ns, use->attached, 0, &info));
	GONE_SOON(mdg_segment_stat(ns, 0, MDG_STAT_INDEX | MDG_STAT_ANY, &info));
	GONE_SOON(mdg_segment_get(ns, 77, 0, 0, &id));
	GONE_SOON(mdg_segment_open(ns, "a", 0, 0, &id));
	GONE_SOON(mdg_segment_attach(ns, use->attached, NULL, 0, &memory));
	GONE_SOON(mdg_segment_next(ns, &cursor, 0, &info));
	GONE_SOON(mdg_segment_next_process(ns, use->attached, &cursor, &process));
	GONE_SOON(mdg_namespace_info(ns, MDG_INFO_RESIDENT, &all));
}

static void child_uses(void *context)
{
	struct use *use = context;
	mdg_id id;
	CHECK(strcmp(use->memory, "mine") == 0);
	use->memory[8191] = 'c';
	GONE(mdg_segment_create(use->ns, NULL, 4096, 0600, 0, &id));
	CHECK_CODE(0, mdg_segment_detach(use->ns, use->memory));
}

static void child_is_killed(void *context)
{
	struct use *use = context;
	use->memory[8190] = 'k';
	raise(SIGKILL);
}

static void keeps_what_it_has(struct use *use)
{
	CHECK(strcmp(use->memory, "mine") == 0);
	CHECK(in_child(child_uses, use));
	CHECK(!in_child(child_is_killed, use));
	CHECK(use->memory[8191] == 'c' && use->memory[8190] == 'k');
}

static void gone(void (*go)(void))
{
	struct use use;
	mdg_namespace *again = NULL;
	mdg_id id;
	begin(&use);
	go();
	CHECK(in_child(make_newer, NULL));
	changes_nothing(&use);
	finds_nothing(&use);
	keeps_what_it_has(&use);
	CHECK(in_child(newer_is_whole, NULL));
	/* Leaving takes nothing of the newer one along. */
	mdg_channel_close(use.news);
	CHECK_CODE(0, mdg_segment_detach(use.ns, use.memory));
	CHECK_CODE(-EINVAL, mdg_segment_detach(use.ns, use.memory));
	CHECK(in_child(newer_is_whole, NULL));
	/* Opened again it is the newer one, and once more the same object. */
	CHECK_CODE(0, open_new(in_place("ns"), &again));
	CHECK(again != use.ns);
	CHECK_CODE(0, mdg_segment_open(again, "a", 0, 0600, &id));
	CHECK(id == newer->id[0]);
	check_works(again);
	CHECK_CODE(0, open_new(in_place("ns"), &use.ns));
	CHECK(use.ns == again);
}

static void run_gone(void *way)
{
	gone(*(void (**)(void))way);
}

static void each_way(void)
{
	void (*ways[])(void) = { delete_all, delete_registry, move_registry, replace_registry };
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (!CHECK(in_child(run_gone, &ways[i])))
			fprintf(stderr, "\tway %zu\n", i);
		remove_tree(in_place("ns"));
		(void)remove(in_place("former"));
	}
}

/* ---- what is left behind ----------------------------------------------------------- */

static bool is_there(const char *name)
{
	return access(in_directory(in_place("ns"), name), F_OK) == 0;
}

static void put_file(const char *name)
{
	int fd = open(in_directory(in_place("ns"), name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && close(fd) == 0);
}

static const char *const strays[] = {
	"seg-17", /* as in format 1 */
	"bell-17-0-1",
	"seg-0123456789abcdef-17",
	"bell-0123456789abcdef-17-0-1",
};
static const char *const others[] = {
	"seg-",
	"seg-mine",
	"seg-17.txt",
	"seg-0123456789abcdef-",
	"seg-0123456789abcde-17",
	"seg-0123456789ABCDEF-17",
	"bell-",
	"bellows",
	"notes",
};
enum { STRAYS = sizeof strays / sizeof strays[0], OTHERS = sizeof others / sizeof others[0] };

static void put_files(void)
{
	for (int i = 0; i < STRAYS; i++)
		put_file(strays[i]);
	for (int i = 0; i < OTHERS; i++)
		put_file(others[i]);
}

static void make_one(void *unused)
{
	mdg_namespace *ns;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	check_works(ns);
}

static void not_made(void *code)
{
	CHECK_CODE(*(int *)code, open_flags(in_place("ns"), MDG_NS_EXISTING, NULL));
}

static void lost_content(void *unused)
{
	(void)unused;
	CHECK_CODE(MDG_NOT_REGISTRY, open_new(in_place("ns"), NULL));
}

static void strays_go(void)
{
	int code = -ENOENT;
	CHECK(mkdir(in_place("ns"), 0700) == 0);
	put_files();
	CHECK(in_child(not_made, &code));
	for (int i = 0; i < STRAYS; i++)
		CHECK(is_there(strays[i])); /* who only looks removes nothing */
	CHECK(in_child(make_one, NULL));
	for (int i = 0; i < STRAYS; i++)
		if (!CHECK(!is_there(strays[i])))
			fprintf(stderr, "\t%s\n", strays[i]);
	for (int i = 0; i < OTHERS; i++)
		if (!CHECK(is_there(others[i])))
			fprintf(stderr, "\t%s\n", others[i]);
	struct stat status;
	CHECK(stat(in_place("ns/registry"), &status) == 0 && (status.st_mode & 07777) == 0600);
	remove_tree(in_place("ns"));
}

/* The maker of the registry died right after it had made the file, or after all steps but the
 * last. */
static void cut_off(void)
{
	struct stat status;
	int code = -ENOENT;
	CHECK(mkdir(in_place("ns"), 0700) == 0);
	put_files();
	put_file("registry");
	CHECK(in_child(lost_content, NULL)); /* nothing says that it was never more */
	CHECK(chmod(in_place("ns/registry"), 01600) == 0);
	CHECK(in_child(not_made, &code));
	CHECK(in_child(make_one, NULL));
	CHECK(!is_there(strays[0]));
	put_files();
	CHECK(chmod(in_place("ns/registry"), 01600) == 0);
	CHECK(in_child(make_one, NULL));
	CHECK(!is_there(strays[0]));
	CHECK(stat(in_place("ns/registry"), &status) == 0 && (status.st_mode & 07777) == 0600);
	/* A whole one whose content is lost is not made anew beside data. */
	put_files();
	CHECK(truncate(in_place("ns/registry"), 0) == 0);
	CHECK(in_child(lost_content, NULL));
	for (int i = 0; i < STRAYS; i++)
		CHECK(is_there(strays[i]));
	remove_tree(in_place("ns"));
}

/* ---- strays that came later: doctor's ----------------------------------------------- */

struct told {
	int strays, nobodys;
};

static int take_finding(const struct mdg_finding *finding, void *context)
{
	struct told *told = context;
	if (finding->kind != MDG_FOUND_ORPHAN_FILE)
		return 0;
	told->strays += strstr(finding->text, "deleted") != NULL;
	told->nobodys += strstr(finding->text, "no segment") != NULL;
	return 0;
}

static void later_ones(void *unused)
{
	mdg_namespace *ns;
	struct told told = { 0, 0 };
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	put_files();
	CHECK(mdg_namespace_check(ns, 0, take_finding, &told) >= STRAYS);
	CHECK(told.strays == STRAYS && is_there(strays[0]));
	CHECK_CODE(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	for (int i = 0; i < STRAYS; i++)
		CHECK(!is_there(strays[i]));
	CHECK(is_there("notes"));
	remove_tree(in_place("ns"));
}

int main(void)
{
	place_make();
	newer = mmap(NULL, sizeof *newer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	each_way();
	strays_go();
	cut_off();
	CHECK(in_child(later_ones, NULL));
	return test_result();
}

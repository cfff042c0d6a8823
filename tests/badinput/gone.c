/* SPDX-License-Identifier: MIT */
/*
 * The directory deleted, moved or emptied while segments are attached: what is
 * attached stays usable, and new calls say what is wrong.
 */
#include "badinput/place.h"

#include <signal.h>

struct use {
	mdg_namespace *ns;
	mdg_id attached, other;
	char *memory;
};

static void begin(struct use *use)
{
	void *memory = NULL;
	CHECK_CODE(0, open_new(in_place("ns"), &use->ns));
	CHECK_CODE(0, mdg_segment_create(use->ns, "a", 8192, 0600, 0, &use->attached));
	CHECK_CODE(0, mdg_segment_create(use->ns, "b", 8192, 0600, 0, &use->other));
	CHECK_CODE(0, mdg_segment_attach(use->ns, use->attached, NULL, 0, &memory));
	use->memory = memory;
	if (check_failures != 0)
		_exit(1);
	strcpy(use->memory, "mine");
}

static void child_uses(void *context)
{
	struct use *use = context;
	CHECK(strcmp(use->memory, "mine") == 0);
	use->memory[8191] = 'c';
	CHECK_CODE(0, mdg_segment_detach(use->ns, use->memory));
}

static bool is_gone(int rc)
{
	return rc == MDG_NS_GONE || rc == -EIDRM;
}

/* ---- deleted --------------------------------------------------------------------- */

static void deleted(void *again)
{
	struct use use;
	struct mdg_namespace_info info = { .size = sizeof info };
	void *memory = NULL;
	mdg_id id;
	begin(&use);
	remove_tree(in_place("ns"));
	if (*(bool *)again)
		CHECK(mkdir(in_place("ns"), 0700) == 0); /* another one of that name */
	CHECK(strcmp(use.memory, "mine") == 0);
	use.memory[8191] = 'x';
	CHECK(is_gone(mdg_segment_create(use.ns, NULL, 4096, 0600, 0, &id)));
	CHECK(is_gone(mdg_segment_create(use.ns, "c", 4096, 0600, MDG_NORESERVE, &id)));
	CHECK(is_gone(mdg_segment_attach(use.ns, use.other, NULL, 0, &memory)));
	CHECK(memory == NULL);
	CHECK(in_child(child_uses, &use));
	CHECK(use.memory[8191] == 'c');
	CHECK_CODE(MDG_NS_GONE, mdg_segment_remove(use.ns, use.other));
	CHECK_CODE(0, mdg_segment_detach(use.ns, use.memory));
	CHECK_CODE(MDG_NS_GONE, mdg_segment_remove(use.ns, use.attached));
	CHECK_CODE(MDG_NS_GONE, mdg_namespace_info(use.ns, 0, &info));
	CHECK_REFUSED(open_flags(in_place("ns"), MDG_NS_EXISTING, NULL));
	/* Opened again it is a new and empty one. */
	mdg_namespace *new_ns;
	CHECK_CODE(0, open_new(in_place("ns"), &new_ns));
	CHECK(new_ns != use.ns);
	CHECK_CODE(-ENOENT, mdg_segment_open(new_ns, "a", 0, 0, &id));
	check_works(new_ns);
	remove_tree(in_place("ns"));
}

/* A process that only looks, and has no slot: it may be told late, not wrongly. */
static void deleted_before_first_use(void *unused)
{
	mdg_namespace *ns;
	mdg_id id;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	remove_tree(in_place("ns"));
	int rc = mdg_segment_open(ns, "a", 0, 0, &id);
	CHECK(rc == -ENOENT || rc == MDG_NS_GONE);
	CHECK(is_gone(mdg_segment_create(ns, "a", 4096, 0600, 0, &id)));
	CHECK(is_gone(mdg_segment_get(ns, 5, 4096, MDG_CREATE | 0600, &id)));
	CHECK_CODE(MDG_NS_GONE, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
}

static void killed_after_deletion(void *unused)
{
	struct use use;
	(void)unused;
	begin(&use);
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	CHECK(attached_to(use.ns, use.attached) == 2);
	remove_tree(in_place("ns"));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	CHECK(strcmp(use.memory, "mine") == 0);
	CHECK_CODE(0, mdg_segment_detach(use.ns, use.memory));
}

/* ---- moved -------------------------------------------------------------------------- */

static void moved(void *unused)
{
	struct use use;
	mdg_namespace *found = NULL;
	void *memory;
	(void)unused;
	begin(&use);
	CHECK(rename(in_place("ns"), in_place("moved")) == 0);
	CHECK_CODE(0, mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	check_works(use.ns);
	CHECK_CODE(-ENOENT, open_flags(in_place("ns"), MDG_NS_EXISTING, NULL));
	CHECK_CODE(0, open_flags(in_place("moved"), MDG_NS_EXISTING, &found));
	CHECK(found == use.ns);
	remove_tree(in_place("moved"));
}

/* ---- files of it ----------------------------------------------------------------------- */

/* A new one is made beside the data files of the former, which nobody finds any more: they go. */
static void made_anew(void *unused)
{
	mdg_namespace *ns;
	mdg_id id;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(-ENOENT, mdg_segment_open(ns, "a", 0, 0, &id));
	check_works(ns);
}

static void registry_deleted(void *unused)
{
	struct use use;
	(void)unused;
	begin(&use);
	CHECK(remove(in_place("ns/registry")) == 0);
	CHECK(strcmp(use.memory, "mine") == 0);
	CHECK(in_child(child_uses, &use));
	CHECK_CODE(0, mdg_segment_detach(use.ns, use.memory));
}

static int see_missing(const struct mdg_finding *finding, void *context)
{
	if (finding->kind == MDG_FOUND_MISSING_FILE)
		*(mdg_id *)context = finding->id;
	return 0;
}

static void data_deleted(void *unused)
{
	struct use use;
	struct mdg_segment_info info = { .size = sizeof info };
	void *memory = NULL;
	mdg_id missing = -1;
	char path[64];
	(void)unused;
	begin(&use);
	snprintf(path, sizeof path, "ns/%s", data_file_name(in_place("ns"), use.other));
	CHECK(remove(in_place(path)) == 0);
	CHECK_REFUSED(mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	CHECK(memory == NULL);
	CHECK_CODE(0, mdg_segment_stat(use.ns, use.other, MDG_STAT_RESIDENT, &info));
	CHECK_CODE(1, mdg_namespace_check(use.ns, MDG_CHECK_REPAIR, see_missing, &missing));
	CHECK(missing == use.other);
	CHECK_CODE(0, mdg_segment_remove(use.ns, use.other));
	/* One that is attached is reached through who has it. */
	snprintf(path, sizeof path, "ns/%s", data_file_name(in_place("ns"), use.attached));
	CHECK(remove(in_place(path)) == 0);
	if (mdg_segment_attach(use.ns, use.attached, NULL, 0, &memory) == 0)
		CHECK(strcmp(memory, "mine") == 0);
	CHECK(strcmp(use.memory, "mine") == 0);
	CHECK_CODE(0, mdg_segment_remove(use.ns, use.attached));
	remove_tree(in_place("ns"));
}

/* Replaced by another file, or cut short: no way to memory that is not there. */
static void data_replaced(void *unused)
{
	struct use use;
	void *memory = NULL;
	char path[64];
	(void)unused;
	begin(&use);
	snprintf(path, sizeof path, "ns/%s", data_file_name(in_place("ns"), use.other));
	CHECK_CODE(0, mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	CHECK_CODE(0, mdg_segment_detach(use.ns, memory));
	CHECK(truncate(in_place(path), 4096) == 0);
	CHECK_CODE(MDG_DAMAGED, mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	CHECK(remove(in_place(path)) == 0 && symlink("registry", in_place(path)) == 0);
	CHECK_REFUSED(mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	CHECK(remove(in_place(path)) == 0 && mkfifo(in_place(path), 0600) == 0);
	alarm(20);
	CHECK_REFUSED(mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	CHECK(remove(in_place(path)) == 0 && mkdir(in_place(path), 0700) == 0);
	CHECK_REFUSED(mdg_segment_attach(use.ns, use.other, NULL, 0, &memory));
	CHECK_CODE(0, mdg_segment_remove(use.ns, use.other));
	check_works(use.ns);
	remove_tree(in_place("ns"));
}

int main(void)
{
	bool again = false;
	place_make();
	CHECK(in_child(deleted, &again));
	again = true;
	CHECK(in_child(deleted, &again));
	CHECK(in_child(deleted_before_first_use, NULL));
	CHECK(in_child(killed_after_deletion, NULL));
	CHECK(in_child(moved, NULL));
	CHECK(in_child(registry_deleted, NULL));
	CHECK(in_child(made_anew, NULL));
	remove_tree(in_place("ns"));
	CHECK(in_child(data_deleted, NULL));
	CHECK(in_child(data_replaced, NULL));
	return test_result();
}

/* SPDX-License-Identifier: MIT */
/*
 * repair.c - registries that were damaged on purpose: found out, and mended.
 *
 * Each kind of damage is done to a registry of its own through the mapping that
 * the library has of it. The check has to find something of the expected kind
 * and change nothing; the repair has to leave nothing to find, except where
 * nothing can be done; and every segment whose own entry was not touched is
 * there afterwards, with its bytes, its name or key, and its attachment.
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>

#include "registry/registry.h"
#include "segment/internal.h"
#include "support/datafile.h"

enum { HEALTHY = 6, VICTIM = HEALTHY };

struct scene {
	mdg_namespace *ns;
	struct mdg__registry *registry;
	struct mdg__head *head;
	mdg_id ids[HEALTHY + 1]; /* the last one is the one to damage */
	unsigned char *memory[HEALTHY];
	char directory[UNIT_PATH];
};

/* Odd ones have a key, even ones a name; all but the last two are attached. */
static void build(struct scene *scene, int number)
{
	char name[32];
	struct mdg_namespace_options options = unit_options(0);
	options.segments = 64;
	options.processes = 16;
	snprintf(name, sizeof name, "damaged%d", number);
	unit_path(scene->directory, name);
	scene->ns = unit_open(name, &options);
	scene->registry = &scene->ns->registry;
	scene->head = scene->registry->head;
	for (int i = 0; i <= VICTIM; i++) {
		void *memory;
		snprintf(name, sizeof name, "name %d", i);
		int rc = i % 2 ? mdg_segment_get(scene->ns, 100 + i, 5000, MDG_CREATE | 0600,
		                                 &scene->ids[i])
		               : mdg_segment_create(scene->ns, name, 5000, 0600, 0, &scene->ids[i]);
		CHECK_RC(0, rc);
		if (i == VICTIM)
			continue;
		CHECK_RC(0, mdg_segment_attach(scene->ns, scene->ids[i], NULL, 0, &memory));
		scene->memory[i] = memory;
		memset(memory, 'a' + i, 5000);
		if (i >= HEALTHY - 2)
			CHECK_RC(0, mdg_segment_detach(scene->ns, memory));
	}
	unit_is_sound(scene->ns);
}

static bool is_whole(const struct scene *scene, int i)
{
	char name[32];
	mdg_id id = -1;
	void *memory = NULL;
	snprintf(name, sizeof name, "name %d", i);
	int rc = i % 2 ? mdg_segment_get(scene->ns, 100 + i, 5000, 0600, &id)
	               : mdg_segment_open(scene->ns, name, 5000, 0600, &id);
	bool whole = CHECK_RC(0, rc) && CHECK(id == scene->ids[i]);
	struct mdg_segment_info info = unit_stat(scene->ns, id);
	whole = CHECK(info.attached == (i < HEALTHY - 2 ? 1 : 0) && info.bytes == 5000) && whole;
	if (!CHECK_RC(0, mdg_segment_attach(scene->ns, id, NULL, 0, &memory)))
		return false;
	const unsigned char *bytes = memory;
	whole = CHECK(bytes[0] == 'a' + i && bytes[4999] == 'a' + i) && whole;
	CHECK_RC(0, mdg_segment_detach(scene->ns, memory));
	return whole;
}

/* It goes on as if nothing had happened. */
static void use_it_up(struct scene *scene)
{
	mdg_id id;
	for (int i = 0; i < HEALTHY; i++) {
		is_whole(scene, i);
		if (i < HEALTHY - 2)
			CHECK_RC(0, mdg_segment_detach(scene->ns, scene->memory[i]));
		CHECK_RC(0, mdg_segment_remove(scene->ns, scene->ids[i]));
	}
	struct mdg_segment_info info = { .size = sizeof info };
	uint32_t cursor = 0;
	while (mdg_segment_next(scene->ns, &cursor, 0, &info) == 1)
		CHECK_RC(0, mdg_segment_remove(scene->ns, info.id));
	for (int i = 0; i < 200; i++) {
		CHECK_RC(0, mdg_segment_create(scene->ns, "again", 1, 0600, 0, &id));
		CHECK_RC(0, mdg_segment_remove(scene->ns, id));
	}
	struct mdg_namespace_info all = { .size = sizeof all };
	CHECK_RC(0, mdg_namespace_info(scene->ns, 0, &all));
	CHECK(all.segments_used == 0 && all.pages_total == 0);
	unit_is_sound(scene->ns);
}

/* ---- kinds of damage ------------------------------------------------------------- */

static struct mdg__segment *victim(struct scene *scene)
{
	return &scene->registry->segments[scene->ids[VICTIM] % 32768];
}

static struct mdg__process *own(struct scene *scene)
{
	return &scene->registry->processes[scene->registry->slot1 - 1];
}

static void bit_for_nothing(struct scene *scene)
{
	scene->registry->objects[MDG__SEGMENTS].bitmap[0] |= UINT64_C(1) << 50;
}

static void bit_missing(struct scene *scene)
{
	scene->registry->objects[MDG__SEGMENTS].bitmap[0] = 0;
}

static void bucket_to_nowhere(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->registry->objects[MDG__SEGMENTS].bucket_count; i++)
		if (scene->registry->objects[MDG__SEGMENTS].buckets[i] == 0)
			scene->registry->objects[MDG__SEGMENTS].buckets[i] = 60000;
}

static void buckets_lost(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->registry->objects[MDG__SEGMENTS].bucket_count; i++)
		scene->registry->objects[MDG__SEGMENTS].buckets[i] = 0;
}

static void buckets_forgotten(struct scene *scene)
{
	scene->head->directory[MDG__SEGMENTS].bucket_parts = 0;
}

static void chain_in_a_circle(struct scene *scene)
{
	victim(scene)->next = (uint32_t)(scene->ids[VICTIM] % 32768) + 1;
}

static void totals_wrong(struct scene *scene)
{
	scene->head->directory[MDG__SEGMENTS].in_use = 12345;
	scene->head->pages = UINT64_MAX - 3;
}

static void sequence_wrong(struct scene *scene)
{
	scene->head->directory[MDG__SEGMENTS].sequence = 1u << 20;
}

static void tag_impossible(struct scene *scene)
{
	victim(scene)->tag |= 0x77;
}

static void size_impossible(struct scene *scene)
{
	victim(scene)->size = UINT64_MAX / 3;
}

/* Both before and after it was attached. */
static void never_had_file(struct scene *scene)
{
	victim(scene)->flags |= MDG__SEG_FILE_NONE | MDG__SEG_FILE_BEGUN;
	for (int i = 0; i < HEALTHY; i++)
		scene->registry->segments[scene->ids[i] % 32768].flags |=
			i % 2 ? MDG__SEG_FILE_NONE : MDG__SEG_FILE_BEGUN;
}

static void removed_with_key(struct scene *scene)
{
	victim(scene)->tag = (victim(scene)->tag & ~0xffu) | MDG__REMOVED;
}

static void free_list_to_nowhere(struct scene *scene)
{
	scene->head->free_tie = 1u << 30;
}

static void attachments_beyond(struct scene *scene)
{
	scene->head->used_ties = 1u << 31;
}

static void attachments_in_a_circle(struct scene *scene)
{
	uint32_t first = own(scene)->ties;
	scene->registry->ties[first - 1].process_next = first;
}

static void attachments_lost(struct scene *scene)
{
	own(scene)->ties = 0;
	for (int i = 0; i < HEALTHY; i++)
		scene->registry->segments[scene->ids[i] % 32768].ties = 0;
}

static void attachment_of_nobody(struct scene *scene)
{
	victim(scene)->ties = 1;
}

static void free_slot_attached(struct scene *scene)
{
	scene->registry->processes[15].ties = 3;
}

static void slot_impossible(struct scene *scene)
{
	scene->registry->processes[15].tag = 0x1234;
}

static void works_on_nothing(struct scene *scene)
{
	own(scene)->working = 7;
}

static void change_half_done(struct scene *scene)
{
	/* As a process leaves it that dies in the middle of a change. */
	scene->head->version |= 1;
}

static void journal_nonsense(struct scene *scene)
{
	scene->head->version |= 1;
	scene->head->undo[0].offset = UINT32_MAX - 1;
	scene->head->undo[0].width = 4;
	scene->head->undo[1].offset = 3;
	scene->head->undo[1].width = 99;
	scene->head->undo_count = 2;
}

static void journal_endless(struct scene *scene)
{
	scene->head->version |= 1;
	scene->head->undo_count = UINT32_MAX;
}

static void everything_ff(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->registry->objects[MDG__SEGMENTS].bucket_count; i++)
		scene->registry->objects[MDG__SEGMENTS].buckets[i] = UINT32_MAX;
	scene->registry->objects[MDG__SEGMENTS].bitmap[0] = UINT64_MAX;
	scene->head->directory[MDG__SEGMENTS].in_use = scene->head->free_tie = UINT32_MAX;
	scene->head->pages = UINT64_MAX;
	scene->head->directory[MDG__SEGMENTS].cursor =
		scene->head->directory[MDG__SEGMENTS].last_index = UINT32_MAX;
	scene->head->directory[MDG__SEGMENTS].most =
		scene->head->directory[MDG__SEGMENTS].next_id1 = scene->head->settings = UINT32_MAX;
}

/* ---- files ------------------------------------------------------------------------- */

static void orphan_file(struct scene *scene)
{
	char path[UNIT_PATH + 32];
	snprintf(path, sizeof path, "%s/seg-98365", scene->directory); /* as in format 1 */
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && close(fd) == 0);
}

static void missing_file(struct scene *scene)
{
	char path[UNIT_PATH + 32];
	snprintf(path, sizeof path, "%s/%s", scene->directory,
	         data_file_name(scene->directory, scene->ids[VICTIM]));
	CHECK(unlink(path) == 0);
}

/* A process that died between making the entry and making it LIVE. */
static void half_made(struct scene *scene)
{
	victim(scene)->worker = 16; /* a slot that nobody has */
	victim(scene)->worker_generation = 5;
	victim(scene)->tag = (victim(scene)->tag & ~0xffu) | MDG__BUSY;
}

static void dead_process(struct scene *scene)
{
	pid_t pid = fork();
	if (pid == 0)
		pause();
	void *memory;
	CHECK_RC(0, mdg_segment_attach(scene->ns, scene->ids[VICTIM], NULL, 0, &memory));
	CHECK_RC(0, mdg_segment_detach(scene->ns, memory));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

/* ---- all of them ------------------------------------------------------------------- */

struct seen {
	unsigned kinds, repaired, count;
};

static int note(const struct mdg_finding *finding, void *context)
{
	struct seen *seen = context;
	seen->kinds |= 1u << finding->kind;
	seen->repaired += finding->repaired;
	seen->count++;
	CHECK(finding->text[0] != '\0' &&
	      memchr(finding->text, '\0', sizeof finding->text) != NULL);
	CHECK(finding->kind >= MDG_FOUND_DAMAGE && finding->kind <= MDG_FOUND_HALF_SET);
	return 0;
}

static int stop_at_once(const struct mdg_finding *finding, void *context)
{
	(void)finding;
	++*(int *)context;
	return 1;
}

static const struct kind {
	const char *name;
	void (*damage)(struct scene *);
	unsigned found; /* MDG_FOUND_*; 0: the lock mends it before the check looks */
	bool stays;     /* what no repair can bring back */
} kinds[] = {
	{ "a bit for nothing", bit_for_nothing, MDG_FOUND_DAMAGE, false },
	{ "bits missing", bit_missing, MDG_FOUND_DAMAGE, false },
	{ "buckets that lead nowhere", bucket_to_nowhere, MDG_FOUND_DAMAGE, false },
	{ "buckets lost", buckets_lost, MDG_FOUND_DAMAGE, false },
	{ "buckets that seem to have no memory", buckets_forgotten, MDG_FOUND_DAMAGE, false },
	{ "a chain in a circle", chain_in_a_circle, MDG_FOUND_DAMAGE, false },
	{ "wrong totals", totals_wrong, MDG_FOUND_DAMAGE, false },
	{ "a wrong sequence", sequence_wrong, MDG_FOUND_DAMAGE, false },
	{ "an impossible tag", tag_impossible, MDG_FOUND_DAMAGE, false },
	{ "an impossible size", size_impossible, MDG_FOUND_DAMAGE, false },
	{ "files that are said not to be there", never_had_file, MDG_FOUND_DAMAGE, false },
	{ "removed, with its name", removed_with_key, MDG_FOUND_DAMAGE, false },
	{ "a free list that leads nowhere", free_list_to_nowhere, MDG_FOUND_DAMAGE, false },
	{ "more attachments than can be", attachments_beyond, MDG_FOUND_DAMAGE, false },
	{ "attachments in a circle", attachments_in_a_circle, MDG_FOUND_DAMAGE, false },
	{ "attachments lost", attachments_lost, MDG_FOUND_DAMAGE, false },
	{ "an attachment of nobody", attachment_of_nobody, MDG_FOUND_DAMAGE, false },
	{ "a free slot with attachments", free_slot_attached, MDG_FOUND_DAMAGE, false },
	{ "an impossible slot", slot_impossible, MDG_FOUND_DAMAGE, false },
	{ "work on nothing", works_on_nothing, MDG_FOUND_DAMAGE, false },
	{ "a change half done", change_half_done, 0, false },
	{ "nonsense in the journal", journal_nonsense, 0, false },
	{ "an endless journal", journal_endless, 0, false },
	{ "all ones", everything_ff, MDG_FOUND_DAMAGE, false },
	{ "a file without segment", orphan_file, MDG_FOUND_ORPHAN_FILE, false },
	{ "a segment without file", missing_file, MDG_FOUND_MISSING_FILE, true },
	{ "a segment half made", half_made, MDG_FOUND_HALF_MADE, false },
	{ "a dead process", dead_process, MDG_FOUND_DEAD_SLOT, false },
};

static void damage_and_repair(const struct kind *kind, int number)
{
	struct scene scene;
	struct seen seen = { 0 }, mended = { 0 }, after = { 0 };
	int stopped = 0;
	build(&scene, number);
	kind->damage(&scene);
	int rc = mdg_namespace_check(scene.ns, 0, note, &seen);
	CHECK(kind->found == 0 ? rc == 0 : rc > 0);
	CHECK(seen.repaired == 0 && (unsigned)rc == seen.count);
	CHECK(kind->found == 0 || (seen.kinds & 1u << kind->found) != 0);
	if (rc > 0) {
		CHECK_RC(rc,
		         mdg_namespace_check(scene.ns, 0, NULL, NULL)); /* nothing was changed */
		CHECK_RC(rc, mdg_namespace_check(scene.ns, 0, stop_at_once, &stopped));
		CHECK(stopped == 1);
	}
	rc = mdg_namespace_check(scene.ns, MDG_CHECK_REPAIR, note, &mended);
	CHECK(kind->stays ? rc == 1 : rc == 0);
	CHECK(kind->found == 0 || kind->stays || mended.repaired > 0);
	rc = mdg_namespace_check(scene.ns, 0, note, &after);
	CHECK(kind->stays ? rc == 1 : rc == 0 && after.count == 0);
	use_it_up(&scene);
}

int main(void)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		int before = check_failures;
		damage_and_repair(&kinds[i], (int)i);
		if (check_failures != before)
			fprintf(stderr, "... after %s\n", kinds[i].name);
	}
	return test_result();
}

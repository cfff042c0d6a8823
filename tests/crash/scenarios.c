/* SPDX-License-Identifier: MIT */
/*
 * scenarios.c - see scenarios.h: a row each in the table at the end.
 *
 * Beside the keeper (world.h) a scenario may need the dead: processes that died
 * with attachments, in the middle of making a segment, or holding the writer
 * lock. These are victims themselves, killed when the registry's bytes say that
 * they are where they should be.
 */
#include "crash/scenarios.h"

#include "segment/hostcalls.h"
#include "segment/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int scene_body(void *argument)
{
	struct scene *scene = argument;
	int rc = 0;
	if (!(scene->scenario->flags & SCENARIO_FIRST))
		scene->ns = world_open(scene->world);
	if (scene->scenario->prepare != NULL)
		rc = scene->scenario->prepare(scene);
	if (rc < 0 && !scene->again)
		complain("the victim cannot prepare itself: %s", mdg_strerror(rc));
	if (rc < 0)
		return rc;
	victim_begins();
	rc = scene->scenario->operate(scene);
	return rc > 0 ? 0 : rc;
}

/* ---- before the operation, in the process that does it -------------------------- */

static int attach(struct scene *scene, int32_t key, void **ret)
{
	int rc = mdg_segment_get(scene->ns, key, 0, 0, &scene->id);
	return rc < 0 ? rc : mdg_segment_attach(scene->ns, scene->id, NULL, 0, ret);
}

static int attach_held(struct scene *scene)
{
	return attach(scene, KEY_HELD, &scene->memory);
}

static int attach_idle(struct scene *scene)
{
	return attach(scene, KEY_IDLE, &scene->memory);
}

static int attach_idle_twice(struct scene *scene)
{
	int rc = attach_idle(scene);
	return rc < 0 ? rc : attach(scene, KEY_IDLE, &scene->second);
}

static int attach_both(struct scene *scene)
{
	int rc = attach_held(scene);
	return rc < 0 ? rc : attach(scene, KEY_IDLE, &scene->second);
}

static int attach_and_remove_idle(struct scene *scene)
{
	int rc = attach_idle(scene);
	return rc < 0 ? rc : mdg_segment_remove(scene->ns, scene->id);
}

static int lock_held(struct scene *scene)
{
	int rc = mdg_segment_get(scene->ns, KEY_HELD, 0, 0, &scene->id);
	return rc < 0 ? rc : mdg_segment_lock(scene->ns, scene->id, 1);
}

/* ---- operations ------------------------------------------------------------------- */

static int make(struct scene *scene, int32_t key, uint64_t size)
{
	return mdg_segment_get(scene->ns, key, size, MDG_CREATE | MDG_EXCL | 0640, &scene->id);
}

static int first_use(struct scene *scene)
{
	int rc = mdg_namespace_open(&scene->ns, scene->world->directory, &scene->world->options);
	return rc < 0 ? rc : make(scene, KEY_NEW, 5000);
}

static int get_keyed(struct scene *scene)
{
	return make(scene, KEY_NEW, 12288);
}

static int get_private(struct scene *scene)
{
	return mdg_segment_get(scene->ns, 0, 4096, 0600, &scene->id);
}

static int get_too_big(struct scene *scene)
{
	return make(scene, KEY_NEW, UINT64_C(1) << 50);
}

/* Without a file: nobody has attached it. */
static int get_fileless(struct scene *scene)
{
	return mdg_segment_get(scene->ns, KEY_NEW, 12288, MDG_CREATE | MDG_NORESERVE | 0640,
	                       &scene->id);
}

static int attach_new(struct scene *scene)
{
	return mdg_segment_attach(scene->ns, scene->id, NULL, 0, &scene->memory);
}

/* So that the descriptor of the next one is kept. */
static int attach_own(struct scene *scene)
{
	int rc = get_private(scene);
	if (rc == 0)
		rc = attach_new(scene);
	if (rc == 0)
		rc = mdg_segment_detach(scene->ns, scene->memory);
	return rc < 0 ? rc : mdg_segment_remove(scene->ns, scene->id);
}

static int get_kept(struct scene *scene)
{
	int rc = attach_own(scene);
	return rc < 0 ? rc : get_keyed(scene);
}

static int remove_new(struct scene *scene)
{
	return mdg_segment_remove(scene->ns, scene->id);
}

static int detach_first(struct scene *scene)
{
	return mdg_segment_detach(scene->ns, scene->memory);
}

static int detach_all(struct scene *scene)
{
	int rc = mdg_segment_detach(scene->ns, scene->memory);
	return rc < 0 ? rc : mdg_segment_detach(scene->ns, scene->second);
}

static int attach_room(struct scene *scene)
{
	int rc = mdg_segment_open(scene->ns, NAME_KEPT, 0, 0, &scene->id);
	return rc < 0 ? rc : mdg_segment_attach(scene->ns, scene->id, NULL, 0, &scene->memory);
}

static int attach_id(struct scene *scene)
{
	return mdg_segment_attach(scene->ns, scene->world->held, NULL, 0, &scene->memory);
}

static int set_owner(struct scene *scene)
{
	return mdg_segment_set(scene->ns, scene->world->held, geteuid(), getegid(), 0606);
}

/* To another user, where that is allowed. */
static int give_away(struct scene *scene)
{
	uint32_t uid = geteuid() == 0 ? 12345 : geteuid();
	return mdg_segment_set(scene->ns, scene->world->held, uid, getegid(), 0606);
}

static int lock(struct scene *scene)
{
	return mdg_segment_lock(scene->ns, scene->world->held, 1);
}

static int unlock(struct scene *scene)
{
	return mdg_segment_lock(scene->ns, scene->world->held, 0);
}

static int remove_held(struct scene *scene)
{
	return mdg_segment_remove(scene->ns, scene->world->held);
}

static int remove_idle(struct scene *scene)
{
	return mdg_segment_remove(scene->ns, scene->world->idle);
}

static int make_named(struct scene *scene)
{
	return mdg_segment_create(scene->ns, "a door of oak, with three hinges", 70000, 0600, 0,
	                          &scene->id);
}

static int remove_named(struct scene *scene)
{
	int rc = mdg_segment_open(scene->ns, NAME_KEPT, 0, 0, &scene->id);
	return rc < 0 ? rc : mdg_segment_remove(scene->ns, scene->id);
}

/* The victim's child lives on. The child of the second time ends at once. */
static int do_fork(struct scene *scene)
{
	pid_t pid = fork();
	if (pid == 0 && scene->again)
		_exit(0);
	if (pid == 0)
		raise(SIGSTOP);
	while (pid == 0)
		pause();
	if (scene->again)
		waitpid(pid, NULL, 0);
	return pid < 0 ? -errno : 0;
}

static int ask_for_totals(struct scene *scene)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	return mdg_namespace_info(scene->ns, 0, &info);
}

/* Looks at one segment: reaps those who died with it. */
static int ask_for_one(struct scene *scene)
{
	struct mdg_segment_info info = { .size = sizeof info };
	return mdg_segment_stat(scene->ns, scene->world->held, 0, &info);
}

static int repair(struct scene *scene)
{
	return mdg_namespace_check(scene->ns, MDG_CHECK_REPAIR, NULL, NULL);
}

/* ---- semaphore sets and message queues ------------------------------------------------ */

static int get_set(struct scene *scene, int32_t key, unsigned flags)
{
	struct mdg__object_order order = {
		.key = key, .flags = MDG_CREATE | flags, .mode = 0640, .field = { 5, 7 }
	};
	return mdg__object_get(scene->ns, MDG__SEMAPHORE_SETS, &order, &scene->id);
}

static int use_set(struct scene *scene, uint64_t length)
{
	struct mdg__memory memory;
	int rc = mdg__memory_get(scene->ns, MDG__SEMAPHORE_SETS, scene->id, length, &memory);
	if (rc == 0)
		mdg__memory_leave(&memory);
	return rc;
}

static int make_set(struct scene *scene)
{
	return get_set(scene, KEY_NEW, MDG_EXCL);
}

static int have_set(struct scene *scene)
{
	return get_set(scene, KEY_CUT, 0);
}

static int have_used_set(struct scene *scene)
{
	int rc = have_set(scene);
	return rc < 0 ? rc : use_set(scene, 1);
}

static int use_set_first(struct scene *scene)
{
	return use_set(scene, 10000);
}

static int set_set(struct scene *scene)
{
	struct mdg__object_change change = {
		.uid = geteuid(), .gid = getegid(), .mode = 0602, .fields = 2, .field = { 0, 8 }
	};
	return mdg__object_change(scene->ns, MDG__SEMAPHORE_SETS, scene->id, &change);
}

static int remove_set(struct scene *scene)
{
	return mdg__object_rmid(scene->ns, MDG__SEMAPHORE_SETS, scene->id);
}

/* ---- the dead ----------------------------------------------------------------------- */

/* Runs a victim until the registry is as wished, and kills it there. The second
 * time it is known how far that is; a process arranges but one kind of dead. */
static bool kill_when(struct world *world, const struct scenario *scenario,
                      bool (*wished)(struct raw *raw))
{
	static struct raw raw;
	static struct victim former;
	struct victim victim = { 0 };
	struct scene scene = { .world = world, .scenario = scenario };
	if (!victim_start(&victim, world->registry, scene_body, &scene))
		return false;
	enum victim_event event = VICTIM_POINT;
	if (victim_points(&former) > 0)
		event = victim_skip(&victim, &former, victim_points(&former));
	while (event == VICTIM_POINT && victim_points(&victim) < victim_points(&former))
		event = victim_next(&victim);
	while (event == VICTIM_POINT && !(raw_read(world, &raw) && wished(&raw)))
		event = victim_next(&victim);
	victim_kill(&victim);
	former = victim;
	if (event != VICTIM_POINT)
		complain("the dead of this scenario cannot be arranged");
	return event == VICTIM_POINT;
}

static bool is_half_made(struct raw *raw)
{
	struct mdg__head *head = raw_head(raw);
	if ((head->lock & 0x7fff) != 0)
		return false;
	for (uint32_t index = 0; index < head->directory[MDG__SEGMENTS].ready; index++)
		if ((raw_segment(raw, index)->tag & 0xff) == MDG__BUSY)
			return true;
	return false;
}

static bool is_half_noted(struct raw *raw)
{
	return (raw_head(raw)->lock & 0x7fff) != 0 && raw_head(raw)->undo_count >= 12;
}

/* Has attachments, is the last to have a removed segment, and then makes one. */
static int attach_much(struct scene *scene)
{
	int rc = attach_both(scene);
	for (int i = 0; i < 2 && rc == 0; i++) {
		rc = mdg_segment_get(scene->ns, 0, 4096, 0600, &scene->id);
		if (rc == 0)
			rc = mdg_segment_attach(scene->ns, scene->id, NULL, 0, &scene->second);
		if (rc == 0)
			rc = mdg_segment_remove(scene->ns, scene->id);
	}
	return rc;
}

static int make_cut(struct scene *scene)
{
	return make(scene, KEY_CUT, 4096);
}

static const struct scenario cut_off = { .name = "a maker with attachments",
	                                 .prepare = attach_much,
	                                 .operate = make_cut };
static const struct scenario locking = { .name = "a lock owner",
	                                 .prepare = attach_held,
	                                 .operate = make_cut };

static bool arrange_dead(struct world *world)
{
	return kill_when(world, &cut_off, is_half_made);
}

static bool arrange_dead_owner(struct world *world)
{
	return kill_when(world, &locking, is_half_noted);
}

/* Takes a slot, and ends without more. */
static int take_slot(const struct world *world, void *unused)
{
	(void)unused;
	return mdg_namespace_check(world_open(world), 0, NULL, NULL);
}

static bool arrange_dead_slots(struct world *world, int count)
{
	for (int i = 0; i < count; i++)
		if (world_run(world, take_slot, NULL, 5000) < 0)
			return false;
	return true;
}

static bool arrange_full_house(struct world *world)
{
	return arrange_dead(world) && arrange_dead_slots(world, 14);
}

static bool arrange_first_slots(struct world *world)
{
	return arrange_dead_slots(world, 31);
}

/* As many more segments as have memory behind their entries. */
static int fill_segments(const struct world *world, void *attach_too)
{
	mdg_namespace *ns = world_open(world);
	struct scene scene = { .world = world, .ns = ns };
	int rc = attach_too != NULL ? attach_both(&scene) : 0;
	for (int i = 3; i < 64 && rc == 0; i++) {
		rc = mdg_segment_get(ns, 0, 4096, 0600 | MDG_NORESERVE, &scene.id);
		if (rc == 0 && attach_too != NULL)
			rc = mdg_segment_attach(ns, scene.id, NULL, 0, &scene.memory);
	}
	if (rc < 0)
		complain("the namespace cannot be filled: %s", mdg_strerror(rc));
	return rc;
}

static bool arrange_first_segments(struct world *world)
{
	return world_run(world, fill_segments, NULL, 5000) == 0;
}

static bool arrange_first_attachments(struct world *world)
{
	return world_run(world, fill_segments, world, 5000) == 0;
}

static bool arrange_removed(struct world *world)
{
	struct scene scene = { .world = world };
	struct scenario removal = { .operate = remove_held };
	scene.scenario = &removal;
	scene.again = true;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(scene_body(&scene) == 0 ? 0 : 1);
	int status = -1;
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static int write_settings(const struct world *world, void *unused)
{
	mdg_namespace *ns = world_open(world);
	char next_id[16];
	(void)snprintf(next_id, sizeof(next_id), "%d", world_first_id(ns) + 32808);
	const struct {
		unsigned setting;
		const char *text;
	} written[] = {
		{ MDG__SHMMAX, "100000000" },
		{ MDG__SHMMNI, "60\n" },
		{ MDG__NEXT_ID, next_id },
	};
	(void)unused;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		int fd = mdg__host_setting_open(ns, written[i].setting, O_WRONLY);
		size_t length = strlen(written[i].text);
		if (fd < 0 || write(fd, written[i].text, length) != (ssize_t)length ||
		    close(fd) != 0)
			return -1;
	}
	return 0;
}

static bool arrange_settings(struct world *world)
{
	return world_run(world, write_settings, NULL, 5000) == 0;
}

static void scribble(const struct world *world, size_t offset, uint32_t value)
{
	int fd = open(world->registry, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, &value, sizeof(value), (off_t)offset) != (ssize_t)sizeof(value))
		complain("the registry cannot be written");
	if (fd >= 0)
		close(fd);
}

/* Wrong totals, no bitmap, no index: what a repair rebuilds. */
static bool arrange_damage(struct world *world)
{
	if (!arrange_dead(world))
		return false;
	scribble(world, offsetof(struct mdg__head, directory[MDG__SEGMENTS].in_use), 77);
	scribble(world, MDG__TABLE_ALIGN, 0);
	for (size_t bucket = 0; bucket < 128; bucket++)
		scribble(world, (size_t)2 * MDG__TABLE_ALIGN + 4 * bucket, 0);
	return true;
}

/* ---- the table ---------------------------------------------------------------------- */

#define SMALL                                                                                      \
	{                                                                                          \
		.segments = 64, .processes = 16                                                    \
	}
#define SHARED                                                                                     \
	{                                                                                          \
		.segments = 64, .processes = 16, .flags = MDG_NS_SHARED                            \
	}

const struct scenario scenarios[] = {
	{ "first-use", 40, SCENARIO_FIRST, NULL, NULL, first_use, SMALL },
	{ "get-keyed", 60, 0, NULL, NULL, get_keyed, SMALL },
	{ "get-private", 50, 0, NULL, attach_held, get_private, SMALL },
	{ "get-too-big", 60, 0, NULL, attach_held, get_too_big, SMALL },
	{ "get-fileless", 40, 0, NULL, NULL, get_fileless, SMALL },
	{ "attach-fileless", 40, 0, NULL, get_fileless, attach_new, SMALL },
	{ "remove-fileless", 20, 0, NULL, get_fileless, remove_new, SMALL },
	{ "get-kept", 60, 0, NULL, attach_own, get_keyed, SMALL },
	{ "attach-kept", 20, 0, NULL, get_kept, attach_new, SMALL },
	{ "attach-first", 40, 0, NULL, NULL, attach_idle, SMALL },
	{ "attach-held", 40, 0, NULL, NULL, attach_held, SMALL },
	{ "attach-again", 3, 0, NULL, attach_held, attach_id, SMALL },
	{ "attach-removed", 40, 0, arrange_removed, NULL, attach_id, SMALL },
	{ "detach", 3, 0, NULL, attach_idle_twice, detach_first, SMALL },
	{ "detach-all", 6, 0, NULL, attach_idle_twice, detach_all, SMALL },
	{ "detach-last-removed", 50, 0, NULL, attach_and_remove_idle, detach_first, SMALL },
	{ "set", 6, 0, NULL, attach_idle, set_owner, SMALL },
	{ "set-shared", 6, SCENARIO_FILE, NULL, attach_idle, set_owner, SHARED },
	{ "set-shared-both", 6, SCENARIO_FILE | SCENARIO_MEDDLED, NULL, attach_idle, set_owner,
	  SHARED },
	{ "give-away-shared", 6, SCENARIO_FILE, NULL, attach_idle, give_away, SHARED },
	{ "give-away-shared-both", 6, SCENARIO_FILE | SCENARIO_MEDDLED, NULL, attach_idle,
	  give_away, SHARED },
	{ "remove", 30, 0, NULL, NULL, remove_idle, SMALL },
	{ "remove-shared", 30, 0, NULL, NULL, remove_idle, SHARED },
	{ "remove-held", 15, 0, NULL, NULL, remove_held, SMALL },
	{ "remove-held-shared", 15, 0, NULL, NULL, remove_held, SHARED },
	{ "remove-own", 15, 0, NULL, attach_idle, remove_idle, SMALL },
	{ "lock", 6, 0, NULL, attach_idle, lock, SMALL },
	{ "unlock", 6, 0, NULL, lock_held, unlock, SMALL },
	{ "fork", 50, 0, NULL, attach_both, do_fork, SMALL },
	{ "fork-child", 3, SCENARIO_CHILD, NULL, attach_both, do_fork, SMALL },
	{ "reap", 150, 0, arrange_dead, NULL, ask_for_totals, SMALL },
	{ "reap-met", 150, 0, arrange_dead, NULL, ask_for_one, SMALL },
	{ "take-over", 80, 0, arrange_dead_owner, NULL, get_keyed, SMALL },
	{ "inherit-slot", 150, 0, arrange_full_house, NULL, attach_idle, SMALL },
	{ "grow-processes",
	  30,
	  0,
	  arrange_first_slots,
	  NULL,
	  attach_idle,
	  { .segments = 64, .processes = 64 } },
	{ "grow-segments",
	  60,
	  0,
	  arrange_first_segments,
	  NULL,
	  get_keyed,
	  { .segments = 128, .processes = 16 } },
	{ "grow-attachments",
	  30,
	  0,
	  arrange_first_attachments,
	  NULL,
	  attach_room,
	  { .segments = 128, .processes = 16 } },
	{ "take-settings", 60, 0, arrange_settings, NULL, get_private, SMALL },
	{ "named-create", 60, 0, NULL, NULL, make_named, SMALL },
	{ "named-remove", 30, 0, NULL, NULL, remove_named, SMALL },
	{ "set-make", 60, 0, NULL, NULL, make_set, SMALL },
	{ "set-make-shared", 60, 0, NULL, NULL, make_set, SHARED },
	{ "set-use", 6, 0, NULL, have_set, use_set_first, SMALL },
	{ "set-change", 6, 0, NULL, have_used_set, set_set, SMALL },
	{ "set-change-shared", 6, SCENARIO_FILE, NULL, have_used_set, set_set, SHARED },
	{ "set-remove", 15, 0, NULL, have_set, remove_set, SMALL },
	{ "set-remove-used", 15, 0, NULL, have_used_set, remove_set, SMALL },
	{ "set-remove-shared", 15, 0, NULL, have_used_set, remove_set, SHARED },
	{ "check-repair", 150, 0, arrange_dead, NULL, repair, SMALL },
	{ "check-repair-damage", 300, SCENARIO_DAMAGED, arrange_damage, NULL, repair, SMALL },
};
const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

/* SPDX-License-Identifier: MIT */
/*
 * points.c - death at every store of every operation on a channel; whoever comes then goes on.
 *
 *     points [--list] [--from POINT] [--every N] [SCENE...]
 *
 * Each scene (scene.h) is played again for each point of the victim's operation: each place behind
 * a store to the channel's memory, or behind a system call that others notice
 * (tests/crash/victim.h). There the victim is killed. Then fresh processes talk and listen, and
 * all has to come as promised: what was surely sent is received, once unless marked; what was
 * surely released or never sent is not; what the dead one held comes again, marked; nobody waits
 * for ever; all who have gone are gone, and the whole capacity can be used.
 *
 * Nothing is random, and nothing depends on speed, but for waits that must end: GRACE.
 */
#include "crash/victim.h"
#include "support/datafile.h"

#include "channel/points/scene.h"

#include <stdarg.h>

enum { POINTS_MOST = 3000, COMPLAINTS_MOST = 12, PEERS = 6, WORKERS = 4 };

struct books *books;
const struct scene *scene;
static const struct scene *const lists[] = { ring_scenes, kept_scenes, relay_scenes, call_scenes,
	                                     NULL };

static struct desk {
	_Atomic uint32_t complaints;
	char context[120];
} * desk;

void complain(const char *format, ...)
{
	char text[300];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (atomic_fetch_add(&desk->complaints, 1) < COMPLAINTS_MOST)
		dprintf(STDERR_FILENO, "%s: %s\n", desk->context, text);
}

/* ---- the channel ------------------------------------------------------------------------ */

static struct mdg_channel_options scene_options(void)
{
	struct mdg_channel_options options = options_of(scene->kind, CAPACITY);
	options.full = scene->full;
	options.peers = PEERS;
	options.from = MDG_FROM_OLDEST;
	return options;
}

mdg_channel *points_open(unsigned role)
{
	struct mdg_channel_options options = scene_options();
	mdg_channel *channel = NULL;
	int rc = mdg_channel_open(&channel, ns, "points", role, &options);
	if (rc != 0) {
		complain("opening as %u gives %d (%s)", role, rc, mdg_strerror(rc));
		_exit(1);
	}
	return channel;
}

void points_remove(void)
{
	MUST_RC(0, mdg_channel_remove(ns, "points"));
}

static void note_path(mdg_id id)
{
	const char *directory = getenv("MADANG_NAMESPACE");
	books->id = id;
	snprintf(books->path, sizeof books->path, "%s/%s", directory,
	         data_file_name(directory, (int)id));
}

/* Messages that go through before, so that the ring's end is where it is wanted. */
static void advance(mdg_channel *talks, mdg_channel *listens)
{
	uint32_t words[2], answer = 0;
	write_number(words, sizeof words, BEFORE);
	for (unsigned i = 0; i < scene->advance; i++) {
		MUST_RC(0, mdg_channel_send(talks, words, sizeof words, 0));
		if (scene->kind == MDG_TOPIC)
			continue;
		MUST_RC(sizeof words, mdg_channel_recv(listens, words, sizeof words, NULL, 0));
		if (scene->kind == MDG_CALL) {
			MUST_RC(0, mdg_channel_send(listens, &answer, sizeof answer, 0));
			MUST_RC(sizeof answer,
			        mdg_channel_recv(talks, &answer, sizeof answer, NULL, 0));
		}
	}
}

/* In a process of its own, which is gone then. */
static void arrange(void *unused)
{
	(void)unused;
	if (scene->zeros) {
		struct mdg_segment_info info = { .size = sizeof info };
		mdg_channel *like = points_open(MDG_OBSERVER);
		mdg_id id = info_of(like).id;
		MUST_RC(0, mdg_segment_stat(ns, id, 0, &info));
		mdg_channel_close(like);
		points_remove();
		MUST_RC(0, mdg_segment_create(ns, "points", info.bytes, 0600, 0, &id));
		note_path(id);
		return;
	}
	struct actor actor = { .talks = points_open(MDG_TALKER) };
	if (scene->kind != MDG_TOPIC)
		actor.listens = points_open(MDG_LISTENER);
	note_path(info_of(actor.talks).id);
	advance(actor.talks, actor.listens);
	mdg_channel_close(actor.listens);
	for (unsigned i = 0; i < scene->before; i++)
		say_one(&actor);
	mdg_channel_close(actor.talks);
}

static void die_of(void *unused)
{
	struct actor actor = { 0 };
	(void)unused;
	scene->dying(&actor);
	die();
}

static void sleeper_of(void *unused)
{
	struct actor actor = { 0 };
	(void)unused;
	scene->sleeper(&actor);
}

static int victim_of(void *unused)
{
	struct actor actor = { 0 };
	(void)unused;
	if ((scene->roles & MDG_TALKER) != 0)
		actor.talks = points_open(MDG_TALKER);
	if ((scene->roles & MDG_LISTENER) != 0)
		actor.listens = points_open(MDG_LISTENER);
	if (scene->prepare != NULL)
		scene->prepare(&actor);
	victim_begins();
	scene->operate(&actor);
	return 0;
}

/* ---- afterwards ------------------------------------------------------------------------- */

static void after_ring(void)
{
	uint32_t words[2];
	pid_t listener = 0;
	if (scene->sleeper == NULL) {
		listener = fork();
		if (listener == 0) {
			mdg_channel *listens = points_open(MDG_LISTENER);
			hear_all(listens);
			mdg_channel_close(listens);
			_exit(0);
		}
	}
	mdg_channel *talks = points_open(MDG_TALKER);
	after_relay(talks);
	for (uint32_t number = END; number < NUMBERS; number++) {
		write_number(words, sizeof words, number);
		MUST_RC(0, mdg_channel_send(talks, words, sizeof words, GRACE));
	}
	mdg_channel_close(talks);
	if (listener > 0)
		(void)ended(listener);
}

static void after(void *unused)
{
	(void)unused;
	if (scene->kind == MDG_CALL)
		after_call();
	else
		after_ring();
}

/* As if nobody had ever been here. */
static void all_is_well(void *unused)
{
	unsigned char bytes[CAPACITY] = { 0 };
	struct mdg_channel_info info = { .size = sizeof info };
	mdg_channel *looks = points_open(MDG_OBSERVER);
	(void)unused;
	MUST_RC(0, mdg_channel_look(looks, &info));
	MUST(info.talkers == 0 && info.listeners == 0);
	MUST_RC(0, mdg_channel_peers(looks, NULL, 0));
	MUST(scene->kind == MDG_TOPIC || scene->kind == MDG_CALL ||
	     (info.used == 0 && info.waiting == 0));
	mdg_channel *talks = points_open(MDG_TALKER), *listens = points_open(MDG_LISTENER);
	while (scene->kind == MDG_TOPIC && mdg_channel_recv(listens, bytes, CAPACITY, NULL, 0) >= 0)
		;
	for (unsigned i = 0; i < 4; i++) {
		MUST_RC(0, mdg_channel_send(talks, bytes, CAPACITY, 0));
		MUST_RC(CAPACITY, mdg_channel_recv(listens, bytes, CAPACITY, NULL, 0));
		if (scene->kind == MDG_CALL) {
			MUST_RC(0, mdg_channel_send(listens, bytes, CAPACITY, 0));
			MUST_RC(CAPACITY, mdg_channel_recv(talks, bytes, CAPACITY, NULL, 0));
		}
	}
	mdg_channel_close(talks);
	mdg_channel_close(listens);
	mdg_channel_close(looks);
	points_remove();
}

/* ---- the books -------------------------------------------------------------------------- */

static void check_number(uint32_t number, bool each_to_one)
{
	uint32_t got = atomic_load(&books->got[number]);
	uint32_t marked = atomic_load(&books->marked[number]);
	uint32_t peeked = atomic_load(&books->peeked);
	uint32_t doubt = peeked + atomic_load(&books->taking) + atomic_load(&books->receiving);
	uint32_t least = 1, marks_least = 0, marks_most = 0;
	if (number >= atomic_load(&books->sent))
		least = 0;
	if (each_to_one && number < atomic_load(&books->released)) {
		MUST(got == 0);
		return;
	}
	if (each_to_one && number < peeked) {
		marks_least = 1;
		marks_most = 1;
		if (number < atomic_load(&books->releasing))
			least = 0;
	} else if (each_to_one && number < doubt) {
		marks_most = 1;
		if (atomic_load(&books->receiving) != 0)
			least = 0;
	}
	if (atomic_load(&books->never[number]) != 0 || scene->gone)
		least = 0;
	uint32_t most = atomic_load(&books->never[number]) != 0 ? 0 : 1;
	if (got < least && scene->full == MDG_FULL_OVERWRITE && atomic_load(&books->missed) > 0)
		return; /* it was told */
	if (got < least || got > most)
		complain("message %u was received %u times, not %u to %u", number, got, least,
		         most);
	else if (got != 0 && (marked < marks_least || marked > marks_most))
		complain("message %u was marked %u times", number, marked);
}

static void check_books(void)
{
	bool each_to_one = scene->kind != MDG_TOPIC;
	uint32_t trying = atomic_load(&books->trying);
	MUST(trying < END);
	check_relay();
	for (uint32_t number = 0; number < trying; number++)
		check_number(number, each_to_one);
	for (uint32_t number = trying; number < END; number++)
		MUST(atomic_load(&books->got[number]) == 0);
	bool all = scene->full != MDG_FULL_OVERWRITE;
	for (uint32_t number = END; number < NUMBERS; number++)
		MUST(atomic_load(&books->got[number]) == 1 || !all);
	MUST(all ? atomic_load(&books->missed) == 0 : true);
}

/* ---- one play --------------------------------------------------------------------------- */

static void run_child(void (*f)(void *))
{
	if (ended(start(f, NULL)) != 0)
		complain("a process that lives does not come to its end");
}

/* Up to this point; false: the operation ended before. */
static bool play(unsigned point, unsigned *points)
{
	struct victim victim = { .pid = 0 };
	memset(books, 0, sizeof *books);
	run_child(arrange);
	if (scene->dying != NULL && scene->kind != MDG_CALL)
		(void)ended(start(die_of, NULL));
	pid_t sleeper = 0;
	if (scene->sleeper != NULL) {
		sleeper = start(sleeper_of, NULL);
		if (!falls_asleep(sleeper, &books->asleep))
			complain("the sleeper does not fall asleep");
	}
	if (scene->dying != NULL && scene->kind == MDG_CALL) /* of what it was asked */
		(void)ended(start(die_of, NULL));
	if (!victim_start(&victim, books->path, victim_of, NULL)) {
		complain("the victim does not come to its beginning");
		return false;
	}
	enum victim_event event = VICTIM_POINT;
	while (event == VICTIM_POINT && victim_points(&victim) < point)
		event = victim_next(&victim);
	*points = victim_points(&victim);
	if (event == VICTIM_DIED)
		complain("it dies of itself");
	victim_kill(&victim);
	run_child(after);
	if (sleeper > 0 && !ended_well(sleeper))
		complain("the sleeper does not come to its end");
	if (scene->kind == MDG_CALL)
		check_call(event == VICTIM_ENDED);
	else
		check_books();
	run_child(all_is_well);
	return event == VICTIM_POINT;
}

static unsigned first_point, every = SLOWLY ? 4 : 1;

/* `number`: which points are left out differs from scene to scene. */
static void run(const char *name, unsigned number)
{
	unsigned plays = 0, points = 0, most = 0;
	bool more = true;
	for (unsigned point = first_point + number % every; more && point < POINTS_MOST;
	     point += every, plays++) {
		snprintf(desk->context, sizeof desk->context, "%s: killed at point %u", name,
		         point);
		more = play(point, &points) && atomic_load(&desk->complaints) == 0;
		most = points > most ? points : most;
	}
	if (most < scene->least && atomic_load(&desk->complaints) == 0)
		complain("%u points cannot be all of them", most);
	printf("%-32s %3u points, %3u deaths%s\n", name, most, plays,
	       atomic_load(&desk->complaints) != 0 ? "; FAILED" : "");
	fflush(stdout);
	CHECK(atomic_load(&desk->complaints) == 0);
	if (atomic_exchange(&desk->complaints, 0) != 0) { /* whatever is left of it */
		mdg_id id;
		if (mdg_segment_open(ns, "points", 0, 0, &id) == 0)
			(void)mdg_segment_remove(ns, id);
	}
}

/* Without names all are. */
static bool is_named(const char *name, int argc, char **argv)
{
	bool any = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--from") == 0 || strcmp(argv[i], "--every") == 0) {
			i++;
		} else if (argv[i][0] != '-') {
			any = true;
			if (strncmp(argv[i], name, strlen(argv[i])) == 0)
				return true;
		}
	}
	return !any;
}

typedef void visit(const char *name, unsigned number);

static void take_scene(const struct family *family, const struct scene *one)
{
	static struct scene played;
	played = *one;
	played.kind = family->kind;
	played.full = family->full;
	if (played.sleeper == NULL)
		played.sleeper = family->sleeper;
	scene = &played;
}

static void for_all_scenes(int argc, char **argv, visit *f)
{
	unsigned number = 0;
	for (const struct family *family = families; family->name != NULL; family++)
		for (const struct scene *const *list = lists; *list != NULL; list++)
			for (const struct scene *one = *list; one->name != NULL; one++) {
				char name[64];
				snprintf(name, sizeof name, "%s-%s", family->name, one->name);
				if ((one->families & family->bit) != 0 &&
				    is_named(name, argc, argv)) {
					take_scene(family, one);
					f(name, number++);
				}
			}
}

/* Every WORKERSth scene, in a namespace of its own: for the most part they wait. */
static unsigned worker;

static void work_on(const char *name, unsigned number)
{
	if (number % WORKERS == worker)
		run(name, number);
}

static int work(int argc, char **argv)
{
	char name[16], path[UNIT_PATH];
	snprintf(name, sizeof name, "points-%u", worker);
	setenv("MADANG_NAMESPACE", unit_path(path, name), 1);
	books = shared_memory(sizeof *books);
	desk = shared_memory(sizeof *desk);
	victim_init();
	open_namespace();
	/* Children inherit that this process takes part in barriers (membarrier(2)); for a victim,
	 * whose memory is shared with its helper, to register takes 10 ms. */
	mdg_channel_close(enter("points", MDG_OBSERVER, 0, 0));
	points_remove();
	for_all_scenes(argc, argv, work_on);
	CHECK(unit_is_sound(ns));
	return test_result();
}

static void print_name(const char *name, unsigned number)
{
	(void)number;
	printf("%s\n", name);
}

int main(int argc, char **argv)
{
	const char *reason = NULL;
	pid_t workers[WORKERS];
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0) {
			for_all_scenes(0, NULL, print_name);
			return 0;
		}
		if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			first_point = (unsigned)strtoul(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--every") == 0 && i + 1 < argc)
			every = (unsigned)strtoul(argv[i + 1], NULL, 10);
	}
	if (!victim_possible(&reason))
		SKIP("no process can be taken store by store here: %s", reason);
	fflush(NULL);
	for (worker = 0; worker < WORKERS; worker++) {
		workers[worker] = fork();
		if (workers[worker] == 0)
			exit(work(argc, argv));
	}
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(ended_well(workers[i]));
	return test_result();
}

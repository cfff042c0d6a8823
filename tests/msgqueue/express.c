/* SPDX-License-Identifier: MIT */
/*
 * express.c - a call that sends or receives without the lock is killed, stopped, and interrupted by
 * a signal handler, at every store.
 *
 *     express [--all] [SCENE...]
 *
 * A victim is taken through a call instruction by instruction (tests/sync/points/step.h). Each
 * scene is played for each place at which shared memory differs, and in three ways:
 *   - the victim is killed there;
 *   - a handler runs there, which sends to the same queue and receives;
 *   - a handler runs there, and leaves the call by siglongjmp.
 * While the victim stands there without the lock, others go on as if it were not there. After that
 * the message was sent or not, taken or not, and never both; and no two messages have the same
 * cells, also after a repair.
 *
 * Without --all, every seventh point is played, each way at others, and others in each minute.
 */
#include <setjmp.h>

#include "msgqueue/layout.h"
#include "msgqueue/queue.h"
#include "sync/points/step.h"

#if HANDLERS_LATE
#define HANDLERS_COME 0
#else
#define HANDLERS_COME 1
#endif

enum { WATCHED = 32768, POINTS_MOST = 3000, TEXTS = 24 };
static unsigned stride = 7 * POINT_STRIDE;
enum way { KILLED, HANDLED, LEFT, WAYS };
static const char *const ways[] = { "killed", "interrupted", "left" };

static struct world *world;
static const char *scene_name;
static unsigned point;
static enum way way;

#define HOLDS(expression)                                                                          \
	do {                                                                                       \
		if (!CHECK(expression))                                                            \
			fprintf(stderr, "    %s, %s at point %u\n", scene_name, ways[way], point); \
	} while (0)

/* ---- the queue is whole ---------------------------------------------------------------------- */

static char texts[TEXTS][3000];

static void fill_and_drain(void)
{
	for (uint32_t i = 0; i < TEXTS; i++) {
		memset(texts[i], (int)(i + 1), sizeof(texts[i]));
		HOLDS(snd_bytes(world, 100 + i, texts[i], 1 + i * 123, 0) == 0);
	}
	for (uint32_t i = 0; i < TEXTS; i++) {
		const struct got *got = rcv(world, 100 + i, 0);
		HOLDS(got->rc == 0 && got->length == 1 + i * 123 &&
		      memcmp(got->text, texts[i], (size_t)got->length) == 0);
	}
}

static void die_with_lock(void *none)
{
	(void)none;
	struct mdg__queue_head *head = (struct mdg__queue_head *)(void *)world->memory;
	(void)mdg__owned_take(&head->lock, MDG_FOREVER);
	die();
}

static void check_whole(void)
{
	fill_and_drain();
	ended(start(die_with_lock, NULL));
	fill_and_drain();
}

/* Takes everything out, as the first letters one behind the other. Figures and list agree. */
static const char *drained(void)
{
	static char all[200];
	struct mdg__queue_figures figures = look(world);
	uint64_t count = 0, bytes = 0;
	for (const struct got *got; (got = rcv(world, 0, 0))->rc == 0; count++) {
		bytes += got->length;
		all[count % 100] = got->text[0];
	}
	all[count % 100] = 0;
	HOLDS(figures.qnum == count && figures.cbytes == bytes && figures.claims == 0);
	HOLDS(holds(world, 0, 0));
	return all;
}

/* ---- the victim ------------------------------------------------------------------------------ */

static sigjmp_buf way_out;
static volatile sig_atomic_t was_handled; /* so nobody steps this process any more */

static void use_in_handler(int number)
{
	int64_t type;
	uint64_t length;
	char text[8];
	struct mdg__queue queue = queue_of(world);
	(void)number;
	was_handled = 1;
	CHECK(mdg__queue_send(&queue, 99, "h", 1, 0) == 0);
	CHECK(mdg__queue_receive(&queue, 99, 0, text, 8, 0, &type, &length) == 0 && length == 1);
	if (way == LEFT)
		siglongjmp(way_out, 1);
}

/* A pair of calls that change nothing. */
static void use_once(void *none)
{
	(void)none;
	CHECK(snd(world, 1000, "use", 0) == 0 && rcv(world, 1000, 0)->rc == 0);
}

/* So often that the thread has a slip, or has none yet. Then somebody else's stamps are there. */
static void use_before(int times)
{
	struct world *other = world_make(10);
	sigset_t children; /* who steps this process is not to hear of them */
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	CHECK(snd(other, 1, "x", 0) == 0 && rcv(other, 0, 0)->rc == 0);
	world_drop(other);
	for (int i = 0; i < times; i++)
		use_once(NULL);
	CHECK(ended_well(start(use_once, NULL)));
}

static uint32_t used_before, send_size, send_before;

static void drain_the_first(void *none)
{
	(void)none;
	for (uint32_t i = 0; i < send_before; i++)
		CHECK(rcv(world, 6, 0)->rc == 0);
	use_once(NULL);
}

/* Until the slip has no cells left. */
static void use_up(void)
{
	for (uint32_t i = 0; i < send_before; i++)
		CHECK(snd(world, 6, "", 0) == 0);
	CHECK(ended_well(start(drain_the_first, NULL)));
}
static char long_text[2000];

static void after_the_call(bool left)
{
	if (was_handled == 0)
		step_ends();
	if (left) /* it gets a new slip */
		for (int i = 0; i < 4; i++)
			use_once(NULL);
	atomic_store(&world->said[1], left ? 2 : 1);
}

static void send_one(void *none)
{
	(void)none;
	struct sigaction action = { .sa_handler = use_in_handler };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	use_before((int)used_before);
	use_up();
	bool left = sigsetjmp(way_out, 1) != 0;
	if (!left) {
		step_begins();
		CHECK(snd_bytes(world, 5, long_text, send_size, FAR) == 0);
	}
	after_the_call(left);
}

static uint32_t receive_before;

static void receive_one(void *none)
{
	(void)none;
	struct sigaction action = { .sa_handler = use_in_handler };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	use_before((int)used_before);
	for (uint32_t i = 0; i < receive_before; i++)
		CHECK(rcv(world, 0, 0)->rc == 0);
	if (receive_before != 0)
		CHECK(ended_well(start(use_once, NULL)));
	bool left = sigsetjmp(way_out, 1) != 0;
	if (!left) {
		step_begins();
		const struct got *got = rcv(world, 0, FAR);
		CHECK(got->rc == 0 && got->text[0] == 'a');
	}
	after_the_call(left);
}

/* ---- the scenes ------------------------------------------------------------------------------ */

static void set_up_three(void)
{
	HOLDS(snd(world, 1, "a", 0) == 0 && snd(world, 2, "b", 0) == 0 &&
	      snd(world, 3, "c", 0) == 0);
}

/* The spare cells of the victim become too many. */
static void set_up_many(void)
{
	static char text[1000];
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 1 << 20);
	for (uint32_t i = 0; i < receive_before; i++)
		HOLDS(snd_bytes(world, 1, text, sizeof(text), 0) == 0);
	memset(text, 'a', sizeof(text));
	HOLDS(snd_bytes(world, 1, text, sizeof(text), 0) == 0);
	HOLDS(snd(world, 2, "b", 0) == 0 && snd(world, 3, "c", 0) == 0);
	memset(text, 0, sizeof(text));
}

static const struct scene {
	const char *name;
	void (*set_up)(void);
	void (*body)(void *);
	uint32_t used_before, size, before;
	bool by_lock;
	const char *without, *with;
} scenes[] = {
	{ "send.empty", NULL, send_one, 3, 6, 0, false, "", "v" },
	{ "send.three", set_up_three, send_one, 3, 6, 0, false, "abc", "abcv" },
	{ "send.long", set_up_three, send_one, 3, 600, 0, false, "abc", "abcv" },
	{ "send.refill", set_up_three, send_one, 3, 6, 63, true, "abc", "abcv" },
	{ "send.first", set_up_three, send_one, 0, 6, 0, true, "abc", "abcv" },
	{ "send.second", set_up_three, send_one, 1, 6, 0, true, "abc", "abcv" },
	{ "receive.three", set_up_three, receive_one, 3, 0, 0, false, "abc", "bc" },
	{ "receive.second", set_up_three, receive_one, 1, 0, 0, true, "abc", "bc" },
	{ "receive.trim", set_up_many, receive_one, 3, 0, 30, true, "abc", "bc" },
};

/* Somebody else uses the queue. */
static void others_go_on(void)
{
	HOLDS(snd(world, 50, "o", 0) == 0);
	HOLDS(rcv_is(world, 50, 0, 50, "o"));
}

/* Goes to the point. Returns whether the victim had ended before. */
static bool go_to(struct step *step)
{
	enum step_event event = STEP_POINT;
	for (unsigned i = 0; i <= point && event == STEP_POINT; i++)
		event = step_next(step);
	HOLDS(event == STEP_POINT || event == STEP_ENDED);
	return event == STEP_ENDED;
}

static void judge(const struct scene *scene, pid_t victim, bool ended)
{
	bool sends = scene->body == send_one;
	struct mdg__queue_figures figures = look(world);
	bool done = (sends ? figures.lspid : figures.lrpid) == victim;
	const char *left = drained();
	if (way == HANDLED || ended)
		HOLDS(strcmp(left, scene->with) == 0);
	else if (way == KILLED && scene->by_lock)
		HOLDS(strcmp(left, done ? scene->with : scene->without) == 0);
	else
		HOLDS(strcmp(left, scene->with) == 0 || strcmp(left, scene->without) == 0);
	check_whole();
}

/* At its last point it is about to stop by itself. */
static bool goes_on_to_its_end(pid_t pid)
{
	int status = 0;
	uint64_t end = GRACE;
	do {
		kill(pid, SIGCONT);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status == 0;
		pause_us(50);
	} while (now_ns() < end);
	killed(pid);
	return false;
}

static bool play_at(const struct scene *scene)
{
	struct step step;
	world = world_make(65536);
	used_before = scene->used_before;
	send_size = scene->size;
	send_before = receive_before = scene->before;
	if (scene->set_up != NULL)
		scene->set_up();
	if (!step_start(&step, world->memory, WATCHED, scene->body, NULL)) {
		HOLDS(false); /* it cannot be started */
		return true;
	}
	pid_t victim = step.pid;
	bool ended = go_to(&step);
	if (!scene->by_lock)
		others_go_on();
	if (way == KILLED || ended) {
		step_kill(&step);
	} else {
		kill(victim, SIGUSR1);
		step_pause(&step);
		HOLDS(goes_on_to_its_end(victim));
		HOLDS(atomic_load(&world->said[1]) != 0);
	}
	judge(scene, victim, ended);
	world_drop(world);
	return ended;
}

static void play(const struct scene *scene)
{
	bool ended = false;
	scene_name = scene->name;
	for (point = ((unsigned)(time(NULL) / 60) + way) % stride;
	     !ended && point < POINTS_MOST && check_failures < 10; point += stride)
		ended = play_at(scene);
	printf("%-16s %-12s %u points\n", scene->name, ways[way], point);
	CHECK(ended || check_failures != 0);
}

int main(int argc, char **argv)
{
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	memset(long_text, 'v', sizeof(long_text));
	if (wants_all_points(&argc, &argv))
		stride = 1;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		bool named = argc < 2;
		for (int k = 1; k < argc; k++)
			named = named || strncmp(scenes[i].name, argv[k], strlen(argv[k])) == 0;
		for (way = KILLED; named && way < (HANDLERS_COME ? WAYS : HANDLED); way++)
			play(&scenes[i]);
		fflush(stdout);
	}
	return test_result();
}

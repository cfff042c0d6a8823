/* SPDX-License-Identifier: MIT */
/*
 * points.c - death at every store of every operation on a queue.
 *
 *     points [--all] [SCENE...]
 *
 * A victim is taken through an operation instruction by instruction (tests/sync/points/step.h).
 * Each scene is played once for each place at which shared memory differs, or the robust list does,
 * or a system call begins or ends. There the victim is killed. Then the scene asks:
 *   - the message was sent or not, taken or not, and never both;
 *   - the figures and the stamps agree with what is in the queue;
 *   - those who sleep get what there is to get, without anybody's help.
 * Without --all, every sixth point is played, and others in each minute. A scene may be
 * sparse, and is then played at fewer points still.
 */
#include "msgqueue/queue.h"
#include "sync/points/step.h"

enum { WATCHED = 20480, POINTS_MOST = 3000 };

static struct world *world;
static struct step step;
static pid_t victim, others[3];
static const char *scene_name;
static unsigned point, stride = 6 * POINT_STRIDE;

#define HOLDS(expression)                                                                          \
	do {                                                                                       \
		if (!CHECK(expression))                                                            \
			fprintf(stderr, "    %s, killed at point %u\n", scene_name, point);        \
	} while (0)

/* ---- what the scenes share ------------------------------------------------------------------- */

/* Takes everything out of the queue, as the texts one behind the other. Figures and list agree. */
static const char *drained(void)
{
	static char all[8192];
	struct mdg__queue_figures figures = look(world);
	uint64_t count = 0, bytes = 0;
	all[0] = 0;
	for (const struct got *got; (got = rcv(world, 0, 0))->rc == 0; count++) {
		bytes += got->length;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%.20s ", got->text);
	}
	HOLDS(figures.qnum == count && figures.cbytes == bytes && figures.claims == 0);
	HOLDS(holds(world, 0, 0));
	return all;
}

/* It has all the time that it needs to run. Asleep all the time, it has not been woken. */
static bool ends_soon(pid_t pid, int *ret_status)
{
	int asleep = 0;
	for (int i = 0; i < 10000 && asleep < 100; i++) {
		if (waitpid(pid, ret_status, WNOHANG) == pid)
			return true;
		asleep = is_asleep(pid) ? asleep + 1 : 0;
		nap_ms(1);
	}
	return false;
}

/* A child that receives anything, and says in world->said[at] the first letter, or its error. */
static void receive_and_say(void *argument)
{
	uint32_t at = *(const uint32_t *)argument;
	const struct got *got = rcv_into(world, 0, 0, at == 2 ? 2 : 5000, FAR);
	atomic_store(&world->said[at], got->rc == 0 ? (uint32_t)got->text[0] : (uint32_t)got->rc);
}

static pid_t start_receiver(uint32_t at, uint32_t count)
{
	pid_t pid = start(receive_and_say, &at);
	HOLDS(sleeps_in(world, count, pid));
	return pid;
}

static void use_the_thread(void)
{
	struct world *other = world_make(10);
	CHECK(snd(other, 1, "x", 0) == 0 && rcv(other, 0, 0)->rc == 0);
	CHECK(rcv(other, 0, 1)->rc == -ETIMEDOUT);
}

/* ---- sending --------------------------------------------------------------------------------- */

static char long_text[540];

static void send_short(void *none)
{
	(void)none;
	use_the_thread();
	step_begins();
	CHECK(snd(world, 5, "victim", FAR) == 0);
	step_ends();
}

static void send_long(void *none)
{
	(void)none;
	use_the_thread();
	step_begins();
	CHECK(snd(world, 5, long_text, FAR) == 0);
	step_ends();
}

static void set_up_three(void)
{
	HOLDS(snd(world, 1, "a", 0) == 0 && snd(world, 2, "b", 0) == 0 &&
	      snd(world, 3, "c", 0) == 0);
}

static void judge_send(bool ended, const char *without, const char *with)
{
	struct mdg__queue_figures figures = look(world);
	bool sent = figures.lspid == victim;
	HOLDS(!ended || sent);
	HOLDS(strcmp(drained(), sent ? with : without) == 0);
}

static void judge_send_empty(bool ended)
{
	judge_send(ended, "", "victim ");
}

static void judge_send_three(bool ended)
{
	judge_send(ended, "a b c ", "a b c vvvvvvvvvvvvvvvvvvvv ");
}

/* ---- receiving ------------------------------------------------------------------------------- */

static int64_t wanted;

static void receive_one(void *none)
{
	(void)none;
	use_the_thread();
	step_begins();
	CHECK(rcv(world, wanted, FAR)->rc == 0);
	step_ends();
}

static void set_up_first(void)
{
	set_up_three();
	wanted = 0;
}

static void set_up_middle(void)
{
	set_up_three();
	wanted = 2;
}

static void set_up_last(void)
{
	set_up_three();
	wanted = 3;
}

static void judge_receive(bool ended)
{
	static const char *const left[] = { "b c ", "", "a c ", "a b " };
	bool taken = look(world).lrpid == victim;
	HOLDS(!ended || taken);
	HOLDS(strcmp(drained(), taken ? left[wanted] : "a b c ") == 0);
}

/* ---- handing over ---------------------------------------------------------------------------- */

static void set_up_receiver(void)
{
	others[0] = start_receiver(0, 1);
}

/* Whoever sleeps gets the message if it was sent; and if not, sleeps on and gets the next. */
static void judge_hand_over(bool ended)
{
	int status = 0;
	bool through = ends_soon(others[0], &status);
	HOLDS(!ended || through);
	if (!through) {
		HOLDS(look(world).lspid != victim);
		HOLDS(snd(world, 1, "z", 0) == 0 && ended_well(others[0]));
	}
	HOLDS(atomic_load(&world->said[0]) == (through ? 'v' : 'z'));
	HOLDS(strcmp(drained(), "") == 0);
}

/* The sender was killed when the message was in the queue, and not handed over. Then all look, and
 * the third one was the first to do so. */
static void judge_overtaken(void)
{
	HOLDS(ended_well(others[1]) && atomic_load(&world->said[1]) == 'v');
	HOLDS(snd(world, 1, "zzz", 0) == 0 && ended_well(others[0]));
	HOLDS(atomic_load(&world->said[0]) == 'z');
	HOLDS(ended_well(others[2]) && atomic_load(&world->said[2]) == (uint32_t)-E2BIG);
	HOLDS(strcmp(drained(), "") == 0);
}

/* The first one's buffer is too small, the second takes it, the third sleeps on. */
static void set_up_line(void)
{
	others[2] = start_receiver(2, 1);
	others[0] = start_receiver(0, 2);
	others[1] = start_receiver(1, 3);
}

static void judge_line(bool ended)
{
	int status = 0;
	bool through = ends_soon(others[0], &status);
	HOLDS(!ended || through);
	if (!through && look(world).lspid == victim) {
		judge_overtaken();
		return;
	}
	if (!through) {
		for (int i = 0; i < 3; i++) /* a repair has called them: they line up again */
			HOLDS(sleeps_in(world, 3, others[i]));
		HOLDS(snd(world, 1, "zzz", 0) == 0 && ended_well(others[0]));
	}
	HOLDS(atomic_load(&world->said[0]) == (through ? 'v' : 'z'));
	HOLDS(ended_well(others[2]) && atomic_load(&world->said[2]) == (uint32_t)-E2BIG);
	HOLDS(sleeps_in(world, 1, others[1]));
	HOLDS(snd(world, 1, "y", 0) == 0 && ended_well(others[1]));
	HOLDS(atomic_load(&world->said[1]) == 'y');
	HOLDS(strcmp(drained(), "") == 0);
}

/* The victim itself is the receiver to whom it is handed over. */
static void set_up_own(void)
{
	wanted = 0;
}

static void send_to_victim(void)
{
	HOLDS(snd(world, 1, "m", 0) == 0 && snd(world, 2, "n", 0) == 0);
}

static bool was_woken;

static void judge_own(bool ended)
{
	if (!was_woken) /* it was killed on its way to sleep */
		send_to_victim();
	const char *left = drained();
	if (ended)
		HOLDS(strcmp(left, "n ") == 0);
	else if (!was_woken)
		HOLDS(strcmp(left, "m n ") == 0);
	else
		HOLDS(strcmp(left, "m n ") == 0 || strcmp(left, "n ") == 0);
}

/* ---- room ------------------------------------------------------------------------------------ */

static void send_and_end(void *argument)
{
	const char *text = argument;
	CHECK(snd(world, 9, text, FAR) == 0);
}

static char of_sender[2][4] = { "s", "t" };

static void set_up_senders(void)
{
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 3);
	set_up_three();
	wanted = 2;
	others[0] = start(send_and_end, of_sender[0]);
	HOLDS(sleeps_in(world, 1, others[0]));
	others[1] = start(send_and_end, of_sender[1]);
	HOLDS(sleeps_in(world, 2, others[1]));
}

/* If the victim took the message, one of the senders goes in without help. */
static void judge_room(bool ended)
{
	int status = 0;
	nap_ms(1);
	bool first = ends_soon(others[0], &status),
	     second = !first && ends_soon(others[1], &status);
	bool taken = look(world).lrpid == victim;
	HOLDS(!ended || taken);
	HOLDS(taken == (first || second));
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 100);
	struct mdg__queue queue = queue_of(world);
	HOLDS(mdg__queue_changed(&queue) == 0);
	HOLDS((first || ended_well(others[0])) && (second || ended_well(others[1])));
	const char *left = drained();
	HOLDS(strlen(left) == (taken ? 8 : 10));
	HOLDS(strncmp(left, taken ? "a c " : "a b c ", taken ? 4 : 6) == 0);
	HOLDS(strstr(left, "s ") != NULL && strstr(left, "t ") != NULL);
}

/* The victim sleeps for room. */
static void set_up_no_room(void)
{
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 6);
	HOLDS(snd(world, 1, "abcdef", 0) == 0);
}

static void make_room(void)
{
	others[0] = start(send_and_end, of_sender[0]);
	HOLDS(sleeps_in(world, 2, others[0]));
	HOLDS(rcv_is(world, 1, 0, 1, "abcdef"));
}

static void judge_no_room(bool ended)
{
	if (!was_woken) {
		HOLDS(strcmp(drained(), "abcdef ") == 0);
		return;
	}
	int status = 0;
	bool sent = look(world).lspid == victim;
	HOLDS(!ended || sent);
	if (sent)
		HOLDS(rcv_is(world, 5, 0, 5, "victim"));
	HOLDS(ends_soon(others[0], &status)); /* it fits: nobody helps it */
	const char *left = drained();
	HOLDS(strcmp(left, "s ") == 0);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void remove_it(void *none)
{
	(void)none;
	struct mdg__queue queue = queue_of(world);
	use_the_thread();
	step_begins();
	CHECK(mdg__queue_remove(&queue) == 0);
	step_ends();
}

static void set_up_sleepers(void)
{
	others[0] = start_receiver(0, 1);
	others[1] = start_receiver(1, 2);
}

static void judge_remove(bool ended)
{
	struct mdg__queue queue = queue_of(world);
	bool removed = mdg__queue_is_removed(&queue);
	HOLDS(!ended || removed);
	if (!removed) {
		HOLDS(sleeps_in(world, 2, others[0]));
		HOLDS(mdg__queue_remove(&queue) == 0);
	}
	HOLDS(ended_well(others[0]) && ended_well(others[1]));
	HOLDS(atomic_load(&world->said[0]) == (uint32_t)-EIDRM);
	HOLDS(atomic_load(&world->said[1]) == (uint32_t)-EIDRM);
}

static void look_at_it(void *none)
{
	(void)none;
	use_the_thread();
	step_begins();
	(void)look(world);
	step_ends();
}

/* Somebody has died with the lock, in the middle of sending. */
static void set_up_died(void)
{
	struct step first;
	set_up_three();
	HOLDS(step_start(&first, world->memory, WATCHED, send_long, NULL));
	for (int i = 0; i < 40; i++)
		(void)step_next(&first);
	victim = first.pid;
	step_kill(&first);
}

static void judge_died(bool ended)
{
	(void)ended;
	const char *left = drained();
	HOLDS(strcmp(left, "a b c ") == 0 || strcmp(left, "a b c vvvvvvvvvvvvvvvvvvvv ") == 0);
}

/* The queue was large, and gives its memory back with its last message. */
static void set_up_large(void)
{
	static char text[8192];
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 1 << 20);
	wanted = 0;
	for (int i = 0; i < 20; i++)
		HOLDS(snd_bytes(world, 1, text, sizeof(text), 0) == 0);
	HOLDS(snd(world, 2, "last", 0) == 0);
	for (int i = 0; i < 20; i++)
		HOLDS(rcv(world, 1, 0)->rc == 0);
}

static void judge_large(bool ended)
{
	bool taken = look(world).lrpid == victim;
	HOLDS(!ended || taken);
	HOLDS(strcmp(drained(), taken ? "" : "last ") == 0);
	wanted = 0;
	set_up_large();
	HOLDS(strcmp(drained(), "last ") == 0);
}

/* There is no memory for the message yet. */
static void set_up_small(void)
{
	static char text[8192];
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 1 << 20);
	HOLDS(snd_bytes(world, 1, text, 8192, 0) == 0 && snd_bytes(world, 1, text, 7700, 0) == 0);
}

static void judge_small(bool ended)
{
	struct mdg__queue_figures figures = look(world);
	bool sent = figures.lspid == victim;
	HOLDS(!ended || sent);
	HOLDS(figures.qnum == (sent ? 3 : 2));
	HOLDS(rcv(world, 0, 0)->rc == 0 && rcv(world, 0, 0)->rc == 0);
	HOLDS(strcmp(drained(), sent ? "vvvvvvvvvvvvvvvvvvvv " : "") == 0);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct scene {
	const char *name;
	void (*set_up)(void);
	void (*body)(void *);
	void (*wake)(void); /* when the victim has fallen asleep */
	void (*judge)(bool ended);
	unsigned sparse; /* points are played at so many times the distance; 0: at the usual one */
} scenes[] = {
	{ "send.empty", NULL, send_short, NULL, judge_send_empty, 0 },
	{ "send.long", set_up_three, send_long, NULL, judge_send_three, 0 },
	{ "receive.first", set_up_first, receive_one, NULL, judge_receive, 0 },
	{ "receive.middle", set_up_middle, receive_one, NULL, judge_receive, 0 },
	{ "receive.last", set_up_last, receive_one, NULL, judge_receive, 0 },
	{ "hand.one", set_up_receiver, send_short, NULL, judge_hand_over, 0 },
	{ "hand.line", set_up_line, send_short, NULL, judge_line, 0 },
	{ "receive.asleep", set_up_own, receive_one, send_to_victim, judge_own, 0 },
	{ "room.two", set_up_senders, receive_one, NULL, judge_room, 0 },
	{ "send.asleep", set_up_no_room, send_short, make_room, judge_no_room, 0 },
	/* It goes through thousands of cells, an instruction at a time. */
	{ "receive.gives-back", set_up_large, receive_one, NULL, judge_large, 64 },
	{ "send.grows", set_up_small, send_long, NULL, judge_small, 0 },
	{ "remove", set_up_sleepers, remove_it, NULL, judge_remove, 0 },
	{ "repair", set_up_died, look_at_it, NULL, judge_died, 0 },
};

/* In so many plays, one after the other, somebody else was faster, and the victim has fallen asleep
 * again before the point. */
static unsigned stays_asleep;
enum { ENOUGH = 5 };

/* Goes to the point, and kills. Returns whether the victim had ended before. */
static bool kill_at(const struct scene *scene)
{
	enum step_event event = STEP_POINT;
	was_woken = false;
	for (unsigned i = 0; i <= point && event == STEP_POINT; i++) {
		event = step_next(&step);
		if (event == STEP_ASLEEP && scene->wake != NULL && !was_woken) {
			if (i == point)
				break;
			scene->wake();
			was_woken = true;
			step_look(&step);
			event = step_next(&step);
		}
	}
	HOLDS(event == STEP_POINT || event == STEP_ENDED || event == STEP_ASLEEP);
	step_kill(&step);
	stays_asleep = event == STEP_ASLEEP && was_woken ? stays_asleep + 1 : 0;
	return event == STEP_ENDED;
}

static void play(const struct scene *scene)
{
	bool ended = false;
	unsigned distance = stride > 1 && scene->sparse != 0 ? stride * scene->sparse : stride;
	if (distance > POINTS_MOST / 8) /* instrumented code has a greater stride */
		distance = POINTS_MOST / 8;
	scene_name = scene->name;
	stays_asleep = 0;
	for (point = (unsigned)(time(NULL) / 60) % distance;
	     !ended && stays_asleep < ENOUGH && point < POINTS_MOST && check_failures < 10;
	     point += distance) {
		world = world_make(16384);
		memset(others, 0, sizeof(others));
		if (scene->set_up != NULL)
			scene->set_up();
		if (!step_start(&step, world->memory, WATCHED, scene->body, NULL)) {
			HOLDS(false); /* it cannot be started */
			return;
		}
		victim = step.pid;
		ended = kill_at(scene);
		scene->judge(ended);
		world_drop(world);
	}
	printf("%-20s %u points\n", scene->name, point);
	CHECK(ended || stays_asleep == ENOUGH || check_failures != 0);
}

int main(int argc, char **argv)
{
	const char *reason = "";
	if (!step_possible(&reason))
		SKIP("no process can be taken step by step here: %s", reason);
	memset(long_text, 'v', sizeof(long_text) - 1);
	if (wants_all_points(&argc, &argv))
		stride = 1;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		bool named = argc < 2;
		for (int k = 1; k < argc; k++)
			named = named || strncmp(scenes[i].name, argv[k], strlen(argv[k])) == 0;
		if (named)
			play(&scenes[i]);
		fflush(stdout);
	}
	return test_result();
}

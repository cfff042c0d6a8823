/* SPDX-License-Identifier: MIT */
/*
 * alone.c - what one process sees of a queue: order, types, limits, figures. No call here sleeps.
 */
#include "msgqueue/queue.h"

static void check_sending(void)
{
	struct world *world = world_make(16384);
	time_t before = time(NULL);
	CHECK(holds(world, 0, 0));
	CHECK_LINE("S6 S12", snd(world, 7, "seven", 0) == 0);
	struct mdg__queue_figures figures = look(world);
	CHECK(figures.qnum == 1 && figures.cbytes == 5 && figures.lspid == getpid());
	CHECK(figures.stime >= before - 1 && figures.stime <= time(NULL));
	CHECK_LINE("S6 S13", figures.rtime == 0 && figures.lrpid == 0);
	CHECK_LINE("S2 S04, S3 S07", snd(world, INT64_MAX, "", 0) == 0);
	CHECK(holds(world, 2, 5));
	CHECK_LINE("R1 R2 R01 R02", rcv_is(world, 0, 0, 7, "seven"));
	figures = look(world);
	CHECK_LINE("R6 R16", figures.lrpid == getpid() && figures.rtime >= before - 1);
	CHECK(rcv_is(world, 0, 0, INT64_MAX, ""));
	CHECK_LINE("R5 R13", rcv(world, 0, 0)->rc == -ENOMSG);
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

static void check_limits(void)
{
	struct world *world = world_make(10);
	CHECK_LINE("S4 S16", snd(world, 1, "12345", 0) == 0 && snd(world, 1, "12345", 0) == 0);
	CHECK_LINE("S5 S17", snd(world, 1, "1", 0) == -EAGAIN);
	CHECK_LINE("S18", holds(world, 2, 10));
	CHECK_LINE("S19", snd(world, 1, "", 0) == 0);
	CHECK(rcv_is(world, 0, 0, 1, "12345"));
	CHECK_LINE("S7 S21", snd(world, 1, "123456", 0) == -EAGAIN && snd(world, 2, "123", 0) == 0);
	world_drop(world);
	world = world_make(3);
	for (int i = 0; i < 3; i++)
		CHECK(snd(world, 1, "", 0) == 0);
	CHECK_LINE("S20", snd(world, 1, "", 0) == -EAGAIN);
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 0);
	CHECK(rcv_is(world, 0, 0, 1, "") && rcv_is(world, 0, 0, 1, "") &&
	      rcv_is(world, 0, 0, 1, ""));
	CHECK_LINE("S22", snd(world, 1, "", 0) == -EAGAIN);
	atomic_store(&world->fields[MDG__QUEUE_QBYTES], 2);
	CHECK_LINE("S23 X2", snd(world, 1, "123", 0) == -EAGAIN);
	world_drop(world);
	world = world_make(16384);
	for (int i = 0; i < 16384; i++)
		if (!CHECK(snd(world, 1 + i % 5, i % 2 == 0 ? "" : "x", 0) == 0)) /* S26 S27 */
			break;
	CHECK(snd(world, 1, "", 0) == -EAGAIN);
	CHECK(holds(world, 16384, 8192));
	while (rcv(world, 0, 0)->rc == 0)
		;
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

/* S24 R2: any bytes of any size come out as they went in. */
static void check_sizes(void)
{
	static char text[TEXT_MOST];
	struct world *world = world_make(UINT64_C(1) << 40);
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)below(&state, 256);
	for (uint32_t size = 0; size < 100000; size += size < 8300 ? 1 : 1 + below(&state, 5000)) {
		const char *from = text + below(&state, 20000);
		CHECK(snd_bytes(world, 1 + size, from, size, 0) == 0);
		if (size % 7 == 3)
			CHECK(snd_bytes(world, 1, text, size / 3, 0) == 0);
		struct got *got = rcv_into(world, 1 + size, 0, size, 0);
		if (!CHECK(got->rc == 0 && got->length == size &&
		           memcmp(got->text, from, size) == 0))
			break;
		if (size % 14 == 3)
			CHECK(rcv(world, 1, 0)->rc == 0);
	}
	while (rcv(world, 0, 0)->rc == 0)
		;
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

static void check_too_big(void)
{
	struct world *world = world_make(16384);
	struct got *got;
	CHECK(snd(world, 1, "long text", 0) == 0 && snd(world, 2, "s", 0) == 0);
	CHECK_LINE("R4 R03 R19", rcv_into(world, 0, 0, 8, 0)->rc == -E2BIG);
	CHECK(holds(world, 2, 10) && look(world).lrpid == 0);
	CHECK_LINE("R08 R20", rcv_into(world, 1, 0, 0, 0)->rc == -E2BIG);
	got = rcv_into(world, 0, MDG__RECEIVE_CUT, 4, 0);
	CHECK_LINE("R05", got->rc == 0 && got->length == 4 && strcmp(got->text, "long") == 0);
	CHECK_LINE("R06", holds(world, 1, 1));
	got = rcv_into(world, 0, MDG__RECEIVE_CUT, 0, 0);
	CHECK_LINE("R07", got->rc == 0 && got->length == 0 && got->type == 2);
	CHECK_LINE("R15", rcv_into(world, 3, 0, 0, 0)->rc == -ENOMSG);
	CHECK(snd(world, 1, "x", 0) == 0);
	CHECK_LINE("R10", rcv_into(world, 0, 0, INT64_MAX, 0)->rc == 0);
	world_drop(world);
}

static void check_types(void)
{
	static const int64_t types[] = { 5, 3, 9, 3, 5 };
	struct world *world = world_make(16384);
	for (int i = 0; i < 5; i++) {
		char text[2] = { (char)('a' + i), 0 };
		CHECK(snd(world, types[i], text, 0) == 0);
	}
	CHECK_LINE("T05", rcv_is(world, -4, 0, 3, "b"));
	CHECK_LINE("T06", rcv(world, -2, 0)->rc == -ENOMSG);
	CHECK_LINE("T02", rcv_is(world, 5, 0, 5, "a"));
	CHECK_LINE("T08", rcv_is(world, INT64_MIN, 0, 3, "d"));
	CHECK_LINE("T14", rcv_is(world, 9, MDG__RECEIVE_EXCEPT, 5, "e"));
	CHECK(rcv(world, 9, 0)->rc == 0);
	CHECK(snd(world, INT64_MAX, "m", 0) == 0);
	CHECK(rcv(world, INT64_MAX, 0)->rc == 0 && snd(world, INT64_MAX, "m", 0) == 0);
	CHECK(rcv(world, INT64_MAX, 0)->rc == 0 && snd(world, INT64_MAX, "m", 0) == 0);
	CHECK(rcv(world, INT64_MAX, 0)->rc == 0 && snd(world, INT64_MAX, "m", 0) == 0);
	CHECK_LINE("T11", rcv_is(world, INT64_MIN, 0, INT64_MAX, "m"));
	CHECK(snd(world, 4, "x", 0) == 0);
	CHECK(rcv(world, 4, 0)->rc == 0 && snd(world, 4, "x", 0) == 0);
	CHECK(rcv(world, 4, 0)->rc == 0 && snd(world, 4, "x", 0) == 0);
	CHECK_LINE("T18", rcv_into(world, 4, MDG__RECEIVE_EXCEPT, 10, 0)->rc == -ENOMSG);
	CHECK_LINE("T16", rcv_is(world, 0, MDG__RECEIVE_EXCEPT, 4, "x"));
	CHECK(snd(world, INT64_C(1) << 31, "y", 0) == 0 &&
	      snd(world, (INT64_C(1) << 31) + 1, "z", 0) == 0);
	CHECK_LINE("T12 T17", rcv_is(world, INT32_MIN, MDG__RECEIVE_EXCEPT, INT64_C(1) << 31, "y"));
	CHECK(rcv(world, INT32_MIN, 0)->rc == -ENOMSG);
	world_drop(world);
}

/* ---- T6 T20: random sends and receives against a model ---------------------------------- */

enum { MODEL_MOST = 64 };

struct modelled {
	int64_t type;
	uint32_t size;
};

static int model_choose(const struct modelled *list, int count, int64_t wanted, unsigned flags)
{
	int best = -1;
	for (int i = 0; i < count; i++) {
		int64_t type = list[i].type;
		if (wanted == 0 ||
		    (wanted > 0 && (type == wanted) == ((flags & MDG__RECEIVE_EXCEPT) == 0)))
			return i;
		if (wanted < 0 && type <= -wanted && (best < 0 || type < list[best].type))
			best = i;
	}
	return best;
}

static void check_model(void)
{
	static struct modelled list[MODEL_MOST + 1];
	static char text[300];
	struct world *world = world_make(3000);
	uint64_t state = 4711, bytes = 0;
	int count = 0;
	memset(text, 'q', sizeof(text));
	for (int i = 0; i < 40000 && check_failures == 0; i++) {
		if (below(&state, 2) == 0 && count < MODEL_MOST) {
			struct modelled one = { 1 + below(&state, 6), below(&state, 300) };
			bool room = bytes + one.size <= 3000;
			CHECK(snd_bytes(world, one.type, text, one.size, 0) ==
			      (room ? 0 : -EAGAIN));
			if (room) {
				list[count++] = one;
				bytes += one.size;
			}
			continue;
		}
		int64_t wanted = (int64_t)below(&state, 15) - 7;
		unsigned flags = below(&state, 3) == 0 ? MDG__RECEIVE_EXCEPT : 0;
		bool copies = below(&state, 8) == 0;
		int at = copies ? (wanted < 0 || wanted >= count ? -1 : (int)wanted)
		                : model_choose(list, count, wanted, flags);
		const struct got *got =
			rcv_into(world, wanted, copies ? MDG__RECEIVE_COPY : flags, 300, 0);
		CHECK(got->rc == (at < 0 ? -ENOMSG : 0));
		if (at < 0)
			continue;
		CHECK(got->type == list[at].type && got->length == list[at].size);
		if (copies)
			continue;
		bytes -= list[at].size;
		count--;
		memmove(&list[at], &list[at + 1], (size_t)(count - at) * sizeof(list[0]));
		CHECK(holds(world, (uint64_t)count, bytes));
	}
	world_drop(world);
}

static void check_copying(void)
{
	struct world *world = world_make(16384);
	CHECK(snd(world, 3, "three", 0) == 0 && snd(world, 4, "four", 0) == 0);
	CHECK_LINE("Y01 Y09", rcv_is(world, 1, MDG__RECEIVE_COPY, 4, "four"));
	CHECK(rcv_is(world, 0, MDG__RECEIVE_COPY, 3, "three"));
	CHECK_LINE("Y02", holds(world, 2, 9) && look(world).lrpid == 0);
	CHECK_LINE("Y05", rcv_into(world, 2, MDG__RECEIVE_COPY, 9, 0)->rc == -ENOMSG);
	CHECK_LINE("Y06", rcv_into(world, -1, MDG__RECEIVE_COPY, 9, 0)->rc == -ENOMSG);
	CHECK_LINE("Y07", rcv_into(world, 0, MDG__RECEIVE_COPY, 4, 0)->rc == -E2BIG);
	CHECK(rcv_is(world, 0, 0, 3, "three") && rcv_is(world, 0, MDG__RECEIVE_COPY, 4, "four"));
	world_drop(world);
}

static void check_memory(void)
{
	static char text[8192];
	struct world *world = world_make(1 << 20);
	int count = 0;
	atomic_store(&world->limit, 100000);
	while (snd_bytes(world, 1, text, sizeof(text), 0) == 0)
		count++;
	CHECK(count >= 8 && count < 13);
	CHECK_LINE("X4 S61", snd_bytes(world, 1, text, sizeof(text), 0) == -ENOMEM);
	CHECK(holds(world, (uint64_t)count, (uint64_t)count * 8192));
	CHECK(rcv(world, 0, 0)->rc == 0 && snd_bytes(world, 1, text, sizeof(text), 0) == 0);
	for (int i = 0; i < count; i++)
		CHECK(rcv(world, 0, 0)->rc == 0);
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

/* An empty queue that was large gives its memory back, and gets it again when it needs it. */
static void check_giving_back(void)
{
	static char text[8192];
	struct world *world = world_make(1 << 20);
	for (uint32_t round = 1; round < 5; round++) {
		int count = 0;
		while (snd_bytes(world, 1, text, sizeof(text), 0) == 0)
			count++;
		CHECK(count == 128);
		CHECK(atomic_load(&world->holes) == round - 1);
		for (int i = 0; i < count; i++)
			CHECK(rcv(world, 0, 0)->rc == 0);
		CHECK(atomic_load(&world->holes) == round && look(world).bytes <= 65536);
		CHECK(holds(world, 0, 0));
	}
	atomic_store(&world->limit, 200000);
	while (snd_bytes(world, 1, text, sizeof(text), 0) == 0)
		;
	CHECK(snd_bytes(world, 1, text, sizeof(text), 0) == -ENOMEM && look(world).qnum > 15);
	while (rcv(world, 0, 0)->rc == 0)
		;
	CHECK(holds(world, 0, 0));
	world_drop(world);
}

static void check_removed(void)
{
	struct world *world = world_make(100);
	struct mdg__queue queue = queue_of(world);
	CHECK(snd(world, 1, "x", 0) == 0);
	CHECK(!mdg__queue_is_removed(&queue) && mdg__queue_remove(&queue) == 0);
	CHECK(mdg__queue_is_removed(&queue) && mdg__queue_remove(&queue) == 1);
	CHECK(snd(world, 1, "x", 0) == -EIDRM && rcv(world, 0, 0)->rc == -EIDRM);
	CHECK(rcv_into(world, 0, MDG__RECEIVE_COPY, 9, 0)->rc == -EIDRM);
	world_drop(world);
}

int main(void)
{
	check_sending();
	check_limits();
	check_sizes();
	check_too_big();
	check_types();
	check_model();
	check_copying();
	check_memory();
	check_giving_back();
	check_removed();
	return test_result();
}

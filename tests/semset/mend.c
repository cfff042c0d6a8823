/* SPDX-License-Identifier: MIT */
/*
 * mend.c - damage in a set with sleepers and processes with UNDO is mended, and nobody is lost:
 * everybody who slept goes on when it may, and what a process owes is given back at its end.
 */
#include "semset/mend.h"
#include "semset/set.h"
#include "semset/sound.h"

static struct mdg__semset_head *head(void)
{
	return mdg__semset_head(engine());
}

/* The n-th block of this kind. */
static void *block(uint32_t kind, unsigned n)
{
	for (uint32_t block1 = 1; block1 <= mdg__block_count(engine()); block1++) {
		void *found = mdg__block_at(engine(), block1, kind);
		if (found != NULL && n-- == 0)
			return found;
	}
	CHECK(false); /* there is no such block */
	exit(1);
}

static struct mdg__sleeper *one_asleep(unsigned n)
{
	return block(MDG__SLEEPER, n);
}
static struct mdg__set_holder *one_who_owes(void)
{
	return block(MDG__HOLDER, 0);
}
static struct mdg__sums *sums(void)
{
	return block(MDG__SUMS, 0);
}

/* ---- what is damaged --------------------------------------------------------------------- */

static void no_first(void)
{
	head()->queue.first1 = 0;
}
static void first_nowhere(void)
{
	head()->queue.first1 = 999999;
}
static void last_nowhere(void)
{
	head()->queue.last1 = 77;
}
static void circle(void)
{
	one_asleep(1)->next1 = head()->queue.first1;
}
static void cut_off(void)
{
	one_asleep(0)->next1 = 0;
}
static void backwards(void)
{
	one_asleep(2)->previous1 = 5555;
}
static void miscounted(void)
{
	head()->sleepers = 9;
	head()->lists = 0;
}
static void misnamed(void)
{
	mdg__semset_at(engine(), 0)->named = 1;
	mdg__semset_at(engine(), 1)->named = 12;
}
static void no_holders(void)
{
	head()->holders1 = 0;
}
static void holders_nowhere(void)
{
	head()->holders1 = 0x7777;
}
static void holders_circle(void)
{
	one_who_owes()->next1 = head()->holders1;
}
static void no_sums(void)
{
	one_who_owes()->sums1 = 0x12345;
}
static void sums_circle(void)
{
	for (uint32_t block1 = 1; block1 <= mdg__block_count(engine()); block1++)
		if (mdg__block_at(engine(), block1, MDG__SUMS) == sums())
			sums()->next1 = block1;
}
static void slips_nowhere(void)
{
	head()->slips1 = 0x7fffffff;
}
static void free_nowhere(void)
{
	head()->free1 = head()->queue.first1;
}
static void all_is_used(void)
{
	head()->fresh = UINT32_MAX;
}
static void little_is_used(void)
{
	head()->fresh = 1;
}
static void strange_flags(void)
{
	mdg__semset_at(engine(), 0)->word |= UINT64_C(0x5a) << 20;
}
static void half_served(void)
{
	head()->serving1 = 4321;
	head()->setting1 = 12;
}
static void everything(void)
{
	first_nowhere();
	circle();
	miscounted();
	misnamed();
	holders_nowhere();
	no_sums();
	slips_nowhere();
	all_is_used();
	strange_flags();
}

static void (*const damages[])(void) = {
	no_first,       first_nowhere,  last_nowhere,  circle,        cut_off,
	backwards,      miscounted,     misnamed,      no_holders,    holders_nowhere,
	holders_circle, no_sums,        sums_circle,   slips_nowhere, free_nowhere,
	all_is_used,    little_is_used, strange_flags, half_served,   everything,
};

/* ---- the others ------------------------------------------------------------------------------ */

/* Asleep: two at semaphore 0, and one with a list that needs a further block at semaphore 1. */
static void damage_and_mend(void (*damage)(void))
{
	fresh(3);
	pid_t owes = holder1(2, 1, UNDO);
	pid_t first = sleeper1(0, -1, 0), second = sleeper1(0, -1, 0);
	pid_t list = sleeper(OPS({ 1, -1, 0 }, { 1, -1, 0 }, { 1, -1, 0 }, { 1, -1, 0 },
	                         { 1, -1, 0 }, { 1, 1, 0 }));
	CHECK(is_sound(engine()));
	damage();
	CHECK(mdg__semset_mend(engine()) == 0);
	CHECK(is_sound(engine()));
	CHECK(ncount(0) == 2 && ncount(1) == 1 && value(2) == 1);
	CHECK(op1(0, 2, 0) == 0 && result(first) == 0 && result(second) == 0);
	CHECK(op1(1, 5, 0) == 0 && result(list) == 0 && value(1) == 1);
	CHECK(kill(owes, SIGKILL) == 0 && waitpid(owes, NULL, 0) == owes);
	CHECK(value(2) == 0 && is_sound(engine()));
}

/* Nobody knows what it waits for. */
static void unreadable(void)
{
	fresh(2);
	pid_t lost = sleeper1(0, -1, 0), other = sleeper1(1, -1, 0);
	one_asleep(0)->count = 501;
	CHECK(mdg__semset_mend(engine()) == 0 && result(lost) == -EIDRM);
	CHECK(ncount(1) == 1 && op1(1, 1, 0) == 0 && result(other) == 0);
	CHECK(value(0) == 0 && is_sound(engine()));
}

/* A value is not guessed. */
static void impossible(void)
{
	fresh(1);
	CHECK(op1(0, 3, 0) == 0);
	mdg__semset_at(engine(), 0)->word |= 0x8000;
	CHECK(mdg__semset_mend(engine()) == 0 && value(0) == 0x8003);
	CHECK(set_value(0, 3) == 0 && value(0) == 3 && is_sound(engine()));
}

int main(void)
{
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		int before = check_failures;
		damage_and_mend(damages[i]);
		if (check_failures != before)
			fprintf(stderr, "damage %zu\n", i);
	}
	unreadable();
	impossible();
	return test_result();
}

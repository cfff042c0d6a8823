/* SPDX-License-Identifier: MIT */
/*
 * draw_life.c - random births, deaths and signals, and who acts.
 */
#include "differential/draw.h"

#include <string.h>

/* ---- who --------------------------------------------------------------------------------- */

/* -1: there is none. One that is alive is probably awake. */
int other_actor(struct situation *s, bool alive)
{
	uint32_t first = below(s, ACTORS);
	int any = -1;
	for (uint32_t i = 0; i < ACTORS; i++) {
		int actor = (int)((first + i) % ACTORS);
		if (s->alive[actor] != alive || actor == s->actor)
			continue;
		if (!alive || s->asleep[actor] == 0)
			return actor;
		any = actor;
	}
	return any;
}

int some_sleeper(struct situation *s)
{
	uint32_t first = below(s, ACTORS);
	for (uint32_t i = 0; i < ACTORS; i++)
		if (s->alive[(first + i) % ACTORS] && s->asleep[(first + i) % ACTORS] != 0)
			return (int)((first + i) % ACTORS);
	return -1;
}

static uint32_t living(const struct situation *s)
{
	uint32_t count = 0;
	for (int i = 0; i < ACTORS; i++)
		count += s->alive[i];
	return count;
}

/* ---- life --------------------------------------------------------------------------------- */

static void forget_memory(struct situation *s, int actor)
{
	s->asleep[actor] = 0;
	memset(s->start[actor], 0, sizeof(s->start[actor]));
	memset(s->place[actor], 0, sizeof(s->place[actor]));
}

static void draw_birth(struct situation *s)
{
	int child = other_actor(s, false);
	if (child < 0 || living(s) >= ACTORS)
		return;
	s->alive[child] = true;
	forget_memory(s, child);
	if (chance(s, 75)) {
		step(s, OP_FORK, child, 0, 0, 0);
		memcpy(s->start[child], s->start[s->actor], sizeof(s->start[child]));
		memcpy(s->place[child], s->place[s->actor], sizeof(s->place[child]));
	} else if (chance(s, 60)) {
		step(s, OP_VFORK, child, 0, 0, 0);
	} else {
		program_add(s->program, (struct op){ OP_START, CONDUCTOR, { child } });
	}
}

static void draw_death(struct situation *s)
{
	if (living(s) < 2)
		return;
	int victim = other_actor(s, true);
	if (chance(s, 45)) {
		step(s, OP_EXIT, chance(s, 30), 0, 0, 0);
		s->alive[s->actor] = false;
		s->actor = victim;
		return;
	}
	if (chance(s, 40) && some_sleeper(s) >= 0)
		victim = some_sleeper(s);
	if (chance(s, 20))
		victim = s->actor;
	step(s, OP_KILL, victim, chance(s, 30), 0, 0);
	s->alive[victim] = false;
	s->asleep[victim] = 0;
	if (victim == s->actor)
		s->actor = other_actor(s, true);
}

/* By another actor, or if all sleep, by the conductor. */
void signal_draw(struct situation *s)
{
	int who = chance(s, 85) ? some_sleeper(s) : (int)below(s, ACTORS);
	int64_t how = chance(s, 60) ? 0 : below(s, 4);
	if (who < 0)
		return;
	if (s->asleep[s->actor] != 0)
		program_add(s->program, (struct op){ OP_SIGNAL, CONDUCTOR, { who, how } });
	else
		step(s, OP_SIGNAL, who, how, 0, 0);
	if (how < 2)
		s->asleep[who] = 0;
}

void life_draw(struct situation *s)
{
	uint32_t what = below(s, 100);
	if (what < 45) {
		draw_birth(s);
	} else if (what < 75) {
		draw_death(s);
	} else if (what < 82) {
		step(s, OP_EXEC, 0, 0, 0, 0);
		forget_memory(s, s->actor);
	} else {
		step(s, what < 92 ? OP_CLOSEFROM : OP_REAP, 0, 0, 0, 0);
	}
}

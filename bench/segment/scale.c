/* SPDX-License-Identifier: MIT */
/*
 * scale.c - the calls of System V shared memory, made by many processes at once.
 *
 * Look-up and stat hit one segment that all share, and so do attach and
 * detach; what is created and removed is each process's own.
 */
#include "bench/segment/segment.h"

#include <errno.h>
#include <unistd.h>

typedef bool one_call(const struct case_state *state);

static bool call_lookup(const struct case_state *state)
{
	return state->side->get(state->key, 0, 0600) == state->id;
}

static bool call_stat(const struct case_state *state)
{
	struct shmid_ds about;

	return state->side->ctl(state->id, IPC_STAT, &about) == 0;
}

static bool call_attach(const struct case_state *state)
{
	void *memory = state->side->at(state->id, NULL, 0);

	return memory != (void *)-1 && state->side->dt(memory) == 0;
}

static bool call_create(const struct case_state *state)
{
	int id = state->side->get(IPC_PRIVATE, 4096, IPC_CREAT | SHM_NORESERVE | 0600);

	return id >= 0 && state->side->ctl(id, IPC_RMID, NULL) == 0;
}

static bool call_create_memory(const struct case_state *state)
{
	int id = state->side->get(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

	return id >= 0 && state->side->ctl(id, IPC_RMID, NULL) == 0;
}

static bool call_life(const struct case_state *state)
{
	int id = state->side->get(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	void *memory = id < 0 ? (void *)-1 : state->side->at(id, NULL, 0);

	if (memory == (void *)-1)
		return false;
	*(volatile char *)memory = 1;
	return state->side->dt(memory) == 0 && state->side->ctl(id, IPC_RMID, NULL) == 0;
}

static bool repeat(one_call *call, const struct case_state *state, unsigned n)
{
	bool good = true;

	for (; n > 0 && good; n--)
		good = call(state);
	return good;
}

static bool work_lookup(void *state, unsigned n)
{
	return repeat(call_lookup, state, n);
}

static bool work_stat(void *state, unsigned n)
{
	return repeat(call_stat, state, n);
}

static bool work_attach(void *state, unsigned n)
{
	return repeat(call_attach, state, n);
}

static bool work_create(void *state, unsigned n)
{
	return repeat(call_create, state, n);
}

static bool work_create_memory(void *state, unsigned n)
{
	return repeat(call_create_memory, state, n);
}

static bool work_life(void *state, unsigned n)
{
	return repeat(call_life, state, n);
}

static const struct {
	const char *name;
	bool (*work)(void *state, unsigned n);
} calls[] = {
	{ "look-up, 0600", work_lookup },
	{ "IPC_STAT", work_stat },
	{ "shmat + shmdt", work_attach },
	{ "create + remove, no memory", work_create },
	{ "create + remove, 4 KiB", work_create_memory },
	{ "whole life, 4 KiB touched", work_life },
};

static bool shared_make(struct case_state *state, const struct side *side)
{
	*state = (struct case_state){ .side = side, .id = -1, .key = 0x6b000000 + (key_t)getpid() };
	do {
		state->key++;
		state->id = side->get(state->key, 4096, IPC_CREAT | IPC_EXCL | 0600);
	} while (state->id < 0 && errno == EEXIST);
	return state->id >= 0;
}

void segment_scale_measure(const struct settings *settings, struct scale_result *ret_result)
{
	struct case_state state[SIDES];

	*ret_result = (struct scale_result){
		.section = "scale",
		.title = "Calls of System V shared memory",
		.side = { bench_sides[MADANG]->name, "kernel" },
	};
	for (int side = 0; side < SIDES; side++)
		shared_make(&state[side], bench_sides[side]);
	for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct scale_call call = { .name = calls[i].name };

		for (int side = 0; side < SIDES; side++)
			if (state[side].id >= 0)
				call.side[side] = (struct scale_game){ .work = calls[i].work,
					                               .context = &state[side] };
		scale_measure(settings, &call, ret_result);
	}
	for (int side = 0; side < SIDES; side++)
		if (state[side].id >= 0)
			state[side].side->ctl(state[side].id, IPC_RMID, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * draw.c - random programs. The same seed and number give the same program. This
 * file draws steps on segments; draw_life.c draws births and deaths, sem.c and
 * msg.c their own steps.
 *
 * What is not drawn because it is known to differ has a comment that names its
 * line in docs/divergences.md. Whole operations left out for that reason:
 * `mprotect`, `mlock`, `madvise` of a part of an attachment; unmapping by bare
 * system calls; `MADV_DONTFORK`; `remap_file_pages`; used up `RLIMIT_NOFILE`;
 * `chroot`; SHM_HUGETLB; sysctls; other pid namespaces; bare `clone(2)`; `shmat`
 * in a `vfork` child (those exec at once); bad pointers other than NULL.
 */
#include "differential/draw.h"

#include <limits.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif

enum { PAGE = 4096, RUN = 12, NAPS_APART = 25, UNWATCHED = 600 };

/* ---- choosing --------------------------------------------------------------------------- */

static int64_t some_slot(struct situation *s)
{
	uint32_t first = below(s, SLOTS);
	for (uint32_t i = 0; i < SLOTS && !chance(s, 10); i++)
		if (s->pages[(first + i) % SLOTS] != 0)
			return (first + i) % SLOTS;
	return first;
}

static int64_t empty_slot(struct situation *s)
{
	uint32_t first = below(s, SLOTS);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (s->pages[(first + i) % SLOTS] == 0)
			return (first + i) % SLOTS;
	return first;
}

/* A page where an attachment probably begins, or any page. */
static int64_t some_start(struct situation *s)
{
	uint32_t first = below(s, AREA_PAGES);
	for (uint32_t i = 0; i < AREA_PAGES; i++)
		if (s->start[s->actor][(first + i) % AREA_PAGES] != 0)
			return (first + i) % AREA_PAGES;
	return first;
}

static int64_t some_place(struct situation *s)
{
	uint32_t first = below(s, PLACES);
	for (uint32_t i = 0; i < PLACES; i++)
		if (s->place[s->actor][(first + i) % PLACES] != 0)
			return WHERE_PLACE + (first + i) % PLACES;
	return WHERE_PLACE + first;
}

/* A page where this many pages are probably free. */
static int64_t free_page(struct situation *s, int pages)
{
	uint32_t first = below(s, AREA_PAGES);
	for (uint32_t i = 0; i < AREA_PAGES; i++) {
		int at = (int)((first + i) % AREA_PAGES);
		bool taken = at + pages > AREA_PAGES;
		for (int page = 0; page < AREA_PAGES && !taken; page++) {
			int length = s->start[s->actor][page];
			taken = length != 0 && page < at + pages && page + length > at;
		}
		if (!taken)
			return at;
	}
	return first;
}

/* ---- segments --------------------------------------------------------------------------- */

int64_t some_mode(struct situation *s)
{
	static const int64_t usual[] = { 0600, 0600, 0666, 0666, 0644, 0660, 0, 0400, 0777 };
	if (chance(s, 70))
		return usual[below(s, sizeof(usual) / sizeof(usual[0]))];
	return below(s, 01000);
}

int64_t some_open_mode(struct situation *s)
{
	return some_mode(s) | (s->drawing->users ? 0 : 0600);
}

static int64_t some_size(struct situation *s)
{
	static const int64_t sizes[] = { 1,        100,          PAGE - 1, PAGE,     PAGE,
		                         PAGE + 1, 5000,         2 * PAGE, 2 * PAGE, 3 * PAGE,
		                         4 * PAGE, 4 * PAGE + 1, 5 * PAGE };
	static const int64_t impossible[] = { 0, 0, -1, INT64_MIN, INT64_C(1) << 62 };
	if (chance(s, 94))
		return sizes[below(s, sizeof(sizes) / sizeof(sizes[0]))];
	return impossible[below(s, sizeof(impossible) / sizeof(impossible[0]))];
}

static void draw_get(struct situation *s)
{
	int64_t size = some_size(s), mode = some_mode(s);
	int64_t key = chance(s, 50) ? 0 : 1 + below(s, 7);
	int64_t flags = mode | (chance(s, 85) ? IPC_CREAT : 0) | (chance(s, 15) ? IPC_EXCL : 0);
	/* Not with an impossible size: docs/divergences.md, "memory that cannot be had". */
	if (chance(s, 10) && size > 0 && size <= 5 * PAGE)
		flags |= SHM_NORESERVE;
	if (chance(s, 5))
		flags |= 01000000;
	int64_t slot = chance(s, 80) ? empty_slot(s) : below(s, SLOTS);
	step(s, OP_GET, slot, key, size, flags);
	if (size > 0 && size <= 5 * PAGE && (flags & IPC_CREAT) != 0)
		s->pages[slot] = (uint8_t)((size + PAGE - 1) / PAGE);
}

static void draw_remove(struct situation *s)
{
	int64_t slot = some_slot(s);
	step(s, OP_REMOVE, slot, 0, 0, 0);
	if (chance(s, 60)) /* else it goes on being attached by its id */
		s->pages[slot] = 0;
}

/* For IPC_SET. */
void some_owner(struct situation *s, int64_t *uid, int64_t *gid)
{
	static const int64_t ids[] = { 0, 0, 12401, 12401, 12402, 12403, 12404, -1 };
	*uid = ids[below(s, 8)];
	*gid = ids[below(s, 8)];
	if (s->drawing->users && chance(s, 50)) /* else unprivileged actors own little */
		*uid = *gid = 12401 + below(s, 2);
}

static void draw_set(struct situation *s)
{
	int64_t uid, gid;
	some_owner(s, &uid, &gid);
	int64_t mode = some_mode(s) | (chance(s, 10) ? 07000 : 0);
	step(s, OP_SET, some_slot(s), uid, gid, mode);
}

static void draw_control(struct situation *s)
{
	static const enum op_kind asks[] = { OP_STAT,         OP_STAT, OP_STAT,  OP_SHM_STAT,
		                             OP_SHM_STAT_ANY, OP_LOCK, OP_UNLOCK };
	static const int64_t unknown[] = { 99, -1, 1000, 16, 0x70, 22 };
	switch (below(s, 16)) {
	case 0:
		step(s, OP_STAT_NULL, some_slot(s), 0, 0, 0);
		break;
	case 1:
		step(s, OP_SET_NULL, some_slot(s), 0, 0, 0);
		break;
	case 2:
		step(s, OP_CONTROL, some_slot(s), unknown[below(s, 6)], 0, 0);
		break;
	case 3:
		step(s, OP_INDEX_STAT, (int64_t)below(s, 70) - 1, 0, 0, 0);
		break;
	case 4:
		step(s, OP_INDEX_STAT_ANY, (int64_t)below(s, 70) - 1, 0, 0, 0);
		break;
	case 5:
		step(s, OP_IPC_INFO, (int64_t)below(s, 1000) - 200, 0, 0, 0);
		break;
	case 6:
		step(s, OP_SHM_INFO, (int64_t)below(s, 1000) - 200, 0, 0, 0);
		break;
	case 7:
		step(s, OP_INFO_NULL, below(s, 2), 0, 0, 0);
		break;
	default:
		step(s, asks[below(s, 7)], some_slot(s), 0, 0, 0);
		break;
	}
}

/* ---- attachments -------------------------------------------------------------------------- */

static int64_t attach_flags(struct situation *s)
{
	int64_t flags = 0;
	if (chance(s, 20))
		flags |= SHM_RDONLY;
	if (chance(s, 15))
		flags |= SHM_RND;
	if (chance(s, 8))
		flags |= SHM_REMAP;
	if (chance(s, 4))
		flags |= SHM_EXEC;
	if (chance(s, 3))
		flags |= 01000;
	return flags;
}

static void draw_attach(struct situation *s)
{
	int64_t slot = some_slot(s), flags = attach_flags(s), offset = 0;
	int pages = s->pages[slot] != 0 ? s->pages[slot] : 1;
	if (chance(s, 25)) {
		int64_t place = below(s, PLACES);
		step(s, OP_ATTACH, slot, WHERE_PLACE + place, 0, flags);
		if (s->pages[slot] != 0 && (flags & SHM_REMAP) == 0)
			s->place[s->actor][place] = (uint8_t)pages;
		return;
	}
	if (chance(s, 3)) {
		step(s, OP_ATTACH, slot, WHERE_NULL + below(s, WHERE_END - WHERE_NULL),
		     chance(s, 50) ? 16 : 0, flags);
		return;
	}
	if (chance(s, 8))
		offset = 1 + below(s, PAGE - 1);
	int64_t at = chance(s, 80) ? free_page(s, pages) : below(s, AREA_PAGES);
	step(s, OP_ATTACH, slot, at, offset, flags);
	if (s->pages[slot] != 0)
		s->start[s->actor][at] = (uint8_t)pages;
}

static void draw_detach(struct situation *s)
{
	int64_t where, offset = 0;
	if (chance(s, 5))
		where = WHERE_NULL + below(s, WHERE_END - WHERE_NULL);
	else if (chance(s, 25))
		where = some_place(s);
	else
		where = chance(s, 88) ? some_start(s) : below(s, AREA_PAGES);
	if (chance(s, 5))
		offset = chance(s, 50) ? PAGE : 8;
	step(s, OP_DETACH, where, offset, 0, 0);
	if (where < WHERE_PLACE && offset == 0)
		s->start[s->actor][where] = 0;
	else if (where < WHERE_NULL && offset == 0)
		s->place[s->actor][where - WHERE_PLACE] = 0;
}

/* Some page that probably is attached, as "where" and a page from there. */
static void some_memory(struct situation *s, int64_t *where, int64_t *first)
{
	if (chance(s, 25)) {
		*where = some_place(s);
		uint8_t pages = s->place[s->actor][*where - WHERE_PLACE];
		*first = below(s, pages + 1U) % (pages != 0 ? pages : 1U);
		return;
	}
	*where = chance(s, 95) ? some_start(s) : below(s, AREA_PAGES);
	uint8_t pages = s->start[s->actor][*where];
	*first = pages > 1 ? below(s, pages) : 0;
}

static void draw_access(struct situation *s)
{
	int64_t where, first;
	some_memory(s, &where, &first);
	if (chance(s, 85))
		step(s, OP_WRITE, where, first, below(s, CELLS), 1 + below(s, UINT_MAX - 1));
	else
		step(s, OP_READ, where, first, below(s, CELLS), 0);
}

static void draw_unmap(struct situation *s)
{
	int64_t where, first;
	some_memory(s, &where, &first);
	int64_t pages = chance(s, 70) ? 1 : 1 + below(s, 6);
	if (chance(s, 20))
		step(s, OP_MAP, where < WHERE_PLACE ? where : 0, pages, 0, 0);
	else
		step(s, OP_UNMAP, where, first, pages, 0);
}

static void draw_remap(struct situation *s)
{
	int64_t where, first;
	some_memory(s, &where, &first);
	if (chance(s, 60))
		first = 0;
	int64_t whole = where < WHERE_PLACE ? s->start[s->actor][where]
	                                    : s->place[s->actor][where - WHERE_PLACE];
	int64_t old = chance(s, 60) ? whole - first : below(s, 4);
	if (old < 0)
		old = 0;
	int64_t new = chance(s, 50) ? old : below(s, 6);
	int64_t to = chance(s, 60) ? free_page(s, (int)new) : -1;
	struct op op = { OP_REMAP, (uint8_t)s->actor, { where, first, old, new, to } };
	program_add(s->program, op);
	if (to >= 0 && first == 0 && new > 0) {
		if (where < WHERE_PLACE && old == whole)
			s->start[s->actor][where] = 0;
		s->start[s->actor][to] = (uint8_t) new;
	}
}

/* ---- programs ------------------------------------------------------------------------------- */

static void draw_segment_step(struct situation *s)
{
	uint32_t what = below(s, 963);
	if (what < 110)
		draw_get(s);
	else if (what < 330)
		draw_attach(s);
	else if (what < 510)
		draw_detach(s);
	else if (what < 570)
		draw_remove(s);
	else if (what < 620)
		draw_set(s);
	else if (what < 750)
		draw_control(s);
	else if (what < 890)
		draw_access(s);
	else if (what < 920)
		draw_unmap(s);
	else if (what < 955)
		draw_remap(s);
	else if (what < 960)
		step(s, OP_PROTECT, some_place(s), below(s, 2), 0, 0);
	else
		step(s, OP_TABLE, 0, 0, 0, 0);
}

/* In percent: of segments, sets and queues. Programs of one class alone, and mixed ones. */
static const uint8_t mixtures[][OBJECTS] = {
	{ 100, 0, 0 }, { 100, 0, 0 }, { 0, 100, 0 }, { 0, 0, 100 }, { 0, 50, 50 }, { 34, 33, 33 },
};

static void draw_step(struct situation *s, const uint8_t mixture[OBJECTS])
{
	uint32_t what = below(s, 1000), class = below(s, 100);
	if (chance(s, 3))
		s->hot = below(s, SETS * QUEUES);
	if ((chance(s, 100 / RUN) || s->asleep[s->actor] != 0) && other_actor(s, true) >= 0)
		s->actor = other_actor(s, true);
	if (s->drawing->users && chance(s, 4))
		step(s, OP_USER, below(s, USERS), 0, 0, 0);
	else if (s->asleep[s->actor] != 0 || (some_sleeper(s) >= 0 && chance(s, 12)))
		signal_draw(s);
	else if (what < 4)
		step(s, OP_SURVEY, 0, 0, 0, 0);
	else if (what < 37)
		life_draw(s);
	else if (class < mixture[OF_SEGMENTS])
		draw_segment_step(s);
	else if (class < mixture[OF_SEGMENTS] + mixture[OF_SETS])
		sem_draw(s);
	else
		msg_draw(s);
}

void program_draw(struct program *program, const struct drawing *drawing)
{
	struct situation s = { .dice = dice_of(drawing->seed, drawing->number),
		               .program = program,
		               .drawing = drawing };
	*program = (struct program){ .users = drawing->users };
	const uint8_t *mixture = ONE_OF(&s, mixtures);
	program->watch = chance(&s, 30) ? WATCH_ALL : (enum watch)below(&s, WATCHES);
	for (int actor = 0; actor < 3; actor++) {
		program_add(program, (struct op){ OP_START, CONDUCTOR, { actor } });
		s.alive[actor] = true;
	}
	/* Later shmget looks after all, see act.c. */
	size_t nap = NAPS_APART, length = drawing->length;
	if (program->watch == WATCH_NONE && length > UNWATCHED)
		length = UNWATCHED;
	while (program->count < length) {
		if (drawing->naps && program->count >= nap) {
			step(&s, OP_NAP, 0, 0, 0, 0);
			nap = program->count + NAPS_APART;
		}
		draw_step(&s, mixture);
	}
}

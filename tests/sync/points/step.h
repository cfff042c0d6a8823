/* SPDX-License-Identifier: MIT */
/*
 * step.h - a process that is taken through an operation instruction by instruction.
 */
#ifndef MADANG_TESTS_SYNC_POINTS_STEP_H
#define MADANG_TESTS_SYNC_POINTS_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

enum step_event {
	STEP_POINT,  /* memory is no longer as it was, or before or behind a system call */
	STEP_ASLEEP, /* in a system call that waits */
	STEP_ENDED,  /* the operation returned */
	STEP_DIED,
	STEP_STUCK,  /* nobody wakes it */
	STEP_ENDLESS /* more steps than any operation makes: this processor cannot */
};

struct step {
	pid_t pid;
	const void *watched; /* what is looked at, in memory that is shared with it */
	size_t size;
	unsigned steps;
	bool sleeping;     /* it was told so, and has not come back */
	bool behind;       /* of a system call */
	uintptr_t head;    /* of its robust list, in its memory */
	uintptr_t list[4]; /* as last seen: the list's head, and the link that it names */
	unsigned char seen[1 << 15];
};

/* Whether it can be done here; else why not. */
bool step_possible(const char **reason);
/* If it is not NULL, it is called before the watched memory is looked at: so that may be a copy of
 * what lies scattered. */
extern void (*step_refresh)(void);
/* `body` runs in a child; where it calls step_begins, the stepping begins, and where it calls
 * step_ends, it ends. */
bool step_start(struct step *step, const void *watched, size_t size, void (*body)(void *),
                void *argument);
void step_begins(void);
void step_ends(void);
/* To the next point. After STEP_ASLEEP: when it has been woken. */
enum step_event step_next(struct step *step);
/* So many points further, also through its sleeps. STEP_POINT or STEP_ASLEEP: it stands there. */
enum step_event step_to(struct step *step, unsigned points);
/* What has changed until now was not its doing. */
void step_look(struct step *step);
/* It is about to run its handler of this signal. [at a point] */
enum step_event step_signal(struct step *step, int number);
void step_kill(struct step *step);
/* Stops it; then it is no longer stepped. */
void step_pause(struct step *step);
/* A child ends within the time. `goes_on`: it is continued again and again, because a victim that
 * was paused may have begun to stop itself (step_ends). */
bool ends_within(pid_t pid, uint64_t ms, int *ret_status, bool goes_on);

/* A sanitizer makes many points of one, and each slower. There every seventh is played, and
 * another one in each minute. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { POINT_STRIDE = 7 };
#else
enum { POINT_STRIDE = 1 };
#endif
static inline unsigned first_point(void)
{
	return POINT_STRIDE == 1 ? 0 : (unsigned)(time(NULL) / 60) % POINT_STRIDE;
}

/* Whether the command line begins with --all, which is taken away. */
static inline bool wants_all_points(int *argc, char ***argv)
{
	if (*argc < 2 || strcmp((*argv)[1], "--all") != 0)
		return false;
	(*argc)--;
	(*argv)++;
	return true;
}

#endif

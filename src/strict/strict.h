/* SPDX-License-Identifier: MIT */
/*
 * strict.h - libmadang-strict: under `madang run --strict`, a program that would leave Madang is
 * not started.
 *
 * The library is a preload of its own, beside libmadang-sysv, so that ordinary runs have no
 * wrappers around exec. Each call that starts a program asks two questions first:
 *   1. Does a preload reach the program (src/reach)? If not, the call fails with EACCES, and a line
 *      on standard error says why.
 *   2. Does the program's environment hold what keeps it on Madang? If not, that is put in again.
 *
 * The error is EACCES because shells then say "Permission denied" and exit with 126. After ENOEXEC
 * some shells would try to read the program as a script.
 *
 * All of this runs between vfork and exec, and in signal handlers. So it uses no memory but the
 * stack, takes no lock, and changes errno only when a call fails.
 */
#ifndef MADANG_STRICT_STRICT_H
#define MADANG_STRICT_STRICT_H

#include <stdbool.h>
#include <stddef.h>

#define MDG__EXPORT __attribute__((visibility("default")))

/* ---- refuse.c ------------------------------------------------------------- */

/* Whether the program may be started. If not, a line on standard error has said why. */
bool mdg__strict_allows(const char *path);
/* The same for a name that is looked up in PATH, as execvp does. */
bool mdg__strict_allows_name(const char *name);

/* ---- environment.c --------------------------------------------------------- */

/* Our own entries of LD_PRELOAD, separated by colons. "": this is no strict run. */
const char *mdg__strict_entries(void);
/* The entry among them that is libmadang-sysv. */
const char *mdg__strict_sysv(void);

/*
 * An environment that keeps a program on Madang. Use:
 *
 *     struct mdg__kept kept;
 *     if (mdg__kept_measure(&kept, environment))
 *             environment = mdg__kept_fill(&kept, environment, __builtin_alloca(kept.size));
 *
 * `measure` says whether something is missing, and how much memory the new environment takes.
 */
struct mdg__kept {
	size_t count;        /* entries of the given environment */
	const char *preload; /* its LD_PRELOAD, behind the '='; NULL: none */
	bool has_strict, has_namespace, has_log, has_preload; /* nothing is missing of these */
	size_t size; /* bytes; more than MDG__KEPT_MOST: it is too large */
};
#define MDG__KEPT_MOST 65536u
bool mdg__kept_measure(struct mdg__kept *ret_kept, char *const environment[]);
char *const *mdg__kept_fill(const struct mdg__kept *kept, char *const environment[], void *memory);
/* Puts what is missing into the process's own environment. Do not call it between vfork and
 * exec. */
void mdg__strict_restore(void);

/* ---- next.c ------------------------------------------------------------------ */

/* The definitions behind ours, looked up when the library is loaded. */
enum mdg__starter {
	MDG__STARTER_EXECVE,
	MDG__STARTER_EXECVPE,
	MDG__STARTER_FEXECVE,
	MDG__STARTER_EXECVEAT,
	MDG__STARTER_SPAWN,
	MDG__STARTER_SPAWNP,
	MDG__STARTER_PIDFD_SPAWN,
	MDG__STARTER_PIDFD_SPAWNP,
	MDG__STARTER_SYSTEM,
	MDG__STARTER_POPEN,
	MDG__STARTER_COUNT
};
/* NULL: there is none. */
void *mdg__strict_next(enum mdg__starter which);

/* As `type`, a function type. */
#define MDG__STRICT_NEXT(type, which)                                                              \
	__extension__({                                                                            \
		void *found_ = mdg__strict_next(which);                                            \
		__typeof__(type *) function_;                                                      \
		_Static_assert(sizeof function_ == sizeof found_,                                  \
		               "a function's address is a pointer");                               \
		__builtin_memcpy(&function_, &found_, sizeof found_);                              \
		function_;                                                                         \
	})

#endif

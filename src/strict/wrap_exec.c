/* SPDX-License-Identifier: MIT */
/*
 * wrap_exec.c - execve and its family.
 *
 * The forms with a list of arguments gather them on the stack, as the C library does. A program
 * that is given as a descriptor is looked at through /proc; without /proc it is let through.
 */
#include "strict/strict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "platform/text.h"

typedef int execve_function(const char *, char *const[], char *const[]);
typedef int fexecve_function(int, char *const[], char *const[]);

static int refused(int error)
{
	errno = error;
	return -1;
}

/* Makes `call`, which uses `environment`, with an environment in which nothing is missing. */
#define WITH_KEPT(environment, call)                                                               \
	do {                                                                                       \
		struct mdg__kept kept_;                                                            \
		if (mdg__kept_measure(&kept_, environment)) {                                      \
			if (kept_.size > MDG__KEPT_MOST)                                           \
				return refused(E2BIG);                                             \
			(environment) =                                                            \
				mdg__kept_fill(&kept_, environment, __builtin_alloca(kept_.size)); \
		}                                                                                  \
		return call;                                                                       \
	} while (0)

static int exec_path(const char *path, char *const arguments[], char *const environment[])
{
	if (!mdg__strict_allows(path))
		return refused(EACCES);
	execve_function *next = MDG__STRICT_NEXT(execve_function, MDG__STARTER_EXECVE);
	WITH_KEPT(environment, next(path, arguments, environment));
}

static int exec_name(const char *name, char *const arguments[], char *const environment[])
{
	if (!mdg__strict_allows_name(name))
		return refused(EACCES);
	execve_function *next = MDG__STRICT_NEXT(execve_function, MDG__STARTER_EXECVPE);
	WITH_KEPT(environment, next(name, arguments, environment));
}

MDG__EXPORT int execve(const char *path, char *const arguments[], char *const environment[])
{
	return exec_path(path, arguments, environment);
}

MDG__EXPORT int execv(const char *path, char *const arguments[])
{
	return exec_path(path, arguments, environ);
}

MDG__EXPORT int execvpe(const char *name, char *const arguments[], char *const environment[])
{
	return exec_name(name, arguments, environment);
}

MDG__EXPORT int execvp(const char *name, char *const arguments[])
{
	return exec_name(name, arguments, environ);
}

/* ---- with a list of arguments ------------------------------------------------- */

static size_t count_list(const char *first, va_list list)
{
	va_list copy;
	size_t count = 0;

	va_copy(copy, list);
	for (const char *word = first; word != NULL; word = va_arg(copy, const char *))
		count++;
	va_end(copy);
	return count;
}

/* Gathers the list up to its NULL. Afterwards `list` stands behind the NULL. */
static char **gather(char **room, const char *first, va_list *list)
{
	size_t i = 0;

	for (const char *word = first;; word = va_arg(*list, const char *)) {
		memcpy(&room[i], &word, sizeof word);
		if (room[i++] == NULL)
			return room;
	}
}

#define GATHER(list, first)                                                                        \
	gather(__builtin_alloca((count_list(first, list) + 1) * sizeof(char *)), first, &(list))

MDG__EXPORT int execl(const char *path, const char *first, ...)
{
	va_list list;
	va_start(list, first);
	char **arguments = GATHER(list, first);
	va_end(list);
	return exec_path(path, arguments, environ);
}

MDG__EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list list;
	va_start(list, first);
	char **arguments = GATHER(list, first);
	va_end(list);
	return exec_name(name, arguments, environ);
}

MDG__EXPORT int execle(const char *path, const char *first, ...)
{
	va_list list;
	va_start(list, first);
	char **arguments = GATHER(list, first);
	char *const *environment = va_arg(list, char *const *);
	va_end(list);
	return exec_path(path, arguments, environment);
}

/* ---- by descriptor -------------------------------------------------------------- */

static bool allows_at(int fd, const char *path)
{
	char name[4200];

	if (path[0] == '/' || (fd == AT_FDCWD && path[0] != '\0'))
		return mdg__strict_allows(path);
	return !mdg__format(name, sizeof name,
	                    path[0] != '\0' ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d%s",
	                    (int32_t)fd, path) ||
	       mdg__strict_allows(name);
}

MDG__EXPORT int fexecve(int fd, char *const arguments[], char *const environment[])
{
	if (!allows_at(fd, ""))
		return refused(EACCES);
	WITH_KEPT(environment, MDG__STRICT_NEXT(fexecve_function,
	                                        MDG__STARTER_FEXECVE)(fd, arguments, environment));
}

#if defined(__GLIBC__)
typedef int execveat_function(int, const char *, char *const[], char *const[], int);

MDG__EXPORT int execveat(int fd, const char *path, char *const arguments[],
                         char *const environment[], int flags);
MDG__EXPORT int execveat(int fd, const char *path, char *const arguments[],
                         char *const environment[], int flags)
{
	execveat_function *next = MDG__STRICT_NEXT(execveat_function, MDG__STARTER_EXECVEAT);

	if (next == NULL)
		return refused(ENOSYS); /* not in glibc before 2.34, so nobody called it */
	if (!allows_at(fd, path))
		return refused(EACCES);
	WITH_KEPT(environment, next(fd, path, arguments, environment, flags));
}
#endif

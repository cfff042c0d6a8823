/* SPDX-License-Identifier: MIT */
/* reach.c - the verdict: see reach.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "platform/identity.h"
#include "platform/sys.h"
#include "reach/reach.h"

#define SCRIPTS_DEEP 5 /* an interpreter may be a script, too; the kernel has the same limit */
/* execvp gives it a file that is no program and has no "#!" line. */
#define SHELL "/bin/sh"

static bool is_nosuid(const char *path)
{
	struct statfs system;
	int before = errno;
	bool nosuid =
		statfs(path, &system) == 0 && ((unsigned long)system.f_flags & ST_NOSUID) != 0;
	errno = before;
	return nosuid;
}

/* Whether executing this file changes the user or group, or gives capabilities. If so, the loader
 * is in secure-execution mode, and drops a preload that has a slash in its name. */
static bool gains_privileges(const char *path)
{
	struct stat status;
	char byte;

	if (mdg__sys_statat(AT_FDCWD, path, true, &status) < 0)
		return false;
	uint32_t uid = mdg__real_uid(), gid = mdg__real_gid();
	bool by_user = (status.st_mode & S_ISUID) && status.st_uid != uid;
	bool by_group = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	                status.st_gid != gid;
	/* There is room for one byte only. -ERANGE says that the file has capabilities. */
	int capability = uid == 0 ? 0 : mdg__sys_getxattr(path, "security.capability", &byte, 1);
	bool by_file = capability > 0 || capability == -ERANGE;
	return (by_user || by_group || by_file) && !is_nosuid(path);
}

/* Whether the library that the program's loader takes for the preload has another word size or
 * processor than the program. If the preload has $LIB in it, also whether there is no such
 * library. */
static bool is_unlike(const struct mdg__image *program, const char *preload)
{
	char path[MDG__LIBRARY_ROOM];
	struct mdg__image library;
	bool is_template = strchr(preload, '$') != NULL;

	if (!mdg__library_expand(path, preload, strlen(preload), program->loader))
		return false; /* not to be judged */
	if (!mdg__image_read(path, &library))
		return is_template;
	return library.is_elf && !mdg__image_is_like(program, &library);
}

enum mdg__reach mdg__reach_judge(const char *program, const char *preload, enum mdg__libc libc,
                                 char ret_judged[MDG__LOADER_ROOM])
{
	struct mdg__image image;
	const char *judged = program;

	ret_judged[0] = '\0';
	for (int depth = 0;; depth++) {
		bool readable = mdg__image_read(judged, &image);
		/* The kernel ignores these bits of a script. */
		if ((!readable || image.is_elf) && gains_privileges(judged))
			return MDG__REACH_PRIVILEGED;
		if (!readable || depth == SCRIPTS_DEEP)
			return MDG__REACHED; /* exec will say what is wrong */
		if (image.is_elf)
			break;
		memcpy(ret_judged, image.is_script ? image.loader : SHELL,
		       image.is_script ? sizeof image.loader : sizeof SHELL);
		judged = ret_judged;
	}
	if (!image.has_loader)
		return MDG__REACH_STATIC;
	bool musl = mdg__image_is_musl(&image);
	if (is_unlike(&image, preload))
		return MDG__REACH_OTHER_MACHINE;
	if (libc != MDG__LIBC_ANY && musl != (libc == MDG__LIBC_MUSL))
		return MDG__REACH_OTHER_LIBC;
	return MDG__REACHED;
}

const char *mdg__reach_reason(enum mdg__reach reach)
{
	switch (reach) {
	case MDG__REACH_STATIC:
		return "is statically linked: a preload cannot reach it";
	case MDG__REACH_PRIVILEGED:
		return "is set-user-ID, set-group-ID or has capabilities: the loader ignores a "
		       "preload in it";
	case MDG__REACH_OTHER_MACHINE:
		return "is for another word size or processor than libmadang-sysv";
	case MDG__REACH_OTHER_LIBC:
		return "uses another C library than libmadang-sysv";
	case MDG__REACHED:
		break;
	}
	return "";
}

const char *mdg__reach_advice(enum mdg__reach reach)
{
	switch (reach) {
	case MDG__REACH_STATIC:
		return "Link it dynamically, or link libmadang-sysv.a into it.";
	case MDG__REACH_PRIVILEGED:
		return "Run it as the user it changes to, or run a copy without the privilege "
		       "('cp' makes one), or link it with -lmadang-sysv.";
	case MDG__REACH_OTHER_MACHINE:
		return "Install a Madang that is built for it into the same tree, where its loader "
		       "looks "
		       "for $LIB (man madang-run), or name its library in MADANG_PRELOAD.";
	case MDG__REACH_OTHER_LIBC:
		return "Build Madang with that C library and name it in MADANG_PRELOAD.";
	case MDG__REACHED:
		break;
	}
	return "";
}

/* SPDX-License-Identifier: MIT */
/*
 * reach.h - can a preload reach a program? The answer comes from files, before the program starts.
 *
 * Some programs silently use the kernel's System V IPC, or find none, although LD_PRELOAD is set:
 *   - In a program that gains privileges the dynamic loader ignores LD_PRELOAD, or parts of it.
 *   - A static program has no loader.
 *   - A program for another word size, processor or C library cannot load our library.
 * For a script, its interpreter is what counts.
 *
 * The path of a preload may hold $LIB. The loader of each program puts its own library directory in
 * place of it. So one path can stand for libraries of both word sizes.
 *
 * Nothing here allocates, prints, or changes errno. All of it may be called in signal handlers and
 * between vfork and exec. The room knows the platform alone.
 */
#ifndef MADANG_REACH_REACH_H
#define MADANG_REACH_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MDG__LOADER_ROOM  256  /* for the path of a loader or interpreter */
#define MDG__LIB_ROOM     48   /* for what $LIB stands for */
#define MDG__LIBRARY_ROOM 1280 /* for the path of a library */

/* ---- image.c: what the first bytes of a file say ------------------------ */

struct mdg__image {
	bool is_elf;
	bool is_script;
	bool has_loader;
	unsigned char word;  /* ELFCLASS32, ELFCLASS64 */
	unsigned char order; /* ELFDATA2LSB, ELFDATA2MSB */
	uint16_t machine;
	char loader[MDG__LOADER_ROOM]; /* PT_INTERP, or the interpreter of a script */
};

/* False: the file cannot be read. A program may be executable and not readable. */
bool mdg__image_read(const char *path, struct mdg__image *ret_image);
/* Whether both are ELF files that can be loaded into one process. */
bool mdg__image_is_like(const struct mdg__image *image, const struct mdg__image *other);
bool mdg__image_is_musl(const struct mdg__image *program);

/* ---- library.c: $LIB ------------------------------------------------------ */

/* What glibc's loader puts in place of $LIB: "lib/x86_64-linux-gnu", "lib64", ... False: the loader
 * is not glibc's, or cannot be read. */
bool mdg__loader_lib(const char *loader, char ret_lib[MDG__LIB_ROOM]);
/* The library that this loader loads for an entry of LD_PRELOAD, which has `length` bytes. False:
 * that cannot be told. */
bool mdg__library_expand(char ret_path[MDG__LIBRARY_ROOM], const char *entry, size_t length,
                         const char *loader);

/* ---- reach.c: the verdict --------------------------------------------------- */

enum mdg__reach {
	MDG__REACHED, /* the dynamic loader will load a preload into it */
	MDG__REACH_STATIC,
	MDG__REACH_PRIVILEGED,    /* set-user-ID, set-group-ID or file capabilities */
	MDG__REACH_OTHER_MACHINE, /* its word size or processor is not that of the preload */
	MDG__REACH_OTHER_LIBC
};

/* The C library of the preload. Any: the C library does not matter. */
enum mdg__libc { MDG__LIBC_ANY, MDG__LIBC_GLIBC, MDG__LIBC_MUSL };

/* Whether `preload`, a path that may hold $LIB, reaches the program. A program that cannot be read
 * counts as reached, because exec will say what is wrong. `ret_judged` is the file that the verdict
 * is about: the interpreter of a script, or "" for the program itself. */
enum mdg__reach mdg__reach_judge(const char *program, const char *preload, enum mdg__libc libc,
                                 char ret_judged[MDG__LOADER_ROOM]);
/* The verdict as the rest of a sentence that begins with the program. It also says what the user
 * can do. */
const char *mdg__reach_reason(enum mdg__reach reach);
const char *mdg__reach_advice(enum mdg__reach reach);

#endif

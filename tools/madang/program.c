/* SPDX-License-Identifier: MIT */
/*
 * program.c - which file a command means, and whether a preload can reach it.
 *
 * The dynamic loader ignores LD_PRELOAD, or takes only part of it, in programs that gain
 * privileges; a static program has no loader; a program for another word size, processor or C
 * library cannot load our library. In each case the program would silently use the kernel's System
 * V IPC, or find none, so it is refused before it starts. For a script, what counts is its
 * interpreter. What the interpreter or the program starts later is not looked at.
 */
#include "tool.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What the first bytes of a file say. */
struct image {
	bool is_elf;
	bool is_script;
	unsigned char word;   /* ELFCLASS32, ELFCLASS64 */
	unsigned char order;  /* ELFDATA2LSB, ELFDATA2MSB */
	uint16_t machine;
	bool has_loader;
	char loader[256];     /* PT_INTERP, or the interpreter of a script */
};

/* ---- looking a program up --------------------------------------------- */

static bool is_runnable(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static int judge_path(const char *name, struct program *ret_program)
{
	struct stat status;

	snprintf(ret_program->path, sizeof ret_program->path, "%s", name);
	if (strlen(name) >= sizeof ret_program->path)
		return TOOL_NOT_FOUND;
	if (stat(name, &status) != 0)
		return errno == ENOENT || errno == ENOTDIR ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE;
	return is_runnable(name) ? 0 : TOOL_NOT_EXECUTABLE;
}

int program_find(const char *name, struct program *ret_program)
{
	const char *search = getenv("PATH");
	bool seen = false;

	if (name[0] == '\0')
		return TOOL_NOT_FOUND;
	if (strchr(name, '/') != NULL)
		return judge_path(name, ret_program);
	if (search == NULL)
		search = "/bin:/usr/bin"; /* what execvp takes then */
	for (;;) {
		size_t length = strcspn(search, ":");
		/* An empty entry is the current directory. */
		int wanted = snprintf(ret_program->path, sizeof ret_program->path, "%.*s/%s",
		                      length > 0 ? (int)length : 1, length > 0 ? search : ".", name);
		if (wanted > 0 && (size_t)wanted < sizeof ret_program->path) {
			if (is_runnable(ret_program->path))
				return 0;
			seen = seen || access(ret_program->path, F_OK) == 0;
		}
		if (search[length] == '\0')
			return seen ? TOOL_NOT_EXECUTABLE : TOOL_NOT_FOUND;
		search += length + 1;
	}
}

/* ---- reading ELF and #! ----------------------------------------------- */

/* Reads one PT_INTERP, whichever word size, in this machine's byte order. */
static void read_loader(int fd, struct image *image, uint64_t table, unsigned entry_size,
                        unsigned entries)
{
	for (unsigned i = 0; i < entries && i < 4096; i++) {
		union { Elf32_Phdr small; Elf64_Phdr large; } header;
		size_t size = image->word == ELFCLASS64 ? sizeof header.large : sizeof header.small;
		off_t place = (off_t)(table + (uint64_t)i * entry_size);
		if (entry_size < size || pread(fd, &header, size, place) != (ssize_t)size)
			return;
		bool large = image->word == ELFCLASS64;
		if ((large ? header.large.p_type : header.small.p_type) != PT_INTERP)
			continue;
		place = large ? (off_t)header.large.p_offset : (off_t)header.small.p_offset;
		ssize_t length = pread(fd, image->loader, sizeof image->loader - 1, place);
		image->loader[length > 0 ? length : 0] = '\0';
		image->has_loader = true;
		return;
	}
}

static void read_elf(int fd, struct image *image, const unsigned char *start, size_t length)
{
	union { Elf32_Ehdr small; Elf64_Ehdr large; } header;
	const uint16_t probe = 1;
	bool little = *(const unsigned char *)&probe == 1;

	memset(&header, 0, sizeof header);
	memcpy(&header, start, length < sizeof header ? length : sizeof header);
	image->is_elf = true;
	image->word = start[EI_CLASS];
	image->order = start[EI_DATA];
	image->machine = header.small.e_machine; /* at the same place in both */
	if (image->order != (little ? ELFDATA2LSB : ELFDATA2MSB)) {
		image->has_loader = true; /* not to be judged; its byte order already differs */
		return;
	}
	if (image->word == ELFCLASS64)
		read_loader(fd, image, header.large.e_phoff, header.large.e_phentsize,
		            header.large.e_phnum);
	else
		read_loader(fd, image, header.small.e_phoff, header.small.e_phentsize,
		            header.small.e_phnum);
}

/* False: the file cannot be read (a program may be executable only). */
static bool read_image(const char *path, struct image *image)
{
	unsigned char start[256 + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	memset(image, 0, sizeof *image);
	if (fd < 0)
		return false;
	length = pread(fd, start, sizeof start - 1, 0);
	if (length > 20 && memcmp(start, ELFMAG, SELFMAG) == 0) {
		read_elf(fd, image, start, (size_t)length);
	} else if (length > 2 && start[0] == '#' && start[1] == '!') {
		start[length] = '\0';
		const char *word = (const char *)start + 2;
		word += strspn(word, " \t");
		snprintf(image->loader, sizeof image->loader, "%.*s",
		         (int)strcspn(word, " \t\r\n"), word);
		image->is_script = true;
	}
	close(fd);
	return length >= 0;
}

/* ---- the verdict ------------------------------------------------------ */

/* Whether executing this file changes the user or group, or brings capabilities: then the loader
 * is in secure-execution mode and drops a preload that has a slash in its name. */
static bool gains_privileges(const char *path)
{
	struct statvfs system;
	struct stat status;

	if (stat(path, &status) != 0)
		return false;
	if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOSUID))
		return false;
	if ((status.st_mode & S_ISUID) && status.st_uid != getuid())
		return true;
	if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    status.st_gid != getgid())
		return true;
	return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

static bool is_musl(const struct image *image)
{
	return strstr(image->loader, "ld-musl") != NULL;
}

enum program_reach program_reach(struct program *program, const char *preload)
{
	struct image image, library, self;

	snprintf(program->judged, sizeof program->judged, "%s", program->path);
	if (!read_image(program->judged, &image))
		return gains_privileges(program->path) ? PROGRAM_PRIVILEGED : PROGRAM_REACHED;
	/* An interpreter may be a script in turn; the kernel follows four times. */
	for (int depth = 0; image.is_script && depth < 5; depth++) {
		snprintf(program->judged, sizeof program->judged, "%s", image.loader);
		if (!read_image(program->judged, &image))
			return PROGRAM_REACHED; /* exec will say what is wrong */
	}
	if (gains_privileges(program->judged))
		return PROGRAM_PRIVILEGED;
	if (!image.is_elf)
		return PROGRAM_REACHED; /* a script without #!: the shell runs it */
	if (read_image(preload, &library) && library.is_elf &&
	    (image.word != library.word || image.machine != library.machine ||
	     image.order != library.order))
		return PROGRAM_OTHER_MACHINE;
	if (!image.has_loader)
		return PROGRAM_STATIC;
	/* The library found beside the tool is of the tool's C library; one that was named with
	 * MADANG_PRELOAD is the caller's own choice. */
	if (getenv("MADANG_PRELOAD") == NULL && read_image("/proc/self/exe", &self) &&
	    self.has_loader && is_musl(&self) != is_musl(&image))
		return PROGRAM_OTHER_LIBC;
	return PROGRAM_REACHED;
}

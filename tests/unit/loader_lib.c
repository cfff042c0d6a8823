/* SPDX-License-Identifier: MIT */
/*
 * loader_lib.c - what $LIB stands for is found in a file of a loader, wherever in the file it lies,
 * and nothing else in the file is taken for it.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reach/reach.h"

enum { LENGTH = 3 * 4096 };
static char bytes[LENGTH];
static char path[UNIT_PATH];

static void put(size_t place, const char *text, size_t size)
{
	memcpy(bytes + place, text, size);
}

/* Before something is put into them. */
static void clear(char filling)
{
	memset(bytes, filling, sizeof bytes);
}

/* What is found in a file of the first bytes. */
static const char *found(size_t length)
{
	static char lib[MDG__LIB_ROOM];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	close(fd);
	return mdg__loader_lib(path, lib) ? lib : "none";
}

#define IS(length, text) CHECK(strcmp(found(length), text) == 0)

/* The file is read in pieces, and the word lies across their borders. */
static void check_places(const char *word)
{
	static const char fillings[] = { '\0', 'l', 'x' };
	size_t size = strlen(word) + 1;

	for (size_t filling = 0; filling < sizeof fillings; filling++)
		for (size_t border = 1024; border < LENGTH; border += border == 1024 ? 3072 : 4096)
			for (size_t place = border - size - 2; place <= border + 2; place++) {
				clear(fillings[filling]);
				put(place - 1, "", 1);
				put(place, word, size);
				IS(LENGTH, word);
			}
}

static void check_what_it_is_not(void)
{
	clear('\0');
	IS(LENGTH, "none");
	IS(0, "none");
	put(0, "lib64", 6); /* no string ends before it */
	IS(LENGTH, "none");
	clear('\0');
	put(100, "xlib64", 7);
	put(200, "lib64x", 7);
	put(300, "lib/a/x86_64-linux-gnu", 23);
	put(400, "lib/x86", 8);
	put(500, "libc.so.6", 10);
	put(600, "lib/0123456789012345678901234567890123-linux-gnu", 49); /* too long by one */
	IS(LENGTH, "none");
	put(600, "lib/012345678901234567890123456789012-linux-gnu", 48);
	IS(LENGTH, "lib/012345678901234567890123456789012-linux-gnu");
	clear('\0');
	put(LENGTH - 5, "lib64", 5); /* the file ends in the word */
	IS(LENGTH, "none");
}

static void check_longest(void)
{
	clear('\0');
	put(10, "lib64", 6);
	put(20, "lib", 4);
	IS(LENGTH, "lib64");
	put(30, "lib/x86_64-linux-gnu", 21);
	put(60, "lib32", 6);
	IS(LENGTH, "lib/x86_64-linux-gnu");
}

int main(void)
{
	char lib[MDG__LIB_ROOM];

	unit_path(path, "loader");
	check_places("lib");
	check_places("lib32");
	check_places("lib/x86_64-linux-gnu");
	check_what_it_is_not();
	check_longest();
	CHECK(unlink(path) == 0);
	CHECK(!mdg__loader_lib(path, lib));
	return test_result();
}

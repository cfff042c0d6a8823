/* SPDX-License-Identifier: MIT */
/*
 * hook.h - included before every file of a program whose malloc is to be the heap's (hook.c):
 * cc -include hook.h
 */
#include <stdlib.h>
#include <string.h>

void *hook_malloc(size_t size);
void *hook_calloc(size_t count, size_t size);
void *hook_realloc(void *block, size_t size);
void hook_free(void *block);
char *hook_strdup(const char *text);

#define malloc  hook_malloc
#define calloc  hook_calloc
#define realloc hook_realloc
#define free    hook_free
#undef strdup
#define strdup hook_strdup

/* SPDX-License-Identifier: MIT */
/*
 * target.h - what every *_fuzzer.c is: two functions, as libFuzzer has them.
 *
 * Linked with clang's -fsanitize=fuzzer it looks for inputs that reach what no
 * input has reached yet. Linked with replay.c it runs inputs that are there: the
 * saved ones in corpus/NAME, with every compiler, as a test.
 */
#ifndef MADANG_TESTS_FUZZ_TARGET_H
#define MADANG_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * target.h - what every *_fuzzer.c is: two functions, as libFuzzer has them.
 *
 * Linked with clang's -fsanitize=fuzzer, the program looks for inputs that reach
 * code which no input has reached yet. Linked with replay.c, it runs the inputs
 * that are saved in corpus/NAME. That is a test, with every compiler.
 */
#ifndef MADANG_TESTS_FUZZ_TARGET_H
#define MADANG_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

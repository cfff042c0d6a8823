/* SPDX-License-Identifier: MIT */
/*
 * slowly.h - SLOWLY is 1 if a sanitizer instruments the code, and 0 otherwise. Such code takes many
 * times as long, so long tests do less there.
 */
#ifndef MADANG_TESTS_SLOWLY_H
#define MADANG_TESTS_SLOWLY_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWLY 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWLY 1
#endif
#ifndef SLOWLY
#define SLOWLY 0
#endif

#endif

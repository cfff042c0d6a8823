/* SPDX-License-Identifier: MIT */
/*
 * ofthread.h - memory of which each thread has its own; and where code lies that runs at a fork.
 *
 * With glibc such memory is one instruction away, and it is allocated with the thread. So
 * signal handlers and forked children may use it. musl also allocates it with the thread. But
 * musl and Android refuse to dlopen a library that uses the kind that is one instruction away.
 */
#ifndef MADANG_PLATFORM_OFTHREAD_H
#define MADANG_PLATFORM_OFTHREAD_H

#if defined(__GLIBC__)
#define MDG__OF_THREAD __thread __attribute__((tls_model("initial-exec")))
#else
#define MDG__OF_THREAD __thread
#endif

/* What runs at a fork lies together in the library, because a child has to map each piece of code
 * anew. */
#define MDG__AT_FORK __attribute__((hot))

/* The address of such memory. UndefinedBehaviorSanitizer compares it with NULL. The compiler takes
 * the flags of the addition that makes the address, and the linker makes that an instruction which
 * sets none. So here the compiler is not to know where the address comes from. */
static inline void *mdg__of_thread(void *memory)
{
#if defined(MDG__SANITIZED) || defined(__SANITIZE_ADDRESS__)
	__asm__("" : "+r"(memory));
#endif
	return memory;
}

#endif

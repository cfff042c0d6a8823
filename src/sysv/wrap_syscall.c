/* SPDX-License-Identifier: MIT */
/*
 * wrap_syscall.c - syscall(2), for programs that call shmat by its number.
 *
 * UCX does that, and so do the message passing libraries that are built on UCX.
 * numbers.c has the numbers that mean something here. Every other call goes on by
 * a jump, with all the arguments that the caller may have given.
 *
 * syscall(2) takes as many arguments as the call has. If a caller gives fewer
 * than six, the places on the stack for the others hold variables of the caller.
 * Other threads may be writing to these variables (the word of a futex, for
 * example). So this code may read those places but must not write them, not even
 * with the value that is there. A compiler that passes arguments on does write
 * them. So on x86 a few instructions of assembly pass the call on. Where all
 * seven arguments are in registers, C code does it, compiled so that it is a jump
 * (src/CMakeLists.txt). The C code is built without sanitizers, because a
 * sanitizer comes here while it starts.
 */
#include "sysv/numbers.h"

#include <stddef.h>

#include "sysv/internal.h"

#if MDG__HAS_NUMBERS

/* For the instructions below. */
__attribute__((visibility("hidden"))) mdg__syscall_function mdg__number_call;

long mdg__number_call(long number, long a, long b, long c, long d, long e, long f)
{
	long result = mdg__numbers[number](a, b, c, d, e, f);
	/* This must not become a jump: its arguments would overwrite the places of ours. */
	__asm__ volatile("" : "+r"(result));
	return result;
}

#if defined(__CET__) && (__CET__ & 1)
#define LANDING "endbr64\n\t"
#else
#define LANDING
#endif

#define BEGIN                                                                                      \
	".pushsection .text\n\t.globl syscall\n\t.type syscall, @function\n\t.p2align "            \
	"4\nsyscall:\n\t"
#define END ".size syscall, . - syscall\n\t.popsection\n"

#if defined(__x86_64__)

__asm__(BEGIN LANDING "cmpq mdg__numbers_count(%rip), %rdi\n\t"
                      "jae 1f\n\t"
                      "leaq mdg__numbers(%rip), %rax\n\t"
                      "cmpq $0, (%rax,%rdi,8)\n\t"
                      "jne mdg__number_call\n"
                      "1:\tmovq mdg__next_syscall(%rip), %rax\n\t"
                      "testq %rax, %rax\n\t"
                      "jz mdg__number_to_kernel\n\t"
                      "jmp *%rax\n\t" END);

#elif defined(__i386__)

__asm__(".pushsection .text\n"
        "mdg__where:\n\t"
        "movl (%esp), %ecx\n\t"
        "ret\n\t"
        ".popsection\n" BEGIN "call mdg__where\n"
        "1:\taddl $_GLOBAL_OFFSET_TABLE_ + (. - 1b), %ecx\n\t"
        "movl 4(%esp), %eax\n\t"
        "cmpl mdg__numbers_count@GOTOFF(%ecx), %eax\n\t"
        "jae 2f\n\t"
        "cmpl $0, mdg__numbers@GOTOFF(%ecx,%eax,4)\n\t"
        "jne mdg__number_call\n"
        "2:\tmovl mdg__next_syscall@GOTOFF(%ecx), %eax\n\t"
        "testl %eax, %eax\n\t"
        "jz mdg__number_to_kernel\n\t"
        "jmp *%eax\n\t" END);

#else

/* The function has another name here, because <unistd.h> declares syscall with dots. */
MDG_EXPORT mdg__syscall_function mdg__syscall __asm__("syscall");
MDG_EXPORT long mdg__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if ((unsigned long)number < mdg__numbers_count && mdg__numbers[number] != NULL)
		return mdg__numbers[number](a, b, c, d, e, f);
	return mdg__number_pass(number, a, b, c, d, e, f);
}

#endif

#else
typedef int mdg__nothing_here;
#endif

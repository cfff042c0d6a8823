/* SPDX-License-Identifier: MIT */
/*
 * wrap_syscall.c - syscall(2), for programs that call shmat by its number.
 *
 * UCX does, and with it the message passing libraries on top of it. The numbers
 * that mean something here are in numbers.c; every other call goes on with all
 * that the caller may have given it, by a jump.
 *
 * syscall(2) takes as many arguments as the call has. What is on the stack in
 * place of those that the caller has not given are variables of his, and other
 * threads may be writing to them (the word of a futex, say): it may be read but
 * not written, not even with what is there. A compiler that passes arguments on
 * writes them. So on x86 the way through is a few instructions; where all seven
 * are in registers, it is C, compiled so that it is a jump (src/CMakeLists.txt).
 * No sanitizer: it would come here from its own start.
 */
#include "sysv/numbers.h"

#include <errno.h>
#include <stdint.h>

#include "platform/raw.h"
#include "sysv/internal.h"
#include "sysv/names.h"

#if MDG__HAS_NUMBERS

typedef long syscall_function(long, long, long, long, long, long, long);

/* For the instructions below. */
__attribute__((visibility("hidden"))) syscall_function mdg__number_call, mdg__number_to_kernel;
extern __attribute__((visibility("hidden"))) syscall_function *mdg__next_syscall;

syscall_function *mdg__next_syscall; /* NULL: no library has started that could want to see it */

__attribute__((constructor(102))) static void find_next(void)
{
	mdg__names_prepare();
	mdg__next_syscall = (syscall_function *)mdg__next(MDG__OF_syscall);
}

long mdg__number_call(long number, long a, long b, long c, long d, long e, long f)
{
	long result = mdg__numbers[number](a, b, c, d, e, f);
	/* Not by a jump: its arguments would be put in the place of ours. */
	__asm__ volatile("" : "+r"(result));
	return result;
}

long mdg__number_to_kernel(long number, long a, long b, long c, long d, long e, long f)
{
	long result = mdg__raw(number, a, b, c, d, e, f);
	if ((unsigned long)result < (unsigned long)-4095L)
		return result;
	errno = (int)-result;
	return -1;
}

long mdg__number_pass(long number, long a, long b, long c, long d, long e, long f)
{
	syscall_function *next = mdg__next_syscall;
	return (next != NULL ? next : mdg__number_to_kernel)(number, a, b, c, d, e, f);
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

/* Not by its own name, which <unistd.h> declares with dots. */
MDG_EXPORT syscall_function mdg__syscall __asm__("syscall");
MDG_EXPORT long mdg__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	syscall_function *next = mdg__next_syscall;
	if ((unsigned long)number < mdg__numbers_count && mdg__numbers[number] != NULL)
		return mdg__numbers[number](a, b, c, d, e, f);
	return (next != NULL ? next : mdg__number_to_kernel)(number, a, b, c, d, e, f);
}

#endif

#else
typedef int mdg__nothing_here;
#endif

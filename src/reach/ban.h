/* SPDX-License-Identifier: MIT */
/*
 * ban.h - forbids the kernel's System V IPC.
 *
 * ban_kernel_ipc() installs a seccomp filter for the calling process and all its descendants. The
 * filter answers ENOSYS to the twelve System V calls: shmget, shmat, shmdt, shmctl, semget, semop,
 * semtimedop, semctl, msgget, msgsnd, msgrcv and msgctl. A kernel built without System V IPC does
 * the same. What still works afterwards works in user space. The filter stays until the process
 * ends, and restricts nothing else.
 *
 * A 64-bit process may start 32-bit ones. So the filter knows the call numbers of
 * both word sizes of its machine. On 32-bit x86 that includes the old ipc(2).
 *
 * musl comes without <linux/seccomp.h>. So the numbers and structures of the
 * kernel are written out here.
 */
#ifndef MADANG_REACH_BAN_H
#define MADANG_REACH_BAN_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

/* One instruction of classic BPF, in the kernel's layout. */
struct ban_instruction {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t operand;
};

struct ban_program {
	unsigned short length;
	struct ban_instruction *instructions;
};

enum {
	BAN_LOAD = 0x20,     /* BPF_LD | BPF_W | BPF_ABS: a word of struct seccomp_data */
	BAN_AND = 0x54,      /* BPF_ALU | BPF_AND | BPF_K */
	BAN_IF_EQUAL = 0x15, /* BPF_JMP | BPF_JEQ | BPF_K */
	BAN_RETURN = 0x06,   /* BPF_RET | BPF_K */

	BAN_AT_NUMBER = 0, /* offsets in struct seccomp_data */
	BAN_AT_MACHINE = 4,

	BAN_FILTER_MODE = 2 /* SECCOMP_MODE_FILTER */
};

#define BAN_ALLOW  0x7fff0000u                      /* SECCOMP_RET_ALLOW */
#define BAN_REFUSE (0x00050000u | (uint32_t)ENOSYS) /* SECCOMP_RET_ERRNO */

enum { BAN_CALLS = 13 };

/* The numbers of the calls on each machine, by AUDIT_ARCH_*; 0: there are no more. Where the C
 * library calls semtimedop by two numbers, both stand here. */
static const struct {
	uint32_t machine;
	uint32_t call[BAN_CALLS];
} ban_calls[] = {
	/* x86-64 */
	{ 0xc000003eu, { 29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71 } },
	/* 32-bit x86; 117 is ipc(2) */
	{ 0x40000003u, { 395, 396, 397, 398, 393, 394, 420, 399, 400, 401, 402, 117 } },
	/* aarch64 */
	{ 0xc00000b7u, { 194, 195, 196, 197, 190, 191, 192, 193, 186, 187, 188, 189 } },
	/* arm */
	{ 0x40000028u, { 305, 306, 307, 308, 298, 299, 300, 312, 420, 301, 302, 303, 304 } },
};

/* The instructions for one machine. Every path through them ends the filter. */
static inline size_t ban_write_machine(struct ban_instruction *to, size_t which)
{
	size_t n = 0;
	to[n++] = (struct ban_instruction){ BAN_LOAD, 0, 0, BAN_AT_NUMBER };
	/* x32 programs set this bit in the numbers of x86-64. */
	to[n++] = (struct ban_instruction){ BAN_AND, 0, 0, ~0x40000000u };
	for (size_t i = 0; i < BAN_CALLS && ban_calls[which].call[i] != 0; i++) {
		to[n++] = (struct ban_instruction){ BAN_IF_EQUAL, 0, 1, ban_calls[which].call[i] };
		to[n++] = (struct ban_instruction){ BAN_RETURN, 0, 0, BAN_REFUSE };
	}
	to[n++] = (struct ban_instruction){ BAN_RETURN, 0, 0, BAN_ALLOW };
	return n;
}

/* 0, or -1 with errno. */
static inline int ban_kernel_ipc(void)
{
	struct ban_instruction code[160];
	size_t n = 0;
	code[n++] = (struct ban_instruction){ BAN_LOAD, 0, 0, BAN_AT_MACHINE };
	for (size_t i = 0; i < sizeof(ban_calls) / sizeof(ban_calls[0]); i++) {
		size_t test = n++;
		size_t block = ban_write_machine(code + n, i);
		code[test] = (struct ban_instruction){ BAN_IF_EQUAL, 0, (uint8_t)block,
			                               ban_calls[i].machine };
		n += block;
	}
	code[n++] = (struct ban_instruction){ BAN_RETURN, 0, 0, BAN_ALLOW };

	struct ban_program program = { (unsigned short)n, code };
	if (prctl(PR_SET_SECCOMP, BAN_FILTER_MODE, &program) == 0)
		return 0;
	/* A process without privilege may filter itself only after it has given up gaining
	 * privileges. A privileged process need not do that, and does not, so that set-user-ID
	 * programs keep their privilege. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, BAN_FILTER_MODE, &program);
}

#endif

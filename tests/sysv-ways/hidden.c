/* SPDX-License-Identifier: MIT */
/* hidden.c - a library that is hard to find. See runpath.c. */
int hidden_here(void);

int hidden_here(void)
{
	return 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * parse.c - numbers, sizes, seconds, modes, keys and ids as a person types them.
 *
 * Stricter than strtoull, which takes white space, signs and overflow in silence: here the whole
 * text is the number, or it is none.
 */
#include "base/tool.h"

#include <string.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Digits of `base` from *text on; moves *text behind them. False: no digit, or too large. */
static bool parse_digits(const char **text, unsigned base, uint64_t *ret_number)
{
	const char *p = *text;
	uint64_t number = 0;

	for (; (unsigned)digit_value(*p) < base; p++) {
		uint64_t digit = (uint64_t)digit_value(*p);
		if (number > (UINT64_MAX - digit) / base)
			return false;
		number = number * base + digit;
	}
	if (p == *text)
		return false;
	*text = p;
	*ret_number = number;
	return true;
}

bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_number)
{
	uint64_t number;
	if (!parse_digits(&text, 10, &number) || *text != '\0' || number < low || number > high)
		return false;
	*ret_number = number;
	return true;
}

bool parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGTkmgt";
	uint64_t number;
	unsigned shift = 0;

	if (!parse_digits(&text, 10, &number))
		return false;
	if (*text != '\0') {
		const char *letter = strchr(letters, *text);
		if (letter == NULL || text[1] != '\0')
			return false;
		shift = ((unsigned)(letter - letters) % 4 + 1) * 10;
	}
	if (number > UINT64_MAX >> shift)
		return false;
	*ret_bytes = number << shift;
	return true;
}

bool parse_seconds(const char *text, uint64_t *ret_nanoseconds)
{
	const uint64_t second = 1000000000, most = 1000000000;
	uint64_t whole, fraction = 0, unit = second;

	if (!parse_digits(&text, 10, &whole) || whole > most)
		return false;
	if (*text == '.') {
		text++;
		if (digit_value(*text) >= 10)
			return false;
		for (; digit_value(*text) < 10; text++) {
			unit /= 10; /* beyond nanoseconds: 0 */
			fraction += unit * (uint64_t)digit_value(*text);
		}
	}
	if (*text != '\0')
		return false;
	*ret_nanoseconds = whole * second + fraction;
	return true;
}

bool parse_mode(const char *text, unsigned *ret_mode)
{
	uint64_t number;
	if (!parse_digits(&text, 8, &number) || *text != '\0' || number > 0777)
		return false;
	*ret_mode = (unsigned)number;
	return true;
}

bool parse_key(const char *text, int32_t *ret_key)
{
	bool negative = *text == '-';
	unsigned base = 10;
	uint64_t number;

	text += negative;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (text[0] == '0') {
		base = 8;
	}
	if (!parse_digits(&text, base, &number) || *text != '\0')
		return false;
	if (number > (negative ? (uint64_t)1 << 31 : UINT32_MAX))
		return false;
	uint32_t bits = negative ? (uint32_t)0 - (uint32_t)number : (uint32_t)number;
	memcpy(ret_key, &bits, sizeof bits); /* a key is 32 bits; the sign is a way to write it */
	return true;
}

bool parse_id(const char *text, mdg_id *ret_id)
{
	uint64_t number;
	if (!parse_number(text, 0, INT32_MAX, &number))
		return false;
	*ret_id = (mdg_id)number;
	return true;
}

/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "platform/text.h"

#include <stdarg.h>

struct out {
	char *at, *end; /* `end`: the last byte, kept for the terminator */
	bool cut;
};

static void put(struct out *out, char c)
{
	if (out->at < out->end)
		*out->at++ = c;
	else
		out->cut = true;
}

static void put_number(struct out *out, uint32_t value, unsigned base, int least)
{
	char digits[16];
	int count = 0;
	do
		digits[count++] = "0123456789abcdef"[value % base];
	while ((value /= base) != 0 || count < least);
	while (count > 0)
		put(out, digits[--count]);
}

static void put_one(struct out *out, char kind, va_list *arguments)
{
	if (kind == 's') {
		for (const char *text = va_arg(*arguments, const char *); *text != '\0'; text++)
			put(out, *text);
	} else if (kind == 'd') {
		int value = va_arg(*arguments, int);
		if (value < 0)
			put(out, '-');
		put_number(out, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10, 1);
	} else if (kind == 'u') {
		put_number(out, va_arg(*arguments, uint32_t), 10, 1);
	} else if (kind == 'x') {
		put_number(out, va_arg(*arguments, uint32_t), 16, 8);
	}
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written through out.at */
bool mdg__format(char *text, size_t room, const char *format, ...)
{
	struct out out = { text, text + room - 1, false };
	va_list arguments;
	va_start(arguments, format);
	for (; *format != '\0'; format++) {
		if (*format == '%' && format[1] != '\0')
			put_one(&out, *++format, &arguments);
		else
			put(&out, *format);
	}
	va_end(arguments);
	*out.at = '\0';
	return !out.cut;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 99;
}

bool mdg__parse_number(const char **at, unsigned base, uint64_t *ret)
{
	const char *start = *at;
	uint64_t value = 0;
	for (; digit_of(**at) < base; ++*at)
		value = value * base + digit_of(**at);
	*ret = value;
	return *at != start;
}

uint64_t mdg__hash(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t hash = 14695981039346656037u;
	while (length-- > 0)
		hash = (hash ^ *at++) * 1099511628211u;
	return hash;
}

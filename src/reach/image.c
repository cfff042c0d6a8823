/* SPDX-License-Identifier: MIT */
/* image.c - reads the beginning of a program: an ELF header and its PT_INTERP, or a #! line. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>

#include "platform/sys.h"
#include "reach/reach.h"

#define SCRIPT_ROOM 256 /* as much of a #! line as the kernel looks at */

/* A file and its first bytes. Of most programs, these hold all that is asked for. */
struct start {
	int fd;
	size_t length;
	unsigned char bytes[1024];
};

static int64_t read_at(const struct start *start, void *to, size_t size, uint64_t place)
{
	if (place >= start->length || size > start->length - place)
		return mdg__sys_pread(start->fd, to, size, place);
	memcpy(to, start->bytes + place, size);
	return (int64_t)size;
}

/* Reads PT_INTERP, for either word size, in the byte order of this machine. */
static void read_loader(const struct start *start, struct mdg__image *image, uint64_t table,
                        unsigned entry_size, unsigned entries)
{
	bool large = image->word == ELFCLASS64;

	for (unsigned i = 0; i < entries && i < 4096; i++) {
		union {
			Elf32_Phdr small;
			Elf64_Phdr large;
		} header;
		size_t size = large ? sizeof header.large : sizeof header.small;
		uint64_t place = table + (uint64_t)i * entry_size;
		if (entry_size < size || read_at(start, &header, size, place) != (int64_t)size)
			return;
		if ((large ? header.large.p_type : header.small.p_type) != PT_INTERP)
			continue;
		place = large ? header.large.p_offset : header.small.p_offset;
		int64_t length = read_at(start, image->loader, sizeof image->loader - 1, place);
		image->loader[length > 0 ? length : 0] = '\0';
		image->has_loader = true;
		return;
	}
}

static void read_elf(const struct start *start, struct mdg__image *image)
{
	union {
		Elf32_Ehdr small;
		Elf64_Ehdr large;
	} header;
	const uint16_t probe = 1;
	bool little = *(const unsigned char *)&probe == 1;

	memset(&header, 0, sizeof header);
	memcpy(&header, start->bytes,
	       start->length < sizeof header ? start->length : sizeof header);
	image->is_elf = true;
	image->word = start->bytes[EI_CLASS];
	image->order = start->bytes[EI_DATA];
	image->machine = header.small.e_machine; /* at the same place in both */
	if (image->order != (little ? ELFDATA2LSB : ELFDATA2MSB)) {
		image->has_loader = true; /* its byte order tells already that it does not fit */
		return;
	}
	if (image->word == ELFCLASS64)
		read_loader(start, image, header.large.e_phoff, header.large.e_phentsize,
		            header.large.e_phnum);
	else
		read_loader(start, image, header.small.e_phoff, header.small.e_phentsize,
		            header.small.e_phnum);
}

static void read_script(struct mdg__image *image, const char *line)
{
	const char *word = line + 2;
	size_t length;

	word += strspn(word, " \t");
	length = strcspn(word, " \t\r\n");
	if (length >= sizeof image->loader)
		length = sizeof image->loader - 1;
	memcpy(image->loader, word, length);
	image->loader[length] = '\0';
	image->is_script = true;
}

bool mdg__image_read(const char *path, struct mdg__image *ret_image)
{
	struct start start = { .fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0) };

	memset(ret_image, 0, sizeof *ret_image);
	if (start.fd < 0)
		return false;
	int64_t length = mdg__sys_pread(start.fd, start.bytes, sizeof start.bytes, 0);
	start.length = length > 0 ? (size_t)length : 0;
	if (length > 20 && memcmp(start.bytes, ELFMAG, SELFMAG) == 0) {
		read_elf(&start, ret_image);
	} else if (length > 2 && start.bytes[0] == '#' && start.bytes[1] == '!') {
		start.bytes[length < SCRIPT_ROOM ? length : SCRIPT_ROOM] = '\0';
		read_script(ret_image, (const char *)start.bytes);
	}
	(void)mdg__sys_close(start.fd);
	return length >= 0;
}

bool mdg__image_is_like(const struct mdg__image *image, const struct mdg__image *other)
{
	return image->is_elf && other->is_elf && image->word == other->word &&
	       image->machine == other->machine && image->order == other->order;
}

bool mdg__image_is_musl(const struct mdg__image *program)
{
	return strstr(program->loader, "ld-musl") != NULL;
}

/* SPDX-License-Identifier: MIT */
/* image.c - reads the beginning of a program: an ELF header and its PT_INTERP, or a #! line. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>

#include "platform/sys.h"
#include "reach/reach.h"

#define START_ROOM 256 /* as much of a #! line as the kernel looks at */

/* Reads PT_INTERP, for either word size, in the byte order of this machine. */
static void read_loader(int fd, struct mdg__image *image, uint64_t table, unsigned entry_size,
                        unsigned entries)
{
	bool large = image->word == ELFCLASS64;

	for (unsigned i = 0; i < entries && i < 4096; i++) {
		union {
			Elf32_Phdr small;
			Elf64_Phdr large;
		} header;
		size_t size = large ? sizeof header.large : sizeof header.small;
		uint64_t place = table + (uint64_t)i * entry_size;
		if (entry_size < size || mdg__sys_pread(fd, &header, size, place) != (int64_t)size)
			return;
		if ((large ? header.large.p_type : header.small.p_type) != PT_INTERP)
			continue;
		place = large ? header.large.p_offset : header.small.p_offset;
		int64_t length = mdg__sys_pread(fd, image->loader, sizeof image->loader - 1, place);
		image->loader[length > 0 ? length : 0] = '\0';
		image->has_loader = true;
		return;
	}
}

static void read_elf(int fd, struct mdg__image *image, const unsigned char *start, size_t length)
{
	union {
		Elf32_Ehdr small;
		Elf64_Ehdr large;
	} header;
	const uint16_t probe = 1;
	bool little = *(const unsigned char *)&probe == 1;

	memset(&header, 0, sizeof header);
	memcpy(&header, start, length < sizeof header ? length : sizeof header);
	image->is_elf = true;
	image->word = start[EI_CLASS];
	image->order = start[EI_DATA];
	image->machine = header.small.e_machine; /* at the same place in both */
	if (image->order != (little ? ELFDATA2LSB : ELFDATA2MSB)) {
		image->has_loader = true; /* its byte order tells already that it does not fit */
		return;
	}
	if (image->word == ELFCLASS64)
		read_loader(fd, image, header.large.e_phoff, header.large.e_phentsize,
		            header.large.e_phnum);
	else
		read_loader(fd, image, header.small.e_phoff, header.small.e_phentsize,
		            header.small.e_phnum);
}

static void read_script(struct mdg__image *image, const char *start)
{
	const char *word = start + 2;
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
	unsigned char start[START_ROOM + 1];
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);

	memset(ret_image, 0, sizeof *ret_image);
	if (fd < 0)
		return false;
	int64_t length = mdg__sys_pread(fd, start, START_ROOM, 0);
	if (length > 20 && memcmp(start, ELFMAG, SELFMAG) == 0) {
		read_elf(fd, ret_image, start, (size_t)length);
	} else if (length > 2 && start[0] == '#' && start[1] == '!') {
		start[length] = '\0';
		read_script(ret_image, (const char *)start);
	}
	(void)mdg__sys_close(fd);
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

/* SPDX-License-Identifier: MIT */
/*
 * xshm.c - an X client that puts and gets images through shared memory (MIT-SHM).
 *
 *     xshm all           every step below, one after the other
 *     xshm leave         makes, removes and attaches a segment, then kills itself
 *     xshm share MODE    puts an image through a segment with this (octal) mode
 *
 * The client makes a segment, and the server, another process, attaches it by the
 * bare id. Every picture is compared pixel by pixel with one that came through the
 * socket. Among the steps: the segment is removed while the server has it, and
 * before the server attaches it, which only the kernel's "a removed segment can be
 * attached while somebody has it" makes work. A plain client of libX11 and libXext.
 *
 * It prints what it sees; another program compares that. Exit 0 when it came to
 * the end, 1 when the surroundings did not allow it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>

enum { WIDTH = 203, HEIGHT = 151 }; /* no multiples of anything */

static Display *display;
static Window root;
static Visual *visual;
static int depth;
static GC gc;
static int first_error; /* of the extension: BadShmSeg */
static int last_error;  /* what the server said last; 0: nothing */

/* A segment, how the server knows it, and an image in it. */
struct shared_image {
	XShmSegmentInfo info;
	XImage *image;
};

static int remember_error(Display *from, XErrorEvent *event)
{
	(void)from;
	last_error = event->error_code;
	return 0;
}

static void fail(const char *what)
{
	fprintf(stderr, "xshm: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* ---- segments ----------------------------------------------------------- */

static void print_segment(const char *when, int id)
{
	struct shmid_ds about;
	if (shmctl(id, IPC_STAT, &about) == 0)
		printf("%s: attached %lu, mode %o\n", when, (unsigned long)about.shm_nattch,
		       (unsigned)about.shm_perm.mode);
	else
		printf("%s: %s\n", when, strerror(errno));
}

/* What the server answered to everything so far. */
static void print_answer(const char *what)
{
	XSync(display, False);
	if (last_error == 0)
		printf("%s: the server agrees\n", what);
	else if (last_error == first_error)
		printf("%s: BadShmSeg\n", what);
	else
		printf("%s: error %d\n", what, last_error);
	last_error = 0;
}

static void make_segment(struct shared_image *shared, int mode)
{
	shared->image = XShmCreateImage(display, visual, (unsigned)depth, ZPixmap, NULL,
	                                &shared->info, WIDTH, HEIGHT);
	if (shared->image == NULL)
		fail("XShmCreateImage");
	size_t size = (size_t)shared->image->bytes_per_line * HEIGHT;
	shared->info.shmid = shmget(IPC_PRIVATE, size, IPC_CREAT | mode);
	if (shared->info.shmid < 0)
		fail("shmget");
	shared->info.shmaddr = shared->image->data = shmat(shared->info.shmid, NULL, 0);
	if (shared->info.shmaddr == (void *)-1)
		fail("shmat");
	shared->info.readOnly = False;
}

static void attach(struct shared_image *shared, const char *what)
{
	XShmAttach(display, &shared->info);
	print_answer(what);
}

static void let_go(struct shared_image *shared)
{
	XShmDetach(display, &shared->info);
	XSync(display, False);
	print_segment("server has let go", shared->info.shmid);
	if (shmdt(shared->info.shmaddr) != 0)
		fail("shmdt");
	shared->image->data = NULL;
	XDestroyImage(shared->image);
	print_segment("client has let go", shared->info.shmid);
}

/* ---- pictures ----------------------------------------------------------- */

static unsigned long colour(int x, int y, unsigned seed)
{
	return ((unsigned long)(unsigned)x * 2654435761u ^ (unsigned long)(unsigned)y * 40503u ^
	        seed * 69069u) &
	       0xffffff;
}

static void paint(XImage *image, unsigned seed)
{
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			XPutPixel(image, x, y, colour(x, y, seed));
}

static long equal_pixels(XImage *one, XImage *other)
{
	long equal = 0;
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			equal += (XGetPixel(one, x, y) & 0xffffff) ==
			         (XGetPixel(other, x, y) & 0xffffff);
	return equal;
}

static long painted_pixels(XImage *image, unsigned seed)
{
	long equal = 0;
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			equal += (XGetPixel(image, x, y) & 0xffffff) == colour(x, y, seed);
	return equal;
}

static XImage *through_the_socket(Drawable from)
{
	XImage *image = XGetImage(display, from, 0, 0, WIDTH, HEIGHT, AllPlanes, ZPixmap);
	if (image == NULL)
		fail("XGetImage");
	return image;
}

static void print_pixels(const char *what, long equal)
{
	printf("%s: %ld of %d pixels\n", what, equal, WIDTH * HEIGHT);
}

/* Through shared memory to the server, back through the socket. */
static void put(struct shared_image *shared, unsigned seed, const char *what)
{
	Pixmap pixmap = XCreatePixmap(display, root, WIDTH, HEIGHT, (unsigned)depth);
	XFillRectangle(display, pixmap, gc, 0, 0, WIDTH, HEIGHT);
	paint(shared->image, seed);
	XShmPutImage(display, pixmap, gc, shared->image, 0, 0, 0, 0, WIDTH, HEIGHT, False);
	print_answer(what);
	XImage *back = through_the_socket(pixmap);
	print_pixels(what, painted_pixels(back, seed));
	XDestroyImage(back);
	XFreePixmap(display, pixmap);
}

/* Painted by the server, fetched through shared memory. */
static void get(struct shared_image *shared, const char *what)
{
	Pixmap pixmap = XCreatePixmap(display, root, WIDTH, HEIGHT, (unsigned)depth);
	for (int i = 0; i < 60; i++) {
		XSetForeground(display, gc, colour(i, i, 99));
		XFillRectangle(display, pixmap, gc, i * 3, i * 2, WIDTH, HEIGHT);
	}
	memset(shared->image->data, 0x5a, (size_t)shared->image->bytes_per_line * HEIGHT);
	XShmGetImage(display, pixmap, shared->image, 0, 0, AllPlanes);
	print_answer(what);
	XImage *back = through_the_socket(pixmap);
	print_pixels(what, equal_pixels(back, shared->image));
	XDestroyImage(back);
	XFreePixmap(display, pixmap);
}

/* ---- the steps ---------------------------------------------------------- */

static void plain(void)
{
	struct shared_image shared;
	make_segment(&shared, 0600);
	print_segment("made", shared.info.shmid);
	attach(&shared, "attach");
	print_segment("attached by the server", shared.info.shmid);
	put(&shared, 1, "put");
	get(&shared, "get");
	if (shmctl(shared.info.shmid, IPC_RMID, NULL) != 0)
		fail("IPC_RMID");
	print_segment("removed while the server has it", shared.info.shmid);
	put(&shared, 2, "put, removed");
	get(&shared, "get, removed");
	let_go(&shared);
}

static void removed_before_attaching(void)
{
	struct shared_image shared;
	make_segment(&shared, 0600);
	if (shmctl(shared.info.shmid, IPC_RMID, NULL) != 0)
		fail("IPC_RMID");
	print_segment("removed before the server has it", shared.info.shmid);
	attach(&shared, "attach, removed");
	print_segment("attached by the server", shared.info.shmid);
	put(&shared, 3, "put, removed before");
	get(&shared, "get, removed before");
	let_go(&shared);
}

/* The client detaches first: then the server alone keeps the removed segment. */
static void kept_by_the_server(void)
{
	struct shared_image shared;
	Pixmap pixmap = XCreatePixmap(display, root, WIDTH, HEIGHT, (unsigned)depth);
	make_segment(&shared, 0600);
	attach(&shared, "attach");
	paint(shared.image, 4);
	shmctl(shared.info.shmid, IPC_RMID, NULL);
	shmdt(shared.info.shmaddr);
	print_segment("kept by the server alone", shared.info.shmid);
	XShmPutImage(display, pixmap, gc, shared.image, 0, 0, 0, 0, WIDTH, HEIGHT, False);
	print_answer("put, kept by the server");
	XImage *back = through_the_socket(pixmap);
	print_pixels("put, kept by the server", painted_pixels(back, 4));
	XDestroyImage(back);

	void *again = shmat(shared.info.shmid, NULL, SHM_RDONLY);
	printf("attached again, removed: %s\n", again != (void *)-1 ? "works" : strerror(errno));
	if (again != (void *)-1) {
		shared.image->data = again;
		print_pixels("seen again", painted_pixels(shared.image, 4));
		shmdt(again);
	}
	XShmDetach(display, &shared.info);
	XSync(display, False);
	print_segment("nobody has it", shared.info.shmid);
	shared.image->data = NULL;
	XDestroyImage(shared.image);
	XFreePixmap(display, pixmap);
}

/* The server refuses what it cannot have. */
static void refused(void)
{
	struct shared_image shared;
	make_segment(&shared, 0600);
	shmctl(shared.info.shmid, IPC_RMID, NULL);
	shmdt(shared.info.shmaddr);
	attach(&shared, "attach, gone");
	shared.info.shmid = -1;
	attach(&shared, "attach, id -1");
	shared.image->data = NULL;
	XDestroyImage(shared.image);

	make_segment(&shared, 0600);
	shared.info.readOnly = True;
	attach(&shared, "attach, read-only");
	put(&shared, 5, "put, read-only");
	printf("get, read-only: returns %d\n",
	       XShmGetImage(display, root, shared.image, 0, 0, AllPlanes));
	print_answer("get, read-only");
	shmctl(shared.info.shmid, IPC_RMID, NULL);
	let_go(&shared);
}

/* A pixmap whose pixels are the segment: no copy, seen at once by both. */
static void shared_pixmap(void)
{
	struct shared_image shared;
	make_segment(&shared, 0600);
	attach(&shared, "attach");
	shmctl(shared.info.shmid, IPC_RMID, NULL);
	Pixmap pixmap = XShmCreatePixmap(display, root, shared.info.shmaddr, &shared.info, WIDTH,
	                                 HEIGHT, (unsigned)depth);
	print_answer("shared pixmap");
	paint(shared.image, 6);
	XImage *back = through_the_socket(pixmap);
	print_pixels("what the client painted", painted_pixels(back, 6));
	XDestroyImage(back);
	XSetForeground(display, gc, 0x123456);
	XFillRectangle(display, pixmap, gc, 10, 10, 50, 50);
	XSync(display, False);
	printf("what the server painted: %06lx %06lx\n", XGetPixel(shared.image, 10, 10) & 0xffffff,
	       XGetPixel(shared.image, 59, 59) & 0xffffff);
	XFreePixmap(display, pixmap);
	let_go(&shared);
}

static void many(void)
{
	enum { COUNT = 60 };
	static struct shared_image all[COUNT];
	long pixels = 0;
	for (int i = 0; i < COUNT; i++) {
		make_segment(&all[i], 0600);
		if (i % 2 == 0)
			shmctl(all[i].info.shmid, IPC_RMID, NULL);
		XShmAttach(display, &all[i].info);
		XSync(display, False);
		shmctl(all[i].info.shmid, IPC_RMID, NULL);
		paint(all[i].image, (unsigned)i);
	}
	Pixmap pixmap = XCreatePixmap(display, root, WIDTH, HEIGHT, (unsigned)depth);
	for (int i = 0; i < COUNT; i++) {
		XShmPutImage(display, pixmap, gc, all[i].image, 0, 0, 0, 0, WIDTH, HEIGHT, False);
		XImage *back = through_the_socket(pixmap);
		pixels += painted_pixels(back, (unsigned)i);
		XDestroyImage(back);
	}
	printf("many: %ld of %d pixels\n", pixels, COUNT * WIDTH * HEIGHT);
	print_segment("one of many", all[COUNT / 2].info.shmid);
	for (int i = 0; i < COUNT; i++) {
		shmdt(all[i].info.shmaddr);
		all[i].image->data = NULL;
		XDestroyImage(all[i].image);
	}
	/* The server keeps them all; they go when this client's connection does. */
	print_segment("one of many, the server's", all[COUNT / 2].info.shmid);
	XFreePixmap(display, pixmap);
}

/* The server has the segment when its client is killed. */
static void leave(void)
{
	struct shared_image shared;
	make_segment(&shared, 0600);
	attach(&shared, "attach");
	shmctl(shared.info.shmid, IPC_RMID, NULL);
	print_segment("left behind", shared.info.shmid);
	fflush(stdout);
	raise(SIGKILL);
}

/* For a server of another user. */
static void share(int mode)
{
	struct shared_image shared;
	printf("mode %03o\n", (unsigned)mode);
	for (int removed = 0; removed < 2; removed++) {
		make_segment(&shared, mode);
		if (removed)
			shmctl(shared.info.shmid, IPC_RMID, NULL);
		attach(&shared, removed ? "attach, removed" : "attach");
		print_segment("attached", shared.info.shmid);
		put(&shared, 7, "put");
		get(&shared, "get");
		shmctl(shared.info.shmid, IPC_RMID, NULL);
		put(&shared, 8, "put, removed");
		let_go(&shared);
	}
}

static void open_display(void)
{
	int major, minor, event;
	Bool pixmaps;
	display = XOpenDisplay(NULL);
	if (display == NULL) {
		fprintf(stderr, "xshm: no display\n");
		exit(EXIT_FAILURE);
	}
	if (!XShmQueryVersion(display, &major, &minor, &pixmaps) ||
	    !XQueryExtension(display, "MIT-SHM", &major, &event, &first_error)) {
		fprintf(stderr, "xshm: the server has no MIT-SHM\n");
		exit(EXIT_FAILURE);
	}
	printf("shared pixmaps: %d\n", pixmaps);
	root = DefaultRootWindow(display);
	visual = DefaultVisual(display, DefaultScreen(display));
	depth = DefaultDepth(display, DefaultScreen(display));
	gc = XCreateGC(display, root, 0, NULL);
	XSetErrorHandler(remember_error);
}

int main(int argc, char **argv)
{
	open_display();
	if (argc == 3 && strcmp(argv[1], "share") == 0) {
		share((int)strtol(argv[2], NULL, 8));
	} else if (argc == 2 && strcmp(argv[1], "leave") == 0) {
		leave();
	} else {
		plain();
		removed_before_attaching();
		kept_by_the_server();
		refused();
		shared_pixmap();
		many();
	}
	XCloseDisplay(display);
	return EXIT_SUCCESS;
}

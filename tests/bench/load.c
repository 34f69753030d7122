#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS_MAX 16

int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void die(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

void raise_descriptor_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

struct file file_map(const char *path)
{
	struct file f = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	f.n = (size_t)st.st_size;
	f.p = mmap(NULL, f.n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (f.p == MAP_FAILED)
		die(path);
	(void)close(fd);
	return f;
}

double own_cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void waits_init(struct waits *w, size_t max)
{
	*w = (struct waits){ .us = malloc(max * sizeof(*w->us)), .max = max };
	if (!w->us)
		die("memory");
}

void waits_add(struct waits *w, int64_t us)
{
	if (w->n < w->max)
		w->us[w->n++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
	else
		w->beyond++;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void waits_print(struct waits *w, const char *name)
{
	size_t n = w->n;

	qsort(w->us, n, sizeof(*w->us), compare);
	printf("\"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f", name,
		n ? w->us[n / 2] / 1000.0 : 0.0, name, n ? w->us[n * 99 / 100] / 1000.0 : 0.0, name,
		n ? w->us[n - 1] / 1000.0 : 0.0);
}

struct in_addr client_address(struct in_addr first, unsigned i)
{
	if (first.s_addr)
		first.s_addr = htonl(ntohl(first.s_addr) + i);
	return first;
}

int socket_of(int type, struct in_addr local)
{
	const struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = local };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (local.s_addr && bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("bind");
	return fd;
}

struct in_addr parse_address(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1) {
		errno = EINVAL;
		die(text);
	}
	return a;
}

static unsigned parse_number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n > max) {
		errno = EINVAL;
		die(text);
	}
	return (unsigned)n;
}

static void take(const struct load_option *o, const char *text)
{
	switch (o->kind) {
	case LOAD_FLAG:
		*(bool *)o->to = true;
		break;
	case LOAD_TEXT:
		*(const char **)o->to = text;
		break;
	case LOAD_NUMBER:
		*(unsigned *)o->to = parse_number(text, o->max);
		break;
	case LOAD_PORT:
		*(in_port_t *)o->to = htons((uint16_t)parse_number(text, UINT16_MAX));
		break;
	case LOAD_ADDRESS:
		*(struct in_addr *)o->to = parse_address(text);
		break;
	case LOAD_FILE:
		*(struct file *)o->to = file_map(text);
		break;
	}
}

bool parse_options(int argc, char **argv, const struct load_option *list, size_t n)
{
	struct option names[OPTIONS_MAX + 1] = { 0 };
	int c, found;

	for (size_t i = 0; i < n && i < OPTIONS_MAX; i++)
		names[i] = (struct option){ list[i].name, list[i].kind != LOAD_FLAG, NULL, 0 };
	while ((c = getopt_long(argc, argv, "", names, &found)) == 0)
		take(&list[found], optarg);
	return c < 0 && optind == argc;
}

/* What the load generators share: time, limits, files to compare with, waits.
 *
 * They share no codec with the daemon: what is measured must not also be what
 * measures. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file that is served, as it should arrive. */
struct file {
	const uint8_t *p;
	size_t n;
};

/* Waits of one kind; those beyond the limit are counted, not kept. */
struct waits {
	uint32_t *us;
	size_t n, beyond, max;
};

int64_t now_us(void);
_Noreturn void die(const char *what);

/* As many descriptors as we may have. */
void raise_descriptor_limit(void);
struct file file_map(const char *path);
/* CPU of this process, so that a reader sees whether the load was the limit. */
double own_cpu_s(void);

void waits_init(struct waits *w, size_t max);
void waits_add(struct waits *w, int64_t us);
/* Prints `"NAME_p50_ms": …, "NAME_p99_ms": …, "NAME_max_ms": …`. */
void waits_print(struct waits *w, const char *name);

/* The address of client number i, the first one being `first`. */
struct in_addr client_address(struct in_addr first, unsigned i);
/* A non-blocking socket bound to it (any port), where it is not 0.0.0.0. */
int socket_of(int type, struct in_addr local);

struct in_addr parse_address(const char *text);

/* An option of a command line: --NAME, and where its argument goes. */
struct load_option {
	const char *name;
	enum {
		LOAD_FLAG,    /* bool; it takes no argument */
		LOAD_TEXT,    /* const char * */
		LOAD_NUMBER,  /* unsigned, up to max */
		LOAD_PORT,    /* in_port_t */
		LOAD_ADDRESS, /* struct in_addr */
		LOAD_FILE,    /* struct file: it is mapped */
	} kind;
	void *to;
	unsigned max;
};

/* Ends the program where an argument is none; false: the usage is wrong. */
bool parse_options(int argc, char **argv, const struct load_option *list, size_t n);

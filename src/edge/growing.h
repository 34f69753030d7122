/* A file that is still being written, shared by the thread that writes it and those
 * that serve it.
 *
 * Readers may send what is `available`; they never wait here, but look again.  What was
 * announced never becomes less, and ends either whole or broken.
 */
#pragma once

#include "base/bytes.h"

struct growing;

/* Of total octets; fd is duplicated. */
int growing_new(int fd, uint64_t total, struct growing **ret) WARN_UNUSED;
/* From any thread. */
struct growing *growing_ref(struct growing *g);
void growing_unref(struct growing *g); /* NULL is fine */

/* The writer's. */
void growing_announce(struct growing *g, uint64_t available);
void growing_break(struct growing *g);

uint64_t growing_total(const struct growing *g);
uint64_t growing_available(const struct growing *g);
bool growing_is_broken(const struct growing *g);
/* A descriptor of its own for the caller.  -errno. */
int growing_open(const struct growing *g, int *ret_fd) WARN_UNUSED;

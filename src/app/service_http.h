/* HTTP and HTTPS as a service: scripts, loaders and files of the HTTP root, served by
 * threads of their own. */
#pragma once

#include "app/site.h"

struct service_http;

int service_http_new(uv_loop_t *loop, struct site *site, struct service_http **ret) WARN_UNUSED;
/* Listens on exactly these addresses.  Returns how many could not be opened. */
unsigned service_http_update(struct service_http *s, const struct ip4 *addrs, size_t n);
unsigned service_http_open_count(const struct service_http *s);
/* Answers under way have five seconds (G-10); then closed(ctx). */
void service_http_close(struct service_http *s, void (*closed)(void *ctx), void *ctx);

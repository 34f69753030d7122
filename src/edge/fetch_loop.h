/* libcurl's transfers on a libuv loop. */
#pragma once

#include "base/bytes.h"

#include <curl/curl.h>
#include <uv.h>

struct fetch_loop;

/* One transfer: begun by fetch_loop_add(), ended by its ended() or by
 * fetch_loop_remove(), whichever is first. */
struct fetch_transfer {
	CURL *easy;
	void (*ended)(struct fetch_transfer *t, CURLcode code);
};

int fetch_loop_new(uv_loop_t *uv, struct fetch_loop **ret) WARN_UNUSED;
/* No transfer is left; frees it when the loop has let go. */
void fetch_loop_close(struct fetch_loop *l);
uv_loop_t *fetch_loop_uv(struct fetch_loop *l);
int fetch_loop_add(struct fetch_loop *l, struct fetch_transfer *t) WARN_UNUSED;
void fetch_loop_remove(struct fetch_loop *l, struct fetch_transfer *t);

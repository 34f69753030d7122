/* Fetching an image of the catalogue: its proofs first, then its files, which take
 * their places together when each has been verified. */
#pragma once

#include "core/catalogue.h"

struct image_progress {
	const char *url;
	uint64_t got, total; /* as in struct fetch_progress (edge/fetch.h) */
};

struct image_watcher {
	/* Something worth a line. */
	void (*tell)(void *ctx, const char *sentence);
	/* A file grows; and at its end (url NULL). */
	void (*progress)(void *ctx, const struct image_progress *p);
	void *ctx;
};

struct image_options {
	const char *dir; /* the image's files go to dir/NAME */
	const char *ca;  /* or NULL, as in fetcher_new() */
	unsigned stall_s;
};

/* 0, or -errno with a sentence in *ret_why.  Blocks. */
int image_fetch(const struct catalogue_image *image, const struct image_options *options,
	const struct image_watcher *watcher, struct text *ret_why) WARN_UNUSED;

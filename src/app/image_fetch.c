/* Fetching an image; see image_fetch.h.
 *
 * In DIR/NAME/.new the files gather, and there they wait for each other: a kernel
 * without the initrd of its version boots nothing.
 */
#include "app/image_fetch.h"

#include "edge/fetch.h"
#include "edge/files.h"
#include "edge/gpgv.h"
#include "edge/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUMS_SIZE_MAX ((uint64_t)16 << 20)
#define FILE_SIZE_MAX ((uint64_t)64 << 30)
#define TRIES         5u

struct job {
	const struct catalogue_image *image;
	const struct image_options *options;
	const struct image_watcher *watcher;
	struct text *why;
	uv_loop_t loop;
	struct fetcher *fetcher;
	struct text dir, new_dir;
	struct text sums; /* the last list, proven */
	/* the fetch under way */
	const char *url;
	int result;
	bool ended;
};

static int PRINTF(3, 4) fail(struct job *j, int r, const char *fmt, ...)
{
	va_list ap;

	text_reset(j->why);
	va_start(ap, fmt);
	text_addv(j->why, fmt, ap);
	va_end(ap);
	return r;
}

static void PRINTF(2, 3) tell(struct job *j, const char *fmt, ...)
{
	struct text line = { 0 };
	va_list ap;

	va_start(ap, fmt);
	text_addv(&line, fmt, ap);
	va_end(ap);
	j->watcher->tell(j->watcher->ctx, text_str(&line));
	text_free(&line);
}

/* --- one file --- */

static void on_progress(void *ctx, const struct fetch_progress *p)
{
	struct job *j = ctx;
	struct image_progress now = { j->url, p->got, p->total };

	j->watcher->progress(j->watcher->ctx, &now);
}

static void on_done(void *ctx, const struct fetch_end *end)
{
	struct job *j = ctx;
	struct image_progress over = { 0 };

	j->watcher->progress(j->watcher->ctx, &over);
	j->result = end->result;
	j->ended = true;
	if (end->result < 0)
		(void)fail(j, end->result, "%s%s%s%s", end->sentence, end->path ? " (" : "",
			end->path ? end->path : "", end->path ? ")" : "");
}

static int fetch_to(struct job *j, const char *url, const char *path, const struct sha256 *sha256,
	uint64_t size_max)
{
	static const struct fetch_events events = { .progress = on_progress, .done = on_done };
	struct fetch_request request = { .url = url,
		.path = path,
		.sha256 = sha256,
		.size_max = size_max,
		.stall_s = j->options->stall_s,
		.tries = TRIES,
		.resume = true };
	struct fetch *fetch;

	j->url = url;
	j->ended = false;
	if (fetch_begin(j->fetcher, &request, &events, j, &fetch) < 0)
		return fail(j, -ENOMEM, "out of memory");
	while (!j->ended)
		(void)uv_run(&j->loop, UV_RUN_ONCE);
	return j->result;
}

/* --- what proves the files --- */

static int read_list(struct job *j, const char *path)
{
	struct stat st;
	int fd, r = files_open_path(path, &fd, &st);

	text_free(&j->sums);
	if (r == 0) {
		r = files_read_all(fd, SUMS_SIZE_MAX, &j->sums);
		(void)close(fd);
	}
	return r < 0 ? fail(j, r, "cannot read %s: %s", path, strerror(-r)) : 0;
}

/* What of gpgv's words says it best: the last line. */
static struct span last_line(struct text *said)
{
	struct span s;

	while (said->n > 0 && said->p[said->n - 1] == '\n')
		said->n--;
	s = text_span(said);
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '\n')
			return span_skip(s, i);
	return s;
}

/* The first list: what is signed of it stays in j->sums. */
static int check_signature(struct job *j, const char *list)
{
	const struct catalogue_image *image = j->image;
	struct text signature = { 0 }, output = { 0 }, said = { 0 };
	struct span words;
	int r = 0;

	text_addf(&signature, "%s/.signature", text_str(&j->new_dir));
	text_addf(&output, "%s/.signed", text_str(&j->new_dir));
	if (signature.failed || output.failed)
		r = fail(j, -ENOMEM, "out of memory");
	if (r == 0 && image->signature)
		r = fetch_to(j, image->signature, text_str(&signature), NULL, SUMS_SIZE_MAX);
	if (r == 0) {
		r = gpgv_check(&j->loop, image->keyring, list,
			image->signature ? text_str(&signature) : NULL, text_str(&output), &said);
		words = last_line(&said);
		if (r == -EKEYREJECTED)
			(void)fail(j, r, "the signature of %s is not good: %.*s (keyring %s)",
				image->sums[0], (int)(words.n < 200 ? words.n : 200),
				words.n ? (const char *)words.p : "", image->keyring);
		else if (r < 0)
			(void)fail(j, r, "cannot run gpgv: %s; it is in Debian's package gpgv",
				strerror(-r));
	}
	if (r == 0)
		r = read_list(j, image->signature ? list : text_str(&output));
	(void)unlink(text_str(&signature));
	(void)unlink(text_str(&output));
	text_free(&signature);
	text_free(&output);
	text_free(&said);
	if (r == 0)
		tell(j, "%s is signed by a key of %s", image->sums[0], image->keyring);
	return r;
}

/* The digest that the last proven list has for url. */
static int find_digest(struct job *j, const char *list_url, const char *url, struct sha256 *ret)
{
	struct span name = SPAN_NONE;
	int r = sums_name_of(list_url, url, &name) ? sums_find(text_span(&j->sums), name, ret)
						   : -ENOENT;

	if (r == -EEXIST)
		return fail(j, r, "%s has two SHA-256 for %s", list_url, url);
	return r < 0 ? fail(j, r, "%s has no SHA-256 for %s", list_url, url) : 0;
}

static int prove_lists(struct job *j)
{
	const struct catalogue_image *image = j->image;
	struct text path = { 0 };
	int r = 0;

	text_addf(&path, "%s/.sums", text_str(&j->new_dir));
	if (path.failed)
		r = fail(j, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < image->n_sums; i++) {
		struct sha256 digest;

		r = i > 0 ? find_digest(j, image->sums[i - 1], image->sums[i], &digest) : 0;
		if (r == 0)
			r = fetch_to(j, image->sums[i], text_str(&path), i > 0 ? &digest : NULL,
				SUMS_SIZE_MAX);
		if (r == 0 && i == 0 && image->keyring)
			r = check_signature(j, text_str(&path));
		else if (r == 0)
			r = read_list(j, text_str(&path));
	}
	(void)unlink(text_str(&path));
	text_free(&path);
	return r;
}

/* --- the files --- */

static int join(struct job *j, const struct text *dir, const char *name, struct text *ret)
{
	text_reset(ret);
	text_addf(ret, "%s/%s", text_str(dir), name);
	return ret->failed ? fail(j, -ENOMEM, "out of memory") : 0;
}

static bool has_digest(const char *path, struct sha256 digest)
{
	struct sha256 got;

	return partial_sha256_of(path, NULL, &got) == 0 && sha256_eq(got, digest);
}

/* Leaves it in the new directory, unless it is in its place already. */
static int fetch_file(struct job *j, const struct catalogue_file *file)
{
	const struct catalogue_image *image = j->image;
	struct sha256 digest = file->sha256;
	struct text path = { 0 };
	int r = file->has_sha256
		? 0
		: find_digest(j, image->sums[image->n_sums - 1], file->url, &digest);

	if (r == 0)
		r = join(j, &j->dir, file->name, &path);
	if (r == 0 && has_digest(text_str(&path), digest)) {
		tell(j, "%s is there already, and verified", text_str(&path));
		text_free(&path);
		return 0;
	}
	if (r == 0)
		r = join(j, &j->new_dir, file->name, &path);
	if (r == 0 && !has_digest(text_str(&path), digest))
		r = fetch_to(j, file->url, text_str(&path), &digest, FILE_SIZE_MAX);
	if (r == 0)
		tell(j, "%s verified: SHA-256 %s", file->name, sha256_str(digest).s);
	text_free(&path);
	return r;
}

static int put_in_place(struct job *j, const struct catalogue_file *file)
{
	struct text from = { 0 }, to = { 0 };
	int r = join(j, &j->new_dir, file->name, &from);

	if (r == 0)
		r = join(j, &j->dir, file->name, &to);
	if (r == 0 && rename(text_str(&from), text_str(&to)) < 0 && errno != ENOENT)
		r = fail(j, -errno, "cannot write %s: %s", text_str(&to), strerror(errno));
	text_free(&from);
	text_free(&to);
	return r;
}

static int sync_dir(struct job *j)
{
	int fd = open(text_str(&j->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0 || fsync(fd) < 0)
		r = fail(j, -errno, "cannot write %s: %s", text_str(&j->dir), strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int fetch_files(struct job *j)
{
	const struct catalogue_image *image = j->image;
	int r = fetch_file(j, &image->kernel);

	for (size_t i = 0; r == 0 && i < image->n_initrds; i++)
		r = fetch_file(j, &image->initrds[i]);
	if (r == 0)
		r = put_in_place(j, &image->kernel);
	for (size_t i = 0; r == 0 && i < image->n_initrds; i++)
		r = put_in_place(j, &image->initrds[i]);
	return r == 0 ? sync_dir(j) : r;
}

/* --- all of it --- */

static int make_dir(struct job *j, const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST
		? fail(j, -errno, "cannot make the directory %s: %s", path, strerror(errno))
		: 0;
}

static int make_dirs(struct job *j)
{
	int r;

	text_addf(&j->dir, "%s/%s", j->options->dir, j->image->name);
	text_addf(&j->new_dir, "%s/.new", text_str(&j->dir));
	if (j->dir.failed || j->new_dir.failed)
		return fail(j, -ENOMEM, "out of memory");
	r = make_dir(j, j->options->dir);
	if (r == 0)
		r = make_dir(j, text_str(&j->dir));
	return r == 0 ? make_dir(j, text_str(&j->new_dir)) : r;
}

int image_fetch(const struct catalogue_image *image, const struct image_options *options,
	const struct image_watcher *watcher, struct text *ret_why)
{
	struct job j = { .image = image, .options = options, .watcher = watcher, .why = ret_why };
	int r = uv_loop_init(&j.loop);

	if (r < 0)
		return fail(&j, r, "no event loop: %s", uv_strerror(r));
	r = fetcher_new(&j.loop, options->ca, &j.fetcher);
	if (r < 0)
		(void)fail(&j, r, "out of memory");
	if (r == 0)
		r = make_dirs(&j);
	if (r == 0)
		r = prove_lists(&j);
	if (r == 0)
		r = fetch_files(&j);
	/* They stay where something lies in them. */
	(void)rmdir(text_str(&j.new_dir));
	(void)rmdir(text_str(&j.dir));
	if (j.fetcher)
		fetcher_close(j.fetcher, NULL, NULL);
	(void)uv_run(&j.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&j.loop);
	text_free(&j.dir);
	text_free(&j.new_dir);
	text_free(&j.sums);
	return r;
}

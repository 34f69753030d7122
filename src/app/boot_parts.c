/* Opens kernel and initrds; see boot_parts.h. */
#include "app/boot_parts.h"

#include "core/url.h"

#include <errno.h>

const struct file_ref *boot_part(const struct profile *p, size_t i)
{
	if (i > p->n_initrds)
		return NULL;
	return i == 0 ? &p->kernel : &p->initrds[i - 1];
}

int boot_part_refuse(
	const char *http_root, const struct file_ref *f, const char *reason, struct text *why)
{
	if (f->upstream)
		url_show(span_str(f->upstream), why);
	else if (f->is_url)
		text_adds(why, f->path);
	else
		text_addf(why, "%s/%s", http_root, f->path);
	text_addf(why, " %s", reason);
	return -EBADMSG;
}

int boot_part_open(struct root *http_root, const struct file_ref *f, struct source_file *fetched,
	struct source_file *ret, struct text *why)
{
	struct source_file file = { .fd = -1 };
	int r = 0;

	if (f->is_url)
		return boot_part_refuse(http_root->path, f,
			"is no URL of http or https: nothing else can be fetched", why);
	if (f->upstream && (!fetched || fetched->fd < 0))
		return -ENODATA;
	if (f->upstream) {
		file = *fetched;
		*fetched = (struct source_file){ .fd = -1 };
	} else {
		r = root_open_file(http_root, span_str(f->path), &file.fd, &file.st);
	}
	if (r < 0)
		return boot_part_refuse(http_root->path, f, strerror(-r), why);
	*ret = file;
	return file.st.st_size == 0 ? boot_part_refuse(http_root->path, f, "is empty", why) : 0;
}

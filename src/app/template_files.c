/* Templates of one rendering. */
#include "app/template_files.h"

#include "core/config.h"
#include "edge/files.h"

#include <errno.h>
#include <unistd.h>

int template_files_read(void *ctx, struct span name, struct span *ret)
{
	struct template_files *t = ctx;
	struct text source = { 0 };
	struct stat st;
	int fd, r;

	for (size_t i = 0; i < t->n; i++) {
		if (span_eq(text_span(&t->list[i].name), name)) {
			*ret = text_span(&t->list[i].source);
			return 0;
		}
	}
	if (t->n == TEMPLATE_FILES_MAX)
		return -EMLINK;
	r = t->dirfd < 0 ? -ENOENT : files_open_below(t->dirfd, name, &fd, &st);
	if (r < 0)
		return r;
	r = files_read_all(fd, CONFIG_SCRIPT_MAX, &source);
	(void)close(fd);
	if (r < 0)
		return r;
	t->list[t->n] = (struct template_file){ .source = source };
	text_add(&t->list[t->n].name, name);
	if (t->list[t->n++].name.failed)
		return -ENOMEM;
	*ret = text_span(&source);
	return 0;
}

void template_files_free(struct template_files *t)
{
	while (t->n) {
		text_free(&t->list[--t->n].source);
		text_free(&t->list[t->n].name);
	}
}

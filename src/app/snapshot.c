/* Snapshots of what is in force; see snapshot.h. */
#include "app/snapshot.h"

#include "edge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct snapshot_setup {
	struct config *cfg;
	struct site_files files;
	unsigned refs; /* atomic */
};

void site_loader_path(const struct config *cfg, const char *path, char *buf, size_t size)
{
	if (path[0] == '/')
		(void)snprintf(buf, size, "%s", path);
	else
		(void)snprintf(buf, size, "%s/%s", cfg->loaders.dir, path);
}

static int open_loader(const struct config *cfg, const char *file, int *fd, struct stat *st)
{
	char path[4096];

	site_loader_path(cfg, file, path, sizeof(path));
	return files_open_path(path, fd, st);
}

int site_loader_open(const struct config *cfg, enum loader_family f, enum arch a,
	const char **ret_path, int *ret_fd, struct stat *ret_st)
{
	const struct loader_file *l = &cfg->loaders.file[f][a];
	bool is_default = l->pos.line == 0;
	const char *place = is_default ? config_loader_place(f, a, 0) : l->path;
	int r = -ENOENT;

	for (unsigned i = 1; place; place = is_default ? config_loader_place(f, a, i++) : NULL) {
		r = open_loader(cfg, place, ret_fd, ret_st);
		if (r == 0) {
			*ret_path = place;
			break;
		}
	}
	return r;
}

static void open_loaders(struct config *cfg, struct site_files *files)
{
	for (enum loader_family f = 0; f < FAMILY_COUNT; f++)
		for (enum arch a = 0; a < ARCH_COUNT; a++) {
			struct loader_file *l = &cfg->loaders.file[f][a];
			struct stat st;

			files->loader[f][a] = -1;
			l->present = site_loader_open(
					     cfg, f, a, &l->path, &files->loader[f][a], &st) == 0;
		}
}

int site_files_open(struct config *cfg, struct site_files *ret, const char **ret_missing)
{
	struct site_files f = { .n_named = 0 };
	int r;

	f.named = calloc(cfg->n_named_files + 1, sizeof(*f.named));
	if (!f.named) {
		*ret_missing = "memory";
		return -ENOMEM;
	}
	open_loaders(cfg, &f);
	for (size_t i = 0; i < cfg->n_named_files; i++) {
		struct stat st;

		r = files_open_path(cfg->named_files[i].path, &f.named[i], &st);

		if (r < 0) {
			*ret_missing = cfg->named_files[i].path;
			site_files_close(&f);
			return r;
		}
		f.n_named++;
	}
	r = https_files_open(cfg, &f.tls_report, &f.tls);
	if (r < 0) {
		*ret_missing = cfg->https_pairs[0].certificate;
		site_files_close(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void site_files_close(struct site_files *f)
{
	for (size_t i = 0; i < FAMILY_COUNT; i++)
		for (size_t a = 0; a < ARCH_COUNT; a++)
			if (f->loader[i][a] >= 0)
				close(f->loader[i][a]);
	for (size_t i = 0; i < f->n_named; i++)
		close(f->named[i]);
	free(f->named);
	tls_context_unref(f->tls);
	tls_report_free(&f->tls_report);
}

int site_open_again(int file, int *ret_fd, struct stat *ret_st)
{
	int fd, r;

	if (file < 0)
		return -ENOENT;
	fd = fcntl(file, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static struct snapshot *new_of(struct snapshot_setup *setup, struct served_set *nets)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cfg = setup->cfg;
	s->files = &setup->files;
	s->nets = nets;
	s->setup = setup;
	s->refs = 1;
	return s;
}

int snapshot_new(struct config *cfg, const struct site_files *files, struct served_set *nets,
	struct snapshot **ret)
{
	struct snapshot_setup *setup = calloc(1, sizeof(*setup));
	struct snapshot *s;

	if (!setup)
		return -ENOMEM;
	*setup = (struct snapshot_setup){ .cfg = cfg, .files = *files, .refs = 1 };
	s = new_of(setup, nets);
	if (!s) {
		free(setup);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

int snapshot_new_nets(const struct snapshot *old, struct served_set *nets, struct snapshot **ret)
{
	struct snapshot *s = new_of(old->setup, nets);

	if (!s)
		return -ENOMEM;
	(void)__atomic_add_fetch(&old->setup->refs, 1, __ATOMIC_RELAXED);
	*ret = s;
	return 0;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	(void)__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	struct snapshot_setup *setup;
	union {
		const struct served_set *shared;
		struct served_set *own;
	} nets;

	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	setup = s->setup;
	nets.shared = s->nets;
	served_free(nets.own);
	free(s);
	if (__atomic_sub_fetch(&setup->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	site_files_close(&setup->files);
	config_free(setup->cfg);
	free(setup);
}

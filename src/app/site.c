/* The shared state of the services: files and the memory of machines. */
#include "app/site.h"

#include "edge/clock.h"
#include "edge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void site_loader_path(const struct config *cfg, enum arch a, char *buf, size_t size)
{
	const char *file = cfg->loaders.file[a];

	if (file[0] == '/')
		(void)snprintf(buf, size, "%s", file);
	else
		(void)snprintf(buf, size, "%s/%s", cfg->loaders.dir, file);
}

static void open_loaders(struct config *cfg, struct site_files *f)
{
	for (enum arch a = 0; a < ARCH_COUNT; a++) {
		char path[4096];
		struct stat st;

		f->loader[a] = -1;
		cfg->loaders.present[a] = false;
		if (!cfg->loaders.file[a])
			continue;
		site_loader_path(cfg, a, path, sizeof(path));
		cfg->loaders.present[a] = files_open_path(path, &f->loader[a], &st) == 0;
	}
}

int site_files_open(struct config *cfg, struct site_files *ret, const char **ret_missing)
{
	struct site_files f = { .http_root = -1, .tftp_root = -1 };

	f.named = calloc(cfg->n_named_files + 1, sizeof(*f.named));
	if (!f.named) {
		*ret_missing = "memory";
		return -ENOMEM;
	}
	open_loaders(cfg, &f);
	if (files_open_root(cfg->http_root, &f.http_root) < 0)
		f.http_root = -1;
	if (files_open_root(cfg->tftp_root, &f.tftp_root) < 0)
		f.tftp_root = -1;
	for (size_t i = 0; i < cfg->n_named_files; i++) {
		struct stat st;
		int r = files_open_path(cfg->named_files[i].path, &f.named[i], &st);

		if (r < 0) {
			*ret_missing = cfg->named_files[i].path;
			site_files_close(&f);
			return r;
		}
		f.n_named++;
	}
	*ret = f;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void site_files_close(struct site_files *f)
{
	close_fd(f->http_root);
	close_fd(f->tftp_root);
	for (size_t a = 0; a < ARCH_COUNT; a++)
		close_fd(f->loader[a]);
	for (size_t i = 0; i < f->n_named; i++)
		close_fd(f->named[i]);
	free(f->named);
	*f = (struct site_files){ .http_root = -1, .tftp_root = -1 };
	for (size_t a = 0; a < ARCH_COUNT; a++)
		f->loader[a] = -1;
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

/* Was the directory removed (and maybe made anew) since it was opened? */
static bool root_is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

static int open_below(const char *root, int *root_fd, struct span path, int *ret_fd, struct stat *ret_st)
{
	int r = *root_fd < 0 ? -ENOENT : files_open_below(*root_fd, path, ret_fd, ret_st);

	if (r != -ENOENT || (*root_fd >= 0 && !root_is_gone(*root_fd)))
		return r;
	close_fd(*root_fd);
	*root_fd = -1;
	if (files_open_root(root, root_fd) < 0)
		return -ENOENT;
	return files_open_below(*root_fd, path, ret_fd, ret_st);
}

int site_open_http(struct site *s, struct span path, int *ret_fd, struct stat *ret_st)
{
	return open_below(s->cfg->http_root, &s->files.http_root, path, ret_fd, ret_st);
}

int site_open_tftp(struct site *s, struct span path, int *ret_fd, struct stat *ret_st)
{
	return open_below(s->cfg->tftp_root, &s->files.tftp_root, path, ret_fd, ret_st);
}

bool site_facts_of_address(struct site *s, struct ip4 a, struct facts *ret)
{
	const struct lease *l = lease_find_address(s->leases, a);
	struct facts f = { .client = CLIENT_DHCP };
	struct ip4 told;

	*ret = f;
	if (!l) /* beside another server: what was heard of it */
		return clients_find_address(s->clients, a, ret);
	if (!lease_mac(l, &f.mac))
		return false;
	f.has_mac = true;
	if (!clients_find(s->clients, f.mac, ret, &told))
		*ret = f;
	return true;
}

void site_form_worked(struct site *s, const struct facts *f)
{
	struct forms_record r;

	if (!f->has_mac || !forms_fetched(s->forms, f->mac, clock_lease_s(), &r))
		return;
	store_remember_form(s->store, &r);
	r.mac = (struct mac){ 0 };
	store_remember_form(s->store, &r);
	log_say(s->log, LOG_INFO, "dhcp",
		"%s took the boot answer in the form \"%s\": it and all of the same firmware get it first from now on",
		mac_str(f->mac).s, form_name(r.form));
}

void site_machine_text(struct site *s, const struct facts *f, struct ip4 a, struct text *out)
{
	const struct machine *m = config_find_machine(s->cfg, f->has_mac ? &f->mac : NULL,
		f->has_uuid ? &f->uuid : NULL);

	if (f->has_mac)
		text_adds(out, mac_str(f->mac).s);
	else
		text_adds(out, a.v ? ip4_str(a).s : "a client without a MAC");
	if (m)
		text_addf(out, " (%s)", m->name);
}

/* Command line options as changes of a configuration. */
#include "core/config_override.h"

#include <errno.h>
#include <stdio.h>

static const struct network *find_interface(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_networks; i++)
		if (cfg->networks[i].interface && strcmp(cfg->networks[i].interface, name) == 0)
			return &cfg->networks[i];
	return NULL;
}

/* The networks of -i, as the file describes them or with all defaults, and the
 * relayed ones. */
static int override_interfaces(struct config *cfg, const struct config_override *o, char *message)
{
	struct network *list = arena_array(
		&cfg->arena, struct network, o->n_interfaces + cfg->n_networks);
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_interfaces; i++) {
		const char *name = o->interfaces[i];
		const struct network *known = find_interface(cfg, name);

		if (!name[0] || strlen(name) > 15 || strpbrk(name, "/ \t")) {
			(void)snprintf(message, CONFIG_MESSAGE_MAX,
				"\"%.40s\" is no interface name: `ip link` lists the interfaces",
				name);
			return -EINVAL;
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(o->interfaces[k], name) == 0) {
				(void)snprintf(
					message, CONFIG_MESSAGE_MAX, "-i %s is given twice", name);
				return -EINVAL;
			}
		}
		list[n++] = known ? *known
				  : (struct network){ .name = name,
					    .interface = name,
					    .lease_time_s = CONFIG_LEASE_TIME_DEFAULT_S,
					    .conflict_check = true,
					    .authoritative = true };
		for (size_t k = 0; known && k < cfg->n_networks; k++) {
			const char *other = cfg->networks[k].interface;

			if (&cfg->networks[k] != known && other && strcmp(other, name) == 0)
				list[n++] = cfg->networks[k]; /* it shares the wire */
		}
	}
	for (size_t i = 0; i < n && o->proxy; i++)
		list[i].dhcp = DHCP_PROXY;
	for (size_t i = 0; i < cfg->n_networks; i++)
		if (!cfg->networks[i].interface)
			list[n++] = cfg->networks[i];
	cfg->networks = list;
	cfg->n_networks = n;
	return 0;
}

/* --proxy without -i: every network of the file that is served. */
static int override_proxy(struct config *cfg)
{
	struct network *list = arena_array(&cfg->arena, struct network, cfg->n_networks);

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->n_networks; i++) {
		list[i] = cfg->networks[i];
		if (list[i].dhcp == DHCP_SERVER)
			list[i].dhcp = DHCP_PROXY;
	}
	cfg->networks = list;
	return 0;
}

static bool is_url(const char *s)
{
	return strstr(s, "://") != NULL;
}

/* A file of `bootsmith boot`: clients find it below boot/, numbered so that two
 * files of one name stay two. */
static int boot_file(struct config *cfg, struct named_file *named, size_t *n, const char *path,
	struct file_ref *ret)
{
	const char *base = strrchr(path, '/');
	char *name;

	if (is_url(path)) {
		*ret = (struct file_ref){ .path = path, .is_url = true };
		return 0;
	}
	name = arena_printf(&cfg->arena, "boot/%zu/%s", *n, base ? base + 1 : path);
	if (!name)
		return -ENOMEM;
	named[(*n)++] = (struct named_file){ .name = name, .path = path };
	*ret = (struct file_ref){ .path = name };
	return 0;
}

static int override_boot(struct config *cfg, const struct config_override *o)
{
	struct named_file *named = arena_array(
		&cfg->arena, struct named_file, o->n_boot_initrds + 1);
	struct file_ref *initrds = arena_array(&cfg->arena, struct file_ref, o->n_boot_initrds + 1);
	struct profile *p = arena_new(&cfg->arena, struct profile);
	size_t n = 0;

	if (!named || !initrds || !p)
		return -ENOMEM;
	*p = (struct profile){ .name = "boot",
		.kind = PROFILE_KERNEL,
		.initrds = initrds,
		.n_initrds = o->n_boot_initrds,
		.cmdline = o->boot_cmdline ? o->boot_cmdline : "" };
	if (boot_file(cfg, named, &n, o->boot_kernel, &p->kernel) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_boot_initrds; i++)
		if (boot_file(cfg, named, &n, o->boot_initrds[i], &initrds[i]) < 0)
			return -ENOMEM;
	cfg->profiles = p;
	cfg->n_profiles = 1;
	cfg->default_profile = p;
	cfg->named_files = named;
	cfg->n_named_files = n;
	return 0;
}

static void override_path(const char **where, struct src_pos *pos, const char *value)
{
	if (!value)
		return;
	*where = value;
	if (pos)
		*pos = (struct src_pos){ 0 };
}

int config_override_apply(struct config *cfg, const struct config_override *o,
	char ret_message[static CONFIG_MESSAGE_MAX])
{
	int r;

	override_path(&cfg->http_root, &cfg->http_root_pos, o->http_root);
	override_path(&cfg->tftp_root, &cfg->tftp_root_pos, o->tftp_root);
	override_path(&cfg->state_dir, NULL, o->state_dir);
	override_path(&cfg->control_socket, NULL, o->control_socket);
	if (o->profile) {
		cfg->default_profile = config_find_profile(cfg, span_str(o->profile));
		if (!cfg->default_profile) {
			(void)snprintf(ret_message, CONFIG_MESSAGE_MAX,
				"--profile %.60s: the configuration defines no profile of that name",
				o->profile);
			return -EINVAL;
		}
	}
	if (o->n_interfaces) {
		r = override_interfaces(cfg, o, ret_message);
		if (r < 0)
			return r;
	}
	if (o->proxy && !o->n_interfaces) {
		r = override_proxy(cfg);
		if (r < 0)
			return r;
	}
	if (cfg->n_networks == 0) {
		(void)snprintf(ret_message, CONFIG_MESSAGE_MAX,
			"no network to serve: name an interface with -i, or networks: in a configuration file");
		return -EINVAL;
	}
	return o->boot_kernel ? override_boot(cfg, o) : 0;
}

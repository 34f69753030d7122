/* Making, freeing and looking things up in a configuration.  Reading one from
 * text is core/config_load.c's job. */
#include "core/config.h"

#include <errno.h>
#include <stdlib.h>

int config_new(struct config **ret_config)
{
	struct config *cfg = calloc(1, sizeof(*cfg));

	if (!cfg)
		return -ENOMEM;
	arena_init(&cfg->arena, 0);
	cfg->state_dir = CONFIG_STATE_DIR_DEFAULT;
	cfg->control_socket = CONFIG_CONTROL_SOCKET_DEFAULT;
	cfg->tftp_root = CONFIG_TFTP_ROOT_DEFAULT;
	cfg->http_root = CONFIG_HTTP_ROOT_DEFAULT;
	cfg->tftp_port = 69;
	cfg->http_port = 80;
	cfg->loaders.dir = CONFIG_LOADERS_DIR_DEFAULT;
	/* Debian's package ipxe has binaries for these two only. */
	cfg->loaders.file[ARCH_BIOS] = "undionly.kpxe";
	cfg->loaders.file[ARCH_X64] = "ipxe.efi";
	*ret_config = cfg;
	return 0;
}

void config_free(struct config *cfg)
{
	if (!cfg)
		return;
	arena_free(&cfg->arena);
	free(cfg);
}

const struct profile *config_find_profile(const struct config *cfg, struct span name)
{
	for (size_t i = 0; i < cfg->n_profiles; i++)
		if (span_eq(span_str(cfg->profiles[i].name), name))
			return &cfg->profiles[i];
	return NULL;
}

const struct machine *config_find_machine(
	const struct config *cfg, const struct mac *mac, const struct uuid *uuid)
{
	for (size_t i = 0; mac && i < cfg->n_machines; i++) {
		const struct machine *m = &cfg->machines[i];

		if (m->has_mac && mac_eq(m->mac, *mac))
			return m;
	}
	if (!uuid || uuid_is_default(*uuid))
		return NULL;
	for (size_t i = 0; i < cfg->n_machines; i++) {
		const struct machine *m = &cfg->machines[i];

		if (m->has_uuid && (uuid_eq(m->uuid, *uuid) || uuid_eq(m->uuid, uuid_swap(*uuid))))
			return m;
	}
	return NULL;
}

const char *dhcp_mode_name(enum dhcp_mode m)
{
	static const char *const names[] = { [DHCP_SERVER] = "server", [DHCP_PROXY] = "proxy", [DHCP_OFF] = "off" };

	return names[m];
}

const char *client_name(enum client c)
{
	static const char *const names[] = { [CLIENT_DHCP] = "dhcp", [CLIENT_PXE] = "pxe",
		[CLIENT_HTTP] = "http", [CLIENT_IPXE] = "ipxe" };

	return names[c];
}

const char *match_key_name(enum match_key k)
{
	static const char *const names[] = {
		[MATCH_ARCH] = "arch",
		[MATCH_CLIENT] = "client",
		[MATCH_MAC] = "mac",
		[MATCH_UUID] = "uuid",
		[MATCH_VENDOR_CLASS] = "vendor_class",
		[MATCH_USER_CLASS] = "user_class",
		[MATCH_HOSTNAME] = "hostname",
		[MATCH_NETWORK] = "network",
		[MATCH_CIRCUIT_ID] = "circuit_id",
		[MATCH_REMOTE_ID] = "remote_id",
		[MATCH_SERIAL] = "serial",
		[MATCH_ASSET] = "asset",
	};

	return names[k];
}

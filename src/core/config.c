/* Making, freeing and looking things up in a configuration.  Reading one from
 * text is core/config_load.c's job. */
#include "core/config.h"

#include <errno.h>
#include <stdlib.h>

#define LOADER_PLACES_MAX 4

const char *config_loader_place(enum loader_family f, enum arch a, unsigned i)
{
	/* Packages: ipxe (BIOS and x64 only); grub-efi-*-signed, grub-efi-*-bin;
	 * shim-signed; debian-installer-12-netboot-*; systemd-boot-efi. */
	static const char *const places[FAMILY_COUNT][ARCH_COUNT][LOADER_PLACES_MAX] = {
		[FAMILY_IPXE] = { [ARCH_BIOS] = { "undionly.kpxe" }, [ARCH_X64] = { "ipxe.efi" } },
		[FAMILY_GRUB] = {
			[ARCH_IA32] = { "/usr/lib/grub/i386-efi-signed/grubnetia32.efi.signed",
				"/usr/lib/grub/i386-efi/monolithic/grubnetia32.efi" },
			[ARCH_X64] = { "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
				"/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/grubx64.efi",
				"/usr/lib/grub/x86_64-efi/monolithic/grubnetx64.efi" },
			[ARCH_ARM64] = { "/usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed",
				"/usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64/grubaa64.efi",
				"/usr/lib/grub/arm64-efi/monolithic/grubnetaa64.efi" },
		},
		[FAMILY_SHIM] = {
			[ARCH_IA32] = { "/usr/lib/shim/shimia32.efi.signed" },
			[ARCH_X64] = { "/usr/lib/shim/shimx64.efi.signed",
				"/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/bootnetx64.efi" },
			[ARCH_ARM64] = { "/usr/lib/shim/shimaa64.efi.signed",
				"/usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64/bootnetaa64.efi" },
		},
		[FAMILY_STUB] = {
			[ARCH_IA32] = { "/usr/lib/systemd/boot/efi/linuxia32.efi.stub" },
			[ARCH_X64] = { "/usr/lib/systemd/boot/efi/linuxx64.efi.stub" },
			[ARCH_ARM64] = { "/usr/lib/systemd/boot/efi/linuxaa64.efi.stub" },
		},
	};

	return i < LOADER_PLACES_MAX ? places[f][a][i] : NULL;
}

const char *loader_family_name(enum loader_family f)
{
	static const char *const names[] = {
		[FAMILY_IPXE] = "iPXE",
		[FAMILY_GRUB] = "GRUB",
		[FAMILY_SHIM] = "shim",
		[FAMILY_STUB] = "the EFI stub",
	};

	return f < FAMILY_COUNT ? names[f] : "?";
}

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
	for (enum loader_family f = 0; f < FAMILY_COUNT; f++)
		for (enum arch a = 0; a < ARCH_COUNT; a++)
			cfg->loaders.file[f][a].path = config_loader_place(f, a, 0);
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

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
	cfg->templates_root = CONFIG_TEMPLATES_ROOT_DEFAULT;
	cfg->tftp_port = 69;
	cfg->http_port = 80;
	cfg->images.limit = CONFIG_IMAGES_LIMIT_DEFAULT;
	cfg->boot_api.timeout_s = CONFIG_API_TIMEOUT_DEFAULT_S;
	cfg->boot_api.cache_s = CONFIG_API_CACHE_DEFAULT_S;
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

/* --- machines --- */

/* Firmware sends either octet order, so the smaller of both is the key. */
static struct uuid uuid_key(struct uuid u)
{
	struct uuid swapped = uuid_swap(u);

	return memcmp(u.b, swapped.b, sizeof(u.b)) <= 0 ? u : swapped;
}

static int compare_macs(struct mac a, struct mac b)
{
	return memcmp(a.b, b.b, sizeof(a.b));
}

static int compare_uuids(struct uuid a, struct uuid b)
{
	struct uuid x = uuid_key(a), y = uuid_key(b);

	return memcmp(x.b, y.b, sizeof(x.b));
}

static int compare_names(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r != 0 ? r : (a.n > b.n) - (a.n < b.n);
}

static const struct machine *machine_at(const void *element)
{
	return *(const struct machine *const *)element;
}

static int by_mac(const void *a, const void *b)
{
	return compare_macs(machine_at(a)->mac, machine_at(b)->mac);
}

static int by_uuid(const void *a, const void *b)
{
	return compare_uuids(machine_at(a)->uuid, machine_at(b)->uuid);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(span_str(machine_at(a)->name), span_str(machine_at(b)->name));
}

int config_index_machines(struct config *cfg)
{
	struct machine_index *x = &cfg->index;
	size_t room = (cfg->n_machines + 1) * sizeof(struct machine *);

	*x = (struct machine_index){ .by_mac = arena_alloc(&cfg->arena, room),
		.by_uuid = arena_alloc(&cfg->arena, room),
		.by_name = arena_alloc(&cfg->arena, room) };
	if (!x->by_mac || !x->by_uuid || !x->by_name)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->n_machines; i++) {
		const struct machine *m = &cfg->machines[i];

		if (m->has_mac)
			x->by_mac[x->n_macs++] = m;
		if (m->has_uuid)
			x->by_uuid[x->n_uuids++] = m;
		if (m->name)
			x->by_name[x->n_names++] = m;
	}
	qsort(x->by_mac, x->n_macs, sizeof(struct machine *), by_mac);
	qsort(x->by_uuid, x->n_uuids, sizeof(struct machine *), by_uuid);
	qsort(x->by_name, x->n_names, sizeof(struct machine *), by_name);
	return 0;
}

static const struct machine *look_up(const struct machine *key, const struct machine *const *list,
	size_t n, int (*compare)(const void *a, const void *b))
{
	const struct machine *const *found = n ? bsearch(&key, list, n, sizeof(key), compare)
					       : NULL;

	return found ? *found : NULL;
}

const struct machine *config_find_machine(
	const struct config *cfg, const struct mac *mac, const struct uuid *uuid)
{
	struct machine key = { .mac = mac ? *mac : (struct mac){ { 0 } },
		.uuid = uuid ? *uuid : (struct uuid){ { 0 } } };
	const struct machine *m = mac ? look_up(&key, cfg->index.by_mac, cfg->index.n_macs, by_mac)
				      : NULL;

	if (m || !uuid || uuid_is_default(*uuid))
		return m;
	return look_up(&key, cfg->index.by_uuid, cfg->index.n_uuids, by_uuid);
}

const struct machine *config_find_machine_named(const struct config *cfg, struct span name)
{
	size_t low = 0, high = cfg->index.n_names;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct machine *m = cfg->index.by_name[middle];
		int r = compare_names(name, span_str(m->name));

		if (r == 0)
			return m;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const char *dhcp_mode_name(enum dhcp_mode m)
{
	static const char *const names[] = {
		[DHCP_SERVER] = "server", [DHCP_PROXY] = "proxy", [DHCP_OFF] = "off"
	};

	return names[m];
}

const char *unknown_policy_name(enum unknown_policy u)
{
	static const char *const names[] = { [UNKNOWN_BOOT] = "boot",
		[UNKNOWN_REGISTER] = "register",
		[UNKNOWN_IGNORE] = "ignore" };

	return names[u];
}

const char *client_name(enum client c)
{
	static const char *const names[] = { [CLIENT_DHCP] = "dhcp",
		[CLIENT_PXE] = "pxe",
		[CLIENT_HTTP] = "http",
		[CLIENT_IPXE] = "ipxe" };

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

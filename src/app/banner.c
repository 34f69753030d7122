/* Sentences about the daemon itself. */
#include "app/banner.h"

#include "app/roots.h"

static void say_pools(const struct served *s, struct text *out)
{
	if (s->n_pools == 0)
		text_adds(out, ", no pool (reservations only)");
	for (size_t i = 0; i < s->n_pools; i++) {
		text_adds(out, i ? ", " : ", pool ");
		text_addf(out, "%s-%s", ip4_str(s->pools[i].first).s, ip4_str(s->pools[i].last).s);
	}
	if (s->n_reservations)
		text_addf(out, ", %zu reserved", s->n_reservations);
}

static void say_served(struct log *log, const struct served *s)
{
	bool proxy = s->cfg->dhcp == DHCP_PROXY;
	struct text t = { 0 };

	text_addf(&t, "%s: %s %s/%u", s->cfg->name,
		proxy ? "proxyDHCP beside the DHCP server of" : "serving", ip4_str(s->subnet).s,
		s->prefix_len);
	if (s->server.v)
		text_addf(&t, " as %s", ip4_str(s->server).s);
	else
		text_adds(&t, " through relays");
	if (!proxy)
		say_pools(s, &t);
	if (s->router.v && !proxy)
		text_addf(&t, ", router %s", ip4_str(s->router).s);
	log_say(log, LOG_INFO, "net", "%s", text_str(&t));
	text_free(&t);
}

static const struct served *find_served(const struct site *site, const struct network *net)
{
	for (size_t i = 0; i < site->nets->n; i++)
		if (site->nets->list[i].cfg == net)
			return &site->nets->list[i];
	return NULL;
}

static enum network_state state_of(const struct network *net, const struct served *served,
	const struct iface_view *ifaces, size_t n)
{
	if (net->dhcp == DHCP_OFF)
		return NETWORK_OFF;
	if (served)
		return NETWORK_SERVED;
	for (size_t i = 0; i < n; i++)
		if (strcmp(ifaces[i].name, net->interface) == 0)
			return ifaces[i].up ? NETWORK_NO_ADDRESS : NETWORK_DOWN;
	return NETWORK_NO_INTERFACE;
}

static void say_waiting(
	struct log *log, const struct network *net, enum network_state state, bool was_served)
{
	const char *lost = was_served ? " (it was served until now)" : "";

	switch (state) {
	case NETWORK_NO_INTERFACE:
		log_say(log, LOG_WARNING, "net",
			"%s: there is no such interface%s: waiting for it; `ip link` lists those there are",
			net->interface, lost);
		break;
	case NETWORK_DOWN:
		log_say(log, LOG_WARNING, "net",
			"%s is down%s: waiting for it to come up (`ip link set %s up`)",
			net->interface, lost, net->interface);
		break;
	case NETWORK_NO_ADDRESS:
		if (net->has_subnet)
			log_say(log, LOG_WARNING, "net",
				"%s has no address in %s/%u%s: waiting for one (`ip addr add … dev %s`)",
				net->interface, ip4_str(net->subnet).s, net->prefix_len, lost,
				net->interface);
		else
			log_say(log, LOG_WARNING, "net",
				"%s has no IPv4 address%s: waiting for one (`ip addr add … dev %s`)",
				net->interface, lost, net->interface);
		break;
	case NETWORK_OFF:
		log_say(log, LOG_INFO, "net", "%s: DHCP is off there (dhcp: off)", net->name);
		break;
	case NETWORK_UNTOLD:
	case NETWORK_SERVED:
		break;
	}
}

void banner_say_networks(struct site *site, const struct iface_view *ifaces, size_t n_ifaces,
	struct network_told *told, bool *began)
{
	for (size_t i = 0; i < site->cfg->n_networks; i++) {
		const struct network *net = &site->cfg->networks[i];
		const struct served *s = find_served(site, net);
		struct network_told now = { .state = state_of(net, s, ifaces, n_ifaces) };

		if (s)
			now.server = s->server;
		began[i] = s && now.state == NETWORK_SERVED &&
			(told[i].state != NETWORK_SERVED || !ip4_eq(told[i].server, now.server));
		if (began[i])
			say_served(site->log, s);
		else if (now.state != told[i].state)
			say_waiting(site->log, net, now.state, told[i].state == NETWORK_SERVED);
		told[i] = now;
	}
}

static void say_root(struct site *site, const char *what, const char *path)
{
	struct root root = root_open(path);
	bool is_there = root.fd >= 0;

	root_close(&root);
	if (is_there)
		log_say(site->log, LOG_INFO, "files", "%s root %s", what, path);
	else
		log_say(site->log, LOG_WARNING, "files",
			"the %s root %s is missing: make it (`mkdir -p %s`), or name another one; it is looked for again at each request",
			what, path, path);
}

/* "iPXE: bios /usr/lib/ipxe/undionly.kpxe, …".  Without iPXE most machines get an address
 * only; the other families are needed where a profile asks for them, and then said there. */
static void say_loaders(struct site *site, enum loader_family f)
{
	const struct config *cfg = site->cfg;
	struct text found = { 0 };

	for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++) {
		const struct loader_file *l = &cfg->loaders.file[f][a];
		char path[4096];

		if (!l->path)
			continue;
		site_loader_path(cfg, l->path, path, sizeof(path));
		if (l->present)
			text_addf(&found, "%s%s %s", found.n ? ", " : "", arch_name(a), path);
		else if (f == FAMILY_IPXE)
			log_say(site->log, LOG_WARNING, "files",
				"the loader for %s is missing: %s (`apt install ipxe` brings it; loaders: names another one); such machines get an address only",
				arch_name(a), path);
	}
	if (found.n)
		log_say(site->log, LOG_INFO, "files", "loaders, %s: %s", loader_family_name(f),
			text_str(&found));
	text_free(&found);
}

static const char *https_clients_text(const struct config *cfg)
{
	bool http_boot = (cfg->https_clients & 1u << CLIENT_HTTP) != 0;
	bool ipxe = (cfg->https_clients & 1u << CLIENT_IPXE) != 0;

	return http_boot && ipxe ? "UEFI HTTP Boot and iPXE"
		: http_boot      ? "UEFI HTTP Boot"
		: ipxe           ? "iPXE"
				 : "whoever asks there";
}

static void say_try(struct site *site)
{
	for (size_t i = 0; i < site->nets->n; i++) {
		const struct served *s = &site->nets->list[i];

		if (!s->server.v)
			continue;
		log_say(site->log, LOG_INFO, "files",
			"files and scripts are at %s/ (try: curl %s/boot.ipxe)",
			locate_http_url(site->cfg, s->server).s,
			locate_http_url(site->cfg, s->server).s);
		if (site->now->files->tls)
			log_say(site->log, LOG_INFO, "files",
				"and by HTTPS at %s/ for %s (try: curl --cacert CA.pem %s/boot.ipxe)",
				locate_https_url(site->cfg, s->server).s,
				https_clients_text(site->cfg),
				locate_https_url(site->cfg, s->server).s);
		return;
	}
}

static void say_certificates(struct site *site)
{
	const struct tls_report *r = &site->now->files->tls_report;

	for (size_t i = 0; i < r->n; i++)
		log_say(site->log, LOG_WARNING, "https", "%s", text_str(&r->list[i].sentence));
}

void banner_say(struct site *site)
{
	const struct config *cfg = site->cfg;

	log_say(site->log, LOG_INFO, "config",
		"%s: networks %zu, profiles %zu, machines %zu, rules %zu, default profile %s",
		cfg->file ? cfg->file : "no configuration file", cfg->n_networks, cfg->n_profiles,
		cfg->n_machines, cfg->n_rules,
		cfg->default_profile ? cfg->default_profile->name : "none");
	say_root(site, "HTTP", cfg->http_root);
	say_root(site, "TFTP", cfg->tftp_root);
	for (enum loader_family f = 0; f < FAMILY_COUNT; f++)
		say_loaders(site, f);
	say_try(site);
	say_certificates(site);
}

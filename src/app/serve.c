/* The daemon.  start -> refresh (interfaces) -> loop -> stop. */
#include "app/serve.h"

#include "app/banner.h"
#include "app/config_files.h"
#include "app/control.h"
#include "app/image_cache.h"
#include "app/last_resort.h"
#include "app/listeners.h"
#include "app/machine_change.h"
#include "app/other_server.h"
#include "app/proxy_watch.h"
#include "app/service_dhcp4.h"
#include "app/service_http.h"
#include "app/service_ndp.h"
#include "app/service_tftp.h"
#include "app/virtual_files.h"
#include "edge/clock.h"
#include "edge/netif.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define RETRY_FIRST_MS  200 /* a thread may not have closed yet what it was told to */
#define RETRY_MS        5000 /* for ports that could not be opened, interfaces that could not be listed */
#define EVENTS_OCTETS   (1u << 20)
#define PROGRESS_OCTETS (256u << 10)
#define DEBOUNCE_MS     20 /* an interface that changes sends several messages */
/* libuv's four would be taken by two disks that hang: of each that we know of two jobs are at work, for the
 * main thread (enum site_disk, copies of images), the thread that fetches, and each that serves; and who has none
 * of them shall find one. */
#define WORKERS "32"

struct daemon {
	const struct serve_options *options;
	uv_loop_t loop;
	struct site site;
	struct service_dhcp4 *dhcp4;
	struct service_tftp *tftp;
	struct service_http *http;
	struct service_ndp *ndp;
	struct proxy_watch *watch;
	struct control *control;   /* NULL: without */
	struct network_told *told; /* per configured network */
	struct probe *probes;
	int lock_fd, monitor_fd;
	bool tried;       /* in vain, to open all ports */
	unsigned closing; /* services that have not said that they are closed */
	uv_poll_t monitor;
	uv_timer_t refresh_timer, retry_timer;
	struct last_resort last_resort;
	uv_signal_t signals[3];
	size_t loaded; /* records of the store */
};

/* Loads the configuration as the command line wants it.  Mistakes go to *report. */
static int load_config(const struct serve_options *o, struct text *report, struct config **ret)
{
	char message[CONFIG_MESSAGE_MAX];
	struct config_errors errs = { 0 };
	struct text source = { 0 };
	struct config *cfg = NULL;
	int r;

	if (o->config_file) {
		r = config_files_load(o->config_file, &o->override, &errs, &source, ret);
		if (r < 0)
			config_files_print_errors(
				o->config_file, text_span(&source), &errs, report);
		config_errors_free(&errs);
		text_free(&source);
		return r;
	}
	r = config_new(&cfg);
	if (r < 0)
		return r;
	r = config_override_apply(cfg, &o->override, message);
	if (r < 0) {
		if (r == -EINVAL)
			text_addf(report, "bootsmith: %s\n", message);
		config_free(cfg);
		return r;
	}
	*ret = cfg;
	return 0;
}

static int open_files(struct config *cfg, struct site_files *ret, struct text *report)
{
	const char *missing = "";
	int r = site_files_open(cfg, ret, &missing);

	if (r < 0)
		text_addf(report, "bootsmith: %s: %s: name a regular file that can be read\n",
			missing, strerror(-r));
	return r;
}

/* Where TFTP and HTTP listen: our address in each network; all of them where
 * relays bring clients from networks that we have no address in, or there are
 * more addresses than listeners. */
static size_t listening_addresses(
	const struct served_set *nets, struct ip4 addrs[static LISTENERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < nets->n; i++) {
		struct ip4 a = nets->list[i].server;
		bool known = false;

		for (size_t k = 0; k < n; k++)
			known = known || ip4_eq(addrs[k], a);
		if (a.v == 0 || (!known && n == LISTENERS_MAX)) {
			addrs[0].v = 0;
			return 1;
		}
		if (!known)
			addrs[n++] = a;
	}
	return n;
}

/* Brings sockets in step with site.nets.  Returns how many could not be opened. */
static unsigned update_services(struct daemon *d)
{
	struct ip4 addrs[LISTENERS_MAX];
	size_t n = listening_addresses(d->site.nets, addrs);
	unsigned failed = 0;

	failed += service_dhcp4_update(d->dhcp4);
	failed += service_tftp_update(d->tftp, addrs, n);
	failed += service_http_update(d->http, addrs, n);
	service_ndp_update(d->ndp);
	proxy_watch_update(d->watch);
	return failed;
}

static void on_refresh(uv_timer_t *t);

/* Looks at the interfaces anew, and later again when something did not succeed. */
static int refresh(struct daemon *d)
{
	struct site *site = &d->site;
	struct iface_view *ifaces = NULL;
	struct served_set *nets = NULL;
	struct snapshot *next;
	bool *began = NULL;
	size_t n;
	int r;

	(void)uv_timer_start(&d->retry_timer, on_refresh, d->tried ? RETRY_MS : RETRY_FIRST_MS, 0);
	d->tried = true;
	r = netif_list(&ifaces, &n);
	if (r == 0) {
		began = calloc(site->cfg->n_networks + 1, sizeof(*began));
		r = began ? served_build(site->cfg, ifaces, n, &nets) : -ENOMEM;
	}
	if (r < 0) {
		log_say(site->log, LOG_ERROR, "net",
			"the interfaces cannot be listed: %s; trying again every 5 s",
			strerror(-r));
		free(began);
		free(ifaces);
		return r;
	}
	r = snapshot_new_nets(site->now, nets, &next);
	if (r < 0) { /* as above: later */
		served_free(nets);
		free(began);
		free(ifaces);
		return r;
	}
	site_adopt(site, next);
	banner_say_networks(site, ifaces, n, d->told, began);
	if (update_services(d) == 0) {
		(void)uv_timer_stop(&d->retry_timer);
		d->tried = false;
	}
	for (size_t i = 0; i < nets->n; i++)
		if (began[nets->list[i].cfg - site->cfg->networks])
			other_server_probe(&d->loop, site->log, &nets->list[i], &d->probes);
	free(began);
	free(ifaces);
	return 0;
}

static void on_refresh(uv_timer_t *t)
{
	(void)refresh(t->data);
}

static void on_monitor(uv_poll_t *h, int status, int events)
{
	struct daemon *d = h->data;

	(void)events;
	netif_monitor_drain(d->monitor_fd);
	if (status < 0) /* more changes than it holds: libuv took the error as the end */
		(void)uv_poll_start(&d->monitor, UV_READABLE, on_monitor);
	/* Not anew with each message: where they never end, nothing would happen. */
	if (!uv_is_active((uv_handle_t *)&d->refresh_timer))
		(void)uv_timer_start(&d->refresh_timer, on_refresh, DEBOUNCE_MS, 0);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Copies are in one directory, known by one table. */
static int keep_images(const struct config *now, struct config *next, struct text *changed)
{
	if (!same_text(now->images.dir, next->images.dir))
		text_adds(changed, " images.dir");
	if (!same_text(now->images.ca, next->images.ca))
		text_adds(changed, " images.ca");
	next->images.dir = now->images.dir ? arena_strdup(&next->arena, span_str(now->images.dir))
					   : NULL;
	next->images.ca = now->images.ca ? arena_strdup(&next->arena, span_str(now->images.ca))
					 : NULL;
	return (now->images.dir && !next->images.dir) || (now->images.ca && !next->images.ca)
		? -ENOMEM
		: 0;
}

/* What only a restart can change stays as it is, and is named. */
static int keep_what_needs_restart(struct daemon *d, struct config *next)
{
	const struct config *now = d->site.cfg;
	struct text changed = { 0 };
	int r = keep_images(now, next, &changed);

	if (strcmp(now->state_dir, next->state_dir) != 0)
		text_adds(&changed, " state_dir");
	if (strcmp(now->control_socket, next->control_socket) != 0)
		text_adds(&changed, " control.socket");
	if (now->tftp_port != next->tftp_port)
		text_adds(&changed, " tftp.port");
	if (now->http_port != next->http_port)
		text_adds(&changed, " http.port");
	if (now->https_port != next->https_port && now->https_port && next->https_port)
		text_adds(&changed, " https.port");
	if (changed.n)
		log_say(d->site.log, LOG_WARNING, "config", "changed, but takes a restart:%s",
			text_str(&changed));
	text_free(&changed);
	next->tftp_port = now->tftp_port;
	next->http_port = now->http_port;
	if (now->https_port && next->https_port)
		next->https_port = now->https_port;
	next->state_dir = arena_strdup(&next->arena, span_str(now->state_dir));
	next->control_socket = arena_strdup(&next->arena, span_str(now->control_socket));
	return next->state_dir && next->control_socket ? r : -ENOMEM;
}

/* Puts a loaded configuration in force. */
static int adopt(struct daemon *d, struct config *next, struct text *report)
{
	struct network_told *told = calloc(next->n_networks + 1, sizeof(*told));
	struct served_set *nets = NULL; /* none, until refresh() looks at the interfaces */
	struct snapshot *snapshot;
	struct site_files files;
	int r = -ENOMEM;

	if (told)
		r = served_build(next, NULL, 0, &nets);
	if (r == 0 && d->site.now)
		r = keep_what_needs_restart(d, next);
	if (r == 0)
		r = open_files(next, &files, report);
	if (r == 0) {
		r = snapshot_new(next, &files, nets, &snapshot);
		if (r < 0)
			site_files_close(&files);
	}
	if (r < 0) {
		served_free(nets);
		free(told);
		return r;
	}
	free(d->told);
	d->told = told;
	site_adopt(&d->site, snapshot);
	return 0;
}

static void say_report(struct daemon *d, const struct text *report)
{
	const char *line = text_str(report);

	while (*line) {
		size_t n = strcspn(line, "\n");

		log_say(d->site.log, LOG_ERROR, "config", "%.*s", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

static void on_reload(struct daemon *d)
{
	struct text report = { 0 };
	struct config *next = NULL;

	if (load_config(d->options, &report, &next) < 0) {
		say_report(d, &report);
		log_say(d->site.log, LOG_ERROR, "config",
			"not loaded: the configuration in force stays");
	} else if (adopt(d, next, &report) < 0) {
		say_report(d, &report);
		config_free(next);
		log_say(d->site.log, LOG_ERROR, "config",
			"not loaded: the configuration in force stays");
	} else {
		log_say(d->site.log, LOG_INFO, "config", "loaded anew");
		machine_change_sort(&d->site);
		(void)refresh(d);
		banner_say(&d->site);
	}
	text_free(&report);
}

static void close_handle(uv_handle_t *h)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

/* Each reason has its line at most once a second; here is how often it really was. */
static void say_drops(struct log *log)
{
	struct text t = { 0 };

	for (enum drop why = DROP_NONE + 1; why < DROP_COUNT; why++)
		if (log_drop_count(log, why))
			text_addf(&t, "%s%s %lu", t.n ? ", " : "", drop_id(why),
				log_drop_count(log, why));
	if (t.n)
		log_say(log, LOG_INFO, "serve", "dropped since the start: %s", text_str(&t));
	text_free(&t);
}

/* The files are served: now DHCP, and then what it writes to. */
static void on_service_closed(void *ctx)
{
	struct daemon *d = ctx;

	if (--d->closing > 0)
		return;
	image_cache_close(d->site.images);
	service_dhcp4_close(d->dhcp4);
	control_close(d->control); /* before the store: releases under way are committed still */
	store_close(d->site.store);
}

/* Files under way have their time, and DHCP goes on meanwhile: a client that has just
 * its lease to renew shall not notice a restart. */
static void stop(struct daemon *d, int signum)
{
	say_drops(d->site.log);
	log_say(d->site.log, LOG_INFO, "serve", "stopping (%s)",
		signum == SIGINT ? "SIGINT" : "SIGTERM");
	last_resort_arm(&d->last_resort);
	d->closing = 2;
	image_cache_stop(d->site.images);
	boot_api_close(d->site.api);
	service_tftp_close(d->tftp, on_service_closed, d);
	service_http_close(d->http, on_service_closed, d);
	service_ndp_close(d->ndp);
	proxy_watch_close(d->watch);
	other_server_stop(&d->probes);
	close_handle((uv_handle_t *)&d->monitor);
	close_handle((uv_handle_t *)&d->refresh_timer);
	close_handle((uv_handle_t *)&d->retry_timer);
	for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
		close_handle((uv_handle_t *)&d->signals[i]);
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct daemon *d = h->data;

	if (signum == SIGHUP)
		on_reload(d);
	else
		stop(d, signum);
}

/* Transfers and connections each take descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int lock_state(struct daemon *d)
{
	const char *dir = d->site.cfg->state_dir;
	int pid, r = store_lock(dir, &d->lock_fd, &pid);

	if (r == 0)
		return 0;
	if (r == -EWOULDBLOCK)
		(void)fprintf(stderr,
			"bootsmith: another bootsmith (process %d) runs on the state directory %s: stop it, or give this one another --state-dir\n",
			pid, dir);
	else
		(void)fprintf(stderr,
			"bootsmith: the state directory %s cannot be used: %s: make it writable, or name another with --state-dir\n",
			dir, strerror(-r));
	return r;
}

static int start_services(struct daemon *d)
{
	int r = service_dhcp4_new(&d->loop, &d->site, &d->dhcp4);

	if (r == -EPERM || r == -EACCES)
		(void)fprintf(stderr,
			"bootsmith: no permission to open network sockets: run it as root, or with the capabilities CAP_NET_RAW and CAP_NET_BIND_SERVICE\n");
	if (r == 0)
		r = image_cache_new(&d->loop, &d->site, &d->site.images);
	if (r < 0)
		return r;
	r = boot_api_new(&d->loop, &d->site, virtual_files_told, &d->site.api);
	if (r == 0)
		r = service_tftp_new(&d->loop, &d->site, &d->tftp);
	if (r == 0)
		r = service_http_new(&d->loop, &d->site, &d->http);
	if (r == 0)
		r = service_ndp_new(&d->loop, &d->site, &d->ndp);
	if (r == 0)
		r = proxy_watch_new(&d->loop, &d->site, &d->watch);
	if (r == 0)
		r = netif_monitor_open(&d->monitor_fd);
	if (r == 0)
		r = uv_poll_init(&d->loop, &d->monitor, d->monitor_fd);
	if (r == 0)
		r = uv_poll_start(&d->monitor, UV_READABLE, on_monitor);
	return r;
}

static void on_expect(void *ctx, size_t n)
{
	struct daemon *d = ctx;

	lease_table_expect(d->site.leases, n);
}

static int on_load(void *ctx, const struct lease_record *list, size_t n)
{
	struct daemon *d = ctx;

	d->loaded += n;
	return lease_restore(d->site.leases, list, n);
}

static int on_load_form(void *ctx, const struct forms_record *r)
{
	struct daemon *d = ctx;

	return forms_restore(d->site.forms, r);
}

static void store_works(struct daemon *d)
{
	log_say(d->site.log, LOG_INFO, "store", "leases can be stored again");
	machine_change_store_again(&d->site);
}

static int on_load_machine(void *ctx, const struct machine_state *s)
{
	struct daemon *d = ctx;

	return machine_change_restore(&d->site, s);
}

static void on_store_health(void *ctx, const char *message)
{
	struct daemon *d = ctx;

	if (message)
		log_say(d->site.log, LOG_ERROR, "store",
			"%s; until then nobody gets a new lease, and who has one is told what is left of it; trying again every second",
			message);
	else
		store_works(d);
}

static void on_batch_done(void *ctx)
{
	struct daemon *d = ctx;

	if (d->dhcp4)
		service_dhcp4_batch_done(d->dhcp4);
	machine_change_store_again(&d->site);
}

static int start_state(struct daemon *d)
{
	static const struct store_hooks hooks = { .expect = on_expect,
		.load = on_load,
		.load_form = on_load_form,
		.load_machine = on_load_machine,
		.health = on_store_health,
		.batch_done = on_batch_done };
	char message[STORE_MESSAGE_MAX] = "out of memory";
	int64_t begin_us = clock_mono_us();
	int r = site_open(&d->site);

	if (r == 0)
		r = store_open(
			&d->loop, d->site.cfg->state_dir, &hooks, d, message, &d->site.store);
	if (r < 0) {
		(void)fprintf(stderr, "bootsmith: %s\n", message);
		return r;
	}
	machine_change_sort(&d->site);
	if (d->loaded)
		log_say(d->site.log, LOG_INFO, "store",
			"%zu records of leases read from %s in %lld ms", d->loaded,
			d->site.cfg->state_dir, (long long)(clock_mono_us() - begin_us) / 1000);
	return 0;
}

static void start_handles(struct daemon *d)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

	d->monitor.data = d;
	(void)uv_timer_init(&d->loop, &d->refresh_timer);
	(void)uv_timer_init(&d->loop, &d->retry_timer);
	last_resort_init(&d->last_resort, &d->site);
	d->refresh_timer.data = d->retry_timer.data = d;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		(void)uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		(void)uv_signal_start(&d->signals[i], on_signal, numbers[i]);
	}
}

/* Something must be open, or there is nobody whom we could serve: all ports of
 * other programs, or no permission. */
static bool serves_nobody(const struct daemon *d)
{
	return d->site.nets->n > 0 && service_dhcp4_open_count(d->dhcp4) == 0 &&
		service_tftp_open_count(d->tftp) == 0 && service_http_open_count(d->http) == 0;
}

static int start(struct daemon *d)
{
	struct text report = { 0 };
	struct config *cfg = NULL;
	int r;

	r = load_config(d->options, &report, &cfg);
	if (r == 0)
		r = adopt(d, cfg, &report);
	if (r < 0 && cfg && cfg != d->site.cfg)
		config_free(cfg);
	if (r < 0)
		(void)fputs(report.n ? text_str(&report) : "bootsmith: out of memory\n", stderr);
	text_free(&report);
	if (r < 0)
		return r;
	/* The sockets' permission comes first: who lacks it will lack the
	 * directory's too, and this is the sentence that helps. */
	start_handles(d);
	r = start_services(d);
	if (r == 0)
		r = lock_state(d);
	if (r == 0)
		r = start_state(d);
	if (r < 0)
		return r;
	log_say(d->site.log, LOG_INFO, "serve", "bootsmith %s starts", BOOTSMITH_VERSION);
	r = refresh(d);
	if (r < 0)
		return r;
	banner_say(&d->site);
	if (serves_nobody(d)) {
		(void)fprintf(
			stderr, "bootsmith: no port could be opened; the lines above say why\n");
		return -EADDRINUSE;
	}
	control_open(&d->loop, &d->site, &d->control);
	log_say(d->site.log, LOG_INFO, "serve", "ready after %lld ms",
		(long long)(clock_mono_us() - d->site.start_us) / 1000);
	return 0;
}

static void daemon_free(struct daemon *d)
{
	(void)uv_loop_close(&d->loop);
	image_cache_free(d->site.images);
	boot_api_free(d->site.api);
	site_adopt(&d->site, NULL);
	site_close(&d->site);
	free(d->told);
	if (d->monitor_fd >= 0)
		close(d->monitor_fd);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	log_free(d->site.log);
	events_free(d->site.events);
}

static void on_record(void *ctx, struct span record)
{
	events_add(ctx, EVENTS_SAID, record);
}

static int start_log(struct site *site, bool json)
{
	static const size_t octets[EVENTS_KINDS] = {
		[EVENTS_SAID] = EVENTS_OCTETS, [EVENTS_PROGRESS] = PROGRESS_OCTETS
	};
	int r = log_new(STDOUT_FILENO, json, &site->log);

	if (r == 0)
		r = events_new(octets, &site->events);
	if (r == 0)
		log_set_observer(site->log, on_record, site->events);
	return r;
}

int serve_run(const struct serve_options *options)
{
	struct daemon d = { .options = options,
		.lock_fd = -1,
		.monitor_fd = -1,
		.site.start_us = clock_mono_us() };

	(void)signal(SIGPIPE, SIG_IGN); /* sendfile() knows no MSG_NOSIGNAL */
	raise_descriptor_limit();
	(void)setenv("UV_THREADPOOL_SIZE", WORKERS, 0);
	if (uv_loop_init(&d.loop) < 0 || start_log(&d.site, options->log_json) < 0) {
		(void)fprintf(stderr, "bootsmith: out of memory or descriptors\n");
		return 1;
	}
	/* After a failed start the process ends here and now: services half begun
	 * are the kernel's to take down. */
	d.site.loop = &d.loop;
	for (size_t i = 0; i < ARRAY_LEN(d.site.disks); i++)
		d.site.disks[i].loop = &d.loop;
	if (start(&d) < 0)
		exit(1);
	(void)uv_run(&d.loop, UV_RUN_DEFAULT);
	last_resort_close(&d.last_resort);
	(void)uv_run(&d.loop, UV_RUN_DEFAULT);
	log_say(d.site.log, LOG_INFO, "serve", "stopped");
	daemon_free(&d);
	return 0;
}

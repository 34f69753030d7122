/* The state of the daemon by the control socket.
 *
 * How many leases are in use is counted when somebody asks, by a walk over the table
 * in pieces: what has expired is nobody's, though no timer has come by to say so.
 */
#include "app/control_status.h"

#include "app/serving_thread.h"
#include "core/lease_view.h"
#include "edge/clock.h"
#include "wire/http_date.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE 1024u /* leases per turn of the loop */

struct count {
	const struct network *network;
	const struct served *served; /* NULL: not now */
	uint64_t state[LEASE_VIEW_STATE_COUNT];
	uint64_t taken; /* addresses of its pools */
};

struct status_answer {
	struct control_answer base;
	struct site *site;
	struct snapshot *now; /* at the request: what `counts` points into */
	struct lease_walk walk;
	struct count all;
	size_t n_counts;
	struct count counts[];
};

static void answer_free(struct status_answer *a)
{
	snapshot_unref(a->now);
	free(a);
}

static void on_lease(void *ctx, struct lease *l)
{
	struct status_answer *a = ctx;
	struct lease_view v;

	lease_view_of_lease(l, a->now->cfg, clock_lease_s(), &v);
	a->all.state[v.state]++;
	for (size_t i = 0; i < a->n_counts; i++) {
		struct count *n = &a->counts[i];

		if (!v.network || strcmp(v.network, n->network->name) != 0)
			continue;
		n->state[v.state]++;
		n->taken += v.state != LEASE_VIEW_FREE && n->served &&
			served_in_pools(n->served, v.address);
	}
}

static void add_states(json_t *object, const struct count *n)
{
	static const enum lease_view_state told[] = { LEASE_VIEW_BOUND, LEASE_VIEW_OFFERED,
		LEASE_VIEW_DECLINED, LEASE_VIEW_FREE };

	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		(void)json_object_set_new(object, lease_view_state_name(told[i]),
			json_integer((json_int_t)n->state[told[i]]));
}

static json_t *network_json(const struct count *n)
{
	const struct served *s = n->served;
	const struct ip4_text server = ip4_str(s ? s->server : (struct ip4){ 0 });
	char subnet[IP4_TEXT_MAX + 4] = "";
	json_t *j;

	if (s)
		(void)snprintf(
			subnet, sizeof(subnet), "%s/%u", ip4_str(s->subnet).s, s->prefix_len);
	j = json_pack("{s:s, s:s?, s:s, s:b, s:s?, s:s?, s:I, s:I}", "network", n->network->name,
		"interface", n->network->interface, "dhcp", dhcp_mode_name(n->network->dhcp),
		"served", s != NULL, "subnet", s ? subnet : NULL, "server",
		s && s->server.v ? server.s : NULL, "pool", (json_int_t)(s ? s->pool_size : 0),
		"taken", (json_int_t)n->taken);
	add_states(j, n);
	return j;
}

static json_t *networks_json(const struct status_answer *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_counts; i++)
		(void)json_array_append_new(list, network_json(&a->counts[i]));
	return list;
}

static json_t *leases_json(const struct status_answer *a)
{
	json_t *j = json_object();

	add_states(j, &a->all);
	return j;
}

static json_t *drops_json(const struct log *log)
{
	json_t *list = json_array();

	for (enum drop why = DROP_NONE + 1; why < DROP_COUNT; why++)
		if (log_drop_count(log, why))
			(void)json_array_append_new(list,
				json_pack("{s:s, s:I, s:s}", "drop", drop_id(why), "times",
					(json_int_t)log_drop_count(log, why), "why",
					drop_sentence(why)));
	return list;
}

static void add_number(json_t *object, const char *key, unsigned n)
{
	(void)json_object_set_new(object, key, json_integer((json_int_t)n));
}

/* What runs now: of each serving thread, and in all. */
static json_t *running_json(const struct site *site)
{
	struct serving_load http = { 0, 0 }, tftp = { 0, 0 };
	json_t *all = json_object(), *threads = json_array();

	for (size_t i = 0; i < site->n_threads; i++) {
		const struct serving_thread *t = site->threads[i];
		struct serving_load load = serving_thread_load(t),
				    *sum = strcmp(t->kind->protocol, "http") == 0 ? &http : &tftp;
		json_t *j = json_pack(
			"{s:s, s:s}", "thread", t->name, "protocol", t->kind->protocol);

		sum->connections += load.connections;
		sum->transfers += load.transfers;
		if (sum == &http)
			add_number(j, "connections", load.connections);
		add_number(j, "transfers", load.transfers);
		(void)json_array_append_new(threads, j);
	}
	add_number(all, "http_connections", http.connections);
	add_number(all, "http_transfers", http.transfers);
	add_number(all, "tftp_transfers", tftp.transfers);
	(void)json_object_set_new(all, "threads", threads);
	return all;
}

static json_t *status_json(const struct status_answer *a)
{
	const struct site *site = a->site;
	int64_t uptime_s = (clock_mono_us() - site->start_us) / 1000000;
	const struct http_date_text started = http_date_str_rfc3339(
		clock_wall_ms() / 1000 - uptime_s);

	return json_pack("{s:i, s:{s:s, s:i, s:s, s:I, s:s?, s:b, s:I, s:o, s:o, s:o, s:o}}", "v",
		CONTROL_VERSION, "status", "version", BOOTSMITH_VERSION, "pid", (int)getpid(),
		"started", started.s, "uptime_s", (json_int_t)uptime_s, "config", a->now->cfg->file,
		"store_failing", store_is_failing(site->store), "events",
		(json_int_t)events_last(site->events), "running", running_json(site), "networks",
		networks_json(a), "leases", leases_json(a), "drops", drops_json(site->log));
}

static void finish(struct status_answer *a, struct control_conn *c)
{
	json_t *j = status_json(a);
	char *text = j ? json_dumps(j, JSON_PRESERVE_ORDER | JSON_COMPACT) : NULL;

	if (text) {
		control_write(c, span_str(text));
		control_write(c, SPAN_LIT("\n"));
		control_say_done(c);
	} else {
		control_say_error(c, "the daemon is out of memory");
	}
	free(text);
	json_decref(j);
	answer_free(a);
}

static void on_more(struct control_answer *base, struct control_conn *c)
{
	struct status_answer *a = (struct status_answer *)base;

	if (!lease_walk_step(a->site->leases, &a->walk, PIECE, on_lease, a))
		finish(a, c);
}

static void on_gone(struct control_answer *base)
{
	answer_free((struct status_answer *)base);
}

void control_status(struct site *site, struct control_conn *c, const json_t *request)
{
	const struct config *cfg = site->cfg;
	struct status_answer *a = calloc(1, sizeof(*a) + cfg->n_networks * sizeof(a->counts[0]));

	(void)request;
	if (!a) {
		control_say_error(c, "the daemon is out of memory");
		return;
	}
	*a = (struct status_answer){ .base = { .more = on_more, .gone = on_gone },
		.site = site,
		.now = snapshot_ref(site->now),
		.n_counts = cfg->n_networks };
	for (size_t i = 0; i < cfg->n_networks; i++)
		a->counts[i].network = &cfg->networks[i];
	for (size_t i = 0; i < site->nets->n; i++)
		a->counts[site->nets->list[i].cfg - cfg->networks].served = &site->nets->list[i];
	control_begin(c, a, true);
}

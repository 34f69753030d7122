/* storm: machines by the thousand that boot at the same time.
 *
 *   storm --interface NAME --loader FILE --kernel FILE --initrd FILE
 *         [--machines N] [--first N] [--seconds S]
 *
 * Each has a MAC and, once it was given one, an address of its own, and does what a
 * UEFI machine does: DHCP as UEFI PXE x64; the loader it was told, by TFTP (blksize
 * 1468, windowsize 4); DHCP as iPXE; the script it was told, and the kernel and the
 * initrd that the script names, by HTTP on one connection.  Loader, kernel and
 * initrd are compared with the files octet by octet; a script must begin as one and
 * name both.  What is lost is sent again when firmware would.  The addresses
 * that machines are given must be this host's already (ip route add local …).
 * Prints one JSON object.
 */
#include "dhcp_machine.h"
#include "http_client.h"
#include "packet4.h"
#include "tftp_client.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MACHINES_MAX = 8000, /* a descriptor each */
	EVENTS = 256,
	TICK_US = 20000,
	HTTP_SILENCE_US = 30000000,
	SCRIPT_MAX = 4096,
	PATH_MAX_LEN = 512,
	DHCP_EVENT = MACHINES_MAX,
	RECEIVE_BUFFER = 16 << 20,
	TFTP_TIMEOUT_US = 4000000, /* EDK2 */
	TFTP_TRIES = 6,
	NAKS_MAX = 5, /* of one machine */
};

enum stage {
	DISCOVERING,
	REQUESTING,
	LOADING, /* TFTP */
	SCRIPT,
	KERNEL,
	INITRD,
	BOOTED,
	FAILED,
};

static const char *const stage_names[] = { "DISCOVER", "REQUEST", "TFTP", "script", "kernel",
	"initrd", "booted", "failed" };
/* Seconds until a packet is sent again; after the last one the firmware gives up. */
static const unsigned efi_waits_s[] = { 4, 8, 16, 32 }, ipxe_waits_s[] = { 1, 2, 4, 8, 10, 10 };

struct machine {
	enum stage stage;
	bool ipxe;
	uint8_t mac[DHCP_MAC_LEN];
	uint32_t xid;
	struct dhcp_answer lease; /* the offer, then what was acknowledged */
	unsigned tries, naks;
	int64_t first_us, sent_us; /* of this DISCOVER, of the last packet */
	struct tftp_job job;
	struct tftp_client tftp;
	struct http_client http;
	struct sockaddr_in web;
	char host[64], paths[3][PATH_MAX_LEN]; /* of SCRIPT, KERNEL, INITRD */
};

struct storm {
	unsigned n, first, seconds;
	const char *interface;
	struct file loader, kernel, initrd;
	int epoll, dhcp;
	struct machine *machines;
	unsigned booted, failed, failed_at[FAILED];
	unsigned long dhcp_resent, naks;
	struct tftp_counts tftp;
	uint64_t http_octets;
	const char *why;
	struct waits address, script, boot;
	int64_t began_us;
};

static void fail(struct storm *s, struct machine *m, const char *why)
{
	if (m->stage == LOADING)
		(void)close(m->tftp.fd);
	else if (m->stage >= SCRIPT)
		http_client_close(&m->http);
	s->failed++;
	s->failed_at[m->stage]++;
	s->why = why;
	m->stage = FAILED;
}

static void watch(struct storm *s, const struct machine *m, int fd, int operation, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u32 = (uint32_t)(m - s->machines) };

	if (epoll_ctl(s->epoll, operation, fd, &e) < 0)
		die("epoll_ctl");
}

/* ---- DHCP ---- */

/* UDP to port 68, nothing else. */
static void attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 65535),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		die("filter");
}

static void open_dhcp(struct storm *s)
{
	const int size = RECEIVE_BUFFER;
	const unsigned index = if_nametoindex(s->interface);
	const struct sockaddr_ll sa = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)index
	};
	const struct packet_mreq all = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
	const struct sockaddr_in port = { .sin_family = AF_INET, .sin_port = htons(68) };
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = DHCP_EVENT };
	int deaf = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	s->dhcp = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->dhcp < 0 || !index)
		die(s->interface);
	attach_filter(s->dhcp);
	if (setsockopt(s->dhcp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
		setsockopt(s->dhcp, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
		bind(s->dhcp, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->dhcp, &e) < 0)
		die("packet socket");
	/* So that the kernel does not answer unicast replies with ICMP port unreachable. */
	if (deaf < 0 || bind(deaf, (const struct sockaddr *)&port, sizeof(port)) < 0)
		die("port 68");
}

static void send_dhcp(struct storm *s, struct machine *m, int64_t now)
{
	uint8_t frame[DHCP_FRAME_MAX];
	size_t n = dhcp_machine_frame(
		frame, m->mac, m->xid, m->ipxe, m->stage == REQUESTING ? &m->lease : NULL);

	m->sent_us = now;
	(void)send(s->dhcp, frame, n, 0); /* what is lost comes again */
}

static void discover(struct storm *s, struct machine *m)
{
	m->stage = DISCOVERING;
	m->tries = 0;
	m->xid += 1u << 16; /* below it stands the machine's number */
	send_dhcp(s, m, now_us());
}

static void begin_dhcp(struct storm *s, struct machine *m, bool ipxe)
{
	m->ipxe = ipxe;
	m->naks = 0;
	m->first_us = now_us();
	discover(s, m);
}

static void begin_tftp(struct storm *s, struct machine *m)
{
	m->stage = LOADING;
	m->job = (struct tftp_job){ .name = m->lease.bootfile,
		.expected = s->loader,
		.blksize = 1468,
		.windowsize = 4,
		.timeout_us = TFTP_TIMEOUT_US,
		.tries = TFTP_TRIES,
		.server = { .sin_family = AF_INET,
			.sin_port = htons(69),
			.sin_addr = m->lease.next_server } };
	tftp_client_begin(&m->tftp, &m->job, m->lease.address, false);
	watch(s, m, m->tftp.fd, EPOLL_CTL_ADD, EPOLLIN);
}

/* Takes http://HOST/PATH apart; a port may follow the host. */
static bool take_url(struct machine *m, const char *url)
{
	unsigned port = 80;
	char host[64];
	int n = 0;

	if (sscanf(url, "http://%63[^/]%n", host, &n) != 1 || url[n] != '/' ||
		strlen(url + n) >= PATH_MAX_LEN)
		return false;
	memcpy(m->host, host, sizeof(m->host));
	memcpy(m->paths[0], url + n, strlen(url + n) + 1);
	(void)sscanf(host, "%*[^:]:%u", &port);
	host[strcspn(host, ":")] = '\0';
	m->web = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, host, &m->web.sin_addr) == 1;
}

static void connect_http(struct storm *s, struct machine *m)
{
	http_client_open(&m->http, &m->web, m->lease.address, NULL);
	if (m->http.state == HTTP_FAILED)
		fail(s, m, m->http.why);
	else
		watch(s, m, m->http.fd, EPOLL_CTL_ADD, EPOLLOUT);
}

static void on_ack(struct storm *s, struct machine *m, int64_t now)
{
	waits_add(&s->address, now - m->first_us);
	if (!m->ipxe) {
		begin_tftp(s, m);
	} else if (take_url(m, m->lease.bootfile)) {
		m->stage = SCRIPT;
		m->first_us = now;
		connect_http(s, m);
	} else {
		fail(s, m, "an iPXE that was not given a URL");
	}
}

static void take_answer(struct storm *s, const struct dhcp_answer *a, int64_t now)
{
	struct machine *m = &s->machines[a->xid & 0xffff];

	if ((a->xid & 0xffff) >= s->n || a->xid != m->xid ||
		memcmp(a->mac, m->mac, DHCP_MAC_LEN) != 0)
		return;
	if (a->type == OFFER && m->stage == DISCOVERING && a->bootfile[0]) {
		m->lease = *a;
		m->stage = REQUESTING;
		m->tries = 0;
		send_dhcp(s, m, now);
	} else if (a->type == ACK && m->stage == REQUESTING) {
		m->lease = *a;
		on_ack(s, m, now);
	} else if (a->type != OFFER && a->type != ACK && m->stage == REQUESTING) {
		s->naks++;
		if (++m->naks == NAKS_MAX)
			fail(s, m, "NAK after NAK");
		else
			discover(s, m); /* RFC 2131 3.1: from the beginning */
	}
}

static void receive_dhcp(struct storm *s)
{
	static uint8_t data[BATCH][PACKET_MAX];
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];
	struct dhcp_answer a;
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], PACKET_MAX };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(s->dhcp, m, BATCH, 0, NULL);
	for (int i = 0; i < n; i++)
		if (dhcp_machine_answer(data[i], m[i].msg_len, &a))
			take_answer(s, &a, now_us());
}

/* ---- HTTP ---- */

/* What a line of a script fetches, after iPXE's options; NULL: nothing. */
static const char *fetched_by(char *line, const char *command)
{
	char *rest = line, *word = strtok_r(NULL, " ", &rest);

	if (!word || strcmp(word, command) != 0)
		return NULL;
	while ((word = strtok_r(NULL, " ", &rest)) && strncmp(word, "--", 2) == 0)
		if (strcmp(word, "--name") == 0 && !strtok_r(NULL, " ", &rest))
			return NULL;
	return word;
}

/* A path of the same server: absolute, relative to the script, or in a URL. */
static void resolve(const struct machine *m, const char *name, char path[PATH_MAX_LEN])
{
	const char *slash = strncmp(name, "http://", 7) == 0 ? strchr(name + 7, '/') : NULL;
	int dir = (int)(strrchr(m->paths[0], '/') + 1 - m->paths[0]);

	if (slash || name[0] == '/')
		(void)snprintf(path, PATH_MAX_LEN, "%s", slash ? slash : name);
	else
		(void)snprintf(path, PATH_MAX_LEN, "%.*s%s", dir, m->paths[0], name);
}

static bool take_script(struct machine *m)
{
	char *text = (char *)m->http.kept, *rest = text;

	text[m->http.body_n] = '\0';
	if (strncmp(text, "#!ipxe\n", 7) != 0)
		return false;
	for (char *line = strtok_r(NULL, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char copy[PATH_MAX_LEN];
		const char *name;

		(void)snprintf(copy, sizeof(copy), "%s", line);
		name = fetched_by(copy, "kernel");
		if (name)
			resolve(m, name, m->paths[1]);
		(void)snprintf(copy, sizeof(copy), "%s", line);
		name = fetched_by(copy, "initrd");
		if (name)
			resolve(m, name, m->paths[2]);
	}
	return m->paths[1][0] && m->paths[2][0];
}

static void on_answer(struct storm *s, struct machine *m)
{
	int64_t now = now_us();

	if (m->stage == SCRIPT) {
		waits_add(&s->script, now - m->first_us);
		if (!take_script(m)) {
			fail(s, m, "a script that is none, or names no kernel and initrd");
			return;
		}
	}
	m->stage++;
	if (m->stage == BOOTED) {
		http_client_close(&m->http);
		waits_add(&s->boot, now - s->began_us);
		s->booted++;
	} else if (m->http.closes) {
		http_client_close(&m->http);
		connect_http(s, m);
	}
}

static void on_http(struct storm *s, struct machine *m)
{
	const struct file wanted[] = { { 0 }, s->kernel, s->initrd };
	struct http_client *c = &m->http;
	bool connecting = c->state == HTTP_CONNECTING, asked = c->state >= HTTP_HEAD;

	http_client_go_on(c, &s->http_octets);
	if (connecting && c->state != HTTP_FAILED)
		watch(s, m, c->fd, EPOLL_CTL_MOD, EPOLLIN);
	if (c->state == HTTP_IDLE && asked)
		on_answer(s, m);
	if (m->stage < BOOTED && c->state == HTTP_IDLE)
		http_client_get(c, m->host, m->paths[m->stage - SCRIPT], wanted[m->stage - SCRIPT]);
	if (m->stage < BOOTED && c->state == HTTP_FAILED)
		fail(s, m, c->why);
}

/* ---- all of it ---- */

static void settle_tftp(struct storm *s, struct machine *m)
{
	if (m->tftp.state == TFTP_FAILED) {
		fail(s, m, m->tftp.why);
	} else if (m->tftp.state == TFTP_DONE) {
		(void)close(m->tftp.fd);
		begin_dhcp(s, m, true);
	}
}

/* Give or take a quarter (RFC 2131 4.1: a second of four), so that those who lost to
 * each other once do not do so again.  The same in each run. */
static int64_t wait_us(const struct machine *m, unsigned seconds)
{
	uint32_t mixed = (m->xid + 77 * m->tries) * 2654435761u;

	return seconds * (int64_t)(750000 + (mixed >> 12) % 500000);
}

static void tick_dhcp(struct storm *s, struct machine *m, int64_t now)
{
	const unsigned *waits_s = m->ipxe ? ipxe_waits_s : efi_waits_s;
	size_t n = m->ipxe ? sizeof(ipxe_waits_s) / sizeof(*ipxe_waits_s)
			   : sizeof(efi_waits_s) / sizeof(*efi_waits_s);

	if (now - m->sent_us < wait_us(m, waits_s[m->tries]))
		return;
	if (++m->tries == n) {
		fail(s, m, "no answer by DHCP");
		return;
	}
	s->dhcp_resent++;
	send_dhcp(s, m, now);
}

static void tick(struct storm *s, struct machine *m, int64_t now)
{
	if (m->stage <= REQUESTING) {
		tick_dhcp(s, m, now);
	} else if (m->stage == LOADING) {
		tftp_client_tick(&m->tftp, now, &s->tftp);
		settle_tftp(s, m);
	} else if (m->stage < BOOTED && now - m->http.heard_us > HTTP_SILENCE_US) {
		fail(s, m, "silence on HTTP");
	}
}

static void on_event(struct storm *s, unsigned number)
{
	struct machine *m = &s->machines[number];

	if (number == DHCP_EVENT) {
		receive_dhcp(s);
	} else if (m->stage == LOADING) {
		tftp_client_read(&m->tftp, &s->tftp);
		settle_tftp(s, m);
	} else if (m->stage >= SCRIPT && m->stage < BOOTED) {
		on_http(s, m);
	}
}

static void run(struct storm *s)
{
	struct epoll_event events[EVENTS];
	int64_t now = now_us(), next_tick = now, end_us = now + s->seconds * (int64_t)1000000;

	s->began_us = now;
	for (unsigned i = 0; i < s->n; i++)
		begin_dhcp(s, &s->machines[i], false);
	while (s->booted + s->failed < s->n && now < end_us) {
		int n = epoll_wait(s->epoll, events, EVENTS, TICK_US / 1000);

		for (int i = 0; i < n; i++)
			on_event(s, events[i].data.u32);
		now = now_us();
		if (now < next_tick)
			continue;
		next_tick = now + TICK_US;
		for (unsigned i = 0; i < s->n; i++)
			tick(s, &s->machines[i], now);
	}
	for (unsigned i = 0; i < s->n; i++)
		if (s->machines[i].stage < BOOTED)
			fail(s, &s->machines[i], "the time was over");
}

static void print(struct storm *s, double seconds)
{
	printf("{\"machines\": %u, \"booted\": %u, \"failed\": %u, \"seconds\": %.3f, "
	       "\"dhcp_resent\": %lu, \"naks\": %lu, \"tftp_resent\": %lu, "
	       "\"octets\": %llu, ",
		s->n, s->booted, s->failed, seconds, s->dhcp_resent, s->naks, s->tftp.resent,
		(unsigned long long)(s->http_octets + s->tftp.octets));
	for (unsigned i = 0; i < BOOTED; i++)
		printf("\"failed_%s\": %u, ", stage_names[i], s->failed_at[i]);
	waits_print(&s->address, "address");
	printf(", ");
	waits_print(&s->script, "script");
	printf(", ");
	waits_print(&s->boot, "boot");
	printf(", \"load_cpu_s\": %.2f, \"why\": \"%s\"}\n", own_cpu_s(), s->why ? s->why : "");
}

static void make_machines(struct storm *s)
{
	s->machines = calloc(s->n, sizeof(*s->machines));
	if (!s->machines)
		die("memory");
	for (unsigned i = 0; i < s->n; i++) {
		struct machine *m = &s->machines[i];

		m->mac[0] = 2;
		/* Mixed: dnsmasq would have the same address for MACs that are alike. */
		put_u32(m->mac + 2, (s->first + i) * 2654435761u);
		m->xid = 0x5b000000 | i;
		m->http.kept_max = SCRIPT_MAX;
		m->http.kept = malloc(SCRIPT_MAX + 1);
		if (!m->http.kept)
			die("memory");
	}
}

static bool parse(int argc, char **argv, struct storm *s)
{
	const struct load_option list[] = {
		{ "interface", LOAD_TEXT, &s->interface, 0 },
		{ "loader", LOAD_FILE, &s->loader, 0 },
		{ "kernel", LOAD_FILE, &s->kernel, 0 },
		{ "initrd", LOAD_FILE, &s->initrd, 0 },
		{ "machines", LOAD_NUMBER, &s->n, MACHINES_MAX },
		{ "first", LOAD_NUMBER, &s->first, UINT32_MAX },
		{ "seconds", LOAD_NUMBER, &s->seconds, 600 },
	};

	s->n = 200;
	s->seconds = 180;
	return parse_options(argc, argv, list, sizeof(list) / sizeof(*list)) && s->interface &&
		s->loader.p && s->kernel.p && s->initrd.p && s->n;
}

int main(int argc, char **argv)
{
	static struct storm s;

	if (!parse(argc, argv, &s)) {
		(void)fprintf(stderr,
			"usage: storm --interface NAME --loader FILE --kernel FILE --initrd FILE\n"
			"             [--machines N] [--first N] [--seconds S]\n");
		return 2;
	}
	raise_descriptor_limit();
	waits_init(&s.address, 2 * MACHINES_MAX);
	waits_init(&s.script, MACHINES_MAX);
	waits_init(&s.boot, MACHINES_MAX);
	make_machines(&s);
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll < 0)
		die("epoll");
	open_dhcp(&s);
	run(&s);
	print(&s, (double)(now_us() - s.began_us) / 1e6);
	return 0;
}

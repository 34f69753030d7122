#include "tftp_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	RRQ = 1,
	DATA = 3,
	ACK = 4,
	ERROR = 5,
	OACK = 6,
	HEADER = 4,
	BATCH = 64,
	DATAGRAM_MAX = 2048, /* an Ethernet frame holds less */
	REQUEST_MAX = 512,
};

static void fail(struct tftp_client *c, const char *why)
{
	c->state = TFTP_FAILED;
	c->why = why;
}

static size_t put_text(uint8_t *at, const char *text)
{
	size_t n = strlen(text) + 1;

	memcpy(at, text, n);
	return n;
}

static size_t put_option(uint8_t *at, const char *name, unsigned value)
{
	char digits[12];
	size_t n = put_text(at, name);

	(void)snprintf(digits, sizeof(digits), "%u", value);
	return n + put_text(at + n, digits);
}

static void send_request(struct tftp_client *c)
{
	uint8_t p[REQUEST_MAX] = { 0, RRQ };
	size_t n = 2;

	if (strlen(c->job->name) > REQUEST_MAX - 64) {
		fail(c, "name too long");
		return;
	}
	n += put_text(p + n, c->job->name);
	n += put_text(p + n, "octet");
	if (c->job->blksize != 512)
		n += put_option(p + n, "blksize", c->job->blksize);
	if (c->job->windowsize != 1)
		n += put_option(p + n, "windowsize", c->job->windowsize);
	/* What is lost here comes again after the timeout. */
	(void)sendto(
		c->fd, p, n, 0, (const struct sockaddr *)&c->job->server, sizeof(c->job->server));
}

static void send_ack(struct tftp_client *c)
{
	const uint16_t block = (uint16_t)(c->next - 1);
	const uint8_t p[HEADER] = { 0, ACK, (uint8_t)(block >> 8), (uint8_t)block };

	c->since_ack = 0;
	(void)send(c->fd, p, sizeof(p), 0);
}

void tftp_client_begin(
	struct tftp_client *c, const struct tftp_job *job, struct in_addr local, bool hold)
{
	*c = (struct tftp_client){ .job = job,
		.fd = socket_of(SOCK_DGRAM, local),
		.blksize = 512,
		.windowsize = 1,
		.next = 1,
		.hold = hold };
	c->began_us = c->heard_us = now_us();
	send_request(c);
}

/* The options that the server agreed to. */
static void take_oack(struct tftp_client *c, const uint8_t *p, size_t n)
{
	for (size_t at = 2; at < n;) {
		const char *name = (const char *)p + at, *value;
		size_t name_n = strnlen(name, n - at), value_n;

		at += name_n + 1;
		value = (const char *)p + at;
		value_n = at < n ? strnlen(value, n - at) : 0;
		at += value_n + 1;
		if (at > n) {
			fail(c, "malformed OACK");
			return;
		}
		if (strcasecmp(name, "blksize") == 0)
			c->blksize = (unsigned)strtoul(value, NULL, 10);
		else if (strcasecmp(name, "windowsize") == 0)
			c->windowsize = (unsigned)strtoul(value, NULL, 10);
	}
	if (c->blksize < 8 || c->blksize > c->job->blksize || !c->windowsize ||
		c->windowsize > c->job->windowsize) {
		fail(c, "OACK with more than was asked for");
		return;
	}
	c->state = TFTP_RUNNING;
	send_ack(c);
}

static void take_due(
	struct tftp_client *c, const uint8_t *data, size_t n, struct tftp_counts *counts)
{
	const struct file *f = &c->job->expected;
	uint64_t at = (c->next - 1) * c->blksize;
	size_t want = at + c->blksize <= f->n ? c->blksize : (size_t)(f->n - at);

	if (n != want || memcmp(data, f->p + at, n) != 0) {
		fail(c, "wrong octets");
		return;
	}
	counts->octets += n;
	c->gap_told = false;
	c->next++;
	c->since_ack++;
	if (n < c->blksize)
		c->state = TFTP_DONE;
	if (n < c->blksize || c->since_ack == c->windowsize)
		send_ack(c);
}

static void take_data(struct tftp_client *c, const uint8_t *p, size_t n, struct tftp_counts *counts)
{
	int ahead = (int16_t)(uint16_t)((unsigned)(p[2] << 8 | p[3]) - (unsigned)c->next);

	c->state = TFTP_RUNNING;
	if (c->hold)
		return;
	if (ahead == 0) {
		take_due(c, p + HEADER, n - HEADER, counts);
	} else if (ahead > 0) {
		/* RFC 7440 4: tell what arrived in order; once, since the rest of this window is lost, too. */
		if (!c->gap_told) {
			counts->gaps++;
			send_ack(c);
		}
		c->gap_told = true;
	} else {
		counts->duplicates++;
		/* The ACK that closed a window was lost: its last block comes again. */
		if (ahead == -1 && c->since_ack == 0)
			send_ack(c);
	}
}

static void take_packet(
	struct tftp_client *c, const uint8_t *p, size_t n, struct tftp_counts *counts)
{
	unsigned kind = n >= HEADER ? (unsigned)(p[0] << 8 | p[1]) : 0;

	if (kind == DATA && (n <= HEADER + c->blksize))
		take_data(c, p, n, counts);
	else if (kind == OACK && c->state == TFTP_ASKING)
		take_oack(c, p, n);
	else if (kind == OACK && c->next == 1)
		send_ack(c);
	else if (kind == ERROR)
		fail(c, "the server sent an ERROR");
	else
		fail(c, "a packet that has no place here");
}

/* The server's port is known from its first packet on; nobody else's counts then. */
static void read_first(struct tftp_client *c, struct tftp_counts *counts)
{
	uint8_t data[DATAGRAM_MAX];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(c->fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);

	if (n < 0)
		return;
	if (connect(c->fd, (const struct sockaddr *)&from, from_len) < 0)
		die("connect");
	take_packet(c, data, (size_t)n, counts);
}

static void read_batch(struct tftp_client *c, struct tftp_counts *counts)
{
	static uint8_t data[BATCH][DATAGRAM_MAX];
	static struct iovec iov[BATCH];
	static struct mmsghdr m[BATCH];
	int n;

	for (unsigned i = 0; !iov[BATCH - 1].iov_len && i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], DATAGRAM_MAX };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(c->fd, m, BATCH, 0, NULL);
	for (int i = 0; i < n && c->state < TFTP_DONE; i++)
		take_packet(c, data[i], m[i].msg_len, counts);
}

void tftp_client_read(struct tftp_client *c, struct tftp_counts *counts)
{
	c->heard_us = now_us();
	c->tries = 0;
	if (c->state == TFTP_ASKING)
		read_first(c, counts);
	else
		read_batch(c, counts);
}

void tftp_client_tick(struct tftp_client *c, int64_t now, struct tftp_counts *counts)
{
	if (c->state >= TFTP_DONE || now - c->heard_us < c->job->timeout_us ||
		(c->hold && c->state == TFTP_RUNNING))
		return;
	if (++c->tries >= c->job->tries) {
		fail(c, "no answer");
		return;
	}
	counts->resent++;
	c->heard_us = now;
	if (c->state == TFTP_ASKING)
		send_request(c);
	else
		send_ack(c);
}

/* The TFTP codec and session, fed with packets and clock steps.
 *
 * The input is records: a length octet, a clock step octet (of 50 ms), that
 * many octets of packet.  The first request opens the session; what comes then
 * goes to it.  Checked: blocks asked for exist, lie in the window and in the
 * file; the session ends by 60 s of silence; at windowsize 1 no DATA leaves for
 * a duplicate ACK.
 */
#include "core/tftp_session.h"

#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct tftp_session session;
	bool begun;
	uint64_t now_ms;
};

static void check_action(const struct run *r, struct tftp_action a)
{
	const struct tftp_session *s = &r->session;

	CHECK(s->acked <= s->sent && s->sent <= s->final);
	CHECK(s->sent - s->acked <= s->terms.windowsize);
	CHECK(tftp_session_octets(s) <= s->terms.size);
	CHECK(tftp_session_outcome_name(s->outcome) != NULL);
	if (s->outcome != TFTP_RUNNING) {
		CHECK(a.send == TFTP_SEND_NOTHING);
		return;
	}
	CHECK(s->deadline_ms <= s->progress_ms + TFTP_GIVE_UP_MS);
	if (a.send != TFTP_SEND_BLOCKS)
		return;
	/* A piece of the window, new or again: it goes on where the last one ended. */
	CHECK(a.first > s->acked && a.first <= a.last && a.last <= s->sent &&
		a.last == s->next - 1);
	CHECK(a.last <= s->window_last && s->window_last - s->acked <= s->terms.windowsize);
	CHECK(a.last - a.first < s->burst && (s->burst_ms != 0) == (a.last < s->window_last));
	for (uint64_t b = a.first; b <= a.last; b++)
		CHECK(tftp_session_offset(&s->terms, b) + tftp_session_length(&s->terms, b) <=
			s->terms.size);
	CHECK(!s->held && s->resend_ms >= TFTP_RESEND_MIN_MS &&
		s->resend_ms <= s->terms.timeout_s * 1000);
}

/* What an edge does whose disk or socket is slow: at odd lengths it holds, and lets go
 * before a packet of even length. */
static void hold_or_release(struct run *r, size_t packet_len)
{
	if (!r->begun || r->session.outcome != TFTP_RUNNING)
		return;
	if (packet_len % 2)
		tftp_session_hold(&r->session);
	else
		tftp_session_released(&r->session, r->now_ms);
	CHECK(r->session.deadline_ms <= r->session.progress_ms + TFTP_GIVE_UP_MS);
}

static void begin(struct run *r, const struct tftp_request *request, size_t packet_len)
{
	uint8_t path[TFTP_PATH_MAX], oack[TFTP_OACK_MAX];
	struct wr w = wr_of(oack, sizeof(oack));
	struct span cleaned;
	struct tftp_terms t;

	if (tftp_session_path(request->file, path, &cleaned) == 0)
		CHECK(cleaned.n > 0 && cleaned.n <= TFTP_PATH_MAX && cleaned.p[0] != '/');
	/* sizes from the packet's own length: a few blocks, and wrapping ones */
	t = tftp_session_negotiate(request, packet_len * packet_len * 997, 1500);
	CHECK(t.blksize >= TFTP_BLKSIZE_MIN && t.blksize <= 1468);
	CHECK(t.windowsize >= 1 && t.windowsize <= TFTP_WINDOWSIZE_MAX &&
		t.windowsize * t.blksize <= TFTP_FLIGHT_MAX);
	CHECK(t.timeout_s >= 1 && t.timeout_s <= 255);
	tftp_session_put_oack(&t, &w);
	CHECK(!w.full);
	check_action(r, tftp_session_start(&r->session, &t, r->now_ms));
	r->begun = true;
}

static void take_ack(struct run *r, uint16_t block)
{
	const struct tftp_session *s = &r->session;
	bool duplicate = !s->oack_open && block == (uint16_t)s->acked;
	struct tftp_action a = tftp_session_ack(&r->session, block, r->now_ms);

	if (duplicate && s->terms.windowsize == 1)
		CHECK(a.send == TFTP_SEND_NOTHING);
	check_action(r, a);
}

static void take_packet(struct run *r, struct span s)
{
	struct tftp_packet p;

	if (tftp_decode(s, &p) != DROP_NONE)
		return;
	if (p.opcode == TFTP_RRQ && !r->begun)
		begin(r, &p.request, s.n);
	else if (!r->begun)
		return;
	else if (p.opcode == TFTP_RRQ)
		check_action(r, tftp_session_repeat(&r->session, r->now_ms));
	else if (p.opcode == TFTP_ACK)
		take_ack(r, p.block);
	else if (p.opcode == TFTP_ERROR)
		tftp_session_error(&r->session, p.error.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_of((struct span){ data, size });
	struct run run = { .now_ms = 1 };

	while (rd_left(&r) >= 2) {
		size_t n = rd_u8(&r);

		run.now_ms += rd_u8(&r) * 50u;
		if (run.begun && run.now_ms >= run.session.deadline_ms)
			check_action(&run, tftp_session_tick(&run.session, run.now_ms));
		hold_or_release(&run, n);
		take_packet(&run, rd_span(&r, n < rd_left(&r) ? n : rd_left(&r)));
	}
	/* Windows that leave in pieces of 16 blocks, or more. */
	for (uint32_t i = 0; run.begun && run.session.outcome == TFTP_RUNNING; i++) {
		CHECK(i < 100 * (1 + run.session.terms.windowsize / 16));
		run.now_ms = run.session.deadline_ms > run.now_ms ? run.session.deadline_ms
								  : run.now_ms;
		check_action(&run, tftp_session_tick(&run.session, run.now_ms));
	}
	return 0;
}

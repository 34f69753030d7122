/* The TFTP transfer.  Never sends DATA twice for one ACK at windowsize 1, never
 * resends DATA by itself to an address that has not yet answered. */
#include "core/tftp_session.h"

#include <errno.h>

/* IPv4, UDP and TFTP headers: what a block must leave free of the path's MTU. */
#define HEADERS 32
/* An address that never answered gets at most this many OACKs for its request
 * (promise T-13): more would make us an amplifier of forged ones. */
#define OACKS_MAX 3
/* Below this an ACK may have crossed what we just sent; also the first guess. */
#define ROUND_TRIP_MIN_MS 10
#define BACKOFF_MAX_MS    8000
/* After several resends and so long no copy of a packet is under way any more. */
#define SILENT_BACKOFF 3
#define SILENT_MS      7000
/* A window longer than its client's receive buffer would lose its tail each time, and
 * the client, which sees no gap, would wait for our timer.  So a long one leaves in
 * pieces with pauses in between, which its rule (acknowledge a window's end) does not
 * notice; RFC 7440 6 wants RFC 5405 3.1 obeyed.  BURST_FIRST full Ethernet frames fit
 * into Linux's default buffer (208 KiB, 2304 octets each). */
#define BURST_FIRST  64
#define BURST_MIN    16
#define BURST_GAP_MS 1
#define PATIENCE_MAX 4096

static bool is_separator(uint8_t c)
{
	return c == '/' || c == '\\';
}

static bool is_dots(struct span segment)
{
	return span_eq(segment, SPAN_LIT(".")) || span_eq(segment, SPAN_LIT(".."));
}

int tftp_session_path(struct span name, uint8_t buf[TFTP_PATH_MAX], struct span *ret_path)
{
	struct wr w = wr_of(buf, TFTP_PATH_MAX);
	size_t i = 0;

	while (i < name.n) {
		size_t start = i;

		while (i < name.n && !is_separator(name.p[i])) {
			if (name.p[i] < 0x20 || name.p[i] == 0x7f)
				return -EINVAL;
			i++;
		}

		struct span segment = { name.p + start, i - start };

		if (is_dots(segment))
			return -EINVAL;
		if (segment.n > 0 && w.n > 0)
			wr_u8(&w, '/');
		wr_span(&w, segment);
		i++;
	}
	if (w.full || w.n == 0 || is_separator(name.p[name.n - 1]))
		return -EINVAL;
	*ret_path = wr_done(&w);
	return 0;
}

/* The option's value when it is a number from min to max. */
static bool option_number(const struct tftp_request *request, struct span name, uint64_t min,
	uint64_t max, uint64_t *ret_value)
{
	const struct span *s = tftp_option_find(request, name);
	uint64_t v;

	if (!s || tftp_number(*s, &v) < 0 || v < min || v > max)
		return false;
	*ret_value = v;
	return true;
}

static uint32_t at_most(uint64_t v, uint32_t limit)
{
	return v < limit ? (uint32_t)v : limit;
}

static uint32_t blksize_limit(unsigned path_mtu)
{
	if (path_mtu < TFTP_BLKSIZE_MIN + HEADERS)
		return TFTP_BLKSIZE_MIN;
	return at_most(path_mtu - HEADERS, TFTP_BLKSIZE_MAX);
}

/* RFC 7440 leaves it to us to lower it.  What one window puts on the wire at once
 * has a limit, in octets. */
static uint32_t windowsize_limit(uint32_t blksize)
{
	return at_most(TFTP_FLIGHT_MAX / blksize, TFTP_WINDOWSIZE_MAX);
}

struct tftp_terms tftp_session_negotiate(
	const struct tftp_request *request, uint64_t size, unsigned path_mtu)
{
	struct tftp_terms t = {
		.size = size,
		.blksize = TFTP_BLKSIZE_DEFAULT,
		.windowsize = 1,
		.timeout_s = TFTP_TIMEOUT_DEFAULT_S,
	};
	uint64_t v;

	/* RFC 2348: the server's value may be less than the client's. */
	if (option_number(request, SPAN_LIT("blksize"), TFTP_BLKSIZE_MIN, UINT64_MAX, &v)) {
		t.has_blksize = true;
		t.blksize = at_most(v, blksize_limit(path_mtu));
	}
	if (option_number(request, SPAN_LIT("windowsize"), 1, 65535, &v)) {
		t.has_windowsize = true;
		t.windowsize = at_most(v, windowsize_limit(t.blksize));
	}
	/* RFC 2349: the client's value as it is, or no answer to it. */
	if (option_number(request, SPAN_LIT("timeout"), 1, 255, &v)) {
		t.has_timeout = true;
		t.timeout_s = (uint32_t)v;
	}
	t.has_tsize = option_number(request, SPAN_LIT("tsize"), 0, UINT64_MAX, &v);
	return t;
}

bool tftp_session_has_options(const struct tftp_terms *terms)
{
	return terms->has_blksize || terms->has_windowsize || terms->has_timeout ||
		terms->has_tsize;
}

void tftp_session_put_oack(const struct tftp_terms *terms, struct wr *w)
{
	tftp_put_oack(w);
	if (terms->has_blksize)
		tftp_put_option(w, SPAN_LIT("blksize"), terms->blksize);
	if (terms->has_timeout)
		tftp_put_option(w, SPAN_LIT("timeout"), terms->timeout_s);
	if (terms->has_tsize)
		tftp_put_option(w, SPAN_LIT("tsize"), terms->size);
	if (terms->has_windowsize)
		tftp_put_option(w, SPAN_LIT("windowsize"), terms->windowsize);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint32_t resend_max_ms(const struct tftp_session *s)
{
	return s->terms.timeout_s * 1000;
}

/* Twice as long at each resend, up to a bound: where a third of the packets is
 * lost, 60 s must hold enough of them.  A timeout that the client chose above 60 s
 * is obeyed by giving up first. */
static uint64_t resend_at_ms(const struct tftp_session *s)
{
	uint64_t wait = s->resend_ms;

	for (unsigned i = 0; i < s->backoff && wait < BACKOFF_MAX_MS; i++)
		wait = at_most(2 * wait, BACKOFF_MAX_MS);
	return s->window_ms + wait;
}

static uint64_t round_trip_ms(const struct tftp_session *s)
{
	uint32_t srtt = s->srtt8_ms / 8;

	return srtt > ROUND_TRIP_MIN_MS ? srtt : ROUND_TRIP_MIN_MS;
}

static bool may_resend_by_timer(const struct tftp_session *s)
{
	return s->oack_open ? s->oacks < OACKS_MAX : s->proven;
}

static void set_deadline(struct tftp_session *s)
{
	s->deadline_ms = s->progress_ms + TFTP_GIVE_UP_MS;
	if (s->held)
		return;
	if (may_resend_by_timer(s))
		s->deadline_ms = earlier(s->deadline_ms, resend_at_ms(s));
	if (s->restart_ms)
		s->deadline_ms = earlier(s->deadline_ms, s->restart_ms);
	if (s->burst_ms)
		s->deadline_ms = earlier(s->deadline_ms, s->burst_ms);
}

static struct tftp_action send_nothing(struct tftp_session *s)
{
	set_deadline(s);
	return (struct tftp_action){ .send = TFTP_SEND_NOTHING };
}

static struct tftp_action send_oack(struct tftp_session *s, uint64_t now_ms)
{
	s->fresh = s->oacks == 0;
	s->resent += !s->fresh;
	s->oacks++;
	s->window_ms = now_ms;
	set_deadline(s);
	return (struct tftp_action){ .send = TFTP_SEND_OACK };
}

/* A window did not arrive whole: smaller pieces, and a longer time until larger ones
 * are tried again, for that costs the wait of a timer. */
static void shrink_burst(struct tftp_session *s)
{
	if (s->burst > BURST_MIN)
		s->burst = s->burst / 2 > BURST_MIN ? s->burst / 2 : BURST_MIN;
	s->patience = at_most(4 * (uint64_t)s->patience, PATIENCE_MAX);
	s->clean = 0;
}

static void grow_burst(struct tftp_session *s)
{
	if (!s->fresh || s->burst >= s->terms.windowsize || ++s->clean < s->patience)
		return;
	s->burst = at_most(2 * (uint64_t)s->burst, s->terms.windowsize);
	s->clean = 0;
}

/* The next piece of the window, or all that is left of it. */
static struct tftp_action send_burst(struct tftp_session *s, uint64_t now_ms)
{
	struct tftp_action a = {
		.send = TFTP_SEND_BLOCKS,
		.first = s->next,
		.last = earlier(s->next + s->burst - 1, s->window_last),
	};

	if (a.first <= s->sent)
		s->resent += earlier(a.last, s->sent) + 1 - a.first;
	if (a.last > s->sent)
		s->sent = a.last;
	s->next = a.last + 1;
	s->window_ms = now_ms;
	s->burst_ms = s->next <= s->window_last ? now_ms + BURST_GAP_MS : 0;
	set_deadline(s);
	return a;
}

/* The window behind the last acknowledged block, new or again. */
static struct tftp_action send_window(struct tftp_session *s, uint64_t now_ms)
{
	s->fresh = s->sent == s->acked;
	if (!s->fresh)
		shrink_burst(s);
	s->next = s->acked + 1;
	s->window_last = earlier(s->acked + s->terms.windowsize, s->final);
	s->held = false;
	s->restart_ms = 0;
	return send_burst(s, now_ms);
}

static struct tftp_action restart_window(struct tftp_session *s, uint64_t now_ms)
{
	s->restarted = true;
	return send_window(s, now_ms);
}

/* RFC 7440 4: an ACK that is not the window's last block asks for the window to
 * begin behind it.  Within a round trip of our last sending it may also be the
 * echo of something older, or of a client that acknowledges every block: then
 * the restart waits that long, and an ACK of the rest makes it needless. */
static struct tftp_action restart_window_soon(struct tftp_session *s, uint64_t now_ms)
{
	if (!s->held && now_ms >= s->window_ms + round_trip_ms(s))
		return restart_window(s, now_ms);
	s->restart_ms = s->window_ms + round_trip_ms(s);
	s->burst_ms = 0; /* its client would drop what comes behind the gap */
	return send_nothing(s);
}

struct tftp_action tftp_session_start(
	struct tftp_session *s, const struct tftp_terms *terms, uint64_t now_ms)
{
	*s = (struct tftp_session){
		.terms = *terms,
		.final = terms->size / terms->blksize + 1,
		.progress_ms = now_ms,
		.resend_ms = terms->timeout_s * 1000,
		.burst = at_most(terms->windowsize, BURST_FIRST),
		.patience = 1,
		.oack_open = tftp_session_has_options(terms),
	};
	return s->oack_open ? send_oack(s, now_ms) : send_window(s, now_ms);
}

/* RFC 6298 2, bounded: by the client's timeout (RFC 2349) or one second from above. */
static void measure_round_trip(struct tftp_session *s, uint64_t now_ms)
{
	uint32_t r = at_most(now_ms - s->window_ms, resend_max_ms(s));
	uint32_t smoothed = s->srtt8_ms / 8, off = r > smoothed ? r - smoothed : smoothed - r;

	if (s->srtt8_ms == 0 && s->rttvar4_ms == 0) {
		s->srtt8_ms = 8 * r;
		s->rttvar4_ms = 2 * r;
	} else {
		s->srtt8_ms = s->srtt8_ms - smoothed + r;
		s->rttvar4_ms = s->rttvar4_ms - s->rttvar4_ms / 4 + off;
	}
	s->resend_ms = s->srtt8_ms / 8 + s->rttvar4_ms;
	if (s->resend_ms < TFTP_RESEND_MIN_MS)
		s->resend_ms = TFTP_RESEND_MIN_MS;
	if (s->resend_ms > resend_max_ms(s))
		s->resend_ms = resend_max_ms(s);
}

/* All that was outstanding is acknowledged.  Karn: what was sent twice measures
 * nothing, and the longer wait stays until something does; a path that has become
 * slower than we think would have each block twice for ever. */
static void learn_round_trip(struct tftp_session *s, uint64_t now_ms)
{
	if (s->fresh && !s->held)
		measure_round_trip(s, now_ms);
	else if (s->backoff > 0)
		s->resend_ms = at_most(resend_at_ms(s) - s->window_ms, resend_max_ms(s));
}

static void note_progress(struct tftp_session *s, uint64_t now_ms)
{
	s->proven = true;
	s->progress_ms = now_ms;
	s->backoff = 0;
	s->restarted = false;
}

static struct tftp_action oack_acked(struct tftp_session *s, uint16_t block, uint64_t now_ms)
{
	if (block != 0)
		return send_nothing(s);
	learn_round_trip(s, now_ms);
	note_progress(s, now_ms);
	s->oack_open = false;
	return send_window(s, now_ms);
}

struct tftp_action tftp_session_ack(struct tftp_session *s, uint16_t block, uint64_t now_ms)
{
	uint16_t further = (uint16_t)(block - (uint16_t)s->acked);

	if (s->outcome != TFTP_RUNNING)
		return (struct tftp_action){ .send = TFTP_SEND_NOTHING };
	if (s->oack_open)
		return oack_acked(s, block, now_ms);
	/* Ahead of what was sent, or long past: not of this window (T-9). */
	if (further > s->sent - s->acked)
		return send_nothing(s);
	if (further == 0) {
		/* RFC 1123 4.2.3.1: an answer to a duplicate ACK doubles every
		 * packet from there on.  Once per window is harmless. */
		if (s->terms.windowsize == 1 || s->restarted)
			return send_nothing(s);
		return restart_window_soon(s, now_ms);
	}
	s->acked += further;
	if (s->acked == s->sent) {
		learn_round_trip(s, now_ms);
		grow_burst(s);
	}
	note_progress(s, now_ms);
	if (s->acked == s->final) {
		s->outcome = TFTP_SENT;
		return (struct tftp_action){ .send = TFTP_SEND_NOTHING };
	}
	if (s->acked < s->sent)
		return restart_window_soon(s, now_ms);
	return send_window(s, now_ms);
}

struct tftp_action tftp_session_tick(struct tftp_session *s, uint64_t now_ms)
{
	if (s->outcome != TFTP_RUNNING)
		return (struct tftp_action){ .send = TFTP_SEND_NOTHING };
	if (now_ms >= s->progress_ms + TFTP_GIVE_UP_MS) {
		s->outcome = TFTP_TIMEOUT;
		return (struct tftp_action){ .send = TFTP_SEND_NOTHING };
	}
	if (s->held)
		return send_nothing(s);
	if (s->restart_ms && now_ms >= s->restart_ms)
		return restart_window(s, now_ms);
	if (s->burst_ms && now_ms >= s->burst_ms)
		return send_burst(s, now_ms);
	if (!may_resend_by_timer(s) || now_ms < resend_at_ms(s))
		return send_nothing(s);
	s->backoff++;
	s->restarted = false;
	return s->oack_open ? send_oack(s, now_ms) : send_window(s, now_ms);
}

struct tftp_action tftp_session_repeat(struct tftp_session *s, uint64_t now_ms)
{
	if (s->outcome != TFTP_RUNNING)
		return (struct tftp_action){ .send = TFTP_SEND_NOTHING };
	/* Whoever acknowledged something has our answer: a copy from the network. */
	if (s->proven)
		return send_nothing(s);
	return s->oack_open ? send_oack(s, now_ms) : send_window(s, now_ms);
}

void tftp_session_hold(struct tftp_session *s)
{
	s->held = true;
	set_deadline(s);
}

void tftp_session_released(struct tftp_session *s, uint64_t now_ms)
{
	if (!s->held)
		return;
	s->held = false;
	s->window_ms = now_ms;
	if (s->restart_ms)
		s->restart_ms = now_ms + round_trip_ms(s);
	if (s->burst_ms)
		s->burst_ms = now_ms + BURST_GAP_MS;
	set_deadline(s);
}

void tftp_session_error(struct tftp_session *s, uint16_t code)
{
	if (s->outcome != TFTP_RUNNING)
		return;
	/* EDK2 asks for tsize first and aborts: ERROR 8, older builds ERROR 0
	 * "User aborted the transfer" (firmware-quirks.md). */
	if (s->oack_open && s->terms.has_tsize &&
		(code == TFTP_ERROR_OPTIONS || code == TFTP_ERROR_OTHER))
		s->outcome = TFTP_PROBE;
	else
		s->outcome = TFTP_ABORTED;
}

bool tftp_session_is_silent(const struct tftp_session *s, uint64_t now_ms)
{
	return s->proven && s->backoff >= SILENT_BACKOFF && now_ms >= s->progress_ms + SILENT_MS;
}

uint64_t tftp_session_offset(const struct tftp_terms *terms, uint64_t block)
{
	return (block - 1) * terms->blksize;
}

uint32_t tftp_session_length(const struct tftp_terms *terms, uint64_t block)
{
	return at_most(terms->size - tftp_session_offset(terms, block), terms->blksize);
}

uint64_t tftp_session_octets(const struct tftp_session *s)
{
	return earlier(s->acked * s->terms.blksize, s->terms.size);
}

const char *tftp_session_outcome_name(enum tftp_outcome outcome)
{
	static const char *const names[] = {
		[TFTP_RUNNING] = "running",
		[TFTP_SENT] = "sent",
		[TFTP_PROBE] = "probe",
		[TFTP_REFUSED] = "refused",
		[TFTP_ABORTED] = "aborted",
		[TFTP_TIMEOUT] = "timeout",
		[TFTP_EVICTED] = "evicted",
		[TFTP_SUPERSEDED] = "superseded",
		[TFTP_CHANGED] = "changed",
		[TFTP_FAILED] = "failed",
		[TFTP_STOPPED] = "stopped",
	};

	return names[outcome];
}

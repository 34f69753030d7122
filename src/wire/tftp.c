/* TFTP packets.  Accepts no request without a mode, without its NULs, with more
 * than 16 options or of more than 512 octets. */
#include "wire/tftp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The next NUL-terminated string, without its NUL. */
static struct span take_string(struct rd *r)
{
	struct span rest = { r->p, rd_left(r) };
	struct span s = span_until_nul(rest);

	if (s.n == rest.n) {
		r->bad = true;
		return SPAN_NONE;
	}
	(void)rd_span(r, s.n + 1);
	return s;
}

static enum tftp_mode mode_of(struct span s)
{
	if (span_eq_nocase(s, SPAN_LIT("octet")))
		return TFTP_MODE_OCTET;
	if (span_eq_nocase(s, SPAN_LIT("netascii")))
		return TFTP_MODE_NETASCII;
	return TFTP_MODE_OTHER;
}

/* Options are pairs of strings.  An empty name ends them: some ROMs fill the
 * request up with zeros. */
static enum drop decode_options(struct rd *r, struct tftp_request *q)
{
	while (rd_left(r) > 0) {
		struct span name = take_string(r);

		if (r->bad)
			return DROP_TFTP_NO_NUL;
		if (name.n == 0)
			break;

		struct span value = take_string(r);

		if (r->bad)
			return DROP_TFTP_NO_NUL;
		if (q->n_options == TFTP_OPTIONS_MAX)
			return DROP_TFTP_OPTIONS;
		q->options[q->n_options++] = (struct tftp_option){ name, value };
	}
	return DROP_NONE;
}

static enum drop decode_request(struct rd *r, struct tftp_request *q)
{
	q->n_options = 0;
	q->file = take_string(r);
	if (r->bad)
		return DROP_TFTP_NO_NUL;
	if (q->file.n == 0)
		return DROP_TFTP_NO_FILE;
	if (rd_left(r) == 0)
		return DROP_TFTP_MODE;
	q->mode = mode_of(take_string(r));
	if (r->bad)
		return DROP_TFTP_NO_NUL;
	return decode_options(r, q);
}

enum drop tftp_decode(struct span s, struct tftp_packet *ret_packet)
{
	struct rd r = rd_of(s);
	uint16_t opcode = rd_u16(&r);

	if (r.bad)
		return DROP_TFTP_SHORT;
	ret_packet->opcode = (enum tftp_opcode)opcode;
	switch (opcode) {
	case TFTP_RRQ:
	case TFTP_WRQ:
		if (s.n > TFTP_REQUEST_MAX)
			return DROP_TFTP_LONG;
		return decode_request(&r, &ret_packet->request);
	case TFTP_ACK:
		ret_packet->block = rd_u16(&r);
		return r.bad ? DROP_TFTP_SHORT : DROP_NONE;
	case TFTP_ERROR:
		ret_packet->error.code = rd_u16(&r);
		ret_packet->error.text = span_until_nul((struct span){ r.p, rd_left(&r) });
		return r.bad ? DROP_TFTP_SHORT : DROP_NONE;
	default:
		return DROP_TFTP_OPCODE;
	}
}

const struct span *tftp_option_find(const struct tftp_request *request, struct span name)
{
	for (size_t i = 0; i < request->n_options; i++)
		if (span_eq_nocase(request->options[i].name, name))
			return &request->options[i].value;
	return NULL;
}

int tftp_number(struct span s, uint64_t *ret_number)
{
	uint64_t v = 0;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;

		uint64_t digit = (uint64_t)(s.p[i] - '0');

		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
	}
	*ret_number = v;
	return 0;
}

void tftp_put_data(struct wr *w, uint16_t block)
{
	wr_u16(w, TFTP_DATA);
	wr_u16(w, block);
}

void tftp_put_oack(struct wr *w)
{
	wr_u16(w, TFTP_OACK);
}

void tftp_put_option(struct wr *w, struct span name, uint64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
	wr_span(w, name);
	wr_u8(w, 0);
	wr_span(w, span_str(digits));
	wr_u8(w, 0);
}

void tftp_put_error(struct wr *w, uint16_t code, struct span sentence)
{
	wr_u16(w, TFTP_ERROR);
	wr_u16(w, code);
	if (!w->full && sentence.n >= w->cap - w->n)
		sentence.n = w->cap == w->n ? 0 : w->cap - w->n - 1;
	wr_span(w, sentence);
	wr_u8(w, 0);
}

/* A progress bar; see progress_bar.h. */
#include "cli/progress_bar.h"

#include "core/upstream.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS      100u
#define WIDTH_UNKNOWN 80u
#define NUMBERS       52u /* columns beside name and bar */
#define BAR_MAX       40u
#define MIB           1048576.0

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static size_t columns(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : WIDTH_UNKNOWN;
}

static void draw_bar(size_t width, double part)
{
	size_t full = (size_t)((double)width * part);

	(void)fputs(" [", stdout);
	for (size_t i = 0; i < width; i++)
		(void)fputc(i < full ? '#' : ' ', stdout);
	(void)fputc(']', stdout);
}

static void draw(
	const struct progress_bar *b, struct span name, uint64_t got, uint64_t total, uint64_t now)
{
	double seconds = (double)(now - b->begun_ms) / 1000, speed = 0;
	size_t room = columns(), taken = name.n + NUMBERS;

	if (seconds > 0.2 && got > b->begun_at)
		speed = (double)(got - b->begun_at) / seconds;
	(void)printf("\r\033[K%.*s", (int)name.n, name.n ? (const char *)name.p : "");
	if (total == UPSTREAM_LENGTH_UNKNOWN || total == 0) {
		(void)printf(" %.1f MiB, %.1f MiB/s", (double)got / MIB, speed / MIB);
	} else {
		if (room > taken + 8)
			draw_bar(room - taken < BAR_MAX ? room - taken : BAR_MAX,
				(double)got / (double)total);
		(void)printf(" %3.0f%% of %.1f MiB, %.1f MiB/s",
			100.0 * (double)got / (double)total, (double)total / MIB, speed / MIB);
		if (speed > 0)
			(void)printf(
				", %.0f s left", (double)(total > got ? total - got : 0) / speed);
	}
	(void)fflush(stdout);
}

void progress_bar_draw(struct progress_bar *b, struct span name, uint64_t got, uint64_t total)
{
	uint64_t now = now_ms();

	if (!isatty(STDOUT_FILENO) || (b->shown && now - b->drawn_ms < EVERY_MS))
		return;
	if (!b->shown || got < b->begun_at) {
		b->begun_ms = now;
		b->begun_at = got;
	}
	b->shown = true;
	b->drawn_ms = now;
	draw(b, name, got, total, now);
}

void progress_bar_end(struct progress_bar *b)
{
	if (b->shown) {
		(void)fputs("\r\033[K", stdout);
		(void)fflush(stdout);
	}
	b->shown = false;
}

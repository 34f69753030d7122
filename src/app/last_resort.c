/* Ends the process; see last_resort.h. */
#include "app/last_resort.h"

#include <signal.h>
#include <unistd.h>

#define PATIENCE_MS 8000 /* files under way have five seconds, a disk these */
#define LAST_S      13u  /* then nothing more is done, whatever hangs */

static void on_alarm(int signum)
{
	(void)signum;
	_exit(0);
}

/* Not exit(): it joins libuv's workers. */
static void on_patience_over(uv_timer_t *timer)
{
	struct last_resort *l = timer->data;

	log_say(l->site->log, LOG_WARNING, "serve",
		"stopped, without waiting for a disk that does not answer");
	store_close(l->site->store);
	_exit(0);
}

void last_resort_init(struct last_resort *l, struct site *site)
{
	l->site = site;
	(void)uv_timer_init(site->loop, &l->timer);
	l->timer.data = l;
	uv_unref((uv_handle_t *)&l->timer);
}

void last_resort_arm(struct last_resort *l)
{
	(void)signal(SIGALRM, on_alarm); /* store_close() waits for the store's disk */
	(void)alarm(LAST_S);
	(void)uv_timer_start(&l->timer, on_patience_over, PATIENCE_MS, 0);
}

void last_resort_close(struct last_resort *l)
{
	uv_close((uv_handle_t *)&l->timer, NULL);
}

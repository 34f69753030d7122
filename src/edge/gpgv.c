/* Running gpgv; see gpgv.h. */
#include "edge/gpgv.h"

#include <errno.h>
#include <unistd.h>

#define SAID_MAX 65536u

struct run {
	uv_process_t process;
	uv_pipe_t words;
	struct text *said;
	char piece[4096];
	int64_t status;
	bool ended, quiet;
};

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
	struct run *run = process->data;

	run->status = signal ? 128 + signal : status;
	run->ended = true;
	uv_close((uv_handle_t *)process, NULL);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
	struct run *run = handle->data;

	(void)wanted;
	*ret = uv_buf_init(run->piece, sizeof(run->piece));
}

static void on_words(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct run *run = stream->data;

	if (n > 0 && run->said->n < SAID_MAX)
		text_add(run->said, (struct span){ (const uint8_t *)buf->base, (size_t)n });
	if (n < 0) {
		run->quiet = true;
		uv_close((uv_handle_t *)stream, NULL);
	}
}

int gpgv_check(uv_loop_t *loop, const char *keyring, const char *file, const char *signature,
	const char *output, struct text *ret_said)
{
	const char *inside[] = { "gpgv", "--keyring", keyring, "--output", output, file, NULL };
	const char *beside[] = { "gpgv", "--keyring", keyring, signature, file, NULL };
	struct run run = { .said = ret_said };
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_IGNORE },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
			.data.stream = (uv_stream_t *)&run.words },
	};
	uv_process_options_t options = {
		.exit_cb = on_exit_of,
		.file = "gpgv",
		.stdio = stdio,
		.stdio_count = 3,
	};
	const char **args = signature ? beside : inside;
	int r = uv_pipe_init(loop, &run.words, 0);

	if (r < 0)
		return r;
	memcpy(&options.args, &args,
		sizeof(args)); /* libuv's type lacks const, and it changes nothing */
	run.words.data = run.process.data = &run;
	if (!signature)
		(void)unlink(output); /* gpgv asks before it overwrites */
	r = uv_spawn(loop, &run.process, &options);
	if (r < 0) {
		uv_close((uv_handle_t *)&run.process, NULL);
		uv_close((uv_handle_t *)&run.words, NULL);
		(void)uv_run(loop, UV_RUN_NOWAIT);
		return r;
	}
	r = uv_read_start((uv_stream_t *)&run.words, give_room, on_words);
	while (r == 0 && (!run.ended || !run.quiet))
		(void)uv_run(loop, UV_RUN_ONCE);
	/* What is closed lives until the loop has turned. */
	(void)uv_run(loop, UV_RUN_NOWAIT);
	if (r < 0)
		return r;
	return run.status == 0 ? 0 : -EKEYREJECTED;
}

/* Spawning, waiting and stopping a child with sigtimedwait(2); see child.h.
 *
 * All signals that matter are blocked and then fetched one by one, so there is
 * no handler, no global and no race between looking and sleeping.
 */
#include "edge/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define STOP_GRACE_MS 3000

/* What a child may leave changed when it is killed: a raw terminal, and
 * O_NONBLOCK on descriptors that our shell shares. */
struct terminal {
	bool ours; /* standard input is a terminal and we are in its foreground */
	struct termios modes;
	int flags[3];
};

static void terminal_save(struct terminal *t)
{
	t->ours = tcgetpgrp(STDIN_FILENO) == getpgrp() && tcgetattr(STDIN_FILENO, &t->modes) == 0;
	for (int fd = 0; fd < 3; fd++)
		t->flags[fd] = fcntl(fd, F_GETFL);
}

static void terminal_restore(const struct terminal *t)
{
	if (t->ours)
		tcsetattr(STDIN_FILENO, TCSANOW, &t->modes);
	for (int fd = 0; fd < 3; fd++) {
		if (t->flags[fd] >= 0)
			fcntl(fd, F_SETFL, t->flags[fd]);
	}
}

static void stop_signals(sigset_t *set)
{
	struct sigaction hangup;

	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	/* Blocked, it would come in spite of nohup(1). */
	if (sigaction(SIGHUP, NULL, &hangup) < 0 || hangup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
}

/* In the child: does not return; tells errno through the pipe when exec fails. */
static _Noreturn void child_exec(
	char *const argv[], pid_t parent, const sigset_t *mask, bool has_terminal, int error_pipe)
{
	int err;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != parent)
		_exit(1); /* it died before prctl could see it */
	if (isatty(STDIN_FILENO) && !has_terminal) {
		/* In the background, reading or changing the terminal would stop us. */
		int null = open("/dev/null", O_RDONLY);

		if (null >= 0)
			dup2(null, STDIN_FILENO);
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	err = errno;
	if (write(error_pipe, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static int child_spawn(char *const argv[], const sigset_t *mask, bool has_terminal, pid_t *ret_pid)
{
	int pipe_fds[2], exec_errno = 0;
	pid_t parent = getpid(), pid;
	ssize_t n;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child_exec(argv, parent, mask, has_terminal, pipe_fds[1]);
	if (pid < 0)
		exec_errno = errno;
	close(pipe_fds[1]);
	n = pid < 0 ? 0 : read(pipe_fds[0], &exec_errno, sizeof(exec_errno));
	close(pipe_fds[0]);
	if (n > 0)
		waitpid(pid, NULL, 0);
	if (exec_errno != 0)
		return -exec_errno;
	*ret_pid = pid;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The next of these signals, or 0 when deadline_ms (-1: none) has come. */
static int next_signal(const sigset_t *set, int64_t deadline_ms)
{
	for (;;) {
		int64_t left = deadline_ms - now_ms();
		struct timespec wait = { left / 1000, left % 1000 * 1000000 };
		int sig;

		if (left < 0)
			wait = (struct timespec){ 0, 0 };
		sig = deadline_ms < 0 ? sigwaitinfo(set, NULL) : sigtimedwait(set, NULL, &wait);
		if (sig > 0)
			return sig;
		if (errno == EAGAIN)
			return 0;
	}
}

static void child_follow(
	pid_t pid, const sigset_t *set, unsigned timeout_s, struct child_result *ret_result)
{
	int64_t deadline_ms = timeout_s ? now_ms() + (int64_t)timeout_s * 1000 : -1;
	struct child_result result = { CHILD_EXITED, 0 };
	bool stopping = false;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		int sig = next_signal(set, deadline_ms);

		if (sig == SIGCHLD)
			continue;
		if (stopping) {
			kill(pid, sig == 0 ? SIGKILL : SIGTERM);
			deadline_ms = sig == 0 ? -1 : deadline_ms;
			continue;
		}
		stopping = true;
		result = (struct child_result){ sig == 0 ? CHILD_TIMED_OUT : CHILD_STOPPED, sig };
		deadline_ms = now_ms() + STOP_GRACE_MS;
		kill(pid, SIGTERM);
	}
	if (!stopping && WIFSIGNALED(status))
		result = (struct child_result){ CHILD_DIED, WTERMSIG(status) };
	else if (!stopping)
		result = (struct child_result){ CHILD_EXITED, WEXITSTATUS(status) };
	*ret_result = result;
}

int child_run(char *const argv[], unsigned timeout_s, struct child_result *ret_result)
{
	struct terminal terminal;
	sigset_t set, before;
	pid_t pid = -1;
	int err;

	stop_signals(&set);
	/* Ignored by whoever started us, it would never come. */
	(void)signal(SIGCHLD, SIG_DFL);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	terminal_save(&terminal);
	err = child_spawn(argv, &before, terminal.ours, &pid);
	if (err == 0) {
		child_follow(pid, &set, timeout_s, ret_result);
		terminal_restore(&terminal);
	}
	/* Ctrl-C reaches the child too; when it ends before we have looked, ours is
	 * still pending, and would end us once unblocked. */
	while (next_signal(&set, now_ms()) > 0)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

void child_hold_stop(void)
{
	sigset_t set;

	stop_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

void child_wait_for_stop(void)
{
	sigset_t set;

	stop_signals(&set);
	next_signal(&set, -1);
}

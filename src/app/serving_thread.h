/* A thread that serves files: a loop, a snapshot of what is in force, its own open
 * root, and a server of one protocol on top (app/http_thread.c, app/tftp_thread.c).
 *
 * The main thread steers it by letters and hears of it by its home mailbox.  Knows no
 * protocol.
 */
#pragma once

#include "app/log.h"
#include "app/roots.h"
#include "app/snapshot.h"
#include "core/locate.h"
#include "edge/disk_jobs.h"
#include "edge/worker.h"

#define SERVING_REPORTS_MAX                                                                        \
	20000 /* letters that may wait for the main thread: some 10 MB; of those that matter, twice as many */

struct serving_thread;
struct question; /* app/question.h */

struct serving_listener {
	int fd, id; /* fd moves in on success */
	struct ip4 addr;
	bool tls;
};

/* What a thread has to do now. */
struct serving_load {
	unsigned connections; /* 0 where the protocol has none */
	unsigned transfers;   /* files and texts on their way */
};

/* The server on top; called on the thread, but for the two at the end. */
struct serving_kind {
	const char *protocol; /* "http", "tftp" */
	struct serving_load (*load)(struct serving_thread *t);
	const char *(*root)(const struct config *cfg);
	/* Another configuration is in force; may be NULL. */
	void (*adopted)(struct serving_thread *t);
	int (*listen)(struct serving_thread *t, const struct serving_listener *l);
	void (*unlisten)(struct serving_thread *t, int id);
	/* Ends the server; serving_thread_ended() when nothing of it is left. */
	void (*close)(struct serving_thread *t, uint64_t grace_ms);
	/* The answer to a question whose asker is still there. */
	void (*answered)(struct serving_thread *t, struct question *q);
	/* On the main thread: question_answer() it, now or later. */
	void (*asked)(struct serving_thread *t, struct question *q);
	/* On the main thread: a listener could not be taken for want of memory. */
	void (*starved)(struct serving_thread *t);
	/* On the main thread, at the very end: serving_thread_join() and free it. */
	void (*closed)(struct serving_thread *t);
};

/* The first member of a protocol's own struct. */
struct serving_thread {
	const struct serving_kind *kind;
	struct worker *worker;
	struct mailbox *home;
	void *ctx;                 /* of the main thread's hooks */
	unsigned long lost;        /* atomic */
	struct serving_load shown; /* atomic: as of the loop's last round */
	char name[16];
	unsigned n_asked; /* the main thread's: questions without an answer */
	bool has_ended;   /* the main thread's: the thread is through, only they are left */
	/* The thread's own from here on. */
	struct snapshot *now;
	struct root root;
	struct root profiles_root; /* http.root, where profiles' files are, whatever the protocol */
	uv_prepare_t round;
	struct disk_jobs openings;
	bool is_ending; /* when the last opening is back */
};

/* A file on its way to be opened by one of libuv's workers. */
struct serving_opening {
	void *asker; /* the owner's; NULL when it is gone meanwhile */
};
typedef void (*serving_opened)(
	struct serving_thread *t, void *asker, int error, int fd, const struct stat *st);

/* The mailbox of the main thread for such threads; what the readers of letters that
 * came together say leaves together. */
int serving_home_new(uv_loop_t *loop, struct log *log, struct mailbox **ret) WARN_UNUSED;

/* kind, home and ctx are set.  Makes the loop; the thread does not run yet. */
int serving_thread_init(struct serving_thread *t, struct snapshot *now) WARN_UNUSED;
int serving_thread_start(struct serving_thread *t, const char *name) WARN_UNUSED;

/* The main thread's. */
void serving_thread_adopt(struct serving_thread *t, struct snapshot *now);
void serving_thread_listen(struct serving_thread *t, const struct serving_listener *l);
void serving_thread_unlisten(struct serving_thread *t, int id);
void serving_thread_close(struct serving_thread *t, uint64_t grace_ms);
void serving_thread_join(struct serving_thread *t);
/* How many reports were not made because too many waited; zero from then on. */
unsigned long serving_thread_take_lost(struct serving_thread *t);

/* For app/question.c: one question less. */
void serving_thread_answered(struct serving_thread *t);
/* From any thread; as old as the loop's present round. */
struct serving_load serving_thread_load(const struct serving_thread *t);

/* The thread's: a letter for the main thread, from malloc() as a whole, that may be lost:
 * then it is freed.  matters (NULL: never): the main thread does more by it than a line of
 * the log; asked only where there is no room for the others. */
typedef bool (*serving_matters)(const struct snapshot *now, const struct letter *letter);
void serving_thread_report(
	struct serving_thread *t, struct letter *letter, serving_matters matters);
/* Looks up a name, and opens the file that it means: a loader, a named file, one below
 * the root.  0; -ENOENT; -ENOTUNIQ for names that depend on who asks (question_ask());
 * another error; or -EINPROGRESS: it takes a disk, and opened() comes later with
 * whatever (*ret_opening)->asker is then. */
int serving_thread_open(struct serving_thread *t, struct span path, void *asker,
	serving_opened opened, int *ret_fd, struct stat *ret_st,
	struct serving_opening **ret_opening) WARN_UNUSED;
/* Why a file could not be opened, as far as its client is told.  No path of ours is in
 * any sentence: it goes to whoever asks. */
enum serving_failure {
	SERVING_NOT_FOUND,
	SERVING_DIRECTORY,
	SERVING_BUSY,
	SERVING_DENIED,
	SERVING_FAILED, /* ours to mend */
};
enum serving_failure serving_failure_of(int error);
/* Nothing of the server is left: the thread ends when no worker is at work for it any more, and
 * the main thread hears of it then, so that it never waits for a disk itself. */
void serving_thread_ended(struct serving_thread *t);

#ifndef WORK_SUBMIT_H
#define WORK_SUBMIT_H
/*
 * From a specification to a job in the queue, by PROTOCOL.md *Submit*.
 *
 * Two passes over the rows. The first checks everything that can be known without storing
 * anything: templates, quoting, sizes, inputs of each task, destinations, resources. The second
 * puts inputs and manifest chunks into the CAS and task rows into the queue, under a job nobody
 * sees; one conditional write then makes it visible. Memory does not grow with the rows (but with
 * the number of distinct files that belong to single tasks). Whatever fails, or an interruption
 * before that write, leaves no job.
 *
 * A params file is read twice and refused when it changed in between; what can be read only once
 * (stdin, a pipe) is copied to an unnamed temporary file first.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cas/cas.h"
#include "model/manifest.h"
#include "model/params.h"
#include "model/ranges.h"
#include "queue/queue.h"
#include "work/policy.h"
#include "work/spool.h"

enum submit_rows {
	SUBMIT_ONE,    /* one task, no parameters */
	SUBMIT_PARAMS, /* `path` ("-": stdin) in `format`: -p, --lines, --commands; or `spool` */
	SUBMIT_SEQ,
	SUBMIT_EACH,
	SUBMIT_JOBFILE, /* `path`, JSON */
};

enum submit_mode {
	SUBMIT_NEW,       /* an id in use is refused */
	SUBMIT_CLEAN,     /* replaces the job that has the id, if none of its tasks is held */
	SUBMIT_RERUN,     /* and keeps what succeeded and is unchanged */
	SUBMIT_RERUN_ANY, /* and keeps what succeeded, changed or not */
};

/* Which parts of `common` were said on the command line, so that they win over a job file's. */
enum {
	SUBMIT_SET_IMAGE = 1,
	SUBMIT_SET_TIMEOUT = 2,
	SUBMIT_SET_RETRIES = 4,
	SUBMIT_SET_CD = 8,
	SUBMIT_SET_RESULTS = 16,
	SUBMIT_SET_EXCLUDE = 32,
};

struct submit_spec {
	/* the job */
	const char *id;       /* NULL: "YYYYMMDD-HHMMSS-xxxx", drawn again when taken */
	enum submit_mode mode;
	bool dry_run;         /* checks and counts; stores nothing */
	bool content;         /* with dry_run: also submit_result.content, and hashes of inputs
			       * are remembered */
	const char *user, *cluster;
	const char *policy;   /* sha256 of the policy bundle, NULL or "" the stock one */
	const char *bundle;   /* the bundle itself (JSON), stored with the job; NULL: it is there */
	const char *prefix;   /* where results go: <prefix>/<id> */
	const char *info;     /* members of job.info as a JSON object; "results" is added here */
	const char *secret;   /* see work/secret.h; NULL: none */
	unsigned umask;       /* for a results directory that --rerun prepares */
	int64_t priority, max_running;

	/* rows */
	enum submit_rows rows;
	const char *path;
	enum params_format format;
	const struct spool *spool; /* instead of path: rows that a script made; borrowed */
	struct seq seq;
	const char *const *each;
	size_t n_each;
	struct ranges only;   /* --rows; empty: all */

	/* what each task is; {name} is replaced in words, push, common.cd and common.env */
	const char *const *words; /* as typed, "^" in place */
	size_t n_words;           /* 0: each row is a command (PARAMS_COMMANDS), or a job file */
	const char *const *push;
	size_t n_push;
	const char *const *push_exclude; /* NULL-terminated, or NULL */
	struct common common; /* .command is filled here; .resources are defaults */
	const bool *env_literal; /* for each of common.env: no placeholders; NULL: none is */
	unsigned set;         /* SUBMIT_SET_ bits */
	const char *resources; /* -r: over the defaults and over a job file's; NULL: none */
	const char *resources_json; /* over all of these, as JSON; NULL: none */
	int64_t jobs;         /* -j: as many at once, though the CPUs be fewer; 0: not said */
	bool no_images;       /* tasks can only run on the node itself: a policy may set no image */
	const char *capacity; /* JSON over what this machine has; NULL: this machine */
};

enum submit_event {
	SUBMIT_EV_INPUTS,     /* n files of `bytes` will be looked at */
	SUBMIT_EV_WARNING,    /* text */
	SUBMIT_EV_DIRECTORY,  /* many files: text is the SPEC, n files of `bytes` */
	SUBMIT_EV_PRESENT,    /* input already in the CAS: text is the file, n 1, bytes; of more
			       * than 20 files: n files, text is the last or "" */
	SUBMIT_EV_UPLOADED,   /* the same */
	SUBMIT_EV_MISSING,    /* dry run: would be uploaded; the same */
	SUBMIT_EV_SUBMITTING, /* text is the id */
	SUBMIT_EV_PROGRESS,   /* n task rows are stored */
	SUBMIT_EV_BATCH,      /* a manifest chunk of n tasks */
	SUBMIT_EV_SAVED,      /* n tasks in all */
	SUBMIT_EV_KEPT,       /* --rerun: n tasks keep their results */
	SUBMIT_EV_POLICY,     /* its policy changed: text is what ("labels, retries") */
	SUBMIT_EV_KEPT_CHANGED, /* of these, n were made by another command or other inputs */
};
/* Called in the thread of submit_run(). */
typedef void (*submit_fn)(void *ctx, enum submit_event ev, const char *text, int64_t n,
			  int64_t bytes);

/* What to submit to. */
struct submit_target {
	struct queue *queue;      /* NULL with dry_run: no queue yet */
	struct cas *cas;          /* NULL with dry_run: no CAS yet */
	const char *home;         /* $KUBEQUE_HOME: hash cache and bells; NULL: without them */
	struct policy *policy;    /* its on_submit is asked before anything is stored; NULL: none */
	submit_fn fn;             /* may be NULL */
	bool (*stop)(void *ctx);  /* true: interrupted; may be NULL */
	void *ctx;
};

struct submit_result {
	int64_t born; /* 0 after a dry run */
	char id[JOB_ID_MAX + 1];
	int64_t n;    /* tasks */
	int64_t kept; /* tasks that kept an earlier result */
	int64_t nodes; /* how many are wanted, after its policy was asked; -1: not said */
	int64_t files, bytes;               /* inputs, each distinct file once */
	int64_t upload_files, upload_bytes; /* of these, what the CAS lacked */
	/* Digest of what it is about: command, rows, content of inputs, environment given with it,
	 * directory, image, patterns of results, policy. Not: id, labels, resources, limits,
	 * retries, priority. */
	char content[SHA256_HEX_SIZE];
};

/*
 * Submits. ERR_USAGE: refused, the text says why; ERR_SCRIPT: its policy failed or made it invalid;
 * ERR_CONFLICT: the id is taken (or its job has running tasks); ERR_INTERRUPTED: undone. After a
 * failure nothing is visible.
 */
int submit_run(const struct submit_target *to, const struct submit_spec *spec,
	       struct submit_result *out, struct err *err);

#endif

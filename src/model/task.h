#ifndef MODEL_TASK_H
#define MODEL_TASK_H
/*
 * The nouns of kubeque: job, task, attempt, node, and what the queue knows of each. Pure data: no
 * I/O and no clock. Times are wall-clock milliseconds since 1970 (UTC) and are records only; ids
 * are fixed arrays; strings marked "owned" are freed by the struct's release function.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JOB_ID_MAX = 100,       /* bytes, FINE_PRINT "Job ids" */
	NODE_ID_SIZE = 40,      /* with the NUL; "<host, cut>-<12 hex>" */
	LABEL_SIZE = 320,       /* "complete(code=0)", "failed(missing input data/x)": cut to fit */
	REASON_SIZE = 512,
	TAIL_SIZE = 2048,       /* last bytes of stdout.txt kept in the queue */
	SHA256_HEX_SIZE = 65,
	CLASSES_MAX = 32,       /* a job's classes */
	CLASSES_AVOID_MAX = 24, /* as long as there are fewer, one that avoids a node is added */
	TRIES_MAX = 10,
	FREE_MAX = 100,
	LOST_MAX = 5,
	ASKS_MAX = 2,
	SAME_MAX = 100,         /* tasks that failed alike are counted so far */
};

/* PROTOCOL "States and transitions"; the numbers are stored. */
enum task_state {
	TASK_PENDING = 0,
	TASK_CLAIMED = 2,
	TASK_ENDED = 3, /* outcome stored, verdict open; shown as claimed */
	TASK_SUCCEEDED = 7,
	TASK_FAILED = 8, /* complete(code != 0) or failed(reason) */
	TASK_KILLED = 9,
};

enum job_state {
	JOB_SUBMITTING = 0, /* nobody sees it */
	JOB_OPEN = 1,
	JOB_KILLING = 2,
	JOB_OVER = 3,
	JOB_REMOVED = 4,
};

enum node_state { NODE_LIVE = 0, NODE_DRAINING = 1, NODE_LEAVING = 2, NODE_LOST = 3 };

/* Why an attempt ended as it did; hooks see the lower-case name (cause_name). */
enum cause {
	CAUSE_NONE = 0,
	CAUSE_EXIT,          /* ended by itself, any code */
	CAUSE_SIGNAL,        /* ended by a signal that was not ours */
	CAUSE_TIMEOUT,
	CAUSE_OOM,
	CAUSE_DISK,          /* limit of its own; a full node disk is a release, not an outcome */
	CAUSE_MISSING_INPUT,
	CAUSE_OUTPUT,        /* an output could not be read or stored */
	CAUSE_IMAGE,
	CAUSE_LOST,          /* the node is gone */
	CAUSE_PREEMPTED,
	CAUSE_RELEASED,      /* a draining node gave it back */
	CAUSE_KILLED,
	CAUSE_POLICY,
};

/* As the queue holds it. `v` grows with every write of the row. */
struct job {
	int64_t born;        /* uid; orders incarnations of an id */
	int64_t bound;       /* order of submission (commit), 0 while submitting */
	int64_t v, rev;
	enum job_state state;
	char id[JOB_ID_MAX + 1];
	int64_t n;           /* tasks */
	int64_t priority;
	int64_t max_running; /* 0: no limit */
	int64_t running;     /* tasks in CLAIMED or ENDED */
	int64_t t;           /* submit time, wall ms */
	int64_t ended;       /* when it became over, 0 while open */
	bool told;           /* on_event(job ended) was delivered */
	char root[SHA256_HEX_SIZE];
	char policy[SHA256_HEX_SIZE]; /* "" : stock */
	char *user;          /* owned; also the next ones */
	char *cluster;
	char *classes;       /* JSON array of class objects, see model/class.h */
	char *info;          /* JSON object: results, cas, labels, argv, ... */
	char *secret;        /* JSON object: env, umask, rlimits of the submitter; never printed */
	char *stopped;       /* note of the policy that stopped the job; NULL: none did */
};
void job_release(struct job *j);

struct task {
	int64_t job; /* born */
	int64_t n;   /* 1.. */
	int64_t v;
	enum task_state state;
	int class;
	int64_t due;     /* not before, wall ms; 0: now */
	int64_t attempt; /* number of the last attempt, only grows */
	int64_t acc;     /* number of the accepted attempt, 0: none */
	int tries, free, lost, asks;
	char node[NODE_ID_SIZE]; /* in CLAIMED and ENDED, and the last one afterwards */
	char label[LABEL_SIZE];  /* as shown and as tallied; see task_label() */
	char reason[REASON_SIZE];
};

/* One run of a task: everything that is known when it has ended. */
struct attempt {
	int64_t job, n, k;
	char node[NODE_ID_SIZE];
	char label[LABEL_SIZE]; /* of this attempt: complete(code=3), failed(timeout), lost ... */
	enum cause cause;
	int exit_code; /* -1: none */
	int signal;    /* 0: none */
	int64_t started, ended; /* wall ms */
	int64_t elapsed_us, user_us, system_us;
	int64_t max_memory; /* bytes */
	int64_t block_in, block_out;
	char result_sha256[SHA256_HEX_SIZE]; /* of result.json, "" when none was staged */
	int64_t result_bytes;
	char reason[REASON_SIZE];
	char verdict[REASON_SIZE]; /* what the policy said and why, "" while open or not asked */
	char *tail;                /* owned; last bytes of stdout.txt when it did not succeed */
};
void attempt_release(struct attempt *a);

/*
 * How an attempt failed, as a number that is never 0: equal for equal labels and equal last lines
 * of output (the last one that is not blank; blanks at its end do not count). Policies are told
 * how many tasks of a job failed alike. It is stored: it may never change.
 */
int64_t attempt_signature(const struct attempt *a);

struct node {
	char id[NODE_ID_SIZE];
	int64_t v;
	enum node_state state;
	char *cluster; /* owned; also the next ones */
	char *cap;     /* JSON object: cpu, memory, gpu, disk, named resources */
	char *info;    /* JSON object: host, pid, start, boot, version, log, first, message */
	int64_t beat;  /* counter: silence is "it did not move", never a time */
	int waits;     /* times a policy asked for one more lease, <= 3 */
	int64_t t;     /* registered, wall ms */
	int64_t running;
	int64_t memory; /* bytes set aside by what it holds, as of its last claim or finish */
};
void node_release(struct node *n);

const char *task_state_name(enum task_state s); /* "pending", "claimed", ... */
const char *job_state_name(enum job_state s);
const char *node_state_name(enum node_state s); /* "RUNNING", "DRAINING", "LEAVING", "LOST" */
const char *cause_name(enum cause c);
/* "complete(code=N)" or "complete(code=signaled(SIGKILL))"; out holds LABEL_SIZE bytes. */
void label_complete(char *out, int exit_code, int signal);
/* "failed(reason)", cut to fit at a UTF-8 border. */
void label_failed(char *out, const char *reason);
/* "SIGKILL" for 9; "SIG<n>" for unnamed ones (SIGRTMIN+1 as SIGRTMIN+1). */
const char *signal_name(int sig, char *out, size_t n);

/*
 * Job ids: 1 to 100 of A-Z a-z 0-9 _ - ., first a letter or digit, not LAST, not ending in
 * "." plus digits, "," and "-" (that is how a task is written). NULL when it is fine, else why.
 */
const char *job_id_fault(const char *id);

#endif

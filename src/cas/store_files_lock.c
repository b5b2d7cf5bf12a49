/* The lock of a directory store. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "cas/store_files.h"
#include "sys/file.h"

int files_open_writable(struct store_files *s, struct err *err)
{
	if (s->lockfd >= 0)
		return 0;
	if (s->tmpfd < 0) {
		if (file_mkdirs(s->fd, STORE_TMP, 0700, err) < 0)
			return err_prefix(err, "%s", s->dir);
		s->tmpfd = file_open_dir(s->fd, STORE_TMP, err);
		if (s->tmpfd < 0)
			return err_prefix(err, "%s", s->dir);
	}
	s->lockfd = openat(s->fd, STORE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lockfd < 0)
		return err_sys(err, "cannot open %s/%s", s->dir, STORE_LOCK);
	return 0;
}

int files_flock(int fd, int op)
{
	int rc;

	do
		rc = flock(fd, op);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int files_lock_shared(struct store_files *s, struct err *err)
{
	int ret = -1;

	pthread_mutex_lock(&s->mu);
	while (s->exclusive)
		pthread_cond_wait(&s->idle, &s->mu);
	if (files_open_writable(s, err) < 0)
		goto out;
	if (s->sharers == 0 && files_flock(s->lockfd, LOCK_SH) < 0) {
		err_sys(err, "cannot lock %s", s->dir);
		goto out;
	}
	s->sharers++;
	ret = 0;
out:
	pthread_mutex_unlock(&s->mu);
	return ret;
}

void files_unlock_shared(struct store_files *s)
{
	pthread_mutex_lock(&s->mu);
	if (--s->sharers == 0) {
		files_flock(s->lockfd, LOCK_UN);
		pthread_cond_broadcast(&s->idle);
	}
	pthread_mutex_unlock(&s->mu);
}

int files_lock_exclusive(struct store_files *s, struct err *err)
{
	int ret = -1;

	pthread_mutex_lock(&s->mu);
	while (s->exclusive || s->sharers)
		pthread_cond_wait(&s->idle, &s->mu);
	if (files_open_writable(s, err) < 0)
		goto out;
	if (files_flock(s->lockfd, LOCK_EX) < 0) {
		err_sys(err, "cannot lock %s", s->dir);
		goto out;
	}
	s->exclusive = true;
	ret = 0;
out:
	pthread_mutex_unlock(&s->mu);
	return ret;
}

void files_unlock_exclusive(struct store_files *s)
{
	pthread_mutex_lock(&s->mu);
	s->exclusive = false;
	files_flock(s->lockfd, LOCK_UN);
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->mu);
}

/*
 * What a journal needs, added to kubeque.fs.
 *   fs.append(path, text) -> true: the text is at the end of the file (made 0600 if missing), and
 *   on disk
 *   fs.lock(path[, seconds]) -> lock, or nil, text, "busy" when somebody has it for longer than
 *   that (default 0: not waited for; -1: for ever). The file is made if missing and stays.
 *   lock:close(), also by `local lock <close>`; it ends with the process in any case.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "sys/file.h"
#include "sys/lock.h"

#define LOCK_META "kubeque.lock"

/* ---- append ---------------------------------------------------------------------------------- */

/* A file that was made just now is on disk when its directory is. */
static int sync_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? xasprintf("%.*s", (int)(slash - path + 1), path) : xstrdup(".");
	int fd = file_open_dir(AT_FDCWD, dir, err), ret = -1;

	free(dir);
	if (fd >= 0) {
		ret = file_sync_dir(fd, err);
		close(fd);
	}
	return ret;
}

static int append(int fd, const char *path, const char *text, size_t n, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at it");
	if (file_write_fd(fd, text, n, err) < 0)
		return -1;
	if (fdatasync(fd) < 0)
		return err_sys(err, "cannot flush");
	return st.st_size == 0 ? sync_parent(path, err) : 0;
}

static int fs_append(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	struct err err = ERR_INIT;
	size_t n;
	const char *text = luaL_checklstring(L, 2, &n);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), ret;

	if (fd < 0) {
		err_sys(&err, "cannot write %s", path);
		return script_fail(L, &err);
	}
	ret = append(fd, path, text, n, &err);
	close(fd);
	if (ret < 0) {
		err_prefix(&err, "%s", path);
		return script_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- lock ------------------------------------------------------------------------------------ */

static int lock_close_(lua_State *L)
{
	lock_drop(luaL_checkudata(L, 1, LOCK_META));
	return 0;
}

static int fs_lock(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	int64_t wait_ms = 0;
	struct err err = ERR_INIT;
	struct lock *l;
	int got;

	if (lua_isnumber(L, 2) && lua_tonumber(L, 2) < 0)
		wait_ms = -1;
	else if (!lua_isnoneornil(L, 2))
		wait_ms = script_check_ms(L, 2);
	l = lua_newuserdatauv(L, sizeof(*l), 0);
	*l = (struct lock)LOCK_INIT;
	luaL_setmetatable(L, LOCK_META);
	got = lock_take(l, AT_FDCWD, path, false, wait_ms, &err);
	if (got == 0)
		(void)err_set(&err, ERR_BUSY, "%s is in use by another process", path);
	return got > 0 ? 1 : script_fail(L, &err);
}

void lib_lock(lua_State *L)
{
	static const luaL_Reg methods[] = { { "close", lock_close_ }, { NULL, NULL } };
	static const luaL_Reg functions[] = {
		{ "append", fs_append },
		{ "lock", fs_lock },
		{ NULL, NULL },
	};

	script_metatable(L, LOCK_META, methods, lock_close_);
	script_lib(L, "fs", functions);
}

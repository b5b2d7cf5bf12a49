/*
 * kubeque.fs: files for commands and recipes. Paths are relative to the current directory. What
 * the world refuses is nil, text, code; a path that is not there has the code "not_found".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/str.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "sys/file.h"

enum { READ_MAX = 1 << 30 };

static int fail_errno(lua_State *L, const char *what, const char *path)
{
	struct err err = ERR_INIT;
	int sys = errno;

	err_sys(&err, "%s %s", what, path);
	if (sys == ENOENT || sys == ENOTDIR)
		err.code = ERR_NOT_FOUND;
	return script_fail(L, &err);
}

static int done(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

/* A descriptor in a userdata that is closed when the function returns or raises. */
static int *new_fd(lua_State *L)
{
	int *fd = lua_newuserdatauv(L, sizeof(*fd), 0);

	*fd = -1;
	luaL_setmetatable(L, "kubeque.fd");
	lua_toclose(L, -1);
	return fd;
}

static int close_fd(lua_State *L)
{
	int *fd = luaL_checkudata(L, 1, "kubeque.fd");

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return 0;
}

/* fs.read(path[, max[, offset]]) -> text: all of it, or at most max bytes from offset */
static int fs_read(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	bool part = !lua_isnoneornil(L, 2);
	int64_t max = part ? script_check_i64(L, 2, 0, READ_MAX) : READ_MAX;
	int64_t offset = lua_isnoneornil(L, 3) ? 0 : script_check_i64(L, 3, 0, INT64_MAX / 2);
	struct err err = ERR_INIT;
	struct buf *b = script_new_buf(L);
	int *fd = new_fd(L);

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail_errno(L, "cannot read", path);
	if (file_read_part(*fd, (size_t)max + (part ? 0 : 1), offset, b, &err) < 0) {
		err_prefix(&err, "%s", path);
		return script_fail(L, &err);
	}
	if (b->n > (size_t)max) {
		err_set(&err, ERR_USAGE, "%s is larger than 1 GiB", path);
		return script_fail(L, &err);
	}
	lua_pushlstring(L, b->p, b->n);
	return 1;
}

/* fs.write(path, text[, mode]) -> true: appears whole or not at all; mode 0666 less the umask */
static int fs_write(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	size_t n;
	const char *text = luaL_checklstring(L, 2, &n);
	int64_t mode = lua_isnoneornil(L, 3) ? 0666 : script_check_i64(L, 3, 0, 07777);
	mode_t mask = umask(0);
	struct err err = ERR_INIT;

	(void)umask(mask);
	if (file_write(AT_FDCWD, path, text, n, (mode_t)mode & ~mask, false, &err) < 0)
		return script_fail(L, &err);
	return done(L);
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "file";
	case S_IFDIR: return "dir";
	case S_IFLNK: return "link";
	case S_IFIFO: return "fifo";
	case S_IFSOCK: return "socket";
	default: return "device";
	}
}

/* fs.stat(path[, nofollow]) -> {type=, size=, mode=, uid=, gid=, dev=, ino=, nlink=, mtime=} */
static int fs_stat(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	struct stat st;
	int ret = lua_toboolean(L, 2) ? lstat(path, &st) : stat(path, &st);

	if (ret < 0)
		return fail_errno(L, "cannot look at", path);
	lua_createtable(L, 0, 9);
	script_set_str(L, "type", type_name(st.st_mode));
	script_set_i64(L, "size", st.st_size);
	script_set_i64(L, "mode", st.st_mode & 07777);
	script_set_i64(L, "uid", st.st_uid);
	script_set_i64(L, "gid", st.st_gid);
	script_set_i64(L, "dev", (int64_t)st.st_dev);
	script_set_i64(L, "ino", (int64_t)st.st_ino);
	script_set_i64(L, "nlink", (int64_t)st.st_nlink);
	script_set_i64(L, "mtime",
		       (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
	return 1;
}

struct listing {
	struct script_list list;
	const char *pattern; /* NULL: names of the top level */
	const char *name;
	const char *dir;
};

static void push_name(lua_State *L, const void *p)
{
	lua_pushstring(L, p);
}

static int list_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct listing *l = ctx;

	(void)err;
	if (e->depth == 0)
		return WALK_GO_ON;
	if (l->pattern && !glob_match(l->pattern, e->path))
		return WALK_GO_ON;
	if (script_list_add(&l->list, push_name, l->pattern ? e->path : e->name) < 0)
		return WALK_STOP;
	return l->pattern ? WALK_GO_ON : WALK_SKIP;
}

/* fs.list(dir) -> names in it, sorted by bytes */
static int fs_list(lua_State *L)
{
	const char *dir = script_check_text(L, 1);
	struct err err = ERR_INIT;
	struct listing l = { .dir = dir };
	struct stat st;
	int ret;

	if (stat(dir, &st) < 0)
		return fail_errno(L, "cannot list", dir);
	script_list_begin(&l.list, L);
	ret = file_walk(AT_FDCWD, dir, WALK_SORT | WALK_NO_STAT, list_entry, &l, &err);
	return script_list_give(&l.list, ret, &err);
}

/* The directory part of a pattern that holds nothing special: "a/b/" of "a/b/x*.c". */
static size_t fixed_part(const char *pattern)
{
	size_t special = strcspn(pattern, "*?[\\"), n = special;

	while (n && pattern[n - 1] != '/')
		n--;
	return n;
}

static void push_joined(lua_State *L, const void *p)
{
	const struct listing *l = p;

	lua_pushfstring(L, "%s%s", l->dir, l->name);
}

static int glob_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct listing *l = ctx;

	(void)err;
	if (e->depth == 0 || !glob_match(l->pattern, e->path))
		return e->depth && !strchr(l->pattern, '/') && !strstr(l->pattern, "**") ? WALK_SKIP
										     : WALK_GO_ON;
	l->name = e->path;
	return script_list_add(&l->list, push_joined, l) < 0 ? WALK_STOP : WALK_GO_ON;
}

/* fs.glob(pattern) -> paths, sorted; * and ? do not match /, ** does */
static int fs_glob(lua_State *L)
{
	const char *pattern = script_check_text(L, 1);
	struct err err = ERR_INIT;
	struct listing l = { 0 };
	size_t n = fixed_part(pattern);
	struct stat st;
	int ret;

	l.dir = lua_pushlstring(L, pattern, n);
	l.pattern = pattern + n;
	script_list_begin(&l.list, L);
	if (stat(n ? l.dir : ".", &st) < 0)
		return 1;
	ret = file_walk(AT_FDCWD, n ? l.dir : ".", WALK_SORT | WALK_NO_STAT, glob_entry, &l, &err);
	return script_list_give(&l.list, ret, &err);
}

static mode_t umask_now(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return mask;
}

/* fs.mkdir_p(path[, mode]) -> true; mode 0777 less the umask */
static int fs_mkdir_p(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	int64_t mode = lua_isnoneornil(L, 2) ? (int64_t)(0777 & ~umask_now())
					     : script_check_i64(L, 2, 0, 07777);
	struct err err = ERR_INIT;

	if (file_mkdirs(AT_FDCWD, path, (mode_t)mode, &err) < 0)
		return script_fail(L, &err);
	return done(L);
}

/* fs.remove(path) -> true: a file or an empty directory */
static int fs_remove(lua_State *L)
{
	const char *path = script_check_text(L, 1);

	return remove(path) < 0 ? fail_errno(L, "cannot remove", path) : done(L);
}

/* fs.remove_tree(path) -> true: and everything below; never follows a link */
static int fs_remove_tree(lua_State *L)
{
	struct err err = ERR_INIT;

	if (file_rmtree(AT_FDCWD, script_check_text(L, 1), &err) < 0)
		return script_fail(L, &err);
	return done(L);
}

/* fs.chmod(path, mode) -> true */
static int fs_chmod(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	int64_t mode = script_check_i64(L, 2, 0, 07777);

	return chmod(path, (mode_t)mode) < 0 ? fail_errno(L, "cannot change the mode of", path)
					     : done(L);
}

/* fs.rename(from, to) -> true */
static int fs_rename(lua_State *L)
{
	const char *from = script_check_text(L, 1), *to = script_check_text(L, 2);

	return rename(from, to) < 0 ? fail_errno(L, "cannot rename", from) : done(L);
}

/* fs.tmpdir() -> path of a new directory of mode 0700 below $TMPDIR or /tmp */
static int fs_tmpdir(lua_State *L)
{
	const char *base = getenv("TMPDIR");
	char *path = lua_newuserdatauv(L, 4096, 0);

	if (snprintf(path, 4096, "%s/kubeque-XXXXXX", base && *base ? base : "/tmp") >= 4096)
		return luaL_error(L, "TMPDIR is too long");
	if (!mkdtemp(path))
		return fail_errno(L, "cannot make a directory in", base && *base ? base : "/tmp");
	lua_pushstring(L, path);
	return 1;
}

/* fs.realpath(path) -> absolute, without links */
static int fs_realpath(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	char *out = lua_newuserdatauv(L, 4097, 0);

	if (!realpath(path, out))
		return fail_errno(L, "cannot resolve", path);
	lua_pushstring(L, out);
	return 1;
}

static int fs_cwd(lua_State *L)
{
	char *out = lua_newuserdatauv(L, 4097, 0);

	if (!getcwd(out, 4097))
		return fail_errno(L, "cannot find", "the current directory");
	lua_pushstring(L, out);
	return 1;
}

/* fs.chdir(path) -> true */
static int fs_chdir(lua_State *L)
{
	const char *path = script_check_text(L, 1);

	return chdir(path) < 0 ? fail_errno(L, "cannot change to", path) : done(L);
}

/* fs.free(path) -> bytes, inodes that this user can still fill */
static int fs_free(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	struct err err = ERR_INIT;
	struct file_space space;
	int *fd = new_fd(L);

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail_errno(L, "cannot look at", path);
	if (file_space(*fd, &space, &err) < 0)
		return script_fail(L, &err);
	lua_pushinteger(L, space.bytes_free);
	lua_pushinteger(L, space.inodes_free);
	return 2;
}

/* fs.filesystem(path) -> "ext4", is_network */
static int fs_filesystem(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	struct err err = ERR_INIT;
	bool network = false;
	char name[32] = "";
	int *fd = new_fd(L);

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail_errno(L, "cannot look at", path);
	if (file_system_of(*fd, name, &network, &err) < 0)
		return script_fail(L, &err);
	lua_pushstring(L, name);
	lua_pushboolean(L, network);
	return 2;
}

/* fs.tail(path, bytes) -> the last bytes of a file */
static int fs_tail(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	int64_t max = script_check_i64(L, 2, 0, READ_MAX);
	struct err err = ERR_INIT;
	struct buf *b = script_new_buf(L);
	int *fd = new_fd(L);

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail_errno(L, "cannot read", path);
	if (file_tail(*fd, (size_t)max, b, &err) < 0) {
		err_prefix(&err, "%s", path);
		return script_fail(L, &err);
	}
	lua_pushlstring(L, b->p, b->n);
	return 1;
}

static int fs_writable(lua_State *L)
{
	lua_pushboolean(L, access(script_check_text(L, 1), W_OK) == 0);
	return 1;
}

static int fs_executable(lua_State *L)
{
	lua_pushboolean(L, access(script_check_text(L, 1), X_OK) == 0);
	return 1;
}

static const luaL_Reg fs_functions[] = {
	{ "chdir", fs_chdir },
	{ "chmod", fs_chmod },
	{ "cwd", fs_cwd },
	{ "executable", fs_executable },
	{ "filesystem", fs_filesystem },
	{ "free", fs_free },
	{ "glob", fs_glob },
	{ "list", fs_list },
	{ "mkdir_p", fs_mkdir_p },
	{ "read", fs_read },
	{ "realpath", fs_realpath },
	{ "remove", fs_remove },
	{ "remove_tree", fs_remove_tree },
	{ "rename", fs_rename },
	{ "stat", fs_stat },
	{ "tail", fs_tail },
	{ "tmpdir", fs_tmpdir },
	{ "writable", fs_writable },
	{ "write", fs_write },
	{ NULL, NULL },
};

void lib_fs(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, "kubeque.fd", none, close_fd);
	script_lib(L, "fs", fs_functions);
}

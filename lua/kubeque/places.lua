-- Directories that configuration and scripts are found in.

local M = {}

local fs = kubeque.fs

---The home directory: $HOME, else the passwd entry; nil when there is neither.
function M.user_home()
  local home = os.getenv "HOME"
  if home and home:sub(1, 1) == "/" then
    return home
  end
  local _, _, passwd = kubeque.proc.user()
  return passwd
end

---The current directory; / when it was removed.
function M.cwd()
  return fs.cwd() or "/"
end

---Collapses "//", drops "." parts and a trailing "/".
function M.normalise(path)
  path = path:gsub("/+", "/"):gsub("/%./", "/"):gsub("/%.$", "")
  if #path > 1 then
    path = path:gsub("/$", "")
  end
  return path == "" and "/" or path
end

---${XDG_CONFIG_HOME:-~/.config}/kubeque; nil without a home directory.
function M.config_dir()
  local xdg, home = os.getenv "XDG_CONFIG_HOME", M.user_home()
  if not (xdg and xdg:sub(1, 1) == "/") then
    xdg = home and home .. "/.config"
  end
  return xdg and M.normalise(xdg) .. "/kubeque"
end

---/etc/kubeque (tests: $KUBEQUE_ETC).
function M.site_dir()
  local etc = os.getenv "KUBEQUE_ETC"
  return etc and etc:sub(1, 1) == "/" and M.normalise(etc) or "/etc/kubeque"
end

local me -- whose process this is; its user's name, which takes a look-up, is not needed here

---Why something found in a directory is not ours to trust (`stat` is its kubeque.fs.stat), or nil.
function M.foreign(stat)
  me = me or fs.stat "/proc/self"
  if stat.uid ~= me.uid and stat.uid ~= 0 then
    return "it belongs to another user"
  elseif stat.mode & 2 ~= 0 or (stat.mode & 16 ~= 0 and stat.gid ~= me.gid and stat.gid ~= 0) then
    return "others can write it"
  end
end

---Walks from the current directory upwards, not into the home directory, not over a mount point.
---Calls look(path, stat) for each `DIR/name` that is there, until it returns true; returns that path.
function M.upwards(name, look)
  local home, dir = M.user_home(), M.cwd()
  local stop = home and (fs.realpath(home) or home)
  local here = fs.stat(dir)
  while dir and here and dir ~= stop do
    local path = (dir == "/" and "" or dir) .. "/" .. name
    local stat = fs.stat(path)
    if stat and look(path, stat) then
      return path
    end
    local parent = dir ~= "/" and (dir:match("^(.+)/[^/]*$") or "/")
    local above = parent and fs.stat(parent)
    if not above or above.dev ~= here.dev then
      return nil
    end
    dir, here = parent, above
  end
end

return M

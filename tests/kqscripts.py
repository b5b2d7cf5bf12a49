"""Scripts of one's own, for end-to-end tests."""
import os

GREET = """
return kubeque.command {
  name = "greet",
  summary = "greet somebody",
  options = {
    { "loud", "l", help = "shout" },
    { "times", "n", value = "N", type = "int", min = 1, help = "so often" },
    { "mood", value = "MOOD", type = "choice", choices = { "good", "bad" }, help = "how" },
  },
  args = { { "NAME" }, { "FILE", optional = true } },
  run = function(opt, args, ctx)
    kubeque.out(("%s %s\\n"):format(opt.loud and "HELLO" or "hello", args[1]):rep(opt.times or 1))
    return opt.mood == "bad" and 3 or 0
  end,
}
"""


def script(home, path, text, place="user"):
    """Writes a script into a place; returns its path."""
    base = {"user": os.path.join(home.top, ".config/kubeque/lua"), "site": os.path.join(home.top, "etc/lua"),
            "project": os.path.join(home.cwd, ".kubeque.d/lua")}[place]
    path = os.path.join(base, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    home.env["KUBEQUE_ETC"] = os.path.join(home.top, "etc")
    return path


def says(name, text, extra=""):
    return f'return kubeque.command {{ name = "{name}", summary = "says {text}", {extra}\n' \
           f'  run = function() kubeque.out("{text}\\n") end }}\n'


def line_of(result, number=0):
    assert "traceback" not in result.err, result
    return result.lines[number]

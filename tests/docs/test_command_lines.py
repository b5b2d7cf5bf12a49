"""docs/command-lines.md lists exactly the words that the program hands to the shell."""
import os
import re

from kq import main, test

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@test("the list of keywords and builtins is the program's own, sorted")
def _(home):
    with open(os.path.join(ROOT, "src/model/shell.c"), encoding="utf-8") as source:
        table = re.search(r"shell_words\[\] = \{(.*?)\};", source.read(), re.S).group(1)
    words = re.findall(r'"([^"]+)"', table)
    with open(os.path.join(ROOT, "docs/command-lines.md"), encoding="utf-8") as source:
        listed = re.search(r"```\n(.*?)```", source.read(), re.S).group(1).split()
    assert listed == words == sorted(words), set(words) ^ set(listed)


main()

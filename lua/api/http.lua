return {
  name = "http", global = "kubeque.http", where = "host",
  summary = "requests over HTTP; libcurl is loaded at the first one",
  functions = {
    { "request", args = { { "options", "kubeque.http.options" } },
      returns = { { "answer", "kubeque.http.answer|nil" }, { "message", "string" },
        { "code", "string" } },
      help = "One request. An answer of any status is an answer; `nil, message, code` says that "
        .. "none came: \"busy\" (nobody was reached), \"timeout\", \"config\" (libcurl is not "
        .. "installed), \"usage\", \"io\" (too large, certificate), \"interrupted\". Nothing is "
        .. "tried again. Variables like https_proxy and no_proxy are honoured.",
      example = [[
local answer = assert(kubeque.http.request { url = "https://example.org/hook", timeout = 10,
  headers = { ["content-type"] = "application/json" }, body = kubeque.json.encode { ok = true } })
print(answer.status, answer.headers["content-type"], #answer.body)]] },
    { "version", args = {}, returns = { { "text", "string|nil" }, { "message", "string" },
        { "code", "string" } },
      help = "The version of libcurl and of what it is built with." },
  },
  tables = {
    { "kubeque.http.options", help = "what kubeque.http.request takes", fields = {
      { "url", "string", "an http:// or https:// address" },
      { "method", "string", "default: GET, or POST when there is a body", optional = true },
      { "headers", "table<string, string>", "names and values", optional = true },
      { "body", "string", "what is sent", optional = true },
      { "timeout", "number", "seconds for everything together; default: as long as it moves",
        optional = true },
      { "connect", "number", "seconds to connect; default 10", optional = true },
      { "max", "integer", "largest body taken, in bytes; default 16 MiB", optional = true },
      { "follow", "boolean", "follow up to 5 redirects (without a body only)", optional = true },
    } },
    { "kubeque.http.answer", help = "what kubeque.http.request gives", fields = {
      { "status", "integer", "200, 404 ..." },
      { "headers", "table<string, string>", "names in lower case" },
      { "body", "string", "what came" },
      { "retry_after", "number", "seconds, if the server said so", optional = true },
    } },
  },
}

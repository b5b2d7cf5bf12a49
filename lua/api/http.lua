return {
  name = "http", global = "kubeque.http", where = "host",
  summary = "requests over HTTP; libcurl is loaded at the first one",
  functions = {
    { "request", args = { { "options", "http_request" } },
      returns = { { "http_answer" } }, fails = true,
      help = "One request. An answer of any status is an answer; `nil, message, code` says that "
        .. "none came: \"busy\" (nobody was reached), \"timeout\", \"config\" (libcurl is not "
        .. "installed), \"usage\", \"io\" (too large, certificate), \"interrupted\". Nothing is "
        .. "tried again. Variables like https_proxy and no_proxy are honoured.",
      example = [[
local answer = assert(kubeque.http.request { url = "https://example.org/hook", timeout = 10,
  headers = { ["content-type"] = "application/json" }, body = kubeque.json.encode { ok = true } })
print(answer.status, answer.headers["content-type"], #answer.body)]] },
    { "version", returns = { { "string" } }, fails = true,
      help = "The version of libcurl and of what it is built with." },
  },
  tables = {
    { "http_request", help = "What kubeque.http.request takes.", fields = {
      { "url", "string", "an http:// or https:// address" },
      { "method", "string", optional = true,
        default = "GET, or POST when there is a body" },
      { "headers", "table<string, string>", "names and values", optional = true },
      { "body", "string", "what is sent", optional = true },
      { "timeout", "number", "seconds for everything together", optional = true,
        default = "as long as it moves" },
      { "connect", "number", "seconds to connect", optional = true, default = "10" },
      { "max", "integer", "largest body taken, in bytes", optional = true, default = "16 MiB" },
      { "follow", "boolean", "follow up to 5 redirects (without a body only)", optional = true },
    } },
    { "http_answer", help = "What kubeque.http.request gives.", fields = {
      { "status", "integer", "200, 404 ..." },
      { "headers", "table<string, string>", "names in lower case" },
      { "body", "string", "what came" },
      { "retry_after", "number", "seconds, if the server said so", optional = true },
    } },
  },
}

-- Every key of the configuration, once: parsing, `kubeque config`, docs/configuration.md and the
-- tests follow from this table.
--
--   [1]      name; alias: other spellings
--   type     "string", "url" (gs://... or a directory), "path", "cpu", "memory" (bytes),
--            "duration" (seconds), "list" (separated by commas), "resources", "choice",
--            "policies" (SPECs separated by blanks),
--            "script" (a name, or a file: with a slash or .lua)
--   default  value; `shown` is how documentation writes a default that depends on the machine
--   where    belongs to the group of keys that say where work is done and kept, which are taken
--            together from one source
--   env      can be set by this environment variable alone

return {
  { "backend", type = "choice", choices = { "local", "google" }, where = true,
    shown = "`local`; `google` if `default_url_prefix` begins with `gs://`",
    help = "where jobs run and where the queue is: this machine, or Google Cloud" },
  { "default_url_prefix", type = "url", where = true, shown = "`$KUBEQUE_HOME/results`",
    help = "where results go: a directory or gs://bucket/prefix; each job gets a directory in it" },
  { "cas_url_prefix", type = "url", where = true,
    shown = "`<default_url_prefix>/CAS`; `$KUBEQUE_HOME/CAS` if neither is set",
    help = "where contents are kept by their sha256: inputs and manifests of all jobs" },
  { "project", type = "string", where = true, shown = "gcloud's `core/project`",
    help = "Google Cloud project" },
  { "account", type = "string", where = true, shown = "gcloud's `core/account`",
    help = "Google Cloud account" },
  { "zone", alias = { "zones" }, type = "list", where = true, shown = "gcloud's `compute/zone`",
    help = "zones for nodes, in order of preference" },
  { "region", type = "string", where = true, shown = "gcloud's `compute/region`",
    help = "region of the project's resources" },
  { "cluster_name", type = "string", where = true, default = "local",
    help = "nodes of one name work for the same jobs" },
  { "provider", type = "script", default = "local",
    help = "where nodes come from: local (processes of this machine), ssh, slurm, or a script of "
      .. "yours; `provider.KEY=value` sets its options, see below" },
  { "machine_type", type = "string", default = "n1-standard-2",
    help = "machine type of cloud nodes" },
  { "default_image", type = "string", default = "none",
    help = "container image of tasks unless --image says another; none runs on the node itself" },
  { "default_resource_cpu", type = "cpu", default = 1,
    help = "CPUs set aside for a task unless -r says otherwise; may be a fraction" },
  { "default_resource_memory", type = "memory", default = 0,
    help = "memory set aside for a task unless -r says otherwise; not a limit" },
  { "node_cpu", type = "cpu", shown = "what this machine allows",
    help = "CPUs that a node may use" },
  { "node_memory", type = "memory", shown = "what this machine allows",
    help = "memory that nodes of this machine may set aside" },
  { "node_resources", type = "resources", shown = "none",
    help = "named resources that a node has, as licence=4,scratch=2" },
  { "linger", type = "duration", default = 30,
    help = "how long a node without work stays" },
  { "lease", type = "duration", default = 20,
    help = "how long a node may be silent before it is given up for lost" },
  { "heartbeat", type = "duration", default = 5,
    help = "how often a node says that it lives; at most a third of lease" },
  { "grace_period", type = "duration", default = 10,
    help = "time between SIGTERM and SIGKILL: kill, timeouts, nodes told to leave" },
  { "work_dir", type = "path", shown = "`$KUBEQUE_HOME/work`",
    help = "where tasks run; best on the file system of the results" },
  { "policy", type = "policies", shown = "none: what kubeque does by itself",
    help = "policies of jobs unless --policy says others, separated by blanks: NAME or FILE.lua, "
      .. "with options behind a colon (memory:cap=16G)" },
  { "durability", type = "choice", choices = { "process", "power" }, default = "process",
    help = "power: files are flushed to the disk before a task counts as ended" },
  { "home", type = "path", env = "KUBEQUE_HOME",
    shown = "`${XDG_DATA_HOME:-~/.local/share}/kubeque`",
    help = "the store of this machine: queue, CAS, results, logs of nodes" },
}

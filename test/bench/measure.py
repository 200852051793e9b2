"""Runs a command and prints its CPU time (seconds), peak memory (KiB) and wall time (seconds) as JSON.

    python3 measure.py OUTPUT COMMAND...      the command's output goes to the file OUTPUT

Node has no wait4, the only call that reports the resources of a single child process.
"""
import json, os, sys, time

output, command = sys.argv[1], sys.argv[2:]
started = time.monotonic()
pid = os.fork()
if pid == 0:
    sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execvp(command[0], command)
_, status, usage = os.wait4(pid, 0)
print(json.dumps({
    "code": os.waitstatus_to_exitcode(status),
    "cpu": usage.ru_utime + usage.ru_stime,
    "rss": usage.ru_maxrss,
    "wall": time.monotonic() - started,
}))

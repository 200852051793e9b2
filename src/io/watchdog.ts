/** Delay before the watchdog starts, in milliseconds, so that short commands do not pay for its start. */
const START_DELAY = 500;
/** Time between the deadline, at which the program normally ends itself, and the kill. Milliseconds. */
const GRACE = 1000;

/** The watchdog's thread. SIGKILL is the only way to end a process whose main thread does not respond. */
const SOURCE = `
  const { workerData } = require("node:worker_threads");
  setTimeout(() => {
    try { require("node:fs").writeSync(2, workerData.text); } catch {}
    process.kill(process.pid, "SIGKILL");
  }, workerData.milliseconds);
`;

/** Kills the process after a deadline (Io.deadline). */
export function startWatchdog(milliseconds: number, text: string): () => void {
  let off = false;
  let worker: { terminate(): unknown } | undefined;
  const started = performance.now();
  const timer = setTimeout(async () => {
    const { Worker } = await import("node:worker_threads");
    if (off) return;
    const left = Math.max(0, milliseconds - (performance.now() - started)) + GRACE;
    if (left > 2 ** 31 - 1) return;
    const made = new Worker(SOURCE, { eval: true, workerData: { milliseconds: left, text } });
    made.unref();
    made.on("error", () => {}); // without memory for a thread there is no watchdog
    worker = made;
  }, START_DELAY);
  timer.unref();
  return () => {
    off = true;
    clearTimeout(timer);
    worker?.terminate();
  };
}

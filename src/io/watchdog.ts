/** What runs shorter has no watchdog: starting one takes some milliseconds. Milliseconds. */
const PATIENCE = 500;
/** How much later than the deadline it bites: the program itself ends at the deadline if it can. Milliseconds. */
const GRACE = 1000;

/** The watchdog's own thread. Killed is the only end that a process cannot put off from another thread. */
const SOURCE = `
  const { workerData } = require("node:worker_threads");
  setTimeout(() => {
    try { require("node:fs").writeSync(2, workerData.text); } catch {}
    process.kill(process.pid, "SIGKILL");
  }, workerData.milliseconds);
`;

/** See Io.deadline. */
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
    made.on("error", () => {}); // without memory for it the program runs as it did before
    worker = made;
  }, PATIENCE);
  timer.unref();
  return () => {
    off = true;
    clearTimeout(timer);
    worker?.terminate();
  };
}

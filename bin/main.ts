import { lineOf } from "../src/cli/print/guard.ts";
import { knownSecrets } from "../src/cli/print/secrets.ts";
import { systemIo } from "../src/io/system.ts";
import { main } from "../src/main.ts";

process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  // A closed pipe (`tsign … | head`) is not worth a message, but no success either: not everything was said.
  const reason = error.code === "ENOSPC" ? "no space left on the device" : error.message;
  const what = error.syscall === "write" ? "cannot write the output" : "unexpected";
  if (error.code !== "EPIPE") {
    process.stderr.write(lineOf(`Error: ${what}: ${reason}\n`, knownSecrets(process.argv.slice(2), process.env)));
  }
  process.exit(1);
});

const io = systemIo();
void run();

/** Runs the command of this process; not at the top level, where CommonJS, which the executable is made of, cannot wait. */
async function run(): Promise<void> {
  const code = await main(process.argv.slice(2), io);
  process.exitCode = code;
  await io.written(); // a pipe takes what its reader takes: leaving earlier would cut the rest off
  // Ends by itself now; what a stopped command still waits for does not hold it up.
  setTimeout(() => end(code), 200).unref();
}

/**
 * Ends the process now. process.exit waits for node's threads, and one that looks up a name or opens a file may be away for a
 * long time: then the process becomes another program, which ends at once with the same code.
 */
function end(exitCode: number): void {
  const inThread = ["GetAddrInfoReqWrap", "FSReqCallback", "FSReqPromise"];
  if (process.platform !== "win32" && process.getActiveResourcesInfo().some((each) => inThread.includes(each))) {
    process.emit("exit", exitCode); // what is temporary goes
    process.execve?.("/bin/sh", ["sh", "-c", `exit ${exitCode}`], {});
  }
  process.exit(exitCode);
}

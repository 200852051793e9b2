import { lineOf } from "../src/cli/print/guard.ts";
import { knownSecrets } from "../src/cli/print/secrets.ts";
import { systemIo } from "../src/io/system.ts";
import { main } from "../src/main.ts";
import { beforePackages } from "../src/packages.ts";

process.on("uncaughtException", fail).on("unhandledRejection", fail);

function fail(error: NodeJS.ErrnoException): never {
  // A closed pipe (`tsign … | head`) needs no message, but the exit code is 1, because output was lost.
  const reason = error.code === "ENOSPC" ? "no space left on the device" : error.message;
  const operation = error.syscall === "write" ? "write output" : "internal error";
  if (error.code !== "EPIPE") {
    process.stderr.write(lineOf(`Error: ${operation}: ${reason}\n`, knownSecrets(process.argv.slice(2), process.env)));
  }
  process.exit(1);
}

// Packages connect by themselves, and trust the CA certificates of the runtime unless it is told otherwise.
beforePackages(async () => {
  const { trustSystemAuthorities } = await import("../src/io/authorities.ts");
  trustSystemAuthorities(process.env, process.platform);
});

const io = systemIo();
void run();

/** Runs the command. It is a function because the executable is CommonJS, which has no top-level await. */
async function run(): Promise<void> {
  const code = await main(process.argv.slice(2), io);
  process.exitCode = code;
  await io.written(); // exiting earlier would lose output that a slow reader has not taken yet
  // The process normally ends by itself now. Pending operations of a stopped command must not keep it running.
  setTimeout(() => end(code), 200).unref();
}

/**
 * Ends the process at once. process.exit waits for Node's threads, which may be blocked for a long time by a name lookup or by
 * opening a file; then the process is replaced by a shell that exits with the same code.
 */
function end(exitCode: number): void {
  const inThread = ["GetAddrInfoReqWrap", "FSReqCallback", "FSReqPromise"];
  if (process.platform !== "win32" && process.getActiveResourcesInfo().some((each) => inThread.includes(each))) {
    process.emit("exit", exitCode); // removes temporary files
    process.execve?.("/bin/sh", ["sh", "-c", `exit ${exitCode}`], {});
  }
  process.exit(exitCode);
}

import { systemIo } from "../src/io-system.ts";
import { main } from "../src/main.ts";

process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  // A closed pipe (`tsign … | head`) is not worth a message, but no success either: not everything was said.
  const text = error.code === "ENOSPC" ? "cannot write the output: no space left on the device" : undefined;
  if (error.code !== "EPIPE") process.stderr.write(`Error: ${text ?? `unexpected: ${error.message}`}\n`);
  process.exit(1);
});

const code = await main(process.argv.slice(2), systemIo());
process.exitCode = code;
// Ends by itself when all is written; what a stopped command still waits for does not hold it up.
setTimeout(() => process.exit(code), 200).unref();

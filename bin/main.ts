import { systemIo } from "../src/io-system.ts";
import { main } from "../src/main.ts";

// A closed pipe (`tsign … | head`) is the reader's choice, not a failure worth a message.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.on("uncaughtException", (error) => {
  process.stderr.write(`Error: unexpected: ${error.message}\n`);
  process.exit(1);
});

const code = await main(process.argv.slice(2), systemIo());
process.stdout.write("", () => process.exit(code));

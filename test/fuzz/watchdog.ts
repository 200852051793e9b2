import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { workerData } from "node:worker_threads";

const { shared, target, seed, folder, silence } = workerData as {
  shared: SharedArrayBuffer;
  target: string;
  seed: number;
  folder: string;
  silence: number;
};
const [head, body] = [new Int32Array(shared, 0, 3), new Uint8Array(shared, 12)];
let [seen, since] = [-1, Date.now()];

setInterval(() => {
  const count = Atomics.load(head, 0);
  if (count !== seen) [seen, since] = [count, Date.now()];
  else if (count > 0 && Date.now() - since > silence) giveUp();
}, 500);

function giveUp(): void {
  const document = Buffer.from(body.slice(0, Atomics.load(head, 1))).toString("base64");
  const file = join(folder, `${target}-${seed}-hang.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify({ target, reason: "it does not end", seed, form: "", document, setting: null }));
  process.stderr.write(
    `fuzz: ${target}: an input took longer than ${silence / 1000} s, kept in ${file}\n0 passed, 1 failed\n`,
  );
  process.kill(process.pid, "SIGKILL");
}

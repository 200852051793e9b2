// Records the environment variables that the process reads by name, and writes them to the file COUNT_ENVIRONMENT.
import { writeFileSync } from "node:fs";
import process from "node:process";

const { env } = process;
const file = env.COUNT_ENVIRONMENT;
const read = new Set();
process.env = new Proxy(env, {
  get(target, name) {
    read.add(String(name));
    return target[name];
  },
  has(target, name) {
    read.add(String(name));
    return name in target;
  },
  ownKeys(target) {
    read.add("all");
    return Reflect.ownKeys(target);
  },
});
process.on("exit", () => writeFileSync(file, [...read].join("\n")));

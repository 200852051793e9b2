import type { Run } from "../cli/parser/define.ts";
import { locateEngine } from "../io/policy-engine.ts";
import { CARRIED_TRUST, POLICY_EVALUATORS, VERSION } from "../version.ts";
import type definition from "./version.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  const { runtime, os, arch } = io.platform;
  const engine = await locateEngine(io);
  const facts = {
    gitVersion: VERSION.version,
    gitCommit: VERSION.commit,
    gitTreeState: VERSION.commit === "unknown" ? "unknown" : "clean",
    buildDate: VERSION.date,
    goVersion: runtime,
    compiler: "esbuild",
    policyEngine: engine === undefined ? "none" : `${FORM[engine.form]}: ${POLICY_EVALUATORS}`,
    trustPackage: CARRIED_TRUST.package,
    tufRootVersion: String(CARRIED_TRUST.rootVersion),
    tufRootExpires: CARRIED_TRUST.rootExpires,
    platform: `${PLATFORM[os] ?? os}/${PLATFORM[arch] ?? arch}`,
  };
  if (flags.json) {
    io.stdout.data(`${JSON.stringify(facts, null, 2)}\n`);
    return;
  }
  const lines = Object.entries({ ...facts, goVersion: undefined, runtime }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name.charAt(0).toUpperCase()}${name.slice(1)}:`.padEnd(15)}${value}`],
  );
  const title = "tsign: signs and verifies container images and files";
  for (const line of [title, "", ...lines, ""]) io.stdout.write(`${line}\n`);
};

const PLATFORM: Readonly<Record<string, string>> = { x64: "amd64", win32: "windows" };
const FORM = { native: "native", portable: "WebAssembly" } as const;

import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { askRunning } from "../../sandbox/server/state.ts";
import type definition from "./token.ts";

export const run: Run<typeof definition> = async (io, { flags, given }) => {
  if (flags.github && given.has("email")) throw new TsignError("usage", "--github and --email cannot be used together");
  const query = new URLSearchParams({ aud: flags.aud, ttl: String(Math.round(flags.ttl / 1000)) });
  if (!flags.github) query.set("email", flags.email);
  if (flags.claims !== "") query.set("claims", flags.claims);
  const path = `${flags.github ? "/ci" : ""}/mint?${query}`;
  const token = await askRunning(io, { method: "GET", path });
  io.stdout.data(`${token}\n`);
  return { token };
};

import { flag } from "../parser/define.ts";

/** The flags of the commands about trust policies. */
export const policyFlags = {
  output: flag.choice(["text", "json"], "output format", { default: "text", short: "o" }),
};

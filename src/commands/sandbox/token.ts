import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print an identity token of the sandbox",
  about:
    "Prints an ID token that the sandbox's certificate authority accepts: for any e-mail address, or, with --github, for a " +
    "GitHub Actions job. No other Sigstore accepts it.",
  examples: [
    "tsign sandbox token --email alice@example.com",
    'tsign sandbox token --github --claims \'{"ref":"refs/tags/v1"}\'',
  ],
  args: { min: 0, max: 0 },
  flags: {
    email: flag.string("whose token it is", { default: "tester@example.com" }),
    github: flag.bool("a GitHub Actions job's token, by the issuer at /ci"),
    aud: flag.string("audience", { default: "sigstore" }),
    ttl: flag.duration("how long it holds, 1h by default; below zero it has expired", { default: 3_600_000 }),
    claims: flag.string("JSON object of claims to add or replace"),
  },
  bindEnvironment: false,
});

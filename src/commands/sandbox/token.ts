import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print an identity token from the sandbox",
  about:
    "Prints an identity token that the sandbox's certificate authority accepts, for an email address or, with --github, for a GitHub Actions job. No other Sigstore instance accepts it.",
  examples: [
    "# Print a token for an email address",
    "tsign sandbox token --email alice@example.com",
    "# Print a token of a GitHub Actions job",
    'tsign sandbox token --github --claims \'{"ref":"refs/tags/v1"}\'',
  ],
  result: shape.object({ token: shape.text("JSON Web Token") }),
  args: { min: 0, max: 0 },
  flags: {
    email: flag.string("email address in the token", { default: "tester@example.com" }),
    github: flag.bool("print a token of a GitHub Actions job instead, from the issuer at /ci"),
    aud: flag.string("audience of the token", { default: "sigstore" }),
    ttl: flag.duration("lifetime of the token; a negative one makes an expired token", { default: 3_600_000 }),
    claims: flag.string("claims to add or replace, as a JSON object"),
  },
  bindEnvironment: false,
});

import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <registry>",
  summary: "Log in to a registry",
  about:
    "Checks a user name and password with a registry and stores them in docker's configuration or the credential store it names, where docker and cosign read them. Prompts for missing values on a terminal.",
  examples: [
    "# Log in with a password from a file",
    "tsign login registry.example -u alice --password-stdin < token.txt",
  ],
  result: shape.object({
    registry: shape.text(),
    checked: shape.flag("whether the registry checked the password"),
    storedIn: shape.text("file or credential helper"),
  }),
  args: { min: 1, max: 1 },
  flags: {
    password: flag.string("registry password (visible to other users of this machine; prefer --password-stdin)", {
      short: "p",
      secret: true,
    }),
    passwordStdin: flag.bool("read the password from stdin"),
    username: flag.string("registry user name", { short: "u" }),
  },
  bindEnvironment: false,
});

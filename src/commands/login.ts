import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <registry>",
  summary: "Store the credentials of a registry",
  about:
    "Asks for what is missing, checks user name and password at the registry, and stores them where docker and cosign find " +
    "them: in docker's configuration, or in the credential store it names.",
  examples: ["tsign login registry.example -u alice --password-stdin < token.txt"],
  args: { min: 1, max: 1 },
  flags: {
    password: flag.string("password; on the command line it is visible to others", { short: "p", secret: true }),
    passwordStdin: flag.bool("read the password from stdin"),
    username: flag.string("user name", { short: "u" }),
  },
  bindEnvironment: false,
});

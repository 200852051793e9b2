import type { ErrorCode } from "../../errors.ts";
import { type ErrorPage, VERIFICATION_ERROR_PAGES } from "./verification-error-pages.ts";

/** The page of every code. */
export const ERROR_PAGES: Readonly<Record<ErrorCode, ErrorPage>> = {
  usage: {
    meaning: "The command line is wrong. Nothing was read, sent or written.",
    causes: [
      "a flag or a command is misspelt",
      "flags that cannot be used together, or one that requires another",
      "a COSIGN_<FLAG> variable sets a flag to a value that the flag does not accept",
    ],
    remedies: ["follow the hint", "run `tsign help COMMAND` for the flags of the command"],
    example: { command: "tsign verify --ket cosign.pub registry.example/app:v1", error: "unknown flag: --ket" },
  },
  input: {
    meaning: "A file, key, reference or variable that you named is missing, or is not what the command needs.",
    causes: [
      "a path is misspelt, or relative to another folder",
      "a private key where the public one belongs, or the other way round",
      "the password of the key is wrong, or ends with a line feed",
      "an image reference is not valid",
    ],
    remedies: [
      "check the name that the message quotes",
      "run `tsign public-key --key KEY` or `tsign key test KEY` to try the key alone",
    ],
    example: {
      command: "tsign verify --key missing.pub registry.example/app:v1",
      error: "read missing.pub: no such file or directory",
    },
  },
  unsupported: {
    meaning: "The request is understood, but this version of tsign cannot do it.",
    causes: [
      "a key of an unsupported type or on an unsupported curve",
      "a format or a protocol that is newer, or too old",
    ],
    remedies: ["use one of the kinds that the message or the hint lists", "look for a newer version of tsign"],
    example: {
      command: "tsign verify --key k1.pub IMAGE",
      error: "k1.pub: keys of type ECDSA on curve secp256k1 are not supported",
    },
  },
  auth: {
    meaning: "A registry or a service refused the credentials, or requires credentials that are missing.",
    causes: [
      "there is no login for the registry, or it has expired",
      "the account may read but not write",
      "an identity token has expired, or is meant for another audience",
      "a CI job has no permission to request identity tokens",
    ],
    remedies: [
      "run `tsign login REGISTRY`, or `docker login`",
      "request a new identity token with the audience `sigstore`",
      "in GitHub Actions, add `permissions: id-token: write` to the job",
    ],
    example: {
      command: "tsign sign --identity-token expired.jwt IMAGE",
      error: "Fulcio (fulcio.sigstore.dev) returned 401: the token is invalid",
    },
  },
  network: {
    meaning: "A registry or a service could not be reached, or the connection broke.",
    causes: [
      "the host name is misspelt, or the server is not running",
      "HTTPS_PROXY or HTTP_PROXY names a proxy that does not answer",
      "the certificate of the server is not from an authority that this machine trusts",
      "there is no network, and the command needs one",
    ],
    remedies: [
      "check the address in the message, and the proxy variables",
      "pass --registry-cacert FILE, or set SSL_CERT_FILE, for a private authority",
      "pass --trusted-root FILE to verify without the network",
      "run the command with --verbose to see every request",
    ],
    example: {
      command: "tsign tree registry.example/app:v1",
      error: "connect to https://registry.example: no such host",
    },
  },
  timeout: {
    meaning: "The command, or one of its requests, took longer than allowed.",
    causes: ["a server accepts connections and sends nothing", "a slow connection and a large image"],
    remedies: ["run the command again", "pass a longer --timeout, such as 10m", "check the service that is named"],
    example: {
      command: "tsign verify --timeout 5s --key cosign.pub IMAGE",
      error: "the command took longer than --timeout 5s: no answer from registry.example yet",
    },
  },
  registry: {
    meaning: "A registry, or an image layout on disk, returned an error or invalid content.",
    causes: [
      "the registry fails or is overloaded (status 500 to 599)",
      "content does not have the digest that was asked for",
      "a folder is not an OCI image layout",
      "the registry does not support what the command needs, such as deleting",
    ],
    remedies: ["run the command again after a minute", "run it with --verbose to see the request that fails"],
    example: {
      command: "tsign copy registry.example/app:v1 mirror.example/app:v1",
      error: "push blob sha256:…: mirror.example returned 503",
    },
  },
  service: {
    meaning:
      "Fulcio, Rekor, a timestamp authority, an OIDC issuer, a TUF mirror or a key service returned an error or " +
      "invalid content.",
    causes: [
      "the service is down or overloaded",
      "the URL is not that of such a service",
      "the service is misconfigured",
    ],
    remedies: [
      "run the command again after a minute",
      "check the URL in the message, and where it is configured: a flag, or the signing config",
      "look at the status page of the service (https://status.sigstore.dev for the public one)",
    ],
    example: {
      command: "tsign sign-blob --bundle file.sigstore.json file",
      error: "Rekor (rekor.sigstore.dev) returned 502",
    },
  },
  limit: {
    meaning: "A file or an answer is too large, too deeply nested, or has too many parts.",
    causes: ["a very large attachment", "a document made to exhaust memory or time"],
    remedies: [
      "check that the file is what you think it is",
      "set COSIGN_MAX_ATTACHMENT_SIZE, for example to 256MiB, if a large attachment is expected",
    ],
    example: {
      command: "tsign verify-blob --key cosign.pub --bundle huge.json file",
      error: "huge.json is larger than 134217728 bytes",
    },
  },
  ...VERIFICATION_ERROR_PAGES,
  cancelled: {
    meaning: "You declined a question, or interrupted the program.",
    causes: ["Ctrl-C", "an answer other than y", "a question that could not be asked: there is no terminal"],
    remedies: ["run the command again", "pass --yes to skip the question in a script"],
    example: { command: "tsign sign IMAGE", error: "interrupted" },
  },
  internal: {
    meaning: "tsign has a defect. No verdict was reached.",
    causes: ["an unexpected exception"],
    remedies: ["report it with the command, the version (`tsign version`) and the output of --verbose"],
    example: { command: "tsign verify --key cosign.pub IMAGE", error: "internal error: …" },
  },
};

import assert from "node:assert/strict";
import { test } from "node:test";
import { shellQuoted } from "../../format/shell-quoted.ts";
import { absenceHint, refusalHint, type SignerFlags, signersHint } from "./refusal-hints.ts";

const NONE: SignerFlags = {
  ...{ key: "", sk: false, offline: false, certificateIdentity: "", certificateIdentityRegexp: "" },
  ...{ certificateOidcIssuer: "", certificateOidcIssuerRegexp: "", certificateGithubWorkflowName: "" },
  ...{ certificateGithubWorkflowRef: "", certificateGithubWorkflowRepository: "", certificateGithubWorkflowSha: "" },
  certificateGithubWorkflowTrigger: "",
};
const IDENTITY = { ...NONE, certificateIdentity: "me@example.org", certificateOidcIssuer: "https://id.example" };
const KEY = { ...NONE, key: "cosign.pub" };
const LISTED = "list the signers with `tsign tree --signers app:1`";

test("refusalHint: refused identity -> names the flag that demands the value", () => {
  const refused = (expected: string, flags: SignerFlags = IDENTITY) =>
    refusalHint({ check: "identity", expected, actual: "other" }, flags, LISTED);
  assert.equal(refused("me@example.org"), `check --certificate-identity; ${LISTED}`);
  assert.equal(refused("https://id.example"), `check --certificate-oidc-issuer; ${LISTED}`);
  const workflow = { ...IDENTITY, certificateGithubWorkflowRepository: "acme/other" };
  assert.equal(refused("acme/other", workflow), `check --certificate-github-workflow-repository; ${LISTED}`);
  assert.equal(refused("a and b"), `check --certificate-identity and --certificate-oidc-issuer; ${LISTED}`);
});

test("refusalHint: a key where a certificate is stored, and the reverse -> names the flags of the other kind", () => {
  const certificate = { check: "key", expected: "public key", actual: "certificate" } as const;
  assert.match(
    refusalHint(certificate, KEY, LISTED) ?? "",
    /^replace --key with --certificate-identity and --certificate-oidc/,
  );
  const key = { check: "key", expected: "certificate", actual: "public key" } as const;
  assert.match(refusalHint(key, IDENTITY, LISTED) ?? "", /^verify with --key instead of --certificate-identity/);
});

test("refusalHint: a wrong key -> names --key or --sk, whichever was given", () => {
  for (const refusal of [{ check: "signature" }, { check: "log", actual: "another key" }] as const) {
    assert.equal(refusalHint(refusal, KEY, LISTED), `check --key; ${LISTED}`);
    assert.equal(refusalHint(refusal, { ...NONE, sk: true }, undefined), "check --sk");
  }
  assert.equal(refusalHint({ check: "signature" }, IDENTITY, LISTED), undefined, "the content was changed");
});

test("refusalHint: no log entry -> names --insecure-ignore-tlog, and with --offline the look-up first", () => {
  const refusal = { check: "log", expected: "a log entry", actual: "no entry" } as const;
  assert.match(refusalHint(refusal, KEY, LISTED) ?? "", /^if it was signed without .* add --insecure-ignore-tlog$/);
  assert.match(
    refusalHint(refusal, { ...KEY, offline: true }, LISTED) ?? "",
    /^leave out --offline .*--insecure-ignore-tlog$/,
  );
  assert.doesNotMatch(
    refusalHint({ check: "log" }, KEY, LISTED) ?? "",
    /insecure/,
    "an entry that is wrong is not skipped",
  );
});

test("absenceHint: COSIGN_REPOSITORY is named only where it is set, and never for a folder", () => {
  const target = { repository: "localhost:5000/app", reference: "localhost:5000/app@sha256:00" };
  const hint = (env: Record<string, string>, localImage: boolean) =>
    absenceHint({ env }, { kind: "nothing" }, { kind: "signatures", localImage, target });
  assert.match(
    hint({ COSIGN_REPOSITORY: "localhost:5000/sigs" }, false),
    /^check COSIGN_REPOSITORY: .* localhost:5000\/sigs$/,
  );
  assert.doesNotMatch(hint({}, false), /COSIGN_REPOSITORY/);
  assert.doesNotMatch(hint({ COSIGN_REPOSITORY: "localhost:5000/sigs" }, true), /COSIGN_REPOSITORY/);
});

test("absenceHint: a misspelt alias of a predicate type is named, another type is not", () => {
  const target = { repository: "localhost:5000/app", reference: "localhost:5000/app@sha256:00" };
  const hint = (predicateType: string) =>
    absenceHint(
      { env: {} },
      { kind: "other-types", predicateTypes: ["https://slsa.dev/provenance/v0.2"] },
      { kind: "attestations", predicateType, localImage: false, target },
    );
  assert.equal(hint("slsaprovenence"), "did you mean --type slsaprovenance or --type slsaprovenance1?");
  for (const type of ["https://example.com/t", "team-scan", ""])
    assert.match(hint(type), /types that were found/, type);
});

test("shellQuoted: special characters -> one word in single quotes", () => {
  assert.equal(shellQuoted("ghcr.io/acme/app@sha256:00"), "ghcr.io/acme/app@sha256:00");
  assert.equal(shellQuoted("it's $HOME"), "'it'\\''s $HOME'");
  assert.equal(shellQuoted(""), "''");
  assert.equal(signersHint("app:1"), LISTED);
});

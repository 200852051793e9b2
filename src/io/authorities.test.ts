import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { temporaryFolder } from "../../test/support/test-io.ts";
import { systemAuthorities } from "./authorities.ts";

const [ONE = "", TWO = "", THREE = ""] = tls.rootCertificates;

test("systemAuthorities: the first file and all folders; the runtime's own only where there is none of them", (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  mkdirSync(at("certs"));
  const linux = { files: [at("first"), at("second")], folders: [at("certs"), at("missing")] };
  const found = (env = {}) => systemAuthorities(env, "linux", linux);
  assert.deepEqual(found(), tls.rootCertificates);
  writeFileSync(at("second"), `${TWO}\n`);
  assert.deepEqual(found(), [TWO]);
  writeFileSync(at("first"), `${ONE}\nsome text\n`);
  writeFileSync(join(at("certs"), "x.pem"), `${THREE}\n${ONE}\n`);
  assert.deepEqual(found(), [ONE, THREE]);
  assert.deepEqual(found({ SSL_CERT_FILE: at("second") }), [TWO, THREE, ONE]);
  assert.deepEqual(found({ SSL_CERT_FILE: at("second"), SSL_CERT_DIR: at("missing") }), [TWO]);
  assert.deepEqual(found({ SSL_CERT_FILE: at("missing"), SSL_CERT_DIR: at("missing") }), []);
  writeFileSync(join(at("certs"), "x.pem"), "");
  writeFileSync(at("first"), "");
  assert.deepEqual(found(), [], "an empty file trusts nothing");
});
